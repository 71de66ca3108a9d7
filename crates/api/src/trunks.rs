//! Trunks: other SIP systems that calls come from and go to.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use model::TrunkView;

use crate::admit::Caller;
use crate::command::Api;
use crate::problem::Problem;

/// List trunks
///
/// The trunks of the configuration, by name: whether they answer, and how many calls they have.
#[utoipa::path(
    get,
    path = "/api/v1/trunks",
    tag = "server",
    responses(
        (status = 200, description = "The trunks.", body = [TrunkView]),
        Problem,
    ),
)]
pub(crate) async fn list_trunks(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.sees_everything()?;
    Ok(Json(api.switch.signal_stats().await.trunks).into_response())
}
