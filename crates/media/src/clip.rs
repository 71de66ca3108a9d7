//! Sound that is there before it is played.

use std::collections::BTreeMap;
use std::sync::Arc;

use audio::{Resampler, mix};
use model::ClipName;
use model::prompt::Catalogue;

use crate::rate::Rate;

/// Sound at every rate, to be played from its beginning to its end. Copies share it.
#[derive(Debug, Clone)]
pub struct Clip {
    /// Whole ticks, as many at each rate.
    samples: Arc<[Vec<i16>; Rate::COUNT]>,
}

impl Clip {
    /// Makes a clip from samples at 8000, 16000 or 48000 Hz: not in a tick.
    ///
    /// # Panics
    /// For any other rate.
    pub fn new(samples: &[i16], rate_hz: u32) -> Clip {
        let tick = rate_hz as usize / 50;
        // One tick more than the sound, for what is still in the resamplers.
        let ticks = samples.len().div_ceil(tick) + 1;
        let mut whole = samples.to_vec();
        whole.resize(ticks * tick, 0);
        let at_rate = |rate: Rate| {
            let mut resampler = Resampler::new(rate_hz, rate.hz());
            let mut resampled = vec![0; ticks * rate.per_tick()];
            for (from, to) in whole.chunks(tick).zip(resampled.chunks_mut(rate.per_tick())) {
                resampler.process(from, to);
            }
            resampled
        };
        Clip { samples: Arc::new(Rate::ALL.map(at_rate)) }
    }

    pub(crate) fn samples(&self) -> Arc<[Vec<i16>; Rate::COUNT]> {
        Arc::clone(&self.samples)
    }

    /// How long it lasts, in ticks.
    pub(crate) fn ticks(&self) -> u64 {
        let rate = Rate::Hz8000;
        (self.samples[rate.index()].len() / rate.per_tick()) as u64
    }

    /// Adds one of its ticks to a sum at a gain in Q15; after its end nothing.
    pub(crate) fn add(&self, rate: Rate, tick: u64, sum: &mut [i32], gain_q15: u16) {
        let mut frames = self.samples[rate.index()].chunks_exact(rate.per_tick());
        if let Some(frame) = usize::try_from(tick).ok().and_then(|tick| frames.nth(tick)) {
            mix::add_scaled(sum, frame, gain_q15);
        }
    }
}

/// The clips that can be played, by name. Copies share them.
#[derive(Debug, Clone, Default)]
pub struct Clips(Arc<BTreeMap<ClipName, Clip>>);

impl Clips {
    /// Which there are.
    pub fn catalogue(&self) -> Catalogue {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn find(&self, name: &ClipName) -> Option<Clip> {
        self.0.get(name).cloned()
    }
}

impl FromIterator<(ClipName, Clip)> for Clips {
    fn from_iter<I: IntoIterator<Item = (ClipName, Clip)>>(clips: I) -> Clips {
        Clips(Arc::new(clips.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_is_as_long_at_each_rate_and_silent_after_its_end() {
        let clip = Clip::new(&[9_000; 500], 8_000);
        assert_eq!(clip.ticks(), 5);
        for rate in Rate::ALL {
            let mut sum = vec![0; rate.per_tick()];
            clip.add(rate, 1, &mut sum, 32_768);
            assert!(sum.iter().all(|sample| *sample > 8_000), "{rate:?}");
            sum.fill(0);
            clip.add(rate, 5, &mut sum, 32_768);
            assert!(sum.iter().all(|sample| *sample == 0), "{rate:?}");
        }
    }
}
