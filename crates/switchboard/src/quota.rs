//! How many calls out by trunks each user has begun lately: what a stolen password may cost.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Instant;

use model::{Author, ConferenceId, Refusal};
use sip::access::{Destination, Origin, Suspicion};

use crate::limits::CALLS_OUT_WINDOW;
use crate::switchboard::{Output, Switchboard};
use crate::way::Way;

/// By which name it is counted that a user has begun too many.
pub(crate) const LIMIT: &str = "calls_out";

/// The calls of those who may begin so many only.
#[derive(Debug, Default)]
pub(crate) struct CallsOut {
    by_user: BTreeMap<String, Begun>,
}

#[derive(Debug, Default)]
struct Begun {
    /// When each was, the oldest first; no more than there may be.
    calls: VecDeque<Instant>,
    /// Whether it has been told that there may be no more, since there could be.
    told: bool,
}

impl CallsOut {
    /// Takes one of so many that there may be in [`CALLS_OUT_WINDOW`].
    ///
    /// # Errors
    /// There are as many; true when that is so for the first time since there were fewer.
    fn take(&mut self, now: Instant, user: &str, most: u32) -> Result<(), bool> {
        let begun = self.by_user.entry(user.to_owned()).or_default();
        let is_over = |began: &Instant| now.saturating_duration_since(*began) >= CALLS_OUT_WINDOW;
        while begun.calls.front().is_some_and(is_over) {
            begun.calls.pop_front();
        }
        if begun.calls.len() >= most as usize {
            return Err(!std::mem::replace(&mut begun.told, true));
        }
        begun.told = false;
        begun.calls.push_back(now);
        Ok(())
    }
}

impl Switchboard {
    /// Counts a call out that somebody begins, whatever becomes of it.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`]: it has begun as many as it may.
    pub(crate) fn begin_call_out(
        &mut self,
        now: Instant,
        (origin, source): (&Origin, Option<IpAddr>),
        destination: &Destination,
    ) -> Result<(), Refusal> {
        let (Destination::Number { .. }, Some(user)) = (destination, origin.user()) else {
            return Ok(());
        };
        let Some(most) = self.sip.access().calls_out.get(user).copied() else { return Ok(()) };
        let Err(first) = self.calls_out.take(now, user, most) else { return Ok(()) };
        *self.limits.entry(LIMIT).or_default() += 1;
        if let Some(source) = source.filter(|_| first) {
            let reason = "too many calls out";
            self.outputs.push_back(Output::Security(Suspicion { source, reason }));
        }
        Err(Refusal::NotAllowed)
    }

    /// The same where a party has somebody called by its desk.
    ///
    /// # Errors
    /// As for [`Self::begin_call_out`].
    pub(crate) fn begin_call_by_desk(
        &mut self,
        now: Instant,
        (conference, by): (ConferenceId, Author),
        way: Option<&Way>,
    ) -> Result<(), Refusal> {
        let Some(Way::Routed(destination)) = way else { return Ok(()) };
        let Author::Party(party) = by else { return Ok(()) };
        let party = self.conferences.get(&conference).and_then(|found| found.party(party));
        let Some(leg) = party.and_then(|party| self.legs.get(&party.leg)) else { return Ok(()) };
        let source = leg.signalling;
        let Some(origin) = leg.session.and_then(|session| self.sip.origin(session)) else {
            return Ok(());
        };
        self.begin_call_out(now, (&origin, source), destination)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
    fn so_many_calls_begin_in_any_hour_and_each_user_has_its_own() {
        let (mut calls, start) = (CallsOut::default(), Instant::now());
        let minutes = |count: u64| start + Duration::from_secs(60 * count);
        assert_eq!(calls.take(minutes(0), "ada", 2), Ok(()));
        assert_eq!(calls.take(minutes(30), "ada", 2), Ok(()));
        assert_eq!(calls.take(minutes(59), "ada", 2), Err(true), "told once");
        assert_eq!(calls.take(minutes(59), "ada", 2), Err(false));
        assert_eq!(calls.take(minutes(59), "ben", 2), Ok(()));
        assert_eq!(calls.take(minutes(60), "ada", 2), Ok(()));
        assert_eq!(calls.take(minutes(89), "ada", 2), Err(true));
        assert_eq!(calls.take(minutes(90), "ada", 2), Ok(()));
        assert_eq!(calls.take(minutes(90), "cleo", 0), Err(true), "none at all");
        assert!(calls.by_user["ada"].calls.len() <= 2);
    }
}
