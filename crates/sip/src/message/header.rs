//! Header names and the list of header lines of one message.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

use super::lexis;
use crate::limits::HEADER_VALUES_MAX;

/// Declares the names that are known: what each is for, its usual spelling, and how it is written
/// in lower case, long and compact.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $spelling:literal, $lower:pat,)*) => {
        /// A header's name, without regard to case or compact form (RFC 3261 §7.3).
        #[derive(Clone, Eq, Debug)]
        pub enum HeaderName {
            $($(#[$doc])* $name,)*
            /// Any other, as it was spelled.
            Other(String),
        }

        impl HeaderName {
            /// The name that is written so in lower case.
            fn known(lower: &[u8]) -> Option<HeaderName> {
                match lower {
                    $($lower => Some(HeaderName::$name),)*
                    _ => None,
                }
            }

            /// The usual spelling.
            #[must_use]
            pub fn spelling(&self) -> &str {
                match self {
                    $(HeaderName::$name => $spelling,)*
                    HeaderName::Other(spelling) => spelling,
                }
            }
        }

        /// The usual spellings.
        #[cfg(test)]
        const SPELLINGS: &[&str] = &[$($spelling),*];
    };
}

names! {
    /// Media types that an answer may have.
    Accept = "Accept", b"accept",
    /// Content encodings that are understood.
    AcceptEncoding = "Accept-Encoding", b"accept-encoding",
    /// Methods that are understood.
    Allow = "Allow", b"allow",
    /// Event packages that are understood.
    AllowEvents = "Allow-Events", b"allow-events" | b"u",
    /// What a server says of itself after an accepted credential (RFC 7615).
    AuthenticationInfo = "Authentication-Info", b"authentication-info",
    /// Credentials for the far end (RFC 7616).
    Authorization = "Authorization", b"authorization",
    /// Names the call; with both tags, the dialog.
    CallId = "Call-ID", b"call-id" | b"i",
    /// Where requests inside the dialog go.
    Contact = "Contact", b"contact" | b"m",
    /// What a body is for.
    ContentDisposition = "Content-Disposition", b"content-disposition",
    /// How a body is packed.
    ContentEncoding = "Content-Encoding", b"content-encoding" | b"e",
    /// Bytes of the body.
    ContentLength = "Content-Length", b"content-length" | b"l",
    /// Media type of the body.
    ContentType = "Content-Type", b"content-type" | b"c",
    /// Order of requests in a dialog.
    CSeq = "CSeq", b"cseq",
    /// From where a call was diverted (RFC 5806).
    Diversion = "Diversion", b"diversion",
    /// The event package of a subscription.
    Event = "Event", b"event" | b"o",
    /// How long an INVITE may wait.
    Expires = "Expires", b"expires",
    /// Who asks.
    From = "From", b"from" | b"f",
    /// The targets that a call had (RFC 7044).
    HistoryInfo = "History-Info", b"history-info",
    /// The package that an INFO belongs to (RFC 6086).
    InfoPackage = "Info-Package", b"info-package",
    /// The dialog that a call wants to be joined with (RFC 3911).
    Join = "Join", b"join",
    /// Hops left.
    MaxForwards = "Max-Forwards", b"max-forwards",
    /// The shortest expiry that is accepted.
    MinExpires = "Min-Expires", b"min-expires",
    /// The shortest session interval that is accepted (RFC 4028).
    MinSe = "Min-SE", b"min-se",
    /// Who calls, by the word of a trusted network (RFC 3325).
    PAssertedIdentity = "P-Asserted-Identity", b"p-asserted-identity",
    /// The way to a registered phone (RFC 3327).
    Path = "Path", b"path",
    /// Who wants to be called what (RFC 3325).
    PPreferredIdentity = "P-Preferred-Identity", b"p-preferred-identity",
    /// What must not be told of the caller (RFC 3323).
    Privacy = "Privacy", b"privacy",
    /// A challenge by a proxy.
    ProxyAuthenticate = "Proxy-Authenticate", b"proxy-authenticate",
    /// Credentials for a proxy.
    ProxyAuthorization = "Proxy-Authorization", b"proxy-authorization",
    /// Which reliable provisional response is acknowledged (RFC 3262).
    RAck = "RAck", b"rack",
    /// Why (RFC 3326).
    Reason = "Reason", b"reason",
    /// Which packages of INFO are taken (RFC 6086).
    RecvInfo = "Recv-Info", b"recv-info",
    /// The way that requests inside the dialog take, as recorded by proxies.
    RecordRoute = "Record-Route", b"record-route",
    /// On whose behalf (RFC 3892).
    ReferredBy = "Referred-By", b"referred-by" | b"b",
    /// Whether a REFER subscribes (RFC 4488).
    ReferSub = "Refer-Sub", b"refer-sub",
    /// Whom to contact (RFC 3515).
    ReferTo = "Refer-To", b"refer-to" | b"r",
    /// The dialog that a call takes the place of (RFC 3891).
    Replaces = "Replaces", b"replaces",
    /// Options that must be understood.
    Require = "Require", b"require",
    /// When to try again.
    RetryAfter = "Retry-After", b"retry-after",
    /// The way a request takes.
    Route = "Route", b"route",
    /// The number of a reliable provisional response (RFC 3262).
    RSeq = "RSeq", b"rseq",
    /// The answering software.
    Server = "Server", b"server",
    /// The session interval and who refreshes (RFC 4028).
    SessionExpires = "Session-Expires", b"session-expires" | b"x",
    /// Names the session across back-to-back user agents (RFC 7989).
    SessionId = "Session-ID", b"session-id",
    /// How a subscription stands (RFC 6665).
    SubscriptionState = "Subscription-State", b"subscription-state",
    /// Options that are understood.
    Supported = "Supported", b"supported" | b"k",
    /// A dialog that a request is related to (RFC 4538).
    TargetDialog = "Target-Dialog", b"target-dialog",
    /// When the request was sent, by its sender's clock (RFC 3261 §20.38).
    Timestamp = "Timestamp", b"timestamp",
    /// Who is asked.
    To = "To", b"to" | b"t",
    /// Options that were required and are not understood.
    Unsupported = "Unsupported", b"unsupported",
    /// The asking software.
    UserAgent = "User-Agent", b"user-agent",
    /// Data from one user for the other (RFC 7433).
    UserToUser = "User-to-User", b"user-to-user",
    /// The way back.
    Via = "Via", b"via" | b"v",
    /// A challenge by the far end.
    WwwAuthenticate = "WWW-Authenticate", b"www-authenticate",
}

