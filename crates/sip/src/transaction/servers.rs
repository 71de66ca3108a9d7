//! The server transactions that are alive.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{Action, T1, Timer, TransactionId, server, server_invite};
use crate::agenda::Agenda;
use crate::flow::{ConnectionId, Flow};
use crate::message::{Host, Method, Response};
use crate::outbox::Outbox;
use crate::token::{Fingerprint, Fingerprints, Tokens};

/// What names a server transaction (RFC 3261 §17.2.3).
#[derive(Debug)]
pub(crate) struct ServerKey<'a> {
    /// The top Via's branch; for clients without one, the fields that stand in for it.
    pub(crate) branch: Cow<'a, str>,
    /// The top Via's host.
    pub(crate) host: &'a Host,
    /// The top Via's port.
    pub(crate) port: Option<u16>,
    /// The method; INVITE for an ACK or CANCEL that looks for its INVITE.
    pub(crate) method: &'a Method,
}

/// What copies of one request have in common that came on different ways (RFC 3261 §8.2.2.2).
#[derive(Debug)]
pub(crate) struct MergeKey<'a> {
    pub(crate) call_id: &'a str,
    pub(crate) from_tag: &'a str,
    pub(crate) cseq: u32,
}

/// All server transactions.
///
/// Most of them only wait for copies of a request that was answered, half a minute each. What the
/// other side chose is known by its fingerprint, so that such a one costs the same whatever came.
#[derive(Debug)]
pub(crate) struct Servers {
    /// In boxes: ids only grow, so each node of the map stays half empty, and so is small.
    alive: BTreeMap<TransactionId, Box<Server>>,
    ids: BTreeMap<Fingerprint, TransactionId>,
    merged: BTreeMap<Fingerprint, TransactionId>,
    fingerprints: Fingerprints,
    agenda: Agenda<(TransactionId, Timer)>,
    opened: u64,
    /// The bytes of all responses that are kept.
    response_bytes: usize,
}

#[derive(Debug)]
struct Server {
    key: Fingerprint,
    merge: Option<Fingerprint>,
    method: Method,
    state: State,
    /// Where responses go.
    flow: Flow,
    /// The port that a connection may be opened to when theirs is gone (RFC 3261 §18.2.2).
    listens_at: Option<u16>,
    /// The last response, as long as it may be sent again.
    last: Box<[u8]>,
    interval: Duration,
    /// The To tag of its responses, which that of a CANCEL must be as well (RFC 3261 §9.2).
    tag: String,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Invite(server_invite::State),
    Other(server::State),
}

