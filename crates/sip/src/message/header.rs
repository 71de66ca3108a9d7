//! Header names and the list of header lines of one message.

use std::borrow::Cow;
use std::fmt;

use super::lexis;
use crate::limits::HEADER_VALUES_MAX;

/// A header's name, without regard to case or compact form (RFC 3261 §7.3).
#[derive(Clone, Eq, Debug)]
pub enum HeaderName {
    /// Media types that an answer may have.
    Accept,
    /// Content encodings that are understood.
    AcceptEncoding,
    /// Methods that are understood.
    Allow,
    /// Event packages that are understood.
    AllowEvents,
    /// What a server says of itself after an accepted credential (RFC 7615).
    AuthenticationInfo,
    /// Credentials for the far end (RFC 7616).
    Authorization,
    /// Names the call; with both tags, the dialog.
    CallId,
    /// Where requests inside the dialog go.
    Contact,
    /// What a body is for.
    ContentDisposition,
    /// How a body is packed.
    ContentEncoding,
    /// Bytes of the body.
    ContentLength,
    /// Media type of the body.
    ContentType,
    /// Order of requests in a dialog.
    CSeq,
    /// From where a call was diverted (RFC 5806).
    Diversion,
    /// The event package of a subscription.
    Event,
    /// How long an INVITE may wait.
    Expires,
    /// Who asks.
    From,
    /// The targets that a call had (RFC 7044).
    HistoryInfo,
    /// The package that an INFO belongs to (RFC 6086).
    InfoPackage,
    /// The dialog that a call wants to be joined with (RFC 3911).
    Join,
    /// Hops left.
    MaxForwards,
    /// The shortest expiry that is accepted.
    MinExpires,
    /// The shortest session interval that is accepted (RFC 4028).
    MinSe,
    /// Who calls, by the word of a trusted network (RFC 3325).
    PAssertedIdentity,
    /// The way to a registered phone (RFC 3327).
    Path,
    /// Who wants to be called what (RFC 3325).
    PPreferredIdentity,
    /// What must not be told of the caller (RFC 3323).
    Privacy,
    /// A challenge by a proxy.
    ProxyAuthenticate,
    /// Credentials for a proxy.
    ProxyAuthorization,
    /// Which reliable provisional response is acknowledged (RFC 3262).
    RAck,
    /// Why (RFC 3326).
    Reason,
    /// Which packages of INFO are taken (RFC 6086).
    RecvInfo,
    /// The way that requests inside the dialog take, as recorded by proxies.
    RecordRoute,
    /// On whose behalf (RFC 3892).
    ReferredBy,
    /// Whether a REFER subscribes (RFC 4488).
    ReferSub,
    /// Whom to contact (RFC 3515).
    ReferTo,
    /// The dialog that a call takes the place of (RFC 3891).
    Replaces,
    /// Options that must be understood.
    Require,
    /// When to try again.
    RetryAfter,
    /// The way a request takes.
    Route,
    /// The number of a reliable provisional response (RFC 3262).
    RSeq,
    /// The answering software.
    Server,
    /// The session interval and who refreshes (RFC 4028).
    SessionExpires,
    /// Names the session across back-to-back user agents (RFC 7989).
    SessionId,
    /// How a subscription stands (RFC 6665).
    SubscriptionState,
    /// Options that are understood.
    Supported,
    /// A dialog that a request is related to (RFC 4538).
    TargetDialog,
    /// When the request was sent, by its sender's clock.
    Timestamp,
    /// Who is asked.
    To,
    /// Options that were required and are not understood.
    Unsupported,
    /// The asking software.
    UserAgent,
    /// Data from one user for the other (RFC 7433).
    UserToUser,
    /// The way back.
    Via,
    /// A challenge by the far end.
    WwwAuthenticate,
    /// Any other, as it was spelled.
    Other(String),
}

