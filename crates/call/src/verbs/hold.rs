//! A party is set apart and comes back. What its phone's own key does is another layer: who is on
//! hold by both is back when both have ended.

use model::{Author, EventKind, PartyId, Refusal};

use super::Done;
use crate::conference::{Cause, Conference};
use crate::party::{Hold, HoldReason, PhoneKey, Stance};

pub(crate) fn hold(
    conference: &mut Conference,
    cause: Cause,
    id: PartyId,
) -> Result<Done, Refusal> {
    let party = conference.party_mut(id);
    if !party.is_connected() {
        return Err(Refusal::WrongState);
    }
    let (by, reason) = (cause.by, HoldReason::Asked);
    let stood = match party.stance {
        Stance::Beside(_) => return Err(Refusal::WrongState),
        // One that was placed for a consultation outlives it from here on.
        Stance::Apart(hold) => hold.stood,
        Stance::Aside(agent) => Some(agent),
        Stance::Room => None,
    };
    conference.set_apart(cause, id, Hold { by, reason, stood });
    Ok(Done::party(id))
}

/// Somebody who consults, and wants those who wait for it to hear, brings all together.
pub(crate) fn resume(
    conference: &mut Conference,
    cause: Cause,
    id: PartyId,
) -> Result<Done, Refusal> {
    let party = conference.party_mut(id);
    let is_connected = party.is_connected();
    match (party.hold(), party.phone) {
        (_, _) if !is_connected => return Err(Refusal::WrongState),
        // Only the phone can end what its own key began.
        (None, PhoneKey::OnHold) => return Err(Refusal::WrongState),
        (None, PhoneKey::Talking) => return Ok(Done::party(id)),
        (Some(hold), _) => {
            if let HoldReason::Consultation(agent) = hold.reason
                && stands_aside_with(conference, cause.by, agent)
                && let Some(consultation) = conference.consultation_of(agent)
                && consultation.expert != id
            {
                conference.merge_consultation(cause, consultation);
                conference.keep_held(agent);
            }
        }
    }
    conference.release(cause, id);
    Ok(Done::party(id))
}

fn stands_aside_with(conference: &Conference, by: Author, agent: PartyId) -> bool {
    match by {
        Author::Party(author) => {
            conference.party(author).is_some_and(|party| party.stance == Stance::Aside(agent))
        }
        Author::Admin | Author::System => false,
    }
}

/// The phone's own key was pressed: a fact, whatever the profile says.
pub(crate) fn phone_key(conference: &mut Conference, cause: Cause, id: PartyId, key: PhoneKey) {
    let party = conference.party_mut(id);
    let was_held = party.is_held();
    party.phone = key;
    if !party.is_connected() {
        // Told when it joins.
        return;
    }
    match (was_held, party.is_held()) {
        (false, true) => conference.tell(cause, EventKind::Held { party: id }),
        (true, false) => conference.tell(cause, EventKind::Resumed { party: id }),
        (true, true) | (false, false) => {}
    }
}
