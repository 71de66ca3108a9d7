//! Session timers: a session whose other side is gone ends by itself (RFC 4028).

use std::time::{Duration, Instant};

use super::{Exchange, Purpose, SessionId, SessionTimer, State};
use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::event::EndCause;
use crate::limits::{
    INTERVAL_RAISES_MAX, REFRESH_PAUSE, SESSION_INTERVAL_S_MAX, SESSION_INTERVAL_S_MIN,
};
use crate::message::{
    HeaderName, Headers, Method, Reason, Refresher, Response, SessionExpires, StatusCode,
};
use crate::reply::Refusal;
use crate::transaction::TRANSACTION_TIMEOUT;

/// What a request says of session timers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Asked {
    /// Whether the sender understands them.
    supported: bool,
    expires: Option<SessionExpires>,
    /// The shortest interval that somebody on the way accepts \[s\].
    min_s: u32,
}

/// What was agreed: the interval \[s\] and whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Interval {
    pub(crate) seconds: u32,
    pub(crate) refresher: Refresher,
    /// Whether the other side understands it.
    understood: bool,
}

impl Asked {
    pub(crate) fn read(headers: &Headers) -> Asked {
        let expires = headers.text(&HeaderName::SessionExpires);
        Asked {
            supported: has_option(headers, &HeaderName::Supported, "timer")
                || has_option(headers, &HeaderName::Require, "timer"),
            expires: expires.and_then(|text| text.parse().ok()),
            min_s: min_se(headers).unwrap_or(SESSION_INTERVAL_S_MIN),
        }
    }

    /// Refuses an interval that is too short (§9). A sender without session timers could make
    /// nothing of that; a proxy put the header in, and the interval is raised instead.
    ///
    /// # Errors
    /// 422 with our shortest.
    pub(crate) fn judge(&self) -> Result<(), Refusal> {
        let brief = self.expires.is_some_and(|told| told.seconds < SESSION_INTERVAL_S_MIN);
        if brief && self.supported {
            let refusal = Refusal::of(StatusCode::SESSION_INTERVAL_TOO_SMALL);
            return Err(refusal.with(HeaderName::MinSe, SESSION_INTERVAL_S_MIN.to_string()));
        }
        Ok(())
    }

    /// What our 2xx says. Without a word from the other side we refresh ourselves (§9): that works
    /// against any phone, and what does not answer is gone.
    pub(crate) fn agree(&self, config: &Config) -> Interval {
        let told = self.expires.map_or(u32::MAX, |told| told.seconds);
        let seconds = told.min(config.session_expires_s).max(self.min_s);
        let seconds = seconds.clamp(SESSION_INTERVAL_S_MIN, SESSION_INTERVAL_S_MAX);
        let wish = self.expires.and_then(|told| told.refresher);
        let refresher = match (self.supported, wish) {
            (true, Some(side)) => side,
            (true, None) if self.expires.is_some() => Refresher::Uac,
            (true, None) | (false, _) => Refresher::Uas,
        };
        Interval { seconds, refresher, understood: self.supported }
    }
}

impl Interval {
    /// Writes it into a 2xx. Who has to refresh must have understood that, and who is refreshed
    /// should know that it may hang up where that fails (§9).
    pub(crate) fn write(self, headers: &mut Headers) {
        let told = SessionExpires { seconds: self.seconds, refresher: Some(self.refresher) };
        headers.push(HeaderName::SessionExpires, told.to_string());
        if self.understood {
            headers.push(HeaderName::Require, "timer");
        }
    }
}

impl Endpoint {
    /// A 2xx to a request of theirs went out: the interval begins anew (§10).
    pub(super) fn interval_agreed(&mut self, now: Instant, id: SessionId, agreed: Interval) {
        self.begin_interval(now, id, agreed.seconds, agreed.refresher == Refresher::Uas);
    }

    /// A 2xx to a request of ours came. Without Session-Expires there is no timer (§7.2).
    pub(super) fn interval_told(&mut self, now: Instant, id: SessionId, headers: &Headers) {
        let told = headers.text(&HeaderName::SessionExpires);
        let Some(told) = told.and_then(|text| text.parse::<SessionExpires>().ok()) else {
            self.agenda.clear((id, SessionTimer::Refresh));
            self.agenda.clear((id, SessionTimer::Expiry));
            return;
        };
        self.begin_interval(now, id, told.seconds, told.refresher != Some(Refresher::Uas));
    }

