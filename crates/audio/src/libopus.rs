//! The Opus encoder at the level of its bytes.
//!
//! libopus promises that "the encoder state is always continuous in memory and only a shallow copy
//! is sufficient to copy it" (opus.h, `opus_encoder_init`). The safe `opus` crate keeps that memory
//! to itself; here it is a boxed slice of ours, so that one encoder can take over what another one
//! remembers. This is the only file with unsafe code.
#![expect(unsafe_code, reason = "libopus is C; every call is wrapped in a safe function here")]

use std::ffi::c_int;

use opusic_sys as ffi;

use crate::codec::CodecError;
use crate::encoder::{Bandwidth, EncoderSettings, Sound};
use crate::limits::{
    OPUS_BITRATE_MIX, OPUS_BITRATE_VOICE, OPUS_COMPLEXITY_MIX, OPUS_COMPLEXITY_VOICE,
    PAYLOAD_BYTES_MAX,
};

const RATE_HZ: i32 = 48_000;
const MONO: c_int = 1;

impl EncoderSettings {
    /// As what the sound is encoded: only a voice has redundancy.
    fn encoded(&self) -> Sound {
        if self.fec && self.loss_percent > 0 { Sound::Voice } else { self.sound }
    }

    /// For what libopus is set up, for good: a mix that never has redundancy is never encoded as a
    /// voice, so it need not wait 4 ms for a switch to that (RFC 6716 §2.1.9).
    fn application(&self) -> c_int {
        match (self.sound, self.fec) {
            (Sound::Voice, _) => ffi::OPUS_APPLICATION_VOIP,
            (Sound::Mix, true) => ffi::OPUS_APPLICATION_AUDIO,
            (Sound::Mix, false) => ffi::OPUS_APPLICATION_RESTRICTED_LOWDELAY,
        }
    }
}

/// A mono encoder at 48000 Hz.
pub(crate) struct Encoder {
    /// libopus's encoder state; 16-byte units, because that is how malloc would align it.
    state: Box<[u128]>,
    /// What stays its own when it takes over the memory of another one.
    tuning: EncoderSettings,
    landing: bool,
}

impl Encoder {
    pub(crate) fn new(tuning: EncoderSettings) -> Result<Encoder, CodecError> {
        // SAFETY: takes and returns plain integers.
        let size = unsafe { ffi::opus_encoder_get_size(MONO) };
        let bytes = usize::try_from(size).map_err(|_| CodecError::Opus(size))?;
        let state = vec![0; bytes.div_ceil(size_of::<u128>())].into_boxed_slice();
        let mut encoder = Encoder { state, tuning, landing: false };
        // SAFETY: the state has at least the size that libopus asked for, and malloc's alignment.
        let code = unsafe {
            let state = encoder.state.as_mut_ptr().cast();
            ffi::opus_encoder_init(state, RATE_HZ, MONO, tuning.application())
        };
        accepted(code)?;
        encoder.set(ffi::OPUS_SET_DTX_REQUEST, 0)?;
        encoder.tune()?;
        Ok(encoder)
    }

