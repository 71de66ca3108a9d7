//! Where a message came from and where one goes.

use std::fmt;
use std::net::SocketAddr;

/// How bytes travel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Transport {
    /// Datagrams; lost ones are repeated by the transactions.
    Udp,
    /// A stream; messages are cut by [`crate::framing::Splitter`].
    Tcp,
}

impl Transport {
    /// The spelling of the Via header, such as `UDP`.
    #[must_use]
    pub fn via_name(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        }
    }

    /// The spelling of a URI's `transport` parameter, such as `udp`.
    #[must_use]
    pub fn param_name(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        }
    }

    /// Whether the transport itself repeats what was lost.
    #[must_use]
    pub fn is_reliable(self) -> bool {
        match self {
            Transport::Udp => false,
            Transport::Tcp => true,
        }
    }

    /// The transport of that name in any case, or `None` when it is not one of ours.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Transport> {
        [Transport::Udp, Transport::Tcp]
            .into_iter()
            .find(|transport| transport.via_name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.via_name())
    }
}

/// One stream connection, numbered by the shell that owns it. Numbers are never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ConnectionId(pub u64);

/// Where a message came from or goes to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Flow {
    /// How the bytes travel.
    pub transport: Transport,
    /// Our side: the address of the listener.
    pub local: SocketAddr,
    /// The other side.
    pub remote: SocketAddr,
    /// The stream; `None` for UDP, and on the way out over TCP for "reuse or open one to `remote`".
    pub connection: Option<ConnectionId>,
}
