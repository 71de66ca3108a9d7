//! Calling a user: all of its phones ring at once, the first that answers has the call
//! (RFC 3261 §16.7 calls it parallel forking).
//!
//! The leg and its port are one from the beginning, so every phone gets the same offer; only the
//! sessions are several until one answers.

use std::time::Instant;

use model::command::{Entrant, Target};
use model::{
    Author, Command, CommandId, ConferenceId, ConferenceName, ConferenceRef, LegId, Refusal, Verb,
};
use sip::message::{Host, NameAddr, Uri};
use sip::{Invite, SessionEvent, SessionId};

use crate::switchboard::Switchboard;

impl Switchboard {
    /// The user that an address of ours names.
    pub(crate) fn own_user(&self, target: &Uri) -> Option<String> {
        let Uri::Sip(uri) = target else { return None };
        let name = uri.user.as_deref()?;
        let port = uri.port.unwrap_or(5060);
        let listeners = &self.config.sip.listeners;
        let mut at_port = listeners.iter().map(|(_, own)| own).filter(|own| own.port() == port);
        let ours = match &uri.host {
            Host::Name(name) => *name == self.config.sip.access.realm,
            Host::Ip(ip) if self.config.sip.advertised == Some(*ip) => at_port.next().is_some(),
            Host::Ip(ip) => at_port.any(|own| own.ip() == *ip),
        };
        (ours && self.config.sip.access.users.contains_key(name)).then(|| name.to_owned())
    }

    /// A caller wants a user: both get a conference of their own. If the user cannot be called,
    /// there was none.
    pub(crate) fn call_user(
        &mut self,
        now: Instant,
        user: &str,
        caller: Entrant,
    ) -> Result<ConferenceId, Refusal> {
        if self.sip.bindings(now, user).is_empty() {
            return Err(Refusal::NotReachable);
        }
        let name = format!("call-{:016x}", self.chance.draw());
        let name = ConferenceName::parse(&name).map_err(|_| Refusal::BadName)?;
        let callee = Uri::sip(user, Host::Name(self.config.sip.access.realm.clone()), None);
        let by = Author::Party(caller.party);
        let id = self.enter_alone(now, name, by, Verb::Enter(caller))?;
        self.pairs.insert(id);
        let invite = Verb::Invite { target: Target::Colleague(callee.to_string()), role: None };
        let command = CommandId(self.chance.draw());
        if let Err(refusal) = self.conference_command(now, id, command, Author::System, invite) {
            self.end_conference(now, id);
            return Err(refusal);
        }
        Ok(id)
    }

    fn enter_alone(
        &mut self,
        now: Instant,
        name: ConferenceName,
        by: Author,
        verb: Verb,
    ) -> Result<ConferenceId, Refusal> {
        let id = CommandId(self.chance.draw());
        let command = Command::new(id, ConferenceRef::Name(name), by, verb);
        self.find_and_carry_out(now, command).map(|accepted| accepted.conference)
    }

    /// Calls every phone of a user for one leg; false if none could be called.
    pub(crate) fn hunt(&mut self, now: Instant, leg: LegId, user: &str, offer: &[u8]) -> bool {
        let from = self.caller_for(leg);
        let mut rung = Vec::new();
        for binding in self.sip.bindings(now, user) {
            let invite = Invite {
                flow: Some(binding.flow),
                path: binding.path,
                ..Invite::new(binding.contact, from.clone(), offer.to_vec())
            };
            if let Ok(session) = self.sip.invite(now, invite) {
                self.legs_by_session.insert(session, leg);
                rung.push(session);
            }
        }
        let any = !rung.is_empty();
        if any {
            self.hunts.insert(leg, rung);
        }
        any
    }

    /// As whom a user is called: the one who calls, if it is a call of two, else the conference.
    fn caller_for(&self, leg: LegId) -> NameAddr {
        let conference = self.legs.get(&leg).map(|leg| leg.conference);
        let found = conference.and_then(|id| self.conferences.get(&id));
        let realm = Host::Name(self.config.sip.access.realm.clone());
        let Some(found) = found else { return NameAddr::new("", Uri::sip("", realm, None)) };
        let mut others = found.parties().iter().filter(|party| party.leg != leg);
        match (self.pairs.contains(&found.id()), others.next()) {
            (true, Some(caller)) => {
                let address = caller.address.parse::<Uri>().ok();
                let user = address.as_ref().and_then(Uri::user).unwrap_or("");
                let display = caller.display_name.as_deref().unwrap_or("");
                NameAddr::new(display, Uri::sip(user, realm, None))
            }
            (true | false, _) => {
                let id = found.id();
                let named = self.names.iter().find(|(_, named)| **named == id);
                let name = named.map_or("", |(name, _)| name.as_str());
                NameAddr::new("", Uri::sip(name, realm, None))
            }
        }
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
                self.stop_hunt(now, leg);
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
                others_ring
            }
            (_, Some(_) | None) => false,
        }
    }

    /// No more phones ring for that leg.
    pub(crate) fn stop_hunt(&mut self, now: Instant, leg: LegId) {
        for session in self.hunts.remove(&leg).unwrap_or_default() {
            self.legs_by_session.remove(&session);
            self.sip.end(now, session, None);
        }
    }

    /// A call of two is over when one of them is gone.
    pub(crate) fn end_pairs(&mut self, now: Instant) {
        let conferences = &self.conferences;
        let parties = |id: &ConferenceId| conferences.get(id).map_or(0, |c| c.parties().len());
        let (over, left): (Vec<ConferenceId>, _) =
            self.pairs.iter().copied().partition(|id| parties(id) < 2);
        self.pairs = left.into_iter().collect();
        for id in over {
            self.end_conference(now, id);
        }
    }

    fn end_conference(&mut self, now: Instant, id: ConferenceId) {
        self.pairs.remove(&id);
        if self.conferences.contains_key(&id) {
            let command = CommandId(self.chance.draw());
            self.conference_command(now, id, command, Author::System, Verb::End)
                .expect("the server itself may end a conference that is live");
        }
    }
}
