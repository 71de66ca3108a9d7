//! Payload bytes to samples, and something in their place when they are missing.

use crate::activity::payload_is_silence;
use crate::codec::{Codec, CodecError, DecodeError};
use crate::conceal::Concealer;
use crate::g711;
use crate::g722;
use crate::libopus;
use crate::limits::FRAME_SAMPLES_MAX;

/// Samples of 2.5 ms at 48000 Hz, in whose multiples libopus conceals.
const OPUS_GRAIN: usize = 120;

/// How much of Opus concealment passes as it is: 60 ms.
const OPUS_UNFADED: usize = 60 * 48;
/// When Opus concealment has faded to silence: 200 ms.
const OPUS_FADED: usize = 200 * 48;
/// How long good Opus sound takes to rise after faded concealment: 5 ms.
const OPUS_RISE: usize = 5 * 48;

/// One stream of samples, at the rate of its codec.
pub struct Decoder {
    codec: Codec,
    kind: Kind,
}

/// Opus conceals by itself; the others share our own [`Concealer`].
enum Kind {
    Pcmu(Concealer),
    Pcma(Concealer),
    G722(Box<g722::Decoder>, Concealer),
    Opus(OpusStream),
}

impl Decoder {
    /// Makes a decoder at rest.
    ///
    /// # Errors
    /// [`CodecError::Opus`] if libopus refuses.
    pub fn new(codec: Codec) -> Result<Decoder, CodecError> {
        let concealer = || Concealer::new(codec.rate_hz());
        let kind = match codec {
            Codec::Pcmu => Kind::Pcmu(concealer()),
            Codec::Pcma => Kind::Pcma(concealer()),
            Codec::G722 => Kind::G722(Box::new(g722::Decoder::new()), concealer()),
            Codec::Opus => Kind::Opus(OpusStream::new()?),
        };
        Ok(Decoder { codec, kind })
    }

    /// The codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Decodes one payload into `out` and returns the samples written. The first payload after
    /// concealment is merged with it, so that nothing clicks. Stereo Opus comes out as mono.
    ///
    /// # Errors
    /// [`DecodeError`]; then `out` holds nothing of worth, and the payload counts as lost.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, DecodeError> {
        let samples = self.duration_samples(payload).ok_or(DecodeError::Length)?;
        let out = out.get_mut(..samples).ok_or(DecodeError::Space)?;
        let concealer = match &mut self.kind {
            Kind::Opus(stream) => return stream.decode(payload, out, false),
            Kind::Pcmu(concealer) => {
                g711::decode_ulaw(payload, out);
                concealer
            }
            Kind::Pcma(concealer) => {
                g711::decode_alaw(payload, out);
                concealer
            }
            Kind::G722(decoder, concealer) => {
                decoder.decode(payload, out);
                concealer
            }
        };
        concealer.good(out);
        Ok(samples)
    }

    /// Whether a payload is digital silence to a decoder that decoded nothing else for a while,
    /// told without decoding it: see [`crate::activity::payload_is_silence`]; of G.722 only this
    /// can tell. A decoder that is spared such payloads is to be shown the last 80 ms of them
    /// before it decodes anything else, for its prediction to be right again.
    pub fn rests(&mut self, payload: &[u8]) -> bool {
        match &mut self.kind {
            Kind::G722(decoder, _) => decoder.rest(payload),
            Kind::Pcmu(_) | Kind::Pcma(_) | Kind::Opus(_) => {
                payload_is_silence(self.codec, payload)
            }
        }
    }

    /// Fills `out` with what is likely to have been in a lost packet, fading into silence as the
    /// loss lasts. For Opus the length is a multiple of 2.5 ms; what is above it is silence.
    pub fn conceal(&mut self, out: &mut [i16]) {
        match &mut self.kind {
            Kind::Pcmu(concealer) | Kind::Pcma(concealer) | Kind::G722(_, concealer) => {
                concealer.conceal(out);
            }
            Kind::Opus(stream) => stream.conceal(out),
        }
    }

    /// Fills `out`, the gap of one lost packet, from the redundancy that the packet after it
    /// carries (RFC 6716 §2.1.7), and returns the samples written. `next_payload` must be decoded
    /// after it as usual. Without redundancy in it, and with codecs that have none, this is
    /// [`Decoder::conceal`].
    ///
    /// # Errors
    /// [`DecodeError::Length`] if the payload or the gap has no sound length,
    /// [`DecodeError::Malformed`] if libopus refuses (so does a gap in odd parts of 2.5 ms).
    pub fn decode_fec(
        &mut self,
        next_payload: &[u8],
        out: &mut [i16],
    ) -> Result<usize, DecodeError> {
        if self.duration_samples(next_payload).is_none() {
            return Err(DecodeError::Length);
        }
        match &mut self.kind {
            Kind::Opus(stream) if libopus::carries_fec(next_payload) => {
                if !(1..=FRAME_SAMPLES_MAX).contains(&out.len()) {
                    return Err(DecodeError::Length);
                }
                stream.decode(next_payload, out, true)
            }
            Kind::Pcmu(_) | Kind::Pcma(_) | Kind::G722(..) | Kind::Opus(_) => {
                self.conceal(out);
                Ok(out.len())
            }
        }
    }

    /// Another decoder goes on from here: what was made up last has nothing to do with what this
    /// one decodes next, and is not merged with it. G.722 begins at rest then: most senders make a
    /// new encoder when they come back to a codec. One that does not is too soft for a moment here;
    /// a new one would burst out of a decoder that remembers.
    pub fn leave(&mut self) {
        match &mut self.kind {
            Kind::Pcmu(concealer) | Kind::Pcma(concealer) => concealer.leave(),
            Kind::G722(decoder, concealer) => {
                **decoder = g722::Decoder::new();
                concealer.leave();
            }
            Kind::Opus(stream) => stream.lost = 0,
        }
    }

    /// Whether a payload carries redundancy of the one before it: only Opus does.
    pub fn carries_fec(&self, payload: &[u8]) -> bool {
        self.codec == Codec::Opus && libopus::carries_fec(payload)
    }

    /// As [`Codec::duration_samples`].
    pub fn duration_samples(&self, payload: &[u8]) -> Option<usize> {
        self.codec.duration_samples(payload)
    }
}

