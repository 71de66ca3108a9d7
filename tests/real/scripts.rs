//! A sample of the random scripts of call control over real sockets: the program runs as people
//! start it, commands go by the API, and phones hear what the book of rules says.

#[path = "../../crates/call/tests/rules/book/mod.rs"]
mod book;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use audio::Codec;
use model::command::{Readers, Target};
use model::{Affiliation, Author, PartyId, Verb};
use serde_json::{Value, json};

use self::book::dice::{Dice, Step};
use self::book::{Book, Person};
use crate::ear::{Heard, Sound};
use crate::line::Line;
use crate::program::Folder;
use crate::server::Server;
use crate::{LOOK, PATIENCE, until, whole_machine};

/// Seeds of the scripts, each of another profile, and steps that change something in each.
const SEEDS: [u64; 6] = [101, 103, 105, 106, 107, 108];
const STEPS: usize = 5;
const DRAWN_MAX: usize = 60;

const TONES_HZ: [f64; 5] = [437.0, 577.0, 727.0, 953.0, 1_109.0];
const NAMES: [&str; 5] = ["ada", "ben", "cleo", "dora", "emil"];
const CODECS: [Codec; 5] = [Codec::Pcmu, Codec::G722, Codec::Pcma, Codec::Opus, Codec::Pcmu];

/// What is heard right after a change is not looked at [samples of 8 kHz], and for how many
/// windows in a row it must sound as it should.
const SETTLING_MS: usize = 500;
const WINDOWS: usize = 3;

struct Troupe {
    server: Server,
    book: Book,
    dice: Dice,
    lines: Vec<Line>,
    /// Which party each phone is.
    parties: BTreeMap<usize, PartyId>,
    asked: u32,
    story: Vec<String>,
    _folder: Folder,
}

/// A verb as the API says it: method, path within the conference, and body.
fn request(verb: &Verb) -> (&'static str, String, Value) {
    let of = |party: &PartyId, what: &str| format!("parties/{party}/{what}");
    let address = |target: &Target| json!({ "target": target.address() });
    match verb {
        Verb::Invite { target, .. } => ("POST", "parties".into(), address(target)),
        Verb::Consult { party, target, .. } => ("POST", of(party, "consult"), address(target)),
        Verb::Transfer { party, target } => ("POST", of(party, "transfer"), address(target)),
        Verb::Supervise { target, beside, mode } => {
            let body = json!({ "target": target.address(), "beside": beside, "mode": mode });
            ("POST", "supervisors".into(), body)
        }
        Verb::Stand { party, beside, mode } => {
            ("PUT", of(party, "supervision"), json!({ "beside": beside, "mode": mode }))
        }
        Verb::Whisper { party, to } => ("PUT", of(party, "whisper"), json!({ "to": to })),
        Verb::Pair { party, with } => ("PUT", of(party, "pair"), json!({ "with": with })),
        Verb::Appoint { party, role } => ("PUT", of(party, "role"), json!({ "role": role })),
        Verb::Remove { party } => ("DELETE", format!("parties/{party}"), Value::Null),
        Verb::Record { on } => ("PUT", "recording".into(), json!({ "on": on })),
        Verb::Write { to: Readers::Party(to), text } => {
            ("POST", "messages".into(), json!({ "to": to, "text": text }))
        }
        Verb::Write { text, .. } => ("POST", "messages".into(), json!({ "text": text })),
        Verb::Mute { party } => ("POST", of(party, "mute"), Value::Null),
        Verb::Unmute { party } => ("POST", of(party, "unmute"), Value::Null),
        Verb::Hold { party } => ("POST", of(party, "hold"), Value::Null),
        Verb::Resume { party } => ("POST", of(party, "resume"), Value::Null),
        Verb::Swap { party } => ("POST", of(party, "swap"), Value::Null),
        Verb::Merge { party } => ("POST", of(party, "merge"), Value::Null),
        Verb::Complete { party } => ("POST", of(party, "complete"), Value::Null),
        Verb::Cancel { party } => ("POST", of(party, "cancel"), Value::Null),
        Verb::Silence { party } => ("POST", of(party, "silence"), Value::Null),
        Verb::Unsilence { party } => ("POST", of(party, "unsilence"), Value::Null),
        Verb::End => ("DELETE", String::new(), Value::Null),
        Verb::SendDigits { party, digits } => {
            let digits: String = digits.keys().collect();
            ("POST", of(party, "digits"), json!({ "digits": digits }))
        }
        Verb::Enter(_) | Verb::TakeOver { .. } => unreachable!("phones do that"),
        Verb::Play { .. } | Verb::StopPlaying { .. } => unreachable!("no script asks for it here"),
    }
}

