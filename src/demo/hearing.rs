//! Finds a known voice in what was heard.

use audio::Resampler;

/// A voice is heard if it is at least this strong in what was heard. One that is there comes out
/// near 1; one that is not, near 0.1, as no two voices are wholly unlike.
pub(super) const HEARD_MIN: f32 = 0.5;

/// The rate at which voices are compared [Hz]: what every codec carries.
const RATE_HZ: u32 = 8_000;

/// The longest delay between speaking and hearing that is tried [samples]: half a second.
const DELAY_MAX: usize = RATE_HZ as usize / 2;

/// What is left out at the beginning, where calls come up and buffers fill [samples].
const SKIPPED: usize = RATE_HZ as usize / 2;

/// How much is compared at once [samples]: one second. A jitter buffer that changes its delay moves
/// what comes after, so each second is laid over the voice by itself.
const COMPARED: usize = RATE_HZ as usize;

/// Seconds that are compared.
const SECONDS: usize = 4;

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

/// How strong a voice is in what was heard: 1 as loud as it was spoken, 0 not at all; the median of
/// the seconds in which it speaks.
pub(super) fn strength(heard: &[f32], voice: &[f32]) -> f32 {
    let seconds = (0..SECONDS).map(|second| SKIPPED + DELAY_MAX + second * COMPARED);
    let mut strengths: Vec<f32> =
        seconds.filter_map(|start| strength_at(start, heard, voice)).collect();
    strengths.sort_by(f32::total_cmp);
    strengths.get(strengths.len() / 2).copied().unwrap_or(0.0)
}

/// The factor by which the voice, at the delay that suits best, explains most of a second of what
/// was heard. None where the voice is silent, or what was heard ends before.
fn strength_at(start: usize, heard: &[f32], voice: &[f32]) -> Option<f32> {
    let heard = heard.get(start..start + COMPARED)?;
    let energy = |part: &[f32]| part.iter().map(|sample| sample * sample).sum::<f32>();
    let usual = energy(voice) * COMPARED as f32 / voice.len() as f32;
    (0..=DELAY_MAX)
        .filter_map(|delay| {
            let spoken = voice.get(start - delay..start - delay + COMPARED)?;
            let energy = energy(spoken);
            let product: f32 = heard.iter().zip(spoken).map(|(h, s)| h * s).sum();
            (energy > usual / 4.0).then_some(product.abs() / energy)
        })
        .max_by(f32::total_cmp)
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
        assert!(strength(&sum, &alice) > HEARD_MIN);
        assert!(strength(&sum, &bob) > HEARD_MIN);
        assert!(strength(&sum, &carol) < HEARD_MIN / 2.0);
    }

    #[test]
    fn in_silence_nobody_is_heard() {
        assert_eq!(strength(&vec![0.0; 40_000], &voice(1)), 0.0);
        assert_eq!(strength(&[], &voice(1)), 0.0);
    }
}
