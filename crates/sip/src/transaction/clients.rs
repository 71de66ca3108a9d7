//! The client transactions that are alive.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Action, T1, T2, Timer, TransactionId, client, client_invite};
use crate::agenda::Agenda;
use crate::flow::{ConnectionId, Flow};
use crate::limits::FORKS_MAX;
use crate::message::{CSeq, HeaderName, Method, Request, Response};
use crate::outbox::Outbox;
use crate::session::SessionId;

/// All client transactions.
#[derive(Debug)]
pub(crate) struct Clients {
    alive: BTreeMap<TransactionId, Client>,
    /// By branch and method: a CANCEL has the branch of its INVITE (RFC 3261 §17.1.3).
    ids: BTreeMap<(String, Method), TransactionId>,
    agenda: Agenda<(TransactionId, Timer)>,
    opened: u64,
}

#[derive(Debug)]
struct Client {
    key: (String, Method),
    state: State,
    flow: Flow,
    request: Request,
    bytes: Vec<u8>,
    /// The same for a datagram, if it goes by a stream for its size alone (RFC 3261 §18.1.1).
    retreat: Option<(Request, Flow)>,
    interval: Duration,
    user: Option<SessionId>,
    /// How often it has been sent anew, as the one before was challenged or not answered.
    repeated: u8,
    /// The ACK that each fork's 2xx got, by its To tag (RFC 3261 §13.2.2.4 has it repeated).
    acks: BTreeMap<String, (Flow, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Invite(client_invite::State),
    Other(client::State),
}

/// A request that might have to go out once more: it is challenged, or not answered.
#[derive(Debug)]
pub(crate) struct Sent {
    /// As it was sent.
    pub(crate) request: Request,
    pub(crate) flow: Flow,
    /// How often it has been sent anew before.
    pub(crate) repeated: u8,
}

/// What a response turned out to be.
#[derive(Debug)]
pub(crate) enum Heard {
    /// No transaction awaits it.
    Stray,
    /// The transaction dealt with it.
    Absorbed,
    /// The transaction's owner should see it.
    Report {
        id: TransactionId,
        user: Option<SessionId>,
        method: Method,
        /// The request, if it is answered 401 or 407.
        challenged: Option<Box<Sent>>,
    },
}

/// Why a transaction ended without a final response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    /// Nothing was heard in 64·T1.
    TimedOut,
    /// Nothing could be sent.
    Transport,
}

/// A transaction that failed, for its owner.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) id: TransactionId,
    pub(crate) user: Option<SessionId>,
    pub(crate) method: Method,
    pub(crate) failure: Failure,
    /// The request, if it is a session's.
    pub(crate) sent: Option<Box<Sent>>,
}

impl Clients {
    pub(crate) fn new() -> Clients {
        Clients { alive: BTreeMap::new(), ids: BTreeMap::new(), agenda: Agenda::new(), opened: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.alive.len()
    }

    pub(crate) fn next_deadline(&self) -> Option<(Instant, &'static str)> {
        self.agenda.next().map(|(at, (_, timer))| (at, timer.why()))
    }

    /// Sends a request; its top Via has that branch.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
        (request, branch): (Request, String),
        flow: Flow,
        user: Option<SessionId>,
    ) -> TransactionId {
        let id = self.next_id();
        self.start_as(now, outbox, id, (request, branch), (flow, user, 0));
        id
    }

    fn next_id(&mut self) -> TransactionId {
        let id = TransactionId(self.opened);
        self.opened += 1;
        id
    }

    /// Sends a request anew that was challenged, in its place: who waits for the answer waits for
    /// this one's. What still comes for the one before is absorbed.
    pub(crate) fn again(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
        id: TransactionId,
        (request, branch): (Request, String),
        (flow, user, repeated): (Flow, Option<SessionId>, u8),
    ) {
        if let Some(before) = self.alive.remove(&id) {
            let aside = self.next_id();
            let timers = (id, Timer::FIRST)..=(id, Timer::LAST);
            for ((_, timer), at) in self.agenda.take_within(timers) {
                self.agenda.set((aside, timer), at);
            }
            self.ids.insert(before.key.clone(), aside);
            self.alive.insert(aside, Client { user: None, ..before });
        }
        self.start_as(now, outbox, id, (request, branch), (flow, user, repeated));
    }

