//! The whole product in one thread: switchboard, media, a network and phones, in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use audio::Codec;
use audio::music::SIGNATURE_HZ;
use audio::tone::Ear;
use convoke::phone::{CallState, Phone, Sent, Settings, TICK_MS, Voice};
use media::Clips;
use model::registration::Contact;
use model::{
    Accepted, Author, Command, CommandId, ConferenceName, ConferenceRef, ConferenceView, Event,
    MediaOrder, PartyId, Refusal, Registration, TapRate, Track, Verb,
};
use sip::{Flow, Transport};
use switchboard::{Config, Input, Output, Room, RtpTimeouts, SrtpRules, Switchboard};
use wire::rtp::{Packet, Rtp, classify};
use wire::sdp::{Keys, Srtp};
use wire::srtp::KeySource;
use wire::telephone_event::{self, Key};

use crate::network::{Datagram, Kind, Network, Weather};
use crate::studio::Studio;

/// Each guest's tone [Hz], by its number.
pub const TONES_HZ: [f64; 6] = [437.0, 509.0, 577.0, 653.0, 727.0, 809.0];

/// What an ear calls hold music.
pub const MUSIC: usize = TONES_HZ.len();

/// What it calls a prompt of this tone [Hz].
pub const PROMPT: usize = MUSIC + 1;
pub const PROMPT_HZ: f64 = 1_361.0;

/// A turn of the media thread.
const TURN: Duration = Duration::from_millis(5);

/// How long a change takes to be heard at most: buffers on both sides.
const SETTLING: Duration = Duration::from_millis(700);

/// A key is pressed for 100 ms; so long until the next one.
const KEY_TIME: Duration = Duration::from_millis(260);

/// How long is listened: five windows of an ear.
const LISTENING: Duration = Duration::from_millis(2_000);

/// The payload types of telephone-events, at 8 kHz and at 48 kHz.
const EVENTS: [u8; 2] = [101, 102];

const SERVER: &str = "10.0.0.1:5060";

/// A phone and where it is.
pub struct Guest {
    pub phone: Phone,
    sip: SocketAddr,
    rtp: SocketAddr,
}

/// Everything.
pub struct World {
    pub seed: u64,
    pub now: Instant,
    pub board: Switchboard,
    pub studio: Studio,
    pub network: Network,
    pub guests: Vec<Guest>,
    pub views: BTreeMap<model::ConferenceId, ConferenceView>,
    pub events: Vec<Event>,
    /// RTCP that came to guests: to which, from where, and what.
    pub rtcp: Vec<(usize, SocketAddr, Vec<u8>)>,
    /// The SSRCs of all streams that came to each guest.
    streams: BTreeMap<usize, BTreeSet<u32>>,
    /// Keys that came to guests as telephone-events under the usual numbers: to which, the
    /// timestamp, which.
    pub keys: Vec<(usize, u32, char)>,
    answers: BTreeMap<CommandId, Result<Accepted, Refusal>>,
    commands: u64,
    turns: u64,
}

impl World {
    pub fn new(seed: u64, weather: Weather) -> World {
        World::with_srtp(seed, weather, SrtpRules::default())
    }

    pub fn with_srtp(seed: u64, weather: Weather, srtp: SrtpRules) -> World {
        World::with(seed, weather, World::any_room(), |config| config.srtp = srtp)
    }

    /// The room of those who say nothing of it: everybody may do everything.
    pub fn any_room() -> Room {
        let (record, recording_rate) = (false, TapRate::Hz16000);
        Room { record, recording_rate, parties_max: 100, profile: call::open() }
    }

    pub fn with_room(seed: u64, weather: Weather, any_room: Room) -> World {
        World::with_prompts(seed, weather, any_room, Clips::default())
    }

    pub fn with_prompts(seed: u64, weather: Weather, any_room: Room, clips: Clips) -> World {
        World::with_clips(seed, weather, any_room, clips, |_| {})
    }

    /// A world in which that room is every room, and something is otherwise.
    pub fn with(
        seed: u64,
        weather: Weather,
        any_room: Room,
        change: impl FnOnce(&mut Config),
    ) -> World {
        World::with_clips(seed, weather, any_room, Clips::default(), change)
    }

