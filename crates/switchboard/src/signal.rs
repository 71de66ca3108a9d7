//! What a phone signals becomes commands; what media opened becomes answers and offers.

use std::net::SocketAddr;
use std::time::Instant;

use call::{LegChange, PhoneKey};
use model::command::{Entrant, Newcomer};
use model::limits::LABEL_LENGTH_MAX;
use model::{
    Affiliation, Author, Command, CommandId, ConferenceId, ConferenceName, ConferenceRef,
    LeaveReason, LegId, MediaOrder, PartyId, Refusal, Verb,
};
use sip::access::{Destination, Origin, Urgency};
use sip::message::{ExtraHeaders, HeaderName, Host, NameAddr, Reason, ReferTo, StatusCode, Uri};
use sip::{EndCause, Incoming, Invite, Meant, SessionEvent, SessionId, Transport};
use wire::sdp::{self, Local, Negotiated};

use crate::audio::as_agreed_with;
use crate::caller::Caller;
use crate::calls::Placed;
use crate::digits::KeyWay;
use crate::leg::{Leg, Purpose, Stage};
use crate::limits::FACTORY_NAME;
use crate::lobby::Wanted;
use crate::negotiation;
use crate::reason;
use crate::referral::status_of_end;
use crate::switchboard::{Output, Switchboard};
use crate::way::{KnownAs, Way};

/// Says whether the server can call this address: a telephone number, or a `sip:` or `sips:` URI
/// whose transport is listened for, perhaps with the dialog there that is to be replaced.
pub(crate) fn callable(
    target: &str,
    listeners: &[(Transport, SocketAddr)],
) -> Result<ReferTo, Refusal> {
    let callee: ReferTo = format!("<{target}>").parse().map_err(|_| Refusal::BadTarget)?;
    let listened = match &callee.uri {
        Uri::Sip(uri) => {
            let asked = Transport::asked_by(uri).filter(|asked| asked.reaches_out());
            asked.is_some_and(|asked| listeners.iter().any(|(kind, _)| *kind == asked))
        }
        // It goes where the routes lead.
        Uri::Tel(_) => true,
        Uri::Other(_) => false,
    };
    match listened && callee.method.is_none() {
        true => Ok(callee),
        false => Err(Refusal::BadTarget),
    }
}

impl Switchboard {
    /// Carries out all that the SIP endpoint wants.
    pub(crate) fn drain_sip(&mut self, now: Instant) {
        while let Some(output) = self.sip.poll_before_trying() {
            match output {
                sip::Output::Transmit { flow, bytes } => {
                    self.outputs.push_back(Output::Transmit { flow, bytes });
                }
                sip::Output::Resolve { id, host, port, transports } => {
                    self.outputs.push_back(Output::Resolve { id, host, port, transports });
                }
                sip::Output::Subscription(id, event) => self.subscription(now, id, event),
                sip::Output::Text(id, text) => self.text(now, id, *text),
                sip::Output::Session(session, event) => self.session(now, session, event),
                sip::Output::Trunk(name, _) => {
                    self.outputs.push_back(Output::Trunk(self.trunk_view(&name)));
                }
                sip::Output::Registered(registration) => self.registered(registration),
                sip::Output::Security(suspicion) => {
                    self.outputs.push_back(Output::Security(suspicion));
                }
            }
        }
    }

