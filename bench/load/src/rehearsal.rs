//! Takes in virtual time: our mixer alone, without sockets and without waiting.

use std::net::SocketAddr;

use anyhow::{Result, anyhow};
use media::{Datagram, Desk, Music, Outbox, Stage};
use model::{
    Codec, ConferenceId, Connection, EarGroup, Gain, Hearing, LegId, MediaOrder, Place, Routing,
    Rtcp, Source, VoiceGroup,
};
use wire::rtp::{Packet, Rtp, classify};

use crate::takes::{Heard, Take, length_ms};

/// Length of a turn of the stage \[µs\].
const TURN_US: u64 = 5_000;
/// Where packets come from within a turn: not at its edge.
const OFFSET_US: u64 = 1_700;
/// Who talks, and who listens.
const LEGS: [LegId; 2] = [LegId(0), LegId(1)];

/// What the listeners hear.
///
/// # Errors
/// What the desk refuses.
pub(crate) fn in_virtual_time(takes: &[Take]) -> Result<Vec<Vec<Heard>>> {
    let end_us = |take| (length_ms(std::slice::from_ref(take)) + 500) * 1_000;
    takes.iter().map(|take| rehearse(take, end_us(take))).collect()
}

fn address(leg: LegId) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 10_000 + leg.0 as u16))
}

fn rehearse(take: &Take, end_us: u64) -> Result<Vec<Heard>> {
    let mut desk = Desk::new(7);
    let mut stage = Stage::new(Music::silence());
    let conference = ConferenceId(4);
    let mut order = |order: MediaOrder| {
        let cue = desk.compile(&order).map_err(|error| anyhow!("{error:?}"))?;
        stage.apply(cue);
        anyhow::Ok(())
    };
    for leg in LEGS {
        order(MediaOrder::Open { leg, conference, local: address(leg).ip() })?;
        order(MediaOrder::Connect { leg, connection: terms(address(leg)) })?;
    }
    order(MediaOrder::Route { conference, routing: together() })?;
    let ports = LEGS.map(|leg| desk.port(leg));
    let [Some(talker), Some(listener)] = ports else { return Err(anyhow!("a leg has no port")) };
    let mut outbox = Outbox::new();
    let mut packets = take.packets.iter().peekable();
    let mut heard = Vec::new();
    for turn in 0..end_us / TURN_US {
        let now_us = turn * TURN_US;
        while let Some(packet) = packets.next_if(|packet| packet.at_us + OFFSET_US <= now_us) {
            stage.receive(talker, address(LEGS[0]), packet.at_us + OFFSET_US, &packet.bytes);
        }
        outbox.clear();
        stage.turn(turn, &mut outbox);
        let sound = |datagram: &Datagram<'_>| {
            datagram.port == listener && classify(datagram.bytes) == Packet::Rtp
        };
        for datagram in outbox.iter().filter(sound) {
            let rtp = Rtp::parse(datagram.bytes).map_err(|error| anyhow!("{error:?}"))?;
            heard.push(Heard {
                sequence: heard.len() as u64,
                at_ms: (now_us as f64 - OFFSET_US as f64) / 1e3,
                payload: rtp.payload.to_vec(),
            });
        }
        while stage.next_report().is_some() || stage.next_spent().is_some() {}
    }
    Ok(heard)
}

fn terms(remote: SocketAddr) -> Connection {
    Connection {
        codec: Codec::Pcmu,
        payload_type: 0,
        receive_payload_type: 0,
        telephone_event: None,
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

fn together() -> Routing {
    let (ear, voice) = (EarGroup(0), VoiceGroup(0));
    let place = |leg| Place { leg, ear: Some(ear), voice: Some(voice) };
    Routing {
        places: LEGS.map(place).into(),
        hears: vec![Hearing { ear, voice, gain: Gain::UNITY }],
        ..Routing::default()
    }
}
