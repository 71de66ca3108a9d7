//! Random scripts over all profiles: after every step the conference is as the book of rules says,
//! a model that is written apart from it ([`book`]); nobody is stranded, and all that was begun is
//! ended.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;

use crate::book::changed::{WITHOUT_EFFECT, changes};
use crate::book::dice::{Dice, Step};
use crate::book::ears::Heard;
use crate::book::{At, Book, Line, Person, Says};
use crate::stage::{Stage, profile};
use call::{LegChange, Microphone, Party, PhoneKey, Presence, Seat};
use model::command::Target;
use model::limits::RINGING_S_MAX;
use model::profile::{Profile, Tracks};
use model::routing::AnnouncementPlace;
use model::{
    Accepted, Affiliation, AnnouncementId, Author, Codec, LeaveReason, LegId, PartyId, PartyState,
    Refusal, Track, TrackView, Verb, VoiceGroup,
};

/// Scripts, unless `CONVOKE_SCRIPTS` says how many, and steps in each.
const SCRIPTS: u64 = 500;
const STEPS: usize = 40;
const PARTIES_MAX: usize = 6;
const CODEC: Codec = Codec::Pcmu;

/// Scripts that are tried at most until a changed rule is noticed.
const SCRIPTS_FOR_A_CHANGE: u64 = 3_000;

const PROFILES: [&str; 7] = [
    "cinnox",
    "connect_multi_party",
    "connect_three_party",
    "expertflow",
    "genesys_instant",
    "helpdesk3",
    "open",
];

pub(crate) struct Script {
    pub(crate) stage: Stage,
    book: Book,
    dice: Dice,
    seed: u64,
    callers: u64,
    /// Connections that were to take a seat.
    pub(crate) newcomers: u64,
    /// The prompts that were asked for, by the book's own numbers.
    prompts: Vec<AnnouncementId>,
    /// When each call is given up [ms].
    until_ms: BTreeMap<PartyId, u64>,
    counts: BTreeMap<String, [u64; 2]>,
    story: Vec<String>,
}

/// The connection that is to take a party's seat.
fn newcomer(party: &Party) -> Option<LegId> {
    match &party.seat {
        Seat::TakenOverBy(newcomer) => Some(newcomer.leg),
        Seat::Kept | Seat::PassingTo(_) => None,
    }
}

/// A shipped profile, for as many as a script has.
fn rules(name: &str) -> Profile {
    let rules = profile(name);
    Profile { parties_max: PARTIES_MAX.min(rules.parties_max), ..rules }
}

impl Script {
    pub(crate) fn new(seed: u64) -> Script {
        let rules = rules(PROFILES[(seed % PROFILES.len() as u64) as usize]);
        Script::with(seed, rules.clone(), rules)
    }

    /// The conference plays by rules that the book need not have.
    fn with(seed: u64, plays_by: Profile, rules: Profile) -> Script {
        let record = seed.is_multiple_of(2);
        // In every other one prompts go on until a step ends them, and there are none but those
        // that somebody wishes; in the others all that is said is over as soon as it begins.
        let prompts_last = (seed / PROFILES.len() as u64).is_multiple_of(2);
        let [plays_by, rules] = [plays_by, rules].map(|mut rules| {
            rules.prompted.retain(|_| !prompts_last);
            rules
        });
        let (mut book, mut stage) = (Book::new(rules, record), Stage::with(plays_by, record));
        (book.prompts_last, stage.prompts_last) = (prompts_last, prompts_last);
        Script {
            book,
            stage,
            dice: Dice::new(seed),
            seed,
            callers: 0,
            newcomers: 0,
            prompts: vec![],
            until_ms: BTreeMap::new(),
            counts: BTreeMap::new(),
            story: vec![],
        }
    }

    fn count(&mut self, action: &str, accepted: bool) {
        self.counts.entry(action.to_owned()).or_default()[usize::from(accepted)] += 1;
    }

    /// Whom a step could call.
    fn targets(&self) -> Vec<Target> {
        let address = format!("sip:called{}@h", self.story.len());
        let colleague = Target::Colleague(address.clone());
        let somebody = Target::Address(address);
        let queue = Target::Queue("sales".into());
        vec![queue, somebody.clone(), somebody, colleague.clone(), colleague.clone(), colleague]
    }

