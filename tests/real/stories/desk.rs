//! A desk's day: who is there, what they ask for, and what they hear.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Value, json};

use crate::baresip::{Caller, Codec, Phone};
use crate::ear::{Heard, Sound};
use crate::line::Line;
use crate::program::Folder;
use crate::server::Server;
use crate::{LOOK, PATIENCE, until};

/// Everybody who plays in a story, by the name that pictures give it: C is the customer, A are
/// agents, X and Y somebody else, S a supervisor.
const PEOPLE: [Person; 7] = [
    person("C", "ada", Codec::PCMU, 437.0),
    person("A1", "ben", Codec::PCMA, 509.0),
    person("A2", "cleo", Codec::G722, 577.0),
    person("A3", "dora", Codec::OPUS, 653.0),
    person("X", "emil", Codec::PCMU, 727.0),
    person("Y", "fay", Codec::PCMA, 809.0),
    person("S", "gus", Codec::G722, 953.0),
];

/// The names of those of ours.
const USERS: [&str; 4] = ["ben", "cleo", "dora", "gus"];

/// The room in which all stories play.
const ROOM: &str = "desk";

/// Music, in pictures.
const MUSIC: &str = "M";

/// What is heard right after a change is not looked at: it was said before [ms].
const SETTLING_MS: u64 = 400;

/// For how many windows in a row it must sound as it should [400 ms].
const WINDOWS: usize = 3;

struct Person {
    name: &'static str,
    caller: Caller,
}

const fn person(name: &'static str, user: &'static str, codec: Codec, tone_hz: f64) -> Person {
    Person { name, caller: Caller { name: user, codec, transport: "udp", tone_hz } }
}

/// Everything of one story.
pub(crate) struct Desk {
    pub(crate) server: Server,
    sets: Vec<(&'static str, Set)>,
    /// The conference's id, once it has begun.
    id: Option<String>,
    _folder: Folder,
}

/// What somebody has in its hand.
enum Set {
    Baresip(Phone),
    Ours(Line),
}

/// Somebody who listens, or the recording, and from where on it is looked at.
struct Ear<'d> {
    name: &'static str,
    source: Source<'d>,
    expected: BTreeSet<Sound>,
}

enum Source<'d> {
    Set(&'d Set, u64),
    File(PathBuf, u64),
}

impl Desk {
    /// A server whose room follows that profile, and is recorded.
    pub(crate) fn new(profile: &str, ports: &str) -> Desk {
        let folder = Folder::new();
        // This machine is trusted, so nobody is asked for a password.
        let mut config = "[access]\ntrusted = [\"127.0.0.1\"]\n".to_owned();
        for name in USERS {
            let lines = convoke::access::UserLines { name, realm: "convoke", password: "none" };
            config += &format!("{lines}\n");
        }
        config += &format!("[rooms.{ROOM}]\nprofile = \"{profile}\"\nrecord = true\n");
        let path = folder.join("convoke.toml");
        std::fs::write(&path, config).unwrap();
        let options = ["--rtp-ports", ports, "--config", path.to_str().unwrap()];
        let server = Server::start(&options);
        Desk { server, sets: Vec::new(), id: None, _folder: folder }
    }

    /// Somebody dials the room.
    pub(crate) fn calls(&mut self, name: &'static str) {
        let phone = caller(name).call(&self.server, ROOM);
        self.sets.push((name, Set::Baresip(phone)));
        self.is_in(name);
    }

    /// The same, with a phone of ours, which sees what comes over the wire.
    pub(crate) fn calls_with_ours(&mut self, name: &'static str) {
        let Caller { name: user, tone_hz, .. } = caller(name);
        let line = Line::new(&self.server, user, audio::Codec::Pcmu, tone_hz);
        line.call(ROOM);
        self.sets.push((name, Set::Ours(line)));
        self.is_in(name);
    }

