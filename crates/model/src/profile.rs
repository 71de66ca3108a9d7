//! Profiles are data: who may do which verb to whom, and the caps.

use serde::{Deserialize, Serialize};

use crate::{PartyId, Verb};

/// What an author is to a conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Whoever may use the API.
    Admin,
    /// Who dialled in or was called in.
    Guest,
}

/// Whom an author means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Itself.
    Myself,
    /// Somebody else.
    Other,
    /// The conference as a whole.
    Conference,
}

/// A verb without its arguments, as a profile names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// [`Verb::Enter`].
    Enter,
    /// [`Verb::Invite`].
    Invite,
    /// [`Verb::Transfer`].
    Transfer,
    /// [`Verb::TakeOver`].
    TakeOver,
    /// [`Verb::Mute`].
    Mute,
    /// [`Verb::Unmute`].
    Unmute,
    /// [`Verb::Hold`].
    Hold,
    /// [`Verb::Resume`].
    Resume,
    /// [`Verb::Remove`].
    Remove,
    /// [`Verb::Write`].
    Write,
    /// [`Verb::End`].
    End,
    /// [`Verb::Record`].
    Record,
}

/// One permission: this role may do these actions in this relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    /// Who.
    pub role: Role,
    /// To whom.
    pub to: Relation,
    /// What.
    pub may: Vec<Action>,
}

/// The rules of a conference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Parties at most, those that are still being called among them.
    pub parties_max: usize,
    /// Whether who speaks too softly or too loudly is brought near the usual loudness.
    #[serde(default)]
    pub automatic_gain: bool,
    /// What is allowed. What is not here is not allowed.
    #[serde(rename = "permission")]
    pub permissions: Vec<Permission>,
}

impl Verb {
    /// The verb without its arguments.
    pub fn action(&self) -> Action {
        match self {
            Verb::Enter(_) => Action::Enter,
            Verb::Invite { .. } => Action::Invite,
            Verb::Transfer { .. } => Action::Transfer,
            Verb::TakeOver { .. } => Action::TakeOver,
            Verb::Mute { .. } => Action::Mute,
            Verb::Unmute { .. } => Action::Unmute,
            Verb::Hold { .. } => Action::Hold,
            Verb::Resume { .. } => Action::Resume,
            Verb::Remove { .. } => Action::Remove,
            Verb::Write { .. } => Action::Write,
            Verb::End => Action::End,
            Verb::Record { .. } => Action::Record,
        }
    }

    /// The party that it is done to; none where it concerns the whole conference.
    pub fn party(&self) -> Option<PartyId> {
        match self {
            Verb::Transfer { party, .. }
            | Verb::TakeOver { party, .. }
            | Verb::Mute { party }
            | Verb::Unmute { party }
            | Verb::Hold { party }
            | Verb::Resume { party }
            | Verb::Remove { party } => Some(*party),
            // Whoever it is for: it concerns what is said in the conference.
            Verb::Enter(_)
            | Verb::Invite { .. }
            | Verb::Write { .. }
            | Verb::End
            | Verb::Record { .. } => None,
        }
    }
}

impl Profile {
    /// May this role do this in this relation?
    pub fn allows(&self, role: Role, action: Action, to: Relation) -> bool {
        self.permissions
            .iter()
            .any(|row| row.role == role && row.to == to && row.may.contains(&action))
    }
}
