//! The server, phones, and a network on which one mishap happens.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use model::{
    Author, Command, CommandId, ConferenceId, ConferenceName, ConferenceRef, ConferenceView,
    EventKind, LocalMedia, MediaOrder, MediaReport, PartyState, PartyView, TapRate, Verb,
};
use sip::access::Access;
use sip::digest::Secrets;
use sip::{Flow, Transport};
use switchboard::{Config, Input, Output, Room, RtpTimeouts, SrtpRules, Switchboard};

use crate::phone::{Manners, Phone};

pub(crate) const SERVER: &str = "10.0.0.1:5060";

/// From one end to the other.
const LATENCY: Duration = Duration::from_millis(20);

/// Longer than 64·T1: whatever is repeated has been heard or given up.
const REST: Duration = Duration::from_secs(40);

/// What happens to one message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mishap {
    Lost,
    Doubled,
    /// It arrives after the next one that goes the same way.
    Overtaken,
}

impl Mishap {
    pub(crate) const ALL: [Mishap; 3] = [Mishap::Lost, Mishap::Doubled, Mishap::Overtaken];
}

#[derive(Clone)]
struct Packet {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

pub(crate) struct World {
    start: Instant,
    now: Instant,
    board: Switchboard,
    pub(crate) phones: Vec<Phone>,
    views: BTreeMap<ConferenceId, ConferenceView>,
    bound: BTreeMap<String, usize>,
    /// Of whom a recording was told to have no video.
    unseen: Vec<String>,
    in_flight: BTreeMap<(Instant, u64), Packet>,
    overtaken: Option<Packet>,
    /// What is still to happen, and to which message.
    pub(crate) mishap: Option<(usize, Mishap)>,
    /// How many messages were sent.
    pub(crate) messages: usize,
    pub(crate) stops: Vec<String>,
    pub(crate) ladder: String,
    ports: u16,
    commands: u64,
}

/// In which whoever is in may call others in and remove them, and pass its seat on.
const TRUSTING: &str = r#"
name = "trusting"
about = "Whoever is in may call others in, remove them, and pass its seat on."
parties_max = 10

[roles]
first_of_ours = "guest"
of_ours = "guest"
caller = "guest"
outsider = "guest"

[[permission]]
role = ["guest"]
to = ["conference"]
may = ["enter", "invite", "write"]

[[permission]]
role = ["guest"]
to = ["myself"]
may = ["transfer", "take_over", "remove"]

[[permission]]
role = ["guest"]
to = ["added", "third"]
may = ["remove"]

[[permission]]
role = ["admin"]
to = ["conference"]
may = ["invite", "end", "record"]
"#;

/// What is different in the rooms `quiet`, where nobody may be called, and `closed`.
const GUESTS_MAY: &str = r#""enter", "invite", "write""#;

impl World {
    pub(crate) fn new(mishap: Option<(usize, Mishap)>) -> World {
        #[expect(clippy::disallowed_methods, reason = "virtual time begins at some instant")]
        let now = Instant::now();
        let listeners = vec![(Transport::Udp, SERVER.parse().unwrap())];
        let users = ["alice", "bob", "carol"].map(|user| {
            (user.to_owned(), Secrets::of(user, "convoke", &format!("{user}'s password")))
        });
        // Those who register are elsewhere, and have to show who they are.
        let trusted = vec!["10.0.1.0/24".parse().unwrap()];
        let access = Access { users: users.into(), trusted, ..Access::everybody() };
        let room = |guests_may: &str| Room {
            record: false,
            recording_rate: TapRate::Hz16000,
            parties_max: 10,
            profile: call::parse(&TRUSTING.replace(GUESTS_MAY, guests_may)).unwrap(),
        };
        let rooms = [("quiet", r#""enter""#), ("closed", r#""write""#)]
            .map(|(name, may)| (ConferenceName::parse(name).unwrap(), room(may)));
        let (rooms, room) = (rooms.into(), room(GUESTS_MAY));
        let config = Config {
            sip: sip::Config { focus: true, access, ..sip::Config::new(listeners) },
            rooms,
            prompts: Default::default(),
            callers: BTreeMap::new(),
            trunk_audio: BTreeMap::new(),
            rtp_timeouts: RtpTimeouts::default(),
            any_room: room,
            srtp: SrtpRules::default(),
            started: now,
            started_ms: 1_700_000_000_000,
        };
        World {
            start: now,
            now,
            board: Switchboard::new(config, 7),
            phones: Vec::new(),
            views: BTreeMap::new(),
            bound: BTreeMap::new(),
            unseen: Vec::new(),
            in_flight: BTreeMap::new(),
            overtaken: None,
            mishap,
            messages: 0,
            stops: Vec::new(),
            ladder: String::new(),
            ports: 20_000,
            commands: 0,
        }
    }

    pub(crate) fn phone(&mut self, name: &'static str, manners: Manners) -> usize {
        self.plug_in(name, manners, None)
    }

    /// A phone that registers with that password.
    pub(crate) fn registering(&mut self, name: &'static str, password: &str) -> usize {
        let phone = self.plug_in(name, Manners::Answers, Some(password));
        let now = self.now;
        self.phones[phone].sip.watch_trunks(now);
        self.drain();
        phone
    }

    fn plug_in(&mut self, name: &'static str, manners: Manners, password: Option<&str>) -> usize {
        let number = self.phones.len() + 1;
        let phone = Phone::new(name, number as u8, password);
        self.phones.push(Phone { manners, ..phone });
        self.phones.len() - 1
    }

    /// These phones are where a user is reached.
    pub(crate) fn bind(&mut self, user: &str, phones: &[usize]) {
        let contacts = phones.iter().map(|phone| model::registration::Contact {
            uri: format!("sip:{user}@{}", self.phones[*phone].address),
            expires_ms: u64::MAX / 4,
            q_thousandths: 1_000,
            path: Vec::new(),
            transport: "UDP".into(),
            local: SERVER.parse().unwrap(),
            remote: self.phones[*phone].address,
            call_id: "call".into(),
            cseq: 1,
            user_agent: None,
        });
        let contacts = contacts.collect();
        let registration = model::Registration { user: user.to_owned(), contacts };
        self.board.restore(self.now, vec![registration]);
        self.drain();
        // It is no part of what is to be seen.
        self.bound.clear();
    }

    /// Something is done at a phone.
    pub(crate) fn at(&mut self, phone: usize, act: impl FnOnce(&mut Phone, Instant)) {
        let now = self.now;
        act(&mut self.phones[phone], now);
        self.drain();
    }

    /// A phone calls a conference or a user.
    pub(crate) fn call(&mut self, phone: usize, user: &str) {
        self.at(phone, |phone, now| phone.call(now, user, &[]));
    }

    /// Whoever has the API has somebody called into a conference.
    pub(crate) fn invite(&mut self, conference: &str, phone: usize) {
        let target = format!("sip:{}@{}", self.phones[phone].name, self.phones[phone].address);
        self.ask(conference, Verb::invite(target));
    }

    /// Whoever has the API has a conference recorded.
    pub(crate) fn record(&mut self, conference: &str) {
        self.ask(conference, Verb::Record { on: true });
    }

    fn ask(&mut self, conference: &str, verb: Verb) {
        self.commands += 1;
        let name = ConferenceRef::Name(ConferenceName::parse(conference).unwrap());
        let id = CommandId(self.commands);
        let command = Command::new(id, name, Author::Admin, verb);
        self.board.handle(self.now, Input::Command(command));
        self.drain();
    }

    /// Lets all that is under way come to its end, and notes what is to be seen.
    pub(crate) fn stop(&mut self) {
        self.run(REST);
        let mut rooms: Vec<String> = self.views.values().map(room).collect();
        rooms.sort();
        let phones: Vec<String> = self.phones.iter().map(Phone::shows).collect();
        let bound = self.bound.iter().map(|(user, count)| format!("{user}@{count}"));
        let bound: Vec<String> = bound.collect();
        let unseen = std::mem::take(&mut self.unseen).join(", ");
        let parts = [rooms.join(", "), bound.join(", "), unseen, phones.join(", ")];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        self.stops.push(parts.join(" | "));
    }

    /// Everybody hangs up. Then nothing may be left of anything.
    pub(crate) fn end(&mut self) {
        self.phones.retain(|phone| phone.registered.is_none());
        for phone in 0..self.phones.len() {
            for line in 0..self.phones[phone].lines.len() {
                self.at(phone, |phone, now| phone.hang_up(now, line));
            }
        }
        self.run(REST * 6);
        assert!(self.board.is_idle(), "something is left at the server\n{}", self.ladder);
        assert!(self.views.is_empty(), "a conference is left\n{}", self.ladder);
        for phone in &self.phones {
            let left = phone.sip.alive();
            assert_eq!(left, sip::Alive::default(), "at {}\n{}", phone.name, self.ladder);
        }
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let arrival = self.in_flight.keys().next().map(|(at, _)| *at);
            let phones = self.phones.iter().filter_map(|phone| phone.sip.next_deadline());
            let board = self.board.next_deadline().map(|due| due.at);
            let due = phones.map(|due| due.at).chain(board).chain(arrival).min();
            let Some(next) = due.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            while let Some(entry) = self.in_flight.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let packet = entry.remove();
                self.deliver(&packet);
            }
            if board.is_some_and(|at| at <= self.now) {
                self.board.handle_timeout(self.now);
            }
            let now = self.now;
            for phone in &mut self.phones {
                if phone.sip.next_deadline().is_some_and(|due| due.at <= now) {
                    phone.sip.handle_timeout(now);
                    phone.drain(now);
                }
            }
            self.drain();
        }
        self.now = until;
    }

