//! Test tones, and an ear that tells which of them sound.
//!
//! Simulated phones speak a tone each, and report whom they hear.

use std::collections::BTreeSet;
use std::f64::consts::TAU;

use crate::limits::{EAR_CANDIDATES_MAX, RESAMPLER_BLOCK};
use crate::resample::Resampler;

/// A sine of constant amplitude and continuous phase.
#[derive(Clone, Debug)]
pub struct Sine {
    amplitude: f64,
    /// Phase of the next sample, and what each sample adds \[turns\].
    phase: f64,
    step: f64,
}

impl Sine {
    /// A sine that begins at zero. `amplitude` is its peak.
    pub fn new(frequency_hz: f64, amplitude: i16, rate_hz: u32) -> Sine {
        let step = frequency_hz / f64::from(rate_hz);
        Sine { amplitude: f64::from(amplitude), phase: 0.0, step }
    }

    /// The next sample.
    pub fn next_sample(&mut self) -> i16 {
        let sample = self.amplitude * (self.phase * TAU).sin();
        self.phase = (self.phase + self.step).fract();
        sample.round() as i16
    }

    /// Fills a buffer with the next samples.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = self.next_sample();
        }
    }

    /// Adds the next samples to what a buffer holds, up to full scale.
    pub fn add(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = sample.saturating_add(self.next_sample());
        }
    }
}

/// Rate at which an ear listens \[Hz\]; other rates are brought to it first.
const EAR_RATE_HZ: u32 = 8_000;
/// Lowest and highest frequency that an ear hears \[Hz\]: what a telephone lets through.
const BAND_HZ: (f64, f64) = (100.0, 3_400.0);
/// How long an ear listens before it decides \[ms\]; frequencies are told apart by about four over
/// this.
const WINDOW_MS: u32 = 400;
/// How far a candidate stands above the median of the guards, and above its own two \[dB\].
const OVER_FLOOR_DB: f64 = 20.0;
/// The same within half of a window \[dB\]: less, because half of the time tells a tone from the
/// noise of a codec less well.
const OVER_FLOOR_HALF_DB: f64 = 14.0;
/// The quietest tone that is heard \[dB of full scale\].
const QUIETEST_DB: f64 = -60.0;
/// Where a candidate's own guards are, on both sides of it \[Hz\].
const NEIGHBOUR_HZ: f64 = 24.0;
/// Guards over the whole band stand this far apart \[Hz\].
const GRID_HZ: f64 = 100.0;
/// No guard is nearer than this to any candidate \[Hz\].
const CLEAR_HZ: f64 = 15.0;

/// Which candidates sounded in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Heard {
    bits: u64,
}

impl Heard {
    /// Whether a candidate, by its place in the list given to the ear, sounded.
    pub fn contains(self, candidate: usize) -> bool {
        candidate < EAR_CANDIDATES_MAX && self.bits >> candidate & 1 == 1
    }

    /// Whether none sounded.
    pub fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// The candidates that sounded, in rising order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..EAR_CANDIDATES_MAX).filter(move |candidate| self.contains(*candidate))
    }
}

impl FromIterator<usize> for Heard {
    /// The set of these candidates; each must be below [`EAR_CANDIDATES_MAX`].
    fn from_iter<I: IntoIterator<Item = usize>>(candidates: I) -> Heard {
        Heard { bits: candidates.into_iter().fold(0, |bits, candidate| bits | 1 << candidate) }
    }
}

/// Tells by Goertzel's algorithm which of a list of frequencies sound.
///
/// It decides for each window of 400 ms: a candidate is heard if it is above -60 dB of full scale,
/// and 20 dB above both the median of the guards (frequencies all over the band that nobody should
/// use) and its own guards 24 Hz to both sides. Each half of the window by itself must
/// say the same by 14 dB, because a vowel may happen to hold a frequency for a moment. So
/// candidates stand at least 40 Hz apart, and a tone that fills only a part of a window is not
/// counted on.
pub struct Ear {
    resampler: Resampler,
    /// One block at [`EAR_RATE_HZ`].
    samples: Vec<i16>,
    whole: Spectrum,
    half: Spectrum,
    /// What sounded in the first half of the window, once that is over.
    first_half: Option<Heard>,
    /// For each candidate the places of its own guards among the frequencies.
    neighbours: Vec<Vec<usize>>,
    /// Room for the guards' powers while their median is sought.
    guards: Vec<f64>,
    heard: Heard,
}

