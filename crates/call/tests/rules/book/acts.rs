//! What each verb does once it is allowed, and when its state forbids it.

use std::collections::BTreeSet;

use model::command::{Hearers, Newcomer, Readers, Supervision, Target};
use model::limits::ANNOUNCEMENTS_PER_CONFERENCE_MAX;
use model::profile::{Meanwhile, Stand};
use model::{Action, Affiliation, AnnouncementId, Author, PartyId, Refusal, Relation, Role, Verb};

use super::{At, Book, Line, Person, Said, Says, Successor, Wait, direction};

type Done = Result<(), Refusal>;

impl Book {
    pub(super) fn act(&mut self, by: Author, verb: &Verb, called: PartyId) -> Done {
        match verb {
            Verb::Invite { target, role } => self.invites(by, target, *role, called),
            Verb::Consult { party, target, room } => self.consults(*party, target, *room, called),
            Verb::Swap { party } => self.swaps(by, *party),
            Verb::Merge { party } => self.merges(*party),
            Verb::Complete { party } => self.completes(*party),
            Verb::Cancel { party } => {
                let talk = self.talk_of(*party).ok_or(Refusal::NoConsultation)?;
                self.is_let_go(talk.1);
                Ok(())
            }
            Verb::Transfer { party, target } => self.transfers(*party, target, called),
            Verb::Mute { party } => {
                self.the(*party).muted = true;
                Ok(())
            }
            Verb::Unmute { party } if !self.the(*party).silenced_by.is_empty() => {
                Err(Refusal::Silenced)
            }
            Verb::Unmute { party } => {
                self.the(*party).muted = false;
                Ok(())
            }
            Verb::Silence { party } => {
                self.the(*party).silenced_by.insert(by);
                Ok(())
            }
            Verb::Unsilence { party } => {
                self.the(*party).silenced_by.clear();
                Ok(())
            }
            Verb::Hold { party } => self.holds_apart(by, *party),
            Verb::Resume { party } => self.resumes(by, *party),
            Verb::Whisper { party, to } => self.whispers(*party, to.as_ref()),
            Verb::Pair { party, with } => self.pairs(*party, *with),
            Verb::Supervise { target, beside, mode } => {
                self.supervises(target, *beside, mode, called)
            }
            Verb::Stand { party, beside, mode } => self.stands(by, *party, *beside, mode),
            Verb::Appoint { party, role } => self.appoints(*party, *role),
            Verb::Remove { party } => {
                if by == Author::Party(*party) {
                    self.calls_on_for_consulter(*party);
                }
                self.leaves(*party);
                Ok(())
            }
            Verb::Write { to, .. } => self.writes(by, to),
            Verb::Record { on } => {
                (self.records, self.records_with_agent) = (*on, false);
                Ok(())
            }
            Verb::End => {
                self.ends();
                Ok(())
            }
            Verb::TakeOver { party, newcomer } => self.takes_over(*party, newcomer),
            Verb::Play { to, .. } => self.plays(*to),
            Verb::StopPlaying { announcement } => {
                let before = self.said.len();
                self.said.retain(|said| said.id != *announcement);
                if self.said.len() < before { Ok(()) } else { Err(Refusal::NoSuchAnnouncement) }
            }
            // Its far end hears them, and nobody here.
            Verb::SendDigits { party, .. } => {
                let up = self.find(*party).is_some_and(Person::is_up);
                up.then_some(()).ok_or(Refusal::WrongState)
            }
            Verb::Enter(_) => unreachable!("who dials in is no author yet"),
        }
    }

    /// A phone rings.
    fn calls(&mut self, target: &Target, person: Person) -> Done {
        if let Target::Queue(_) = target {
            return Err(Refusal::NoSuchQueue);
        }
        let one_rings = self.people.iter().any(|p| p.is_called() && p.counts());
        if self.rules.inviting.one_at_a_time && one_rings {
            return Err(Refusal::DialInProgress);
        }
        self.people.push(person);
        Ok(())
    }