    /// Those of ours register, and wait to be called.
    pub(crate) fn on_duty(&mut self, names: &[&'static str]) {
        for name in names {
            let phone = caller(name).on_duty(&self.server);
            self.sets.push((name, Set::Baresip(phone)));
        }
        until("registrations", || {
            let users = self.server.get("registrations");
            let phones = users.as_array()?.iter().filter(|user| {
                user["contacts"].as_array().is_some_and(|contacts| !contacts.is_empty())
            });
            (phones.count() == names.len()).then_some(())
        });
    }

    /// Somebody elsewhere waits to be called; gives its address.
    pub(crate) fn outside(&mut self, name: &'static str) -> String {
        let (phone, address) = caller(name).wait();
        self.sets.push((name, Set::Baresip(phone)));
        address
    }

    /// The address of one of ours.
    pub(crate) fn address(&self, name: &str) -> String {
        format!("sip:{}@{}", caller(name).name, self.server.sip)
    }

    /// Whoever may use the API calls somebody in.
    pub(crate) fn assign(&mut self, name: &str) {
        let body = json!({ "target": self.address(name) }).to_string();
        self.server.ask("POST", &format!("conferences/{ROOM}/parties"), &body);
        self.is_in(name);
    }

    /// Waits until somebody is in, whether it is held or not.
    pub(crate) fn is_in(&mut self, name: &str) {
        until(&format!("{name} is in"), || {
            let state = self.party(name)?["state"].clone();
            (state == "connected" || state == "held").then_some(())
        });
        self.id = self.server.conference(ROOM).map(|view| view["id"].as_str().unwrap().to_owned());
    }

    /// Waits until somebody is not in any more.
    pub(crate) fn is_gone(&self, name: &str) {
        until(&format!("{name} is gone"), || self.party(name).is_none().then_some(()));
    }

    /// Waits until the conference is over.
    pub(crate) fn is_over(&self) {
        until("the end", || self.server.conference(ROOM).is_none().then_some(()));
    }

    /// The party that somebody is.
    pub(crate) fn party(&self, name: &str) -> Option<Value> {
        let view = self.server.conference(ROOM)?;
        let user = format!("sip:{}@", caller(name).name);
        let mut parties = view["parties"].as_array().unwrap().iter();
        parties.find(|party| party["address"].as_str().unwrap().starts_with(&user)).cloned()
    }

    pub(crate) fn party_id(&self, name: &str) -> String {
        let party = self.party(name).unwrap_or_else(|| panic!("{name} is not in"));
        party["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn role(&self, name: &str) -> Value {
        self.party(name).unwrap_or_else(|| panic!("{name} is not in"))["role"].clone()
    }

    /// Somebody's desk asks for something of the conference, or is told why not.
    pub(crate) fn asks(&self, name: &str, method: &str, path: &str, body: &Value) -> Said {
        let path = match path {
            "" => format!("conferences/{ROOM}"),
            path => format!("conferences/{ROOM}/{path}"),
        };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, said) = self.server.ask_as(&self.party_id(name), method, &path, &body);
        Said { what: format!("{name}: {method} {path} {body}"), status, said }
    }

    /// Somebody's desk does something to somebody: one word of the API's.
    pub(crate) fn does(&self, name: &str, doing: &str, whom: &str) -> Said {
        let path = format!("parties/{}/{doing}", self.party_id(whom));
        self.asks(name, "POST", &path, &Value::Null)
    }

    /// The same, where the word needs more.
    pub(crate) fn sets(&self, name: &str, what: &str, body: &Value) -> Said {
        let path = format!("parties/{}/{what}", self.party_id(name));
        self.asks(name, "PUT", &path, body)
    }

    /// Somebody's desk calls somebody in.
    pub(crate) fn invites(&self, name: &str, address: &str) -> Said {
        self.asks(name, "POST", "parties", &json!({ "target": address }))
    }

    /// Somebody's desk has somebody gone, or goes itself.
    pub(crate) fn removes(&self, name: &str, whom: &str) -> Said {
        let path = format!("parties/{}", self.party_id(whom));
        self.asks(name, "DELETE", &path, &Value::Null)
    }

    /// Somebody hangs up at its phone.
    pub(crate) fn hangs_up(&mut self, name: &str) {
        match self.set_mut(name) {
            Set::Baresip(phone) => drop(phone.hang_up()),
            Set::Ours(line) => line.with(convoke::phone::Phone::hang_up),
        }
        self.is_gone(name);
    }

    /// The phone of ours that somebody has.
    pub(crate) fn line(&self, name: &str) -> &Line {
        match self.set(name) {
            Set::Ours(line) => line,
            Set::Baresip(_) => panic!("{name} has a phone of others"),
        }
    }

    fn set(&self, name: &str) -> &Set {
        let found = self.sets.iter().find(|(other, _)| *other == name);
        &found.unwrap_or_else(|| panic!("{name} has no phone")).1
    }

    fn set_mut(&mut self, name: &str) -> &mut Set {
        let found = self.sets.iter_mut().find(|(other, _)| *other == name);
        &mut found.unwrap_or_else(|| panic!("{name} has no phone")).1
    }

    /// The file of the recording that runs.
    pub(crate) fn recording(&self) -> PathBuf {
        let view = self.server.conference(ROOM).expect("the conference is live");
        self.server.recording(view["recording"]["id"].as_str().expect("it is recorded"))
    }

    /// Events of that type, so far.
    pub(crate) fn events(&self, kind: &str) -> Vec<Value> {
        let id = self.id.as_ref().expect("the conference has begun");
        let events = self.server.get(&format!("conferences/{id}/events"));
        let events = events.as_array().unwrap().iter();
        events.filter(|event| event["type"] == kind).cloned().collect()
    }

    /// Waits until each hears whom the picture says, and nobody else, and so does the recording,
    /// and each track of a voice has its own and nobody else's; `"A1: C | C: A1"` reads as in
    /// `crates/call/tests/rules/stories.rs`.
    pub(crate) fn sounds(&self, picture: &str, recorded: Option<&str>) {
        let ears = picture.split('|').map(|line| {
            let (name, heard) = line.split_once(':').expect("a name and whom it hears");
            let (name, set) = self
                .sets
                .iter()
                .find(|(other, _)| *other == name.trim())
                .unwrap_or_else(|| panic!("{name} has no phone"));
            let source = Source::Set(set, set.heard_ms() + SETTLING_MS);
            Ear { name, source, expected: sounds(heard) }
        });
        let mut ears: Vec<Ear<'_>> = ears.collect();
        if let Some(recorded) = recorded {
            let path = self.recording();
            let from_ms = recorded_ms(&path) + SETTLING_MS;
            let source = Source::File(path, from_ms);
            ears.push(Ear { name: "the recording", source, expected: sounds(recorded) });
            ears.extend(self.tracks("voice", recorded));
        }
        listen(&ears, picture);
        eprintln!("  {picture:<100} rec {}", recorded.unwrap_or("–"));
    }

    /// Waits until the tracks of whispers have the voices of these, each its own.
    pub(crate) fn whispers_are_kept(&self, of: &str) {
        let ears: Vec<Ear<'_>> = self.tracks("whisper", of).collect();
        assert_eq!(ears.iter().filter(|ear| !ear.expected.is_empty()).count(), sounds(of).len());
        listen(&ears, "whispers");
    }

    /// An ear at each track of that kind, which is silent but for those of these.
    fn tracks(&self, kind: &str, of: &str) -> impl Iterator<Item = Ear<'_>> + use<'_> {
        let view = self.server.conference(ROOM).expect("the conference is live");
        let tracks = view["recording"]["tracks"].as_array().cloned().unwrap_or_default();
        let names = self.sets.iter().map(|(name, _)| *name);
        let parties: Vec<_> = names
            .filter_map(|name| Some((name, self.party(name)?["id"].as_str()?.to_owned())))
            .collect();
        let ears = tracks.iter().filter(|one| one["track"]["kind"] == kind).filter_map(|one| {
            let party = one["track"]["party"].as_str()?;
            let (name, _) = parties.iter().find(|(_, id)| id == party)?;
            let path = self.server.recording(one["id"].as_str()?);
            let from_ms = recorded_ms(&path) + SETTLING_MS;
            let speaks = of.split_whitespace().any(|one| one == *name);
            let expected = if speaks { sounds(name) } else { BTreeSet::new() };
            Some(Ear { name, source: Source::File(path, from_ms), expected })
        });
        ears.collect::<Vec<_>>().into_iter()
    }

    /// Somebody has not heard another in any moment so far.
    pub(crate) fn never_heard(&self, name: &str, whom: &str) {
        let (samples, rate_hz) = self.set(name).heard_from(0);
        let heard = Heard::in_samples(&samples, rate_hz, &tones_hz());
        let secret = sounds(whom);
        let at = heard.windows.iter().position(|window| !window.is_disjoint(&secret));
        assert_eq!(at, None, "{name} heard {whom}, in this window");
    }

    /// Nobody has ever heard itself.
    pub(crate) fn nobody_heard_itself(&self) {
        for (name, _) in &self.sets {
            self.never_heard(name, name);
        }
    }
}

/// Waits until all ears hear what they should.
fn listen(ears: &[Ear<'_>], picture: &str) {
    let end = Instant::now() + PATIENCE;
    loop {
        let wrong: Vec<String> = ears.iter().filter_map(Ear::what_is_wrong).collect();
        if wrong.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "{picture}\n{}", wrong.join("\n"));
        std::thread::sleep(10 * LOOK);
    }
}

/// What the API said to a desk.
pub(crate) struct Said {
    what: String,
    status: u16,
    said: Value,
}

impl Said {
    /// It is done.
    #[track_caller]
    pub(crate) fn done(self) -> Value {
        assert_eq!(self.status, 202, "{}: {}", self.what, self.said);
        self.said
    }

