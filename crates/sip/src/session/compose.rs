//! Building the messages of a session.

use std::time::Instant;

use crate::dialog::Dialog;
use crate::endpoint::Endpoint;
use crate::flow::{Flow, Transport};
use crate::limits::DATAGRAM_BYTES_MAX;
use crate::message::{
    HeaderName, HeaderValue, Headers, Method, NameAddr, Request, Response, StatusCode, Via,
};
use crate::reply::{ALLOW, ALLOW_EVENTS, Pending, SUPPORTED, attach};
use crate::session::{BySize, SessionId, State};
use crate::transaction::TransactionId;

impl Endpoint {
    /// Puts our Via and name on a request that goes along `flow`; returns it with its branch.
    pub(crate) fn sign(&mut self, mut request: Request, flow: &Flow) -> (Request, String) {
        let branch = self.tokens.branch();
        let via = Via::new(flow.transport, self.config.own_address(flow), &branch);
        request.headers.push_front(HeaderName::Via, via.to_string());
        request.headers.push(HeaderName::UserAgent, self.config.server_name.as_str());
        (request, branch)
    }

    /// Signs a request and sends it. One that might not fit into a datagram goes by TCP, if that
    /// can be had, and by UDP only if it cannot (§18.1.1).
    pub(crate) fn send_request(
        &mut self,
        now: Instant,
        request: Request,
        (flow, by_size): (Flow, BySize),
        user: Option<SessionId>,
    ) -> TransactionId {
        let (signed, branch) = self.sign(request, &flow);
        let is_large = signed.to_bytes().len() > DATAGRAM_BYTES_MAX;
        let stream = match flow.transport {
            Transport::Udp if is_large && by_size == BySize::Tcp => {
                self.config.flow_to(Transport::Tcp, flow.remote)
            }
            Transport::Udp | Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                None
            }
        };
        let Some(stream) = stream else {
            return self.clients.start(now, &mut self.outbox, (signed, branch), flow, user);
        };
        let mut large = signed.clone();
        let via = Via::new(stream.transport, self.config.own_address(&stream), &branch);
        large.headers.set(HeaderName::Via, via.to_string());
        let id = self.clients.start(now, &mut self.outbox, (large, branch), stream, user);
        self.clients.may_retreat(id, (signed, flow));
        id
    }

    /// Adds what a message that opens or keeps a dialog tells of us: where we are and what we
    /// understand. `own` is the header that names us: From in a request, To in a response.
    /// `secure` tells that a `sips` URI was asked for.
    pub(crate) fn introduce(
        &self,
        headers: &mut Headers,
        flow: &Flow,
        own: &HeaderName,
        secure: bool,
    ) {
        let own = headers.text(own).and_then(|own| own.parse::<NameAddr>().ok());
        let user = own.as_ref().and_then(|own| own.uri.user()).unwrap_or("");
        headers.push(HeaderName::Contact, self.config.contact(flow, user, secure));
        headers.push(HeaderName::Allow, HeaderValue::fixed(ALLOW));
        headers.push(HeaderName::AllowEvents, HeaderValue::fixed(ALLOW_EVENTS));
        headers.push(HeaderName::Supported, HeaderValue::fixed(SUPPORTED));
    }

    /// Puts that user of ours into the Contact, if there is one.
    fn appear(&self, headers: &mut Headers, flow: &Flow, user: Option<&str>, secure: bool) {
        if let Some(user) = user
            && headers.first(&HeaderName::Contact).is_some()
        {
            headers.set(HeaderName::Contact, self.config.contact(flow, user, secure));
        }
    }

    /// Lets the Contact of a session that was called name another user of ours than the one that
    /// was dialled: the conference that a factory made (RFC 4579 §5.4).
    pub fn appear_as(&mut self, id: SessionId, user: &str) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.dialog.appears_as = Some(user.to_owned());
        match &mut session.state {
            State::Invited { invite, .. } => invite.appears_as = Some(user.to_owned()),
            State::Resolving(_) | State::Calling { .. } | State::Up(_) | State::Closing(_) => {}
        }
    }

    /// Sends a request in a session's dialog; `shape` adds to it.
    pub(crate) fn send_in_dialog(
        &mut self,
        now: Instant,
        id: SessionId,
        method: Method,
        shape: impl FnOnce(&Endpoint, &mut Request, &Flow),
    ) -> Option<TransactionId> {
        self.follow_registration(now, id);
        let session = self.sessions.get_mut(&id)?;
        session.dialog.local_cseq += 1;
        let mut request = session.dialog.request(method, session.dialog.local_cseq);
        let flow = session.dialog.next_hop(&self.config);
        let appears_as = session.dialog.appears_as.clone();
        let by_size = session.dialog.by_size();
        shape(self, &mut request, &flow);
        let secure = request.is_secure();
        self.appear(&mut request.headers, &flow, appears_as.as_deref(), secure);
        self.show_to_trunk(id, &mut request, &flow);
        let sent = self.send_request(now, request, (flow, by_size), Some(id));
        self.hurry_if_moved(now, id, sent);
        Some(sent)
    }

    /// A phone whose connection is gone may have registered along another one since: that is the
    /// way to it, though it has said nothing in its call.
    fn follow_registration(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(user) = session.origin.user().filter(|_| session.dialog.is_cut_off()) else {
            return;
        };
        let contact = &session.dialog.remote_target;
        if let Some(flow) = self.registrar.connection_to(now, user, contact) {
            session.dialog.flow = flow;
        }
    }

    /// Sends the ACK for a 2xx to the INVITE of that transaction and number (§13.2.2.4). It shows
    /// what that has shown.
    pub(super) fn acknowledge(&mut self, invite: TransactionId, cseq: u32, dialog: &Dialog) {
        let flow = dialog.next_hop(&self.config);
        let mut ack = dialog.request(Method::Ack, cseq);
        self.show_as_invite(invite, &mut ack, &flow);
        let (request, _) = self.sign(ack, &flow);
        let tag = dialog.remote.tag().unwrap_or("");
        self.clients.acknowledge(&mut self.outbox, invite, tag, (flow, request.to_bytes()));
    }

    /// A response to a request that waits; 101 to 299 tell where we are.
    pub(crate) fn response_to(
        &self,
        pending: &Pending,
        status: StatusCode,
        phrase: Option<&str>,
        sdp: Option<Vec<u8>>,
    ) -> Response {
        let mut response = self.response(pending.echo.clone(), status, phrase);
        let forms_dialog = status != StatusCode::TRYING && status.code() < 300;
        if forms_dialog && opens_or_keeps_a_dialog(&pending.method) {
            let (headers, flow, secure) = (&mut response.headers, &pending.flow, pending.secure);
            self.introduce(headers, flow, &HeaderName::To, secure);
            self.appear(headers, flow, pending.appears_as.as_deref(), secure);
            let invites = matches!(pending.method, Method::Invite | Method::Update);
            if invites && status.is_success() {
                pending.asked.agree(&self.config).write(&mut response.headers);
            }
        }
        if let Some(sdp) = sdp {
            attach(&mut response.headers, &mut response.body, sdp);
        }
        response
    }
}

/// Whether its 2xx has to have a Contact (RFC 3261 §12.1.1, RFC 6665 §4.4.1).
fn opens_or_keeps_a_dialog(method: &Method) -> bool {
    matches!(method, Method::Invite | Method::Update | Method::Subscribe | Method::Refer)
}
