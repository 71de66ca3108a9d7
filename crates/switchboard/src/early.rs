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

use std::time::Instant;

use call::LegChange;
use model::{Connection, LegId, MediaOrder};
use sip::SessionId;
use sip::message::StatusCode;
use wire::sdp;

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
            Stage::Early { local, session, connection } => {
                ((**local).clone(), Some((*session, (**connection).clone())))
            }
            Stage::Opening(_) | Stage::Up { .. } => return,
        };
        let Some(answer) = negotiation::read(&mut self.limits, sdp) else { return };
        let Ok(negotiated) = sdp::accept(&local, &answer) else { return };
        let host = signalling.unwrap_or(negotiated.remote.ip());
        let connection = negotiation::connection(&negotiated, host, self.config.rtp_timeouts);
        let Some(connection) = connection.filter(|connection| connection.receives) else { return };
        // Nobody has answered: nobody there hears a word of the room.
        let connection = Connection { sends: false, rtp_timeout_ms: None, ..connection };
        if before.is_some_and(|before| before == (session, connection.clone())) {
            return;
        }
        let (local, told) = (Box::new(local), Box::new(connection.clone()));
        *stage = Stage::Early { local, session, connection: told };
        self.order(MediaOrder::Connect { leg: id, connection });
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
