//! Dialogs: what two sides remember of each other (RFC 3261 §12).

use std::net::{IpAddr, SocketAddr};

use crate::arrival::Arrival;
use crate::config::Config;
use crate::flow::{ConnectionId, Flow, Transport};
use crate::limits::MAX_FORWARDS;
use crate::message::{HeaderName, Headers, Host, Method, NameAddr, Request, Response, Uri};
use crate::session::BySize;

/// One dialog, or one that is about to be.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    /// Whether the Call-ID is ours, which decides who waits longer after a collision (§14.1).
    pub(crate) ours: bool,
    /// Our address with our tag.
    pub(crate) local: NameAddr,
    /// Their address, with their tag once that is known.
    pub(crate) remote: NameAddr,
    /// The number of our last request.
    pub(crate) local_cseq: u32,
    /// The number of their last request.
    pub(crate) remote_cseq: Option<u32>,
    /// Their Contact.
    pub(crate) remote_target: Uri,
    /// The proxies in the way, nearest first.
    pub(crate) routes: Vec<NameAddr>,
    /// Where their last message came from.
    pub(crate) flow: Flow,
    /// The user that our Contact names instead of that of `local`.
    pub(crate) appears_as: Option<String>,
    /// Whether requests keep to `flow`, see [`Dialog::next_hop`].
    pub(crate) pinned: bool,
}

