//! Change of sampling rate between 8000, 16000 and 48000 Hz, by a polyphase FIR filter.
//!
//! The filter is a Kaiser-windowed sinc with its edge at half of the lower rate. Its length is set
//! by the lower rate, so that a passband up to 3400 Hz (of 8000) or 7000 Hz (of 16000) and its
//! mirror image are 60 dB apart within a delay of 2 ms. Coefficients and sums are integers: the
//! result is the same on every machine, and the inner loop is the processor's own multiply-add of
//! 16-bit pairs.

use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::sync::LazyLock;

use crate::limits::RESAMPLER_BLOCK;

/// Scale of the coefficients: their magnitudes sum to less than 2.2, which keeps a sum of
/// full-scale samples within 32 bits.
const ONE: i32 = 1 << SHIFT;
const SHIFT: u32 = 14;

/// Shape of the Kaiser window: 75 dB between passband and stopband, of which the rounding of
/// coefficients takes some.
const KAISER_BETA: f64 = 7.2;

/// One stream's way from one rate to another.
pub struct Resampler {
    filter: &'static Filter,
    /// The last `row - 1` input samples, then room for a block.
    input: Vec<i16>,
}

/// What all streams between two rates share: to make it takes longer than all else that a call's
/// audio needs at its start.
struct Filter {
    step: Step,
    /// Coefficients, latest sample last: for `Up` one row for each phase.
    coefficients: Vec<i16>,
    /// Coefficients of one output sample.
    row: usize,
}

const RATES_HZ: [u32; 3] = [8_000, 16_000, 48_000];

/// By the rate that comes in and the one that goes out.
static FILTERS: LazyLock<BTreeMap<(u32, u32), Filter>> = LazyLock::new(|| {
    let pairs = RATES_HZ.into_iter().flat_map(|from| RATES_HZ.map(|to| (from, to)));
    pairs.map(|(from, to)| ((from, to), Filter::new(from, to))).collect()
});

/// Which way, and the ratio of the rates.
#[derive(Clone, Copy)]
enum Step {
    Same,
    Up(usize),
    Down(usize),
}

impl Resampler {
    /// Makes a resampler that remembers silence.
    ///
    /// # Panics
    /// Both rates must be 8000, 16000 or 48000: they come from our own tables.
    pub fn new(from_hz: u32, to_hz: u32) -> Resampler {
        let filter = FILTERS.get(&(from_hz, to_hz));
        let filter = filter.unwrap_or_else(|| panic!("no way from {from_hz} to {to_hz} Hz"));
        Resampler { filter, input: vec![0; filter.row - 1 + RESAMPLER_BLOCK] }
    }

    /// Samples that come out for so many samples in.
    pub fn output_samples(&self, input_samples: usize) -> usize {
        match self.filter.step {
            Step::Same => input_samples,
            Step::Up(ratio) => input_samples * ratio,
            Step::Down(ratio) => input_samples / ratio,
        }
    }

    /// Samples that go in for so many samples out.
    pub fn input_samples(&self, output_samples: usize) -> usize {
        match self.filter.step {
            Step::Same => output_samples,
            Step::Up(ratio) => output_samples / ratio,
            Step::Down(ratio) => output_samples * ratio,
        }
    }

    /// What goes in at once is a multiple of so many samples.
    pub fn input_step(&self) -> usize {
        match self.filter.step {
            Step::Same | Step::Up(_) => 1,
            Step::Down(ratio) => ratio,
        }
    }

    /// Remembers silence again.
    pub fn clear(&mut self) {
        self.input.fill(0);
    }

    /// Resamples one frame into `out` and returns the samples written.
    ///
    /// # Panics
    /// `out` must hold [`Resampler::output_samples`]; when the rate goes down, `input` must be a
    /// multiple of the ratio.
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) -> usize {
        let samples = self.output_samples(input.len());
        let mut rest = &mut out[..samples];
        for block in input.chunks(RESAMPLER_BLOCK) {
            let (now, later) = rest.split_at_mut(self.output_samples(block.len()));
            rest = later;
            match self.filter.step {
                Step::Same => now.copy_from_slice(block),
                Step::Up(ratio) => self.interpolate(ratio, block, now),
                Step::Down(ratio) => self.decimate(ratio, block, now),
            }
        }
        samples
    }

    fn interpolate(&mut self, ratio: usize, block: &[i16], out: &mut [i16]) {
        self.take(block);
        let row = self.filter.row;
        let windows = self.input.windows(row);
        for (window, outs) in windows.zip(out.chunks_exact_mut(ratio)) {
            for (sample, row) in outs.iter_mut().zip(self.filter.coefficients.chunks_exact(row)) {
                *sample = filtered(window, row);
            }
        }
        self.forget(block.len());
    }

    fn decimate(&mut self, ratio: usize, block: &[i16], out: &mut [i16]) {
        assert!(block.len().is_multiple_of(ratio), "{} samples by {ratio}", block.len());
        self.take(block);
        let row = self.filter.row;
        // The first window ends with the block's first `ratio` samples.
        let windows = self.input[ratio - 1..].windows(row).step_by(ratio);
        for (window, sample) in windows.zip(out) {
            *sample = filtered(window, &self.filter.coefficients);
        }
        self.forget(block.len());
    }

    fn take(&mut self, block: &[i16]) {
        let row = self.filter.row;
        self.input[row - 1..][..block.len()].copy_from_slice(block);
    }

    fn forget(&mut self, samples: usize) {
        self.input.copy_within(samples..samples + self.filter.row - 1, 0);
    }
}

