//! From where a leg's media may come: one small state machine.
//!
//! ```text
//!            first RTP packet that fits
//!   Open ────────────────────────────────► Latched(address)
//!     ▲                                    │  ▲   │ the same stream goes on from another
//!     │                                    │  └───┘ port of the same host, after a pause
//!     └──────── another remote is agreed ──┘
//! ```
//!
//! When another remote is agreed, packets from the old one are still on their way, and often from
//! the host that signalling comes from. They are heard, and decide nothing.
//!
//! The arrow back into `Latched` is for a NAT that gives a call another port in its middle. Who
//! wants to take it must know the stream's SSRC and where its sequence stands, be on the same host,
//! and find the old port silent; until it has shown that, its packets are a stranger's.

use std::net::{IpAddr, SocketAddr};

use model::{Connection, Rtcp, Source};
use wire::limits::SEQUENCE_DROPOUT_MAX;
use wire::rtp::Rtp;

/// How long the old port must have been silent before another is followed \[µs\]: longer than two
/// packets of 60 ms, so that what two ports send at once is never followed back and forth.
const QUIET_US: u64 = 150_000;

/// How long after its last packet an old port that is left by agreement decides nothing \[µs\]: our
/// answer, which tells the far end to leave it, may be lost twice (RFC 3261 section 13.3.1.4).
const LEAVING_US: u64 = 2_000_000;

/// Packets in a row from another port until it is followed: chance does not make three.
const MOVED_PACKETS: u8 = 3;

/// Whether the source is still to be learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    /// The first packet that fits decides.
    Open,
    /// It was decided.
    Latched(SocketAddr),
}

/// The packet that was let through last.
#[derive(Debug, Clone, Copy)]
struct Passed {
    ssrc: u32,
    sequence: u16,
    arrival_us: u64,
}

/// Another port of the same host, from which the stream seems to go on.
#[derive(Debug, Clone, Copy)]
struct Moving {
    address: SocketAddr,
    sequence: u16,
    packets: u8,
}

/// The address that a stream came from before another was agreed.
#[derive(Debug, Clone, Copy)]
struct Leaving {
    address: SocketAddr,
    until_us: u64,
}

/// The gate before one leg's port.
#[derive(Debug, Clone)]
pub(crate) struct SourceGate {
    described: SocketAddr,
    signalling: IpAddr,
    window: Window,
    passed: Option<Passed>,
    moving: Option<Moving>,
    leaving: Option<Leaving>,
}

impl SourceGate {
    /// An open window for what signalling agreed.
    pub(crate) fn new(terms: &Connection) -> SourceGate {
        let Source::Signalled { signalling } = terms.source;
        SourceGate {
            described: canonical(terms.remote),
            signalling: signalling.to_canonical(),
            window: Window::Open,
            passed: None,
            moving: None,
            leaving: None,
        }
    }

    /// Takes what signalling agreed anew. Another remote address opens the window again.
    pub(crate) fn amend(&mut self, terms: &Connection) {
        let fresh = SourceGate::new(terms);
        *self = if fresh.described == self.described {
            SourceGate { signalling: fresh.signalling, ..self.clone() }
        } else {
            SourceGate { leaving: self.leaves(fresh.described), ..fresh }
        };
    }

    /// What is left for that remote.
    fn leaves(&self, described: SocketAddr) -> Option<Leaving> {
        let leaving = match (self.window, self.passed) {
            (Window::Latched(address), Some(passed)) => {
                Some(Leaving { address, until_us: passed.arrival_us + LEAVING_US })
            }
            (Window::Open, _) | (Window::Latched(_), None) => self.leaving,
        };
        leaving.filter(|leaving| leaving.address != described)
    }

    /// Notes a packet that was let through.
    pub(crate) fn pass(&mut self, rtp: &Rtp<'_>, arrival_us: u64) {
        let Rtp { ssrc, sequence, .. } = *rtp;
        self.passed = Some(Passed { ssrc, sequence, arrival_us });
        self.moving = None;
    }

    /// When a packet was let through last \[µs\]; 0 if none was.
    pub(crate) fn last_us(&self) -> u64 {
        self.passed.map_or(0, |passed| passed.arrival_us)
    }

    /// Follows the stream to another port of its host: true for the packet that convinces.
    pub(crate) fn follow(&mut self, remote: SocketAddr, rtp: &Rtp<'_>, arrival_us: u64) -> bool {
        let address = canonical(remote);
        let (Window::Latched(old), Some(passed)) = (self.window, self.passed) else {
            return false;
        };
        let goes_on = |from: u16| {
            let ahead = rtp.sequence.wrapping_sub(from);
            ahead > 0 && ahead < SEQUENCE_DROPOUT_MAX
        };
        let quiet = arrival_us.saturating_sub(passed.arrival_us) >= QUIET_US;
        let is_it = rtp.ssrc == passed.ssrc && goes_on(passed.sequence);
        if address.ip() != old.ip() || !quiet || !is_it {
            return false;
        }
        let moving = self.moving.filter(|moving| moving.address == address);
        let packets = match moving {
            Some(moving) if !goes_on(moving.sequence) => return false,
            Some(moving) => moving.packets + 1,
            None => 1,
        };
        self.moving = Some(Moving { address, sequence: rtp.sequence, packets });
        let convinced = packets >= MOVED_PACKETS;
        if convinced {
            self.window = Window::Latched(address);
        }
        convinced
    }

