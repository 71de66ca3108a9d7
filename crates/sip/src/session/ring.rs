//! Telling a caller that somebody is being alerted (RFC 3261 §13.3.1.1).

use std::time::Instant;

use super::{SessionError, SessionId, SessionTimer, State};
use crate::endpoint::Endpoint;
use crate::limits::PROGRESS_INTERVAL;
use crate::message::StatusCode;

impl Endpoint {
    /// Sends 180 to the pending INVITE, and again each minute until it is answered.
    ///
    /// # Errors
    /// [`SessionError::Unknown`], or [`SessionError::NothingPending`] if it was answered before.
    pub fn ring(&mut self, now: Instant, id: SessionId) -> Result<(), SessionError> {
        let session = self.sessions.get_mut(&id).ok_or(SessionError::Unknown)?;
        let State::Invited { invite, progress } = &mut session.state else {
            return Err(SessionError::NothingPending);
        };
        *progress = Some(StatusCode::RINGING);
        let invite = invite.clone();
        let response = self.response_to(&invite, StatusCode::RINGING, None, None);
        self.respond(now, &invite, &response);
        Ok(())
    }

    /// Keeps proxies from giving up on an INVITE that waits long.
    pub(super) fn repeat_progress(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        let State::Invited { invite, progress } = &session.state else { return };
        // Without a word from the user, "queued" is what can be said truthfully.
        let status = progress.unwrap_or(StatusCode::QUEUED);
        let invite = invite.clone();
        let response = self.response_to(&invite, status, None, None);
        self.respond(now, &invite, &response);
        self.agenda.set((id, SessionTimer::Progress), now + PROGRESS_INTERVAL);
    }
}
