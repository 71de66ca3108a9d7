//! Parties: who is in, who shall come, and what each may do.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use model::{Accepted, PartyView, Refusal, Verb};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::body::{Body, IdempotencyKey};
use crate::command::{Api, conference, party};
use crate::conferences::json;
use crate::problem::Problem;

/// Whom to call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "target": "sip:bob@192.0.2.1" }))]
pub(crate) struct Invitation {
    /// A SIP URI.
    target: String,
}

/// List parties
///
/// In the order in which they came, those that are still being called among them.
#[utoipa::path(
    get,
    path = "/api/v1/conferences/{conference}/parties",
    tag = "parties",
    params(("conference" = String, Path, description = "Its id, or the live one's name.",
        example = "standup")),
    responses(
        (status = 200, description = "The parties.", body = [PartyView]),
        (status = "default", description = "Any problem.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_parties(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let view = api.feed.view(&conference(&name)?).ok_or(Refusal::NoSuchConference)?;
    Ok(json(&view.parties))
}

/// Call somebody in
///
/// Accepted means that the call is on its way; `participant.ringing` and `participant.joined`, or
/// `participant.left` with a reason, tell how it goes. A name that is not live begins a conference.
#[utoipa::path(
    post,
    path = "/api/v1/conferences/{conference}/parties",
    tag = "parties",
    params(
        ("conference" = String, Path, description = "Its id, or a name.", example = "standup"),
        ("Idempotency-Key" = Option<String>, Header,
            description = "Makes a retry safe: the same request with the same key is carried out \
                once."),
    ),
    request_body = Invitation,
    responses(
        (status = 202, description = "Accepted; Location is the invited party.", body = Accepted),
        (status = "default", description = "Any problem.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn invite_party(
    State(api): State<Api>,
    Path(name): Path<String>,
    key: IdempotencyKey,
    Body(invitation): Body<Invitation>,
) -> Result<Response, Problem> {
    let verb = Verb::Invite { target: invitation.target };
    api.command(&key, conference(&name)?, verb).await
}

/// Show a party
#[utoipa::path(
    get,
    path = "/api/v1/conferences/{conference}/parties/{party}",
    tag = "parties",
    params(
        ("conference" = String, Path, description = "Its id, or the live one's name.",
            example = "standup"),
        ("party" = String, Path, description = "Its id.", example = "p0000000000007"),
    ),
    responses(
        (status = 200, description = "The party.", body = PartyView),
        (status = "default", description = "Any problem.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show_party(
    State(api): State<Api>,
    Path((name, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let view = api.feed.view(&conference(&name)?).ok_or(Refusal::NoSuchConference)?;
    let party = view.party(party(&id)?).ok_or(Refusal::NoSuchParty)?;
    Ok(json(party))
}

/// Remove a party
///
/// It is hung up; one that is still being called is not called any longer.
#[utoipa::path(
    delete,
    path = "/api/v1/conferences/{conference}/parties/{party}",
    tag = "parties",
    params(
        ("conference" = String, Path, description = "Its id, or the live one's name.",
            example = "standup"),
        ("party" = String, Path, description = "Its id.", example = "p0000000000007"),
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
pub(crate) async fn remove_party(
    State(api): State<Api>,
    Path((name, id)): Path<(String, String)>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    api.command(&key, conference(&name)?, Verb::Remove { party: party(&id)? }).await
}

/// What can be done to a party by the last word of the path.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Doing {
    /// Its voice goes out of the room; it still hears.
    Mute,
    /// Its voice comes back.
    Unmute,
    /// It is set apart: it hears music, nobody hears it.
    Hold,
    /// It comes back from hold.
    Resume,
}

/// Mute, unmute, hold or resume a party
///
/// Needs no body.
#[utoipa::path(
    post,
    path = "/api/v1/conferences/{conference}/parties/{party}/{doing}",
    tag = "parties",
    params(
        ("conference" = String, Path, description = "Its id, or the live one's name.",
            example = "standup"),
        ("party" = String, Path, description = "Its id.", example = "p0000000000007"),
        ("doing" = inline(Doing), Path, description = "What is done to it."),
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
pub(crate) async fn change_party(
    State(api): State<Api>,
    path: Result<Path<(String, String, Doing)>, PathRejection>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let Path((name, id, doing)) = path.map_err(|_| Problem::not_found())?;
    let (conference, party) = (conference(&name)?, party(&id)?);
    let verb = match doing {
        Doing::Mute => Verb::Mute { party },
        Doing::Unmute => Verb::Unmute { party },
        Doing::Hold => Verb::Hold { party },
        Doing::Resume => Verb::Resume { party },
    };
    api.command(&key, conference, verb).await
}
