//! Registrations: where users can be reached.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use model::Registration;

use crate::admit::Caller;
use crate::command::Api;
use crate::problem::Problem;

/// List registrations
///
/// The users that can be reached, by name, and their phones, the preferred first.
#[utoipa::path(
    get,
    path = "/api/v1/registrations",
    tag = "server",
    responses(
        (status = 200, description = "The registrations.", body = [Registration]),
        Problem,
    ),
)]
pub(crate) async fn list_registrations(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.sees_everything()?;
    Ok(Json(api.feed.registrations()).into_response())
}
