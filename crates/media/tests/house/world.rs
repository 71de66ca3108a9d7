//! A stage with telephones around it, in virtual time.
#![allow(unreachable_pub, reason = "it is a module of the tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use assert_no_alloc::assert_no_alloc;
use audio::tone::{Ear, Sine};
use audio::{Decoder, Encoder, EncoderSettings};
use media::{Clip, Clips, Desk, Music, Outbox, Stage};
use model::routing::TapPlace;
use model::stats::MediaStats;
use model::{
    Alternative, ClipName, Codec, ConferenceId, Connection, Content, EarGroup, Gain, Hearing,
    LegId, MediaOrder, MediaReport, OpusWishes, Place, PromptName, RecordingId, Routing, Rtcp,
    Source, TelephoneEvent, VoiceGroup,
};
use wire::rtcp::{Report, ReportBlock, SenderInfo};
use wire::rtp::{Header, Packet, Rtp, classify, write_header};
use wire::srtp::{Inbound, KeySource, MasterKey, Outbound, Suite};
use wire::telephone_event::Event;

/// What telephones speak: tones that no harmonic of another meets.
pub const TONES_HZ: [f64; 8] = [437.0, 509.0, 577.0, 653.0, 727.0, 809.0, 877.0, 953.0];
/// The loudness of a telephone.
pub const LOUD: i16 = 6_000;

pub fn audio_codec(codec: Codec) -> audio::Codec {
    match codec {
        Codec::Pcmu => audio::Codec::Pcmu,
        Codec::Pcma => audio::Codec::Pcma,
        Codec::G722 => audio::Codec::G722,
        Codec::Opus => audio::Codec::Opus,
    }
}

pub fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus => 111,
    }
}

/// How a tone begins or ends without a click of its own.
pub enum Swell {
    In,
    Out,
}

/// The far end's side of SRTP.
pub struct Protection {
    /// For what it sends.
    pub key: MasterKey,
    pub server_key: MasterKey,
    pub outbound: Outbound,
    pub inbound: Inbound,
}

impl Protection {
    pub fn new(suite: Suite, seed: u8) -> Protection {
        let mut source = KeySource::new([seed; 32]);
        let (key, server_key) = (source.draw(suite), source.draw(suite));
        let (outbound, inbound) = (Outbound::new(&key), Inbound::new(&server_key));
        Protection { key, server_key, outbound, inbound }
    }

    fn terms(&self) -> model::Srtp {
        let suite = match self.key.suite() {
            Suite::AeadAes128Gcm => model::SrtpSuite::AeadAes128Gcm,
            Suite::Aes256CmHmacSha1_80 => model::SrtpSuite::Aes256CmHmacSha1_80,
            Suite::AesCm128HmacSha1_80 => model::SrtpSuite::AesCm128HmacSha1_80,
            Suite::AesCm128HmacSha1_32 => model::SrtpSuite::AesCm128HmacSha1_32,
        };
        let key = |key: &MasterKey| model::SrtpKey(*key.bytes());
        model::Srtp { suite, ours: key(&self.server_key), theirs: key(&self.key) }
    }

    pub fn protected(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut bytes = plain.to_vec();
        if classify(plain) == Packet::Rtcp {
            bytes.resize(plain.len() + self.outbound.control_overhead(), 0);
            self.outbound.protect_control(&mut bytes).unwrap();
        } else {
            bytes.resize(plain.len() + self.outbound.overhead(), 0);
            self.outbound.protect(&mut bytes).unwrap();
        }
        bytes
    }

    fn opened(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let length = if classify(&bytes) == Packet::Rtcp {
            self.inbound.unprotect_control(&mut bytes)
        } else {
            self.inbound.unprotect(&mut bytes)
        };
        bytes.truncate(length.expect("what is sent is protected with the key that was agreed"));
        bytes
    }
}

