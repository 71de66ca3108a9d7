//! Master keys: read, written, and drawn.

use std::fmt;

use aes::Aes256Enc;
use aes::cipher::KeyInit;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::Suite;
use super::transform::keystream;

/// Longest master key with its salt \[bytes\].
pub const KEY_BYTES_MAX: usize = 46;

/// A master key with its salt (RFC 3711 section 8.2). It is shown to nobody but the far end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    /// Key and salt; what the suite does not need is zero.
    bytes: [u8; KEY_BYTES_MAX],
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({}, …)", self.suite.name())
    }
}

impl MasterKey {
    /// Key and salt, one after the other; bytes that the suite does not need are not used.
    #[must_use]
    pub fn new(suite: Suite, key_and_salt: &[u8; KEY_BYTES_MAX]) -> Self {
        let mut bytes = *key_and_salt;
        bytes[suite.key_bytes() + suite.salt_bytes()..].fill(0);
        Self { suite, bytes }
    }

    /// Reads key and salt as SDP has them. None if they are not as long as the suite needs.
    #[must_use]
    pub fn from_base64(suite: Suite, text: &str) -> Option<Self> {
        // Some leave out the padding.
        let text = text.trim_end_matches('=');
        let length = suite.key_bytes() + suite.salt_bytes();
        let padding = &"=="[..(3 - length % 3) % 3];
        let read = BASE64_STANDARD.decode(format!("{text}{padding}")).ok()?;
        let mut bytes = [0; KEY_BYTES_MAX];
        (read.len() == length).then(|| bytes[..length].copy_from_slice(&read))?;
        Some(Self { suite, bytes })
    }

    /// Key and salt as SDP has them.
    #[must_use]
    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(&self.bytes[..self.suite.key_bytes() + self.suite.salt_bytes()])
    }

    /// What it is for.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// Key and salt, one after the other, and zeros behind them.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; KEY_BYTES_MAX] {
        &self.bytes
    }

    pub(crate) fn key(&self) -> &[u8] {
        &self.bytes[..self.suite.key_bytes()]
    }

    /// The salt, made as long as that of RFC 3711 (RFC 7714 section 11).
    pub(crate) fn salt(&self) -> [u8; 14] {
        let mut salt = [0; 14];
        let (from, length) = (self.suite.key_bytes(), self.suite.salt_bytes());
        salt[..length].copy_from_slice(&self.bytes[from..from + length]);
        salt
    }
}

/// Draws master keys from one secret, which must come from the operating system.
///
/// It is a keystream of AES-256 that replaces its own key with each draw: who learns its state
/// knows no key that was drawn before.
pub struct KeySource([u8; 32]);

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySource(…)")
    }
}

impl KeySource {
    /// A source whose keys are as hard to guess as the secret.
    #[must_use]
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// A key that nobody had before.
    pub fn draw(&mut self, suite: Suite) -> MasterKey {
        let mut drawn = [0; 32 + KEY_BYTES_MAX];
        keystream(&Aes256Enc::new(&self.0.into()), [0; 16], &mut drawn);
        let (next, key) = drawn.split_at(32);
        self.0.copy_from_slice(next);
        let mut bytes = [0; KEY_BYTES_MAX];
        bytes.copy_from_slice(key);
        MasterKey::new(suite, &bytes)
    }
}