    /// Whether a packet may come from there. This decides nothing; [`SourceGate::latch`] does.
    pub(crate) fn fits(&self, remote: SocketAddr) -> bool {
        let remote = canonical(remote);
        match self.window {
            Window::Open => remote == self.described || remote.ip() == self.signalling,
            Window::Latched(address) => remote == address,
        }
    }

    /// Whether a packet that shows its key may come from there: also from another port of the
    /// host, to which a NAT may have moved the stream.
    pub(crate) fn may_show(&self, remote: SocketAddr) -> bool {
        match self.window {
            Window::Open => self.fits(remote),
            Window::Latched(address) => canonical(remote).ip() == address.ip(),
        }
    }

    /// Whether the source is still to be learnt.
    pub(crate) fn is_open(&self) -> bool {
        self.window == Window::Open
    }

    /// Whether RTCP may come from there. It never decides where a stream comes from.
    pub(crate) fn fits_control(&self, remote: SocketAddr, rtcp: Rtcp) -> bool {
        let remote = canonical(remote);
        let described = match rtcp {
            Rtcp::Shared => self.described,
            Rtcp::Apart(address) => canonical(address),
            Rtcp::Nowhere => return false,
        };
        match (self.window, rtcp) {
            (Window::Open, _) => remote == described,
            (Window::Latched(address), Rtcp::Shared) => remote == address,
            // It has a port of its own, which a NAT may have changed.
            (Window::Latched(address), Rtcp::Apart(_) | Rtcp::Nowhere) => {
                remote == described || remote.ip() == address.ip()
            }
        }
    }

    /// Closes the window behind a packet that fitted, unless it comes from where is left.
    pub(crate) fn latch(&mut self, remote: SocketAddr, arrival_us: u64) {
        let address = canonical(remote);
        let is_left = |it: Leaving| it.address == address && arrival_us < it.until_us;
        if !self.leaving.is_some_and(is_left) {
            self.window = Window::Latched(address);
        }
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
            alternatives: Vec::new(),
            ptime_ms: 20,
            fec: false,
            opus: Default::default(),
            remote: remote.parse().unwrap(),
            rtcp: model::Rtcp::Nowhere,
            voip_metrics: false,
            srtp: None,
            source: Source::Signalled { signalling: signalling.parse().unwrap() },
            sends: true,
            receives: true,
            rtp_timeout_ms: None,
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
        gate.latch(at("203.0.113.7:61000"), 0);
        assert!(gate.fits(at("203.0.113.7:61000")));
        assert!(!gate.fits(at("203.0.113.7:61001")));
        assert!(!gate.fits(at("192.168.1.5:4000")));
        assert_eq!(gate.reply_to(), Some(at("203.0.113.7:61000")));
    }

    #[test]
    fn only_another_remote_opens_the_window_again() {
        let first = terms("192.0.2.5:4000", "192.0.2.5");
        let mut gate = SourceGate::new(&first);
        gate.latch(at("192.0.2.5:4444"), 0);
        gate.amend(&first);
        gate.amend(&terms("192.0.2.5:4000", "192.0.2.77"));
        assert!(!gate.is_open() && !gate.fits(at("192.0.2.77:4000")));
        gate.amend(&terms("192.0.2.5:5000", "192.0.2.5"));
        assert!(gate.is_open() && gate.fits(at("192.0.2.5:5000")));
    }

    #[test]
    fn what_comes_from_where_is_left_fits_and_decides_nothing_for_a_while() {
        let (old, new) = (at("192.0.2.5:4000"), at("192.0.2.5:5000"));
        let renewed = || {
            let mut gate = latched();
            gate.amend(&terms("192.0.2.5:5000", "192.0.2.5"));
            gate
        };
        let mut gate = renewed();
        assert!(gate.fits(old));
        gate.latch(old, 2_999_999);
        assert_eq!((gate.is_open(), gate.reply_to()), (true, Some(new)));
        gate.latch(new, 2_999_999);
        assert!(!gate.fits(old) && gate.fits(new));
        // Somebody who says another port and goes on by the same.
        let mut gate = renewed();
        gate.latch(old, 3_000_000);
        assert_eq!(gate.reply_to(), Some(old));
        // And somebody who comes back to it at once.
        let mut gate = renewed();
        gate.amend(&terms("192.0.2.5:4000", "192.0.2.5"));
        gate.latch(old, 1_100_000);
        assert!(!gate.is_open());
    }

