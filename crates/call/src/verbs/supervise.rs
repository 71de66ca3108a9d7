//! Supervising: beside somebody, heard by nobody or by ours; or in the room.

use model::command::{Supervision, Target};
use model::{EventKind, PartyId, Refusal, Role};

use super::Done;
use super::enter::room_for_one;
use super::invite::{Called, call};
use super::whisper;
use crate::conference::{Cause, Conference};
use crate::party::{Aim, Party, Stance};

pub(crate) fn supervise(
    conference: &mut Conference,
    cause: Cause,
    target: Target,
    beside: PartyId,
    mode: Supervision,
) -> Result<Done, Refusal> {
    can_be_followed(conference, beside)?;
    let stance = stance(&mode, beside);
    if stance == Stance::Room {
        room_for_one(conference)?;
    }
    if let Supervision::Coach(to) = &mode {
        // Whoever it is, it is not in yet.
        whisper::check(conference, PartyId(0), to)?;
    }
    let called = Called { target, role: Some(Role::Supervisor), added_by: None, stance };
    let (done, party) = call(conference, cause, called)?;
    conference.party_mut(party).aim = aim(&mode);
    tell(conference, cause, party, mode);
    Ok(done)
}

pub(crate) fn stand(
    conference: &mut Conference,
    cause: Cause,
    id: PartyId,
    beside: Option<PartyId>,
    mode: Supervision,
) -> Result<Done, Refusal> {
    let party = conference.party_mut(id);
    let (before, role) = (party.stance, party.role);
    if role != Role::Supervisor {
        return Err(Refusal::WrongState);
    }
    let beside = match (before, beside, &mode) {
        (_, Some(beside), _) => Some(beside),
        (Stance::Beside(beside), None, _) => Some(beside),
        (_, None, Supervision::Barge) => None,
        (Stance::Room | Stance::Aside(_) | Stance::Apart(_), None, _) => {
            return Err(Refusal::NoSuchParty);
        }
    };
    if beside == Some(id) {
        return Err(Refusal::WrongState);
    }
    if let Some(beside) = beside {
        can_be_followed(conference, beside)?;
    }
    if let Supervision::Coach(to) = &mode {
        whisper::check(conference, id, to)?;
    }
    let after = match (&mode, beside) {
        (Supervision::Barge, _) | (_, None) => Stance::Room,
        (Supervision::Monitor | Supervision::Coach(_), Some(beside)) => Stance::Beside(beside),
    };
    match (before, after) {
        (Stance::Beside(_), Stance::Room) => room_for_one(conference)?,
        (Stance::Room | Stance::Aside(_) | Stance::Apart(_), Stance::Beside(_)) => {
            // Of two who talk, one would be left alone.
            if conference.counted_in() <= 2 {
                return Err(Refusal::TooFewParties);
            }
        }
        (_, _) => {}
    }
    conference.put(cause, id, after);
    conference.party_mut(id).aim = aim(&mode);
    tell(conference, cause, id, mode);
    if let Stance::Beside(whom) = after {
        // Nobody follows one who follows another.
        conference.follow(cause, id, whom);
    }
    Ok(Done::party(id))
}

/// How somebody supervises, as told by where it stands and at whom it speaks.
pub(crate) fn mode_of(party: &Party) -> Supervision {
    match (&party.stance, &party.aim) {
        (Stance::Beside(_), Aim::Whisper(to)) => Supervision::Coach(to.clone()),
        (Stance::Beside(_), Aim::Everybody | Aim::Pair(_) | Aim::Nobody) => Supervision::Monitor,
        (Stance::Room | Stance::Aside(_) | Stance::Apart(_), _) => Supervision::Barge,
    }
}

fn stance(mode: &Supervision, beside: PartyId) -> Stance {
    match mode {
        Supervision::Monitor | Supervision::Coach(_) => Stance::Beside(beside),
        Supervision::Barge => Stance::Room,
    }
}

fn aim(mode: &Supervision) -> Aim {
    match mode {
        Supervision::Monitor => Aim::Nobody,
        Supervision::Coach(to) => Aim::Whisper(to.clone()),
        Supervision::Barge => Aim::Everybody,
    }
}

fn tell(conference: &mut Conference, cause: Cause, party: PartyId, mode: Supervision) {
    let beside = match conference.party_mut(party).stance {
        Stance::Beside(whom) => Some(whom),
        Stance::Room | Stance::Aside(_) | Stance::Apart(_) => None,
    };
    conference.tell(cause, EventKind::Supervised { party, beside, mode });
}

/// Nobody follows one who follows another.
fn can_be_followed(conference: &Conference, whom: PartyId) -> Result<(), Refusal> {
    let found = conference.party(whom).ok_or(Refusal::NoSuchParty)?;
    match found.is_connected() && found.is_counted() {
        true => Ok(()),
        false => Err(Refusal::WrongState),
    }
}
