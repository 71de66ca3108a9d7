//! A conference of a whole day, in virtual time: what is held in memory at its end is what was held
//! at its beginning.
#![expect(unsafe_code, reason = "an allocator that counts")]
#![allow(clippy::unwrap_used, reason = "a test says that it failed by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use audio::tone::Sine;
use audio::{Encoder, EncoderSettings};
use media::{Desk, Music, Outbox, Stage};
use model::{
    Codec, ConferenceId, Connection, EarGroup, Gain, Hearing, LegId, MediaOrder, Place, Routing,
    Rtcp, Source, VoiceGroup,
};
use wire::rtp::{Header, write_header};

/// Bytes that are held.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: the system's allocator does it all; it is only counted what it gave and got back.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const CONFERENCE: ConferenceId = ConferenceId(1);
const TURN_US: u64 = 5_000;
const TURNS_PER_S: u64 = 1_000_000 / TURN_US;
const TURNS_PER_MINUTE: u64 = 60 * TURNS_PER_S;
/// Who is there all day.
const REGULARS: u64 = 2;
/// Packets of sound with which a guest begins; the rest is silence.
const WORDS: u64 = 20;

/// A telephone that sends the same packets again and again.
struct Phone {
    codec: Codec,
    ptime_ms: u16,
    /// A packet of sound, and one of silence.
    payloads: [Vec<u8>; 2],
    sent: u64,
    next_us: u64,
}

impl Phone {
    fn new(codec: Codec, ptime_ms: u16, now_us: u64) -> Phone {
        let format = audio_codec(codec);
        let mut encoder = Encoder::new(EncoderSettings::of(format)).unwrap();
        let mut pcm = vec![0; format.samples(ptime_ms.into())];
        let mut encoded = |pcm: &[i16]| {
            let mut payload = vec![0; 1_275];
            let length = encoder.encode(pcm, &mut payload);
            payload.truncate(length);
            payload
        };
        let silence = encoded(&pcm);
        Sine::new(437.0, 6_000, format.rate_hz()).fill(&mut pcm);
        let payloads = [encoded(&pcm), silence];
        Phone { codec, ptime_ms, payloads, sent: 0, next_us: now_us + 1_000 }
    }

    fn packet(&mut self, leg: u64) -> Vec<u8> {
        let payload = &self.payloads[usize::from(self.sent >= WORDS)];
        let mut bytes = vec![0; 12 + payload.len()];
        let ticks = audio_codec(self.codec).rtp_clock_hz() / 1_000 * u32::from(self.ptime_ms);
        let header = Header {
            payload_type: payload_type(self.codec),
            marker: false,
            sequence: self.sent as u16,
            timestamp: (self.sent as u32).wrapping_mul(ticks),
            ssrc: leg as u32,
        };
        write_header(&mut bytes, &header);
        bytes[12..].copy_from_slice(payload);
        self.sent += 1;
        self.next_us += u64::from(self.ptime_ms) * 1_000;
        bytes
    }
}

fn audio_codec(codec: Codec) -> audio::Codec {
    match codec {
        Codec::Pcmu => audio::Codec::Pcmu,
        Codec::Pcma => audio::Codec::Pcma,
        Codec::G722 => audio::Codec::G722,
        Codec::Opus => audio::Codec::Opus,
    }
}

fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus => 111,
    }
}

fn address(leg: u64) -> SocketAddr {
    SocketAddr::new(HOST, 10_000 + (leg % 10_000) as u16)
}

/// The media of one conference, without its thread.
struct Room {
    desk: Desk,
    stage: Stage,
    outbox: Outbox,
    phones: Vec<(u64, Phone)>,
    turn: u64,
    reports: u64,
}

impl Room {
    fn new() -> Room {
        let (desk, stage) = (Desk::new(7), Stage::new(Music::silence()));
        Room { desk, stage, outbox: Outbox::new(), phones: Vec::new(), turn: 0, reports: 0 }
    }

    fn order(&mut self, order: &MediaOrder) {
        self.stage.apply(self.desk.compile(order).unwrap());
        while self.stage.next_spent().is_some() {}
    }

