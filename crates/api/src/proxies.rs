//! Whom a proxy speaks for.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::HeaderMap;

use crate::limits::PROXY_HOPS_MAX;

/// The proxies that are believed when they say for whom they ask: by default nobody is.
#[derive(Clone)]
pub struct Proxies(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl Proxies {
    /// Those for whose address this is true.
    pub fn new(are: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Proxies {
        Proxies(Arc::new(are))
    }

    /// Whether somebody is one of them.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.0(address)
    }

    /// Who asks: `peer`, or whom it and the proxies before it name in `X-Forwarded-For`. Each adds
    /// at the end from whom it has the request, so that the last who is no proxy of ours is who
    /// came to them; what stands before that is anybody's word.
    pub(crate) fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines = headers.get_all("x-forwarded-for").iter();
        let hops = lines.flat_map(|line| line.to_str().unwrap_or("").split(','));
        let mut origin = peer;
        for hop in hops.rev().take(PROXY_HOPS_MAX) {
            match address(hop.trim()) {
                Some(before) if self.has(origin) => origin = before,
                Some(_) | None => break,
            }
        }
        origin
    }
}

impl Default for Proxies {
    fn default() -> Proxies {
        Proxies::new(|_| false)
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxies")
    }
}

/// An address, which some write with the port, and that of IPv6 in brackets.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(peer: &str, lines: &[&str]) -> String {
        let ours = ["127.0.0.1", "10.0.0.5"].map(|text| text.parse::<IpAddr>().unwrap());
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let proxies = Proxies::new(move |address| ours.contains(&address));
        proxies.origin(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn who_asks_is_the_last_who_is_no_proxy_of_ours() {
        assert_eq!(origin("127.0.0.1", &["192.0.2.7"]), "192.0.2.7");
        assert_eq!(origin("127.0.0.1", &["192.0.2.7, 10.0.0.5"]), "192.0.2.7");
        assert_eq!(origin("127.0.0.1", &["192.0.2.7", "10.0.0.5"]), "192.0.2.7");
        assert_eq!(origin("127.0.0.1", &["192.0.2.7:4711"]), "192.0.2.7");
        assert_eq!(origin("127.0.0.1", &["[2001:db8::7]:4711"]), "2001:db8::7");
        assert_eq!(origin("127.0.0.1", &["2001:db8::7"]), "2001:db8::7");
        assert_eq!(origin("127.0.0.1", &[]), "127.0.0.1");
    }

    #[test]
    fn nobody_makes_itself_somebody_else() {
        // What a client has made up stands before what our proxy has seen.
        assert_eq!(origin("127.0.0.1", &["198.51.100.1, 192.0.2.7"]), "192.0.2.7");
        assert_eq!(origin("127.0.0.1", &["10.0.0.5", "192.0.2.7"]), "192.0.2.7");
        assert_eq!(origin("192.0.2.7", &["198.51.100.1"]), "192.0.2.7");
        assert_eq!(origin("127.0.0.1", &["198.51.100.1, unknown"]), "127.0.0.1");
        assert_eq!(origin("127.0.0.1", &["198.51.100.1,"]), "127.0.0.1");
    }

    #[test]
    fn unless_told_otherwise_nobody_is_believed() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "192.0.2.7".parse().unwrap());
        let here: IpAddr = "127.0.0.1".parse().unwrap();
        assert_eq!(Proxies::default().origin(here, &headers), here);
    }
}
