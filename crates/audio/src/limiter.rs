//! The limiter: the last step before a sum of voices becomes samples.
//!
//! A curve without memory, so that listeners who hear the same sum get the same samples whatever
//! they heard before; only then can they share an encoder.

/// Sums up to here, about -3 dBFS, pass unchanged.
pub const KNEE: i32 = 23_170;

/// What is left between the knee and full scale.
const HEADROOM: i64 = (i16::MAX as i64) - KNEE as i64;

/// Puts sums into samples; as many as the shorter slice holds.
///
/// Up to [`KNEE`] a sum is itself; above, the curve bends smoothly and never falls, towards full
/// scale. It is odd: `-x` becomes minus what `x` becomes.
pub fn limit(sum: &[i32], out: &mut [i16]) {
    let peak = sum.iter().fold(0, |peak, value| peak.max(value.unsigned_abs()));
    if peak <= KNEE as u32 {
        for (sample, value) in out.iter_mut().zip(sum) {
            *sample = *value as i16;
        }
    } else {
        for (sample, value) in out.iter_mut().zip(sum) {
            *sample = curve(*value);
        }
    }
}

/// `KNEE + HEADROOM * over / (over + HEADROOM)`: its slope is one at the knee.
fn curve(value: i32) -> i16 {
    let over = i64::from(value.unsigned_abs()) - i64::from(KNEE);
    if over <= 0 {
        return value as i16;
    }
    let magnitude = (i64::from(KNEE) + HEADROOM * over / (over + HEADROOM)) as i16;
    if value < 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(value: i32) -> i32 {
        let mut out = [0; 1];
        limit(&[value], &mut out);
        out[0].into()
    }

    #[test]
    fn below_the_knee_everything_is_itself() {
        for value in -KNEE..=KNEE {
            assert_eq!(limited(value), value);
            // The same where another sample of the frame is above the knee.
            let mut out = [0; 2];
            limit(&[value, 100_000], &mut out);
            assert_eq!(i32::from(out[0]), value);
        }
    }

    #[test]
    fn the_curve_never_falls_never_jumps_and_is_odd() {
        for value in 0..17 * 32_768 {
            let step = limited(value + 1) - limited(value);
            assert!((0..=1).contains(&step), "at {value}: {step}");
            assert_eq!(limited(-value), -limited(value));
        }
    }

    #[test]
    fn sixteen_full_scale_talkers_come_close_to_full_scale() {
        let loud = limited(16 * 32_767);
        assert!((32_000..=32_767).contains(&loud), "{loud}");
        assert!(limited(i32::MAX) <= 32_767);
        assert!(limited(i32::MIN) >= -32_767);
    }
}
