//! Digest authentication (RFC 7616, with SHA-256 for SIP by RFC 8760): who somebody is, shown
//! without showing the password.
//!
//! Both sides are here. As a server the endpoint challenges with a nonce that checks itself
//! (`nonce`) and keeps nothing until a credential has checked out. As a client it answers
//! challenges to requests of its own ([`Account`]). Only `qop=auth` is asked for: `auth-int` is
//! broken by every proxy that touches a body.

mod account;
mod challenge;
mod credentials;
mod nonce;

use std::fmt;

use md5::Md5;
use sha2::{Digest as _, Sha256};

pub use account::{Account, Password};
pub use challenge::Challenge;
pub use credentials::Credentials;
pub(crate) use nonce::{NonceError, Nonces};

/// How texts are hashed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Algorithm {
    /// MD5, the only one that most phones know. Can be switched off.
    Md5,
    /// SHA-256 (RFC 8760 §2.1).
    Sha256,
}

impl Algorithm {
    /// All, the one that is preferred first (RFC 8760 §2.3).
    pub const ALL: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Md5];

    /// The spelling of the `algorithm` parameter.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    /// The algorithm of that name in any case; `None` for one that is not understood.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(name))
    }

    /// The hash of a text, as lower-case hexadecimal digits.
    fn hash(self, text: &str) -> String {
        match self {
            Algorithm::Md5 => hex(&Md5::digest(text)),
            Algorithm::Sha256 => hex(&Sha256::digest(text)),
        }
    }
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// `H(user:realm:password)`, which is all that is kept of a password. Whoever has it can pass for
/// the user in that realm, so it is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1(String);

/// The text is no HA1 of that algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an HA1 of {} is {} hexadecimal digits", .0.name(), digits(*.0))]
pub struct Ha1Error(Algorithm);

fn digits(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::Md5 => 32,
        Algorithm::Sha256 => 64,
    }
}

impl Ha1 {
    /// Hashes a password.
    #[must_use]
    pub fn of(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> Ha1 {
        Ha1(algorithm.hash(&format!("{user}:{realm}:{password}")))
    }

    /// What stands in for the HA1 of a user that is not there. Nobody can show it: it is the hash
    /// of nothing that is known.
    pub(crate) fn nobody(algorithm: Algorithm) -> Ha1 {
        Ha1("0".repeat(digits(algorithm)))
    }

    /// Reads one that was hashed before.
    ///
    /// # Errors
    /// [`Ha1Error`] unless it has the algorithm's number of hexadecimal digits.
    pub fn parse(algorithm: Algorithm, text: &str) -> Result<Ha1, Ha1Error> {
        let sound = text.len() == digits(algorithm) && text.bytes().all(|b| b.is_ascii_hexdigit());
        sound.then(|| Ha1(text.to_ascii_lowercase())).ok_or(Ha1Error(algorithm))
    }

    /// The digits, for whoever writes a configuration.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1(…)")
    }
}

/// What is kept of a user's password, for each algorithm that the user may show it by.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Secrets {
    /// For MD5.
    pub md5: Option<Ha1>,
    /// For SHA-256.
    pub sha256: Option<Ha1>,
}

impl Secrets {
    /// Both kinds, from a password.
    #[must_use]
    pub fn of(user: &str, realm: &str, password: &str) -> Secrets {
        let ha1 = |algorithm| Some(Ha1::of(algorithm, user, realm, password));
        Secrets { md5: ha1(Algorithm::Md5), sha256: ha1(Algorithm::Sha256) }
    }

    /// What is kept for that algorithm.
    #[must_use]
    pub fn ha1(&self, algorithm: Algorithm) -> Option<&Ha1> {
        match algorithm {
            Algorithm::Md5 => self.md5.as_ref(),
            Algorithm::Sha256 => self.sha256.as_ref(),
        }
    }
}

/// What a response is computed over, besides HA1 and nonce.
#[derive(Clone, Copy, Debug)]
struct Exchange<'a> {
    algorithm: Algorithm,
    method: &'a str,
    uri: &'a str,
    nonce: &'a str,
    /// Count and client's nonce; `None` for servers of RFC 2069, which name no `qop`.
    counted: Option<(u32, &'a str)>,
}

impl Exchange<'_> {
    /// The response (RFC 7616 §3.4.1).
    fn response(&self, ha1: &Ha1) -> String {
        let Exchange { algorithm, method, uri, nonce, counted } = self;
        let ha2 = algorithm.hash(&format!("{method}:{uri}"));
        let ha1 = ha1.reveal();
        algorithm.hash(&match counted {
            Some((count, cnonce)) => format!("{ha1}:{nonce}:{count:08x}:{cnonce}:auth:{ha2}"),
            None => format!("{ha1}:{nonce}:{ha2}"),
        })
    }
}

/// Compares in a time that depends on the length only: a response that is nearly right must not be
/// told by how long the answer takes.
fn same(one: &str, other: &str) -> bool {
    let differs = one.bytes().zip(other.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differs) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_7616_are_computed() {
        // §3.9.1
        let realm = "http-auth@example.org";
        for (algorithm, response) in [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let ha1 = Ha1::of(algorithm, "Mufasa", realm, "Circle of Life");
            let exchange = Exchange {
                algorithm,
                method: "GET",
                uri: "/dir/index.html",
                nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                counted: Some((1, "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")),
            };
            assert_eq!(exchange.response(&ha1), response);
        }
    }

    #[test]
    fn a_secret_is_read_only_at_its_length_and_never_shown() {
        let text = "0123456789ABCDEF0123456789abcdef";
        let ha1 = Ha1::parse(Algorithm::Md5, text).unwrap();
        assert_eq!(ha1.reveal(), text.to_ascii_lowercase());
        assert_eq!(format!("{ha1:?}"), "Ha1(…)");
        let wrong = Ha1::parse(Algorithm::Sha256, text).unwrap_err();
        assert_eq!(wrong.to_string(), "an HA1 of SHA-256 is 64 hexadecimal digits");
        assert!(Ha1::parse(Algorithm::Md5, &text.replace('0', "g")).is_err());
    }

    #[test]
    fn texts_are_the_same_only_as_a_whole() {
        assert!(same("abc", "abc"));
        assert!(!same("abc", "abd") && !same("abc", "ab") && !same("", "a"));
    }
}
