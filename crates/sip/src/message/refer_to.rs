//! Refer-To: whom to contact, and how (RFC 3515 §2.1).

use std::fmt;
use std::str::FromStr;

use super::dialog_name::DialogName;
use super::{HeaderName, Method, NameAddr, Uri, lexis};

/// The value of Refer-To, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReferTo {
    /// Whom, without the parts below.
    pub uri: Uri,
    /// What is to be sent there, if it says; a plain Refer-To means INVITE.
    pub method: Option<Method>,
    /// The dialog there that is to be replaced (RFC 3891 §4).
    pub replaces: Option<DialogName>,
}

/// The text is no Refer-To.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("bad Refer-To")]
pub struct ReferToError;

impl ReferTo {
    /// A plain one.
    #[must_use]
    pub fn new(uri: Uri) -> ReferTo {
        ReferTo { uri, method: None, replaces: None }
    }

    /// All of it as one URI.
    #[must_use]
    pub fn to_uri_text(&self) -> String {
        // A method's name may have a percent sign in it.
        let method = self.method.as_ref().map(|method| escape(&method.to_string()));
        let method = method.map(|method| format!(";method={method}"));
        let replaces = self.replaces.as_ref().map(|name| escape(&name.to_string()));
        let replaces = replaces.map(|name| format!("?Replaces={name}"));
        format!("{}{}{}", self.uri, method.unwrap_or_default(), replaces.unwrap_or_default())
    }
}

/// A value as it stands in a URI (RFC 3261 §19.1.1).
fn escape(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte);
    value.bytes().fold(String::new(), |mut text, byte| {
        match plain(byte) {
            true => text.push(char::from(byte)),
            false => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}

impl fmt::Display for ReferTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.to_uri_text())
    }
}

impl FromStr for ReferTo {
    type Err = ReferToError;

    /// Of the headers in the URI only Replaces is taken: obeying the others would let a stranger
    /// write our requests (RFC 3261 §19.1.5).
    fn from_str(value: &str) -> Result<ReferTo, ReferToError> {
        let address: NameAddr = value.parse().map_err(|_| ReferToError)?;
        let Uri::Sip(mut uri) = address.uri else {
            return Ok(ReferTo { uri: address.uri, method: None, replaces: None });
        };
        let method = match uri.params.value("method") {
            Some(name) => Some(Method::parse(name).ok_or(ReferToError)?),
            None => None,
        };
        uri.params.remove("method");
        let replaces = match uri.headers.take() {
            Some(headers) => replaces(&headers)?,
            None => None,
        };
        Ok(ReferTo { uri: Uri::Sip(uri), method, replaces })
    }
}

fn replaces(headers: &str) -> Result<Option<DialogName>, ReferToError> {
    let mut found = None;
    for header in headers.split('&') {
        let (name, value) = header.split_once('=').ok_or(ReferToError)?;
        let name = lexis::unescape(name).ok_or(ReferToError)?;
        if HeaderName::parse(&name) == Some(HeaderName::Replaces) {
            let value = lexis::unescape(value).ok_or(ReferToError)?;
            let named = value.parse().map_err(|_| ReferToError)?;
            if found.replace(named).is_some() {
                return Err(ReferToError);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_refer_to_are_told_apart() {
        let plain: ReferTo = "<sip:carol@c.example>".parse().expect("valid");
        assert_eq!((plain.method, plain.replaces), (None, None));
        let bye: ReferTo = "<sip:carol@c.example;method=BYE;transport=tcp>".parse().expect("valid");
        assert_eq!(bye.method, Some(Method::Bye));
        assert_eq!(bye.uri.to_string(), "sip:carol@c.example;transport=tcp");
        let odd: ReferTo = "<sip:carol@c.example;method=N%250>".parse().expect("valid");
        assert_eq!(odd.method.as_ref().map(Method::to_string).as_deref(), Some("N%0"));
        assert_eq!(odd.to_string().parse(), Ok(odd));
        let attended: ReferTo = "<sip:carol@c.example?Require=replaces&Replaces=\
                                 12%40b.example%3Bto-tag%3D7%3Bfrom-tag%3D8>"
            .parse()
            .expect("valid");
        assert_eq!(attended.uri.to_string(), "sip:carol@c.example");
        let again = attended.clone();
        let name = attended.replaces.expect("named");
        assert_eq!(name.to_string(), "12@b.example;to-tag=7;from-tag=8");
        assert_eq!(again.to_string().parse(), Ok(again));
    }

    #[test]
    fn a_broken_refer_to_is_none() {
        for text in [
            "",
            "<sip:a@b;method=a b>",
            "<sip:a@b?Replaces>",
            "<sip:a@b?Replaces=x>",
            "<sip:a@b?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2&\
             replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2>",
        ] {
            assert!(text.parse::<ReferTo>().is_err(), "{text}");
        }
    }
}
