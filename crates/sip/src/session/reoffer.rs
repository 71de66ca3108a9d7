//! The other side wants the session changed: re-INVITE (RFC 3261 §14.2) and UPDATE (RFC 3311 §5.2).

use std::time::Instant;

use super::early::{keep_offer, may_offer};
use super::timer::Asked;
use super::{Exchange, Purpose, SessionId, SessionTimer, State};
use crate::arrival::Arrival;
use crate::endpoint::Endpoint;
use crate::event::SessionEvent;
use crate::inspect::description;
use crate::message::{HeaderName, Method, StatusCode};
use crate::reply::{Refusal, trying_echo};

/// Most seconds a sender is told to wait when we are the busy side (§14.2, RFC 3311 §5.2).
const RETRY_AFTER_S_MAX: u64 = 10;

impl Endpoint {
    pub(super) fn receive_reoffer(&mut self, now: Instant, id: SessionId, arrival: &Arrival) {
        let invites = arrival.request.method == Method::Invite;
        let offer = match description(&arrival.request.headers, &arrival.request.body) {
            Ok(offer) => offer,
            Err(refusal) => return self.refuse_in_dialog(now, arrival, &refusal),
        };
        if let Err(refusal) = Asked::read(&arrival.request.headers).judge() {
            return self.refuse_in_dialog(now, arrival, &refusal);
        }
        let refreshes = !invites && offer.is_none();
        let retry_after_s = self.tokens.below(RETRY_AFTER_S_MAX + 1);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let refusal = match &session.state {
            // An UPDATE without offer only tells that somebody is there, and where.
            State::Up(_) | State::Invited { .. } | State::Calling { .. } if refreshes => None,
            State::Up(Exchange::Settled | Exchange::BackingOff { .. }) => None,
            State::Up(Exchange::OurOffer { .. } | Exchange::AwaitingAck(_)) => {
                Some(Refusal::of(StatusCode::REQUEST_PENDING))
            }
            State::Up(Exchange::TheirOffer(_)) | State::Invited { .. } => {
                let busy = Refusal::of(StatusCode::SERVER_INTERNAL_ERROR);
                Some(busy.with(HeaderName::RetryAfter, retry_after_s.to_string()))
            }
            State::Calling { early, .. } if !invites => {
                may_offer(early, arrival.from.tag()).err().map(|status| {
                    let refusal = Refusal::of(status);
                    match status {
                        StatusCode::SERVER_INTERNAL_ERROR => {
                            refusal.with(HeaderName::RetryAfter, retry_after_s.to_string())
                        }
                        _ => refusal,
                    }
                })
            }
            State::Calling { .. } => Some(Refusal::of(StatusCode::REQUEST_PENDING)),
            State::Resolving(_) | State::Closing(_) => {
                Some(Refusal::of(StatusCode::CALL_DOES_NOT_EXIST))
            }
        };
        if let Some(refusal) = refusal {
            return self.refuse_in_dialog(now, arrival, &refusal);
        }
        if let Some(dialog) = session.dialog_with_mut(arrival.from.tag()) {
            dialog.refresh(&arrival.request.headers);
        }
        session.peer.learn(&arrival.request.headers);
        match refreshes {
            true => self.answer_refresh(now, id, arrival),
            false => self.put_offer(now, id, arrival, offer),
        }
    }

    fn answer_refresh(&mut self, now: Instant, id: SessionId, arrival: &Arrival) {
        let tag = arrival.to.tag().unwrap_or("").to_owned();
        let pending = self.open_pending(arrival, &tag);
        let response = self.response_to(&pending, StatusCode::OK, None, None);
        self.respond(now, &pending, &response);
        // Before the call is answered there is no session that could expire.
        if self.sessions.get(&id).is_some_and(|session| matches!(session.state, State::Up(_))) {
            self.interval_agreed(now, id, pending.asked.agree(&self.config));
        }
    }

    /// Puts their offer before the user.
    fn put_offer(&mut self, now: Instant, id: SessionId, arrival: &Arrival, sdp: Option<Vec<u8>>) {
        let tag = arrival.to.tag().unwrap_or("").to_owned();
        let mut pending = self.open_pending(arrival, &tag);
        let session = self.sessions.get(&id);
        pending.appears_as = session.and_then(|session| session.dialog.appears_as.clone());
        if pending.method == Method::Invite {
            let echo = trying_echo(&pending.echo, &arrival.request);
            let trying = self.response(echo, StatusCode::TRYING, None);
            self.respond(now, &pending, &trying);
        }
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if let State::Calling { early, .. } = &mut session.state {
            keep_offer(early, arrival.from.tag(), pending);
            return self.outbox.tell(id, SessionEvent::Reoffer { sdp });
        }
        let before =
            std::mem::replace(&mut session.state, State::Up(Exchange::TheirOffer(pending)));
        if let State::Up(Exchange::BackingOff { purpose, .. }) = before {
            // Ours was made for a session that theirs is about to change.
            self.agenda.clear((id, SessionTimer::BackOff));
            if purpose == Purpose::Change {
                let status = StatusCode::REQUEST_PENDING;
                self.outbox.tell(id, SessionEvent::ReofferRefused { status });
            }
        }
        self.outbox.tell(id, SessionEvent::Reoffer { sdp });
    }
}