    fn step(&mut self) {
        let targets = self.targets();
        let step = self.dice.step(&self.book, &targets);
        self.story.push(format!("{step:?}"));
        match step {
            Step::Enters(from) => self.enters(from),
            Step::Answers(party) => {
                self.stage.answer(party);
                self.book.comes_up(party);
            }
            Step::HangsUp(party) => {
                self.stage.leaves(party);
                self.book.hangs_up(party);
            }
            Step::SoundsEarly(party, comes) => {
                self.stage.change(party, LegChange::EarlyMedia(comes));
                self.book.sounds_early(party, comes);
            }
            Step::FallsSilent(party) => {
                self.stage.change(party, LegChange::TimedOut);
                self.book.hangs_up(party);
            }
            Step::RecordingFails => {
                if let Some(recording) = self.stage.mix() {
                    let (now_ms, reason) = (self.stage.now_ms, "the disk is full".to_owned());
                    self.stage.conference.recording_failed(now_ms, recording, reason);
                    self.stage.drain();
                    self.book.recording_fails();
                }
            }
            Step::PressesHold(party, on) => {
                let key = if on { PhoneKey::OnHold } else { PhoneKey::Talking };
                self.stage.change(party, LegChange::Phone(key));
                self.book.presses_hold(party, on);
            }
            Step::TimePasses => self.time_passes(),
            Step::SitsDown(party) => {
                self.stage.change_leg(self.newcomer(party), LegChange::Connected { codec: CODEC });
                self.book.sits_down(party);
            }
            Step::TurnsBack(party) => {
                let gone = LegChange::Gone(LeaveReason::Failed);
                self.stage.change_leg(self.newcomer(party), gone);
                self.book.turns_back(party);
            }
            Step::PromptEnds(prompt) => {
                self.stage.conference.played(self.stage.now_ms, self.prompt(prompt));
                self.stage.drain();
                self.book.prompt_ends(prompt);
            }
            Step::Asks(by, verb) => self.asks(by, verb),
        }
    }

    fn enters(&mut self, from: Affiliation) {
        self.callers += 1;
        // Some come back under the address that they had.
        let address = format!("sip:{}@h", self.callers % 4);
        let entered = self.stage.enter(from, &address);
        let party = entered.unwrap_or(PartyId(0));
        let says = self.book.enter(self.stage.last_entrant(), from, &address);
        assert_eq!(entered, says, "{}", self.told());
        self.count("enter", entered.is_ok());
        if entered.is_ok() {
            self.stage.answer(party);
            self.book.comes_up(party);
        }
    }

    fn time_passes(&mut self) {
        let due_ms = self.stage.conference.next_deadline_ms().unwrap_or(0);
        self.stage.now_ms = due_ms.max(self.stage.now_ms);
        let now_ms = self.stage.now_ms;
        let due = |person: &&Person| {
            person.is_called()
                && self.until_ms.get(&person.id).is_some_and(|until_ms| *until_ms <= now_ms)
        };
        let due: Vec<PartyId> = self.book.people.iter().filter(due).map(|p| p.id).collect();
        self.stage.conference.handle_timeout(now_ms);
        self.stage.drain();
        self.book.are_gone(&due);
    }

    /// The connection that is to take somebody's seat.
    fn newcomer(&self, party: PartyId) -> LegId {
        let party = self.stage.conference.party(party).expect("it is in");
        newcomer(party).unwrap_or_else(|| panic!("nobody is to sit there: {}", self.told()))
    }

    /// Which prompt the book means.
    fn prompt(&self, number: AnnouncementId) -> AnnouncementId {
        let known = usize::try_from(number.0).ok().and_then(|number| self.prompts.get(number));
        known.copied().unwrap_or(number)
    }

    /// The verb with what the dice leave to the script.
    fn whole(&mut self, mut verb: Verb) -> Verb {
        if let Verb::TakeOver { newcomer, .. } = &mut verb {
            self.newcomers += 1;
            newcomer.leg = LegId(10_000 + self.newcomers);
            newcomer.address = format!("sip:{}@h", self.newcomers % 4);
        }
        verb
    }

