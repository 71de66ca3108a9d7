//! Calling out by trunks: one after the other until one takes the call.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use model::{LegId, TrunkRegistration, TrunkState, TrunkView};
use sip::access::{Choice, Cost, Origin, Trunk, Urgency};
use sip::message::ExtraHeaders;
use sip::{EndCause, Invite, Reach, Registered, SessionError, SessionEvent, SessionId, Stalled};
use wire::sdp::{self, Local};

use crate::audio;
use crate::leg::Stage;
use crate::spending::Means;
use crate::switchboard::Switchboard;
use crate::way::Way;

/// A call out that is not taken yet.
#[derive(Debug)]
pub(crate) struct Seizure {
    number: String,
    local: Local,
    /// What the call says whichever trunk it takes: on whose behalf it is made.
    headers: ExtraHeaders,
    /// Trunks that have not been tried; the last is the next.
    left: Vec<String>,
    /// How many were passed over because its user has too little left for them.
    too_dear: u32,
}

/// What is used of the trunks.
#[derive(Debug, Default)]
pub(crate) struct TrunkUse {
    /// By which trunk a leg goes. Legs that are gone are taken out when it is counted.
    by_leg: BTreeMap<LegId, String>,
    /// When each call with a trunk began of the last second, the oldest first: no more than may.
    lately: BTreeMap<String, VecDeque<Instant>>,
    /// What has become of the calls with each trunk.
    counts: BTreeMap<String, TrunkCounts>,
}

/// What has become of the calls with a trunk.
#[derive(Debug, Default, Clone, Copy)]
struct TrunkCounts {
    /// Calls to it.
    tried: u64,
    /// Those that it did not take.
    failed: u64,
    /// Calls that there was no room for, either way.
    full: u64,
}

impl TrunkUse {
    fn count(&mut self, name: &str) -> &mut TrunkCounts {
        self.counts.entry(name.to_owned()).or_default()
    }

    /// By which trunk a leg goes.
    pub(crate) fn of(&self, leg: LegId) -> Option<&str> {
        self.by_leg.get(&leg).map(String::as_str)
    }

    /// Whether a trunk has room for one more call.
    fn has_room(&self, now: Instant, name: &str, trunk: &Trunk) -> bool {
        let calls = self.by_leg.values().filter(|used| *used == name).count();
        let lately = self.lately.get(name).into_iter().flatten();
        let lately = lately.filter(|began| !is_over(now, **began)).count();
        calls < trunk.calls_max && lately < trunk.calls_per_second_max as usize
    }

    fn take(&mut self, now: Instant, name: &str, leg: LegId) {
        let lately = self.lately.entry(name.to_owned()).or_default();
        lately.retain(|began| !is_over(now, *began));
        lately.push_back(now);
        self.by_leg.insert(leg, name.to_owned());
    }
}

fn is_over(now: Instant, began: Instant) -> bool {
    now.saturating_duration_since(began) >= Duration::from_secs(1)
}

impl Switchboard {
    /// Takes a place on a trunk for a leg; false if it has none left. A call to an emergency number
    /// is never refused one by us: the trunk may.
    pub(crate) fn take_place(&mut self, now: Instant, name: &str, leg: LegId) -> bool {
        let legs = &self.legs;
        self.trunk_use.by_leg.retain(|leg, _| legs.contains_key(leg));
        let trunk = self.sip.access().trunks.get(name);
        let has_room = self.is_emergency(leg)
            || trunk.is_some_and(|trunk| self.trunk_use.has_room(now, name, trunk));
        if has_room {
            self.trunk_use.take(now, name, leg);
        } else {
            self.trunk_use.count(name).full += 1;
        }
        has_room
    }

    /// Calls a number by the first of these trunks that takes it; false if none does.
    pub(crate) fn seize(
        &mut self,
        now: Instant,
        leg: LegId,
        (choices, number): (&[Choice], String),
        local: &Local,
        headers: ExtraHeaders,
    ) -> bool {
        let mut left = self.in_drawn_order(choices);
        if self.sip.access().emergency.contains(&number) {
            // Those that seem to be out may be there all the same, and are tried last.
            let is_out = |name: &String| self.sip.standing(name).is_some_and(|it| it.is_out());
            left.sort_by_key(is_out);
            let legs = &self.legs;
            self.urgent.retain(|leg| legs.contains_key(leg));
            self.urgent.insert(leg);
        }
        left.reverse();
        let local = local.clone();
        self.seizures.insert(leg, Seizure { number, local, headers, left, too_dear: 0 });
        self.seize_next(now, leg)
    }

