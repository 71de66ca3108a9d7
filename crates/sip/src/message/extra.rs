//! Headers that the user of the endpoint adds to a request.

use thiserror::Error;

use super::header::{Header, HeaderName, HeaderValue, Headers};
use crate::limits::{EXTRA_HEADERS_MAX, EXTRA_VALUE_BYTES_MAX};

/// Headers that the user of the endpoint adds to a request: identity (RFC 3325), Privacy,
/// User-to-User (RFC 7433), Referred-By (RFC 3892), Replaces (RFC 3891) and the like. Those that
/// routing, dialogs and sessions depend on are not among them: the endpoint writes them itself.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ExtraHeaders(Headers);

/// Why a header was not added. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ExtraError {
    /// The endpoint writes that header itself.
    #[error("the endpoint writes this header itself")]
    Reserved,
    /// There are [`EXTRA_HEADERS_MAX`] already.
    #[error("too many headers are added")]
    TooMany,
    /// The value has more than [`EXTRA_VALUE_BYTES_MAX`] bytes.
    #[error("the header's value is too long")]
    TooLong,
    /// The value holds a line break or another control character.
    #[error("the header's value holds a control character")]
    Control,
}

impl ExtraHeaders {
    /// No headers.
    #[must_use]
    pub fn new() -> ExtraHeaders {
        ExtraHeaders::default()
    }

    /// Adds one, after those that are there.
    ///
    /// # Errors
    /// See [`ExtraError`].
    pub fn push(
        &mut self,
        name: HeaderName,
        value: impl Into<HeaderValue>,
    ) -> Result<(), ExtraError> {
        let value = value.into();
        if is_reserved(&name) {
            return Err(ExtraError::Reserved);
        }
        if self.0.len() >= EXTRA_HEADERS_MAX {
            return Err(ExtraError::TooMany);
        }
        if value.len() > EXTRA_VALUE_BYTES_MAX {
            return Err(ExtraError::TooLong);
        }
        if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Err(ExtraError::Control);
        }
        self.0.push(name, value);
        Ok(())
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Header> {
        self.0.iter()
    }

    /// Puts them behind the headers of a request.
    pub(crate) fn append_to(&self, headers: &mut Headers) {
        for header in self.0.iter() {
            headers.push(header.name.clone(), header.value.clone());
        }
    }
}

/// Whether transactions, dialogs, sessions or bodies hang on that header.
fn is_reserved(name: &HeaderName) -> bool {
    use HeaderName as Name;
    match name {
        Name::Allow
        | Name::CallId
        | Name::Contact
        | Name::ContentDisposition
        | Name::ContentEncoding
        | Name::ContentLength
        | Name::ContentType
        | Name::CSeq
        | Name::From
        | Name::MaxForwards
        | Name::MinSe
        | Name::RAck
        | Name::RecordRoute
        | Name::Route
        | Name::RSeq
        | Name::Server
        | Name::SessionExpires
        | Name::Supported
        | Name::To
        | Name::Unsupported
        | Name::UserAgent
        | Name::Via => true,
        Name::Accept
        | Name::AcceptEncoding
        | Name::AllowEvents
        | Name::AuthenticationInfo
        | Name::Authorization
        | Name::Diversion
        | Name::Event
        | Name::Expires
        | Name::HistoryInfo
        | Name::InfoPackage
        | Name::Join
        | Name::MinExpires
        | Name::PAssertedIdentity
        | Name::Path
        | Name::PPreferredIdentity
        | Name::Privacy
        | Name::ProxyAuthenticate
        | Name::ProxyAuthorization
        | Name::Reason
        | Name::RecvInfo
        | Name::ReferredBy
        | Name::ReferSub
        | Name::ReferTo
        | Name::Replaces
        | Name::Require
        | Name::RetryAfter
        | Name::SessionId
        | Name::SubscriptionState
        | Name::TargetDialog
        | Name::Timestamp
        | Name::UserToUser
        | Name::WwwAuthenticate
        | Name::Other(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_endpoint_writes_itself_cannot_be_added() {
        let mut extra = ExtraHeaders::new();
        for spelling in ["v", "Route", "call-id", "Contact", "CSeq", "x"] {
            let name = HeaderName::parse(spelling).unwrap();
            assert_eq!(extra.push(name, "x"), Err(ExtraError::Reserved), "{spelling}");
        }
        for spelling in ["User-to-User", "P-Asserted-Identity", "b", "X-Own"] {
            let name = HeaderName::parse(spelling).unwrap();
            assert_eq!(extra.push(name, "x"), Ok(()), "{spelling}");
        }
        assert_eq!(extra.iter().count(), 4);
    }

    #[test]
    fn a_value_is_one_line_and_bounded_and_so_is_their_number() {
        let mut extra = ExtraHeaders::new();
        let name = || HeaderName::Other("X".to_owned());
        assert_eq!(extra.push(name(), "a\r\nVia: b"), Err(ExtraError::Control));
        let long = vec![b'x'; EXTRA_VALUE_BYTES_MAX + 1];
        assert_eq!(extra.push(name(), long), Err(ExtraError::TooLong));
        for _ in 0..EXTRA_HEADERS_MAX {
            assert_eq!(extra.push(name(), "x"), Ok(()));
        }
        assert_eq!(extra.push(name(), "x"), Err(ExtraError::TooMany));
    }
}
