//! Responses to our INVITE (RFC 3261 §13.2.2).

use std::time::Instant;

use super::early::{Agreed, settle_offer};
use super::prack::Early;
use super::{Closing, Exchange, SessionId, SessionTimer, State};
use crate::dialog::Dialog;
use crate::endpoint::Endpoint;
use crate::event::{EndCause, SessionEvent};
use crate::flow::Flow;
use crate::inspect::description;
use crate::limits::{PHRASE_BYTES_MAX, PRACKS_MAX};
use crate::message::{HeaderName, Method, NameAddr, Response, StatusCode};
use crate::transaction::TransactionId;

impl Endpoint {
    pub(super) fn invite_answered(
        &mut self,
        now: Instant,
        (invite, user): (TransactionId, Option<SessionId>),
        flow: Flow,
        response: &Response,
    ) {
        if user.is_none() && response.status.is_provisional() {
            return self.cancel_disowned(now, invite);
        }
        let known = user.and_then(|id| self.sessions.get_mut(&id).map(|session| (id, session)));
        let Some((id, session)) = known else {
            return self.refuse_fork(now, (invite, user), flow, response);
        };
        match &mut session.state {
            State::Calling { invite: ours, .. } if *ours == invite => {
                self.heard_of_call(now, id, response.status);
                self.call_answered(now, (invite, id), flow, response);
            }
            State::Up(Exchange::OurOffer { invite: ours, .. }) if *ours == invite => {
                self.reinvite_answered(now, (invite, id), flow, response);
            }
            State::Closing(Closing::Unheard { cancel }) => {
                let cancel = cancel.take();
                self.given_up_answered(now, (invite, id), flow, response, || cancel);
            }
            State::Closing(Closing::Cancelled { invite: ours }) if *ours == invite => {
                self.given_up_answered(now, (invite, id), flow, response, || None);
            }
            // The 2xx of another fork, or to a re-INVITE of a session that we have left.
            State::Invited { .. }
            | State::Resolving(_)
            | State::Calling { .. }
            | State::Up(_)
            | State::Closing(_) => self.refuse_fork(now, (invite, user), flow, response),
        }
    }

    /// A response to the INVITE of a call that we are still making.
    fn call_answered(
        &mut self,
        now: Instant,
        (invite, id): (TransactionId, SessionId),
        flow: Flow,
        response: &Response,
    ) {
        let status = response.status;
        let sdp = description(&response.headers, &response.body).ok().flatten();
        let sdp = sdp.filter(|_| self.counts(id, response));
        if status == StatusCode::TRYING {
            return;
        }
        if status.is_provisional() {
            if self.acknowledge_progress(now, (invite, id), flow, response) {
                self.keep_early(id, flow, response);
                self.outbox.tell(id, SessionEvent::Ringing { status, sdp });
            }
            return;
        }
        if status.is_success() {
            let sdp = match self.confirm(invite, id, flow, response) {
                Agreed::Nothing | Agreed::Renewed => sdp,
                Agreed::Answer(early) => sdp.or(Some(early)),
            };
            self.interval_told(now, id, &response.headers);
            return self.outbox.tell(id, SessionEvent::Established { sdp });
        }
        if status == StatusCode::SESSION_INTERVAL_TOO_SMALL
            && self.call_with_longer_interval(now, id, &response.headers)
        {
            return;
        }
        if self.call_with_credentials(now, id, flow, response) {
            return;
        }
        // §4.3 of RFC 3263: 503 says to try another server.
        if status == StatusCode::SERVICE_UNAVAILABLE && self.call_next_address(now, id) {
            return;
        }
        let phrase = response.reason.chars().take(PHRASE_BYTES_MAX / 4).collect();
        self.finish(id, EndCause::Rejected { status, phrase });
    }

