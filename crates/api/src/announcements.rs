//! Prompts that are said because somebody wishes it.

use axum::extract::{Path, State};
use axum::response::Response;
use model::{Accepted, PartyId, PromptName, Verb};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::body::Body;
use crate::command::Api;
use crate::place::{InConference, OfAnnouncement};
use crate::problem::Problem;
use crate::terms::Terms;

/// What is said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "prompt": "on_hold" }))]
pub(crate) struct Announcing {
    /// The prompt's name: one that is shipped, or a file of the configured folder.
    prompt: PromptName,
    /// To whom alone; without it, to all who are in.
    to: Option<PartyId>,
}

/// Say a prompt
///
/// In the language of the conference's profile. Who hears another prompt hears this one after it.
/// `announcement.started` and `announcement.ended` tell when it is said.
#[utoipa::path(
    post,
    path = "/api/v1/conferences/{conference}/announcements",
    tag = "conferences",
    params(InConference, Terms),
    request_body = Announcing,
    responses(
        (status = 202, description = "Accepted; it is said when it can be.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn announce(
    State(api): State<Api>,
    Path(at): Path<InConference>,
    terms: Terms,
    Body(announcing): Body<Announcing>,
) -> Result<Response, Problem> {
    let Announcing { prompt, to } = announcing;
    api.command(&terms, at.conference()?, Verb::Play { prompt, to }).await
}

/// Stop a prompt
///
/// It is not said to its end, or not said at all.
#[utoipa::path(
    delete,
    path = "/api/v1/conferences/{conference}/announcements/{announcement}",
    tag = "conferences",
    params(OfAnnouncement, Terms),
    responses(
        (status = 202, description = "Accepted; events tell how it goes.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn stop_announcement(
    State(api): State<Api>,
    Path(at): Path<OfAnnouncement>,
    terms: Terms,
) -> Result<Response, Problem> {
    let announcement = at.announcement()?;
    api.command(&terms, at.conference()?, Verb::StopPlaying { announcement }).await
}
