//! We want the session changed (RFC 3261 §14.1).

use std::time::{Duration, Instant};

use super::{Exchange, Purpose, SessionError, SessionId, SessionTimer, State};
use crate::endpoint::Endpoint;
use crate::event::{EndCause, SessionEvent};
use crate::flow::Flow;
use crate::inspect::description;
use crate::message::{HeaderName, Method, Response, StatusCode};
use crate::reply::attach;
use crate::transaction::TransactionId;

impl Endpoint {
    /// Sends a re-INVITE with that offer; [`SessionEvent::Reanswered`] or
    /// [`SessionEvent::ReofferRefused`] follows, or the session ends. After a collision (491) it is
    /// sent again by itself, unless an offer of theirs comes first.
    ///
    /// # Errors
    /// [`SessionError::Unknown`], or [`SessionError::Unsettled`] unless the session is up and no
    /// other offer is under way.
    pub fn reinvite(
        &mut self,
        now: Instant,
        id: SessionId,
        offer: Vec<u8>,
    ) -> Result<(), SessionError> {
        let session = self.sessions.get(&id).ok_or(SessionError::Unknown)?;
        if !matches!(session.state, State::Up(Exchange::Settled)) {
            return Err(SessionError::Unsettled);
        }
        self.send_offer(now, id, offer, Purpose::Change);
        Ok(())
    }

    pub(super) fn send_offer(
        &mut self,
        now: Instant,
        id: SessionId,
        offer: Vec<u8>,
        purpose: Purpose,
    ) {
        let sdp = offer.clone();
        let invite = self.send_in_dialog(now, id, Method::Invite, |endpoint, request, flow| {
            let secure = request.is_secure();
            endpoint.introduce(&mut request.headers, flow, &HeaderName::From, secure);
            endpoint.ask_interval(id, &mut request.headers);
            attach(&mut request.headers, &mut request.body, sdp);
        });
        if let (Some(invite), Some(session)) = (invite, self.sessions.get_mut(&id)) {
            session.state = State::Up(Exchange::OurOffer { invite, offer, purpose });
        }
    }

    /// The pause after a 491 is over.
    pub(super) fn offer_again(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if let State::Up(Exchange::BackingOff { offer, purpose }) = &mut session.state {
            let (offer, purpose) = (std::mem::take(offer), *purpose);
            self.send_offer(now, id, offer, purpose);
        }
    }

    /// A response to our re-INVITE.
    pub(super) fn reinvite_answered(
        &mut self,
        now: Instant,
        (invite, id): (TransactionId, SessionId),
        flow: Flow,
        response: &Response,
    ) {
        let status = response.status;
        if status.is_provisional() {
            return;
        }
        let cseq = self.invite_cseq(invite);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let State::Up(Exchange::OurOffer { offer, purpose, .. }) = &mut session.state else {
            return;
        };
        let (offer, purpose) = (std::mem::take(offer), *purpose);
        if status.is_success() {
            session.dialog.flow = flow;
            session.dialog.refresh(&response.headers);
            session.peer.learn(&response.headers);
            session.said = Some(offer);
            session.state = State::Up(Exchange::Settled);
            let (dialog, cseq) =
                (session.dialog.clone(), cseq.unwrap_or(session.dialog.local_cseq));
            self.acknowledge(invite, cseq, &dialog);
            self.interval_told(now, id, &response.headers);
            let sdp = description(&response.headers, &response.body).ok().flatten();
            self.outbox.tell(id, SessionEvent::Reanswered { sdp });
            return;
        }
        match status {
            // §12.2.1.2: these two end the dialog.
            StatusCode::CALL_DOES_NOT_EXIST => self.end_as(now, id, None, EndCause::Unknown),
            StatusCode::REQUEST_TIMEOUT => self.end_as(now, id, None, EndCause::TimedOut),
            StatusCode::REQUEST_PENDING => self.back_off(now, id, offer, purpose),
            StatusCode::SESSION_INTERVAL_TOO_SMALL
                if self.raise_interval(id, &response.headers) =>
            {
                self.send_offer(now, id, offer, purpose);
            }
            _ => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.state = State::Up(Exchange::Settled);
                }
                if purpose == Purpose::Change {
                    self.outbox.tell(id, SessionEvent::ReofferRefused { status });
                }
            }
        }
    }

    /// Both sides offered at once: the one that made the Call-ID waits longer (§14.1).
    fn back_off(&mut self, now: Instant, id: SessionId, offer: Vec<u8>, purpose: Purpose) {
        let (longer, shorter) = (self.tokens.below(191), self.tokens.below(201));
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.state = State::Up(Exchange::BackingOff { offer, purpose });
        let steps = if session.dialog.ours { 210 + longer } else { shorter };
        self.agenda.set((id, SessionTimer::BackOff), now + Duration::from_millis(10 * steps));
    }
}
