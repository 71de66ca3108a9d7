//! Who must have SRTP, and the keys for it.

use std::collections::BTreeMap;
use std::fmt;

use model::{SrtpKey, SrtpPolicy, SrtpSuite};
use sip::access::{Destination, Origin};
use wire::sdp::{Keys, Local, Negotiated, Protected, Srtp};
use wire::srtp::{MasterKey, Suite};

use crate::config::Config;
use crate::switchboard::Switchboard;
use crate::way::{KnownAs, Way};

/// Who must have SRTP.
#[derive(Clone, Default)]
pub struct SrtpRules {
    /// Who is not named.
    pub any: SrtpPolicy,
    /// Users by name.
    pub users: BTreeMap<String, SrtpPolicy>,
    /// What keys are drawn from: random bytes of the operating system.
    pub secret: [u8; 32],
}

impl fmt::Debug for SrtpRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SrtpRules { any, users, secret: _ } = self;
        f.debug_struct("SrtpRules").field("any", any).field("users", users).finish_non_exhaustive()
    }
}

impl Config {
    /// Whether anybody must have SRTP.
    #[must_use]
    pub fn requires_srtp(&self) -> bool {
        let of_users = self.srtp.users.values();
        let of_trunks = self.trunk_audio.values().filter_map(|audio| audio.srtp.as_ref());
        let mut all = of_users.chain(of_trunks).chain([&self.srtp.any]);
        all.any(|policy| *policy == SrtpPolicy::Required)
    }
}

impl SrtpRules {
    fn of(&self, user: Option<&str>) -> SrtpPolicy {
        user.and_then(|user| self.users.get(user)).copied().unwrap_or(self.any)
    }
}

impl Switchboard {
    /// What holds for a call that comes in.
    pub(crate) fn srtp_for_caller(&self, origin: &Origin) -> SrtpPolicy {
        match origin {
            Origin::Trunk(name) => self.srtp_of_trunk(name),
            Origin::User(name) => self.config.srtp.of(Some(name)),
            Origin::Stranger | Origin::Trusted => self.config.srtp.of(None),
        }
    }

    /// What holds for calls with a trunk.
    pub(crate) fn srtp_of_trunk(&self, name: &str) -> SrtpPolicy {
        let own = self.config.audio_of(name).and_then(|audio| audio.srtp);
        own.unwrap_or(self.config.srtp.any)
    }

    /// What holds for a call to that address.
    pub(crate) fn srtp_for_target(&self, target: &str) -> SrtpPolicy {
        let by = Origin::Trusted;
        let way = self.may_dial((&by, &KnownAs::default()), target);
        way.map_or(self.config.srtp.of(None), |way| self.srtp_by(&way, &by))
    }

    /// What holds for a call that goes that way.
    pub(crate) fn srtp_by(&self, way: &Way, behalf: &Origin) -> SrtpPolicy {
        match way {
            Way::Routed(Destination::User(user)) => self.config.srtp.of(Some(user)),
            // It comes in as theirs.
            Way::Routed(Destination::Conference(_) | Destination::Lobby { .. }) => {
                self.srtp_for_caller(behalf)
            }
            // Each trunk has rules of its own, which count when it is called.
            Way::Routed(Destination::Number { .. }) | Way::Straight => self.config.srtp.of(None),
        }
    }

    /// What we say of it in a call's descriptions.
    pub(crate) fn draw_srtp(&mut self, policy: SrtpPolicy) -> Srtp {
        match policy {
            SrtpPolicy::Off => Srtp::Off,
            SrtpPolicy::Optional => Srtp::Optional(Keys::draw(&mut self.keys)),
            SrtpPolicy::Required => Srtp::Required(Keys::draw(&mut self.keys)),
        }
    }

    /// Replaces all keys that do not serve.
    pub(crate) fn renew_srtp(&mut self, local: &mut Local, negotiated: &Negotiated) {
        let serving = negotiated.srtp.map(|srtp| srtp.ours.suite());
        local.srtp.renew(serving, &mut self.keys);
    }
}

/// What media is told of the keys that were agreed on.
pub(crate) fn terms(agreed: &Protected) -> model::Srtp {
    let suite = match agreed.ours.suite() {
        Suite::AeadAes128Gcm => SrtpSuite::AeadAes128Gcm,
        Suite::Aes256CmHmacSha1_80 => SrtpSuite::Aes256CmHmacSha1_80,
        Suite::AesCm128HmacSha1_80 => SrtpSuite::AesCm128HmacSha1_80,
        Suite::AesCm128HmacSha1_32 => SrtpSuite::AesCm128HmacSha1_32,
    };
    let key = |key: &MasterKey| SrtpKey(*key.bytes());
    model::Srtp { suite, ours: key(&agreed.ours), theirs: key(&agreed.theirs) }
}
