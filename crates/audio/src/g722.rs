//! G.722 at 64 kbit/s: two bands, each with adaptive differential coding (ITU-T G.722).
//!
//! Written from the Recommendation's block descriptions, whose names stand at the code. It is our
//! own because both sides must be plain values that can be copied: a listener who changes from a
//! shared encoder to a private one takes the encoder's memory along, because resets of an adaptive
//! coder are heard.
//!
//! A byte holds two bits of the higher band above six of the lower one.

/// QMF coefficients, the first half; the second mirrors it, in units of 2^-13.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// Decision levels of the lower band's quantiser (Q6).
const LOW_DECISIONS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023,
    1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
/// Code of the lower band by interval, for a negative difference (ILN).
const LOW_CODES_NEGATIVE: [u8; 30] = [
    63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10,
    9, 8, 7, 6, 5, 4,
];
/// Code of the lower band by interval, for a positive difference (ILP).
const LOW_CODES_POSITIVE: [u8; 30] = [
    61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38,
    37, 36, 35, 34, 33, 32,
];
/// Inverse quantiser of the lower band's upper four bits, which drives the adaptation (QM4).
const LOW_VALUES_4_BIT: [i32; 16] = [
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584,
    1200, 0,
];
/// Inverse quantiser of the lower band's six bits, which gives the output (QM6).
const LOW_VALUES_6_BIT: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232,
    -9360, -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776,
    -2400, -2032, -1688, -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280,
    11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776,
    2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];
/// Step of the lower band's logarithmic scale by the code's upper four bits (WL by RL42).
const LOW_SCALE_STEPS: [i32; 16] =
    [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
/// Inverse quantiser of the higher band (QM2).
const HIGH_VALUES: [i32; 4] = [-7408, -1616, 7408, 1616];
/// Step of the higher band's logarithmic scale by code (WH by IH2).
const HIGH_SCALE_STEPS: [i32; 4] = [798, -214, 798, -214];
/// Decision level of the higher band's quantiser.
const HIGH_DECISION: i32 = 564;
/// Antilogarithm of the scale factor's fraction (ILB).
const ANTILOG: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
    2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
/// Largest logarithmic scale factor of the lower band (block 3L, LOGSCL).
const LOW_SCALE_MAX: i32 = 18_432;
/// Largest logarithmic scale factor of the higher band (block 3H, LOGSCH).
const HIGH_SCALE_MAX: i32 = 22_528;

/// Largest logarithmic scale factor of the lower band at which it is silent: zeros come to 4,208.
const LOW_SCALE_SILENT: i32 = 4_608;
/// The bit that the higher band's two inner codes have, in a byte.
const HIGH_INNER: u8 = 0x40;

/// Samples in, bytes out. `Clone` copies all that the next byte depends on.
#[derive(Clone, Debug)]
pub(crate) struct Encoder {
    /// The last samples, oldest first, on which the bands are split.
    taps: [i32; 24],
    low: Band,
    high: Band,
}

impl Encoder {
    pub(crate) fn new() -> Encoder {
        Encoder { taps: [0; 24], low: Band::new(32), high: Band::new(8) }
    }

    /// Encodes each pair of samples into one byte; as many as the shorter slice holds.
    pub(crate) fn encode(&mut self, pcm: &[i16], out: &mut [u8]) {
        for (byte, pair) in out.iter_mut().zip(pcm.chunks_exact(2)) {
            self.taps.copy_within(2.., 0);
            self.taps[22] = i32::from(pair[0]);
            self.taps[23] = i32::from(pair[1]);
            let (even, odd) = self.split();
            let low = self.encode_low((even + odd) >> 14);
            let high = self.encode_high((even - odd) >> 14);
            *byte = high << 6 | low;
        }
    }

    /// Transmit QMF: the two halves of the filter.
    fn split(&self) -> (i32, i32) {
        let (mut even, mut odd) = (0, 0);
        for (index, coefficient) in QMF.iter().enumerate() {
            odd += self.taps[2 * index] * coefficient;
            even += self.taps[23 - 2 * index] * coefficient;
        }
        (even, odd)
    }

    fn encode_low(&mut self, sample: i32) -> u8 {
        // Blocks 1L SUBTRA, QUANTL.
        let difference = saturate(sample - self.low.estimate);
        let magnitude = if difference < 0 { !difference } else { difference };
        let scale = self.low.scale;
        let interval =
            LOW_DECISIONS.partition_point(|level| product(level << 3, scale) <= magnitude);
        let codes = if difference < 0 { &LOW_CODES_NEGATIVE } else { &LOW_CODES_POSITIVE };
        let code = codes[interval];
        self.low.adapt_low(code);
        code
    }

    fn encode_high(&mut self, sample: i32) -> u8 {
        // Blocks 1H SUBTRA, QUANTH.
        let difference = saturate(sample - self.high.estimate);
        let magnitude = if difference < 0 { !difference } else { difference };
        let outer = magnitude >= product(HIGH_DECISION << 3, self.high.scale);
        let code = match (difference < 0, outer) {
            (true, false) => 1,
            (true, true) => 0,
            (false, false) => 3,
            (false, true) => 2,
        };
        self.high.adapt_high(code);
        code
    }
}

/// Bytes in, samples out. Any bytes decode to something.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    /// Sums and differences of the last band samples, oldest first.
    taps: [i32; 24],
    low: Band,
    high: Band,
}

