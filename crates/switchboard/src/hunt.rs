//! Calling a user: all of its phones ring at once, the first that answers has the call
//! (RFC 3261 §16.7 calls it parallel forking).
//!
//! The leg and its port are one from the beginning, so every phone gets the same offer; only the
//! sessions are several until one answers.

use std::time::Instant;

use call::Conference;
use model::command::{Entrant, Target};
use model::{
    Accepted, Author, Command, CommandId, ConferenceId, ConferenceName, ConferenceRef, LeaveReason,
    LegId, Refusal, Verb,
};
use sip::access::{Destination, Origin, Urgency};
use sip::message::{ExtraHeaders, Reason};
use sip::{Invite, SessionEvent, SessionId};

use crate::quota::Payer;
use crate::switchboard::Switchboard;
use crate::way::Way;

impl Switchboard {
    /// A caller wants a user, or a number outside: both sides get a conference of their own. If the
    /// other side cannot be called, there was none.
    pub(crate) fn call_pair(
        &mut self,
        now: Instant,
        (destination, payer): (&Destination, Payer),
        caller: Entrant,
    ) -> Result<ConferenceId, Refusal> {
        let callee = match destination {
            Destination::User(user) if self.sip.bindings(now, user).is_empty() => {
                return Err(Refusal::NotReachable);
            }
            Destination::User(name)
            | Destination::Conference(name)
            | Destination::Lobby { conference: name, .. } => name,
            Destination::Number { number, .. } => number,
        };
        let callee = self.address_of_record(callee);
        // Who is called by a number is from outside, whoever has it called.
        let target = match destination {
            Destination::Number { .. } => Target::Address(callee.to_string()),
            Destination::User(_) | Destination::Conference(_) | Destination::Lobby { .. } => {
                Target::Colleague(callee.to_string())
            }
        };
        let name = format!("call-{:016x}", self.chance.draw());
        let name = ConferenceName::parse(&name).map_err(|_| Refusal::BadName)?;
        let by = Author::Party(caller.party);
        let urgency = self.sip.access().urgency(destination);
        let id = self.enter_alone(now, name, urgency, (by, Verb::Enter(caller)))?;
        self.pairs.insert(id, None);
        let invite = Verb::Invite { target, role: None };
        let command = CommandId(self.chance.draw());
        match self.conference_command(now, id, command, Author::System, invite) {
            Ok(accepted) => {
                let way = Way::Routed(destination.clone());
                self.goes(now, &accepted, way, (Origin::Trusted, payer));
            }
            Err(refusal) => {
                self.end_conference(now, id);
                return Err(refusal);
            }
        }
        Ok(id)
    }

