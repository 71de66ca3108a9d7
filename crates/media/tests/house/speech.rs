//! Voices, as people hear them: every word from its beginning, soon, and about equally loud.

use crate::world::*;
use audio::Resampler;
use audio::activity::level_dbov;
use model::{Codec, Routing};

/// The voices of `fixtures/audio`: 16 bits, mono, 16 kHz, behind 44 bytes of header.
const VOICES: [&[u8]; 3] = [
    include_bytes!("../../../../fixtures/audio/alice.wav"),
    include_bytes!("../../../../fixtures/audio/bob.wav"),
    include_bytes!("../../../../fixtures/audio/carol.wav"),
];

/// A voice at a rate, so much louder.
pub(crate) fn voice(number: usize, rate_hz: u32, gain: f32) -> Vec<i16> {
    let samples = VOICES[number][44..].as_chunks::<2>().0.iter();
    let mut pcm: Vec<i16> = samples.map(|pair| i16::from_le_bytes(*pair)).collect();
    pcm.truncate(pcm.len() / 320 * 320);
    if rate_hz != 16_000 {
        let mut resampled = vec![0; pcm.len() / 160 * rate_hz as usize / 100];
        Resampler::new(16_000, rate_hz).process(&pcm, &mut resampled);
        pcm = resampled;
    }
    pcm.iter().map(|sample| (f32::from(*sample) * gain) as i16).collect()
}

/// Level of each 5 ms at 8 kHz [dBov], negative.
fn envelope(pcm: &[i16]) -> Vec<i32> {
    pcm.chunks_exact(40).map(|part| -i32::from(level_dbov(part))).collect()
}

/// By how many parts of 5 ms `heard` lags behind `said`.
fn lag(said: &[i32], heard: &[i32]) -> usize {
    let unlike = |lag: &usize| -> i32 {
        said.iter().zip(&heard[*lag..]).map(|(a, b)| (a.max(&-60) - b.max(&-60)).abs()).sum()
    };
    (0..80).min_by_key(unlike).unwrap()
}

/// Where words begin after a pause of 60 ms: parts of 5 ms.
fn onsets(said: &[i32]) -> Vec<usize> {
    let begins = |at: &usize| {
        said[*at - 12..*at].iter().all(|level| *level < -48)
            && said[*at..*at + 4].iter().all(|level| *level > -45)
    };
    (20..said.len() - 20).filter(begins).collect()
}

#[test]
fn the_first_60_ms_of_every_word_reach_the_mix_in_every_codec() {
    for codec in Codec::ALL {
        let mut words = 0;
        for number in 0..VOICES.len() {
            let mut world = World::new();
            // The delay that a line begins with is given up in the silence before the first word.
            let said = |rate_hz: u32| {
                [vec![0; 3 * rate_hz as usize], voice(number, rate_hz, 1.0)].concat()
            };
            let words_said = said(audio_codec(codec).rate_hz());
            world.enter(0, Phone::new(0, codec).saying(words_said));
            world.enter(1, Phone::new(1, Codec::Pcmu));
            world.route(all_together(0..2));
            world.run_ms(11_500);
            let said = envelope(&said(8_000));
            let heard = envelope(&world.phone(1).heard);
            let lag = lag(&said, &heard);
            for onset in onsets(&said) {
                words += 1;
                for part in onset..onset + 12 {
                    // Codecs change a level a little; a syllable that is cut is not there.
                    let (before, after) =
                        (said[part], heard[lag - 1 + part..=lag + 1 + part].iter().max());
                    assert!(
                        before - after.unwrap() < 6,
                        "{codec}, voice {number}, {} ms: {before} became {after:?} dBov",
                        part * 5
                    );
                }
            }
        }
        assert!(words >= 10, "only {words} words have a pause before them");
    }
}

#[test]
fn in_a_clean_network_the_server_adds_40_ms_at_most() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let mut delays_ms = Vec::new();
        for leg in 0..21 {
            // Each number sends at another instant of the tick.
            let mut world = World::new();
            world.enter(leg, Phone::new(leg, codec));
            world.enter(100, Phone::new(100, codec));
            world.route(all_together([leg, 100]));
            world.run_ms(3_000);
            world.phone(leg).sine = Some(audio::tone::Sine::new(1_000.0, 12_000, 8_000));
            let said_ms = world.phone(leg).next_us / 1_000.0;
            let onset = loop {
                let before = world.phone(100).heard.len();
                world.step();
                let sound = |sample: &i16| sample.unsigned_abs() > 3_000;
                if let Some(onset) = world.phone(100).heard[before..].iter().position(sound) {
                    break onset;
                }
            };
            let heard_ms = (world.turn - 1) as f64 * 5.0 + onset as f64 / 8.0;
            delays_ms.push(heard_ms - said_ms);
        }
        delays_ms.sort_by(f64::total_cmp);
        let median = delays_ms[delays_ms.len() / 2];
        assert!(median <= 30.0, "{codec}: {delays_ms:?}");
        assert!(delays_ms.iter().all(|ms| (0.0..=40.0).contains(ms)), "{codec}: {delays_ms:?}");
    }
}

/// The mean level of what is loud in it [dBov].
fn loudness(pcm: &[i16]) -> f32 {
    let loud = envelope(pcm).into_iter().filter(|level| *level > -50);
    let levels: Vec<f32> = loud.map(|level| level as f32).collect();
    levels.iter().sum::<f32>() / levels.len().max(1) as f32
}

fn levelled(routing: Routing, automatic_gain: bool) -> Routing {
    Routing { automatic_gain, ..routing }
}

#[test]
fn a_soft_and_a_loud_talker_come_near_each_other_where_the_room_wants_it() {
    let mut apart_db = Vec::new();
    for automatic_gain in [false, true] {
        let mut loud = Vec::new();
        for (number, gain) in [(0, 0.12), (1, 1.6)] {
            let mut world = World::new();
            let said = voice(number, 8_000, gain).repeat(2);
            world.enter(0, Phone::new(0, Codec::Pcma).saying(said));
            world.enter(1, Phone::new(1, Codec::Pcmu));
            world.route(levelled(all_together(0..2), automatic_gain));
            world.run_ms(16_000);
            let heard = &world.phone(1).heard;
            loud.push(loudness(&heard[heard.len() / 2..]));
        }
        apart_db.push(loud[1] - loud[0]);
    }
    assert!(apart_db[0] > 15.0, "{apart_db:?}");
    assert!(apart_db[1] < apart_db[0] - 9.0, "{apart_db:?}");
}

#[test]
fn an_opus_voice_is_passed_on_as_it_is_only_while_its_gain_is_unity() {
    for (gain, passed_on) in [(0.63, true), (0.1, false)] {
        let mut world = World::new();
        let said = voice(2, 48_000, gain).repeat(2);
        world.enter(0, Phone::new(0, Codec::Opus).saying(said));
        world.enter(1, Phone::new(1, Codec::Opus));
        world.route(levelled(all_together(0..2), true));
        world.run_ms(8_000);
        let before = world.stats().encodes;
        world.run_ms(8_000);
        let encodes = world.stats().encodes - before;
        assert_eq!(encodes < 20, passed_on, "at {gain}: {encodes} frames were encoded");
    }
}