    fn asks(&mut self, by: Author, verb: Verb) {
        let verb = &self.whole(verb);
        let before = self.stage.events.len();
        self.stage.texts.clear();
        self.stage.pressed.clear();
        let mut shown_to = BTreeSet::new();
        if let Verb::Write { to, .. } = verb {
            shown_to = self.book.shown_to(by, to);
        }
        let mut asked = verb.clone();
        if let Verb::StopPlaying { announcement } = &mut asked {
            *announcement = self.prompt(*announcement);
        }
        let answer = self.stage.ask(by, asked);
        self.count(verb.action().name(), answer.is_ok());
        let called = answer.as_ref().ok().and_then(|accepted| accepted.party);
        let called = called.filter(|_| verb.target().is_some());
        let says = self.book.ask(by, verb, called.unwrap_or(PartyId(u64::MAX)));
        assert_eq!(answer.as_ref().map(|_| ()).map_err(|no| *no), says, "{}", self.told());
        if answer.is_err() {
            assert_eq!(self.stage.events.len(), before, "a refusal changes nothing: {verb:?}");
            assert_ne!(answer, Err(Refusal::NoSuchConference));
        }
        if answer.is_ok() {
            let parties = self.stage.conference.parties();
            let shown = |party: &&Party| self.stage.texts.contains(&party.leg);
            let shown = parties.iter().filter(shown).map(|party| party.id);
            assert_eq!(shown.collect::<BTreeSet<_>>(), shown_to, "{verb:?} {}", self.told());
        }
        if let Ok(accepted) = &answer {
            self.is_done(verb, accepted);
        }
        if let Some(called) = called {
            self.until_ms.insert(called, self.stage.now_ms + RINGING_S_MAX * 1_000);
        }
    }

    fn is_done(&mut self, verb: &Verb, accepted: &Accepted) {
        let mut keys = vec![];
        if let Verb::TakeOver { newcomer, .. } = verb {
            self.stage.legs.insert(newcomer.leg);
        } else if let Verb::Play { .. } = verb {
            self.prompts.extend(accepted.announcement);
        } else if let Verb::SendDigits { party, digits } = verb {
            let party = self.stage.conference.party(*party).expect("it is in");
            keys = vec![(party.leg, digits.clone())];
        }
        assert_eq!(self.stage.pressed, keys, "keys are for that far end alone: {}", self.told());
    }

    /// The script so far, for whoever has to find out.
    fn told(&self) -> String {
        let name = &self.book.rules.name;
        format!("seed {} {name}: {:#?}\n{:#?}", self.seed, self.story, self.book.people)
    }

    fn check(&self) {
        let stage = &self.stage;
        assert_eq!(stage.over, self.book.over, "over: {}", self.told());
        let parties = stage.conference.parties();
        let ids: Vec<PartyId> = parties.iter().map(|party| party.id).collect();
        let says: Vec<PartyId> = self.book.people.iter().map(|person| person.id).collect();
        assert_eq!(ids, says, "the roster: {}", self.told());
        for (party, person) in parties.iter().zip(&self.book.people) {
            self.check_standing(party, person);
            self.check_ears(party, person);
            self.check_promises(party, person);
            self.check_view(party, person);
        }
        let recording = stage.routing.taps.first();
        assert_eq!(recording.is_some(), self.book.records, "recorded at all: {}", self.told());
        let recorded = |party: &&Party| {
            let voice = stage.routing.place(party.leg).and_then(|place| place.voice);
            let gain = |tap: &model::routing::TapPlace| stage.routing.gain(tap.ear, voice?);
            recording.and_then(gain).is_some()
        };
        let recorded: BTreeSet<PartyId> =
            parties.iter().filter(recorded).map(|party| party.id).collect();
        assert_eq!(recorded, self.book.recorded(), "recorded: {}", self.told());
        self.check_tracks();
        self.check_prompts();
        let legs: BTreeSet<LegId> =
            parties.iter().flat_map(|party| [Some(party.leg), newcomer(party)]).flatten().collect();
        assert_eq!(legs, stage.legs, "a leg is nobody's: {}", self.told());
        let seqs = stage.events.iter().map(|event| event.seq);
        assert!(seqs.eq(1..=stage.events.len() as u64), "a hole: {}", self.told());
        let view = stage.view.as_ref().expect("it has begun");
        assert_eq!(view.revision, stage.conference.revision(), "{}", self.told());
        self.check_end();
    }

