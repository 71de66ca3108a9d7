//! The life of one connection.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use sip::framing::{FramingError, Item, Splitter};
use sip::{ConnectionId, Flow};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc::{Receiver, WeakSender};
use tokio::time::{timeout, timeout_at};
use tokio_rustls::client;

use crate::connections::{Entered, Outgoing};
use crate::limits::{CONNECT_WITHIN, LINGER, PROBE_EVERY, PROBES_MAX, READ_BYTES, UNTAKEN_MAX};
use crate::patience::Patience;
use crate::{Inbound, Shared, tls, websocket};

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The peer has said its last.
    Eof,
    /// What came cannot be cut into messages.
    Garbage(FramingError),
    /// The peer did not come to speak SIP.
    NotSip(String),
    /// The peer's time is up.
    Slow,
    /// The connection broke, or never came to be.
    Failed(io::Error),
    /// We want it no more.
    Closed,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Eof => f.write_str("the peer has closed it"),
            End::Garbage(error) => write!(f, "{error}"),
            End::NotSip(why) => f.write_str(why),
            End::Slow => f.write_str("the peer is too slow"),
            End::Failed(error) => write!(f, "{error}"),
            End::Closed => f.write_str("it is not wanted any more"),
        }
    }
}

/// Talks with a peer that has connected to us; of the flow its connection is still missing.
pub(crate) async fn accepted(stream: TcpStream, flow: Flow, entered: Entered, shared: Arc<Shared>) {
    let Entered { id, mut queue, pongs } = entered;
    let flow = Flow { connection: Some(id), ..flow };
    let patience = Patience::with_stranger(Instant::now(), &shared.settings);
    let end = match prepare(&stream) {
        Ok(()) => greet(stream, flow, patience, (&mut queue, &pongs), &shared).await,
        Err(error) => End::Failed(error),
    };
    finish(flow, id, end, queue, &shared).await;
}

/// Connects to a peer, whose certificate names `name`, and talks with it.
pub(crate) async fn opened(
    flow: Flow,
    name: Option<Arc<str>>,
    entered: Entered,
    shared: Arc<Shared>,
) {
    let Entered { id, mut queue, pongs } = entered;
    let flow = Flow { connection: Some(id), ..flow };
    let end = match timeout(CONNECT_WITHIN, connect(&flow, name.as_deref(), &shared)).await {
        Ok(Ok(stream)) => {
            let patience = Patience::with_callee(Instant::now(), &shared.settings);
            let ways = (&mut queue, &pongs);
            match stream {
                Opened::Plain(stream) => talk(stream, flow, patience, ways, &shared).await,
                Opened::Secure(stream) => talk(*stream, flow, patience, ways, &shared).await,
            }
        }
        Ok(Err(error)) => End::Failed(error),
        Err(_elapsed) => End::Slow,
    };
    finish(flow, id, end, queue, &shared).await;
}

/// A connection to a peer.
enum Opened {
    Plain(TcpStream),
    Secure(Box<client::TlsStream<TcpStream>>),
}

/// From the listener's address, and a port of the system's choice.
async fn connect(flow: &Flow, name: Option<&str>, shared: &Shared) -> io::Result<Opened> {
    let socket = match flow.remote {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.bind(SocketAddr::new(flow.local.ip(), 0))?;
    let stream = socket.connect(flow.remote).await?;
    prepare(&stream)?;
    if !flow.transport.is_secure() {
        return Ok(Opened::Plain(stream));
    }
    let tls = shared.tls.as_ref().ok_or_else(|| io::Error::other("TLS is not set up"))?;
    let expected = tls::expected(name, flow.remote)?;
    let stream = tls.connector().connect(expected, stream).await?;
    Ok(Opened::Secure(Box::new(stream)))
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    let probes = TcpKeepalive::new()
        .with_time(PROBE_EVERY)
        .with_interval(PROBE_EVERY)
        .with_retries(PROBES_MAX);
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(UNTAKEN_MAX))?;
    socket.set_tcp_keepalive(&probes)
}

/// The handshakes of an accepted connection, then the talk. The peer's time for its first message
/// runs from the beginning.
async fn greet(
    stream: TcpStream,
    flow: Flow,
    patience: Patience,
    ways: Ways<'_>,
    shared: &Arc<Shared>,
) -> End {
    if !flow.transport.is_secure() {
        return match flow.transport.reaches_out() {
            true => talk(stream, flow, patience, ways, shared).await,
            false => websocket::talk(stream, flow, &patience, ways.0, shared).await,
        };
    }
    let Some(tls) = &shared.tls else { return End::Closed };
    let handshake = tls.acceptor().accept(stream);
    let stream = match timeout_at(patience.ends_at().into(), handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return End::NotSip(error.to_string()),
        Err(_elapsed) => return End::Slow,
    };
    match flow.transport.reaches_out() {
        true => talk(stream, flow, patience, ways, shared).await,
        false => websocket::talk(stream, flow, &patience, ways.0, shared).await,
    }
}

