//! Who is speaking: energy over a floor, with a hangover.
//!
//! The attack is immediate, so that no first syllable is cut; the hangover carries over the pauses
//! within a sentence. The floor follows steady noise on a line, within bounds: a steady loud tone
//! is never taken for noise.

use crate::codec::Codec;

/// How long somebody still counts as speaking after the last loud frame \[ms\].
const HANGOVER_MS: u32 = 300;
/// How far above the floor speech is \[dB\].
const MARGIN_DB: f32 = 8.0;
/// Bounds of the level above which there is speech, whatever the floor \[dBov\].
const THRESHOLD_DBOV: (f32, f32) = (-55.0, -38.0);
/// How fast the floor rises while it is louder \[dB/s\]; it falls at once.
const FLOOR_RISE_DB_PER_S: f32 = 2.0;
/// Bytes of G.711 that are looked at together: most sound differs from silence in its first.
const LOOKED_AT_ONCE: usize = 32;
/// Longest Opus payload that holds no sound \[bytes\].
const OPUS_HEAD_BYTES: usize = 2;
/// Largest magnitude that is still silence: what A-law makes of zero.
const SILENCE_MAX: u16 = 8;

/// Mean squares, loudest first: entry `n` is the bound between levels `n` and `n + 1`, in steps of
/// one decibel. Made by multiplication alone, so that it is the same on every machine.
static MEAN_SQUARE_BOUNDS: [f64; 127] = {
    let decibel = 0.794_328_234_724_281_5; // 10^-0.1
    let half_decibel = 0.891_250_938_133_745_5; // 10^-0.05
    let mut table = [0.0; 127];
    let mut bound = 32_768.0 * 32_768.0 * half_decibel;
    let mut index = 0;
    while index < table.len() {
        table[index] = bound;
        bound *= decibel;
        index += 1;
    }
    table
};

/// What a frame says about its speaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Loudness as in RFC 6464 §3: 0 is a square wave at full scale, 127 is silence, in \[-dBov\].
    pub dbov: u8,
    /// Whether there is speech in this very frame.
    pub loud: bool,
    /// Whether the speaker counts as speaking.
    pub speaking: bool,
}

/// One speaker's voice activity.
#[derive(Clone, Debug)]
pub struct Activity {
    rate_hz: u32,
    /// Level of steady noise \[dBov\], negative.
    floor_dbov: f32,
    /// Samples that still count as speech.
    hangover: usize,
}

impl Activity {
    /// A speaker who has not spoken, on a line that is assumed quiet.
    pub fn new(rate_hz: u32) -> Activity {
        Activity { rate_hz, floor_dbov: THRESHOLD_DBOV.0 - MARGIN_DB, hangover: 0 }
    }

    /// Takes a frame in.
    pub fn push(&mut self, frame: &[i16]) -> Level {
        let dbov = level_dbov(frame);
        let level = -f32::from(dbov);
        let (lowest, highest) = THRESHOLD_DBOV;
        let loud = level > (self.floor_dbov + MARGIN_DB).clamp(lowest, highest);
        let seconds = frame.len() as f32 / self.rate_hz as f32;
        self.floor_dbov =
            level.min(self.floor_dbov + FLOOR_RISE_DB_PER_S * seconds).max(lowest - MARGIN_DB);
        let speaking = loud || self.hangover > 0;
        self.hangover = if loud {
            (self.rate_hz / 1000 * HANGOVER_MS) as usize
        } else {
            self.hangover.saturating_sub(frame.len())
        };
        Level { dbov, loud, speaking }
    }
}

/// Loudness of a frame as in RFC 6464 §3: 0 to 127 \[-dBov\].
pub fn level_dbov(frame: &[i16]) -> u8 {
    if frame.is_empty() {
        return 127;
    }
    let squares: u64 = frame.iter().map(|sample| u64::from(sample.unsigned_abs()).pow(2)).sum();
    let mean = squares as f64 / frame.len() as f64;
    MEAN_SQUARE_BOUNDS.partition_point(|bound| *bound > mean) as u8
}

/// Whether a frame is digital silence, also after a trip through G.711.
pub fn is_silent(frame: &[i16]) -> bool {
    frame.iter().all(|sample| sample.unsigned_abs() <= SILENCE_MAX)
}

/// Whether a frame that this codec decoded is digital silence: as [`is_silent`], but what µ-law
/// says softly is sound, since its silence decodes to zeros.
pub fn frame_is_silence(codec: Codec, frame: &[i16]) -> bool {
    match codec {
        Codec::Pcmu => frame.iter().all(|sample| *sample == 0),
        Codec::Pcma | Codec::G722 | Codec::Opus => is_silent(frame),
    }
}

/// Whether a payload is digital silence, told without decoding it: G.711 of nothing but zeros, and
/// Opus of a head alone, as a sender makes it that transmits nothing (RFC 6716 §3.1, §2.1.9). Never
/// true for G.722 and for an empty payload.
pub fn payload_is_silence(codec: Codec, payload: &[u8]) -> bool {
    let codes = match codec {
        Codec::Pcmu => [0xFF, 0x7F],
        Codec::Pcma => [0xD5, 0x55],
        Codec::Opus => return (1..=OPUS_HEAD_BYTES).contains(&payload.len()),
        Codec::G722 => return false,
    };
    // Some at a time, and all of those: that is a few instructions for a processor.
    let silent = |part: &[u8]| {
        part.iter().fold(true, |all, byte| all & (*byte == codes[0] || *byte == codes[1]))
    };
    !payload.is_empty() && payload.chunks(LOOKED_AT_ONCE).all(silent)
}

