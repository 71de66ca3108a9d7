//! RTP packets (RFC 3550) and what else may arrive on an RTP port (RFC 7983).
//!
//! ```text
//!  0                   1                   2                   3
//! |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//! |                           timestamp                           |
//! |           synchronization source (SSRC) identifier            |
//! |       contributing sources, extension, payload, padding       |
//! ```

mod extender;

pub use extender::{Extended, Extender, Placed};

/// Length of the header that [`write_header`] writes \[bytes\].
pub const HEADER_BYTES: usize = 12;

/// The protocol that a datagram on a media port speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet {
    /// STUN (RFC 8489).
    Stun,
    /// DTLS (RFC 9147).
    Dtls,
    /// RTP or SRTP.
    Rtp,
    /// RTCP or SRTCP.
    Rtcp,
    /// None of these, or too short to tell.
    Unknown,
}

/// Tells by its first bytes what a datagram is (RFC 7983 section 7, RFC 5761 section 4).
///
/// RTCP packet types 192 to 223 share the second byte with the payload types 64 to 95 of marked
/// RTP packets; RFC 5761 therefore forbids those payload types, and SDP here never agrees on one.
#[must_use]
pub fn classify(datagram: &[u8]) -> Packet {
    match datagram {
        [0..=3, ..] => Packet::Stun,
        [20..=63, ..] => Packet::Dtls,
        [128..=191, 192..=223, ..] => Packet::Rtcp,
        [128..=191, _, ..] => Packet::Rtp,
        _ => Packet::Unknown,
    }
}

/// Why bytes are no RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    /// The packet ends before the header, its sources, its extension or its padding does.
    #[error("the packet has {actual} bytes and needs at least {expected}")]
    Truncated {
        /// What the fields read so far ask for \[bytes\].
        expected: usize,
        /// What there is \[bytes\].
        actual: usize,
    },
    /// Not version 2.
    #[error("RTP version {0} instead of 2")]
    Version(u8),
    /// The padding bit is set, and the padding's length is zero.
    #[error("the padding says that it is {0} bytes long")]
    Padding(u8),
}

/// One received RTP packet. Contributing sources, extension and padding are checked and skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rtp<'a> {
    /// What the payload is, 0 to 127, as agreed by SDP.
    pub payload_type: u8,
    /// For audio: the first packet after silence (RFC 3551 section 4.1).
    pub marker: bool,
    /// Counts packets; made 64 bits wide by an [`Extender`].
    pub sequence: u16,
    /// Sampling instant of the first sample \[ticks of the payload's clock\].
    pub timestamp: u32,
    /// Whose stream it is.
    pub ssrc: u32,
    /// The encoded media.
    pub payload: &'a [u8],
}

impl<'a> Rtp<'a> {
    /// Reads a packet without copying.
    ///
    /// # Errors
    /// [`RtpError`] when the bytes contradict RFC 3550 section 5.1.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RtpError> {
        let packet = rtp_types::RtpPacket::parse(bytes)?;
        let start = packet.payload_offset();
        Ok(Self {
            payload_type: packet.payload_type(),
            marker: packet.marker_bit(),
            sequence: packet.sequence_number(),
            timestamp: packet.timestamp(),
            ssrc: packet.ssrc(),
            payload: &bytes[start..start + packet.payload_len()],
        })
    }
}

impl From<rtp_types::RtpParseError> for RtpError {
    fn from(error: rtp_types::RtpParseError) -> Self {
        match error {
            rtp_types::RtpParseError::UnsupportedVersion(version) => Self::Version(version),
            rtp_types::RtpParseError::Truncated { expected, actual } => {
                Self::Truncated { expected, actual }
            }
            rtp_types::RtpParseError::PaddingInvalid(length) => Self::Padding(length),
        }
    }
}

/// What we say in front of a payload that we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the payload is, 0 to 127, as the receiver numbered it.
    pub payload_type: u8,
    /// For audio: the first packet after silence (RFC 3551 section 4.1).
    pub marker: bool,
    /// Counts packets.
    pub sequence: u16,
    /// Sampling instant of the first sample \[ticks of the payload's clock\].
    pub timestamp: u32,
    /// Our stream.
    pub ssrc: u32,
}