    fn called(&self, id: PartyId, target: &Target, role: Option<Role>) -> Person {
        let from = match target {
            Target::Colleague(_) => Affiliation::Ours,
            Target::Address(_) | Target::Queue(_) => Affiliation::Outside,
        };
        let role = role.unwrap_or_else(|| self.role_of_called(from));
        let address = target.address().unwrap_or_default().to_owned();
        Person { direction: direction(from, false), ..Person::new(id, address, role, Line::Called) }
    }

    fn invites(
        &mut self,
        by: Author,
        target: &Target,
        role: Option<Role>,
        called: PartyId,
    ) -> Done {
        let inviter = if let Author::Party(id) = by { Some(id) } else { None };
        if let Some(role) = role {
            self.may_be_called_as(inviter, target, role)?;
        }
        // S4.9: in some profiles who is added is talked with in private first.
        if let (Stand::Aside, Some(agent)) = (self.rules.inviting.first, inviter)
            && self.present().count() > 1
        {
            return self.consults(agent, target, None, called);
        }
        self.room_for_one()?;
        let person = Person { brought_by: inviter, ..self.called(called, target, role) };
        self.calls(target, person)
    }

    /// S0.23: who calls somebody in makes it no more than it may appoint, and nobody a supervisor.
    fn may_be_called_as(&self, by: Option<PartyId>, target: &Target, role: Role) -> Done {
        let from = match target {
            Target::Colleague(_) => Affiliation::Ours,
            Target::Address(_) | Target::Queue(_) => Affiliation::Outside,
        };
        let author = by.and_then(|by| self.find(by)).map(|author| author.role);
        let appoints = |by| {
            let mut rows = self.rules.permissions_for(by, Action::Appoint, Relation::Added);
            rows.any(<[_]>::is_empty)
        };
        match (role, author) {
            (Role::Supervisor | Role::Admin, _) => Err(Refusal::WrongState),
            (Role::Trainee, Some(_)) if from == Affiliation::Ours => Ok(()),
            (_, Some(by)) if role.is_ours() && role != self.role_of_called(from) => {
                appoints(by).then_some(()).ok_or(Refusal::NotAllowed)
            }
            (_, Some(_) | None) => Ok(()),
        }
    }

    fn consults(
        &mut self,
        agent: PartyId,
        target: &Target,
        room: Option<Meanwhile>,
        called: PartyId,
    ) -> Done {
        let free = self.find(agent).is_some_and(|p| p.is_up() && p.at == At::Room);
        if !free || !self.the(agent).keeps_seat() || self.talk_with(agent).is_some() {
            return Err(Refusal::WrongState);
        }
        self.room_for_one()?;
        let (brought_by, at) = (Some(agent), At::Aside(agent));
        let person = Person { brought_by, at, ..self.called(called, target, None) };
        self.calls(target, person)?;
        let talk = (agent, called, room.unwrap_or(self.rules.consulting.room));
        self.talks.push(talk);
        if talk.2 == Meanwhile::Held {
            self.steps_aside(talk);
        }
        Ok(())
    }

    /// Those in the room wait, if the profile says so or one would be left there.
    pub(super) fn steps_aside(&mut self, (agent, _, room): (PartyId, PartyId, Meanwhile)) {
        self.the(agent).at = At::Aside(agent);
        let left = self.ids(|person| person.is_up() && person.at == At::Room);
        if room == Meanwhile::Held || left.len() == 1 {
            let wait = Wait { by: Author::Party(agent), talk: Some(agent), stood: None };
            left.into_iter().for_each(|id| self.the(id).at = At::Apart(wait));
        }
    }

    /// Brings back to where they stood all of whom that holds.
    pub(super) fn release(&mut self, is: impl Fn(&Wait) -> bool) {
        let waiting = self.ids(|person| person.waits().as_ref().is_some_and(&is));
        waiting.into_iter().for_each(|id| self.comes_back(id));
    }

