//! A phone without a world: the demo, the rehearsal and the load test dial with it.
//!
//! It is what stands at the other end of the line: a SIP endpoint of our own, one call, a voice
//! that it speaks and an ear that keeps what it hears. Like everything that is tested in virtual
//! time it takes time and bytes as arguments and yields what is to be sent.

mod called;
mod requests;
mod srtp;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use audio::tone::Sine;
use audio::{Codec, Decoder, Encoder, EncoderSettings, Resampler};
use sip::message::{ExtraHeaders, Host, NameAddr, StatusCode, Uri};
use sip::{Alive, EndCause, Endpoint, Flow, Invite, Server, SessionEvent, SessionId, Transport};
use wire::rtp::{Extended, Extender, Header, Placed, Rtp, write_header};
use wire::sdp::{self, Description, Direction, Encoding, Local, Negotiated, Srtp};
use wire::telephone_event::{Key, Keystroke};

pub use self::called::Manner;

/// Milliseconds in a packet, and between two calls of [`Phone::tick`].
pub const TICK_MS: u32 = 20;

/// Packets that wait for one that is late before the gap is filled: 60 ms.
const REORDER_PACKETS: usize = 3;

/// The most that a gap in what is heard is filled with; a longer one is a new beginning.
const GAP_TICKS_MAX: u64 = 500;

/// What a phone says.
pub enum Voice {
    /// Nothing, in packets of digital silence.
    Silence,
    /// A steady tone.
    Tone {
        /// How high \[Hz\].
        frequency_hz: f64,
        /// How loud: the peak's sample value.
        amplitude: i16,
    },
    /// A recording at 16 kHz, over and over.
    Recording(Vec<i16>),
}

/// What a phone is told when it is made.
pub struct Settings {
    /// Its own address for SIP.
    pub sip: SocketAddr,
    /// Its own address for audio.
    pub rtp: SocketAddr,
    /// The server's address for SIP.
    pub server: SocketAddr,
    /// Over what it signals.
    pub transport: Transport,
    /// The name that it calls itself.
    pub user: String,
    /// The only codec that it offers.
    pub codec: Codec,
    /// What it says.
    pub voice: Voice,
    /// What it wants of SRTP.
    pub srtp: Srtp,
    /// Decides its tags, and its stream's first numbers.
    pub seed: u64,
}

/// What a phone sends.
#[derive(Debug, PartialEq)]
pub enum Sent {
    /// A SIP message.
    Sip(Flow, Vec<u8>),
    /// A packet of audio.
    Rtp(SocketAddr, Vec<u8>),
}

/// How far a phone's call has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallState {
    /// It has none.
    Idle,
    /// It calls.
    Calling,
    /// The far end rings.
    Ringing,
    /// It is called, and nobody has answered.
    Called,
    /// It is up.
    Up,
    /// It is over.
    Ended(EndCause),
}

/// A phone.
pub struct Phone {
    settings: Settings,
    sip: Endpoint,
    session: Option<SessionId>,
    state: CallState,
    local: Local,
    agreed: Option<Negotiated>,
    contexts: Option<srtp::Contexts>,
    mouth: Mouth,
    ear: Ear,
    outbox: VecDeque<Sent>,
    referral: Vec<(StatusCode, bool)>,
    texts: Vec<String>,
    manner: Manner,
    caller: Option<called::Caller>,
}

impl Phone {
    /// A phone on its hook.
    pub fn new(settings: Settings) -> Phone {
        let listeners = vec![(settings.transport, settings.sip)];
        let config = sip::Config {
            server_name: "Phone".into(),
            // It is called by the server only, and knows it by its address alone.
            access: sip::access::Access::everybody(),
            ..sip::Config::new(listeners)
        };
        let encodings = vec![encoding(settings.codec), Encoding::TelephoneEvent];
        Phone {
            sip: Endpoint::new(config, settings.seed),
            session: None,
            state: CallState::Idle,
            local: Local {
                srtp: settings.srtp.clone(),
                ..Local::new(settings.rtp, encodings, settings.seed >> 2)
            },
            agreed: None,
            contexts: None,
            mouth: Mouth::new(&settings),
            ear: Ear::new(settings.codec),
            outbox: VecDeque::new(),
            referral: Vec::new(),
            texts: Vec::new(),
            manner: Manner::Answers,
            caller: None,
            settings,
        }
    }

