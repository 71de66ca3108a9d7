//! What makes samples of a leg's payloads.
//!
//! An answer may list several codecs, and its sender may change between them at any packet (RFC
//! 3264 sections 5.1 and 7). Each has a decoder then, and all come out at the rate of the one that
//! we send, so that whatever follows sees one stream of samples. Where a sound goes on in another
//! codec, the decoder that is left says how it would have gone on, and the next fades in over that.

use audio::limits::FRAME_MS_MAX;
use audio::{CodecError, DecodeError, Decoder, Resampler};
use model::{Alternative, Codec, Connection, Content};

use crate::limits::SEAM_MS;
use crate::rate::{Rate, audio_codec};

/// Samples of a seam at the highest rate.
const SEAM_SAMPLES_MAX: usize = 48 * SEAM_MS;

/// Of the codecs in which a leg's sound may come, one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// The one that it is sent, too.
    Own,
    /// An alternative, by its place among them.
    Other(u8),
}

/// The decoder of an alternative.
struct Other {
    receive_payload_type: u8,
    codec: Codec,
    decoder: Decoder,
    /// To the rate of the leg's own codec.
    resampler: Resampler,
    /// Room for its samples before that.
    pcm: Box<[i16]>,
}

/// One leg's decoders.
pub(crate) struct Decoders {
    own: Decoder,
    /// Most legs have none.
    others: Box<[Other]>,
    /// Whose sound was heard last.
    last: Voice,
}

impl Decoders {
    /// Makes a decoder for each codec that was agreed on.
    ///
    /// # Errors
    /// [`CodecError`] if a codec's library refuses.
    pub(crate) fn new(terms: &Connection) -> Result<Decoders, CodecError> {
        let rate = Rate::of_codec(terms.codec);
        let others: Result<Vec<Other>, CodecError> =
            terms.alternatives.iter().filter_map(|one| Other::new(one, rate).transpose()).collect();
        let own = Decoder::new(audio_codec(terms.codec))?;
        Ok(Decoders { own, others: others?.into_boxed_slice(), last: Voice::Own })
    }

    /// The leg's own codec.
    pub(crate) fn codec(&self) -> audio::Codec {
        self.own.codec()
    }

    /// The codecs of the alternatives.
    pub(crate) fn other_codecs(&self) -> Vec<audio::Codec> {
        self.others.iter().map(|other| other.decoder.codec()).collect()
    }

    /// Which alternative comes under a payload type.
    pub(crate) fn alternative(&self, payload_type: u8) -> Option<Voice> {
        let is_it = |other: &Other| other.receive_payload_type == payload_type;
        self.others.iter().position(is_it).map(|place| Voice::Other(place as u8))
    }

    /// The codec of an alternative.
    pub(crate) fn alternative_codec(&self, place: u8) -> Option<Codec> {
        self.others.get(usize::from(place)).map(|other| other.codec)
    }

    /// Whose sound was heard last.
    pub(crate) fn last(&self) -> Voice {
        self.last
    }

    /// The decoder of the leg's own codec, while that is what comes.
    pub(crate) fn own(&mut self) -> &mut Decoder {
        &mut self.own
    }

    /// The length of a payload at the leg's rate \[samples\].
    pub(crate) fn duration_samples(&self, voice: Voice, payload: &[u8]) -> Option<usize> {
        match self.other(voice) {
            None => self.own.duration_samples(payload),
            Some(other) => {
                let samples = other.decoder.duration_samples(payload)?;
                let is_whole = samples.is_multiple_of(other.resampler.input_step());
                is_whole.then(|| other.resampler.output_samples(samples))
            }
        }
    }

