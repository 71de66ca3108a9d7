//! What a phone does when it is called.

use std::time::Instant;

use sip::message::StatusCode;
use sip::{EndCause, SessionId};
use wire::sdp::{self, Description, Direction, Negotiated};

use super::{CallState, Phone};

/// What a phone does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It answers at once.
    Answers,
    /// It rings (180) until [`Phone::answer`].
    Rings,
    /// It says where it sends from (183 with SDP) and speaks at once, as a gateway does that plays
    /// what the network says. It answers by [`Phone::answer`].
    SpeaksEarly,
}

/// A caller that waits for an answer.
pub(super) struct Caller {
    text: String,
    agreed: Negotiated,
}

impl Phone {
    /// From here on it does this when it is called.
    pub fn behave(&mut self, manner: Manner) {
        self.manner = manner;
    }

    pub(super) fn called(&mut self, now: Instant, session: SessionId, offer: &[u8]) {
        if self.session.is_some() && !matches!(self.state, CallState::Ended(_)) {
            return self.reject(now, session, StatusCode::BUSY_HERE);
        }
        // A call that was on hold when it ended leaves nothing behind.
        self.local.direction = Direction::SendRecv;
        let answer = Description::parse(offer).ok();
        let answer = answer.and_then(|offer| sdp::answer(&offer, &self.local).ok());
        let Some((text, agreed)) = answer else {
            return self.reject(now, session, StatusCode::BUSY_HERE);
        };
        self.session = Some(session);
        self.state = CallState::Called;
        let told = match self.manner {
            Manner::Answers => Ok(()),
            Manner::Rings => self.sip.ring(now, session),
            Manner::SpeaksEarly => {
                self.agree(agreed.clone());
                let answer = Some(text.clone().into_bytes());
                self.sip.progress(now, session, StatusCode::SESSION_PROGRESS, answer)
            }
        };
        self.caller = Some(Caller { text, agreed });
        match (self.manner, told) {
            (Manner::Answers, Ok(())) => self.answer(now),
            (Manner::Rings | Manner::SpeaksEarly, Ok(())) => {}
            (_, Err(_)) => self.state = CallState::Ended(EndCause::LocalEnd),
        }
    }

    /// Answers who calls, if anybody does.
    pub fn answer(&mut self, now: Instant) {
        let (Some(caller), Some(session)) = (self.caller.take(), self.session) else { return };
        self.up(caller.agreed);
        if self.sip.accept(now, session, caller.text.into_bytes()).is_err() {
            self.state = CallState::Ended(EndCause::LocalEnd);
        }
        self.drain(now);
    }

    /// Says that it rings after all.
    pub fn ring(&mut self, now: Instant) {
        let Some(session) = self.session else { return };
        if self.sip.ring(now, session).is_err() {
            self.state = CallState::Ended(EndCause::LocalEnd);
        }
        self.drain(now);
    }

    /// Refuses who calls.
    pub fn refuse(&mut self, now: Instant, status: StatusCode) {
        let Some(session) = self.session else { return };
        self.caller = None;
        self.reject(now, session, status);
        self.drain(now);
    }

    /// Whether it sends audio.
    pub(super) fn speaks(&self) -> bool {
        match self.state {
            CallState::Up => true,
            CallState::Called => self.manner == Manner::SpeaksEarly,
            CallState::Idle | CallState::Calling | CallState::Ringing | CallState::Ended(_) => {
                false
            }
        }
    }
}
