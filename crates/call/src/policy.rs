//! Judges a verb by the profile's table.

use model::profile::{Condition, Profile};
use model::{Affiliation, Author, PartyId, Refusal, Relation, Role, Verb};

use crate::party::Party;

/// May this author do this, in a conference of these parties? The server itself may do everything;
/// its reasons are rules already.
///
/// # Errors
/// The rule that forbids it.
pub fn judge(profile: &Profile, by: Author, verb: &Verb, parties: &[Party]) -> Result<(), Refusal> {
    let role = match by {
        Author::System => return Ok(()),
        Author::Admin => Role::Admin,
        Author::Party(author) => role_of(profile, author, verb, parties)?,
    };
    let target = match verb.party() {
        Some(id) => Some(known_to(role, id, parties)?),
        None => None,
    };
    let to = target.map_or(Relation::Conference, |target| relation(by, target));
    let mut refused = Refusal::NotAllowed;
    for conditions in profile.permissions_for(role, verb.action(), to) {
        let unmet = conditions.iter().find(|condition| !holds(**condition, by, target, parties));
        match unmet {
            None => return Ok(()),
            Some(condition) => refused = condition.refusal(),
        }
    }
    Err(refused)
}

fn role_of(
    profile: &Profile,
    author: PartyId,
    verb: &Verb,
    parties: &[Party],
) -> Result<Role, Refusal> {
    if let Verb::Enter(entrant) = verb {
        return Ok(role_of_entrant(profile, entrant.affiliation, parties));
    }
    let author = parties.iter().find(|party| party.id == author).ok_or(Refusal::NotAllowed)?;
    // Who is not in yet can only go, or be picked up elsewhere.
    let before_it_is_in = matches!(verb, Verb::Remove { .. } | Verb::TakeOver { .. });
    match author.is_connected() || before_it_is_in {
        true => Ok(author.role),
        false => Err(Refusal::WrongState),
    }
}

/// The role of somebody who dials in.
pub(crate) fn role_of_entrant(profile: &Profile, who: Affiliation, parties: &[Party]) -> Role {
    profile.role_for(who, true, &roles(parties))
}

/// The roles of all who count.
pub(crate) fn roles(parties: &[Party]) -> Vec<Role> {
    parties.iter().filter(|party| party.is_counted()).map(|party| party.role).collect()
}

/// The party of that id. Who monitors is there only for those who supervise.
fn known_to(role: Role, id: PartyId, parties: &[Party]) -> Result<&Party, Refusal> {
    let sees_all = role == Role::Admin || role == Role::Supervisor;
    let found = parties.iter().find(|party| party.id == id);
    found.filter(|party| sees_all || party.is_counted()).ok_or(Refusal::NoSuchParty)
}

/// What a party is to an author.
pub(crate) fn relation(by: Author, target: &Party) -> Relation {
    let author = match by {
        Author::Party(author) => Some(author),
        Author::Admin | Author::System => None,
    };
    let is_added = author.is_some() && target.added_by == author;
    let is_ours = target.role.is_ours();
    if author == Some(target.id) {
        Relation::Myself
    } else if target.role == Role::Supervisor {
        Relation::Supervisor
    } else if target.role == Role::Customer {
        Relation::Customer
    } else if is_added {
        Relation::Added
    } else if is_ours {
        Relation::Colleague
    } else {
        Relation::Third
    }
}

fn holds(condition: Condition, by: Author, target: Option<&Party>, parties: &[Party]) -> bool {
    let connected = || parties.iter().filter(|party| party.is_connected());
    let count = connected().filter(|party| party.is_counted()).count();
    let has_primary = connected().any(|party| party.role == Role::Primary);
    let placer = target.and_then(Party::hold).map(|hold| hold.by);
    match condition {
        Condition::PrimaryGone => !has_primary,
        Condition::ExactlyThree => count == 3,
        Condition::ThreeOrPrimary => count >= 3 || has_primary,
        Condition::OursToHear => {
            let whisperer = target.map(|party| party.id);
            connected().any(|party| party.role.is_ours() && Some(party.id) != whisperer)
        }
        Condition::NotHeldByPrimary => match placer {
            Some(Author::Party(placer)) => {
                !parties.iter().any(|party| party.id == placer && party.role == Role::Primary)
            }
            Some(Author::Admin | Author::System) | None => true,
        },
        Condition::OwnHold => placer.is_none_or(|placer| placer == by),
    }
}
