//! Building the messages of a session.

use std::time::Instant;

use crate::dialog::Dialog;
use crate::endpoint::Endpoint;
use crate::flow::Flow;
use crate::message::{HeaderName, Headers, Method, Request, Response, StatusCode, Via};
use crate::reply::{ALLOW, Pending, SUPPORTED, attach, response};
use crate::session::SessionId;
use crate::transaction::TransactionId;

impl Endpoint {
    /// Puts our Via and name on a request that goes along `flow`; returns it with its branch.
    pub(super) fn sign(&mut self, mut request: Request, flow: &Flow) -> (Request, String) {
        let branch = self.tokens.branch();
        let via = Via::new(flow.transport, self.config.own_address(flow), &branch);
        request.headers.push_front(HeaderName::Via, via.to_string());
        request.headers.push(HeaderName::UserAgent, self.config.server_name.as_str());
        (request, branch)
    }

    /// Adds what an INVITE or its 2xx tells of us: where we are and what we understand.
    /// `secure` tells that a `sips` URI was asked for.
    pub(super) fn introduce(&self, headers: &mut Headers, flow: &Flow, secure: bool) {
        headers.push(HeaderName::Contact, self.config.contact(flow, secure));
        headers.push(HeaderName::Allow, ALLOW);
        headers.push(HeaderName::Supported, SUPPORTED.join(", "));
    }

    /// Sends a request in a session's dialog; `shape` adds to it.
    pub(super) fn send_in_dialog(
        &mut self,
        now: Instant,
        id: SessionId,
        method: Method,
        shape: impl FnOnce(&Endpoint, &mut Request, &Flow),
    ) -> Option<TransactionId> {
        let session = self.sessions.get_mut(&id)?;
        session.dialog.local_cseq += 1;
        let mut request = session.dialog.request(method, session.dialog.local_cseq);
        let flow = session.dialog.next_hop(&self.config);
        shape(self, &mut request, &flow);
        let signed = self.sign(request, &flow);
        Some(self.clients.start(now, &mut self.outbox, signed, flow, Some(id)))
    }

    /// Sends the ACK for a 2xx to the INVITE of that transaction and number (§13.2.2.4).
    pub(super) fn acknowledge(&mut self, invite: TransactionId, cseq: u32, dialog: &Dialog) {
        let flow = dialog.next_hop(&self.config);
        let (request, _) = self.sign(dialog.request(Method::Ack, cseq), &flow);
        let tag = dialog.remote.tag().unwrap_or("");
        self.clients.acknowledge(&mut self.outbox, invite, tag, (flow, request.to_bytes()));
    }

    /// A response to a request that waits; 101 to 299 tell where we are.
    pub(super) fn response_to(
        &self,
        pending: &Pending,
        status: StatusCode,
        phrase: Option<&str>,
        sdp: Option<Vec<u8>>,
    ) -> Response {
        let mut response = response(pending.echo.clone(), status, phrase, &self.config);
        let forms_dialog = status != StatusCode::TRYING && status.code() < 300;
        if forms_dialog && matches!(pending.method, Method::Invite | Method::Update) {
            self.introduce(&mut response.headers, &pending.flow, pending.secure);
            if status.is_success() {
                pending.asked.agree(&self.config).write(&mut response.headers);
            }
        }
        if let Some(sdp) = sdp {
            attach(&mut response.headers, &mut response.body, sdp);
        }
        response
    }
}
