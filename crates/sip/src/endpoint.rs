//! The endpoint: what arrives is sorted here, and handed to transactions and sessions.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::access::{Access, Gate, Urgency};
use crate::agenda::Agenda;
use crate::arrival::{Arrival, note_source};
use crate::config::Config;
use crate::event::{Deadline, Output, ResolveId};
use crate::feedback::Feedback;
use crate::flow::{ConnectionId, Flow};
use crate::inspect::{description, inspect};
use crate::limits::{Limit, MESSAGE_BYTES_MAX, RESPONSE_BYTES_MAX};
use crate::locate::Server;
use crate::message::{
    CSeq, HeaderName, Malformed, Message, Method, Request, Response, StatusCode, Via, parse,
};
use crate::outbox::Outbox;
use crate::overload::{Overload, Spared};
use crate::registrar::Registrar;
use crate::reply::{Pending, Refusal, echo};
use crate::session::timer::{Asked, has_option};
use crate::session::{Referral, Session, SessionId, SessionTimer, Untold};
use crate::stats::{Alive, Stats};
use crate::subscription::Subscriptions;
use crate::text::TextId;
use crate::token::Tokens;
use crate::transaction::{Clients, Failed, Heard, Servers};
use crate::trunks::Trunks;

/// A SIP endpoint without sockets or clock: bytes and times in, [`Output`] out.
///
/// After each call that changes something, take everything out with [`Endpoint::poll`], then ask
/// [`Endpoint::next_deadline`].
#[derive(Debug)]
pub struct Endpoint {
    pub(crate) config: Config,
    pub(crate) tokens: Tokens,
    pub(crate) outbox: Outbox,
    /// INVITEs of this turn. Emptied with it, as the outbox.
    pub(crate) untold: VecDeque<Untold>,
    pub(crate) clients: Clients,
    pub(crate) servers: Servers,
    /// In boxes: each that ends would move the others of its node of the map.
    pub(crate) sessions: BTreeMap<SessionId, Box<Session>>,
    /// By Call-ID and our tag; the other side's tag is compared afterwards.
    pub(crate) ids_by_dialog: BTreeMap<(String, String), SessionId>,
    pub(crate) ids_by_lookup: BTreeMap<ResolveId, SessionId>,
    pub(crate) agenda: Agenda<(SessionId, SessionTimer)>,
    pub(crate) gate: Gate,
    pub(crate) registrar: Registrar,
    pub(crate) subscriptions: Subscriptions,
    /// MESSAGEs that wait for their answers.
    pub(crate) texts: BTreeMap<TextId, Pending>,
    pub(crate) texts_taken: u64,
    /// REFERs of ours that are under way.
    pub(crate) referrals: BTreeMap<SessionId, Referral>,
    pub(crate) trunks: Trunks,
    pub(crate) overload: Overload,
    pub(crate) spared: Spared,
    /// Whether who asks if calls are taken is told that they are not.
    pub(crate) drains: bool,
    pub(crate) feedback: Feedback,
    pub(crate) sessions_opened: u64,
    pub(crate) lookups_asked: u64,
}

