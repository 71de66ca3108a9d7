//! CANCEL: taking back an INVITE that has no final response (RFC 3261 §9).

use std::time::Instant;

use super::{Closing, Exchange, SessionId, SessionTimer, State};
use crate::arrival::Arrival;
use crate::endpoint::Endpoint;
use crate::event::{EndCause, SessionEvent};
use crate::message::{HeaderName, Headers, Method, Reason, Request, StatusCode};
use crate::reply::{Pending, Refusal, echo};
use crate::transaction::{TRANSACTION_TIMEOUT, TransactionId};

impl Endpoint {
    /// Theirs. A copy of it finds the same INVITE and gets the same answer, so it needs no
    /// transaction of its own.
    pub(crate) fn receive_cancel(&mut self, now: Instant, arrival: &Arrival) {
        // It comes the way its INVITE came (§9.1), so from nobody else.
        let invite = self.servers.find(&arrival.server_key()).filter(|invite| {
            let way = self.servers.flow(*invite).map(|flow| flow.remote.ip());
            way == Some(arrival.reply_flow.remote.ip())
        });
        let Some(invite) = invite else {
            return self.refuse(arrival, &Refusal::of(StatusCode::CALL_DOES_NOT_EXIST));
        };
        let tag = self.servers.tag(invite).unwrap_or("").to_owned();
        let missing = arrival.to.tag().is_none();
        let echo = echo(&arrival.request, missing.then_some(tag.as_str()));
        let ok = self.response(echo, StatusCode::OK, None);
        self.reply(arrival, &ok);
        let key = (arrival.call_id.clone(), tag);
        let Some(&id) = self.ids_by_dialog.get(&key) else { return };
        let Some(session) = self.sessions.get_mut(&id) else { return };
        match &session.state {
            State::Invited { invite: pending, .. } if pending.transaction == invite => {
                let pending = pending.clone();
                self.terminate(now, &pending);
                self.finish(id, EndCause::Cancelled { reason: reason(&arrival.request.headers) });
            }
            State::Up(Exchange::TheirOffer(pending)) if pending.transaction == invite => {
                let pending = pending.clone();
                session.state = State::Up(Exchange::Settled);
                self.terminate(now, &pending);
                self.outbox.tell(id, SessionEvent::ReofferWithdrawn);
            }
            // Answered before: the CANCEL comes too late and changes nothing (§9.2).
            State::Invited { .. }
            | State::Resolving(_)
            | State::Calling { .. }
            | State::Up(_)
            | State::Closing(_) => {}
        }
    }

    /// Answers a request that waits, and will not be answered otherwise, with 487.
    pub(super) fn terminate(&mut self, now: Instant, pending: &Pending) {
        let response = self.response_to(pending, StatusCode::REQUEST_TERMINATED, None, None);
        self.respond(now, pending, &response);
    }

    /// Ours. It goes where the INVITE went, with the same branch (§9.1).
    pub(super) fn cancel(
        &mut self,
        now: Instant,
        id: SessionId,
        invite: TransactionId,
        cause: Option<&Reason>,
    ) {
        if let Some((request, flow)) = self.clients.request(invite)
            && let Some((cancel, branch)) = cancel_for(request, cause)
        {
            self.clients.start(now, &mut self.outbox, (cancel, branch), flow, Some(id));
        }
        self.stop_session_timers(id);
        self.agenda.set((id, SessionTimer::CancelUnanswered), now + TRANSACTION_TIMEOUT);
        self.close(id, EndCause::LocalEnd, Closing::Cancelled { invite });
    }

    /// An INVITE that was left for another server shows a sign of life (§9.1).
    pub(super) fn cancel_disowned(&mut self, now: Instant, invite: TransactionId) {
        if let Some((request, flow)) = self.clients.request(invite)
            && let Some((cancel, branch)) = cancel_for(request, None)
            && !self.clients.is_under_way(&branch, Method::Cancel)
        {
            self.clients.start(now, &mut self.outbox, (cancel, branch), flow, None);
        }
    }

    /// The INVITE is to be forgotten if nothing comes in 64·T1 after the CANCEL (§9.1).
    pub(super) fn give_up_on_cancelled(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        if let State::Closing(Closing::Cancelled { invite }) = session.state {
            self.clients.forget(invite);
            self.finish(id, EndCause::LocalEnd);
        }
    }
}

/// The Reason of a CANCEL or BYE, if it can be read (RFC 3326).
pub(super) fn reason(headers: &Headers) -> Option<Reason> {
    headers.values(&HeaderName::Reason).first()?.parse().ok()
}

fn cancel_for(invite: &Request, cause: Option<&Reason>) -> Option<(Request, String)> {
    use HeaderName::{CSeq, CallId, From, MaxForwards, Route, To, Via};
    let mut headers = invite.headers.only(&[Via, MaxForwards, Route, From, To, CallId, CSeq]);
    let cseq = headers.text(&CSeq)?.replace("INVITE", "CANCEL");
    headers.set(CSeq, cseq);
    if let Some(cause) = cause {
        headers.push(HeaderName::Reason, cause.to_string());
    }
    let via: crate::message::Via = headers.text(&Via)?.parse().ok()?;
    let branch = via.branch()?.to_owned();
    let target = invite.target.clone();
    Some((Request { method: Method::Cancel, target, headers, body: Vec::new() }, branch))
}
