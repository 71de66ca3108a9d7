//! The book of rules: what each command does, told apart from `call` and from nothing but the
//! requirements. It reads the profile, which is data for both, and knows nothing else of the
//! product; so whatever it says of a script, the product has to say too.
//!
//! It keeps the simplest state that there is: a list of people and where each stands.
#![allow(dead_code, reason = "each test binary uses its own part of it")]

mod acts;
pub(crate) mod changed;
pub(crate) mod dice;
pub(crate) mod ears;
mod end;
mod law;

use std::collections::BTreeSet;

use model::command::{Hearers, Newcomer};
use model::profile::{Meanwhile, Profile};
use model::{Affiliation, AnnouncementId, Author, Direction, PartyId, Refusal, Role, Verb};

/// A conference as the book sees it.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    pub(crate) rules: Profile,
    pub(crate) people: Vec<Person>,
    /// Who consults whom, and what the others do meanwhile.
    talks: Vec<(PartyId, PartyId, Meanwhile)>,
    gone: Vec<Gone>,
    pub(crate) records: bool,
    /// It recorded until the last agent left.
    records_with_agent: bool,
    /// Recording begins with the first who is in.
    always_records: bool,
    /// Somebody's audio runs or ran.
    begun: bool,
    ending: bool,
    pub(crate) over: bool,
    /// Whether a prompt is over only when it is said that it is; else it is as soon as it begins.
    pub(crate) prompts_last: bool,
    /// What is said, and what waits to be.
    pub(crate) said: Vec<Said>,
    /// How many prompts were asked for, by which the book names them.
    prompts: u64,
}

/// A prompt that somebody wished.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    /// The book's own number for it.
    pub(crate) id: AnnouncementId,
    to: BTreeSet<PartyId>,
    /// It does not wait for another one that some of them hear.
    pub(crate) sounds: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Person {
    pub(crate) id: PartyId,
    pub(crate) address: String,
    pub(crate) direction: Direction,
    pub(crate) role: Role,
    pub(crate) brought_by: Option<PartyId>,
    came_back: u32,
    pub(crate) line: Line,
    pub(crate) at: At,
    /// Its phone's own hold key.
    pub(crate) own_hold: bool,
    pub(crate) muted: bool,
    /// Each who wished it and is still there.
    pub(crate) silenced_by: BTreeSet<Author>,
    pub(crate) says: Says,
    /// To whom its seat is to pass.
    heir: Option<PartyId>,
    /// What is about to take its seat.
    pub(crate) successor: Option<Successor>,
    /// It has the seat of an agent, or is called to one that is empty.
    fills_in: bool,
}

/// Another connection that is to sit in somebody's seat.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Successor {
    address: String,
    direction: Direction,
    /// The connection before it has ended already.
    alone: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    Arriving,
    Called,
    /// It is called and rings.
    Rings,
    /// It is called, and sends sound before anybody answers.
    Early,
    Up,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum At {
    Room,
    /// In that one's consultation.
    Aside(PartyId),
    Apart(Wait),
    Beside(PartyId),
}

/// Why somebody waits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Wait {
    pub(crate) by: Author,
    /// For whose consultation; none: somebody wished it.
    talk: Option<PartyId>,
    /// In whose consultation it stood.
    stood: Option<PartyId>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Says {
    ToAll,
    Whispers(Hearers),
    ToOne(PartyId),
    Nothing,
}

#[derive(Debug, Clone)]
struct Gone {
    id: PartyId,
    address: String,
    role: Role,
    came_back: u32,
}

impl Person {
    fn new(id: PartyId, address: String, role: Role, line: Line) -> Person {
        Person {
            id,
            address,
            direction: Direction::Inbound,
            role,
            brought_by: None,
            came_back: 0,
            line,
            at: At::Room,
            own_hold: false,
            muted: false,
            silenced_by: BTreeSet::new(),
            says: if role == Role::Trainee { Says::Nothing } else { Says::ToAll },
            heir: None,
            successor: None,
            fills_in: false,
        }
    }

    /// It has not answered yet.
    pub(crate) fn is_called(&self) -> bool {
        matches!(self.line, Line::Called | Line::Rings | Line::Early)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.line == Line::Up
    }