    /// By priority, and among equals by lot, those with more weight earlier the more often: as
    /// RFC 2782, but that one without weight never comes before one that has some.
    fn in_drawn_order(&mut self, choices: &[Choice]) -> Vec<String> {
        let mut left = choices.to_vec();
        let mut order = Vec::new();
        while let Some(best) = left.iter().map(|choice| choice.priority).min() {
            let equals = |choice: &&Choice| choice.priority == best;
            let total: u64 = left.iter().filter(equals).map(|one| u64::from(one.weight)).sum();
            // Those of no weight are left until there is no other; then each weighs the same.
            let weight = |choice: &Choice| match total {
                0 => 1,
                _ => u64::from(choice.weight),
            };
            let weights: u64 = left.iter().filter(equals).map(weight).sum();
            let mut drawn = self.chance.draw() % weights;
            let hit = left.iter().position(|choice| {
                let weight = if choice.priority == best { weight(choice) } else { 0 };
                let is_hit = drawn < weight;
                drawn = drawn.saturating_sub(weight);
                is_hit
            });
            order.push(left.remove(hit.unwrap_or(0)).trunk);
        }
        order
    }

    /// Tries the next trunk that has room; false if there is none.
    fn seize_next(&mut self, now: Instant, leg: LegId) -> bool {
        while let Some(name) = self.seizures.get_mut(&leg).and_then(|seizure| seizure.left.pop()) {
            if self.seize_by(now, leg, &name) {
                return true;
            }
        }
        // Where another trunk has the call nothing is refused for money.
        if self.seizures.remove(&leg).is_some_and(|seizure| seizure.too_dear > 0) {
            self.tell_unpaid(leg);
        }
        false
    }

