//! One place where a user can be reached.

use std::time::Instant;

use crate::flow::Flow;
use crate::message::{NameAddr, Uri};

/// One place where a user can be reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// What the phone calls itself.
    pub contact: Uri,
    /// Until when.
    pub expires_at: Instant,
    /// How much it is preferred, 0 to 1000 \[1/1000\].
    pub q_thousandths: u16,
    /// The proxies on the way to it, the nearest to us first (RFC 3327).
    pub path: Vec<NameAddr>,
    /// Where the REGISTER came from: the way to it, which a NAT keeps open for nobody else.
    pub flow: Flow,
    /// The Call-ID of the REGISTER …
    pub call_id: String,
    /// … and its number: an older one changes nothing.
    pub cseq: u32,
    /// What the phone calls itself for life, wherever it is (RFC 5626 §4.1).
    pub instance: Option<String>,
    /// Which of its ways to us this is, if it keeps several: `reg-id` (RFC 5626 §4.2).
    pub way: Option<String>,
    /// The phone's software, by its own word.
    pub user_agent: Option<String>,
}

/// All places where a user can be reached; none if it has left.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registration {
    /// The user.
    pub user: String,
    /// Where, the preferred first.
    pub bindings: Vec<Binding>,
}