    /// A monitor is no party.
    pub(crate) fn counts(&self) -> bool {
        !matches!(self.at, At::Beside(_))
    }

    pub(crate) fn waits(&self) -> Option<Wait> {
        if let At::Apart(wait) = self.at { Some(wait) } else { None }
    }

    /// Its seat passes to nobody.
    fn keeps_seat(&self) -> bool {
        self.heir.is_none() && self.successor.is_none()
    }
}

impl Book {
    pub(crate) fn new(rules: Profile, always_records: bool) -> Book {
        let (people, talks, gone) = (vec![], vec![], vec![]);
        let (records, begun, ending, over) = (false, false, false, false);
        let (prompts_last, said, prompts) = (false, vec![], 0);
        Book {
            rules,
            people,
            talks,
            gone,
            records,
            records_with_agent: false,
            always_records,
            begun,
            ending,
            over,
            prompts_last,
            said,
            prompts,
        }
    }

    pub(crate) fn find(&self, id: PartyId) -> Option<&Person> {
        self.people.iter().find(|person| person.id == id)
    }

    fn the(&mut self, id: PartyId) -> &mut Person {
        self.people.iter_mut().find(|person| person.id == id).expect("it is in")
    }

    fn is_at(&self, id: PartyId, at: At) -> bool {
        self.find(id).is_some_and(|person| person.at == at)
    }

