//! What we send under one key.

use std::fmt;

use super::transform::{CONTROL_CLEAR_BYTES, Place, Purpose, Transform};
use super::{MasterKey, SrtpError, header_bytes, word};

/// Indices that a key serves for: 48 bits of SRTP, 31 of SRTCP (RFC 3711 section 9.2).
const INDICES: u64 = 1 << 48;
const CONTROL_INDICES: u64 = 1 << 31;

/// The context of the one stream that we send under one key.
pub struct Outbound {
    key: MasterKey,
    media: Transform,
    control: Transform,
    /// The index of the last packet.
    last: Option<u64>,
    control_sent: u64,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("key", &self.key).field("last", &self.last).finish()
    }
}

impl Outbound {
    /// A context that has sent nothing.
    #[must_use]
    pub fn new(key: &MasterKey) -> Self {
        let transform = |purpose| Transform::new(key, purpose);
        let (media, control) = (transform(Purpose::Media), transform(Purpose::Control));
        Self { key: *key, media, control, last: None, control_sent: 0 }
    }

    /// Under which key.
    #[must_use]
    pub const fn key(&self) -> &MasterKey {
        &self.key
    }

    /// By how much an RTP packet becomes longer \[bytes\].
    #[must_use]
    pub const fn overhead(&self) -> usize {
        self.key.suite().tag_bytes()
    }

    /// By how much an RTCP packet becomes longer \[bytes\].
    #[must_use]
    pub const fn control_overhead(&self) -> usize {
        self.key.suite().control_tag_bytes() + 4
    }

    /// Protects an RTP packet, behind which [`Self::overhead`] bytes of room are. Sequence
    /// numbers must go forward, by less than half of their circle.
    ///
    /// # Errors
    /// [`SrtpError`] if it is no RTP packet, or the key is worn out.
    pub fn protect(&mut self, packet: &mut [u8]) -> Result<(), SrtpError> {
        let end = packet.len().checked_sub(self.overhead()).ok_or(SrtpError::Malformed)?;
        let (packet, room) = packet.split_at_mut(end);
        let clear = header_bytes(packet).ok_or(SrtpError::Malformed)?;
        let ssrc = word(packet, 8).ok_or(SrtpError::Malformed)?;
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let index = match self.last {
            None => sequence.into(),
            Some(last) => last + u64::from(sequence.wrapping_sub(last as u16)),
        };
        if index >= INDICES {
            return Err(SrtpError::WornOut);
        }
        self.last = Some(index);
        let (clear, text) = packet.split_at_mut(clear);
        let tag = self.media.seal(Place { ssrc, index }, clear, text)?;
        room.copy_from_slice(&tag[..room.len()]);
        Ok(())
    }

    /// Protects an RTCP compound, behind which [`Self::control_overhead`] bytes of room are.
    ///
    /// # Errors
    /// [`SrtpError`] if it is no RTCP compound, or the key is worn out.
    pub fn protect_control(&mut self, packet: &mut [u8]) -> Result<(), SrtpError> {
        let end = packet.len().checked_sub(self.control_overhead()).ok_or(SrtpError::Malformed)?;
        let (packet, room) = packet.split_at_mut(end);
        let ssrc = word(packet, 4).ok_or(SrtpError::Malformed)?;
        let index = self.control_sent + 1;
        if index >= CONTROL_INDICES {
            return Err(SrtpError::WornOut);
        }
        self.control_sent = index;
        let (clear, text) = packet.split_at_mut(CONTROL_CLEAR_BYTES);
        let place = Place { ssrc, index };
        let tag = self.control.seal(place, clear, text)?;
        let (before, behind) = self.key.suite().tag_and_word();
        let tag_bytes = self.key.suite().control_tag_bytes();
        room[before..before + tag_bytes].copy_from_slice(&tag[..tag_bytes]);
        room[behind..behind + 4].copy_from_slice(&self.control.word(place));
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn with(
        key: &MasterKey,
        [media, control]: [Transform; 2],
        control_sent: u64,
    ) -> Self {
        Self { media, control, control_sent, ..Self::new(key) }
    }
}
