//! A conference of four codecs, each of which any phone may send: whatever datagrams come to its ports, from its phones or from
//! strangers, and in whatever order of time, it plays on, and what it sends is RTP or RTCP to its
//! phones' hosts.
//!
//! An input is a row of datagrams, each behind a byte that says to whom it goes, whether a stranger
//! sends it and how much time passes, and its length.
#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use media::{Desk, Music, Outbox, Stage};
use model::{
    Alternative, Codec, ConferenceId, Connection, Content, EarGroup, Gain, Hearing, LegId,
    MediaOrder, Place, Routing, Rtcp, Source, TelephoneEvent, VoiceGroup,
};
use wire::rtp::{Packet, classify};

const CODECS: [(Codec, u8); 4] =
    [(Codec::Pcmu, 0), (Codec::Pcma, 8), (Codec::G722, 9), (Codec::Opus, 111)];
const CONFERENCE: ConferenceId = ConferenceId(1);
const TURN_US: u64 = 5_000;
/// An input that lasts longer is cut off: half a second.
const TURNS_MAX: u64 = 100;
/// No datagram is longer (RFC 7587 §4 and the headers of SRTP).
const DATAGRAM_BYTES_MAX: usize = 1_500;

fuzz_target!(|bytes: &[u8]| {
    let mut stage = Stage::new(Music::silence());
    let ports = set_up(&mut stage);
    let mut outbox = Outbox::new();
    let (mut turn, mut rest) = (0, bytes);
    while let [does, high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
        let (datagram, left) = behind.split_at(length);
        rest = left;
        let leg = usize::from(does & 3);
        let from = match does & 4 {
            0 => phone(leg),
            _ => SocketAddr::from(([10, 0, 1, 1], 4_000)),
        };
        stage.receive(ports[leg], from, turn * TURN_US + u64::from(does >> 3), datagram);
        for _ in 0..does >> 3 {
            outbox.clear();
            stage.turn(turn, &mut outbox);
            for sent in outbox.iter() {
                let to = ports.iter().position(|port| *port == sent.port).expect("an open port");
                assert_eq!(sent.remote.ip(), phone(to).ip(), "to a stranger");
                assert!(matches!(classify(sent.bytes), Packet::Rtp | Packet::Rtcp));
                assert!(sent.bytes.len() <= DATAGRAM_BYTES_MAX);
            }
            while stage.next_report().is_some() || stage.next_spent().is_some() {}
            turn += 1;
        }
        if turn >= TURNS_MAX {
            return;
        }
    }
});

fn phone(leg: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, leg as u8 + 1], 4_000))
}

/// Four legs who all hear each other.
fn set_up(stage: &mut Stage) -> [media::PortKey; 4] {
    let mut desk = Desk::new(7);
    let mut order = |order| stage.apply(desk.compile(&order).expect("a sound order"));
    let legs = [0, 1, 2, 3].map(LegId);
    for (number, leg) in legs.into_iter().enumerate() {
        let local = SocketAddr::from(([10, 0, 0, 100], 0)).ip();
        order(MediaOrder::Open { leg, conference: CONFERENCE, local });
        order(MediaOrder::Connect { leg, connection: terms(number) });
    }
    let (ear, voice) = (EarGroup(0), VoiceGroup(0));
    let routing = Routing {
        places: legs.map(|leg| Place { leg, ear: Some(ear), voice: Some(voice) }).into(),
        hears: vec![Hearing { ear, voice, gain: Gain::UNITY }],
        ..Routing::default()
    };
    order(MediaOrder::Route { conference: CONFERENCE, routing });
    legs.map(|leg| desk.port(leg).expect("an open leg has a port"))
}

fn terms(leg: usize) -> Connection {
    let (codec, payload_type) = CODECS[leg];
    Connection {
        codec,
        payload_type,
        receive_payload_type: payload_type,
        telephone_event: Some(TelephoneEvent {
            payload_type: 101,
            receive_payload_type: 101,
            clock_rate_hz: 8_000,
        }),
        alternatives: alternatives(codec),
        ptime_ms: 20,
        fec: codec == Codec::Opus,
        opus: Default::default(),
        remote: phone(leg),
        rtcp: Rtcp::Shared,
        voip_metrics: true,
        srtp: None,
        source: Source::Signalled { signalling: phone(leg).ip() },
        sends: true,
        receives: true,
        rtp_timeout_ms: Some(60_000),
    }
}

/// The other codecs, and keys on another clock.
fn alternatives(own: Codec) -> Vec<Alternative> {
    let others = CODECS.into_iter().filter(|(codec, _)| *codec != own);
    let events = Alternative {
        receive_payload_type: 102,
        content: Content::Events { clock_rate_hz: 48_000 },
    };
    let voice = |(codec, receive_payload_type)| Alternative {
        receive_payload_type,
        content: Content::Voice(codec),
    };
    others.map(voice).chain([events]).collect()
}