/// The far end of a leg. It sends a packet every packet time and keeps what it hears.
pub struct Phone {
    pub address: SocketAddr,
    pub codec: Codec,
    /// What it speaks, if that is another one.
    speaks: Codec,
    /// What it wants of Opus.
    pub wishes: OpusWishes,
    /// What else it may send.
    pub alternatives: Vec<Alternative>,
    pub ptime_ms: u16,
    /// How it says its keys; none where they are in its sound.
    pub telephone_event: Option<TelephoneEvent>,
    pub sine: Option<Sine>,
    /// Samples that it says first.
    pub words: std::vec::IntoIter<i16>,
    /// Its tone begins or ends with a ramp of a packet in the next one.
    pub swell: Option<Swell>,
    /// False sends no packets at all.
    pub sends: bool,
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
    /// Parts per million by which its clock is fast.
    pub drift_ppm: f64,
    /// What the network does to packet n: how late each copy comes \[µs\]; none is a loss.
    pub network: Box<dyn FnMut(u64) -> Vec<u64>>,
    pub heard: Vec<i16>,
    pub headers: Vec<(u16, u32, bool)>,
    /// The payloads of those: how long, and their first byte.
    pub packets: Vec<(usize, u8)>,
    /// Telephone-events that it was sent.
    pub events: Vec<(u16, u32, bool, Event)>,
    /// RTCP that it was sent.
    pub told: Vec<Vec<u8>>,
    /// Its SRTP, if it has any.
    pub srtp: Option<Protection>,
    sent: u64,
    /// The tone that it speaks.
    tone: Option<usize>,
    /// When it sends its next packet [µs].
    pub next_us: f64,
    encoder: Encoder,
    /// It goes on with the encoders that it had before when it comes back to a codec.
    pub keeps_encoders: bool,
    kept: BTreeMap<Codec, Encoder>,
    decoder: Decoder,
}

impl Phone {
    pub fn new(leg: u64, codec: Codec) -> Phone {
        Phone::with_settings(leg, codec, EncoderSettings::of(audio_codec(codec)))
    }

    pub fn with_settings(leg: u64, codec: Codec, settings: EncoderSettings) -> Phone {
        let clock_rate_hz = if codec == Codec::Opus { 48_000 } else { 8_000 };
        let event = TelephoneEvent { payload_type: 101, receive_payload_type: 101, clock_rate_hz };
        Phone {
            address: SocketAddr::from(([192, 0, 2, 1], 10_000 + leg as u16)),
            codec,
            speaks: codec,
            wishes: OpusWishes::default(),
            alternatives: Vec::new(),
            ptime_ms: 20,
            telephone_event: Some(event),
            sine: None,
            words: Vec::new().into_iter(),
            swell: None,
            sends: true,
            ssrc: 1_000 + leg as u32,
            sequence: 65_500_u16.wrapping_add(leg as u16),
            timestamp: u32::MAX - 4_000,
            drift_ppm: 0.0,
            network: Box::new(|_| vec![0]),
            heard: Vec::new(),
            headers: Vec::new(),
            packets: Vec::new(),
            events: Vec::new(),
            told: Vec::new(),
            srtp: None,
            sent: 0,
            tone: None,
            next_us: 1_000.0 + (leg * 3_777 % 20_000) as f64,
            encoder: Encoder::new(settings).unwrap(),
            keeps_encoders: false,
            kept: BTreeMap::new(),
            decoder: Decoder::new(audio_codec(codec)).unwrap(),
        }
    }

    /// Its keys are in its sound.
    pub fn without_events(mut self) -> Phone {
        self.telephone_event = None;
        self
    }

    /// It speaks the tone of that number.
    pub fn speaking(mut self, tone: usize) -> Phone {
        self.tone = Some(tone);
        self.speaking_hz(TONES_HZ[tone], LOUD)
    }

    pub fn speaking_hz(mut self, frequency_hz: f64, amplitude: i16) -> Phone {
        let rate_hz = audio_codec(self.codec).rate_hz();
        self.sine = Some(Sine::new(frequency_hz, amplitude, rate_hz));
        self
    }

    /// Its packets are protected, with keys of its own.
    pub fn protected(mut self, suite: Suite) -> Phone {
        self.srtp = Some(Protection::new(suite, self.ssrc as u8));
        self
    }

    /// It says these samples, at the rate of its codec, once.
    pub fn saying(mut self, words: Vec<i16>) -> Phone {
        self.words = words.into_iter();
        self
    }

    /// It may speak any of these, by turns.
    pub fn or_any_of(mut self, codecs: &[Codec]) -> Phone {
        let others = codecs.iter().filter(|codec| **codec != self.codec);
        let alternative = |codec: &Codec| Alternative {
            receive_payload_type: payload_type(*codec),
            content: Content::Voice(*codec),
        };
        self.alternatives = others.map(alternative).collect();
        self
    }