    /// A response to the INVITE of a call that the user has given up: CANCEL as soon as it may be
    /// sent, and BYE if the CANCEL came too late.
    fn given_up_answered(
        &mut self,
        now: Instant,
        (invite, id): (TransactionId, SessionId),
        flow: Flow,
        response: &Response,
        cancel: impl FnOnce() -> Option<crate::message::Reason>,
    ) {
        let unheard = self.sessions.get(&id).is_some_and(|session| {
            matches!(session.state, State::Closing(Closing::Unheard { .. }))
        });
        if response.status.is_provisional() {
            if unheard {
                self.cancel(now, id, invite, cancel().as_ref());
            }
        } else if response.status.is_success() {
            drop(self.confirm(invite, id, flow, response));
            self.bye(now, id, cancel(), EndCause::LocalEnd);
        } else {
            self.finish(id, EndCause::LocalEnd);
        }
    }

    /// The dialog is there: ACK. Returns what was agreed on before.
    fn confirm(
        &mut self,
        invite: TransactionId,
        id: SessionId,
        flow: Flow,
        response: &Response,
    ) -> Agreed {
        let cseq = self.invite_cseq(invite);
        let to = response.to();
        let tag = to.as_ref().and_then(NameAddr::tag);
        self.forget_early_offers(id, |early| !early.dialog.is_with(tag));
        let Some(session) = self.sessions.get_mut(&id) else { return Agreed::Nothing };
        let (mut agreed, mut exchange) = (Agreed::Nothing, Exchange::Settled);
        session.dialog.confirm(response, flow);
        session.peer.learn(&response.headers);
        if let Some(showing) = &mut session.showing {
            showing.accepted();
        }
        if let State::Calling { early, dialling, .. } = &mut session.state {
            let tag = session.dialog.remote.tag();
            let its = early.iter().find(|early| early.dialog.is_with(tag));
            session.dialog.remote_cseq = its.and_then(|early| early.dialog.remote_cseq);
            agreed = its.map_or(Agreed::Nothing, Early::agreed);
            session.said = its.and_then(Early::said).or(Some(dialling.offer.clone()));
            if let Some(pending) = settle_offer(early, None) {
                exchange = Exchange::TheirOffer(pending);
            }
        }
        if !session.is_closing() {
            session.state = State::Up(exchange);
        }
        let (dialog, cseq) = (session.dialog.clone(), cseq.unwrap_or(session.dialog.local_cseq));
        self.agenda.clear((id, SessionTimer::NoAnswer));
        self.acknowledge(invite, cseq, &dialog);
        agreed
    }

    /// A 2xx that nobody wants: the dialog it opens is acknowledged and ended (§13.2.2.4).
    fn refuse_fork(
        &mut self,
        now: Instant,
        (invite, user): (TransactionId, Option<SessionId>),
        flow: Flow,
        response: &Response,
    ) {
        if !response.status.is_success() || !self.clients.takes_another_fork(invite) {
            return;
        }
        let Some((mut dialog, cseq)) = self.fork_dialog(response, flow) else { return };
        // This fork may have had PRACKs, which are numbered with all of the session.
        let session = user.and_then(|id| self.sessions.get(&id));
        let last = session.map_or(cseq + PRACKS_MAX, |session| session.dialog.local_cseq.max(cseq));
        dialog.confirm(response, flow);
        self.acknowledge(invite, cseq, &dialog);
        let bye = dialog.request(Method::Bye, last + 1);
        let flow = dialog.next_hop(&self.config);
        let signed = self.sign(bye, &flow);
        self.clients.start(now, &mut self.outbox, signed, flow, None);
    }

    /// The dialog of a 2xx, as far as the response itself tells.
    fn fork_dialog(&self, response: &Response, flow: Flow) -> Option<(Dialog, u32)> {
        let text = |name: &HeaderName| response.headers.text(name);
        let local: NameAddr = text(&HeaderName::From)?.parse().ok()?;
        let remote: NameAddr = text(&HeaderName::To)?.parse().ok()?;
        let cseq: crate::message::CSeq = text(&HeaderName::CSeq)?.parse().ok()?;
        let dialog = Dialog {
            call_id: text(&HeaderName::CallId)?.into_owned(),
            ours: true,
            local,
            local_cseq: cseq.number,
            remote_cseq: None,
            remote_target: remote.uri.clone(),
            remote,
            routes: Vec::new(),
            flow,
            appears_as: None,
            pinned: false,
        };
        Some((dialog, cseq.number))
    }
}