impl Servers {
    pub(crate) fn new(tokens: &Tokens) -> Servers {
        Servers {
            alive: BTreeMap::new(),
            ids: BTreeMap::new(),
            merged: BTreeMap::new(),
            fingerprints: tokens.fingerprints(b"server transactions"),
            agenda: Agenda::new(),
            opened: 0,
            response_bytes: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.alive.len()
    }

    /// The bytes of all responses that are kept because they may have to be sent again.
    pub(crate) fn response_bytes(&self) -> usize {
        self.response_bytes
    }

    pub(crate) fn next_deadline(&self) -> Option<(Instant, &'static str)> {
        self.agenda.next().map(|(at, (_, timer))| (at, timer.why()))
    }

    pub(crate) fn find(&self, key: &ServerKey<'_>) -> Option<TransactionId> {
        self.ids.get(&self.key(key)).copied()
    }

    /// Whether that INVITE came on another way already.
    pub(crate) fn is_merged(&self, merge: &MergeKey<'_>) -> bool {
        self.merged.contains_key(&self.merge(merge))
    }

    /// The To tag of the transaction's responses.
    pub(crate) fn tag(&self, id: TransactionId) -> Option<&str> {
        self.alive.get(&id).map(|server| server.tag.as_str())
    }

    /// Opens a transaction whose responses go along `flow` with that To tag; where its connection
    /// is gone by then, by a new one to that port, if there is one.
    pub(crate) fn open(
        &mut self,
        key: &ServerKey<'_>,
        merge: Option<&MergeKey<'_>>,
        (flow, listens_at): (Flow, Option<u16>),
        tag: String,
    ) -> TransactionId {
        let id = TransactionId(self.opened);
        self.opened += 1;
        let state = match *key.method == Method::Invite {
            true => State::Invite(server_invite::State::Proceeding),
            false => State::Other(server::State::Trying),
        };
        let (merge, method) = (merge.map(|merge| self.merge(merge)), key.method.clone());
        let key = self.key(key);
        self.ids.insert(key, id);
        if let Some(merge) = merge {
            self.merged.insert(merge, id);
        }
        let last = Box::default();
        let interval = T1;
        let server = Server { key, merge, method, state, flow, listens_at, last, interval, tag };
        self.alive.insert(id, Box::new(server));
        id
    }

    fn key(&self, key: &ServerKey<'_>) -> Fingerprint {
        let ServerKey { branch, host, port, method } = key;
        let address = match host {
            Host::Name(_) => [0; 16],
            Host::Ip(IpAddr::V4(ip)) => ip.to_ipv6_mapped().octets(),
            Host::Ip(IpAddr::V6(ip)) => ip.octets(),
        };
        let name = match host {
            Host::Name(name) => name.as_bytes(),
            Host::Ip(_) => b"",
        };
        let port = port.map_or([0; 2], u16::to_le_bytes);
        let method = method.name().as_bytes();
        self.fingerprints.of(&[branch.as_bytes(), name, &address, &port, method])
    }

    fn merge(&self, merge: &MergeKey<'_>) -> Fingerprint {
        let MergeKey { call_id, from_tag, cseq } = merge;
        self.fingerprints.of(&[call_id.as_bytes(), from_tag.as_bytes(), &cseq.to_le_bytes(), b""])
    }

    /// Keeps that response instead of the one before.
    fn keep(&mut self, id: TransactionId, last: Box<[u8]>) {
        let Some(server) = self.alive.get_mut(&id) else { return };
        self.response_bytes += last.len();
        self.response_bytes -= std::mem::replace(&mut server.last, last).len();
    }

    /// The request came again.
    pub(crate) fn again(&mut self, now: Instant, outbox: &mut Outbox, id: TransactionId) {
        match self.alive.get(&id).map(|server| server.state) {
            Some(State::Invite(_)) => {
                self.invite(now, outbox, id, server_invite::Input::Again, None);
            }
            Some(State::Other(_)) => self.other(now, outbox, id, server::Input::Again, None),
            None => {}
        }
    }

    /// An ACK with the INVITE's branch came: whether the session should see it.
    pub(crate) fn ack(&mut self, now: Instant, outbox: &mut Outbox, id: TransactionId) -> bool {
        let done = self.invite(now, outbox, id, server_invite::Input::Ack, None);
        done.contains(&Action::Report)
    }

    /// Sends a response.
    pub(crate) fn respond(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
        id: TransactionId,
        response: &Response,
    ) {
        let Some(server) = self.alive.get(&id) else { return };
        let status = response.status;
        outbox.stats.responses_sent.count(&server.method, status);
        match server.state {
            State::Invite(_) => {
                let input = if status.is_provisional() {
                    server_invite::Input::Provisional
                } else if status.is_success() {
                    server_invite::Input::Success
                } else {
                    server_invite::Input::Failure
                };
                self.invite(now, outbox, id, input, Some(response));
            }
            State::Other(_) => self.other(now, outbox, id, server::Input::Final, Some(response)),
        }
    }

    /// Whether it is an INVITE's to which nothing was said yet.
    pub(crate) fn is_silent(&self, id: TransactionId) -> bool {
        self.alive.get(&id).is_some_and(|server| match server.state {
            State::Invite(state) => {
                state == server_invite::State::Proceeding && server.last.is_empty()
            }
            State::Other(_) => false,
        })
    }

    /// Sends the last of a session's responses to the transaction's request again.
    pub(crate) fn resend(&self, outbox: &mut Outbox, id: TransactionId, bytes: &[u8]) {
        if let Some(way) = self.alive.get(&id).and_then(|server| server.way()) {
            outbox.resend(way, bytes.to_vec());
        }
    }

    /// Whether the connection that the transaction's request came by is gone.
    pub(crate) fn is_cut_off(&self, id: TransactionId) -> bool {
        self.alive.get(&id).is_some_and(|server| server.is_cut_off())
    }

    /// From now on responses go that way.
    pub(crate) fn lead(&mut self, id: TransactionId, way: Flow) {
        if let Some(server) = self.alive.get_mut(&id) {
            server.flow = way;
        }
    }

    /// Where the transaction's responses go.
    pub(crate) fn flow(&self, id: TransactionId) -> Option<Flow> {
        self.alive.get(&id).map(|server| server.flow)
    }

    /// Runs the next timer that is due; `false` when none is.
    pub(crate) fn timeout(&mut self, now: Instant, outbox: &mut Outbox) -> bool {
        use server_invite::Input;
        let Some((id, timer)) = self.agenda.pop(now) else { return false };
        let input = match timer {
            Timer::G => Input::TimerG,
            Timer::H => Input::TimerH,
            Timer::I => Input::TimerI,
            Timer::L => Input::TimerL,
            Timer::J => {
                self.other(now, outbox, id, server::Input::TimerJ, None);
                return true;
            }
            Timer::A
            | Timer::B
            | Timer::C
            | Timer::D
            | Timer::E
            | Timer::F
            | Timer::K
            | Timer::M => {
                return true;
            }
        };
        self.invite(now, outbox, id, input, None);
        true
    }

    /// Responses that were to use that connection open or find another one (RFC 3261 §18.2.2).
    pub(crate) fn connection_closed(&mut self, connection: ConnectionId) {
        for server in self.alive.values_mut() {
            if server.flow.connection == Some(connection) {
                server.flow.connection = None;
                let port = server.listens_at.unwrap_or(server.flow.remote.port());
                server.flow.remote.set_port(port);
            }
        }
    }

    fn invite(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
        id: TransactionId,
        input: server_invite::Input,
        response: Option<&Response>,
    ) -> &'static [Action] {
        let Some(server) = self.alive.get_mut(&id) else { return &[] };
        let State::Invite(state) = server.state else { return &[] };
        let reliable = server.flow.transport.is_reliable();
        let Some(step) = server_invite::step(state, input, reliable) else { return &[] };
        server.state = State::Invite(step.next);
        self.perform(now, outbox, id, step.actions, response);
        if step.next == server_invite::State::Terminated {
            self.forget(id);
        }
        step.actions
    }

