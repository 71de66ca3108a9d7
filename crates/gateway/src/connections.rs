//! Which connections there are.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sip::access::household;
use sip::{ConnectionId, Flow, Transport};
use tokio::sync::mpsc::{self, Receiver, Sender, error::TrySendError};

use crate::Settings;
use crate::limits::{
    COMERS_MAX, CONNECTIONS_BURST_MAX, CONNECTIONS_PER_SECOND_MAX, OUTGOING_QUEUED_MAX,
};

/// What is to be written to a connection.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// A message, and the flow on which it was to go.
    Message { flow: Flow, bytes: Vec<u8> },
    /// The answer to a keep-alive (RFC 5626 §4.4.1).
    Pong,
}

/// A connection that was entered: its number and what is to be written to it.
///
/// The table holds the queue's other end. When the table lets it go, the connection writes what
/// is left and ends.
#[derive(Debug)]
pub(crate) struct Entered {
    pub(crate) id: ConnectionId,
    pub(crate) queue: Receiver<Outgoing>,
    pub(crate) pongs: mpsc::WeakSender<Outgoing>,
}

/// What became of a message that was handed over.
#[derive(Debug)]
pub(crate) enum Handed {
    /// It waits on a connection.
    Queued,
    /// It waits on a connection that is to be opened.
    Opening(Entered),
    /// There are too many connections to open another.
    TooMany,
    /// There is no way to its peer.
    Refused,
}

/// Why a connection is not accepted.
#[derive(Debug)]
pub(crate) enum TooMany {
    /// There are too many.
    Altogether,
    /// There are too many from its address.
    FromAddress,
    /// Too many came from its address lately.
    Lately,
}

/// All connections. The lock is held for a few map operations at a time.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    last_id: u64,
    by_id: BTreeMap<ConnectionId, Entry>,
    /// The latest connection with each peer that still takes messages.
    id_by_peer: BTreeMap<Peer, ConnectionId>,
    comers: BTreeMap<[u8; 8], Comer>,
    /// No connection is entered any more.
    closed: bool,
}

/// Who has connected to us lately: one address, or all of an IPv6 /64.
#[derive(Debug, Clone, Copy)]
struct Comer {
    /// Its connections.
    open: usize,
    /// When it would have come as often as it has if it had come evenly, and no more often than it
    /// may. In the past for who came seldom.
    even_at: Instant,
}

/// Time between connections that come as often as they may.
const EVENLY: Duration = Duration::from_millis(1_000 / CONNECTIONS_PER_SECOND_MAX as u64);

/// How far ahead of that somebody may be.
const AHEAD_MAX: Duration =
    Duration::from_millis(1_000 * CONNECTIONS_BURST_MAX as u64 / CONNECTIONS_PER_SECOND_MAX as u64);

/// Whom a connection leads to. One that was certified for a name serves nobody else who happens to
/// have the same address (RFC 5923 §7).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Peer {
    pub(crate) transport: Transport,
    pub(crate) remote: SocketAddr,
    pub(crate) name: Option<Arc<str>>,
}

#[derive(Debug)]
struct Entry {
    peer: Peer,
    accepted: bool,
    way: Way,
}

/// What may be written to a connection.
#[derive(Debug)]
enum Way {
    /// All that goes to its peer.
    Open(Sender<Outgoing>),
    /// Answers to what the peer has asked. It has said its last, so it would answer nothing by it.
    AnswersOnly(Sender<Outgoing>),
    /// Nothing any more.
    Cut,
}

impl Connections {
    /// Enters a connection that a peer has opened.
    ///
    /// # Errors
    /// Of what there are too many.
    pub(crate) fn accept(
        &self,
        now: Instant,
        flow: &Flow,
        settings: &Settings,
    ) -> Result<Entered, TooMany> {
        let Flow { transport, remote, .. } = *flow;
        let mut table = self.lock();
        let who = household(remote.ip());
        let came = table.comers.get(&who).copied();
        let Comer { open, even_at } = came.unwrap_or(Comer { open: 0, even_at: now });
        // A proxy on this machine that has TLS for browsers speaks for many.
        let is_proxy = transport == Transport::Ws && remote.ip().to_canonical().is_loopback();
        if open >= settings.connections_per_ip_max && !is_proxy {
            return Err(TooMany::FromAddress);
        }
        let even_at = even_at.max(now) + EVENLY;
        if even_at > now + AHEAD_MAX && !is_proxy {
            return Err(TooMany::Lately);
        }
        let peer = Peer { transport, remote, name: None };
        let entered = table.enter(peer, true, settings.connections_max);
        let entered = entered.ok_or(TooMany::Altogether)?;
        table.forget_comers(now);
        table.comers.insert(who, Comer { open: open + 1, even_at });
        Ok(entered)
    }