impl Troupe {
    fn new(seed: u64) -> Troupe {
        let profiles = call::shipped();
        let profile = profiles[(seed % profiles.len() as u64) as usize].clone();
        let parties_max = NAMES.len().min(profile.parties_max);
        let folder = Folder::new();
        let mut config = "[access]\ntrusted = [\"127.0.0.1\"]\n".to_owned();
        for name in NAMES {
            let lines = convoke::access::UserLines { name, realm: "convoke", password: "none" };
            config += &format!("{lines}\n");
        }
        let name = &profile.name;
        config += &format!("[rooms.desk]\nprofile = \"{name}\"\nparties_max = {parties_max}\n");
        let path = folder.join("convoke.toml");
        std::fs::write(&path, config).unwrap();
        let options = ["--rtp-ports", "61400-61449", "--config", path.to_str().unwrap()];
        let server = Server::start(&options);
        let line = |at: usize| Line::new(&server, NAMES[at], CODECS[at], TONES_HZ[at]);
        let lines: Vec<Line> = (0..NAMES.len()).map(line).collect();
        for line in &lines {
            line.register(&server);
        }
        let book = Book::new(model::Profile { parties_max, ..profile }, false);
        let (dice, parties, story) = (Dice::new(seed), BTreeMap::new(), vec![]);
        Troupe { server, book, dice, lines, parties, asked: 0, story, _folder: folder }
    }

    /// A customer calls, and gets an agent.
    fn begins(&mut self) {
        self.enters();
        let agent = |target: &Target| matches!(target, Target::Colleague(_));
        let target = self.targets().into_iter().find(agent).expect("somebody is on its hook");
        self.asks(Author::Admin, &Verb::Invite { target, role: None });
    }

    fn idle(&self) -> Vec<usize> {
        (0..NAMES.len()).filter(|at| !self.parties.contains_key(at)).collect()
    }

    fn targets(&self) -> Vec<Target> {
        let both = |at: usize| {
            let ours = Target::Colleague(format!("sip:{}@{}", NAMES[at], self.server.sip));
            [ours, Target::Address(format!("sip:{}@{}", NAMES[at], self.lines[at].sip))]
        };
        self.idle().into_iter().flat_map(both).collect()
    }

    fn step(&mut self) -> bool {
        let targets = self.targets();
        let step = self.dice.step(&self.book, &targets);
        let said = format!("{step:?}");
        let before = self.book.people.clone();
        match step {
            Step::Enters(_) => self.enters(),
            Step::HangsUp(party) => {
                let at = self.phone(party);
                self.lines[at].with(convoke::phone::Phone::hang_up);
                self.book.hangs_up(party);
            }
            Step::PressesHold(..) | Step::Answers(_) | Step::TimePasses => {}
            Step::SoundsEarly(..) | Step::FallsSilent(_) | Step::RecordingFails => {}
            // No phone here calls with Replaces; and a prompt of the program is speech, which an
            // ear for tones does not tell, and is over in its own time. The flows and the
            // rehearsals have both.
            Step::SitsDown(_)
            | Step::TurnsBack(_)
            | Step::PromptEnds(_)
            | Step::Asks(_, Verb::TakeOver { .. } | Verb::Play { .. } | Verb::StopPlaying { .. }) =>
                {}
            Step::Asks(by, verb) => self.asks(by, &verb),
        }
        self.parties.retain(|_, party| self.book.find(*party).is_some());
        let changed = before != self.book.people;
        if changed {
            self.story.push(said);
            self.settles();
        }
        changed
    }

    /// Waits until the phones that have a call are those of the book.
    fn settles(&self) {
        until("the phones' calls", || {
            let up = |at: &usize| self.lines[*at].is_up();
            let up: Vec<usize> = (0..NAMES.len()).filter(up).collect();
            up.iter().eq(self.parties.keys()).then_some(())
        });
    }

    fn phone(&self, party: PartyId) -> usize {
        let mut found = self.parties.iter().filter(|(_, other)| **other == party);
        *found.next().expect("each party is a phone").0
    }

    fn enters(&mut self) {
        let idle = self.idle();
        // A room that is full is tried in the rehearsal.
        if idle.is_empty() || self.book.people.len() >= self.book.rules.parties_max {
            return;
        }
        let at = idle[self.dice.draw(idle.len())];
        let mut foreseen = self.book.clone();
        let address = format!("sip:{}@127.0.0.1", NAMES[at]);
        if foreseen.enter(PartyId(0), Affiliation::Outside, &address).is_err() {
            return;
        }
        self.lines[at].call("desk");
        let user = format!("sip:{}@", NAMES[at]);
        let party = until("the caller's party", || {
            let view = self.server.conference("desk")?;
            let mut parties = view["parties"].as_array()?.iter();
            let found = parties.find(|p| p["address"].as_str().unwrap().starts_with(&user))?;
            found["id"].as_str()?.parse().ok()
        });
        self.book.enter(party, Affiliation::Outside, &address).unwrap();
        self.parties.insert(at, party);
        self.book.comes_up(party);
    }

