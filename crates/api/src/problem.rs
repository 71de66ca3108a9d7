//! What went wrong, as every error of the api tells it: problem details (RFC 9457).

use std::collections::BTreeMap;

use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, UPGRADE, WWW_AUTHENTICATE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use model::Refusal;
use serde::Serialize;
use utoipa::openapi::{self, ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::grant::Scope;
use crate::tally::Limit;

/// The media type of problem details (RFC 9457 §3).
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:convoke:problem:no_such_party",
    "title": "No such party",
    "status": 404,
    "detail": "There is no such party in this conference.",
    "code": "no_such_party",
}))]
pub(crate) struct Problem {
    /// The kind of problem: `urn:convoke:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong here, for people.
    detail: String,
    /// The kind, for programs.
    code: &'static str,
    /// The conference's revision, where the author has seen another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    /// Seconds after which another try may do better; in the Retry-After header.
    #[serde(skip)]
    retry_after_s: Option<u32>,
    /// How to be let in; in the WWW-Authenticate header (RFC 6750 §3).
    #[serde(skip)]
    challenge: Option<Challenge>,
}

/// What a client must bring, or what is wrong with what it brought (RFC 6750 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Challenge {
    NoToken,
    InvalidRequest,
    InvalidToken,
    InsufficientScope(Scope),
}

impl Challenge {
    fn header(self) -> String {
        let why = match self {
            Challenge::NoToken => String::new(),
            Challenge::InvalidRequest => ", error=\"invalid_request\"".to_owned(),
            Challenge::InvalidToken => ", error=\"invalid_token\"".to_owned(),
            Challenge::InsufficientScope(scope) => {
                format!(", error=\"insufficient_scope\", scope=\"{}\"", scope.name())
            }
        };
        format!("Bearer realm=\"convoke\"{why}")
    }
}

impl Problem {
    #[cfg(test)]
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Problem {
        let mut title = code.replace('_', " ");
        title[..1].make_ascii_uppercase();
        Problem {
            kind: format!("urn:convoke:problem:{code}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            code,
            revision: None,
            retry_after_s: None,
            challenge: None,
        }
    }

    fn challenging(self, challenge: Challenge) -> Problem {
        Problem { challenge: Some(challenge), ..self }
    }

    /// No token came.
    pub(crate) fn no_token() -> Problem {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "no_token",
            "This needs a token: Authorization: Bearer TOKEN.",
        )
        .challenging(Challenge::NoToken)
    }

