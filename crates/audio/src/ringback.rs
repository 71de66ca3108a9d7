//! The ringing tone: what a caller hears while a far phone rings (ITU-T E.180).

use std::f64::consts::TAU;

use crate::mix;

/// Loudness of the tone \[dB of full scale\], as a sine of that power: E.180 §8 wants it about as
/// loud as speech.
const LEVEL_DB: f64 = -20.0;
/// How long a burst swells, and fades \[ms\], so that it neither begins nor ends with a click.
const RAMP_MS: u64 = 5;

/// A country's tone (ITU-T E.180 Supplement 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ringing {
    /// What sounds, all alike in loudness \[Hz\].
    pub frequencies_hz: &'static [u32],
    /// How long it sounds, is silent, sounds again and so on \[ms\]; then it begins anew.
    pub cadence_ms: &'static [u32],
}

impl Ringing {
    /// Most of Europe, and what E.180 recommends: 425 Hz for one second in five.
    pub const EUROPE: Ringing = Ringing { frequencies_hz: &[425], cadence_ms: &[1_000, 4_000] };
    /// North America: 440 and 480 Hz for two seconds in six.
    pub const NORTH_AMERICA: Ringing =
        Ringing { frequencies_hz: &[440, 480], cadence_ms: &[2_000, 4_000] };
    /// The United Kingdom: 400 and 450 Hz, twice in three seconds.
    pub const UNITED_KINGDOM: Ringing =
        Ringing { frequencies_hz: &[400, 450], cadence_ms: &[400, 200, 400, 2_000] };
}

/// A tone at one rate, ready to be played from any place on.
#[derive(Debug, Clone)]
pub struct RingingTone {
    /// What repeats while it sounds: all frequencies are multiples of 5 Hz, so 200 ms do.
    wave: Vec<i16>,
    cadence_ms: &'static [u32],
    per_ms: u64,
}

impl RingingTone {
    /// Makes the tone for a rate \[Hz\], of whole kilohertz.
    pub fn new(ringing: Ringing, rate_hz: u32) -> RingingTone {
        let frequencies = ringing.frequencies_hz;
        let power = 10f64.powf(LEVEL_DB / 10.0) / frequencies.len() as f64;
        let amplitude = 32_768.0 * (2.0 * power).sqrt();
        let sample = |index: u32| {
            let turns = |hz: &u32| f64::from(*hz) * f64::from(index) / f64::from(rate_hz);
            let sum: f64 = frequencies.iter().map(|hz| (turns(hz) * TAU).sin()).sum();
            (amplitude * sum).round() as i16
        };
        RingingTone {
            wave: (0..rate_hz / 5).map(sample).collect(),
            cadence_ms: ringing.cadence_ms,
            per_ms: u64::from(rate_hz / 1_000),
        }
    }

    /// Adds what sounds from a sample on, counted from the first burst's begin, to a sum at a gain
    /// in units of 2^-15. False if all of it is silence.
    pub fn add(&self, from: u64, sum: &mut [i32], gain_q15: u16) -> bool {
        let per_ms = self.per_ms as usize;
        let mut sounds = false;
        let (mut from, mut rest) = (from, sum);
        while !rest.is_empty() {
            let within = (from % self.per_ms) as usize;
            let part = rest.len().min(per_ms - within);
            let (millisecond, others) = rest.split_at_mut(part);
            if let Some(burst) = self.burst(from / self.per_ms) {
                self.add_part(from, millisecond, burst, gain_q15);
                sounds = true;
            }
            from += part as u64;
            rest = others;
        }
        sounds
    }

    /// How far into a burst a time is, and how long that still lasts \[ms\]; none is silence.
    fn burst(&self, at_ms: u64) -> Option<(u64, u64)> {
        let length: u64 = self.cadence_ms.iter().map(|ms| u64::from(*ms)).sum();
        let mut left = at_ms % length;
        for (number, ms) in self.cadence_ms.iter().map(|ms| u64::from(*ms)).enumerate() {
            if left < ms {
                return (number % 2 == 0).then_some((left, ms - left));
            }
            left -= ms;
        }
        None
    }

