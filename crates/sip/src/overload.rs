//! Whether there is time for new calls, told by how long messages wait to be looked at.
//!
//! A burst makes messages wait for a moment, and then the queue is empty again. Where they wait
//! for long, one after the other, more comes than can be done: then to take every call is to be
//! late with all of them, until callers repeat what they said and nothing is done in time. So new
//! calls are refused while it is so, which is cheap, and what belongs to calls that are up never
//! is (the idea of RFC 8289 §4, for a server's queue; RFC 6357 §4 for SIP).

use std::time::{Duration, Instant};

use crate::limits::{
    EMERGENCY_CALLS_PER_SECOND_MAX, OVERLOAD_BORNE, OVERLOAD_REMEMBERED, QUEUE_DELAY_MAX,
    QUEUE_LENGTH_MIN,
};

/// How it stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Overload {
    /// Messages are looked at as they come.
    #[default]
    None,
    /// Since then each message has waited for too long, and others behind it.
    Rising(Instant),
    /// It went on. New calls are refused.
    Shedding,
    /// The queue is short again. If it grows until then, new calls are refused at once.
    Waning(Instant),
}

impl Overload {
    /// Takes in how long a message has waited, and how many still do.
    pub(crate) fn waited(&mut self, now: Instant, delay: Duration, behind: usize) {
        let late = delay > QUEUE_DELAY_MAX && behind >= QUEUE_LENGTH_MIN;
        *self = match *self {
            Overload::None if late => Overload::Rising(now),
            Overload::Rising(since) if late && now - since >= OVERLOAD_BORNE => Overload::Shedding,
            Overload::Rising(since) if late => Overload::Rising(since),
            Overload::Shedding | Overload::Waning(_) if late => Overload::Shedding,
            Overload::Shedding => Overload::Waning(now + OVERLOAD_REMEMBERED),
            Overload::Waning(until) if now < until => Overload::Waning(until),
            Overload::None | Overload::Rising(_) | Overload::Waning(_) => Overload::None,
        };
    }

    /// Whether a new call is to be refused.
    pub(crate) fn sheds(self) -> bool {
        match self {
            Overload::Shedding => true,
            Overload::None | Overload::Rising(_) | Overload::Waning(_) => false,
        }
    }
}

/// Emergency calls that were taken although new calls are refused.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spared {
    /// Since when it is counted.
    since: Option<Instant>,
    count: u32,
}

impl Spared {
    /// Takes one more, if there have not been too many within the second.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let is_over = |since| now.saturating_duration_since(since) >= Duration::from_secs(1);
        if self.since.is_none_or(is_over) {
            *self = Spared { since: Some(now), count: 0 };
        }
        let takes = self.count < EMERGENCY_CALLS_PER_SECOND_MAX;
        self.count += u32::from(takes);
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that looks at one message after the other.
    struct Server {
        begun: Instant,
        /// When it has done what it was given [µs].
        free_us: u64,
        overload: Overload,
        taken: u64,
        shed: u64,
        /// Of the calls that were taken [µs].
        delays_us: Vec<u64>,
        ends_us: std::collections::VecDeque<u64>,
    }

    /// What a call costs when it comes and when it goes, and what refusing it does [µs].
    const COMES_US: u64 = 200;
    const GOES_US: u64 = 100;
    const REFUSED_US: u64 = 25;
    const STAYS_US: u64 = 200_000;

    impl Server {
        #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
        fn new() -> Server {
            Server {
                begun: Instant::now(),
                free_us: 0,
                overload: Overload::default(),
                taken: 0,
                shed: 0,
                delays_us: vec![],
                ends_us: std::collections::VecDeque::new(),
            }
        }

        /// Looks at what came then; so many came in each second after it.
        fn looks(&mut self, comes_us: u64, is_new: bool, follow_per_s: u64) {
            let at_us = self.free_us.max(comes_us);
            let delay_us = at_us - comes_us;
            let now = self.begun + Duration::from_micros(at_us);
            let behind = (delay_us * follow_per_s / 1_000_000) as usize;
            self.overload.waited(now, Duration::from_micros(delay_us), behind);
            self.free_us = at_us
                + match is_new {
                    false => GOES_US,
                    true if self.overload.sheds() => {
                        self.shed += 1;
                        REFUSED_US
                    }
                    true => {
                        self.taken += 1;
                        self.delays_us.push(delay_us);
                        self.ends_us.push_back(at_us + STAYS_US);
                        COMES_US
                    }
                };
        }

        /// So many calls a second come, for so long.
        fn run(&mut self, calls_per_s: u64, seconds: u64) {
            for number in 0..calls_per_s * seconds {
                let comes_us = number * 1_000_000 / calls_per_s;
                while self.ends_us.front().is_some_and(|end| *end <= comes_us) {
                    let ends_us = self.ends_us.pop_front().unwrap();
                    self.looks(ends_us, false, calls_per_s);
                }
                self.looks(comes_us, true, calls_per_s);
            }
        }
    }

    #[test]
    fn at_twice_of_what_can_be_done_nearly_all_that_can_be_is_and_in_time() {
        let capacity = 1_000_000 / (COMES_US + GOES_US);
        for times in [2, 4, 8] {
            let mut server = Server::new();
            server.run(times * capacity, 20);
            let goodput = server.taken as f64 / (20 * capacity) as f64;
            // What is left when the others have been refused.
            let refusing = (times as f64 - goodput) * (REFUSED_US * capacity) as f64 / 1e6;
            assert!(goodput + refusing > 0.97, "{times} times: {goodput} and {refusing}");
            let mut delays_us = server.delays_us.split_off(server.delays_us.len() / 10);
            delays_us.sort_unstable();
            let p99_us = delays_us[delays_us.len() * 99 / 100];
            assert!(p99_us < 8_000, "{times} times: {p99_us} µs");
        }
    }

    #[test]
    fn below_what_can_be_done_nobody_is_refused_however_it_comes() {
        let capacity = 1_000_000 / (COMES_US + GOES_US);
        let mut server = Server::new();
        server.run(capacity * 95 / 100, 20);
        assert_eq!(server.shed, 0);
        // Three hundred at once, ten times a second.
        let mut server = Server::new();
        for burst in 0..200 {
            (0..300).for_each(|_| server.looks(burst * 100_000, true, 1_000_000));
        }
        assert_eq!((server.taken, server.shed), (60_000, 0), "a burst is no overload");
    }

    #[test]
    fn where_hardly_anything_comes_it_is_the_machine_that_is_late_and_nobody_is_refused() {
        let mut server = Server::new();
        for number in 0..1_000 {
            server.free_us = number * 100_000 + 30_000;
            server.looks(number * 100_000, true, 10);
        }
        assert_eq!(server.shed, 0);
    }

    #[test]
    fn a_machine_that_stands_still_for_a_moment_refuses_nobody_afterwards() {
        let mut server = Server::new();
        server.free_us = 80_000;
        server.run(1_000, 2);
        assert_eq!(server.shed, 0);
    }
}
