//! A caller comes in by dialling the conference.

use model::command::Entrant;
use model::{MosClass, Refusal};

use super::Done;
use crate::conference::Conference;
use crate::party::{Microphone, Party, Presence, Seat};

pub(crate) fn enter(conference: &mut Conference, entrant: Entrant) -> Result<Done, Refusal> {
    room_for_one(conference)?;
    conference.parties.push(Party {
        id: entrant.party,
        leg: entrant.leg,
        display_name: entrant.display_name,
        address: entrant.address,
        presence: Presence::Arriving,
        holds: Default::default(),
        microphone: Microphone::Open,
        talking: false,
        seat: Seat::Kept,
        quality: (MosClass::High, MosClass::High),
    });
    Ok(Done::party(entrant.party))
}

/// Those who are still being called count.
pub(crate) fn room_for_one(conference: &Conference) -> Result<(), Refusal> {
    let cap = conference.rules.parties_max.min(conference.rules.profile.parties_max);
    if conference.parties.len() < cap { Ok(()) } else { Err(Refusal::LimitReached) }
}
