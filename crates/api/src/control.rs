//! Call control: consulting, whispering, supervising, roles.

use axum::extract::{Path, State};
use axum::response::Response;
use model::command::{Hearers, Supervision};
use model::profile::Meanwhile;
use model::{Accepted, PartyId, Role, Verb};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::body::Body;
use crate::command::Api;
use crate::parties::target;
use crate::place::{InConference, OfParty};
use crate::problem::Problem;
use crate::terms::Terms;

/// Whom to consult.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "target": "sip:bob@192.0.2.1", "room": "held" }))]
pub(crate) struct Consultation {
    /// A SIP URI.
    target: String,
    /// What becomes of the others; without it, what the profile says.
    room: Option<Meanwhile>,
}

/// Consult somebody
///
/// The party steps aside with somebody who is called. `swap`, `merge`, `complete` and `cancel`
/// follow.
#[utoipa::path(
    post,
    path = "/api/v1/conferences/{conference}/parties/{party}/consult",
    tag = "control",
    params(OfParty, Terms),
    request_body = Consultation,
    responses(
        (status = 202, description = "Accepted; Location is the called party.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn consult(
    State(api): State<Api>,
    Path(at): Path<OfParty>,
    terms: Terms,
    Body(asked): Body<Consultation>,
) -> Result<Response, Problem> {
    let Consultation { target: whom, room } = asked;
    let verb = Verb::Consult { party: at.party()?, target: target(whom), room };
    api.command(&terms, at.conference()?, verb).await
}

/// To whom to whisper.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "to": "ours" }))]
pub(crate) struct Whisper {
    /// `"ours"`, or `{"only": [ID …]}`; null to speak to everybody again.
    to: Option<Hearers>,
}

/// Whisper
///
/// The party's voice goes to some of ours only, and into no recording; it hears everybody still.
#[utoipa::path(
    put,
    path = "/api/v1/conferences/{conference}/parties/{party}/whisper",
    tag = "control",
    params(OfParty, Terms),
    request_body = Whisper,
    responses(
        (status = 202, description = "Accepted; events tell how it goes.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn whisper(
    State(api): State<Api>,
    Path(at): Path<OfParty>,
    terms: Terms,
    Body(asked): Body<Whisper>,
) -> Result<Response, Problem> {
    let verb = Verb::Whisper { party: at.party()?, to: asked.to };
    api.command(&terms, at.conference()?, verb).await
}

/// With whom to pair.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "with": "p0000000000008" }))]
pub(crate) struct Pairing {
    /// The other party; null to speak to everybody again.
    with: Option<PartyId>,
}

/// Speak with one other only
///
/// Both stay in the room and hear everybody, as a translator and whom it translates for.
#[utoipa::path(
    put,
    path = "/api/v1/conferences/{conference}/parties/{party}/pair",
    tag = "control",
    params(OfParty, Terms),
    request_body = Pairing,
    responses(
        (status = 202, description = "Accepted; events tell how it goes.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn pair(
    State(api): State<Api>,
    Path(at): Path<OfParty>,
    terms: Terms,
    Body(asked): Body<Pairing>,
) -> Result<Response, Problem> {
    let verb = Verb::Pair { party: at.party()?, with: asked.with };
    api.command(&terms, at.conference()?, verb).await
}

/// Which role to give.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "role": "co_host" }))]
pub(crate) struct Appointment {
    /// The role.
    role: Role,
}

/// Give a role
#[utoipa::path(
    put,
    path = "/api/v1/conferences/{conference}/parties/{party}/role",
    tag = "control",
    params(OfParty, Terms),
    request_body = Appointment,
    responses(
        (status = 202, description = "Accepted; events tell how it goes.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn appoint(
    State(api): State<Api>,
    Path(at): Path<OfParty>,
    terms: Terms,
    Body(asked): Body<Appointment>,
) -> Result<Response, Problem> {
    let verb = Verb::Appoint { party: at.party()?, role: asked.role };
    api.command(&terms, at.conference()?, verb).await
}

/// Which keys to press.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "digits": "4711#" }))]
pub(crate) struct Pressed {
    /// 1 to 32 of `0`–`9`, `*`, `#`, `A`–`D`.
    digits: String,
}

/// Press keys
///
/// For the party's far end to hear, as a menu there wants them; nobody else hears them, and no
/// event tells which. They go as telephone-events (RFC 4733), as tones in the sound where those
/// were not agreed on, or by INFO where its trunk takes them so.
#[utoipa::path(
    post,
    path = "/api/v1/conferences/{conference}/parties/{party}/digits",
    tag = "control",
    params(OfParty, Terms),
    request_body = Pressed,
    responses(
        (status = 202, description = "Accepted; they are being pressed.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn press(
    State(api): State<Api>,
    Path(at): Path<OfParty>,
    terms: Terms,
    Body(asked): Body<Pressed>,
) -> Result<Response, Problem> {
    let verb = Verb::SendDigits { party: at.party()?, digits: asked.digits.parse()? };
    api.command(&terms, at.conference()?, verb).await
}

/// Whom to call as a supervisor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "target": "sip:eve@192.0.2.1", "beside": "p0000000000007", "mode": "monitor"
}))]
pub(crate) struct Supervisor {
    /// A SIP URI.
    target: String,
    /// Beside whom it stands.
    beside: PartyId,
    /// `"monitor"`, `{"coach": "ours"}`, `{"coach": {"only": [ID …]}}` or `"barge"`.
    mode: Supervision,
}

/// Call a supervisor in
///
/// Who monitors or coaches is no party: it takes nobody's place, and only ours know of it.
#[utoipa::path(
    post,
    path = "/api/v1/conferences/{conference}/supervisors",
    tag = "control",
    params(InConference, Terms),
    request_body = Supervisor,
    responses(
        (status = 202, description = "Accepted; Location is the supervisor.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn supervise(
    State(api): State<Api>,
    Path(at): Path<InConference>,
    terms: Terms,
    Body(asked): Body<Supervisor>,
) -> Result<Response, Problem> {
    let Supervisor { target: whom, beside, mode } = asked;
    let verb = Verb::Supervise { target: target(whom), beside, mode };
    api.command(&terms, at.conference()?, verb).await
}

/// How to supervise.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "mode": "barge" }))]
pub(crate) struct Standing {
    /// Beside whom; without it, beside whom it is.
    beside: Option<PartyId>,
    /// `"monitor"`, `{"coach": "ours"}`, `{"coach": {"only": [ID …]}}` or `"barge"`.
    mode: Supervision,
}

/// Monitor, coach or barge in
///
/// A supervisor changes how it takes part, on the call that it has.
#[utoipa::path(
    put,
    path = "/api/v1/conferences/{conference}/parties/{party}/supervision",
    tag = "control",
    params(OfParty, Terms),
    request_body = Standing,
    responses(
        (status = 202, description = "Accepted; events tell how it goes.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn stand(
    State(api): State<Api>,
    Path(at): Path<OfParty>,
    terms: Terms,
    Body(asked): Body<Standing>,
) -> Result<Response, Problem> {
    let Standing { beside, mode } = asked;
    let verb = Verb::Stand { party: at.party()?, beside, mode };
    api.command(&terms, at.conference()?, verb).await
}
