//! Conferences: what they look like, and their end.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use model::{Accepted, ConferenceView, Refusal, Verb};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::body::{Asked, IdempotencyKey};
use crate::command::{Api, conference};
use crate::problem::Problem;

/// Which conferences to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// True: those that ended lately, too.
    #[serde(default)]
    ended: bool,
}

/// List conferences
///
/// The live ones, oldest first; with `ended=true` also the latest ones that ended.
#[utoipa::path(
    get,
    path = "/api/v1/conferences",
    tag = "conferences",
    params(Which),
    responses(
        (status = 200, description = "The conferences.", body = [ConferenceView]),
        (status = "default", description = "Any problem.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_conferences(
    State(api): State<Api>,
    Asked(which): Asked<Which>,
) -> Response {
    let mut views = api.feed.views();
    views.retain(|view| which.ended || view.ended_ms.is_none());
    json(&views.iter().map(AsRef::as_ref).collect::<Vec<&ConferenceView>>())
}

/// Show a conference
///
/// By its id also one that ended lately; by its name the live one.
#[utoipa::path(
    get,
    path = "/api/v1/conferences/{conference}",
    tag = "conferences",
    params(("conference" = String, Path, description = "Its id, or the live one's name.",
        example = "standup")),
    responses(
        (status = 200, description = "The conference.", body = ConferenceView),
        (status = "default", description = "Any problem.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show_conference(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let view = api.feed.view(&conference(&name)?).ok_or(Refusal::NoSuchConference)?;
    Ok(json(view.as_ref()))
}

/// End a conference
///
/// For all its parties; a recording that runs is completed.
#[utoipa::path(
    delete,
    path = "/api/v1/conferences/{conference}",
    tag = "conferences",
    params(
        ("conference" = String, Path, description = "Its id, or the live one's name.",
            example = "standup"),
        ("Idempotency-Key" = Option<String>, Header,
            description = "Makes a retry safe: the same request with the same key is carried out \
                once."),
    ),
    responses(
        (status = 202, description = "Accepted; events tell how it goes.", body = Accepted),
        (status = "default", description = "Any problem.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn end_conference(
    State(api): State<Api>,
    Path(name): Path<String>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    api.command(&key, conference(&name)?, Verb::End).await
}

/// A view as JSON.
pub(crate) fn json<T: serde::Serialize + ?Sized>(value: &T) -> Response {
    use axum::response::IntoResponse;
    Json(value).into_response()
}
