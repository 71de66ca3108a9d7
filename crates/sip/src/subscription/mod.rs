//! Subscriptions: who is told what, for how long (RFC 6665). This side is always the notifier.
//!
//! A subscription has a dialog of its own, or lives in that of a session: that of a REFER from a
//! phone in a call does, and goes on when the call ends. At most one NOTIFY is under way, so that
//! they cannot overtake each other; of those that wait, the last one counts.
//!
//! ```text
//!  SUBSCRIBE, REFER ─► Asked ─ grant ─► Active ◄─► (NOTIFY under way) ─ last one ─► Ending ─► gone
//!                        └ deny ─► gone      └ refused, unanswered, expired ─► gone
//! ```

mod home;
mod notify;
mod refer;
mod subscribe;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::agenda::Agenda;
use crate::arrival::Arrival;
use crate::dialog::Dialog;
use crate::endpoint::Endpoint;
use crate::event::Output;
use crate::flow::Flow;
use crate::inspect::inspect;
use crate::limits::Limit;
use crate::message::{EventType, HeaderName, Method, NameAddr, ReferTo, StatusCode, Uri};
use crate::reply::{Pending, Refusal};
use crate::session::SessionId;
use crate::transaction::TransactionId;

use home::{Home, Homes};
pub(crate) use subscribe::package;

/// One subscription, from the request that asks for it to its last NOTIFY.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SubscriptionId(pub(crate) u64);

/// What can be subscribed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Package {
    /// How a REFER goes (RFC 3515); only a REFER subscribes to it.
    Refer,
    /// Who is in a conference (RFC 4575).
    Conference,
}

impl Package {
    const ALL: [Package; 2] = [Package::Refer, Package::Conference];

    /// The package of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Package> {
        Package::ALL.into_iter().find(|package| package.name() == name)
    }

    /// Its name in Event.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Package::Refer => "refer",
            Package::Conference => "conference",
        }
    }

    /// The media type of its notifications.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Package::Refer => "message/sipfrag;version=2.0",
            Package::Conference => "application/conference-info+xml",
        }
    }
}

/// What happened to a subscription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SubscriptionEvent {
    /// Somebody asks us to contact somebody: first event; answer with `grant` or `deny`.
    Referred(Box<Referred>),
    /// Somebody wants to be told: first event; answer with `grant` or `deny`, and after a grant
    /// with the whole state by `notify`.
    Subscribed(Box<Subscribed>),
    /// It was prolonged: the whole state is to be told again by `notify`.
    Refreshed,
    /// The last NOTIFY was taken, and none waits.
    Delivered,
    /// It is over: the last event.
    Ended,
}

/// A REFER that came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Referred {
    /// The session in whose dialog it came; `None` outside of any.
    pub session: Option<SessionId>,
    /// The session that a REFER outside of any dialog proves to know (RFC 4538).
    pub known: Option<SessionId>,
    /// To whom it was sent.
    pub request_uri: Uri,
    /// Who asks, by its own word.
    pub from: NameAddr,
    /// Whom to contact, and how.
    pub refer_to: ReferTo,
    /// Our own session that is to be replaced, if the Replaces in `refer_to` names one.
    pub replaced: Option<SessionId>,
    /// On whose behalf, as it was written (RFC 3892).
    pub referred_by: Option<String>,
    /// Where it came from.
    pub flow: Flow,
}

/// A SUBSCRIBE that came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscribed {
    /// To what.
    pub package: Package,
    /// To whose state.
    pub request_uri: Uri,
    /// Who asks, by its own word.
    pub from: NameAddr,
    /// The session in whose dialog it came; `None` outside of any.
    pub session: Option<SessionId>,
    /// The session that a SUBSCRIBE outside of any dialog proves to know (RFC 4538).
    pub known: Option<SessionId>,
    /// Where it came from.
    pub flow: Flow,
}

/// What a NOTIFY tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notification {
    /// The body, of the package's type; empty for none.
    pub body: Vec<u8>,
    /// Why it is the last one (RFC 6665 §4.1.3), such as `noresource`; `None` if more may follow.
    pub over: Option<&'static str>,
}

/// Why nothing was done to a subscription.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SubscriptionError {
    /// There is no such subscription (any more).
    #[error("no such subscription")]
    Unknown,
    /// It is granted already, not yet, or its last NOTIFY is on the way.
    #[error("the subscription's state does not allow that")]
    WrongState,
    /// The status is not one to refuse with (300 to 699).
    #[error("not a status to refuse with")]
    BadStatus,
}

