//! Music on hold, made here: soft chords that belong to nobody.
//!
//! Every partial lies below 400 Hz and every note swells and fades over more than a tenth of a
//! second, so that its sidebands end a few hertz beside it. Test tones begin at 437 Hz: an ear that
//! listens for them never takes this music for one, while [`SIGNATURE_HZ`] tells it the music.

use std::f64::consts::{PI, TAU};

/// Two notes that sound through the whole loop, C4 and E4 \[Hz\]: they belong to every chord.
pub const SIGNATURE_HZ: [f64; 2] = [262.0, 330.0];

/// Length of the loop \[s\]. Whole seconds, so that the pedal notes of whole hertz join.
const LOOP_S: usize = 12;
/// Length of a chord \[s\].
const CHORD_S: f64 = 3.0;
/// How long a chord's notes swell, and fade into the next chord \[s\].
const BLEND_S: f64 = 0.8;
/// How long a plucked note swells, and lasts in all \[s\].
const PLUCK_S: (f64, f64) = (0.15, 1.4);
/// Loudness of the loop \[dB of full scale\].
const LEVEL_DB: f64 = -20.0;

/// C, A minor 7, F major 7, D minor 9, each with the pedal above it: the two lowest notes \[Hz\].
const CHORDS: [[f64; 2]; 4] = [[130.81, 196.0], [110.0, 220.0], [174.61, 220.0], [146.83, 220.0]];
/// The plucked notes, one each [`PLUCK_EVERY_S`], out of the chord of that moment \[Hz\]. None is
/// a pedal note: in opposite phase it would silence it for a moment.
const PLUCKS: [f64; 16] = [
    392.0, 196.0, 131.0, 392.0, 220.0, 392.0, 131.0, 196.0, 174.61, 131.0, 220.0, 392.0, 146.83,
    220.0, 131.0, 392.0,
];
const PLUCK_EVERY_S: f64 = LOOP_S as f64 / PLUCKS.len() as f64;

/// A loop of music of 12 s at `rate_hz`, the same at each call, at -20 dB of full scale. Its end
/// joins its beginning.
pub fn hold_music(rate_hz: u32) -> Vec<i16> {
    let rate = f64::from(rate_hz);
    let mut sound = vec![0.0; LOOP_S * rate_hz as usize];
    for (hz, amplitude) in SIGNATURE_HZ.into_iter().zip([0.5, 0.4]) {
        for (index, sample) in sound.iter_mut().enumerate() {
            *sample += amplitude * (TAU * hz * index as f64 / rate).sin();
        }
    }
    for (number, chord) in CHORDS.iter().enumerate() {
        let begin = number as f64 * CHORD_S - BLEND_S / 2.0;
        for hz in chord {
            let length = CHORD_S + BLEND_S;
            note(&mut sound, rate, *hz, begin, length, |at| {
                0.6 * swell(at / BLEND_S) * swell((length - at) / BLEND_S)
            });
        }
    }
    for (number, hz) in PLUCKS.iter().enumerate() {
        let (attack, length) = PLUCK_S;
        note(&mut sound, rate, *hz, number as f64 * PLUCK_EVERY_S, length, |at| {
            0.35 * swell(at / attack) * swell((length - at) / (length - attack))
        });
    }

    let mean_square = sound.iter().map(|s| s * s).sum::<f64>() / sound.len() as f64;
    let scale = 32_768.0 * 10f64.powf(LEVEL_DB / 20.0) / mean_square.sqrt();
    sound.iter().map(|sample| (sample * scale).round() as i16).collect()
}

/// Adds a note that begins at `begin_s`, around the end of the loop where need be. Its loudness is
/// a function of the seconds since it began.
fn note(
    sound: &mut [f64],
    rate: f64,
    hz: f64,
    begin_s: f64,
    length_s: f64,
    loudness: impl Fn(f64) -> f64,
) {
    let count = sound.len();
    let first = (begin_s.rem_euclid(LOOP_S as f64) * rate).round() as usize;
    for index in 0..(length_s * rate) as usize {
        let at = index as f64 / rate;
        sound[(first + index) % count] += loudness(at) * (TAU * hz * at).sin();
    }
}

/// A smooth rise from zero to one.
fn swell(share: f64) -> f64 {
    0.5 - 0.5 * (PI * share.clamp(0.0, 1.0)).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::level_dbov;
    use crate::tone::Ear;

    const TONES_HZ: [f64; 10] =
        [437.0, 509.0, 577.0, 653.0, 727.0, 809.0, 877.0, 953.0, 1_021.0, 1_093.0];

    #[test]
    fn an_ear_hears_its_signature_in_every_window_and_no_test_tone() {
        for rate_hz in [8_000, 16_000, 48_000] {
            let music = hold_music(rate_hz);
            let mut candidates = SIGNATURE_HZ.to_vec();
            candidates.extend(TONES_HZ);
            let mut ear = Ear::new(&candidates, rate_hz);
            let mut windows = 0;
            for frame in music.iter().chain(&music).copied().collect::<Vec<_>>().chunks(960) {
                if let Some(heard) = ear.push(frame) {
                    assert_eq!(heard.iter().collect::<Vec<_>>(), [0, 1], "window {windows}");
                    windows += 1;
                }
            }
            assert_eq!(windows, 60);
        }
    }

    #[test]
    fn there_is_no_energy_near_a_test_tone() {
        let music = hold_music(8_000);
        let length = music.len() as f64;
        // Over the whole loop, whose seam is no edge, each multiple of 1/12 Hz stands alone.
        for tone in TONES_HZ {
            let mut power = 0.0;
            for step in -144..=144 {
                let turn = TAU * (tone + f64::from(step) / 12.0) / 8_000.0;
                let (mut re, mut im) = (0.0, 0.0);
                for (index, sample) in music.iter().enumerate() {
                    let (sin, cos) = (turn * index as f64).sin_cos();
                    re += f64::from(*sample) * cos;
                    im += f64::from(*sample) * sin;
                }
                power += 2.0 * (re * re + im * im) / (length * length);
            }
            let level_db = 10.0 * (power / 32_768f64.powi(2)).log10();
            assert!(level_db < -80.0, "{tone} Hz: {level_db:.1} dB");
        }
    }

    #[test]
    fn it_is_quiet_seamless_and_always_the_same() {
        for rate_hz in [8_000, 16_000, 48_000] {
            let music = hold_music(rate_hz);
            assert_eq!(music.len(), 12 * rate_hz as usize);
            assert_eq!(level_dbov(&music), 20);
            assert_eq!(music, hold_music(rate_hz));
            let step = |pair: &[i16]| (i32::from(pair[1]) - i32::from(pair[0])).abs();
            let largest = music.windows(2).map(step).max();
            assert!(Some(step(&[music[music.len() - 1], music[0]])) <= largest);
        }
    }
}