    fn session(&mut self, now: Instant, session: SessionId, event: SessionEvent) {
        if let SessionEvent::Incoming(incoming) = event {
            return self.incoming(now, session, *incoming);
        }
        // A leg that was hung up is gone from here while its BYE is still on the way.
        let Some(leg) = self.legs_by_session.get(&session).copied() else { return };
        if self.heard_on_hunt(now, session, leg, &event)
            || self.heard_on_seizure(now, session, leg, &event)
        {
            return;
        }
        match event {
            SessionEvent::Incoming(_) => {}
            SessionEvent::Ringing { status, sdp } => {
                self.progressed(now, (session, leg), status, sdp.as_deref());
            }
            SessionEvent::Established { sdp } => self.established(now, leg, sdp),
            SessionEvent::Reoffer { sdp } => self.reoffer(now, session, leg, sdp),
            SessionEvent::Reanswered { sdp } => {
                if let (Some(sdp), Stage::Up { local, .. }) = (sdp, &self.legs[&leg].stage) {
                    let local = (**local).clone();
                    self.take_answer(now, leg, local, &sdp);
                }
            }
            // What was agreed before stays (RFC 3261 §14.1); we never offer anew by ourselves.
            SessionEvent::ReofferRefused { .. } | SessionEvent::ReofferWithdrawn => {}
            SessionEvent::Info { content_type, body } => {
                if let Some(digit) = crate::digits::digit(&content_type, &body) {
                    self.key(now, leg, KeyWay::Info, digit);
                }
            }
            // The switchboard refers nobody.
            SessionEvent::Referral { .. } => {}
            SessionEvent::Replied { inquiry, status, .. } => {
                self.key_answered(now, leg, (inquiry, status));
            }
            SessionEvent::Ended { cause } => self.ended(now, leg, &cause),
        }
    }

    fn incoming(&mut self, now: Instant, session: SessionId, incoming: Incoming) {
        let remote = incoming.flow.remote.ip();
        if let Err(refusal) = self.take_call(now, session, incoming) {
            if refusal == Refusal::KeysInClear {
                *self.refusals.entry(refusal.code()).or_default() += 1;
                self.tell_of_keys(now, remote.to_string());
            }
            self.calls.refused(Placed::Inbound);
            self.reject(now, session, refusal);
        }
    }

    pub(crate) fn reject(&mut self, now: Instant, session: SessionId, refusal: Refusal) {
        let status = StatusCode::new(refusal.sip_status())
            .expect("the refusals' table holds SIP statuses, which a test of it asserts");
        // The usual phrase of its status says nothing that helps.
        let phrase = (refusal == Refusal::KeysInClear).then(|| refusal.sentence());
        if self.sip.reject(now, session, status, phrase, refusal.retry_after_s()).is_err() {
            // It was withdrawn in the same instant: its end is on its way here.
        }
    }

    fn take_call(
        &mut self,
        now: Instant,
        session: SessionId,
        incoming: Incoming,
    ) -> Result<(), Refusal> {
        let purpose = match &incoming.offer {
            Some(offer) => {
                let offer = negotiation::read(&mut self.limits, offer);
                let offer = offer.ok_or(Refusal::NotAcceptable)?;
                Purpose::Answer(Box::new(offer))
            }
            None => Purpose::Offer,
        };
        let offered = match &purpose {
            Purpose::Answer(offer) => Some(&**offer),
            Purpose::Offer | Purpose::Dial(_) => None,
        };
        let srtp = self.srtp_for_call(&incoming, offered)?;
        let local = incoming.flow.local.ip();
        let local = offered.map_or(local, |offer| self.local_for_offer(local, offer));
        let leg = LegId(self.chance.draw());
        if let Some(trunk) = incoming.origin.trunk()
            && !self.take_place(now, trunk, leg)
        {
            return Err(Refusal::Busy);
        }
        // Who names a party's dialog knows more than a PIN.
        let wanted = Wanted::of(&incoming).filter(|_| incoming.meant.is_none());
        if let Some(wanted) = &wanted {
            self.lobby.may_try(now, wanted)?;
        }
        let caller = Caller::of(&incoming, self.sip.access());
        let (conference, party) = self.let_in(now, (&incoming, &caller.shown()), session, leg)?;
        let signalling = incoming.flow.remote.ip();
        self.legs_by_session.insert(session, leg);
        self.legs.insert(
            leg,
            Leg {
                conference,
                party,
                session: Some(session),
                signalling: Some(signalling),
                stage: Stage::Opening(purpose),
                said: String::new(),
                caller: Some(Box::new(caller)),
                keys: KeyWay::Unheard,
                srtp,
            },
        );
        if let Some(wanted) = wanted {
            self.lobby.enter(now, leg, wanted);
        }
        self.order(MediaOrder::Open { leg, conference, local });
        Ok(())
    }