    /// No token can come: there are none, and the request is not from this machine.
    pub(crate) fn no_tokens() -> Problem {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "no_token",
            "The server has no tokens; until `convoke token` has made one, only requests from its \
             own machine are answered.",
        )
        .challenging(Challenge::NoToken)
    }

    /// The token is not believed: unknown, expired, not valid yet, for somebody else.
    pub(crate) fn bad_token() -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "bad_token", "The token is not valid.")
            .challenging(Challenge::InvalidToken)
    }

    /// Too many tokens of this source were wrong.
    pub(crate) fn too_many_tokens(rest: std::time::Duration) -> Problem {
        let seconds = u32::try_from(rest.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        Problem {
            retry_after_s: Some(seconds),
            ..Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_tokens",
                "Too many wrong tokens came from your address; try again later.",
            )
        }
    }

    /// The credentials cannot be read, or are two.
    pub(crate) fn bad_authorization() -> Problem {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_authorization",
            "A request carries one bearer token at most.",
        )
        .challenging(Challenge::InvalidRequest)
    }

    /// The token is not for this.
    pub(crate) fn insufficient_scope(scope: Scope) -> Problem {
        Problem::new(
            StatusCode::FORBIDDEN,
            "insufficient_scope",
            format!("The token has not the scope {}.", scope.name()),
        )
        .challenging(Challenge::InsufficientScope(scope))
    }

    /// Whoever has this token has no business there.
    pub(crate) fn not_for_you() -> Problem {
        Problem::new(
            StatusCode::FORBIDDEN,
            "not_for_you",
            "Whoever has this token may not see or do that.",
        )
    }

    /// The token speaks for one party, and not for that one.
    pub(crate) fn not_your_party() -> Problem {
        Problem::new(
            StatusCode::FORBIDDEN,
            "not_your_party",
            "The token does not speak for that party.",
        )
    }

    /// The author has seen another revision than the one that is there.
    pub(crate) fn stale(revision: Option<u64>) -> Problem {
        Problem { revision, ..Problem::from(Refusal::Stale) }
    }

    /// No route leads there.
    pub(crate) fn not_found() -> Problem {
        Problem::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "There is nothing here; see /api/v1/openapi.json.",
        )
    }

    /// There is no recording of that id.
    pub(crate) fn no_such_recording() -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "no_such_recording", "There is no such recording.")
    }

    /// The route knows other methods.
    pub(crate) fn method_not_allowed() -> Problem {
        Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "That cannot be done here; the Allow header tells what can.",
        )
    }

    /// The body is not JSON.
    pub(crate) fn bad_json(detail: String) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "bad_json", detail)
    }

    /// The body is JSON, but not what this route reads.
    pub(crate) fn bad_body(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_body", detail)
    }

    /// The body is too long.
    pub(crate) fn body_too_large() -> Problem {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "The body is longer than any that is read here.",
        )
    }

    /// The body took too long to come.
    pub(crate) fn body_too_slow() -> Problem {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "The body did not come in time.")
    }

    /// The body is of another media type.
    pub(crate) fn unsupported_media_type() -> Problem {
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body must be application/json.",
        )
    }

    /// The query cannot be read.
    pub(crate) fn bad_query(detail: String) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "bad_query", detail)
    }

    /// The revision cannot be read.
    pub(crate) fn bad_if_match() -> Problem {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_if_match",
            "If-Match is the conference's revision in quotes, or *.",
        )
    }

    /// The party cannot be read.
    pub(crate) fn bad_party() -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "bad_party", "Convoke-Party is a party's id.")
    }

    /// The idempotency key cannot be read.
    pub(crate) fn bad_idempotency_key() -> Problem {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_idempotency_key",
            "Idempotency-Key is 1 to 128 visible ASCII characters, once.",
        )
    }

    /// The request names a host that this server is not.
    pub(crate) fn bad_host() -> Problem {
        Problem::new(
            StatusCode::FORBIDDEN,
            "bad_host",
            "The Host header names neither this machine nor an address; other names must be \
             configured.",
        )
    }

    /// The request comes from another site's page.
    pub(crate) fn foreign_origin() -> Problem {
        Problem::new(
            StatusCode::FORBIDDEN,
            "foreign_origin",
            "The Origin header names another site than the Host header.",
        )
    }

    /// The events asked for are not kept any more.
    pub(crate) fn events_gone(oldest: u64) -> Problem {
        Problem::new(
            StatusCode::GONE,
            "events_gone",
            format!(
                "Events before {oldest} are not kept in memory any more; take the view, and go on \
                 from its seq."
            ),
        )
    }

    /// This route speaks WebSocket only.
    pub(crate) fn upgrade_required() -> Problem {
        Problem::new(
            StatusCode::UPGRADE_REQUIRED,
            "upgrade_required",
            "This route speaks WebSocket (RFC 6455) only.",
        )
    }

    /// The WebSocket handshake is wrong.
    pub(crate) fn bad_upgrade(detail: String) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "bad_upgrade", detail)
    }

    /// The shard did not answer.
    pub(crate) fn no_answer() -> Problem {
        Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "no_answer",
            "The server did not answer in time; whether the command is carried out is unknown. \
             A retry with the same Idempotency-Key is safe.",
        )
    }

    /// The machine failed.
    pub(crate) fn machine_failed() -> Problem {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "machine_failed",
            "The machine failed; its log tells more.",
        )
    }

    /// What the layers below answered without saying more.
    pub(crate) fn from_status(status: StatusCode) -> Problem {
        let detail = status.canonical_reason().unwrap_or("The request failed.");
        Problem::new(status, "http_error", detail)
    }
}

/// Any route may answer with a problem.
impl IntoResponses for Problem {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new()
            .description("What went wrong.")
            .content(PROBLEM_JSON, content)
            .build();
        BTreeMap::from([("default".to_owned(), RefOr::T(response))])
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let status = StatusCode::from_u16(refusal.http_status())
            .expect("the table of refusals holds HTTP statuses only");
        Problem {
            retry_after_s: refusal.retry_after_s(),
            ..Problem::new(status, refusal.code(), refusal.sentence())
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).expect("it was made from a status");
        let headers = [(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON))];
        let body = serde_json::to_vec(&self).expect("strings and numbers are always JSON");
        let mut response = (status, headers, body).into_response();
        if let Some(limit) = Limit::of_problem(self.code) {
            response.extensions_mut().insert(limit);
        }
        let mut more = |name: HeaderName, value| response.headers_mut().insert(name, value);
        if let Some(seconds) = self.retry_after_s {
            more(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(Ok(challenge)) = self.challenge.map(|one| HeaderValue::try_from(one.header())) {
            more(WWW_AUTHENTICATE, challenge);
        }
        if status == StatusCode::UPGRADE_REQUIRED {
            // RFC 9110 §15.5.22: the answer must name the protocol.
            more(UPGRADE, HeaderValue::from_static("websocket"));
        }
        response
    }
}