    /// Calls this user at the server.
    pub fn call(&mut self, now: Instant, user: &str) {
        self.call_with(now, user, ExtraHeaders::new());
    }

    /// The same, and says more in the INVITE.
    pub fn call_with(&mut self, now: Instant, user: &str, headers: ExtraHeaders) {
        let transport = match self.settings.transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
            Transport::Ws | Transport::Wss => ";transport=ws",
        };
        let to = format!("sip:{user}@{}{transport}", self.settings.server)
            .parse()
            .expect("a user's name and an address make a SIP URI");
        self.local.direction = Direction::SendRecv;
        self.local.version += 1;
        self.ear = Ear::new(self.settings.codec);
        let offer = sdp::offer(&self.local).into_bytes();
        let from = Uri::sip(&self.settings.user, Host::Ip(self.settings.sip.ip()), None);
        let invite = Invite { headers, ..Invite::new(to, NameAddr::new("", from), offer) };
        match self.sip.invite(now, invite) {
            Ok(session) => {
                self.session = Some(session);
                self.state = CallState::Calling;
            }
            Err(error) => unreachable!("a phone with no call can place one: {error}"),
        }
        self.drain(now);
    }

    /// Presses the hold key, or presses it again.
    pub fn hold(&mut self, now: Instant, held: bool) {
        let Some(session) = self.session else { return };
        let before = (self.local.version, self.local.direction);
        self.local.version += 1;
        self.local.direction = if held { Direction::SendOnly } else { Direction::SendRecv };
        let offer = sdp::offer(&self.local).into_bytes();
        if self.sip.reinvite(now, session, offer).is_err() {
            // Another change is under way; a person presses again.
            (self.local.version, self.local.direction) = before;
        }
        self.drain(now);
    }

    /// Moves its audio to another address, as a phone does that changes its network.
    pub fn move_to(&mut self, now: Instant, rtp: SocketAddr) {
        self.settings.rtp = rtp;
        self.local.address = rtp;
        let held = self.local.direction != Direction::SendRecv;
        self.hold(now, held);
    }

    /// Presses a key for 100 ms.
    pub fn press(&mut self, key: char) {
        let Some(event) = self.agreed.as_ref().and_then(|agreed| agreed.telephone_event) else {
            return;
        };
        let Some(key) = Key::from_char(key) else { return };
        let stroke = Keystroke::new(key, 100, event.clock_rate_hz, TICK_MS as u16);
        self.mouth.stroke = Some(Stroke { stroke, began: self.mouth.timestamp });
    }

    /// Hangs up, whatever the state of the call.
    pub fn hang_up(&mut self, now: Instant) {
        if let Some(session) = self.session {
            self.sip.end(now, session, None);
        }
        self.drain(now);
    }

    /// Says something else from here on.
    pub fn say(&mut self, voice: Voice) {
        self.settings.voice = voice;
        self.mouth.speak(&self.settings.voice, self.settings.codec);
    }

    /// Takes in a SIP message.
    pub fn receive_sip(&mut self, now: Instant, flow: Flow, bytes: &[u8]) {
        self.sip.receive(now, flow, bytes);
        self.drain(now);
    }

    /// Takes in a packet of audio.
    pub fn receive_rtp(&mut self, bytes: &[u8]) {
        let Some(agreed) = &self.agreed else { return };
        let opened = self.contexts.as_mut().map(|contexts| contexts.open(bytes));
        let bytes = match &opened {
            None => bytes,
            Some(Some(opened)) => opened,
            Some(None) => return,
        };
        self.ear.receive(agreed.receive_payload_type, bytes);
    }

    /// Every 20 ms: speaks a packet, and hears what has come.
    pub fn tick(&mut self) {
        self.ear.play();
        let Some(agreed) = &self.agreed else { return };
        if !self.speaks() || agreed.remote.ip().is_unspecified() {
            return;
        }
        if agreed.direction.sends() {
            let packet = self.mouth.packet(agreed);
            let packet = match &mut self.contexts {
                Some(contexts) => contexts.protect(packet),
                None => packet,
            };
            self.outbox.push_back(Sent::Rtp(agreed.remote, packet));
        }
    }

    /// Does what is due in SIP.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.sip.handle_timeout(now);
        self.drain(now);
    }

    /// When [`Self::handle_timeout`] is to be called.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.sip.next_deadline().map(|due| due.at)
    }

    /// The next thing that it sends.
    pub fn poll(&mut self) -> Option<Sent> {
        self.outbox.pop_front()
    }

    /// How far its call has come.
    pub fn state(&self) -> &CallState {
        &self.state
    }

    /// Whether nothing of its call is left, not even a transaction.
    pub fn is_idle(&self) -> bool {
        self.sip.alive() == Alive::default()
    }

    /// The rate of what it hears \[Hz\].
    pub fn rate_hz(&self) -> u32 {
        self.settings.codec.rate_hz()
    }

    /// What it heard since it was asked last.
    pub fn take_heard(&mut self) -> Vec<i16> {
        std::mem::take(&mut self.ear.heard)
    }

    /// Packets that it received since its call began.
    pub fn packets_received(&self) -> u64 {
        self.ear.packets
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.sip.poll() {
            match output {
                sip::Output::Transmit { flow, bytes } => {
                    self.outbox.push_back(Sent::Sip(flow, bytes));
                }
                sip::Output::Resolve { id, .. } => {
                    // The server is given by its address; a name in a Contact is not looked up.
                    let Settings { transport, server: address, .. } = self.settings;
                    self.sip.resolved(now, id, &[Server { transport, address }]);
                }
                sip::Output::Session(session, event) => self.session_event(now, session, event),
                sip::Output::Security(_) | sip::Output::Registered(_) | sip::Output::Trunk(..) => {}
                sip::Output::Text(id, text) => {
                    self.texts.push(text.text);
                    self.sip.answer_text(now, id, StatusCode::OK);
                }
                sip::Output::Subscription(id, event) => self.subscription_event(now, id, &event),
            }
        }
    }

    fn session_event(&mut self, now: Instant, session: SessionId, event: SessionEvent) {
        match event {
            SessionEvent::Incoming(incoming) => {
                self.called(now, session, &incoming.offer.unwrap_or_default());
            }
            SessionEvent::Ringing { .. } => self.state = CallState::Ringing,
            SessionEvent::Established { sdp } | SessionEvent::Reanswered { sdp } => {
                let agreed = sdp
                    .and_then(|sdp| Description::parse(&sdp).ok())
                    .and_then(|answer| sdp::accept(&self.local, &answer).ok());
                if let Some(agreed) = agreed {
                    self.up(agreed);
                }
            }
            SessionEvent::Reoffer { sdp } => self.reoffer(now, session, sdp),
            SessionEvent::Referral { status, over } => self.referral.push((status, over)),
            SessionEvent::Info { .. }
            | SessionEvent::Replied { .. }
            | SessionEvent::ReofferRefused { .. }
            | SessionEvent::ReofferWithdrawn => {}
            SessionEvent::Ended { cause } => {
                if self.session == Some(session) {
                    self.state = CallState::Ended(cause);
                    self.agreed = None;
                }
            }
        }
    }

    fn reoffer(&mut self, now: Instant, session: SessionId, sdp: Option<Vec<u8>>) {
        let answer = sdp
            .and_then(|sdp| Description::parse(&sdp).ok())
            .and_then(|offer| sdp::answer(&offer, &self.local).ok());
        match answer {
            Some((text, agreed)) => {
                self.agree(agreed);
                if self.sip.accept(now, session, text.into_bytes()).is_err() {
                    self.hang_up(now);
                }
            }
            None => self.reject(now, session, StatusCode::NOT_ACCEPTABLE_HERE),
        }
    }

    fn reject(&mut self, now: Instant, session: SessionId, status: StatusCode) {
        if self.sip.reject(now, session, status, None, None).is_err() {
            // The caller gave up in the same instant.
        }
    }

    fn up(&mut self, agreed: Negotiated) {
        self.agree(agreed);
        self.state = CallState::Up;
    }
}