/// Each known name with its usual spelling and compact form.
const KNOWN: [(HeaderName, &str, &str); 54] = [
    (HeaderName::Via, "Via", "v"),
    (HeaderName::MaxForwards, "Max-Forwards", ""),
    (HeaderName::From, "From", "f"),
    (HeaderName::To, "To", "t"),
    (HeaderName::CallId, "Call-ID", "i"),
    (HeaderName::CSeq, "CSeq", ""),
    (HeaderName::Contact, "Contact", "m"),
    (HeaderName::ContentLength, "Content-Length", "l"),
    (HeaderName::ContentType, "Content-Type", "c"),
    (HeaderName::Accept, "Accept", ""),
    (HeaderName::AcceptEncoding, "Accept-Encoding", ""),
    (HeaderName::Allow, "Allow", ""),
    (HeaderName::AllowEvents, "Allow-Events", "u"),
    (HeaderName::ContentDisposition, "Content-Disposition", ""),
    (HeaderName::ContentEncoding, "Content-Encoding", "e"),
    (HeaderName::Event, "Event", "o"),
    (HeaderName::Expires, "Expires", ""),
    (HeaderName::Reason, "Reason", ""),
    (HeaderName::RecordRoute, "Record-Route", ""),
    (HeaderName::Require, "Require", ""),
    (HeaderName::RetryAfter, "Retry-After", ""),
    (HeaderName::Route, "Route", ""),
    (HeaderName::Server, "Server", ""),
    (HeaderName::Supported, "Supported", "k"),
    (HeaderName::Unsupported, "Unsupported", ""),
    (HeaderName::UserAgent, "User-Agent", ""),
    (HeaderName::AuthenticationInfo, "Authentication-Info", ""),
    (HeaderName::Authorization, "Authorization", ""),
    (HeaderName::Diversion, "Diversion", ""),
    (HeaderName::HistoryInfo, "History-Info", ""),
    (HeaderName::InfoPackage, "Info-Package", ""),
    (HeaderName::Join, "Join", ""),
    (HeaderName::MinExpires, "Min-Expires", ""),
    (HeaderName::MinSe, "Min-SE", ""),
    (HeaderName::PAssertedIdentity, "P-Asserted-Identity", ""),
    (HeaderName::PPreferredIdentity, "P-Preferred-Identity", ""),
    (HeaderName::Path, "Path", ""),
    (HeaderName::Privacy, "Privacy", ""),
    (HeaderName::ProxyAuthenticate, "Proxy-Authenticate", ""),
    (HeaderName::ProxyAuthorization, "Proxy-Authorization", ""),
    (HeaderName::RAck, "RAck", ""),
    (HeaderName::RecvInfo, "Recv-Info", ""),
    (HeaderName::ReferSub, "Refer-Sub", ""),
    (HeaderName::ReferTo, "Refer-To", "r"),
    (HeaderName::ReferredBy, "Referred-By", "b"),
    (HeaderName::Replaces, "Replaces", ""),
    (HeaderName::RSeq, "RSeq", ""),
    (HeaderName::SessionExpires, "Session-Expires", "x"),
    (HeaderName::SessionId, "Session-ID", ""),
    (HeaderName::SubscriptionState, "Subscription-State", ""),
    (HeaderName::TargetDialog, "Target-Dialog", ""),
    (HeaderName::Timestamp, "Timestamp", ""),
    (HeaderName::UserToUser, "User-to-User", ""),
    (HeaderName::WwwAuthenticate, "WWW-Authenticate", ""),
];

impl HeaderName {
    /// The name of that spelling, in any case, long or compact; `None` unless it is a token.
    #[must_use]
    pub fn parse(spelling: &str) -> Option<HeaderName> {
        let same = |known: &str| !known.is_empty() && known.eq_ignore_ascii_case(spelling);
        let known = KNOWN.iter().find(|(_, long, short)| same(long) || same(short));
        if let Some((name, _, _)) = known {
            return Some(name.clone());
        }
        lexis::is_token(spelling).then(|| HeaderName::Other(spelling.to_owned()))
    }

