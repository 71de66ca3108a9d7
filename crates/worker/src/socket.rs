//! A leg's socket, and the seam behind which datagrams go in and out of the kernel.
#![expect(unsafe_code, reason = "socket options are system calls")]

use std::io;
use std::mem::size_of;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};

use media::{Datagram, PortKey};

use crate::epoll::Epoll;
use crate::limits::{RECEIVE_BUFFER_BYTES, TRAFFIC_CLASS};
use crate::ring::Ring;

/// What I/O by io_uring is called in logs and metrics.
pub(crate) const IO_URING: &str = "io_uring";

/// How datagrams go in and out of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Io {
    /// By io_uring where the kernel and the container allow it, else by epoll.
    #[default]
    Auto,
    /// By io_uring: all that came and all that goes in a few system calls. Where it is forbidden,
    /// by epoll.
    IoUring,
    /// By epoll, recvmmsg and sendmmsg: one system call for each socket.
    Epoll,
}

/// A leg's socket.
#[derive(Debug)]
pub(crate) struct Socket {
    udp: UdpSocket,
    pub(crate) ipv6: bool,
    /// Its UDP port here, which no other leg has.
    pub(crate) port: u16,
    /// It was taken out of one media thread for another.
    pub(crate) travels: bool,
}

impl Socket {
    /// Makes a bound socket ready for a media thread.
    ///
    /// # Errors
    /// If it cannot be made non-blocking. What only makes it better is asked for and not insisted
    /// on.
    pub(crate) fn new(udp: UdpSocket) -> io::Result<Socket> {
        udp.set_nonblocking(true)?;
        let local = udp.local_addr()?;
        let ipv6 = local.is_ipv6();
        let socket = Socket { udp, ipv6, port: local.port(), travels: false };
        let buffer = RECEIVE_BUFFER_BYTES as libc::c_int;
        // Audio is never cut into fragments: then the kernel need not number them, and nobody can
        // slip in one of its own.
        let (level, class, (fragments, never)) = if ipv6 {
            let fragments = (libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_DO);
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS, fragments)
        } else {
            (libc::IPPROTO_IP, libc::IP_TOS, (libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO))
        };
        let options = [
            (libc::SOL_SOCKET, libc::SO_RCVBUF, buffer),
            (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1),
            (level, class, TRAFFIC_CLASS),
            (level, fragments, never),
        ];
        for (level, name, value) in options {
            if let Err(error) = socket.set(level, name, value) {
                tracing::debug!(level, name, %error, "a media socket goes without an option");
            }
        }
        Ok(socket)
    }

    fn set(&self, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
        // SAFETY: `value` lives through the call, and its size is given.
        let result = unsafe {
            libc::setsockopt(
                self.fd(),
                level,
                name,
                (&raw const value).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.udp.as_raw_fd()
    }
}

/// One datagram that came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived<'a> {
    pub(crate) port: PortKey,
    pub(crate) remote: SocketAddr,
    /// How long ago the kernel took it in \[µs\].
    pub(crate) age_us: u64,
    pub(crate) bytes: &'a [u8],
}

/// What a media thread is told when it receives.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Told<'a> {
    /// Something for this port is among what is handed over next.
    Soon(PortKey),
    /// This came.
    Came(Arrived<'a>),
}

/// The sockets of one media thread, by port: it asks for all that came, and hands over all that
/// goes.
pub(crate) enum Sockets {
    Ring(Box<Ring>),
    Epoll(Box<Epoll>),
}

impl Sockets {
    /// To be called by the thread that uses it.
    ///
    /// # Errors
    /// If the kernel gives no epoll instance either.
    pub(crate) fn new(io: Io) -> io::Result<Sockets> {
        match io {
            Io::Auto | Io::IoUring => match Ring::new() {
                Ok(ring) => return Ok(Sockets::Ring(Box::new(ring))),
                Err(error) => tracing::info!(%error, "there is no io_uring here"),
            },
            Io::Epoll => {}
        }
        Ok(Sockets::Epoll(Box::new(Epoll::new()?)))
    }