    fn deliver(&mut self, packet: &Packet) {
        let Packet { from, to, bytes } = packet;
        if *to == SERVER.parse().unwrap() {
            let flow =
                Flow { transport: Transport::Udp, local: *to, remote: *from, connection: None };
            self.board.handle(self.now, Input::Message { flow, bytes });
        }
        let now = self.now;
        if let Some(phone) = self.phones.iter_mut().find(|phone| phone.address == *to) {
            phone.receive(now, *from, bytes);
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.board.poll() {
            match output {
                Output::Transmit { flow, bytes } => {
                    self.send(Packet { from: flow.local, to: flow.remote, bytes });
                }
                Output::Media(MediaOrder::Open { leg, local, .. }) => {
                    self.ports += 2;
                    let local = LocalMedia { rtp: SocketAddr::new(local, self.ports) };
                    self.board.handle(self.now, Input::Media(MediaReport::Opened { leg, local }));
                }
                Output::Event(event) => {
                    let id = event.conference;
                    let fresh = || ConferenceView::begin(&event).unwrap();
                    let view = self.views.entry(id).or_insert_with(fresh);
                    view.apply(&event);
                    if let EventKind::RecordingModeChanged { party, offset_ms, .. } = event.kind {
                        let user = user_of(view.party(party).unwrap());
                        self.unseen.push(format!("{user} unseen at {} s", offset_ms / 1_000));
                    }
                    if view.ended_ms.is_some() {
                        self.views.remove(&id);
                    }
                }
                Output::Registered(registration) => {
                    self.bound.insert(registration.user, registration.contacts.len());
                }
                Output::Answer { answer, .. } => assert!(answer.is_ok(), "{answer:?}"),
                Output::Resolve { .. }
                | Output::Media(_)
                | Output::Quality { .. }
                | Output::Trunk(_)
                | Output::KeysInClear { .. }
                | Output::NewCountry { .. }
                | Output::Emergency { .. }
                | Output::Security(_)
                | Output::Denied { .. } => {}
            }
        }
        for phone in 0..self.phones.len() {
            let from = self.phones[phone].address;
            for (flow, bytes) in std::mem::take(&mut self.phones[phone].out) {
                self.send(Packet { from, to: flow.remote, bytes });
            }
        }
    }

    fn send(&mut self, packet: Packet) {
        let number = self.messages;
        self.messages += 1;
        let mishap = self.mishap.take_if(|(message, _)| *message == number).map(|(_, how)| how);
        self.note(&packet, mishap);
        let same_way = |held: &mut Packet| (held.from, held.to) == (packet.from, packet.to);
        let overtaken = self.overtaken.take_if(same_way);
        match mishap {
            None => self.post(packet, number, 0),
            Some(Mishap::Lost) => {}
            Some(Mishap::Doubled) => {
                self.post(packet.clone(), number, 0);
                self.post(packet, number, 1);
            }
            Some(Mishap::Overtaken) => self.overtaken = Some(packet),
        }
        if let Some(overtaken) = overtaken {
            self.post(overtaken, number, 2);
        }
    }

    fn post(&mut self, packet: Packet, number: usize, place: u64) {
        let at = (self.now + LATENCY, number as u64 * 4 + place);
        self.in_flight.insert(at, packet);
    }

    fn note(&mut self, packet: &Packet, mishap: Option<Mishap>) {
        let name = |address| {
            let phone = self.phones.iter().find(|phone| phone.address == address);
            phone.map_or("server", |phone| phone.name)
        };
        let text = String::from_utf8_lossy(&packet.bytes);
        let line = text.lines().next().unwrap_or_default();
        let cseq = text.lines().find(|line| line.starts_with("CSeq")).unwrap_or_default();
        let at = self.now.duration_since(self.start).as_secs_f64();
        let (from, to) = (name(packet.from), name(packet.to));
        let mark = mishap.map_or(String::new(), |mishap| format!(" {mishap:?}"));
        writeln!(self.ladder, "{at:8.3}  {from} -> {to}  {line}  ({cseq}){mark}").unwrap();
    }
}

fn user_of(party: &PartyView) -> &str {
    party.address.split([':', '@']).nth(1).unwrap_or_default()
}

/// A conference as it is told at a stop: its name, and who is in it.
fn room(view: &ConferenceView) -> String {
    let name = if view.name.as_str().starts_with("call-") { "call" } else { view.name.as_str() };
    let mut parties: Vec<String> = view
        .parties
        .iter()
        .map(|party| {
            let user = user_of(party);
            let mark = match party.state {
                PartyState::Connected => "",
                PartyState::Held => "(held)",
                // A 180 that is lost is repeated after a minute.
                PartyState::Dialling | PartyState::Ringing => "(called)",
            };
            format!("{user}{mark}")
        })
        .collect();
    parties.sort();
    format!("{name}: {}", parties.join(" "))
}
