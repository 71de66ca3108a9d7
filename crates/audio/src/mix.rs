//! Sums of voices in 32 bits. Slices that are paired are as long as each other; where they are
//! not, the shorter one counts.

/// Adds a frame to a sum.
pub fn add(sum: &mut [i32], frame: &[i16]) {
    for (total, sample) in sum.iter_mut().zip(frame) {
        *total += i32::from(*sample);
    }
}

/// Takes a frame out of a sum that it was added to.
pub fn subtract(sum: &mut [i32], frame: &[i16]) {
    for (total, sample) in sum.iter_mut().zip(frame) {
        *total -= i32::from(*sample);
    }
}

/// Adds a frame at a gain in units of 2^-15: 32768 is one, and up to almost two is possible.
pub fn add_scaled(sum: &mut [i32], frame: &[i16], gain_q15: u16) {
    for (total, sample) in sum.iter_mut().zip(frame) {
        *total += scaled(*sample, gain_q15);
    }
}

/// Takes out a frame that was added at the same gain.
pub fn subtract_scaled(sum: &mut [i32], frame: &[i16], gain_q15: u16) {
    for (total, sample) in sum.iter_mut().zip(frame) {
        *total -= scaled(*sample, gain_q15);
    }
}

/// Moves from one sum to another without a click: the first `ramp_samples` of `new` become a
/// straight line from `old` to `new`; the others stay.
pub fn crossfade(old: &[i32], new: &mut [i32], ramp_samples: usize) {
    let length = ramp_samples as i64 + 1;
    for (index, (to, from)) in new.iter_mut().zip(old).take(ramp_samples).enumerate() {
        let difference = i64::from(*to) - i64::from(*from);
        let travelled = difference * (index as i64 + 1) / length;
        // Between two sums, so it fits as they do.
        *to = (i64::from(*from) + travelled) as i32;
    }
}

fn scaled(sample: i16, gain_q15: u16) -> i32 {
    (i32::from(sample) * i32::from(gain_q15) + (1 << 14)) >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_taken_out_leaves_what_the_others_say() {
        let (ada, ben, cy) = ([30_000, -30_000], [20_000, -20_000], [10_000, -10_000]);
        let mut sum = [0; 2];
        for voice in [&ada, &ben, &cy] {
            add(&mut sum, voice);
        }
        subtract(&mut sum, &ada);
        assert_eq!(sum, [30_000, -30_000]);
    }

    #[test]
    fn what_is_added_at_a_gain_is_taken_out_at_that_gain() {
        let frame: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        for gain_q15 in [0, 1, 8_192, 23_170, 32_768, u16::MAX] {
            let mut sum = vec![7; frame.len()];
            add_scaled(&mut sum, &frame, gain_q15);
            subtract_scaled(&mut sum, &frame, gain_q15);
            assert!(sum.iter().all(|total| *total == 7));
        }
    }

    #[test]
    fn a_gain_of_one_half_halves() {
        let mut sum = [0; 3];
        add_scaled(&mut sum, &[1_000, -1_000, i16::MIN], 16_384);
        assert_eq!(sum, [500, -500, -16_384]);
    }

    #[test]
    fn a_crossfade_goes_in_even_steps_and_stops_at_its_end() {
        let mut sum = [100; 6];
        crossfade(&[0; 6], &mut sum, 4);
        assert_eq!(sum, [20, 40, 60, 80, 100, 100]);
        let mut sum = [i32::MAX; 2];
        crossfade(&[i32::MIN; 2], &mut sum, 100);
        assert!(sum[0] < sum[1] && sum[1] < 0);
    }
}