    /// The same, and something can be said in it.
    pub fn with_clips(
        seed: u64,
        weather: Weather,
        any_room: Room,
        clips: Clips,
        change: impl FnOnce(&mut Config),
    ) -> World {
        #[expect(clippy::disallowed_methods, reason = "virtual time begins at some instant")]
        let now = Instant::now();
        let server: SocketAddr = SERVER.parse().unwrap();
        let mut config = Config {
            sip: sip::Config {
                access: sip::access::Access {
                    // By name, and by a number that can be typed.
                    users: (0..TONES_HZ.len())
                        .flat_map(|guest| [format!("guest{guest}"), format!("20{guest}")])
                        .map(|user| (user, sip::digest::Secrets::default()))
                        .collect(),
                    ..sip::access::Access::everybody()
                },
                focus: true,
                ..sip::Config::new(vec![(Transport::Udp, server)])
            },
            rooms: BTreeMap::new(),
            prompts: clips.catalogue(),
            callers: BTreeMap::new(),
            trunk_audio: BTreeMap::new(),
            rtp_timeouts: RtpTimeouts::default(),
            any_room,
            srtp: SrtpRules::default(),
            started: now,
            started_ms: 1_700_000_000_000,
        };
        change(&mut config);
        World {
            seed,
            now,
            board: Switchboard::new(config, seed),
            studio: Studio::new(seed, now, clips),
            network: Network::new(seed ^ 0x5eed, weather),
            guests: Vec::new(),
            views: BTreeMap::new(),
            events: Vec::new(),
            rtcp: Vec::new(),
            streams: BTreeMap::new(),
            keys: Vec::new(),
            answers: BTreeMap::new(),
            commands: 0,
            turns: 0,
        }
    }

    /// A phone with this codec comes into the world, on its hook, with the tone of its number.
    pub fn guest(&mut self, codec: Codec) -> usize {
        self.guest_with(codec, |_| Srtp::Off)
    }

    /// The same, and it wants this of SRTP.
    pub fn guest_with(&mut self, codec: Codec, srtp: fn(Keys) -> Srtp) -> usize {
        let number = self.guests.len();
        let (street, house) = (number / 250, number % 250);
        let host = [10, 0, street as u8 + 1, house as u8 + 1];
        let address = |port| SocketAddr::from((host, port));
        let settings = Settings {
            sip: address(5060),
            rtp: address(4000),
            server: SERVER.parse().unwrap(),
            transport: Transport::Udp,
            user: format!("guest{number}"),
            codec,
            voice: Voice::Tone {
                frequency_hz: TONES_HZ[number % TONES_HZ.len()],
                amplitude: 4_000,
            },
            srtp: srtp(Keys::draw(&mut KeySource::new([house as u8 + 1; 32]))),
            seed: self.seed.wrapping_mul(31).wrapping_add(number as u64 * 0x1234_5678_9abc),
        };
        let phone = Phone::new(settings);
        self.guests.push(Guest { phone, sip: address(5060), rtp: address(4000) });
        number
    }

    /// These phones are a user's, and have registered.
    pub fn register(&mut self, user: &str, guests: &[usize]) {
        let contacts = guests.iter().map(|guest| Contact {
            uri: format!("sip:{user}@{}", self.guests[*guest].sip),
            expires_ms: u64::MAX / 4,
            q_thousandths: 1_000,
            path: Vec::new(),
            transport: "UDP".into(),
            local: SERVER.parse().unwrap(),
            remote: self.guests[*guest].sip,
            call_id: "call".into(),
            cseq: 1,
            user_agent: None,
        });
        let registration = Registration { user: user.to_owned(), contacts: contacts.collect() };
        self.board.restore(self.now, vec![registration]);
        self.drain();
    }

    /// A phone calls a conference, and is up.
    pub fn join(&mut self, guest: usize, conference: &str) {
        let now = self.now;
        self.guests[guest].phone.call(now, conference);
        self.run_until(Duration::from_secs(20), |world| {
            *world.guests[guest].phone.state() == CallState::Up
        });
        let state = self.guests[guest].phone.state();
        assert_eq!(*state, CallState::Up, "seed {}: guest {guest} is not up", self.seed);
    }

