//! What follows when somebody leaves: what it had begun, what it was, and whether the conference
//! ends.

use model::profile::{EndsWithout, Fate, Occasion};
use model::{Author, EventKind, LeaveReason, PartyId, Role, Verb};

use crate::conference::{Cause, Conference, Life};
use crate::limits::TICKETS_MAX;
use crate::party::{Aim, HoldReason, Party, Stance};
use crate::{policy, verbs};

/// Somebody who has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) party: PartyId,
    pub(crate) address: String,
    pub(crate) role: Role,
    /// How often it has come back.
    pub(crate) rejoins: u32,
}

impl Conference {
    /// Does what follows from somebody's leaving; it is forgotten already.
    pub(crate) fn after_leaving(&mut self, cause: Cause, gone: &Party, was_in: bool) {
        self.consultations_without(cause, gone.id);
        self.give_up_dials_of(cause, gone);
        self.end_what_it_placed(cause, gone.id);
        self.follow_another(cause, gone.id);
        if !gone.is_counted() || !(was_in || gone.in_place_of.is_some()) {
            return;
        }
        if was_in {
            self.keep_ticket(gone);
            self.succeed(cause, gone.role);
            let stops = self.rules.profile.recording.stops_without_agents;
            let was_last = gone.role.is_agent() && !self.has(Role::is_agent);
            if was_last && stops {
                self.stop_recording_without_agents(cause);
            }
        }
        if self.ends_without(gone) && self.life == Life::Running {
            self.life = match self.is_saying_for(Occasion::NobodyAvailable) {
                true => Life::LastWords,
                false => Life::Ending,
            };
        }
    }

    /// Whether an agent is in, or one is called to a seat that is empty, or somebody who has an
    /// agent's seat is there for somebody else.
    pub(crate) fn is_staffed(&self) -> bool {
        let company =
            self.parties.iter().filter(|p| p.is_connected() && p.is_counted()).count() > 1;
        let fills = |party: &Party| match party.in_place_of {
            Some(_) => party.is_called() || (party.is_connected() && company),
            None => false,
        };
        self.has(Role::is_agent) || self.parties.iter().any(fills)
    }

    pub(crate) fn has(&self, is: impl Fn(Role) -> bool) -> bool {
        self.parties.iter().any(|p| p.is_connected() && p.is_counted() && is(p.role))
    }

    fn ends_without(&self, gone: &Party) -> bool {
        let has_customer = self.has(|role| role == Role::Customer);
        let last_customer = gone.role == Role::Customer && !has_customer;
        let is_handed_on = self.parties.iter().any(|party| party.in_place_of.is_some());
        let last_agent = (gone.has_agents_seat() || is_handed_on) && !self.is_staffed();
        match self.rules.profile.ends_without {
            EndsWithout::Anybody => false,
            EndsWithout::Agents => last_agent,
            EndsWithout::AgentsOrCustomer => last_agent || last_customer,
            EndsWithout::AgentsAndCustomer => {
                let awaited = |party: &Party| party.is_called() && party.in_place_of.is_some();
                let has_agents = self.has(Role::is_agent) || self.parties.iter().any(awaited);
                (gone.has_agents_seat() || last_customer) && !has_agents && !has_customer
            }
        }
    }

    /// Calls to those whom it was bringing in are nobody's any more. One to whom its seat was to
    /// pass goes on: a phone that transfers does not wait.
    fn give_up_dials_of(&mut self, cause: Cause, gone: &Party) {
        let heir = match gone.seat {
            crate::party::Seat::PassingTo(heir) => Some(heir),
            crate::party::Seat::Kept | crate::party::Seat::TakenOverBy(_) => None,
        };
        let fate = self.rules.profile.leaving.dials;
        let called: Vec<PartyId> = self
            .parties
            .iter()
            .filter(|party| party.is_called() && party.added_by == Some(gone.id))
            .map(|party| party.id)
            .collect();
        for party in called {
            match fate {
                Fate::Ends if heir != Some(party) => {
                    self.hang_up(cause, party, LeaveReason::Removed);
                }
                Fate::Ends | Fate::Stays => self.party_mut(party).added_by = None,
            }
        }
        if let Some(heir) = heir.filter(|_| gone.has_agents_seat()) {
            self.party_mut(heir).in_place_of = Some(gone.id);
        }
    }

