//! A request of ours within a call is challenged (RFC 3261 §22.2, §22.3): many carriers challenge
//! each.
//!
//! A call is with a trunk, or nobody is shown anything: whoever is called, or calls, may ask for a
//! password. What is shown goes to the trunk's own hosts only, though a dialog may lead anywhere.

use std::time::Instant;

use super::authorize::{Showing, is_same_host};
use super::{Closing, Exchange, Session, SessionId, State};
use crate::access::Trunk;
use crate::endpoint::Endpoint;
use crate::flow::Flow;
use crate::limits::CHALLENGES_ANSWERED_MAX;
use crate::message::{CSeq, HeaderName, Method, Request, Response};
use crate::transaction::{Sent, TransactionId};

impl Session {
    /// Whether a request that is challenged is still wanted.
    pub(super) fn still_wants(&self, method: &Method, transaction: TransactionId) -> bool {
        match (method, &self.state) {
            (Method::Invite, State::Up(Exchange::OurOffer { invite, .. })) => {
                *invite == transaction
            }
            (Method::Bye, State::Closing(Closing::Bye)) => true,
            (Method::Notify, State::Closing(Closing::ByeAfterNotify { .. })) => true,
            (Method::Invite | Method::Bye | Method::Ack | Method::Cancel, _) => false,
            (_, State::Closing(_)) => false,
            (
                _,
                State::Up(_) | State::Calling { .. } | State::Invited { .. } | State::Resolving(_),
            ) => true,
        }
    }

    /// Whether what goes along that flow goes to the trunk itself.
    fn is_at(&self, trunk: &Trunk, flow: &Flow) -> bool {
        self.opened_with.to_canonical() == flow.remote.ip().to_canonical() || trunk.sends_from(flow)
    }
}

impl Endpoint {
    /// Takes the 401 or 407 to a request of ours within a call: the same goes out again, under the
    /// next number of its dialog, and shows our password. `false` if it does not.
    pub(crate) fn again_with_credentials(
        &mut self,
        now: Instant,
        (transaction, id): (TransactionId, SessionId),
        challenged: Sent,
        (from, response): (&Flow, &Response),
    ) -> bool {
        let Sent { mut request, flow, repeated } = challenged;
        let Some(session) = self.sessions.get(&id) else { return false };
        let name = session.origin.trunk().unwrap_or_default();
        let Some(trunk) = self.config.access.trunks.get(name) else { return false };
        let Some(account) = &trunk.account else { return false };
        let is_theirs = session.is_at(trunk, &flow) && is_same_host(&flow, from);
        let is_wanted = session.still_wants(&request.method, transaction);
        if !is_theirs || !is_wanted || repeated >= CHALLENGES_ANSWERED_MAX {
            return false;
        }
        let known = session.showing.clone().filter(|showing| showing.is_of(account));
        let mut showing = known.unwrap_or_else(|| Showing::new(account.clone()));
        let is_answered =
            showing.take_within(response, &request, |realm| self.is_realm_of(name, realm));
        let cnonce = self.tokens.tag();
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        if is_answered {
            session.dialog.local_cseq += 1;
            request = renumbered(request, session.dialog.local_cseq);
            showing.show(&mut request, &cnonce);
        }
        session.showing = Some(showing);
        if is_answered {
            let signed = self.sign(request, &flow);
            let rest = (flow, Some(id), repeated + 1);
            self.clients.again(now, &mut self.outbox, transaction, signed, rest);
        }
        is_answered
    }

    /// Lets a request within a call with a trunk show at once what the trunk has asked for in it.
    pub(super) fn show_to_trunk(&mut self, id: SessionId, request: &mut Request, flow: &Flow) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if !session.showing.as_ref().is_some_and(Showing::has_nonces) {
            return;
        }
        let name = session.origin.trunk().unwrap_or_default();
        let Some(trunk) = self.config.access.trunks.get(name) else { return };
        let is_at = session.is_at(trunk, flow);
        let ours = |showing: &&mut Showing| {
            is_at && trunk.account.as_ref().is_some_and(|account| showing.is_of(account))
        };
        if let Some(showing) = session.showing.as_mut().filter(ours) {
            showing.show(request, &self.tokens.tag());
        }
    }

    /// The same of whom a request was answered: nothing of that goes anywhere else.
    pub(super) fn show_as_invite(&self, invite: TransactionId, ack: &mut Request, flow: &Flow) {
        let Some((request, to)) = self.clients.request(invite) else { return };
        if !is_same_host(&to, flow) {
            return;
        }
        for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
            for value in request.headers.all(&name) {
                ack.headers.push(name.clone(), value);
            }
        }
    }
}

/// The same request under another number, and without what is put in anew.
pub(super) fn renumbered(mut request: Request, number: u32) -> Request {
    use HeaderName::{Authorization, ProxyAuthorization, UserAgent, Via};
    request.headers = request.headers.without(&[Via, UserAgent, Authorization, ProxyAuthorization]);
    let cseq = CSeq { number, method: request.method.clone() };
    request.headers.set(HeaderName::CSeq, cseq.to_string());
    request
}
