//! SIP sockets (UDP, TCP, TLS, WebSocket) and names, around `sip`.
//!
//! ```text
//!  datagram::receive ─┐                                    ┌─▶ UDP: at once, by who calls
//!  connection::read ──┼▶ Inbound ─▶ endpoint ─▶ Gateway::send
//!  resolve ───────────┘                                    └─▶ others: the connection's queue
//! ```
//!
//! It decides nothing about calls. Nothing here waits for anything but its own socket: sending and
//! resolving return at once, every queue is bounded, and a peer that is slow to speak, to finish or
//! to read is cut. Of an overload UDP feels the loss, which SIP repairs; TCP feels the wait.
#![allow(clippy::disallowed_methods, reason = "a shell owns clocks")]

mod connection;
mod connections;
mod datagram;
mod examine;
pub mod limits;
mod listener;
mod names;
mod naptr;
mod patience;
mod resolve;
mod settings;
mod srv;
mod stats;
mod stun;
mod tls;
mod websocket;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

use sip::{ConnectionId, Flow, ResolveId, Server, Transport, Transports};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::connections::{Connections, Handed, TooMany};
pub use crate::examine::Finding;
use crate::limits::{ACCEPT_TOLD_EVERY, ERROR_PAUSE, TLS_FILES_LOOK_EVERY};
use crate::names::Names;
use crate::resolve::Lookups;
pub use crate::settings::{BindError, Settings, StartError};
use crate::stats::Counters;
pub use crate::stats::GatewayStats;
use crate::tls::Tls;
pub use crate::tls::{ClientCertificates, TlsError, TlsSettings};

/// What comes from the sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inbound {
    /// One whole message: a datagram, or cut from a stream.
    Message {
        /// Where it came from, which is where its answer goes.
        flow: Flow,
        /// The message.
        bytes: Vec<u8>,
        /// When it was whole here.
        at: Instant,
    },
    /// The connection is no more. What waited on it has been told as unreachable before.
    ConnectionClosed(ConnectionId),
    /// What [`Gateway::resolve`] was asked.
    Resolved {
        /// As it was asked.
        id: ResolveId,
        /// The host's servers that a listener can reach; empty if there are none.
        servers: Vec<Server>,
    },
    /// A message could not be sent: as many of these as messages.
    Unreachable {
        /// As the message was sent.
        flow: Flow,
    },
}

/// The sockets of one server. Dropping it closes those that listen; connections write what waits
/// and then close.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    sockets: Vec<(SocketAddr, Arc<UdpSocket>)>,
    listeners: Vec<(Transport, SocketAddr)>,
    lookups: Arc<Lookups>,
    runtime: Handle,
    /// Ends the listening tasks when it is dropped.
    _listening: JoinSet<()>,
}

/// The files of TLS of a gateway. They are looked at every now and then in any case.
#[derive(Debug, Clone)]
pub struct Certificates(Arc<Shared>);

impl Certificates {
    /// Reads the files anew, for connections that are still to come. Waits for the disk.
    ///
    /// # Errors
    /// [`TlsError`] names the first that cannot be used; then all stays as it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.0.tls.as_ref().map_or(Ok(()), Tls::reload)
    }
}

/// What every task of the gateway knows.
#[derive(Debug)]
struct Shared {
    inbound: mpsc::Sender<Inbound>,
    counters: Counters,
    connections: Connections,
    settings: Settings,
    tls: Option<Tls>,
    names: Names,
}

impl Gateway {
    /// Listens on every address of the settings. What comes is in the receiver, in the order in
    /// which each peer sent it.
    ///
    /// # Errors
    /// [`StartError`] names the first address that cannot be had, or the first file of TLS that
    /// cannot be used; then nothing listens.
    pub async fn bind(
        settings: Settings,
    ) -> Result<(Gateway, mpsc::Receiver<Inbound>), StartError> {
        Gateway::bind_beside(settings, &Handle::current()).await
    }