    /// It goes on in another codec. Its tone is where it would have been.
    pub fn speak(&mut self, codec: Codec) {
        let rate_hz = audio_codec(codec).rate_hz();
        let spoken = self.sent * u64::from(self.ptime_ms) * u64::from(rate_hz) / 1_000;
        if let Some(tone) = self.tone {
            let mut sine = Sine::new(TONES_HZ[tone], LOUD, rate_hz);
            (0..spoken).for_each(|_| {
                sine.next_sample();
            });
            self.sine = Some(sine);
        }
        let kept = self.kept.remove(&codec);
        let next = || Encoder::new(EncoderSettings::of(audio_codec(codec))).unwrap();
        let before = std::mem::replace(&mut self.encoder, kept.unwrap_or_else(next));
        if self.keeps_encoders {
            self.kept.insert(self.speaks, before);
        }
        self.speaks = codec;
    }

    pub fn terms(&self) -> Connection {
        let payload_type = payload_type(self.codec);
        Connection {
            codec: self.codec,
            payload_type,
            receive_payload_type: payload_type,
            telephone_event: self.telephone_event,
            alternatives: self.alternatives.clone(),
            ptime_ms: self.ptime_ms,
            fec: false,
            opus: self.wishes,
            remote: self.address,
            rtcp: Rtcp::Shared,
            voip_metrics: false,
            srtp: self.srtp.as_ref().map(Protection::terms),
            source: Source::Signalled { signalling: self.address.ip() },
            sends: true,
            receives: true,
            rtp_timeout_ms: None,
        }
    }

    /// The next packet.
    pub fn packet(&mut self) -> Vec<u8> {
        let codec = audio_codec(self.speaks);
        let mut pcm = vec![0; codec.samples(self.ptime_ms.into())];
        if let Some(sine) = &mut self.sine {
            sine.fill(&mut pcm);
        }
        for (sample, word) in pcm.iter_mut().zip(self.words.by_ref()) {
            *sample = word;
        }
        let length = pcm.len() as i32;
        match self.swell.take() {
            None => {}
            Some(Swell::In) => (0..).zip(&mut pcm).for_each(|(index, sample)| {
                *sample = (i32::from(*sample) * index / length) as i16;
            }),
            Some(Swell::Out) => {
                self.sine = None;
                (0..).zip(&mut pcm).for_each(|(index, sample)| {
                    *sample = (i32::from(*sample) * (length - index) / length) as i16;
                });
            }
        }
        let mut payload = vec![0; 1_275];
        let length = self.encoder.encode(&pcm, &mut payload);
        let bytes = rtp_packet(
            payload_type(self.speaks),
            (self.sequence, self.timestamp, self.ssrc),
            &payload[..length],
        );
        self.sequence = self.sequence.wrapping_add(1);
        let ticks = codec.rtp_clock_hz() / 1_000 * u32::from(self.ptime_ms);
        self.timestamp = self.timestamp.wrapping_add(ticks);
        match &mut self.srtp {
            Some(srtp) => srtp.protected(&bytes),
            None => bytes,
        }
    }

    pub fn hear(&mut self, bytes: &[u8]) {
        let bytes = match &mut self.srtp {
            Some(srtp) => &srtp.opened(bytes)[..],
            None => bytes,
        };
        if classify(bytes) == Packet::Rtcp {
            self.told.push(bytes.to_vec());
            return;
        }
        let rtp = Rtp::parse(bytes).unwrap();
        if rtp.payload_type == 101 {
            let event = Event::parse(rtp.payload).unwrap();
            self.events.push((rtp.sequence, rtp.timestamp, rtp.marker, event));
            return;
        }
        assert_eq!(rtp.payload_type, payload_type(self.codec));
        self.headers.push((rtp.sequence, rtp.timestamp, rtp.marker));
        self.packets.push((rtp.payload.len(), rtp.payload[0]));
        let mut pcm = [0; 5_760];
        // A gap in the sequence is a loss, which every decoder conceals.
        if let [.., (before, at, _), _] = self.headers[..] {
            let codec = audio_codec(self.codec);
            let missing = rtp.sequence.wrapping_sub(before).wrapping_sub(1);
            let passed = rtp.timestamp.wrapping_sub(at) / (codec.rtp_clock_hz() / 50);
            for _ in 0..u32::from(missing).min(passed.saturating_sub(1)) {
                let frame = &mut pcm[..codec.samples(20)];
                self.decoder.conceal(frame);
                self.heard.extend_from_slice(frame);
            }
        }
        let samples = self.decoder.decode(rtp.payload, &mut pcm).unwrap();
        self.heard.extend_from_slice(&pcm[..samples]);
    }

    /// The tones that it hears in the last second, by number; `TONES_HZ.len()` is the music.
    pub fn tones_heard(&self) -> BTreeSet<usize> {
        let rate_hz = audio_codec(self.codec).rate_hz();
        tones_in(&self.heard, rate_hz)
    }
}

