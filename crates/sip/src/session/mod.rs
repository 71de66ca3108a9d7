//! Sessions: the life of one INVITE dialog, one file per verb.
//!
//! A session is one value with one state. What the user wants (`accept`, `end` …) and what the
//! other side does (CANCEL, BYE …) are methods of [`crate::Endpoint`], each in the file of its
//! name.

mod accept;
mod ack;
mod answered;
pub(crate) mod authorize;
mod bye;
mod cancel;
mod challenged;
mod compose;
pub(crate) mod early;
mod end;
mod info;
mod inquire;
mod invite;
mod invited;
mod moved;
mod options;
mod prack;
mod progress;
mod referral;
mod reinvite;
mod reject;
mod reoffer;
mod replace;
pub(crate) mod timer;
mod way_back;
mod within;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use thiserror::Error;

pub use inquire::{Inquiry, InquiryId};
pub use invite::{Invite, Stalled};
pub(crate) use invited::Untold;
pub(crate) use referral::Referral;
pub use replace::Meant;

use crate::access::Origin;
use crate::dialog::Dialog;
use crate::endpoint::Endpoint;
use crate::event::{EndCause, SessionEvent};
use crate::flow::Flow;
use crate::locate::Server;
use crate::message::{ExtraHeaders, HeaderName, Headers, Method, NameAddr, Reason, Uri};
use crate::registrar::Phone;
use crate::reply::Pending;
use crate::session::authorize::Showing;
use crate::session::prack::Early;
use crate::session::progress::Progress;
use crate::session::timer::has_option;
use crate::transaction::{Failed, Failure, TransactionId};

/// One session: an INVITE dialog from its first message to its last, whoever called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(pub(crate) u64);

/// Why a verb was not done. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SessionError {
    /// There is no such session (any more).
    #[error("no such session")]
    Unknown,
    /// Nothing waits for an answer: it was withdrawn, or answered before.
    #[error("nothing waits for an answer")]
    NothingPending,
    /// The session is not up, or another offer is under way: try again when that is settled.
    #[error("an offer cannot be made in this state")]
    Unsettled,
    /// The limit of sessions or transactions is reached.
    #[error("too many sessions or transactions")]
    Full,
    /// No listener can reach that URI: another transport or address family, or no SIP URI.
    #[error("no way to that address")]
    Unreachable,
    /// The status is not one to refuse with (300 to 699).
    #[error("not a status to refuse with")]
    BadStatus,
    /// The method is one that sessions are made of, and has a verb of its own.
    #[error("not a method to ask with inside a session")]
    BadMethod,
}

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    /// Who is on the other side, as far as it has been shown: who opened it, or whom we called.
    pub(crate) origin: Origin,
    pub(crate) dialog: Dialog,
    /// The host that its INVITE went to, or came from.
    pub(crate) opened_with: IpAddr,
    /// Whom we show ourselves as to the other side, if we are asked.
    pub(crate) showing: Option<Showing>,
    /// The phone of ours that is on the other side, if it is one.
    pub(crate) phone: Option<Phone>,
    pub(crate) state: State,
    pub(crate) peer: Peer,
    /// The last session description of ours that was agreed on, to be told again by a refresh.
    pub(crate) said: Option<Vec<u8>>,
    /// The session interval to be asked for, or that was agreed on \[s\].
    pub(crate) interval_s: Option<u32>,
    /// The shortest that somebody on the way accepts, once a 422 has told \[s\].
    pub(crate) min_se_s: Option<u32>,
    /// How often a longer one has been asked for since one was agreed on.
    pub(crate) interval_raises: u8,
}

/// What the other side says that it understands.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Peer {
    /// UPDATE (RFC 3311).
    pub(crate) updates: bool,
    /// Reliable provisional responses (RFC 3262).
    pub(crate) reliable: bool,
}

impl Peer {
    /// Takes what a message says; of what it does not mention, what was said before holds.
    pub(crate) fn learn(&mut self, headers: &Headers) {
        if headers.first(&HeaderName::Allow).is_some() {
            // Method names are case-sensitive (RFC 3261 §7.1).
            self.updates = headers.values(&HeaderName::Allow).iter().any(|name| name == "UPDATE");
        }
        let required = has_option(headers, &HeaderName::Require, "100rel");
        if headers.first(&HeaderName::Supported).is_some() || required {
            self.reliable = required || has_option(headers, &HeaderName::Supported, "100rel");
        }
    }
}