    /// The peer of a connection has said its last: only answers still go by it.
    pub(crate) fn answer_only(&self, id: ConnectionId) {
        let mut table = self.lock();
        let Some(entry) = table.by_id.get_mut(&id) else { return };
        entry.way = match std::mem::replace(&mut entry.way, Way::Cut) {
            Way::Open(queue) | Way::AnswersOnly(queue) => Way::AnswersOnly(queue),
            Way::Cut => Way::Cut,
        };
        let peer = entry.peer.clone();
        table.forget_peer(id, &peer);
    }

    /// Hands a message to its flow's connection, else to one that leads to the same peer, else to
    /// one that the caller is to open. A peer that leaves too much unread is cut.
    ///
    /// `name` is what the peer's certificate must name.
    pub(crate) fn hand_over(
        &self,
        flow: Flow,
        name: Option<Arc<str>>,
        bytes: Vec<u8>,
        settings: &Settings,
    ) -> Handed {
        let mut table = self.lock();
        let is_answer = bytes.starts_with(b"SIP/2.0 ");
        let outgoing = Outgoing::Message { flow, bytes };
        let named = flow.connection.filter(|id| table.queue(*id, is_answer).is_some());
        let peer = Peer { transport: flow.transport, remote: flow.remote, name };
        let known = named.or_else(|| table.id_by_peer.get(&peer).copied());
        let (id, opening) = match known {
            Some(id) => (id, None),
            None if table.closed || !flow.transport.reaches_out() => return Handed::Refused,
            None => match table.enter(peer, false, settings.connections_max) {
                Some(entered) => (entered.id, Some(entered)),
                None => return Handed::TooMany,
            },
        };
        match table.queue(id, is_answer).map(|queue| queue.try_send(outgoing)) {
            Some(Ok(())) => opening.map_or(Handed::Queued, Handed::Opening),
            Some(Err(TrySendError::Full(_))) => {
                table.cut(id);
                Handed::Refused
            }
            // It is just ending.
            Some(Err(TrySendError::Closed(_))) | None => Handed::Refused,
        }
    }

    /// Takes out a connection that has ended. True if it had been cut.
    pub(crate) fn remove(&self, id: ConnectionId) -> bool {
        let mut table = self.lock();
        let closed = table.closed;
        let Some(entry) = table.by_id.remove(&id) else { return false };
        table.forget_peer(id, &entry.peer);
        let who = household(entry.peer.remote.ip());
        if entry.accepted
            && let Some(comer) = table.comers.get_mut(&who)
        {
            comer.open -= 1;
        }
        matches!(entry.way, Way::Cut) && !closed
    }

    /// Lets all connections write what waits, and end.
    pub(crate) fn close(&self) {
        let mut table = self.lock();
        table.closed = true;
        table.id_by_peer.clear();
        table.by_id.values_mut().for_each(|entry| entry.way = Way::Cut);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.lock().by_id.len()
    }