    fn start_as(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
        id: TransactionId,
        (request, branch): (Request, String),
        (flow, user, repeated): (Flow, Option<SessionId>, u8),
    ) {
        let (state, timers) = match request.method == Method::Invite {
            true => (State::Invite(client_invite::State::Calling), [Timer::A, Timer::B]),
            false => (State::Other(client::State::Trying), [Timer::E, Timer::F]),
        };
        let key = (branch, request.method.clone());
        let bytes = request.to_bytes();
        outbox.transmit(flow, bytes.clone());
        outbox.stats.requests_sent.count(&request.method);
        self.ids.insert(key.clone(), id);
        let acks = BTreeMap::new();
        let (retreat, interval) = (None, T1);
        let client =
            Client { key, state, flow, request, bytes, retreat, interval, user, repeated, acks };
        self.alive.insert(id, client);
        let repeats = !flow.transport.is_reliable();
        for timer in timers.into_iter().skip(usize::from(!repeats)) {
            self.start_timer(now, id, timer);
        }
    }

    /// If nothing can be sent along its flow, the request goes that way after all.
    pub(crate) fn may_retreat(&mut self, id: TransactionId, way: (Request, Flow)) {
        if let Some(client) = self.alive.get_mut(&id) {
            client.retreat = Some(way);
        }
    }

    /// Sends a request that no stream could be opened for as a datagram; false if that is not so.
    fn retreat(&mut self, now: Instant, outbox: &mut Outbox, id: TransactionId) -> bool {
        let Some(client) = self.alive.get_mut(&id) else { return false };
        let repeated = match client.state {
            State::Invite(client_invite::State::Calling) => Timer::A,
            State::Other(client::State::Trying) => Timer::E,
            State::Invite(_) | State::Other(_) => return false,
        };
        let Some((request, flow)) = client.retreat.take() else { return false };
        client.bytes = request.to_bytes();
        client.request = request;
        client.flow = flow;
        outbox.transmit(flow, client.bytes.clone());
        self.start_timer(now, id, repeated);
        true
    }

