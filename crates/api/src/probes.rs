//! Is it alive, is it ready, what is it?

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::command::Api;
use crate::switch::Readiness;

/// Is it alive?
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "server",
    security(()),
    responses((status = 200, description = "It is.", body = String, example = "ok")),
)]
pub(crate) async fn healthz() -> &'static str {
    "ok"
}

/// Does it take calls?
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "server",
    security(()),
    responses(
        (status = 200, description = "It does.", body = String, example = "ready"),
        (status = 503, description = "It does not; the text says why.", body = String,
            example = "draining"),
    ),
)]
pub(crate) async fn readyz(State(api): State<Api>) -> (StatusCode, String) {
    match api.switch.readiness() {
        Readiness::Ready => (StatusCode::OK, "ready".to_owned()),
        Readiness::NotReady(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

/// What the server says of itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct About {
    /// Its version.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// When it started [ms since the Unix epoch].
    started_ms: u64,
    /// Where phones reach it, if one address is worth telling.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "192.0.2.7:5060")]
    dial: Option<String>,
}

/// What is it?
#[utoipa::path(
    get,
    path = "/api/v1/about",
    tag = "server",
    responses((status = 200, description = "What the server says of itself.", body = About)),
)]
pub(crate) async fn about(State(api): State<Api>) -> Json<About> {
    let facts = api.switch.facts();
    Json(About { version: facts.version, started_ms: facts.started_ms, dial: facts.dial })
}
