//! Finds a known voice in what was heard.

use audio::Resampler;

/// A voice is heard if what was heard is at least this like it. Two voices of equal strength are
/// each like their sum by 0.7; a voice that is not in it is so by less than 0.1.
pub(super) const HEARD_MIN: f32 = 0.3;

/// The rate at which voices are compared [Hz]: what every codec carries.
const RATE_HZ: u32 = 8_000;

/// The longest delay between speaking and hearing that is tried [samples]: half a second.
const DELAY_MAX: usize = RATE_HZ as usize / 2;

/// What is left out at the beginning, where calls come up and buffers fill [samples].
const SKIPPED: usize = RATE_HZ as usize / 2;

/// How much is compared [samples]: three seconds.
const COMPARED: usize = 3 * RATE_HZ as usize;

/// The same sound at the rate at which voices are compared.
pub(super) fn at_8_khz(samples: &[i16], rate_hz: u32) -> Vec<f32> {
    if rate_hz == RATE_HZ {
        return samples.iter().map(|sample| f32::from(*sample)).collect();
    }
    let mut resampler = Resampler::new(rate_hz, RATE_HZ);
    let mut block = [0; 160];
    let mut out = Vec::with_capacity(samples.len() / 2);
    for chunk in samples.chunks_exact(rate_hz as usize / 50) {
        let count = resampler.process(chunk, &mut block);
        out.extend(block[..count].iter().map(|sample| f32::from(*sample)));
    }
    out
}

/// How like a voice is to what was heard, 0 to 1: the greatest normalised correlation at any delay.
pub(super) fn likeness(heard: &[f32], voice: &[f32]) -> f32 {
    let start = SKIPPED + DELAY_MAX;
    let Some(heard) = heard.get(start..start + COMPARED) else { return 0.0 };
    let strength = |part: &[f32]| part.iter().map(|sample| sample * sample).sum::<f32>().sqrt();
    let heard_strength = strength(heard);
    let mut best = 0.0f32;
    for delay in 0..=DELAY_MAX {
        let from = start - delay;
        let Some(spoken) = voice.get(from..from + COMPARED) else { continue };
        let product: f32 = heard.iter().zip(spoken).map(|(h, s)| h * s).sum();
        let strengths = heard_strength * strength(spoken);
        if strengths > 0.0 {
            best = best.max(product.abs() / strengths);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Chance;

    /// Noise that has been smoothed, as different from one seed to the next as two voices are.
    fn voice(seed: u64) -> Vec<f32> {
        let mut chance = Chance::new(seed);
        let mut smooth = 0.0;
        (0..5 * RATE_HZ)
            .map(|_| {
                smooth = 0.7 * smooth + (chance.draw() % 2_001) as f32 - 1_000.0;
                smooth
            })
            .collect()
    }

    #[test]
    fn two_voices_are_found_in_their_sum_and_a_third_is_not() {
        let (alice, bob, carol) = (voice(1), voice(2), voice(3));
        let mut sum = vec![0.0; alice.len()];
        for at in 900..sum.len() {
            sum[at] = alice[at - 700] + bob[at - 900];
        }
        assert!(likeness(&sum, &alice) > HEARD_MIN);
        assert!(likeness(&sum, &bob) > HEARD_MIN);
        assert!(likeness(&sum, &carol) < HEARD_MIN / 2.0);
    }

    #[test]
    fn silence_is_like_nobody() {
        assert_eq!(likeness(&vec![0.0; 40_000], &voice(1)), 0.0);
        assert_eq!(likeness(&[], &voice(1)), 0.0);
    }
}
