//! What follows when somebody leaves, and when it is over.

use model::profile::{Afterwards, Consulted, EndsWithout, Fate};
use model::{Affiliation, Author, PartyId, Refusal, Role};

use super::{At, Book, Gone, Line, Person, Says};

impl Book {
    pub(super) fn leaves(&mut self, id: PartyId) {
        let at = self.people.iter().position(|person| person.id == id).expect("it is in");
        let gone = self.people.remove(at);
        self.ids(|p| p.heir == Some(id)).into_iter().for_each(|p| self.the(p).heir = None);
        if self.ending {
            return;
        }
        while let Some((agent, expert, meanwhile)) = self.talk_with(id) {
            self.talks.retain(|talk| *talk != (agent, expert, meanwhile));
            if id == agent { self.consulter_left(agent, expert) } else { self.expert_left(agent) }
        }
        self.gives_up_calls(&gone);
        self.undoes(id);
        let next = self.present().find(|person| person.role.is_agent());
        if let Some(next) = next.or_else(|| self.present().next()).map(|next| next.id) {
            self.follow(id, next);
        }
        if gone.is_up() && gone.counts() {
            self.is_missed(gone);
        } else if gone.fills_in && gone.counts() {
            self.is_over_without(&gone);
        }
    }

    fn expert_left(&mut self, agent: PartyId) {
        if self.is_at(agent, At::Aside(agent)) {
            self.the(agent).at = At::Room;
        }
        match self.rules.consulting.afterwards {
            Afterwards::Back => self.release(|wait| wait.talk == Some(agent)),
            Afterwards::Held => self.waits_on(agent),
        }
    }

    fn consulter_left(&mut self, agent: PartyId, expert: PartyId) {
        let leaving = &self.rules.leaving;
        let stays = match self.find(expert).map(|expert| expert.line) {
            Some(Line::Up) => leaving.consulted == Consulted::TakesOver,
            Some(Line::Arriving | Line::Called | Line::Rings | Line::Early) => {
                leaving.dials == Fate::Stays
            }
            None => true,
        };
        match self.find(expert) {
            Some(_) if stays => self.the(expert).at = At::Room,
            Some(_) => self.is_let_go(expert),
            None => {}
        }
        self.release(|wait| wait.talk == Some(agent));
    }

    /// With who is consulted goes whoever is called for its seat.
    pub(super) fn is_let_go(&mut self, expert: PartyId) {
        if let Some(heir) = self.the(expert).heir {
            self.leaves(heir);
        }
        self.leaves(expert);
    }

    /// Calls to whom it was bringing in are nobody's; who is to have its seat is called on.
    fn gives_up_calls(&mut self, gone: &Person) {
        for id in self.ids(|p| p.is_called() && p.brought_by == Some(gone.id)) {
            if self.rules.leaving.dials == Fate::Ends && gone.heir != Some(id) {
                self.leaves(id);
            } else {
                self.the(id).brought_by = None;
            }
        }
        if let Some(heir) = gone.heir.filter(|_| gone.role.is_agent() || gone.fills_in) {
            self.the(heir).fills_in = true;
        }
    }

    fn undoes(&mut self, id: PartyId) {
        let by = Author::Party(id);
        if self.rules.leaving.holds == Fate::Ends {
            self.release(|wait| wait.by == by && wait.talk.is_none());
        }
        for person in &mut self.people {
            person.silenced_by.remove(&by);
            if person.says == Says::ToOne(id) {
                person.says = Says::ToAll;
            }
        }
    }

    fn is_missed(&mut self, gone: Person) {
        self.is_over_without(&gone);
        let Person { id, address, role, came_back, .. } = gone;
        let leaving = &self.rules.leaving;
        if leaving.rejoin.contains(&role) || leaving.no_return.contains(&role) {
            self.gone.push(Gone { id, address, role, came_back });
        }
        if self.rules.roles.succession.contains(&role) && !self.present().any(|p| p.role == role) {
            let agents = || self.present().filter(|person| person.role.is_agent());
            let heir = agents().find(|p| p.role == Role::CoHost).or_else(|| agents().next());
            if let Some(heir) = heir.map(|heir| heir.id) {
                self.the(heir).role = role;
            }
        }
        let has_agent = self.present().any(|person| person.role.is_agent());
        if role.is_agent() && !has_agent && self.rules.recording.stops_without_agents {
            self.records_with_agent |= self.records;
            self.records = false;
        }
    }