impl Decoder {
    pub(crate) fn new() -> Decoder {
        Decoder { taps: [0; 24], low: Band::new(32), high: Band::new(8) }
    }

    /// Decodes each byte into two samples; as many as the shorter slice holds.
    pub(crate) fn decode(&mut self, payload: &[u8], out: &mut [i16]) {
        for (pair, byte) in out.chunks_exact_mut(2).zip(payload) {
            let low = self.decode_low(byte & 0x3F);
            let high = self.decode_high(byte >> 6);
            self.taps.copy_within(2.., 0);
            self.taps[22] = low + high;
            self.taps[23] = low - high;
            let (first, second) = self.join();
            pair[0] = saturate(first >> 11) as i16;
            pair[1] = saturate(second >> 11) as i16;
        }
    }

    /// Whether a payload is digital silence to a decoder that decoded nothing else for a while,
    /// told by the steps of the quantisers alone. If so, those are as if it had been decoded; what
    /// the predictors would have learnt of it is left out.
    ///
    /// Payloads of silence never repeat: the lower band goes on swinging by less than is heard.
    /// But the higher band keeps to its inner codes only while its input is zeros: what rounding
    /// adds to the softest sound makes it leave them many times in a packet.
    pub(crate) fn rest(&mut self, payload: &[u8]) -> bool {
        let inner = payload.iter().fold(HIGH_INNER, |all, byte| all & byte) == HIGH_INNER;
        if !inner || self.high.scale_log > 0 {
            return false;
        }
        let (mut log, mut most) = (self.low.scale_log, 0);
        for byte in payload {
            log = next_low_scale_log(log, byte & 0x3F);
            most = most.max(log);
        }
        let rests = most <= LOW_SCALE_SILENT;
        if rests {
            (self.low.scale_log, self.low.scale) = (log, antilog(log, 8));
        }
        rests
    }

    fn decode_low(&mut self, code: u8) -> i32 {
        // Blocks 5L INVQBL, 6L LIMIT.
        let difference = product(self.low.scale, LOW_VALUES_6_BIT[usize::from(code)]);
        let sample = (self.low.estimate + difference).clamp(-16_384, 16_383);
        self.low.adapt_low(code);
        sample
    }

    fn decode_high(&mut self, code: u8) -> i32 {
        // Blocks 2H INVQAH, 6H LIMIT.
        let difference = product(self.high.scale, HIGH_VALUES[usize::from(code)]);
        let sample = (self.high.estimate + difference).clamp(-16_384, 16_383);
        self.high.adapt_high(code);
        sample
    }

    /// Receive QMF: the two output samples, in units of 2^-11.
    fn join(&self) -> (i32, i32) {
        let (mut first, mut second) = (0, 0);
        for (index, coefficient) in QMF.iter().enumerate() {
            second += self.taps[2 * index] * coefficient;
            first += self.taps[23 - 2 * index] * coefficient;
        }
        (first, second)
    }
}

/// One band's adaptive predictor and quantiser scale: the same in encoder and decoder.
#[derive(Clone, Debug)]
struct Band {
    /// Prediction of the next sample (S).
    estimate: i32,
    /// The share of the zeros in that prediction (SZ).
    estimate_zeros: i32,
    /// Quantiser scale factor (DETL, DETH).
    scale: i32,
    /// Its logarithm (NBL, NBH).
    scale_log: i32,
    /// The last two reconstructed samples (RLT), latest first.
    reconstructed: [i32; 2],
    /// The last two partially reconstructed samples (PLT), latest first.
    partial: [i32; 2],
    /// The last six quantised differences (DLT), latest first.
    differences: [i32; 6],
    /// Coefficients of the two poles (AL).
    poles: [i32; 2],
    /// Coefficients of the six zeros (BL).
    zeros: [i32; 6],
}

