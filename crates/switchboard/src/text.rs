//! MESSAGE: what somebody in a conference writes, and what is written to phones (RFC 3428).

use std::time::Instant;

use model::command::{Hearers, Readers};
use model::{Author, CommandId, ConferenceId, LegId, PartyId, Refusal, Verb};
use sip::access::Urgency;
use sip::message::{ExtraHeaders, Method, StatusCode};
use sip::{Inquiry, SessionId, Text, TextId};

use crate::switchboard::Switchboard;

impl Switchboard {
    /// A phone writes. Only who is in a conference writes into it.
    pub(crate) fn text(&mut self, now: Instant, id: TextId, text: Text) {
        let status = match self.take_text(now, text) {
            Ok(()) => StatusCode::OK,
            Err(refusal) => {
                *self.refusals.entry(refusal.code()).or_default() += 1;
                StatusCode::new(refusal.sip_status())
                    .expect("the refusals' table holds SIP statuses, which a test of it asserts")
            }
        };
        self.sip.answer_text(now, id, status);
    }

    fn take_text(&mut self, now: Instant, text: Text) -> Result<(), Refusal> {
        let (conference, party) =
            self.party_of(text.session.or(text.known).ok_or(Refusal::NotAllowed)?)?;
        let found = self.conferences.get(&conference).ok_or(Refusal::NoSuchConference)?;
        let (to, text) = match found.profile().texts.whispered(&text.text) {
            Some(whispered) => (Readers::Whisper(Hearers::Ours), whispered.to_owned()),
            None => (Readers::Everybody, text.text),
        };
        let verb = Verb::Write { to, text };
        self.check(&verb, Urgency::Ordinary)?;
        let command = CommandId(self.chance.draw());
        self.conference_command(now, conference, command, Author::Party(party), verb).map(|_| ())
    }

    /// Whose a session is, and in which conference.
    pub(crate) fn party_of(&self, session: SessionId) -> Result<(ConferenceId, PartyId), Refusal> {
        let leg = self.legs_by_session.get(&session).and_then(|leg| self.legs.get(leg));
        leg.map(|leg| (leg.conference, leg.party)).ok_or(Refusal::NoSuchParty)
    }

    /// Something is written to a phone; whether it can show it is its own affair.
    pub(crate) fn send_text(&mut self, now: Instant, leg: LegId, text: String) {
        let Some(session) = self.legs.get(&leg).and_then(|leg| leg.session) else { return };
        let body = Some(("text/plain;charset=UTF-8".to_owned(), text.into_bytes()));
        let inquiry = Inquiry { method: Method::Message, headers: ExtraHeaders::new(), body };
        if self.sip.inquire(now, session, inquiry).is_err() {
            // Its call ends in this instant.
        }
    }
}
