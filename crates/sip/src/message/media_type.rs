//! Media types of Content-Type and Accept.

use std::fmt;
use std::str::FromStr;

use super::lexis;
use super::param::Params;

/// A media type such as `application/sdp`, in lower case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MediaType {
    /// The part before the slash; `*` in Accept.
    pub kind: String,
    /// The part after the slash; `*` in Accept.
    pub subtype: String,
    /// Parameters such as `boundary`.
    pub params: Params,
}

/// The text is no media type.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("bad media type")]
pub struct MediaTypeError;

impl MediaType {
    /// Whether it is that type, or a range such as `application/*` that includes it.
    #[must_use]
    pub fn covers(&self, kind: &str, subtype: &str) -> bool {
        (self.kind == kind || self.kind == "*") && (self.subtype == subtype || self.subtype == "*")
    }
}

impl FromStr for MediaType {
    type Err = MediaTypeError;

    fn from_str(text: &str) -> Result<MediaType, MediaTypeError> {
        let (name, params) = match text.split_once(';') {
            Some((name, params)) => (name, Params::parse(params).ok_or(MediaTypeError)?),
            None => (text, Params::default()),
        };
        let (kind, subtype) = name.split_once('/').ok_or(MediaTypeError)?;
        let (kind, subtype) = (lexis::trim(kind), lexis::trim(subtype));
        if !lexis::is_token(kind) || !lexis::is_token(subtype) {
            return Err(MediaTypeError);
        }
        Ok(MediaType {
            kind: kind.to_ascii_lowercase(),
            subtype: subtype.to_ascii_lowercase(),
            params,
        })
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.kind, self.subtype, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_types() {
        for (text, covers) in [
            ("application/sdp", true),
            ("Application / SDP;charset=utf-8", true),
            ("application/*", true),
            ("*/*;q=0.1", true),
            ("text/nobodyKnowsThis", false),
        ] {
            let media: MediaType = text.parse().expect(text);
            assert_eq!(media.covers("application", "sdp"), covers, "{text}");
        }
        assert!("sdp".parse::<MediaType>().is_err());
    }
}
