//! Samples in, samples out: codecs, resampling, activity, tones, concealment, limiting.
//!
//! Everything here is pure and works on mono `i16` samples in buffers of the caller. A *frame* is
//! 10 to 60 ms of them at 8000, 16000 or 48000 Hz. After construction nothing allocates, because
//! the media tick calls all of it; [`music::hold_music`] and [`tone::Ear::heard`], which serve
//! start-up and tests, are the exceptions.
//!
//! | wanted | look in |
//! |---|---|
//! | payload bytes to samples and back | [`Encoder`], [`Decoder`], [`Codec`] |
//! | what to play when a packet is missing | [`Decoder::conceal`], [`Concealer`] |
//! | another sampling rate | [`Resampler`] |
//! | adding voices, ramps, the final limit | [`mix`], [`limiter`] |
//! | a speaker brought near the usual loudness | [`AutomaticGain`] |
//! | who is speaking, and how loudly | [`Activity`], [`activity`] |
//! | test tones, and an ear that tells them apart | [`tone`] |
//! | keys as tones, made and heard | [`dtmf`] |
//! | something to hear while waiting | [`music`] |
//! | what a caller hears while a phone rings | [`ringback`] |

pub mod activity;
mod codec;
mod conceal;
mod decoder;
pub mod dtmf;
mod encoder;
mod g711;
mod g722;
mod gain;
mod libopus;
pub mod limiter;
pub mod limits;
pub mod mix;
pub mod music;
mod resample;
pub mod ringback;
pub mod tone;

pub use activity::{Activity, Level};
pub use codec::{Codec, CodecError, DecodeError};
pub use conceal::Concealer;
pub use decoder::Decoder;
pub use encoder::{Bandwidth, Encoder, EncoderSettings, Sound};
pub use gain::AutomaticGain;
pub use resample::Resampler;
