//! The server calls somebody into the conference.

use model::command::Target;
use model::limits::RINGING_S_MAX;
use model::profile::Stand;
use model::{
    Action, Affiliation, Author, Direction, EventKind, LegId, PartyId, Refusal, Relation, Role,
};

use super::Done;
use super::consult::consult;
use super::enter::room_for_one;
use crate::conference::{Cause, Conference};
use crate::effect::Effect;
use crate::party::{Party, Presence, Stance};
use crate::policy::roles;

pub(crate) fn invite(
    conference: &mut Conference,
    cause: Cause,
    target: Target,
    role: Option<Role>,
) -> Result<Done, Refusal> {
    let added_by = match cause.by {
        Author::Party(author) => Some(author),
        Author::Admin | Author::System => None,
    };
    if let Some(role) = role {
        may_be_called_as(conference, added_by, &target, role)?;
    }
    match (conference.rules.profile.inviting.first, added_by) {
        (Stand::Aside, Some(author)) if conference.counted_in() > 1 => {
            return consult(conference, cause, author, target, None);
        }
        (Stand::Aside | Stand::Room, _) => {}
    }
    room_for_one(conference)?;
    let called = Called { target, role, added_by, stance: Stance::Room };
    Ok(call(conference, cause, called)?.0)
}

/// Nobody is called in as more than who calls it could make it: by its phone it would do for that
/// one what that one may not. Who supervises is called in beside somebody, by a verb of its own.
fn may_be_called_as(
    conference: &Conference,
    added_by: Option<PartyId>,
    target: &Target,
    role: Role,
) -> Result<(), Refusal> {
    if matches!(role, Role::Supervisor | Role::Admin) {
        return Err(Refusal::WrongState);
    }
    let Some(author) = added_by.and_then(|author| conference.party(author)) else { return Ok(()) };
    let profile = &conference.rules.profile;
    let affiliation = match target {
        Target::Colleague(_) => Affiliation::Ours,
        Target::Address(_) | Target::Queue(_) => Affiliation::Outside,
    };
    let usual = || profile.role_for(affiliation, false, &roles(&conference.parties));
    let may_appoint = || {
        let mut rows = profile.permissions_for(author.role, Action::Appoint, Relation::Added);
        rows.any(|conditions| conditions.is_empty())
    };
    // Whoever is ours hears whispers: a number outside is not made so, not even to learn.
    let is_less = match affiliation {
        Affiliation::Ours => !role.is_agent(),
        Affiliation::Outside => !role.is_ours(),
    };
    match is_less || role == usual() || may_appoint() {
        true => Ok(()),
        false => Err(Refusal::NotAllowed),
    }
}

/// Who is called, and how it comes in.
pub(crate) struct Called {
    pub(crate) target: Target,
    /// None leaves it to the profile.
    pub(crate) role: Option<Role>,
    pub(crate) added_by: Option<PartyId>,
    pub(crate) stance: Stance,
}

/// Calls somebody; that there is room was seen to.
pub(crate) fn call(
    conference: &mut Conference,
    cause: Cause,
    called: Called,
) -> Result<(Done, PartyId), Refusal> {
    let Called { target, role, added_by, stance } = called;
    let (target, affiliation) = match target {
        Target::Address(address) => (address, Affiliation::Outside),
        Target::Colleague(address) => (address, Affiliation::Ours),
        Target::Queue(_) => return Err(Refusal::NoSuchQueue),
    };
    let profile = &conference.rules.profile;
    let is_party = |party: &&Party| party.is_called() && party.is_counted();
    if profile.inviting.one_at_a_time && conference.parties.iter().any(|p| is_party(&p)) {
        return Err(Refusal::DialInProgress);
    }
    let role =
        role.unwrap_or_else(|| profile.role_for(affiliation, false, &roles(&conference.parties)));
    // Who is alone when the server itself has somebody called waits for that one.
    let awaited_by = match (cause.by, &conference.parties[..]) {
        (Author::System, [lone]) => Some(lone.id),
        (Author::System | Author::Admin | Author::Party(_), _) => None,
    };
    let id = PartyId(conference.chance.draw());
    let leg = LegId(conference.chance.draw());
    let until_ms = cause.now_ms + RINGING_S_MAX * 1_000;
    let direction = Direction::of(affiliation, false);
    let presence = Presence::Dialling { until_ms };
    let party = Party::new(id, leg, target.clone(), (role, direction), presence);
    conference.parties.push(Party { added_by, awaited_by, stance, ..party });
    conference
        .tell(cause, EventKind::Dialling { party: id, address: target.clone(), role, direction });
    conference.effect(Effect::Dial { leg, target });
    Ok((Done::party(id), id))
}

impl Conference {
    /// Parties whose audio runs; who only monitors is none.
    pub(crate) fn counted_in(&self) -> usize {
        self.parties.iter().filter(|party| party.is_connected() && party.is_counted()).count()
    }
}