    /// The usual spelling.
    #[must_use]
    pub fn spelling(&self) -> &str {
        if let HeaderName::Other(spelling) = self {
            return spelling;
        }
        KNOWN
            .iter()
            .find(|(known, _, _)| known == self)
            .map(|(_, long, _)| *long)
            .expect("every name but Other is in the table")
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &HeaderName) -> bool {
        match (self, other) {
            (HeaderName::Other(one), HeaderName::Other(two)) => one.eq_ignore_ascii_case(two),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spelling())
    }
}

/// One header line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// Which header.
    pub name: HeaderName,
    /// The value as it came, unfolded and without blanks at the ends. Not always UTF-8.
    pub value: Vec<u8>,
}

/// The header lines of one message, in order.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Headers(Vec<Header>);

impl Headers {
    /// No headers.
    #[must_use]
    pub fn new() -> Headers {
        Headers::default()
    }

    /// Adds a line at the end.
    pub fn push(&mut self, name: HeaderName, value: impl Into<Vec<u8>>) {
        self.0.push(Header { name, value: value.into() });
    }

    /// Adds a line at the top, as is done with Via.
    pub fn push_front(&mut self, name: HeaderName, value: impl Into<Vec<u8>>) {
        self.0.insert(0, Header { name, value: value.into() });
    }

    /// Replaces the value of the first line of that name; adds one when there is none.
    pub fn set(&mut self, name: HeaderName, value: impl Into<Vec<u8>>) {
        match self.0.iter_mut().find(|header| header.name == name) {
            Some(header) => header.value = value.into(),
            None => self.push(name, value),
        }
    }

    /// The lines of those names, in their order here.
    #[must_use]
    pub fn only(&self, names: &[HeaderName]) -> Headers {
        Headers(self.0.iter().filter(|header| names.contains(&header.name)).cloned().collect())
    }

    /// All lines but those of those names, in their order here.
    #[must_use]
    pub fn without(&self, names: &[HeaderName]) -> Headers {
        Headers(self.0.iter().filter(|header| !names.contains(&header.name)).cloned().collect())
    }

    /// All lines, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Header> {
        self.0.iter()
    }

    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no lines.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values of all lines of that name, in order.
    pub fn all<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.0.iter().filter(move |header| header.name == *name).map(|header| &header.value[..])
    }

    /// The value of the first line of that name.
    #[must_use]
    pub fn first(&self, name: &HeaderName) -> Option<&[u8]> {
        self.0.iter().find(|header| header.name == *name).map(|header| &header.value[..])
    }

    /// The value of the first line of that name as text; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn text(&self, name: &HeaderName) -> Option<Cow<'_, str>> {
        self.first(name).map(text_of)
    }

    /// The comma separated values of all lines of that name (RFC 3261 §7.3.1), at most
    /// [`HEADER_VALUES_MAX`]; empty ones are left out.
    #[must_use]
    pub fn values(&self, name: &HeaderName) -> Vec<String> {
        let mut values = Vec::new();
        for line in self.all(name) {
            let text = text_of(line);
            let parts = lexis::split(&text, b',');
            let parts = parts.into_iter().map(lexis::trim).filter(|part| !part.is_empty());
            values.extend(parts.map(str::to_owned).take(HEADER_VALUES_MAX - values.len()));
        }
        values
    }
}

/// Nearly all that comes is ASCII, which is seen faster than where it would be mended.
fn text_of(value: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(value) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_any_case_and_in_compact_form() {
        assert_eq!(HeaderName::parse("CALL-id"), Some(HeaderName::CallId));
        assert_eq!(HeaderName::parse("I"), Some(HeaderName::CallId));
        assert_eq!(HeaderName::parse("x-Own"), HeaderName::parse("X-OWN"));
        assert_ne!(HeaderName::parse("x-own"), HeaderName::parse("y-own"));
        assert_eq!(HeaderName::parse("two words"), None);
        assert_eq!(HeaderName::parse(""), None);
    }

    #[test]
    fn values_are_joined_over_lines_and_commas() {
        let mut headers = Headers::new();
        headers.push(HeaderName::Require, "a, b ,,");
        headers.push(HeaderName::Require, "\"c,d\"");
        assert_eq!(headers.values(&HeaderName::Require), ["a", "b", "\"c,d\""]);
    }
}
