//! How urgent a call is.

use super::{Access, Destination};
use crate::limits::EMERGENCY_RESERVE;

/// How urgent a call is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Urgency {
    /// As any.
    #[default]
    Ordinary,
    /// Somebody calls for help: it is taken where no others are (RFC 7339 §5.10.1).
    Emergency,
}

impl Urgency {
    /// How many such calls may be there beyond a bound that holds for all others.
    #[must_use]
    pub fn reserve(self) -> usize {
        match self {
            Urgency::Ordinary => 0,
            Urgency::Emergency => EMERGENCY_RESERVE,
        }
    }
}

impl Access {
    /// How urgent a call to there is.
    #[must_use]
    pub fn urgency(&self, to: &Destination) -> Urgency {
        match to {
            Destination::Number { number, .. } if self.emergency.contains(number) => {
                Urgency::Emergency
            }
            Destination::Number { .. }
            | Destination::Conference(_)
            | Destination::Lobby { .. }
            | Destination::User(_) => Urgency::Ordinary,
        }
    }
}