    /// What it is called in logs and metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Sockets::Ring(_) => IO_URING,
            Sockets::Epoll(_) => "epoll",
        }
    }

    /// Lets a port's socket in; the one that was in its place, if any, is released. One that the
    /// kernel does not watch is there to send, and hears nothing; false tells so.
    pub(crate) fn insert(&mut self, port: PortKey, socket: Socket) -> bool {
        self.remove(port, false);
        match self {
            Sockets::Ring(ring) => ring.insert(port, socket),
            Sockets::Epoll(epoll) => epoll.insert(port, socket),
        }
    }

    /// Takes a port's socket out, to be released when the kernel is done with it. One that
    /// `travels` is to be let in by another media thread.
    pub(crate) fn remove(&mut self, port: PortKey, travels: bool) {
        match self {
            Sockets::Ring(ring) => ring.remove(port, travels),
            Sockets::Epoll(epoll) => epoll.remove(port, travels),
        }
    }

    /// A socket that was taken out and can be closed.
    pub(crate) fn next_released(&mut self) -> Option<Socket> {
        match self {
            Sockets::Ring(ring) => ring.next_released(),
            Sockets::Epoll(epoll) => epoll.next_released(),
        }
    }

    /// Hands over what came, as much as a turn may take.
    pub(crate) fn receive(&mut self, take: impl FnMut(Told<'_>)) {
        match self {
            Sockets::Ring(ring) => ring.receive(take),
            Sockets::Epoll(epoll) => epoll.receive(take),
        }
    }

    /// Sends all datagrams, and returns how many the kernel refused since the last time.
    pub(crate) fn send<'a>(&mut self, datagrams: impl Iterator<Item = Datagram<'a>>) -> u64 {
        match self {
            Sockets::Ring(ring) => ring.send(datagrams),
            Sockets::Epoll(epoll) => epoll.send(datagrams),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::limits::{BUFFERS, DATAGRAMS_PER_SOCKET_MAX};

    #[test]
    fn what_came_at_many_more_sockets_than_there_are_buffers_is_taken_in_one_turn() {
        for io in [Io::IoUring, Io::Epoll] {
            let mut sockets = Sockets::new(io).unwrap();
            let phone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let ports: Vec<PortKey> = (0..6 * BUFFERS).filter_map(PortKey::from_index).collect();
            let mut addresses = Vec::new();
            for port in &ports {
                let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                addresses.push(udp.local_addr().unwrap());
                assert!(sockets.insert(*port, Socket::new(udp).unwrap()));
            }
            for turn in 0..4 {
                for address in addresses.iter().cycle().take(3 * addresses.len()) {
                    phone.send_to(b"burst", address).unwrap();
                }
                let mut came = vec![0; ports.len()];
                sockets.receive(|told| match told {
                    Told::Soon(_) => {}
                    Told::Came(arrived) => came[arrived.port.index()] += 1,
                });
                let (least, most) = (came.iter().min(), came.iter().max());
                assert_eq!((least, most), (Some(&3), Some(&3)), "{io:?}, turn {turn}");
            }
        }
    }

    #[test]
    fn what_a_turn_does_not_take_of_a_burst_at_one_socket_the_next_ones_do() {
        const BURST: usize = 3 * DATAGRAMS_PER_SOCKET_MAX + 5;
        for io in [Io::IoUring, Io::Epoll] {
            let mut sockets = Sockets::new(io).unwrap();
            let phone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = udp.local_addr().unwrap();
            let port = PortKey::from_index(3).unwrap();
            assert!(sockets.insert(port, Socket::new(udp).unwrap()));
            for _ in 0..BURST {
                phone.send_to(b"burst", address).unwrap();
            }
            let mut came = 0;
            // Nothing more is sent meanwhile.
            for _ in 0..5 {
                sockets.receive(|told| came += usize::from(matches!(told, Told::Came(_))));
            }
            assert_eq!(came, BURST, "{io:?}");
        }
    }
}