/// One subscription.
#[derive(Debug)]
pub(crate) struct Subscription {
    home: Home,
    package: Package,
    /// As each NOTIFY repeats it.
    event: EventType,
    expires_at: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The user has to say whether it is granted. `silent`: a REFER that wants no NOTIFY
    /// (RFC 4488).
    Asked { pending: Box<Pending>, silent: bool },
    /// It is granted, and nothing is under way.
    Active,
    /// A NOTIFY is under way; the next one waits for its answer.
    Telling { next: Option<Notification> },
    /// The last NOTIFY is under way.
    Ending,
}

/// All subscriptions.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    alive: BTreeMap<SubscriptionId, Subscription>,
    homes: Homes,
    by_notify: BTreeMap<TransactionId, SubscriptionId>,
    expiries: Agenda<SubscriptionId>,
    opened: u64,
}

impl Subscriptions {
    pub(crate) fn new() -> Subscriptions {
        Subscriptions {
            alive: BTreeMap::new(),
            homes: Homes::default(),
            by_notify: BTreeMap::new(),
            expiries: Agenda::new(),
            opened: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.alive.len()
    }

    pub(crate) fn next_deadline(&self) -> Option<(Instant, &'static str)> {
        self.expiries.next().map(|(at, _)| (at, "subscription expires"))
    }

    pub(crate) fn due(&mut self, now: Instant) -> Option<SubscriptionId> {
        self.expiries.pop(now)
    }

    pub(crate) fn connection_closed(&mut self, connection: crate::flow::ConnectionId) {
        self.homes.dialogs().for_each(|dialog| dialog.connection_closed(connection));
    }

    /// The session in whose dialog a subscription lives, if it does.
    fn session_of(&self, id: SubscriptionId) -> Option<SessionId> {
        match &self.alive.get(&id)?.home {
            Home::Session(session) => Some(*session),
            Home::Own(_) => None,
        }
    }

    /// Whether a last NOTIFY in a session's dialog is under way, or waits for the one before it.
    pub(crate) fn owe_last_word(&self, session: SessionId) -> bool {
        let ids = self.homes.within_session(session);
        let mut known = ids.filter_map(|id| self.alive.get(&id));
        known.any(|subscription| match &subscription.state {
            State::Ending => true,
            State::Telling { next } => next.as_ref().is_some_and(|next| next.over.is_some()),
            State::Asked { .. } | State::Active => false,
        })
    }

    fn insert(&mut self, subscription: Subscription) -> SubscriptionId {
        let id = SubscriptionId(self.opened);
        self.opened += 1;
        self.homes.settle(id, &subscription.home);
        self.expiries.set(id, subscription.expires_at);
        self.alive.insert(id, subscription);
        id
    }

    fn remove(&mut self, id: SubscriptionId) -> bool {
        let Some(gone) = self.alive.remove(&id) else { return false };
        self.homes.leave(id, &gone.home);
        self.by_notify.retain(|_, notified| *notified != id);
        self.expiries.clear(id);
        true
    }
}

impl Endpoint {
    /// Grants what was asked for. A REFER's author is told at once that it is tried (RFC 3515
    /// §2.4.4), and goes on to be told by [`Endpoint::progress`]; a subscriber awaits the state by
    /// [`Endpoint::notify`].
    ///
    /// # Errors
    /// [`SubscriptionError`], if it was granted before.
    pub fn grant(&mut self, now: Instant, id: SubscriptionId) -> Result<(), SubscriptionError> {
        let subscription =
            self.subscriptions.alive.get_mut(&id).ok_or(SubscriptionError::Unknown)?;
        let State::Asked { pending, silent } = &subscription.state else {
            return Err(SubscriptionError::WrongState);
        };
        let (pending, silent) = (pending.clone(), *silent);
        let package = subscription.package;
        let left_s = subscription.expires_at.saturating_duration_since(now).as_secs();
        subscription.state = State::Active;
        let status = match package {
            Package::Refer => StatusCode::ACCEPTED,
            Package::Conference => StatusCode::OK,
        };
        let mut response = self.response_to(&pending, status, None, None);
        match package {
            Package::Conference => response.headers.push(HeaderName::Expires, left_s.to_string()),
            Package::Refer if silent => response.headers.push(HeaderName::ReferSub, "false"),
            Package::Refer => {}
        }
        self.respond(now, &pending, &response);
        match package {
            Package::Refer if silent => self.forget_subscription(id),
            Package::Refer => self.tell_progress(now, id, StatusCode::TRYING, None)?,
            Package::Conference => {}
        }
        Ok(())
    }

