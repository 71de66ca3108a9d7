//! Who may do what: the profile's table, read once more.

use model::profile::Condition;
use model::{Action, Affiliation, Author, PartyId, Refusal, Relation, Role, Verb};

use super::{Book, Person};

impl Book {
    pub(super) fn role_of_caller(&self, from: Affiliation) -> Role {
        let roles: Vec<Role> =
            self.people.iter().filter(|person| person.counts()).map(|person| person.role).collect();
        let is_staffed = roles.iter().any(|role| role.is_agent());
        let rules = &self.rules.roles;
        match from {
            Affiliation::Ours if is_staffed => rules.of_ours,
            Affiliation::Ours => rules.first_of_ours,
            Affiliation::Outside if roles.contains(&rules.caller) => rules.outsider,
            Affiliation::Outside => rules.caller,
        }
    }

    /// Whoever is called is never the caller.
    pub(super) fn role_of_called(&self, from: Affiliation) -> Role {
        match from {
            Affiliation::Ours => self.role_of_caller(from),
            Affiliation::Outside => self.rules.roles.outsider,
        }
    }

    pub(super) fn may_enter(&self, role: Role) -> Result<(), Refusal> {
        let mut rows = self.rules.permissions_for(role, Action::Enter, Relation::Conference);
        rows.next().map(|_| ()).ok_or(Refusal::NotAllowed)
    }

    pub(super) fn room_for_one(&self) -> Result<(), Refusal> {
        let count = self.people.iter().filter(|person| person.counts()).count();
        if count < self.rules.parties_max { Ok(()) } else { Err(Refusal::LimitReached) }
    }

    /// May this author do that?
    pub(crate) fn may(&self, by: Author, verb: &Verb) -> Result<(), Refusal> {
        let role = match by {
            Author::System => return Ok(()),
            Author::Admin => Role::Admin,
            Author::Party(id) => {
                let author = self.find(id).ok_or(Refusal::NotAllowed)?;
                // Who rings can only go, or be picked up elsewhere.
                let before = matches!(verb, Verb::Remove { .. } | Verb::TakeOver { .. });
                if !author.is_up() && !before {
                    return Err(Refusal::WrongState);
                }
                author.role
            }
        };
        let sees_monitors = matches!(role, Role::Admin | Role::Supervisor);
        let whom = match verb.party() {
            None => None,
            Some(id) => {
                let found = self.find(id).filter(|whom| sees_monitors || whom.counts());
                Some(found.ok_or(Refusal::NoSuchParty)?)
            }
        };
        let to = whom.map_or(Relation::Conference, |whom| self.relation(by, whom));
        let mut refusal = Refusal::NotAllowed;
        for conditions in self.rules.permissions_for(role, verb.action(), to) {
            match conditions.iter().find(|condition| !self.holds(**condition, by, whom)) {
                None => return Ok(()),
                Some(unmet) => refusal = unmet.refusal(),
            }
        }
        Err(refusal)
    }

    fn relation(&self, by: Author, whom: &Person) -> Relation {
        let author = if let Author::Party(id) = by { Some(id) } else { None };
        match whom.role {
            _ if author == Some(whom.id) => Relation::Myself,
            Role::Supervisor => Relation::Supervisor,
            Role::Customer => Relation::Customer,
            _ if author.is_some() && whom.brought_by == author => Relation::Added,
            role if role.is_ours() => Relation::Colleague,
            Role::Admin
            | Role::Host
            | Role::CoHost
            | Role::Staff
            | Role::Primary
            | Role::Secondary
            | Role::Trainee
            | Role::External
            | Role::Guest => Relation::Third,
        }
    }

    fn holds(&self, condition: Condition, by: Author, whom: Option<&Person>) -> bool {
        let has_primary =
            self.people.iter().any(|person| person.is_up() && person.role == Role::Primary);
        let placer = whom.and_then(Person::waits).map(|wait| wait.by);
        match condition {
            Condition::PrimaryGone => !has_primary,
            Condition::ExactlyThree => self.present().count() == 3,
            Condition::ThreeOrPrimary => has_primary || self.present().count() >= 3,
            Condition::OursToHear => self.people.iter().any(|person| {
                let itself = whom.is_some_and(|whom| whom.id == person.id);
                person.is_up() && person.role.is_ours() && !itself
            }),
            Condition::NotHeldByPrimary => match placer {
                Some(Author::Party(placer)) => {
                    self.find(placer).is_none_or(|placer| placer.role != Role::Primary)
                }
                Some(Author::Admin | Author::System) | None => true,
            },
            Condition::OwnHold => placer.is_none() || placer == Some(by),
        }
    }

    /// Whether somebody was set apart by one of those in it, and nobody of them may bring it back:
    /// itself, or by ending or turning round the consultation for which it waits.
    pub(crate) fn is_stranded(&self, person: &Person) -> bool {
        let Some(wait) = person.waits() else { return false };
        if !matches!(wait.by, Author::Party(_)) {
            return false;
        }
        let resume = Verb::Resume { party: person.id };
        let may_resume = |by: &Person| self.may(Author::Party(by.id), &resume).is_ok();
        let may_end = |party: PartyId| {
            let ends = [Verb::Swap { party }, Verb::Merge { party }, Verb::Cancel { party }];
            self.is_consulting(party)
                && ends.iter().any(|verb| self.may(Author::Party(party), verb).is_ok())
        };
        !self.people.iter().any(may_resume) && !wait.talk.is_some_and(may_end)
    }
}
