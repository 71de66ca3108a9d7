//! What the far end sends under one key.

use std::fmt;

use super::transform::{CONTROL_CLEAR_BYTES, ENCRYPTED, Place, Purpose, Transform};
use super::window::Window;
use super::{MasterKey, SrtpError, header_bytes, word};
use crate::limits::SRTP_STREAMS_MAX;

/// One stream of the far end.
#[derive(Debug, Clone, Copy)]
struct Stream {
    ssrc: u32,
    media: Window,
    control: Window,
}

/// The contexts of all streams that the far end sends under one key: each SSRC has its own
/// (RFC 3711 section 3.2.3).
pub struct Inbound {
    key: MasterKey,
    media: Transform,
    control: Transform,
    /// The newest last.
    streams: [Option<Stream>; SRTP_STREAMS_MAX],
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Inbound {
    /// A context to which nothing has come.
    #[must_use]
    pub fn new(key: &MasterKey) -> Self {
        let transform = |purpose| Transform::new(key, purpose);
        let (media, control) = (transform(Purpose::Media), transform(Purpose::Control));
        Self { key: *key, media, control, streams: [None; SRTP_STREAMS_MAX] }
    }

    /// Under which key.
    #[must_use]
    pub const fn key(&self) -> &MasterKey {
        &self.key
    }

    /// Takes the protection off an RTP packet, and returns how long it is without.
    ///
    /// # Errors
    /// [`SrtpError`]; then nothing is known that was not known before.
    pub fn unprotect(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let tag_bytes = self.key.suite().tag_bytes();
        let end = packet.len().checked_sub(tag_bytes).ok_or(SrtpError::Malformed)?;
        let (packet, tag) = packet.split_at_mut(end);
        let clear = header_bytes(packet).ok_or(SrtpError::Malformed)?;
        let ssrc = word(packet, 8).ok_or(SrtpError::Malformed)?;
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let mut stream = self.stream(ssrc);
        let index = stream.media.index(sequence).ok_or(SrtpError::Replayed)?;
        if !stream.media.awaits(index) {
            return Err(SrtpError::Replayed);
        }
        let (clear, text) = packet.split_at_mut(clear);
        self.media.open(Place { ssrc, index }, clear, text, tag)?;
        stream.media.note(index);
        self.keep(stream);
        Ok(end)
    }

    /// Takes the protection off an RTCP compound, and returns how long it is without.
    ///
    /// # Errors
    /// [`SrtpError`]; then nothing is known that was not known before.
    pub fn unprotect_control(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let suite = self.key.suite();
        let end = packet.len().checked_sub(suite.control_tag_bytes() + 4);
        let end = end.filter(|end| *end >= CONTROL_CLEAR_BYTES).ok_or(SrtpError::Malformed)?;
        let (packet, rest) = packet.split_at_mut(end);
        let ssrc = word(packet, 4).ok_or(SrtpError::Malformed)?;
        let (before, behind) = suite.tag_and_word();
        let index = word(rest, behind).ok_or(SrtpError::Malformed)?;
        if index & ENCRYPTED == 0 {
            // That nothing is encrypted would have to be agreed on, and is not.
            return Err(SrtpError::Unauthentic);
        }
        let index = u64::from(index & !ENCRYPTED);
        let mut stream = self.stream(ssrc);
        if !stream.control.awaits(index) {
            return Err(SrtpError::Replayed);
        }
        let (clear, text) = packet.split_at_mut(CONTROL_CLEAR_BYTES);
        let tag = &rest[before..before + suite.control_tag_bytes()];
        self.control.open(Place { ssrc, index }, clear, text, tag)?;
        stream.control.note(index);
        self.keep(stream);
        Ok(end)
    }

    /// What is known of a stream.
    fn stream(&self, ssrc: u32) -> Stream {
        let known = self.streams.iter().flatten().find(|stream| stream.ssrc == ssrc);
        let fresh = Stream { ssrc, media: Window::default(), control: Window::default() };
        known.copied().unwrap_or(fresh)
    }

    /// Keeps what is known of a stream of which a packet was authentic. A stream that was not
    /// known takes the place of the oldest.
    fn keep(&mut self, stream: Stream) {
        let is_it = |known: &&mut Stream| known.ssrc == stream.ssrc;
        match self.streams.iter_mut().flatten().find(is_it) {
            Some(known) => *known = stream,
            None => {
                self.streams.rotate_left(1);
                self.streams[SRTP_STREAMS_MAX - 1] = Some(stream);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn with(key: &MasterKey, [media, control]: [Transform; 2]) -> Self {
        Self { media, control, ..Self::new(key) }
    }
}
