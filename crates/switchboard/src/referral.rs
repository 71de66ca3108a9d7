//! REFER: a phone's transfer key, and requests to the conference about others (RFC 3515, 4579,
//! 5589).
//!
//! | sent | Refer-To | meaning |
//! |---|---|---|
//! | in a call | an address | the party's seat passes to that address |
//! | in a call | `Replaces` of another call to us | both rooms become one, the party leaves them |
//! | in a call, or to the conference with Target-Dialog | `;method=INVITE` | call that address in |
//! | in a call, or to the conference with Target-Dialog | `;method=BYE` | remove that party |
//!
//! Whoever knows both tags of a party's dialog speaks for that party (RFC 4538); what it may do is
//! then the profile's business. A stranger's REFER is refused.

use std::collections::BTreeMap;
use std::time::Instant;

use model::command::Target;
use model::{
    Accepted, Author, CommandId, ConferenceId, ConferenceName, LeaveReason, LegId, PartyId,
    Refusal, Verb,
};
use sip::access::Urgency;
use sip::message::{Method, ReferTo, StatusCode, Uri};
use sip::{EndCause, Referred, SessionId, SubscriptionEvent, SubscriptionId};

use crate::moving::Union;
use crate::quota::Payer;
use crate::switchboard::Switchboard;
use crate::way::Way;

/// REFERs whose authors are told how it goes, by the leg that is being connected because of them.
#[derive(Debug, Default)]
pub(crate) struct Referrals {
    by_leg: BTreeMap<LegId, Referral>,
}

#[derive(Debug)]
struct Referral {
    subscription: SubscriptionId,
    referred_by: Option<String>,
}

impl Referrals {
    /// On whose behalf a leg is called (RFC 3892).
    pub(crate) fn referred_by(&self, leg: LegId) -> Option<&str> {
        self.by_leg.get(&leg)?.referred_by.as_deref()
    }
}

/// What became of a REFER's command.
enum Done {
    /// A leg is being connected; the rest is told as it happens.
    Calling(LegId),
    /// All is done.
    Already,
    /// All will be done at once, when its author has been told so: its calls end by it.
    Uniting(Union),
}

impl Switchboard {
    pub(crate) fn subscription(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        event: SubscriptionEvent,
    ) {
        match event {
            SubscriptionEvent::Referred(referred) => self.referred(now, id, &referred),
            SubscriptionEvent::Subscribed(asked) => self.subscribed(now, id, &asked),
            SubscriptionEvent::Refreshed => self.tell_whole_roster(now, id),
            SubscriptionEvent::Delivered => self.roster_taken(now, id),
            SubscriptionEvent::Ended => {
                self.watchers.forget(id);
                self.referrals.by_leg.retain(|_, referral| referral.subscription != id);
            }
        }
    }

    fn referred(&mut self, now: Instant, id: SubscriptionId, referred: &Referred) {
        let done = self.carry_out_referral(now, referred);
        if let Err(refusal) = done {
            *self.refusals.entry(refusal.code()).or_default() += 1;
            let status = StatusCode::new(refusal.sip_status())
                .expect("the refusals' table holds SIP statuses, which a test of it asserts");
            return self.sip.deny(now, id, status).expect("what was asked for waits");
        }
        self.sip.grant(now, id).expect("what was asked for waits");
        match done {
            Ok(Done::Calling(leg)) => {
                let referred_by = referred.referred_by.clone();
                self.referrals.by_leg.insert(leg, Referral { subscription: id, referred_by });
            }
            Ok(Done::Already) | Err(_) => self.tell(now, id, StatusCode::OK),
            Ok(Done::Uniting(union)) => {
                self.tell(now, id, StatusCode::OK);
                self.unite(now, &union);
            }
        }
    }

    fn carry_out_referral(&mut self, now: Instant, referred: &Referred) -> Result<Done, Refusal> {
        let (conference, party) = self.speaker(referred)?;
        let ReferTo { uri, method, replaces } = &referred.refer_to;
        match (method, replaces, referred.replaced) {
            (None, Some(_), Some(replaced)) => {
                return self.union_of((conference, party), replaced).map(Done::Uniting);
            }
            // It names a dialog of ours that there is not: to call ourselves would not find it.
            (_, Some(_), None) if self.is_own_address(uri) => return Err(Refusal::NoSuchParty),
            (_, Some(_) | None, _) => {}
        }
        let target = || ReferTo { method: None, ..referred.refer_to.clone() }.to_uri_text();
        let verb = match (method, referred.session) {
            (None, Some(_)) => Verb::Transfer { party, target: Target::Address(target()) },
            (None | Some(Method::Invite), _) => Verb::invite(target()),
            (Some(Method::Bye), _) => Verb::Remove { party: self.party_at(conference, uri)? },
            (Some(_), _) => return Err(Refusal::BadTarget),
        };
        let session = referred.session.or(referred.known).ok_or(Refusal::NotAllowed)?;
        let accepted = self.command_by_phone(now, (conference, party, session), verb)?;
        let called = accepted.party.and_then(|called| {
            let found = self.conferences.get(&conference)?.party(called)?;
            self.legs.get(&found.leg).is_some_and(|leg| leg.session.is_none()).then_some(found.leg)
        });
        Ok(called.map_or(Done::Already, Done::Calling))
    }

