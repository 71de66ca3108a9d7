//! We ask the other side to contact somebody: REFER in a session, and the NOTIFYs that say how it
//! goes (RFC 3515).

use std::time::{Duration, Instant};

use super::{SessionError, SessionId, SessionTimer, State};
use crate::arrival::Arrival;
use crate::endpoint::Endpoint;
use crate::event::SessionEvent;
use crate::limits::REFERRAL_S_MAX;
use crate::message::{DialogName, EventType, HeaderName, Method, ReferTo, Response, StatusCode};
use crate::subscription::Package;
use crate::transaction::TransactionId;

/// How far a REFER of ours is. A session has one at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Referral {
    /// It is not answered.
    Sent(TransactionId),
    /// It is granted; NOTIFYs tell how it goes.
    Granted,
}

impl Endpoint {
    /// Asks the other side to call somebody, in another's place if it says so (RFC 5589 §7).
    /// [`SessionEvent::Referral`] tells how it goes, and that it is over: with 408 where nothing
    /// more was told, with the 2xx where nothing will be. The session goes on.
    ///
    /// # Errors
    /// [`SessionError::Unknown`], or [`SessionError::Unsettled`] unless the session is up and no
    /// other REFER of ours is under way.
    pub fn refer(
        &mut self,
        now: Instant,
        id: SessionId,
        refer_to: &ReferTo,
    ) -> Result<(), SessionError> {
        let session = self.sessions.get(&id).ok_or(SessionError::Unknown)?;
        if !matches!(session.state, State::Up(_)) || self.referrals.contains_key(&id) {
            return Err(SessionError::Unsettled);
        }
        let own = format!("<{}>", session.dialog.local.uri);
        let refer_to = refer_to.to_string();
        let sent = self.send_in_dialog(now, id, Method::Refer, |endpoint, request, flow| {
            let secure = request.is_secure();
            endpoint.introduce(&mut request.headers, flow, &HeaderName::From, secure);
            request.headers.push(HeaderName::ReferTo, refer_to);
            request.headers.push(HeaderName::ReferredBy, own);
        });
        if let Some(sent) = sent {
            self.referrals.insert(id, Referral::Sent(sent));
        }
        Ok(())
    }

    /// A dialog of ours as a third party would have to name it to the other side, to take our
    /// place there; `None` while there is no answer.
    #[must_use]
    pub fn name_for_peer(&self, id: SessionId) -> Option<DialogName> {
        let dialog = &self.sessions.get(&id)?.dialog;
        Some(DialogName {
            call_id: dialog.call_id.clone(),
            to_tag: dialog.remote.tag()?.to_owned(),
            from_tag: dialog.local.tag()?.to_owned(),
            early_only: false,
        })
    }

    /// The answer to a REFER of ours; `None` if none came. `false` if it is none of those.
    pub(super) fn refer_answered(
        &mut self,
        now: Instant,
        id: SessionId,
        transaction: TransactionId,
        response: Option<&Response>,
    ) -> bool {
        let ours = self.referrals.get(&id);
        let Some(Referral::Sent(sent)) = ours else { return false };
        if *sent != transaction {
            return false;
        }
        let status = response.map_or(StatusCode::REQUEST_TIMEOUT, |response| response.status);
        // RFC 4488 §4: it may be done without our being told.
        let is_silent = response.is_some_and(|response| {
            let told = response.headers.text(&HeaderName::ReferSub);
            told.is_some_and(|told| told.trim().eq_ignore_ascii_case("false"))
        });
        if status.is_success() && !is_silent {
            self.referrals.insert(id, Referral::Granted);
            self.await_word(now, id);
        } else if status.is_final() {
            self.tell_referral(id, status, true);
        }
        true
    }

    /// The next NOTIFY is awaited for so long.
    fn await_word(&mut self, now: Instant, id: SessionId) {
        let wait = Duration::from_secs(u64::from(REFERRAL_S_MAX));
        self.agenda.set((id, SessionTimer::Referral), now + wait);
    }

    /// Nothing was told of our REFER for too long.
    pub(super) fn give_up_on_referral(&mut self, id: SessionId) {
        self.tell_referral(id, StatusCode::REQUEST_TIMEOUT, true);
    }

    /// Tells the user how our REFER goes, unless the session is over for it.
    fn tell_referral(&mut self, id: SessionId, status: StatusCode, over: bool) {
        if over {
            self.referrals.remove(&id);
            self.agenda.clear((id, SessionTimer::Referral));
        }
        if self.sessions.get(&id).is_some_and(|session| !session.is_closing()) {
            self.outbox.tell(id, SessionEvent::Referral { status, over });
        }
    }

    /// A NOTIFY in a session: only what we asked for by REFER is told there.
    pub(super) fn receive_notify(&mut self, now: Instant, id: SessionId, arrival: &Arrival) {
        let headers = &arrival.request.headers;
        let event = headers.text(&HeaderName::Event).and_then(|event| event.parse().ok());
        let wanted = event.is_some_and(|event: EventType| event.package == Package::Refer.name());
        if !wanted || !self.referrals.contains_key(&id) {
            return self.answer_in_dialog(now, arrival, StatusCode::CALL_DOES_NOT_EXIST);
        }
        let standing = headers.text(&HeaderName::SubscriptionState).unwrap_or_default();
        let over = standing.trim_start().to_ascii_lowercase().starts_with("terminated");
        let status = status(&arrival.request.body);
        self.answer_in_dialog(now, arrival, StatusCode::OK);
        if !self.is_over(id) {
            self.await_word(now, id);
        }
        // One that ends without a word says nothing of how it went (RFC 3515 §2.4.7).
        let unknown = over.then_some(StatusCode::SERVER_INTERNAL_ERROR);
        if let Some(status) = status.or(unknown) {
            self.tell_referral(id, status, over);
        }
    }
}

/// The status in the first line of a `message/sipfrag` (RFC 3420).
fn status(body: &[u8]) -> Option<StatusCode> {
    let line = std::str::from_utf8(body).ok()?.lines().next()?;
    let code = line.strip_prefix("SIP/2.0 ")?.split(' ').next()?;
    StatusCode::new(code.parse().ok()?)
}
