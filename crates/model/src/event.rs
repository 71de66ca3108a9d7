//! What happened, in order.
//!
//! Events of one conference are numbered from 1 without holes. Everything that can be seen of a
//! conference (page, GET routes, call records) is a fold of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::command::{Hearers, Supervision};
use crate::profile::Seeing;
use crate::role::{Direction, Role};
use crate::{
    AnnouncementId, Author, Codec, CommandId, ConferenceId, ConferenceName, KeyVerb, OneWay,
    PartyId, PromptName, Quality, RecordingId, Refusal, Track,
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
        /// Whom those in it see, where that is not everybody as they are.
        #[serde(default, skip_serializing_if = "is_usual")]
        seeing: Seeing,
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
        /// As what it is called.
        role: Role,
        /// Which way its call goes.
        direction: Direction,
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
        /// What it is to the conference.
        role: Role,
        /// Which way its call goes.
        direction: Direction,
    },
    /// Who has just joined is one who had left: the same party.
    #[serde(rename = "participant.rejoined")]
    Rejoined {
        /// Who.
        party: PartyId,
        /// How often by now.
        times: u32,
    },
    /// Somebody has another role.
    #[serde(rename = "participant.role_changed")]
    RoleChanged {
        /// Who.
        party: PartyId,
        /// Which it has from here on.
        role: Role,
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
        /// Which way the call of who sits in it goes: it has called in, as one of ours or not.
        direction: Direction,
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
    /// Who may supervise has taken somebody's voice out; the owner cannot bring it back.
    #[serde(rename = "participant.silenced")]
    Silenced {
        /// Who.
        party: PartyId,
    },
    /// That ended.
    #[serde(rename = "participant.unsilenced")]
    Unsilenced {
        /// Who.
        party: PartyId,
    },
    /// Somebody steps aside, or will, with somebody who is called.
    #[serde(rename = "consult.started")]
    ConsultStarted {
        /// Who consults.
        party: PartyId,
        /// Who is called for it.
        with: PartyId,
    },
    /// Who consulted and who was consulted stand in the room.
    #[serde(rename = "consult.merged")]
    ConsultMerged {
        /// Who consulted.
        party: PartyId,
        /// Who was consulted.
        with: PartyId,
    },
    /// The consultation is over, for the consulted one is gone, or who consulted is.
    #[serde(rename = "consult.ended")]
    ConsultEnded {
        /// Who consulted.
        party: PartyId,
        /// Who was consulted.
        with: PartyId,
    },
    /// Somebody speaks to some of ours only.
    #[serde(rename = "whisper.started")]
    WhisperStarted {
        /// Who.
        party: PartyId,
        /// To whom.
        to: Hearers,
    },
    /// Somebody speaks to everybody again.
    #[serde(rename = "whisper.ended")]
    WhisperEnded {
        /// Who.
        party: PartyId,
    },
    /// Two speak to each other only.
    #[serde(rename = "pair.started")]
    PairStarted {
        /// One.
        party: PartyId,
        /// The other.
        with: PartyId,
    },
    /// They speak to everybody again.
    #[serde(rename = "pair.ended")]
    PairEnded {
        /// One.
        party: PartyId,
        /// The other.
        with: PartyId,
    },
    /// Somebody supervises, or does so otherwise.
    #[serde(rename = "supervision.mode_changed")]
    Supervised {
        /// The supervisor.
        party: PartyId,
        /// Beside whom it stands; absent while it stands in the room.
        #[serde(skip_serializing_if = "Option::is_none")]
        beside: Option<PartyId>,
        /// How.
        mode: Supervision,
    },
    /// Nobody was left who could have released somebody: it was brought back.
    #[serde(rename = "system.stranded_party")]
    Stranded {
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
        // In a place of their own: not each event that is kept is to have room for them.
        quality: Box<Quality>,
    },
    /// Somebody's audio runs one way only, or both ways again.
    #[serde(rename = "media.one_way")]
    OneWay {
        /// Whose.
        party: PartyId,
        /// How; absent: both ways again.
        #[serde(skip_serializing_if = "Option::is_none")]
        way: Option<OneWay>,
    },
    /// Somebody pressed a key that is none of the profile's: those say verbs, and what is typed
    /// after them is told nowhere.
    #[serde(rename = "dtmf.received")]
    Digit {
        /// Who.
        party: PartyId,
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        digit: char,
    },
    /// Keys were pressed for somebody's far end to hear. Which is told nowhere.
    #[serde(rename = "dtmf.sent")]
    DigitsSent {
        /// At whose far end.
        party: PartyId,
        /// How many.
        count: u16,
    },
    /// What somebody said by keys is not done.
    #[serde(rename = "dtmf.refused")]
    KeysRefused {
        /// Who.
        party: PartyId,
        /// What its keys say.
        verb: KeyVerb,
        /// The rule that forbids it.
        refusal: Refusal,
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
    /// One of ours wrote to ours. By whom is told by `by`; nobody from outside is told at all.
    #[serde(rename = "whisper.text")]
    WhisperText {
        /// To whom.
        to: Hearers,
        /// The text, as it came.
        text: String,
    },
    /// A prompt is said.
    #[serde(rename = "announcement.started")]
    AnnouncementStarted {
        /// The announcement.
        announcement: AnnouncementId,
        /// What is said.
        prompt: PromptName,
        /// Who hears it.
        to: BTreeSet<PartyId>,
    },
    /// It has come to its end, or was stopped.
    #[serde(rename = "announcement.ended")]
    AnnouncementEnded {
        /// The announcement.
        announcement: AnnouncementId,
        /// Whom it was for.
        to: BTreeSet<PartyId>,
    },
    /// The mix is being recorded.
    #[serde(rename = "recording.started")]
    RecordingStarted {
        /// The recording, and the stem of its file's name.
        recording: RecordingId,
    },
    /// One party's voice is being recorded beside the mix, until the party leaves or the mix stops.
    #[serde(rename = "recording.track_started")]
    TrackStarted {
        /// The track's own recording, and the stem of its file's name.
        recording: RecordingId,
        /// What it holds.
        track: Track,
    },
    /// Somebody wants video, by joining or by a new offer, and goes on with audio alone: of what
    /// it shows from here on the recording has nothing.
    #[serde(rename = "recording.mode_changed")]
    RecordingModeChanged {
        /// The mix.
        recording: RecordingId,
        /// Who.
        party: PartyId,
        /// What there is of it.
        mode: RecordingMode,
        /// How far into the recording, in milliseconds.
        offset_ms: u64,
    },
    /// The recording is complete, and so are its tracks.
    #[serde(rename = "recording.stopped")]
    RecordingStopped {
        /// Which.
        recording: RecordingId,
    },
    /// The recording could not be started or go on. A track that fails ends alone; a mix ends with
    /// all its tracks.
    #[serde(rename = "recording.failed")]
    RecordingFailed {
        /// Which.
        recording: RecordingId,
        /// What the world said.
        reason: String,
    },
    /// The server went down while it was recorded. The next start has made the file whole: it plays
    /// to the last that was written.
    #[serde(rename = "recording.recovered")]
    RecordingRecovered {
        /// Which.
        recording: RecordingId,
        /// How long it is, in milliseconds.
        duration_ms: u64,
    },
}

fn is_usual(seeing: &Seeing) -> bool {
    *seeing == Seeing::default()
}

impl EventKind {
    /// Whether it changes who is in the conference or how they stand: what two people at desks
    /// could disagree about. Such events are counted, and the count is the conference's revision.
    pub fn is_revision(&self) -> bool {
        match self {
            EventKind::CodecChanged { .. }
            | EventKind::Talking { .. }
            | EventKind::Quality { .. }
            | EventKind::OneWay { .. }
            | EventKind::Digit { .. }
            | EventKind::KeysRefused { .. }
            | EventKind::DigitsSent { .. }
            | EventKind::Text { .. }
            | EventKind::WhisperText { .. }
            | EventKind::AnnouncementStarted { .. }
            | EventKind::AnnouncementEnded { .. }
            | EventKind::TrackStarted { .. }
            | EventKind::RecordingModeChanged { .. } => false,
            EventKind::Created { .. }
            | EventKind::Ended { .. }
            | EventKind::Dialling { .. }
            | EventKind::Ringing { .. }
            | EventKind::Joined { .. }
            | EventKind::Rejoined { .. }
            | EventKind::RoleChanged { .. }
            | EventKind::Left { .. }
            | EventKind::Replaced { .. }
            | EventKind::TransferRequested { .. }
            | EventKind::TransferCompleted { .. }
            | EventKind::TransferFailed { .. }
            | EventKind::Held { .. }
            | EventKind::Resumed { .. }
            | EventKind::Muted { .. }
            | EventKind::Unmuted { .. }
            | EventKind::Silenced { .. }
            | EventKind::Unsilenced { .. }
            | EventKind::ConsultStarted { .. }
            | EventKind::ConsultMerged { .. }
            | EventKind::ConsultEnded { .. }
            | EventKind::WhisperStarted { .. }
            | EventKind::WhisperEnded { .. }
            | EventKind::PairStarted { .. }
            | EventKind::PairEnded { .. }
            | EventKind::Supervised { .. }
            | EventKind::Stranded { .. }
            | EventKind::RecordingStarted { .. }
            | EventKind::RecordingStopped { .. }
            | EventKind::RecordingFailed { .. }
            | EventKind::RecordingRecovered { .. } => true,
        }
    }
}

/// What a recording has of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RecordingMode {
    /// What it says; conferences have no video.
    Audio,
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
    /// The server went down with the call up; told by the next start.
    Interrupted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_small_whatever_some_have_to_tell() {
        // Thousands are kept, and most tell a party and little more.
        assert!(size_of::<Event>() <= 144, "{} bytes", size_of::<Event>());
    }
}
