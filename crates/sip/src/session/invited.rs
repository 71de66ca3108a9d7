//! An INVITE opens a session with us (RFC 3261 §13.3.1).

use std::time::{Duration, Instant};

use super::progress::Progress;
use super::timer::Asked;
use super::{Meant, SessionId, SessionTimer, State};
use crate::access::{Admitted, Urgency};
use crate::arrival::Arrival;
use crate::dialog::Dialog;
use crate::endpoint::Endpoint;
use crate::event::{EndCause, Incoming, Output, SessionEvent};
use crate::flow::Flow;
use crate::inspect::{accepts_sdp, description, hops_left};
use crate::limits::{EXPIRES_MAX, Limit, PROGRESS_INTERVAL};
use crate::message::{HeaderName, Headers, Request, StatusCode, Uri};
use crate::reply::{Refusal, trying_echo};

/// An INVITE of this turn, which may be told that it is looked after.
#[derive(Debug)]
pub(crate) struct Untold {
    session: SessionId,
    /// When it came.
    at: Instant,
    /// What that repeats.
    echo: Headers,
}

impl Endpoint {
    pub(crate) fn receive_invite(&mut self, now: Instant, arrival: Arrival, admitted: Admitted) {
        if self.servers.is_merged(&arrival.merge_key()) {
            return self.refuse(&arrival, &Refusal::of(StatusCode::LOOP_DETECTED));
        }
        let to = admitted.destination.as_ref();
        let urgency = to.map_or(Urgency::Ordinary, |to| self.config.access.urgency(to));
        if self.sessions.len() >= self.config.sessions_max + urgency.reserve() {
            return self.shed(&arrival, Limit::Sessions);
        }
        if !self.has_room_for(&arrival, urgency) {
            return;
        }
        let tag = self.tokens.tag();
        let judged = self
            .meant(&arrival, &admitted.origin)
            .and_then(|meant| judge(&arrival, admitted, &tag, meant));
        match judged {
            Ok((dialog, incoming)) => self.open_invited(now, arrival, dialog, incoming),
            Err(refusal) => self.refuse(&arrival, &refusal),
        }
    }

    fn open_invited(&mut self, now: Instant, arrival: Arrival, dialog: Dialog, incoming: Incoming) {
        let tag = dialog.local.tag().unwrap_or("").to_owned();
        let mut invite = self.open_pending(&arrival, &tag);
        // Proxies in the way want to stay there (§12.1.1).
        for route in arrival.request.headers.all(&HeaderName::RecordRoute) {
            invite.echo.push(HeaderName::RecordRoute, route);
        }
        let echo = trying_echo(&invite.echo, &arrival.request);
        let id =
            self.open_session(dialog, State::Invited { invite, progress: Progress::default() });
        self.untold.push_back(Untold { session: id, at: now, echo });
        if let Some(session) = self.sessions.get_mut(&id) {
            session.peer.learn(&arrival.request.headers);
            session.origin = incoming.origin.clone();
        }
        self.know_phone(id);
        self.agenda.set((id, SessionTimer::Expires), now + expires(&arrival.request));
        self.agenda.set((id, SessionTimer::Progress), now + PROGRESS_INTERVAL);
        self.outbox.tell(id, SessionEvent::Incoming(Box::new(incoming)));
    }

    /// Says that an INVITE is looked after (100) to which nothing else was said in the turn in
    /// which it came; where to, and what. Else it would only be the first of two messages (§17.2.1:
    /// it is to be said if no other answer comes within 200 ms).
    ///
    /// [`Endpoint::poll`] has it in its place. Who needs more of the turn than the endpoint to
    /// answer a call takes the rest with [`Endpoint::poll_before_trying`], and this at the end.
    pub fn trying(&mut self) -> Option<(Flow, Vec<u8>)> {
        loop {
            let Untold { session, at, echo } = self.untold.pop_front()?;
            let Some(session) = self.sessions.get(&session) else { continue };
            let State::Invited { invite, .. } = &session.state else { continue };
            if self.servers.is_silent(invite.transaction) {
                let invite = invite.clone();
                let trying = self.response(echo, StatusCode::TRYING, None);
                self.respond(at, &invite, &trying);
                let Some(Output::Transmit { flow, bytes }) = self.outbox.take() else { continue };
                return Some((flow, bytes));
            }
        }
    }

    /// The caller said how long it would wait (§13.3.1).
    pub(super) fn expire(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        if let State::Invited { invite, .. } = &session.state {
            let invite = invite.clone();
            let response = self.response_to(&invite, StatusCode::REQUEST_TERMINATED, None, None);
            self.respond(now, &invite, &response);
            self.finish(id, EndCause::Cancelled { reason: None });
        }
    }
}

/// Whether the INVITE can be put before the user, and what of it.
fn judge(
    arrival: &Arrival,
    admitted: Admitted,
    tag: &str,
    meant: Option<Meant>,
) -> Result<(Dialog, Incoming), Refusal> {
    let request = &arrival.request;
    accepts_sdp(request)?;
    Asked::read(&request.headers).judge()?;
    let offer = description(&request.headers, &request.body)?;
    let dialog = Dialog::answering(arrival, tag).map_err(Refusal::bad_request)?;
    let request_uri: Uri =
        request.target.parse().map_err(|_| Refusal::bad_request("Bad Request-URI"))?;
    let Admitted { origin, destination } = admitted;
    let incoming = Incoming {
        request_uri,
        origin,
        destination: destination.ok_or(Refusal::of(StatusCode::NOT_FOUND))?,
        from: arrival.from.clone(),
        to: arrival.to.clone(),
        call_id: arrival.call_id.clone(),
        offer,
        meant,
        flow: arrival.source,
        user_agent: request.headers.text(&HeaderName::UserAgent).map(|text| text.into_owned()),
        max_forwards: hops_left(&request.headers).unwrap_or(0),
        headers: request.headers.clone(),
    };
    Ok((dialog, incoming))
}

fn expires(request: &Request) -> Duration {
    let told = request.headers.text(&HeaderName::Expires);
    let told = told.and_then(|text| text.parse::<u32>().ok());
    // Zero is nonsense that some clients send; nobody calls to be refused at once.
    told.filter(|seconds| *seconds > 0)
        .map_or(EXPIRES_MAX, |seconds| Duration::from_secs(u64::from(seconds)).min(EXPIRES_MAX))
}
