//! As whom somebody looks at a conference, and for whom it speaks there.

use std::sync::Arc;

use model::command::Target;
use model::{
    Audience, Author, ConferenceRef, ConferenceView, Direction, PartyId, PartyView, Refusal, Role,
    Verb,
};

use crate::admit::Caller;
use crate::command::Api;
use crate::grant::Capacity;
use crate::problem::Problem;

/// A conference as somebody sees it.
pub(crate) struct Sight {
    pub(crate) audience: Audience,
    pub(crate) view: Arc<ConferenceView>,
    /// The revision that the conference has for those who see everything.
    pub(crate) revision: u64,
}

impl Api {
    /// A conference as a caller sees it. One that it may not see is not there.
    pub(crate) fn sight(
        &self,
        caller: &Caller,
        conference: &ConferenceRef,
    ) -> Result<Sight, Problem> {
        let whole = self.feed.view(conference).ok_or(Refusal::NoSuchConference)?;
        let audience = caller.audience(&whole).ok_or(Refusal::NoSuchConference)?;
        // By its id: the name may be another's meanwhile.
        let seen = self.feed.view_for(&ConferenceRef::Id(whole.id), audience);
        let (view, revision) = seen.ok_or(Refusal::NoSuchConference)?;
        Ok(Sight { audience, view, revision })
    }

    /// For whom a caller speaks that wants this; `asked` is for whom it says that it does.
    pub(crate) fn author(
        &self,
        caller: &Caller,
        asked: Option<PartyId>,
        conference: &ConferenceRef,
        verb: &Verb,
    ) -> Result<Author, Problem> {
        let own = match &caller.grant.capacity {
            Capacity::Admin | Capacity::Integration => {
                return Ok(asked.map_or(Author::Admin, Author::Party));
            }
            Capacity::Supervisor { user } => {
                let view = self.feed.view(conference).ok_or(Refusal::NoSuchConference)?;
                match party_of(&view, user) {
                    Some(party) => Some(party.id),
                    // It is not in yet: it may have itself called to supervise, and no more.
                    None if asked.is_none() && calls_to_supervise(verb, user) => {
                        return Ok(Author::Admin);
                    }
                    None => None,
                }
            }
            Capacity::Agent { user } => {
                let view = self.feed.view(conference).ok_or(Refusal::NoSuchConference)?;
                let party = party_of(&view, user).ok_or(Refusal::NoSuchConference)?;
                Some(party.id)
            }
            Capacity::Guest { party, .. } => {
                self.sight(caller, conference)?;
                *party
            }
        };
        let own = own.ok_or_else(Problem::not_your_party)?;
        match asked {
            Some(asked) if asked != own => Err(Problem::not_your_party()),
            Some(_) | None => Ok(Author::Party(own)),
        }
    }
}

impl Caller {
    /// What it wants: a supervisor who has its own name called to supervise means itself. Whose the
    /// address is, is found out by who knows all ways, and another's is refused there.
    pub(crate) fn meant(&self, mut verb: Verb) -> Verb {
        if let Capacity::Supervisor { user } = &self.grant.capacity
            && verb.action() == model::Action::Supervise
            && let Some(target) = verb.target_mut()
            && let Target::Address(address) = target
            && user_of(address) == Some(user)
        {
            *target = Target::Colleague(std::mem::take(address));
        }
        verb
    }

    /// As whom it looks at a conference; none if that is none of its business.
    pub(crate) fn audience(&self, view: &ConferenceView) -> Option<Audience> {
        match &self.grant.capacity {
            Capacity::Admin | Capacity::Integration | Capacity::Supervisor { .. } => {
                Some(Audience::Everything)
            }
            Capacity::Agent { user } => party_of(view, user).map(|party| Audience::Party(party.id)),
            Capacity::Guest { conference, party } => {
                let is_that = match conference {
                    ConferenceRef::Id(id) => *id == view.id,
                    ConferenceRef::Name(name) => *name == view.name,
                };
                let is_outside = |party: &PartyView| !party.role.is_ours();
                let own = party.and_then(|party| view.party(party)).filter(|own| is_outside(own));
                let audience = own.map_or(Audience::Outside, |own| Audience::Party(own.id));
                is_that.then_some(audience)
            }
        }
    }
}

/// The party that is a user: who has come in by its password, or is called at its phones. From
/// outside anybody could give that address, and whoever is called there is another server's.
fn party_of<'v>(view: &'v ConferenceView, user: &str) -> Option<&'v PartyView> {
    view.parties.iter().find(|party| is_within(party) && user_of(&party.address) == Some(user))
}

fn is_within(party: &PartyView) -> bool {
    match party.direction {
        Direction::Internal => true,
        Direction::Inbound | Direction::Outbound => false,
    }
}

/// The user part of a SIP address (RFC 3261 §19.1.1).
fn user_of(address: &str) -> Option<&str> {
    let (scheme, rest) = address.split_once(':')?;
    let is_sip = scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips");
    let (user, _) = rest.split_once('@')?;
    is_sip.then_some(user)
}

/// Whether a verb has that user called to supervise.
fn calls_to_supervise(verb: &Verb, user: &str) -> bool {
    match (verb.action(), verb.target()) {
        (model::Action::Supervise, Some(Target::Colleague(address))) => {
            user_of(address) == Some(user)
        }
        (_, _) => false,
    }
}

/// What somebody of a role sees who is no party: for who sees everything and wants to know.
pub(crate) fn audience_of(view: &ConferenceView, role: Role) -> Audience {
    let party = view.parties.iter().find(|party| party.role == role);
    match (party, role) {
        (_, Role::Admin | Role::Supervisor) => Audience::Everything,
        (Some(party), _) => Audience::Party(party.id),
        (None, _) => Audience::Outside,
    }
}
