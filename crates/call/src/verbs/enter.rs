//! A caller comes in by dialling the conference.

use model::command::Entrant;
use model::{Affiliation, Direction, Refusal};

use super::Done;
use crate::conference::Conference;
use crate::leaving::Ticket;
use crate::party::{Party, Presence};
use crate::policy::role_of_entrant;

pub(crate) fn enter(conference: &mut Conference, entrant: Entrant) -> Result<Done, Refusal> {
    room_for_one(conference)?;
    let role = role_of_entrant(&conference.rules.profile, entrant.affiliation, &conference.parties);
    let Entrant { party, leg, display_name, address, affiliation } = entrant;
    let direction = Direction::of(affiliation, true);
    let party = match left_before(conference, &address, affiliation)? {
        Some(ticket) => {
            // What was passed on meanwhile is not taken back.
            let passes = conference.rules.profile.roles.succession.contains(&ticket.role);
            let role = if passes { role } else { ticket.role };
            let rejoins = ticket.rejoins + 1;
            Party {
                rejoins,
                ..Party::new(ticket.party, leg, address, (role, direction), Presence::Arriving)
            }
        }
        None => Party::new(party, leg, address, (role, direction), Presence::Arriving),
    };
    let id = party.id;
    conference.parties.push(Party { display_name, ..party });
    Ok(Done::party(id))
}

/// The ticket of somebody who was in before. One of ours comes back as who it was; from outside
/// anybody could give that address.
fn left_before(
    conference: &mut Conference,
    address: &str,
    affiliation: Affiliation,
) -> Result<Option<Ticket>, Refusal> {
    let found = conference.tickets.iter().rposition(|ticket| ticket.address == address);
    let Some(ticket) = found.and_then(|at| conference.tickets.get(at)) else { return Ok(None) };
    let leaving = &conference.rules.profile.leaving;
    match affiliation {
        Affiliation::Ours if leaving.rejoin.contains(&ticket.role) => {
            Ok(found.and_then(|at| conference.tickets.remove(at)))
        }
        Affiliation::Outside if leaving.no_return.contains(&ticket.role) => {
            Err(Refusal::CannotRejoin)
        }
        Affiliation::Ours | Affiliation::Outside => Ok(None),
    }
}

/// Those who are still being called count; who only monitors does not.
pub(crate) fn room_for_one(conference: &Conference) -> Result<(), Refusal> {
    let cap = conference.rules.parties_max.min(conference.rules.profile.parties_max);
    let counted = conference.parties.iter().filter(|party| party.is_counted()).count();
    if counted < cap { Ok(()) } else { Err(Refusal::LimitReached) }
}
