//! The server is to stop: trunks are asked to send their calls elsewhere.
//!
//! A carrier goes on sending calls to where we have registered until that is over, an hour as a
//! rule. So what we have registered is withdrawn (RFC 3261 §10.2.2), and nothing but that: other
//! places of the same account stay as they are.

use std::time::Instant;

use super::{Registered, Task};
use crate::access::Origin;
use crate::endpoint::Endpoint;

/// Which of our registrations with trunks are withdrawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leave {
    /// Those that no call needs any more: a network may end the calls of who is registered no
    /// longer (3GPP TS 24.229 §5.1.1.6), and refuse it those to an emergency number.
    Unused,
    /// All.
    All,
}

impl Endpoint {
    /// Withdraws what we have registered with trunks, and registers no more with those. May be
    /// called again and again as calls end.
    pub fn leave_trunks(&mut self, now: Instant, which: Leave) {
        for place in 0..self.trunks.names.len() {
            let errand = (place, Task::Register);
            let is_asked = self.trunks.by_transaction.values().any(|asked| *asked == errand);
            let is_registered = is_asked || self.trunks.lapses.is_set(place);
            let leaves = match which {
                Leave::Unused => is_registered && !self.is_of_use(place),
                Leave::All => true,
            };
            if !leaves {
                continue;
            }
            self.trunks.agenda.clear(errand);
            self.trunks.lapses.clear(place);
            self.trunks.by_transaction.retain(|_, asked| *asked != errand);
            self.trunks.by_lookup.retain(|_, asked| *asked != errand);
            if is_registered {
                let withdrawn = self.withdraw(now, place);
                self.trunks.leaving.extend(withdrawn);
                self.registration_stands(place, Registered::NotAsked);
            }
        }
    }

    /// Whether a call with a trunk is up, or one to an emergency number may have to go by it. Where
    /// none is said to be for those, each may.
    fn is_of_use(&self, place: usize) -> bool {
        let access = &self.config.access;
        let is_for_help = access.trunks.values().any(|trunk| trunk.emergency);
        let may_help = self.trunk_at(place).emergency || !is_for_help;
        let name = &self.trunks.names[place];
        let is_with_it = |origin: &Origin| origin.trunk() == Some(name.as_str());
        !access.emergency.is_empty() && may_help
            || self.sessions.values().any(|session| is_with_it(&session.origin))
    }
}