/// Writes a header without sources, extension or padding to the front of `out`, and returns its
/// length, [`HEADER_BYTES`].
///
/// # Panics
/// When `out` is shorter than that: the caller owns the packet's buffer.
pub fn write_header(out: &mut [u8], header: &Header) -> usize {
    debug_assert!(header.payload_type < 128, "a payload type has seven bits");
    out[0] = 2 << 6;
    out[1] = u8::from(header.marker) << 7 | header.payload_type & 0x7f;
    out[2..4].copy_from_slice(&header.sequence.to_be_bytes());
    out[4..8].copy_from_slice(&header.timestamp.to_be_bytes());
    out[8..HEADER_BYTES].copy_from_slice(&header.ssrc.to_be_bytes());
    HEADER_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: Header = Header {
        payload_type: 111,
        marker: true,
        sequence: 0xfffe,
        timestamp: 0x8000_0001,
        ssrc: 0xdead_beef,
    };

    #[test]
    fn a_header_is_written_as_rfc_3550_draws_it() {
        let mut out = [0; HEADER_BYTES];
        assert_eq!(write_header(&mut out, &HEADER), HEADER_BYTES);
        assert_eq!(out, [0x80, 0xef, 0xff, 0xfe, 0x80, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef]);
    }

    #[test]
    fn sources_extension_and_padding_are_skipped() {
        let bytes = [
            0xb1, 0x00, 0, 7, 0, 0, 0, 160, 0, 0, 0, 9, // V=2 P X CC=1, PCMU, sequence 7
            0, 0, 0, 1, // one contributing source
            0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0, // an extension of one word
            1, 2, 3, 0, 0, 3, // three bytes of payload, three of padding
        ];
        let rtp = Rtp::parse(&bytes).unwrap();
        assert_eq!(rtp.payload, [1, 2, 3]);
        assert_eq!((rtp.payload_type, rtp.marker, rtp.sequence), (0, false, 7));
        assert_eq!((rtp.timestamp, rtp.ssrc), (160, 9));
    }

    #[test]
    fn broken_packets_are_refused_with_the_reason() {
        let truncated = |expected, actual| Err(RtpError::Truncated { expected, actual });
        let with = |first: u8, more: &[u8]| {
            let mut bytes = vec![first, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            bytes.extend_from_slice(more);
            Rtp::parse(&bytes).map(|rtp| rtp.payload.len())
        };
        assert_eq!(Rtp::parse(&[0x80; 11]).map(|_| 0), truncated(12, 11));
        assert_eq!(with(0x40, &[]), Err(RtpError::Version(1)));
        assert_eq!(with(0x82, &[0; 7]), truncated(20, 19));
        assert_eq!(with(0x90, &[0, 0, 0, 2, 0, 0, 0, 0]), truncated(24, 20));
        assert_eq!(with(0xa0, &[1, 0]), Err(RtpError::Padding(0)));
        assert_eq!(with(0xa0, &[1, 9]), truncated(21, 14));
        assert_eq!(with(0xa0, &[1, 2]), Ok(0));
    }

    #[test]
    fn the_first_bytes_tell_the_protocol() {
        let table: [(&[u8], Packet); 12] = [
            (&[], Packet::Unknown),
            (&[0, 1], Packet::Stun),
            (&[3, 0], Packet::Stun),
            (&[16, 0], Packet::Unknown), // ZRTP
            (&[22, 254], Packet::Dtls),
            (&[63, 0], Packet::Dtls),
            (&[64, 0], Packet::Unknown), // TURN channel data
            (&[0x80], Packet::Unknown),
            (&[0x80, 0], Packet::Rtp),
            (&[0xbf, 0x80 | 111], Packet::Rtp),
            (&[0x80, 200], Packet::Rtcp),
            (&[0xc0, 0], Packet::Unknown),
        ];
        for (bytes, expected) in table {
            assert_eq!(classify(bytes), expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(rtp) = Rtp::parse(&bytes) {
                prop_assert!(rtp.payload.len() + HEADER_BYTES <= bytes.len());
            }
        }

        #[test]
        fn what_is_written_is_read_back(
            (payload_type, marker) in (0_u8..128, any::<bool>()),
            (sequence, timestamp, ssrc) in any::<(u16, u32, u32)>(),
            payload in prop::collection::vec(any::<u8>(), 0..32),
        ) {
            let header = Header { payload_type, marker, sequence, timestamp, ssrc };
            let mut bytes = vec![0; HEADER_BYTES];
            write_header(&mut bytes, &header);
            bytes.extend_from_slice(&payload);
            let expected =
                Rtp { payload_type, marker, sequence, timestamp, ssrc, payload: &payload };
            prop_assert_eq!(Rtp::parse(&bytes), Ok(expected));
        }
    }
}
