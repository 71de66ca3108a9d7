//! What a gateway is told at its start, and why it may not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use sip::Transport;

use crate::limits;
use crate::tls::{TlsError, TlsSettings};

/// Where to listen, and the bounds that an installation or a test may change.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Each address gets UDP and TCP. A wildcard becomes one socket for each address of the
    /// machine's interfaces at the start, so that every flow has a local address that can be
    /// named to a peer: `0.0.0.0` those of IPv4, `::` those of both families. Port 0 lets the
    /// system choose one port for both transports.
    pub bind: Vec<SocketAddr>,
    /// TLS, if there is any.
    pub tls: Option<TlsSettings>,
    /// Where WebSockets are listened for, by the rules of [`Settings::bind`].
    pub websocket: Vec<SocketAddr>,
    /// Where WebSockets within TLS are listened for; without [`Settings::tls`] nowhere.
    pub secure_websocket: Vec<SocketAddr>,
    /// The origins of pages, such as `https://phone.example`, that may open a WebSocket, besides
    /// those from the host that they connect to.
    pub origins: Vec<String>,
    /// The name servers; without any those of the system.
    pub name_servers: Vec<SocketAddr>,
    /// See [`limits::INBOUND_QUEUED_MAX`].
    pub inbound_queued_max: usize,
    /// See [`limits::CONNECTIONS_MAX`].
    pub connections_max: usize,
    /// See [`limits::CONNECTIONS_PER_IP_MAX`].
    pub connections_per_ip_max: usize,
    /// See [`limits::FIRST_MESSAGE_WITHIN`].
    pub first_message_within: Duration,
    /// See [`limits::MESSAGE_WITHIN`].
    pub message_within: Duration,
    /// See [`limits::IDLE_MAX`].
    pub idle_max: Duration,
    /// See [`limits::WRITE_WITHIN`].
    pub write_within: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            bind: Vec::new(),
            tls: None,
            websocket: Vec::new(),
            secure_websocket: Vec::new(),
            origins: Vec::new(),
            name_servers: Vec::new(),
            inbound_queued_max: limits::INBOUND_QUEUED_MAX,
            connections_max: limits::CONNECTIONS_MAX,
            connections_per_ip_max: limits::CONNECTIONS_PER_IP_MAX,
            first_message_within: limits::FIRST_MESSAGE_WITHIN,
            message_within: limits::MESSAGE_WITHIN,
            idle_max: limits::IDLE_MAX,
            write_within: limits::WRITE_WITHIN,
        }
    }
}

/// An address on which SIP cannot listen.
#[derive(Debug)]
pub struct BindError {
    /// For which transport.
    pub transport: Transport,
    /// The address.
    pub address: SocketAddr,
    /// What the system said. It is part of the message, so it is not given as this error's source.
    pub source: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BindError { transport, address, source } = self;
        let name = transport.via_name().to_ascii_lowercase();
        write!(f, "SIP cannot listen on {address} ({name}): ")?;
        let kind = source.kind();
        if kind == io::ErrorKind::AddrInUse {
            f.write_str("address in use")
        } else if kind == io::ErrorKind::AddrNotAvailable {
            f.write_str("not an address of this machine")
        } else if kind == io::ErrorKind::PermissionDenied {
            write!(f, "{source}; ports below 1024 take CAP_NET_BIND_SERVICE")
        } else {
            write!(f, "{source}")
        }
    }
}

impl std::error::Error for BindError {}

/// Why a gateway cannot start.
#[derive(Debug)]
pub enum StartError {
    /// An address cannot be had.
    Bind(BindError),
    /// A file of TLS cannot be used.
    Tls(TlsError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Bind(error) => write!(f, "{error}"),
            StartError::Tls(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<BindError> for StartError {
    fn from(error: BindError) -> StartError {
        StartError::Bind(error)
    }
}

impl From<TlsError> for StartError {
    fn from(error: TlsError) -> StartError {
        StartError::Tls(error)
    }
}