    /// Somebody comes back to where it stood. Nobody is left aside alone by that: who is consulted
    /// comes to who consults it, and the other way round.
    pub(super) fn comes_back(&mut self, id: PartyId) {
        let Some(wait) = self.find(id).and_then(Person::waits) else { return };
        let talk = self.talk_with(id);
        if let Some(talk) = talk.filter(|talk| talk.1 == id && self.is_at(talk.0, At::Room)) {
            return self.joins_room(talk);
        }
        let still = wait.stood.filter(|agent| talk.is_some_and(|talk| talk.0 == *agent));
        self.the(id).at = still.map_or(At::Room, At::Aside);
        let came = |expert| self.find(expert).is_some_and(Person::is_up);
        if let Some(talk) = talk.filter(|talk| talk.0 == id && came(talk.1))
            && self.is_at(talk.1, At::Aside(id))
            && self.is_at(id, At::Room)
        {
            self.steps_aside(talk);
        }
    }

    /// Who waits for a consultation waits for good.
    pub(super) fn waits_on(&mut self, agent: PartyId) {
        for person in &mut self.people {
            if let At::Apart(wait) = &mut person.at {
                wait.talk = wait.talk.filter(|talk| *talk != agent);
            }
        }
    }

    fn joins_room(&mut self, talk: (PartyId, PartyId, Meanwhile)) {
        self.talks.retain(|other| *other != talk);
        (self.the(talk.0).at, self.the(talk.1).at) = (At::Room, At::Room);
    }

    fn swaps(&mut self, by: Author, agent: PartyId) -> Done {
        let Some(talk) = self.talk_of(agent) else { return self.swaps_others(by, agent) };
        let expert = self.find(talk.1).expect("a consultation has two");
        if !expert.is_up() || !self.find(agent).is_some_and(Person::is_up) {
            return Err(Refusal::WrongState);
        }
        match (self.the(agent).at, self.the(talk.1).at) {
            (At::Aside(_), At::Aside(_)) => {
                self.the(agent).at = At::Room;
                self.release(|wait| wait.talk == Some(agent));
                let by = Author::Party(agent);
                let wait = Wait { by, talk: Some(agent), stood: Some(agent) };
                self.the(talk.1).at = At::Apart(wait);
            }
            (At::Room, At::Apart(_)) => {
                self.the(talk.1).at = At::Aside(agent);
                self.steps_aside(talk);
            }
            _ => return Err(Refusal::WrongState),
        }
        Ok(())
    }

    /// S4.31, S4.32: of three, who waits and who does not change places.
    fn swaps_others(&mut self, by: Author, agent: PartyId) -> Done {
        if !self.is_at(agent, At::Room) {
            return Err(Refusal::WrongState);
        }
        let others: Vec<(PartyId, At)> =
            self.present().filter(|p| p.id != agent).map(|p| (p.id, p.at)).collect();
        let (apart, wait, there) = match others[..] {
            [(one, At::Apart(wait)), (other, At::Room)]
            | [(other, At::Room), (one, At::Apart(wait))] => (one, wait, other),
            [_, _] => return Err(Refusal::WrongState),
            _ => return Err(Refusal::NotThreeParties),
        };
        self.the(apart).at = At::Room;
        self.the(there).at = At::Apart(Wait { by, stood: None, ..wait });
        Ok(())
    }

    /// The consultation of somebody, if who is consulted has come.
    fn answered(&self, agent: PartyId) -> Result<(PartyId, PartyId, Meanwhile), Refusal> {
        let talk = self.talk_of(agent).ok_or(Refusal::NoConsultation)?;
        let came = self.find(talk.1).is_some_and(Person::is_up);
        if came { Ok(talk) } else { Err(Refusal::NoConsultation) }
    }

    fn merges(&mut self, agent: PartyId) -> Done {
        if self.talk_of(agent).is_none() {
            // S4.31: Join releases all.
            let any = self.people.iter().any(|person| person.waits().is_some());
            self.release(|_| true);
            return if any { Ok(()) } else { Err(Refusal::NoConsultation) };
        }
        let talk = self.answered(agent)?;
        self.joins_room(talk);
        self.release(|wait| wait.by == Author::Party(agent));
        Ok(())
    }

