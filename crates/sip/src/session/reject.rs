//! Refusing an INVITE, a re-INVITE or an UPDATE (RFC 3261 §13.3.1.3, §14.2).

use std::time::Instant;

use super::early::settle_offer;
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
        let session = self.sessions.get_mut(&id).ok_or(SessionError::Unknown)?;
        let (pending, rejected) = match &mut session.state {
            State::Invited { invite, .. } => (invite.clone(), Rejected::Call),
            State::Up(Exchange::TheirOffer(pending)) => (pending.clone(), Rejected::Offer),
            State::Calling { early, .. } => {
                let offer = settle_offer(early, None);
                (offer.ok_or(SessionError::NothingPending)?, Rejected::EarlyOffer)
            }
            State::Up(_) | State::Resolving(_) | State::Closing(_) => {
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
        match rejected {
            Rejected::Call => self.finish(id, EndCause::LocalEnd),
            Rejected::Offer => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.state = State::Up(Exchange::Settled);
                }
            }
            // It is taken out already, and the call goes on.
            Rejected::EarlyOffer => {}
        }
        Ok(())
    }
}

/// What was refused.
enum Rejected {
    Call,
    Offer,
    EarlyOffer,
}
