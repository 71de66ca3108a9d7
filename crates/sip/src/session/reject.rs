//! Refusing an INVITE, a re-INVITE or an UPDATE (RFC 3261 §13.3.1.3, §14.2).

use std::time::Instant;

use super::{Exchange, SessionError, SessionId, State};
use crate::endpoint::Endpoint;
use crate::event::EndCause;
use crate::limits::PHRASE_BYTES_MAX;
use crate::message::{HeaderName, StatusCode};

impl Endpoint {
    /// Refuses what waits. The INVITE of an incoming session ends it ([`EndCause::LocalEnd`]);
    /// after a refused re-INVITE or UPDATE it goes on as it was. `phrase` replaces the usual one.
    ///
    /// # Errors
    /// [`SessionError::Unknown`], [`SessionError::NothingPending`] if the other side took it back,
    /// [`SessionError::BadStatus`] for less than 300.
    pub fn reject(
        &mut self,
        now: Instant,
        id: SessionId,
        status: StatusCode,
        phrase: Option<&str>,
        retry_after_s: Option<u32>,
    ) -> Result<(), SessionError> {
        if status.code() < 300 {
            return Err(SessionError::BadStatus);
        }
        let session = self.sessions.get(&id).ok_or(SessionError::Unknown)?;
        let (pending, opening) = match &session.state {
            State::Invited { invite, .. } => (invite.clone(), true),
            State::Up(Exchange::TheirOffer(pending)) => (pending.clone(), false),
            State::Up(_) | State::Resolving(_) | State::Calling { .. } | State::Closing(_) => {
                return Err(SessionError::NothingPending);
            }
        };
        let phrase = phrase.filter(|phrase| phrase.len() <= PHRASE_BYTES_MAX);
        let mut response = self.response_to(&pending, status, phrase, None);
        if let Some(seconds) = retry_after_s {
            let seconds = self.spread_s(seconds);
            response.headers.push(HeaderName::RetryAfter, seconds.to_string());
        }
        self.respond(now, &pending, &response);
        if opening {
            self.finish(id, EndCause::LocalEnd);
        } else if let Some(session) = self.sessions.get_mut(&id) {
            session.state = State::Up(Exchange::Settled);
        }
        Ok(())
    }
}