impl Band {
    /// A band at rest; `scale` is the quantiser's smallest step: 32 low, 8 high.
    fn new(scale: i32) -> Band {
        Band {
            estimate: 0,
            estimate_zeros: 0,
            scale,
            scale_log: 0,
            reconstructed: [0; 2],
            partial: [0; 2],
            differences: [0; 6],
            poles: [0; 2],
            zeros: [0; 6],
        }
    }

    /// Blocks 2L INVQAL, 3L LOGSCL and SCALEL, then the predictor.
    fn adapt_low(&mut self, code: u8) {
        let difference = product(self.scale, LOW_VALUES_4_BIT[usize::from(code >> 2)]);
        self.scale_log = next_low_scale_log(self.scale_log, code);
        self.scale = antilog(self.scale_log, 8);
        self.predict(difference);
    }

    /// Blocks 2H INVQAH, 3H LOGSCH and SCALEH, then the predictor.
    fn adapt_high(&mut self, code: u8) {
        let difference = product(self.scale, HIGH_VALUES[usize::from(code)]);
        let log = product(self.scale_log, 32_512) + HIGH_SCALE_STEPS[usize::from(code)];
        self.scale_log = log.clamp(0, HIGH_SCALE_MAX);
        self.scale = antilog(self.scale_log, 10);
        self.predict(difference);
    }

    /// Block 4: takes the quantised difference in, adapts the filters and predicts anew.
    fn predict(&mut self, difference: i32) {
        // RECONS, PARREC.
        let reconstructed = saturate(self.estimate + difference);
        let partial = saturate(self.estimate_zeros + difference);
        self.adapt_poles(partial);
        self.adapt_zeros(difference);

        // DELAYA.
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        self.reconstructed = [reconstructed, self.reconstructed[0]];
        self.partial = [partial, self.partial[0]];

        // FILTEP, FILTEZ, PREDIC.
        let weighed = |coefficient, sample: i32| product(coefficient, saturate(sample << 1));
        let by_poles = saturate(
            weighed(self.poles[0], self.reconstructed[0])
                + weighed(self.poles[1], self.reconstructed[1]),
        );
        let mut by_zeros = 0;
        for (coefficient, sample) in self.zeros.iter().zip(self.differences) {
            by_zeros += weighed(*coefficient, sample);
        }
        self.estimate_zeros = saturate(by_zeros);
        self.estimate = saturate(by_poles + self.estimate_zeros);
    }

    /// Blocks UPPOL2 and UPPOL1.
    fn adapt_poles(&mut self, partial: i32) {
        let same_sign_1 = (partial < 0) == (self.partial[0] < 0);
        let same_sign_2 = (partial < 0) == (self.partial[1] < 0);

        let first = saturate(self.poles[0] << 2);
        let pull = if same_sign_1 { saturate(-first) } else { first };
        let push = if same_sign_2 { 128 } else { -128 };
        let second = (pull >> 7) + push + product(self.poles[1], 32_512);
        let second = second.clamp(-12_288, 12_288);

        let push = if same_sign_1 { 192 } else { -192 };
        let limit = saturate(15_360 - second);
        let first = saturate(push + product(self.poles[0], 32_640)).clamp(-limit, limit);
        self.poles = [first, second];
    }

    /// Block UPZERO.
    fn adapt_zeros(&mut self, difference: i32) {
        let step = if difference == 0 { 0 } else { 128 };
        for (coefficient, past) in self.zeros.iter_mut().zip(self.differences) {
            let push = if (past < 0) == (difference < 0) { step } else { -step };
            *coefficient = saturate(push + product(*coefficient, 32_640));
        }
    }
}

/// The lower band's logarithmic scale factor after a code (block 3L, LOGSCL).
fn next_low_scale_log(log: i32, code: u8) -> i32 {
    let step = LOW_SCALE_STEPS[usize::from(code >> 2)];
    (product(log, 32_512) + step).clamp(0, LOW_SCALE_MAX)
}

