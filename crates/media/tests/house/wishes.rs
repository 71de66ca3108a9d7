//! What far ends want of Opus, and that each is sent it.

use audio::EncoderSettings;
use model::{Codec, OpusWishes};

use crate::world::*;

fn at_most_bps(bps: u32) -> OpusWishes {
    OpusWishes { max_average_bitrate_bps: Some(bps), ..OpusWishes::default() }
}

fn up_to_hz(rate_hz: u32) -> OpusWishes {
    OpusWishes { max_playback_rate_hz: Some(rate_hz), ..OpusWishes::default() }
}

fn constant() -> OpusWishes {
    OpusWishes { constant_bitrate: true, ..OpusWishes::default() }
}

/// One who speaks at 64 kbit/s, and listeners with those wishes, in packets so long \[ms\].
fn room(wishes: &[OpusWishes], ptime_ms: u16) -> World {
    let mut world = World::new();
    let bitrate = Some(64_000);
    let settings = EncoderSettings { bitrate, ..EncoderSettings::of(audio::Codec::Opus) };
    world.enter(0, Phone::with_settings(0, Codec::Opus, settings).speaking(0));
    for (leg, wishes) in (1..).zip(wishes) {
        let mut phone = Phone::new(leg, Codec::Opus);
        (phone.wishes, phone.sends, phone.ptime_ms) = (*wishes, false, ptime_ms);
        world.enter(leg, phone);
    }
    world.route(all_together(0..=wishes.len() as u64));
    world
}

/// What a listener is sent in a second on average \[bit\].
fn rate_bps(phone: &Phone) -> usize {
    let bytes: usize = phone.packets.iter().map(|(bytes, _)| *bytes).sum();
    bytes * 8_000 / (phone.packets.len() * usize::from(phone.ptime_ms))
}

/// The configuration of an Opus packet in which a bandwidth begins that is not to be sent: a table
/// of RFC 6716 section 3.1.
fn is_within(toc: u8, configurations: &[std::ops::RangeInclusive<u8>]) -> bool {
    configurations.iter().any(|range| range.contains(&(toc >> 3)))
}

const NARROW: [std::ops::RangeInclusive<u8>; 2] = [0..=3, 16..=19];
const UP_TO_WIDE: [std::ops::RangeInclusive<u8>; 2] = [0..=11, 16..=23];

#[test]
fn each_far_end_is_sent_what_it_wants_of_one_and_the_same_voice() {
    for ptime_ms in [10, 20, 40] {
        let wishes = [
            OpusWishes::default(),
            at_most_bps(20_000),
            up_to_hz(8_000),
            up_to_hz(16_000),
            constant(),
        ];
        let mut world = room(&wishes, ptime_ms);
        world.run_ms(1_000);
        (1..=5).for_each(|leg| world.phone(leg).packets.clear());
        world.run_ms(3_000);
        let all = [(1, vec![0]), (2, vec![0]), (3, vec![0]), (4, vec![0]), (5, vec![0])];
        assert_eq!(world.picture()[1..], all, "{ptime_ms} ms");
        let rate = rate_bps(world.phone(2));
        assert!(rate <= 20_000, "{ptime_ms} ms: {rate} bit/s");
        assert!(world.phone(3).packets.iter().all(|(_, toc)| is_within(*toc, &NARROW)));
        assert!(world.phone(4).packets.iter().all(|(_, toc)| is_within(*toc, &UP_TO_WIDE)));
        let first = world.phone(5).packets[0].0;
        assert!(world.phone(5).packets.iter().all(|(bytes, _)| *bytes == first), "{ptime_ms} ms");
    }
}

#[test]
fn packets_of_one_length_tell_nothing_of_who_speaks_and_when() {
    let mut world = room(&[constant()], 20);
    world.run_ms(1_000);
    for number in 0..20 {
        let sine = audio::tone::Sine::new(TONES_HZ[number % 8], LOUD, 48_000);
        world.phone(0).sine = Some(sine).filter(|_| number % 3 > 0);
        world.run_ms(300);
    }
    let packets = &world.phone(1).packets;
    assert!(packets.iter().all(|(bytes, _)| *bytes == packets[0].0));
}

#[test]
fn those_who_want_nearly_the_same_share_what_is_encoded() {
    let encodes = |wishes: &[OpusWishes]| {
        let mut world = room(wishes, 20);
        world.run_ms(1_000);
        let before = world.stats().encodes;
        world.run_ms(1_000);
        world.stats().encodes - before
    };
    let one = encodes(&[at_most_bps(20_000)]);
    assert!(one >= 50, "{one}");
    assert_eq!(encodes(&[20_000, 21_000, 23_600, 22_000].map(at_most_bps)), one);
    assert_eq!(encodes(&[20_000, 30_000].map(at_most_bps)), 2 * one);
    // Bounds that nothing of ours comes near are none: the speaker's own payloads are passed on.
    assert_eq!(encodes(&[at_most_bps(64_000), up_to_hz(48_000), OpusWishes::default()]), 0);
}
