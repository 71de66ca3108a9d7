//! A party speaks to some of ours only, or with one other only; it hears everybody still.

use model::command::Hearers;
use model::{EventKind, PartyId, Refusal};

use super::Done;
use crate::conference::{Cause, Conference};
use crate::party::{Aim, Party};

pub(crate) fn whisper(
    conference: &mut Conference,
    cause: Cause,
    id: PartyId,
    to: Option<Hearers>,
) -> Result<Done, Refusal> {
    if let Some(to) = &to {
        check(conference, id, to)?;
    }
    let party = conference.party_mut(id);
    if !party.is_connected() || !party.is_counted() {
        return Err(Refusal::WrongState);
    }
    let kind = match (&party.aim, to) {
        (Aim::Pair(_) | Aim::Nobody, _) => return Err(Refusal::WrongState),
        (Aim::Everybody, None) => return Ok(Done::party(id)),
        (Aim::Whisper(before), Some(to)) if *before == to => return Ok(Done::party(id)),
        (Aim::Everybody | Aim::Whisper(_), Some(to)) => {
            party.aim = Aim::Whisper(to.clone());
            EventKind::WhisperStarted { party: id, to }
        }
        (Aim::Whisper(_), None) => {
            party.aim = Aim::Everybody;
            EventKind::WhisperEnded { party: id }
        }
    };
    conference.tell(cause, kind);
    Ok(Done::party(id))
}

/// A whisper is for ours: whoever it names must be one.
pub(crate) fn check(
    conference: &Conference,
    whisperer: PartyId,
    to: &Hearers,
) -> Result<(), Refusal> {
    let is_ours = |id: &PartyId| {
        let found = conference.party(*id);
        *id != whisperer && found.is_some_and(|p| p.is_connected() && p.role.is_ours())
    };
    let is_heard = match to {
        Hearers::Ours => conference.parties.iter().map(|party| party.id).any(|id| is_ours(&id)),
        Hearers::Only(whom) => !whom.is_empty() && whom.iter().all(is_ours),
    };
    if is_heard { Ok(()) } else { Err(Refusal::NobodyToHear) }
}

pub(crate) fn pair(
    conference: &mut Conference,
    cause: Cause,
    id: PartyId,
    with: Option<PartyId>,
) -> Result<Done, Refusal> {
    let partner = match (&conference.party_mut(id).aim, with) {
        (Aim::Pair(_), None) => {
            speak_to_all(conference, cause, id);
            return Ok(Done::party(id));
        }
        (_, None) => return Ok(Done::party(id)),
        (_, Some(partner)) => partner,
    };
    let is_free =
        |party: &Party| party.is_connected() && party.is_counted() && party.aim == Aim::Everybody;
    let both = [id, partner].map(|one| conference.party(one));
    match both {
        [Some(one), Some(other)] if id != partner && is_free(one) && is_free(other) => {}
        [Some(_), None] | [None, _] => return Err(Refusal::NoSuchParty),
        [Some(_), Some(_)] => return Err(Refusal::WrongState),
    }
    conference.party_mut(id).aim = Aim::Pair(partner);
    conference.party_mut(partner).aim = Aim::Pair(id);
    conference.tell(cause, EventKind::PairStarted { party: id, with: partner });
    Ok(Done::party(id))
}

/// Whoever speaks to some alone, or with one, speaks to everybody again, and that is told. How one
/// speaks who stands beside somebody is told by how it supervises.
pub(crate) fn speak_to_all(conference: &mut Conference, cause: Cause, id: PartyId) {
    let party = conference.party_mut(id);
    let (ended, partner) = match party.aim {
        Aim::Pair(with) => (EventKind::PairEnded { party: id, with }, Some(with)),
        Aim::Whisper(_) if party.is_counted() => (EventKind::WhisperEnded { party: id }, None),
        Aim::Whisper(_) | Aim::Everybody | Aim::Nobody => return,
    };
    for one in [Some(id), partner].into_iter().flatten() {
        conference.party_mut(one).aim = Aim::Everybody;
    }
    conference.tell(cause, ended);
}
