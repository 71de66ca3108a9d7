//! Names to servers (RFC 3263), off the path of messages.
//!
//! NAPTR tells by which transport a domain wants to be reached where the URI does not, SRV its
//! servers and their ports where the URI names none, A and AAAA their addresses.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::future::join_all;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use sip::{Server, Transport, Transports};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::limits::{
    ANSWER_WITHIN, RESOLVE_WITHIN, RESOLVES_MAX, RULES_MAX, SRV_TARGETS_MAX, TRANSPORTS_MAX,
};
use crate::naptr::{self, Rule};
use crate::srv::{self, Target};
use crate::stats::Counter;

/// Asks name servers, and the machine's table of hosts.
pub(crate) struct Lookups {
    resolver: Option<TokioResolver>,
    running: Arc<Semaphore>,
    /// What was not looked up because too much else was.
    pub(crate) refused: Counter,
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
        Lookups {
            resolver,
            running: Arc::new(Semaphore::new(RESOLVES_MAX)),
            refused: Counter::default(),
        }
    }

    /// The servers of a host in the order in which they are to be tried. None if the name is not
    /// known, it took too long, or too many lookups run.
    pub(crate) async fn servers(
        &self,
        host: &str,
        port: Option<u16>,
        transports: Transports,
    ) -> Vec<Server> {
        let (transports, is_open) = match transports {
            Transports::Named(transport) => (vec![transport], false),
            Transports::Any(transports) => (transports, true),
        };
        let Some(first) = transports.first().copied() else { return Vec::new() };
        let Ok(_permit) = self.running.try_acquire() else {
            tracing::debug!("too many names are being resolved");
            self.refused.add();
            return Vec::new();
        };
        // A URI writes IPv6 in brackets.
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            let address = SocketAddr::new(ip, port.unwrap_or(first.default_port()));
            return vec![Server { transport: first, address }];
        }
        let Some(resolver) = &self.resolver else { return Vec::new() };
        if bare.is_empty() {
            return Vec::new();
        }
        let search = Search { resolver, until: Instant::now() + RESOLVE_WITHIN };
        match port {
            Some(port) => search.hosts(bare, port, first).await,
            None => search.by_service(bare, &transports, is_open).await,
        }
    }
}

/// One search. When its time is up it has what was found by then.
struct Search<'r> {
    resolver: &'r TokioResolver,
    until: Instant,
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    server
}

impl Search<'_> {
    /// The servers of a domain, by the transports that it wants if those are open; else the host.
    async fn by_service(
        &self,
        domain: &str,
        transports: &[Transport],
        is_open: bool,
    ) -> Vec<Server> {
        let mut wanted = match is_open {
            true => naptr::choose(self.rules(domain).await, transports),
            false => Vec::new(),
        };
        if wanted.is_empty() {
            let usual = transports.iter().filter_map(|kind| Some((*kind, service(domain, *kind)?)));
            wanted = usual.collect();
        }
        let (mut servers, mut is_served) = (Vec::new(), false);
        for (transport, service) in wanted.into_iter().take(TRANSPORTS_MAX) {
            let targets = self.targets(service).await;
            is_served |= !targets.is_empty();
            let mut targets = srv::order(targets, lot);
            targets.truncate(SRV_TARGETS_MAX);
            // A lone target of "." says that there is no such service (RFC 2782).
            targets.retain(|target| target.host != ".");
            // Together: one that nobody tells the address of takes no time from the others.
            let each = targets.iter().map(|to| self.hosts(&to.host, to.port, transport));
            servers.extend(join_all(each).await.into_iter().flatten());
        }
        match transports.first() {
            Some(first) if !is_served => self.hosts(domain, first.default_port(), *first).await,
            Some(_) | None => servers,
        }
    }

    /// What a domain says of the transports by which it is reached (RFC 3263 §4.1).
    async fn rules(&self, domain: &str) -> Vec<Rule> {
        let name = format!("{}.", domain.trim_end_matches('.'));
        let Some(found) = self.look_up(name, RecordType::NAPTR).await else { return Vec::new() };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let rules = found.answers().iter().filter_map(|record| {
            let RData::NAPTR(naptr) = &record.data else { return None };
            Some(Rule {
                order: naptr.order,
                preference: naptr.preference,
                flags: text(&naptr.flags),
                service: text(&naptr.services),
                replacement: naptr.replacement.to_utf8(),
            })
        });
        rules.take(RULES_MAX).collect()
    }

    async fn targets(&self, service: String) -> Vec<Target> {
        let Some(found) = self.look_up(service, RecordType::SRV).await else { return Vec::new() };
        let targets = found.answers().iter().filter_map(|record| {
            let RData::SRV(srv) = &record.data else { return None };
            let host = srv.target.to_utf8();
            Some(Target { priority: srv.priority, weight: srv.weight, port: srv.port, host })
        });
        targets.collect()
    }

    async fn look_up(&self, name: String, kind: RecordType) -> Option<Lookup> {
        match timeout_at(self.until, self.resolver.lookup(name, kind)).await {
            Ok(Ok(found)) => Some(found),
            Ok(Err(error)) => {
                tracing::trace!(%error, %kind, "nothing is known by that name");
                None
            }
            Err(_elapsed) => {
                tracing::debug!(%kind, "a name took too long");
                None
            }
        }
    }

    async fn hosts(&self, host: &str, port: u16, transport: Transport) -> Vec<Server> {
        match timeout_at(self.until, self.resolver.lookup_ip(host)).await {
            Ok(Ok(found)) => found
                .iter()
                .map(|ip| Server { transport, address: SocketAddr::new(ip, port) })
                .collect(),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a name is not known");
                Vec::new()
            }
            Err(_elapsed) => {
                tracing::debug!("a name took too long");
                Vec::new()
            }
        }
    }
}

/// A number up to and with `most`, from the operating system's randomness.
fn lot(most: u32) -> u32 {
    let drawn = RandomState::new().hash_one(most) % (u64::from(most) + 1);
    u32::try_from(drawn).unwrap_or(most)
}

/// The name under which a domain's servers of SIP by that transport are found (RFC 3263 §4.2).
fn service(domain: &str, transport: Transport) -> Option<String> {
    let service = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
        // Clients are not looked up; RFC 7118 leaves it to them to find us.
        Transport::Ws | Transport::Wss => return None,
    };
    Some(format!("{service}.{}.", domain.trim_end_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(host: &str, port: Option<u16>) -> Vec<SocketAddr> {
        let udp = Transports::Named(Transport::Udp);
        let servers = Lookups::new(&[]).servers(host, port, udp).await;
        servers.into_iter().map(|server| server.address).collect()
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
        let udp = Transports::Named(Transport::Udp);
        assert!(lookups.servers("192.0.2.7", None, udp).await.is_empty());
        assert_eq!(lookups.refused.read(), 1);
    }
}