    fn end_what_it_placed(&mut self, cause: Cause, gone: PartyId) {
        let by = Author::Party(gone);
        if self.rules.profile.leaving.holds == Fate::Ends {
            self.release_all(cause, |hold| hold.by == by && hold.reason == HoldReason::Asked);
        }
        let silenced = |party: &&Party| party.silenced_by.contains(&by);
        let silenced: Vec<_> = self.parties.iter().filter(silenced).map(|p| p.id).collect();
        for party in silenced {
            verbs::silence_without(self, cause, party, by);
        }
        let paired = |party: &&Party| party.aim == Aim::Pair(gone);
        let paired: Vec<_> = self.parties.iter().filter(paired).map(|p| p.id).collect();
        for party in paired {
            self.party_mut(party).aim = Aim::Everybody;
            self.tell(cause, EventKind::PairEnded { party, with: gone });
        }
    }

    /// Whoever stood beside it stands beside another: an agent, else anybody.
    fn follow_another(&mut self, cause: Cause, gone: PartyId) {
        let candidates = || self.parties.iter().filter(|p| p.is_connected() && p.is_counted());
        let agent = candidates().find(|party| party.role.is_agent());
        let Some(next) = agent.or_else(|| candidates().next()).map(|party| party.id) else {
            return;
        };
        self.follow(cause, gone, next);
    }

    /// Whoever stood beside one stands beside another.
    pub(crate) fn follow(&mut self, cause: Cause, before: PartyId, next: PartyId) {
        let following = |party: &&Party| party.stance == Stance::Beside(before);
        let following: Vec<_> = self.parties.iter().filter(following).map(|p| p.id).collect();
        for party in following {
            self.party_mut(party).stance = Stance::Beside(next);
            let mode = verbs::mode_of(self.party_mut(party));
            self.tell(cause, EventKind::Supervised { party, beside: Some(next), mode });
        }
    }

    fn keep_ticket(&mut self, gone: &Party) {
        let leaving = &self.rules.profile.leaving;
        if !leaving.rejoin.contains(&gone.role) && !leaving.no_return.contains(&gone.role) {
            return;
        }
        if self.tickets.len() == TICKETS_MAX {
            self.tickets.pop_front();
        }
        let Party { id: party, address, role, rejoins, .. } = gone;
        let address = address.clone();
        self.tickets.push_back(Ticket { party: *party, address, role: *role, rejoins: *rejoins });
    }

    /// A role that does not go with who had it passes on.
    fn succeed(&mut self, cause: Cause, role: Role) {
        let passes = self.rules.profile.roles.succession.contains(&role);
        if !passes || self.has(|present| present == role) {
            return;
        }
        let agents = || {
            let present = self.parties.iter().filter(|p| p.is_connected() && p.is_counted());
            present.filter(|party| party.role.is_agent())
        };
        let heir = agents().find(|party| party.role == Role::CoHost).or_else(|| agents().next());
        if let Some(party) = heir.map(|party| party.id) {
            self.give_role(cause, party, role);
        }
    }

    pub(crate) fn give_role(&mut self, cause: Cause, id: PartyId, role: Role) {
        let party = self.party_mut(id);
        if party.role != role {
            party.role = role;
            self.tell(cause, EventKind::RoleChanged { party: id, role });
        }
    }

    /// Brings back who is set apart by a party, if nobody is in who could.
    pub(crate) fn release_stranded(&mut self, cause: Cause) {
        let stranded = |party: &&Party| {
            let Some(hold) = party.hold() else { return false };
            match hold.by {
                // Whoever has the API may always bring it back.
                Author::Admin | Author::System => false,
                Author::Party(_) => {
                    !self.somebody_may_resume(party.id) && !self.somebody_may_end(hold.reason)
                }
            }
        };
        let stranded: Vec<_> = self.parties.iter().filter(stranded).map(|p| p.id).collect();
        for party in stranded {
            let cause = Cause { by: Author::System, ..cause };
            self.tell(cause, EventKind::Stranded { party });
            self.release(cause, party);
        }
    }

    /// Whether who consults may bring back those who wait for it: by going over to them, by
    /// bringing all together, or by letting the consulted one go.
    fn somebody_may_end(&self, reason: HoldReason) -> bool {
        let HoldReason::Consultation(party) = reason else { return false };
        let may = |verb: Verb| {
            let by = Author::Party(party);
            policy::judge(&self.rules.profile, by, &verb, &self.parties).is_ok()
        };
        self.consultation_of(party).is_some()
            && (may(Verb::Swap { party })
                || may(Verb::Merge { party })
                || may(Verb::Cancel { party }))
    }

    fn somebody_may_resume(&self, held: PartyId) -> bool {
        let resume = Verb::Resume { party: held };
        self.parties.iter().any(|party| {
            let by = Author::Party(party.id);
            party.is_connected()
                && policy::judge(&self.rules.profile, by, &resume, &self.parties).is_ok()
        })
    }
}