/// The scale factor of its logarithm (blocks SCALEL, SCALEH).
fn antilog(log: i32, bias: i32) -> i32 {
    let fraction = ANTILOG[((log >> 6) & 31) as usize];
    let shift = bias - (log >> 11);
    (if shift < 0 { fraction << -shift } else { fraction >> shift }) << 2
}

/// A product of two fractions of 15 bits, as the Recommendation's `*`.
fn product(a: i32, b: i32) -> i32 {
    (a * b) >> 15
}

fn saturate(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::Sine;

    /// Half a second of noise that swells and fades, then half a second of a rising sawtooth.
    fn exercise() -> Vec<i16> {
        let mut state = 1u32;
        let noise = (0..8_000u32).map(move |index| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 16) as i16) >> (1 + index / 500 % 8)
        });
        let mut phase = 0i16;
        let sawtooth = (0..8_000i16).map(move |index| {
            phase = phase.wrapping_add(500 + index);
            phase >> 2
        });
        noise.chain(sawtooth).collect()
    }

    fn fnv(bytes: impl Iterator<Item = u8>) -> u32 {
        bytes.fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }

    #[test]
    fn bytes_and_samples_are_those_of_spandsp() {
        // The sums were taken from libspandsp 2.0.0 (g722_encode and g722_decode at 64000 bit/s).
        let pcm = exercise();
        let mut payload = vec![0; pcm.len() / 2];
        Encoder::new().encode(&pcm, &mut payload);
        assert_eq!(fnv(payload.iter().copied()), 1195276418);
        let mut decoded = vec![0; pcm.len()];
        Decoder::new().decode(&payload, &mut decoded);
        assert_eq!(fnv(decoded.iter().flat_map(|sample| sample.to_le_bytes())), 2144518210);
    }

    /// Whether each of 200 packets of 20 ms rests, for a decoder that has decoded zeros for 1 s.
    fn rests(mut sample: impl FnMut(usize) -> f64) -> Vec<bool> {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
        let (mut payload, mut out) = ([0; 160], [0; 320]);
        for _ in 0..50 {
            encoder.encode(&[0; 320], &mut payload);
            decoder.decode(&payload, &mut out);
        }
        let packet = |packet: usize| {
            let at = (packet * 320..(packet + 1) * 320).map(&mut sample);
            let pcm: Vec<i16> = at.map(|sample| sample.round() as i16).collect();
            encoder.encode(&pcm, &mut payload);
            let rests = decoder.rest(&payload);
            if !rests {
                decoder.decode(&payload, &mut out);
            }
            rests
        };
        (0..200).map(packet).collect()
    }

    #[test]
    fn zeros_rest_and_the_softest_sound_does_not() {
        assert_eq!(rests(|_| 0.0), [true; 200]);
        let mut state = 1_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 30) - 1.5
        };
        assert_eq!(rests(|_| noise()), [false; 200]);
        for hz in [120.0, 437.0, 1_000.0, 2_500.0, 5_000.0] {
            let sine = |index: usize| (std::f64::consts::TAU * hz * index as f64 / 16_000.0).sin();
            for amplitude in [4.0, 8.0, 32.0, 1_000.0] {
                let rests = rests(|index| amplitude * sine(index));
                assert_eq!(rests, [false; 200], "{hz} Hz, {amplitude}");
            }
            let swelling = rests(|index| index as f64 / 320.0 / 10.0 * sine(index));
            let last = swelling.iter().rposition(|rests| *rests);
            assert!(last.is_none_or(|last| last < 20), "{hz} Hz: {last:?}, an amplitude of 2");
        }
    }

    #[test]
    fn tones_of_both_bands_come_back() {
        for (frequency_hz, least_db) in [(437.0, 30.0), (1_000.0, 30.0), (5_500.0, 15.0)] {
            let mut tone = vec![0; 16_000];
            Sine::new(frequency_hz, 10_000, 16_000).fill(&mut tone);
            let mut payload = vec![0; 8_000];
            Encoder::new().encode(&tone, &mut payload);
            let mut decoded = vec![0; 16_000];
            Decoder::new().decode(&payload, &mut decoded);
            // The two filters delay by 22 samples together.
            let pairs = || tone[1_000..15_000].iter().zip(&decoded[1_022..]);
            let signal: f64 = pairs().map(|(a, _)| f64::from(*a).powi(2)).sum();
            let noise: f64 = pairs().map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
            let snr_db = 10.0 * (signal / noise).log10();
            assert!(snr_db > least_db, "{frequency_hz} Hz: {snr_db:.1} dB");
        }
    }
}
