//! One conference in memory: what comes from its phones is encoded beforehand, what is sent is
//! dropped. Nothing but the mixer is left to be measured.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use audio::tone::Sine;
use audio::{Encoder, EncoderSettings};
use media::{Desk, Music, Outbox, PortKey, Stage};
use model::{
    Codec, ConferenceId, Connection, EarGroup, Gain, Hearing, LegId, MediaOrder, Place, Routing,
    Rtcp, Source, TelephoneEvent, VoiceGroup,
};
use wire::rtp::{HEADER_BYTES, Header, write_header};

/// Packets of a phone, which it sends over and over: 1 s.
const LOOP_PACKETS: usize = 50;
/// Loudness of a talker.
const AMPLITUDE: i16 = 6_000;
/// Turns in a tick, and how long one is.
const TURNS: u64 = 4;
const TURN_US: u64 = 5_000;

/// One leg's far end.
struct Phone {
    port: PortKey,
    address: SocketAddr,
    /// Index of what it says.
    says: usize,
    packet: Vec<u8>,
}

/// A conference of phones that send a packet of 20 ms in every tick.
pub struct Room {
    stage: Stage,
    outbox: Outbox,
    phones: Vec<Phone>,
    /// Payloads by who says them: silence first, then each talker's.
    loops: Vec<Vec<Vec<u8>>>,
    payload_type: u8,
    clock_per_packet: u32,
    tick: u64,
}

/// The codec in the words of `audio`.
fn audio_codec(codec: Codec) -> audio::Codec {
    match codec {
        Codec::Pcmu => audio::Codec::Pcmu,
        Codec::Pcma => audio::Codec::Pcma,
        Codec::G722 => audio::Codec::G722,
        Codec::Opus => audio::Codec::Opus,
    }
}

/// A loop of payloads, taken when the encoder has said it once already.
fn payloads(codec: audio::Codec, tone_hz: Option<f64>) -> Vec<Vec<u8>> {
    let settings = EncoderSettings::of(codec);
    let mut encoder = Encoder::new(settings).expect("plain settings are sound");
    let mut sine = tone_hz.map(|hz| Sine::new(hz, AMPLITUDE, codec.rate_hz()));
    let mut pcm = vec![0; codec.samples(20)];
    let mut bytes = vec![0; audio::limits::PAYLOAD_BYTES_MAX];
    let mut said = Vec::new();
    for _ in 0..2 * LOOP_PACKETS {
        if let Some(sine) = &mut sine {
            sine.fill(&mut pcm);
        }
        let length = encoder.encode(&pcm, &mut bytes);
        said.push(bytes[..length].to_vec());
    }
    said.split_off(LOOP_PACKETS)
}

/// What is agreed with a phone that speaks one codec, has keys of its own and no protection.
pub fn terms(codec: Codec, remote: SocketAddr, payload_type: u8) -> Connection {
    Connection {
        codec,
        payload_type,
        receive_payload_type: payload_type,
        // As phones offer it: who has none is listened to for keys in its sound, at a cost.
        telephone_event: Some(TelephoneEvent {
            payload_type: 101,
            receive_payload_type: 101,
            clock_rate_hz: audio_codec(codec).rtp_clock_hz(),
        }),
        alternatives: Vec::new(),
        ptime_ms: 20,
        fec: false,
        opus: Default::default(),
        remote,
        rtcp: Rtcp::Shared,
        voip_metrics: false,
        srtp: None,
        source: Source::Signalled { signalling: remote.ip() },
        sends: true,
        receives: true,
        rtp_timeout_ms: None,
    }
}

impl Room {
    /// So many legs of one codec in one room, of whom the first `talkers` speak without a pause.
    pub fn new(codec: Codec, legs: u64, talkers: u64) -> Room {
        let (mut desk, mut stage) = (Desk::new(1), Stage::new(Music::silence()));
        let conference = ConferenceId(0);
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let payload_type = 96;
        let mut order = |desk: &mut Desk, order: MediaOrder| {
            stage.apply(desk.compile(&order).expect("the orders fit each other"));
        };
        let mut phones = Vec::new();
        for number in 0..legs {
            let leg = LegId(number);
            let address = SocketAddr::new(local, 10_000 + number as u16);
            order(&mut desk, MediaOrder::Open { leg, conference, local });
            let connection = terms(codec, address, payload_type);
            order(&mut desk, MediaOrder::Connect { leg, connection });
            let port = desk.port(leg).expect("the leg was opened");
            let says = if number < talkers { 1 + number as usize } else { 0 };
            phones.push(Phone { port, address, says, packet: Vec::with_capacity(1_500) });
        }
        let (ear, voice) = (EarGroup(0), VoiceGroup(0));
        let place = |leg| Place { leg: LegId(leg), ear: Some(ear), voice: Some(voice) };
        let routing = Routing {
            places: (0..legs).map(place).collect(),
            hears: vec![Hearing { ear, voice, gain: Gain::UNITY }],
            ..Routing::default()
        };
        order(&mut desk, MediaOrder::Route { conference, routing });
        let codec = audio_codec(codec);
        let tones = (0..talkers).map(|talker| Some(437.0 + 72.0 * talker as f64));
        let loops = std::iter::once(None).chain(tones).map(|tone| payloads(codec, tone)).collect();
        let clock_per_packet = codec.rtp_clock_hz() / 50;
        let outbox = Outbox::new();
        Room { stage, outbox, phones, loops, payload_type, clock_per_packet, tick: 0 }
    }

    /// Writes each phone's next packet. This is the phones' work, not the mixer's.
    pub fn speak(&mut self) {
        let tick = self.tick as u32;
        for (number, phone) in (0..).zip(&mut self.phones) {
            let header = Header {
                payload_type: self.payload_type,
                marker: false,
                sequence: tick as u16,
                timestamp: tick.wrapping_mul(self.clock_per_packet),
                ssrc: number,
            };
            let payload = &self.loops[phone.says][tick as usize % LOOP_PACKETS];
            phone.packet.resize(HEADER_BYTES, 0);
            write_header(&mut phone.packet, &header);
            phone.packet.extend_from_slice(payload);
        }
    }

    /// As [`Room::play`], under a name of its own for callgrind to count.
    #[inline(never)]
    pub fn play_counted(&mut self) -> usize {
        self.play()
    }

    /// Receives a packet from each phone, a quarter of them in each turn, and renders a tick.
    /// Returns how many packets are to be sent.
    pub fn play(&mut self) -> usize {
        let mut sent = 0;
        let quarter = self.phones.len().div_ceil(TURNS as usize).max(1);
        let mut quarters = self.phones.chunks(quarter);
        for turn in self.tick * TURNS..(self.tick + 1) * TURNS {
            for phone in quarters.next().into_iter().flatten() {
                let arrival_us = turn * TURN_US;
                self.stage.receive(phone.port, phone.address, arrival_us, &phone.packet);
            }
            self.outbox.clear();
            self.stage.turn(turn, &mut self.outbox);
            sent += self.outbox.len();
            while self.stage.next_report().is_some() {}
            while self.stage.next_spent().is_some() {}
        }
        self.tick += 1;
        sent
    }
}