    /// Who is in has its tracks, each of which holds that one's voice alone and only what it is
    /// for; who is gone has none.
    fn check_tracks(&self) {
        let (stage, book) = (&self.stage, &self.book);
        let view = stage.view.as_ref().expect("it has begun");
        let told = view.recording.iter().flat_map(|running| &running.tracks);
        let mut tracks = BTreeSet::new();
        for TrackView { id, track } in told {
            // Of somebody that has left since.
            let Some(tap) = stage.routing.taps.iter().find(|tap| tap.recording == *id) else {
                continue;
            };
            let person = track.party().and_then(|party| book.find(party));
            let person = person.expect("who is gone has no track");
            let held = match track {
                Track::Mix => unreachable!("a mix is no track"),
                Track::Voice { .. } => book.recorded().contains(&person.id),
                Track::Whisper { .. } => book.is_whisper_kept(person),
            };
            let holds = |voice| stage.routing.gain(tap.ear, voice).is_some();
            let parties = stage.conference.parties().iter();
            let held_now = parties.filter_map(|party| {
                let voice = stage.routing.place(party.leg)?.voice?;
                holds(voice).then_some(party.id)
            });
            let expected: BTreeSet<PartyId> = held.then_some(person.id).into_iter().collect();
            assert_eq!(held_now.collect::<BTreeSet<_>>(), expected, "{track:?} {}", self.told());
            assert!(tracks.insert(*track), "twice: {}", self.told());
        }
        assert_eq!(stage.routing.taps.len(), usize::from(book.records) + tracks.len());
        let each = book.records && book.rules.recording.tracks == Tracks::Each;
        for person in book.people.iter().filter(|person| person.is_up()) {
            let has = |whisper: bool| {
                tracks.iter().any(|track| {
                    track.party() == Some(person.id)
                        && matches!(track, Track::Whisper { .. }) == whisper
                })
            };
            // Whoever stands beside somebody now may have spoken aloud before.
            assert!(!person.counts() || has(false) == each, "{}: {}", person.id, self.told());
            let whispers = matches!(person.says, Says::Whispers(_));
            assert!(!whispers || has(true) == each, "{}: {}", person.id, self.told());
            assert!(each || !has(false) && !has(true), "{}: {}", person.id, self.told());
        }
    }

    fn check_standing(&self, party: &Party, person: &Person) {
        let line = match party.presence {
            Presence::Arriving => Line::Arriving,
            Presence::Dialling { .. } => Line::Called,
            Presence::Ringing { .. } => Line::Rings,
            Presence::Early { .. } => Line::Early,
            Presence::Connected { .. } => Line::Up,
        };
        let is = (party.address.as_str(), party.direction, newcomer(party).is_some());
        let says = (person.address.as_str(), person.direction, person.successor.is_some());
        assert_eq!(is, says, "{}: {}", party.id, self.told());
        let muted = party.microphone == Microphone::Muted;
        let own_hold = party.phone == PhoneKey::OnHold;
        let is = (party.role, line, party.hold().is_some(), own_hold);
        let says = (person.role, person.line, person.waits().is_some(), person.own_hold);
        assert_eq!(is, says, "{}: {}", party.id, self.told());
        let is = (muted, &party.silenced_by, party.is_counted(), party.added_by);
        let says = (person.muted, &person.silenced_by, person.counts(), person.brought_by);
        assert_eq!(is, says, "{}: {}", party.id, self.told());
    }

    fn check_ears(&self, party: &Party, person: &Person) {
        let (routing, parties) = (&self.stage.routing, self.stage.conference.parties());
        let heard = |speaker: &&Party| routing.hears(party.leg, speaker.leg);
        let voices = parties.iter().filter(heard).map(|speaker| speaker.id).collect();
        let ear = routing.place(party.leg).and_then(|place| place.ear);
        let music = ear.is_some_and(|ear| routing.gain(ear, VoiceGroup::MUSIC).is_some());
        let said = routing
            .announcements
            .iter()
            .filter(|place| ear.is_some_and(|ear| routing.gain(ear, place.voice).is_some()));
        let prompts = said.map(|place| self.number(place.announcement)).collect();
        let heard = Heard { voices, prompts, music };
        assert_eq!(heard, self.book.hears(person), "{} hears: {}", party.id, self.told());
        for speaker in self.book.people.iter().filter(|p| heard.voices.contains(&p.id)) {
            let is_secret = matches!(speaker.says, Says::Whispers(_) | Says::Nothing)
                || matches!(speaker.at, At::Beside(_));
            // Who is not in yet says nothing to anybody: what sounds is the way there.
            let is_secret = is_secret && speaker.line != Line::Early;
            assert!(!is_secret || person.role.is_ours(), "a secret: {}", self.told());
        }
    }

