//! What a switchboard is told when it begins.

use std::collections::BTreeMap;
use std::time::Instant;

use model::prompt::Catalogue;
use model::{ConferenceName, Profile, SrtpKeys, SrtpPolicy, TapRate};
use sip::access::Access;

use crate::audio::TrunkAudio;
use crate::limits::{RTP_TIMEOUT_HELD_S, RTP_TIMEOUT_TALKING_S};
use crate::srtp::SrtpRules;

/// A room's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Recording begins with the first party.
    pub record: bool,
    /// The rate of its recordings.
    pub recording_rate: TapRate,
    /// Parties at most.
    pub parties_max: usize,
    /// The rules that its conferences follow.
    pub profile: Profile,
}

/// How long a call stays up of which nothing comes, neither audio nor RTCP \[s\]; 0 is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpTimeouts {
    /// Where audio is to go both ways.
    pub talking_s: u32,
    /// Where a phone is on hold, or its audio goes one way by agreement.
    pub held_s: u32,
}

impl Default for RtpTimeouts {
    fn default() -> RtpTimeouts {
        RtpTimeouts { talking_s: RTP_TIMEOUT_TALKING_S, held_s: RTP_TIMEOUT_HELD_S }
    }
}

/// What can be said anew while calls are up. It holds for calls, requests and conferences that
/// begin from then on: whoever is in a call stays in it, and a conference keeps its rules (S4.4).
#[derive(Debug, Clone)]
pub struct HouseRules {
    /// Users, networks, trunks and routes.
    pub access: Access,
    /// What is agreed on with trunks, by their names, where it is not what is agreed on with all.
    pub trunk_audio: BTreeMap<String, TrunkAudio>,
    /// Who must have SRTP that is not named otherwise.
    pub srtp: SrtpPolicy,
    /// Along which signalling its keys come and go.
    pub srtp_keys: SrtpKeys,
    /// Users whose SRTP is not everybody's.
    pub srtp_by_user: BTreeMap<String, SrtpPolicy>,
    /// Rooms with settings of their own.
    pub rooms: BTreeMap<ConferenceName, Room>,
    /// The numbers that rooms show to whom they call, if they have one.
    pub callers: BTreeMap<ConferenceName, String>,
    /// The settings of every other room.
    pub any_room: Room,
}

/// What a switchboard is told when it begins.
#[derive(Debug, Clone)]
pub struct Config {
    /// The SIP endpoint's settings.
    pub sip: sip::Config,
    /// Who must have SRTP.
    pub srtp: SrtpRules,
    /// Rooms with settings of their own.
    pub rooms: BTreeMap<ConferenceName, Room>,
    /// What can be said.
    pub prompts: Catalogue,
    /// What is agreed on with trunks, by their names, where it is not what is agreed on with all.
    pub trunk_audio: BTreeMap<String, TrunkAudio>,
    /// When a call is over of which nothing comes.
    pub rtp_timeouts: RtpTimeouts,
    /// The numbers that rooms show to whom they call, if they have one.
    pub callers: BTreeMap<ConferenceName, String>,
    /// The settings of every other room.
    pub any_room: Room,
    /// An instant of the caller's clock …
    pub started: Instant,
    /// … and what a calendar said at that instant [ms since the Unix epoch]. From there on only
    /// the clock counts, so a calendar that is set cannot disturb a call.
    pub started_ms: u64,
}

impl Config {
    /// The settings of a room.
    pub(crate) fn room(&self, name: &ConferenceName) -> &Room {
        self.rooms.get(name).unwrap_or(&self.any_room)
    }

    /// What is agreed on with a trunk.
    pub(crate) fn audio_of(&self, trunk: &str) -> Option<&TrunkAudio> {
        self.trunk_audio.get(trunk)
    }

    /// The calendar's time at an instant [ms since the Unix epoch].
    pub(crate) fn at_ms(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.started).as_millis();
        self.started_ms + u64::try_from(since).unwrap_or(u64::MAX / 2)
    }

    /// The instant of a calendar's time.
    pub(crate) fn instant(&self, at_ms: u64) -> Instant {
        self.started + std::time::Duration::from_millis(at_ms.saturating_sub(self.started_ms))
    }
}