fn encoding(codec: Codec) -> Encoding {
    match codec {
        Codec::Pcmu => Encoding::Pcmu,
        Codec::Pcma => Encoding::Pcma,
        Codec::G722 => Encoding::G722,
        Codec::Opus => Encoding::Opus,
    }
}

/// What speaks.
struct Mouth {
    codec: Codec,
    speech: Speech,
    encoder: Encoder,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    stroke: Option<Stroke>,
}

/// A key that is being pressed.
struct Stroke {
    stroke: Keystroke,
    began: u32,
}

enum Speech {
    Silence,
    Tone(Sine),
    Recording { samples: Vec<i16>, position: usize },
}

impl Mouth {
    fn new(settings: &Settings) -> Mouth {
        let encoder = Encoder::new(EncoderSettings::of(settings.codec))
            .expect("the codecs can be set up as the crate itself proposes");
        let mut mouth = Mouth {
            codec: settings.codec,
            speech: Speech::Silence,
            encoder,
            ssrc: settings.seed as u32,
            // The lower half, as RFC 3711 section 3.3.1 asks.
            sequence: (settings.seed >> 32) as u16 & 0x7fff,
            timestamp: (settings.seed >> 16) as u32,
            stroke: None,
        };
        mouth.speak(&settings.voice, settings.codec);
        mouth
    }