    /// It is refused for that reason.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) {
        let said = (self.status, self.said["code"].as_str());
        assert_eq!(said, (status, Some(code)), "{}: {}", self.what, self.said);
    }
}

impl Set {
    fn heard_ms(&self) -> u64 {
        match self {
            Set::Baresip(phone) => phone.heard_ms(),
            Set::Ours(line) => line.heard_samples() as u64 * 1_000 / u64::from(line.rate_hz()),
        }
    }

    fn heard_from(&self, from_ms: u64) -> (Vec<i16>, u32) {
        match self {
            Set::Baresip(phone) => phone.heard_from(from_ms),
            Set::Ours(line) => {
                let rate_hz = line.rate_hz();
                (line.heard_from((from_ms * u64::from(rate_hz) / 1_000) as usize), rate_hz)
            }
        }
    }
}

impl Ear<'_> {
    fn what_is_wrong(&self) -> Option<String> {
        let (samples, rate_hz) = match &self.source {
            Source::Set(set, from_ms) => set.heard_from(*from_ms),
            Source::File(path, from_ms) => recorded_from(path, *from_ms),
        };
        let windows = Heard::in_samples(&samples, rate_hz, &tones_hz()).windows;
        let last = windows.iter().rev().take_while(|heard| **heard == self.expected);
        if last.count() >= WINDOWS {
            return None;
        }
        Some(format!("{} heard {windows:?}, not {:?}", self.name, self.expected))
    }
}

