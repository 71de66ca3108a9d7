//! Concealment of lost frames, for codecs that have none of their own.
//!
//! In the spirit of ITU-T G.711 Appendix I: the sound before the loss goes on, one pitch period at
//! first, then two, then three (one period alone buzzes), fading out; the first good frame is
//! merged with what would have come next. Unlike the Appendix it delays nothing: where the
//! repetition begins off the last sample, the step is worn off over a quarter of a period.

/// Sound that is remembered \[ms\]: three of the longest periods and their overlap.
const HISTORY_MS: usize = 50;
/// Shortest and longest pitch period that is repeated \[ms\]. Shorter ones repeat as multiples.
const PERIOD_MS: std::ops::RangeInclusive<usize> = 5..=15;
/// Sound that is compared to find the period \[ms\].
const MATCH_MS: usize = 20;
/// How long each number of periods is repeated before the next one \[ms\], and how long there is
/// no fading.
const STAGE_MS: usize = 10;
/// When silence is reached \[ms\].
const FADED_MS: usize = 60;
/// By how much each stage lost lengthens the merge into good sound \[ms\].
const MERGE_MS_PER_STAGE: usize = 4;
/// Longest merge into good sound \[ms\].
const MERGE_MS_MAX: usize = 10;
/// Most periods that are repeated in turn.
const PERIODS_MAX: usize = 3;
/// Square of the correlation under which sound counts as noise. Noise is repeated at the longest
/// period, where repetition is heard least.
const VOICED_MIN: f32 = 0.25;

/// One stream's memory of what it played last, at 8000, 16000 or 48000 Hz.
pub struct Concealer {
    /// Samples in a millisecond.
    per_ms: usize,
    /// The last [`HISTORY_MS`] played, oldest first.
    history: Vec<i16>,
    /// `history` as it stood when the loss began.
    source: Vec<i16>,
    /// `source` scaled to 10 bits, so that its correlations fit 32 bits.
    scaled: Vec<i16>,
    /// Pitch period of `source` \[samples\].
    period: usize,
    /// Samples concealed since the last good one; 0 when nothing is missing. Grows to
    /// [`FADED_MS`] and stays there.
    lost: usize,
}

impl Concealer {
    /// Makes a concealer that remembers silence.
    pub fn new(rate_hz: u32) -> Concealer {
        let per_ms = rate_hz as usize / 1000;
        let memory = || vec![0; HISTORY_MS * per_ms];
        Concealer {
            per_ms,
            history: memory(),
            source: memory(),
            scaled: memory(),
            period: *PERIOD_MS.end() * per_ms,
            lost: 0,
        }
    }

    /// Takes note of a good frame, and merges its beginning with the concealment before it.
    pub fn good(&mut self, frame: &mut [i16]) {
        if self.lost > 0 && !frame.is_empty() {
            // As in the Appendix: the longer the loss, the longer the merge.
            let growth = MERGE_MS_PER_STAGE * self.lost / STAGE_MS;
            let merge = (self.overlap() + growth).min(MERGE_MS_MAX * self.per_ms);
            let merge = merge.min(frame.len());
            let step = 1.0 / (merge + 1) as f32;
            for (index, sample) in frame[..merge].iter_mut().enumerate() {
                let concealed = self.concealed(self.lost + index);
                let weight = (index + 1) as f32 * step;
                *sample = (concealed + weight * (f32::from(*sample) - concealed)).round() as i16;
            }
            self.lost = 0;
        }
        self.remember(frame);
    }

    /// What was made up is not merged with the next good frame.
    pub fn leave(&mut self) {
        self.lost = 0;
    }

    /// Fills a lost frame.
    pub fn conceal(&mut self, out: &mut [i16]) {
        if self.lost == 0 {
            self.source.copy_from_slice(&self.history);
            self.period = self.find_period();
        }
        for (index, sample) in out.iter_mut().enumerate() {
            // Float to integer saturates, which the wearing off of the step can need.
            *sample = self.concealed(self.lost + index).round() as i16;
        }
        self.lost = (self.lost + out.len()).min(FADED_MS * self.per_ms);
        self.remember(out);
    }

    /// Sample `at` of the concealment, counted from the beginning of the loss.
    fn concealed(&self, at: usize) -> f32 {
        let (stage, faded) = (STAGE_MS * self.per_ms, FADED_MS * self.per_ms);
        if at >= faded {
            return 0.0;
        }
        let overlap = self.overlap();
        let periods = (at / stage + 1).min(PERIODS_MAX);
        let mut sample = self.repeated(periods, at);
        let into_stage = at - (periods - 1) * stage;
        if into_stage < overlap {
            let weight = (into_stage + 1) as f32 / (overlap + 1) as f32;
            if periods > 1 {
                let before = self.repeated(periods - 1, at);
                sample = before + weight * (sample - before);
            } else {
                let end = self.source.len();
                let [last, predicted] =
                    [end - 1, end - 1 - self.period].map(|index| f32::from(self.source[index]));
                sample += (last - predicted) * (1.0 - weight);
            }
        }
        let gain = if at < stage { 1.0 } else { (faded - at) as f32 / (faded - stage) as f32 };
        sample * gain
    }

