//! What the endpoint tells.

use std::time::Instant;

use crate::access::{Destination, Origin, Suspicion};
use crate::flow::Flow;
use crate::locate::Transports;
use crate::message::{Headers, NameAddr, Reason, StatusCode, Uri};
use crate::registrar::Registration;
use crate::session::{InquiryId, Meant, SessionId};
use crate::subscription::{SubscriptionEvent, SubscriptionId};
use crate::text::{Text, TextId};
use crate::trunks::Standing;

/// Something the shell or the user of the endpoint has to do or know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send bytes. For TCP with `connection: None`: along an open connection to `remote`, else
    /// along one to be opened.
    Transmit {
        /// Where to.
        flow: Flow,
        /// One whole message.
        bytes: Vec<u8>,
    },
    /// Look up a host (RFC 3263) and call [`crate::Endpoint::resolved`].
    Resolve {
        /// To be given back.
        id: ResolveId,
        /// The domain name.
        host: String,
        /// The port, if the URI has one; then there is no SRV lookup.
        port: Option<u16>,
        /// By which transports.
        transports: Transports,
    },
    /// Something happened in a session.
    Session(SessionId, SessionEvent),
    /// Where a user can be reached has changed. What is to outlive a restart is kept of it, and
    /// given back by [`crate::Endpoint::restore`].
    Registered(Registration),
    /// Somebody tried what it may not: for whoever watches, or shuts out by address.
    Security(Suspicion),
    /// What is known of a trunk, by its name, has changed.
    Trunk(String, Standing),
    /// Something happened to a subscription.
    Subscription(SubscriptionId, SubscriptionEvent),
    /// Somebody sent a text; it waits for its answer.
    Text(TextId, Box<Text>),
}

/// One lookup.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ResolveId(pub(crate) u64);

/// Something that happened in a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SessionEvent {
    /// Somebody calls; first event of a session that others open.
    Incoming(Box<Incoming>),
    /// A provisional response (101 to 199) to our INVITE.
    Ringing {
        /// Which.
        status: StatusCode,
        /// Its session description, if it has one (early media).
        sdp: Option<Vec<u8>>,
    },
    /// The session is up. Of an incoming one the ACK arrived, of an outgoing one the 2xx, which the
    /// endpoint has acknowledged.
    Established {
        /// The answer to our offer, also if it came with a provisional response of the same phone
        /// and not again. `None` for an incoming session that came with an offer, or if the other
        /// side owes it.
        sdp: Option<Vec<u8>>,
    },
    /// The other side wants the media changed: answer with `accept` or `reject`.
    Reoffer {
        /// The offer; `None` when it asks for one of ours.
        sdp: Option<Vec<u8>>,
    },
    /// The other side took its offer back before it was answered; nothing changed.
    ReofferWithdrawn,
    /// The answer to our `reinvite`, or to the offer we made when asked for one.
    Reanswered {
        /// The answer; `None` if the other side owes it.
        sdp: Option<Vec<u8>>,
    },
    /// Our `reinvite` was refused; the session goes on as it was.
    ReofferRefused {
        /// With what. 491 means that an offer of theirs came in the way.
        status: StatusCode,
    },
    /// How our REFER goes.
    Referral {
        /// What the contacted side said, or the refusal of the REFER itself.
        status: StatusCode,
        /// Nothing more will be told of it.
        over: bool,
    },
    /// Application data came; it has been answered 200.
    Info {
        /// The value of Content-Type; empty if missing.
        content_type: String,
        /// The data.
        body: Vec<u8>,
    },
    /// Our [`crate::Inquiry`] was answered for good.
    Replied {
        /// Which.
        inquiry: InquiryId,
        /// How: 408 when nothing came, 503 when nothing could be sent.
        status: StatusCode,
        /// The response's headers.
        headers: Headers,
        /// The response's body.
        body: Vec<u8>,
    },
    /// The session is over: the last event, exactly once for each session.
    Ended {
        /// Why.
        cause: EndCause,
    },
}

/// A call that came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Incoming {
    /// Who is wanted.
    pub request_uri: Uri,
    /// Who calls, by its own word.
    pub from: NameAddr,
    /// Who was dialled.
    pub to: NameAddr,
    /// Who calls, as far as it has been shown.
    pub origin: Origin,
    /// Where its route leads.
    pub destination: Destination,
    /// The Call-ID.
    pub call_id: String,
    /// The offer; `None` when the caller asks for one of ours.
    pub offer: Option<Vec<u8>>,
    /// The session that it means, if any.
    pub meant: Option<Meant>,
    /// Where the INVITE came from.
    pub flow: Flow,
    /// The caller's software, by its own word.
    pub user_agent: Option<String>,
    /// Hops left; a call that is made because of this one takes one less (RFC 7332 §3).
    pub max_forwards: u8,
    /// All that the INVITE said, by its own word: identity and privacy (RFC 3323, 3325),
    /// User-to-User, Referred-By, Replaces, Join, Diversion, History-Info and the rest. What of it
    /// may be believed depends on who sent it.
    pub headers: Headers,
}

/// Why a session ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EndCause {
    /// We ended it, or refused it.
    LocalEnd,
    /// The other side sent BYE.
    Bye {
        /// The reason it gave.
        reason: Option<Reason>,
    },
    /// The caller gave up before we answered, or its INVITE expired.
    Cancelled {
        /// The reason it gave.
        reason: Option<Reason>,
    },
    /// Our INVITE was refused.
    Rejected {
        /// With what.
        status: StatusCode,
        /// The reason phrase.
        phrase: String,
    },
    /// The other side was not heard in time: no final response, no ACK, or no response in the
    /// dialog.
    TimedOut,
    /// Nothing could be sent.
    TransportFailed,
    /// The name could not be looked up, or to no address that we could send to.
    Unresolved,
    /// The other side says that it knows nothing of the session (481).
    Unknown,
}

/// When [`crate::Endpoint::handle_timeout`] wants to be called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadline {
    /// When.
    pub at: Instant,
    /// What for.
    pub why: &'static str,
}
