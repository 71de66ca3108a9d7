//! Where users can be reached.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Where a user can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Registration {
    /// The user.
    pub user: String,
    /// Its phones, the preferred first; none if it has left.
    pub contacts: Vec<Contact>,
}

/// One phone of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Contact {
    /// What it calls itself, a SIP URI.
    pub uri: String,
    /// Until when \[ms since the Unix epoch\].
    pub expires_ms: u64,
    /// How much it is preferred, 0 to 1000 \[1/1000\].
    pub q_thousandths: u16,
    /// The proxies on the way to it (RFC 3327), the nearest first.
    pub path: Vec<String>,
    /// `UDP`, `TCP` and so on.
    pub transport: String,
    /// Our end of the way to it.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub local: SocketAddr,
    /// Its end, as we see it.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub remote: SocketAddr,
    /// The Call-ID that it registers with …
    pub call_id: String,
    /// … and the number of its last REGISTER.
    pub cseq: u32,
    /// Its software, by its own word.
    pub user_agent: Option<String>,
}
