//! OPTIONS: what we can do (RFC 3261 §11).

use std::time::Instant;

use crate::arrival::Arrival;
use crate::endpoint::Endpoint;
use crate::message::{HeaderName, HeaderValue, Headers, Response, StatusCode};
use crate::reply::{ACCEPT, ALLOW, ALLOW_EVENTS, Refusal, SUPPORTED};

impl Endpoint {
    /// Nothing is changed by it, so a copy may be answered afresh and nothing is kept.
    pub(crate) fn answer_options(&mut self, arrival: &Arrival) {
        if self.drains {
            return self.refuse(arrival, &Refusal::of(StatusCode::SERVICE_UNAVAILABLE));
        }
        let ok = self.options_answer(self.stateless_echo(arrival));
        self.reply(arrival, &ok);
    }

    /// In a dialog a copy would be out of order, so this one has a transaction.
    pub(super) fn answer_options_in_dialog(&mut self, now: Instant, arrival: &Arrival) {
        let tag = arrival.to.tag().unwrap_or("").to_owned();
        let pending = self.open_pending(arrival, &tag);
        let ok = self.options_answer(pending.echo.clone());
        self.respond(now, &pending, &ok);
    }

    fn options_answer(&self, echo: Headers) -> Response {
        let mut ok = self.response(echo, StatusCode::OK, None);
        ok.headers.push(HeaderName::Allow, ALLOW);
        ok.headers.push(HeaderName::AllowEvents, ALLOW_EVENTS);
        ok.headers.push(HeaderName::Accept, ACCEPT);
        ok.headers.push(HeaderName::AcceptEncoding, "identity");
        ok.headers.push(HeaderName::Supported, HeaderValue::fixed(SUPPORTED));
        ok
    }
}
