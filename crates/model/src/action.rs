//! A verb without its arguments, as profiles name it.

use serde::{Deserialize, Serialize};

use crate::command::Target;
use crate::{PartyId, PromptName, Verb};

/// A verb without its arguments, as a profile names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A caller comes in.
    Enter,
    /// Calling somebody in.
    Invite,
    /// Stepping aside with somebody who is called.
    Consult,
    /// Exchanging who is set apart and who is talked with.
    Swap,
    /// Bringing all who consult, and who was set apart for it, together.
    Merge,
    /// Leaving the consulted one in one's place.
    Complete,
    /// Letting the consulted one go.
    Cancel,
    /// Passing a seat to somebody who is called.
    Transfer,
    /// Taking a seat with another connection.
    TakeOver,
    /// Taking a voice out.
    Mute,
    /// Bringing it back.
    Unmute,
    /// Taking a voice out so that its owner cannot bring it back.
    Silence,
    /// Ending that.
    Unsilence,
    /// Setting apart.
    Hold,
    /// Bringing back.
    Resume,
    /// Letting somebody go; oneself: leaving.
    Remove,
    /// Speaking to some of ours only.
    Whisper,
    /// Speaking with one other only, both staying in the room.
    Pair,
    /// Calling somebody in who supervises.
    Supervise,
    /// Monitoring, coaching, barging in.
    Stand,
    /// Giving a role.
    Appoint,
    /// Writing a text.
    Write,
    /// Having a prompt said.
    Play,
    /// Pressing keys for somebody's far end.
    SendDigits,
    /// Ending the conference for all.
    End,
    /// Recording.
    Record,
}

impl Action {
    /// Every action there is.
    pub const ALL: [Action; 26] = [
        Action::Enter,
        Action::Invite,
        Action::Consult,
        Action::Swap,
        Action::Merge,
        Action::Complete,
        Action::Cancel,
        Action::Transfer,
        Action::TakeOver,
        Action::Mute,
        Action::Unmute,
        Action::Silence,
        Action::Unsilence,
        Action::Hold,
        Action::Resume,
        Action::Remove,
        Action::Whisper,
        Action::Pair,
        Action::Supervise,
        Action::Stand,
        Action::Appoint,
        Action::Write,
        Action::Play,
        Action::SendDigits,
        Action::End,
        Action::Record,
    ];

    /// The name as profiles say it.
    pub fn name(self) -> &'static str {
        match self {
            Action::Enter => "enter",
            Action::Invite => "invite",
            Action::Consult => "consult",
            Action::Swap => "swap",
            Action::Merge => "merge",
            Action::Complete => "complete",
            Action::Cancel => "cancel",
            Action::Transfer => "transfer",
            Action::TakeOver => "take_over",
            Action::Mute => "mute",
            Action::Unmute => "unmute",
            Action::Silence => "silence",
            Action::Unsilence => "unsilence",
            Action::Hold => "hold",
            Action::Resume => "resume",
            Action::Remove => "remove",
            Action::Whisper => "whisper",
            Action::Pair => "pair",
            Action::Supervise => "supervise",
            Action::Stand => "stand",
            Action::Appoint => "appoint",
            Action::Write => "write",
            Action::Play => "play",
            Action::SendDigits => "send_digits",
            Action::End => "end",
            Action::Record => "record",
        }
    }

    /// Whether it concerns the conference as a whole.
    pub fn is_of_conference(self) -> bool {
        match self {
            Action::Enter
            | Action::Invite
            | Action::Supervise
            | Action::Write
            | Action::Play
            | Action::End
            | Action::Record => true,
            Action::Consult
            | Action::Swap
            | Action::Merge
            | Action::Complete
            | Action::Cancel
            | Action::Transfer
            | Action::TakeOver
            | Action::Mute
            | Action::Unmute
            | Action::Silence
            | Action::Unsilence
            | Action::Hold
            | Action::Resume
            | Action::Remove
            | Action::Whisper
            | Action::Pair
            | Action::Stand
            | Action::SendDigits
            | Action::Appoint => false,
        }
    }
}

