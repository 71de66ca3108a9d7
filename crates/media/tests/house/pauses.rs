//! Talkers whose phones send little or nothing while nobody speaks (DTX).

use crate::world::*;
use audio::tone::Sine;
use model::Codec;

/// What a phone sends in a pause.
#[derive(Debug, Clone, Copy)]
enum Pause {
    Nothing,
    /// A packet of comfort noise at its beginning (RFC 3389).
    ComfortNoise,
    /// What libopus does: a frame of nothing but its first byte, each 400 ms.
    EmptyFrames,
}

/// Where a phone's clock of timestamps stands now.
fn clock_at(world: &World, codec: Codec) -> u32 {
    world.turn as u32 * 5 * (audio_codec(codec).rtp_clock_hz() / 1_000)
}

/// A talker's spurts, between pauses of a second, to a listener: by how much later than the
/// earliest each is heard \[ms\], and the loudest sample of any pause once it has lasted 300 ms.
fn spurts(talker: Codec, listener: Codec, pause: Pause) -> (Vec<u64>, u16) {
    let mut world = World::new();
    let first_byte = Phone::new(0, talker).packet()[12] & !3;
    let mut phone = Phone::new(0, talker);
    phone.timestamp = 0;
    world.enter(0, phone);
    world.enter(1, Phone::new(1, listener));
    world.phone(1).sends = false;
    world.route(all_together(0..2));
    world.run_ms(3_000);
    let rate_hz = audio_codec(talker).rate_hz();
    let (mut latencies, mut loudest) = (Vec::new(), 0);
    for _ in 0..12 {
        let timestamp = clock_at(&world, talker);
        let phone = world.phone(0);
        phone.timestamp = timestamp;
        phone.sends = true;
        phone.sine = Some(Sine::new(TONES_HZ[0], LOUD, rate_hz));
        let mut latency = None;
        for turn in 0..160 {
            world.phone(1).heard.clear();
            world.step();
            let sounds = world.phone(1).heard.iter().any(|sample| sample.unsigned_abs() > 1_500);
            latency = latency.or(sounds.then_some(turn * 5));
        }
        latencies.push(latency.expect("it is heard"));
        world.phone(0).sends = false;
        for tick in 0..50 {
            let timestamp = clock_at(&world, talker);
            let phone = world.phone(0);
            let empty = match pause {
                Pause::Nothing => None,
                Pause::ComfortNoise => (tick == 0).then(|| (13, vec![60])),
                Pause::EmptyFrames => {
                    (tick % 20 == 0).then(|| (payload_type(talker), vec![first_byte]))
                }
            };
            if let Some((number, payload)) = empty {
                let bytes = rtp_packet(number, (phone.sequence, timestamp, phone.ssrc), &payload);
                phone.sequence = phone.sequence.wrapping_add(1);
                let from = phone.address;
                world.post(0, from, bytes);
            }
            world.phone(1).heard.clear();
            world.run_ms(20);
            if tick >= 15 {
                let heard = &world.phone(1).heard;
                loudest = heard.iter().map(|s| s.unsigned_abs()).fold(loudest, u16::max);
            }
        }
    }
    let earliest = *latencies.iter().min().unwrap();
    (latencies.iter().map(|latency| latency - earliest).collect(), loudest)
}

#[test]
fn after_each_pause_that_is_not_sent_a_word_is_heard_as_soon_as_before_and_the_pause_is_quiet() {
    let kinds = [
        (Codec::Pcmu, Pause::Nothing),
        (Codec::Pcmu, Pause::ComfortNoise),
        (Codec::G722, Pause::Nothing),
        (Codec::G722, Pause::ComfortNoise),
        (Codec::Opus, Pause::Nothing),
        (Codec::Opus, Pause::EmptyFrames),
    ];
    for (talker, pause) in kinds {
        for listener in [Codec::Pcmu, Codec::Opus] {
            let (later_ms, loudest) = spurts(talker, listener, pause);
            let what = format!("{talker} to {listener}, {pause:?}: {later_ms:?} ms, {loudest}");
            assert!(later_ms.iter().all(|ms| *ms <= 40), "{what}");
            assert!(loudest < 100, "{what}");
        }
    }
}

/// A talker whose timestamps do not count what it does not send: what is heard of words of 800 ms,
/// with pauses of that length between \[ms\], and how late their ends are \[ms\].
fn words_between_still_clocks(codec: Codec, pause_ms: u64) -> Vec<(usize, u64)> {
    let mut world = World::new();
    world.enter(0, Phone::new(0, codec));
    world.enter(1, Phone::new(1, codec));
    world.phone(1).sends = false;
    world.route(all_together(0..2));
    world.run_ms(3_000);
    let rate_hz = audio_codec(codec).rate_hz();
    let per_ms = rate_hz as usize / 1_000;
    let mut words = Vec::new();
    for _ in 0..12 {
        let phone = world.phone(0);
        phone.sends = true;
        phone.sine = Some(Sine::new(TONES_HZ[0], LOUD, rate_hz));
        world.phone(1).heard.clear();
        world.run_ms(800);
        world.phone(0).sends = false;
        world.run_ms(pause_ms);
        let sounds = |part: &[i16]| part.iter().any(|sample| sample.unsigned_abs() > 1_500);
        let parts: Vec<bool> = world.phone(1).heard.chunks(5 * per_ms).map(sounds).collect();
        let last = parts.iter().rposition(|sounds| *sounds).unwrap_or(0) as u64;
        let heard = 5 * parts.iter().filter(|sounds| **sounds).count();
        words.push((heard, (5 * last).saturating_sub(800)));
    }
    words
}

#[test]
fn words_are_whole_and_not_later_and_later_where_the_clock_stands_still_in_pauses() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        for pause_ms in [40, 100, 200, 250, 300, 390, 500, 1_000, 5_000] {
            let words = words_between_still_clocks(codec, pause_ms);
            let whole = words.iter().all(|(heard_ms, late_ms)| *heard_ms >= 780 && *late_ms <= 130);
            assert!(whole, "{codec} {pause_ms}: {words:?}");
        }
    }
}
