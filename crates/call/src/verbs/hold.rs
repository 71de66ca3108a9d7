//! A party is set apart and comes back. Who placed a hold is kept: it ends when everybody who
//! placed it has ended it, so nobody is brought back whose own phone is on hold.

use model::{Author, EventKind, PartyId, Refusal};

use super::Done;
use crate::conference::{Cause, Conference};
use crate::party::HoldPlacer;

pub(crate) fn hold(
    conference: &mut Conference,
    cause: Cause,
    id: PartyId,
) -> Result<Done, Refusal> {
    let party = conference.party_mut(id);
    if !party.is_connected() {
        return Err(Refusal::WrongState);
    }
    let stood_in_the_room = !party.is_held();
    party.holds.insert(placer(cause.by));
    if stood_in_the_room {
        conference.tell(cause, EventKind::Held { party: id });
    }
    Ok(Done::party(id))
}

pub(crate) fn resume(
    conference: &mut Conference,
    cause: Cause,
    id: PartyId,
) -> Result<Done, Refusal> {
    let party = conference.party_mut(id);
    if !party.is_connected() {
        return Err(Refusal::WrongState);
    }
    let ended = party.holds.remove(&placer(cause.by));
    if party.is_held() {
        // Ended one's own hold, and another stays: that is in order. Had none: only the other can.
        return if ended { Ok(Done::party(id)) } else { Err(Refusal::WrongState) };
    }
    if ended {
        conference.tell(cause, EventKind::Resumed { party: id });
    }
    Ok(Done::party(id))
}

fn placer(by: Author) -> HoldPlacer {
    match by {
        Author::Party(_) => HoldPlacer::Phone,
        Author::Admin | Author::System => HoldPlacer::Admin,
    }
}