    fn speak(&mut self, voice: &Voice, codec: Codec) {
        let rate_hz = codec.rate_hz();
        self.speech = match voice {
            Voice::Silence => Speech::Silence,
            Voice::Tone { frequency_hz, amplitude } => {
                Speech::Tone(Sine::new(*frequency_hz, *amplitude, rate_hz))
            }
            Voice::Recording(at_16_khz) => {
                Speech::Recording { samples: resample(at_16_khz, rate_hz), position: 0 }
            }
        };
    }

    fn packet(&mut self, agreed: &Negotiated) -> Vec<u8> {
        let mut frame = vec![0; self.codec.samples(TICK_MS)];
        self.speech.fill(&mut frame);
        let mut payload = vec![0; 1_500];
        let length = self.encoder.encode(&frame, &mut payload);
        payload.truncate(length);
        let mut header = Header {
            payload_type: agreed.payload_type,
            marker: false,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        if let (Some(stroke), Some(event)) = (&mut self.stroke, agreed.telephone_event) {
            match stroke.stroke.next() {
                Some(pressed) => {
                    header.payload_type = event.payload_type;
                    header.marker = pressed.marker;
                    header.timestamp = stroke.began.wrapping_add(pressed.timestamp_offset);
                    payload = pressed.payload.to_vec();
                }
                None => self.stroke = None,
            }
        }
        let mut packet = vec![0; wire::rtp::HEADER_BYTES];
        write_header(&mut packet, &header);
        packet.extend_from_slice(&payload);
        self.sequence = self.sequence.wrapping_add(1);
        let ticks = self.codec.rtp_clock_hz() / 1_000 * TICK_MS;
        self.timestamp = self.timestamp.wrapping_add(ticks);
        packet
    }
}

impl Speech {
    fn fill(&mut self, frame: &mut [i16]) {
        match self {
            Speech::Silence => frame.fill(0),
            Speech::Tone(sine) => sine.fill(frame),
            Speech::Recording { samples, position } => {
                for sample in frame {
                    *sample = samples.get(*position).copied().unwrap_or(0);
                    *position = (*position + 1) % samples.len().max(1);
                }
            }
        }
    }
}

/// The same sound at another rate.
pub fn resample(at_16_khz: &[i16], rate_hz: u32) -> Vec<i16> {
    if rate_hz == 16_000 {
        return at_16_khz.to_vec();
    }
    let mut resampler = Resampler::new(16_000, rate_hz);
    let mut samples = Vec::with_capacity(at_16_khz.len() * 3);
    let mut block = [0; 960];
    for chunk in at_16_khz.chunks_exact(320) {
        let count = resampler.process(chunk, &mut block);
        samples.extend_from_slice(&block[..count]);
    }
    samples
}

/// What hears: puts packets in order by their timestamps, fills short gaps, keeps everything.
struct Ear {
    codec: Codec,
    decoder: Decoder,
    ssrc: Option<u32>,
    extender: Extender,
    waiting: BTreeMap<u64, Vec<u8>>,
    /// The timestamp of the sample that is played next.
    next: Option<u64>,
    heard: Vec<i16>,
    packets: u64,
}

impl Ear {
    fn new(codec: Codec) -> Ear {
        Ear {
            codec,
            decoder: Decoder::new(codec).expect("a decoder can be made for each codec"),
            ssrc: None,
            extender: Extender::new(),
            waiting: BTreeMap::new(),
            next: None,
            heard: Vec::new(),
            packets: 0,
        }
    }

