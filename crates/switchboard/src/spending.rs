//! What the calls out of users cost: what a stolen password may, where its user has a bound.
//!
//! A call is paid for minute by minute as each begins, at the price that its trunk names for the
//! number. So nobody ever spends more than it may: a call whose next minute is too dear ends.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use model::{Author, CommandId, LegId, Verb};
use sip::Agenda;
use sip::access::Cost;

use crate::leg::Leg;
use crate::limits::{BILLED_BY, SPENDING_COUNTED_BY, SPENDING_WINDOW};
use crate::switchboard::Switchboard;

/// What users spend on calls out.
#[derive(Debug, Default)]
pub(crate) struct Spending {
    /// What a minute of each call costs by the trunk that has it. Calls of users without a bound
    /// are not here.
    prices: BTreeMap<LegId, Cost>,
    /// When the next minute of each call that is up begins.
    minutes: Agenda<LegId>,
    /// By user.
    spent: BTreeMap<String, Spent>,
}

/// What somebody has spent in each span of [`SPENDING_COUNTED_BY`], by when that began, the
/// oldest first.
#[derive(Debug, Default)]
struct Spent(VecDeque<(Instant, Cost)>);

impl Spent {
    /// All that is not older than [`SPENDING_WINDOW`].
    fn lately(&mut self, now: Instant) -> Cost {
        let lasts = SPENDING_WINDOW + SPENDING_COUNTED_BY;
        let is_over = |began: Instant| now.saturating_duration_since(began) >= lasts;
        while self.0.front().is_some_and(|(began, _)| is_over(*began)) {
            self.0.pop_front();
        }
        self.0.iter().fold(Cost::ZERO, |sum, (_, cost)| sum.plus(*cost))
    }

    /// Spends so much more; false if that is more than may be.
    fn pay(&mut self, now: Instant, price: Cost, most: Cost) -> bool {
        let is_paid = self.lately(now).plus(price) <= most;
        if is_paid {
            match self.0.back_mut() {
                Some((began, sum)) if now - *began < SPENDING_COUNTED_BY => {
                    *sum = sum.plus(price);
                }
                Some(_) | None => self.0.push_back((now, price)),
            }
        }
        is_paid
    }
}

impl Spending {
    /// What a user has spent lately.
    pub(crate) fn of(&mut self, now: Instant, user: &str) -> Cost {
        self.spent.get_mut(user).map_or(Cost::ZERO, |spent| spent.lately(now))
    }

    /// A call that is to be paid for is up. What costs nothing never ends for that.
    pub(crate) fn answered(&mut self, now: Instant, leg: LegId) {
        if self.prices.get(&leg).is_some_and(|price| *price > Cost::ZERO) {
            self.minutes.set(leg, now);
        }
    }

    /// A call is over.
    pub(crate) fn ended(&mut self, leg: LegId) {
        self.prices.remove(&leg);
        self.minutes.clear(leg);
    }

    /// When a minute begins.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.minutes.next().map(|(at, _)| at)
    }
}

/// Whether a call can be paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    /// It can, or need not be.
    Enough,
    /// It costs more than its user has left.
    TooLittle,
    /// Nobody knows what it costs.
    Unknown,
}

impl Switchboard {
    /// What the user whose call out this is may spend in a day; none if that is not bounded.
    fn spending_max(&self, leg: LegId) -> Option<Cost> {
        self.sip.access().calls_out.get(self.calls_out.payer(leg)?)?.spend_per_day
    }

    /// Whether the first minute of a call by a trunk can be paid for; if so, what one costs is
    /// noted.
    pub(crate) fn means_for(&mut self, now: Instant, leg: LegId, price: Option<Cost>) -> Means {
        let Some(most) = self.spending_max(leg) else { return Means::Enough };
        let Some(user) = self.calls_out.payer(leg) else { return Means::Enough };
        let Some(price) = price else { return Means::Unknown };
        if self.spending.of(now, user).plus(price) > most {
            return Means::TooLittle;
        }
        self.spending.prices.insert(leg, price);
        Means::Enough
    }

    /// Pays for the minutes that begin, and ends the calls that cannot be paid for any more.
    pub(crate) fn bill(&mut self, now: Instant) {
        while let Some(leg) = self.spending.minutes.pop(now) {
            let Some(most) = self.spending_max(leg) else { continue };
            let Some(user) = self.calls_out.payer(leg).map(str::to_owned) else { continue };
            let Some(price) = self.spending.prices.get(&leg).copied() else { continue };
            let spent = self.spending.spent.entry(user.clone()).or_default();
            if spent.pay(now, price, most) {
                self.calls_out.has_paid(&user);
                self.spending.minutes.set(leg, now + BILLED_BY);
                continue;
            }
            self.tell_unpaid(leg);
            self.end_unpaid(now, leg);
        }
    }

    fn end_unpaid(&mut self, now: Instant, leg: LegId) {
        let Some(&Leg { conference, party, .. }) = self.legs.get(&leg) else { return };
        let command = CommandId(self.chance.draw());
        let remove = Verb::Remove { party };
        self.conference_command(now, conference, command, Author::System, remove)
            .expect("the server itself may remove whoever is there");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
    fn in_any_day_no_more_is_spent_than_may_be_and_little_is_kept_of_it() {
        let (start, mut spent) = (Instant::now(), Spent::default());
        let cost = |amount: f64| Cost::try_from(amount).unwrap();
        let minute = |number: u64| start + Duration::from_secs(60 * number);
        let mut paid = Vec::new();
        for number in 0..3 * 24 * 60 {
            if spent.pay(minute(number), cost(0.1), cost(100.0)) {
                paid.push(number);
            }
            assert!(spent.0.len() <= 26);
        }
        let in_a_day = |from: u64| {
            let day = from..from + 24 * 60;
            paid.iter().filter(|at| day.contains(*at)).count()
        };
        assert!((0..2 * 24 * 60).all(|from| in_a_day(from) <= 1_000));
        assert!(paid.len() > 2_500, "{}", paid.len());
        assert!(!spent.pay(minute(9_999), cost(100.1), cost(100.0)));
        assert!(spent.pay(minute(9_999), cost(100.0), cost(100.0)));
    }
}