    fn connect(&mut self, leg: u64, codec: Codec, ptime_ms: u16) {
        let connection = Connection {
            codec,
            payload_type: payload_type(codec),
            receive_payload_type: payload_type(codec),
            telephone_event: None,
            alternatives: Vec::new(),
            ptime_ms: 20,
            fec: false,
            opus: Default::default(),
            remote: address(leg),
            rtcp: Rtcp::Shared,
            voip_metrics: false,
            srtp: None,
            source: Source::Signalled { signalling: HOST },
            sends: true,
            receives: true,
            rtp_timeout_ms: None,
        };
        self.order(&MediaOrder::Connect { leg: LegId(leg), connection });
        self.phones.retain(|(of, _)| *of != leg);
        self.phones.push((leg, Phone::new(codec, ptime_ms, self.turn * TURN_US)));
    }

    fn route(&mut self) {
        let (ear, voice) = (EarGroup(0), VoiceGroup(0));
        let place = |leg: u64| Place { leg: LegId(leg), ear: Some(ear), voice: Some(voice) };
        let routing = Routing {
            places: self.phones.iter().map(|(leg, _)| place(*leg)).collect(),
            hears: vec![Hearing { ear, voice, gain: Gain::UNITY }],
            ..Routing::default()
        };
        self.order(&MediaOrder::Route { conference: CONFERENCE, routing });
    }

    fn enter(&mut self, leg: u64, codec: Codec, ptime_ms: u16) {
        self.order(&MediaOrder::Open { leg: LegId(leg), conference: CONFERENCE, local: HOST });
        self.connect(leg, codec, ptime_ms);
        self.route();
    }

    fn leave(&mut self, leg: u64) {
        self.phones.retain(|(of, _)| *of != leg);
        self.route();
        self.order(&MediaOrder::Close { leg: LegId(leg) });
    }

    fn run_until(&mut self, end: u64) {
        while self.turn < end {
            let now_us = self.turn * TURN_US;
            for (leg, phone) in &mut self.phones {
                while phone.next_us <= now_us {
                    let at_us = phone.next_us;
                    let bytes = phone.packet(*leg);
                    let port = self.desk.port(LegId(*leg)).unwrap();
                    self.stage.receive(port, address(*leg), at_us, &bytes);
                }
            }
            self.outbox.clear();
            self.stage.turn(self.turn, &mut self.outbox);
            while self.stage.next_report().is_some() {
                self.reports += 1;
            }
            while self.stage.next_spent().is_some() {}
            self.turn = self.stage.next_turn(self.turn);
        }
    }
}

#[test]
fn a_conference_of_a_day_with_a_guest_each_minute_holds_no_more_at_its_end_than_after_an_hour() {
    let mut room = Room::new();
    for leg in 0..REGULARS {
        room.enter(leg, Codec::Pcmu, 60);
    }
    let mut held = Vec::new();
    for minute in 0..24 * 60 {
        let begin = minute * TURNS_PER_MINUTE;
        room.run_until(begin);
        let guest = REGULARS + minute;
        room.enter(guest, Codec::ALL[minute as usize % 4], 20);
        room.run_until(begin + 10 * TURNS_PER_S);
        // Another codec is agreed in the middle.
        room.connect(guest, Codec::ALL[(minute as usize + 1) % 4], 20);
        room.route();
        room.run_until(begin + 20 * TURNS_PER_S);
        room.leave(guest);
        room.run_until(begin + 30 * TURNS_PER_S);
        assert_eq!((room.desk.legs(), room.stage.stats().ports_open), (2, 2), "minute {minute}");
        if minute % 60 == 59 {
            held.push(HELD.load(Ordering::Relaxed));
        }
    }
    let stats = room.stage.stats();
    assert_eq!((stats.packets_late, stats.packets_refused, stats.send_errors), (0, 0, 0));
    assert!(stats.packets_in > 24 * 60 * (60_000 / 60 * REGULARS - 100), "{}", stats.packets_in);
    assert!(room.reports > 24 * 60 * 12, "{}", room.reports);
    let most = held.iter().max().unwrap();
    assert!(*most <= held[0] + 4_096, "bytes held, hour by hour: {held:?}");
}
