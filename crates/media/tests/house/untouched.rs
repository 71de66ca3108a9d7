//! What a good line owes its speaker: every sample, from the first one on, at a steady delay.

use crate::world::*;
use model::{Chance, Codec, LegId, MediaReport};

/// One who is made to speak by hand, and one who listens.
fn pair() -> World {
    let mut world = World::new();
    for leg in 0..2 {
        world.enter(leg, Phone::new(leg, Codec::Pcmu));
    }
    world.phone(0).sends = false;
    world.phone(1).sends = false;
    world.route(all_together(0..2));
    world.run_ms(1_000);
    world
}

/// Says a payload and lets its time pass; the samples that it stands for.
fn say(world: &mut World, payload: &[u8]) -> Vec<i16> {
    let phone = world.phone(0);
    let bytes = rtp_packet(0, (phone.sequence, phone.timestamp, phone.ssrc), payload);
    phone.sequence = phone.sequence.wrapping_add(1);
    phone.timestamp = phone.timestamp.wrapping_add(payload.len() as u32);
    let address = phone.address;
    world.post(0, address, bytes);
    world.run_ms(payload.len() as u64 / 8);
    let mut pcm = vec![0; payload.len()];
    let mut decoder = audio::Decoder::new(audio::Codec::Pcmu).unwrap();
    decoder.decode(payload, &mut pcm).unwrap();
    pcm
}

/// Where some samples stand among others.
fn position(of: &[i16], among: &[i16]) -> Option<usize> {
    among.windows(of.len()).position(|window| window == of)
}

#[test]
fn what_one_pcmu_phone_says_reaches_another_bit_for_bit() {
    let mut chance = Chance::new(5);
    let mut world = pair();
    let mut said = Vec::new();
    for packet in 0..500 {
        // Some packets are loud, some hold nothing but the softest sounds that there are.
        let soft = packet % 7 == 3;
        let byte = |draw: u64| if soft { 0x7e | draw as u8 & 0x81 } else { draw as u8 };
        let payload: Vec<u8> = (0..160).map(|_| byte(chance.draw() >> 40)).collect();
        said.extend(say(&mut world, &payload));
    }
    say(&mut world, &[0xff; 160]);
    say(&mut world, &[0xff; 160]);
    let heard = world.phone(1).heard.clone();
    // The delay that a line begins with is given up once, after a second.
    let settled = &said[100 * 160..];
    assert!(position(settled, &heard).is_some(), "not as it was said");
}

#[test]
fn the_first_syllable_after_a_pause_is_heard_from_its_first_sample_and_reported_at_once() {
    let mut world = pair();
    for _ in 0..100 {
        say(&mut world, &[0xff; 160]);
    }
    world.reports.clear();
    // A syllable that begins softly: too soft at first to count as speech.
    let rising = |n: u8| [0x7f - n / 4, 0xff - n / 4];
    let mut said = Vec::new();
    for packet in 0..20_u8 {
        let payload: Vec<u8> = (0..80).flat_map(|_| rising(12 * packet + 4)).collect();
        said.extend(say(&mut world, &payload));
        let talking = MediaReport::Talking { leg: LegId(0), talking: true };
        if packet >= 8 {
            assert!(world.reports.contains(&talking), "not reported with packet {packet}");
        }
    }
    say(&mut world, &[0xff; 160]);
    say(&mut world, &[0xff; 160]);
    assert!(position(&said, &world.phone(1).heard).is_some(), "the onset is cut");
}

#[test]
fn whenever_in_a_tick_a_phone_sends_its_packets_are_heard_whole_and_within_a_tick_and_a_bit() {
    for leg in 0..21 {
        let mut chance = Chance::new(leg);
        let mut world = World::new();
        let noise = |_| chance.draw() as i16 / 4;
        let words: Vec<i16> =
            std::iter::repeat_n(0, 3 * 8_000).chain((0..16_000).map(noise)).collect();
        world.enter(leg, Phone::new(leg, Codec::Pcmu).saying(words.clone()));
        world.enter(100, Phone::new(100, Codec::Pcmu));
        world.route(all_together([leg, 100]));
        world.run_ms(6_000);
        let said = through_pcmu(&words[3 * 8_000..]);
        let heard = world.phone(100).heard.clone();
        let at = position(&said, &heard).expect("what is said is heard, sample by sample");
        assert_eq!(at % 160, 0, "leg {leg}: a packet is made of parts of two");
        // A packet comes as it ends, at some instant of a tick.
        let phase_us = 1_000 + leg * 3_777 % 20_000;
        let delay_us = at as u64 * 1_000 / 8 - 3_000_000 - phase_us;
        assert!((4_000..=28_000).contains(&delay_us), "leg {leg}: {delay_us} µs");
    }
}

/// What a phone hears that is sent some samples in PCMU.
fn through_pcmu(pcm: &[i16]) -> Vec<i16> {
    let settings = audio::EncoderSettings::of(audio::Codec::Pcmu);
    let mut payload = vec![0; pcm.len()];
    audio::Encoder::new(settings).unwrap().encode(pcm, &mut payload);
    let mut heard = vec![0; pcm.len()];
    let mut decoder = audio::Decoder::new(audio::Codec::Pcmu).unwrap();
    for (packet, heard) in payload.chunks(160).zip(heard.chunks_mut(160)) {
        decoder.decode(packet, heard).unwrap();
    }
    heard
}

/// Frames made up within a minute on a line that stands still for 30 to 40 ms each 2.4 s, by when
/// in a tick packets come; the steady tone on it must be heard without a click.
fn made_up_on_a_line_that_stands_still(leg: u64) -> u64 {
    let mut chance = Chance::new(9);
    let mut released_us = 0;
    let mut phone = Phone::new(leg, Codec::Pcmu).speaking(0);
    phone.network = Box::new(move |n| {
        let now_us = n * 20_000;
        if n % 120 == 60 {
            released_us = now_us + 30_000 + (chance.draw() >> 33) % 10_000;
        }
        vec![released_us.saturating_sub(now_us)]
    });
    let mut world = World::new();
    world.enter(leg, phone);
    world.enter(100, Phone::new(100, Codec::Pcmu));
    world.route(all_together([leg, 100]));
    world.run_ms(10_000);
    let concealed = world.stats().frames_concealed;
    world.phone(100).heard.clear();
    world.run_ms(60_000);
    // A steady tone is never stretched: its phase goes on as it began.
    let heard = &world.phone(100).heard;
    assert!(largest_bend(heard) < 1_600, "a click of {}", largest_bend(heard));
    world.stats().frames_concealed - concealed
}

#[test]
fn a_line_that_stands_still_now_and_then_keeps_the_delay_that_it_needs() {
    // Once in a while it stands still for longer than ever before.
    let made_up: Vec<u64> = (0..10).map(made_up_on_a_line_that_stands_still).collect();
    assert!(made_up.iter().sum::<u64>() <= 2, "given up too early: {made_up:?}");
}