    /// The party that a command has called is called that way, for whoever had it called.
    pub(crate) fn goes(
        &mut self,
        now: Instant,
        accepted: &Accepted,
        way: Way,
        (behalf, payer): (Origin, Payer),
    ) {
        let conference = self.conferences.get(&accepted.conference);
        let party = accepted.party.and_then(|party| conference?.party(party));
        let Some(id) = party.map(|party| party.leg) else { return };
        let srtp = self.srtp_by(&way, &behalf);
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.srtp = srtp;
        }
        self.opens_towards(now, id, &way);
        self.ways.insert(id, (way, behalf));
        self.is_paid_by(id, payer);
    }

    fn enter_alone(
        &mut self,
        now: Instant,
        name: ConferenceName,
        urgency: Urgency,
        (by, verb): (Author, Verb),
    ) -> Result<ConferenceId, Refusal> {
        let id = CommandId(self.chance.draw());
        let command = Command::new(id, ConferenceRef::Name(name), by, verb);
        let accepted = self.find_and_carry_out(now, command, urgency);
        accepted.map(|accepted| accepted.conference)
    }

    /// Calls every phone of a user for one leg; each is told on whose behalf, by those headers.
    ///
    /// # Errors
    /// [`Refusal::NotReachable`] where it has none, else why the last could not be called.
    pub(crate) fn hunt(
        &mut self,
        now: Instant,
        leg: LegId,
        (user, offer): (&str, &[u8]),
        headers: &ExtraHeaders,
    ) -> Result<(), Refusal> {
        let caller = self.caller_for(leg);
        let mut told = caller.headers_within();
        for header in headers.iter() {
            if told.push(header.name.clone(), header.value.clone()).is_err() {
                break;
            }
        }
        let from = caller.at(&self.sip.access().realm);
        let confidential = self.is_confidential(leg);
        let (mut rung, mut failed) = (Vec::new(), Refusal::NotReachable);
        for binding in self.sip.bindings(now, user) {
            let invite = Invite {
                flow: Some(binding.flow),
                path: binding.path,
                callee: Some(Origin::User(user.to_owned())),
                max_forwards: caller.max_forwards,
                headers: told.clone(),
                confidential,
                ..Invite::new(binding.contact, from.clone(), offer.to_vec())
            };
            match self.sip.invite(now, invite) {
                Ok(session) => {
                    self.legs_by_session.insert(session, leg);
                    rung.push(session);
                }
                Err(error) => failed = self.why_not_called(now, (leg, user), (error, failed)),
            }
        }
        if rung.is_empty() {
            return Err(failed);
        }
        self.hunts.insert(leg, rung);
        Ok(())
    }

    /// Takes what a phone that is one of several says; true if that is all that it means.
    pub(crate) fn heard_on_hunt(
        &mut self,
        now: Instant,
        session: SessionId,
        leg: LegId,
        event: &SessionEvent,
    ) -> bool {
        let Some(ringing) = self.hunts.get_mut(&leg) else { return false };
        let found = ringing.iter().position(|one| *one == session);
        match (event, found) {
            (SessionEvent::Established { .. }, Some(at)) => {
                ringing.remove(at);
                self.stop_hunt(now, leg, &crate::reason::completed_elsewhere());
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.session = Some(session);
                }
                false
            }
            (SessionEvent::Ended { .. }, Some(at)) => {
                ringing.remove(at);
                let others_ring = !ringing.is_empty();
                if !others_ring {
                    self.hunts.remove(&leg);
                }
                self.legs_by_session.remove(&session);
                if others_ring {
                    self.early_media_ended(now, session, leg);
                }
                others_ring
            }
            (_, Some(_) | None) => false,
        }
    }

    /// No more phones ring for that leg, for that reason.
    pub(crate) fn stop_hunt(&mut self, now: Instant, leg: LegId, why: &Reason) {
        for session in self.hunts.remove(&leg).unwrap_or_default() {
            self.legs_by_session.remove(&session);
            self.sip.end(now, session, Some(why.clone()));
        }
    }

    /// A call of two is over when one of them is gone.
    pub(crate) fn end_pairs(&mut self, now: Instant) {
        let conferences = &self.conferences;
        // Who is left hears to its end why nobody else came.
        let goes_on = |id: &ConferenceId| {
            // Who only listens in is no company for who is left.
            let parties = |found: &Conference| {
                found.parties().iter().filter(|party| party.is_counted()).count()
            };
            let left = conferences.get(id).filter(|found| parties(found) > 0);
            left.is_some_and(|found| parties(found) > 1 || found.is_announcing())
        };
        let over: Vec<_> = self.pairs.keys().copied().filter(|id| !goes_on(id)).collect();
        for id in over {
            self.end_conference(now, id);
        }
    }

    /// Who was called is gone before it came: that is why the call of two is over.
    pub(crate) fn gone_from_pair(&mut self, id: ConferenceId, leg: LegId, reason: LeaveReason) {
        let Some(why) = self.pairs.get_mut(&id) else { return };
        let parties = self.conferences.get(&id).map(Conference::parties).unwrap_or_default();
        if parties.iter().any(|party| party.leg == leg && party.is_called()) {
            *why = Some(reason);
        }
    }

    fn end_conference(&mut self, now: Instant, id: ConferenceId) {
        if self.conferences.contains_key(&id) {
            let command = CommandId(self.chance.draw());
            self.conference_command(now, id, command, Author::System, Verb::End)
                .expect("the server itself may end a conference that is live");
        }
        // Until now it said why.
        self.pairs.remove(&id);
    }
}
