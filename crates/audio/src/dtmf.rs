//! Keys as tones in the sound (ITU-T Q.23, Q.24): made, and heard without mistaking speech for
//! them.
//!
//! A key is a pair of tones, one of four low and one of four high ones. The listener measures all
//! eight by Goertzel's algorithm over windows of 13.25 ms, and asks of a pair that it be loud, that
//! its tones be about equally loud, that it hold nearly all of the sound's energy, and that it do
//! so for two windows running. Speech has its energy in many places and moves on sooner; so a
//! voice is no key, and one press is one key.

use std::f32::consts::TAU;

use crate::limits::RESAMPLER_BLOCK;
use crate::resample::Resampler;
use crate::tone::Sine;

/// The low and the high tones \[Hz\] (Q.23).
const LOW_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH_HZ: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];

/// The keys by low and high tone.
const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// The rate at which is listened \[Hz\].
const RATE_HZ: u32 = 8_000;

/// Samples of one window: 13.25 ms. The tones of a group lie 73 Hz apart at least, where such a
/// window hears a thousandth of the neighbour.
const WINDOW: usize = 106;

/// Windows running that must hold a pair before it is a key: wherever windows begin, two lie within
/// the 40 ms for which Q.24 has a key last at least, and not within the 20 ms that are none.
const WINDOWS_ON: u8 = 2;

/// Windows running without a pair after which the key is released: wherever they begin, a gap of
/// 40 ms, which Q.24 has between keys, spoils three, and one of 20 ms, which is none, two.
const WINDOWS_OFF: u8 = 3;

/// The quieter tone's least mean power: an amplitude of 155, -46 dB of full scale. Q.24 has a key
/// at -25 dBm heard and one at -55 dBm not.
const POWER_MIN: f32 = 155.0 * 155.0 / 2.0;

/// Most by which the high tone may be louder than the low one, and the other way, as power ratios:
/// 6 and 10 dB (Q.24 asks for 4 and 8 at least).
const TWIST: f32 = 4.0;
const REVERSE_TWIST: f32 = 10.0;

/// How much louder a tone must be than each other of its group: 6 dB.
const OVER_GROUP: f32 = 4.0;

/// The part of the window's energy that the pair must hold: a window that tones fill to three
/// quarters has as much. Tones off by 1.5 % (Q.24) hold 0.79. A key that is down goes on with less,
/// so that a gap of 20 ms spoils no more windows than it must.
const PURITY: f32 = 0.77;
const PURITY_DOWN: f32 = 0.7;

/// Hears keys in sound.
pub struct DtmfEar {
    resampler: Option<Resampler>,
    samples: Vec<i16>,
    window: Window,
    coefficients: Tones,
    /// What the last windows held, and how many of them running.
    last: (Option<char>, u8),
    /// The key that is down.
    down: Option<char>,
}

impl DtmfEar {
    /// An ear for samples at `rate_hz`.
    ///
    /// # Panics
    /// The rate is 8000, 16000 or 48000.
    pub fn new(rate_hz: u32) -> DtmfEar {
        DtmfEar {
            resampler: (rate_hz != RATE_HZ).then(|| Resampler::new(rate_hz, RATE_HZ)),
            samples: vec![0; RESAMPLER_BLOCK],
            window: Window::default(),
            coefficients: coefficients(),
            last: (None, 0),
            down: None,
        }
    }

    /// Listens to a frame of at most 20 ms, and tells the key that it made sure of: each press
    /// once, when it has lasted some 40 ms.
    pub fn push(&mut self, pcm: &[i16]) -> Option<char> {
        let count = match &mut self.resampler {
            Some(resampler) => resampler.process(pcm, &mut self.samples),
            None => {
                self.samples[..pcm.len()].copy_from_slice(pcm);
                pcm.len()
            }
        };
        let mut heard = None;
        let mut begin = 0;
        while begin < count {
            let end = count.min(begin + WINDOW - self.window.filled);
            self.window.push(&self.samples[begin..end], &self.coefficients);
            begin = end;
            if self.window.filled == WINDOW {
                let held = std::mem::take(&mut self.window).key(&self.coefficients, self.down);
                // A frame is shorter than a press and its gap, so there is one key at most.
                heard = self.follow(held).or(heard);
            }
        }
        heard
    }

    /// 20 ms without any sound: what [`DtmfEar::push`] makes of silence, at no cost.
    pub fn rest(&mut self) {
        self.window = Window::default();
        // A window and a half.
        for _ in 0..2 {
            self.follow(None);
        }
    }

    /// Takes what one more window held.
    fn follow(&mut self, key: Option<char>) -> Option<char> {
        let running = if self.last.0 == key { self.last.1.saturating_add(1) } else { 1 };
        self.last = (key, running);
        match key {
            None if running >= WINDOWS_OFF => self.down = None,
            Some(_) if running >= WINDOWS_ON && self.down != key => {
                self.down = key;
                return key;
            }
            None | Some(_) => {}
        }
        None
    }
}

/// One value for each tone of a group.
type Group = [f32; 4];

/// One value for each of the eight tones: the low ones, the high ones.
type Tones = [Group; 2];