/// How far a session is.
#[derive(Debug)]
pub(crate) enum State {
    /// They called; we have not answered.
    Invited { invite: Pending, progress: Progress },
    /// We call, and look up where.
    Resolving(Dialling),
    /// We call; no final response yet.
    Calling {
        dialling: Dialling,
        invite: TransactionId,
        heard: Heard,
        /// The phones that have said so far how it goes.
        early: Vec<Early>,
    },
    /// The session is up.
    Up(Exchange),
    /// The user has been told that it is over; only signalling remains.
    Closing(Closing),
}

/// What was heard of our INVITE. Only what was heard of may be cancelled (§9.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    /// No response.
    Nothing,
    /// 100: the next hop is there, and no more is known.
    Trying,
    /// More than that, or it is waited for as if it were so.
    Progress,
}

/// What our INVITE needs again if the first address does not answer (RFC 3263 §4.3).
#[derive(Clone, Debug)]
pub(crate) struct Dialling {
    /// Where the INVITE goes instead of to its Request-URI.
    pub(crate) route: Option<Uri>,
    /// The way it goes, where that is known.
    pub(crate) flow: Option<Flow>,
    /// For whom the call is made.
    pub(crate) behalf: Origin,
    /// Proxies on that way.
    pub(crate) path: Vec<NameAddr>,
    pub(crate) offer: Vec<u8>,
    pub(crate) max_forwards: u8,
    /// What the user adds.
    pub(crate) headers: ExtraHeaders,
    pub(crate) by_size: BySize,
    /// How long it waits for any response.
    pub(crate) patience: Duration,
    /// How long it then waits for more than 100.
    pub(crate) progress_within: Duration,
    pub(crate) stalled: Stalled,
    /// Servers that have not been tried, best first.
    pub(crate) servers: Vec<Server>,
    /// Whether it goes by TLS or not at all.
    pub(crate) confidential: bool,
    /// Where its audio is to come.
    pub(crate) audio_at: Option<IpAddr>,
}

/// How a call goes that is too large for a datagram (RFC 3261 §18.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BySize {
    /// By TCP, if a stream can be opened.
    Tcp,
    /// By the transport that it was told.
    AsAsked,
}

/// Who owes whom what for an offer, in a session that is up. One exchange at a time (RFC 3264 §4).
#[derive(Debug)]
pub(crate) enum Exchange {
    /// Nobody.
    Settled,
    /// We sent a 2xx to an INVITE and await the ACK.
    AwaitingAck(Answered),
    /// They offered, or asked for an offer; the user has to answer.
    TheirOffer(Pending),
    /// We sent a re-INVITE.
    OurOffer { invite: TransactionId, offer: Vec<u8>, purpose: Purpose },
    /// Our re-INVITE met one of theirs (491) and will be sent again.
    BackingOff { offer: Vec<u8>, purpose: Purpose },
}

/// What a re-INVITE of ours is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// The user wants something changed, and is told how it went.
    Change,
    /// A sign of life (RFC 4028).
    Refresh,
}

/// A 2xx that is repeated until its ACK comes (§13.3.1.4).
#[derive(Debug)]
pub(crate) struct Answered {
    /// Whether it answered the INVITE that opened the session.
    pub(crate) opening: bool,
    pub(crate) cseq: u32,
    /// Whether it carried our offer, so that the ACK has the answer.
    pub(crate) offered: bool,
    pub(crate) bytes: Vec<u8>,
    /// That of the INVITE, which knows the way.
    pub(crate) transaction: TransactionId,
    pub(crate) interval: Duration,
}

/// What remains of a session that is over.
#[derive(Debug)]
pub(crate) enum Closing {
    /// Our INVITE was not answered in any way: its CANCEL waits for a sign of life (§9.1).
    Unheard { cancel: Option<Reason> },
    /// CANCEL is sent; the INVITE's final response is awaited.
    Cancelled { invite: TransactionId },
    /// Our 2xx has no ACK: only after that, or in vain, may a BYE be sent (§15).
    ByeAfterAck { answered: Answered, cause: Option<Reason> },
    /// The other side has not taken the last word of what it asked to be told (RFC 5589 §6.1): only
    /// after that, or in vain, is a BYE sent, behind which it would not be understood any more.
    ByeAfterNotify { cause: Option<Reason> },
    /// BYE is sent; its response is awaited.
    Bye,
}

/// A timer of a session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum SessionTimer {
    /// Our INVITE rings too long.
    NoAnswer,
    /// The other side waits for a sign of life.
    Progress,
    /// The INVITE that waits for the user expires.
    Expires,
    /// The 2xx goes out again.
    AnswerAgain,
    /// The ACK did not come.
    NoAck,
    /// Our re-INVITE may be tried again.
    BackOff,
    /// The cancelled INVITE is not answered at all.
    CancelUnanswered,
    /// The reliable provisional response goes out again.
    ProgressAgain,
    /// The PRACK did not come.
    NoPrack,
    /// It is our turn to refresh the session.
    Refresh,
    /// Nobody refreshed it.
    Expiry,
    /// Nothing more is told of our REFER.
    Referral,
}

