//! UDP: one task a socket that reads; sending needs none. STUN is answered on the spot.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
use nix::sys::time::TimeSpec;
use sip::{Flow, Transport};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::error::TrySendError;

use crate::limits::{DATAGRAM_BYTES_MAX, DATAGRAM_WAITED_MAX, ERROR_PAUSE};
use crate::{Inbound, Shared, stun};

/// Reads datagrams until nobody wants them any more.
pub(crate) async fn receive(socket: Arc<UdpSocket>, local: SocketAddr, shared: Arc<Shared>) {
    let watched = match watch(Arc::clone(&socket)) {
        Ok(watched) => watched,
        Err(error) => return tracing::error!(%local, %error, "a SIP socket cannot be watched"),
    };
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut control = nix::cmsg_space!(TimeSpec);
    loop {
        let next = watched
            .async_io(Interest::READABLE, |socket| read(socket, &mut buffer, &mut control))
            .await;
        let (length, remote, at) = match next {
            Ok(received) => received,
            Err(error) => {
                tracing::debug!(%local, %error, "a datagram could not be read");
                tokio::time::sleep(ERROR_PAUSE).await;
                continue;
            }
        };
        let datagram = &buffer[..length];
        if is_keepalive(datagram) {
            shared.counters.keepalives.add();
            continue;
        }
        if stun::is_stun(datagram) {
            shared.counters.keepalives.add();
            answer_stun(&socket, datagram, remote);
            continue;
        }
        shared.counters.messages_in.add();
        let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
        let bytes = datagram.to_vec();
        match shared.inbound.try_send(Inbound::Message { flow, bytes, at }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => shared.counters.datagrams_dropped.add(),
            Err(TrySendError::Closed(_)) => return,
        }
    }
}

/// Nobody waits until the socket takes more, so nobody is woken each time it has sent, as tokio's
/// own would be.
#[expect(deprecated, reason = "what replaces it is unsafe; a socket keeps its descriptor")]
fn watch(socket: Arc<UdpSocket>) -> io::Result<AsyncFd<Arc<UdpSocket>>> {
    AsyncFd::with_interest(socket, Interest::READABLE)
}

/// Reads one datagram: its length, who sent it, and when the kernel took it. In an overload it
/// waits longer for us to read it than afterwards.
fn read(
    socket: &UdpSocket,
    buffer: &mut [u8],
    control: &mut [u8],
) -> io::Result<(usize, SocketAddr, Instant)> {
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut parts,
        Some(control),
        MsgFlags::empty(),
    )?;
    let now = Instant::now();
    let stamp = message.cmsgs().ok().and_then(|mut parts| {
        parts.find_map(|part| {
            let ControlMessageOwned::ScmTimestampns(stamp) = part else { return None };
            Some(Duration::from(stamp))
        })
    });
    let at = stamp.and_then(waited).and_then(|waited| now.checked_sub(waited)).unwrap_or(now);
    let remote = message.address.as_ref().and_then(address).ok_or(io::ErrorKind::InvalidData)?;
    Ok((message.bytes, remote, at))
}

/// How long ago that was, by the wall clock; `None` if it cannot be told because the clock was set
/// since.
fn waited(stamp: Duration) -> Option<Duration> {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    wall.checked_sub(stamp).filter(|waited| *waited <= DATAGRAM_WAITED_MAX)
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| storage.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
}

fn answer_stun(socket: &UdpSocket, datagram: &[u8], remote: SocketAddr) {
    let Some(answer) = stun::answer(datagram, remote) else { return };
    if let Err(error) = socket.send_to(&answer, remote) {
        tracing::trace!(%remote, %error, "a STUN request is not answered");
    }
}

/// What phones send to keep a NAT's entry: nothing, line ends, or four zeros.
fn is_keepalive(datagram: &[u8]) -> bool {
    datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
}
