//! What somebody may do at this moment, and why not the rest.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use model::{Action, Allowed, AllowedTo, Author, PartyId, Verb};

use crate::command::Api;
use crate::limits::ANSWER_WAIT_MAX;
use crate::place::{InConference, OfParty};
use crate::problem::Problem;
use crate::sight::Sight;
use crate::terms::Terms;

/// Show what may be done
///
/// What the author of a command could do at this moment, with the conference and with each of its
/// first 32 parties; what is refused is so with the code and the words that the command would be
/// answered with. Nothing is kept of it: it can be otherwise a moment later.
#[utoipa::path(
    get,
    path = "/api/v1/conferences/{conference}/actions",
    tag = "control",
    params(InConference, Terms),
    responses(
        (status = 200, description = "What may be done, and what not.", body = Allowed),
        Problem,
    ),
)]
pub(crate) async fn list_actions(
    State(api): State<Api>,
    Path(at): Path<InConference>,
    terms: Terms,
) -> Result<Response, Problem> {
    let sight = api.sight(&terms.caller, &at.conference()?)?;
    Ok(Json(api.allowed(&terms, &sight, None).await?).into_response())
}

/// Show what may be done with a party
#[utoipa::path(
    get,
    path = "/api/v1/conferences/{conference}/parties/{party}/actions",
    tag = "control",
    params(OfParty, Terms),
    responses(
        (status = 200, description = "What may be done with it, and what not.", body = AllowedTo),
        Problem,
    ),
)]
pub(crate) async fn list_actions_with(
    State(api): State<Api>,
    Path(at): Path<OfParty>,
    terms: Terms,
) -> Result<Response, Problem> {
    let sight = api.sight(&terms.caller, &at.conference()?)?;
    let party = at.party()?;
    let allowed = api.allowed(&terms, &sight, Some(party)).await?;
    let with = allowed.parties.into_iter().find(|with| with.party == party);
    Ok(Json(with.ok_or(model::Refusal::NoSuchParty)?).into_response())
}

impl Api {
    /// Who is not seen is not spoken of.
    async fn allowed(
        &self,
        terms: &Terms,
        sight: &Sight,
        party: Option<PartyId>,
    ) -> Result<Allowed, Problem> {
        let conference = sight.view.id;
        let at = model::ConferenceRef::Id(conference);
        let author = self.author(&terms.caller, terms.party, &at, &Verb::End);
        // A supervisor who is not in yet may have itself called, and no more.
        let by = match author {
            Ok(author) => author,
            Err(_) if terms.party.is_none() && terms.caller.is_supervisor() => Author::Admin,
            Err(problem) => return Err(problem),
        };
        let answer = self.switch.allowed(conference, by, party);
        let answer = tokio::time::timeout(ANSWER_WAIT_MAX, answer).await;
        let mut allowed = answer.map_err(|_| Problem::no_answer())??;
        allowed.parties.retain(|with| sight.view.party(with.party).is_some());
        if by == Author::Admin && terms.caller.is_supervisor() {
            allowed.conference.retain(|verdict| verdict.action == Action::Supervise);
            allowed.parties.clear();
        }
        Ok(allowed)
    }
}
