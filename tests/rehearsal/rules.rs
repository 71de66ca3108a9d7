//! Random scripts of call control with packets: after every step each phone hears exactly whom and
//! what the book of rules says, and so does the recording; keys that are sent come to one phone
//! alone; and a command that comes twice is done once.
//!
//! Nobody takes a seat here, as no phone of this world calls with Replaces: the flows have those.

#[path = "../../crates/call/tests/rules/book/mod.rs"]
mod book;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use audio::Codec;
use audio::tone::Sine;
use convoke::phone::{CallState, Manner};
use media::{Clip, Clips};
use model::command::Target;
use model::limits::RINGING_S_MAX;
use model::{
    Affiliation, AnnouncementId, Author, ClipName, CommandId, Digits, PartyId, PromptName, Role,
    TapRate, Track, Verb,
};
use sip::message::StatusCode;
use switchboard::{Input, Room};

use self::book::dice::{Dice, Step};
use self::book::{Book, Line, Person};
use crate::network::FAIR;
use crate::world::{MUSIC, PROMPT, PROMPT_HZ, World};

/// Scripts, four for each profile, and steps in each that change something.
const SCRIPTS: u64 = 28;
const STEPS: usize = 8;

/// How many steps are drawn at most: many are refused.
const DRAWN_MAX: usize = 80;

/// A call is over when nothing has come from its phone for so long \[s\].
const SILENT_S: u32 = 5;

/// No script lasts so long, whatever is drawn.
const PROMPT_LASTS_S: usize = 1_200;

const CODECS: [Codec; 6] =
    [Codec::Pcmu, Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu, Codec::G722];

struct Troupe {
    world: World,
    book: Book,
    dice: Dice,
    /// Who of the guests is which party.
    parties: BTreeMap<usize, PartyId>,
    /// The prompts that were asked for, by the book's own numbers.
    prompts: Vec<AnnouncementId>,
    asked: u64,
    /// How often keys were sent to somebody.
    pressed: u64,
    /// How many spoke before they answered, and how many were cut off.
    early: u64,
    lost: u64,
    story: Vec<String>,
}

/// What says a prompt that goes on for longer than a script does.
fn clips() -> Clips {
    let mut pcm = vec![0; 16_000 * PROMPT_LASTS_S];
    Sine::new(PROMPT_HZ, 4_000, 16_000).fill(&mut pcm);
    let [language, prompt] = ["en", "prompt"].map(|name| PromptName::parse(name).expect("a name"));
    [(ClipName::common(&language, &prompt), Clip::new(&pcm, 16_000))].into_iter().collect()
}

/// The guest whose address that is.
fn guest_at(target: &Target) -> usize {
    let address = target.address().expect("no queue is called here");
    let digit = address.trim_start_matches("sip:guest").chars().next();
    digit.and_then(|digit| digit.to_digit(10)).expect("a guest's address") as usize
}

impl Troupe {
    fn new(seed: u64, clips: Clips) -> Troupe {
        let profiles = call::shipped();
        let profile = profiles[(seed % profiles.len() as u64) as usize].clone();
        let parties_max = CODECS.len().min(profile.parties_max);
        // What a profile has said by itself is told by scenes of its own.
        let profile = model::Profile { parties_max, prompted: vec![], ..profile };
        let mut book = Book::new(profile.clone(), true);
        book.prompts_last = true;
        let room = Room { record: true, recording_rate: TapRate::Hz16000, parties_max, profile };
        let mut world = World::with_clips(seed, FAIR, room, clips, |config| {
            config.rtp_timeouts.talking_s = SILENT_S;
        });
        for (guest, codec) in CODECS.into_iter().enumerate() {
            world.guest(codec);
            world.register(&format!("guest{guest}"), &[guest]);
        }
        Troupe {
            world,
            book,
            dice: Dice::new(seed),
            parties: BTreeMap::new(),
            prompts: vec![],
            asked: 0,
            pressed: 0,
            early: 0,
            lost: 0,
            story: vec![],
        }
    }

    /// A customer calls, and gets an agent.
    fn begins(&mut self) {
        self.enters();
        let agent = |target: &Target| matches!(target, Target::Colleague(_));
        let target = self.targets().into_iter().find(agent).expect("somebody is on its hook");
        self.asks(Author::Admin, &Verb::Invite { target, role: None });
    }

