//! UDP: one task a socket that reads; sending needs none.

use std::net::SocketAddr;
use std::sync::Arc;

use sip::{Flow, Transport};
use tokio::net::UdpSocket;
use tokio::sync::mpsc::error::TrySendError;

use crate::limits::{DATAGRAM_BYTES_MAX, ERROR_PAUSE};
use crate::{Inbound, Shared};

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
        shared.counters.messages_in.add();
        let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
        match shared.inbound.try_send(Inbound::Message { flow, bytes: datagram.to_vec() }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => shared.counters.datagrams_dropped.add(),
            Err(TrySendError::Closed(_)) => return,
        }
    }
}

/// What phones send to keep a NAT's entry: nothing, line ends, or four zeros.
fn is_keepalive(datagram: &[u8]) -> bool {
    datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
}