    /// Every command comes twice, with the same key.
    fn asks(&mut self, by: Author, verb: &Verb) {
        self.asked += 1;
        let key = format!("step-{}", self.asked);
        let (method, path, body) = request(verb);
        let path = format!("conferences/desk/{path}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let party = if let Author::Party(party) = by { Some(party.to_string()) } else { None };
        let mut headers = vec![("idempotency-key", key.as_str())];
        headers.extend(party.as_deref().map(|party| ("convoke-party", party)));
        let path = path.trim_end_matches('/');
        let once = self.server.ask_with(&headers, method, path, &body);
        let twice = self.server.ask_with(&headers, method, path, &body);
        let gone = self.server.conference("desk").is_none();
        assert!(once == twice || gone, "{once:?} and {twice:?}: {}", self.told());
        let (status, said) = once;
        let called = said["party"].as_str().and_then(|party| party.parse().ok());
        let called = called.filter(|_| verb.target().is_some());
        let says = self.book.ask(by, verb, called.unwrap_or(PartyId(u64::MAX)));
        let refused = says.err().map(|refusal| refusal.code());
        assert_eq!(said["code"].as_str(), refused, "{verb:?} {status} {said}: {}", self.told());
        if let (Some(party), Some(address)) = (called, verb.target().and_then(Target::address)) {
            let is_at = |name: &&str| address.starts_with(&format!("sip:{name}@"));
            let at = NAMES.iter().position(is_at).unwrap();
            self.parties.insert(at, party);
            let mut foreseen = self.book.clone();
            foreseen.comes_up(party);
            // With whose coming it ends, for somebody has left for it, that one is up too shortly.
            if foreseen.find(party).is_some() {
                until("an answer", || self.lines[at].is_up().then_some(()));
            }
            self.book.comes_up(party);
        }
    }

    fn told(&self) -> String {
        let name = &self.book.rules.name;
        format!("{name}: {:#?}\n{:#?}", self.story, self.book.people)
    }

    /// How the machine and the network were, for whoever has to find out.
    fn figures(&self) -> String {
        let metrics = self.server.page("/metrics");
        let tells = |line: &&str| line.starts_with("convoke_rtp") || line.contains("tick_late");
        let mut lines: Vec<String> = metrics.lines().filter(tells).map(str::to_owned).collect();
        for (name, line) in NAMES.iter().zip(&self.lines) {
            // What came last, by steps of sequence numbers and timestamps.
            let packets = line.wire().packets;
            let recent = &packets[packets.len().saturating_sub(1_000)..];
            let step = |two: &[(u32, u16, u32)]| {
                (two[1].1.wrapping_sub(two[0].1), two[1].2.wrapping_sub(two[0].2))
            };
            let mut steps = BTreeMap::<(u16, u32), usize>::new();
            recent.windows(2).map(step).for_each(|step| *steps.entry(step).or_default() += 1);
            lines.push(format!("{name} was sent {steps:?}"));
        }
        format!("{}\n{:#}", lines.join("\n"), self.server.get("conferences"))
    }

    fn should_hear(&self, person: &Person) -> BTreeSet<Sound> {
        let heard = self.book.hears(person);
        let voices = heard.voices.iter().map(|party| Sound::Phone(self.phone(*party)));
        voices.chain(heard.music.then_some(Sound::Music)).collect()
    }

    fn check(&self) {
        let ears: Vec<(usize, usize, BTreeSet<Sound>)> = self
            .parties
            .iter()
            .map(|(at, party)| {
                let line = &self.lines[*at];
                let from = line.heard_samples() + SETTLING_MS * line.rate_hz() as usize / 1_000;
                (*at, from, self.should_hear(self.book.find(*party).unwrap()))
            })
            .collect();
        let end = Instant::now() + PATIENCE;
        loop {
            let wrong: Vec<String> = ears
                .iter()
                .filter_map(|(at, from, should)| {
                    let line = &self.lines[*at];
                    let samples = line.heard_from(*from);
                    let heard = Heard::in_samples(&samples, line.rate_hz(), &TONES_HZ).windows;
                    let last = heard.iter().rev().take_while(|window| *window == should).count();
                    let wrong = last < WINDOWS;
                    wrong.then(|| format!("{} heard {heard:?}, not {should:?}", NAMES[*at]))
                })
                .collect();
            if wrong.is_empty() {
                return;
            }
            if Instant::now() >= end {
                panic!("{}\n{}\n{}", wrong.join("\n"), self.told(), self.figures());
            }
            std::thread::sleep(10 * LOOK);
        }
    }
}

#[test]
fn a_sample_of_the_random_scripts_sounds_over_sockets_as_the_book_of_rules_says() {
    let _machine = whole_machine();
    for seed in SEEDS {
        let mut troupe = Troupe::new(seed);
        troupe.begins();
        let mut left = STEPS;
        for _ in 0..DRAWN_MAX {
            if left == 0 || troupe.book.over {
                break;
            }
            if troupe.step() && !troupe.book.over {
                left -= 1;
                troupe.check();
            }
        }
        println!("seed {seed}: {:#?}", troupe.story);
    }
}
