//! Legs whose packets are protected by SRTP, beside plain ones in one room.

use model::{Codec, LegId, MediaOrder};
use wire::srtp::Suite;

use crate::world::{Phone, Protection, World, all_together, sender_report};

const CODECS: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

/// A plain leg, and one of each suite, each of another codec; all speak.
fn mixed() -> World {
    let mut world = World::new();
    world.enter(0, Phone::new(0, Codec::Pcmu).speaking(0));
    for (leg, (suite, codec)) in (1..).zip(Suite::ALL.into_iter().zip(CODECS)) {
        let phone = Phone::new(leg, codec).speaking(leg as usize).protected(suite);
        world.enter(leg, phone);
    }
    world.route(all_together(0..5));
    world
}

/// Everybody hears all others.
fn all_hear_all(world: &World, legs: usize) {
    for (leg, heard) in world.picture() {
        let others: Vec<usize> = (0..legs).filter(|other| *other as u64 != leg).collect();
        assert_eq!(heard, others, "leg {leg}");
    }
}

/// What a leg's phone shall agree on again.
fn connect(world: &mut World, leg: u64) {
    let connection = world.phone(leg).terms();
    world.order(MediaOrder::Connect { leg: LegId(leg), connection });
}

#[test]
fn plain_and_protected_legs_of_all_codecs_hear_each_other_over_a_wrap_of_the_sequence() {
    let mut world = mixed();
    // Each phone's sequence wraps within a second; every seventh packet is overtaken by two, and
    // every eleventh is lost.
    for leg in 0..5 {
        world.phone(leg).network = Box::new(|number| match number {
            number if number % 11 == 3 => vec![],
            number if number % 7 == 2 => vec![45_000],
            _ => vec![0],
        });
    }
    world.run_ms(4_000);
    all_hear_all(&world, 5);
    assert_eq!(world.stats().packets_unauthentic, 0);
    assert_eq!(world.stats().packets_refused, 0);
}

#[test]
fn who_has_the_wrong_key_is_not_heard_and_is_counted() {
    let mut world = mixed();
    world.run_ms(1_000);
    let wrong = Protection::new(Suite::AesCm128HmacSha1_80, 99);
    let phone = world.phone(3);
    phone.srtp.as_mut().unwrap().outbound = wrong.outbound;
    let before = world.stats().packets_in;
    world.run_ms(3_000);
    for (leg, heard) in world.picture() {
        assert!(!heard.contains(&3), "leg {leg} hears {heard:?}");
    }
    let stats = world.stats();
    assert!((148..=152).contains(&stats.packets_unauthentic), "{}", stats.packets_unauthentic);
    assert!(stats.packets_in - before <= 4 * 152);
}

#[test]
fn a_plain_packet_is_not_taken_where_srtp_is_agreed() {
    let mut world = mixed();
    world.run_ms(1_000);
    // It goes on hearing, so only what it says is plain.
    let mut plain = Phone::new(3, Codec::G722).speaking(7);
    let phone = world.phone(3);
    phone.sends = false;
    let address = phone.address;
    (plain.sequence, plain.timestamp) = (phone.sequence, phone.timestamp);
    for _ in 0..150 {
        let bytes = plain.packet();
        world.post(3, address, bytes);
        world.run_ms(20);
    }
    assert_eq!(world.stats().packets_unauthentic, 150);
    assert!(world.picture().iter().all(|(_, heard)| !heard.contains(&7)));
}

