//! `name-addr`: a display name, a URI and parameters, as in From, To, Contact and Route.

use std::fmt;
use std::str::FromStr;

use super::lexis;
use super::param::Params;
use super::uri::Uri;

/// The value of From, To, Contact, Route or Record-Route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameAddr {
    /// What to show to people, unquoted; may be empty.
    pub display: String,
    /// The address.
    pub uri: Uri,
    /// Parameters of the header (such as `tag`), not of the URI.
    pub params: Params,
}

/// The text is no address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("bad address")]
pub struct AddressError;

impl NameAddr {
    /// An address with a display name (may be empty) and no parameters.
    #[must_use]
    pub fn new(display: &str, uri: Uri) -> NameAddr {
        NameAddr { display: display.to_owned(), uri, params: Params::default() }
    }

    /// The dialog tag; `None` when missing, as from RFC 2543 clients.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.params.value("tag").filter(|tag| !tag.is_empty())
    }

    /// The same address with that tag.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> NameAddr {
        self.params.set("tag", Some(tag.to_owned()));
        self
    }
}

impl FromStr for NameAddr {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<NameAddr, AddressError> {
        let text = lexis::trim(text);
        let (display, rest) = if text.starts_with('"') {
            let (display, rest) = lexis::quoted_string(text).ok_or(AddressError)?;
            if !lexis::trim(rest).starts_with('<') {
                return Err(AddressError);
            }
            (display, lexis::trim(rest))
        } else if let Some(open) = text.find('<') {
            // Only tokens are allowed here, but clients send commas and UTF-8; nothing is
            // ambiguous.
            let display = lexis::trim(&text[..open]);
            if display.contains(['"', '>', ';']) {
                return Err(AddressError);
            }
            (display.chars().map(lexis::printable).collect(), &text[open..])
        } else {
            (String::new(), text)
        };
        let (uri, rest) = match rest.strip_prefix('<') {
            Some(inner) => inner.split_once('>').ok_or(AddressError)?,
            // Without brackets every parameter belongs to the header (RFC 3261 §20.10).
            None => rest.split_at(rest.find(';').unwrap_or(rest.len())),
        };
        let uri = lexis::trim(uri);
        let rest = lexis::trim(rest);
        let params = match rest.strip_prefix(';') {
            Some(params) => Params::parse(params).ok_or(AddressError)?,
            None if rest.is_empty() => Params::default(),
            None => return Err(AddressError),
        };
        Ok(NameAddr { display, uri: uri.parse().map_err(|_| AddressError)?, params })
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.display.is_empty() {
            write!(f, "{} ", lexis::quote(&self.display))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_an_address_are_read() {
        for (text, display, uri, tag) in [
            (
                "\"J Rosenberg \\\\\\\"\" <sip:j@x.com>;tag=1",
                "J Rosenberg \\\"",
                "sip:j@x.com",
                "1",
            ),
            ("caller<sip:c@x.com> ; tag = 2", "caller", "sip:c@x.com", "2"),
            ("sip:a@x.com;tag=3", "", "sip:a@x.com", "3"),
            ("Bell, Alexander <sip:a@x.com;lr>;tag=4", "Bell, Alexander", "sip:a@x.com;lr", "4"),
            ("<isbn:2983792873>;tag=5", "", "isbn:2983792873", "5"),
        ] {
            let address: NameAddr = text.parse().expect(text);
            assert_eq!(address.display, display);
            assert_eq!(address.uri.to_string(), uri);
            assert_eq!(address.tag(), Some(tag));
            let again: NameAddr = address.to_string().parse().expect("own output");
            assert_eq!(again, address);
        }
    }

    #[test]
    fn broken_addresses_are_refused() {
        for text in [
            "",
            "\"Mr. J. User <sip:j@x.com>",
            "<sip:j@x.com",
            "\"a\" sip:j@x.com",
            "<sip:a@b>;;",
            "<sip:a@b> x",
            "a;b <sip:a@b>",
            "<>",
        ] {
            assert!(text.parse::<NameAddr>().is_err(), "{text}");
        }
    }
}
