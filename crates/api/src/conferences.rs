//! Conferences: what they look like, and their end.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use model::command::{Hearers, Readers};
use model::{Accepted, ConferenceRef, ConferenceView, PartyId, Refusal, Role, Verb};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::admit::Caller;
use crate::body::{Asked, Body};
use crate::command::Api;
use crate::place::InConference;
use crate::problem::Problem;
use crate::sight::audience_of;
use crate::terms::Terms;

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
/// The live ones, oldest first; with `ended=true` also the latest ones that ended. An agent's token
/// is shown those that the agent is in, a guest's its own.
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
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Response {
    let mut views = api.feed.views();
    views.retain(|view| which.ended || view.ended_ms.is_none());
    let seen = |view: &Arc<ConferenceView>| {
        api.sight(&caller, &ConferenceRef::Id(view.id)).ok().map(|sight| sight.view)
    };
    let views: Vec<_> = views.iter().filter_map(seen).collect();
    Json(&views.iter().map(AsRef::as_ref).collect::<Vec<&ConferenceView>>()).into_response()
}

/// As whom to look.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Looking {
    /// What the first party of this role sees, or, if there is none, somebody from outside; without
    /// it, what the token may see. For tokens that see everything.
    #[param(inline)]
    r#as: Option<Role>,
}

/// Show a conference
///
/// By its id also one that ended lately; by its name the live one. With `as=customer` without who
/// monitors, whispers and consultations.
#[utoipa::path(
    get,
    path = "/api/v1/conferences/{conference}",
    tag = "conferences",
    params(InConference, Looking),
    responses(
        (status = 200, description = "The conference.", body = ConferenceView),
        Problem,
    ),
)]
pub(crate) async fn show_conference(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<InConference>,
    Asked(looking): Asked<Looking>,
) -> Result<Response, Problem> {
    let sight = api.sight(&caller, &at.conference()?)?;
    let Some(role) = looking.r#as else { return Ok(Json(sight.view.as_ref()).into_response()) };
    caller.sees_everything()?;
    let audience = audience_of(&sight.view, role);
    let seen = api.feed.view_for(&ConferenceRef::Id(sight.view.id), audience);
    let (view, _) = seen.ok_or(Refusal::NoSuchConference)?;
    Ok(Json(view.as_ref()).into_response())
}

/// End a conference
///
/// For all its parties; a recording that runs is completed.
#[utoipa::path(
    delete,
    path = "/api/v1/conferences/{conference}",
    tag = "conferences",
    params(InConference, Terms),
    responses(
        (status = 202, description = "Accepted; events tell how it goes.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn end_conference(
    State(api): State<Api>,
    Path(at): Path<InConference>,
    terms: Terms,
) -> Result<Response, Problem> {
    api.command(&terms, at.conference()?, Verb::End).await
}

/// What is written.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "text": "The line closes in five minutes." }))]
pub(crate) struct Writing {
    /// The text: 1 to 4,096 bytes of UTF-8.
    text: String,
    /// For whom alone; without it, for all.
    to: Option<PartyId>,
    /// A whisper: to ours only, `"ours"` or `{"only": [ID …]}`. Not together with `to`.
    whisper: Option<Hearers>,
}

/// Write into a conference
///
/// It is an event (`message.text`), and goes to the phones of those it is for by SIP MESSAGE; many
/// phones show no texts. A whisper is another event (`whisper.text`), and nobody from outside ever
/// sees one.
#[utoipa::path(
    post,
    path = "/api/v1/conferences/{conference}/messages",
    tag = "conferences",
    params(InConference, Terms),
    request_body = Writing,
    responses(
        (status = 202, description = "Accepted; it is on its way.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn write_message(
    State(api): State<Api>,
    Path(at): Path<InConference>,
    terms: Terms,
    Body(writing): Body<Writing>,
) -> Result<Response, Problem> {
    let Writing { text, to, whisper } = writing;
    let to = match (to, whisper) {
        (None, None) => Readers::Everybody,
        (Some(party), None) => Readers::Party(party),
        (None, Some(hearers)) => Readers::Whisper(hearers),
        (Some(_), Some(_)) => return Err(Problem::bad_body("to and whisper exclude each other")),
    };
    api.command(&terms, at.conference()?, Verb::Write { to, text }).await
}
