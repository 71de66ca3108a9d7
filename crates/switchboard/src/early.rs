//! What comes of a call before it is answered: it rings, or the far end itself says how it goes
//! (early media, RFC 3960).
//!
//! ```text
//!  180                    it rings: who has it called hears our ringing tone
//!  18x with SDP           the port is connected to take audio, and sends none
//!    and audio comes      that is heard in place of the tone, by the same one alone
//!  2xx                    the call is answered, and what was agreed early is agreed anew
//! ```
//!
//! A leg may reach several phones: by a proxy that forks, or because a user has several. Whichever
//! told last where it sends from is heard. So where one that was early is given up and the next is
//! tried, its sound follows.

use std::net::IpAddr;
use std::time::Instant;

use call::LegChange;
use model::{Connection, LegId, MediaOrder, Refusal};
use sip::SessionId;
use sip::message::StatusCode;
use wire::sdp::{self, Local, Negotiated};

use crate::leg::{Leg, Stage};
use crate::negotiation;
use crate::switchboard::Switchboard;

impl Switchboard {
    /// A provisional response came.
    pub(crate) fn progressed(
        &mut self,
        now: Instant,
        (session, leg): (SessionId, LegId),
        status: StatusCode,
        sdp: Option<&[u8]>,
    ) {
        self.referral_progress(now, leg, status);
        if let Some(sdp) = sdp {
            self.early_answer(session, leg, sdp);
        }
        // RFC 3960 §3.2: nothing else says that somebody is being alerted.
        if status == StatusCode::RINGING
            && let Some(conference) = self.legs.get(&leg).map(|leg| leg.conference)
        {
            self.leg_changed(now, conference, leg, LegChange::Ringing);
        }
    }

    /// Media takes what a phone sends before it answers. What it said so early binds nobody: what
    /// cannot be used is as if it had not been said.
    fn early_answer(&mut self, session: SessionId, id: LegId, sdp: &[u8]) {
        let Some(Leg { stage, signalling, .. }) = self.legs.get_mut(&id) else { return };
        let (local, before) = match stage {
            Stage::Offered(local) => (local.clone(), None),
            Stage::Early { local, session, connection, renewed: _ } => {
                ((**local).clone(), Some((*session, (**connection).clone())))
            }
            Stage::Opening(_) | Stage::Up { .. } => return,
        };
        let Some(answer) = negotiation::read(&mut self.limits, sdp) else { return };
        let Ok(negotiated) = sdp::accept(&local, &answer) else { return };
        let host = signalling.unwrap_or(negotiated.remote.ip());
        let Some(connection) = self.early_connection(host, &negotiated) else { return };
        if before.is_some_and(|before| before == (session, connection.clone())) {
            return;
        }
        let (local, told) = (Box::new(local), Box::new(connection.clone()));
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.stage = Stage::Early { local, session, connection: told, renewed: None };
        }
        self.order(MediaOrder::Connect { leg: id, connection });
    }

    /// What media is told before a call is answered: nobody there hears a word of the room. None if
    /// nothing is to be heard.
    fn early_connection(&self, host: IpAddr, negotiated: &Negotiated) -> Option<Connection> {
        let connection = negotiation::connection(negotiated, host, self.config.rtp_timeouts)?;
        let connection = Connection { sends: false, rtp_timeout_ms: None, ..connection };
        Some(connection).filter(|connection| connection.receives)
    }

    /// A phone that has said what it sends changes that before it answers (RFC 3311): a gateway
    /// that plays an announcement of its own and then hands the call on. False if it has not.
    pub(crate) fn early_offer(
        &mut self,
        now: Instant,
        (session, id): (SessionId, LegId),
        sdp: &[u8],
    ) -> bool {
        let Some(Leg { stage, signalling, .. }) = self.legs.get(&id) else { return false };
        let Stage::Early { local, session: early, renewed, .. } = stage else { return false };
        if *early != session {
            return false;
        }
        let said = renewed.as_ref().map_or(&**local, |renewed| &renewed.0);
        let local = Local { version: said.version + 1, ..said.clone() };
        let host = *signalling;
        let agreed = negotiation::read(&mut self.limits, sdp).and_then(|offer| {
            let (answer, negotiated) = sdp::answer(&offer, &local).ok()?;
            Some((answer, Local { previous: Some(offer), ..local }, negotiated))
        });
        let Some((answer, local, negotiated)) = agreed else {
            self.reject(now, session, Refusal::NotAcceptable);
            return true;
        };
        if !self.accept(now, session, id, answer) {
            return true;
        }
        let host = host.unwrap_or(negotiated.remote.ip());
        let told = self.early_connection(host, &negotiated);
        if let Some(Leg { stage: Stage::Early { connection, renewed, .. }, .. }) =
            self.legs.get_mut(&id)
        {
            *renewed = Some(Box::new((local, negotiated)));
            if let Some(told) = told {
                **connection = told.clone();
                self.order(MediaOrder::Connect { leg: id, connection: told });
            }
        }
        true
    }

    /// What a phone that answers without another word has agreed on before.
    pub(crate) fn agreed_early(&mut self, id: LegId) -> Option<(Local, Negotiated)> {
        let leg = self.legs.get_mut(&id)?;
        let Stage::Early { session, renewed, .. } = &mut leg.stage else { return None };
        let its = leg.session == Some(*session);
        renewed.take().filter(|_| its).map(|renewed| *renewed)
    }

    /// The first audio came on a leg to which nothing is sent.
    pub(crate) fn early_media_came(&mut self, now: Instant, id: LegId) {
        let Some(Leg { stage: Stage::Early { .. }, conference, .. }) = self.legs.get(&id) else {
            return;
        };
        self.leg_changed(now, *conference, id, LegChange::EarlyMedia(true));
    }

    /// A phone that a leg reached is gone, and others are still called: if it was heard early, its
    /// sound is no more.
    pub(crate) fn early_media_ended(&mut self, now: Instant, session: SessionId, id: LegId) {
        let Some(Leg { stage, conference, .. }) = self.legs.get_mut(&id) else { return };
        let local = match stage {
            Stage::Early { local, session: early, .. } if *early == session => (**local).clone(),
            Stage::Early { .. } | Stage::Opening(_) | Stage::Offered(_) | Stage::Up { .. } => {
                return;
            }
        };
        *stage = Stage::Offered(local);
        let conference = *conference;
        self.leg_changed(now, conference, id, LegChange::EarlyMedia(false));
    }
}
