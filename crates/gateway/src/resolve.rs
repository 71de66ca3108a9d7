//! Names to addresses (RFC 3263), off the path of messages.
//!
//! The transport is known by then: the URI named it, or it is the default. So there is no question
//! to NAPTR; SRV tells servers and ports where the URI names none, A and AAAA their addresses.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use sip::Transport;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::limits::{ANSWER_WITHIN, RESOLVE_WITHIN, RESOLVES_MAX, SRV_TARGETS_MAX};
use crate::srv::{self, Target};

/// Asks name servers, and the machine's table of hosts.
pub(crate) struct Lookups {
    resolver: Option<TokioResolver>,
    running: Arc<Semaphore>,
}

impl std::fmt::Debug for Lookups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lookups").field("running", &self.running).finish_non_exhaustive()
    }
}

impl Lookups {
    /// With these name servers; with those of the system if there are none.
    pub(crate) fn new(name_servers: &[SocketAddr]) -> Lookups {
        let builder = match name_servers {
            [] => TokioResolver::builder_tokio(),
            servers => {
                let servers = servers.iter().map(|server| name_server(*server)).collect();
                let config = ResolverConfig::from_name_servers(servers);
                let provider = TokioRuntimeProvider::default();
                Ok(TokioResolver::builder_with_config(config, provider))
            }
        };
        let resolver = builder.and_then(|mut builder| {
            let options = builder.options_mut();
            options.timeout = ANSWER_WITHIN;
            options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            builder.build()
        });
        let resolver = match resolver {
            Ok(resolver) => Some(resolver),
            Err(error) => {
                tracing::warn!(%error, "no name can be looked up");
                None
            }
        };
        Lookups { resolver, running: Arc::new(Semaphore::new(RESOLVES_MAX)) }
    }

    /// The addresses of a host in the order in which they are to be tried. None if the name is not
    /// known, it took too long, or too many lookups run.
    pub(crate) async fn addresses(
        &self,
        host: &str,
        port: Option<u16>,
        transport: Transport,
    ) -> Vec<SocketAddr> {
        let Ok(_permit) = self.running.try_acquire() else {
            tracing::warn!("too many names are being resolved");
            return Vec::new();
        };
        // A URI writes IPv6 in brackets.
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return vec![SocketAddr::new(ip, port.unwrap_or(transport.default_port()))];
        }
        let Some(resolver) = &self.resolver else { return Vec::new() };
        if bare.is_empty() {
            return Vec::new();
        }
        match timeout(RESOLVE_WITHIN, look_up(resolver, bare, port, transport)).await {
            Ok(addresses) => addresses,
            Err(_elapsed) => {
                tracing::debug!("a name took too long");
                Vec::new()
            }
        }
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    server
}

async fn look_up(
    resolver: &TokioResolver,
    host: &str,
    port: Option<u16>,
    transport: Transport,
) -> Vec<SocketAddr> {
    if let Some(port) = port {
        return hosts(resolver, host, port).await;
    }
    let targets = service(resolver, host, transport).await;
    if targets.is_empty() {
        return hosts(resolver, host, transport.default_port()).await;
    }
    let mut addresses = Vec::new();
    for target in srv::order(targets, lot).into_iter().take(SRV_TARGETS_MAX) {
        // A lone target of "." says that there is no such service (RFC 2782).
        if target.host != "." {
            addresses.extend(hosts(resolver, &target.host, target.port).await);
        }
    }
    addresses
}

/// A number up to and with `most`, from the operating system's randomness.
fn lot(most: u32) -> u32 {
    let drawn = RandomState::new().hash_one(most) % (u64::from(most) + 1);
    u32::try_from(drawn).unwrap_or(most)
}

/// The servers of SIP by that transport in a domain (RFC 3263 §4.2).
async fn service(resolver: &TokioResolver, host: &str, transport: Transport) -> Vec<Target> {
    let service = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
        // Clients are not looked up; RFC 7118 leaves it to them to find us.
        Transport::Ws | Transport::Wss => return Vec::new(),
    };
    let name = format!("{service}.{}.", host.trim_end_matches('.'));
    let found = match resolver.lookup(name, RecordType::SRV).await {
        Ok(found) => found,
        Err(error) => {
            tracing::trace!(%error, "no service is known by that name");
            return Vec::new();
        }
    };
    let targets = found.answers().iter().filter_map(|record| {
        let RData::SRV(srv) = &record.data else { return None };
        let host = srv.target.to_utf8();
        Some(Target { priority: srv.priority, weight: srv.weight, port: srv.port, host })
    });
    targets.collect()
}

async fn hosts(resolver: &TokioResolver, host: &str, port: u16) -> Vec<SocketAddr> {
    match resolver.lookup_ip(host).await {
        Ok(found) => found.iter().map(|ip| SocketAddr::new(ip, port)).collect(),
        Err(error) => {
            tracing::debug!(%error, "a name is not known");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(host: &str, port: Option<u16>) -> Vec<SocketAddr> {
        Lookups::new(&[]).addresses(host, port, Transport::Udp).await
    }

    #[tokio::test]
    async fn an_address_is_its_own_answer_and_has_the_port_of_sip() {
        assert_eq!(resolve("192.0.2.7", None).await, ["192.0.2.7:5060".parse().unwrap()]);
        assert_eq!(resolve("[2001:db8::7]", Some(9)).await, ["[2001:db8::7]:9".parse().unwrap()]);
    }

    #[tokio::test]
    async fn a_name_is_looked_up() {
        let addresses = resolve("localhost", Some(5070)).await;
        assert!(addresses.iter().any(|address| address.ip().is_loopback()), "{addresses:?}");
        assert!(addresses.iter().all(|address| address.port() == 5070));
    }

    #[tokio::test]
    async fn what_is_no_name_has_no_address() {
        assert!(resolve("", None).await.is_empty());
    }

    #[tokio::test]
    async fn beyond_the_bound_nothing_is_looked_up() {
        let mut lookups = Lookups::new(&[]);
        lookups.running = Arc::new(Semaphore::new(0));
        assert!(lookups.addresses("192.0.2.7", None, Transport::Udp).await.is_empty());
    }
}