/// The tones in the last whole windows of a second of samples.
pub fn tones_in(pcm: &[i16], rate_hz: u32) -> BTreeSet<usize> {
    let mut candidates = TONES_HZ.to_vec();
    candidates.push(audio::music::SIGNATURE_HZ[0]);
    let mut ear = Ear::new(&candidates, rate_hz);
    let window = rate_hz as usize / 5 * 4;
    assert!(pcm.len() >= window, "only {} samples were heard", pcm.len());
    ear.push(&pcm[pcm.len() - window..]);
    ear.heard()
}

pub fn rtp_packet(payload_type: u8, place: (u16, u32, u32), payload: &[u8]) -> Vec<u8> {
    let (sequence, timestamp, ssrc) = place;
    let mut bytes = vec![0; 12 + payload.len()];
    let header = Header { payload_type, marker: false, sequence, timestamp, ssrc };
    write_header(&mut bytes, &header);
    bytes[12..].copy_from_slice(payload);
    bytes
}

/// A sender report of a phone, with a block about the stream `of`.
pub fn sender_report(ssrc: u32, of: u32, fraction_lost: u8) -> Vec<u8> {
    let info = SenderInfo {
        ntp_timestamp: 0x1234_5678_9abc_def0,
        rtp_timestamp: 0,
        packet_count: 1,
        octet_count: 160,
    };
    let block = ReportBlock { ssrc: of, fraction_lost, jitter: 80, ..ReportBlock::default() };
    let report = Report { ssrc, sender: Some(info), blocks: &[block], cname: "far", bye: false };
    let mut bytes = vec![0; report.length()];
    report.write(&mut bytes).unwrap();
    bytes
}

/// The largest bend: how much a step differs from the one before. A click is a bend.
pub fn largest_bend(pcm: &[i16]) -> i32 {
    let bend = |t: &[i16]| (i32::from(t[2]) - 2 * i32::from(t[1]) + i32::from(t[0])).abs();
    pcm.windows(3).map(bend).max().unwrap_or(0)
}

/// A tone heard without a gap longer than so many milliseconds, and without a click.
pub fn assert_steady(pcm: &[i16], per_ms: usize, gap_ms_max: usize) {
    let quiet = |part: &[i16]| part.iter().all(|sample| sample.unsigned_abs() < 400);
    let longest = pcm.chunks(per_ms).map(quiet).fold((0, 0), |(longest, run), quiet| {
        let run = if quiet { run + 1 } else { 0 };
        (longest.max(run), run)
    });
    assert!(longest.0 <= gap_ms_max, "a gap of {} ms", longest.0);
}

/// Everybody in one ear group and one voice group.
pub fn all_together(legs: impl IntoIterator<Item = u64>) -> Routing {
    let (ear, voice) = (EarGroup(0), VoiceGroup(0));
    let place = |leg| Place { leg: LegId(leg), ear: Some(ear), voice: Some(voice) };
    Routing {
        places: legs.into_iter().map(place).collect(),
        hears: vec![Hearing { ear, voice, gain: Gain::UNITY }],
        ..Routing::default()
    }
}

/// A recorder with the ear of a group.
pub fn with_tap(mut routing: Routing, recording: RecordingId, ear: EarGroup) -> Routing {
    routing.taps.push(TapPlace { recording, ear });
    routing
}

/// The name of the clip that says a tone.
pub fn clip_name(tone: usize) -> ClipName {
    let name = |text: &str| PromptName::parse(text).unwrap();
    ClipName::common(&name("en"), &name(&format!("tone{tone}")))
}

/// For each tone a clip of it that lasts so long.
pub fn clips(ms: usize) -> Clips {
    let clip = |tone: usize| {
        let mut pcm = vec![0; 16 * ms];
        Sine::new(TONES_HZ[tone], LOUD, 16_000).fill(&mut pcm);
        (clip_name(tone), Clip::new(&pcm, 16_000))
    };
    (0..TONES_HZ.len()).map(clip).collect()
}

pub struct World {
    pub desk: Desk,
    pub stage: Stage,
    pub outbox: Outbox,
    pub phones: BTreeMap<LegId, Phone>,
    pub conference: ConferenceId,
    pub reports: Vec<MediaReport>,
    pub turn: u64,
    /// Packets on their way: when each comes, a number to keep them apart, to which leg.
    network: BTreeMap<(u64, u64), (LegId, SocketAddr, Vec<u8>)>,
    posted: u64,
}

impl World {
    pub fn new() -> World {
        World::with_music(Music::silence())
    }