    fn seize_by(&mut self, now: Instant, leg: LegId, name: &str) -> bool {
        let Some(seizure) = self.seizures.get(&leg) else { return false };
        let Some(trunk) = self.sip.access().trunks.get(name).cloned() else { return false };
        let Some((to, route)) = trunk.address(&seizure.number) else { return false };
        let price = trunk.price(&seizure.number);
        let caller = self.caller_for(leg);
        let (from, mut headers) = caller.by_trunk(&trunk, &self.sip.access().realm);
        for header in seizure.headers.iter() {
            if headers.push(header.name.clone(), header.value.clone()).is_err() {
                break;
            }
        }
        let local = audio::as_agreed_with(self.config.audio_of(name), seizure.local.clone());
        let srtp = self.srtp_going_out(self.srtp_of_trunk(name));
        let is_out = self.sip.standing(name).is_some_and(|standing| standing.is_out());
        let is_shut = is_out && !self.is_emergency(leg);
        if is_shut || !self.is_paid_for(now, leg, price) || !self.take_place(now, name, leg) {
            return false;
        }
        let local = Local { srtp: self.draw_srtp(srtp), ..local };
        let offer = sdp::offer(&local);
        let invite = Invite {
            route,
            callee: Some(Origin::Trunk(name.to_owned())),
            account: trunk.account.clone(),
            patience: trunk.patience,
            progress_within: trunk.progress_within,
            stalled: self.if_stalled(leg),
            max_forwards: caller.max_forwards,
            headers,
            confidential: self.has_confidential_keys(srtp),
            urgency: self.urgency_of(leg),
            audio_at: Some(local.address.ip()),
            ..Invite::new(to, from, offer.clone().into_bytes())
        };
        self.trunk_use.count(name).tried += 1;
        let confidential = invite.confidential;
        let session = match self.sip.invite(now, invite) {
            Ok(session) => session,
            Err(error) => {
                if confidential && error == SessionError::Unreachable {
                    self.tell_of_keys(now, name.to_owned());
                }
                self.trunk_failed(leg);
                return false;
            }
        };
        self.legs_by_session.insert(session, leg);
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.session = Some(session);
            leg.said = offer;
            leg.stage = Stage::Offered(local);
        }
        true
    }

    /// Whether a call can be paid for by a trunk. Those for which there is too little are counted.
    fn is_paid_for(&mut self, now: Instant, leg: LegId, price: Option<Cost>) -> bool {
        let means = self.means_for(now, leg, price);
        if means == Means::TooLittle
            && let Some(seizure) = self.seizures.get_mut(&leg)
        {
            seizure.too_dear += 1;
        }
        means == Means::Enough
    }

    /// A call that a trunk gets no further with is left for the next trunk. Where there is none, it
    /// waits on: nobody else could do better.
    fn if_stalled(&self, leg: LegId) -> Stalled {
        let takes_calls = |name: &String| {
            let has_proxy = self.sip.access().trunks.get(name).is_some_and(|it| it.proxy.is_some());
            has_proxy && self.sip.standing(name).is_some_and(|standing| !standing.is_out())
        };
        let left = self.seizures.get(&leg).map(|seizure| &seizure.left);
        match left.is_some_and(|left| left.iter().any(takes_calls)) {
            true => Stalled::Ends,
            false => Stalled::WaitsOn,
        }
    }

    /// How urgent a call out is.
    fn urgency_of(&self, leg: LegId) -> Urgency {
        match self.urgent.contains(&leg) {
            true => Urgency::Emergency,
            false => Urgency::Ordinary,
        }
    }

    /// Whether a call out is to an emergency number.
    fn is_emergency(&self, leg: LegId) -> bool {
        self.urgency_of(leg) == Urgency::Emergency
    }

    /// How urgent it is to call somebody by that way.
    pub(crate) fn urgency(&self, way: &Way) -> Urgency {
        match way {
            Way::Routed(destination) => self.sip.access().urgency(destination),
            Way::Straight => Urgency::Ordinary,
        }
    }

    /// Whether somebody calls for help, or has called and is in that call.
    pub fn has_emergency_calls(&self) -> bool {
        self.urgent.iter().any(|leg| self.legs.contains_key(leg))
    }

    /// A trunk did not take a call: its place is free again.
    fn trunk_failed(&mut self, leg: LegId) {
        if let Some(name) = self.trunk_use.by_leg.remove(&leg) {
            self.trunk_use.count(&name).failed += 1;
        }
    }

    /// Takes what a trunk says to a call; true if another one is tried instead.
    pub(crate) fn heard_on_seizure(
        &mut self,
        now: Instant,
        session: SessionId,
        leg: LegId,
        event: &SessionEvent,
    ) -> bool {
        if !self.seizures.contains_key(&leg) {
            return false;
        }
        match event {
            SessionEvent::Ended { cause } if is_the_trunks_fault(cause) => {
                self.trunk_failed(leg);
                self.legs_by_session.remove(&session);
                self.early_media_ended(now, session, leg);
                self.seize_next(now, leg)
            }
            SessionEvent::Ended { .. } | SessionEvent::Established { .. } => {
                self.seizures.remove(&leg);
                false
            }
            // It rings there: whoever does not answer would not answer by another trunk.
            SessionEvent::Ringing { status, .. } if status.code() == 180 => {
                self.seizures.remove(&leg);
                false
            }
            SessionEvent::Ringing { .. }
            | SessionEvent::Incoming(_)
            | SessionEvent::Reoffer { .. }
            | SessionEvent::ReofferWithdrawn
            | SessionEvent::Reanswered { .. }
            | SessionEvent::ReofferRefused { .. }
            | SessionEvent::Referral { .. }
            | SessionEvent::Info { .. }
            | SessionEvent::Replied { .. } => false,
        }
    }

    /// The trunks as they are shown.
    pub(crate) fn trunk_views(&self) -> Vec<TrunkView> {
        let names = self.sip.access().trunks.keys();
        names.map(|name| self.trunk_view(name)).collect()
    }

    pub(crate) fn trunk_view(&self, name: &String) -> TrunkView {
        let standing = self.sip.standing(name).expect("a trunk of the configuration is known");
        let lives = |leg: &LegId| self.legs.contains_key(leg);
        let by_leg = self.trunk_use.by_leg.iter();
        let calls = by_leg.filter(|(leg, used)| *used == name && lives(leg)).count() as u64;
        let TrunkCounts { tried, failed, full } =
            self.trunk_use.counts.get(name).copied().unwrap_or_default();
        TrunkView {
            name: name.clone(),
            state: match standing.reach {
                Reach::Unknown => TrunkState::Unknown,
                Reach::Up => TrunkState::Up,
                Reach::Down => TrunkState::Down,
            },
            registration: match standing.registered {
                Registered::NotAsked => TrunkRegistration::NotAsked,
                Registered::Trying => TrunkRegistration::Trying,
                Registered::Yes => TrunkRegistration::Registered,
                Registered::No => TrunkRegistration::Failed,
            },
            calls,
            tried,
            failed,
            full,
        }
    }

    /// Nobody is called any more for that leg.
    pub(crate) fn stop_seizing(&mut self, leg: LegId) {
        self.seizures.remove(&leg);
        self.ways.remove(&leg);
    }
}

/// Whether another trunk may do better: this one is down, full or broken, or does not know us. A
/// number that is busy, unknown or declined there is so anywhere.
fn is_the_trunks_fault(cause: &EndCause) -> bool {
    match cause {
        EndCause::TimedOut | EndCause::TransportFailed | EndCause::Unresolved => true,
        EndCause::Rejected { status, .. } => matches!(status.code(), 401 | 407 | 408 | 500..=599),
        EndCause::LocalEnd
        | EndCause::Bye { .. }
        | EndCause::Cancelled { .. }
        | EndCause::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_trunk_is_tried_for_what_is_not_the_numbers_fault() {
        let rejected = |code| EndCause::Rejected {
            status: sip::message::StatusCode::new(code).unwrap(),
            phrase: String::new(),
        };
        let tried_elsewhere: Vec<u16> = [401, 403, 404, 407, 408, 480, 486, 500, 503, 600, 603]
            .into_iter()
            .filter(|code| is_the_trunks_fault(&rejected(*code)))
            .collect();
        assert_eq!(tried_elsewhere, [401, 407, 408, 500, 503]);
        assert!(is_the_trunks_fault(&EndCause::TimedOut));
        assert!(!is_the_trunks_fault(&EndCause::LocalEnd));
    }
}
