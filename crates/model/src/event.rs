//! What happened, in order.
//!
//! Events of one conference are numbered from 1 without holes. Everything that can be seen of a
//! conference (page, GET routes, call records) is a fold of them.

use serde::{Deserialize, Serialize};

use crate::{
    Author, Codec, CommandId, ConferenceId, ConferenceName, PartyId, Quality, RecordingId,
};

/// One thing that happened in one conference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Event {
    /// In which conference.
    pub conference: ConferenceId,
    /// Its number there: 1, 2, 3 … without holes.
    pub seq: u64,
    /// When [ms since the Unix epoch].
    pub at_ms: u64,
    /// By whom.
    pub by: Author,
    /// The command that it follows from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<CommandId>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. The names are those of requirements, Appendix C.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum EventKind {
    /// The conference began.
    #[serde(rename = "conversation.created")]
    Created {
        /// Its name.
        name: ConferenceName,
        /// The profile whose rules it follows.
        profile: String,
    },
    /// The conference is over; no event follows.
    #[serde(rename = "conversation.ended")]
    Ended {
        /// How long it lasted, in milliseconds.
        duration_ms: u64,
    },
    /// The server is calling somebody in.
    #[serde(rename = "participant.dialling")]
    Dialling {
        /// Who.
        party: PartyId,
        /// The address that is called.
        address: String,
    },
    /// The called phone rings.
    #[serde(rename = "participant.ringing")]
    Ringing {
        /// Who.
        party: PartyId,
    },
    /// Somebody stands in the conference, audio running.
    #[serde(rename = "participant.joined")]
    Joined {
        /// Who.
        party: PartyId,
        /// The name that its phone shows.
        #[serde(skip_serializing_if = "Option::is_none")]
        display_name: Option<String>,
        /// Its address.
        address: String,
        /// The codec that the server sends it.
        codec: Codec,
    },
    /// A re-INVITE agreed on another codec.
    #[serde(rename = "participant.codec_changed")]
    CodecChanged {
        /// Who.
        party: PartyId,
        /// The codec that the server sends it from here on.
        codec: Codec,
    },
    /// Somebody is gone, or never came.
    #[serde(rename = "participant.left")]
    Left {
        /// Who.
        party: PartyId,
        /// Why.
        reason: LeaveReason,
    },
    /// Another connection sits in somebody's seat; nobody came and nobody left.
    #[serde(rename = "participant.replaced")]
    Replaced {
        /// Whose seat.
        party: PartyId,
        /// The name that the phone shows.
        #[serde(skip_serializing_if = "Option::is_none")]
        display_name: Option<String>,
        /// The address of who sits in it from here on.
        address: String,
        /// The codec that the server sends from here on.
        codec: Codec,
    },
    /// Somebody's seat is to pass to somebody who is being called.
    #[serde(rename = "transfer.requested")]
    TransferRequested {
        /// Whose seat.
        party: PartyId,
        /// Who is being called for it.
        to: PartyId,
    },
    /// The called one is in; whose seat it was leaves.
    #[serde(rename = "transfer.completed")]
    TransferCompleted {
        /// Whose seat it was.
        party: PartyId,
        /// Whose it is.
        to: PartyId,
    },
    /// The called one did not come; whose seat it is stays.
    #[serde(rename = "transfer.failed")]
    TransferFailed {
        /// Whose seat.
        party: PartyId,
        /// Who did not come.
        to: PartyId,
        /// Why.
        reason: LeaveReason,
    },
    /// Somebody is set apart.
    #[serde(rename = "participant.held")]
    Held {
        /// Who.
        party: PartyId,
    },
    /// Somebody is back from hold.
    #[serde(rename = "participant.resumed")]
    Resumed {
        /// Who.
        party: PartyId,
    },
    /// Somebody's voice went out.
    #[serde(rename = "participant.muted")]
    Muted {
        /// Who.
        party: PartyId,
    },
    /// Somebody's voice came back.
    #[serde(rename = "participant.unmuted")]
    Unmuted {
        /// Who.
        party: PartyId,
    },
    /// Somebody began or stopped speaking.
    #[serde(rename = "participant.talking")]
    Talking {
        /// Who.
        party: PartyId,
        /// True while speaking.
        talking: bool,
    },
    /// Somebody's audio is better or worse than it was: told when its score passes a bound of
    /// satisfaction ([`MosClass`](crate::MosClass)) in either direction, every 5 s at most. All
    /// calls begin as good ones.
    #[serde(rename = "participant.quality")]
    Quality {
        /// Who.
        party: PartyId,
        /// The figures.
        quality: Quality,
    },
    /// Somebody pressed a key.
    #[serde(rename = "dtmf.received")]
    Digit {
        /// Who.
        party: PartyId,
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        digit: char,
    },
    /// Somebody wrote something. By whom is told by `by`.
    #[serde(rename = "message.text")]
    Text {
        /// For whom alone; absent: for all.
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<PartyId>,
        /// The text, as it came.
        text: String,
    },
    /// The mix is being recorded.
    #[serde(rename = "recording.started")]
    RecordingStarted {
        /// The recording, and the stem of its file's name.
        recording: RecordingId,
    },
    /// The recording is complete.
    #[serde(rename = "recording.stopped")]
    RecordingStopped {
        /// Which.
        recording: RecordingId,
    },
    /// The recording could not be started or go on.
    #[serde(rename = "recording.failed")]
    RecordingFailed {
        /// Which.
        recording: RecordingId,
        /// What the world said.
        reason: String,
    },
}

/// Why a party is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    /// It hung up.
    Left,
    /// Somebody removed it.
    Removed,
    /// Its seat passed to somebody else.
    Transferred,
    /// The conference ended for all.
    Ended,
    /// It was called and did not answer in time.
    NoAnswer,
    /// It was called and was busy.
    Busy,
    /// It was called and declined.
    Declined,
    /// It was called and could not be reached, or wanted what we cannot give.
    Failed,
    /// Its connection broke.
    Lost,
}
