//! A party's seat passes to somebody who is called. The party leaves when that one is in; if it
//! does not come, the party stays, so that nobody is left alone by a call that failed.

use model::command::Target;
use model::profile::Occasion;
use model::{EventKind, LeaveReason, PartyId, Refusal};

use super::Done;
use super::invite::{Called, call};
use crate::conference::{Cause, Conference};
use crate::party::{Seat, Stance};

pub(crate) fn transfer(
    conference: &mut Conference,
    cause: Cause,
    id: PartyId,
    target: Target,
) -> Result<Done, Refusal> {
    let party = conference.party_mut(id);
    if !party.is_connected() || !party.is_counted() || party.seat != Seat::Kept {
        return Err(Refusal::WrongState);
    }
    // There is room: one leaves for the one who comes.
    let called = Called { target, role: None, added_by: Some(id), stance: Stance::Room };
    let (done, to) = call(conference, cause, called)?;
    conference.party_mut(id).seat = Seat::PassingTo(to);
    conference.tell(cause, EventKind::TransferRequested { party: id, to });
    conference.say_for(Occasion::Transferring, id);
    Ok(done)
}

impl Conference {
    /// Somebody is in: whoever's seat was to pass to it leaves.
    pub(crate) fn seat_passes(&mut self, cause: Cause, to: PartyId) {
        if let Some(party) = self.holder_of_seat_for(to) {
            self.party_mut(party).seat = Seat::Kept;
            self.tell(cause, EventKind::TransferCompleted { party, to });
            self.pass_role(cause, party, to);
            self.consulted_passes(cause, party, to);
            self.hang_up(cause, party, LeaveReason::Transferred);
        }
    }

    /// One agent's work is another's: who comes in an agent's place is what that one was, or stands
    /// in for it if it cannot be.
    pub(crate) fn pass_role(&mut self, cause: Cause, from: PartyId, to: PartyId) {
        let (Some(before), Some(next)) = (self.party(from), self.party(to)) else { return };
        if before.role.is_agent() && next.role.is_agent() {
            let role = before.role;
            self.give_role(cause, to, role);
        } else if before.has_agents_seat() {
            self.party_mut(to).in_place_of = Some(from);
        }
    }

    /// Somebody is gone: whoever's seat was to pass to it keeps it.
    pub(crate) fn seat_stays(&mut self, cause: Cause, to: PartyId, reason: LeaveReason) {
        if let Some(party) = self.holder_of_seat_for(to) {
            self.party_mut(party).seat = Seat::Kept;
            self.tell(cause, EventKind::TransferFailed { party, to, reason });
        }
    }

    pub(crate) fn holder_of_seat_for(&self, to: PartyId) -> Option<PartyId> {
        let holder = self.parties.iter().find(|party| party.seat == Seat::PassingTo(to));
        holder.map(|party| party.id)
    }
}
