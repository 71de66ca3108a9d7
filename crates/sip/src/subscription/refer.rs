//! REFER: somebody asks us to contact somebody (RFC 3515).

use std::time::Instant;

use super::{
    Notification, Package, Referred, SubscriptionError, SubscriptionEvent, SubscriptionId,
};
use crate::arrival::Arrival;
use crate::endpoint::Endpoint;
use crate::event::Output;
use crate::limits::{PHRASE_BYTES_MAX, REFERRAL_S_MAX};
use crate::message::{DialogName, EventType, HeaderName, ReferTo, StatusCode, Uri};
use crate::reply::Refusal;
use crate::session::SessionId;

impl Endpoint {
    /// In a session's dialog, or outside of any.
    pub(crate) fn receive_refer(
        &mut self,
        now: Instant,
        session: Option<SessionId>,
        arrival: &Arrival,
    ) {
        let (refer_to, request_uri) = match read(arrival) {
            Ok(read) => read,
            Err(refusal) => match session {
                Some(_) => return self.refuse_in_dialog(now, arrival, &refusal),
                None => return self.refuse(arrival, &refusal),
            },
        };
        if !self.has_room_to_subscribe(arrival) || (session.is_none() && !self.has_room(arrival)) {
            return;
        }
        let (home, pending) = match self.home_for(session, arrival) {
            Ok(home) => home,
            Err(refusal) => return self.refuse(arrival, &refusal),
        };
        let headers = &arrival.request.headers;
        let referred = Referred {
            session,
            known: self.known_session(headers),
            request_uri,
            from: arrival.from.clone(),
            replaced: refer_to.replaces.as_ref().and_then(|name| self.named_session(name)),
            refer_to,
            referred_by: headers.text(&HeaderName::ReferredBy).map(|text| text.into_owned()),
            flow: arrival.source,
        };
        let silent = headers
            .text(&HeaderName::ReferSub)
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("false"));
        // Several REFERs in one dialog are told apart by their numbers (RFC 3515 §2.4.6).
        let event = EventType {
            package: Package::Refer.name().to_owned(),
            id: Some(arrival.cseq.number.to_string()),
        };
        let id = self.ask(now, home, (Package::Refer, event), (pending, silent), REFERRAL_S_MAX);
        let event = SubscriptionEvent::Referred(Box::new(referred));
        self.outbox.push(Output::Subscription(id, event));
    }

    /// Tells the author of a REFER how it goes: a status that the contacted side gave. A final one
    /// is the last (RFC 3515 §2.4.5).
    ///
    /// # Errors
    /// [`SubscriptionError`], also where the author did not want to be told.
    pub fn tell_progress(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        status: StatusCode,
        phrase: Option<&str>,
    ) -> Result<(), SubscriptionError> {
        let phrase = phrase.filter(|phrase| phrase.len() <= PHRASE_BYTES_MAX);
        let phrase = phrase.unwrap_or_else(|| status.phrase());
        let body = format!("SIP/2.0 {status} {phrase}\r\n").into_bytes();
        let over = status.is_final().then_some("noresource");
        self.notify(now, id, Notification { body, over })
    }

    /// Our session of that name; the tags may stand either way around, since RFC 4538 leaves it to
    /// the reader whose view is meant, and both must fit all the same.
    pub(crate) fn named_session(&self, name: &DialogName) -> Option<SessionId> {
        let find = |local: &str, remote: &str| {
            let id = *self.ids_by_dialog.get(&(name.call_id.clone(), local.to_owned()))?;
            self.sessions.get(&id)?.dialog.is_with(Some(remote)).then_some(id)
        };
        find(&name.to_tag, &name.from_tag).or_else(|| find(&name.from_tag, &name.to_tag))
    }
}

fn read(arrival: &Arrival) -> Result<(ReferTo, Uri), Refusal> {
    let headers = &arrival.request.headers;
    // Exactly one (RFC 3515 §2.4.2).
    let [refer_to] = <[_; 1]>::try_from(headers.values(&HeaderName::ReferTo)).unwrap_or_default();
    let refer_to = refer_to.parse().map_err(|_| Refusal::bad_request("Bad Refer-To"))?;
    let target = arrival.request.target.parse();
    Ok((refer_to, target.map_err(|_| Refusal::bad_request("Bad Request-URI"))?))
}
