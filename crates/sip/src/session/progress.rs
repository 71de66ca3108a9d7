//! Telling a caller how far its call is (RFC 3261 §13.3.1.1), reliably where the caller asks for it
//! or is told where to hear early media (RFC 3262 §3).

use std::time::{Duration, Instant};

use super::{SessionError, SessionId, SessionTimer, State};
use crate::endpoint::Endpoint;
use crate::event::EndCause;
use crate::limits::PROGRESS_INTERVAL;
use crate::message::{HeaderName, StatusCode};
use crate::reply::Pending;
use crate::transaction::{T1, TRANSACTION_TIMEOUT, TransactionId};

/// What a caller that waits has been told.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The last provisional response, to be repeated while they wait.
    pub(crate) last: Option<StatusCode>,
    /// RSeq of the last reliable one; 0 before the first, which makes the first 1 (§3).
    pub(crate) rseq: u32,
    /// The reliable one whose PRACK has not come.
    pub(crate) unacknowledged: Option<Reliable>,
    /// What follows once it has.
    pub(crate) afterwards: Afterwards,
    /// Whether a reliable one carried the answer, which then is not given a second time.
    pub(crate) answered: bool,
}

/// What waits for a PRACK: one reliable response at a time (§3), and a 2xx ends them all.
#[derive(Debug, Default)]
pub(crate) enum Afterwards {
    #[default]
    Nothing,
    Provisional(StatusCode, Option<Vec<u8>>),
    Accept(Vec<u8>),
}

/// A provisional response that is repeated until its PRACK comes.
#[derive(Debug)]
pub(crate) struct Reliable {
    bytes: Vec<u8>,
    /// That of the INVITE, which knows the way.
    transaction: TransactionId,
    interval: Duration,
}

impl Endpoint {
    /// Sends 180 to the pending INVITE, and again each minute until it is answered.
    ///
    /// # Errors
    /// As [`Endpoint::progress`].
    pub fn ring(&mut self, now: Instant, id: SessionId) -> Result<(), SessionError> {
        self.progress(now, id, StatusCode::RINGING, None)
    }

    /// Sends a provisional response (101 to 199) to the pending INVITE. `sdp` is the answer for
    /// early media: what [`Endpoint::accept`] is given later must be the same. To a caller that
    /// made no offer it is not sent. It goes out reliably if the caller demands that, and with
    /// `sdp` also if the caller only knows how. One that demands it and made no offer is told
    /// nothing: the first reliable response would have to hold our offer (RFC 3262 §5), which is
    /// for the 2xx.
    ///
    /// # Errors
    /// [`SessionError::Unknown`], [`SessionError::NothingPending`] if it was answered before,
    /// [`SessionError::BadStatus`] for another status.
    pub fn progress(
        &mut self,
        now: Instant,
        id: SessionId,
        status: StatusCode,
        sdp: Option<Vec<u8>>,
    ) -> Result<(), SessionError> {
        if !(101..200).contains(&status.code()) {
            return Err(SessionError::BadStatus);
        }
        let session = self.sessions.get_mut(&id).ok_or(SessionError::Unknown)?;
        let State::Invited { invite, progress } = &mut session.state else {
            return Err(SessionError::NothingPending);
        };
        progress.last = Some(status);
        if matches!(progress.afterwards, Afterwards::Accept(_)) {
            return Err(SessionError::NothingPending);
        }
        if progress.unacknowledged.is_some() {
            progress.afterwards = Afterwards::Provisional(status, sdp);
            return Ok(());
        }
        if invite.requires_reliable && !invite.offered {
            return Ok(());
        }
        // Our own offer, where the caller made none, is for the 2xx.
        let sdp = sdp.filter(|_| invite.offered);
        let reliable = invite.requires_reliable || (sdp.is_some() && session.peer.reliable);
        let invite = invite.clone();
        self.find_way_back(now, id, invite.transaction);
        match reliable {
            true => self.progress_reliably(now, id, &invite, status, sdp),
            false => {
                let response = self.response_to(&invite, status, None, sdp);
                self.respond(now, &invite, &response);
            }
        }
        Ok(())
    }

    fn progress_reliably(
        &mut self,
        now: Instant,
        id: SessionId,
        invite: &Pending,
        status: StatusCode,
        sdp: Option<Vec<u8>>,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let State::Invited { progress, .. } = &mut session.state else { return };
        // A description is given once; what comes later says nothing of it.
        let sdp = sdp.filter(|_| !progress.answered);
        progress.answered |= sdp.is_some();
        progress.rseq += 1;
        let rseq = progress.rseq;
        session.said = sdp.clone().or(session.said.take());
        let mut response = self.response_to(invite, status, None, sdp);
        response.headers.push(HeaderName::Require, "100rel");
        response.headers.push(HeaderName::RSeq, rseq.to_string());
        self.respond(now, invite, &response);
        let transaction = invite.transaction;
        let reliable = Reliable { bytes: response.to_bytes(), transaction, interval: T1 };
        self.agenda.set((id, SessionTimer::ProgressAgain), now + T1);
        self.agenda.set((id, SessionTimer::NoPrack), now + TRANSACTION_TIMEOUT);
        if let Some(session) = self.sessions.get_mut(&id)
            && let State::Invited { progress, .. } = &mut session.state
        {
            progress.unacknowledged = Some(reliable);
        }
    }

    /// The PRACK came: what waited for it follows.
    pub(super) fn progress_acknowledged(&mut self, now: Instant, id: SessionId) {
        self.agenda.clear((id, SessionTimer::ProgressAgain));
        self.agenda.clear((id, SessionTimer::NoPrack));
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let State::Invited { progress, .. } = &mut session.state else { return };
        progress.unacknowledged = None;
        let done = match std::mem::take(&mut progress.afterwards) {
            Afterwards::Nothing => Ok(()),
            Afterwards::Provisional(status, sdp) => self.progress(now, id, status, sdp),
            Afterwards::Accept(sdp) => self.accept(now, id, sdp),
        };
        done.expect("an INVITE whose reliable response is acknowledged still waits");
    }

    /// Also over TCP: beyond the next hop there may be UDP.
    pub(super) fn repeat_reliably(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let State::Invited { progress, .. } = &mut session.state else { return };
        let Some(reliable) = &mut progress.unacknowledged else { return };
        // §3: doubled without an upper bound, 64·T1 in all.
        reliable.interval *= 2;
        let (transaction, bytes) = (reliable.transaction, reliable.bytes.clone());
        self.agenda.set((id, SessionTimer::ProgressAgain), now + reliable.interval);
        self.answer_again(now, id, transaction, &bytes);
    }

    /// §3: the INVITE is refused with a 5xx.
    pub(super) fn give_up_on_prack(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        if let State::Invited { invite, .. } = &session.state {
            let invite = invite.clone();
            let response = self.response_to(&invite, StatusCode::SERVER_TIMEOUT, None, None);
            self.respond(now, &invite, &response);
            self.finish(id, EndCause::TimedOut);
        }
    }

    /// Keeps proxies from giving up on an INVITE that waits long.
    pub(super) fn repeat_progress(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        let State::Invited { progress, .. } = &session.state else { return };
        if progress.unacknowledged.is_none() {
            // Without a word from the user, "queued" is what can be said truthfully.
            let status = progress.last.unwrap_or(StatusCode::QUEUED);
            self.progress(now, id, status, None).expect("an INVITE waits, and its status is a 1xx");
        }
        self.agenda.set((id, SessionTimer::Progress), now + PROGRESS_INTERVAL);
    }
}
