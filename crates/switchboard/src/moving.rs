//! A phone puts two of its calls together: REFER in the one with Replaces of the other
//! (RFC 5589 §7, RFC 3891).
//!
//! It has a seat in two conferences and leaves both; those who were with it in the one stand in
//! the other in its place. Where fewer are is who goes. Where as many are, whom it asked joins
//! those whom it asked for, since the REFER is sent to these: so a customer's conference goes on.
//!
//! No leg is called and none is connected for it: the ports go over as they are, so the far ends
//! notice nothing but other voices.

use std::time::Instant;

use model::{CommandId, ConferenceId, MediaOrder, PartyId, Refusal};
use sip::SessionId;

use crate::switchboard::Switchboard;

/// A party, and where it is.
type Seat = (ConferenceId, PartyId);

/// Two calls of one phone that are to be one, judged and found possible.
pub(crate) enum Union {
    /// Both of its seats are in one conference: it leaves both.
    Within(Seat, Seat),
    /// Those who are with the one seat take the place of the other.
    Between {
        /// The seat whose company goes over.
        goes: Seat,
        /// The seat whose place is taken.
        stays: Seat,
    },
}

impl Switchboard {
    /// What becomes of the phone's two calls. Nothing is changed by asking.
    ///
    /// # Errors
    /// The rule that forbids it, of either conference. [`Refusal::WrongState`] also where nobody is
    /// with the phone in one of them, or not yet.
    pub(crate) fn union_of(&self, asking: Seat, replaced: SessionId) -> Result<Union, Refusal> {
        let other = self.party_of(replaced)?;
        if other == asking {
            return Err(Refusal::BadTarget);
        }
        let (asked_in, meant) = (self.conference_of(asking)?, self.conference_of(other)?);
        asked_in.may_pass_on(asking.1)?;
        meant.may_pass_on(other.1)?;
        if asking.0 == other.0 {
            return Ok(Union::Within(asking, other));
        }
        let (here, there) = (asked_in.company_of(asking.1), meant.company_of(other.1));
        if here == 0 || there == 0 {
            return Err(Refusal::WrongState);
        }
        if there <= here {
            asked_in.has_room_in_place_of_one(there)?;
            Ok(Union::Between { goes: other, stays: asking })
        } else {
            meant.has_room_in_place_of_one(here)?;
            Ok(Union::Between { goes: asking, stays: other })
        }
    }

    /// Carries it out, in one step for each of the two conferences.
    pub(crate) fn unite(&mut self, now: Instant, union: &Union) {
        let (now_ms, command) = (self.config.at_ms(now), CommandId(self.chance.draw()));
        match *union {
            Union::Within(first, second) => {
                for (conference, party) in [first, second] {
                    if let Some(found) = self.conferences.get_mut(&conference) {
                        found.take_in(now_ms, command, party, Vec::new());
                    }
                    self.drain_conference(now, conference);
                }
            }
            Union::Between { goes: (left, leaver), stays: (entered, replaced) } => {
                let found = self.conferences.get_mut(&left);
                let movers = found.map(|found| found.let_go(now_ms, command, leaver));
                let movers = movers.unwrap_or_default();
                for mover in &movers {
                    if let Some(leg) = self.legs.get_mut(&mover.leg()) {
                        leg.conference = entered;
                    }
                    self.order(MediaOrder::Move { leg: mover.leg(), conference: entered });
                }
                if let Some(found) = self.conferences.get_mut(&entered) {
                    found.take_in(now_ms, command, replaced, movers);
                }
                self.drain_conference(now, entered);
                self.drain_conference(now, left);
            }
        }
    }

    fn conference_of(&self, (conference, _): Seat) -> Result<&call::Conference, Refusal> {
        self.conferences.get(&conference).ok_or(Refusal::NoSuchConference)
    }
}
