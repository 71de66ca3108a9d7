//! What somebody may do in a conference at this moment, and why not the rest.

use serde::{Deserialize, Serialize};

use crate::{Action, PartyId, Refusal};

/// What somebody may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Allowed {
    /// With the conference as a whole.
    pub conference: Vec<Verdict>,
    /// With each party.
    pub parties: Vec<AllowedTo>,
}

/// What somebody may do with one party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AllowedTo {
    /// Which.
    pub party: PartyId,
    /// What.
    pub actions: Vec<Verdict>,
}

/// Whether one action is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Verdict {
    /// The action.
    pub action: Action,
    /// Why it is not; absent where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// Why an action is not allowed, as the command would be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Refused {
    /// The rule that refuses.
    pub code: Refusal,
    /// The same in words.
    pub reason: String,
}

impl Verdict {
    /// What a command of that action would be answered.
    pub fn new(action: Action, answer: Result<(), Refusal>) -> Verdict {
        let refused = |code: Refusal| Refused { code, reason: code.sentence().to_owned() };
        Verdict { action, refused: answer.err().map(refused) }
    }
}