    /// The book's own number for a prompt.
    fn number(&self, prompt: AnnouncementId) -> AnnouncementId {
        let number = self.prompts.iter().position(|known| *known == prompt);
        number.map_or(prompt, |number| AnnouncementId(number as u64))
    }

    /// What sounds is what nothing stands in the way of, and no recording holds what is but wished.
    fn check_prompts(&self) {
        let sounding = self.stage.said.keys().map(|prompt| self.number(*prompt));
        let says = self.book.said.iter().filter(|said| said.sounds).map(|said| said.id);
        let (sounding, says): (BTreeSet<_>, BTreeSet<_>) = (sounding.collect(), says.collect());
        assert_eq!(sounding, says, "what is said: {}", self.told());
        for tap in &self.stage.routing.taps {
            let holds = |place: &&AnnouncementPlace| {
                self.stage.routing.gain(tap.ear, place.voice).is_some()
            };
            let held = self.stage.routing.announcements.iter().find(holds);
            assert_eq!(held, None, "it is recorded: {}", self.told());
        }
    }

    /// What must hold whatever the book says.
    fn check_promises(&self, party: &Party, person: &Person) {
        assert!(!self.book.is_stranded(person), "stranded: {}", self.told());
        if let (true, Some(owner)) = (person.is_called(), person.brought_by) {
            let owned = self.book.find(owner).is_some_and(Person::is_up);
            assert!(owned, "nobody calls {}: {}", party.id, self.told());
        }
        if let At::Aside(agent) = person.at {
            let there = self.book.find(agent).map(|agent| agent.at);
            assert!(there.is_some(), "nobody's circle: {}", self.told());
            let comes = matches!(there, Some(At::Aside(_) | At::Apart(_)));
            assert!(comes || !person.is_up(), "aside alone: {}", self.told());
        }
    }

    fn check_view(&self, party: &Party, person: &Person) {
        let view = self.stage.view.as_ref().expect("it has begun");
        let Some(seen) = view.party(party.id) else {
            return assert_eq!(party.presence, Presence::Arriving, "{}", self.told());
        };
        let state = match party.presence {
            Presence::Connected { .. } if party.is_held() => PartyState::Held,
            Presence::Connected { .. } => PartyState::Connected,
            Presence::Ringing { .. } | Presence::Early { .. } => PartyState::Ringing,
            Presence::Arriving | Presence::Dialling { .. } => PartyState::Dialling,
        };
        let muted = party.microphone == Microphone::Muted;
        let is = (state, party.role, muted, !party.silenced_by.is_empty());
        let told = (seen.state, seen.role, seen.muted, seen.silenced);
        assert_eq!(told, is, "the view is not as it is: {}", self.told());
        let is = (&party.address, party.direction);
        assert_eq!((&seen.address, seen.direction), is, "{}", self.told());
        // How one speaks who stands beside somebody is shown by how it supervises.
        let (whispers, pair) = match &person.says {
            Says::Whispers(to) if person.counts() => (Some(to), None),
            Says::ToOne(with) => (None, Some(*with)),
            Says::Whispers(_) | Says::ToAll | Says::Nothing => (None, None),
        };
        let shown = (seen.whispers_to.as_ref(), seen.paired_with);
        assert_eq!(shown, (whispers, pair), "{}: {}", party.id, self.told());
        let beside = seen.supervises.as_ref().and_then(|supervises| supervises.beside);
        let stands = match party.stance {
            call::Stance::Beside(whom) => Some(whom),
            call::Stance::Room | call::Stance::Aside(_) | call::Stance::Apart(_) => None,
        };
        assert_eq!(beside, stands, "{}", self.told());
    }

    /// An end can always come: when all have hung up, in whatever order, it is over.
    fn check_end(&self) {
        for order in 0..2 {
            let mut book = self.book.clone();
            while let Some(id) = match order {
                0 => book.people.first().map(|person| person.id),
                _ => book.people.last().map(|person| person.id),
            } {
                book.hangs_up(id);
            }
            let begun = self.stage.events.len() > 1 || !self.book.people.is_empty();
            assert!(book.over || !begun, "it cannot end: {}", self.told());
        }
    }