/// How much is in a file so far; one that has just been told of may not be there yet.
fn recorded_ms(path: &PathBuf) -> u64 {
    let Ok(reader) = hound::WavReader::open(path) else { return 0 };
    u64::from(reader.duration()) * 1_000 / u64::from(reader.spec().sample_rate)
}

fn recorded_from(path: &PathBuf, from_ms: u64) -> (Vec<i16>, u32) {
    let Ok(mut reader) = hound::WavReader::open(path) else { return (Vec::new(), 1) };
    let rate_hz = reader.spec().sample_rate;
    let from = from_ms * u64::from(rate_hz) / 1_000;
    if from >= u64::from(reader.duration()) {
        return (Vec::new(), rate_hz);
    }
    reader.seek(from as u32).unwrap();
    (reader.into_samples().map_while(Result::ok).collect(), rate_hz)
}

fn caller(name: &str) -> Caller {
    let found = PEOPLE.iter().find(|person| person.name == name);
    found.unwrap_or_else(|| panic!("nobody is called {name}")).caller
}

pub(crate) fn tones_hz() -> [f64; PEOPLE.len()] {
    std::array::from_fn(|at| PEOPLE[at].caller.tone_hz)
}

/// The sounds that a line of a picture names.
pub(crate) fn sounds(names: &str) -> BTreeSet<Sound> {
    names
        .split_whitespace()
        .map(|name| match PEOPLE.iter().position(|person| person.name == name) {
            Some(at) => Sound::Phone(at),
            None if name == MUSIC => Sound::Music,
            None => panic!("nobody is called {name}"),
        })
        .collect()
}
