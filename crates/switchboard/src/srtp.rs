//! Who must have SRTP, and the keys for it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use model::{LegId, Refusal, SrtpKey, SrtpKeys, SrtpPolicy, SrtpSuite};
use sip::access::{Destination, Origin};
use sip::{Incoming, SessionError};
use wire::sdp::{Description, Keys, Local, Negotiated, Protected, Srtp};
use wire::srtp::{MasterKey, Suite};

use crate::config::HouseRules;
use crate::limits::KEYS_TOLD_EVERY;
use crate::switchboard::{Output, Switchboard};
use crate::way::{KnownAs, Way};

/// Who must have SRTP.
#[derive(Clone, Default)]
pub struct SrtpRules {
    /// Who is not named.
    pub any: SrtpPolicy,
    /// Users by name.
    pub users: BTreeMap<String, SrtpPolicy>,
    /// Along which signalling the keys come and go.
    pub keys: SrtpKeys,
    /// What keys are drawn from: random bytes of the operating system.
    pub secret: [u8; 32],
}

impl fmt::Debug for SrtpRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SrtpRules { any, users, keys, secret: _ } = self;
        let mut rules = f.debug_struct("SrtpRules");
        rules.field("any", any).field("users", users).field("keys", keys).finish_non_exhaustive()
    }
}

impl HouseRules {
    /// Whether somebody must have SRTP whose keys go by TLS only.
    #[must_use]
    pub fn needs_tls_for_keys(&self) -> bool {
        self.srtp_keys == SrtpKeys::Secure && self.requires_srtp()
    }

    /// Whether somebody must have SRTP whose keys may be read on their way.
    #[must_use]
    pub fn tells_keys_openly(&self) -> bool {
        self.srtp_keys == SrtpKeys::Any && self.requires_srtp()
    }

    /// Whether anybody must have SRTP.
    fn requires_srtp(&self) -> bool {
        let of_users = self.srtp_by_user.values();
        let of_trunks = self.trunk_audio.values().filter_map(|audio| audio.srtp.as_ref());
        let mut all = of_users.chain(of_trunks).chain([&self.srtp]);
        all.any(|policy| *policy == SrtpPolicy::Required)
    }
}

impl SrtpRules {
    fn of(&self, user: Option<&str>) -> SrtpPolicy {
        user.and_then(|user| self.users.get(user)).copied().unwrap_or(self.any)
    }
}

impl Switchboard {
    /// What holds for a call that comes in, by who calls and whether keys may come the way that its
    /// INVITE came. `offer` is none where the caller asks for ours.
    ///
    /// # Errors
    /// [`Refusal::KeysInClear`]: they may not, and there is no call without.
    /// [`Refusal::NotAcceptable`]: there is none without, and it brings no keys.
    pub(crate) fn srtp_for_call(
        &self,
        incoming: &Incoming,
        offer: Option<&Description>,
    ) -> Result<SrtpPolicy, Refusal> {
        let policy = self.srtp_for_caller(&incoming.origin);
        match (self.config.srtp.keys, policy) {
            (SrtpKeys::Any, policy) => Ok(policy),
            (SrtpKeys::Secure, policy) if incoming.flow.is_secure() => Ok(policy),
            (SrtpKeys::Secure, SrtpPolicy::Required) => {
                let has_keys = offer.is_none_or(Description::has_keys);
                Err(if has_keys { Refusal::KeysInClear } else { Refusal::NotAcceptable })
            }
            (SrtpKeys::Secure, SrtpPolicy::Optional) => {
                let is_protected_only = offer.is_some_and(Description::is_protected_only);
                if is_protected_only { Err(Refusal::KeysInClear) } else { Ok(SrtpPolicy::Off) }
            }
            (SrtpKeys::Secure, SrtpPolicy::Off) => Ok(SrtpPolicy::Off),
        }
    }

    /// A call with somebody is not to be, for its keys would go in clear.
    pub(crate) fn tell_of_keys(&mut self, now: Instant, with: String) {
        let since = |told: Instant| now.saturating_duration_since(told);
        if self.keys_told.is_none_or(|told| since(told) >= KEYS_TOLD_EVERY) {
            self.keys_told = Some(now);
            self.outputs.push_back(Output::KeysInClear { with });
        }
    }

    /// Why a leg is not called, of what the endpoint says of it: for its keys would go in clear, or
    /// else for that reason.
    pub(crate) fn why_not_called(
        &mut self,
        now: Instant,
        (leg, target): (LegId, &str),
        (error, otherwise): (SessionError, Refusal),
    ) -> Refusal {
        if error != SessionError::Unreachable || !self.is_confidential(leg) {
            return otherwise;
        }
        self.tell_of_keys(now, target.to_owned());
        Refusal::KeysInClear
    }

    /// What holds for a call that we make, of what holds for whom we call. By which transport it
    /// will go is not known yet, so keys that come later may be open to all: none is taken.
    pub(crate) fn srtp_going_out(&self, policy: SrtpPolicy) -> SrtpPolicy {
        match (self.config.srtp.keys, policy) {
            (SrtpKeys::Secure, SrtpPolicy::Optional) => SrtpPolicy::Off,
            (SrtpKeys::Any | SrtpKeys::Secure, policy) => policy,
        }
    }

    /// Whether our INVITE has keys in it that nobody on the way may read.
    pub(crate) fn has_confidential_keys(&self, policy: SrtpPolicy) -> bool {
        self.config.srtp.keys == SrtpKeys::Secure && policy == SrtpPolicy::Required
    }

    /// The same of a leg's INVITE.
    pub(crate) fn is_confidential(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|leg| self.has_confidential_keys(leg.srtp))
    }

    /// What holds for whoever calls.
    fn srtp_for_caller(&self, origin: &Origin) -> SrtpPolicy {
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
        let of_nobody = self.srtp_going_out(self.config.srtp.of(None));
        way.map_or(of_nobody, |way| self.srtp_by(&way, &by))
    }

    /// What holds for a call that goes that way.
    pub(crate) fn srtp_by(&self, way: &Way, behalf: &Origin) -> SrtpPolicy {
        self.srtp_going_out(match way {
            Way::Routed(Destination::User(user)) => self.config.srtp.of(Some(user)),
            // It comes in as theirs.
            Way::Routed(Destination::Conference(_) | Destination::Lobby { .. }) => {
                self.srtp_for_caller(behalf)
            }
            // Each trunk has rules of its own, which count when it is called.
            Way::Routed(Destination::Number { .. }) | Way::Straight => self.config.srtp.of(None),
        })
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