    /// Sample `at` of the last `periods` periods repeated. The end of each turn is blended with
    /// what came before its beginning, so that the turns join.
    fn repeated(&self, periods: usize, at: usize) -> f32 {
        let (turn, overlap) = (periods * self.period, self.overlap());
        let position = at % turn;
        let index = self.source.len() - turn + position;
        let sample = f32::from(self.source[index]);
        let left = turn - position;
        if left > overlap {
            return sample;
        }
        let earlier = f32::from(self.source[index - turn]);
        let weight = (overlap - left + 1) as f32 / (overlap + 1) as f32;
        sample + weight * (earlier - sample)
    }

    /// Length of a blend: a quarter of the period.
    fn overlap(&self) -> usize {
        self.period / 4
    }

    /// The lag at which the end of `source` resembles itself most \[samples\].
    fn find_period(&mut self) -> usize {
        let longest = *PERIOD_MS.end() * self.per_ms;
        let peak = self.source.iter().fold(0, |peak, sample| peak.max(sample.unsigned_abs()));
        let shift = (16 - peak.leading_zeros()).saturating_sub(10);
        for (scaled, sample) in self.scaled.iter_mut().zip(&self.source) {
            *scaled = sample >> shift;
        }
        let start = self.scaled.len() - MATCH_MS * self.per_ms;
        let latest = &self.scaled[start..];
        let energy = product(latest, latest) as f32;
        let mut best = (longest, VOICED_MIN * energy);
        for lag in PERIOD_MS.start() * self.per_ms..=longest {
            let earlier = &self.scaled[start - lag..self.scaled.len() - lag];
            let likeness = product(latest, earlier) as f32;
            let score = likeness * likeness / product(earlier, earlier).max(1) as f32;
            if likeness > 0.0 && score > best.1 {
                best = (lag, score);
            }
        }
        best.0
    }

    fn remember(&mut self, played: &[i16]) {
        let length = self.history.len();
        let new = &played[played.len().saturating_sub(length)..];
        self.history.copy_within(new.len().., 0);
        self.history[length - new.len()..].copy_from_slice(new);
    }
}

/// Sum of products; with samples of 10 bits, 20 ms at 48000 Hz stay below 2^30.
fn product(a: &[i16], b: &[i16]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::Sine;

    const RATES_HZ: [u32; 2] = [8_000, 16_000];

    fn energy(pcm: &[i16]) -> f64 {
        pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum()
    }

    fn largest_step(pcm: &[i16]) -> i32 {
        pcm.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap()
    }

    /// A tone of one second, and the same with the frames of `lost` concealed.
    fn played(frequency_hz: f64, rate_hz: u32, lost: std::ops::Range<usize>) -> [Vec<i16>; 2] {
        let mut tone = vec![0; rate_hz as usize];
        Sine::new(frequency_hz, 10_000, rate_hz).fill(&mut tone);
        let mut heard = tone.clone();
        let mut concealer = Concealer::new(rate_hz);
        for (number, frame) in heard.chunks_mut(rate_hz as usize / 50).enumerate() {
            if lost.contains(&number) {
                concealer.conceal(frame);
            } else {
                concealer.good(frame);
            }
        }
        [tone, heard]
    }

    #[test]
    fn a_lost_frame_of_a_tone_keeps_its_energy_and_does_not_click() {
        for rate_hz in RATES_HZ {
            for frequency_hz in [101.0, 200.0, 437.0, 440.0, 727.0, 953.0, 1004.0, 1777.0, 3000.0] {
                let [tone, heard] = played(frequency_hz, rate_hz, 20..21);
                let frame = rate_hz as usize / 50;
                let lost = 20 * frame..21 * frame;
                let change_db = 10.0 * (energy(&heard[lost.clone()]) / energy(&tone[lost])).log10();
                assert!(change_db.abs() < 3.0, "{frequency_hz} Hz: {change_db:.2} dB");
                let (before, after) = (largest_step(&tone), largest_step(&heard));
                assert!(after <= 2 * before, "{frequency_hz} Hz: {after} after {before}");
            }
        }
    }

    #[test]
    fn a_long_loss_ends_in_silence_and_comes_back_without_a_click() {
        for rate_hz in RATES_HZ {
            let [tone, heard] = played(440.0, rate_hz, 20..30);
            let frame = rate_hz as usize / 50;
            assert_eq!(energy(&heard[23 * frame..30 * frame]), 0.0);
            assert!(largest_step(&heard) <= 2 * largest_step(&tone));
            assert_eq!(heard[31 * frame..], tone[31 * frame..]);
        }
    }

    #[test]
    fn sound_without_loss_is_left_alone() {
        let [tone, heard] = played(440.0, 8_000, 0..0);
        assert_eq!(tone, heard);
    }

    #[test]
    fn a_loss_before_any_sound_is_silence() {
        let mut frame = [1; 160];
        Concealer::new(8_000).conceal(&mut frame);
        assert_eq!(frame, [0; 160]);
    }

    #[test]
    fn full_scale_noise_and_odd_frames_survive() {
        let mut concealer = Concealer::new(16_000);
        let mut state = 1u32;
        for length in (0..900).chain([2_000]) {
            let mut frame = vec![0; length];
            for sample in &mut frame {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *sample = if state >> 31 == 0 { i16::MAX } else { i16::MIN };
            }
            if length % 3 == 0 { concealer.good(&mut frame) } else { concealer.conceal(&mut frame) }
        }
    }
}
