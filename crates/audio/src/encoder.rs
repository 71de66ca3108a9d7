//! Samples to payload bytes.

use crate::codec::{Codec, CodecError};
use crate::g711;
use crate::g722;
use crate::libopus;
use crate::limits::{LOSS_PERCENT_MAX, OPUS_BITRATE_MAX, OPUS_BITRATE_MIN};

/// What is to be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sound {
    /// One voice, as a telephone sends it: few bits, much work.
    Voice,
    /// The sum of several voices, for which no model of one voice fits: more bits, little work.
    /// Where redundancy is agreed and needed it is encoded as a voice, since only that has any
    /// (RFC 6716 §2.1.7).
    Mix,
}

/// The highest frequencies that are encoded (RFC 6716 section 2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bandwidth {
    /// Up to 4 kHz.
    Narrow,
    /// Up to 8 kHz.
    Wide,
    /// Up to 12 kHz.
    SuperWide,
    /// Up to 20 kHz.
    Full,
}

/// How an encoder shall work. All but `codec` concerns Opus only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EncoderSettings {
    /// The codec.
    pub codec: Codec,
    /// What is to be encoded.
    pub sound: Sound,
    /// Target rate \[bit/s\]; `None` is [`OPUS_BITRATE_VOICE`](crate::limits::OPUS_BITRATE_VOICE)
    /// or [`OPUS_BITRATE_MIX`](crate::limits::OPUS_BITRATE_MIX).
    pub bitrate: Option<i32>,
    /// What is above is left out.
    pub bandwidth: Bandwidth,
    /// Whether all packets of a length have as many bytes, whatever is said.
    pub constant_bitrate: bool,
    /// Whether each packet carries a rough copy of the one before it, where libopus finds that
    /// worth its bits (RFC 6716 §2.1.7). It does only if `loss_percent` is above zero.
    pub fec: bool,
    /// Loss that the far end is expected to see, 0 to 100 \[percent\].
    pub loss_percent: u8,
}

impl EncoderSettings {
    /// The plain settings of a codec: one voice, default rate, no redundancy.
    pub fn of(codec: Codec) -> EncoderSettings {
        EncoderSettings {
            codec,
            sound: Sound::Voice,
            bitrate: None,
            bandwidth: Bandwidth::Full,
            constant_bitrate: false,
            fec: false,
            loss_percent: 0,
        }
    }
}

/// One stream of payloads. Opus runs with neither DTX nor stereo.
pub struct Encoder {
    kind: Kind,
}

enum Kind {
    Pcmu,
    Pcma,
    G722(Box<g722::Encoder>),
    Opus(libopus::Encoder),
}

impl Encoder {
    /// Makes an encoder at rest.
    ///
    /// # Errors
    /// [`CodecError::Bitrate`] or [`CodecError::Loss`] if a setting is out of bounds,
    /// [`CodecError::Opus`] if libopus refuses.
    pub fn new(settings: EncoderSettings) -> Result<Encoder, CodecError> {
        let EncoderSettings { codec, bitrate, loss_percent, .. } = settings;
        let possible = OPUS_BITRATE_MIN..=OPUS_BITRATE_MAX;
        if let Some(bitrate) = bitrate.filter(|bitrate| !possible.contains(bitrate)) {
            return Err(CodecError::Bitrate(bitrate));
        }
        if loss_percent > LOSS_PERCENT_MAX {
            return Err(CodecError::Loss(loss_percent));
        }
        let kind = match codec {
            Codec::Pcmu => Kind::Pcmu,
            Codec::Pcma => Kind::Pcma,
            Codec::G722 => Kind::G722(Box::new(g722::Encoder::new())),
            Codec::Opus => Kind::Opus(libopus::Encoder::new(settings)?),
        };
        Ok(Encoder { kind })
    }

    /// The codec.
    pub fn codec(&self) -> Codec {
        match self.kind {
            Kind::Pcmu => Codec::Pcmu,
            Kind::Pcma => Codec::Pcma,
            Kind::G722(_) => Codec::G722,
            Kind::Opus(_) => Codec::Opus,
        }
    }

    /// Encodes one frame of samples at the codec's rate into `out` and returns the bytes written.
    ///
    /// An `out` of [`PAYLOAD_BYTES_MAX`](crate::limits::PAYLOAD_BYTES_MAX) is always enough.
    /// Returns 0, which stands for "nothing to send", if `out` is too short, if G.722 is given an
    /// odd number of samples, or Opus a length other than 2.5, 5, 10, 20, 40, 60, 80, 100 or
    /// 120 ms. These are mistakes of the caller; a media tick must survive them.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        let bytes = match &self.kind {
            Kind::Pcmu | Kind::Pcma => pcm.len(),
            Kind::G722(_) if !pcm.len().is_multiple_of(2) => return 0,
            Kind::G722(_) => pcm.len() / 2,
            Kind::Opus(_) => 0,
        };
        let Some(space) = out.get_mut(..bytes) else { return 0 };
        match &mut self.kind {
            Kind::Pcmu => g711::encode_ulaw(pcm, space),
            Kind::Pcma => g711::encode_alaw(pcm, space),
            Kind::G722(encoder) => encoder.encode(pcm, space),
            Kind::Opus(encoder) => return encoder.encode(pcm, out).unwrap_or(0),
        }
        bytes
    }

    /// The far end sees so much loss \[percent\]: from the next frame on as much redundancy is made
    /// as bears it, if [`EncoderSettings::fec`] is set. Only Opus has any. Nothing is allocated.
    ///
    /// # Errors
    /// [`CodecError::Loss`] above 100 percent, [`CodecError::Opus`] if libopus refuses.
    pub fn expect_loss(&mut self, percent: u8) -> Result<(), CodecError> {
        if percent > LOSS_PERCENT_MAX {
            return Err(CodecError::Loss(percent));
        }
        match &mut self.kind {
            Kind::Pcmu | Kind::Pcma | Kind::G722(_) => Ok(()),
            Kind::Opus(encoder) => encoder.expect_loss(percent),
        }
    }

    /// The next frame is encoded so that a decoder which heard another encoder before lands cleanly
    /// on it. Opus encodes it without prediction from earlier frames. G.711 has no memory. G.722
    /// cannot do it: use [`Encoder::copy_state_from`].
    pub fn land_next(&mut self) {
        match &mut self.kind {
            Kind::Pcmu | Kind::Pcma | Kind::G722(_) => {}
            Kind::Opus(encoder) => encoder.land_next(),
        }
    }

    /// Goes on where `other` stands, with this encoder's own settings: a listener who changes from
    /// `other` to this encoder at the next frame hears no seam. If the codecs differ there is
    /// nothing to take over, and the next frame lands as after [`Encoder::land_next`].
    pub fn copy_state_from(&mut self, other: &Encoder) {
        match (&mut self.kind, &other.kind) {
            (Kind::G722(own), Kind::G722(others)) => own.clone_from(others),
            (Kind::Opus(own), Kind::Opus(others)) => {
                if own.copy_state_from(others).is_err() {
                    own.land_next();
                }
            }
            (Kind::Pcmu | Kind::Pcma | Kind::G722(_) | Kind::Opus(_), _) => self.land_next(),
        }
    }
}
