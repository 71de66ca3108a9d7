//! The floor: what the system calls alone cost.
//!
//! It moves packets by the same I/O as a media thread and does nothing else, so that what a media
//! thread costs above it is the server's own work. For `bench/load`.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use media::limits::TICK_MS;
use media::{Datagram, PortKey};

use crate::clock::{Clock, ask_realtime, raise_descriptors};
use crate::limits::OTHER_DESCRIPTORS;
use crate::socket::{Io, Socket, Sockets, Told};

/// Bytes of a packet with 20 ms of G.711.
pub const PACKET_BYTES: usize = 172;

/// Legs that send and are sent to, and no more.
pub struct Floor {
    sockets: Sockets,
    legs: Vec<Leg>,
}

struct Leg {
    port: PortKey,
    remote: Option<SocketAddr>,
    packet: [u8; PACKET_BYTES],
}

impl Floor {
    /// Binds a socket for each leg, and returns their addresses in order.
    ///
    /// # Errors
    /// What the machine says, also that it has no such I/O.
    pub fn bind(local: IpAddr, legs: usize, io: Io) -> io::Result<(Floor, Vec<SocketAddr>)> {
        raise_descriptors(legs as u64 + OTHER_DESCRIPTORS);
        let mut floor = Floor { sockets: Sockets::new(io)?, legs: Vec::with_capacity(legs) };
        let mut addresses = Vec::with_capacity(legs);
        for index in 0..legs {
            let many = || io::Error::new(io::ErrorKind::InvalidInput, "more legs than ports");
            let port = PortKey::from_index(index).ok_or_else(many)?;
            let udp = UdpSocket::bind((local, 0))?;
            addresses.push(udp.local_addr()?);
            floor.sockets.insert(port, Socket::new(udp)?);
            floor.legs.push(Leg { port, remote: None, packet: [0; PACKET_BYTES] });
        }
        Ok((floor, addresses))
    }

    /// How its datagrams go in and out of the kernel.
    pub fn io(&self) -> &'static str {
        self.sockets.name()
    }

    /// For ever: each 20 ms takes all that came, and sends one packet to each leg that was heard
    /// of. `write` makes the packet of a tick for a leg.
    pub fn run(mut self, mut write: impl FnMut(u64, usize, &mut [u8; PACKET_BYTES])) {
        ask_realtime();
        let clock = Clock::start();
        for tick in 1_u64.. {
            clock.sleep_until_us(tick * TICK_MS * 1_000);
            let Floor { sockets, legs } = &mut self;
            sockets.receive(|told| {
                if let Told::Came(arrived) = told {
                    legs[arrived.port.index()].remote = Some(arrived.remote);
                }
            });
            for (index, leg) in legs.iter_mut().enumerate().filter(|(_, leg)| leg.remote.is_some())
            {
                write(tick, index, &mut leg.packet);
            }
            sockets.send(legs.iter().filter_map(|Leg { port, remote, packet }| {
                remote.map(|remote| Datagram { port: *port, remote, bytes: packet })
            }));
        }
    }
}