impl Endpoint {
    /// An endpoint with nothing going on. The seed makes its tags, branches and Call-IDs: it must
    /// come from the operating system's randomness, or sessions can be guessed.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Endpoint {
        let tokens = Tokens::new(seed);
        Endpoint {
            trunks: Trunks::new(&config.access.trunks),
            feedback: Feedback::new(config.started_s),
            config,
            gate: Gate::new(&tokens),
            servers: Servers::new(&tokens),
            registrar: Registrar::default(),
            tokens,
            outbox: Outbox::default(),
            untold: VecDeque::new(),
            clients: Clients::new(),
            sessions: BTreeMap::new(),
            ids_by_dialog: BTreeMap::new(),
            ids_by_lookup: BTreeMap::new(),
            agenda: Agenda::new(),
            subscriptions: Subscriptions::new(),
            texts: BTreeMap::new(),
            texts_taken: 0,
            referrals: BTreeMap::new(),
            overload: Overload::default(),
            spared: Spared::default(),
            drains: false,
            sessions_opened: 0,
            lookups_asked: 0,
        }
    }

    /// Takes in how long the next message has waited to be looked at, and how many still do. While
    /// all of them wait for long, requests for new calls are answered 503.
    pub fn waited(&mut self, now: Instant, delay: Duration, behind: usize) {
        self.overload.waited(now, delay, behind);
        self.feedback.at(now);
    }

    /// Whether new calls are refused because there is no time for them.
    #[must_use]
    pub fn sheds(&self) -> bool {
        self.overload.sheds()
    }

    /// From now on whoever asks by OPTIONS whether calls are taken here is told that they are not
    /// (503): proxies and peers that probe go elsewhere. Which calls are taken is decided by who
    /// uses the endpoint.
    pub fn drain(&mut self) {
        self.drains = true;
    }

    /// Takes one whole message: a datagram, or what [`crate::framing::Splitter`] cut from a stream.
    /// Whatever it holds, it is answered, dropped and counted, or acted upon.
    pub fn receive(&mut self, now: Instant, flow: Flow, message: &[u8]) {
        if message.iter().all(|byte| b"\r\n\0".contains(byte)) {
            // Keep-alives of clients behind NAT.
            return;
        }
        if !self.is_within_rate(now, &flow, message) {
            return;
        }
        match parse(message) {
            Ok(Message::Request(request)) => self.receive_request(now, flow, request),
            Ok(Message::Response(response)) => self.receive_response(now, flow, &response),
            Err(malformed) => self.receive_malformed(flow, malformed),
        }
    }

    /// A stream connection is gone. What would have used it finds another way.
    pub fn connection_closed(&mut self, connection: ConnectionId) {
        self.clients.connection_closed(connection);
        self.servers.connection_closed(connection);
        self.registrar.connection_closed(connection);
        for session in self.sessions.values_mut() {
            session.dialog.connection_closed(connection);
        }
        self.subscriptions.connection_closed(connection);
    }

    /// Nothing can be sent along that flow (connection refused, no route). Requests under way there
    /// fail; responses are given up silently (RFC 3261 §17.2.4).
    pub fn transport_failed(&mut self, now: Instant, flow: &Flow) {
        for failed in self.clients.transport_failed(now, &mut self.outbox, flow) {
            self.client_failed(now, failed);
        }
    }

    /// A lookup is done: the servers in the order to be tried, none if there are none.
    pub fn resolved(&mut self, now: Instant, id: ResolveId, servers: &[Server]) {
        if self.trunk_resolved(now, id, servers) {
            return;
        }
        if let Some(session) = self.ids_by_lookup.remove(&id) {
            self.call_resolved(now, session, servers);
        }
    }

    /// What is to be done next; `None` when there is nothing more for now.
    pub fn poll(&mut self) -> Option<Output> {
        let trying = |(flow, bytes)| Output::Transmit { flow, bytes };
        self.outbox.take().or_else(|| self.trying().map(trying))
    }

    /// As [`Endpoint::poll`], without what [`Endpoint::trying`] would say.
    pub fn poll_before_trying(&mut self) -> Option<Output> {
        self.outbox.take()
    }

    /// When [`Endpoint::handle_timeout`] is due; `None` when nothing is awaited.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Deadline> {
        let session = self.agenda.next().map(|(at, (_, timer))| (at, timer.why()));
        let registrar = self.registrar.next_deadline();
        let subscription = self.subscriptions.next_deadline();
        let trunks = self.trunks.next_deadline();
        let machines = [self.clients.next_deadline(), self.servers.next_deadline()];
        [session, registrar, subscription, trunks]
            .into_iter()
            .chain(machines)
            .flatten()
            .min()
            .map(|(at, why)| Deadline { at, why })
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.expire_bindings(now);
        while self.servers.timeout(now, &mut self.outbox) {}
        while let Some(failed) = self.clients.timeout(now, &mut self.outbox) {
            if let Some(failed) = failed {
                self.client_failed(now, failed);
            }
        }
        while let Some((id, timer)) = self.agenda.pop(now) {
            self.session_timeout(now, id, timer);
        }
        self.trunks_due(now);
        while let Some(id) = self.subscriptions.due(now) {
            self.expire_subscription(now, id);
        }
    }

    /// Who may do what.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.config.access
    }

    /// What has been counted.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.outbox.stats
    }

    /// What is alive.
    #[must_use]
    pub fn alive(&self) -> Alive {
        Alive {
            sessions: self.sessions.len(),
            client_transactions: self.clients.len(),
            server_transactions: self.servers.len(),
            subscriptions: self.subscriptions.len(),
        }
    }

    fn client_failed(&mut self, now: Instant, mut failed: Failed) {
        if self.again_where_it_moved(now, &mut failed) {
            return;
        }
        if !self.trunk_answered(now, failed.id, None) && !self.notify_answered(now, failed.id, None)
        {
            self.request_failed(now, &failed);
        }
    }

    fn receive_malformed(&mut self, flow: Flow, malformed: Malformed) {
        self.outbox.stats.malformed += 1;
        let limit = malformed.limit;
        if let Some(request) = malformed.request {
            let phrase = Some(malformed.what);
            let refusal = Refusal { phrase, limit, ..Refusal::of(malformed.status) };
            self.refuse_unread(flow, *request, &refusal);
        } else if let Some(limit) = limit {
            self.outbox.stats.limits.count(limit);
        }
    }

    /// Answers a request that cannot be read, if it has what an answer needs.
    fn refuse_unread(&mut self, source: Flow, mut request: Request, refusal: &Refusal) {
        use HeaderName as Name;
        let needed = [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq];
        let answerable = needed.iter().all(|name| request.headers.first(name).is_some());
        if !answerable || request.method == Method::Ack {
            return;
        }
        let flow = note_source(&mut request, source).map_or(source, |(_, flow)| flow);
        let response = self.refusal_response(refusal, &request, echo(&request, None));
        self.outbox.stats.responses_sent.count(&request.method, refusal.status);
        self.outbox.transmit(flow, response.to_bytes());
    }

    fn receive_request(&mut self, now: Instant, flow: Flow, request: Request) {
        self.outbox.stats.requests_received.count(&request.method);
        let arrival = match Arrival::read(request, flow) {
            Ok(arrival) => arrival,
            Err((refusal, request)) => {
                self.outbox.stats.malformed += 1;
                self.refuse_unread(flow, *request, &refusal);
                return;
            }
        };
        if arrival.request.method == Method::Ack {
            self.receive_ack(now, &arrival);
        } else if arrival.request.method == Method::Cancel {
            self.receive_cancel(now, &arrival);
        } else if let Some(transaction) = self.servers.find(&arrival.server_key()) {
            self.servers.again(now, &mut self.outbox, transaction);
        } else {
            self.receive_fresh(now, arrival);
        }
    }

    /// A request that was not seen before.
    fn receive_fresh(&mut self, now: Instant, arrival: Arrival) {
        if arrival.to.tag().is_some() {
            return self.receive_tagged(now, arrival);
        }
        let admitted = match self.admit(now, &arrival) {
            Ok(admitted) => admitted,
            Err(refusal) => return self.refuse(&arrival, &refusal),
        };
        if is_new_call(&arrival.request) {
            let to = admitted.destination.as_ref();
            let is_spared = |to| self.config.access.urgency(to) == Urgency::Emergency;
            let is_spared = self.overload.sheds() && to.is_some_and(is_spared);
            let sheds = self.overload.sheds() && !(is_spared && self.spared.take(now));
            self.feedback.came(&arrival.via, sheds);
            if sheds {
                return self.shed(&arrival, Limit::QueueDelay);
            }
        }
        if let Err(refusal) = inspect(&arrival) {
            return self.refuse(&arrival, &refusal);
        }
        if arrival.request.method == Method::Invite {
            self.receive_invite(now, arrival, admitted);
        } else if arrival.request.method == Method::Options {
            self.answer_options(&arrival);
        } else if arrival.request.method == Method::Register {
            self.receive_register(now, &arrival, &admitted.origin);
        } else if arrival.request.method == Method::Subscribe {
            self.receive_subscribe(now, None, &arrival);
        } else if arrival.request.method == Method::Refer {
            self.receive_refer(now, None, &arrival);
        } else if arrival.request.method == Method::Message {
            self.receive_text(now, None, &arrival);
        } else {
            // INFO, PRACK, UPDATE and BYE live in dialogs; the rest has been refused.
            self.refuse(&arrival, &Refusal::of(StatusCode::CALL_DOES_NOT_EXIST));
        }
    }

    /// A request that says it belongs to a dialog.
    fn receive_tagged(&mut self, now: Instant, arrival: Arrival) {
        // A registration is nobody's dialog (§10.2).
        let session = match arrival.request.method == Method::Register {
            true => None,
            false => self.find_session(&arrival),
        };
        let Some(id) = session else { return self.receive_in_subscription(now, &arrival) };
        let judged = self.judge_source(now, id, &arrival).and_then(|()| inspect(&arrival));
        match judged {
            Ok(()) => self.receive_in_dialog(now, id, arrival),
            Err(refusal) => self.refuse(&arrival, &refusal),
        }
    }

    /// The session whose dialog the request belongs to: Call-ID and both tags (RFC 3261 §12).
    pub(crate) fn find_session(&self, arrival: &Arrival) -> Option<SessionId> {
        let key = (arrival.call_id.clone(), arrival.to.tag()?.to_owned());
        let id = *self.ids_by_dialog.get(&key)?;
        let session = self.sessions.get(&id)?;
        session.dialog_with(arrival.from.tag()).is_some().then_some(id)
    }

    /// Answers a request and keeps nothing: a copy of it gets the same answer (RFC 3261 §8.2.7).
    pub(crate) fn refuse(&mut self, arrival: &Arrival, refusal: &Refusal) {
        let response =
            self.refusal_response(refusal, &arrival.request, self.stateless_echo(arrival));
        self.reply(arrival, &response);
    }

    /// Sends a response outside of any transaction.
    pub(crate) fn reply(&mut self, arrival: &Arrival, response: &Response) {
        self.outbox.stats.responses_sent.count(&arrival.request.method, response.status);
        self.outbox.transmit(arrival.reply_flow, response.to_bytes());
    }

    pub(crate) fn stateless_echo(&self, arrival: &Arrival) -> crate::message::Headers {
        let call_id = arrival.call_id.as_bytes();
        let from_tag = arrival.from.tag().unwrap_or("").as_bytes();
        let tag = self.tokens.stateless_tag(&[call_id, from_tag]);
        let missing = arrival.to.tag().is_none();
        echo(&arrival.request, missing.then_some(tag.as_str()))
    }

    /// Whether another transaction fits, and if not, what it is too much of.
    pub(crate) fn room(&self) -> Result<(), Limit> {
        self.room_for(Urgency::Ordinary)
    }

    /// The same for one of a call that is so urgent.
    pub(crate) fn room_for(&self, urgency: Urgency) -> Result<(), Limit> {
        let alive = self.clients.len() + self.servers.len();
        let reserve = urgency.reserve();
        if alive >= self.config.transactions_max + reserve {
            return Err(Limit::Transactions);
        }
        match self.servers.response_bytes() < RESPONSE_BYTES_MAX + reserve * MESSAGE_BYTES_MAX {
            true => Ok(()),
            false => Err(Limit::ResponseBytes),
        }
    }

    /// Whether another transaction fits; if not, the request is answered 503.
    pub(crate) fn has_room(&mut self, arrival: &Arrival) -> bool {
        self.has_room_for(arrival, Urgency::Ordinary)
    }

    /// The same for one of a call that is so urgent.
    pub(crate) fn has_room_for(&mut self, arrival: &Arrival, urgency: Urgency) -> bool {
        let room = self.room_for(urgency);
        if let Err(limit) = room {
            self.shed(arrival, limit);
        }
        room.is_ok()
    }

    pub(crate) fn shed(&mut self, arrival: &Arrival, limit: Limit) {
        self.refuse(arrival, &Refusal::full(limit));
    }

    /// Opens the transaction of a request, which then waits for its response.
    pub(crate) fn open_pending(&mut self, arrival: &Arrival, tag: &str) -> Pending {
        let opens_dialog = arrival.to.tag().is_none();
        let invites = arrival.request.method == Method::Invite;
        let merge = (opens_dialog && invites).then(|| arrival.merge_key());
        let key = arrival.server_key();
        let flow = arrival.reply_flow;
        let way = (flow, self.listens_at(arrival));
        let transaction = self.servers.open(&key, merge.as_ref(), way, tag.to_owned());
        let headers = &arrival.request.headers;
        Pending {
            transaction,
            method: arrival.request.method.clone(),
            cseq: arrival.cseq.number,
            echo: echo(&arrival.request, opens_dialog.then_some(tag)),
            flow,
            secure: arrival.request.is_secure(),
            appears_as: None,
            offered: matches!(description(headers, &arrival.request.body), Ok(Some(_))),
            requires_reliable: has_option(headers, &HeaderName::Require, "100rel"),
            asked: Asked::read(headers),
        }
    }

    /// Answers a request that waits.
    pub(crate) fn respond(&mut self, now: Instant, pending: &Pending, response: &Response) {
        self.servers.respond(now, &mut self.outbox, pending.transaction, response);
    }

    fn receive_response(&mut self, now: Instant, flow: Flow, response: &Response) {
        let Some((branch, cseq)) = response_key(response) else {
            self.outbox.stats.malformed += 1;
            return;
        };
        self.outbox.stats.responses_received.count(&cseq.method, response.status);
        let heard = self.clients.receive(now, &mut self.outbox, (&branch, &cseq), response);
        match heard {
            Heard::Stray => self.outbox.stats.strays += 1,
            Heard::Absorbed => {}
            Heard::Report { id, user, method, challenged } => {
                if let (Some(session), Some(challenged)) = (user, challenged)
                    && self.again_with_credentials(
                        now,
                        (id, session),
                        *challenged,
                        (&flow, response),
                    )
                {
                    return;
                }
                if !self.trunk_answered(now, id, Some((&flow, response)))
                    && !self.notify_answered(now, id, Some(response))
                {
                    self.request_answered(now, (id, user, &method), flow, response);
                }
            }
        }
    }
}

/// Whether a request outside of any dialog asks for a call that was not there before: who takes a
/// seat in one that is up, or joins it, goes on with that.
fn is_new_call(request: &Request) -> bool {
    let goes_on = [HeaderName::Replaces, HeaderName::Join];
    request.method == Method::Invite
        && goes_on.iter().all(|name| request.headers.first(name).is_none())
}

/// The branch and CSeq that a response is matched by; `None` unless it has one Via only (RFC 3261
/// §8.1.3.3) and can be read.
fn response_key(response: &Response) -> Option<(String, CSeq)> {
    let hops = response.headers.values(&HeaderName::Via);
    let [only] = hops.as_slice() else { return None };
    let via: Via = only.parse().ok()?;
    let cseq = response.headers.text(&HeaderName::CSeq)?.parse().ok()?;
    response.to()?;
    Some((via.branch()?.to_owned(), cseq))
}