/// What is to be written, and the way to put answers to keep-alives there.
type Ways<'a> = (&'a mut Receiver<Outgoing>, &'a WeakSender<Outgoing>);

/// Reads and writes at once, until one of both ends.
async fn talk(
    stream: impl AsyncRead + AsyncWrite,
    flow: Flow,
    patience: Patience,
    (queue, pongs): Ways<'_>,
    shared: &Shared,
) -> End {
    let (reader, writer) = tokio::io::split(stream);
    let mut write = pin!(write(writer, queue, shared));
    let end = tokio::select! {
        end = read(reader, flow, patience, pongs, shared) => end,
        end = &mut write => return end,
    };
    if let Some(id) = flow.connection {
        shared.connections.answer_only(id);
    }
    match end {
        // What the peer has asked may yet be answered.
        End::Eof | End::Garbage(_) => match timeout(LINGER, write).await {
            Ok(_) | Err(_) => end,
        },
        End::Slow | End::NotSip(_) | End::Failed(_) | End::Closed => end,
    }
}

async fn read(
    mut stream: impl AsyncRead + Unpin,
    flow: Flow,
    mut patience: Patience,
    pongs: &WeakSender<Outgoing>,
    shared: &Shared,
) -> End {
    let mut splitter = Splitter::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let bytes = match timeout_at(patience.ends_at().into(), stream.read(&mut buffer)).await {
            Ok(Ok(0)) => return End::Eof,
            Ok(Ok(length)) => &buffer[..length],
            Ok(Err(error)) => return End::Failed(error),
            Err(_elapsed) => return End::Slow,
        };
        splitter.push(bytes);
        let mut whole_message = false;
        loop {
            match splitter.next_item() {
                Ok(Some(Item::Message(bytes))) => {
                    whole_message = true;
                    shared.counters.messages_in.add();
                    // The stream waits for the endpoint; the peer will feel it.
                    let message = Inbound::Message { flow, bytes, at: Instant::now() };
                    if shared.inbound.send(message).await.is_err() {
                        return End::Closed;
                    }
                }
                Ok(Some(Item::Ping)) => {
                    shared.counters.keepalives.add();
                    answer_ping(pongs);
                }
                Ok(None) => break,
                Err(error) => return End::Garbage(error),
            }
        }
        patience.heard(Instant::now(), whole_message, splitter.waiting_bytes());
    }
}

fn answer_ping(pongs: &WeakSender<Outgoing>) {
    if let Some(queue) = pongs.upgrade()
        && queue.try_send(Outgoing::Pong).is_err()
    {
        tracing::trace!("a peer that does not read gets no answer to its keep-alive");
    }
}

async fn write(
    mut stream: impl AsyncWrite + Unpin,
    queue: &mut Receiver<Outgoing>,
    shared: &Shared,
) -> End {
    while let Some(outgoing) = queue.recv().await {
        let bytes = match &outgoing {
            Outgoing::Message { bytes, .. } => bytes.as_slice(),
            Outgoing::Pong => b"\r\n",
        };
        let written = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        let end = match timeout(shared.settings.write_within, written).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(End::Failed(error)),
            Err(_elapsed) => Some(End::Slow),
        };
        match (outgoing, end) {
            (Outgoing::Message { .. }, None) => shared.counters.messages_out.add(),
            (Outgoing::Pong, None) => {}
            (Outgoing::Message { flow, .. }, Some(end)) => {
                shared.unreachable(flow).await;
                return end;
            }
            (Outgoing::Pong, Some(end)) => return end,
        }
    }
    // TLS says its farewell, so that the peer knows that nothing was cut off (RFC 8446 §6.1).
    let said = timeout(shared.settings.write_within, stream.shutdown()).await;
    tracing::trace!(?said, "a connection is closed");
    End::Closed
}

/// Takes the connection out and tells what will not be sent any more.
async fn finish(
    flow: Flow,
    id: ConnectionId,
    end: End,
    mut queue: Receiver<Outgoing>,
    shared: &Shared,
) {
    tracing::debug!(remote = %flow.remote, why = %end, "connection ended");
    let was_cut = shared.connections.remove(id);
    if was_cut || matches!(end, End::Slow) {
        shared.counters.connections_slow.add();
    }
    if matches!(end, End::Garbage(FramingError::TooLarge)) {
        shared.counters.messages_too_large.add();
    }
    if matches!(end, End::Garbage(_) | End::NotSip(_)) {
        shared.counters.connections_garbage.add();
    }
    queue.close();
    while let Some(outgoing) = queue.recv().await {
        match outgoing {
            Outgoing::Message { flow, .. } => shared.unreachable(flow).await,
            Outgoing::Pong => {}
        }
    }
    shared.tell(Inbound::ConnectionClosed(id)).await;
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_kernel_gives_up_a_peer_that_is_gone_once_a_transaction_would() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        prepare(&stream).unwrap();
        let socket = SockRef::from(&stream);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNTAKEN_MAX));
        assert!(socket.keepalive().unwrap());
    }
}
