//! Every bound of this crate, with its reason.

/// Longest frame that is decoded or concealed at once \[ms\]: the longest Opus packet (RFC 6716
/// §3.2.5); longer G.711 and G.722 payloads are not sent by anybody who wants to be understood.
pub const FRAME_MS_MAX: u32 = 120;

/// Samples of the longest frame at the highest rate: [`FRAME_MS_MAX`] at 48000 Hz.
pub const FRAME_SAMPLES_MAX: usize = 48 * FRAME_MS_MAX as usize;

/// Room that an encoder is given for one payload \[bytes\]: the longest Opus frame (RFC 6716
/// §3.2.1). 60 ms of G.711 are 480 bytes.
pub const PAYLOAD_BYTES_MAX: usize = 1275;

/// Lowest Opus rate \[bit/s\] (RFC 6716 §2.1.1).
pub const OPUS_BITRATE_MIN: i32 = 6_000;

/// Highest Opus rate \[bit/s\] (RFC 6716 §2.1.1).
pub const OPUS_BITRATE_MAX: i32 = 510_000;

/// Opus rate for one voice where none was asked for \[bit/s\]: the middle of what RFC 7587 §3.1.1
/// recommends for fullband speech.
pub const OPUS_BITRATE_VOICE: i32 = 32_000;

/// Opus rate for a sum of voices where none was asked for \[bit/s\]: what RFC 7587 §3.1.1
/// recommends for fullband music, and what G.711 takes. Scores are in bench/README.md: with half
/// of the bits the sum sounds a little worse than as a voice, with these a little better.
pub const OPUS_BITRATE_MIX: i32 = 64_000;

/// How hard libopus tries with a voice, 0 to 10: at 5 speech is as good as anybody notices, and a
/// frame costs about half of what it does at 10.
pub const OPUS_COMPLEXITY_VOICE: i32 = 5;

/// How hard libopus tries with a sum of voices: at 0 a frame costs a fifth of what it does as a
/// voice, and more work makes speech no better: it makes the low rates of music so.
pub const OPUS_COMPLEXITY_MIX: i32 = 0;

/// Highest loss that an encoder can be told \[percent\].
pub const LOSS_PERCENT_MAX: u8 = 100;

/// Input samples that a resampler takes in one go: 20 ms at 48000 Hz, a multiple of every ratio.
/// Longer frames go through in several goes.
pub const RESAMPLER_BLOCK: usize = 960;

/// Frequencies that one ear can tell apart: the bits of the set in which it answers.
pub const EAR_CANDIDATES_MAX: usize = 64;
