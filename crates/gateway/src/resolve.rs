//! Names to addresses, off the path of messages.

use std::net::SocketAddr;
use std::sync::Arc;

use sip::Transport;
use tokio::net::lookup_host;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::limits::RESOLVE_WITHIN;

/// The addresses of a host, in the system's order of preference. None if the name is not known, it
/// took too long, or too many lookups run.
pub(crate) async fn addresses(
    host: &str,
    port: Option<u16>,
    transport: Transport,
    lookups: Arc<Semaphore>,
) -> Vec<SocketAddr> {
    let port = port.unwrap_or(transport.default_port());
    let Ok(permit) = lookups.try_acquire_owned() else {
        tracing::warn!("too many names are being resolved");
        return Vec::new();
    };
    // A URI writes IPv6 in brackets, the resolver does not.
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let bare = bare.to_owned();
    // The system's resolver cannot be interrupted. The lookup keeps its permit until it has really
    // ended, so that an unreachable resolver never holds more than the bound.
    let lookup = tokio::spawn(async move {
        let found = lookup_host((bare, port)).await.map(Vec::from_iter);
        drop(permit);
        found
    });
    match timeout(RESOLVE_WITHIN, lookup).await {
        Ok(Ok(Ok(addresses))) => addresses,
        Ok(Ok(Err(error))) => {
            tracing::debug!(%error, "a name is not known");
            Vec::new()
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "a lookup was lost");
            Vec::new()
        }
        Err(_elapsed) => {
            tracing::debug!("a name took too long");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(host: &str, port: Option<u16>, lookups: usize) -> Vec<SocketAddr> {
        addresses(host, port, Transport::Udp, Arc::new(Semaphore::new(lookups))).await
    }

    #[tokio::test]
    async fn an_address_is_its_own_answer_and_has_the_port_of_sip() {
        assert_eq!(resolve("192.0.2.7", None, 1).await, ["192.0.2.7:5060".parse().unwrap()]);
        assert_eq!(
            resolve("[2001:db8::7]", Some(9), 1).await,
            ["[2001:db8::7]:9".parse().unwrap()]
        );
    }

    #[tokio::test]
    async fn a_name_is_looked_up() {
        let addresses = resolve("localhost", Some(5070), 1).await;
        assert!(addresses.iter().any(|address| address.ip().is_loopback()), "{addresses:?}");
        assert!(addresses.iter().all(|address| address.port() == 5070));
    }

    #[tokio::test]
    async fn what_is_no_name_has_no_address() {
        assert!(resolve("", None, 1).await.is_empty());
    }

    #[tokio::test]
    async fn beyond_the_bound_nothing_is_looked_up() {
        assert!(resolve("192.0.2.7", None, 0).await.is_empty());
    }
}