/// Bytes of the longest name that is known.
const NAME_BYTES_MAX: usize = 20;

impl HeaderName {
    /// The name of that spelling, in any case, long or compact; `None` unless it is a token.
    #[must_use]
    pub fn parse(spelling: &str) -> Option<HeaderName> {
        let mut lower = [0; NAME_BYTES_MAX];
        let known = lower.get_mut(..spelling.len()).and_then(|lower| {
            lower.copy_from_slice(spelling.as_bytes());
            lower.make_ascii_lowercase();
            HeaderName::known(lower)
        });
        let other = || HeaderName::Other(spelling.to_owned());
        known.or_else(|| lexis::is_token(spelling).then(other))
    }
}

impl PartialEq for HeaderName {
    #[inline]
    fn eq(&self, other: &HeaderName) -> bool {
        if std::mem::discriminant(self) != std::mem::discriminant(other) {
            return false;
        }
        match (self, other) {
            (HeaderName::Other(one), HeaderName::Other(two)) => one.eq_ignore_ascii_case(two),
            _ => true,
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
    pub value: HeaderValue,
}

/// The bytes of a header's value. A copy costs nothing: what comes is passed on and echoed several
/// times, mostly as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeaderValue(Bytes);

impl HeaderValue {
    /// A value that is the same in each message.
    pub(crate) const fn fixed(text: &'static str) -> HeaderValue {
        HeaderValue(Bytes::from_static(text.as_bytes()))
    }

    /// A part of that message.
    pub(super) fn part(whole: &Bytes, part: &[u8]) -> HeaderValue {
        HeaderValue(whole.slice_ref(part))
    }
}

impl Deref for HeaderValue {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for HeaderValue {
    fn from(bytes: Vec<u8>) -> HeaderValue {
        HeaderValue(bytes.into())
    }
}

impl From<String> for HeaderValue {
    fn from(text: String) -> HeaderValue {
        HeaderValue(text.into())
    }
}

impl From<&[u8]> for HeaderValue {
    fn from(bytes: &[u8]) -> HeaderValue {
        HeaderValue(Bytes::copy_from_slice(bytes))
    }
}

impl From<&str> for HeaderValue {
    fn from(text: &str) -> HeaderValue {
        HeaderValue::from(text.as_bytes())
    }
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
    pub fn push(&mut self, name: HeaderName, value: impl Into<HeaderValue>) {
        self.0.push(Header { name, value: value.into() });
    }

    /// Adds a line at the top, as is done with Via.
    pub fn push_front(&mut self, name: HeaderName, value: impl Into<HeaderValue>) {
        self.0.insert(0, Header { name, value: value.into() });
    }

    /// Replaces the value of the first line of that name; adds one when there is none.
    pub fn set(&mut self, name: HeaderName, value: impl Into<HeaderValue>) {
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
    pub fn values(&self, name: &HeaderName) -> Vec<Cow<'_, str>> {
        let mut values = Vec::new();
        for line in self.0.iter().filter(|header| header.name == *name) {
            let room = HEADER_VALUES_MAX - values.len();
            let not_empty = |part: &&str| !part.is_empty();
            match text_of(&line.value) {
                Cow::Borrowed(text) => {
                    let parts = lexis::split(text, b',').map(lexis::trim).filter(not_empty);
                    values.extend(parts.map(Cow::Borrowed).take(room));
                }
                Cow::Owned(text) => {
                    let parts = lexis::split(&text, b',').map(lexis::trim).filter(not_empty);
                    values.extend(parts.map(|part| Cow::Owned(part.to_owned())).take(room));
                }
            }
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
    fn each_name_is_known_by_its_usual_spelling_which_no_other_has() {
        for (number, spelling) in SPELLINGS.iter().enumerate() {
            assert!(spelling.len() <= NAME_BYTES_MAX, "{spelling}");
            let name = HeaderName::parse(spelling).unwrap();
            assert!(!matches!(name, HeaderName::Other(_)), "{spelling}");
            assert_eq!(name.spelling(), *spelling);
            assert!(!SPELLINGS[..number].contains(spelling), "{spelling}");
        }
    }

    #[test]
    fn values_are_joined_over_lines_and_commas() {
        let mut headers = Headers::new();
        headers.push(HeaderName::Require, "a, b ,,");
        headers.push(HeaderName::Require, "\"c,d\"");
        assert_eq!(headers.values(&HeaderName::Require), ["a", "b", "\"c,d\""]);
    }
}
