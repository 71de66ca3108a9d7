//! Responses: what they echo of their request, and what they add (RFC 3261 §8.2.6).

use crate::endpoint::Endpoint;
use crate::flow::Flow;
use crate::limits::{Limit, RETRY_AFTER_S};
use crate::message::{HeaderName, Headers, Method, Params, Request, Response, StatusCode};
use crate::session::timer::Asked;
use crate::transaction::TransactionId;

/// The methods that are understood.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, \
                                REGISTER, SUBSCRIBE, NOTIFY, REFER, MESSAGE";

/// The event packages that are understood.
pub(crate) const ALLOW_EVENTS: &str = "conference, refer";

/// The extensions that are understood, by option tag: RFC 3262, 3911, 4488, 3891, 4538 and 4028.
pub(crate) const SUPPORTED: &str = "100rel, join, norefersub, replaces, tdialog, timer";

/// The media types that are understood.
pub(crate) const ACCEPT: &str = "application/sdp";

/// Why a request is refused, and what to add to the response.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) phrase: Option<&'static str>,
    pub(crate) headers: Vec<(HeaderName, String)>,
    /// The limit that was reached, if that is why.
    pub(crate) limit: Option<Limit>,
}

impl From<&'static str> for Refusal {
    /// A bad request, with that phrase.
    fn from(phrase: &'static str) -> Refusal {
        Refusal::bad_request(phrase)
    }
}

impl Refusal {
    pub(crate) fn of(status: StatusCode) -> Refusal {
        Refusal { status, phrase: None, headers: Vec::new(), limit: None }
    }

    pub(crate) fn bad_request(phrase: &'static str) -> Refusal {
        Refusal { phrase: Some(phrase), ..Refusal::of(StatusCode::BAD_REQUEST) }
    }

    /// There is no room, for now.
    pub(crate) fn full(limit: Limit) -> Refusal {
        Refusal::of(StatusCode::SERVICE_UNAVAILABLE).over(limit)
    }

    /// Because that limit was reached.
    pub(crate) fn over(self, limit: Limit) -> Refusal {
        Refusal { limit: Some(limit), ..self }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Refusal {
        self.headers.push((name, value.into()));
        self
    }
}

impl Endpoint {
    /// What a refused request is answered; a limit that was reached is counted here and nowhere
    /// else.
    pub(crate) fn refusal_response(
        &mut self,
        refusal: &Refusal,
        request: &Request,
        echo: Headers,
    ) -> Response {
        // Whoever reads a value is told that it cannot be read, and not why.
        let is_bad = refusal.status == StatusCode::BAD_REQUEST;
        let limit = match refusal.limit {
            None if is_bad && has_too_many_params(request) => Some(Limit::Params),
            limit => limit,
        };
        if let Some(limit) = limit {
            self.outbox.stats.limits.count(limit);
        }
        let mut response = self.response(echo, refusal.status, refusal.phrase);
        for (name, value) in &refusal.headers {
            response.headers.push(name.clone(), value.as_str());
        }
        if refusal.status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = self.spread_s(RETRY_AFTER_S);
            response.headers.push(HeaderName::RetryAfter, seconds.to_string());
        }
        response
    }

    /// A response with the echo of its request; the phrase is the usual one unless given.
    pub(crate) fn response(
        &self,
        echo: Headers,
        status: StatusCode,
        phrase: Option<&str>,
    ) -> Response {
        let mut headers = echo;
        if status != StatusCode::TRYING {
            headers.push(HeaderName::Server, self.config.server_name.as_str());
        }
        self.feedback.write(&mut headers);
        let reason = phrase.unwrap_or_else(|| status.phrase()).to_owned();
        Response { status, reason, headers, body: Vec::new() }
    }

    /// A wait of about that many seconds, from 1 to twice as many: those who were sent away
    /// together do not all come back together.
    pub(crate) fn spread_s(&mut self, mean_s: u32) -> u64 {
        1 + self.tokens.below(2 * u64::from(mean_s.max(1)))
    }
}

/// Whether the Request-URI, or an address or hop among the headers, has more parameters than are
/// read.
fn has_too_many_params(request: &Request) -> bool {
    use HeaderName::{Contact, From, Path, RecordRoute, ReferTo, ReferredBy, Route, To, Via};
    let headers = [Via, From, To, Contact, Route, RecordRoute, Path, ReferTo, ReferredBy];
    let mut values = headers.iter().flat_map(|name| request.headers.values(name));
    Params::are_too_many(&request.target) || values.any(|value| Params::are_too_many(&value))
}

/// A request that waits for its final response.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) transaction: TransactionId,
    pub(crate) method: Method,
    pub(crate) cseq: u32,
    /// What each response echoes.
    pub(crate) echo: Headers,
    /// Where responses go.
    pub(crate) flow: Flow,
    /// Whether it asks for a `sips` URI.
    pub(crate) secure: bool,
    /// The user that our Contact names instead of the one that was asked for.
    pub(crate) appears_as: Option<String>,
    /// Whether it came with an offer.
    pub(crate) offered: bool,
    /// Whether each provisional response has to be acknowledged (RFC 3262).
    pub(crate) requires_reliable: bool,
    /// What it says of session timers.
    pub(crate) asked: Asked,
}

/// The headers that a response repeats as they came. A missing To tag is filled in with ours.
pub(crate) fn echo(request: &Request, tag: Option<&str>) -> Headers {
    use HeaderName::{CSeq, CallId, From, To, Via};
    let mut echo = request.headers.only(&[Via, From, To, CallId, CSeq]);
    if let (Some(tag), Some(to)) = (tag, echo.first(&To)) {
        echo.set(To, [to, b";tag=", tag.as_bytes()].concat());
    }
    echo
}

/// What a 100 repeats: also when the request was sent, so that its sender learns how long the way
/// is (RFC 3261 §8.2.6.1).
pub(crate) fn trying_echo(echo: &Headers, request: &Request) -> Headers {
    let mut echo = echo.clone();
    if let Some(sent_at) = request.headers.first(&HeaderName::Timestamp) {
        echo.push(HeaderName::Timestamp, sent_at);
    }
    echo
}

/// Puts a session description into a message.
pub(crate) fn attach(headers: &mut Headers, body: &mut Vec<u8>, sdp: Vec<u8>) {
    headers.push(HeaderName::ContentType, ACCEPT);
    *body = sdp;
}
