//! BYE: the end of a session that is up (RFC 3261 §15).

use std::time::Instant;

use super::cancel::reason;
use super::{Closing, Exchange, SessionId, State};
use crate::arrival::Arrival;
use crate::endpoint::Endpoint;
use crate::event::EndCause;
use crate::message::{HeaderName, Method, Reason, StatusCode};

impl Endpoint {
    /// Theirs: answered 200, and what still waits for an answer 487 (§15.1.2).
    pub(super) fn receive_bye(&mut self, now: Instant, id: SessionId, arrival: &Arrival) {
        self.answer_in_dialog(now, arrival, StatusCode::OK);
        self.forget_early_offers(id, |early| early.dialog.is_with(arrival.from.tag()));
        let Some(session) = self.sessions.get_mut(&id) else { return };
        match &mut session.state {
            // It must not before it has answered (§15), but one whose 2xx was lost all the time
            // does. Other phones may ring on.
            State::Calling { invite, early, .. } => {
                early.retain(|early| !early.dialog.is_with(arrival.from.tag()));
                if early.is_empty() {
                    let invite = *invite;
                    let end = EndCause::Bye { reason: reason(&arrival.request.headers) };
                    self.close(id, end, Closing::Cancelled { invite });
                    self.cancel(now, id, invite, None);
                }
                return;
            }
            State::Invited { invite: pending, .. } | State::Up(Exchange::TheirOffer(pending)) => {
                let pending = pending.clone();
                self.terminate(now, &pending);
            }
            // Our own BYE crossed theirs: its response ends the session.
            State::Closing(Closing::Bye) => return,
            State::Resolving(_) | State::Up(_) | State::Closing(_) => {}
        }
        self.finish(id, EndCause::Bye { reason: reason(&arrival.request.headers) });
    }

    /// Ours.
    pub(super) fn bye(
        &mut self,
        now: Instant,
        id: SessionId,
        cause: Option<Reason>,
        end: EndCause,
    ) {
        self.stop_session_timers(id);
        self.send_in_dialog(now, id, Method::Bye, |_, request, _| {
            if let Some(cause) = &cause {
                request.headers.push(HeaderName::Reason, cause.to_string());
            }
        });
        self.close(id, end, Closing::Bye);
    }
}
