//! What the control side says of SRTP (RFC 3711): who must have it, and with which keys.

use std::fmt;

use serde::Deserialize;

/// Whether audio is protected by SRTP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SrtpPolicy {
    /// It is not: who offers nothing else is refused.
    Off,
    /// As they offer; we offer plain audio.
    #[default]
    Optional,
    /// It is: who offers or answers anything else is refused.
    Required,
}

/// Along which signalling keys for SRTP come and go. Whoever reads it can listen (RFC 4568 §8.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SrtpKeys {
    /// Along any.
    Any,
    /// Along signalling by TLS only: elsewhere no key is taken, and none is told.
    #[default]
    Secure,
}

/// How packets are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SrtpSuite {
    /// `AEAD_AES_128_GCM` (RFC 7714).
    AeadAes128Gcm,
    /// `AES_256_CM_HMAC_SHA1_80` (RFC 6188).
    Aes256CmHmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_80` (RFC 4568).
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32` (RFC 4568).
    AesCm128HmacSha1_32,
}

/// A master key with its salt behind it, and zeros behind that. It is not shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SrtpKey(pub [u8; 46]);

impl fmt::Debug for SrtpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SrtpKey(…)")
    }
}

/// What signalling agreed on for one leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Srtp {
    /// How, both ways.
    pub suite: SrtpSuite,
    /// For what we send. The same key again goes on where it was.
    pub ours: SrtpKey,
    /// For what they send.
    pub theirs: SrtpKey,
}
