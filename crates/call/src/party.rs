//! Somebody in a conference.

use std::collections::BTreeSet;

use model::command::Newcomer;
use model::{Codec, LegId, MosClass, PartyId, Quality};

/// How far a party has come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It dialled in; its audio is being set up.
    Arriving,
    /// It is being called.
    Dialling {
        /// When the call is given up [ms since the Unix epoch].
        until_ms: u64,
    },
    /// Its phone rings.
    Ringing {
        /// When the call is given up [ms since the Unix epoch].
        until_ms: u64,
    },
    /// Its audio runs.
    Connected {
        /// The codec that it is sent.
        codec: Codec,
    },
}

/// Who placed a hold. A hold ends when each who placed it has ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HoldPlacer {
    /// The party itself, by its phone's key.
    Phone,
    /// Whoever may use the API.
    Admin,
}

/// Whether a party's seat is to pass to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seat {
    /// It is not.
    Kept,
    /// This party is being called for it.
    PassingTo(PartyId),
    /// This connection takes it as soon as its audio runs.
    TakenOverBy(Newcomer),
}

/// Whether a party's voice is in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Microphone {
    /// It is.
    Open,
    /// It is not.
    Muted,
}

/// Somebody in a conference.
#[derive(Debug, Clone, PartialEq)]
pub struct Party {
    /// Its id.
    pub id: PartyId,
    /// Its connection.
    pub leg: LegId,
    /// The name that its phone shows.
    pub display_name: Option<String>,
    /// Its address.
    pub address: String,
    /// How far it has come in.
    pub presence: Presence,
    /// Who set it apart; nobody: it stands in the room.
    pub holds: BTreeSet<HoldPlacer>,
    /// Whether its voice is in the room.
    pub microphone: Microphone,
    /// Whether its last report said that it speaks.
    pub talking: bool,
    /// Whether its seat is to pass to somebody.
    pub seat: Seat,
    /// How good its audio was when that was told last: from it, and to it.
    pub quality: (MosClass, MosClass),
}

impl Party {
    /// Its audio runs.
    pub fn is_connected(&self) -> bool {
        match self.presence {
            Presence::Connected { .. } => true,
            Presence::Arriving | Presence::Dialling { .. } | Presence::Ringing { .. } => false,
        }
    }

    /// Takes in how good its audio is: true if that is another class than was told last. Where
    /// nothing is known nothing has changed, and nobody need be told that all is well from the
    /// beginning.
    pub(crate) fn changes_class(&mut self, quality: &Quality) -> bool {
        let (from, to) = quality.classes();
        let classes = (from.unwrap_or(self.quality.0), to.unwrap_or(self.quality.1));
        std::mem::replace(&mut self.quality, classes) != classes
    }

    /// It is set apart.
    pub fn is_held(&self) -> bool {
        !self.holds.is_empty()
    }

    /// When the call to it is given up [ms since the Unix epoch].
    pub fn given_up_ms(&self) -> Option<u64> {
        match self.presence {
            Presence::Dialling { until_ms } | Presence::Ringing { until_ms } => Some(until_ms),
            Presence::Arriving | Presence::Connected { .. } => None,
        }
    }
}
