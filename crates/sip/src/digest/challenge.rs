//! What a server asks: the value of WWW-Authenticate and Proxy-Authenticate (RFC 7616 §3.3).

use std::fmt;

use super::Algorithm;
use super::credentials::fields;
use crate::message::lexis;

/// A challenge that can be answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Challenge {
    /// Whose passwords are asked for.
    pub realm: String,
    /// To be used in the answer.
    pub nonce: String,
    /// How to hash.
    pub algorithm: Algorithm,
    /// Whether the last answer was only too old: the same password will do.
    pub stale: bool,
    /// To be repeated in the answer as it came.
    pub opaque: Option<String>,
    /// Whether `qop=auth` is understood; servers of RFC 2069 do not.
    pub counts: bool,
}

impl Challenge {
    /// Reads one header value. `None` if it is not Digest, cannot be read, or asks for an algorithm
    /// or a protection that is not understood.
    #[must_use]
    pub fn parse(value: &str) -> Option<Challenge> {
        let fields = fields(value)?;
        let get = |name: &str| fields.value(name).map(str::to_owned);
        let algorithm = match fields.value("algorithm") {
            Some(name) => Algorithm::from_name(name)?,
            None => Algorithm::Md5,
        };
        let counts = match fields.value("qop") {
            None => false,
            Some(list) => {
                let auth = |one: &str| lexis::trim(one).eq_ignore_ascii_case("auth");
                if !list.split(',').any(auth) {
                    return None;
                }
                true
            }
        };
        Some(Challenge {
            realm: get("realm")?,
            nonce: get("nonce")?,
            algorithm,
            stale: fields.value("stale").is_some_and(|text| text.eq_ignore_ascii_case("true")),
            opaque: get("opaque"),
            counts,
        })
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (realm, nonce) = (lexis::quote(&self.realm), lexis::quote(&self.nonce));
        write!(f, "Digest realm={realm}, nonce={nonce}, algorithm={}", self.algorithm.name())?;
        if self.counts {
            f.write_str(", qop=\"auth\"")?;
        }
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", lexis::quote(opaque))?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_survives_writing_and_reading() {
        for stale in [true, false] {
            let challenge = Challenge {
                realm: "a \"b\"".into(),
                nonce: "n=".into(),
                algorithm: Algorithm::Sha256,
                stale,
                opaque: Some("o,p".into()),
                counts: true,
            };
            assert_eq!(Challenge::parse(&challenge.to_string()), Some(challenge));
        }
    }

    #[test]
    fn what_cannot_be_answered_is_no_challenge() {
        for text in [
            "Basic realm=\"x\"",
            "Digest realm=\"x\"",
            "Digest nonce=\"x\"",
            "Digest realm=\"x\", nonce=\"y\", algorithm=SHA-512-256",
            "Digest realm=\"x\", nonce=\"y\", qop=\"auth-int\"",
            "Digest realm=\"x, nonce=\"y\"",
            "",
        ] {
            assert_eq!(Challenge::parse(text), None, "{text}");
        }
        let old = Challenge::parse("DIGEST realm=\"x\",nonce=\"y\"").unwrap();
        assert_eq!((old.algorithm, old.counts), (Algorithm::Md5, false));
        let both = "Digest realm=\"x\", nonce=\"y\", qop=\"auth-int, auth\"";
        assert!(Challenge::parse(both).unwrap().counts);
    }
}
