//! Locating servers (RFC 3263): what is asked of a lookup, and what it answers.

use std::net::SocketAddr;

use crate::flow::Transport;
use crate::message::{Host, SipUri};

/// By which transports a name may be reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Transports {
    /// By that one, as the URI has it.
    Named(Transport),
    /// By any of these: the name's NAPTR records choose (§4.1). Where it has none, those that have
    /// SRV records are tried in this order; without any, the first at its port.
    Any(Vec<Transport>),
}

impl Transports {
    /// Those that a URI leaves to us, of those that are `usable`. `None` if there is none.
    pub(crate) fn of(uri: &SipUri, usable: impl Fn(Transport) -> bool) -> Option<Transports> {
        let named = Transport::asked_by(uri)?;
        let is_free =
            matches!(uri.host, Host::Name(_)) && uri.port.is_none() && !uri.params.has("transport");
        if !is_free {
            return Some(Transports::Named(named)).filter(|_| usable(named));
        }
        let free: &[Transport] = match uri.secure {
            true => &[Transport::Tls],
            false => &[Transport::Udp, Transport::Tcp, Transport::Tls],
        };
        let free: Vec<Transport> = free.iter().copied().filter(|kind| usable(*kind)).collect();
        (!free.is_empty()).then_some(Transports::Any(free))
    }

    /// Those of them that are secure. `None` if there is none.
    pub(crate) fn secure(self) -> Option<Transports> {
        match self {
            Transports::Named(named) => named.is_secure().then_some(self),
            Transports::Any(mut free) => {
                free.retain(|transport| transport.is_secure());
                (!free.is_empty()).then_some(Transports::Any(free))
            }
        }
    }

    /// The one that is meant where nothing else is said.
    pub(crate) fn first(&self) -> Option<Transport> {
        match self {
            Transports::Named(named) => Some(*named),
            Transports::Any(free) => free.first().copied(),
        }
    }
}

/// A server of a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Server {
    /// By which transport it is reached.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Uri;

    #[test]
    fn a_name_without_port_and_transport_leaves_the_choice_and_no_other_uri_does() {
        use Transport::{Tcp, Tls, Udp};
        let of = |text: &str, usable: &[Transport]| match text.parse() {
            Ok(Uri::Sip(uri)) => Transports::of(&uri, |transport| usable.contains(&transport)),
            Ok(Uri::Tel(_) | Uri::Other(_)) | Err(_) => panic!("{text}"),
        };
        let all = [Udp, Tcp, Tls];
        assert_eq!(of("sip:a@b.example", &all), Some(Transports::Any(all.to_vec())));
        assert_eq!(of("sip:a@b.example", &[Tcp]), Some(Transports::Any(vec![Tcp])));
        assert_eq!(of("sips:a@b.example", &all), Some(Transports::Any(vec![Tls])));
        for (text, named) in [
            ("sip:a@b.example:5060", Udp),
            ("sip:a@192.0.2.1", Udp),
            ("sip:a@b.example;transport=tcp", Tcp),
            ("sips:a@b.example:5061", Tls),
        ] {
            assert_eq!(of(text, &all), Some(Transports::Named(named)), "{text}");
        }
        assert_eq!(of("sips:a@b.example", &[Udp]), None);
        assert_eq!(of("sip:a@b.example;transport=tcp", &[Udp]), None);
    }
}
