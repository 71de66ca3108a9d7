//! What a conference hears of its legs, and what it wants done.

use model::{
    AnnouncementId, Codec, Digits, Event, KeyVerb, LeaveReason, LegId, OneWay, PromptName, Quality,
    RecordingId, Refusal, Routing, Track,
};

use crate::party::{PhoneKey, Video};

/// What became of a leg.
#[derive(Debug, Clone, PartialEq)]
pub enum LegChange {
    /// The called phone rings.
    Ringing,
    /// The called phone sends sound before it answers, or stops doing so.
    EarlyMedia(bool),
    /// Audio is agreed on and runs.
    Connected {
        /// The codec that is sent to the party.
        codec: Codec,
    },
    /// The party began or stopped speaking.
    Talking(bool),
    /// The phone's own hold key was pressed.
    Phone(PhoneKey),
    /// Its last offer had video, or has none any more.
    Video(Video),
    /// A key was pressed that says nothing.
    Digit(char),
    /// Keys said what is not done.
    KeysRefused(KeyVerb, Refusal),
    /// The audio was measured.
    Measured(Quality),
    /// The audio runs one way only, or both ways again.
    OneWay(Option<OneWay>),
    /// Nothing has come from the far end for so long that it is gone; the session is still up.
    TimedOut,
    /// The connection is over; nothing is left to hang up.
    Gone(LeaveReason),
}

impl LegChange {
    /// Whether it is only told of: who hears whom, who may stay and what is said are as before.
    /// These come often, and in a large conference to look through all of it is long.
    pub fn is_only_told(&self) -> bool {
        match self {
            LegChange::Talking(_)
            | LegChange::Digit(_)
            | LegChange::Measured(_)
            | LegChange::OneWay(_)
            | LegChange::Video(_) => true,
            LegChange::Ringing
            | LegChange::EarlyMedia(_)
            | LegChange::Connected { .. }
            | LegChange::Phone(_)
            | LegChange::KeysRefused(..)
            | LegChange::TimedOut
            | LegChange::Gone(_) => false,
        }
    }
}

/// What the conference wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Tell everybody who listens.
    Event(Event),
    /// Call this address on this leg.
    Dial {
        /// The leg to connect.
        leg: LegId,
        /// A SIP URI.
        target: String,
    },
    /// End this leg's session, whatever its state.
    HangUp {
        /// Which leg.
        leg: LegId,
        /// Why, for the far end.
        reason: LeaveReason,
    },
    /// Send this text to this leg.
    Text {
        /// Which leg.
        leg: LegId,
        /// The text.
        text: String,
    },
    /// Press these keys for this leg's far end to hear.
    Press {
        /// Which leg.
        leg: LegId,
        /// Which keys.
        digits: Digits,
    },
    /// This is who hears whom.
    Route(Routing),
    /// A prompt is said, from when somebody hears it on.
    Play {
        /// As which announcement.
        announcement: AnnouncementId,
        /// What.
        prompt: PromptName,
    },
    /// An announcement goes.
    StopPlaying(AnnouncementId),
    /// A recorder comes.
    OpenTap(RecordingId, Track),
    /// A recorder goes.
    CloseTap(RecordingId),
    /// The conference is over and can be forgotten.
    Over,
}
