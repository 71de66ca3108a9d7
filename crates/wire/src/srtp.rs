//! SRTP and SRTCP (RFC 3711): packets that only the two ends can read and make.
//!
//! ```text
//!           what is authenticated by HMAC
//! ├────────────────────────────────────────────┤
//! │ RTP header │ payload, encrypted            │ tag │
//! │ RTCP, 8 bytes │ rest, encrypted │ E, index │ tag │   AEAD: the tag before E and index
//! ```
//! Each direction has a master key of its own, and each key one context: an [`Outbound`] for the
//! stream that we send, an [`Inbound`] for what the far end sends. Both work in place and allocate
//! nothing. The primitives are RustCrypto's; the framing here is checked against the vectors of
//! RFC 3711 appendix B, RFC 6188 and RFC 7714, and against packets of libsrtp.

mod inbound;
mod key;
mod outbound;
mod transform;
mod window;

pub use inbound::Inbound;
pub use key::{KEY_BYTES_MAX, KeySource, MasterKey};
pub use outbound::Outbound;

/// How packets are protected (RFC 4568 section 6.2, RFC 6188, RFC 7714).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suite {
    /// `AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `AES_256_CM_HMAC_SHA1_80`.
    Aes256CmHmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_80`.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    AesCm128HmacSha1_32,
}

impl Suite {
    /// Every suite, the strongest first: a tag of 128 bits is worth more than a longer key, for
    /// a key of 128 bits is not what breaks.
    pub const ALL: [Suite; 4] = [
        Suite::AeadAes128Gcm,
        Suite::Aes256CmHmacSha1_80,
        Suite::AesCm128HmacSha1_80,
        Suite::AesCm128HmacSha1_32,
    ];

    /// Its name in SDP.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::Aes256CmHmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// The suite of this name, whatever its case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// Length of the master key without its salt \[bytes\].
    pub(crate) const fn key_bytes(self) -> usize {
        match self {
            Self::Aes256CmHmacSha1_80 => 32,
            Self::AeadAes128Gcm | Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 16,
        }
    }

    /// Length of the master salt \[bytes\].
    pub(crate) const fn salt_bytes(self) -> usize {
        match self {
            Self::AeadAes128Gcm => 12,
            Self::Aes256CmHmacSha1_80 | Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 14,
        }
    }

    /// Length of an RTP packet's tag \[bytes\].
    const fn tag_bytes(self) -> usize {
        match self {
            Self::AeadAes128Gcm => 16,
            Self::Aes256CmHmacSha1_80 | Self::AesCm128HmacSha1_80 => 10,
            Self::AesCm128HmacSha1_32 => 4,
        }
    }

    /// Length of an RTCP packet's tag \[bytes\]: never a short one (RFC 4568 section 6.2.2).
    const fn control_tag_bytes(self) -> usize {
        match self {
            Self::AeadAes128Gcm => 16,
            Self::Aes256CmHmacSha1_80 | Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 10,
        }
    }

    /// Where tag and index stand behind an RTCP compound \[bytes\]: RFC 3711 puts the index
    /// first, RFC 7714 the tag.
    const fn tag_and_word(self) -> (usize, usize) {
        match self {
            Self::AeadAes128Gcm => (0, self.control_tag_bytes()),
            Self::Aes256CmHmacSha1_80 | Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => {
                (4, 0)
            }
        }
    }
}

/// Why a packet is not taken, or not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SrtpError {
    /// It is shorter than its own fields, or longer than any that is sent.
    #[error("the packet is no SRTP")]
    Malformed,
    /// It came before, or is too old to tell.
    #[error("the packet came before")]
    Replayed,
    /// Whoever made it does not have the key.
    #[error("the packet is not authentic")]
    Unauthentic,
    /// The key has served for as many packets as it may (RFC 3711 section 9.2).
    #[error("the key is worn out")]
    WornOut,
}

/// The fixed header with its contributing sources and extension \[bytes\]: what is not encrypted.
fn header_bytes(packet: &[u8]) -> Option<usize> {
    let (first, sources) = (*packet.first()?, usize::from(packet.first()? & 0x0f));
    let end = crate::rtp::HEADER_BYTES + 4 * sources;
    let end = match first & 0x10 {
        0 => end,
        _ => {
            let words = packet.get(end + 2..end + 4)?;
            end + 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]))
        }
    };
    (end <= packet.len()).then_some(end)
}

/// Four bytes as a number.
fn word(packet: &[u8], at: usize) -> Option<u32> {
    let bytes = packet.get(at..at + 4)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

#[cfg(test)]
mod tests;