    fn idle(&self) -> Vec<usize> {
        (0..CODECS.len()).filter(|guest| !self.parties.contains_key(guest)).collect()
    }

    /// Each who is on its hook can be called as one of ours, and as somebody else.
    fn targets(&self) -> Vec<Target> {
        let both = |guest: usize| {
            let ours = Target::Colleague(format!("sip:guest{guest}@10.0.0.1"));
            let other = Target::Address(format!("sip:guest{guest}@10.0.1.{}:5060", guest + 1));
            [ours, other]
        };
        self.idle().into_iter().flat_map(both).collect()
    }

    /// Does a step; false if it changed nothing.
    fn step(&mut self) -> bool {
        let targets = self.targets();
        let step = self.dice.step(&self.book, &targets);
        let said = format!("{step:?}");
        let before = self.book.clone();
        match step {
            Step::Enters(_) => self.enters(),
            Step::HangsUp(party) => {
                let (guest, now) = (self.guest(party), self.world.now);
                let phone = &mut self.world.guests[guest].phone;
                if *phone.state() == CallState::Called {
                    phone.refuse(now, StatusCode::BUSY_HERE);
                } else {
                    phone.hang_up(now);
                }
                self.book.hangs_up(party);
            }
            Step::Answers(party) => self.answers(party),
            Step::TimePasses => self.time_passes(),
            Step::FallsSilent(party) => self.falls_silent(party),
            Step::RecordingFails => self.recording_fails(),
            Step::PressesHold(party, on) => {
                let turns = |person: &Person| person.is_up() && person.own_hold != on;
                if self.book.find(party).is_some_and(turns) {
                    let (guest, now) = (self.guest(party), self.world.now);
                    self.world.guests[guest].phone.hold(now, on);
                    self.book.presses_hold(party, on);
                }
            }
            // Who speaks before it answers does so from the beginning, and a prompt goes on until
            // it is stopped.
            Step::SoundsEarly(..) | Step::PromptEnds(_) => {}
            Step::SitsDown(_) | Step::TurnsBack(_) | Step::Asks(_, Verb::TakeOver { .. }) => {}
            Step::Asks(by, verb) => self.asks(by, &verb),
        }
        self.world.run(Duration::from_secs(1));
        self.parties.retain(|_, party| self.book.find(*party).is_some());
        let of = |book: &Book| (book.people.clone(), book.said.clone(), book.records);
        let changed = of(&before) != of(&self.book);
        if changed {
            self.story.push(said);
        }
        changed
    }

    fn guest(&self, party: PartyId) -> usize {
        let mut found = self.parties.iter().filter(|(_, other)| **other == party);
        *found.next().expect("each party is a guest").0
    }

    fn enters(&mut self) {
        let idle = self.idle();
        if idle.is_empty() {
            return;
        }
        let (guest, now) = (idle[self.dice.draw(idle.len())], self.world.now);
        self.world.guests[guest].phone.call(now, "desk");
        self.world.run_until(Duration::from_secs(5), |world| {
            !matches!(world.guests[guest].phone.state(), CallState::Calling | CallState::Ringing)
        });
        let is_up = *self.world.guests[guest].phone.state() == CallState::Up;
        let party = if is_up { self.world.party(guest) } else { PartyId(0) };
        let address = format!("sip:guest{guest}@10.0.1.{}", guest + 1);
        let says = self.book.enter(party, Affiliation::Outside, &address);
        assert_eq!(says.is_ok(), is_up, "{}", self.told());
        if is_up {
            self.parties.insert(guest, party);
            self.book.comes_up(party);
        }
    }