    /// The same, with the datagrams read on another runtime: that of whoever takes the messages
    /// out, so that one that comes wakes one thread and not two.
    ///
    /// # Errors
    /// As [`Gateway::bind`].
    pub async fn bind_beside(
        settings: Settings,
        endpoint: &Handle,
    ) -> Result<(Gateway, mpsc::Receiver<Inbound>), StartError> {
        let tls = settings.tls.clone().map(Tls::load).transpose()?;
        let bound = listener::bind_all(&settings.bind).await?;
        let mut streams = Vec::new();
        for (transport, addresses) in with_connections(&settings) {
            let bound = listener::bind_streams(transport, addresses).await?;
            streams.extend(bound.into_iter().map(|(address, tcp)| (transport, address, tcp)));
        }
        let lookups = Lookups::new(&settings.name_servers);
        let (inbound, receiver) = mpsc::channel(settings.inbound_queued_max);
        let shared = Arc::new(Shared {
            inbound,
            counters: Counters::default(),
            connections: Connections::default(),
            settings,
            tls,
            names: Names::default(),
        });
        let mut listening = JoinSet::new();
        let mut sockets = Vec::new();
        let mut listeners = Vec::new();
        for listener::Listener { address, udp, tcp } in bound {
            let udp = Arc::new(udp);
            listeners.extend([(Transport::Udp, address), (Transport::Tcp, address)]);
            sockets.push((address, Arc::clone(&udp)));
            listening.spawn_on(datagram::receive(udp, address, Arc::clone(&shared)), endpoint);
            listening.spawn(accept(tcp, Transport::Tcp, address, Arc::clone(&shared)));
        }
        for (transport, address, tcp) in streams {
            listeners.push((transport, address));
            listening.spawn(accept(tcp, transport, address, Arc::clone(&shared)));
        }
        if shared.tls.is_some() {
            listening.spawn(look_at_files(Arc::clone(&shared)));
        }
        let gateway = Gateway {
            shared,
            sockets,
            listeners,
            lookups: Arc::new(lookups),
            runtime: Handle::current(),
            _listening: listening,
        };
        Ok((gateway, receiver))
    }

    /// Where it listens: the addresses of the settings in their order, wildcards expanded with the
    /// loopback last, each with UDP and then TCP; then TLS and WebSocket.
    pub fn listeners(&self) -> &[(Transport, SocketAddr)] {
        &self.listeners
    }

    /// Sends a message. Never waits; that it could not be sent is told by
    /// [`Inbound::Unreachable`], unless the queue of [`Inbound`] is full.
    ///
    /// Over UDP it goes out from `flow.local`. Else it goes by the flow's connection, else by one
    /// that leads to `flow.remote`, else by one that is opened from the address of `flow.local`;
    /// to a WebSocket's client none is opened.
    pub fn send(&self, flow: Flow, bytes: Vec<u8>) {
        let sent = match flow.transport {
            Transport::Udp => self.send_datagram(&flow, &bytes),
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                self.send_by_connection(flow, bytes)
            }
        };
        if !sent {
            self.shared.counters.unreachable.add();
            if self.shared.inbound.try_send(Inbound::Unreachable { flow }).is_err() {
                tracing::debug!(remote = %flow.remote, "nobody hears that it is unreachable");
            }
        }
    }

    /// Looks up a host's addresses; [`Inbound::Resolved`] answers, always, after 5 s at the latest.
    /// Where the transport is open the domain is asked by which it wants to be reached (NAPTR), and
    /// without a port for its servers (SRV).
    pub fn resolve(&self, id: ResolveId, host: String, port: Option<u16>, transports: Transports) {
        let shared = Arc::clone(&self.shared);
        let lookups = Arc::clone(&self.lookups);
        let listeners = self.listeners.clone();
        self.runtime.spawn(async move {
            let mut servers = lookups.servers(&host, port, transports).await;
            servers.retain(|Server { transport, address }| {
                let mut locals = listeners.iter().filter(|(kind, _)| kind == transport);
                locals.any(|(_, local)| listener::reaches(*local, *address))
            });
            let secure = servers.iter().filter(|server| server.transport.is_secure());
            let secure: Vec<SocketAddr> = secure.map(|server| server.address).collect();
            if !secure.is_empty() {
                shared.names.note(&host, &secure);
            }
            if servers.is_empty() {
                tracing::info!(host, "a name leads to no server that can be reached from here");
                shared.counters.names_unresolved.add();
            }
            shared.tell(Inbound::Resolved { id, servers }).await;
        });
    }

    /// The files of TLS, for whoever knows that they were written.
    pub fn certificates(&self) -> Certificates {
        Certificates(Arc::clone(&self.shared))
    }

    /// The counters.
    pub fn stats(&self) -> GatewayStats {
        GatewayStats {
            connections_open: self.shared.connections.count() as u64,
            lookups_refused: self.lookups.refused.read(),
            ..self.shared.counters.read()
        }
    }

    fn send_datagram(&self, flow: &Flow, bytes: &[u8]) -> bool {
        let socket = self.sockets.iter().find(|(local, _)| *local == flow.local);
        let Some((_, socket)) = socket else { return false };
        match socket.send_to(bytes, flow.remote) {
            Ok(_length) => self.shared.counters.messages_out.add(),
            // The kernel's buffer is full; SIP repeats what was lost.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.shared.counters.datagrams_unsent.add();
            }
            Err(error) => {
                tracing::debug!(remote = %flow.remote, %error, "a datagram was not sent");
                return false;
            }
        }
        true
    }

    fn send_by_connection(&self, flow: Flow, bytes: Vec<u8>) -> bool {
        let shared = &self.shared;
        let name = match flow.transport.is_secure() {
            true => shared.names.of(flow.remote),
            false => None,
        };
        match shared.connections.hand_over(flow, name.clone(), bytes, &shared.settings) {
            Handed::Queued => true,
            Handed::Opening(entered) => {
                let shared = Arc::clone(shared);
                self.runtime.spawn(connection::opened(flow, name, entered, shared));
                true
            }
            Handed::TooMany => {
                shared.counters.connections_refused.add();
                false
            }
            Handed::Refused => false,
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shared.connections.close();
    }
}

