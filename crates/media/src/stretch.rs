//! Speech made a little longer or shorter with its pitch kept: one period is left out or said
//! twice, where it resembles its neighbour most.

/// The periods that are tried \[ms\]: up to 200 Hz one, above several at a time.
const LAG_MS_MIN: usize = 5;
/// The longest period \[ms\].
pub(crate) const LAG_MS_MAX: usize = 15;
/// Sound that is compared \[ms\].
const MATCH_MS: usize = 10;
/// Length of the blend where the ends meet \[ms\].
const BLEND_MS: usize = 5;
/// Sound that must be there \[ms\].
pub(crate) const NEEDED_MS: usize = LAG_MS_MAX + MATCH_MS;
/// Sound from which more can be made \[ms\]: a tick's. Where it runs out there may be no more, and
/// then only periods up to 10 ms are tried.
const NEEDED_TO_LENGTHEN_MS: usize = 20;

/// Blends the front so that a period can be dropped from it, and tells how long that is
/// \[samples\]; zero if there is too little sound.
pub(crate) fn shorten(sound: &mut [i16], per_ms: usize) -> usize {
    if sound.len() < NEEDED_MS * per_ms {
        return 0;
    }
    let lag = best_lag(sound, per_ms);
    let blend = BLEND_MS * per_ms;
    for index in 0..blend {
        sound[lag + index] = blended(sound[index], sound[lag + index], index, blend);
    }
    lag
}

/// Writes a period before `start` so that the sound from there on goes through it into what stood
/// at `start`, and tells how long it is \[samples\]; zero if there is too little sound.
pub(crate) fn lengthen(samples: &mut [i16], start: usize, per_ms: usize) -> usize {
    if samples.len() - start < NEEDED_TO_LENGTHEN_MS * per_ms || start < LAG_MS_MAX * per_ms {
        return 0;
    }
    let lag = best_lag(&samples[start..], per_ms);
    let blend = BLEND_MS * per_ms;
    samples.copy_within(start..start + lag, start - lag);
    for index in start..start + blend {
        samples[index] = blended(samples[index + lag], samples[index], index - start, blend);
    }
    lag
}

/// The step at which the sound resembles itself most.
fn best_lag(sound: &[i16], per_ms: usize) -> usize {
    // At 8 samples a millisecond everything is compared; above, first every so many samples.
    let stride = (per_ms / 8).max(1);
    let longest = (LAG_MS_MAX * per_ms).min(sound.len() - MATCH_MS * per_ms);
    let coarse = (LAG_MS_MIN * per_ms..=longest).step_by(stride);
    let best = coarse.min_by_key(|lag| difference(sound, *lag, per_ms, stride)).unwrap_or(0);
    let low = (best + 1).saturating_sub(stride).max(LAG_MS_MIN * per_ms);
    let high = (best + stride - 1).min(longest);
    (low..=high).min_by_key(|lag| difference(sound, *lag, per_ms, stride)).unwrap_or(best)
}

fn difference(sound: &[i16], lag: usize, per_ms: usize, stride: usize) -> u64 {
    let length = MATCH_MS * per_ms;
    let (front, later) = (&sound[..length], &sound[lag..lag + length]);
    let pairs = front.iter().zip(later).step_by(stride);
    pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
}

fn blended(from: i16, to: i16, index: usize, length: usize) -> i16 {
    let (from, to) = (i64::from(from), i64::from(to));
    // Between two samples, so it fits as they do.
    (from + (to - from) * (index as i64 + 1) / (length as i64 + 1)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use audio::tone::Sine;

    fn largest_step(pcm: &[i16]) -> i32 {
        pcm.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap()
    }

    #[test]
    fn a_tone_made_longer_or_shorter_does_not_click() {
        for (per_ms, frequency_hz) in
            [8, 16, 48].into_iter().flat_map(|per_ms| [101.0, 440.0, 1_234.5].map(|f| (per_ms, f)))
        {
            let mut tone = vec![0; 60 * per_ms];
            Sine::new(frequency_hz, 10_000, per_ms as u32 * 1_000).fill(&mut tone);
            let bound = largest_step(&tone) * 5 / 4;

            let mut shorter = tone.clone();
            let lag = shorten(&mut shorter, per_ms);
            assert!(lag >= LAG_MS_MIN * per_ms);
            assert!(largest_step(&shorter[lag..]) <= bound, "{frequency_hz} Hz, {per_ms}");

            let start = LAG_MS_MAX * per_ms;
            let mut longer = vec![0; start];
            longer.extend_from_slice(&tone);
            let lag = lengthen(&mut longer, start, per_ms);
            assert!(lag >= LAG_MS_MIN * per_ms);
            assert!(largest_step(&longer[start - lag..]) <= bound, "{frequency_hz} Hz, {per_ms}");
        }
    }

    #[test]
    fn too_little_sound_is_left_alone() {
        assert_eq!(shorten(&mut [0; NEEDED_MS * 8 - 1], 8), 0);
        assert_eq!(lengthen(&mut [0; NEEDED_MS * 8], 0, 8), 0);
    }
}