    pub fn with_music(music: Music) -> World {
        World {
            desk: Desk::new(7),
            stage: Stage::new(music),
            outbox: Outbox::new(),
            phones: BTreeMap::new(),
            conference: ConferenceId(4),
            reports: Vec::new(),
            turn: 0,
            network: BTreeMap::new(),
            posted: 0,
        }
    }

    pub fn order(&mut self, order: MediaOrder) {
        let cue = self.desk.compile(&order).unwrap();
        self.stage.apply(cue);
    }

    /// Lets a telephone in.
    pub fn enter(&mut self, leg: u64, phone: Phone) {
        let (leg, conference) = (LegId(leg), self.conference);
        let local = "127.0.0.1".parse().unwrap();
        self.order(MediaOrder::Open { leg, conference, local });
        self.order(MediaOrder::Connect { leg, connection: phone.terms() });
        let mut phone = phone;
        phone.next_us += (self.turn * 5_000) as f64;
        self.phones.insert(leg, phone);
    }

    pub fn route(&mut self, routing: Routing) {
        let conference = self.conference;
        self.order(MediaOrder::Route { conference, routing });
    }

    pub fn phone(&mut self, leg: u64) -> &mut Phone {
        self.phones.get_mut(&LegId(leg)).unwrap()
    }

    pub fn stats(&self) -> MediaStats {
        *self.stage.stats()
    }

    /// A datagram to a leg's port that comes now.
    pub fn post(&mut self, leg: u64, from: SocketAddr, bytes: Vec<u8>) {
        let now_us = self.turn * 5_000;
        self.post_at(now_us, LegId(leg), from, bytes);
    }

    fn post_at(&mut self, at_us: u64, leg: LegId, from: SocketAddr, bytes: Vec<u8>) {
        self.posted += 1;
        self.network.insert((at_us, self.posted), (leg, from, bytes));
    }

    fn let_phones_speak(&mut self, until_us: u64) {
        let mut posts = Vec::new();
        for (leg, phone) in &mut self.phones {
            while phone.sends && phone.next_us <= until_us as f64 {
                let bytes = phone.packet();
                for late_us in (phone.network)(phone.sent) {
                    posts.push((
                        phone.next_us as u64 + late_us,
                        *leg,
                        phone.address,
                        bytes.clone(),
                    ));
                }
                phone.sent += 1;
                let pace = 1_000.0 / (1.0 + phone.drift_ppm / 1e6);
                phone.next_us += f64::from(phone.ptime_ms) * pace;
            }
            if !phone.sends {
                phone.next_us = phone.next_us.max(until_us as f64);
            }
        }
        for (at_us, leg, from, bytes) in posts {
            self.post_at(at_us, leg, from, bytes);
        }
    }

    /// Receives and renders one turn; what is to be sent is in the outbox.
    pub fn render(&mut self) {
        let now_us = self.turn * 5_000;
        self.let_phones_speak(now_us);
        while let Some(entry) = self.network.first_entry().filter(|e| e.key().0 <= now_us) {
            let at_us = entry.key().0;
            let (leg, from, bytes) = entry.remove();
            if let Some(port) = self.desk.port(leg) {
                // Asserted where the test file sets the allocator.
                assert_no_alloc(|| self.stage.receive(port, from, at_us, &bytes));
            }
        }
        self.outbox.clear();
        assert_no_alloc(|| self.stage.turn(self.turn, &mut self.outbox));
        self.turn += 1;
    }

    /// One turn of 5 ms, with all that is sent delivered.
    pub fn step(&mut self) {
        self.render();
        let ports: BTreeMap<usize, LegId> = self
            .phones
            .keys()
            .filter_map(|leg| self.desk.port(*leg).map(|port| (port.index(), *leg)))
            .collect();
        for datagram in self.outbox.iter() {
            let Some(leg) = ports.get(&datagram.port.index()) else { continue };
            let phone = self.phones.get_mut(leg).unwrap();
            assert_eq!(datagram.remote, phone.address);
            phone.hear(datagram.bytes);
        }
        while let Some(report) = self.stage.next_report() {
            self.reports.push(report);
        }
        while self.stage.next_spent().is_some() {}
    }

    pub fn run_ms(&mut self, ms: u64) {
        for _ in 0..ms / 5 {
            self.step();
        }
    }

    /// Who hears whom, by ear: for each leg the tones that it hears.
    pub fn picture(&self) -> Vec<(u64, Vec<usize>)> {
        let heard = |phone: &Phone| phone.tones_heard().into_iter().collect();
        self.phones.iter().map(|(leg, phone)| (leg.0, heard(phone))).collect()
    }
}
