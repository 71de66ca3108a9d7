//! Parties: who is in, who shall come, and what each may do.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use model::command::Target;
use model::{Accepted, PartyView, Refusal, Role, Verb};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::admit::Caller;
use crate::body::Body;
use crate::command::Api;
use crate::place::{InConference, OfParty};
use crate::problem::Problem;
use crate::terms::Terms;

/// Whom to call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "target": "sip:bob@192.0.2.1" }))]
pub(crate) struct Invitation {
    /// A SIP URI.
    target: String,
    /// As what; without it, what the profile says. Not for transfers.
    role: Option<Role>,
}

/// Who is meant: a SIP URI, or `queue:NAME`.
pub(crate) fn target(text: String) -> Target {
    match text.strip_prefix("queue:") {
        Some(queue) => Target::Queue(queue.to_owned()),
        None => Target::Address(text),
    }
}

/// List parties
///
/// The customer, then the others in the order in which they came, those that are still being called
/// among them.
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
    caller: Caller,
    Path(at): Path<InConference>,
) -> Result<Response, Problem> {
    let view = api.sight(&caller, &at.conference()?)?.view;
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
    params(InConference, Terms),
    request_body = Invitation,
    responses(
        (status = 202, description = "Accepted; Location is the invited party.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn invite_party(
    State(api): State<Api>,
    Path(at): Path<InConference>,
    terms: Terms,
    Body(invitation): Body<Invitation>,
) -> Result<Response, Problem> {
    let Invitation { target: whom, role } = invitation;
    let verb = Verb::Invite { target: target(whom), role };
    api.command(&terms, at.conference()?, verb).await
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
    caller: Caller,
    Path(at): Path<OfParty>,
) -> Result<Response, Problem> {
    let view = api.sight(&caller, &at.conference()?)?.view;
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
    params(OfParty, Terms),
    responses(
        (status = 202, description = "Accepted; events tell how it goes.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn remove_party(
    State(api): State<Api>,
    Path(at): Path<OfParty>,
    terms: Terms,
) -> Result<Response, Problem> {
    api.command(&terms, at.conference()?, Verb::Remove { party: at.party()? }).await
}

/// Transfer a party
///
/// Its seat passes to somebody who is called: it leaves when that one is in, and stays if that one
/// does not come. `transfer.completed` or `transfer.failed` tell how it goes.
#[utoipa::path(
    post,
    path = "/api/v1/conferences/{conference}/parties/{party}/transfer",
    tag = "parties",
    params(OfParty, Terms),
    request_body = Invitation,
    responses(
        (status = 202, description = "Accepted; Location is the called party.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn transfer_party(
    State(api): State<Api>,
    Path(at): Path<OfParty>,
    terms: Terms,
    Body(invitation): Body<Invitation>,
) -> Result<Response, Problem> {
    let verb = Verb::Transfer { party: at.party()?, target: target(invitation.target) };
    api.command(&terms, at.conference()?, verb).await
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
    /// Who waits and who is talked with change places.
    Swap,
    /// Who consults, who is consulted and who waits stand together.
    Merge,
    /// Who consults leaves the consulted one in its place.
    Complete,
    /// The consulted one is let go.
    Cancel,
    /// Its voice goes out and stays out until a supervisor lets it back in.
    Silence,
    /// That ends.
    Unsilence,
}

/// Do something to a party
///
/// Mute, hold, consult and their like, by the last word of the path.
/// Needs no body.
#[utoipa::path(
    post,
    path = "/api/v1/conferences/{conference}/parties/{party}/{doing}",
    tag = "parties",
    params(OfParty, Done, Terms),
    responses(
        (status = 202, description = "Accepted; events tell how it goes.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn change_party(
    State(api): State<Api>,
    Path(at): Path<OfParty>,
    done: Result<Path<Done>, PathRejection>,
    terms: Terms,
) -> Result<Response, Problem> {
    let Path(done) = done.map_err(|_| Problem::not_found())?;
    let party = at.party()?;
    let verb = match done.doing {
        Doing::Mute => Verb::Mute { party },
        Doing::Unmute => Verb::Unmute { party },
        Doing::Hold => Verb::Hold { party },
        Doing::Resume => Verb::Resume { party },
        Doing::Swap => Verb::Swap { party },
        Doing::Merge => Verb::Merge { party },
        Doing::Complete => Verb::Complete { party },
        Doing::Cancel => Verb::Cancel { party },
        Doing::Silence => Verb::Silence { party },
        Doing::Unsilence => Verb::Unsilence { party },
    };
    api.command(&terms, at.conference()?, verb).await
}