    /// Whoever may use the API asks for something.
    pub fn ask(&mut self, conference: &str, verb: Verb) -> Result<Accepted, Refusal> {
        self.ask_as(Author::Admin, conference, verb)
    }

    /// Somebody asks for something.
    pub fn ask_as(
        &mut self,
        by: Author,
        conference: &str,
        verb: Verb,
    ) -> Result<Accepted, Refusal> {
        self.commands += 1;
        self.carry(CommandId(self.commands), by, conference, verb)
    }

    /// Whoever may use the API asks for something, with a chosen id.
    pub fn ask_again(
        &mut self,
        id: CommandId,
        conference: &str,
        verb: Verb,
    ) -> Result<Accepted, Refusal> {
        self.carry(id, Author::Admin, conference, verb)
    }

    /// Somebody asks for something, with a chosen id.
    pub fn carry(
        &mut self,
        id: CommandId,
        by: Author,
        conference: &str,
        verb: Verb,
    ) -> Result<Accepted, Refusal> {
        let conference = ConferenceRef::Name(ConferenceName::parse(conference).unwrap());
        let command = Command::new(id, conference, by, verb);
        self.board.handle(self.now, Input::Command(command));
        self.drain();
        self.answers.remove(&id).expect("a command is answered at once")
    }

    /// Somebody presses keys, one after the other.
    pub fn press(&mut self, guest: usize, keys: &str) {
        for key in keys.chars() {
            self.guests[guest].phone.press(key);
            self.run(KEY_TIME);
        }
    }

    /// A phone's audio moves to another address, and its phone says so.
    pub fn move_audio(&mut self, guest: usize, rtp: SocketAddr) {
        let now = self.now;
        self.guests[guest].rtp = rtp;
        self.guests[guest].phone.move_to(now, rtp);
        self.drain();
    }

    /// A NAT gives a guest's audio another address, and nobody says so.
    pub fn rebind(&mut self, guest: usize, rtp: SocketAddr) {
        self.guests[guest].rtp = rtp;
    }

    /// A guest's phone has its network back.
    pub fn plug_in(&mut self, guest: usize) {
        let Guest { sip, rtp, .. } = &self.guests[guest];
        self.network.unplugged.retain(|host| ![sip.ip(), rtp.ip()].contains(host));
    }

    /// A guest's phone loses its network.
    pub fn unplug(&mut self, guest: usize) {
        let Guest { sip, rtp, .. } = &self.guests[guest];
        self.network.unplugged.extend([sip.ip(), rtp.ip()]);
    }

    /// A datagram from anywhere to the server's media.
    pub fn post(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        self.network.send(self.now, Datagram { kind: Kind::Audio, from, to, bytes });
    }

    /// Where a guest's audio comes from, as the server sees it.
    pub fn rtp(&self, guest: usize) -> SocketAddr {
        self.guests[guest].rtp
    }

    /// The SSRCs of all streams that came to these guests.
    pub fn streams_to<const N: usize>(&self, guests: [usize; N]) -> [BTreeSet<u32>; N] {
        guests.map(|guest| self.streams.get(&guest).cloned().unwrap_or_default())
    }

    /// The party that a guest is, by its address.
    pub fn party(&self, guest: usize) -> PartyId {
        let user = format!("sip:guest{guest}@");
        self.views
            .values()
            .flat_map(|view| &view.parties)
            .find(|party| party.address.starts_with(&user))
            .unwrap_or_else(|| panic!("seed {}: guest {guest} is in no roster", self.seed))
            .id
    }

    /// Runs for a while.
    pub fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Runs until something holds, or for this long.
    pub fn run_until(&mut self, at_most: Duration, holds: impl Fn(&World) -> bool) {
        let end = self.now + at_most;
        while self.now < end && !holds(self) {
            self.turn();
        }
    }

