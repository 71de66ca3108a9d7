//! What people do next, drawn from a seed: mostly what people do, now and then anything.

use model::command::{Hearers, Newcomer, Readers, Supervision, Target};
use model::profile::Meanwhile;
use model::{Affiliation, AnnouncementId, Author, Chance, LegId, PartyId, PromptName, Role, Verb};

use super::{Book, Person};

/// What happens next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// Somebody dials in.
    Enters(Affiliation),
    /// Somebody's audio runs.
    Answers(PartyId),
    /// Somebody hangs up at its phone.
    HangsUp(PartyId),
    /// Sound comes from a phone that rings, or comes no more.
    SoundsEarly(PartyId, bool),
    /// Nothing comes from somebody's connection any more: it is given up.
    FallsSilent(PartyId),
    /// What is recorded cannot be kept.
    RecordingFails,
    /// Somebody presses its own hold key, or presses it again.
    PressesHold(PartyId, bool),
    /// Whoever has rung for too long is given up.
    TimePasses,
    /// The audio of who is to take somebody's seat runs.
    SitsDown(PartyId),
    /// Who was to take somebody's seat has gone before.
    TurnsBack(PartyId),
    /// A prompt has come to its end; by the book's own number.
    PromptEnds(AnnouncementId),
    /// Somebody asks for something.
    Asks(Author, Verb),
}

/// How often somebody thinks of something else that it might do.
const ATTEMPTS_MAX: usize = 8;

/// How a script begins, so that what is rare among people is not rare among scripts.
#[derive(Debug, Clone, Copy)]
enum Opening {
    Any,
    /// A supervisor is called.
    Supervised,
    /// One of ours is there to learn.
    Trained,
    /// One of ours stands in for the host.
    CoHosted,
}

