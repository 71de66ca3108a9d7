//! The server calls somebody into the conference.

use model::limits::RINGING_S_MAX;
use model::{EventKind, LegId, MosClass, PartyId, Refusal};

use super::Done;
use super::enter::room_for_one;
use crate::conference::{Cause, Conference};
use crate::effect::Effect;
use crate::party::{Microphone, Party, Presence, Seat};

pub(crate) fn invite(
    conference: &mut Conference,
    cause: Cause,
    target: String,
) -> Result<Done, Refusal> {
    room_for_one(conference)?;
    Ok(call(conference, cause, target))
}

/// Calls somebody; that there is room was seen to.
pub(crate) fn call(conference: &mut Conference, cause: Cause, target: String) -> Done {
    let party = PartyId(conference.chance.draw());
    let leg = LegId(conference.chance.draw());
    conference.parties.push(Party {
        id: party,
        leg,
        display_name: None,
        address: target.clone(),
        presence: Presence::Dialling { until_ms: cause.now_ms + RINGING_S_MAX * 1_000 },
        holds: Default::default(),
        microphone: Microphone::Open,
        talking: false,
        seat: Seat::Kept,
        quality: (MosClass::High, MosClass::High),
    });
    conference.tell(cause, EventKind::Dialling { party, address: target.clone() });
    conference.effect(Effect::Dial { leg, target });
    Done::party(party)
}