    fn other(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
        id: TransactionId,
        input: server::Input,
        response: Option<&Response>,
    ) {
        let Some(server) = self.alive.get_mut(&id) else { return };
        let State::Other(state) = server.state else { return };
        let reliable = server.flow.transport.is_reliable();
        let Some(step) = server::step(state, input, reliable) else { return };
        server.state = State::Other(step.next);
        self.perform(now, outbox, id, step.actions, response);
        if step.next == server::State::Terminated {
            self.forget(id);
        }
    }

    fn perform(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
        id: TransactionId,
        actions: &[Action],
        response: Option<&Response>,
    ) {
        for action in actions {
            let Some(server) = self.alive.get_mut(&id) else { return };
            match action {
                Action::Send => {
                    if let Some(response) = response {
                        let bytes = response.to_bytes();
                        if let Some(way) = server.way() {
                            outbox.transmit(way, bytes.clone());
                        }
                        self.keep(id, bytes.into());
                    }
                }
                Action::Resend => {
                    if let Some(way) = server.way() {
                        outbox.resend(way, server.last.to_vec());
                    }
                }
                Action::Release => self.keep(id, Box::default()),
                Action::Start(timer) => {
                    self.agenda.set((id, *timer), now + timer.length(server.interval));
                    server.interval = timer.next_interval(server.interval);
                }
                Action::Stop(timer) => self.agenda.clear((id, *timer)),
                // `ack` reads Report from the list of actions; the others are the client's.
                Action::Report
                | Action::Acknowledge
                | Action::TellTimeout
                | Action::TellTransport => {}
            }
        }
    }

    pub(crate) fn forget(&mut self, id: TransactionId) {
        self.keep(id, Box::default());
        let Some(server) = self.alive.remove(&id) else { return };
        self.ids.remove(&server.key);
        if let Some(merge) = &server.merge {
            self.merged.remove(merge);
        }
        self.agenda.clear_within((id, Timer::FIRST)..=(id, Timer::LAST));
    }
}

impl Server {
    fn is_cut_off(&self) -> bool {
        self.flow.transport.is_reliable() && self.flow.connection.is_none()
    }

    /// The way to who waits for the response, if there still is one.
    fn way(&self) -> Option<Flow> {
        let is_lost = self.is_cut_off() && self.listens_at.is_none();
        (!is_lost).then_some(self.flow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Transport;
    use crate::message::{Headers, StatusCode};

    /// What stands in `limits::TRANSACTIONS_MAX` holds: with its places in four trees that are two
    /// thirds full, and its tag, one is about half a kilobyte.
    const _: () = assert!(size_of::<Server>() <= 224);

    fn opened(servers: &mut Servers, method: Method) -> TransactionId {
        let at: std::net::SocketAddr = "192.0.2.1:5060".parse().expect("an address");
        let flow = Flow { transport: Transport::Udp, local: at, remote: at, connection: None };
        let branch = "z9hG4bK".repeat(1_000).into();
        let key = ServerKey { branch, host: &Host::Ip(at.ip()), port: None, method: &method };
        assert_eq!(servers.find(&key), None);
        servers.open(&key, None, (flow, None), "tag".to_owned())
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
    fn of_a_response_no_more_is_kept_than_may_be_sent_again() {
        let (now, mut outbox) = (Instant::now(), Outbox::default());
        let mut servers = Servers::new(&Tokens::new(1));
        let mut respond = |servers: &mut Servers, id, status| {
            let status = StatusCode::new(status).expect("a status");
            let (reason, body) = (String::new(), vec![b'x'; 500]);
            let response = Response { status, reason, headers: Headers::new(), body };
            servers.respond(now, &mut outbox, id, &response);
            servers.response_bytes()
        };
        let invite = opened(&mut servers, Method::Invite);
        assert!(respond(&mut servers, invite, 180) > 500);
        // The session repeats it, and copies of the INVITE are only absorbed (RFC 6026 §7.1).
        assert_eq!(respond(&mut servers, invite, 200), 0);
        let bye = opened(&mut servers, Method::Bye);
        assert!(respond(&mut servers, bye, 200) > 500);
        while servers.timeout(now + super::super::TRANSACTION_TIMEOUT, &mut Outbox::default()) {}
        assert_eq!((servers.len(), servers.response_bytes()), (0, 0));
        assert!(servers.ids.is_empty() && servers.agenda.next().is_none());
    }
}
