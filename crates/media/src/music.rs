//! Hold music: one loop that everybody who waits hears at the same place.

use std::sync::Arc;

use crate::clip::Clip;
use crate::rate::Rate;

/// The loop at every rate.
#[derive(Debug, Clone)]
pub struct Music {
    loops: Arc<[Vec<i16>; Rate::COUNT]>,
}

impl Music {
    /// Takes a loop from its samples at 8, 16 and 48 kHz. They must be equally long in time, or
    /// the listeners of different rates drift apart. An empty one is silence.
    pub fn new(at_8000: Vec<i16>, at_16000: Vec<i16>, at_48000: Vec<i16>) -> Music {
        debug_assert_eq!(at_8000.len() * 2, at_16000.len(), "the loops are equally long");
        debug_assert_eq!(at_8000.len() * 6, at_48000.len(), "the loops are equally long");
        Music { loops: Arc::new([at_8000, at_16000, at_48000]) }
    }

    /// Plays a clip over and over.
    pub fn of(clip: &Clip) -> Music {
        Music { loops: clip.samples() }
    }

    /// The house's own music.
    pub fn house() -> Music {
        let [low, middle, high] = Rate::ALL.map(|rate| audio::music::hold_music(rate.hz()));
        Music::new(low, middle, high)
    }

    /// No music at all.
    pub fn silence() -> Music {
        Music::new(Vec::new(), Vec::new(), Vec::new())
    }

    /// Adds a tick's music to a sum at a gain in Q15.
    pub(crate) fn add(&self, rate: Rate, tick: u64, sum: &mut [i32], gain_q15: u16) {
        let samples = &self.loops[rate.index()];
        if samples.is_empty() {
            return;
        }
        let length = samples.len() as u64;
        let mut position = (tick % length * rate.per_tick() as u64 % length) as usize;
        let mut rest = sum;
        while !rest.is_empty() {
            let part = rest.len().min(samples.len() - position);
            let (front, back) = rest.split_at_mut(part);
            audio::mix::add_scaled(front, &samples[position..position + part], gain_q15);
            rest = back;
            position = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_goes_round_without_a_seam() {
        let samples: Vec<i16> = (0..200).collect();
        let stretched = |n: usize| (0..200 * n).map(|i| (i / n) as i16).collect::<Vec<_>>();
        let music = Music::new(samples, stretched(2), stretched(6));
        let mut heard = Vec::new();
        for tick in 0..10 {
            let mut sum = [0; 160];
            music.add(Rate::Hz8000, tick, &mut sum, 32_768);
            heard.extend(sum);
        }
        assert!(heard.iter().enumerate().all(|(index, sample)| *sample == index as i32 % 200));
    }
}