    fn packet(ssrc: u32, sequence: u16) -> Rtp<'static> {
        Rtp { payload_type: 0, marker: false, sequence, timestamp: 0, ssrc, payload: &[] }
    }

    /// A gate through which packet 100 of stream 7 came at 1 s from port 4000.
    fn latched() -> SourceGate {
        let mut gate = SourceGate::new(&terms("192.0.2.5:4000", "192.0.2.5"));
        gate.latch(at("192.0.2.5:4000"), 0);
        gate.pass(&packet(7, 100), 1_000_000);
        gate
    }

    /// Whether a gate follows packets 20 ms apart, and at which.
    fn followed(from: &str, packets: &[Rtp<'_>], first_us: u64) -> Option<usize> {
        let mut gate = latched();
        let at_us = |number: usize| first_us + number as u64 * 20_000;
        let follows = |(number, rtp)| gate.follow(at(from), rtp, at_us(number));
        packets.iter().enumerate().position(follows)
    }

    #[test]
    fn a_stream_that_goes_on_from_another_port_is_followed_at_its_third_packet() {
        let packets: Vec<_> = (110..120).map(|sequence| packet(7, sequence)).collect();
        assert_eq!(followed("192.0.2.5:61000", &packets, 1_200_000), Some(2));
        let mut gate = latched();
        for (number, rtp) in packets.iter().enumerate().take(3) {
            gate.follow(at("192.0.2.5:61000"), rtp, 1_200_000 + number as u64 * 20_000);
        }
        assert_eq!(gate.reply_to(), Some(at("192.0.2.5:61000")));
        assert!(!gate.fits(at("192.0.2.5:4000")));
    }

    #[test]
    fn no_other_stream_place_host_or_time_is_followed() {
        let stream = |ssrc, first: u16| -> Vec<_> {
            (first..first + 8).map(|sequence| packet(ssrc, sequence)).collect()
        };
        let port = "192.0.2.5:61000";
        assert_eq!(followed(port, &stream(8, 110), 1_200_000), None, "another stream");
        assert_eq!(followed(port, &stream(7, 80), 1_200_000), None, "from before");
        assert_eq!(followed(port, &stream(7, 9_000), 1_200_000), None, "from nowhere");
        assert_eq!(followed("192.0.2.6:4000", &stream(7, 110), 1_200_000), None, "another host");
        let again = [packet(7, 110); 8];
        assert_eq!(followed(port, &again, 1_200_000), None, "the same packet again and again");
        assert_eq!(
            followed(port, &stream(7, 110)[..7], 1_000_000),
            None,
            "the old port is not silent"
        );
    }

    #[test]
    fn who_is_followed_half_way_begins_again_when_the_old_port_speaks() {
        let mut gate = latched();
        assert!(!gate.follow(at("192.0.2.5:61000"), &packet(7, 110), 1_200_000));
        assert!(!gate.follow(at("192.0.2.5:61000"), &packet(7, 111), 1_220_000));
        gate.pass(&packet(7, 101), 1_230_000);
        assert!(!gate.follow(at("192.0.2.5:61000"), &packet(7, 112), 1_240_000));
        assert!(!gate.follow(at("192.0.2.5:61000"), &packet(7, 113), 1_400_000));
    }

    #[test]
    fn rtcp_comes_from_the_stream_s_port_or_from_a_port_of_its_own() {
        let apart = Rtcp::Apart(at("192.0.2.5:4001"));
        let open = SourceGate::new(&terms("192.0.2.5:4000", "203.0.113.7"));
        assert!(open.fits_control(at("192.0.2.5:4000"), Rtcp::Shared));
        assert!(open.fits_control(at("192.0.2.5:4001"), apart));
        assert!(!open.fits_control(at("203.0.113.7:4001"), apart));
        let mut gate = open;
        gate.latch(at("203.0.113.7:61000"), 0);
        assert!(gate.fits_control(at("203.0.113.7:61000"), Rtcp::Shared));
        assert!(!gate.fits_control(at("203.0.113.7:61001"), Rtcp::Shared));
        assert!(gate.fits_control(at("203.0.113.7:61001"), apart));
        assert!(!gate.fits_control(at("198.51.100.1:61001"), apart));
        assert!(!gate.fits_control(at("203.0.113.7:61000"), Rtcp::Nowhere));
    }

    #[test]
    fn nothing_is_sent_to_an_address_that_is_none() {
        assert_eq!(SourceGate::new(&terms("0.0.0.0:4000", "192.0.2.5")).reply_to(), None);
        assert_eq!(SourceGate::new(&terms("192.0.2.5:0", "192.0.2.5")).reply_to(), None);
    }
}
