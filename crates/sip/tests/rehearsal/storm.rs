//! Everybody does anything at any time over a bad network. Whatever happens, each session ends
//! once, and nothing is left.

use std::collections::BTreeMap;

use sip::message::{ExtraHeaders, Method, StatusCode};
use sip::{Inquiry, SessionEvent, SessionId, Transport};

use crate::world::World;

/// One step of somebody's whim.
fn whim(world: &mut World) {
    let node = world.luck.below(3) as usize;
    let known: Vec<SessionId> = world.nodes[node].told.iter().map(|(id, _)| *id).collect();
    let whim = world.luck.below(17);
    if known.is_empty() || whim == 0 {
        let other = (node + 1 + world.luck.below(2) as usize) % 3;
        let transport = [Transport::Udp, Transport::Tcp][world.luck.below(2) as usize];
        world.call_between(node, other, transport).expect("room for a call");
        return;
    }
    // Of late sessions more than of old ones.
    let back = world.luck.below(6.min(known.len() as u64)) as usize;
    let id = known[known.len() - 1 - back];
    // Most verbs do not fit the state: then they must be refused without a trace.
    let refused = match whim {
        1..=4 => world.accept(node, id).is_err(),
        5 => world.reject(node, id, 488).is_err(),
        6..=9 => world.reinvite(node, id).is_err(),
        14 => {
            let (now, reliably) = (world.now, world.luck.below(2) == 0);
            let (status, sdp) = match reliably {
                true => (StatusCode::SESSION_PROGRESS, Some(b"early".to_vec())),
                false => (StatusCode::RINGING, None),
            };
            let refused = world.nodes[node].endpoint.progress(now, id, status, sdp).is_err();
            world.wake(node);
            refused
        }
        15 => {
            let (now, headers) = (world.now, ExtraHeaders::new());
            let inquiry = Inquiry { method: Method::Info, headers, body: None };
            let refused = world.nodes[node].endpoint.inquire(now, id, inquiry).is_err();
            world.wake(node);
            refused
        }
        10 => {
            let stream = world.luck.below(4);
            world.close_stream(stream);
            false
        }
        11 => {
            let now = world.now;
            world.nodes[node].endpoint.ring(now, id).is_err()
        }
        _ => {
            world.end(node, id);
            false
        }
    };
    if refused {
        world.ladder.push_str("          (refused)\n");
    }
}

/// Each session ends once, as its last event, and no session is established twice.
fn check(world: &World, seed: u64) {
    for node in &world.nodes {
        let mut by_session: BTreeMap<SessionId, Vec<&SessionEvent>> = BTreeMap::new();
        for (id, event) in &node.told {
            by_session.entry(*id).or_default().push(event);
        }
        for (id, events) in by_session {
            let ends = |event: &&&SessionEvent| matches!(event, SessionEvent::Ended { .. });
            let ups = |event: &&&SessionEvent| matches!(event, SessionEvent::Established { .. });
            let told = format!("seed {seed}, {} {id:?}: {events:?}", node.name);
            assert_eq!(events.iter().filter(ends).count(), 1, "{told}\n{}", world.ladder);
            assert!(ends(&events.last().expect("not empty")), "{told}\n{}", world.ladder);
            assert!(events.iter().filter(ups).count() <= 1, "{told}\n{}", world.ladder);
        }
    }
}

