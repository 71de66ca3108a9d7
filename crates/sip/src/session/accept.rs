//! Answering 200, and repeating that until the ACK comes (RFC 3261 §13.3.1.4).

use std::time::Instant;

use super::early::settle_offer;
use super::progress::{Afterwards, Progress};
use super::{Answered, Closing, Exchange, SessionError, SessionId, SessionTimer, State};
use crate::endpoint::Endpoint;
use crate::event::EndCause;
use crate::message::{Method, StatusCode};
use crate::reply::Pending;
use crate::transaction::{T1, T2, TRANSACTION_TIMEOUT};

impl Endpoint {
    /// Answers what waits — the INVITE of an incoming session, a re-INVITE or an UPDATE, also one
    /// that came before our call was answered — with 200.
    /// `sdp` is the answer; for an INVITE without an offer it is our offer, and the answer comes
    /// with [`crate::SessionEvent::Established`] or [`crate::SessionEvent::Reanswered`].
    ///
    /// # Errors
    /// [`SessionError::Unknown`], or [`SessionError::NothingPending`] if the other side took it
    /// back.
    pub fn accept(
        &mut self,
        now: Instant,
        id: SessionId,
        sdp: Vec<u8>,
    ) -> Result<(), SessionError> {
        let session = self.sessions.get_mut(&id).ok_or(SessionError::Unknown)?;
        let mut told = Some(sdp);
        let (pending, opening) = match &mut session.state {
            State::Invited {
                progress: Progress { afterwards: Afterwards::Accept(_), .. }, ..
            } => {
                return Err(SessionError::NothingPending);
            }
            State::Invited { progress, .. } if progress.unacknowledged.is_some() => {
                // RFC 3262 §3: no 2xx while a description is not known to have arrived.
                progress.afterwards = Afterwards::Accept(told.unwrap_or_default());
                return Ok(());
            }
            State::Invited { invite, progress } => {
                told = told.filter(|_| !progress.answered);
                (invite.clone(), true)
            }
            State::Up(Exchange::TheirOffer(pending)) => (pending.clone(), false),
            State::Calling { early, .. } => {
                let offer = settle_offer(early, told.as_deref());
                let pending = offer.ok_or(SessionError::NothingPending)?;
                let response = self.response_to(&pending, StatusCode::OK, None, told);
                self.respond(now, &pending, &response);
                return Ok(());
            }
            State::Up(_) | State::Resolving(_) | State::Closing(_) => {
                return Err(SessionError::NothingPending);
            }
        };
        session.said = told.clone().or(session.said.take());
        self.find_way_back(now, id, pending.transaction);
        let response = self.response_to(&pending, StatusCode::OK, None, told);
        self.respond(now, &pending, &response);
        self.agenda.clear((id, SessionTimer::Progress));
        self.agenda.clear((id, SessionTimer::Expires));
        self.interval_agreed(now, id, pending.asked.agree(&self.config));
        let exchange = match pending.method == Method::Invite {
            true => self.await_ack(now, id, &pending, opening, response.to_bytes()),
            // An UPDATE has no ACK (RFC 3311 §5.2).
            false => Exchange::Settled,
        };
        if let Some(session) = self.sessions.get_mut(&id) {
            session.state = State::Up(exchange);
        }
        Ok(())
    }

    fn await_ack(
        &mut self,
        now: Instant,
        id: SessionId,
        pending: &Pending,
        opening: bool,
        bytes: Vec<u8>,
    ) -> Exchange {
        self.agenda.set((id, SessionTimer::AnswerAgain), now + T1);
        self.agenda.set((id, SessionTimer::NoAck), now + TRANSACTION_TIMEOUT);
        Exchange::AwaitingAck(Answered {
            opening,
            cseq: pending.cseq,
            offered: !pending.offered,
            bytes,
            transaction: pending.transaction,
            interval: T1,
        })
    }

    /// Also over TCP: beyond the next hop there may be UDP.
    pub(super) fn repeat_answer(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let (State::Up(Exchange::AwaitingAck(answered))
        | State::Closing(Closing::ByeAfterAck { answered, .. })) = &mut session.state
        else {
            return;
        };
        answered.interval = (answered.interval * 2).min(T2);
        let (transaction, bytes) = (answered.transaction, answered.bytes.clone());
        self.agenda.set((id, SessionTimer::AnswerAgain), now + answered.interval);
        self.answer_again(now, id, transaction, &bytes);
    }

    /// The session is there, but the other side does not know or care: BYE.
    pub(super) fn give_up_on_ack(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        match &mut session.state {
            State::Up(Exchange::AwaitingAck(_)) => {
                self.bye(now, id, None, EndCause::TimedOut);
            }
            State::Closing(Closing::ByeAfterAck { cause, .. }) => {
                let cause = cause.take();
                self.bye(now, id, cause, EndCause::TimedOut);
            }
            State::Invited { .. }
            | State::Resolving(_)
            | State::Calling { .. }
            | State::Up(_)
            | State::Closing(_) => {}
        }
    }
}
