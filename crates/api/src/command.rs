//! A request that wants something done: it becomes one command.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use model::{Audience, Author, Command, ConferenceRef, Refusal, Verb};

use crate::feed::Feed;
use crate::limits::{ANSWER_WAIT_MAX, EFFECT_WAIT_MAX};
use crate::problem::Problem;
use crate::spoken::Spoken;
use crate::switch::Switch;
use crate::tally::Tally;
use crate::terms::Terms;

/// A revision that no conference has: they begin with 1.
const NEVER: u64 = 0;

/// What every route has at hand.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) switch: Arc<dyn Switch>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) spoken: Arc<Spoken>,
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
        let verb = terms.caller.meant(verb);
        let author = self.author_again(terms, &conference, &verb)?;
        let seen = self.sight(&terms.caller, &conference).map_or(0, |sight| sight.view.seq);
        let if_revision = self.revision(terms, &conference)?;
        let (action, at) = (verb.action(), conference.clone());
        let id = terms.key.command_id(&conference, author, &verb);
        let id = id.unwrap_or_else(|| self.switch.command_id());
        let command = Command { if_revision, ..Command::new(id, conference, author, verb) };
        let answer = tokio::time::timeout(ANSWER_WAIT_MAX, self.switch.command(command));
        let mut accepted = match answer.await.map_err(|_| Problem::no_answer())? {
            Ok(accepted) => accepted,
            Err(Refusal::Stale) => return Err(self.stale(terms, &at).await),
            Err(refusal) => {
                if refusal.denies_a_right() {
                    // Whose command it was: what forbade it is told by who judged it.
                    let (bearer, action) = (&terms.caller.grant.name, action.name());
                    tracing::warn!(target: "security", bearer, %id, action, code = refusal.code(),
                        "refused");
                }
                return Err(refusal.into());
            }
        };
        let effect = self.feed.reached(accepted.conference, accepted.seq);
        if tokio::time::timeout(EFFECT_WAIT_MAX, effect).await.is_err() {
            tracing::debug!(conference = %accepted.conference, "its events are late");
        }
        let conference = accepted.conference;
        match self.sight(&terms.caller, &ConferenceRef::Id(conference)) {
            Ok(sight) if sight.audience == Audience::Everything => {}
            Ok(sight) => accepted.seq = sight.view.seq,
            // It has left by that, and is told no more than it was shown before.
            Err(_) if !terms.caller.grant.capacity.sees_everything() => accepted.seq = seen,
            Err(_) => {}
        }
        let location = match (accepted.party, accepted.recording) {
            (Some(party), _) => format!("/api/v1/conferences/{conference}/parties/{party}"),
            (None, Some(recording)) => format!("/api/v1/recordings/{recording}"),
            (None, None) => format!("/api/v1/conferences/{conference}"),
        };
        Ok((StatusCode::ACCEPTED, [(LOCATION, location)], Json(accepted)).into_response())
    }

    /// For whom a caller speaks. A wish that comes again is for whom it was before, whoever is
    /// there by now.
    fn author_again(
        &self,
        terms: &Terms,
        conference: &ConferenceRef,
        verb: &Verb,
    ) -> Result<Author, Problem> {
        let bearer = (&terms.caller.grant.capacity, terms.party);
        let wish = terms.key.wish(conference, bearer, verb);
        if let Some(author) = wish.as_ref().and_then(|wish| self.spoken.author_of(wish)) {
            return Ok(author);
        }
        let author = self.author(&terms.caller, terms.party, conference, verb)?;
        if let Some(wish) = &wish {
            self.spoken.remember(wish, author);
        }
        Ok(author)
    }

    /// The revision that a command shall be refused for if it is not there any more. Who is shown
    /// less counts less: what it has seen last is what there is, or it is stale already.
    fn revision(&self, terms: &Terms, conference: &ConferenceRef) -> Result<Option<u64>, Problem> {
        let Some(seen) = terms.if_revision else { return Ok(None) };
        match self.sight(&terms.caller, conference) {
            Ok(sight) if sight.audience != Audience::Everything => {
                match sight.view.revision == seen {
                    true => Ok(Some(sight.revision)),
                    // It may be a retry, and what it has seen before is what it changed itself:
                    // only who carries commands out knows.
                    false if terms.key.is_there() => Ok(Some(NEVER)),
                    false => Err(Problem::stale(Some(sight.view.revision))),
                }
            }
            // Whoever sees everything may know more than has been told here so far.
            Ok(_) | Err(_) => Ok(Some(seen)),
        }
    }

    /// Somebody else was first: with the revision that there is by now.
    async fn stale(&self, terms: &Terms, conference: &ConferenceRef) -> Problem {
        let now = || self.sight(&terms.caller, conference).ok().map(|sight| sight.view.revision);
        let another = self.feed.until(|| now() != terms.if_revision);
        if tokio::time::timeout(EFFECT_WAIT_MAX, another).await.is_err() {
            tracing::debug!("its events are late");
        }
        Problem::stale(now())
    }
}
