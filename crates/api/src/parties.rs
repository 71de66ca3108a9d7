//! Parties: who is in, who shall come, and what each may do.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use model::command::Target;
use model::{Accepted, PartyView, Refusal, Verb};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::body::{Body, IdempotencyKey};
use crate::command::Api;
use crate::place::{InConference, OfParty};
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
    params(InConference),
    responses(
        (status = 200, description = "The parties.", body = [PartyView]),
        Problem,
    ),
)]
pub(crate) async fn list_parties(
    State(api): State<Api>,
    Path(at): Path<InConference>,
) -> Result<Response, Problem> {
    let view = api.feed.view(&at.conference()?).ok_or(Refusal::NoSuchConference)?;
    Ok(Json(&view.parties).into_response())
}

/// Call somebody in
///
/// Accepted means that the call is on its way; `participant.ringing` and `participant.joined`, or
/// `participant.left` with a reason, tell how it goes. A name that is not live begins a conference.
#[utoipa::path(
    post,
    path = "/api/v1/conferences/{conference}/parties",
    tag = "parties",
    params(InConference, IdempotencyKey),
    request_body = Invitation,
    responses(
        (status = 202, description = "Accepted; Location is the invited party.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn invite_party(
    State(api): State<Api>,
    Path(at): Path<InConference>,
    key: IdempotencyKey,
    Body(invitation): Body<Invitation>,
) -> Result<Response, Problem> {
    let verb = Verb::invite(invitation.target);
    api.command(&key, at.conference()?, verb).await
}

/// Show a party
#[utoipa::path(
    get,
    path = "/api/v1/conferences/{conference}/parties/{party}",
    tag = "parties",
    params(OfParty),
    responses(
        (status = 200, description = "The party.", body = PartyView),
        Problem,
    ),
)]
pub(crate) async fn show_party(
    State(api): State<Api>,
    Path(at): Path<OfParty>,
) -> Result<Response, Problem> {
    let view = api.feed.view(&at.conference()?).ok_or(Refusal::NoSuchConference)?;
    let party = view.party(at.party()?).ok_or(Refusal::NoSuchParty)?;
    Ok(Json(party).into_response())
}

/// Remove a party
///
/// It is hung up; one that is still being called is not called any longer.
#[utoipa::path(
    delete,
    path = "/api/v1/conferences/{conference}/parties/{party}",
    tag = "parties",
    params(OfParty, IdempotencyKey),
    responses(
        (status = 202, description = "Accepted; events tell how it goes.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn remove_party(
    State(api): State<Api>,
    Path(at): Path<OfParty>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    api.command(&key, at.conference()?, Verb::Remove { party: at.party()? }).await
}

/// Transfer a party
///
/// Its seat passes to somebody who is called: it leaves when that one is in, and stays if that one
/// does not come. `transfer.completed` or `transfer.failed` tell how it goes.
#[utoipa::path(
    post,
    path = "/api/v1/conferences/{conference}/parties/{party}/transfer",
    tag = "parties",
    params(OfParty, IdempotencyKey),
    request_body = Invitation,
    responses(
        (status = 202, description = "Accepted; Location is the called party.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn transfer_party(
    State(api): State<Api>,
    Path(at): Path<OfParty>,
    key: IdempotencyKey,
    Body(invitation): Body<Invitation>,
) -> Result<Response, Problem> {
    let target = Target::Address(invitation.target);
    let verb = Verb::Transfer { party: at.party()?, target };
    api.command(&key, at.conference()?, verb).await
}

/// A path that ends with what is done to a party.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct Done {
    /// What is done to it.
    #[param(inline)]
    doing: Doing,
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
    params(OfParty, Done, IdempotencyKey),
    responses(
        (status = 202, description = "Accepted; events tell how it goes.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn change_party(
    State(api): State<Api>,
    Path(at): Path<OfParty>,
    done: Result<Path<Done>, PathRejection>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let Path(done) = done.map_err(|_| Problem::not_found())?;
    let party = at.party()?;
    let verb = match done.doing {
        Doing::Mute => Verb::Mute { party },
        Doing::Unmute => Verb::Unmute { party },
        Doing::Hold => Verb::Hold { party },
        Doing::Resume => Verb::Resume { party },
    };
    api.command(&key, at.conference()?, verb).await
}