    fn completes(&mut self, agent: PartyId) -> Done {
        let talk = self.answered(agent)?;
        self.joins_room(talk);
        self.release(|wait| wait.by == Author::Party(agent));
        self.passes_role(agent, talk.1);
        self.leaves(agent);
        Ok(())
    }

    fn transfers(&mut self, party: PartyId, target: &Target, called: PartyId) -> Done {
        let person = self.the(party);
        if !person.is_up() || !person.counts() || !person.keeps_seat() {
            return Err(Refusal::WrongState);
        }
        let newcomer = Person { brought_by: Some(party), ..self.called(called, target, None) };
        self.calls(target, newcomer)?;
        self.the(party).heir = Some(called);
        Ok(())
    }

    /// RFC 3891: it is the same party, of which nothing but the phone is another one.
    fn takes_over(&mut self, party: PartyId, newcomer: &Newcomer) -> Done {
        let person = self.the(party);
        if !person.keeps_seat() || person.line == Line::Arriving {
            return Err(Refusal::WrongState);
        }
        person.successor = Some(Successor::of(newcomer));
        Ok(())
    }

    fn plays(&mut self, to: Option<PartyId>) -> Done {
        let to: BTreeSet<PartyId> = match to {
            Some(id) => {
                let person = self.find(id).ok_or(Refusal::NoSuchParty)?;
                person.is_up().then_some([id].into()).ok_or(Refusal::WrongState)?
            }
            // Who only monitors is none of the company.
            None => self.present().map(|person| person.id).collect(),
        };
        if to.is_empty() {
            return Err(Refusal::NobodyToHear);
        }
        if self.said.len() == ANNOUNCEMENTS_PER_CONFERENCE_MAX {
            return Err(Refusal::LimitReached);
        }
        if self.prompts_last {
            self.said.push(Said { id: AnnouncementId(self.prompts), to, sounds: false });
        }
        self.prompts += 1;
        Ok(())
    }

    fn holds_apart(&mut self, by: Author, party: PartyId) -> Done {
        let person = self.the(party);
        let stood = match person.at {
            _ if !person.is_up() => return Err(Refusal::WrongState),
            At::Beside(_) => return Err(Refusal::WrongState),
            At::Apart(wait) => wait.stood,
            At::Aside(agent) => Some(agent),
            At::Room => None,
        };
        person.at = At::Apart(Wait { by, talk: None, stood });
        Ok(())
    }

    fn resumes(&mut self, by: Author, party: PartyId) -> Done {
        let person = self.the(party).clone();
        let Some(wait) = person.waits() else {
            let only_the_phone_can = !person.is_up() || person.own_hold;
            return if only_the_phone_can { Err(Refusal::WrongState) } else { Ok(()) };
        };
        if !person.is_up() {
            return Err(Refusal::WrongState);
        }
        // S4.12: who stands aside and wants one of those who wait to hear brings both there.
        if let (Some(agent), Author::Party(author)) = (wait.talk, by)
            && self.is_at(author, At::Aside(agent))
            && let Some(talk) = self.talk_of(agent).filter(|talk| talk.1 != party)
        {
            self.joins_room(talk);
            self.waits_on(agent);
        }
        self.comes_back(party);
        Ok(())
    }

    /// S1.31: a whisper names nobody but ours.
    fn somebody_hears(&self, whisperer: Option<PartyId>, to: &Hearers) -> Done {
        let is_ours = |person: &Person| {
            Some(person.id) != whisperer && person.is_up() && person.role.is_ours()
        };
        let heard = match to {
            Hearers::Ours => self.people.iter().any(is_ours),
            Hearers::Only(whom) => {
                let all = whom.iter().all(|id| self.find(*id).is_some_and(is_ours));
                !whom.is_empty() && all
            }
        };
        if heard { Ok(()) } else { Err(Refusal::NobodyToHear) }
    }

