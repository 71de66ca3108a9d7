//! Keys are pressed for one party's far end: a menu at the other end of its line hears them, and
//! nobody in the conference.

use model::{Digits, EventKind, PartyId, Refusal};

use super::Done;
use crate::conference::{Cause, Conference};
use crate::effect::Effect;

pub(crate) fn send_digits(
    conference: &mut Conference,
    cause: Cause,
    id: PartyId,
    digits: Digits,
) -> Result<Done, Refusal> {
    let party = conference.party_mut(id);
    if !party.is_connected() {
        return Err(Refusal::WrongState);
    }
    let leg = party.leg;
    let count = u16::try_from(digits.count()).unwrap_or(u16::MAX);
    conference.effect(Effect::Press { leg, digits });
    conference.tell(cause, EventKind::DigitsSent { party: id, count });
    Ok(Done::party(id))
}
