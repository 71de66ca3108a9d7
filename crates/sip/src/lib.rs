//! The SIP endpoint as a machine (RFC 3261): messages, transactions, dialogs and sessions.
//!
//! [`Endpoint`] takes bytes and times and gives [`Output`]s; sockets, clock and name lookups belong
//! to the shell around it. What the endpoint settles by itself — OPTIONS, refusals, copies, ACK,
//! CANCEL against an answer — is never told; what somebody has to decide is a [`SessionEvent`].
//!
//! ```text
//!  bytes ─► message ─► arrival ─► inspect ─► session/<verb>
//!                         │ copies             │ verbs of the user come in here
//!                         ▼                    ▼
//!                    transaction ◄──────── requests, responses ─► Output
//! ```

pub mod access;
pub mod digest;
pub mod framing;
pub mod limits;
pub mod message;

mod agenda;
mod arrival;
mod config;
mod dialog;
mod endpoint;
mod event;
mod feedback;
mod flow;
mod inspect;
mod locate;
mod outbox;
mod overload;
mod registrar;
mod reply;
mod session;
mod stats;
mod subscription;
mod text;
mod token;
mod transaction;
mod trunks;

pub use agenda::Agenda;
pub use config::Config;
pub use endpoint::Endpoint;
pub use event::{Deadline, EndCause, Incoming, Output, ResolveId, SessionEvent};
pub use flow::{ConnectionId, Flow, Transport};
pub use locate::{Server, Transports};
pub use registrar::{Binding, Registration};
pub use session::{Inquiry, InquiryId, Invite, Meant, SessionError, SessionId, Stalled};
pub use stats::{Alive, LimitCounts, MethodCounts, ReasonCounts, Stats, StatusCounts};
pub use subscription::{
    Notification, Package, Referred, Subscribed, SubscriptionError, SubscriptionEvent,
    SubscriptionId,
};
pub use text::{Text, TextId};
pub use trunks::{Leave, Reach, Registered, Standing};