impl Ear {
    /// An ear for these frequencies \[Hz\], for samples at `rate_hz`.
    ///
    /// # Panics
    /// There are at most [`EAR_CANDIDATES_MAX`] candidates, between 100 and 3400 Hz, and the rate
    /// is 8000, 16000 or 48000.
    pub fn new(candidates_hz: &[f64], rate_hz: u32) -> Ear {
        assert!(candidates_hz.len() <= EAR_CANDIDATES_MAX, "too many candidates");
        let in_band = |hz: f64| (BAND_HZ.0..=BAND_HZ.1).contains(&hz);
        assert!(candidates_hz.iter().all(|hz| in_band(*hz)), "a candidate out of the band");
        let clear = |hz: f64| {
            in_band(hz) && candidates_hz.iter().all(|other| (hz - other).abs() >= CLEAR_HZ)
        };

        let mut frequencies_hz = candidates_hz.to_vec();
        let mut neighbours = Vec::with_capacity(candidates_hz.len());
        for candidate in candidates_hz {
            let beside = [candidate - NEIGHBOUR_HZ, candidate + NEIGHBOUR_HZ];
            let first = frequencies_hz.len();
            frequencies_hz.extend(beside.into_iter().filter(|hz| clear(*hz)));
            neighbours.push((first..frequencies_hz.len()).collect());
        }
        let grid = (0..).map(|step| BAND_HZ.0 + GRID_HZ / 2.0 + GRID_HZ * f64::from(step));
        frequencies_hz.extend(grid.take_while(|hz| in_band(*hz)).filter(|hz| clear(*hz)));

        Ear {
            resampler: Resampler::new(rate_hz, EAR_RATE_HZ),
            samples: vec![0; RESAMPLER_BLOCK],
            whole: Spectrum::new(&frequencies_hz, WINDOW_MS),
            half: Spectrum::new(&frequencies_hz, WINDOW_MS / 2),
            first_half: None,
            neighbours,
            guards: Vec::with_capacity(frequencies_hz.len()),
            heard: Heard::default(),
        }
    }

    /// Listens to a frame, and tells what sounded in the last window that it completed, if any.
    ///
    /// # Panics
    /// A frame at 16000 or 48000 Hz is a multiple of 2 or 6 samples.
    pub fn push(&mut self, pcm: &[i16]) -> Option<Heard> {
        let mut decided = None;
        for block in pcm.chunks(RESAMPLER_BLOCK) {
            let count = self.resampler.process(block, &mut self.samples);
            for index in 0..count {
                let sample = f64::from(self.samples[index]);
                self.whole.push(sample);
                self.half.push(sample);
                if self.half.is_complete() {
                    decided = self.finish_half().or(decided);
                }
            }
        }
        decided
    }

    /// What sounded in the last complete window; empty before there was one.
    pub fn heard(&self) -> BTreeSet<usize> {
        self.heard.iter().collect()
    }

    /// Decides for a half that is over, and with the second half for the window.
    fn finish_half(&mut self) -> Option<Heard> {
        let half = sounding(&self.half, OVER_FLOOR_HALF_DB, &self.neighbours, &mut self.guards);
        self.half.clear();
        let Some(first_half) = self.first_half.take() else {
            self.first_half = Some(half);
            return None;
        };
        let whole = sounding(&self.whole, OVER_FLOOR_DB, &self.neighbours, &mut self.guards);
        self.whole.clear();
        self.heard = Heard { bits: whole.bits & first_half.bits & half.bits };
        Some(self.heard)
    }
}