    /// Who has an agent's seat is no agent, but does for one as long as it is there for somebody;
    /// and who is called to an empty one is waited for.
    fn is_over_without(&mut self, gone: &Person) {
        let awaited = self.people.iter().any(|one| one.is_called() && one.fills_in);
        let agent = awaited || self.present().any(|person| person.role.is_agent());
        let substitute = self.present().count() > 1 && self.present().any(|one| one.fills_in);
        let customer = self.present().any(|person| person.role == Role::Customer);
        let was_agent = gone.role.is_agent() || gone.fills_in;
        let was_customer = gone.role == Role::Customer;
        let handed_on = self.people.iter().any(|person| person.fills_in);
        let no_agent = (was_agent || handed_on) && !agent && !substitute;
        let no_customer = was_customer && !customer;
        self.ending |= match self.rules.ends_without {
            EndsWithout::Anybody => false,
            EndsWithout::Agents => no_agent,
            EndsWithout::AgentsOrCustomer => no_agent || no_customer,
            EndsWithout::AgentsAndCustomer => (was_agent || was_customer) && !agent && !customer,
        };
    }

    /// S0.13, S0.17: ours come back as who they were, and some do not come back.
    pub(super) fn as_who_it_was(
        &mut self,
        person: Person,
        from: Affiliation,
    ) -> Result<Person, Refusal> {
        let left = self.gone.iter().rposition(|gone| gone.address == person.address);
        let Some(at) = left else { return Ok(person) };
        let Gone { id, role, came_back, .. } = self.gone[at].clone();
        let leaving = &self.rules.leaving;
        match from {
            Affiliation::Ours if leaving.rejoin.contains(&role) => {
                self.gone.remove(at);
                // What passed on meanwhile is not taken back.
                let passed_on = self.rules.roles.succession.contains(&role);
                let role = if passed_on { person.role } else { role };
                let back = Person::new(id, person.address, role, person.line);
                Ok(Person { came_back: came_back + 1, ..back })
            }
            Affiliation::Outside if leaving.no_return.contains(&role) => Err(Refusal::CannotRejoin),
            Affiliation::Ours | Affiliation::Outside => Ok(person),
        }
    }

    pub(super) fn ends(&mut self) {
        self.people.clear();
        (self.talks, self.said, self.records, self.over) = (vec![], vec![], false, true);
    }

    /// After each change: is it over, and does somebody wait whom nobody could bring back?
    pub(super) fn settle(&mut self) {
        let keeps_alive = |person: &Person| match person.line {
            Line::Up | Line::Arriving => person.counts(),
            // A phone does not ring for a room that all have left.
            Line::Called | Line::Rings | Line::Early => person.counts() && !self.begun,
        };
        if self.ending || !self.people.iter().any(keeps_alive) {
            return self.ends();
        }
        let stranded = self.ids(|person| person.waits().is_some_and(|_| self.is_stranded(person)));
        stranded.into_iter().for_each(|id| self.comes_back(id));
        if self.records_with_agent && self.present().any(|person| person.role.is_agent()) {
            (self.records, self.records_with_agent) = (true, false);
        }
        self.says_what_can_be_heard();
    }

    /// What nobody of those who were to hear it is there for is not said any more; and each hears
    /// one prompt at a time, in the order in which they were wished.
    fn says_what_can_be_heard(&mut self) {
        let up = self.ids(Person::is_up);
        self.said.retain(|said| up.iter().any(|id| said.to.contains(id)));
        for at in 0..self.said.len() {
            let (before, rest) = self.said.split_at_mut(at);
            rest[0].sounds |= before.iter().all(|earlier| earlier.to.is_disjoint(&rest[0].to));
        }
    }
}