/// Who is called because of a verb, borrowed as the verb is.
macro_rules! target_of {
    ($verb:expr) => {
        match $verb {
            Verb::Invite { target, .. }
            | Verb::Supervise { target, .. }
            | Verb::Consult { target, .. }
            | Verb::Transfer { target, .. } => Some(target),
            Verb::Enter(_)
            | Verb::Swap { .. }
            | Verb::Merge { .. }
            | Verb::Complete { .. }
            | Verb::Cancel { .. }
            | Verb::TakeOver { .. }
            | Verb::Mute { .. }
            | Verb::Unmute { .. }
            | Verb::Silence { .. }
            | Verb::Unsilence { .. }
            | Verb::Hold { .. }
            | Verb::Resume { .. }
            | Verb::Remove { .. }
            | Verb::Whisper { .. }
            | Verb::Pair { .. }
            | Verb::Stand { .. }
            | Verb::Appoint { .. }
            | Verb::Write { .. }
            | Verb::Play { .. }
            | Verb::StopPlaying { .. }
            | Verb::SendDigits { .. }
            | Verb::End
            | Verb::Record { .. } => None,
        }
    };
}

impl Verb {
    /// The verb without its arguments.
    pub fn action(&self) -> Action {
        match self {
            Verb::Enter(_) => Action::Enter,
            Verb::Invite { .. } => Action::Invite,
            Verb::Consult { .. } => Action::Consult,
            Verb::Swap { .. } => Action::Swap,
            Verb::Merge { .. } => Action::Merge,
            Verb::Complete { .. } => Action::Complete,
            Verb::Cancel { .. } => Action::Cancel,
            Verb::Transfer { .. } => Action::Transfer,
            Verb::TakeOver { .. } => Action::TakeOver,
            Verb::Mute { .. } => Action::Mute,
            Verb::Unmute { .. } => Action::Unmute,
            Verb::Silence { .. } => Action::Silence,
            Verb::Unsilence { .. } => Action::Unsilence,
            Verb::Hold { .. } => Action::Hold,
            Verb::Resume { .. } => Action::Resume,
            Verb::Remove { .. } => Action::Remove,
            Verb::Whisper { .. } => Action::Whisper,
            Verb::Pair { .. } => Action::Pair,
            Verb::Supervise { .. } => Action::Supervise,
            Verb::Stand { .. } => Action::Stand,
            Verb::Appoint { .. } => Action::Appoint,
            Verb::Write { .. } => Action::Write,
            Verb::Play { .. } | Verb::StopPlaying { .. } => Action::Play,
            Verb::SendDigits { .. } => Action::SendDigits,
            Verb::End => Action::End,
            Verb::Record { .. } => Action::Record,
        }
    }

    /// The party that it is done to; none where it concerns the whole conference.
    pub fn party(&self) -> Option<PartyId> {
        match self {
            Verb::Consult { party, .. }
            | Verb::Swap { party, .. }
            | Verb::Merge { party, .. }
            | Verb::Complete { party, .. }
            | Verb::Cancel { party, .. }
            | Verb::Transfer { party, .. }
            | Verb::TakeOver { party, .. }
            | Verb::Mute { party, .. }
            | Verb::Unmute { party, .. }
            | Verb::Silence { party, .. }
            | Verb::Unsilence { party, .. }
            | Verb::Hold { party, .. }
            | Verb::Resume { party, .. }
            | Verb::Remove { party, .. }
            | Verb::Whisper { party, .. }
            | Verb::Pair { party, .. }
            | Verb::Stand { party, .. }
            | Verb::SendDigits { party, .. }
            | Verb::Appoint { party, .. } => Some(*party),
            // Whoever it is for: it concerns what is said in the conference.
            Verb::Enter(_)
            | Verb::Invite { .. }
            | Verb::Supervise { .. }
            | Verb::Write { .. }
            | Verb::Play { .. }
            | Verb::StopPlaying { .. }
            | Verb::End
            | Verb::Record { .. } => None,
        }
    }

    /// The prompt that is to be said.
    pub fn prompt(&self) -> Option<&PromptName> {
        if let Verb::Play { prompt, .. } = self { Some(prompt) } else { None }
    }

    /// Who is called because of it.
    pub fn target(&self) -> Option<&Target> {
        target_of!(self)
    }

    /// The same, to be changed.
    pub fn target_mut(&mut self) -> Option<&mut Target> {
        target_of!(self)
    }
}
