//! The tokens that are believed.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::grant::Grant;
use crate::issuer::Issuer;
use crate::limits::TOKEN_LENGTH_MAX;

/// What is kept of a token: its SHA-256. A token is drawn at random, so that nothing slower is
/// needed to keep it from who reads the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenDigest([u8; 32]);

/// A text that is not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a SHA-256 of 64 hexadecimal digits")]
pub struct NotADigest;

impl TokenDigest {
    /// That of a token.
    pub fn of(token: &str) -> TokenDigest {
        TokenDigest(Sha256::digest(token.as_bytes()).into())
    }
}

impl std::str::FromStr for TokenDigest {
    type Err = NotADigest;
    fn from_str(text: &str) -> Result<TokenDigest, NotADigest> {
        let mut digest = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(NotADigest);
        }
        for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
            let pair = text.get(at..at + 2).ok_or(NotADigest)?;
            // `from_str_radix` takes a sign, too.
            let is_hex = pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            let value = u8::from_str_radix(pair, 16).ok().filter(|_| is_hex);
            *byte = value.ok_or(NotADigest)?;
        }
        Ok(TokenDigest(digest))
    }
}

impl std::fmt::Display for TokenDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The tokens that are believed. As long as there are none, only this machine may ask.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    tokens: BTreeMap<TokenDigest, Arc<Grant>>,
    issuers: Vec<Issuer>,
}

impl Keyring {
    /// Believes a token.
    pub fn add(&mut self, token: TokenDigest, grant: Grant) {
        self.tokens.insert(token, Arc::new(grant));
    }

    /// Believes what somebody signs.
    pub fn trust(&mut self, issuer: Issuer) {
        self.issuers.push(issuer);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.issuers.is_empty()
    }

    /// What a token grants; none if it is not believed.
    pub(crate) fn grant(&self, token: &str) -> Option<Arc<Grant>> {
        if token.len() > TOKEN_LENGTH_MAX {
            return None;
        }
        match self.tokens.get(&TokenDigest::of(token)) {
            Some(grant) => Some(Arc::clone(grant)),
            None => self.issuers.iter().find_map(|issuer| issuer.grant(token)).map(Arc::new),
        }
    }
}
