//! A text for the room: an event for whoever follows it. What the server's own people write goes to
//! phones too; what a phone writes does not, since most phones would refuse it.

use model::{Author, EventKind, LegId, PartyId, Refusal};

use super::Done;
use crate::conference::{Cause, Conference};
use crate::effect::Effect;

pub(crate) fn write(
    conference: &mut Conference,
    cause: Cause,
    to: Option<PartyId>,
    text: String,
) -> Result<Done, Refusal> {
    let meant = |party: PartyId| to.is_none_or(|to| to == party);
    let legs: Vec<LegId> = conference
        .parties
        .iter()
        .filter(|party| party.is_connected() && meant(party.id))
        .map(|party| party.leg)
        .collect();
    if to.is_some() && legs.is_empty() {
        return Err(Refusal::NoSuchParty);
    }
    match cause.by {
        Author::Admin | Author::System => {
            for leg in legs {
                conference.effect(Effect::Text { leg, text: text.clone() });
            }
        }
        Author::Party(_) => {}
    }
    conference.tell(cause, EventKind::Text { to, text });
    Ok(Done::default())
}