/// Goertzel's sums of the eight tones over one window.
#[derive(Default)]
struct Window {
    /// After the last sample, and after the one before.
    sums: Tones,
    before: Tones,
    energy: f32,
    filled: usize,
}

impl Window {
    /// Done for each sample of who talks: in registers, the tones of a group side by side, which
    /// the compiler sees only where it does not see what is done with them afterwards.
    #[inline(never)]
    fn push(&mut self, samples: &[i16], coefficients: &Tones) {
        let (mut sums, mut before, mut energy) = (self.sums, self.before, self.energy);
        for sample in samples {
            let sample = f32::from(*sample);
            let next = |group: usize| {
                let (sums, before, coefficients) =
                    (sums[group], before[group], coefficients[group]);
                std::array::from_fn(|tone| {
                    (sample - before[tone]) + coefficients[tone] * sums[tone]
                })
            };
            (sums, before) = ([next(0), next(1)], sums);
            energy += sample * sample;
        }
        *self = Window { sums, before, energy, filled: self.filled + samples.len() };
    }

    /// The key that a full window holds.
    fn key(self, coefficients: &Tones, down: Option<char>) -> Option<char> {
        // The mean power of a tone at that frequency.
        let power = |group: usize, tone: usize| {
            let (one, two) = (self.sums[group][tone], self.before[group][tone]);
            let sum = one * one + two * two - coefficients[group][tone] * one * two;
            2.0 * sum / (WINDOW * WINDOW) as f32
        };
        let (row, low) = loudest(std::array::from_fn(|tone| power(0, tone)))?;
        let (column, high) = loudest(std::array::from_fn(|tone| power(1, tone)))?;
        let loud = low.min(high) >= POWER_MIN;
        let even = high <= low * TWIST && low <= high * REVERSE_TWIST;
        let key = KEYS[row][column];
        let purity = if down == Some(key) { PURITY_DOWN } else { PURITY };
        let pure = low + high >= purity * self.energy / WINDOW as f32;
        (loud && even && pure).then_some(key)
    }
}

/// The tone that stands out of its group, and its power.
fn loudest(powers: Group) -> Option<(usize, f32)> {
    let (at, power) = powers.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let others = powers.iter().enumerate().filter(|(other, _)| *other != at);
    let alone = others.map(|(_, other)| *other).all(|other| power >= other * OVER_GROUP);
    alone.then_some((at, power))
}

/// 2·cos(ω) of each tone.
fn coefficients() -> Tones {
    let of = |hz: f32| 2.0 * (TAU * hz / RATE_HZ as f32).cos();
    [LOW_HZ.map(of), HIGH_HZ.map(of)]
}

/// The tones of a key.
pub struct DtmfTone {
    low: Sine,
    high: Sine,
}

impl DtmfTone {
    /// Amplitude of each tone: together -7 dB of full scale at their highest.
    const AMPLITUDE: i16 = 7_000;

    /// The tones of a key at `rate_hz`; `None` for what is no key.
    pub fn new(key: char, rate_hz: u32) -> Option<DtmfTone> {
        let (row, column) = (0..4)
            .flat_map(|row| (0..4).map(move |column| (row, column)))
            .find(|(row, column)| KEYS[*row][*column] == key.to_ascii_uppercase())?;
        let sine = |hz: f32| Sine::new(f64::from(hz), Self::AMPLITUDE, rate_hz);
        Some(DtmfTone { low: sine(LOW_HZ[row]), high: sine(HIGH_HZ[column]) })
    }