impl SessionTimer {
    const FIRST: SessionTimer = SessionTimer::NoAnswer;
    const LAST: SessionTimer = SessionTimer::Referral;

    pub(crate) fn why(self) -> &'static str {
        match self {
            SessionTimer::NoAnswer => "INVITE rings too long",
            SessionTimer::Progress => "provisional response again",
            SessionTimer::Expires => "INVITE expires",
            SessionTimer::AnswerAgain => "2xx again",
            SessionTimer::NoAck => "2xx unacknowledged",
            SessionTimer::BackOff => "re-INVITE again after 491",
            SessionTimer::CancelUnanswered => "cancelled INVITE unanswered",
            SessionTimer::ProgressAgain => "reliable provisional response again",
            SessionTimer::NoPrack => "reliable provisional response unacknowledged",
            SessionTimer::Refresh => "session to be refreshed",
            SessionTimer::Expiry => "session expires",
            SessionTimer::Referral => "REFER never reported on",
        }
    }
}

impl Session {
    /// Whether the user has had its last event.
    fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing(_))
    }

    /// The dialog with that tag of the other side: the session's, or an early one of a call that
    /// is not answered for good.
    pub(crate) fn dialog_with(&self, remote_tag: Option<&str>) -> Option<&Dialog> {
        if let State::Calling { early, .. } = &self.state {
            let mut dialogs = early.iter().map(|early| &early.dialog);
            return dialogs.find(|dialog| dialog.is_with(remote_tag));
        }
        Some(&self.dialog).filter(|dialog| dialog.is_with(remote_tag))
    }

    fn dialog_with_mut(&mut self, remote_tag: Option<&str>) -> Option<&mut Dialog> {
        if let State::Calling { early, .. } = &mut self.state {
            let mut dialogs = early.iter_mut().map(|early| &mut early.dialog);
            return dialogs.find(|dialog| dialog.is_with(remote_tag));
        }
        Some(&mut self.dialog).filter(|dialog| dialog.is_with(remote_tag))
    }
}

impl Endpoint {
    /// Who is on the other side of a session, as far as it has been shown: by what opened it, by
    /// whom we called, or by where it is. `None` if it is over.
    #[must_use]
    pub fn origin(&self, id: SessionId) -> Option<Origin> {
        let session = self.sessions.get(&id)?;
        Some(match &session.origin {
            Origin::Stranger => self.config.access.by_source(&session.dialog.flow),
            known @ (Origin::Trusted | Origin::User(_) | Origin::Trunk(_)) => known.clone(),
        })
    }

    /// The address by which a session that others opened has called us.
    #[must_use]
    pub fn dialled_as(&self, id: SessionId) -> Option<&Uri> {
        let dialog = &self.sessions.get(&id)?.dialog;
        Some(&dialog.local.uri).filter(|_| !dialog.ours)
    }

    /// The proxies that a session's requests pass, nearest first.
    pub fn proxies(&self, id: SessionId) -> impl Iterator<Item = &Uri> {
        let dialog = self.sessions.get(&id).map(|session| &session.dialog);
        dialog.into_iter().flat_map(|dialog| &dialog.routes).map(|route| &route.uri)
    }

    /// Adds a session; its dialog can be found from then on.
    pub(crate) fn open_session(&mut self, dialog: Dialog, state: State) -> SessionId {
        let id = SessionId(self.sessions_opened);
        self.sessions_opened += 1;
        let tag = dialog.local.tag().unwrap_or("").to_owned();
        self.ids_by_dialog.insert((dialog.call_id.clone(), tag), id);
        let interval_s = Some(self.config.session_expires_s);
        let (peer, said, min_se_s) = (Peer::default(), None, None);
        let session = Session {
            origin: Origin::Stranger,
            opened_with: dialog.flow.remote.ip(),
            showing: None,
            phone: None,
            dialog,
            state,
            peer,
            said,
            interval_s,
            min_se_s,
            interval_raises: 0,
        };
        self.sessions.insert(id, Box::new(session));
        id
    }

    /// Tells the user that a session is over while its signalling goes on. Only once.
    pub(crate) fn close(&mut self, id: SessionId, cause: EndCause, closing: Closing) {
        self.forget_early_offers(id, |_| true);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if !session.is_closing() {
            self.outbox.tell(id, SessionEvent::Ended { cause });
        }
        session.state = State::Closing(closing);
    }