impl Filter {
    fn new(from_hz: u32, to_hz: u32) -> Filter {
        // In samples of the lower rate; multiples of eight suit the vector units.
        let length = if from_hz.min(to_hz) == 8_000 { 32 } else { 48 };
        let (step, row, coefficients) = match from_hz.cmp(&to_hz) {
            std::cmp::Ordering::Equal => (Step::Same, 1, Vec::new()),
            std::cmp::Ordering::Less => {
                let ratio = (to_hz / from_hz) as usize;
                (Step::Up(ratio), length, phases(ratio, length))
            }
            std::cmp::Ordering::Greater => {
                let ratio = (from_hz / to_hz) as usize;
                let row = rounded(&low_pass(ratio, length));
                (Step::Down(ratio), ratio * length, row)
            }
        };
        Filter { step, coefficients, row }
    }
}

/// One output sample.
#[inline]
fn filtered(window: &[i16], row: &[i16]) -> i16 {
    let sum: i32 = window.iter().zip(row).map(|(x, h)| i32::from(*x) * i32::from(*h)).sum();
    ((sum + ONE / 2) >> SHIFT).clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// The interpolator's rows: every `ratio`-th coefficient, so that each row has a gain of one.
fn phases(ratio: usize, length: usize) -> Vec<i16> {
    let prototype = low_pass(ratio, length);
    let mut rows = Vec::with_capacity(prototype.len());
    for phase in 0..ratio {
        // Reversed, because the latest input sample stands last in the window.
        let row: Vec<f64> = prototype.iter().skip(phase).step_by(ratio).rev().copied().collect();
        rows.extend(rounded(&row));
    }
    rows
}

/// A low pass of `ratio * length` coefficients at the higher rate, with its edge at half of the
/// lower rate. Its gain is whatever it comes to; [`rounded`] sets it.
fn low_pass(ratio: usize, length: usize) -> Vec<f64> {
    let count = ratio * length;
    let middle = (count - 1) as f64 / 2.0;
    (0..count)
        .map(|index| {
            // An even count: the middle lies between two coefficients, so `x` is never zero.
            let x = PI * (index as f64 - middle) / ratio as f64;
            let edge = (index as f64 - middle) / (count as f64 / 2.0);
            x.sin() / x * bessel_i0(KAISER_BETA * (1.0 - edge * edge).sqrt())
                / bessel_i0(KAISER_BETA)
        })
        .collect()
}

/// A row as integers that sum to exactly [`ONE`], so that a constant stays what it is, in each
/// phase alike.
fn rounded(row: &[f64]) -> Vec<i16> {
    let scale = f64::from(ONE) / row.iter().sum::<f64>();
    let mut integers: Vec<i16> = row.iter().map(|h| (h * scale).round() as i16).collect();
    let sum: i32 = integers.iter().copied().map(i32::from).sum();
    let largest = integers.iter_mut().max().expect("a filter has coefficients");
    *largest += (ONE - sum) as i16;
    integers
}

/// Modified Bessel function of the first kind and order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::Sine;

    const PAIRS_HZ: [(u32, u32); 6] = [
        (8_000, 16_000),
        (8_000, 48_000),
        (16_000, 48_000),
        (16_000, 8_000),
        (48_000, 8_000),
        (48_000, 16_000),
    ];
    const AMPLITUDE: i16 = 16_000;

    fn passband_hz(lower_rate_hz: u32) -> f64 {
        if lower_rate_hz == 8_000 { 3_400.0 } else { 7_000.0 }
    }

    /// One second of a tone, resampled in frames of 20 ms.
    fn resampled(frequency_hz: f64, (from_hz, to_hz): (u32, u32)) -> Vec<i16> {
        let mut sine = Sine::new(frequency_hz, AMPLITUDE, from_hz);
        let mut resampler = Resampler::new(from_hz, to_hz);
        let mut frame = vec![0; from_hz as usize / 50];
        let mut out = vec![0; to_hz as usize];
        for part in out.chunks_mut(to_hz as usize / 50) {
            sine.fill(&mut frame);
            assert_eq!(resampler.process(&frame, part), part.len());
        }
        out
    }

    /// Amplitude of a frequency over the last half second \[dB of the test tone\].
    fn level_db(pcm: &[i16], frequency_hz: f64, rate_hz: u32) -> f64 {
        let tail = &pcm[pcm.len() / 2..];
        let (mut re, mut im) = (0.0, 0.0);
        for (index, sample) in tail.iter().enumerate() {
            let turn = 2.0 * PI * frequency_hz * index as f64 / f64::from(rate_hz);
            re += f64::from(*sample) * turn.cos();
            im += f64::from(*sample) * turn.sin();
        }
        let amplitude = 2.0 * re.hypot(im) / tail.len() as f64;
        20.0 * (amplitude / f64::from(AMPLITUDE)).max(1e-9).log10()
    }

    #[test]
    fn the_passband_is_flat_to_half_a_decibel() {
        for pair in PAIRS_HZ {
            let top = passband_hz(pair.0.min(pair.1));
            for step in 1..=20 {
                let frequency_hz = (top * f64::from(step) / 20.0).round();
                let level = level_db(&resampled(frequency_hz, pair), frequency_hz, pair.1);
                assert!(level.abs() < 0.5, "{pair:?} {frequency_hz} Hz: {level:.3} dB");
            }
        }
    }

    #[test]
    fn images_are_60_db_down_when_the_rate_goes_up() {
        for pair in PAIRS_HZ.into_iter().filter(|(from, to)| from < to) {
            let top = passband_hz(pair.0);
            for step in 1..=10 {
                let frequency_hz = (top * f64::from(step) / 10.0).round();
                let out = resampled(frequency_hz, pair);
                for multiple in 1..=pair.1 / pair.0 / 2 {
                    let center = f64::from(multiple * pair.0);
                    for image in [center - frequency_hz, center + frequency_hz] {
                        let level = level_db(&out, image, pair.1);
                        let inside = image <= f64::from(pair.1 / 2);
                        assert!(!inside || level < -60.0, "{pair:?} {image} Hz: {level:.1} dB");
                    }
                }
            }
        }
    }

    #[test]
    fn aliases_are_60_db_down_when_the_rate_goes_down() {
        for pair in PAIRS_HZ.into_iter().filter(|(from, to)| from > to) {
            let stop = f64::from(pair.1) - passband_hz(pair.1);
            let half = f64::from(pair.0) / 2.0;
            for step in 0..40 {
                let frequency_hz = (stop + (half - stop) * f64::from(step) / 40.0).round();
                let out = resampled(frequency_hz, pair);
                let tail = &out[out.len() / 2..];
                let power = tail.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
                let rms = (2.0 * power / tail.len() as f64).sqrt() / f64::from(AMPLITUDE);
                let level = 20.0 * rms.max(1e-9).log10();
                assert!(level < -60.0, "{pair:?} {frequency_hz} Hz: {level:.1} dB");
            }
        }
    }

    #[test]
    fn the_delay_is_at_most_2_ms() {
        for pair in PAIRS_HZ {
            let mut input = vec![0; pair.0 as usize / 50];
            let at = input.len() / 2 / 6 * 6;
            input[at..at + 6].fill(20_000);
            let mut out = vec![0; pair.1 as usize / 50];
            Resampler::new(pair.0, pair.1).process(&input, &mut out);
            let centroid = |pcm: &[i16], rate_hz: u32| {
                let sum: f64 = pcm.iter().copied().map(f64::from).sum();
                let moment: f64 =
                    pcm.iter().enumerate().map(|(n, s)| (n as f64 + 0.5) * f64::from(*s)).sum();
                1000.0 * moment / sum / f64::from(rate_hz)
            };
            let delay_ms = centroid(&out, pair.1) - centroid(&input, pair.0);
            assert!((0.5..=2.0).contains(&delay_ms), "{pair:?}: {delay_ms:.3} ms");
        }
    }

    #[test]
    fn a_constant_stays_what_it_is() {
        for pair in PAIRS_HZ {
            let mut out = vec![0; pair.1 as usize / 10];
            Resampler::new(pair.0, pair.1).process(&vec![12_345; pair.0 as usize / 10], &mut out);
            assert!(out[out.len() / 2..].iter().all(|sample| *sample == 12_345), "{pair:?}");
        }
    }

    #[test]
    fn the_cut_into_frames_is_not_heard() {
        let mut input = vec![0; 4_800];
        Sine::new(440.0, AMPLITUDE, 48_000).fill(&mut input);
        let mut whole = vec![0; 800];
        Resampler::new(48_000, 8_000).process(&input, &mut whole);
        let mut resampler = Resampler::new(48_000, 8_000);
        let mut parts = Vec::new();
        for part in input.chunks(42) {
            let mut out = [0; 7];
            let samples = resampler.process(part, &mut out);
            parts.extend_from_slice(&out[..samples]);
        }
        assert_eq!(whole, parts);
    }

    #[test]
    fn no_input_can_overflow_the_sum() {
        for pair in PAIRS_HZ {
            let resampler = Resampler::new(pair.0, pair.1);
            for row in resampler.filter.coefficients.chunks(resampler.filter.row) {
                let magnitudes: i64 = row.iter().map(|h| i64::from(h.unsigned_abs())).sum();
                assert!(magnitudes * 32_768 + i64::from(ONE / 2) <= i64::from(i32::MAX));
            }
        }
    }
}