    /// What a caller wants: to come in where its route leads or to whom it names in Join
    /// (RFC 3911), or to sit where another connection sits (RFC 3891).
    fn let_in(
        &mut self,
        now: Instant,
        (incoming, caller): (&Incoming, &NameAddr),
        session: SessionId,
        leg: LegId,
    ) -> Result<(ConferenceId, PartyId), Refusal> {
        let display_name = display_name(caller);
        let address = label(&address(&caller.uri));
        let affiliation = match incoming.origin.user() {
            Some(_) => Affiliation::Ours,
            None => Affiliation::Outside,
        };
        if let Some(Meant::Replaces(replaced)) = incoming.meant {
            let (conference, party) = self.party_of(replaced)?;
            let newcomer = Newcomer { leg, display_name, address, affiliation };
            let verb = Verb::TakeOver { party, newcomer };
            return self.command_of(now, ConferenceRef::Id(conference), party, verb);
        }
        let party = PartyId(self.chance.draw());
        let entrant = Entrant { party, leg, display_name, address, affiliation };
        let named = match (incoming.meant, &incoming.destination) {
            (Some(Meant::Joins(joined)), _) => ConferenceRef::Id(self.party_of(joined)?.0),
            (_, Destination::Conference(name) | Destination::Lobby { conference: name, .. }) => {
                ConferenceRef::Name(self.name_for(session, name)?)
            }
            (_, destination @ (Destination::User(_) | Destination::Number { .. })) => {
                let source = incoming.flow.remote.ip();
                let payer =
                    self.begin_call_out(now, (&incoming.origin, Some(source)), destination)?;
                return Ok((self.call_pair(now, (destination, payer), entrant)?, party));
            }
        };
        // Who comes back may be the party that it was.
        self.command_of(now, named, party, Verb::Enter(entrant))
    }

    /// Carries out what a caller wants; a conference that it names begins if it is not there.
    fn command_of(
        &mut self,
        now: Instant,
        conference: ConferenceRef,
        party: PartyId,
        verb: Verb,
    ) -> Result<(ConferenceId, PartyId), Refusal> {
        let id = CommandId(self.chance.draw());
        let command = Command::new(id, conference, Author::Party(party), verb);
        let accepted = self.find_and_carry_out(now, command, Urgency::Ordinary)?;
        Ok((accepted.conference, accepted.party.unwrap_or(party)))
    }

    /// The conference that somebody dials. Who dials the factory gets one of its own, under a name
    /// that nobody can guess (RFC 4579 §5.4).
    fn name_for(&mut self, session: SessionId, name: &str) -> Result<ConferenceName, Refusal> {
        if !name.eq_ignore_ascii_case(FACTORY_NAME) {
            return ConferenceName::parse(name).map_err(|_| Refusal::NoSuchConference);
        }
        let name = format!("{:016x}", self.chance.draw());
        self.sip.appear_as(session, &name);
        Ok(ConferenceName::parse(&name).expect("hexadecimal digits make a name"))
    }

    /// A port is open: answer the caller's offer, make ours, or call.
    pub(crate) fn port_opened(&mut self, now: Instant, id: LegId, address: SocketAddr) {
        let address = match self.config.sip.advertised {
            Some(advertised) if advertised.is_ipv4() == address.is_ipv4() => {
                SocketAddr::new(advertised, address.port())
            }
            Some(_) | None => address,
        };
        let session_id = self.chance.draw();
        let Some(policy) = self.legs.get(&id).map(|leg| leg.srtp) else {
            // The caller went while the port was being opened; hanging up closed it.
            return;
        };
        let srtp = self.draw_srtp(policy);
        let local = Local { srtp, ..negotiation::local(address, session_id) };
        let trunk = self.legs.get(&id).and_then(|leg| leg.caller.as_ref()?.trunk.as_deref());
        let local = as_agreed_with(trunk.and_then(|name| self.config.audio_of(name)), local);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        // What it waited for is taken out; the stage says the most that holds already.
        let waited = std::mem::replace(&mut leg.stage, Stage::Offered(local.clone()));
        let Stage::Opening(purpose) = waited else {
            leg.stage = waited;
            return;
        };
        match (purpose, leg.session) {
            (Purpose::Answer(offer), Some(session)) => match sdp::answer(&offer, &local) {
                Ok((text, negotiated)) => {
                    let local = Local { previous: Some(*offer), ..local };
                    if self.accept(now, session, id, text) {
                        self.agreed(now, id, local, negotiated);
                    }
                }
                Err(_) => self.refuse_leg(now, id, Refusal::NotAcceptable),
            },
            (Purpose::Offer, Some(session)) => {
                self.accept(now, session, id, sdp::offer(&local));
            }
            (Purpose::Dial(target), None) => self.place_call(now, id, &target, &local),
            (Purpose::Answer(_) | Purpose::Offer, None) | (Purpose::Dial(_), Some(_)) => {
                unreachable!("a caller has a session before its port opens, a callee has none")
            }
        }
    }