/// What is drawn from.
#[derive(Debug)]
pub(crate) struct Dice {
    chance: Chance,
    opening: Opening,
    steps: usize,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        let mut dice = Dice { chance: Chance::new(seed), opening: Opening::Any, steps: 0 };
        dice.opening = match dice.draw(6) {
            0 => Opening::Supervised,
            1 => Opening::Trained,
            2 => Opening::CoHosted,
            _ => Opening::Any,
        };
        dice
    }

    pub(crate) fn draw(&mut self, below: usize) -> usize {
        (self.chance.draw() % below as u64) as usize
    }

    fn anybody(&mut self, book: &Book) -> Option<PartyId> {
        self.somebody(book, |_| true)
    }

    /// Somebody of whom that holds, else anybody.
    fn somebody(&mut self, book: &Book, is: impl Fn(&Person) -> bool) -> Option<PartyId> {
        let ids = book.ids(is);
        self.one_of(if ids.is_empty() { book.ids(|_| true) } else { ids })
    }

    fn one_of(&mut self, ids: Vec<PartyId>) -> Option<PartyId> {
        (!ids.is_empty()).then(|| ids[self.draw(ids.len())])
    }

    fn target(&mut self, targets: &[Target]) -> Target {
        targets[self.draw(targets.len())].clone()
    }

    fn hearers(&mut self, other: PartyId) -> Hearers {
        if self.draw(2) == 0 { Hearers::Ours } else { Hearers::Only([other].into()) }
    }

    fn readers(&mut self, other: PartyId) -> Readers {
        match self.draw(3) {
            0 => Readers::Everybody,
            1 => Readers::Party(other),
            _ => Readers::Whisper(self.hearers(other)),
        }
    }

    fn mode(&mut self, other: PartyId) -> Supervision {
        match self.draw(7) {
            0 | 1 => Supervision::Monitor,
            2 | 3 => Supervision::Coach(self.hearers(other)),
            4 | 5 => Supervision::Barge,
            _ => Supervision::Relieve,
        }
    }

    /// As what somebody is to come in: mostly as what the profile says.
    fn role(&mut self) -> Option<Role> {
        let drawn = self.draw(2 * Role::ALL.len());
        Role::ALL.get(drawn).copied()
    }

    fn calls(&mut self, party: PartyId, other: PartyId, targets: &[Target]) -> Verb {
        let target = self.target(targets);
        match self.draw(6) {
            0 => Verb::Invite { target, role: None },
            1 => Verb::Invite { target, role: self.role() },
            2 | 3 => {
                let room = match self.draw(6) {
                    0 => Some(Meanwhile::Held),
                    1 => Some(Meanwhile::Stays),
                    _ => None,
                };
                Verb::Consult { party, target, room }
            }
            4 => Verb::Transfer { party, target },
            _ => Verb::Supervise { target, beside: party, mode: self.mode(other) },
        }
    }

    /// Somebody calls with Replaces, or keys are sent to somebody's far end.
    fn takes_over(&mut self, party: PartyId) -> Verb {
        if self.draw(3) == 0 {
            return Verb::SendDigits { party, digits: "12#".parse().expect("keys") };
        }
        let affiliation = self.affiliation();
        // By which connection, and from where, is the script's business.
        let (leg, display_name, address) = (LegId(0), None, String::new());
        Verb::TakeOver { party, newcomer: Newcomer { leg, display_name, address, affiliation } }
    }

    fn says(&mut self, book: &Book, party: PartyId) -> Verb {
        if self.draw(3) == 0 {
            let said = self.draw(book.said.len() + 1);
            let none = AnnouncementId(u64::MAX);
            let announcement = book.said.get(said).map_or(none, |said| said.id);
            return Verb::StopPlaying { announcement };
        }
        let prompt = PromptName::parse("prompt").expect("a prompt's name");
        Verb::Play { prompt, to: (self.draw(2) == 0).then_some(party) }
    }

    fn verb(
        &mut self,
        book: &Book,
        (party, other): (PartyId, PartyId),
        targets: &[Target],
    ) -> Verb {
        if self.draw(22) < 6 && !targets.is_empty() {
            return self.calls(party, other, targets);
        }
        match self.draw(19) {
            0 => Verb::Swap { party },
            1 => Verb::Merge { party },
            2 => Verb::Complete { party },
            3 => Verb::Cancel { party },
            4 => Verb::Mute { party },
            5 => Verb::Unmute { party },
            6 => Verb::Silence { party },
            7 => Verb::Unsilence { party },
            8 | 9 => Verb::Hold { party },
            10 => Verb::Resume { party },
            11 => Verb::Whisper { party, to: Some(self.hearers(other)) },
            12 => Verb::Whisper { party, to: None },
            13 => Verb::Pair { party, with: (self.draw(2) == 0).then_some(other) },
            14 => {
                let beside = (self.draw(2) == 0).then_some(other);
                Verb::Stand { party, beside, mode: self.mode(other) }
            }
            15 => match self.draw(3) {
                0 => Verb::Remove { party },
                1 => Verb::Appoint { party, role: Role::CoHost },
                _ => Verb::Appoint { party, role: Role::Trainee },
            },
            16 => self.takes_over(party),
            17 => self.says(book, party),
            _ => match self.draw(9) {
                0 => Verb::End,
                1..=4 => Verb::Record { on: self.draw(2) == 0 },
                _ => Verb::Write { to: self.readers(other), text: "one moment".into() },
            },
        }
    }

    /// What who consults or supervises does next.
    fn next_of(
        &mut self,
        book: &Book,
        author: PartyId,
        (party, other): (PartyId, PartyId),
    ) -> Option<Verb> {
        let supervises = book.find(author)?.role == Role::Supervisor;
        if !supervises && !book.is_consulting(author) {
            return None;
        }
        let beside = Some(other);
        let silenced =
            self.one_of(book.ids(|person| person.silenced_by.contains(&Author::Party(author))));
        Some(match (supervises, self.draw(9)) {
            (true, 8) => Verb::Stand { party: author, beside: None, mode: Supervision::Relieve },
            (true, 0) => Verb::Silence { party },
            (true, 6) => Verb::Unsilence { party: silenced.unwrap_or(party) },
            (true, 7) => Verb::Remove { party },
            (true, 1) => {
                let mode = Supervision::Coach(self.hearers(other));
                Verb::Stand { party: author, beside, mode }
            }
            (true, 2 | 3) => Verb::Stand { party: author, beside, mode: Supervision::Monitor },
            (true, _) => Verb::Stand { party: author, beside: None, mode: Supervision::Barge },
            (false, 0) => Verb::Merge { party: author },
            (false, 1) => Verb::Complete { party: author },
            (false, 2) => Verb::Cancel { party: author },
            (false, 3) => Verb::Resume { party: other },
            (false, _) => Verb::Swap { party: author },
        })
    }

    fn affiliation(&mut self) -> Affiliation {
        if self.draw(2) == 0 { Affiliation::Ours } else { Affiliation::Outside }
    }

    fn enters(&mut self) -> Step {
        Step::Enters(self.affiliation())
    }

    /// What comes by itself of what was begun.
    fn follows(&mut self, book: &Book) -> Option<Step> {
        let awaited = self.one_of(book.ids(|person| person.successor.is_some()));
        let sounding: Vec<_> = book.said.iter().filter(|said| said.sounds).collect();
        match (awaited, self.draw(4)) {
            (Some(party), 0) => Some(Step::TurnsBack(party)),
            (Some(party), 1 | 2) => Some(Step::SitsDown(party)),
            (_, 3) if !sounding.is_empty() => {
                Some(Step::PromptEnds(sounding[self.draw(sounding.len())].id))
            }
            (_, _) => None,
        }
    }

    /// A customer, two of ours, and whoever makes the script what it is.
    fn opens(&mut self, book: &Book, targets: &[Target]) -> Option<Step> {
        let last = book.people.last()?.id;
        let appoint = |role| Some(Step::Asks(Author::Admin, Verb::Appoint { party: last, role }));
        match (self.steps, self.opening) {
            (_, Opening::Any) => None,
            (1..=2, _) => Some(Step::Enters(Affiliation::Ours)),
            (3, Opening::Supervised) => {
                let (target, mode) = (targets.last()?.clone(), self.mode(last));
                Some(Step::Asks(Author::Admin, Verb::Supervise { target, beside: last, mode }))
            }
            (4, Opening::Supervised) => Some(Step::Answers(last)),
            (3, Opening::Trained) => appoint(Role::Trainee),
            (3, Opening::CoHosted) => appoint(Role::CoHost),
            (_, Opening::Supervised | Opening::Trained | Opening::CoHosted) => None,
        }
    }

    /// The next step; whoever is called because of it is one of the targets.
    pub(crate) fn step(&mut self, book: &Book, targets: &[Target]) -> Step {
        let opens = self.opens(book, targets);
        self.steps += 1;
        if let Some(step) = opens {
            return step;
        }
        let works = |person: &Person| {
            let is_rare = matches!(person.role, Role::Supervisor | Role::Trainee | Role::CoHost);
            book.is_consulting(person.id) || is_rare
        };
        let author = match self.draw(3) {
            0 => self.anybody(book),
            1 => self.somebody(book, works),
            _ => self.somebody(book, |person| person.role.is_agent()),
        };
        let (party, other) = (self.anybody(book), self.anybody(book));
        let (Some(author), Some(party), Some(other)) = (author, party, other) else {
            return self.enters();
        };
        match self.draw(16) {
            0 => self.enters(),
            1..=3 => {
                if let Some(step) = self.follows(book) {
                    return step;
                }
                let called = self.somebody(book, |person| !person.is_up());
                let called = called.unwrap_or(party);
                match self.draw(6) {
                    0 | 1 => Step::SoundsEarly(called, true),
                    2 => Step::SoundsEarly(called, false),
                    _ => Step::Answers(called),
                }
            }
            4 if self.draw(3) == 0 => {
                // Whoever leaves something behind is of interest.
                let began = |person: &Person| {
                    let waits = |other: &Person| {
                        other.waits().is_some_and(|wait| wait.by == Author::Party(person.id))
                    };
                    book.is_consulting(person.id) || book.people.iter().any(waits)
                };
                let leaves = if self.draw(2) == 0 { self.somebody(book, began) } else { None };
                Step::HangsUp(leaves.unwrap_or(party))
            }
            4 => Step::PressesHold(party, true),
            5 => Step::PressesHold(party, false),
            6 if self.draw(4) == 0 => Step::TimePasses,
            6 if self.draw(6) == 0 => Step::RecordingFails,
            6 if self.draw(4) == 0 => Step::FallsSilent(party),
            n => {
                let by = if n < 9 { Author::Admin } else { Author::Party(author) };
                // People mostly act on themselves, and on what they have begun.
                let party = if n < 12 { party } else { author };
                let mut verb = self.asked(book, author, (party, other), targets);
                // And mostly they know what they may.
                for _ in 0..self.draw(ATTEMPTS_MAX) {
                    if book.may(by, &verb).is_ok() {
                        break;
                    }
                    verb = self.asked(book, author, (party, other), targets);
                }
                Step::Asks(by, verb)
            }
        }
    }

    fn asked(
        &mut self,
        book: &Book,
        author: PartyId,
        (party, other): (PartyId, PartyId),
        targets: &[Target],
    ) -> Verb {
        let next = match self.draw(2) {
            0 => self.next_of(book, author, (party, other)),
            _ => None,
        };
        next.unwrap_or_else(|| self.verb(book, (party, other), targets))
    }
}