    /// Half of the scripts end by a command, in the others all hang up.
    fn end(&mut self) {
        if self.seed.is_multiple_of(4) {
            let ending = self.stage.ask(Author::Admin, Verb::End);
            assert!(ending.is_ok(), "{}", self.told());
        }
        while let Some(party) = self.stage.conference.parties().first().map(|party| party.id) {
            self.stage.leaves(party);
        }
    }

    /// Plays so many steps of it, and asserts after each that all is as the book says.
    pub(crate) fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step();
            if self.stage.over || self.book.over {
                return;
            }
            self.check();
        }
    }

    /// Plays it to its end, and asserts after each step that all is as the book says. Returns
    /// whether it ended by its rules.
    fn play(&mut self) -> bool {
        self.steps(STEPS);
        self.stage.audiences_see_what_they_may();
        let by_its_rules = self.stage.over || self.book.over;
        if by_its_rules {
            assert_eq!(self.stage.over, self.book.over, "over: {}", self.told());
        } else {
            self.end();
        }
        let begun = !self.counts.is_empty();
        assert!(self.stage.over || !begun, "it did not end: {}", self.told());
        assert!(self.stage.legs.is_empty(), "a leg is not ended: {}", self.told());
        let by_server = |(_, reason): &&(_, LeaveReason)| *reason == LeaveReason::Ended;
        assert!(self.stage.hung_up.iter().filter(by_server).count() <= 2 * PARTIES_MAX);
        by_its_rules
    }
}

#[test]
fn after_every_step_of_random_scripts_all_is_as_the_book_of_rules_says() {
    let asked = std::env::var("CONVOKE_SCRIPTS").ok().and_then(|text| text.parse().ok());
    let (mut ended, mut counts) = (0_u64, BTreeMap::<String, [u64; 2]>::new());
    let scripts = asked.unwrap_or(SCRIPTS);
    for seed in 0..scripts {
        let mut script = Script::new(seed);
        ended += u64::from(script.play());
        for (action, [refused, accepted]) in script.counts {
            let count = counts.entry(action).or_default();
            count[0] += refused;
            count[1] += accepted;
        }
    }
    println!("{scripts} scripts, {ended} ended by their rules; accepted and refused:");
    for (action, [refused, accepted]) in &counts {
        println!("  {action:<12}{accepted:>7}{refused:>7}");
    }
    for action in [
        "swap",
        "merge",
        "complete",
        "cancel",
        "whisper",
        "pair",
        "stand",
        "silence",
        "take_over",
        "play",
        "send_digits",
    ] {
        assert!(counts[action][1] > 0, "no script did {action}");
    }
}

/// Whether some script of a profile comes out otherwise than the book says.
fn is_noticed(number: u64, plays_by: &Profile, rules: &Profile) -> bool {
    (0..SCRIPTS_FOR_A_CHANGE).any(|nth| {
        let seed = nth * PROFILES.len() as u64 + number;
        let mut script = Script::with(seed, plays_by.clone(), rules.clone());
        std::panic::catch_unwind(AssertUnwindSafe(move || script.play())).is_err()
    })
}

#[test]
fn each_rule_that_is_changed_under_the_book_is_noticed() {
    // What the book says of each of them would fill pages.
    std::panic::set_hook(Box::new(|_| {}));
    let (mut count, mut unnoticed, mut without_effect) = (0, vec![], 0);
    for (number, name) in PROFILES.into_iter().enumerate() {
        let rules = rules(name);
        for (what, changed) in changes(&rules) {
            if WITHOUT_EFFECT.contains(&(name, &what)) {
                without_effect += 1;
                continue;
            }
            count += 1;
            if !is_noticed(number as u64, &changed, &rules) {
                unnoticed.push(format!("{name}: {what}"));
            }
        }
    }
    drop(std::panic::take_hook());
    println!("{count} changes, {without_effect} more without effect");
    assert_eq!(unnoticed, Vec::<String>::new(), "of {count} changes");
    assert_eq!(without_effect, WITHOUT_EFFECT.len(), "a change without effect is there no more");
}
