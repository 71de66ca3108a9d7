//! URIs: `sip:`, `sips:` (RFC 3261 §19.1), `tel:` (RFC 3966), and any other kept as text.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::lexis;
use super::param::Params;
use crate::limits::PARAMS_MAX;

/// An address somebody can be reached at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Uri {
    /// `sip:` or `sips:`.
    Sip(SipUri),
    /// `tel:`.
    Tel(TelUri),
    /// Another scheme, as it was written.
    Other(String),
}

/// A `sip:` or `sips:` URI. All parts are unescaped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SipUri {
    /// Whether it is `sips:`.
    pub secure: bool,
    /// The part before the `@`, without password.
    pub user: Option<String>,
    /// What follows the user after a colon; nobody should use it (RFC 3261 §19.1.1).
    pub password: Option<String>,
    /// Who to ask.
    pub host: Host,
    /// The port, if one is given.
    pub port: Option<u16>,
    /// Parameters such as `transport` and `lr`.
    pub params: Params,
    /// What follows the `?`, still escaped.
    pub headers: Option<String>,
}

/// A `tel:` URI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TelUri {
    /// The number as written, such as `+358-555-1234567`.
    pub number: String,
    /// Parameters such as `phone-context`.
    pub params: Params,
}

/// A host: a name to be looked up, or an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Host {
    /// A domain name, in lower case.
    Name(String),
    /// An IPv4 or IPv6 address.
    Ip(IpAddr),
}

/// The text is no URI.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("bad URI: {0}")]
pub struct UriError(&'static str);

impl Uri {
    /// A `sip:` URI of a user (empty for none), a host and a port.
    #[must_use]
    pub fn sip(user: &str, host: Host, port: Option<u16>) -> Uri {
        let user = (!user.is_empty()).then(|| user.to_owned());
        Uri::Sip(SipUri {
            secure: false,
            user,
            password: None,
            host,
            port,
            params: Params::default(),
            headers: None,
        })
    }

    /// The user of a SIP URI or the number of a telephone URI.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Uri::Sip(sip) => sip.user.as_deref(),
            Uri::Tel(tel) => Some(&tel.number),
            Uri::Other(_) => None,
        }
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Uri, UriError> {
        let (scheme, rest) = text.split_once(':').ok_or(UriError("no scheme"))?;
        let starts_well = scheme.starts_with(|letter: char| letter.is_ascii_alphabetic());
        static SCHEME: lexis::ByteSet = lexis::ByteSet::alphanumeric_and(b"+-.");
        if !starts_well || !SCHEME.make(scheme) {
            return Err(UriError("bad scheme"));
        }
        static INSIDE: lexis::ByteSet = lexis::ByteSet::visible_but(b"<>\"");
        let outside = |byte: u8| byte.is_ascii() && !INSIDE.has(byte);
        if rest.is_empty() || rest.bytes().any(outside) {
            return Err(UriError("empty, or with a character that must be escaped"));
        }
        if scheme.eq_ignore_ascii_case("sip") {
            SipUri::parse(rest, false).map(Uri::Sip)
        } else if scheme.eq_ignore_ascii_case("sips") {
            SipUri::parse(rest, true).map(Uri::Sip)
        } else if scheme.eq_ignore_ascii_case("tel") {
            TelUri::parse(rest).map(Uri::Tel)
        } else {
            Ok(Uri::Other(text.to_owned()))
        }
    }
}

impl SipUri {
    fn parse(rest: &str, secure: bool) -> Result<SipUri, UriError> {
        // Semicolons and question marks may stand in the user part unescaped, `@` never does.
        let (userinfo, rest) = match rest.split_once('@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, rest),
        };
        let (user, password) = match userinfo.map(|info| info.split_once(':').ok_or(info)) {
            None => (None, None),
            Some(Ok((user, password))) => (Some(unescape(user)?), Some(unescape(password)?)),
            Some(Err(user)) => (Some(unescape(user)?), None),
        };
        if user.as_ref().is_some_and(String::is_empty) {
            return Err(UriError("empty user"));
        }
        let (rest, headers) = match rest.split_once('?') {
            Some((rest, headers)) => (rest, Some(headers.to_owned())),
            None => (rest, None),
        };
        let (host_port, params) = match rest.split_once(';') {
            Some((host_port, params)) => (host_port, uri_params(params)?),
            None => (rest, Params::default()),
        };
        let (host, port) = host_and_port(host_port).ok_or(UriError("bad host or port"))?;
        Ok(SipUri { secure, user, password, host, port, params, headers })
    }
}

impl TelUri {
    fn parse(rest: &str) -> Result<TelUri, UriError> {
        let (number, params) = match rest.split_once(';') {
            Some((number, params)) => (number, uri_params(params)?),
            None => (rest, Params::default()),
        };
        let dialled = |byte: u8| byte.is_ascii_hexdigit() || b"+-.()*#".contains(&byte);
        if number.is_empty() || !number.bytes().all(dialled) {
            return Err(UriError("bad telephone number"));
        }
        Ok(TelUri { number: number.to_owned(), params })
    }
}

fn unescape(text: &str) -> Result<String, UriError> {
    lexis::unescape(text).ok_or(UriError("broken escape"))
}

/// The parameters of a URI, which are escaped and never quoted.
fn uri_params(text: &str) -> Result<Params, UriError> {
    let mut params = Params::default();
    for (count, part) in text.split(';').enumerate() {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name, Some(unescape(value)?)),
            None => (part, None),
        };
        if name.is_empty() || count == PARAMS_MAX {
            return Err(UriError("nameless parameter, or too many"));
        }
        params.set(&unescape(name)?, value);
    }
    Ok(params)
}

/// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
pub(super) fn host_and_port(text: &str) -> Option<(Host, Option<u16>)> {
    let end = match text.strip_prefix('[') {
        Some(inner) => inner.find(']')? + 2,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at(end);
    let host = host.trim_end_matches([' ', '\t']).parse().ok()?;
    let rest = lexis::trim(rest);
    let port = match rest.strip_prefix(':') {
        Some(port) => Some(digits(lexis::trim(port))?),
        None if rest.is_empty() => None,
        None => return None,
    };
    Some((host, port))
}

/// Reads a number of digits only; the standard library would also take a plus sign.
pub(super) fn digits<N: FromStr>(text: &str) -> Option<N> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl FromStr for Host {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Host, UriError> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(UriError("unclosed bracket"))?;
            let address: Ipv6Addr = inner.parse().map_err(|_| UriError("bad IPv6 address"))?;
            return Ok(Host::Ip(IpAddr::V6(address)));
        }
        if let Ok(address) = text.parse() {
            return Ok(Host::Ip(IpAddr::V4(address)));
        }
        static NAMED: lexis::ByteSet = lexis::ByteSet::alphanumeric_and(b"-._");
        if text.is_empty() || !NAMED.make(text) {
            return Err(UriError("bad host name"));
        }
        Ok(Host::Name(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Ip(IpAddr::V4(address)) => address.fmt(f),
            Host::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Uri::Sip(sip) => sip.fmt(f),
            Uri::Tel(tel) => {
                write!(f, "tel:{}", tel.number)?;
                write_params(f, &tel.params)
            }
            Uri::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        if let Some(user) = &self.user {
            f.write_str(&lexis::escape(user, b"-_.!~*'()&=+$,;?/"))?;
            if let Some(password) = &self.password {
                write!(f, ":{}", lexis::escape(password, b"-_.!~*'()&=+$,"))?;
            }
            f.write_str("@")?;
        }
        write!(f, "{}", self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write_params(f, &self.params)?;
        self.headers.as_ref().map_or(Ok(()), |headers| write!(f, "?{headers}"))
    }
}

fn write_params(f: &mut fmt::Formatter<'_>, params: &Params) -> fmt::Result {
    const PLAIN: &[u8] = b"-_.!~*'()[]/:&+$";
    for (name, value) in params.iter() {
        write!(f, ";{}", lexis::escape(name, PLAIN))?;
        if let Some(value) = value {
            write!(f, "={}", lexis::escape(value, PLAIN))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sip(text: &str) -> SipUri {
        match text.parse() {
            Ok(Uri::Sip(uri)) => uri,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn escapes_in_the_user_are_resolved_and_written_again() {
        let uri = sip("sip:sips%3Auser%40example.com@example.net");
        assert_eq!(uri.user.as_deref(), Some("sips:user@example.com"));
        assert_eq!(uri.to_string(), "sip:sips%3Auser%40example.com@example.net");
        let nul = sip("sip:null-%00-null@example.com");
        assert_eq!(nul.user.as_deref(), Some("null-\0-null"));
        assert_eq!(nul.to_string(), "sip:null-%00-null@example.com");
    }

    #[test]
    fn the_user_may_hold_semicolons_and_question_marks() {
        let uri = sip("sip:user;par=u%40example.net?x@example.com;a");
        assert_eq!(uri.user.as_deref(), Some("user;par=u@example.net?x"));
        assert!(uri.params.has("a"));
    }

    #[test]
    fn escaped_parameters_are_resolved_once() {
        let uri = sip("sip:h5.example.net;%6C%72;n%61me=v%61lue%25%34%31");
        assert!(uri.params.has("lr"));
        assert_eq!(uri.params.value("name"), Some("value%41"));
    }

    #[test]
    fn hosts_may_be_names_and_addresses_of_both_kinds() {
        for (text, host, port) in [
            ("sip:[2001:db8::10]:5070;lr", Host::Ip("2001:db8::10".parse().unwrap()), Some(5070)),
            ("sip:a@192.0.2.1", Host::Ip("192.0.2.1".parse().unwrap()), None),
            ("SIPS:A.example.COM:1", Host::Name("a.example.com".into()), Some(1)),
        ] {
            assert_eq!((sip(text).host, sip(text).port), (host, port), "{text}");
        }
    }

    #[test]
    fn telephone_numbers_and_foreign_schemes_are_kept() {
        let tel: Uri = "tel:+358-555-1234567;postd=pp22".parse().unwrap();
        assert_eq!(tel.user(), Some("+358-555-1234567"));
        assert_eq!(tel.to_string(), "tel:+358-555-1234567;postd=pp22");
        let other: Uri = "soap.beep://192.0.2.103:3002".parse().unwrap();
        assert_eq!(other, Uri::Other("soap.beep://192.0.2.103:3002".into()));
    }

    #[test]
    fn bad_uris_are_refused() {
        for text in [
            "",
            "sip",
            "sip:",
            ":x",
            "1sip:x",
            "sip:@h",
            "sip:a@",
            "sip:a@h:",
            "sip:a@h:65536",
            "sip:a@h:+1",
            "sip:a@[::1",
            "sip:a@[zz]",
            "sip:a@h;;x",
            "sip:a@h;=1",
            "sip:%zz@h",
            "sip:a b@h",
            "sip:a@b@c",
            "tel:",
            "tel:abc-xyz",
            "<sip:a@h>",
            "sip:%ff@h",
        ] {
            assert!(text.parse::<Uri>().is_err(), "{text}");
        }
    }
}