#[test]
fn whatever_anybody_does_each_session_ends_once_and_nothing_is_left() {
    let mut established = 0;
    let mut reanswered = 0;
    let mut acknowledged = 0;
    for seed in 0..800 {
        let mut world = World::new(3, seed);
        world.loss_per_mille = [0, 50, 200, 400][seed as usize % 4];
        world.doubled_per_mille = [0, 300][seed as usize / 4 % 2];
        world.spread_ms = [0, 0, 30, 700][seed as usize / 8 % 4];
        for _ in 0..60 {
            whim(&mut world);
            let pause = [0, 10, 21, 45, 500, 3_000][world.luck.below(6) as usize];
            world.run_ms(pause);
        }
        for node in 0..3 {
            let ids: Vec<SessionId> = world.nodes[node].told.iter().map(|(id, _)| *id).collect();
            for id in ids {
                world.end(node, id);
            }
        }
        // Calls that nobody was told of yet are still on their way.
        world.run_ms(40_000);
        for node in 0..3 {
            let ids: Vec<SessionId> = world.nodes[node].told.iter().map(|(id, _)| *id).collect();
            for id in ids {
                world.end(node, id);
            }
        }
        world.run_ms(250_000);
        world.settle();
        check(&world, seed);
        acknowledged += world.ladder.matches("──▶ C  PRACK").count();
        established += world.ladder.matches("Established").count();
        reanswered += world.ladder.matches("Reanswered").count();
    }
    // A storm in which nothing ever works would prove little.
    assert!(established > 1_000, "{established}");
    assert!(reanswered > 200, "{reanswered}");
    assert!(acknowledged > 100, "{acknowledged}");
}

#[test]
fn a_call_gets_through_a_network_that_loses_a_third() {
    let mut through = 0;
    for seed in 0..100 {
        let mut world = World::new(2, seed);
        world.loss_per_mille = 333;
        let calling = world.call(Transport::Udp);
        world.run_ms(20_000);
        let Some((called, _)) = world.nodes[1].told.first().cloned() else { continue };
        world.accept(1, called).expect("an INVITE that waits");
        world.run_ms(35_000);
        let up = |event: &&&SessionEvent| matches!(event, SessionEvent::Established { .. });
        let both = world.events_of(0, calling).iter().any(|event| up(&event))
            && world.events_of(1, called).iter().any(|event| up(&event));
        through += usize::from(both);
        world.end(0, calling);
        world.run_ms(60_000);
        world.end(1, called);
        world.settle();
    }
    // For a call to fail, eleven 200s in a row or their ACKs have to be lost: 0.56^11 of the calls.
    assert!(through >= 98, "{through} of 100");
}

#[test]
fn every_flow_comes_to_its_end_however_the_network_repeats_and_reorders_it() {
    for seed in 0..300 {
        let mut world = World::new(2, seed);
        world.doubled_per_mille = 500;
        world.spread_ms = [30, 150, 600][seed as usize % 3];
        world.loss_per_mille = [0, 100, 200][seed as usize / 3 % 3];
        let calling = world.call(Transport::Udp);
        world.run_ms(8_000);
        let Some((called, _)) = world.nodes[1].told.first().cloned() else {
            world.end(0, calling);
            world.run_ms(70_000);
            world.settle();
            continue;
        };
        // RFC 3665 §3.2 with early media; then holds from both sides (RFC 5359 §2.1).
        world.progress(1, called, 183, Some("answer"));
        world.run_ms(15_000);
        let accepted = world.accept(1, called);
        world.run_ms(15_000);
        for node in [0, 1, 0] {
            let (id, other) = if node == 0 { (calling, called) } else { (called, calling) };
            if world.reinvite(node, id).is_ok() {
                world.run_ms(5_000);
                let answered = world.accept(1 - node, other);
                world.run_ms(15_000);
                let told = format!("seed {seed}: {answered:?}\n{}", world.ladder);
                assert!(answered.is_ok() || world.loss_per_mille > 0, "{told}");
            }
        }
        world.end(0, calling);
        world.run_ms(70_000);
        world.end(1, called);
        world.run_ms(70_000);
        world.settle();
        if world.loss_per_mille == 0 {
            let told = format!("seed {seed}: {accepted:?}\n{}", world.ladder);
            let reanswered = world.ladder.matches("Reanswered").count();
            assert_eq!((accepted, reanswered), (Ok(()), 3), "{told}");
        }
        check(&world, seed);
    }
}