impl Shared {
    /// Tells the endpoint, waiting for it where its queue is full.
    async fn tell(&self, what: Inbound) {
        if self.inbound.send(what).await.is_err() {
            tracing::trace!("the endpoint is gone");
        }
    }

    async fn unreachable(&self, flow: Flow) {
        self.counters.unreachable.add();
        self.tell(Inbound::Unreachable { flow }).await;
    }
}

/// The transports that only have connections, and where each is listened for.
fn with_connections(settings: &Settings) -> Vec<(Transport, &[SocketAddr])> {
    let mut all = vec![(Transport::Ws, settings.websocket.as_slice())];
    if let Some(tls) = &settings.tls {
        all.insert(0, (Transport::Tls, tls.bind.as_slice()));
        all.push((Transport::Wss, settings.secure_websocket.as_slice()));
    }
    all
}

/// Follows whoever writes the files of TLS anew.
async fn look_at_files(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(TLS_FILES_LOOK_EVERY).await;
        let shared = Arc::clone(&shared);
        let looked = tokio::task::spawn_blocking(move || {
            shared.tls.as_ref().map_or(Ok(false), Tls::reload_if_written)
        });
        match looked.await {
            Ok(Ok(true)) => tracing::info!("the files of TLS were written and read anew"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the certificate stays as it was"),
            Err(error) => tracing::warn!(%error, "the files of TLS could not be looked at"),
        }
    }
}

/// Accepts connections for as long as the gateway listens.
async fn accept(
    listener: TcpListener,
    transport: Transport,
    local: SocketAddr,
    shared: Arc<Shared>,
) {
    let mut told: Option<Instant> = None;
    loop {
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                shared.counters.accepts_failed.add();
                if told.is_none_or(|at| at.elapsed() >= ACCEPT_TOLD_EVERY) {
                    tracing::warn!(%local, %error, "a connection could not be accepted");
                    told = Some(Instant::now());
                }
                tokio::time::sleep(ERROR_PAUSE).await;
                continue;
            }
        };
        let flow = Flow { transport, local, remote, connection: None };
        match shared.connections.accept(Instant::now(), &flow, &shared.settings) {
            Ok(entered) => {
                shared.counters.connections_accepted.add();
                let shared = Arc::clone(&shared);
                tokio::spawn(connection::accepted(stream, flow, entered, shared));
            }
            Err(TooMany::Altogether) => shared.counters.connections_refused.add(),
            Err(TooMany::Lately) => shared.counters.connections_refused_rate.add(),
            Err(TooMany::FromAddress) => shared.counters.connections_refused_per_ip.add(),
        }
    }
}
