//! Reason: why a call ended (RFC 3326).

use std::fmt;
use std::str::FromStr;

use super::lexis;
use super::param::Params;
use super::uri::digits;
use crate::limits::PHRASE_BYTES_MAX;

/// Why a request was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// Whose numbers `cause` are: `SIP` or `Q.850`.
    pub protocol: String,
    /// A status code or a Q.850 cause.
    pub cause: Option<u16>,
    /// For people to read, at most 256 bytes.
    pub text: Option<String>,
}

/// The text is no Reason value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("bad Reason")]
pub struct ReasonError;

impl Reason {
    /// A reason in SIP's own numbers.
    #[must_use]
    pub fn sip(status: u16, text: &str) -> Reason {
        Reason { protocol: "SIP".to_owned(), cause: Some(status), text: Some(text.to_owned()) }
    }
}

impl FromStr for Reason {
    type Err = ReasonError;

    fn from_str(value: &str) -> Result<Reason, ReasonError> {
        let (protocol, params) = match value.split_once(';') {
            Some((protocol, params)) => (protocol, Params::parse(params).ok_or(ReasonError)?),
            None => (value, Params::default()),
        };
        let protocol = lexis::trim(protocol);
        if !lexis::is_token(protocol) {
            return Err(ReasonError);
        }
        let text = params.value("text").filter(|text| text.len() <= PHRASE_BYTES_MAX);
        Ok(Reason {
            protocol: protocol.to_owned(),
            cause: params.value("cause").and_then(digits),
            text: text.map(str::to_owned),
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.protocol)?;
        if let Some(cause) = self.cause {
            write!(f, ";cause={cause}")?;
        }
        // RFC 3326 §2 has the text always quoted.
        self.text.as_ref().map_or(Ok(()), |text| write!(f, ";text={}", lexis::quote(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_survives_reading_and_writing() {
        let text = "Q.850;cause=16;text=\"Terminated \\\"well\\\"\"";
        let reason: Reason = text.parse().expect("valid");
        assert_eq!(reason.cause, Some(16));
        assert_eq!(reason.to_string(), text);
        assert_eq!("SIP".parse::<Reason>().expect("bare").to_string(), "SIP");
        assert!(";cause=1".parse::<Reason>().is_err());
    }
}