/// Which candidates stand out of a complete spectrum. They are its first frequencies, as many as
/// there are `neighbours`; all others are guards.
fn sounding(
    spectrum: &Spectrum,
    over_floor_db: f64,
    neighbours: &[Vec<usize>],
    guards: &mut Vec<f64>,
) -> Heard {
    guards.clear();
    guards.extend((neighbours.len()..spectrum.len()).map(|index| spectrum.power(index)));
    let middle = guards.len() / 2;
    let floor = *guards.select_nth_unstable_by(middle, f64::total_cmp).1;
    let stands_out = |(candidate, beside): (usize, &Vec<usize>)| {
        let beside = beside.iter().map(|index| spectrum.power(*index));
        let power = spectrum.power(candidate);
        let loud = power >= ratio(QUIETEST_DB)
            && power >= beside.fold(floor, f64::max) * ratio(over_floor_db);
        loud.then_some(candidate)
    };
    neighbours.iter().enumerate().filter_map(stands_out).collect()
}

/// Goertzel's recursion for many frequencies side by side, over one window.
struct Spectrum {
    /// Hann window, scaled so that a sine at full scale has a power of one.
    window: Vec<f64>,
    /// Samples of the window that have been taken in.
    filled: usize,
    coefficients: Vec<f64>,
    last: Vec<f64>,
    before_last: Vec<f64>,
}

impl Spectrum {
    fn new(frequencies_hz: &[f64], window_ms: u32) -> Spectrum {
        let length = (EAR_RATE_HZ / 1000 * window_ms) as usize;
        // The mean of the window is one half, and a sine has half of its amplitude in a sideband.
        let scale = 4.0 / (length as f64 * 32_768.0);
        let hann = |index| 0.5 - 0.5 * (TAU * (f64::from(index) + 0.5) / length as f64).cos();
        let coefficient = |hz: &f64| 2.0 * (TAU * hz / f64::from(EAR_RATE_HZ)).cos();
        Spectrum {
            window: (0..length as u32).map(|index| scale * hann(index)).collect(),
            filled: 0,
            coefficients: frequencies_hz.iter().map(coefficient).collect(),
            last: vec![0.0; frequencies_hz.len()],
            before_last: vec![0.0; frequencies_hz.len()],
        }
    }

    fn len(&self) -> usize {
        self.coefficients.len()
    }

    fn is_complete(&self) -> bool {
        self.filled == self.window.len()
    }

    fn push(&mut self, sample: f64) {
        let sample = sample * self.window[self.filled];
        self.filled += 1;
        let memories = self.last.iter_mut().zip(&mut self.before_last);
        for (coefficient, (last, before_last)) in self.coefficients.iter().zip(memories) {
            let next = sample + coefficient * *last - *before_last;
            *before_last = *last;
            *last = next;
        }
    }

    /// Power of a frequency, where a sine at full scale has one.
    fn power(&self, index: usize) -> f64 {
        let (last, before_last) = (self.last[index], self.before_last[index]);
        let power =
            last * last + before_last * before_last - self.coefficients[index] * last * before_last;
        // Rounding can leave a little less than nothing.
        power.max(0.0)
    }

    fn clear(&mut self) {
        self.filled = 0;
        self.last.fill(0.0);
        self.before_last.fill(0.0);
    }
}