    /// Lets what was done last be heard, then tells what each guest hears.
    pub fn listen(&mut self) -> Vec<BTreeSet<usize>> {
        self.run(SETTLING);
        for guest in &mut self.guests {
            guest.phone.take_heard();
        }
        self.studio.take_recorded();
        self.run(LISTENING);
        let seed = self.seed;
        let listen = |(number, guest): (usize, &mut Guest)| {
            heard(&guest.phone.take_heard(), guest.phone.rate_hz())
                .unwrap_or_else(|unclear| panic!("seed {seed}: at guest {number} {unclear}"))
        };
        self.guests.iter_mut().enumerate().map(listen).collect()
    }

    /// What the recording got while everybody listened last.
    pub fn recorded(&mut self) -> BTreeSet<usize> {
        self.tracks().remove(&Track::Mix).unwrap_or_default()
    }

    /// What the recording and each track beside it got while everybody listened last.
    pub fn tracks(&mut self) -> BTreeMap<Track, BTreeSet<usize>> {
        let seed = self.seed;
        let recorded = self.studio.take_recorded().into_iter();
        let listen = |(track, samples): (Track, Vec<i16>)| {
            let heard = heard(&samples, 16_000);
            (track, heard.unwrap_or_else(|unclear| panic!("seed {seed}: {track:?} has {unclear}")))
        };
        recorded.map(listen).collect()
    }

    fn turn(&mut self) {
        self.now += TURN;
        self.turns += 1;
        let now = self.now;
        for (at, datagram) in self.network.arrived(now) {
            self.deliver(at, &datagram);
        }
        let turns_per_tick = u64::from(TICK_MS) / TURN.as_millis() as u64;
        for (number, guest) in self.guests.iter_mut().enumerate() {
            // Phones do not send in step.
            if self.turns % turns_per_tick == number as u64 % turns_per_tick {
                guest.phone.tick();
            }
            if guest.phone.next_deadline().is_some_and(|due| due <= now) {
                guest.phone.handle_timeout(now);
            }
        }
        if self.board.next_deadline().is_some_and(|due| due.at <= now) {
            self.board.handle_timeout(now);
        }
        for sent in self.studio.turn(self.turns) {
            self.network.send(now, sent);
        }
        for report in self.studio.reports() {
            self.board.handle(now, Input::Media(report));
        }
        self.drain();
    }

    fn deliver(&mut self, at: Instant, datagram: &Datagram) {
        let (now, bytes) = (self.now, datagram.bytes.as_slice());
        let flow =
            |local, remote| Flow { transport: Transport::Udp, local, remote, connection: None };
        let to_server = datagram.to.ip() == SERVER.parse::<SocketAddr>().unwrap().ip();
        match (datagram.kind, to_server) {
            (Kind::Signalling, true) => {
                let flow = flow(datagram.to, datagram.from);
                self.board.handle(now, Input::Message { flow, bytes });
            }
            (Kind::Audio, true) => self.studio.receive(datagram.to, datagram.from, at, bytes),
            (kind, false) => {
                for (number, guest) in self.guests.iter_mut().enumerate() {
                    match kind {
                        Kind::Signalling if guest.sip == datagram.to => {
                            let flow = flow(datagram.to, datagram.from);
                            guest.phone.receive_sip(now, flow, bytes);
                        }
                        Kind::Audio if guest.rtp == datagram.to => {
                            if classify(bytes) == Packet::Rtcp {
                                self.rtcp.push((number, datagram.from, bytes.to_vec()));
                            } else if let Ok(rtp) = Rtp::parse(bytes) {
                                self.streams.entry(number).or_default().insert(rtp.ssrc);
                            }
                            if let Some((at, key)) = key_in(bytes)
                                && !self.keys.contains(&(number, at, key))
                            {
                                self.keys.push((number, at, key));
                            }
                            guest.phone.receive_rtp(bytes);
                        }
                        Kind::Signalling | Kind::Audio => {}
                    }
                }
            }
        }
        self.drain();
    }

