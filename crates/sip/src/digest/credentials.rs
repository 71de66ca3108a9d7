//! What a client answers: the value of Authorization and Proxy-Authorization (RFC 7616 §3.4).

use std::fmt;

use super::{Algorithm, Exchange, Ha1, same};
use crate::message::{Params, lexis};

/// The answer to a challenge, with `qop=auth`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credentials {
    /// Who it claims to be.
    pub username: String,
    /// Whose password it shows.
    pub realm: String,
    /// The nonce of the challenge.
    pub nonce: String,
    /// What is asked for. Not compared with the Request-URI: proxies rewrite that one, and the
    /// count lets each answer pass once only.
    pub uri: String,
    /// How it hashed.
    pub algorithm: Algorithm,
    /// The client's own nonce and its count of uses of the server's; `None` only in answers of ours
    /// to servers of RFC 2069.
    pub counted: Option<(u32, String)>,
    /// The hash that shows the password.
    pub response: String,
    /// What the challenge gave to be repeated.
    pub opaque: Option<String>,
}

impl Credentials {
    /// Reads one header value. `None` if it is not Digest, cannot be read, or does not count its
    /// uses: without a count it could be sent again by whoever overheard it.
    #[must_use]
    pub fn parse(value: &str) -> Option<Credentials> {
        let fields = fields(value)?;
        let get = |name: &str| fields.value(name).map(str::to_owned);
        let algorithm = match fields.value("algorithm") {
            Some(name) => Algorithm::from_name(name)?,
            None => Algorithm::Md5,
        };
        let protects = fields.value("qop").is_some_and(|qop| qop.eq_ignore_ascii_case("auth"));
        let count = fields.value("nc").filter(|text| text.len() == 8)?;
        if !protects || !count.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let count = u32::from_str_radix(count, 16).ok()?;
        Some(Credentials {
            username: get("username")?,
            realm: get("realm")?,
            nonce: get("nonce")?,
            uri: get("uri")?,
            algorithm,
            counted: Some((count, get("cnonce")?)),
            response: get("response")?,
            opaque: get("opaque"),
        })
    }

    /// Whether the response shows that password, for a request of that method.
    #[must_use]
    pub fn show(&self, ha1: &Ha1, method: &str) -> bool {
        let counted = self.counted.as_ref().map(|(count, cnonce)| (*count, cnonce.as_str()));
        let Credentials { algorithm, uri, nonce, .. } = self;
        let exchange = Exchange { algorithm: *algorithm, method, uri, nonce, counted };
        same(&exchange.response(ha1), &self.response.to_ascii_lowercase())
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = lexis::quote;
        let (user, realm, nonce) = (quote(&self.username), quote(&self.realm), quote(&self.nonce));
        write!(f, "Digest username={user}, realm={realm}, nonce={nonce}")?;
        write!(f, ", uri={}, response={}", quote(&self.uri), quote(&self.response))?;
        write!(f, ", algorithm={}", self.algorithm.name())?;
        if let Some((count, cnonce)) = &self.counted {
            write!(f, ", qop=auth, nc={count:08x}, cnonce={}", quote(cnonce))?;
        }
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", quote(opaque))?;
        }
        Ok(())
    }
}

/// The fields behind the word `Digest`.
pub(super) fn fields(value: &str) -> Option<Params> {
    let (scheme, rest) = lexis::trim(value).split_once([' ', '\t'])?;
    if !scheme.eq_ignore_ascii_case("Digest") {
        return None;
    }
    let parts = lexis::split(rest, b',');
    Params::of(parts.into_iter().map(lexis::trim).filter(|part| !part.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Digest username=\"b\\\"ob\", realm=\"r\", nonce=\"n\", uri=\"sip:x,y\", \
                        response=\"00\", algorithm=SHA-256, qop=auth, nc=0000001f, cnonce=\"c\"";

    #[test]
    fn credentials_survive_reading_and_writing() {
        let read = Credentials::parse(TEXT).unwrap();
        assert_eq!(read.username, "b\"ob");
        assert_eq!(read.uri, "sip:x,y");
        assert_eq!(read.counted, Some((31, "c".into())));
        assert_eq!(read.to_string(), TEXT);
    }

    #[test]
    fn an_answer_without_count_or_with_a_broken_one_is_none() {
        for (from, to) in [
            ("Digest", "Basic"),
            ("qop=auth, ", ""),
            ("qop=auth", "qop=auth-int"),
            ("nc=0000001f, ", ""),
            ("nc=0000001f", "nc=1f"),
            ("nc=0000001f", "nc=+000001f"),
            ("cnonce=\"c\"", "cnonce=\"c"),
            ("username=\"b\\\"ob\", ", ""),
            ("SHA-256", "SHA-512"),
        ] {
            let text = TEXT.replace(from, to);
            assert_eq!(Credentials::parse(&text), None, "{text}");
        }
    }

    #[test]
    fn a_password_is_shown_for_its_own_method_only() {
        let ha1 = Ha1::of(Algorithm::Sha256, "b\"ob", "r", "secret");
        let mut credentials = Credentials::parse(TEXT).unwrap();
        let exchange = Exchange {
            algorithm: Algorithm::Sha256,
            method: "REGISTER",
            uri: "sip:x,y",
            nonce: "n",
            counted: Some((31, "c")),
        };
        credentials.response = exchange.response(&ha1).to_ascii_uppercase();
        assert!(credentials.show(&ha1, "REGISTER"));
        assert!(!credentials.show(&ha1, "INVITE"));
        assert!(!credentials.show(&Ha1::of(Algorithm::Sha256, "b\"ob", "r", "Secret"), "REGISTER"));
    }

    #[test]
    fn no_text_makes_the_reader_panic() {
        // Every single cut-out of a valid text; few of them are still valid.
        let mut read = 0;
        for end in 0..=TEXT.len() {
            for start in 0..=end {
                let cut = format!("{}{}", &TEXT[..start], &TEXT[end..]);
                read += usize::from(Credentials::parse(&cut).is_some());
                let challenge = super::super::Challenge::parse(&cut);
                let again =
                    challenge.as_ref().and_then(|c| super::super::Challenge::parse(&c.to_string()));
                assert_eq!(again, challenge, "{cut}");
            }
        }
        assert!((1..TEXT.len() * 10).contains(&read), "{read}");
    }
}
