//! Ending a session, whatever its state.

use std::time::Instant;

use super::{Closing, Exchange, Heard, SessionId, State};
use crate::endpoint::Endpoint;
use crate::event::EndCause;
use crate::limits::RETRY_AFTER_S;
use crate::message::{HeaderName, Reason, StatusCode};

impl Endpoint {
    /// Ends a session: an incoming one that is not answered is refused, an outgoing one cancelled,
    /// one that is up gets BYE. [`EndCause::LocalEnd`] is told at once; what signalling remains
    /// goes on by itself. Does nothing for a session that is over.
    ///
    /// `cause` goes along as Reason (RFC 3326). An incoming call is refused with its status if it
    /// is a SIP one from 400 on, else with 480.
    pub fn end(&mut self, now: Instant, id: SessionId, cause: Option<Reason>) {
        self.end_as(now, id, cause, EndCause::LocalEnd);
    }

    pub(super) fn end_as(
        &mut self,
        now: Instant,
        id: SessionId,
        cause: Option<Reason>,
        end: EndCause,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        match &mut session.state {
            State::Invited { invite, .. } => {
                let invite = invite.clone();
                let (status, phrase) = refusal(cause.as_ref());
                let mut response = self.response_to(&invite, status, phrase, None);
                if status == StatusCode::SERVICE_UNAVAILABLE {
                    let seconds = self.spread_s(RETRY_AFTER_S);
                    response.headers.push(HeaderName::RetryAfter, seconds.to_string());
                }
                self.respond(now, &invite, &response);
                self.finish(id, end);
            }
            State::Resolving(_) => self.finish(id, end),
            State::Calling { heard: Heard::Nothing, .. } => {
                self.stop_session_timers(id);
                self.close(id, end, Closing::Unheard { cancel: cause });
            }
            State::Calling { invite, .. } => {
                let invite = *invite;
                // The user is told why before the CANCEL is under way.
                self.close(id, end, Closing::Cancelled { invite });
                self.cancel(now, id, invite, cause.as_ref());
            }
            State::Up(Exchange::AwaitingAck(answered)) if answered.opening => {
                let State::Up(Exchange::AwaitingAck(answered)) =
                    std::mem::replace(&mut session.state, State::Up(Exchange::Settled))
                else {
                    return;
                };
                self.close(id, end, Closing::ByeAfterAck { answered, cause });
            }
            State::Up(Exchange::TheirOffer(pending)) => {
                let pending = pending.clone();
                self.terminate(now, &pending);
                self.bye(now, id, cause, end);
            }
            State::Up(_) if self.subscriptions.owe_last_word(id) => {
                self.stop_session_timers(id);
                self.close(id, end, Closing::ByeAfterNotify { cause });
            }
            State::Up(_) => self.bye(now, id, cause, end),
            State::Closing(_) => {}
        }
    }
}

impl Endpoint {
    /// A last NOTIFY in a session's dialog is answered, or nobody will: the BYE waits no longer.
    pub(crate) fn bye_after_notify(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let State::Closing(Closing::ByeAfterNotify { cause }) = &mut session.state else { return };
        let cause = cause.take();
        if !self.subscriptions.owe_last_word(id) {
            self.bye(now, id, cause, EndCause::LocalEnd);
        }
    }
}

fn refusal(cause: Option<&Reason>) -> (StatusCode, Option<&str>) {
    let told = cause.filter(|cause| cause.protocol.eq_ignore_ascii_case("SIP"));
    let status = told.and_then(|cause| cause.cause).and_then(StatusCode::new);
    match status.filter(|status| status.code() >= 400) {
        Some(status) => (status, told.and_then(|cause| cause.text.as_deref())),
        None => (StatusCode::TEMPORARILY_UNAVAILABLE, None),
    }
}
