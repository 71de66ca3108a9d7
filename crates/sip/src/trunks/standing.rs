//! What is known of a trunk.

use crate::access::Trunk;

/// What is known of a trunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Whether it answers.
    pub reach: Reach,
    /// Whether we are registered with it.
    pub registered: Registered,
}

/// Whether a trunk answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// It has not been asked, or not answered yet.
    Unknown,
    /// It answers.
    Up,
    /// It does not, or says that it takes no calls.
    Down,
}

/// Whether we are registered with a trunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Registered {
    /// It does not want that, or is asked no longer since the server is to stop.
    NotAsked,
    /// It has not answered yet.
    Trying,
    /// We are.
    Yes,
    /// It refused, or does not answer.
    No,
}

impl Standing {
    pub(super) fn at_first(trunk: &Trunk) -> Standing {
        let registered = match trunk.register_s {
            Some(_) => Registered::Trying,
            None => Registered::NotAsked,
        };
        Standing { reach: Reach::Unknown, registered }
    }

    /// Whether a call should not even try it.
    #[must_use]
    pub fn is_out(&self) -> bool {
        match (self.reach, self.registered) {
            (Reach::Down, _) | (_, Registered::No) => true,
            (
                Reach::Unknown | Reach::Up,
                Registered::NotAsked | Registered::Trying | Registered::Yes,
            ) => false,
        }
    }
}