    fn begin_interval(&mut self, now: Instant, id: SessionId, seconds: u32, ours: bool) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let seconds = seconds.clamp(SESSION_INTERVAL_S_MIN, SESSION_INTERVAL_S_MAX);
        session.interval_s = Some(seconds);
        session.interval_raises = 0;
        let length = Duration::from_secs(u64::from(seconds));
        // §10: a third of a short interval, else 32 s before the end.
        let margin = (length / 3).min(Duration::from_secs(32));
        self.agenda.set((id, SessionTimer::Expiry), now + length - margin);
        match ours {
            true => self.agenda.set((id, SessionTimer::Refresh), now + length / 2),
            false => self.agenda.clear((id, SessionTimer::Refresh)),
        }
    }

    /// What a request of ours that refreshes the session says. In it we are the UAC, whoever
    /// called; who refreshed so far goes on doing so (§7.4).
    pub(super) fn ask_interval(&self, id: SessionId, headers: &mut Headers) {
        let Some(session) = self.sessions.get(&id) else { return };
        let Some(seconds) = session.interval_s else { return };
        let agreed = self.agenda.is_set((id, SessionTimer::Expiry));
        let ours = self.agenda.is_set((id, SessionTimer::Refresh));
        let side = if ours { Refresher::Uac } else { Refresher::Uas };
        // The first time it is left to the other side: either is fine with us.
        let refresher = agreed.then_some(side);
        let told = SessionExpires { seconds, refresher };
        headers.push(HeaderName::SessionExpires, told.to_string());
        let min_s = session.min_se_s.unwrap_or(SESSION_INTERVAL_S_MIN);
        headers.push(HeaderName::MinSe, min_s.to_string());
    }

    /// Half of the interval is over, and it is our turn: an UPDATE if the other side knows it, else
    /// a re-INVITE that offers what we said last (§7.4).
    pub(super) fn refresh_session(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        let State::Up(exchange) = &session.state else { return };
        if session.peer.updates {
            // Kept running: it says whose turn it is. Nothing is heard for so long only if the
            // session is about to end.
            self.agenda.set((id, SessionTimer::Refresh), now + TRANSACTION_TIMEOUT);
            self.send_in_dialog(now, id, Method::Update, |endpoint, request, flow| {
                let secure = request.is_secure();
                endpoint.introduce(&mut request.headers, flow, &HeaderName::From, secure);
                endpoint.ask_interval(id, &mut request.headers);
            });
        } else if matches!(exchange, Exchange::Settled)
            && let Some(said) = session.said.clone()
        {
            self.agenda.set((id, SessionTimer::Refresh), now + TRANSACTION_TIMEOUT);
            self.send_offer(now, id, said, Purpose::Refresh);
        } else {
            self.agenda.set((id, SessionTimer::Refresh), now + REFRESH_PAUSE);
        }
    }

    /// The answer to a refresh by UPDATE.
    pub(super) fn refresh_answered(&mut self, now: Instant, id: SessionId, response: &Response) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.is_closing() {
            return;
        }
        match response.status {
            status if status.is_success() => {
                session.dialog.refresh(&response.headers);
                self.interval_told(now, id, &response.headers);
            }
            StatusCode::CALL_DOES_NOT_EXIST => self.end_as(now, id, None, EndCause::Unknown),
            StatusCode::REQUEST_TIMEOUT => self.end_as(now, id, None, EndCause::TimedOut),
            StatusCode::SESSION_INTERVAL_TOO_SMALL => {
                if self.raise_interval(id, &response.headers) {
                    self.refresh_session(now, id);
                }
            }
            // An exchange is under way, or something is wrong for the moment: tried again.
            StatusCode::REQUEST_PENDING | StatusCode::SERVER_INTERNAL_ERROR => {
                self.agenda.set((id, SessionTimer::Refresh), now + REFRESH_PAUSE);
            }
            _ => {
                // It said Allow: UPDATE and does not mean it.
                session.peer.updates = false;
                self.refresh_session(now, id);
            }
        }
    }

    /// Takes the longer interval that a 422 asks for; `false` if it asks for none that is longer,
    /// or has asked too often.
    pub(super) fn raise_interval(&mut self, id: SessionId, headers: &Headers) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        let asked = min_se(headers).filter(|seconds| *seconds <= SESSION_INTERVAL_S_MAX);
        let raised = asked.filter(|seconds| session.interval_s.is_none_or(|had| *seconds > had));
        let raised = raised.filter(|_| session.interval_raises < INTERVAL_RAISES_MAX);
        if raised.is_some() {
            session.interval_raises += 1;
            // §7.3: and so that nobody on the way shortens it again.
            (session.interval_s, session.min_se_s) = (raised, raised);
        }
        raised.is_some()
    }

    /// Nobody refreshed the session (§10).
    pub(super) fn session_expired(&mut self, now: Instant, id: SessionId) {
        let cause = Reason::sip(StatusCode::REQUEST_TIMEOUT.code(), "Session Timer Expired");
        self.end_as(now, id, Some(cause), EndCause::TimedOut);
    }
}

fn min_se(headers: &Headers) -> Option<u32> {
    let text = headers.text(&HeaderName::MinSe)?;
    // It may have parameters that mean nothing (§5).
    text.split(';').next()?.trim().parse().ok()
}

/// Whether a list of option tags names that one.
pub(crate) fn has_option(headers: &Headers, name: &HeaderName, option: &str) -> bool {
    headers.values(name).iter().any(|known| known.eq_ignore_ascii_case(option))
}