    fn writes(&self, by: Author, to: &Readers) -> Done {
        match (to, by) {
            (Readers::Everybody, _) => Ok(()),
            (Readers::Party(to), _) if self.find(*to).is_some_and(Person::is_up) => Ok(()),
            (Readers::Party(_), _) => Err(Refusal::NoSuchParty),
            // Ours whisper to ours in writing too.
            (Readers::Whisper(to), Author::Party(author)) => {
                let is_ours = self.find(author).is_some_and(|author| author.role.is_ours());
                is_ours.then_some(()).ok_or(Refusal::NotAllowed)?;
                self.somebody_hears(Some(author), to)
            }
            (Readers::Whisper(to), Author::Admin | Author::System) => self.somebody_hears(None, to),
        }
    }

    fn whispers(&mut self, party: PartyId, to: Option<&Hearers>) -> Done {
        if let Some(to) = to {
            self.somebody_hears(Some(party), to)?;
        }
        let person = self.the(party);
        let speaks = matches!(person.says, Says::ToAll | Says::Whispers(_));
        if !person.is_up() || !person.counts() || !speaks {
            return Err(Refusal::WrongState);
        }
        person.says = to.map_or(Says::ToAll, |to| Says::Whispers(to.clone()));
        Ok(())
    }

    fn pairs(&mut self, party: PartyId, with: Option<PartyId>) -> Done {
        let Some(with) = with else {
            self.speaks_with_nobody_alone(party);
            return Ok(());
        };
        let free = |p: &Person| p.is_up() && p.counts() && p.says == Says::ToAll;
        let partner = self.find(with).ok_or(Refusal::NoSuchParty)?;
        if party == with || !free(partner) || !self.find(party).is_some_and(free) {
            return Err(Refusal::WrongState);
        }
        (self.the(party).says, self.the(with).says) = (Says::ToOne(with), Says::ToOne(party));
        Ok(())
    }

    fn speaks_with_nobody_alone(&mut self, party: PartyId) {
        if let Says::ToOne(partner) = self.the(party).says {
            (self.the(party).says, self.the(partner).says) = (Says::ToAll, Says::ToAll);
        }
    }

    fn can_be_followed(&self, whom: PartyId) -> Done {
        let whom = self.find(whom).ok_or(Refusal::NoSuchParty)?;
        if whom.is_up() && whom.counts() { Ok(()) } else { Err(Refusal::WrongState) }
    }

    fn supervises(
        &mut self,
        target: &Target,
        beside: PartyId,
        mode: &Supervision,
        called: PartyId,
    ) -> Done {
        self.can_be_followed(beside)?;
        let (at, says) = match mode {
            Supervision::Monitor => (At::Beside(beside), Says::Nothing),
            Supervision::Coach(to) => (At::Beside(beside), Says::Whispers(to.clone())),
            Supervision::Barge => (At::Room, Says::ToAll),
            Supervision::Relieve => return Err(Refusal::WrongState),
        };
        match mode {
            Supervision::Monitor => {}
            Supervision::Coach(to) => self.somebody_hears(None, to)?,
            Supervision::Barge | Supervision::Relieve => self.room_for_one()?,
        }
        let person = self.called(called, target, Some(Role::Supervisor));
        self.calls(target, Person { at, says, ..person })
    }