    /// Carries out all that anybody wants, until nobody wants anything.
    pub fn drain(&mut self) {
        while let Some(output) = self.board.poll() {
            self.carry_out(output);
        }
        let now = self.now;
        for guest in &mut self.guests {
            while let Some(sent) = guest.phone.poll() {
                let (kind, from, to, bytes) = match sent {
                    Sent::Sip(flow, bytes) => (Kind::Signalling, guest.sip, flow.remote, bytes),
                    Sent::Rtp(to, bytes) => (Kind::Audio, guest.rtp, to, bytes),
                };
                self.network.send(now, Datagram { kind, from, to, bytes });
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Transmit { flow, bytes } => {
                let (from, to) = (flow.local, flow.remote);
                self.network.send(self.now, Datagram { kind: Kind::Signalling, from, to, bytes });
            }
            Output::Resolve { id, .. } => {
                self.board.handle(self.now, Input::Resolved { id, servers: vec![] });
            }
            Output::Media(order) => self.media(order),
            Output::Answer { id, answer } => {
                self.answers.insert(id, answer);
            }
            Output::Quality { conference, party, quality } => {
                if let Some(view) = self.views.get_mut(&conference) {
                    view.measure(party, quality);
                }
            }
            Output::Event(event) => self.event(event),
            Output::Registered(_)
            | Output::KeysInClear { .. }
            | Output::NewCountry { .. }
            | Output::Emergency { .. }
            | Output::Security(_)
            | Output::Denied { .. }
            | Output::Trunk(_) => {}
        }
    }

    fn media(&mut self, order: MediaOrder) {
        for report in self.studio.order(order) {
            self.board.handle(self.now, Input::Media(report));
        }
    }

    fn event(&mut self, event: Event) {
        let id = event.conference;
        match self.views.get_mut(&id) {
            Some(view) => {
                assert_eq!(event.seq, view.seq + 1, "seed {}: a hole in the events", self.seed);
                view.apply(&event);
                if view.ended_ms.is_some() {
                    self.views.remove(&id);
                }
            }
            None => {
                let view = ConferenceView::begin(&event);
                self.views.insert(id, view.expect("a conference's first event creates it"));
            }
        }
        self.events.push(event);
    }
}

/// The key that a telephone-event ends, and its timestamp.
fn key_in(bytes: &[u8]) -> Option<(u32, char)> {
    let rtp = Rtp::parse(bytes).ok().filter(|rtp| EVENTS.contains(&rtp.payload_type))?;
    let event = telephone_event::Event::parse(rtp.payload).filter(|event| event.end)?;
    Some((rtp.timestamp, Key::from_code(event.code)?.to_char()))
}

/// Who is heard: guests by their numbers, [`MUSIC`] and a [`PROMPT`]. Somebody is heard who sounds
/// in most whole windows: where packets are lost, a window now and then is too rough to tell.
/// Whoever sounds in any window at all must be one of them, so that nobody slips through for a
/// moment. Of music one window is enough to say that it is there: what fills a lost packet's gap
/// continues a chord, and so does a stretched one, less well than a test tone.
fn heard(samples: &[i16], rate_hz: u32) -> Result<BTreeSet<usize>, String> {
    let music = TONES_HZ.iter().chain(&SIGNATURE_HZ);
    let candidates: Vec<f64> = music.chain(&[PROMPT_HZ]).copied().collect();
    let mut ear = Ear::new(&candidates, rate_hz);
    let windows: Vec<_> =
        samples.chunks_exact(rate_hz as usize / 50).filter_map(|frame| ear.push(frame)).collect();
    let sounds_in = |at: usize| windows.iter().filter(|window| window.contains(at)).count();
    let mut heard = BTreeSet::new();
    for at in (0..candidates.len()).filter(|at| sounds_in(*at) > 0) {
        let is_prompt = at + 1 == candidates.len();
        if (at < MUSIC || is_prompt) && 2 * sounds_in(at) < windows.len() {
            return Err(format!(
                "{} Hz sounds in {} of {} windows",
                candidates[at],
                sounds_in(at),
                windows.len(),
            ));
        }
        heard.insert(if is_prompt { PROMPT } else { at.min(MUSIC) });
    }
    Ok(heard)
}