    /// There is no port for a leg.
    pub(crate) fn port_failed(&mut self, now: Instant, id: LegId) {
        self.refuse_leg(now, id, Refusal::NoPorts);
    }

    fn place_call(&mut self, now: Instant, id: LegId, target: &str, local: &Local) {
        let conference = self.legs[&id].conference;
        let shown = |name| self.config.callers.get(name).map(String::as_str);
        let name = self.name_of(conference);
        let user = name.map_or("", |name| shown(name).unwrap_or(name.as_str()));
        let from = Uri::sip(user, Host::Ip(local.address.ip()), None);
        // A user's own address names no transport that must be listened for: its phones have each
        // said how they are reached.
        let to: ReferTo = format!("<{target}>")
            .parse()
            .expect("an invitation's target was checked when it was asked for");
        let offer = sdp::offer(local);
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.said.clone_from(&offer);
        }
        let offer = offer.into_bytes();
        let mut headers = ExtraHeaders::new();
        let replaces = to.replaces.map(|name| (HeaderName::Replaces, name.to_string()));
        let referred_by = self.referrals.referred_by(id);
        let referred_by = referred_by.map(|by| (HeaderName::ReferredBy, by.to_owned()));
        for (name, value) in [replaces, referred_by].into_iter().flatten() {
            if headers.push(name, value).is_err() {
                return self.refuse_leg(now, id, Refusal::BadTarget);
            }
        }
        let (way, behalf) = self.ways.remove(&id).map_or_else(
            || (self.may_dial((&Origin::Trusted, &KnownAs::default()), target), Origin::Trusted),
            |(way, behalf)| (Ok(way), behalf),
        );
        let flow = match way {
            Ok(Way::Routed(Destination::User(user))) => {
                if let Err(refusal) = self.hunt(now, id, (&user, &offer), &headers) {
                    self.refuse_leg(now, id, refusal);
                }
                return;
            }
            Ok(Way::Routed(Destination::Number { choices, number })) => {
                if !self.seize(now, id, (&choices, number), local, headers) {
                    self.refuse_leg(now, id, Refusal::NoTrunk);
                }
                return;
            }
            // Whatever host the address names: by that name it is known here.
            Ok(Way::Routed(Destination::Conference(_) | Destination::Lobby { .. })) => {
                self.way_home()
            }
            Ok(Way::Straight) => None,
            Err(refusal) => return self.refuse_leg(now, id, refusal),
        };
        let from = NameAddr::new("", from);
        let confidential = self.is_confidential(id);
        let invite = Invite::new(to.uri, from, offer);
        let audio_at = Some(local.address.ip());
        let invite = Invite { headers, flow, behalf, confidential, audio_at, ..invite };
        match self.sip.invite(now, invite) {
            Ok(session) => {
                self.legs_by_session.insert(session, id);
                if let Some(leg) = self.legs.get_mut(&id) {
                    leg.session = Some(session);
                }
            }
            Err(error) => {
                let refusal = self.why_not_called(now, (id, target), (error, Refusal::Busy));
                self.refuse_leg(now, id, refusal);
            }
        }
    }

    /// Ends a leg that cannot be connected, with the status that says why.
    fn refuse_leg(&mut self, now: Instant, id: LegId, refusal: Refusal) {
        self.ways.remove(&id);
        let Some(leg) = self.legs.remove(&id) else { return };
        match leg.session {
            Some(session) => {
                self.calls.refused(Placed::Inbound);
                self.legs_by_session.remove(&session);
                self.reject(now, session, refusal);
            }
            None => self.calls.unanswered(Placed::Outbound, LeaveReason::Failed),
        }
        *self.refusals.entry(refusal.code()).or_default() += 1;
        self.referral_progress(now, id, StatusCode::SERVICE_UNAVAILABLE);
        self.close_port(id);
        self.leg_changed(now, leg.conference, id, LegChange::Gone(LeaveReason::Failed));
    }

    /// Answers 200 with a description. False if the far end took its request back in the same
    /// instant: that is on its way here, and closes what is to be closed, so nothing is agreed on.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        session: SessionId,
        leg: LegId,
        sdp: String,
    ) -> bool {
        let accepted = self.sip.accept(now, session, sdp.clone().into_bytes()).is_ok();
        if accepted && let Some(leg) = self.legs.get_mut(&leg) {
            leg.said = sdp;
        }
        accepted
    }

    fn established(&mut self, now: Instant, id: LegId, sdp: Option<Vec<u8>>) {
        match (&self.legs[&id].stage, sdp) {
            (Stage::Offered(local), Some(sdp)) => {
                let local = local.clone();
                self.take_answer(now, id, local, &sdp);
            }
            (Stage::Early { local, .. }, Some(sdp)) => {
                let local = (**local).clone();
                self.take_answer(now, id, local, &sdp);
            }
            (Stage::Offered(_) | Stage::Early { .. }, None) => match self.agreed_early(id) {
                Some((local, negotiated)) => self.agreed(now, id, local, negotiated),
                None => self.lose(now, id),
            },
            (Stage::Up { .. } | Stage::Opening(_), _) => {}
        }
    }

    /// The far end's answer to our offer.
    fn take_answer(&mut self, now: Instant, id: LegId, local: Local, sdp: &[u8]) {
        let agreed = negotiation::read(&mut self.limits, sdp).and_then(|answer| {
            let negotiated = sdp::accept(&local, &answer).ok()?;
            Some((Local { previous: Some(answer), ..local }, negotiated))
        });
        match agreed {
            Some((local, negotiated)) => self.agreed(now, id, local, negotiated),
            None => self.lose(now, id),
        }
    }

    /// Ends a session in which nothing can be agreed on any more.
    fn lose(&mut self, now: Instant, id: LegId) {
        let Some(leg) = self.legs.remove(&id) else { return };
        if let Some(session) = leg.session {
            self.legs_by_session.remove(&session);
            let cause = Reason::sip(StatusCode::NOT_ACCEPTABLE_HERE.code(), "No Media In Common");
            self.sip.end(now, session, Some(cause));
        }
        self.referral_progress(now, id, StatusCode::NOT_ACCEPTABLE_HERE);
        self.close_port(id);
        self.leg_changed(now, leg.conference, id, LegChange::Gone(LeaveReason::Failed));
    }

    /// Audio is agreed on: tell media, then the conference.
    fn agreed(&mut self, now: Instant, id: LegId, mut local: Local, negotiated: Negotiated) {
        self.renew_srtp(&mut local, &negotiated);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let placed = if leg.signalling.is_some() { Placed::Inbound } else { Placed::Outbound };
        let signalling = leg.signalling.unwrap_or(negotiated.remote.ip());
        let was_on_hold = match &leg.stage {
            Stage::Up { negotiated, .. } => negotiated.on_hold,
            Stage::Opening(_) | Stage::Offered(_) | Stage::Early { .. } => {
                self.calls.answered(placed);
                self.spending.answered(now, id);
                false
            }
        };
        let is_on_hold = negotiated.on_hold;
        let conference = leg.conference;
        let timeouts = self.config.rtp_timeouts;
        let Some(connection) = negotiation::connection(&negotiated, signalling, timeouts) else {
            return self.lose(now, id);
        };
        leg.keys = KeyWay::Unheard;
        leg.stage = Stage::Up { local: Box::new(local), negotiated: Box::new(negotiated) };
        let video = leg.video();
        let codec = connection.codec;
        self.referral_progress(now, id, StatusCode::OK);
        self.order(MediaOrder::Connect { leg: id, connection });
        if self.connected_in_lobby(id, codec) {
            return;
        }
        self.leg_changed(now, conference, id, LegChange::Connected { codec });
        self.leg_changed(now, conference, id, LegChange::Video(video));
        let key = match (was_on_hold, is_on_hold) {
            (false, true) => PhoneKey::OnHold,
            (true, false) => PhoneKey::Talking,
            (true, true) | (false, false) => return,
        };
        self.leg_changed(now, conference, id, LegChange::Phone(key));
    }

    /// The far end wants to change what was agreed, or asks what we would offer.
    fn reoffer(&mut self, now: Instant, session: SessionId, id: LegId, sdp: Option<Vec<u8>>) {
        if let Some(sdp) = &sdp
            && self.early_offer(now, (session, id), sdp)
        {
            return;
        }
        let Leg { stage: Stage::Up { local, .. }, said: before_said, .. } = &self.legs[&id] else {
            return self.reject(now, session, Refusal::WrongState);
        };
        // RFC 3264 §8: the version goes up by one with each description that differs.
        let (before, version) = ((**local).clone(), local.version + 1);
        let local = Local { version, ..before.clone() };
        let Some(sdp) = sdp else {
            let again = sdp::offer(&before);
            let (offer, local) = match again == *before_said {
                true => (again, before),
                false => (sdp::offer(&local), local),
            };
            if let Some(Leg { stage: Stage::Up { local: said, .. }, .. }) = self.legs.get_mut(&id) {
                **said = local;
            }
            self.accept(now, session, id, offer);
            return;
        };
        let agreed = negotiation::read(&mut self.limits, &sdp).and_then(|offer| {
            // A refresh (RFC 4028 §7.4) that changes nothing is answered with the same text again.
            let (again, negotiated) = sdp::answer(&offer, &before).ok()?;
            let (answer, local) = match again == *before_said {
                true => (again, before),
                false => (sdp::answer(&offer, &local).ok()?.0, local),
            };
            Some((answer, Local { previous: Some(offer), ..local }, negotiated))
        });
        match agreed {
            Some((answer, local, negotiated)) => {
                if self.accept(now, session, id, answer) {
                    self.agreed(now, id, local, negotiated);
                }
            }
            // RFC 3261 §14.2: what was agreed before stays.
            None => self.reject(now, session, Refusal::NotAcceptable),
        }
    }

    fn ended(&mut self, now: Instant, id: LegId, cause: &EndCause) {
        let Some(leg) = self.legs.remove(&id) else { return };
        if let Some(session) = leg.session {
            self.legs_by_session.remove(&session);
        }
        self.referral_progress(now, id, status_of_end(cause));
        let reason = reason::heard(cause);
        match leg.stage {
            Stage::Up { .. } => {}
            Stage::Opening(_) | Stage::Offered(_) | Stage::Early { .. } => {
                let inbound = leg.signalling.is_some();
                let placed = if inbound { Placed::Inbound } else { Placed::Outbound };
                self.calls.unanswered(placed, reason);
            }
        }
        self.close_port(id);
        self.leg_changed(now, leg.conference, id, LegChange::Gone(reason));
    }
}

/// The name that a caller's phone shows, if it shows one.
fn display_name(from: &NameAddr) -> Option<String> {
    let name = label(&from.display);
    (!name.is_empty()).then_some(name)
}

/// A caller's address without what is of no use in a roster: parameters, headers, password.
pub(crate) fn address(uri: &Uri) -> String {
    match uri {
        Uri::Sip(uri) => {
            let scheme = if uri.secure { "sips" } else { "sip" };
            let user = uri.user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
            let port = uri.port.map_or_else(String::new, |port| format!(":{port}"));
            format!("{scheme}:{user}{}{port}", uri.host)
        }
        Uri::Tel(uri) => format!("tel:{}", uri.number),
        Uri::Other(text) => text.clone(),
    }
}

/// A text from outside, as long as a roster can show it.
fn label(text: &str) -> String {
    text.chars().filter(|sign| !sign.is_control()).take(LABEL_LENGTH_MAX).collect()
}