    /// Fills a frame with them.
    pub fn fill(&mut self, out: &mut [i16]) {
        self.low.fill(out);
        self.high.add(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Codec, Decoder, Encoder, EncoderSettings};

    /// Sound made of (key or silence, ms), at a rate.
    fn sound(parts: &[(char, u32)], rate_hz: u32) -> Vec<i16> {
        let mut pcm = Vec::new();
        for (key, ms) in parts {
            let mut part = vec![0; (ms * rate_hz / 1_000) as usize];
            if let Some(mut tone) = DtmfTone::new(*key, rate_hz) {
                tone.fill(&mut part);
            }
            pcm.extend(part);
        }
        pcm
    }

    fn heard(pcm: &[i16], rate_hz: u32) -> String {
        let mut ear = DtmfEar::new(rate_hz);
        pcm.chunks(rate_hz as usize / 50).filter_map(|frame| ear.push(frame)).collect()
    }

    #[test]
    fn every_key_is_heard_once_at_every_rate() {
        for rate_hz in [8_000, 16_000, 48_000] {
            for key in "0123456789*#ABCD".chars() {
                let pcm = sound(&[(' ', 100), (key, 50), (' ', 100), (key, 2_000)], rate_hz);
                assert_eq!(heard(&pcm, rate_hz), format!("{key}{key}"), "{rate_hz} Hz");
            }
        }
    }

    #[test]
    fn how_long_a_key_and_a_gap_are_is_as_q_24_has_it() {
        // Wherever the windows begin.
        for offset_ms in 0..20 {
            let of = |parts: &[(char, u32)]| {
                let mut pcm = sound(&[(' ', offset_ms)], 8_000);
                pcm.extend(sound(parts, 8_000));
                pcm.extend(sound(&[(' ', 100)], 8_000));
                heard(&pcm, 8_000)
            };
            assert_eq!(of(&[('5', 20)]), "", "too short to be one, at {offset_ms} ms");
            assert_eq!(of(&[('5', 40)]), "5", "long enough, at {offset_ms} ms");
            assert_eq!(of(&[('5', 60), (' ', 20), ('5', 60)]), "5", "no gap, at {offset_ms} ms");
            assert_eq!(of(&[('5', 60), (' ', 40), ('5', 60)]), "55", "a gap, at {offset_ms} ms");
            let dialled = of(&[('1', 50), (' ', 50), ('2', 50), (' ', 50), ('#', 50)]);
            assert_eq!(dialled, "12#", "at {offset_ms} ms");
        }
    }

    /// A pair of tones for a quarter of a second.
    fn pair(low: (f64, i16), high: (f64, i16)) -> String {
        let mut pcm = vec![0; 2_000];
        Sine::new(low.0, low.1, 8_000).add(&mut pcm);
        Sine::new(high.0, high.1, 8_000).add(&mut pcm);
        heard(&pcm, 8_000)
    }

    #[test]
    fn tones_may_be_off_and_uneven_as_far_as_q_24_allows() {
        for off in [0.985, 1.0, 1.015] {
            for (low_hz, high_hz, key) in [(697.0, 1_209.0, "1"), (941.0, 1_633.0, "D")] {
                assert_eq!(pair((low_hz * off, 5_000), (high_hz * off, 5_000)), key, "{off}");
            }
        }
        for off in [0.965, 1.035] {
            assert_eq!(pair((697.0 * off, 5_000), (1_209.0 * off, 5_000)), "", "{off}");
        }
        // 4 dB louder above, 8 dB louder below; then too much of either.
        assert_eq!(pair((770.0, 5_000), (1_336.0, 7_900)), "5");
        assert_eq!(pair((770.0, 12_500), (1_336.0, 5_000)), "5");
        assert_eq!(pair((770.0, 2_000), (1_336.0, 7_900)), "");
        assert_eq!(pair((770.0, 12_500), (1_336.0, 2_000)), "");
        // Very quiet is no key, nor is one tone, nor a busy signal.
        assert_eq!(pair((770.0, 400), (1_336.0, 400)), "5");
        assert_eq!(pair((770.0, 100), (1_336.0, 100)), "");
        assert_eq!(pair((770.0, 9_000), (0.0, 0)), "");
        assert_eq!(pair((480.0, 9_000), (620.0, 9_000)), "");
    }

    #[test]
    fn silence_ends_a_key_whether_it_is_listened_to_or_known() {
        let tone = sound(&[('7', 60)], 8_000);
        for rests in 0..4 {
            let mut ear = DtmfEar::new(8_000);
            let mut heard = String::new();
            heard.extend(tone.chunks(160).filter_map(|frame| ear.push(frame)));
            for _ in 0..rests {
                ear.rest();
            }
            heard.extend(tone.chunks(160).filter_map(|frame| ear.push(frame)));
            assert_eq!(heard, if rests < 2 { "7" } else { "77" }, "{rests}");
        }
    }

    #[test]
    fn keys_are_heard_through_every_codec() {
        let dialled: Vec<_> =
            "0123456789*#".chars().flat_map(|key| [(key, 60), (' ', 60)]).collect();
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
            let pcm = sound(&dialled, codec.rate_hz());
            let mut encoder = Encoder::new(EncoderSettings::of(codec)).expect("sound settings");
            let mut decoder = Decoder::new(codec).expect("memory");
            let mut payload = [0; crate::limits::PAYLOAD_BYTES_MAX];
            let mut through = vec![0; pcm.len()];
            let frame = codec.samples(20);
            for (frame, out) in pcm.chunks_exact(frame).zip(through.chunks_exact_mut(frame)) {
                let bytes = encoder.encode(frame, &mut payload);
                assert_eq!(decoder.decode(&payload[..bytes], out), Ok(out.len()));
            }
            through.extend(vec![0; codec.samples(200)]);
            assert_eq!(heard(&through, codec.rate_hz()), "0123456789*#", "{codec:?}");
        }
    }

    #[test]
    fn people_who_talk_press_no_key() {
        for name in ["alice", "bob", "carol"] {
            let path = format!("{}/../../fixtures/audio/{name}.wav", env!("CARGO_MANIFEST_DIR"));
            let wav = std::fs::read(&path).expect("a fixture");
            let rate_hz = u32::from_le_bytes(wav[24..28].try_into().expect("four bytes"));
            let pcm: Vec<i16> =
                wav[44..].chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
            assert!(pcm.len() > rate_hz as usize, "{name} says something");
            // Also far too loud, and quietly.
            for gain in [1.0, 4.0, 0.25] {
                let pcm: Vec<i16> = pcm.iter().map(|s| (f64::from(*s) * gain) as i16).collect();
                assert_eq!(heard(&pcm, rate_hz), "", "{name} times {gain}");
            }
        }
    }
}