    fn receive(&mut self, payload_type: u8, bytes: &[u8]) {
        let Ok(rtp) = Rtp::parse(bytes) else { return };
        if rtp.payload_type != payload_type {
            return;
        }
        self.packets += 1;
        if self.ssrc != Some(rtp.ssrc) {
            self.ssrc = Some(rtp.ssrc);
            self.extender = Extender::new();
            self.waiting.clear();
            self.next = None;
        }
        match self.extender.place(rtp.sequence, rtp.timestamp) {
            Placed::Stream(Extended { timestamp, .. })
            | Placed::Restart(Extended { timestamp, .. }) => {
                if self.next.is_none_or(|next| timestamp >= next) {
                    self.waiting.insert(timestamp, rtp.payload.to_vec());
                }
            }
            Placed::Suspect => {}
        }
    }

    /// Plays all but the last packets, which may still be overtaken.
    fn play(&mut self) {
        while self.waiting.len() > REORDER_PACKETS {
            let Some((timestamp, payload)) = self.waiting.pop_first() else { return };
            self.fill_gap(timestamp);
            let mut pcm = vec![0; self.codec.samples(120)];
            let samples = self.decoder.decode(&payload, &mut pcm).unwrap_or(0);
            self.heard.extend_from_slice(&pcm[..samples]);
            self.next = Some(timestamp + self.ticks(samples));
        }
    }

    fn fill_gap(&mut self, timestamp: u64) {
        let Some(next) = self.next else { return };
        let frame = self.codec.samples(TICK_MS);
        let frames = timestamp.saturating_sub(next) / self.ticks(frame);
        for missing in 0..frames.min(GAP_TICKS_MAX) {
            let mut pcm = vec![0; frame];
            // A gap of one or two frames is concealed, as phones do; a longer one is silence.
            if missing < 2 {
                self.decoder.conceal(&mut pcm);
            }
            self.heard.extend_from_slice(&pcm);
        }
    }

    fn ticks(&self, samples: usize) -> u64 {
        samples as u64 * u64::from(self.codec.rtp_clock_hz()) / u64::from(self.codec.rate_hz())
    }
}