/// What an Opus payload's encoder thought of the first of it: voice, or none. Told without decoding
/// it, by the first bit of what SILK codes (RFC 6716 §4.2.3); none where there is no SILK in it.
pub fn opus_voice_flag(payload: &[u8]) -> Option<bool> {
    /// The first configuration of CELT alone (RFC 6716 §3.1, table 2).
    const CELT_ONLY: u8 = 16;
    let [toc, first, ..] = payload else { return None };
    let (configuration, frames) = (toc >> 3, toc & 3);
    // A symbol of even odds is the range coder's first bit (RFC 6716 §4.1).
    (configuration < CELT_ONLY && frames == 0).then_some(first & 0x80 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::Sine;
    use crate::{Encoder, EncoderSettings};

    /// Pushes frames of 20 ms of a square wave and returns who speaks, frame by frame.
    fn speaking(activity: &mut Activity, amplitude: i16, frames: usize) -> Vec<bool> {
        let frame: Vec<i16> =
            (0..160).map(|n| if n % 2 == 0 { amplitude } else { -amplitude }).collect();
        (0..frames).map(|_| activity.push(&frame).speaking).collect()
    }

    #[test]
    fn levels_are_those_of_rfc_6464() {
        assert_eq!(level_dbov(&[0; 160]), 127);
        assert_eq!(level_dbov(&[i16::MIN; 160]), 0);
        assert_eq!(level_dbov(&[3_277; 160]), 20);
        assert_eq!(level_dbov(&[33; 160]), 60);
        let mut sine = [0; 800];
        Sine::new(1_000.0, 32_767, 8_000).fill(&mut sine);
        assert_eq!(level_dbov(&sine), 3);
    }

    #[test]
    fn the_first_loud_frame_counts() {
        let mut activity = Activity::new(8_000);
        assert_eq!(speaking(&mut activity, 0, 50), [false; 50]);
        assert_eq!(speaking(&mut activity, 300, 1), [true]);
    }

    #[test]
    fn speech_lasts_300_ms_longer_than_its_sound() {
        let mut activity = Activity::new(8_000);
        speaking(&mut activity, 3_000, 10);
        let after = speaking(&mut activity, 0, 20);
        assert_eq!(after.iter().filter(|speaks| **speaks).count(), 15);
    }

    #[test]
    fn steady_noise_stops_counting_and_speech_above_it_counts() {
        let mut activity = Activity::new(8_000);
        let noise = speaking(&mut activity, 150, 60 * 50);
        assert!(noise[0] && !noise[noise.len() - 1]);
        assert_eq!(speaking(&mut activity, 1_500, 1), [true]);
    }

    #[test]
    fn a_steady_loud_tone_counts_for_ever() {
        let mut activity = Activity::new(8_000);
        assert!(speaking(&mut activity, 3_000, 120 * 50).iter().all(|speaks| *speaks));
    }

    #[test]
    fn an_opus_payload_tells_whether_it_is_voice() {
        // Bursts of tones as syllables are, then noise as of a quiet room.
        let mut encoder = Encoder::new(EncoderSettings::of(Codec::Opus)).unwrap();
        let mut sine = Sine::new(437.0, 6_000, 48_000);
        let mut noise = 1_u32;
        let mut voiced = |speaks: bool| {
            let mut pcm = [0; 960];
            if speaks {
                sine.fill(&mut pcm);
            }
            for sample in &mut pcm {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *sample += (noise >> 28) as i16;
            }
            let mut payload = [0; 1_500];
            let length = encoder.encode(&pcm, &mut payload);
            opus_voice_flag(&payload[..length])
        };
        assert_eq!([true; 20].map(&mut voiced)[10..], [Some(true); 10]);
        assert_eq!([false; 50].map(&mut voiced)[40..], [Some(false); 10]);
        assert_eq!([true; 20].map(&mut voiced)[10..], [Some(true); 10]);
        // CELT alone, several frames, nothing.
        let others: [&[u8]; 4] = [&[16 << 3, 0xFF], &[9 << 3 | 1, 0xFF], &[9 << 3], &[]];
        assert_eq!(others.map(opus_voice_flag), [None; 4]);
    }

    #[test]
    fn silence_is_told_from_samples_and_from_bytes() {
        assert!(is_silent(&[0, 8, -8]));
        assert!(!is_silent(&[0, 9]));
        assert!(!is_silent(&[i16::MIN]));
        assert!(frame_is_silence(Codec::Pcma, &[8, -8]));
        assert!(frame_is_silence(Codec::Pcmu, &[0, 0]) && !frame_is_silence(Codec::Pcmu, &[8]));
        assert!(payload_is_silence(Codec::Pcmu, &[0xFF, 0x7F]));
        assert!(!payload_is_silence(Codec::Pcmu, &[0xFF, 0x7E]));
        assert!(payload_is_silence(Codec::Pcma, &[0xD5, 0x55]));
        assert!(!payload_is_silence(Codec::Pcma, &[0xFF]));
        assert!(!payload_is_silence(Codec::Pcma, &[]));
        assert!(!payload_is_silence(Codec::G722, &[0xFF]));
        assert!(payload_is_silence(Codec::Opus, &[0x08]));
        assert!(!payload_is_silence(Codec::Opus, &[0x08, 1, 2]));
        assert!(!payload_is_silence(Codec::Opus, &[]));
    }
}
