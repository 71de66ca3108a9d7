//! The codecs by name: rates, frame lengths, and what can go wrong.

use std::error::Error;
use std::fmt;

use crate::limits::FRAME_MS_MAX;

/// A way to put samples into payload bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711 µ-law: one byte a sample, 8000 Hz (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law: one byte a sample, 8000 Hz (RFC 3551 §4.5.14).
    Pcma,
    /// G.722 at 64 kbit/s: one byte for two samples, 16000 Hz (RFC 3551 §4.5.2).
    G722,
    /// Opus, mono, 48000 Hz (RFC 6716, RFC 7587).
    Opus,
}

impl Codec {
    /// Rate of the samples that go in and come out \[Hz\].
    pub fn rate_hz(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma => 8_000,
            Codec::G722 => 16_000,
            Codec::Opus => 48_000,
        }
    }

    /// Rate of the RTP timestamp \[Hz\]. It is the sampling rate, except that G.722 counts 8000 for
    /// reasons of history (RFC 3551 §4.5.2).
    pub fn rtp_clock_hz(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 8_000,
            Codec::Opus => 48_000,
        }
    }

    /// Samples in a frame of `ptime_ms`.
    pub fn samples(self, ptime_ms: u32) -> usize {
        (self.rate_hz() / 1000) as usize * ptime_ms as usize
    }

    /// Length of a payload in samples at [`Codec::rate_hz`], told without decoding it: from its
    /// bytes, for Opus from its first bytes (RFC 6716 §3.1).
    ///
    /// `None` for a payload that is empty, longer than [`FRAME_MS_MAX`] or, as far as its head
    /// shows, malformed.
    pub fn duration_samples(self, payload: &[u8]) -> Option<usize> {
        let samples = match self {
            Codec::Pcmu | Codec::Pcma => payload.len(),
            Codec::G722 => payload.len().checked_mul(2)?,
            Codec::Opus => opus::packet::get_nb_samples(payload, self.rate_hz()).ok()?,
        };
        (1..=self.samples(FRAME_MS_MAX)).contains(&samples).then_some(samples)
    }
}

/// An encoder or a decoder cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// The bit rate \[bit/s\] is outside of what Opus does.
    Bitrate(i32),
    /// The expected loss is more than everything \[percent\].
    Loss(u8),
    /// libopus refused, with its error code.
    Opus(i32),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodecError::Bitrate(rate) => write!(f, "Opus has no bit rate of {rate} bit/s"),
            CodecError::Loss(percent) => write!(f, "a loss of {percent} percent is not possible"),
            CodecError::Opus(code) => write!(f, "libopus refused with code {code}"),
        }
    }
}

impl Error for CodecError {}

/// A payload cannot be decoded. The decoder is as usable as before; the caller treats the payload
/// as lost and calls for concealment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The payload has no length: empty, longer than [`FRAME_MS_MAX`], or with a malformed head.
    Length,
    /// The buffer is shorter than the payload's samples.
    Space,
    /// The payload's inside is malformed.
    Malformed,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DecodeError::Length => "the payload is empty, too long, or has a malformed head",
            DecodeError::Space => "the payload holds more samples than the buffer",
            DecodeError::Malformed => "the payload is malformed",
        })
    }
}

impl Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_20_ms_has_the_samples_of_its_rate() {
        let samples = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus].map(|c| c.samples(20));
        assert_eq!(samples, [160, 160, 320, 960]);
    }

    #[test]
    fn a_payload_tells_its_length_undecoded() {
        assert_eq!(Codec::Pcmu.duration_samples(&[0; 160]), Some(160));
        assert_eq!(Codec::G722.duration_samples(&[0; 160]), Some(320));
        // RFC 6716 §3.1: configuration 1 is SILK of 20 ms, code 0 is one frame.
        assert_eq!(Codec::Opus.duration_samples(&[1 << 3, 0]), Some(960));
        assert_eq!(Codec::Opus.duration_samples(&[3 << 3, 0]), Some(2880));
    }

    #[test]
    fn a_payload_without_a_sound_length_has_none() {
        assert_eq!(Codec::Pcma.duration_samples(&[]), None);
        assert_eq!(Codec::Pcma.duration_samples(&[0; 961]), None);
        assert_eq!(Codec::Opus.duration_samples(&[]), None);
        // Three frames of 60 ms are more than a packet may hold (RFC 6716 §3.2.5).
        assert_eq!(Codec::Opus.duration_samples(&[(3 << 3) | 3, 3, 0, 0, 0]), None);
    }
}
