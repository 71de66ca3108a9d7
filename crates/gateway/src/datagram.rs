//! UDP: one task a socket that reads; sending needs none. STUN is answered on the spot.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use sip::{Flow, Transport};
use tokio::net::UdpSocket;
use tokio::sync::mpsc::error::TrySendError;

use crate::limits::{DATAGRAM_BYTES_MAX, ERROR_PAUSE};
use crate::{Inbound, Shared, stun};

/// Reads datagrams until nobody wants them any more.
pub(crate) async fn receive(socket: Arc<UdpSocket>, local: SocketAddr, shared: Arc<Shared>) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let (length, remote) = match socket.recv_from(&mut buffer).await {
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
        let (bytes, at) = (datagram.to_vec(), Instant::now());
        match shared.inbound.try_send(Inbound::Message { flow, bytes, at }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => shared.counters.datagrams_dropped.add(),
            Err(TrySendError::Closed(_)) => return,
        }
    }
}

fn answer_stun(socket: &UdpSocket, datagram: &[u8], remote: SocketAddr) {
    let Some(answer) = stun::answer(datagram, remote) else { return };
    if let Err(error) = socket.try_send_to(&answer, remote) {
        tracing::trace!(%remote, %error, "a STUN request is not answered");
    }
}

/// What phones send to keep a NAT's entry: nothing, line ends, or four zeros.
fn is_keepalive(datagram: &[u8]) -> bool {
    datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
}
