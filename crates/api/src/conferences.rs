//! Conferences: what they look like, and their end.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use model::{Accepted, ConferenceView, Refusal, Verb};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::body::{Asked, IdempotencyKey};
use crate::command::Api;
use crate::place::InConference;
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
        Problem,
    ),
)]
pub(crate) async fn list_conferences(
    State(api): State<Api>,
    Asked(which): Asked<Which>,
) -> Response {
    let mut views = api.feed.views();
    views.retain(|view| which.ended || view.ended_ms.is_none());
    Json(&views.iter().map(AsRef::as_ref).collect::<Vec<&ConferenceView>>()).into_response()
}

/// Show a conference
///
/// By its id also one that ended lately; by its name the live one.
#[utoipa::path(
    get,
    path = "/api/v1/conferences/{conference}",
    tag = "conferences",
    params(InConference),
    responses(
        (status = 200, description = "The conference.", body = ConferenceView),
        Problem,
    ),
)]
pub(crate) async fn show_conference(
    State(api): State<Api>,
    Path(at): Path<InConference>,
) -> Result<Response, Problem> {
    let view = api.feed.view(&at.conference()?).ok_or(Refusal::NoSuchConference)?;
    Ok(Json(view.as_ref()).into_response())
}

/// End a conference
///
/// For all its parties; a recording that runs is completed.
#[utoipa::path(
    delete,
    path = "/api/v1/conferences/{conference}",
    tag = "conferences",
    params(InConference, IdempotencyKey),
    responses(
        (status = 202, description = "Accepted; events tell how it goes.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn end_conference(
    State(api): State<Api>,
    Path(at): Path<InConference>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    api.command(&key, at.conference()?, Verb::End).await
}
