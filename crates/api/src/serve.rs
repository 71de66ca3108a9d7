//! Connections: how many, how slow, and their end.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use model::household;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::admit::Peer;
use crate::limits::{
    ACCEPT_PAUSE, CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, HEADER_WAIT_MAX, SHUTDOWN_WAIT_MAX,
};
use crate::router::Doors;
use crate::tally::{Limit, Tally};

/// Serves the router until `shutdown` is done; then takes no more connections, lets requests end
/// for a few seconds, and returns. WebSockets end when the feed is closed
/// ([`Feed::close`](crate::Feed::close)). The proxies of `doors` may have as many connections as
/// there may be, for they speak for many.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    doors: watch::Receiver<Doors>,
    shutdown: impl Future<Output = ()>,
) {
    let seats = Seats::new(doors);
    let closing = watch::Sender::new(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            (stream, seat) = accept(&listener, &seats) => {
                connections.spawn(converse(stream, seat, router.clone(), closing.subscribe()));
            }
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    // Only this connection is lost by it.
                    tracing::error!(%error, "a request panicked");
                }
            }
        }
    }
    drop(listener);
    closing.send_replace(());
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(SHUTDOWN_WAIT_MAX, ended).await.is_err() {
        tracing::warn!("requests that took too long to end are cut");
    }
}

/// One connection, until it ends, becomes a WebSocket, or has answered its last request.
async fn converse(stream: TcpStream, seat: Seat, router: Router, mut closing: watch::Receiver<()>) {
    let requests = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(seat.0.address));
        request.extensions_mut().insert(seat.clone());
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_WAIT_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(requests))
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        // Whether told to close or left alone: this connection's present request is its last.
        _ = closing.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

/// The next connection that may have a seat.
async fn accept(listener: &TcpListener, seats: &Seats) -> (TcpStream, Seat) {
    loop {
        if seats.free.available_permits() == 0 {
            seats.tally.count(Limit::Connections);
        }
        let permit = Arc::clone(&seats.free).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, remote)) => {
                if let Some(seat) = seats.take(remote.ip(), permit) {
                    return (stream, seat);
                }
                tracing::debug!("too many connections from one address");
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A connection's right to be there. A WebSocket keeps it beyond the handshake.
#[derive(Clone, Debug)]
pub(crate) struct Seat(Arc<Taken>);

#[derive(Debug)]
struct Taken {
    address: IpAddr,
    by_household: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
    tally: Arc<Tally>,
    _permit: OwnedSemaphorePermit,
}

impl Seat {
    /// What was counted of all connections.
    pub(crate) fn tally(&self) -> &Tally {
        &self.0.tally
    }
}

#[derive(Debug)]
struct Seats {
    free: Arc<Semaphore>,
    by_household: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
    tally: Arc<Tally>,
    doors: watch::Receiver<Doors>,
}

impl Seats {
    fn new(doors: watch::Receiver<Doors>) -> Seats {
        let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Seats { free, by_household: Arc::default(), tally: Arc::default(), doors }
    }

    fn take(&self, address: IpAddr, permit: OwnedSemaphorePermit) -> Option<Seat> {
        let mut by_household = self.by_household.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = by_household.entry(household(address)).or_default();
        // A reverse proxy, or a test of load on this machine, speaks for many.
        let is_many =
            || address.to_canonical().is_loopback() || self.doors.borrow().proxies.has(address);
        if *taken >= CONNECTIONS_PER_ADDRESS_MAX && !is_many() {
            self.tally.count(Limit::ConnectionsPerAddress);
            return None;
        }
        *taken += 1;
        let (by_household, tally) = (Arc::clone(&self.by_household), Arc::clone(&self.tally));
        Some(Seat(Arc::new(Taken { address, by_household, tally, _permit: permit })))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut by_household = self.by_household.lock().unwrap_or_else(PoisonError::into_inner);
        let household = household(self.address);
        if let Some(taken) = by_household.get_mut(&household) {
            *taken -= 1;
            if *taken == 0 {
                by_household.remove(&household);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::proxies::Proxies;

    use super::*;

    #[tokio::test]
    async fn one_address_cannot_take_every_seat() {
        let proxy: IpAddr = "192.0.2.3".parse().unwrap();
        let doors =
            Doors { proxies: Proxies::new(move |address| address == proxy), ..Doors::default() };
        let seats = Seats::new(watch::channel(doors).1);
        let take = |address: IpAddr| {
            seats.take(address, Arc::clone(&seats.free).try_acquire_owned().unwrap())
        };
        let greedy: IpAddr = "192.0.2.1".parse().unwrap();
        let mut taken: Vec<_> =
            (0..CONNECTIONS_PER_ADDRESS_MAX).map(|_| take(greedy).unwrap()).collect();
        assert!(take(greedy).is_none());
        assert_eq!(seats.tally.of(Limit::ConnectionsPerAddress), 1);
        assert!(take("192.0.2.2".parse().unwrap()).is_some());
        let many: Vec<_> = (0..=CONNECTIONS_PER_ADDRESS_MAX).map(|_| take(proxy)).collect();
        assert!(many.iter().all(Option::is_some), "it speaks for many");
        drop(many);
        taken.pop();
        assert!(take(greedy).is_some());
        taken.clear();
        assert!(seats.by_household.lock().unwrap().is_empty());
        assert_eq!(seats.free.available_permits(), CONNECTIONS_MAX);
    }

    #[tokio::test]
    async fn a_host_with_many_addresses_has_no_more_seats_than_one_with_one() {
        let seats = Seats::new(watch::channel(Doors::default()).1);
        let take = |address: String| {
            let permit = Arc::clone(&seats.free).try_acquire_owned().unwrap();
            seats.take(address.parse().unwrap(), permit)
        };
        let taken: Vec<_> = (1..=CONNECTIONS_PER_ADDRESS_MAX)
            .map(|host| take(format!("2001:db8::{host:x}")).unwrap())
            .collect();
        assert!(take("2001:db8::ffff:1".to_owned()).is_none());
        assert!(take("2001:db8:0:1::1".to_owned()).is_some());
        drop(taken);
        assert!(take("2001:db8::ffff:1".to_owned()).is_some());
    }
}
