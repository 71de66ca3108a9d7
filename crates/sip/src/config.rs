//! What an endpoint is told at its start.

use std::net::{IpAddr, SocketAddr};

use crate::access::Access;
use crate::flow::{Flow, Transport};
use crate::limits::{SESSION_INTERVAL_S, SESSIONS_MAX, SUBSCRIPTIONS_MAX, TRANSACTIONS_MAX};
#[cfg(doc)]
use crate::limits::{SESSION_INTERVAL_S_MAX, SESSION_INTERVAL_S_MIN};
use crate::message::{Host, NameAddr, Uri};

/// What an endpoint is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The value of Server and User-Agent. Without a version: strangers need not know it.
    pub server_name: String,
    /// The addresses that the shell listens on. One at `0.0.0.0` or `[::]` needs `advertised`.
    pub listeners: Vec<(Transport, SocketAddr)>,
    /// The address that others reach us at, if it is not that of the listeners (behind NAT). It is
    /// put into Via and Contact of flows of its own address family.
    pub advertised: Option<IpAddr>,
    /// Who may do what.
    pub access: Access,
    /// Most sessions at once; an INVITE over it is answered 503.
    pub sessions_max: usize,
    /// Most subscriptions at once; a request over it is answered 503.
    pub subscriptions_max: usize,
    /// Whether every session is with a conference of ours: its Contact is then the conference's
    /// address, marked `isfocus` (RFC 4579 §5.1).
    pub focus: bool,
    /// Most transactions at once; a request over it is answered 503, but a BYE is always taken.
    pub transactions_max: usize,
    /// The session interval that is asked for \[s\], within [`SESSION_INTERVAL_S_MIN`] and
    /// [`SESSION_INTERVAL_S_MAX`] (RFC 4028): so long at most a session outlives its other side.
    pub session_expires_s: u32,
    /// When the server began, by the clock of the wall \[s\]: what is told to others of an overload
    /// is newer than what was told before a restart (RFC 7339 §4.4).
    pub started_s: u64,
}

impl Config {
    /// The usual limits, `Convoke` for a name, and nobody but this machine let in.
    #[must_use]
    pub fn new(listeners: Vec<(Transport, SocketAddr)>) -> Config {
        Config {
            server_name: "Convoke".to_owned(),
            listeners,
            advertised: None,
            access: Access::local(),
            sessions_max: SESSIONS_MAX,
            transactions_max: TRANSACTIONS_MAX,
            session_expires_s: SESSION_INTERVAL_S,
            subscriptions_max: SUBSCRIPTIONS_MAX,
            focus: false,
            started_s: 0,
        }
    }

    /// The flow from our listener of that transport to an address of the same family. Loopback is
    /// called from loopback, and others not, where there is a choice: neither reaches the other.
    /// A WebSocket cannot be opened to anybody.
    pub(crate) fn flow_to(&self, transport: Transport, remote: SocketAddr) -> Option<Flow> {
        let fits = |at: &SocketAddr| transport.reaches_out() && at.is_ipv4() == remote.is_ipv4();
        self.listeners
            .iter()
            .filter(|(kind, at)| *kind == transport && fits(at))
            .min_by_key(|(_, at)| at.ip().is_loopback() != remote.ip().is_loopback())
            .map(|(_, local)| Flow { transport, local: *local, remote, connection: None })
    }

    /// Our own address as the other side of that flow should use it.
    pub(crate) fn own_address(&self, flow: &Flow) -> SocketAddr {
        match self.advertised {
            Some(ip) if ip.is_ipv4() == flow.local.is_ipv4() => {
                SocketAddr::new(ip, flow.local.port())
            }
            Some(_) | None => flow.local,
        }
    }

    /// Our Contact along that flow, as that user of ours (empty for none); with `sips` where that
    /// was asked for (RFC 3261 §12.1.1).
    pub(crate) fn contact(&self, flow: &Flow, user: &str, secure: bool) -> String {
        let address = self.own_address(flow);
        let user = if self.focus { user } else { "" };
        let Uri::Sip(mut uri) = Uri::sip(user, Host::Ip(address.ip()), Some(address.port())) else {
            unreachable!("a SIP URI was asked for")
        };
        uri.secure = secure && flow.transport.is_secure();
        match flow.transport {
            Transport::Udp => {}
            Transport::Tls if uri.secure => {}
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                let name = flow.transport.param_name();
                uri.params.set("transport", Some(name.to_owned()));
            }
        }
        let mut contact = NameAddr::new("", Uri::Sip(uri));
        if self.focus {
            contact.params.set("isfocus", None);
        }
        contact.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contact_names_the_advertised_address_and_the_transport() {
        let local: SocketAddr = "10.0.0.1:5060".parse().unwrap();
        let local_v6: SocketAddr = "[2001:db8::1]:5060".parse().unwrap();
        let mut config = Config::new(vec![(Transport::Tcp, local), (Transport::Udp, local_v6)]);
        config.advertised = Some("203.0.113.7".parse().unwrap());
        let tcp = config.flow_to(Transport::Tcp, "192.0.2.1:5060".parse().unwrap()).unwrap();
        assert_eq!(config.contact(&tcp, "", false), "<sip:203.0.113.7:5060;transport=tcp>");
        let udp = config.flow_to(Transport::Udp, "[2001:db8::2]:5060".parse().unwrap()).unwrap();
        assert_eq!(config.contact(&udp, "", false), "<sip:[2001:db8::1]:5060>");
        config.focus = true;
        assert_eq!(config.contact(&udp, "a b", false), "<sip:a%20b@[2001:db8::1]:5060>;isfocus");
        config.focus = false;
        assert_eq!(config.flow_to(Transport::Udp, "192.0.2.1:5060".parse().unwrap()), None);
        for (transport, secure, contact) in [
            (Transport::Tls, false, "<sip:203.0.113.7:5060;transport=tls>"),
            (Transport::Tls, true, "<sips:203.0.113.7:5060>"),
            (Transport::Tcp, true, "<sip:203.0.113.7:5060;transport=tcp>"),
            (Transport::Ws, false, "<sip:203.0.113.7:5060;transport=ws>"),
            (Transport::Wss, true, "<sips:203.0.113.7:5060;transport=ws>"),
        ] {
            assert_eq!(config.contact(&Flow { transport, ..tcp }, "", secure), contact);
        }
    }

    #[test]
    fn nobody_is_called_by_websocket() {
        let local: SocketAddr = "10.0.0.1:8088".parse().unwrap();
        let config = Config::new(vec![(Transport::Ws, local), (Transport::Wss, local)]);
        for transport in [Transport::Ws, Transport::Wss] {
            assert_eq!(config.flow_to(transport, "10.0.0.2:9".parse().unwrap()), None);
        }
    }
}