    /// Those whose audio runs and who count.
    fn present(&self) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(|person| person.is_up() && person.counts())
    }

    /// Ids of whom that holds.
    fn ids(&self, is: impl Fn(&Person) -> bool) -> Vec<PartyId> {
        self.people.iter().filter(|person| is(person)).map(|person| person.id).collect()
    }

    /// The consultation of who consults.
    fn talk_of(&self, agent: PartyId) -> Option<(PartyId, PartyId, Meanwhile)> {
        self.talks.iter().find(|talk| talk.0 == agent).copied()
    }

    /// Whether somebody consults.
    fn is_consulting(&self, agent: PartyId) -> bool {
        self.talk_of(agent).is_some()
    }

    /// The consultation in which somebody has a part.
    fn talk_with(&self, id: PartyId) -> Option<(PartyId, PartyId, Meanwhile)> {
        self.talks.iter().find(|talk| talk.0 == id || talk.1 == id).copied()
    }

    /// Somebody dials in; gives who it is, for who comes back is who it was.
    pub(crate) fn enter(
        &mut self,
        id: PartyId,
        from: Affiliation,
        address: &str,
    ) -> Result<PartyId, Refusal> {
        let role = self.role_of_caller(from);
        self.may_enter(role)?;
        self.room_for_one()?;
        let person = Person::new(id, address.to_owned(), role, Line::Arriving);
        let person = self.as_who_it_was(person, from)?;
        let person = Person { direction: direction(from, true), ..person };
        let id = person.id;
        self.people.push(person);
        self.settle();
        Ok(id)
    }

    /// Somebody asks for something; `called` is the id of whoever is called because of it.
    pub(crate) fn ask(&mut self, by: Author, verb: &Verb, called: PartyId) -> Result<(), Refusal> {
        self.may(by, verb)?;
        self.act(by, verb, called)?;
        self.settle();
        Ok(())
    }

    /// Somebody's audio runs.
    pub(crate) fn comes_up(&mut self, id: PartyId) {
        let successor = self.find(id).and_then(|person| person.successor.as_ref());
        if successor.is_some_and(|successor| successor.alone) {
            return self.sits_down(id);
        }
        self.is_in(id);
        self.settle();
    }

    /// The audio of who takes a seat runs: it is the same party, at another phone.
    pub(crate) fn sits_down(&mut self, id: PartyId) {
        let person = self.the(id);
        let Successor { address, direction, .. } =
            person.successor.take().expect("somebody is to sit down");
        (person.address, person.direction, person.own_hold) = (address, direction, false);
        self.is_in(id);
        self.settle();
    }

    /// Who was to take a seat does not.
    pub(crate) fn turns_back(&mut self, id: PartyId) {
        if let Some(Successor { alone: true, .. }) = self.the(id).successor.take() {
            self.leaves(id);
        }
        self.settle();
    }

    /// Sound comes from a phone before it is answered, or comes no more: then it only rings.
    pub(crate) fn sounds_early(&mut self, id: PartyId, comes: bool) {
        let person = self.the(id);
        person.line = match (person.line, comes) {
            (Line::Called | Line::Rings | Line::Early, true) => Line::Early,
            (Line::Early, false) => Line::Rings,
            (line, _) => line,
        };
    }

    /// What is recorded cannot be kept any more.
    pub(crate) fn recording_fails(&mut self) {
        self.records = false;
        self.settle();
    }

    fn is_in(&mut self, id: PartyId) {
        let Some(person) = self.find(id).filter(|person| !person.is_up()) else { return };
        let inviter = person.brought_by;
        self.the(id).line = Line::Up;
        self.begun = true;
        if self.always_records && self.people.iter().filter(|person| person.is_up()).count() == 1 {
            self.records = true;
        }
        let replaces = self.ids(|person| person.heir == Some(id));
        if let Some(inviter) = inviter.filter(|_| replaces.is_empty()) {
            self.becomes_host(inviter);
        }
        for before in replaces {
            self.the(before).heir = None;
            self.passes_role(before, id);
            if self.is_consulted_in_place_of(before, id).is_some() {
                self.the(id).at = self.the(before).at;
            }
            self.leaves(before);
        }
        let talk = self.talks.iter().find(|talk| talk.1 == id).copied();
        if let Some(talk) = talk.filter(|talk| self.is_at(talk.0, At::Room))
            && self.is_at(id, At::Aside(talk.0))
        {
            self.steps_aside(talk);
        }
    }

    /// Somebody's phone is on hold by its own key, or not any more.
    pub(crate) fn presses_hold(&mut self, id: PartyId, on: bool) {
        if self.find(id).is_some() {
            self.the(id).own_hold = on;
            self.settle();
        }
    }

    /// Somebody's connection is gone: it hung up, or did not come. Who is about to sit in its seat
    /// has it from then on.
    pub(crate) fn hangs_up(&mut self, id: PartyId) {
        let people = &mut self.people;
        let person = people.iter_mut().find(|person| person.id == id);
        match person.and_then(|person| person.successor.as_mut()) {
            Some(successor) if !successor.alone => {
                successor.alone = true;
                self.settle();
            }
            Some(_) | None => {
                self.calls_on_for_consulter(id);
                self.are_gone(&[id]);
            }
        }
    }

    /// Who is consulted goes by itself while somebody is called for its seat: that one is called
    /// on, to be consulted.
    fn calls_on_for_consulter(&mut self, gone: PartyId) {
        let heir = self.find(gone).and_then(|person| person.heir);
        if let Some(heir) = heir
            && let Some(agent) = self.is_consulted_in_place_of(gone, heir)
        {
            (self.the(heir).at, self.the(heir).brought_by) = (At::Aside(agent), Some(agent));
        }
    }

    /// Whoever consulted the one consults the other; gives who that is.
    fn is_consulted_in_place_of(&mut self, before: PartyId, next: PartyId) -> Option<PartyId> {
        let talk = self.talks.iter_mut().find(|talk| talk.1 == before)?;
        talk.1 = next;
        Some(talk.0)
    }

    /// A prompt has come to its end.
    pub(crate) fn prompt_ends(&mut self, id: AnnouncementId) {
        self.said.retain(|said| said.id != id);
        self.settle();
    }

    /// These are gone in the same instant.
    pub(crate) fn are_gone(&mut self, ids: &[PartyId]) {
        for id in ids {
            if self.find(*id).is_some() {
                self.leaves(*id);
            }
        }
        self.settle();
    }
}

/// Which way somebody's call goes: between ours it stays within.
fn direction(from: Affiliation, dialled_in: bool) -> Direction {
    match (from, dialled_in) {
        (Affiliation::Ours, _) => Direction::Internal,
        (Affiliation::Outside, true) => Direction::Inbound,
        (Affiliation::Outside, false) => Direction::Outbound,
    }
}

impl Successor {
    fn of(newcomer: &Newcomer) -> Successor {
        let direction = direction(newcomer.affiliation, true);
        Successor { address: newcomer.address.clone(), direction, alone: false }
    }
}
