//! We call (RFC 3261 §13.2.1), at one address after the other (RFC 3263 §4.3).

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{BySize, Dialling, Heard, SessionError, SessionId, SessionTimer, State};
use crate::access::{Origin, Urgency};
use crate::arrival::Arrival;
use crate::dialog::{Dialog, literal};
use crate::digest::Account;
use crate::endpoint::Endpoint;
use crate::event::{EndCause, Output, ResolveId};
use crate::flow::{Flow, Transport};
use crate::limits::{ANSWER_WAIT_MAX, Limit, MAX_FORWARDS, TARGETS_MAX};
use crate::locate::{Server, Transports};
use crate::message::{
    ExtraHeaders, HeaderName, Headers, Host, Method, NameAddr, SipUri, StatusCode, Uri,
};
use crate::reply::attach;
use crate::session::authorize::Showing;

/// A call to be made.
#[derive(Clone, Debug)]
pub struct Invite {
    /// Who is called.
    pub to: Uri,
    /// Who calls, as the other side sees it. Its parameters are replaced.
    pub from: NameAddr,
    /// The offer, a session description.
    pub offer: Vec<u8>,
    /// Where the INVITE goes instead of to the host of `to`: a trunk or proxy. A `tel:` URI needs
    /// one.
    pub route: Option<Uri>,
    /// The way it goes, where that is known: a phone that has registered is reached along the flow
    /// of its REGISTER. Nothing is looked up then.
    pub flow: Option<Flow>,
    /// Who is reached that way, if that is known: a user whose phone has registered, or a trunk.
    pub callee: Option<Origin>,
    /// For whom the call is made. Where it leads back to ourselves, it comes in as theirs.
    pub behalf: Origin,
    /// Our account with whom the INVITE goes to, shown if it asks. Nobody else gets an answer.
    pub account: Option<Account>,
    /// How long the call waits for any response before it counts as not answered.
    pub patience: Duration,
    /// How long it waits, once something was heard, for more than 100, which says only that the
    /// next hop is there.
    pub progress_within: Duration,
    /// What becomes of it where none comes in that time from the last server.
    pub stalled: Stalled,
    /// Proxies that it passes on the way, the nearest first (RFC 3327).
    pub path: Vec<NameAddr>,
    /// Hops it may take: 70, or one less than the call had that it is made for (RFC 7332 §3).
    pub max_forwards: u8,
    /// What the INVITE says besides.
    pub headers: ExtraHeaders,
    /// Whether it goes by TLS or not at all ([`Flow::is_secure`]), for nobody on the way may read
    /// its offer.
    pub confidential: bool,
    /// Whether it is made though there are as many calls as there may be.
    pub urgency: Urgency,
    /// Where its audio is to come, as the offer says: of a name's servers those of that family are
    /// tried first, for the others cannot be expected to send there.
    pub audio_at: Option<IpAddr>,
}

/// What becomes of a call that gets no further than 100, and that no other server is left for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stalled {
    /// It ends: who makes it has another way.
    Ends,
    /// It waits on, as long as any call does.
    WaitsOn,
}

impl Invite {
    /// A call straight to the host of `to` that nobody's call is the reason for.
    #[must_use]
    pub fn new(to: Uri, from: NameAddr, offer: Vec<u8>) -> Invite {
        let headers = ExtraHeaders::new();
        Invite {
            to,
            from,
            offer,
            route: None,
            flow: None,
            callee: None,
            behalf: Origin::Trusted,
            account: None,
            patience: ANSWER_WAIT_MAX,
            progress_within: ANSWER_WAIT_MAX,
            stalled: Stalled::Ends,
            path: Vec::new(),
            max_forwards: MAX_FORWARDS,
            headers,
            confidential: false,
            urgency: Urgency::Ordinary,
            audio_at: None,
        }
    }
}

impl Endpoint {
    /// Counts that there is no room for something of ours.
    pub(super) fn is_full(&mut self, limit: Limit) -> SessionError {
        self.outbox.stats.limits.count(limit);
        SessionError::Full
    }

