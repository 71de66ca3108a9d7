//! What a conference wants done becomes orders to SIP and to media.

use std::time::Instant;

use call::{Conference, Effect};
use model::{ConferenceId, LeaveReason, LegId, MediaOrder, RecordingId, TapRate, Track};
use sip::message::{Host, Reason, SipUri, Uri};

use crate::calls::Placed;
use crate::digits::KeyWay;
use crate::leg::{Leg, Purpose, Stage};
use crate::referral::status_of_leaving;
use crate::switchboard::{Output, Switchboard};

impl Switchboard {
    /// Carries out all that a conference wants that has changed, and notes when it is due.
    pub(crate) fn drain_conference(&mut self, now: Instant, id: ConferenceId) {
        self.carry_out(now, id);
        match self.conferences.get(&id).and_then(Conference::next_deadline_ms) {
            Some(at_ms) => self.ringing.set(id, self.config.instant(at_ms)),
            None => self.ringing.clear(id),
        }
    }

    /// Carries out all that a conference wants.
    pub(crate) fn carry_out(&mut self, now: Instant, id: ConferenceId) {
        while let Some(effect) = self.conferences.get_mut(&id).and_then(|c| c.poll()) {
            match effect {
                Effect::Event(event) => self.outputs.push_back(Output::Event(event)),
                Effect::Dial { leg, target } => self.dial(now, id, leg, target),
                Effect::HangUp { leg, reason } => self.hang_up(now, leg, reason),
                Effect::Text { leg, text } => self.send_text(now, leg, text),
                Effect::Press { leg, digits } => self.press_at(now, leg, digits),
                Effect::Route(routing) => {
                    self.order(MediaOrder::Route { conference: id, routing });
                }
                Effect::Play { announcement, prompt } => {
                    self.play(now, id, announcement, &prompt);
                }
                Effect::StopPlaying(announcement) => {
                    if self.announcements.remove(&announcement).is_some() {
                        self.order(MediaOrder::StopPlaying { conference: id, announcement });
                    }
                }
                Effect::OpenTap(recording, track) => self.open_tap(id, recording, track),
                Effect::CloseTap(recording) => {
                    self.recordings.remove(&recording);
                    self.order(MediaOrder::CloseTap { conference: id, recording });
                }
                Effect::Over => {
                    self.conferences.remove(&id);
                    self.names.retain(|_, named| *named != id);
                    self.announcements.retain(|_, within| *within != id);
                    self.order(MediaOrder::CloseConference { conference: id });
                    self.roster_closed(now, id);
                }
            }
        }
        self.roster_changed(now, id);
    }

    pub(crate) fn order(&mut self, order: MediaOrder) {
        self.outputs.push_back(Output::Media(order));
    }

    fn open_tap(&mut self, conference: ConferenceId, recording: RecordingId, track: Track) {
        self.recordings.insert(recording, conference);
        let rate = self
            .name_of(conference)
            .map_or(TapRate::Hz16000, |name| self.config.room(name).recording_rate);
        self.order(MediaOrder::OpenTap { conference, recording, track, rate });
    }

    fn dial(&mut self, now: Instant, conference: ConferenceId, leg: LegId, target: String) {
        let Some(party) = self.conferences.get(&conference).and_then(|found| {
            found.parties().iter().find(|party| party.leg == leg).map(|party| party.id)
        }) else {
            return;
        };
        let local = self.local_for(now, &target);
        let srtp = self.srtp_for_target(&target);
        let stage = Stage::Opening(Purpose::Dial(target));
        let (session, signalling, said) = (None, None, String::new());
        let (caller, keys) = (None, KeyWay::Unheard);
        let leg_there =
            Leg { conference, party, session, signalling, stage, said, caller, keys, srtp };
        self.legs.insert(leg, leg_there);
        self.order(MediaOrder::Open { leg, conference, local });
    }

    /// Whether a URI leads back to this server.
    pub(crate) fn is_own_address(&self, uri: &Uri) -> bool {
        let Uri::Sip(SipUri { host: Host::Ip(ip), port, .. }) = uri else { return false };
        let port = port.unwrap_or(5060);
        self.config.sip.listeners.iter().any(|(_, own)| {
            let same_host = own.ip() == *ip || self.config.sip.advertised == Some(*ip);
            own.port() == port && (same_host || own.ip().is_unspecified())
        })
    }

    fn hang_up(&mut self, now: Instant, id: LegId, reason: LeaveReason) {
        self.stop_hunt(now, id, &crate::reason::told_ringing(reason));
        self.stop_seizing(id);
        let Some(leg) = self.legs.remove(&id) else { return };
        self.referral_progress(now, id, status_of_leaving(reason));
        match leg.stage {
            Stage::Opening(Purpose::Dial(_)) => self.calls.unanswered(Placed::Outbound, reason),
            Stage::Offered(_) | Stage::Early { .. } if leg.signalling.is_none() => {
                self.calls.unanswered(Placed::Outbound, reason);
            }
            Stage::Opening(Purpose::Answer(_) | Purpose::Offer)
            | Stage::Offered(_)
            | Stage::Early { .. } => {
                self.calls.unanswered(Placed::Inbound, reason);
            }
            Stage::Up { .. } => {}
        }
        if let Some(session) = leg.session {
            self.legs_by_session.remove(&session);
            let unmet = self.pairs.get(&leg.conference).copied().flatten();
            let cause = match unmet.filter(|_| reason == LeaveReason::Ended) {
                // It waits for our answer, and that is no 2xx any more.
                Some(why) if matches!(leg.stage, Stage::Opening(_)) => {
                    let status = status_of_leaving(why);
                    Reason::sip(status.code(), status.phrase())
                }
                Some(why) => crate::reason::told(why),
                None => crate::reason::told(reason),
            };
            self.sip.end(now, session, Some(cause));
        }
        self.close_port(id);
    }
}