    fn asks(&mut self, by: Author, verb: &Verb) {
        self.asked += 1;
        let id = CommandId(self.asked);
        let mut asked = verb.clone();
        if let Some(target) = asked.target_mut()
            && let Target::Colleague(address) = target
        {
            // The switchboard has to find out that it is one of ours.
            *target = Target::Address(std::mem::take(address));
        }
        if let Verb::StopPlaying { announcement } = &mut asked {
            let known = usize::try_from(announcement.0).ok();
            let known = known.and_then(|number| self.prompts.get(number));
            *announcement = known.copied().unwrap_or(*announcement);
        }
        self.world.keys.clear();
        let speaks_early = self.dice.draw(3) == 0;
        if let Some(target) = verb.target().filter(|target| target.address().is_some()) {
            let manner = if speaks_early { Manner::SpeaksEarly } else { Manner::Answers };
            self.world.guests[guest_at(target)].phone.behave(manner);
        }
        let once = self.world.carry(id, by, "desk", asked.clone());
        let events = self.world.events.len();
        let twice = self.world.carry(id, by, "desk", asked);
        assert_eq!(once, twice, "{}", self.told());
        assert_eq!(events, self.world.events.len(), "it was done twice: {}", self.told());
        let called = once.as_ref().ok().and_then(|accepted| accepted.party);
        let called = called.zip(verb.target().map(guest_at));
        let party = called.map_or(PartyId(u64::MAX), |(party, _)| party);
        let says = self.book.ask(by, verb, party);
        assert_eq!(once.as_ref().map(|_| ()).map_err(|no| *no), says, "{verb:?} {}", self.told());
        match (&once, verb) {
            (Ok(accepted), Verb::Play { .. }) => self.prompts.extend(accepted.announcement),
            (Ok(_), Verb::SendDigits { party, digits }) => self.keys_come(*party, digits),
            (_, _) => {}
        }
        if let Some((party, guest)) = called {
            self.parties.insert(guest, party);
            let reached = if speaks_early { CallState::Called } else { CallState::Up };
            self.world.run_until(Duration::from_secs(5), |world| {
                *world.guests[guest].phone.state() == reached
            });
            self.world.run(Duration::from_millis(200));
            match speaks_early {
                true => self.book.sounds_early(party, true),
                false => self.book.comes_up(party),
            }
            self.early += u64::from(speaks_early);
        }
    }

    /// Who spoke before it answered answers.
    fn answers(&mut self, party: PartyId) {
        let is_called = |person: &Person| person.line == Line::Early;
        if !self.book.find(party).is_some_and(is_called) {
            return;
        }
        let (guest, now) = (self.guest(party), self.world.now);
        self.world.guests[guest].phone.answer(now);
        self.world.drain();
        self.world.run_until(Duration::from_secs(5), |world| {
            *world.guests[guest].phone.state() == CallState::Up
        });
        self.world.run(Duration::from_millis(200));
        self.book.comes_up(party);
    }

    /// Whoever has not answered is given up.
    fn time_passes(&mut self) {
        let called: Vec<PartyId> =
            self.book.people.iter().filter(|p| p.is_called()).map(|p| p.id).collect();
        if !called.is_empty() {
            self.world.run(Duration::from_secs(RINGING_S_MAX + 1));
            self.book.are_gone(&called);
        }
    }

    /// Somebody's phone is cut off, and its call is over when nothing has come for long enough.
    fn falls_silent(&mut self, party: PartyId) {
        let talks = |person: &Person| person.is_up() && !person.own_hold;
        if !self.book.find(party).is_some_and(talks) {
            return;
        }
        let guest = self.guest(party);
        self.world.unplug(guest);
        self.world.run(Duration::from_secs(u64::from(SILENT_S) + 2));
        self.world.plug_in(guest);
        let now = self.world.now;
        self.world.guests[guest].phone.hang_up(now);
        self.book.hangs_up(party);
        self.lost += 1;
    }

    /// The disk fails.
    fn recording_fails(&mut self) {
        let Some(recording) =
            self.world.views.values().find_map(|view| Some(view.recording.as_ref()?.id))
        else {
            return;
        };
        let (now, reason) = (self.world.now, "the disk is full".to_owned());
        self.world.board.handle(now, Input::RecordingFailed { recording, reason });
        self.world.drain();
        self.book.recording_fails();
    }

