//! INFO: application data in a session (RFC 6086 and its predecessor).

use std::time::Instant;

use super::{SessionId, State};
use crate::arrival::Arrival;
use crate::endpoint::Endpoint;
use crate::event::SessionEvent;
use crate::inspect::is_optional;
use crate::message::{HeaderName, MediaType, Request, StatusCode};
use crate::reply::Refusal;

/// What an INFO may hold: keys, in the two ways in which phones have long written them.
const KEYS: &str = "application/dtmf-relay, application/dtmf";

impl Endpoint {
    pub(super) fn receive_info(&mut self, now: Instant, id: SessionId, arrival: Arrival) {
        if let Err(refusal) = judge(&arrival.request) {
            return self.refuse_in_dialog(now, &arrival, &refusal);
        }
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

/// Whoever is answered 200 takes it that it was understood.
///
/// # Errors
/// 469 for any package, for none was ever agreed on (RFC 6086 §4.2.2); 415 for a body of another
/// kind than keys that must be understood (RFC 3261 §8.2.3).
fn judge(request: &Request) -> Result<(), Refusal> {
    let headers = &request.headers;
    if headers.first(&HeaderName::InfoPackage).is_some() {
        let refusal = Refusal::of(StatusCode::BAD_INFO_PACKAGE);
        return Err(refusal.with(HeaderName::RecvInfo, ""));
    }
    let kind = headers.text(&HeaderName::ContentType);
    let kind = kind.and_then(|text| text.parse::<MediaType>().ok());
    let holds_keys = kind.is_some_and(|kind| {
        ["dtmf-relay", "dtmf"].iter().any(|subtype| kind.covers("application", subtype))
    });
    if request.body.is_empty() || holds_keys || is_optional(headers) {
        return Ok(());
    }
    let refusal = Refusal::of(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    Err(refusal.with(HeaderName::Accept, KEYS))
}