#[test]
fn a_strangers_packets_neither_open_the_window_nor_move_it() {
    let mut world = mixed();
    let stranger = Protection::new(Suite::AeadAes128Gcm, 77);
    let mut forged = Phone::new(1, Codec::Pcmu).speaking(7);
    forged.srtp = Some(stranger);
    forged.sequence = forged.sequence.wrapping_add(5_000);
    let (from, phone) = ("192.0.2.1:6666".parse().unwrap(), world.phone(1).address);
    // Before the phone has said anything, from another port of its host and with its SSRC.
    for _ in 0..10 {
        let bytes = forged.packet();
        world.post(1, from, bytes);
    }
    world.run_ms(1_000);
    // While it speaks: from there, and with its own address.
    for turn in 0..100 {
        let bytes = forged.packet();
        world.post(1, if turn % 2 == 0 { from } else { phone }, bytes);
        world.run_ms(20);
    }
    // While it is silent, which is when a plain stream would be followed.
    world.phone(1).sends = false;
    for _ in 0..20 {
        world.run_ms(20);
        let bytes = forged.packet();
        world.post(1, from, bytes);
    }
    let phone = world.phone(1);
    phone.sends = true;
    phone.timestamp = phone.timestamp.wrapping_add(20 * 160);
    // The world asserts that all that is sent to the leg goes to its phone.
    world.run_ms(2_000);
    all_hear_all(&world, 5);
    assert_eq!(world.stats().packets_unauthentic, 130);
}

#[test]
fn a_nat_that_moves_a_protected_stream_is_followed() {
    let mut world = mixed();
    world.run_ms(1_000);
    world.phone(2).sends = false;
    world.run_ms(300);
    let phone = world.phone(2);
    phone.address.set_port(7_777);
    let address = phone.address;
    let mut posted = Vec::new();
    for _ in 0..3 {
        posted.push(phone.packet());
    }
    for bytes in posted {
        world.post(2, address, bytes);
    }
    world.render();
    // From here on each step asserts that the address is followed.
    let phone = world.phone(2);
    phone.sends = true;
    phone.timestamp = phone.timestamp.wrapping_add(15 * 160);
    world.run_ms(2_000);
    all_hear_all(&world, 5);
}

#[test]
fn the_same_key_goes_on_after_hold_and_another_codec_and_a_new_one_begins() {
    let mut world = mixed();
    world.run_ms(2_000);
    // Both sequences have wrapped, so that a context made anew would not be understood.
    let held = model::Connection { sends: false, receives: false, ..world.phone(1).terms() };
    world.order(MediaOrder::Connect { leg: LegId(1), connection: held });
    world.run_ms(500);
    connect(&mut world, 1);
    let phone = world.phone(2);
    let mut recoded = Phone::new(2, Codec::Opus).speaking(2);
    (recoded.sequence, recoded.timestamp) = (phone.sequence, phone.timestamp);
    (recoded.srtp, recoded.next_us) = (phone.srtp.take(), phone.next_us);
    *phone = recoded;
    connect(&mut world, 2);
    world.run_ms(2_000);
    all_hear_all(&world, 5);
    let phone = world.phone(4);
    phone.srtp = Some(Protection::new(Suite::AeadAes128Gcm, 44));
    connect(&mut world, 4);
    world.run_ms(2_000);
    all_hear_all(&world, 5);
    assert_eq!(world.stats().packets_unauthentic, 0);
}

#[test]
fn reports_are_protected_and_one_that_is_not_tells_nothing() {
    let mut world = mixed();
    world.run_ms(12_000);
    for leg in 1..5 {
        assert!(!world.phone(leg).told.is_empty(), "leg {leg} was told nothing");
    }
    let (address, ssrc) = (world.phone(1).address, world.phone(1).ssrc);
    let before = world.stats();
    let report = sender_report(ssrc, 1, 0);
    world.post(1, address, report.clone());
    let protected = world.phone(1).srtp.as_mut().unwrap().protected(&report);
    world.post(1, address, protected.clone());
    world.post(1, address, protected);
    world.run_ms(20);
    let after = world.stats();
    assert_eq!(after.packets_unauthentic - before.packets_unauthentic, 1);
    assert_eq!(after.rtcp_packets_in - before.rtcp_packets_in, 1);
    assert_eq!(after.packets_duplicate - before.packets_duplicate, 1);
}
