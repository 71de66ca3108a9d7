//! Which UDP ports are ours to give.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;

/// The even ports of a range (RFC 3550 section 11), given in turn, so that each rests as long as
/// possible before somebody else gets it.
#[derive(Debug)]
pub(crate) struct PortRange {
    first: u16,
    count: u16,
    next: u16,
    taken: BTreeSet<u16>,
}

impl PortRange {
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if there is no even port in the range, or if it holds zero.
    pub(crate) fn new(range: RangeInclusive<u16>) -> io::Result<PortRange> {
        let first = range.start().checked_next_multiple_of(2).filter(|first| *first > 0);
        let last = range.end() & !1;
        match first {
            Some(first) if first <= last => {
                let count = (last - first) / 2 + 1;
                Ok(PortRange { first, count, next: 0, taken: BTreeSet::new() })
            }
            Some(_) | None => {
                let why = format!("there is no even port in {}-{}", range.start(), range.end());
                Err(io::Error::new(io::ErrorKind::InvalidInput, why))
            }
        }
    }

    /// Binds the next port that is free; those that somebody else holds are passed over.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] if all are taken; whatever else the machine says.
    pub(crate) fn bind(&mut self, local: IpAddr) -> io::Result<(UdpSocket, SocketAddr)> {
        for _ in 0..self.count {
            let port = self.first + 2 * self.next;
            self.next = (self.next + 1) % self.count;
            if self.taken.contains(&port) {
                continue;
            }
            let address = SocketAddr::new(local, port);
            match UdpSocket::bind(address) {
                Ok(socket) => {
                    self.taken.insert(port);
                    return Ok((socket, address));
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        let last = self.first + 2 * (self.count - 1);
        let why = format!("all RTP ports from {} to {last} are in use", self.first);
        Err(io::Error::new(io::ErrorKind::AddrInUse, why))
    }

    /// The port may be given again.
    pub(crate) fn give_back(&mut self, port: u16) {
        self.taken.remove(&port);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn only_even_ports_are_given() {
        let of = |range| PortRange::new(range).map(|range| (range.first, range.count)).ok();
        assert_eq!(of(10_001..=10_006), Some((10_002, 3)));
        assert_eq!(of(10_000..=10_001), Some((10_000, 1)));
        assert_eq!(of(65_534..=65_535), Some((65_534, 1)));
        assert_eq!(of(10_001..=10_001), None);
        assert_eq!(of(65_535..=65_535), None);
        assert_eq!(of(0..=1), None);
    }

    #[test]
    fn a_port_that_somebody_holds_is_passed_over_and_one_given_back_is_given_again() {
        let foreign = UdpSocket::bind((LOCAL, 0)).unwrap();
        let port = foreign.local_addr().unwrap().port() & !1;
        let mut range = PortRange::new(port..=port.saturating_add(5)).unwrap();
        let mut bound = Vec::new();
        let error = loop {
            match range.bind(LOCAL) {
                Ok(given) => bound.push(given),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(bound.iter().all(|(_, address)| address.port() % 2 == 0));
        if let Some((socket, address)) = bound.pop() {
            drop(socket);
            assert!(range.bind(LOCAL).is_err(), "it was not given back");
            range.give_back(address.port());
            assert_eq!(range.bind(LOCAL).unwrap().1, address);
        }
    }
}