    fn stands(
        &mut self,
        by: Author,
        id: PartyId,
        beside: Option<PartyId>,
        mode: &Supervision,
    ) -> Done {
        let person = self.the(id).clone();
        // Whom it consults would be left aside alone.
        if person.role != Role::Supervisor || self.talk_with(id).is_some() {
            return Err(Refusal::WrongState);
        }
        let followed = if let At::Beside(whom) = person.at { Some(whom) } else { None };
        let whom = match (beside.or(followed), mode) {
            (None, Supervision::Monitor | Supervision::Coach(_) | Supervision::Relieve) => {
                return Err(Refusal::NoSuchParty);
            }
            (whom, _) => whom,
        };
        if whom == Some(id) {
            return Err(Refusal::WrongState);
        }
        whom.map_or(Ok(()), |whom| self.can_be_followed(whom))?;
        if let Supervision::Coach(to) = mode {
            self.somebody_hears(Some(id), to)?;
        }
        if let (Supervision::Relieve, Some(agent)) = (mode, whom) {
            return self.relieves(by, id, agent);
        }
        let (at, says) = match (mode, whom) {
            (Supervision::Monitor, Some(whom)) => (At::Beside(whom), Says::Nothing),
            (Supervision::Coach(to), Some(whom)) => (At::Beside(whom), Says::Whispers(to.clone())),
            _ => (At::Room, Says::ToAll),
        };
        match (followed, at) {
            (Some(_), At::Room) => self.room_for_one()?,
            // S4.40: of two who talk, one would be left alone.
            (None, At::Beside(_)) if self.present().count() <= 2 => {
                return Err(Refusal::TooFewParties);
            }
            _ => {}
        }
        self.speaks_with_nobody_alone(id);
        (self.the(id).at, self.the(id).says) = (at, says);
        if let At::Beside(whom) = at {
            self.follow(id, whom);
        }
        Ok(())
    }

    /// The supervisor is the agent, who is gone.
    fn relieves(&mut self, by: Author, id: PartyId, agent: PartyId) -> Done {
        let role = self.the(agent).role;
        if !role.is_agent() || !self.the(agent).keeps_seat() || !self.the(id).keeps_seat() {
            return Err(Refusal::WrongState);
        }
        self.may(by, &Verb::Remove { party: agent })?;
        self.speaks_with_nobody_alone(id);
        let person = self.the(id);
        (person.at, person.says, person.role) = (At::Room, Says::ToAll, role);
        self.leaves(agent);
        Ok(())
    }

    fn appoints(&mut self, id: PartyId, role: Role) -> Done {
        let before = self.the(id).role;
        let above = |role| matches!(role, Role::Supervisor | Role::Admin);
        let is_last = |is: fn(Role) -> bool| {
            let others = self.people.iter().any(|p| p.id != id && p.is_up() && is(p.role));
            is(before) && !is(role) && !others
        };
        // Its leaving would end the conference; so it cannot cease to be that.
        let last = is_last(Role::is_agent) || is_last(|role| role == Role::Customer);
        if above(before) || above(role) || last {
            return Err(Refusal::WrongState);
        }
        if role == Role::Host {
            let hosts = self.ids(|person| person.role == Role::Host && person.id != id);
            hosts.into_iter().for_each(|host| self.the(host).role = Role::CoHost);
        }
        self.the(id).role = role;
        if before == Role::Trainee || role == Role::Trainee {
            self.speaks_with_nobody_alone(id);
            self.the(id).says = if role == Role::Trainee { Says::Nothing } else { Says::ToAll };
        }
        Ok(())
    }

    pub(super) fn becomes_host(&mut self, inviter: PartyId) {
        let Some(role) = self.rules.roles.inviter else { return };
        let may = self.find(inviter).is_some_and(|person| person.role.is_agent());
        if may && !self.people.iter().any(|person| person.role == role) {
            self.the(inviter).role = role;
        }
    }

    pub(super) fn passes_role(&mut self, from: PartyId, to: PartyId) {
        let role = self.the(from).role;
        if role.is_agent() && self.the(to).role.is_agent() {
            self.the(to).role = role;
        } else if role.is_agent() || self.the(from).fills_in {
            self.the(to).fills_in = true;
        }
    }

    /// Whoever stood beside one stands beside another.
    pub(super) fn follow(&mut self, before: PartyId, next: PartyId) {
        let followers = self.ids(|person| person.at == At::Beside(before));
        followers.into_iter().for_each(|id| self.the(id).at = At::Beside(next));
    }
}
