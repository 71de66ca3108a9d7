//! Supervising: beside somebody, heard by nobody or by ours; or in the room.

use model::command::{Supervision, Target};
use model::{EventKind, LeaveReason, PartyId, Refusal, Role, Verb};

use super::Done;
use super::enter::room_for_one;
use super::invite::{Called, call};
use super::whisper;
use crate::conference::{Cause, Conference};
use crate::party::{Aim, Party, Seat, Stance};
use crate::policy;

pub(crate) fn supervise(
    conference: &mut Conference,
    cause: Cause,
    target: Target,
    beside: PartyId,
    mode: Supervision,
) -> Result<Done, Refusal> {
    can_be_followed(conference, beside)?;
    if mode == Supervision::Relieve {
        // Until it is there nobody is relieved by it.
        return Err(Refusal::WrongState);
    }
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
    // Who is consulted by it would be left aside alone.
    if role != Role::Supervisor || conference.consultation_with(id).is_some() {
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
    if let (Supervision::Relieve, Some(agent)) = (&mode, beside) {
        return relieve(conference, cause, id, agent);
    }
    let after = match (&mode, beside) {
        (Supervision::Barge | Supervision::Relieve, _) | (_, None) => Stance::Room,
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
    whisper::speak_to_all(conference, cause, id);
    conference.put(cause, id, after);
    conference.party_mut(id).aim = aim(&mode);
    tell(conference, cause, id, mode);
    if let Stance::Beside(whom) = after {
        // Nobody follows one who follows another.
        conference.follow(cause, id, whom);
    }
    Ok(Done::party(id))
}

/// An agent's seat passes to who supervises it. That takes the right to remove the agent.
fn relieve(
    conference: &mut Conference,
    cause: Cause,
    id: PartyId,
    agent: PartyId,
) -> Result<Done, Refusal> {
    let keeps_seat = |id| conference.party(id).is_some_and(|party| party.seat == Seat::Kept);
    let role = conference.party(agent).map(|party| party.role).filter(|role| role.is_agent());
    let Some(role) = role.filter(|_| keeps_seat(id) && keeps_seat(agent)) else {
        return Err(Refusal::WrongState);
    };
    let remove = Verb::Remove { party: agent };
    policy::judge(&conference.rules.profile, cause.by, &remove, &conference.parties)?;
    whisper::speak_to_all(conference, cause, id);
    conference.put(cause, id, Stance::Room);
    conference.party_mut(id).aim = Aim::Everybody;
    tell(conference, cause, id, Supervision::Relieve);
    conference.give_role(cause, id, role);
    conference.tell(cause, EventKind::TransferCompleted { party: agent, to: id });
    conference.hang_up(cause, agent, LeaveReason::Transferred);
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
        Supervision::Barge | Supervision::Relieve => Stance::Room,
    }
}

fn aim(mode: &Supervision) -> Aim {
    match mode {
        Supervision::Monitor => Aim::Nobody,
        Supervision::Coach(to) => Aim::Whisper(to.clone()),
        Supervision::Barge | Supervision::Relieve => Aim::Everybody,
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