    /// Refuses what was asked for.
    ///
    /// # Errors
    /// [`SubscriptionError`], if it was granted before, or for a status below 300.
    pub fn deny(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        status: StatusCode,
    ) -> Result<(), SubscriptionError> {
        if status.code() < 300 {
            return Err(SubscriptionError::BadStatus);
        }
        let subscription = self.subscriptions.alive.get(&id).ok_or(SubscriptionError::Unknown)?;
        let State::Asked { pending, .. } = &subscription.state else {
            return Err(SubscriptionError::WrongState);
        };
        let pending = pending.clone();
        let response = self.response_to(&pending, status, None, None);
        self.respond(now, &pending, &response);
        self.forget_subscription(id);
        Ok(())
    }

    /// Puts a subscription before the user.
    fn ask(
        &mut self,
        now: Instant,
        home: Home,
        (package, event): (Package, EventType),
        (pending, silent): (Pending, bool),
        life_s: u32,
    ) -> SubscriptionId {
        let expires_at = now + Duration::from_secs(u64::from(life_s));
        let state = State::Asked { pending: Box::new(pending), silent };
        self.subscriptions.insert(Subscription { home, package, event, expires_at, state })
    }

    /// Where a request that subscribes belongs, and its transaction.
    ///
    /// # Errors
    /// When its Contact or Record-Route cannot be read.
    fn home_for(
        &mut self,
        session: Option<SessionId>,
        arrival: &Arrival,
    ) -> Result<(Home, Pending), Refusal> {
        if let Some(session) = session {
            let tag = arrival.to.tag().unwrap_or("").to_owned();
            return Ok((Home::Session(session), self.open_pending(arrival, &tag)));
        }
        let tag = self.tokens.tag();
        let dialog = Dialog::answering(arrival, &tag).map_err(Refusal::bad_request)?;
        let mut pending = self.open_pending(arrival, &tag);
        // Proxies in the way want to stay there (RFC 3261 §12.1.1).
        for route in arrival.request.headers.all(&HeaderName::RecordRoute) {
            pending.echo.push(HeaderName::RecordRoute, route);
        }
        Ok((self.subscriptions.homes.found(dialog), pending))
    }

    /// A request in a dialog that only a subscription knows.
    pub(crate) fn receive_in_subscription(&mut self, now: Instant, arrival: &Arrival) {
        let Some((key, dialog)) = self.subscriptions.find(arrival) else {
            return self.refuse(arrival, &Refusal::of(StatusCode::CALL_DOES_NOT_EXIST));
        };
        if dialog.remote_cseq.is_some_and(|last| arrival.cseq.number <= last) {
            return self.refuse(arrival, &Refusal::of(StatusCode::SERVER_INTERNAL_ERROR));
        }
        if let Err(refusal) = inspect(arrival) {
            return self.refuse(arrival, &refusal);
        }
        if arrival.request.method != Method::Subscribe {
            // Neither a call nor anything else lives in this dialog.
            return self.refuse(arrival, &Refusal::of(StatusCode::CALL_DOES_NOT_EXIST));
        }
        if !self.has_room(arrival) {
            return;
        }
        if let Some(dialog) = self.subscriptions.homes.dialog(&key) {
            dialog.remote_cseq = Some(arrival.cseq.number);
            dialog.follow(arrival);
            dialog.refresh(&arrival.request.headers);
        }
        let gone = Refusal::of(StatusCode::CALL_DOES_NOT_EXIST);
        let known = package(&arrival.request.headers)
            .and_then(|(_, event)| self.subscriptions.in_home(&Home::Own(key), &event).ok_or(gone));
        match known {
            Ok(id) => self.refresh_subscription(now, id, arrival),
            Err(refusal) => self.refuse_in_dialog(now, arrival, &refusal),
        }
    }

    /// A session is over; the subscriptions in its dialog go on without it (RFC 5057 §4).
    pub(crate) fn inherit_dialog(&mut self, session: SessionId, dialog: &Dialog) {
        self.subscriptions.inherit(session, dialog);
    }

    /// Whether another subscription fits; if not, the request is answered 503.
    fn has_room_to_subscribe(&mut self, arrival: &Arrival) -> bool {
        let room = self.subscriptions.len() < self.config.subscriptions_max;
        if !room {
            self.shed(arrival, Limit::Subscriptions);
        }
        room
    }

    fn forget_subscription(&mut self, id: SubscriptionId) {
        if self.subscriptions.remove(id) {
            self.outbox.push(Output::Subscription(id, SubscriptionEvent::Ended));
        }
    }
}
