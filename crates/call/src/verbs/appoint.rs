//! A party gets a role.

use model::{PartyId, Refusal, Role};

use super::{Done, whisper};
use crate::conference::{Cause, Conference};
use crate::party::Aim;

pub(crate) fn appoint(
    conference: &mut Conference,
    cause: Cause,
    id: PartyId,
    role: Role,
) -> Result<Done, Refusal> {
    let before = conference.party_mut(id).role;
    // Who supervises stands elsewhere from the beginning; whoever has the API is no party.
    if [before, role].iter().any(|role| matches!(role, Role::Supervisor | Role::Admin)) {
        return Err(Refusal::WrongState);
    }
    // Whose leaving would end the conference cannot cease to be it: the end could not come.
    let others = |is: fn(Role) -> bool| {
        conference.parties.iter().any(|p| p.id != id && p.is_connected() && is(p.role))
    };
    let is_last_agent = before.is_agent() && !role.is_agent() && !others(Role::is_agent);
    let is_customer = |role| role == Role::Customer;
    let is_last_customer = is_customer(before) && !is_customer(role) && !others(is_customer);
    if is_last_agent || is_last_customer {
        return Err(Refusal::WrongState);
    }
    if role == Role::Host {
        let hosts = conference.parties.iter().filter(|p| p.role == Role::Host && p.id != id);
        for host in hosts.map(|host| host.id).collect::<Vec<_>>() {
            conference.give_role(cause, host, Role::CoHost);
        }
    }
    conference.give_role(cause, id, role);
    if before == Role::Trainee || role == Role::Trainee {
        whisper::speak_to_all(conference, cause, id);
        conference.party_mut(id).aim = Aim::of(role);
    }
    Ok(Done::party(id))
}

/// Who has brought somebody in becomes what the profile says, if nobody is it.
pub(crate) fn become_host(conference: &mut Conference, cause: Cause, inviter: PartyId) {
    let Some(role) = conference.rules.profile.roles.inviter else { return };
    let is_taken = conference.parties.iter().any(|party| party.role == role);
    let may = conference.party(inviter).is_some_and(|party| party.role.is_agent());
    if may && !is_taken {
        conference.give_role(cause, inviter, role);
    }
}