/// libopus's decoder, which conceals by itself but goes on with noise for ever: that is faded out
/// here.
struct OpusStream {
    decoder: opus::Decoder,
    /// Samples concealed since the last good one, up to [`OPUS_FADED`].
    lost: usize,
}

impl OpusStream {
    fn new() -> Result<OpusStream, CodecError> {
        let decoder = opus::Decoder::new(Codec::Opus.rate_hz(), opus::Channels::Mono)
            .map_err(|error| CodecError::Opus(error.code() as i32))?;
        Ok(OpusStream { decoder, lost: 0 })
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16], fec: bool) -> Result<usize, DecodeError> {
        let samples = self.decoder.decode(payload, out, fec).map_err(|_| DecodeError::Malformed)?;
        let gain = self.gain(0);
        if gain < 1.0 {
            for (index, sample) in out.iter_mut().take(OPUS_RISE).enumerate() {
                let risen = gain + (1.0 - gain) * index as f32 / OPUS_RISE as f32;
                *sample = (f32::from(*sample) * risen) as i16;
            }
        }
        self.lost = 0;
        Ok(samples)
    }

    fn conceal(&mut self, out: &mut [i16]) {
        for part in out.chunks_mut(FRAME_SAMPLES_MAX) {
            let (grains, rest) = part.split_at_mut(part.len() - part.len() % OPUS_GRAIN);
            rest.fill(0);
            // Without a payload libopus conceals; without room it would refuse.
            if !grains.is_empty() && self.decoder.decode(&[], grains, false).is_err() {
                grains.fill(0);
            }
            for (index, sample) in grains.iter_mut().enumerate() {
                *sample = (f32::from(*sample) * self.gain(index)) as i16;
            }
            self.lost = (self.lost + part.len()).min(OPUS_FADED);
        }
    }

    /// Gain of concealment, so many samples on from here.
    fn gain(&self, ahead: usize) -> f32 {
        let left = OPUS_FADED.saturating_sub(self.lost + ahead);
        (left as f32 / (OPUS_FADED - OPUS_UNFADED) as f32).min(1.0)
    }
}
