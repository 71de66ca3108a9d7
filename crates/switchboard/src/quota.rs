//! How many calls out by trunks each user has and has begun lately, and to where: what a stolen
//! password may cost.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Instant;

use model::{Author, ConferenceId, LegId, Refusal};
use sip::access::{self, Cost, Destination, Origin, Suspicion};

use crate::country::country;
use crate::limits::CALLS_OUT_WINDOW;
use crate::switchboard::{Output, Switchboard};
use crate::way::Way;

/// Which bound a user's calls out have reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bound {
    PerHour,
    AtOnce,
    Spending,
}

impl Bound {
    pub(crate) const ALL: [Bound; 3] = [Bound::PerHour, Bound::AtOnce, Bound::Spending];

    /// By which name it is counted that it was reached.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Bound::PerHour => "calls_out",
            Bound::AtOnce => "calls_out_at_once",
            Bound::Spending => "calls_out_spending",
        }
    }

    /// What the log says of it.
    fn reason(self) -> &'static str {
        match self {
            Bound::PerHour => "too many calls out",
            Bound::AtOnce => "too many calls out at once",
            Bound::Spending => "too much spent on calls out",
        }
    }
}

/// A user's call out is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Over {
    bound: Bound,
    /// Whether that is so for the first time since there could be one more.
    first: bool,
}

/// What a user has of calls out.
#[derive(Debug, Clone, Copy)]
struct Has {
    /// How many are there.
    at_once: usize,
    /// What they have cost in a day.
    spent: Cost,
}

/// Whose call out it is, if it is a user's. It is said of the leg when there is one.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Payer(Option<Caller>);

#[derive(Debug)]
struct Caller {
    user: String,
    /// The host that its call comes from, where one does.
    source: Option<IpAddr>,
}

/// The calls out of users.
#[derive(Debug, Default)]
pub(crate) struct CallsOut {
    by_user: BTreeMap<String, Begun>,
    /// Whose each leg is. Legs that are gone are taken out when it is counted.
    by_leg: BTreeMap<LegId, Caller>,
    /// How often a user has called a country for the first time.
    pub(crate) new_countries: u64,
    /// How many calls to emergency numbers there were.
    pub(crate) emergencies: u64,
}

#[derive(Debug, Default)]
struct Begun {
    /// When each was, the oldest first; no more than there may be.
    calls: VecDeque<Instant>,
    /// Of which bounds it has been told that there may be no more, since there could be.
    told: BTreeSet<Bound>,
    /// The countries that were called. There are some 250.
    countries: BTreeSet<String>,
}

impl CallsOut {
    /// Whose call out a leg is.
    pub(crate) fn payer(&self, leg: LegId) -> Option<&str> {
        self.by_leg.get(&leg).map(|caller| caller.user.as_str())
    }

    /// Takes one of so many that there may be in [`CALLS_OUT_WINDOW`], for somebody who has these.
    fn take(
        &mut self,
        (now, has): (Instant, Has),
        user: &str,
        most: access::CallsOut,
    ) -> Result<(), Over> {
        let begun = self.by_user.entry(user.to_owned()).or_default();
        let is_over = |began: &Instant| now.saturating_duration_since(*began) >= CALLS_OUT_WINDOW;
        while begun.calls.front().is_some_and(is_over) {
            begun.calls.pop_front();
        }
        let reached = |most: Option<u32>, count| most.is_some_and(|most| count >= most as usize);
        let bounds = [
            (Bound::AtOnce, reached(most.at_once, has.at_once)),
            (Bound::PerHour, reached(most.per_hour, begun.calls.len())),
            (Bound::Spending, most.spend_per_day.is_some_and(|most| has.spent >= most)),
        ];
        for (bound, is_reached) in bounds {
            if is_reached {
                return Err(Over { bound, first: begun.told.insert(bound) });
            }
            match bound {
                Bound::AtOnce | Bound::PerHour => begun.told.remove(&bound),
                // What is left may be too little. It is known once something is paid for.
                Bound::Spending => false,
            };
        }
        if most.per_hour.is_some() {
            begun.calls.push_back(now);
        }
        Ok(())
    }

    /// A user has paid for something: that it cannot is told of anew.
    pub(crate) fn has_paid(&mut self, user: &str) {
        if let Some(begun) = self.by_user.get_mut(user) {
            begun.told.remove(&Bound::Spending);
        }
    }

    /// Whether a user calls that country for the first time.
    fn is_new(&mut self, user: &str, country: &str) -> bool {
        let begun = self.by_user.entry(user.to_owned()).or_default();
        let is_new = begun.countries.insert(country.to_owned());
        self.new_countries += u64::from(is_new);
        is_new
    }
}

