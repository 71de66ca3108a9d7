//! Where a message came from and where one goes.

use std::fmt;
use std::net::SocketAddr;

use crate::message::SipUri;

/// How bytes travel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Transport {
    /// Datagrams; lost ones are repeated by the transactions.
    Udp,
    /// A stream; messages are cut by [`crate::framing::Splitter`].
    Tcp,
    /// A stream within TLS.
    Tls,
    /// WebSocket (RFC 7118): each message comes whole, over a connection that a client opened.
    Ws,
    /// WebSocket within TLS.
    Wss,
}

impl Transport {
    const ALL: [Transport; 5] =
        [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];

    /// The spelling of the Via header, such as `UDP`.
    #[must_use]
    pub fn via_name(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }

    /// The spelling of a URI's `transport` parameter, such as `udp`. That of WebSocket is the same
    /// with and without TLS (RFC 7118 §5.3).
    #[must_use]
    pub fn param_name(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Ws | Transport::Wss => "ws",
        }
    }

    /// Whether the transport itself repeats what was lost.
    #[must_use]
    pub fn is_reliable(self) -> bool {
        match self {
            Transport::Udp => false,
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => true,
        }
    }

    /// Whether strangers on the way can neither read nor change what goes by it.
    #[must_use]
    pub fn is_secure(self) -> bool {
        match self {
            Transport::Tls | Transport::Wss => true,
            Transport::Udp | Transport::Tcp | Transport::Ws => false,
        }
    }

    /// Whether we can reach a peer by it that has not connected to us: a WebSocket is opened by
    /// clients only (RFC 7118 §5.4).
    #[must_use]
    pub fn reaches_out(self) -> bool {
        match self {
            Transport::Udp | Transport::Tcp | Transport::Tls => true,
            Transport::Ws | Transport::Wss => false,
        }
    }

    /// The port where none is named (RFC 3261 §19.1.2, RFC 7118 §4).
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
            Transport::Ws => 80,
            Transport::Wss => 443,
        }
    }

    /// The transport of that name in any case, or `None` when it is not one of ours.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Transport> {
        Transport::ALL.into_iter().find(|kind| kind.via_name().eq_ignore_ascii_case(name))
    }

    /// The transport that a URI asks for (RFC 3263 §4.1); UDP, or TLS for `sips`, unless told
    /// otherwise. `None` when it is not one of ours, or none that `sips` can go by.
    #[must_use]
    pub fn asked_by(uri: &SipUri) -> Option<Transport> {
        let named = uri.params.value("transport").map(Transport::from_name);
        match (uri.secure, named) {
            (_, Some(None)) | (true, Some(Some(Transport::Udp))) => None,
            (false, None) => Some(Transport::Udp),
            (false, Some(Some(named))) => Some(named),
            (true, None | Some(Some(Transport::Tcp | Transport::Tls))) => Some(Transport::Tls),
            (true, Some(Some(Transport::Ws | Transport::Wss))) => Some(Transport::Wss),
        }
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
    /// The stream; `None` for UDP, and on the way out over TCP or TLS for "reuse or open one to
    /// `remote`".
    pub connection: Option<ConnectionId>,
}

impl Flow {
    /// Whether strangers on the way can neither read nor change what goes along it: by TLS, or
    /// from a listener to itself, which leaves the machine by no wire.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.transport.is_secure() || self.remote == self.local
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Uri;

    #[test]
    fn a_uri_asks_for_its_transport() {
        let asked = |text: &str| match text.parse() {
            Ok(Uri::Sip(uri)) => Transport::asked_by(&uri),
            Ok(Uri::Tel(_) | Uri::Other(_)) | Err(_) => panic!("{text}"),
        };
        for (text, transport) in [
            ("sip:a@b", Some(Transport::Udp)),
            ("sip:a@b;transport=TCP", Some(Transport::Tcp)),
            ("sip:a@b;transport=tls", Some(Transport::Tls)),
            ("sip:a@b;transport=ws", Some(Transport::Ws)),
            ("sips:a@b", Some(Transport::Tls)),
            ("sips:a@b;transport=tcp", Some(Transport::Tls)),
            ("sips:a@b;transport=ws", Some(Transport::Wss)),
            ("sips:a@b;transport=udp", None),
            ("sip:a@b;transport=sctp", None),
        ] {
            assert_eq!(asked(text), transport, "{text}");
        }
    }
}