impl Dialog {
    /// The dialog that an INVITE opens with us (§12.1.1).
    ///
    /// # Errors
    /// A reason phrase when Contact or Record-Route cannot be read.
    pub(crate) fn answering(arrival: &Arrival, tag: &str) -> Result<Dialog, &'static str> {
        let headers = &arrival.request.headers;
        let contact = contact(headers).map_err(|BadContact| "Bad Contact")?;
        let routes = headers.values(&HeaderName::RecordRoute);
        let routes: Result<Vec<NameAddr>, _> = routes.iter().map(|route| route.parse()).collect();
        let streamed = arrival.source.transport.is_reliable();
        Ok(Dialog {
            call_id: arrival.call_id.clone(),
            ours: false,
            local: arrival.to.clone().with_tag(tag),
            remote: arrival.from.clone(),
            local_cseq: 0,
            remote_cseq: Some(arrival.cseq.number),
            // Clients of RFC 2543 may give no Contact (RFC 4475 §3.3.15).
            remote_target: contact.unwrap_or_else(|| arrival.from.uri.clone()),
            routes: routes.map_err(|_| "Bad Record-Route")?,
            flow: arrival.source,
            appears_as: None,
            pinned: arrival.is_direct() && (streamed || arrival.via.params.has("rport")),
        })
    }

    /// Takes what the 2xx to our INVITE says (§12.1.2).
    pub(crate) fn confirm(&mut self, response: &Response, flow: Flow) {
        let headers = &response.headers;
        if let Some(to) = response.to() {
            self.remote = to;
        }
        let routes = headers.values(&HeaderName::RecordRoute);
        self.routes = routes.iter().rev().filter_map(|route| route.parse().ok()).collect();
        self.flow = flow;
        self.pinned = self.routes.is_empty() && (self.pinned || flow.transport.is_reliable());
        self.refresh(headers);
    }

    /// Takes a changed Contact (§12.2.1.2, §12.2.2); one that cannot be read changes nothing.
    pub(crate) fn refresh(&mut self, headers: &Headers) {
        if let Ok(Some(target)) = contact(headers) {
            self.remote_target = target;
        }
    }

    /// Follows a peer that keeps to its flow when that changes: a NAT that chose another port, a
    /// connection that was opened anew. The tags have been compared by then.
    pub(crate) fn follow(&mut self, arrival: &Arrival) {
        if self.pinned && arrival.is_direct() {
            self.flow = arrival.source;
        }
    }

    /// Whether a message with that tag of the other side belongs here (§12: a missing tag is
    /// empty).
    pub(crate) fn is_with(&self, remote_tag: Option<&str>) -> bool {
        self.remote.tag().unwrap_or("") == remote_tag.unwrap_or("")
    }

    /// Where requests in this dialog go.
    ///
    /// 1. A peer that called us with no proxy between and asked for `rport` (RFC 3581), one that we
    ///    called along the flow of its registration, and any peer that we speak to over a
    ///    connection without a proxy, keeps to its flow: it may sit behind NAT, where its Contact
    ///    cannot be reached. Over TCP while the connection lives.
    /// 2. Otherwise the next hop is the first route or the Contact (§12.2.1.1), if that is an
    ///    address that can be reached: a private one told by a peer that we see at a public one
    ///    cannot.
    /// 3. What is left (a host name, a private address) goes along the flow: whoever sent the last
    ///    message of the dialog knows the way.
    pub(crate) fn next_hop(&self, config: &Config) -> Flow {
        let lives = !self.flow.transport.is_reliable() || self.flow.connection.is_some();
        if self.pinned && lives {
            return self.flow;
        }
        let next = self.routes.first().map_or(&self.remote_target, |route| &route.uri);
        let Some((transport, address)) = literal(next) else { return self.flow };
        if is_private(address.ip()) && !is_private(self.flow.remote.ip()) {
            return self.flow;
        }
        if (transport, address) == (self.flow.transport, self.flow.remote) {
            return self.flow;
        }
        config.flow_to(transport, address).unwrap_or(self.flow)
    }

    /// How a request in this dialog goes that is too large for a datagram. Behind NAT there is
    /// nothing that a stream could be opened to.
    pub(crate) fn by_size(&self) -> BySize {
        if self.pinned { BySize::AsAsked } else { BySize::Tcp }
    }

    /// Whether the peer keeps to a connection that is gone.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.pinned && self.flow.transport.is_reliable() && self.flow.connection.is_none()
    }

    /// A connection is gone: requests find another one.
    pub(crate) fn connection_closed(&mut self, connection: ConnectionId) {
        if self.flow.connection == Some(connection) {
            self.flow.connection = None;
        }
    }

    /// A request in this dialog, but for its Via (§12.2.1.1).
    pub(crate) fn request(&self, method: Method, cseq: u32) -> Request {
        let mut headers = Headers::new();
        let mut target = self.remote_target.to_string();
        let mut routes: Vec<String> = self.routes.iter().map(NameAddr::to_string).collect();
        if let Some(first) = self.routes.first().filter(|route| !is_loose(&route.uri)) {
            // A strict router takes the Request-URI for its own and the last route for the target.
            routes.remove(0);
            routes.push(format!("<{target}>"));
            target = first.uri.to_string();
        }
        for route in routes {
            headers.push(HeaderName::Route, route);
        }
        headers.push(HeaderName::MaxForwards, MAX_FORWARDS.to_string());
        headers.push(HeaderName::From, self.local.to_string());
        headers.push(HeaderName::To, self.remote.to_string());
        headers.push(HeaderName::CallId, self.call_id.as_str());
        headers.push(HeaderName::CSeq, format!("{cseq} {method}"));
        Request { method, target, headers, body: Vec::new() }
    }
}

/// The Contact is there, but it is none.
struct BadContact;

fn contact(headers: &Headers) -> Result<Option<Uri>, BadContact> {
    let Some(first) = headers.values(&HeaderName::Contact).into_iter().next() else {
        return Ok(None);
    };
    first.parse().map(|contact: NameAddr| Some(contact.uri)).map_err(|_| BadContact)
}

fn is_loose(uri: &Uri) -> bool {
    match uri {
        Uri::Sip(sip) => sip.params.has("lr"),
        Uri::Tel(_) | Uri::Other(_) => false,
    }
}

