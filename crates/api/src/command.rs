//! A request that wants something done: it becomes one command.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use model::{ConferenceRef, Verb};

use crate::feed::Feed;
use crate::limits::{ANSWER_WAIT_MAX, EFFECT_WAIT_MAX};
use crate::problem::Problem;
use crate::switch::Switch;
use crate::terms::Terms;

/// What every route has at hand.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) switch: Arc<dyn Switch>,
    pub(crate) feed: Arc<Feed>,
}

impl Api {
    /// Hands over a command and answers with what the switch says: 202, for the events tell how it
    /// goes, or the refusal. The answer waits a moment for its events, so that who asks next sees
    /// them.
    pub(crate) async fn command(
        &self,
        terms: &Terms,
        conference: ConferenceRef,
        verb: Verb,
    ) -> Result<Response, Problem> {
        let command = terms.command(conference, verb, || self.switch.command_id());
        let answer = tokio::time::timeout(ANSWER_WAIT_MAX, self.switch.command(command));
        let accepted = answer.await.map_err(|_| Problem::no_answer())??;
        let seen = self.feed.reached(accepted.conference, accepted.seq);
        if tokio::time::timeout(EFFECT_WAIT_MAX, seen).await.is_err() {
            tracing::debug!(conference = %accepted.conference, "its events are late");
        }
        let conference = accepted.conference;
        let location = match (accepted.party, accepted.recording) {
            (Some(party), _) => format!("/api/v1/conferences/{conference}/parties/{party}"),
            (None, Some(recording)) => format!("/api/v1/recordings/{recording}"),
            (None, None) => format!("/api/v1/conferences/{conference}"),
        };
        Ok((StatusCode::ACCEPTED, [(LOCATION, location)], Json(accepted)).into_response())
    }
}