impl Switchboard {
    /// Counts a call out that somebody begins, whatever becomes of it.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`]: it has begun as many as it may, or has as many.
    pub(crate) fn begin_call_out(
        &mut self,
        now: Instant,
        (origin, source): (&Origin, Option<IpAddr>),
        destination: &Destination,
    ) -> Result<Payer, Refusal> {
        let Destination::Number { number, .. } = destination else { return Ok(Payer::default()) };
        if self.sip.access().emergency.contains(number) {
            self.calls_out.emergencies += 1;
            let (user, number) = (origin.user().map(str::to_owned), number.clone());
            self.outputs.push_back(Output::Emergency { user, number, source });
            return Ok(Payer::default());
        }
        let Some(user) = origin.user() else { return Ok(Payer::default()) };
        let most = self.sip.access().calls_out.get(user).copied().unwrap_or_default();
        let legs = &self.legs;
        self.calls_out.by_leg.retain(|leg, _| legs.contains_key(leg));
        let at_once = self.calls_out.by_leg.values().filter(|caller| caller.user == user).count();
        let has = Has { at_once, spent: self.spending.of(now, user) };
        if let Err(over) = self.calls_out.take((now, has), user, most) {
            self.tell_over(over, source);
            return Err(Refusal::NotAllowed);
        }
        let country = country(number).filter(|country| self.calls_out.is_new(user, country));
        if let Some(country) = country {
            let (user, country) = (user.to_owned(), country.to_owned());
            self.outputs.push_back(Output::NewCountry { user, country, source });
        }
        Ok(Payer(Some(Caller { user: user.to_owned(), source })))
    }

    fn tell_over(&mut self, Over { bound, first }: Over, source: Option<IpAddr>) {
        *self.limits.entry(bound.name()).or_default() += 1;
        if let Some(source) = source.filter(|_| first) {
            let reason = bound.reason();
            self.outputs.push_back(Output::Security(Suspicion { source, reason }));
        }
    }

    /// A call out cannot be paid for, or not any longer.
    pub(crate) fn tell_unpaid(&mut self, leg: LegId) {
        let Some(Caller { user, source }) = self.calls_out.by_leg.get(&leg) else { return };
        let begun = self.calls_out.by_user.entry(user.clone()).or_default();
        let first = begun.told.insert(Bound::Spending);
        self.tell_over(Over { bound: Bound::Spending, first }, *source);
    }

    /// It is the call out of who began it as long as the leg is there, whoever stays with it.
    pub(crate) fn is_paid_by(&mut self, leg: LegId, Payer(caller): Payer) {
        if let Some(caller) = caller {
            self.calls_out.by_leg.insert(leg, caller);
        }
    }

    /// The same as [`Self::begin_call_out`] where a party has somebody called by its desk.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn begin_call_by_desk(
        &mut self,
        now: Instant,
        (conference, by): (ConferenceId, Author),
        way: Option<&Way>,
    ) -> Result<Payer, Refusal> {
        let Some(Way::Routed(destination)) = way else { return Ok(Payer::default()) };
        let Author::Party(party) = by else { return Ok(Payer::default()) };
        let party = self.conferences.get(&conference).and_then(|found| found.party(party));
        let Some(leg) = party.and_then(|party| self.legs.get(&party.leg)) else {
            return Ok(Payer::default());
        };
        let source = leg.signalling;
        let Some(origin) = leg.session.and_then(|session| self.sip.origin(session)) else {
            return Ok(Payer::default());
        };
        self.begin_call_out(now, (&origin, source), destination)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const fn per_hour(most: u32) -> access::CallsOut {
        access::CallsOut { per_hour: Some(most), at_once: None, spend_per_day: None }
    }

    const fn has(at_once: usize) -> Has {
        Has { at_once, spent: Cost::ZERO }
    }

    const fn over(bound: Bound, first: bool) -> Result<(), Over> {
        Err(Over { bound, first })
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
    fn so_many_calls_begin_in_any_hour_and_each_user_has_its_own() {
        let (mut calls, start) = (CallsOut::default(), Instant::now());
        let minutes = |count: u64| (start + Duration::from_secs(60 * count), has(9));
        assert_eq!(calls.take(minutes(0), "ada", per_hour(2)), Ok(()));
        assert_eq!(calls.take(minutes(30), "ada", per_hour(2)), Ok(()));
        let told = calls.take(minutes(59), "ada", per_hour(2));
        assert_eq!(told, over(Bound::PerHour, true), "told once");
        assert_eq!(calls.take(minutes(59), "ada", per_hour(2)), over(Bound::PerHour, false));
        assert_eq!(calls.take(minutes(59), "ben", per_hour(2)), Ok(()));
        assert_eq!(calls.take(minutes(60), "ada", per_hour(2)), Ok(()));
        assert_eq!(calls.take(minutes(89), "ada", per_hour(2)), over(Bound::PerHour, true));
        assert_eq!(calls.take(minutes(90), "ada", per_hour(2)), Ok(()));
        let none = calls.take(minutes(90), "cleo", per_hour(0));
        assert_eq!(none, over(Bound::PerHour, true), "none at all");
        assert!(calls.by_user["ada"].calls.len() <= 2);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
    fn who_has_as_many_calls_out_as_it_may_begins_none_and_that_costs_none_of_the_hour() {
        let (mut calls, now) = (CallsOut::default(), Instant::now());
        let most = access::CallsOut { at_once: Some(1), ..per_hour(2) };
        assert_eq!(calls.take((now, has(0)), "ada", most), Ok(()));
        assert_eq!(calls.take((now, has(1)), "ada", most), over(Bound::AtOnce, true));
        assert_eq!(calls.take((now, has(1)), "ada", most), over(Bound::AtOnce, false));
        assert_eq!(calls.take((now, has(0)), "ada", most), Ok(()));
        assert_eq!(calls.take((now, has(0)), "ada", most), over(Bound::PerHour, true));
    }
}