/// The transport and address that a URI names without any lookup.
pub(crate) fn literal(uri: &Uri) -> Option<(Transport, SocketAddr)> {
    let Uri::Sip(sip) = uri else { return None };
    let Host::Ip(ip) = sip.host else { return None };
    let transport = Transport::asked_by(sip)?;
    Some((transport, SocketAddr::new(ip, sip.port.unwrap_or(transport.default_port()))))
}

/// Whether the address means something else, or nothing, in another network.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || shared
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialog(routes: &[&str], target: &str, flow: Flow, pinned: bool) -> Dialog {
        Dialog {
            call_id: "c".to_owned(),
            ours: false,
            local: "<sip:us@h>;tag=1".parse().unwrap(),
            remote: "<sip:them@h>;tag=2".parse().unwrap(),
            local_cseq: 1,
            remote_cseq: None,
            remote_target: target.parse().unwrap(),
            routes: routes.iter().map(|route| route.parse().unwrap()).collect(),
            flow,
            appears_as: None,
            pinned,
        }
    }

    fn flow(transport: Transport, remote: &str, connection: Option<u64>) -> Flow {
        Flow {
            transport,
            local: "198.51.100.1:5060".parse().unwrap(),
            remote: remote.parse().unwrap(),
            connection: connection.map(ConnectionId),
        }
    }

    #[test]
    fn a_request_takes_the_way_that_reaches_the_peer() {
        use Transport::{Tcp, Udp};
        let listeners = [Udp, Tcp].map(|kind| (kind, "198.51.100.1:5060".parse().unwrap()));
        let config = Config::new(listeners.to_vec());
        let public = flow(Udp, "192.0.2.9:40000", None);
        let stream = flow(Tcp, "192.0.2.9:40000", Some(1));
        let closed = flow(Tcp, "192.0.2.9:40000", None);
        let proxy = "<sip:192.0.2.50;lr>";
        for (dialog, transport, remote, connection) in [
            (dialog(&[], "sip:a@192.0.2.77", public, true), Udp, "192.0.2.9:40000", None),
            (dialog(&[], "sip:a@192.0.2.77", public, false), Udp, "192.0.2.77:5060", None),
            (dialog(&[], "sip:a@10.0.0.1", public, false), Udp, "192.0.2.9:40000", None),
            (dialog(&[], "sip:a@phone.example", public, false), Udp, "192.0.2.9:40000", None),
            (dialog(&[proxy], "sip:a@10.0.0.1", public, false), Udp, "192.0.2.50:5060", None),
            (dialog(&[], "sip:a@192.0.2.9", stream, true), Tcp, "192.0.2.9:40000", Some(1)),
            (
                dialog(&[], "sip:a@192.0.2.9:5070;transport=tcp", closed, true),
                Tcp,
                "192.0.2.9:5070",
                None,
            ),
            (
                dialog(&[], "sip:a@10.0.0.1;transport=tcp", closed, true),
                Tcp,
                "192.0.2.9:40000",
                None,
            ),
        ] {
            let hop = dialog.next_hop(&config);
            assert_eq!(hop, flow(transport, remote, connection), "{dialog:?}");
        }
    }

    #[test]
    fn strict_and_loose_routes_shape_the_request_as_the_rfc_has_it() {
        let flow = flow(Transport::Udp, "192.0.2.9:5060", None);
        let loose = dialog(&["<sip:p1;lr>", "<sip:p2>"], "sip:a@b", flow, false);
        let request = loose.request(Method::Bye, 2);
        assert_eq!(request.target, "sip:a@b");
        assert_eq!(request.headers.values(&HeaderName::Route), ["<sip:p1;lr>", "<sip:p2>"]);
        let strict = dialog(&["<sip:p1>", "<sip:p2>"], "sip:a@b", flow, false);
        let request = strict.request(Method::Bye, 2);
        assert_eq!(request.target, "sip:p1");
        assert_eq!(request.headers.values(&HeaderName::Route), ["<sip:p2>", "<sip:a@b>"]);
    }
}
