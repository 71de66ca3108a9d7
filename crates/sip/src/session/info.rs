//! INFO: application data in a session (RFC 6086 and its predecessor).

use std::time::Instant;

use super::{SessionId, State};
use crate::arrival::Arrival;
use crate::endpoint::Endpoint;
use crate::event::SessionEvent;
use crate::message::{HeaderName, StatusCode};

impl Endpoint {
    pub(super) fn receive_info(&mut self, now: Instant, id: SessionId, arrival: Arrival) {
        self.answer_in_dialog(now, &arrival, StatusCode::OK);
        let over = |state: &State| matches!(state, State::Closing(_));
        if self.sessions.get(&id).is_none_or(|session| over(&session.state)) {
            return;
        }
        let headers = &arrival.request.headers;
        let content_type = headers.text(&HeaderName::ContentType).unwrap_or_default().into_owned();
        self.outbox.tell(id, SessionEvent::Info { content_type, body: arrival.request.body });
    }
}