    /// Opens a session by calling somebody. [`crate::SessionEvent::Ringing`] and
    /// [`crate::SessionEvent::Established`] follow, or [`crate::SessionEvent::Ended`].
    ///
    /// # Errors
    /// [`SessionError::Full`], or [`SessionError::Unreachable`] if no listener could be used, or
    /// none that is as confidential as the call has to be.
    pub fn invite(&mut self, now: Instant, invite: Invite) -> Result<SessionId, SessionError> {
        if self.sessions.len() >= self.config.sessions_max + invite.urgency.reserve() {
            return Err(self.is_full(Limit::Sessions));
        }
        self.room_for(invite.urgency).map_err(|limit| self.is_full(limit))?;
        let next = invite.route.as_ref().unwrap_or(&invite.to);
        let Uri::Sip(hop) = next else { return Err(SessionError::Unreachable) };
        let known = invite.flow;
        let transports = match known {
            Some(flow) if invite.confidential && !flow.is_secure() => None,
            Some(flow) => Some(Transports::Named(flow.transport)),
            None if invite.confidential => self.transports_for(hop).and_then(Transports::secure),
            None => self.transports_for(hop),
        };
        let transports = transports.ok_or(SessionError::Unreachable)?;
        let flow = match (known, literal(next)) {
            (Some(flow), _) => Some(flow),
            (None, Some((transport, address))) => self.config.flow_to(transport, address),
            // Transport and address family are told by the lookup.
            (None, None) => transports.first().and_then(|transport| self.some_flow(transport)),
        };
        let flow = flow.ok_or(SessionError::Unreachable)?;
        // Behind NAT there is nothing that a stream could be opened to, and who names UDP means it.
        let by_size = match known.is_some() || hop.params.has("transport") {
            true => BySize::AsAsked,
            false => BySize::Tcp,
        };
        let hop = (hop.host.clone(), hop.port);
        let dialog = self.dialog_for(&invite, flow);
        let Invite { offer, route, callee, behalf, account, patience, path, .. } = invite;
        let (progress_within, stalled) = (invite.progress_within, invite.stalled);
        let (max_forwards, headers) = (invite.max_forwards, invite.headers);
        let (confidential, audio_at) = (invite.confidential, invite.audio_at);
        let servers = Vec::new();
        let dialling = Dialling {
            route,
            flow: known,
            behalf,
            path,
            offer,
            max_forwards,
            headers,
            by_size,
            patience,
            progress_within,
            stalled,
            servers,
            confidential,
            audio_at,
        };
        let id = self.open_session(dialog, State::Resolving(dialling));
        if let Some(session) = self.sessions.get_mut(&id) {
            session.origin = callee.unwrap_or(Origin::Stranger);
            session.showing = account.map(Showing::new);
        }
        self.know_phone(id);
        self.agenda.set((id, SessionTimer::NoAnswer), now + ANSWER_WAIT_MAX);
        match hop {
            (Host::Name(host), port) if known.is_none() => {
                let lookup = ResolveId(self.lookups_asked);
                self.lookups_asked += 1;
                self.ids_by_lookup.insert(lookup, id);
                self.outbox.push(Output::Resolve { id: lookup, host, port, transports });
            }
            (Host::Name(_) | Host::Ip(_), _) => {
                let server = Server { transport: flow.transport, address: flow.remote };
                self.call_resolved(now, id, &[server]);
            }
        }
        Ok(id)
    }

    /// By which transports a URI's host can be reached; `None` if by none that is listened for.
    pub(crate) fn transports_for(&self, uri: &SipUri) -> Option<Transports> {
        Transports::of(uri, |transport| self.some_flow(transport).is_some())
    }

    /// For whom an INVITE was made, if it is one of ours that leads back to us. Its name was told
    /// to nobody else, for it went to one of our own listeners.
    pub(crate) fn come_back(&self, arrival: &Arrival) -> Option<Origin> {
        let key = (arrival.call_id.clone(), arrival.from.tag()?.to_owned());
        let session = self.sessions.get(self.ids_by_dialog.get(&key)?)?;
        let State::Calling { dialling, .. } = &session.state else { return None };
        let to = session.dialog.flow.remote;
        let is_ours = self.config.listeners.iter().any(|(_, at)| *at == to);
        is_ours.then(|| dialling.behalf.clone())
    }

    /// A flow of which only our own end means anything.
    fn some_flow(&self, transport: Transport) -> Option<Flow> {
        let usable = |kind: Transport| kind == transport && kind.reaches_out();
        let listener = self.config.listeners.iter().find(|(kind, _)| usable(*kind));
        let (_, local) = *listener?;
        Some(Flow { transport, local, remote: local, connection: None })
    }

    fn dialog_for(&mut self, invite: &Invite, flow: Flow) -> Dialog {
        let from = NameAddr::new(&invite.from.display, invite.from.uri.clone());
        Dialog {
            call_id: self.tokens.call_id(),
            ours: true,
            local: from.with_tag(&self.tokens.tag()),
            remote: NameAddr::new("", invite.to.clone()),
            local_cseq: 0,
            remote_cseq: None,
            remote_target: invite.to.clone(),
            routes: Vec::new(),
            flow,
            appears_as: None,
            pinned: invite.flow.is_some() && invite.path.is_empty(),
        }
    }

