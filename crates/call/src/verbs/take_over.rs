//! Another connection takes a party's seat: the party is the same before and after, and the room
//! hears it go on.

use model::command::Newcomer;
use model::{Codec, Direction, EventKind, LeaveReason, LegId, PartyId, Refusal};

use super::Done;
use crate::conference::{Cause, Conference};
use crate::effect::Effect;
use crate::party::{PhoneKey, Presence, Seat, Video};

pub(crate) fn take_over(
    conference: &mut Conference,
    id: PartyId,
    newcomer: Newcomer,
) -> Result<Done, Refusal> {
    let party = conference.party_mut(id);
    match (&party.seat, party.presence) {
        (Seat::PassingTo(_) | Seat::TakenOverBy(_), _) | (Seat::Kept, Presence::Arriving) => {
            Err(Refusal::WrongState)
        }
        // One that rings is picked up by the newcomer.
        (
            Seat::Kept,
            Presence::Dialling { .. }
            | Presence::Ringing { .. }
            | Presence::Early { .. }
            | Presence::Connected { .. },
        ) => {
            party.seat = Seat::TakenOverBy(newcomer);
            Ok(Done::party(id))
        }
    }
}

/// The newcomer's audio runs: it sits down, and the connection before it ends.
pub(crate) fn take_seat(conference: &mut Conference, cause: Cause, id: PartyId, codec: Codec) {
    let party = conference.party_mut(id);
    let Seat::TakenOverBy(newcomer) = std::mem::replace(&mut party.seat, Seat::Kept) else {
        return;
    };
    let before = std::mem::replace(&mut party.leg, newcomer.leg);
    let talked = std::mem::take(&mut party.talking);
    let presence = std::mem::replace(&mut party.presence, Presence::Connected { codec });
    party.display_name.clone_from(&newcomer.display_name);
    party.address.clone_from(&newcomer.address);
    // Whoever sits there now has called us (RFC 3891 §5, RFC 4575 §5.7.4), however the one before
    // came; what the party is and may do is the seat's and stays.
    party.direction = Direction::of(newcomer.affiliation, true);
    let direction = party.direction;
    // The phone that is gone took its own hold along; one by others holds whoever sits there.
    let was_held = party.is_held();
    party.phone = PhoneKey::Talking;
    party.video = Video::Unasked;
    let resumed = was_held && !party.is_held();
    if before != newcomer.leg {
        let reason = LeaveReason::Transferred;
        conference.effect(Effect::HangUp { leg: before, reason });
    }
    if talked {
        conference.tell(cause, EventKind::Talking { party: id, talking: false });
    }
    let Newcomer { display_name, address, .. } = newcomer;
    match presence {
        Presence::Connected { .. } => {
            let party = id;
            let replaced = EventKind::Replaced { party, display_name, address, codec, direction };
            conference.tell(cause, replaced);
            if resumed {
                conference.tell(cause, EventKind::Resumed { party: id });
            }
        }
        Presence::Arriving
        | Presence::Dialling { .. }
        | Presence::Ringing { .. }
        | Presence::Early { .. } => {
            conference.joined(cause, id, codec);
        }
    }
}

impl Conference {
    /// Whose seat that connection is to take.
    pub(crate) fn seat_for_leg(&self, leg: LegId) -> Option<PartyId> {
        let taken = |seat: &Seat| match seat {
            Seat::TakenOverBy(newcomer) => newcomer.leg == leg,
            Seat::Kept | Seat::PassingTo(_) => false,
        };
        self.parties.iter().find(|party| taken(&party.seat)).map(|party| party.id)
    }
}
