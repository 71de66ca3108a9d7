//! Offers by UPDATE from a phone that has not answered our call (RFC 3311 §5): a gateway that moves
//! early media, or hands the call on, says so.

use super::{SessionId, State};
use crate::endpoint::Endpoint;
use crate::message::{NameAddr, Response, StatusCode};
use crate::reply::Pending;
use crate::session::prack::Early;

/// Who owes whom what for an offer, in the dialog with a phone that has not answered.
#[derive(Clone, Debug)]
pub(crate) enum EarlyExchange {
    /// Our offer, in the INVITE, is not answered for good.
    Open,
    /// Nobody. Our offer was answered by a reliable response (RFC 3262 §5); one of theirs may have
    /// been since, and `said` is what we answered to the last.
    Settled { said: Option<Vec<u8>> },
    /// They offered by UPDATE; the user has to answer. `said` is as before.
    TheirOffer { pending: Pending, said: Option<Vec<u8>> },
}

/// What was agreed on with a phone before it answered.
pub(super) enum Agreed {
    /// Nothing, or not for good: what its 2xx says counts.
    Nothing,
    /// Its first description is the answer, if its 2xx has none (RFC 3261 §13.2.1).
    Answer(Vec<u8>),
    /// It has offered anew since: what was agreed on then holds, whatever its 2xx repeats.
    Renewed,
}

impl Early {
    /// What was agreed on with it.
    pub(super) fn agreed(&self) -> Agreed {
        match (self.said(), &self.answer) {
            (Some(_), _) => Agreed::Renewed,
            (None, Some(answer)) => Agreed::Answer(answer.clone()),
            (None, None) => Agreed::Nothing,
        }
    }

    /// What we said last, if that is not our offer.
    pub(super) fn said(&self) -> Option<Vec<u8>> {
        match &self.exchange {
            EarlyExchange::Open => None,
            EarlyExchange::Settled { said } | EarlyExchange::TheirOffer { said, .. } => {
                said.clone()
            }
        }
    }

    /// Takes out an offer of its that waits.
    fn take_offer(&mut self) -> Option<Pending> {
        let said = self.said();
        match std::mem::replace(&mut self.exchange, EarlyExchange::Settled { said }) {
            EarlyExchange::TheirOffer { pending, .. } => Some(pending),
            before @ (EarlyExchange::Open | EarlyExchange::Settled { .. }) => {
                self.exchange = before;
                None
            }
        }
    }
}

/// Whether the phone with that tag may offer. One offer waits at a time, of all phones that were
/// reached.
///
/// # Errors
/// 491 while ours is not answered for good, 500 while one of theirs waits (RFC 3311 §5.2).
pub(super) fn may_offer(early: &[Early], tag: Option<&str>) -> Result<(), StatusCode> {
    let waits = |one: &Early| matches!(one.exchange, EarlyExchange::TheirOffer { .. });
    let its = early.iter().find(|one| one.dialog.is_with(tag)).map(|one| &one.exchange);
    match its {
        None | Some(EarlyExchange::Open) => Err(StatusCode::REQUEST_PENDING),
        Some(EarlyExchange::Settled { .. } | EarlyExchange::TheirOffer { .. }) => {
            match early.iter().any(waits) {
                true => Err(StatusCode::SERVER_INTERNAL_ERROR),
                false => Ok(()),
            }
        }
    }
}

/// Keeps an offer of the phone with that tag until the user answers.
pub(super) fn keep_offer(early: &mut [Early], tag: Option<&str>, pending: Pending) {
    if let Some(one) = early.iter_mut().find(|one| one.dialog.is_with(tag)) {
        one.exchange = EarlyExchange::TheirOffer { pending, said: one.said() };
    }
}

/// The offer that waits, if one does; what we `said` to it, if it is accepted.
pub(super) fn settle_offer(early: &mut [Early], said: Option<&[u8]>) -> Option<Pending> {
    early.iter_mut().find_map(|one| {
        let pending = one.take_offer()?;
        if let Some(said) = said {
            one.exchange = EarlyExchange::Settled { said: Some(said.to_vec()) };
        }
        Some(pending)
    })
}

impl Endpoint {
    /// What the description of a response to our INVITE is worth: nothing once what was agreed on
    /// has been changed.
    pub(super) fn counts(&self, id: SessionId, response: &Response) -> bool {
        let to = response.to();
        let Some(State::Calling { early, .. }) = self.sessions.get(&id).map(|one| &one.state)
        else {
            return true;
        };
        let tag = to.as_ref().and_then(NameAddr::tag);
        let its = early.iter().find(|one| one.dialog.is_with(tag));
        its.is_none_or(|one| !matches!(one.agreed(), Agreed::Renewed))
    }

    /// Phones that will not have the call are not answered any more what they offered.
    pub(super) fn forget_early_offers(&mut self, id: SessionId, of: impl Fn(&Early) -> bool) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let State::Calling { early, .. } = &mut session.state else { return };
        let gone = early.iter_mut().filter(|one| of(one));
        for pending in gone.filter_map(Early::take_offer) {
            self.servers.forget(pending.transaction);
        }
    }
}