    /// Takes a response with that branch in its top Via.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
        (branch, cseq): (&str, &CSeq),
        response: &Response,
    ) -> Heard {
        let key = (branch.to_owned(), cseq.method.clone());
        let Some(&id) = self.ids.get(&key) else { return Heard::Stray };
        let Some(client) = self.alive.get(&id) else { return Heard::Stray };
        if let Some((flow, ack)) = to_tag(response).and_then(|tag| client.acks.get(&tag)) {
            if response.status.is_success() {
                outbox.resend(*flow, ack.clone());
            }
            return Heard::Absorbed;
        }
        let (user, status) = (client.user, response.status);
        let challenged = status.is_challenge().then(|| client.sent());
        let reported = match client.state {
            State::Invite(_) if status.is_provisional() => {
                self.invite(now, outbox, id, client_invite::Input::Provisional, Some(response))
            }
            State::Invite(_) if status.is_success() => {
                self.invite(now, outbox, id, client_invite::Input::Success, Some(response))
            }
            State::Invite(_) => {
                self.invite(now, outbox, id, client_invite::Input::Failure, Some(response))
            }
            State::Other(_) if status.is_provisional() => {
                self.other(now, outbox, id, client::Input::Provisional)
            }
            State::Other(_) => self.other(now, outbox, id, client::Input::Final),
        };
        match reported.contains(&Action::Report) {
            true => Heard::Report { id, user, method: key.1, challenged },
            false => Heard::Absorbed,
        }
    }

    /// Runs the next timer that is due. `None`: no more are due; `Some(None)`: nobody need be told.
    pub(crate) fn timeout(&mut self, now: Instant, outbox: &mut Outbox) -> Option<Option<Failed>> {
        use client::Input as Other;
        use client_invite::Input as Invite;
        let (id, timer) = self.agenda.pop(now)?;
        let Some(client) = self.alive.get(&id) else { return Some(None) };
        let (user, method) = (client.user, client.key.1.clone());
        let is_last = matches!(timer, Timer::B | Timer::C | Timer::F);
        let sent = (is_last && user.is_some()).then(|| client.sent());
        let done = match timer {
            Timer::A => self.invite(now, outbox, id, Invite::TimerA, None),
            Timer::B => self.invite(now, outbox, id, Invite::TimerB, None),
            Timer::C => self.invite(now, outbox, id, Invite::TimerC, None),
            Timer::D => self.invite(now, outbox, id, Invite::TimerD, None),
            Timer::M => self.invite(now, outbox, id, Invite::TimerM, None),
            Timer::E => self.other(now, outbox, id, Other::TimerE),
            Timer::F => self.other(now, outbox, id, Other::TimerF),
            Timer::K => self.other(now, outbox, id, Other::TimerK),
            Timer::G | Timer::H | Timer::I | Timer::J | Timer::L => &[],
        };
        let timed_out = done.contains(&Action::TellTimeout);
        let failure = Failure::TimedOut;
        Some(timed_out.then_some(Failed { id, user, method, failure, sent }))
    }

    /// The transport could not send along that flow.
    pub(crate) fn transport_failed(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
        flow: &Flow,
    ) -> Vec<Failed> {
        let same = |known: &Flow| {
            known.transport == flow.transport
                && known.remote == flow.remote
                && (flow.connection.is_none() || known.connection == flow.connection)
        };
        let hit = self.alive.iter().filter(|(_, client)| same(&client.flow));
        let ids: Vec<_> = hit
            .map(|(id, client)| (*id, client.user, client.key.1.clone(), client.state))
            .collect();
        let mut failed = Vec::new();
        for (id, user, method, state) in ids {
            if self.retreat(now, outbox, id) {
                continue;
            }
            let sent = user.and_then(|_| self.alive.get(&id)).map(Client::sent);
            let done = match state {
                State::Invite(_) => {
                    self.invite(now, outbox, id, client_invite::Input::TransportError, None)
                }
                State::Other(_) => self.other(now, outbox, id, client::Input::TransportError),
            };
            if done.contains(&Action::TellTransport) {
                let failure = Failure::Transport;
                failed.push(Failed { id, user, method, failure, sent });
            }
        }
        failed
    }

    /// Messages that were to use that connection open or find another one.
    pub(crate) fn connection_closed(&mut self, connection: ConnectionId) {
        for client in self.alive.values_mut() {
            let acks = client.acks.values_mut().map(|(flow, _)| flow);
            for flow in acks.chain([&mut client.flow]) {
                if flow.connection == Some(connection) {
                    flow.connection = None;
                }
            }
        }
    }

    /// The request as it was sent, as long as it has no final response.
    pub(crate) fn request(&self, id: TransactionId) -> Option<(&Request, Flow)> {
        self.alive.get(&id).map(|client| (&client.request, client.flow))
    }

    /// Waits for the first response no longer than until then.
    pub(crate) fn hurry(&mut self, id: TransactionId, until: Instant) {
        let timer = match self.alive.get(&id).map(|client| client.state) {
            Some(State::Invite(_)) => Timer::B,
            Some(State::Other(_)) => Timer::F,
            None => return,
        };
        self.agenda.set((id, timer), until);
    }

    /// Nobody waits for its response any more.
    pub(crate) fn disown(&mut self, id: TransactionId) {
        if let Some(client) = self.alive.get_mut(&id) {
            client.user = None;
        }
    }

    /// Whether something was heard of an INVITE that is not answered for good.
    pub(crate) fn is_heard(&self, id: TransactionId) -> bool {
        let state = self.alive.get(&id).map(|client| client.state);
        matches!(state, Some(State::Invite(client_invite::State::Proceeding)))
    }

    /// Whether a request with that branch and method is under way.
    pub(crate) fn is_under_way(&self, branch: &str, method: Method) -> bool {
        self.ids.contains_key(&(branch.to_owned(), method))
    }

    /// Ends a transaction without waiting (RFC 3261 §9.1).
    pub(crate) fn forget(&mut self, id: TransactionId) {
        if let Some(client) = self.alive.remove(&id) {
            self.ids.remove(&client.key);
            self.agenda.clear_within((id, Timer::FIRST)..=(id, Timer::LAST));
        }
    }

    /// Sends the ACK for a 2xx with that To tag, and again for each copy of the 2xx.
    pub(crate) fn acknowledge(
        &mut self,
        outbox: &mut Outbox,
        id: TransactionId,
        tag: &str,
        (flow, ack): (Flow, Vec<u8>),
    ) {
        if let Some(client) = self.alive.get_mut(&id) {
            client.acks.insert(tag.to_owned(), (flow, ack.clone()));
        }
        outbox.transmit(flow, ack);
        outbox.stats.requests_sent.count(&Method::Ack);
    }

    /// Whether another fork's 2xx may still be acknowledged.
    pub(crate) fn takes_another_fork(&self, id: TransactionId) -> bool {
        self.alive.get(&id).is_some_and(|client| client.acks.len() < FORKS_MAX)
    }

    fn invite(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
        id: TransactionId,
        input: client_invite::Input,
        response: Option<&Response>,
    ) -> &'static [Action] {
        let Some(client) = self.alive.get_mut(&id) else { return &[] };
        let State::Invite(state) = client.state else { return &[] };
        let reliable = client.flow.transport.is_reliable();
        let Some(step) = client_invite::step(state, input, reliable) else { return &[] };
        client.state = State::Invite(step.next);
        self.perform(now, outbox, id, step.actions, response);
        if step.next == client_invite::State::Terminated {
            self.forget(id);
        }
        step.actions
    }

    fn other(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
        id: TransactionId,
        input: client::Input,
    ) -> &'static [Action] {
        let Some(client) = self.alive.get_mut(&id) else { return &[] };
        let State::Other(state) = client.state else { return &[] };
        let reliable = client.flow.transport.is_reliable();
        let Some(step) = client::step(state, input, reliable) else { return &[] };
        client.state = State::Other(step.next);
        if step.next == client::State::Proceeding {
            // Once something was heard, copies go out at T2 (§17.1.2.2).
            client.interval = T2;
        }
        self.perform(now, outbox, id, step.actions, None);
        if step.next == client::State::Terminated {
            self.forget(id);
        }
        step.actions
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
            match action {
                Action::Start(timer) => self.start_timer(now, id, *timer),
                Action::Stop(timer) => self.agenda.clear((id, *timer)),
                Action::Resend => {
                    if let Some(client) = self.alive.get(&id) {
                        outbox.resend(client.flow, client.bytes.clone());
                    }
                }
                Action::Acknowledge => {
                    if let (Some(client), Some(response)) = (self.alive.get(&id), response) {
                        outbox.transmit(client.flow, refusal_ack(&client.request, response));
                        outbox.stats.requests_sent.count(&Method::Ack);
                    }
                }
                Action::Release => {
                    if let Some(client) = self.alive.get_mut(&id) {
                        client.release();
                    }
                }
                // The caller reads these from the list of actions; requests are sent by `start`.
                Action::Report | Action::TellTimeout | Action::TellTransport | Action::Send => {}
            }
        }
    }

    fn start_timer(&mut self, now: Instant, id: TransactionId, timer: Timer) {
        if let Some(client) = self.alive.get_mut(&id) {
            self.agenda.set((id, timer), now + timer.length(client.interval));
            client.interval = timer.next_interval(client.interval);
        }
    }
}

