//! SIP messages: one file per noun of the RFC, each with its reading and its writing.

mod address;
mod cseq;
mod dialog_name;
mod event_type;
mod extra;
mod header;
pub(crate) mod lexis;
mod media_type;
mod method;
mod multipart;
mod param;
mod parse;
mod reason;
mod refer_to;
mod session_expires;
mod status;
mod uri;
mod via;
mod write;

pub use address::{AddressError, NameAddr};
pub use cseq::{CSeq, CSeqError};
pub use dialog_name::{DialogName, DialogNameError};
pub use event_type::{EventType, EventTypeError};
pub use extra::{ExtraError, ExtraHeaders};
pub use header::{Header, HeaderName, HeaderValue, Headers};
pub use media_type::{MediaType, MediaTypeError};
pub use method::Method;
pub use multipart::{demands_more, handling, has_more_parts, part};
pub use param::Params;
pub use parse::{Malformed, parse};
pub use reason::{Reason, ReasonError};
pub use refer_to::{ReferTo, ReferToError};
pub use session_expires::{Refresher, SessionExpires, SessionExpiresError};
pub use status::StatusCode;
pub use uri::{Host, SipUri, TelUri, Uri, UriError};
pub use via::{Via, ViaError};

/// One message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// Asks something.
    Request(Request),
    /// Answers a request.
    Response(Response),
}

/// A request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// The Request-URI as written; its scheme may be a foreign one.
    pub target: String,
    /// The header lines.
    pub headers: Headers,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

/// A response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// How it went.
    pub status: StatusCode,
    /// The reason phrase, for people; may be empty.
    pub reason: String,
    /// The header lines.
    pub headers: Headers,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

impl Response {
    /// Whom it is from, by its To; with whose tag.
    pub(crate) fn to(&self) -> Option<NameAddr> {
        self.headers.text(&HeaderName::To)?.parse().ok()
    }
}
