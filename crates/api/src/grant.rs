//! What a token lets its bearer do: in which capacity, and of that how much.

use std::collections::BTreeSet;

use model::{ConferenceRef, PartyId};
use serde::Deserialize;

/// What a token lets its bearer do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Whose it is, for lines of audit.
    pub name: String,
    /// In which capacity the bearer asks.
    pub capacity: Capacity,
    /// Of what that capacity may do, what this token is for.
    pub scopes: BTreeSet<Scope>,
    /// When it ends \[s since the Unix epoch\]; none: never.
    pub expires_s: Option<u64>,
}

/// In which capacity somebody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capacity {
    /// Whoever runs the server.
    Admin,
    /// A program of those who run it.
    Integration,
    /// A user who looks after agents: sees everything, speaks for its own party, and may have
    /// itself called in to supervise.
    Supervisor {
        /// The user's name.
        user: String,
    },
    /// A user who takes calls: sees the conferences it is in, as its role there may, and speaks
    /// for its own party.
    Agent {
        /// The user's name.
        user: String,
    },
    /// Somebody from outside: sees one conference as a customer may.
    Guest {
        /// Which.
        conference: ConferenceRef,
        /// The party for which it speaks; none: it only looks.
        party: Option<PartyId>,
    },
}

/// What a token is for. The names are those of the `scope` claim (RFC 8693 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Looking: views and events.
    Read,
    /// Changing: commands.
    Control,
    /// Downloading recordings.
    Recordings,
}

/// A capacity's name, as configurations and the claim `role` say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapacityName {
    /// [`Capacity::Admin`]
    Admin,
    /// [`Capacity::Integration`]
    Integration,
    /// [`Capacity::Supervisor`]
    Supervisor,
    /// [`Capacity::Agent`]
    Agent,
    /// [`Capacity::Guest`]
    Guest,
}

/// What a token is bound to, as it was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bound {
    /// The user.
    pub user: Option<String>,
    /// The conference, by id or name.
    pub conference: Option<String>,
    /// The party.
    pub party: Option<PartyId>,
}

/// Why a capacity cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadGrant {
    /// An agent or supervisor is a user.
    #[error("an agent's or supervisor's token names its user")]
    NoUser,
    /// A guest is bound to one conference.
    #[error("a guest's token names its conference")]
    NoConference,
}

impl Scope {
    /// The name in a token, and in the challenge that asks for it.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Control => "control",
            Scope::Recordings => "recordings",
        }
    }

    /// The scopes that a `scope` claim names; words of others are not ours to judge.
    pub fn named_in(claim: &str) -> BTreeSet<Scope> {
        let all = [Scope::Read, Scope::Control, Scope::Recordings];
        let is_named = |scope: &Scope| claim.split(' ').any(|word| word == scope.name());
        all.into_iter().filter(is_named).collect()
    }
}

impl Capacity {
    /// The capacity of that name, bound as told.
    ///
    /// # Errors
    /// What it must be bound to is missing.
    pub fn new(name: CapacityName, bound: Bound) -> Result<Capacity, BadGrant> {
        let Bound { user, conference, party } = bound;
        let user = || user.filter(|user| !user.is_empty()).ok_or(BadGrant::NoUser);
        Ok(match name {
            CapacityName::Admin => Capacity::Admin,
            CapacityName::Integration => Capacity::Integration,
            CapacityName::Supervisor => Capacity::Supervisor { user: user()? },
            CapacityName::Agent => Capacity::Agent { user: user()? },
            CapacityName::Guest => {
                let conference = conference.as_deref().map(ConferenceRef::parse);
                let conference = conference.and_then(Result::ok).ok_or(BadGrant::NoConference)?;
                Capacity::Guest { conference, party }
            }
        })
    }

    /// Whether it sees all that there is.
    pub fn sees_everything(&self) -> bool {
        match self {
            Capacity::Admin | Capacity::Integration | Capacity::Supervisor { .. } => true,
            Capacity::Agent { .. } | Capacity::Guest { .. } => false,
        }
    }

    /// What a token is for that does not say. A program says what it needs.
    pub fn usual_scopes(&self) -> BTreeSet<Scope> {
        match self {
            Capacity::Admin | Capacity::Supervisor { .. } => {
                [Scope::Read, Scope::Control, Scope::Recordings].into()
            }
            Capacity::Integration => [Scope::Read].into(),
            Capacity::Agent { .. } | Capacity::Guest { .. } => [Scope::Read, Scope::Control].into(),
        }
    }
}

impl Grant {
    /// What a token lets its bearer do; `scopes` as it says, or what is usual.
    pub fn new(name: String, capacity: Capacity, scopes: Option<BTreeSet<Scope>>) -> Grant {
        let scopes = scopes.unwrap_or_else(|| capacity.usual_scopes());
        Grant { name, capacity, scopes, expires_s: None }
    }

    /// Whoever sits at this machine, as long as there are no tokens.
    pub(crate) fn of_this_machine() -> Grant {
        Grant::new("this machine".to_owned(), Capacity::Admin, None)
    }
}