impl Client {
    fn sent(&self) -> Box<Sent> {
        let (request, flow) = (self.request.clone(), self.flow);
        Box::new(Sent { request, flow, repeated: self.repeated })
    }

    /// Keeps of the request what an ACK is made of: that for a 2xx shows what its INVITE has shown
    /// (RFC 3261 §13.2.2.4).
    fn release(&mut self) {
        let shown = [HeaderName::Authorization, HeaderName::ProxyAuthorization];
        self.request.headers = self.request.headers.only(&[&ACK_REPEATS[..], &shown].concat());
        self.request.body = Vec::new();
        self.bytes = Vec::new();
        self.retreat = None;
    }
}

fn to_tag(response: &Response) -> Option<String> {
    let to = response.to()?;
    // RFC 2543 servers send none; that counts as one that is empty (RFC 3261 §12.1.2).
    Some(to.tag().unwrap_or("").to_owned())
}

/// What the ACK for a refusal has of its INVITE.
const ACK_REPEATS: [HeaderName; 6] = [
    HeaderName::Via,
    HeaderName::MaxForwards,
    HeaderName::Route,
    HeaderName::From,
    HeaderName::CallId,
    HeaderName::CSeq,
];

/// The ACK for a refusal: part of the INVITE's own transaction (RFC 3261 §17.1.1.3).
fn refusal_ack(invite: &Request, response: &Response) -> Vec<u8> {
    use HeaderName::{CSeq, To};
    let mut headers = invite.headers.only(&ACK_REPEATS);
    let cseq = headers.text(&CSeq).unwrap_or_default().replace("INVITE", "ACK");
    headers.set(CSeq, cseq);
    if let Some(to) = response.headers.first(&To) {
        headers.push(To, to);
    }
    let (method, target) = (Method::Ack, invite.target.clone());
    Request { method, target, headers, body: Vec::new() }.to_bytes()
}