    /// Encodes one frame and returns its bytes, or libopus's error code.
    pub(crate) fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        let landing = std::mem::take(&mut self.landing);
        if landing {
            self.set(ffi::OPUS_SET_PREDICTION_DISABLED_REQUEST, 1)?;
        }
        let samples =
            c_int::try_from(pcm.len()).map_err(|_| CodecError::Opus(ffi::OPUS_BAD_ARG))?;
        let space = out.len().min(PAYLOAD_BYTES_MAX) as i32;
        // SAFETY: the state was initialised by libopus; it reads `samples` samples, which is the
        // length of `pcm`, and writes at most `space` bytes, which `out` has.
        let code = unsafe {
            let state = self.state.as_mut_ptr().cast();
            ffi::opus_encode(state, pcm.as_ptr(), samples, out.as_mut_ptr(), space)
        };
        if landing {
            self.set(ffi::OPUS_SET_PREDICTION_DISABLED_REQUEST, 0)?;
        }
        usize::try_from(code).map_err(|_| CodecError::Opus(code))
    }

    /// From the next frame on, redundancy is made for so much loss \[percent\].
    pub(crate) fn expect_loss(&mut self, percent: u8) -> Result<(), CodecError> {
        if self.tuning.loss_percent == percent {
            return Ok(());
        }
        self.tuning.loss_percent = percent;
        self.tune()
    }

    /// The next frame is encoded so that it needs nothing from those before it.
    pub(crate) fn land_next(&mut self) {
        self.landing = true;
    }

    /// Goes on where `other` stands, with this encoder's own tuning.
    pub(crate) fn copy_state_from(&mut self, other: &Encoder) -> Result<(), CodecError> {
        if self.tuning.application() != other.tuning.application() {
            return Err(CodecError::Opus(ffi::OPUS_BAD_ARG));
        }
        self.state.copy_from_slice(&other.state);
        self.landing = other.landing;
        if self.tuning != other.tuning { self.tune() } else { Ok(()) }
    }

    fn tune(&mut self) -> Result<(), CodecError> {
        // What libopus is told to be music it encodes without its model of a voice (RFC 6716
        // section 2.1.1: the CELT layer alone).
        let (signal, complexity, bitrate) = match self.tuning.encoded() {
            Sound::Voice => (ffi::OPUS_SIGNAL_VOICE, OPUS_COMPLEXITY_VOICE, OPUS_BITRATE_VOICE),
            Sound::Mix => (ffi::OPUS_SIGNAL_MUSIC, OPUS_COMPLEXITY_MIX, OPUS_BITRATE_MIX),
        };
        self.set(ffi::OPUS_SET_SIGNAL_REQUEST, signal)?;
        self.set(ffi::OPUS_SET_COMPLEXITY_REQUEST, complexity)?;
        let bandwidth = match self.tuning.bandwidth {
            Bandwidth::Narrow => ffi::OPUS_BANDWIDTH_NARROWBAND,
            Bandwidth::Wide => ffi::OPUS_BANDWIDTH_WIDEBAND,
            Bandwidth::SuperWide => ffi::OPUS_BANDWIDTH_SUPERWIDEBAND,
            Bandwidth::Full => ffi::OPUS_BANDWIDTH_FULLBAND,
        };
        self.set(ffi::OPUS_SET_BITRATE_REQUEST, self.tuning.bitrate.unwrap_or(bitrate))?;
        self.set(ffi::OPUS_SET_MAX_BANDWIDTH_REQUEST, bandwidth)?;
        self.set(ffi::OPUS_SET_VBR_REQUEST, (!self.tuning.constant_bitrate).into())?;
        self.set(ffi::OPUS_SET_INBAND_FEC_REQUEST, self.tuning.fec.into())?;
        self.set(ffi::OPUS_SET_PACKET_LOSS_PERC_REQUEST, self.tuning.loss_percent.into())
    }

    /// Sets one option; every request used here takes exactly one `opus_int32`.
    fn set(&mut self, request: c_int, value: i32) -> Result<(), CodecError> {
        // SAFETY: the state was initialised by libopus, and the request's argument has its type.
        let code = unsafe { ffi::opus_encoder_ctl(self.state.as_mut_ptr().cast(), request, value) };
        accepted(code)
    }
}

/// Whether a packet carries in-band redundancy (LBRR, RFC 6716 §4.2.4) of the packet before it.
pub(crate) fn carries_fec(payload: &[u8]) -> bool {
    // The length is checked first because libopus reads into the first frame.
    let Ok(bytes) = i32::try_from(payload.len()) else { return false };
    if opus::packet::get_nb_samples(payload, RATE_HZ as u32).is_err() {
        return false;
    }
    // SAFETY: libopus reads at most `bytes` bytes, which is the length of `payload`.
    unsafe { ffi::opus_packet_has_lbrr(payload.as_ptr(), bytes) == 1 }
}

fn accepted(code: c_int) -> Result<(), CodecError> {
    if code == ffi::OPUS_OK { Ok(()) } else { Err(CodecError::Opus(code)) }
}
