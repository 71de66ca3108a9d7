//! How what a leg is sent is encoded: its codec, and what its far end wants of that (RFC 7587
//! section 6.1). Legs share payloads only where this is the same.
//!
//! | the far end says | it is sent |
//! |---|---|
//! | nothing | whatever suits the sound, and a speaker's own payloads |
//! | `useinbandfec=1` | redundancy, while it reports loss |
//! | `maxaveragebitrate` | no more than that, in steps |
//! | `maxplaybackrate` | no frequencies that it does not play |
//! | `cbr=1` | packets of one length |
//! | `usedtx`, `stereo` | every packet, of one channel: it only may be sent less or more |

use audio::limits::{OPUS_BITRATE_MIN, OPUS_BITRATE_MIX};
use audio::{Bandwidth, EncoderSettings, Sound};
use model::{Codec, Connection};

use crate::limits::OPUS_BITRATE_STEPS;
use crate::rate::{audio_codec, forwards};
use crate::voice::LOSS_PERCENT_UNKNOWN;

/// How what a leg is sent is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Recipe {
    pub(crate) codec: Codec,
    pub(crate) fec: bool,
    constant_bitrate: bool,
    /// None is as much as suits the sound \[bit/s\].
    bitrate_max: Option<i32>,
    bandwidth: Bandwidth,
}

impl Recipe {
    /// For a far end without wishes.
    pub(crate) fn plain(codec: Codec) -> Recipe {
        let bandwidth = Bandwidth::Full;
        Recipe { codec, fec: false, constant_bitrate: false, bitrate_max: None, bandwidth }
    }

    pub(crate) fn of(terms: &Connection) -> Recipe {
        let Connection { codec, fec, opus, .. } = *terms;
        let plain = Recipe { fec, ..Recipe::plain(codec) };
        match codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => plain,
            Codec::Opus => Recipe {
                constant_bitrate: opus.constant_bitrate,
                bitrate_max: opus.max_average_bitrate_bps.and_then(step),
                bandwidth: opus.max_playback_rate_hz.map_or(Bandwidth::Full, played),
                ..plain
            },
        }
    }

    /// How an encoder is set. Who hears one voice in Opus is given that voice's own payloads, so
    /// that what is encoded here is a mix, unless there are too few bits for one.
    pub(crate) fn settings(self) -> EncoderSettings {
        let Recipe { codec, fec, constant_bitrate, bitrate_max, bandwidth } = self;
        let sound = if bitrate_max.is_some() { Sound::Voice } else { Sound::Mix };
        // What is constant does not change with the loss either.
        let bitrate = bitrate_max.or(constant_bitrate.then_some(OPUS_BITRATE_MIX));
        EncoderSettings {
            sound,
            bitrate,
            bandwidth,
            constant_bitrate,
            fec,
            loss_percent: LOSS_PERCENT_UNKNOWN,
            ..EncoderSettings::of(audio_codec(codec))
        }
    }

    /// Whether a listener may be given a speaker's own payloads: their encoder knew nothing of its
    /// wishes. Redundancy in them does no harm.
    pub(crate) fn takes_payloads(self) -> bool {
        forwards(self.codec) && self == Recipe { fec: self.fec, ..Recipe::plain(self.codec) }
    }
}

/// The step of bit rates under a bound; none if it is no bound for what we send.
fn step(max_bps: u32) -> Option<i32> {
    let max = i32::try_from(max_bps).unwrap_or(i32::MAX);
    if max >= OPUS_BITRATE_MIX {
        return None;
    }
    // libopus may come out at 5 percent over what it aims at.
    let aim = max - max / 20;
    let steps = OPUS_BITRATE_STEPS.into_iter().rev();
    Some(steps.into_iter().find(|step| *step <= aim).unwrap_or(OPUS_BITRATE_MIN))
}

/// The bandwidth that is played at a rate \[Hz\] (RFC 7587 section 6.1). What is between two is
/// the lower, and of a mix there is none of 6 kHz.
fn played(rate_hz: u32) -> Bandwidth {
    match rate_hz {
        0..16_000 => Bandwidth::Narrow,
        16_000..24_000 => Bandwidth::Wide,
        24_000..=32_000 => Bandwidth::SuperWide,
        // At 44,100 Hz all 20 kHz are played.
        32_001.. => Bandwidth::Full,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_rates_are_the_next_step_under_what_is_wanted() {
        let steps = [0, 5_999, 6_000, 30_000, 63_999, 64_000, 510_000, u32::MAX].map(step);
        let expected = [Some(6_000), Some(6_000), Some(6_000), Some(28_000), Some(48_000)];
        assert_eq!(steps[..5], expected);
        assert_eq!(steps[5..], [None; 3]);
    }

    #[test]
    fn nothing_is_sent_that_is_not_played() {
        use Bandwidth::{Full, Narrow, SuperWide, Wide};
        let rates = [8_000, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
        let expected = [Narrow, Narrow, Wide, Wide, SuperWide, SuperWide, Full, Full];
        assert_eq!(rates.map(played), expected);
    }
}
