//! The datagrams of one turn, for the shell to send in batches.

use std::net::SocketAddr;

use wire::rtp::{self, HEADER_BYTES, Header};
use wire::srtp::Outbound;

use crate::limits::{OUTBOX_BYTES_MAX, OUTBOX_PACKETS_MAX};
use crate::stage::PortKey;

/// One datagram.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// From which port's socket it goes.
    pub port: PortKey,
    /// Where to.
    pub remote: SocketAddr,
    /// Its bytes.
    pub bytes: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    port: PortKey,
    remote: SocketAddr,
    start: u32,
    length: u32,
}

/// A list of datagrams that never grows: what does not fit is not sent.
///
/// RTP packets of one port stand together, in the order in which they are to be sent; RTCP is
/// behind all of them.
#[derive(Debug)]
pub struct Outbox {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
}

impl Outbox {
    /// An empty one with all its room.
    pub fn new() -> Outbox {
        Outbox {
            entries: Vec::with_capacity(OUTBOX_PACKETS_MAX),
            bytes: Vec::with_capacity(OUTBOX_BYTES_MAX),
        }
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
    }

    /// How many datagrams there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The datagrams, in the order in which they are to be sent.
    pub fn iter(&self) -> impl Iterator<Item = Datagram<'_>> {
        self.entries.iter().map(|entry| {
            let start = entry.start as usize;
            let bytes = &self.bytes[start..start + entry.length as usize];
            Datagram { port: entry.port, remote: entry.remote, bytes }
        })
    }

    /// Adds an RTCP compound, protected if there is a key; false if it does not fit.
    pub(crate) fn push_control(
        &mut self,
        port: PortKey,
        remote: SocketAddr,
        compound: &[u8],
        key: Option<&mut Outbound>,
    ) -> bool {
        let overhead = key.as_ref().map_or(0, |key| key.control_overhead());
        self.add(port, remote, compound.len() + overhead, |room| {
            room[..compound.len()].copy_from_slice(compound);
            key.is_none_or(|key| key.protect_control(room).is_ok())
        })
    }

    /// Adds an RTP packet, protected if there is a key; false if it does not fit.
    pub(crate) fn push(
        &mut self,
        port: PortKey,
        remote: SocketAddr,
        header: &Header,
        payload: &[u8],
        key: Option<&mut Outbound>,
    ) -> bool {
        let length = HEADER_BYTES + payload.len();
        let overhead = key.as_ref().map_or(0, |key| key.overhead());
        self.add(port, remote, length + overhead, |room| {
            rtp::write_header(room, header);
            room[HEADER_BYTES..length].copy_from_slice(payload);
            key.is_none_or(|key| key.protect(room).is_ok())
        })
    }

    /// Adds a datagram of that length if there is room for it, and if it can be written.
    fn add(
        &mut self,
        port: PortKey,
        remote: SocketAddr,
        length: usize,
        write: impl FnOnce(&mut [u8]) -> bool,
    ) -> bool {
        let start = self.bytes.len();
        if self.entries.len() == OUTBOX_PACKETS_MAX || start + length > OUTBOX_BYTES_MAX {
            return false;
        }
        self.bytes.resize(start + length, 0);
        let written = write(&mut self.bytes[start..]);
        if written {
            self.entries.push(Entry { port, remote, start: start as u32, length: length as u32 });
        } else {
            self.bytes.truncate(start);
        }
        written
    }
}

impl Default for Outbox {
    fn default() -> Outbox {
        Outbox::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header =
        Header { payload_type: 0, marker: false, sequence: 1, timestamp: 2, ssrc: 3 };

    #[test]
    fn what_does_not_fit_is_refused_and_the_rest_stays_whole() {
        let mut outbox = Outbox::new();
        let remote = "192.0.2.1:4000".parse().unwrap();
        let mut pushed = 0;
        while outbox.push(PortKey(7), remote, &HEADER, &[9; 1_200], None) {
            pushed += 1;
        }
        assert_eq!(pushed, OUTBOX_BYTES_MAX / 1_212);
        assert_eq!(outbox.len(), pushed);
        assert!(outbox.iter().all(|datagram| datagram.bytes.len() == 1_212));
        outbox.clear();
        assert!(outbox.is_empty() && outbox.push(PortKey(7), remote, &HEADER, &[9; 160], None));
    }
}