/// A power ratio from decibels.
fn ratio(decibel: f64) -> f64 {
    10f64.powf(decibel / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TONES_HZ: [f64; 8] = [437.0, 509.0, 577.0, 653.0, 727.0, 809.0, 877.0, 953.0];

    /// What an ear for the test tones says of each window.
    fn windows(pcm: &[i16], rate_hz: u32) -> Vec<Vec<usize>> {
        let mut ear = Ear::new(&TONES_HZ, rate_hz);
        let frames = pcm.chunks(rate_hz as usize / 50);
        frames.filter_map(|frame| ear.push(frame)).map(|heard| heard.iter().collect()).collect()
    }

    fn tones(tones: &[(usize, i16)], rate_hz: u32) -> Vec<i16> {
        let mut pcm = vec![0; rate_hz as usize * 2];
        for (tone, amplitude) in tones {
            Sine::new(TONES_HZ[*tone], *amplitude, rate_hz).add(&mut pcm);
        }
        pcm
    }

    #[test]
    fn tones_of_different_loudness_are_told_exactly() {
        for rate_hz in [8_000, 16_000, 48_000] {
            let pcm = tones(&[(0, 8_000), (3, 800), (4, 100), (7, 4_000)], rate_hz);
            assert_eq!(windows(&pcm, rate_hz), vec![vec![0, 3, 4, 7]; 5], "{rate_hz} Hz");
        }
    }

    #[test]
    fn each_tone_alone_is_told_from_its_neighbours() {
        for tone in 0..TONES_HZ.len() {
            assert_eq!(windows(&tones(&[(tone, 30_000)], 8_000), 8_000), vec![vec![tone]; 5]);
        }
    }

    #[test]
    fn a_tone_that_begins_or_ends_within_a_window_brings_no_others() {
        for at in (0..3_200).step_by(160) {
            let mut pcm = tones(&[(2, 8_000)], 8_000);
            pcm[..at].fill(0);
            assert!(windows(&pcm, 8_000)[0].iter().all(|tone| *tone == 2), "beginning {at}");
            let mut pcm = tones(&[(2, 8_000)], 8_000);
            pcm[at..].fill(0);
            assert!(windows(&pcm, 8_000)[0].iter().all(|tone| *tone == 2), "ending {at}");
        }
    }

    #[test]
    fn silence_is_the_empty_set() {
        assert_eq!(windows(&[0; 16_000], 8_000), vec![Vec::<usize>::new(); 5]);
        assert!(Ear::new(&TONES_HZ, 8_000).heard().is_empty());
    }

    #[test]
    fn a_sound_that_is_like_speech_is_no_tone() {
        for seed in 1..=100 {
            let pcm = babble(seed, 8_000 * 4);
            let heard = windows(&pcm, 8_000);
            assert_eq!(heard, vec![Vec::<usize>::new(); 10], "seed {seed}");
        }
    }

    #[test]
    fn a_tone_is_told_through_a_sound_that_is_like_speech() {
        let mut pcm = babble(7, 8_000 * 2);
        Sine::new(TONES_HZ[5], 6_000, 8_000).add(&mut pcm);
        assert_eq!(windows(&pcm, 8_000), vec![vec![5]; 5]);
    }

    #[test]
    fn the_sine_has_its_amplitude_and_no_seam_between_frames() {
        let mut whole = [0; 800];
        Sine::new(437.0, 12_000, 8_000).fill(&mut whole);
        assert_eq!(whole.iter().max(), Some(&12_000));
        let mut sine = Sine::new(437.0, 12_000, 8_000);
        let mut parts = [0; 800];
        parts.chunks_mut(80).for_each(|part| sine.fill(part));
        assert_eq!(whole, parts);
    }

    /// Voiced syllables with harmonics, whose pitch glides by a tenth as in speech, and noise.
    fn babble(seed: u32, samples: usize) -> Vec<i16> {
        let mut state = seed;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24)
        };
        let (mut phase, mut pitch_hz) = (0.0, 0.0);
        (0..samples)
            .map(|index| {
                let into_syllable = index % 1_600;
                if into_syllable == 0 {
                    pitch_hz = 90.0 + 160.0 * random();
                }
                let share = into_syllable as f64 / 1_600.0;
                phase += pitch_hz * (0.95 + 0.1 * share) / 8_000.0;
                let voice: f64 = (1..12)
                    .map(|harmonic| (TAU * phase * f64::from(harmonic)).sin() / f64::from(harmonic))
                    .sum();
                let envelope = (share * std::f64::consts::PI).sin();
                (4_000.0 * envelope * voice + 1_000.0 * (random() - 0.5)) as i16
            })
            .collect()
    }
}