    /// Forgets a session, and tells the user that it is over if that is news.
    pub(crate) fn finish(&mut self, id: SessionId, cause: EndCause) {
        self.forget_early_offers(id, |_| true);
        let Some(session) = self.sessions.remove(&id) else { return };
        if !session.is_closing() {
            self.outbox.tell(id, SessionEvent::Ended { cause });
        }
        self.inherit_dialog(id, &session.dialog);
        self.referrals.remove(&id);
        let tag = session.dialog.local.tag().unwrap_or("").to_owned();
        self.ids_by_dialog.remove(&(session.dialog.call_id, tag));
        self.ids_by_lookup.retain(|_, waiting| *waiting != id);
        self.stop_session_timers(id);
    }

    pub(crate) fn stop_session_timers(&mut self, id: SessionId) {
        self.agenda.clear_within((id, SessionTimer::FIRST)..=(id, SessionTimer::LAST));
    }

    pub(crate) fn session_timeout(&mut self, now: Instant, id: SessionId, timer: SessionTimer) {
        match timer {
            SessionTimer::NoAnswer => self.patience_is_over(now, id),
            SessionTimer::Progress => self.repeat_progress(now, id),
            SessionTimer::Expires => self.expire(now, id),
            SessionTimer::AnswerAgain => self.repeat_answer(now, id),
            SessionTimer::NoAck => self.give_up_on_ack(now, id),
            SessionTimer::BackOff => self.offer_again(now, id),
            SessionTimer::CancelUnanswered => self.give_up_on_cancelled(id),
            SessionTimer::ProgressAgain => self.repeat_reliably(now, id),
            SessionTimer::NoPrack => self.give_up_on_prack(now, id),
            SessionTimer::Refresh => self.refresh_session(now, id),
            SessionTimer::Expiry => self.session_expired(now, id),
            SessionTimer::Referral => self.give_up_on_referral(id),
        }
    }

    /// A request of ours has no response.
    pub(crate) fn request_failed(
        &mut self,
        now: Instant,
        Failed { id: transaction, user, method, failure, sent: _ }: &Failed,
    ) {
        let (transaction, failure) = (*transaction, *failure);
        let Some(id) = *user else { return };
        if self.refer_answered(now, id, transaction, None) {
            return;
        }
        let Some(session) = self.sessions.get(&id) else { return };
        if !inquire::makes_sessions(method) {
            return self.inquiry_failed(id, transaction, failure);
        }
        let cause = match failure {
            Failure::TimedOut => EndCause::TimedOut,
            Failure::Transport => EndCause::TransportFailed,
        };
        match &session.state {
            State::Calling { invite, .. } if *invite == transaction => {
                if !self.call_next_address(now, id) {
                    self.finish(id, cause);
                }
            }
            // §12.2.1.2: no response in the dialog ends the dialog.
            State::Up(Exchange::OurOffer { invite, .. }) if *invite == transaction => {
                self.end_as(now, id, None, cause);
            }
            State::Up(_) if *method == Method::Update => self.end_as(now, id, None, cause),
            State::Closing(Closing::Bye | Closing::Unheard { .. }) if *method != Method::Prack => {
                self.finish(id, cause);
            }
            // A CANCEL or PRACK without response: its INVITE has a timer of its own.
            State::Closing(_)
            | State::Invited { .. }
            | State::Resolving(_)
            | State::Calling { .. }
            | State::Up(_) => {}
        }
    }

    /// A response to a request of ours came: `answered` says which transaction, session and method.
    pub(crate) fn request_answered(
        &mut self,
        now: Instant,
        (transaction, user, method): (TransactionId, Option<SessionId>, &Method),
        flow: Flow,
        response: &crate::message::Response,
    ) {
        // The response to a CANCEL says nothing that its INVITE's does not (§9.1).
        if *method == Method::Invite {
            self.invite_answered(now, (transaction, user), flow, response);
        } else if *method == Method::Refer {
            // One that comes after the last NOTIFY says nothing more.
            if let Some(id) = user {
                self.refer_answered(now, id, transaction, Some(response));
            }
        } else if *method == Method::Bye
            && response.status.is_final()
            && let Some(id) = user
        {
            self.finish(id, EndCause::LocalEnd);
        } else if *method == Method::Update
            && response.status.is_final()
            && let Some(id) = user
        {
            self.refresh_answered(now, id, response);
        } else if !inquire::makes_sessions(method)
            && response.status.is_final()
            && let Some(id) = user
        {
            self.inquiry_answered((transaction, id), response);
        }
    }
}
