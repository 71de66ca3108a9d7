//! Consulting: two step aside; then they swap, come together, or one of them goes.

use model::command::Target;
use model::profile::Meanwhile;
use model::{Author, EventKind, LeaveReason, PartyId, Refusal};

use super::Done;
use super::enter::room_for_one;
use super::invite::{Called, call};
use crate::conference::{Cause, Conference};
use crate::consultation::Consultation;
use crate::party::{Hold, HoldReason, Party, Seat, Stance};

pub(crate) fn consult(
    conference: &mut Conference,
    cause: Cause,
    agent: PartyId,
    target: Target,
    room: Option<Meanwhile>,
) -> Result<Done, Refusal> {
    let busy = conference.consultation_with(agent).is_some();
    let party = conference.party_mut(agent);
    if !party.is_connected() || party.stance != Stance::Room || party.seat != Seat::Kept || busy {
        return Err(Refusal::WrongState);
    }
    room_for_one(conference)?;
    let room = room.unwrap_or(conference.rules.profile.consulting.room);
    let stance = Stance::Aside(agent);
    let called = Called { target, role: None, added_by: Some(agent), stance };
    let (done, expert) = call(conference, cause, called)?;
    let consultation = Consultation { agent, expert, room };
    conference.consultations.push(consultation);
    conference.tell(cause, EventKind::ConsultStarted { party: agent, with: expert });
    match room {
        Meanwhile::Held => conference.step_aside(cause, consultation),
        Meanwhile::Stays => {}
    }
    Ok(done)
}

/// Who talks with the consulted one talks with the room, and the other way round. Without a
/// consultation: of the two others, who is set apart and who is not change places.
pub(crate) fn swap(
    conference: &mut Conference,
    cause: Cause,
    agent: PartyId,
) -> Result<Done, Refusal> {
    let Some(consultation) = conference.consultation_of(agent) else {
        return swap_others(conference, cause, agent);
    };
    let expert = consultation.expert;
    let stance = |id| conference.party(id).filter(|p| p.is_connected()).map(|p| p.stance);
    match (stance(agent), stance(expert)) {
        (Some(Stance::Aside(_)), Some(Stance::Aside(_))) => {
            let reason = HoldReason::Consultation(agent);
            let hold = Hold { by: Author::Party(agent), reason, stood: Some(agent) };
            conference.put(cause, agent, Stance::Room);
            conference.release_all(cause, |held| held.reason == reason);
            conference.set_apart(cause, expert, hold);
        }
        (Some(Stance::Room), Some(Stance::Apart(_))) => {
            conference.put(cause, expert, Stance::Aside(agent));
            conference.step_aside(cause, consultation);
        }
        (Some(_) | None, _) => return Err(Refusal::WrongState),
    }
    Ok(Done::party(agent))
}

fn swap_others(conference: &mut Conference, cause: Cause, agent: PartyId) -> Result<Done, Refusal> {
    let in_room = |party: &Party| party.stance == Stance::Room;
    if !conference.party(agent).is_some_and(in_room) {
        return Err(Refusal::WrongState);
    }
    let mut others = conference
        .parties
        .iter()
        .filter(|party| party.id != agent && party.is_connected() && party.is_counted());
    let (first, second) = match (others.next(), others.next(), others.next()) {
        (Some(first), Some(second), None) => (first, second),
        (_, _, _) => return Err(Refusal::NotThreeParties),
    };
    let (apart, present) = match (first.hold(), second.hold()) {
        (Some(hold), None) if in_room(second) => ((first.id, hold), second.id),
        (None, Some(hold)) if in_room(first) => ((second.id, hold), first.id),
        (Some(_) | None, _) => return Err(Refusal::WrongState),
    };
    conference.put(cause, apart.0, Stance::Room);
    conference.set_apart(cause, present, Hold { by: cause.by, stood: None, ..apart.1 });
    Ok(Done::party(agent))
}

/// All stand together: who was consulted, and whoever is set apart by who consults; without a
/// consultation, whoever is set apart.
pub(crate) fn merge(
    conference: &mut Conference,
    cause: Cause,
    agent: PartyId,
) -> Result<Done, Refusal> {
    match answered(conference, agent) {
        Ok(consultation) => {
            conference.merge_consultation(cause, consultation);
            conference.release_all(cause, |hold| hold.by == Author::Party(agent));
        }
        Err(Refusal::NoConsultation)
            if conference.consultation_of(agent).is_none()
                && conference.parties.iter().any(|party| party.hold().is_some()) =>
        {
            conference.release_all(cause, |_| true);
        }
        Err(refusal) => return Err(refusal),
    }
    Ok(Done::party(agent))
}

/// Who consults leaves, and the consulted one is in its place.
pub(crate) fn complete(
    conference: &mut Conference,
    cause: Cause,
    agent: PartyId,
) -> Result<Done, Refusal> {
    let consultation = answered(conference, agent)?;
    let expert = consultation.expert;
    conference.merge_consultation(cause, consultation);
    conference.release_all(cause, |hold| hold.by == Author::Party(agent));
    conference.tell(cause, EventKind::TransferCompleted { party: agent, to: expert });
    conference.pass_role(cause, agent, expert);
    conference.hang_up(cause, agent, LeaveReason::Transferred);
    Ok(Done::party(expert))
}

pub(crate) fn cancel(
    conference: &mut Conference,
    cause: Cause,
    agent: PartyId,
) -> Result<Done, Refusal> {
    let consultation = conference.consultation_of(agent).ok_or(Refusal::NoConsultation)?;
    conference.let_consulted_go(cause, consultation.expert);
    Ok(Done::party(agent))
}

/// The consultation of somebody, if the consulted one has come.
fn answered(conference: &Conference, agent: PartyId) -> Result<Consultation, Refusal> {
    let consultation = conference.consultation_of(agent).ok_or(Refusal::NoConsultation)?;
    match conference.party(consultation.expert).is_some_and(Party::is_connected) {
        true => Ok(consultation),
        false => Err(Refusal::NoConsultation),
    }
}