    /// Adds a part of a millisecond of a burst.
    fn add_part(&self, from: u64, sum: &mut [i32], (into, left): (u64, u64), gain_q15: u16) {
        let start = (from % self.wave.len() as u64) as usize;
        let wave = &self.wave[start..start + sum.len()];
        if into >= RAMP_MS && left > RAMP_MS {
            return mix::add_scaled(sum, wave, gain_q15);
        }
        let ramp = (RAMP_MS * self.per_ms) as i64;
        for (offset, (total, sample)) in (from % self.per_ms..).zip(sum.iter_mut().zip(wave)) {
            let begun = into * self.per_ms + offset;
            let to_come = left * self.per_ms - offset;
            let share = begun.min(to_come).min(RAMP_MS * self.per_ms) as i64;
            let gained = i64::from(*sample) * i64::from(gain_q15) * share / ramp;
            *total += (gained >> 15) as i32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::Ear;

    fn played(ringing: Ringing, rate_hz: u32, ms: u32, frame: usize) -> Vec<i16> {
        let tone = RingingTone::new(ringing, rate_hz);
        let mut pcm = Vec::new();
        while pcm.len() < (rate_hz / 1_000 * ms) as usize {
            let mut sum = vec![0; frame];
            tone.add(pcm.len() as u64, &mut sum, 32_768);
            pcm.extend(sum.iter().map(|sample| *sample as i16));
        }
        pcm
    }

    #[test]
    fn each_country_rings_with_its_frequencies_in_its_bursts() {
        let plans = [Ringing::EUROPE, Ringing::NORTH_AMERICA, Ringing::UNITED_KINGDOM];
        for (ringing, first_ms) in plans.into_iter().zip([1_000, 2_000, 400]) {
            let candidates: Vec<f64> =
                ringing.frequencies_hz.iter().map(|hz| f64::from(*hz)).collect();
            for rate_hz in [8_000, 16_000, 48_000] {
                let pcm = played(ringing, rate_hz, 7_000, rate_hz as usize / 50);
                let mut ear = Ear::new(&candidates, rate_hz);
                let window = (rate_hz / 1_000 * 400) as usize;
                let heard = ear.push(&pcm[..window]).unwrap();
                assert_eq!(heard.iter().count(), candidates.len(), "{ringing:?} at {rate_hz}");
                let at = |ms: u32| (rate_hz / 1_000 * ms) as usize;
                assert!(pcm[at(first_ms)..at(first_ms + 200)].iter().all(|sample| *sample == 0));
                assert!(pcm[at(first_ms - 20)..at(first_ms)].iter().any(|sample| *sample != 0));
            }
        }
    }

    #[test]
    fn it_begins_anew_after_its_cadence_and_has_no_seam_between_frames() {
        let whole = played(Ringing::EUROPE, 8_000, 10_000, 80_000);
        assert_eq!(whole, played(Ringing::EUROPE, 8_000, 10_000, 160));
        assert_eq!(whole[..40_000], whole[40_000..]);
        let bend = |t: &[i16]| (i32::from(t[2]) - 2 * i32::from(t[1]) + i32::from(t[0])).abs();
        let sine = 2.0 * (1.0 - (TAU * 425.0 / 8_000.0).cos()) * 4_634.0;
        let largest = whole.windows(3).map(bend).max().unwrap();
        assert!(f64::from(largest) < sine * 1.1, "a click: {largest}");
    }

    #[test]
    fn a_pause_adds_nothing_and_says_so() {
        let tone = RingingTone::new(Ringing::EUROPE, 8_000);
        let mut sum = [7; 160];
        assert!(!tone.add(16_000, &mut sum, 32_768));
        assert_eq!(sum, [7; 160]);
        assert!(tone.add(160, &mut sum, 32_768));
    }
}
