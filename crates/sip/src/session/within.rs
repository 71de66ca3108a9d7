//! Requests inside a dialog (RFC 3261 §12.2.2).

use std::time::Instant;

use super::{SessionId, State};
use crate::arrival::Arrival;
use crate::endpoint::Endpoint;
use crate::message::{Method, StatusCode};
use crate::reply::Refusal;

impl Endpoint {
    pub(crate) fn receive_in_dialog(&mut self, now: Instant, id: SessionId, arrival: Arrival) {
        let Some(session) = self.sessions.get(&id) else { return };
        let Some(dialog) = session.dialog_with(arrival.from.tag()) else { return };
        let last = dialog.remote_cseq;
        if last.is_some_and(|last| arrival.cseq.number <= last) {
            // A copy would have met its transaction; this is out of order.
            return self.refuse(&arrival, &Refusal::of(StatusCode::SERVER_INTERNAL_ERROR));
        }
        // A BYE is taken even when there is no room: it is what makes room.
        if arrival.request.method != Method::Bye && !self.has_room(&arrival) {
            return;
        }
        let session = self.sessions.get_mut(&id);
        let tag = arrival.from.tag();
        if let Some(dialog) = session.and_then(|session| session.dialog_with_mut(tag)) {
            dialog.remote_cseq = Some(arrival.cseq.number);
            dialog.follow(&arrival);
        }
        match arrival.request.method {
            Method::Bye => self.receive_bye(now, id, &arrival),
            Method::Invite | Method::Update => self.receive_reoffer(now, id, &arrival),
            Method::Info => self.receive_info(now, id, arrival),
            Method::Prack => self.receive_prack(now, id, &arrival),
            Method::Options => self.answer_options_in_dialog(now, &arrival),
            Method::Notify => self.receive_notify(now, id, &arrival),
            Method::Subscribe | Method::Refer | Method::Message if self.is_over(id) => {
                self.answer_in_dialog(now, &arrival, StatusCode::CALL_DOES_NOT_EXIST);
            }
            // NOTIFYs go to the one that answers the call.
            Method::Subscribe | Method::Refer if self.is_calling(id) => {
                self.answer_in_dialog(now, &arrival, StatusCode::REQUEST_PENDING);
            }
            Method::Subscribe => self.receive_subscribe(now, Some(id), &arrival),
            Method::Refer => self.receive_refer(now, Some(id), &arrival),
            Method::Message => self.receive_text(now, Some(id), &arrival),
            // Refused, or sorted out, before they came here.
            Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Publish
            | Method::Other(_) => {}
        }
    }

    /// Whether the user has been told that the session is over.
    pub(super) fn is_over(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_none_or(|session| session.is_closing())
    }

    /// Whether it is a call of ours that is not answered.
    fn is_calling(&self, id: SessionId) -> bool {
        let session = self.sessions.get(&id);
        session.is_some_and(|session| matches!(session.state, State::Calling { .. }))
    }

    /// Answers a request in a dialog for good, by its own transaction.
    pub(super) fn answer_in_dialog(&mut self, now: Instant, arrival: &Arrival, status: StatusCode) {
        self.refuse_in_dialog(now, arrival, &Refusal::of(status));
    }

    pub(crate) fn refuse_in_dialog(&mut self, now: Instant, arrival: &Arrival, refusal: &Refusal) {
        let tag = arrival.to.tag().unwrap_or("").to_owned();
        let pending = self.open_pending(arrival, &tag);
        let response = self.refusal_response(refusal, &arrival.request, pending.echo.clone());
        self.respond(now, &pending, &response);
    }
}
