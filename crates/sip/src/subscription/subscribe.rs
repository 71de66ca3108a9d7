//! SUBSCRIBE: somebody wants to be told (RFC 6665 §4.2.1).

use std::time::{Duration, Instant};

use super::{Home, Notification, Package, State, Subscribed, SubscriptionEvent, SubscriptionId};
use crate::arrival::Arrival;
use crate::endpoint::Endpoint;
use crate::event::Output;
use crate::limits::{REFERRAL_S_MAX, SUBSCRIPTION_S_MAX, SUBSCRIPTION_S_MIN};
use crate::message::{EventType, HeaderName, Headers, MediaType, StatusCode};
use crate::reply::{ALLOW_EVENTS, Refusal};
use crate::session::SessionId;

/// What a SUBSCRIBE asks for.
///
/// # Errors
/// 489 with what there is instead.
pub(crate) fn package(headers: &Headers) -> Result<(Package, EventType), Refusal> {
    let event = headers.text(&HeaderName::Event).and_then(|event| event.parse().ok());
    let known = event.and_then(|event: EventType| Some((Package::parse(&event.package)?, event)));
    known.ok_or_else(|| {
        Refusal::of(StatusCode::BAD_EVENT).with(HeaderName::AllowEvents, ALLOW_EVENTS)
    })
}

impl Endpoint {
    /// In a session's dialog, or one that is to open a dialog.
    pub(crate) fn receive_subscribe(
        &mut self,
        now: Instant,
        session: Option<SessionId>,
        arrival: &Arrival,
    ) {
        let asked = package(&arrival.request.headers);
        let known = match (&asked, session) {
            (Ok((_, event)), Some(session)) => {
                self.subscriptions.in_home(&Home::Session(session), event)
            }
            (Ok(_), None) | (Err(_), _) => None,
        };
        if let Some(id) = known {
            return self.refresh_subscription(now, id, arrival);
        }
        let (package, event, life_s) = match asked.and_then(|asked| judge(asked, arrival)) {
            Ok(judged) => judged,
            Err(refusal) => return self.refuse_subscriber(now, session, arrival, &refusal),
        };
        if !self.has_room_to_subscribe(arrival) || (session.is_none() && !self.has_room(arrival)) {
            return;
        }
        let request_uri = match arrival.request.target.parse() {
            Ok(uri) => uri,
            Err(_) => return self.refuse(arrival, &Refusal::bad_request("Bad Request-URI")),
        };
        let (home, pending) = match self.home_for(session, arrival) {
            Ok(home) => home,
            Err(refusal) => return self.refuse(arrival, &refusal),
        };
        let id = self.ask(now, home, (package, event), (pending, false), life_s);
        let from = arrival.from.clone();
        let known = self.known_session(&arrival.request.headers);
        let flow = arrival.source;
        let subscribed = Subscribed { package, request_uri, from, session, known, flow };
        let event = SubscriptionEvent::Subscribed(Box::new(subscribed));
        self.outbox.push(Output::Subscription(id, event));
    }

    fn refuse_subscriber(
        &mut self,
        now: Instant,
        session: Option<SessionId>,
        arrival: &Arrival,
        refusal: &Refusal,
    ) {
        match session {
            Some(_) => self.refuse_in_dialog(now, arrival, refusal),
            None => self.refuse(arrival, refusal),
        }
    }

    /// A SUBSCRIBE in the subscription's dialog prolongs it, or ends it with `Expires: 0`.
    pub(super) fn refresh_subscription(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        arrival: &Arrival,
    ) {
        let Some(subscription) = self.subscriptions.alive.get(&id) else { return };
        let most_s = most_s(subscription.package);
        let over = matches!(subscription.state, State::Ending | State::Asked { .. });
        if over {
            let gone = Refusal::of(StatusCode::CALL_DOES_NOT_EXIST);
            return self.refuse_in_dialog(now, arrival, &gone);
        }
        let life_s = match life_s(&arrival.request.headers, most_s) {
            Ok(life_s) => life_s,
            Err(refusal) => return self.refuse_in_dialog(now, arrival, &refusal),
        };
        let tag = arrival.to.tag().unwrap_or("").to_owned();
        let pending = self.open_pending(arrival, &tag);
        let mut response = self.response_to(&pending, StatusCode::OK, None, None);
        response.headers.push(HeaderName::Expires, life_s.to_string());
        self.respond(now, &pending, &response);
        if life_s == 0 {
            return self.expire_subscription(now, id);
        }
        let at = now + Duration::from_secs(u64::from(life_s));
        self.subscriptions.expiries.set(id, at);
        if let Some(subscription) = self.subscriptions.alive.get_mut(&id) {
            subscription.expires_at = at;
        }
        self.outbox.push(Output::Subscription(id, SubscriptionEvent::Refreshed));
    }

    /// Its time is over, or its subscriber's wish (RFC 6665 §4.4.1).
    pub(crate) fn expire_subscription(&mut self, now: Instant, id: SubscriptionId) {
        let last = Notification { body: Vec::new(), over: Some("timeout") };
        if self.notify(now, id, last).is_err()
            && self.deny(now, id, StatusCode::TEMPORARILY_UNAVAILABLE).is_err()
        {
            self.forget_subscription(id);
        }
    }
}

/// Whether a SUBSCRIBE that is to open a subscription can be put before the user.
fn judge(
    (package, event): (Package, EventType),
    arrival: &Arrival,
) -> Result<(Package, EventType, u32), Refusal> {
    let headers = &arrival.request.headers;
    if package == Package::Refer {
        // Only a REFER opens one (RFC 3515 §2.4.4).
        return Err(Refusal::of(StatusCode::FORBIDDEN));
    }
    let wanted: MediaType =
        package.content_type().parse().expect("a package's media type can be read");
    let ranges = headers.values(&HeaderName::Accept);
    let mut read = ranges.iter().filter_map(|range| range.parse::<MediaType>().ok());
    if !ranges.is_empty() && !read.any(|range| range.covers(&wanted.kind, &wanted.subtype)) {
        let refusal = Refusal::of(StatusCode::NOT_ACCEPTABLE);
        return Err(refusal.with(HeaderName::Accept, package.content_type()));
    }
    Ok((package, event, life_s(headers, most_s(package))?))
}

fn most_s(package: Package) -> u32 {
    match package {
        Package::Refer => REFERRAL_S_MAX,
        Package::Conference => SUBSCRIPTION_S_MAX,
    }
}

/// For how long; zero asks for the state once (RFC 6665 §4.4.3).
fn life_s(headers: &Headers, most_s: u32) -> Result<u32, Refusal> {
    let told = headers.text(&HeaderName::Expires);
    let told = told.map(|text| text.parse::<u32>());
    match told {
        None => Ok(most_s),
        Some(Err(_)) => Err(Refusal::bad_request("Bad Expires")),
        Some(Ok(told)) if told > 0 && told < SUBSCRIPTION_S_MIN => {
            let refusal = Refusal::of(StatusCode::INTERVAL_TOO_BRIEF);
            Err(refusal.with(HeaderName::MinExpires, SUBSCRIPTION_S_MIN.to_string()))
        }
        Some(Ok(told)) => Ok(told.min(most_s)),
    }
}
