//! CSeq: the order of requests in a dialog (RFC 3261 §20.16).

use std::fmt;
use std::str::FromStr;

use super::lexis;
use super::method::Method;
use super::uri::digits;

/// A sequence number and the method that it belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CSeq {
    /// Below 2³¹.
    pub number: u32,
    /// The method of the request.
    pub method: Method,
}

/// The text is no CSeq value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("bad CSeq")]
pub struct CSeqError;

impl FromStr for CSeq {
    type Err = CSeqError;

    fn from_str(text: &str) -> Result<CSeq, CSeqError> {
        let (number, method) = lexis::trim(text).split_once([' ', '\t']).ok_or(CSeqError)?;
        let number: u32 = digits(number).ok_or(CSeqError)?;
        if number > u32::MAX / 2 {
            return Err(CSeqError);
        }
        let method = Method::parse(lexis::trim(method)).ok_or(CSeqError)?;
        Ok(CSeq { number, method })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_and_blanks_are_allowed_and_large_numbers_are_not() {
        let cseq: CSeq = "0009 \t INVITE".parse().expect("valid");
        assert_eq!(cseq.to_string(), "9 INVITE");
        for text in
            ["36893488147419103232 REGISTER", "2147483648 BYE", "-1 BYE", "1", "1 ", "x BYE"]
        {
            assert!(text.parse::<CSeq>().is_err(), "{text}");
        }
    }
}