    /// Decodes a payload, after what the leg's own decoder was spared.
    ///
    /// # Errors
    /// [`DecodeError`], as [`Decoder::decode`].
    pub(crate) fn decode_after<'a>(
        &mut self,
        left_out: impl Iterator<Item = &'a [u8]>,
        payload: (Voice, &[u8]),
        goes_on: bool,
        out: &mut [i16],
    ) -> Result<usize, DecodeError> {
        for known in left_out {
            // They are as long as this one, unless the packet time changed; then it lands as after
            // a loss.
            if self.own.decode(known, out).is_err() {
                break;
            }
        }
        self.decode(payload, goes_on, out)
    }

    /// Decodes a payload. `goes_on` tells that it follows a sound without a gap.
    ///
    /// # Errors
    /// [`DecodeError`], as [`Decoder::decode`].
    fn decode(
        &mut self,
        (voice, payload): (Voice, &[u8]),
        goes_on: bool,
        out: &mut [i16],
    ) -> Result<usize, DecodeError> {
        if voice == self.last {
            return self.decode_only(voice, payload, out);
        }
        if let Some(other) = self.other_mut(voice) {
            other.resampler.clear();
        }
        let samples = self.decode_only(voice, payload, out)?;
        if goes_on {
            let length = (self.own.codec().rate_hz() / 1_000) as usize * SEAM_MS;
            let mut left = [0; SEAM_SAMPLES_MAX];
            self.conceal(&mut left[..length]);
            fade_in(&mut out[..samples], &left[..length]);
        }
        match self.last {
            Voice::Own => self.own.leave(),
            Voice::Other(_) => {
                let last = self.last;
                if let Some(other) = self.other_mut(last) {
                    other.decoder.leave();
                }
            }
        }
        self.last = voice;
        Ok(samples)
    }

    /// Makes up what is missing, as [`Decoder::conceal`].
    pub(crate) fn conceal(&mut self, out: &mut [i16]) {
        let last = self.last;
        match self.other_mut(last) {
            None => self.own.conceal(out),
            Some(other) => other.conceal(out),
        }
    }

    /// Whether a payload carries redundancy of the one before it, which is what is missing.
    pub(crate) fn carries_fec(&self, voice: Voice, payload: &[u8]) -> bool {
        voice == Voice::Own && self.last == Voice::Own && self.own.carries_fec(payload)
    }

    /// Whether what decodes to nothing is silence in a codec's sense.
    pub(crate) fn is_silence(&self, voice: Voice, frame: &[i16]) -> bool {
        let codec = self.other(voice).map_or(self.own.codec(), |other| other.decoder.codec());
        audio::activity::frame_is_silence(codec, frame)
    }

    fn decode_only(
        &mut self,
        voice: Voice,
        payload: &[u8],
        out: &mut [i16],
    ) -> Result<usize, DecodeError> {
        match self.other_mut(voice) {
            None => self.own.decode(payload, out),
            Some(other) => other.decode(payload, out),
        }
    }

    fn other(&self, voice: Voice) -> Option<&Other> {
        match voice {
            Voice::Own => None,
            Voice::Other(place) => self.others.get(usize::from(place)),
        }
    }

    fn other_mut(&mut self, voice: Voice) -> Option<&mut Other> {
        match voice {
            Voice::Own => None,
            Voice::Other(place) => self.others.get_mut(usize::from(place)),
        }
    }
}

impl Other {
    /// None if it is no voice.
    fn new(agreed: &Alternative, rate: Rate) -> Result<Option<Other>, CodecError> {
        let Content::Voice(codec) = agreed.content else { return Ok(None) };
        let own = audio_codec(codec);
        Ok(Some(Other {
            receive_payload_type: agreed.receive_payload_type,
            codec,
            decoder: Decoder::new(own)?,
            resampler: Resampler::new(own.rate_hz(), rate.hz()),
            pcm: vec![0; own.samples(FRAME_MS_MAX)].into_boxed_slice(),
        }))
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, DecodeError> {
        let samples = self.decoder.decode(payload, &mut self.pcm)?;
        if out.len() < self.resampler.output_samples(samples) {
            return Err(DecodeError::Space);
        }
        Ok(self.resampler.process(&self.pcm[..samples], out))
    }

    fn conceal(&mut self, out: &mut [i16]) {
        let samples = self.resampler.input_samples(out.len()).min(self.pcm.len());
        self.decoder.conceal(&mut self.pcm[..samples]);
        let length = self.resampler.process(&self.pcm[..samples], out);
        out[length..].fill(0);
    }
}

/// Lets a sound begin over what was there before.
fn fade_in(sound: &mut [i16], before: &[i16]) {
    let steps = before.len() as i32 + 1;
    for (step, (sample, left)) in (1..).zip(sound.iter_mut().zip(before)) {
        let mixed = i32::from(*sample) * step + i32::from(*left) * (steps - step);
        *sample = (mixed / steps) as i16;
    }
}
