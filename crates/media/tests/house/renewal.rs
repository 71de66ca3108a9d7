//! What is agreed anew in a call, while packets by what was agreed before are on their way.

use model::{Codec, LegId, MediaOrder};

use wire::srtp::Suite;

use crate::world::{Phone, Protection, World, all_together, assert_steady};

/// One who speaks, from whom packets take 40 ms, and one who listens.
fn pair(speaker: Phone) -> World {
    let mut world = World::new();
    let codec = speaker.codec;
    world.enter(0, speaker);
    world.phone(0).network = Box::new(|_| vec![40_000]);
    world.enter(1, Phone::new(1, codec).speaking(1));
    world.route(all_together(0..2));
    world.run_ms(1_000);
    world
}

/// The speaker offers anew as that phone, which takes its place once our answer is there: 40 ms
/// after we gave it.
fn renew(world: &mut World, renewed: Phone) {
    let connection = renewed.terms();
    world.order(MediaOrder::Connect { leg: LegId(0), connection });
    // What we send goes to the new address at once, where nobody counts it yet.
    for _ in 0..8 {
        world.render();
    }
    let before = world.phones.insert(LegId(0), renewed);
    let now_us = (world.turn * 5_000) as f64;
    let renewed = world.phone(0);
    renewed.next_us = now_us;
    renewed.network = before.unwrap().network;
}

#[test]
fn who_moves_to_another_port_is_heard_though_packets_from_the_old_one_come_first() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        let mut world = pair(Phone::new(0, codec).speaking(0));
        let mut renewed = Phone::new(0, codec).speaking(2);
        renewed.address.set_port(7_000);
        renewed.ssrc = 99;
        renew(&mut world, renewed);
        world.run_ms(2_000);
        assert_eq!(world.picture(), [(0, vec![1]), (1, vec![2])], "{codec}");
    }
}

/// The same phone with that SRTP. Its stream goes on.
fn rekeyed(world: &mut World, srtp: Option<Protection>) -> Phone {
    let before = world.phone(0);
    let mut phone = Phone::new(0, before.codec).speaking(0);
    // Two packets more go out until it has our answer.
    (phone.sequence, phone.srtp) = (before.sequence.wrapping_add(2), srtp);
    phone.timestamp = before.timestamp.wrapping_add(2 * 160);
    phone
}

/// Packets that were lost, refused or not authentic, and sound that was made up for others.
fn spoilt(world: &World) -> (u64, u64, u64, u64) {
    let stats = world.stats();
    (stats.packets_lost, stats.packets_refused, stats.packets_unauthentic, stats.frames_concealed)
}

#[test]
fn another_key_is_agreed_without_a_gap_in_what_is_heard() {
    let suites = [Suite::AesCm128HmacSha1_80, Suite::AeadAes128Gcm, Suite::AesCm128HmacSha1_32];
    for (number, suite) in (0..).zip(suites) {
        let first = Phone::new(0, Codec::Pcmu).speaking(0).protected(Suite::AesCm128HmacSha1_80);
        let mut world = pair(first);
        let key = Protection::new(suite, 70 + number);
        let renewed = rekeyed(&mut world, Some(key));
        renew(&mut world, renewed);
        world.run_ms(2_000);
        assert_eq!(world.picture(), [(0, vec![1]), (1, vec![0])], "{suite:?}");
        assert_eq!(spoilt(&world), (0, 0, 0, 0), "{suite:?}");
        assert_steady(&world.phone(1).heard[2_000..], 8, 0);
    }
}

#[test]
fn what_was_protected_is_no_noise_when_plain_is_agreed() {
    let mut world = pair(Phone::new(0, Codec::Pcmu).speaking(0).protected(Suite::AeadAes128Gcm));
    let renewed = rekeyed(&mut world, None);
    renew(&mut world, renewed);
    world.run_ms(2_000);
    assert_eq!(world.picture(), [(0, vec![1]), (1, vec![0])]);
    let loudest = world.phone(1).heard.iter().map(|sample| sample.unsigned_abs()).max();
    assert!(loudest < Some(7_000), "{loudest:?}");
    assert_eq!(spoilt(&world), (0, 0, 0, 0));
}

#[test]
fn a_key_that_is_left_opens_nothing_after_two_seconds() {
    let mut world = pair(Phone::new(0, Codec::Pcmu).speaking(0).protected(Suite::AeadAes128Gcm));
    let key = Protection::new(Suite::AeadAes128Gcm, 70);
    let renewed = rekeyed(&mut world, Some(key));
    let connection = renewed.terms();
    world.order(MediaOrder::Connect { leg: LegId(0), connection });
    // It goes on with the old key, for ever.
    for _ in 0..600 {
        world.render();
    }
    let unauthentic = world.stats().packets_unauthentic;
    assert!((48..=54).contains(&unauthentic), "{unauthentic}");
}
