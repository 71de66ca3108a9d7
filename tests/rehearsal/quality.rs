//! How calls are, told by RTCP; and whose packets they are.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use audio::Codec;
use model::{EventKind, Quality};
use wire::rtcp::{Compound, Packet, Report, ReportBlock, ntp_middle};
use wire::rtp::{HEADER_BYTES, Header, write_header};

use crate::network::{FAIR, FOUL, Weather};
use crate::world::World;

fn pair(seed: u64, weather: Weather, codec: Codec) -> World {
    let mut world = World::new(seed, weather);
    for codec in [codec, Codec::Pcmu] {
        let guest = world.guest(codec);
        world.join(guest, "room");
    }
    world
}

fn quality(world: &World, guest: usize) -> Quality {
    let view = world.views.values().next().unwrap();
    view.party(world.party(guest)).unwrap().quality.unwrap()
}

/// The last report to a guest: who sent it, its stream, and the middle of its time.
fn report(world: &World, guest: usize) -> (SocketAddr, u32, u32) {
    let (_, from, bytes) = world.rtcp.iter().rfind(|(to, ..)| *to == guest).unwrap();
    match Compound::parse(bytes).unwrap().next() {
        Some(Packet::SenderReport { ssrc, info, .. }) => {
            (*from, ssrc, ntp_middle(info.ntp_timestamp))
        }
        other => panic!("{other:?}"),
    }
}

/// A guest's phone tells at once that it got a report, and that so much is lost [1/256].
fn tell_loss(world: &mut World, guest: usize, fraction_lost: u8) {
    let before = world.rtcp.len();
    world.run_until(Duration::from_secs(10), |world| {
        world.rtcp[before..].iter().any(|(to, ..)| *to == guest)
    });
    let (server, ssrc, middle) = report(world, guest);
    let block =
        ReportBlock { ssrc, fraction_lost, last_sender_report: middle, ..ReportBlock::default() };
    let report = Report { ssrc: 1, sender: None, blocks: &[block], cname: "phone", bye: false };
    let mut bytes = vec![0; report.length()];
    report.write(&mut bytes).unwrap();
    let from = world.rtp(guest);
    world.post(from, server, bytes);
    world.run(Duration::from_secs(6));
}

fn told(world: &World) -> usize {
    let is_quality = |kind: &EventKind| matches!(kind, EventKind::Quality { .. });
    world.events.iter().filter(|event| is_quality(&event.kind)).count()
}

#[test]
fn a_call_s_figures_can_be_seen_and_are_told_when_it_gets_worse_or_better() {
    let mut world = pair(20, FAIR, Codec::G722);
    world.run(Duration::from_secs(6));
    let first = quality(&world, 0);
    assert_eq!((first.loss_percent, first.mos, first.far), (0.0, Some(4.41), None));
    assert_eq!(told(&world), 0, "all is well");
    tell_loss(&mut world, 0, 64);
    let bad = quality(&world, 0);
    assert!(bad.far.is_some_and(|far| far.loss_percent == 25.0 && far.mos < 2.0), "{bad:?}");
    // Twice the delay of the network, and what a turn takes.
    assert!(bad.round_trip_ms.is_some_and(|ms| (10.0..=25.0).contains(&ms)), "{bad:?}");
    assert_eq!(told(&world), 1);
    world.run(Duration::from_secs(20));
    assert_eq!(told(&world), 1, "it is as bad as it was");
    tell_loss(&mut world, 0, 0);
    assert_eq!(told(&world), 2);
    assert_eq!(quality(&world, 1).far, None);
}

#[test]
fn on_a_foul_network_loss_and_jitter_are_seen_for_what_they_are() {
    let mut world = pair(21, FOUL, Codec::Opus);
    world.run(Duration::from_secs(31));
    for guest in 0..2 {
        let quality = quality(&world, guest);
        let came = quality.packets_received as f64 / quality.packets_expected as f64;
        // 3 % lost, 2 % doubled.
        assert!((0.97..=1.01).contains(&came), "{quality:?}");
        // Delays are even between 0 and 45 ms: two of them differ by 15 ms on average.
        assert!((10.0..=20.0).contains(&quality.jitter_ms), "{quality:?}");
        assert!(quality.mos.is_some_and(|mos| (2.5..4.41).contains(&mos)), "{quality:?}");
    }
}

#[test]
fn a_nat_that_gives_a_call_another_port_is_followed_and_a_stranger_is_not() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        let mut world = pair(22, FAIR, codec);
        let others = vec![BTreeSet::from([1]), BTreeSet::from([0])];
        assert_eq!(world.listen(), others);
        world.run(Duration::from_secs(4));
        let (server, ..) = report(&world, 0);
        for round in 0..100_u16 {
            // Who shouts from the phone's host, not knowing its stream.
            let mut bytes = vec![0x00; HEADER_BYTES + 160];
            let timestamp = u32::from(round) * 160;
            let (sequence, ssrc) = (round, 77);
            let header = Header { payload_type: 0, marker: false, sequence, timestamp, ssrc };
            write_header(&mut bytes, &header);
            world.post("10.0.1.1:999".parse().unwrap(), server, bytes);
            world.run(Duration::from_millis(20));
        }
        assert_eq!(world.listen(), others);
        world.rebind(0, "10.0.1.1:61000".parse().unwrap());
        world.run(Duration::from_millis(300));
        assert_eq!(world.listen(), others, "{codec:?}");
    }
}
