//! Session-Expires: how long a session lives without a sign of life (RFC 4028 §4).

use std::fmt;
use std::str::FromStr;

use super::lexis;
use super::param::Params;
use super::uri::digits;

/// A session interval and who has to refresh it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionExpires {
    /// The interval \[s\].
    pub seconds: u32,
    /// Who refreshes; `None` leaves it to the answering side.
    pub refresher: Option<Refresher>,
}

/// A side of the transaction that the header travels in: roles may be other ones in the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refresher {
    /// The side that sent the request.
    Uac,
    /// The side that answers it.
    Uas,
}

/// The text is no Session-Expires value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("bad Session-Expires")]
pub struct SessionExpiresError;

impl FromStr for SessionExpires {
    type Err = SessionExpiresError;

    fn from_str(value: &str) -> Result<SessionExpires, SessionExpiresError> {
        let (seconds, params) = match value.split_once(';') {
            Some((seconds, params)) => (seconds, Params::parse(params).ok_or(SessionExpiresError)?),
            None => (value, Params::default()),
        };
        let seconds = digits(lexis::trim(seconds)).ok_or(SessionExpiresError)?;
        let refresher = match params.value("refresher") {
            Some(side) if side.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(side) if side.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) | None => None,
        };
        Ok(SessionExpires { seconds, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.refresher {
            Some(Refresher::Uac) => ";refresher=uac",
            Some(Refresher::Uas) => ";refresher=uas",
            None => "",
        };
        write!(f, "{}{side}", self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_read_with_and_without_its_refresher() {
        for (text, again) in [
            ("1800", "1800"),
            (" 90 ; Refresher=UAC", "90;refresher=uac"),
            ("4000;x=y;refresher=uas", "4000;refresher=uas"),
            ("1800;refresher=nobody", "1800"),
        ] {
            let read: SessionExpires = text.parse().expect("valid");
            assert_eq!(read.to_string(), again);
        }
        for text in ["", "x", "-1", "99999999999", ";refresher=uac"] {
            assert!(text.parse::<SessionExpires>().is_err(), "{text}");
        }
    }
}
