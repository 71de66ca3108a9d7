//! From where a leg's media may come: one small state machine.
//!
//! ```text
//!            first RTP packet that fits
//!   Open ────────────────────────────────► Latched(address)
//!     ▲                                        │
//!     └──────── another remote is agreed ──────┘
//! ```

use std::net::{IpAddr, SocketAddr};

use model::{Connection, Source};

/// Whether the source is still to be learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    /// The first packet that fits decides.
    Open,
    /// It was decided.
    Latched(SocketAddr),
}

/// The gate before one leg's port.
#[derive(Debug, Clone)]
pub(crate) struct SourceGate {
    described: SocketAddr,
    signalling: IpAddr,
    window: Window,
}

impl SourceGate {
    /// An open window for what signalling agreed.
    pub(crate) fn new(terms: &Connection) -> SourceGate {
        let Source::Signalled { signalling } = terms.source;
        SourceGate {
            described: canonical(terms.remote),
            signalling: signalling.to_canonical(),
            window: Window::Open,
        }
    }

    /// Takes what signalling agreed anew. Another remote address opens the window again.
    pub(crate) fn amend(&mut self, terms: &Connection) {
        let fresh = SourceGate::new(terms);
        let window = if fresh.described == self.described { self.window } else { Window::Open };
        *self = SourceGate { window, ..fresh };
    }

    /// Whether a packet may come from there. This decides nothing; [`SourceGate::latch`] does.
    pub(crate) fn fits(&self, remote: SocketAddr) -> bool {
        let remote = canonical(remote);
        match self.window {
            Window::Open => remote == self.described || remote.ip() == self.signalling,
            Window::Latched(address) => remote == address,
        }
    }

    /// Whether the source is still to be learnt.
    pub(crate) fn is_open(&self) -> bool {
        self.window == Window::Open
    }

    /// Closes the window behind a packet that fitted.
    pub(crate) fn latch(&mut self, remote: SocketAddr) {
        self.window = Window::Latched(canonical(remote));
    }

    /// Where packets are sent: to where they come from, or, before that is known, to what SDP
    /// said. None if SDP named no usable address.
    pub(crate) fn reply_to(&self) -> Option<SocketAddr> {
        match self.window {
            Window::Latched(address) => Some(address),
            Window::Open => {
                let usable = !self.described.ip().is_unspecified() && self.described.port() != 0;
                usable.then_some(self.described)
            }
        }
    }
}

/// An IPv4 address is the same behind a socket of either family.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Codec;

    fn terms(remote: &str, signalling: &str) -> Connection {
        Connection {
            codec: Codec::Pcmu,
            payload_type: 0,
            receive_payload_type: 0,
            telephone_event: None,
            ptime_ms: 20,
            fec: false,
            remote: remote.parse().unwrap(),
            source: Source::Signalled { signalling: signalling.parse().unwrap() },
            sends: true,
            receives: true,
        }
    }

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn the_described_address_fits_exactly_and_the_signalling_host_by_any_port() {
        let gate = SourceGate::new(&terms("192.168.1.5:4000", "203.0.113.7"));
        assert!(gate.fits(at("192.168.1.5:4000")));
        assert!(gate.fits(at("203.0.113.7:61000")));
        assert!(gate.fits(at("[::ffff:203.0.113.7]:61000")));
        assert!(!gate.fits(at("192.168.1.5:4002")));
        assert!(!gate.fits(at("198.51.100.1:4000")));
    }

    #[test]
    fn after_the_first_packet_only_its_address_fits_and_gets_the_replies() {
        let mut gate = SourceGate::new(&terms("192.168.1.5:4000", "203.0.113.7"));
        assert_eq!(gate.reply_to(), Some(at("192.168.1.5:4000")));
        gate.latch(at("203.0.113.7:61000"));
        assert!(gate.fits(at("203.0.113.7:61000")));
        assert!(!gate.fits(at("203.0.113.7:61001")));
        assert!(!gate.fits(at("192.168.1.5:4000")));
        assert_eq!(gate.reply_to(), Some(at("203.0.113.7:61000")));
    }

    #[test]
    fn only_another_remote_opens_the_window_again() {
        let first = terms("192.0.2.5:4000", "192.0.2.5");
        let mut gate = SourceGate::new(&first);
        gate.latch(at("192.0.2.5:4444"));
        gate.amend(&first);
        gate.amend(&terms("192.0.2.5:4000", "192.0.2.77"));
        assert!(!gate.is_open() && !gate.fits(at("192.0.2.77:4000")));
        gate.amend(&terms("192.0.2.5:5000", "192.0.2.5"));
        assert!(gate.is_open() && gate.fits(at("192.0.2.5:5000")));
    }

    #[test]
    fn nothing_is_sent_to_an_address_that_is_none() {
        assert_eq!(SourceGate::new(&terms("0.0.0.0:4000", "192.0.2.5")).reply_to(), None);
        assert_eq!(SourceGate::new(&terms("192.0.2.5:0", "192.0.2.5")).reply_to(), None);
    }
}
