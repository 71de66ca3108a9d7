//! Via: the way back (RFC 3261 §20.42, RFC 3581).

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use super::lexis;
use super::param::Params;
use super::uri::{Host, host_and_port};
use crate::flow::Transport;

/// One hop on the way back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Via {
    /// The transport's name as written, such as `UDP`.
    pub transport: String,
    /// Who sent the request, by its own word.
    pub host: Host,
    /// The port it listens on; 5060 is meant when missing (5061 for TLS).
    pub port: Option<u16>,
    /// Parameters: `branch`, `received`, `rport` and others.
    pub params: Params,
}

/// The text is no Via value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("bad Via")]
pub struct ViaError;

/// What branches begin with since RFC 3261 (§8.1.1.7).
const COOKIE: &str = "z9hG4bK";

impl Via {
    /// Our own Via for a request that leaves from `sent_by`; asks for the source port (RFC 3581
    /// §3).
    #[must_use]
    pub fn new(transport: Transport, sent_by: SocketAddr, branch: &str) -> Via {
        let mut params = Params::default();
        params.set("branch", Some(branch.to_owned()));
        params.set("rport", None);
        Via {
            transport: transport.via_name().to_owned(),
            host: Host::Ip(sent_by.ip()),
            port: Some(sent_by.port()),
            params,
        }
    }

    /// The branch, if it is unique over time as RFC 3261 demands: with the magic cookie and more.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        let branch = self.params.value("branch")?;
        let head = branch.get(..COOKIE.len())?;
        (head.eq_ignore_ascii_case(COOKIE) && branch.len() > COOKIE.len()).then_some(branch)
    }

    /// Notes where the request really came from: `received` if that is not the host of the sent-by,
    /// `rport` if the client asked for it (RFC 3261 §18.2.1, RFC 3581 §4). Tells whether that
    /// changed it.
    pub fn note_source(&mut self, source: SocketAddr) -> bool {
        let asked = self.params.has("rport");
        if asked {
            self.params.set("rport", Some(source.port().to_string()));
        }
        if asked || self.host != Host::Ip(source.ip()) {
            self.params.set("received", Some(source.ip().to_string()));
            return true;
        }
        let told = self.params.has("received");
        self.params.remove("received");
        told
    }

    fn default_port(&self) -> u16 {
        Transport::from_name(&self.transport).unwrap_or(Transport::Udp).default_port()
    }

    /// The port where the sender takes connections, as it says (RFC 3261 §18.2.2).
    #[must_use]
    pub fn listens_at(&self) -> u16 {
        self.port.filter(|port| *port != 0).unwrap_or_else(|| self.default_port())
    }

    /// Where a response goes when there is no connection to use: the source, and its port if the
    /// client asked for that, else the port that it says it listens on (RFC 3261 §18.2.2).
    /// `maddr` is not honoured: a stranger must not choose whom we send to.
    #[must_use]
    pub fn reply_address(&self, source: SocketAddr) -> SocketAddr {
        if self.params.has("rport") {
            return source;
        }
        SocketAddr::new(source.ip(), self.listens_at())
    }
}

impl FromStr for Via {
    type Err = ViaError;

    fn from_str(text: &str) -> Result<Via, ViaError> {
        let mut protocol = text.splitn(3, '/');
        let mut next = || protocol.next().map(lexis::trim).ok_or(ViaError);
        let (name, version, rest) = (next()?, next()?, next()?);
        if !name.eq_ignore_ascii_case("SIP") || version != "2.0" {
            return Err(ViaError);
        }
        let (transport, rest) = rest.split_once([' ', '\t']).ok_or(ViaError)?;
        let (sent_by, params) = match rest.split_once(';') {
            Some((sent_by, params)) => (sent_by, Params::parse(params).ok_or(ViaError)?),
            None => (rest, Params::default()),
        };
        let (host, port) = host_and_port(lexis::trim(sent_by)).ok_or(ViaError)?;
        if !lexis::is_token(transport) {
            return Err(ViaError);
        }
        Ok(Via { transport: transport.to_owned(), host, port, params })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_around_slashes_and_parameters_are_allowed() {
        let text = "SIP  / 2.0  / TCP     spindle.example.com : 5070  ;  branch  =   z9hG4bK9ikj8";
        let via: Via = text.parse().expect("valid");
        assert_eq!(via.branch(), Some("z9hG4bK9ikj8"));
        assert_eq!(via.port, Some(5070));
        assert_eq!(via.to_string(), "SIP/2.0/TCP spindle.example.com:5070;branch=z9hG4bK9ikj8");
    }

    #[test]
    fn a_branch_without_the_cookie_or_with_nothing_else_is_none() {
        for branch in ["z9hG4bK", "abc", "12345678"] {
            let via: Via = format!("SIP/2.0/UDP h;branch={branch}").parse().expect("valid");
            assert_eq!(via.branch(), None);
        }
    }

    #[test]
    fn the_source_is_noted_and_answered_as_the_client_asked() {
        let source: SocketAddr = "192.0.2.9:40000".parse().unwrap();
        let mut asked: Via = "SIP/2.0/UDP 10.0.0.1:5080;rport;branch=z9hG4bK1".parse().unwrap();
        assert!(asked.note_source(source));
        assert_eq!(asked.params.value("received"), Some("192.0.2.9"));
        assert_eq!(asked.params.value("rport"), Some("40000"));
        assert_eq!(asked.reply_address(source), source);
        let mut silent: Via = "SIP/2.0/UDP 10.0.0.1:5080;branch=z9hG4bK1".parse().unwrap();
        assert!(silent.note_source(source));
        assert_eq!(silent.params.value("received"), Some("192.0.2.9"));
        let mut open: Via = "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1".parse().unwrap();
        assert!(!open.note_source(source), "it says itself where it came from");
        assert_eq!(silent.reply_address(source).port(), 5080);
    }

    #[test]
    fn broken_values_are_refused() {
        for text in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/7.0/UDP h",
            "SIP/2.0/UDP h;;,;",
            "SIP/2.0 h",
            "SIP/2.0/UDP h:x",
            "SIP/2.0/UDP [::1",
            "HTTP/2.0/UDP h",
        ] {
            assert!(text.parse::<Via>().is_err(), "{text}");
        }
    }
}