    /// Carries out what a party asks for by its phone, as any command. Whom it has called it must
    /// be able to call itself.
    pub(crate) fn command_by_phone(
        &mut self,
        now: Instant,
        (conference, party, session): (ConferenceId, PartyId, SessionId),
        mut verb: Verb,
    ) -> Result<Accepted, Refusal> {
        let way = match verb.target().and_then(Target::address) {
            Some(target) => {
                let (origin, known_as) = self.dialler(session);
                let way = self.may_dial((&origin, &known_as), target)?;
                Self::leads_elsewhere(&way, self.name_of(conference))?;
                let mut payer = Payer::default();
                if let Way::Routed(destination) = &way {
                    let leg = self.legs_by_session.get(&session);
                    let source = leg.and_then(|leg| self.legs.get(leg)?.signalling);
                    payer = self.begin_call_out(now, (&origin, source), destination)?;
                }
                Some((way, (origin, payer)))
            }
            None => None,
        };
        let urgency = way.as_ref().map_or(Urgency::Ordinary, |(way, _)| self.urgency(way));
        self.check(&verb, urgency)?;
        if let Some((way, _)) = &way {
            self.tell_colleagues(&mut verb, way)?;
        }
        let command = CommandId(self.chance.draw());
        let by = Author::Party(party);
        let accepted = self.conference_command(now, conference, command, by, verb)?;
        if let Some((way, for_whom)) = way {
            self.goes(now, &accepted, way, for_whom);
        }
        Ok(accepted)
    }

    /// For which party a REFER speaks, and in which conference.
    fn speaker(&self, referred: &Referred) -> Result<(ConferenceId, PartyId), Refusal> {
        let session = referred.session.or(referred.known).ok_or(Refusal::NotAllowed)?;
        let (conference, party) = self.party_of(session)?;
        if referred.session.is_none() {
            // It was sent to a conference, and must come from somebody in that one.
            let named = referred.request_uri.user().map(str::to_lowercase);
            if self.name_of(conference).map(ConferenceName::as_str) != named.as_deref() {
                return Err(Refusal::NotAllowed);
            }
        }
        Ok((conference, party))
    }

    /// The party with that address, whatever its URI's parameters.
    fn party_at(&self, conference: ConferenceId, uri: &Uri) -> Result<PartyId, Refusal> {
        let wanted = crate::signal::address(uri);
        let found = self.conferences.get(&conference).ok_or(Refusal::NoSuchConference)?;
        let same = |address: &str| {
            let address = address.parse().map(|uri| crate::signal::address(&uri));
            address.is_ok_and(|address| address == wanted)
        };
        let party = found.parties().iter().find(|party| same(&party.address));
        party.map(|party| party.id).ok_or(Refusal::NoSuchParty)
    }

    /// Tells the author of the REFER for which a leg is called, if it is called for one.
    pub(crate) fn referral_progress(&mut self, now: Instant, leg: LegId, status: StatusCode) {
        let referral = match status.is_final() {
            true => self.referrals.by_leg.remove(&leg).map(|referral| referral.subscription),
            false => self.referrals.by_leg.get(&leg).map(|referral| referral.subscription),
        };
        if let Some(id) = referral {
            self.tell(now, id, status);
        }
    }

    fn tell(&mut self, now: Instant, id: SubscriptionId, status: StatusCode) {
        if self.sip.tell_progress(now, id, status, None).is_err() {
            // Its author did not want to be told, or has gone.
        }
    }
}

/// How a call that is over went, for the author of its REFER.
pub(crate) fn status_of_end(cause: &EndCause) -> StatusCode {
    match cause {
        EndCause::Rejected { status, .. } => *status,
        EndCause::Bye { .. } | EndCause::Cancelled { .. } | EndCause::LocalEnd => {
            StatusCode::REQUEST_TERMINATED
        }
        EndCause::TimedOut => StatusCode::REQUEST_TIMEOUT,
        EndCause::TransportFailed | EndCause::Unresolved | EndCause::Unknown => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

/// The same for one that the conference gave up.
pub(crate) fn status_of_leaving(reason: LeaveReason) -> StatusCode {
    match reason {
        LeaveReason::NoAnswer => StatusCode::REQUEST_TIMEOUT,
        LeaveReason::Busy => StatusCode::BUSY_HERE,
        LeaveReason::Declined => StatusCode::DECLINE,
        LeaveReason::Failed | LeaveReason::Lost | LeaveReason::Interrupted => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        LeaveReason::Left
        | LeaveReason::Removed
        | LeaveReason::Ended
        | LeaveReason::Transferred => StatusCode::REQUEST_TERMINATED,
    }
}