    /// Keys come to that party's phone and to no other; to one on hold by its own key nothing is
    /// sent at all (RFC 3264 §8.4).
    fn keys_come(&mut self, party: PartyId, digits: &Digits) {
        self.world.run(Duration::from_secs(1));
        let guest = self.guest(party);
        let on_hold = self.book.find(party).is_some_and(|person| person.own_hold);
        let should: Vec<(usize, char)> =
            digits.keys().filter(|_| !on_hold).map(|key| (guest, key)).collect();
        let came: Vec<_> = self.world.keys.iter().map(|(guest, _, key)| (*guest, *key)).collect();
        assert_eq!(came, should, "{}", self.told());
        self.pressed += 1;
    }

    fn told(&self) -> String {
        let name = &self.book.rules.name;
        format!("seed {} {name}: {:#?}\n{:#?}", self.world.seed, self.story, self.book.people)
    }

    fn check(&mut self) {
        let numbers: BTreeMap<PartyId, usize> =
            self.parties.iter().map(|(guest, party)| (*party, *guest)).collect();
        let heard = self.world.listen();
        for (guest, heard) in heard.into_iter().enumerate() {
            let person = self.parties.get(&guest).and_then(|party| self.book.find(*party));
            let should = person.map(|person| self.should_hear(person, &numbers));
            let should = should.unwrap_or_default();
            assert_eq!(heard, should, "guest {guest}: {}", self.told());
        }
        let should: BTreeSet<usize> =
            self.book.recorded().iter().map(|party| numbers[party]).collect();
        let mut tracks = self.world.tracks();
        let recorded = tracks.remove(&Track::Mix).unwrap_or_default();
        assert_eq!(recorded, should, "the recording: {}", self.told());
        for (track, held) in tracks {
            let party = track.party().expect("a track is somebody's");
            let person = self.book.find(party).expect("who is gone has no track");
            let speaks = match track {
                Track::Whisper { .. } => self.book.is_whisper_kept(person),
                Track::Mix | Track::Voice { .. } => self.book.recorded().contains(&party),
            };
            let should = speaks.then_some(numbers[&party]).into_iter().collect();
            assert_eq!(held, should, "{track:?}: {}", self.told());
        }
        let view = self.world.views.values().next().expect("the conference is live");
        let roster: Vec<_> = view.parties.iter().map(|party| (party.id, party.role)).collect();
        let says = self.book.people.iter().map(|person| (person.id, person.role));
        let mut says: Vec<_> = says.collect();
        // A view has customers first.
        says.sort_by_key(|(_, role)| *role != Role::Customer);
        assert_eq!(roster, says, "{}", self.told());
    }

    /// A phone that is on hold by its own key takes nothing.
    fn should_hear(&self, person: &Person, numbers: &BTreeMap<PartyId, usize>) -> BTreeSet<usize> {
        if person.own_hold {
            return BTreeSet::new();
        }
        let heard = self.book.hears(person);
        let voices = heard.voices.iter().map(|party| numbers[party]);
        let prompt = (!heard.prompts.is_empty()).then_some(PROMPT);
        voices.chain(heard.music.then_some(MUSIC)).chain(prompt).collect()
    }
}

#[test]
fn after_every_step_of_random_scripts_each_phone_hears_what_the_book_of_rules_says() {
    let (mut ended, mut prompts, mut pressed) = (0, 0, 0);
    let (mut early, mut lost) = (0, 0);
    let clips = clips();
    for seed in 0..SCRIPTS {
        let mut troupe = Troupe::new(seed, clips.clone());
        troupe.begins();
        let mut left = STEPS;
        for _ in 0..DRAWN_MAX {
            if left == 0 {
                break;
            }
            if !troupe.step() {
                continue;
            }
            left -= 1;
            if troupe.book.over {
                assert!(troupe.world.views.is_empty(), "it goes on: {}", troupe.told());
                ended += 1;
                break;
            }
            troupe.check();
        }
        prompts += troupe.prompts.len();
        pressed += troupe.pressed;
        early += troupe.early;
        lost += troupe.lost;
    }
    println!("{SCRIPTS} scripts, {ended} ended by their rules");
    println!("{prompts} prompts were said, keys were sent {pressed} times");
    println!("{early} spoke before they answered, {lost} were cut off");
    assert!(early > 0 && lost > 0, "nobody speaks early, or is cut off");
    assert!(prompts > 0 && pressed > 0, "no script says anything, or sends keys");
}