    /// The servers of the called host are known.
    pub(crate) fn call_resolved(&mut self, now: Instant, id: SessionId, servers: &[Server]) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let State::Resolving(dialling) = &mut session.state else { return };
        let way_is_known = dialling.flow.is_some();
        let confidential = dialling.confidential;
        let usable = |server: &&Server| {
            let is_open = !confidential || server.transport.is_secure();
            way_is_known
                || is_open && self.config.flow_to(server.transport, server.address).is_some()
        };
        let mut usable: Vec<Server> = servers.iter().filter(usable).copied().collect();
        if let Some(audio_at) = dialling.audio_at {
            // The order of each family stays that of the lookup.
            usable.sort_by_key(|server| server.address.is_ipv4() != audio_at.is_ipv4());
        }
        usable.truncate(TARGETS_MAX);
        dialling.servers = usable;
        if !self.call_next_address(now, id) {
            self.finish(id, EndCause::Unresolved);
        }
    }

    /// Sends the INVITE to the next address that was not tried; `false` when there is none.
    pub(super) fn call_next_address(&mut self, now: Instant, id: SessionId) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        let (State::Resolving(dialling) | State::Calling { dialling, .. }) = &mut session.state
        else {
            return false;
        };
        if dialling.servers.is_empty() {
            return false;
        }
        let server = dialling.servers.remove(0);
        let dialling = dialling.clone();
        if let Some(showing) = &mut session.showing {
            showing.forget();
        }
        let flow = dialling.flow;
        let flow = flow.or_else(|| self.config.flow_to(server.transport, server.address));
        let Some(flow) = flow else { return false };
        session.dialog.flow = flow;
        self.send_invite(now, id, dialling, flow);
        true
    }

    /// Nothing was heard of a call for as long as it waits, or no more than 100, or no answer. A
    /// server that does not get further is left for the next one.
    pub(super) fn patience_is_over(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let stuck = match &mut session.state {
            State::Calling { invite, heard: Heard::Nothing | Heard::Trying, .. } => Some(*invite),
            State::Calling { heard: Heard::Progress, .. }
            | State::Resolving(_)
            | State::Invited { .. }
            | State::Up(_)
            | State::Closing(_) => None,
        };
        if let Some(stuck) = stuck {
            if self.call_next_address(now, id) {
                self.clients.disown(stuck);
                if self.clients.is_heard(stuck) {
                    self.cancel_disowned(now, stuck);
                }
                return;
            }
            if self.waits_on(now, id) {
                return;
            }
        }
        self.end_as(now, id, None, EndCause::TimedOut);
    }

    /// A call that got no further than 100 goes on to wait, where it is to.
    fn waits_on(&mut self, now: Instant, id: SessionId) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        let State::Calling { dialling, heard, .. } = &mut session.state else { return false };
        let waits = *heard == Heard::Trying && dialling.stalled == Stalled::WaitsOn;
        if waits {
            // As one of which more was heard: nothing else is tried.
            *heard = Heard::Progress;
            let rest = ANSWER_WAIT_MAX.saturating_sub(dialling.progress_within);
            self.agenda.set((id, SessionTimer::NoAnswer), now + rest);
        }
        waits
    }

    /// A response to the INVITE of a call came: how long the next may take.
    pub(super) fn heard_of_call(&mut self, now: Instant, id: SessionId, status: StatusCode) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let State::Calling { dialling, heard, .. } = &mut session.state else { return };
        let (next, wait) = match (*heard, status) {
            (Heard::Nothing, StatusCode::TRYING) => (Heard::Trying, dialling.progress_within),
            (Heard::Trying, StatusCode::TRYING) | (Heard::Progress, _) => return,
            (Heard::Nothing | Heard::Trying, _) => (Heard::Progress, ANSWER_WAIT_MAX),
        };
        *heard = next;
        self.agenda.set((id, SessionTimer::NoAnswer), now + wait.min(ANSWER_WAIT_MAX));
    }

    pub(super) fn send_invite(
        &mut self,
        now: Instant,
        id: SessionId,
        dialling: Dialling,
        flow: Flow,
    ) {
        let cnonce = self.tokens.tag();
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.dialog.local_cseq += 1;
        session.opened_with = flow.remote.ip();
        let mut request = session.dialog.request(Method::Invite, session.dialog.local_cseq);
        for hop in &dialling.path {
            request.headers.push(HeaderName::Route, hop.to_string());
        }
        if let Some(route) = &dialling.route {
            request.headers.push(HeaderName::Route, format!("<{route}>"));
        }
        request.headers.set(HeaderName::MaxForwards, dialling.max_forwards.to_string());
        let secure = request.is_secure();
        self.introduce(&mut request.headers, &flow, &HeaderName::From, secure);
        self.ask_interval(id, &mut request.headers);
        dialling.headers.append_to(&mut request.headers);
        if let Some(showing) = self.sessions.get_mut(&id).and_then(|it| it.showing.as_mut()) {
            showing.show(&mut request, &cnonce);
        }
        attach(&mut request.headers, &mut request.body, dialling.offer.clone());
        let invite = self.send_request(now, request, (flow, dialling.by_size), Some(id));
        self.agenda.set((id, SessionTimer::NoAnswer), now + dialling.patience);
        self.forget_early_offers(id, |_| true);
        if let Some(session) = self.sessions.get_mut(&id) {
            let early = Vec::new();
            session.state = State::Calling { dialling, invite, heard: Heard::Nothing, early };
        }
    }

    /// Somebody on the way wants a longer session interval (RFC 4028 §7.3): the same call again.
    /// `false` if that would not help.
    pub(super) fn call_with_longer_interval(
        &mut self,
        now: Instant,
        id: SessionId,
        headers: &Headers,
    ) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        let flow = session.dialog.flow;
        let State::Calling { dialling, .. } = &mut session.state else { return false };
        let dialling = dialling.clone();
        if !self.raise_interval(id, headers) {
            return false;
        }
        self.send_invite(now, id, dialling, flow);
        true
    }
}