    /// A panic elsewhere leaves the table whole: no operation on it is left half done.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn enter(&mut self, peer: Peer, accepted: bool, connections_max: usize) -> Option<Entered> {
        if self.closed || self.by_id.len() >= connections_max {
            return None;
        }
        self.last_id += 1;
        let id = ConnectionId(self.last_id);
        let (sender, queue) = mpsc::channel(OUTGOING_QUEUED_MAX);
        let pongs = sender.downgrade();
        self.id_by_peer.insert(peer.clone(), id);
        self.by_id.insert(id, Entry { peer, accepted, way: Way::Open(sender) });
        Some(Entered { id, queue, pongs })
    }

    fn queue(&self, id: ConnectionId, is_answer: bool) -> Option<&Sender<Outgoing>> {
        match &self.by_id.get(&id)?.way {
            Way::Open(queue) => Some(queue),
            Way::AnswersOnly(queue) => Some(queue).filter(|_| is_answer),
            Way::Cut => None,
        }
    }

    /// Keeps the table of those who came small. Who has a connection is never forgotten.
    fn forget_comers(&mut self, now: Instant) {
        if self.comers.len() >= COMERS_MAX {
            self.comers.retain(|_, comer| comer.open > 0 || comer.even_at > now);
        }
        if self.comers.len() >= COMERS_MAX {
            self.comers.retain(|_, comer| comer.open > 0);
        }
    }

    fn cut(&mut self, id: ConnectionId) {
        let Some(entry) = self.by_id.get_mut(&id) else { return };
        entry.way = Way::Cut;
        let peer = entry.peer.clone();
        self.forget_peer(id, &peer);
    }

    fn forget_peer(&mut self, id: ConnectionId, peer: &Peer) {
        if self.id_by_peer.get(peer) == Some(&id) {
            self.id_by_peer.remove(peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings { connections_max: 3, connections_per_ip_max: 2, ..Settings::default() }
    }

    fn flow(connection: Option<ConnectionId>, remote: &str) -> Flow {
        let local = "192.0.2.1:5060".parse().unwrap();
        Flow { transport: Transport::Tcp, local, remote: remote.parse().unwrap(), connection }
    }

    fn accept(connections: &Connections, remote: &str) -> Result<Entered, TooMany> {
        connections.accept(Instant::now(), &flow(None, remote), &settings())
    }

    fn hand_over(connections: &Connections, flow: Flow) -> Handed {
        connections.hand_over(flow, None, b"x".to_vec(), &settings())
    }

    #[test]
    fn one_address_cannot_fill_the_table() {
        let connections = Connections::default();
        let first = accept(&connections, "10.0.0.1:1").unwrap();
        let _second = accept(&connections, "10.0.0.1:2").unwrap();
        assert!(matches!(accept(&connections, "10.0.0.1:3"), Err(TooMany::FromAddress)));
        let _third = accept(&connections, "10.0.0.2:1").unwrap();
        // Three are all that there may be, whoever opens them.
        assert!(matches!(accept(&connections, "10.0.0.3:1"), Err(TooMany::Altogether)));
        assert!(matches!(hand_over(&connections, flow(None, "10.0.0.3:1")), Handed::TooMany));
        assert!(!connections.remove(first.id));
        assert!(accept(&connections, "10.0.0.1:3").is_ok());
    }

    #[test]
    fn all_of_a_network_that_one_host_has_for_itself_is_one_address() {
        let connections = Connections::default();
        let _first = accept(&connections, "[2001:db8::1]:1").unwrap();
        let _second = accept(&connections, "[2001:db8::ffff:2]:1").unwrap();
        assert!(matches!(accept(&connections, "[2001:db8::3]:1"), Err(TooMany::FromAddress)));
        assert!(accept(&connections, "[2001:db8:0:1::1]:1").is_ok());
    }

    #[test]
    fn who_comes_again_and_again_is_not_let_in_for_a_while_and_others_are() {
        let connections = Connections::default();
        let start = Instant::now();
        let come = |at, remote: &str| {
            let entered = connections.accept(at, &flow(None, remote), &settings());
            entered.map(|entered| connections.remove(entered.id))
        };
        for _ in 0..CONNECTIONS_BURST_MAX {
            assert!(come(start, "10.0.0.1:1").is_ok());
        }
        assert!(matches!(come(start, "10.0.0.1:1"), Err(TooMany::Lately)));
        assert!(come(start, "10.0.0.2:1").is_ok());
        let later = start + Duration::from_secs(1);
        for _ in 0..CONNECTIONS_PER_SECOND_MAX {
            assert!(come(later, "10.0.0.1:1").is_ok());
        }
        assert!(matches!(come(later, "10.0.0.1:1"), Err(TooMany::Lately)));
    }

    #[test]
    fn those_who_came_and_went_are_forgotten_and_none_that_is_there() {
        let connections = Connections::default();
        let now = Instant::now();
        let kept = accept(&connections, "10.0.0.1:1").unwrap();
        for n in 0..2 * COMERS_MAX {
            let remote = format!("[2001:db8:{:x}:{:x}::1]:1", n >> 16, n & 0xffff);
            let entered = connections.accept(now, &flow(None, &remote), &settings()).unwrap();
            connections.remove(entered.id);
        }
        assert!(connections.lock().comers.len() <= COMERS_MAX);
        connections.remove(kept.id);
        assert_eq!(connections.count(), 0);
    }

    #[test]
    fn by_a_connection_whose_peer_has_said_its_last_only_answers_go() {
        let connections = Connections::default();
        let entered = accept(&connections, "10.0.0.1:1").unwrap();
        connections.answer_only(entered.id);
        let named = flow(Some(entered.id), "10.0.0.1:1");
        let hand = |bytes: &[u8]| connections.hand_over(named, None, bytes.into(), &settings());
        assert!(matches!(hand(b"SIP/2.0 200 OK"), Handed::Queued));
        assert!(matches!(hand(b"BYE sip:a SIP/2.0"), Handed::Opening(_)));
        assert!(!connections.remove(entered.id), "it was not cut");
    }

    #[test]
    fn a_proxy_on_this_machine_may_have_as_many_as_there_may_be() {
        let connections = Connections::default();
        let browser = |port: u16| {
            let flow = flow(None, &format!("127.0.0.1:{port}"));
            let flow = Flow { transport: Transport::Ws, ..flow };
            connections.accept(Instant::now(), &flow, &settings())
        };
        let all: Vec<_> = (1..=3).map(browser).collect();
        assert!(all.iter().all(Result::is_ok), "{all:?}");
        assert!(matches!(browser(4), Err(TooMany::Altogether)));
    }

    #[test]
    fn a_message_goes_by_its_connection_else_by_its_peer_else_by_one_to_be_opened() {
        let connections = Connections::default();
        let mut one = accept(&connections, "10.0.0.1:1").unwrap();
        let mut two = accept(&connections, "10.0.0.2:1").unwrap();
        let named = flow(Some(one.id), "10.0.0.2:1");
        assert!(matches!(hand_over(&connections, named), Handed::Queued));
        assert!(matches!(one.queue.try_recv(), Ok(Outgoing::Message { .. })));
        assert!(!connections.remove(one.id));
        assert!(matches!(hand_over(&connections, named), Handed::Queued));
        assert!(matches!(two.queue.try_recv(), Ok(Outgoing::Message { .. })));
        let elsewhere = flow(Some(one.id), "10.0.0.3:5060");
        let Handed::Opening(mut opening) = hand_over(&connections, elsewhere) else {
            panic!("a connection to be opened")
        };
        assert!(opening.id > two.id, "numbers are never used twice");
        assert!(matches!(hand_over(&connections, elsewhere), Handed::Queued));
        assert!(matches!(opening.queue.try_recv(), Ok(Outgoing::Message { .. })));
        assert!(matches!(opening.queue.try_recv(), Ok(Outgoing::Message { .. })));
    }

    #[test]
    fn a_peer_that_leaves_too_much_unread_is_cut() {
        let connections = Connections::default();
        let mut entered = accept(&connections, "10.0.0.1:1").unwrap();
        let flow = flow(Some(entered.id), "10.0.0.1:1");
        for _ in 0..OUTGOING_QUEUED_MAX {
            assert!(matches!(hand_over(&connections, flow), Handed::Queued));
        }
        assert!(matches!(hand_over(&connections, flow), Handed::Refused));
        assert_eq!(connections.count(), 1, "it counts until its socket is closed");
        let left = std::iter::from_fn(|| entered.queue.try_recv().ok()).count();
        assert_eq!(left, OUTGOING_QUEUED_MAX);
        assert_eq!(entered.queue.try_recv().unwrap_err(), mpsc::error::TryRecvError::Disconnected);
        assert!(connections.remove(entered.id), "it was cut");
    }

    #[test]
    fn nothing_is_entered_after_the_close() {
        let connections = Connections::default();
        let entered = accept(&connections, "10.0.0.1:1").unwrap();
        connections.close();
        assert!(accept(&connections, "10.0.0.2:1").is_err());
        assert!(matches!(hand_over(&connections, flow(None, "10.0.0.1:1")), Handed::Refused));
        assert!(!connections.remove(entered.id), "it was closed, not cut");
    }
}
