//! Which files are forced to the disk, and when: all of them in rounds, as far as a turn's budget
//! goes, so that a power cut never costs more than [`SYNC_EVERY`](crate::limits::SYNC_EVERY).

use std::time::Instant;

use crate::limits::{SYNC_AFTER, SYNC_BUDGET};

/// Something whose data comes to the disk by being forced there.
pub(crate) trait Unsynced {
    /// Since when data waits to be forced to the disk; none if there is nothing to force.
    fn waits_since(&self) -> Option<Instant>;

    /// Forces it. What is written from `now` on waits.
    fn sync(&mut self, now: Instant);
}

/// Where the round goes on.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    next: usize,
}

impl Rounds {
    /// Forces what is due, from where the last turn stopped, until the budget that began at `begin`
    /// is spent.
    pub(crate) fn turn<F: Unsynced>(
        &mut self,
        begin: Instant,
        files: &mut [F],
        clock: impl Fn() -> Instant,
    ) {
        for _ in 0..files.len() {
            let now = clock();
            if now.saturating_duration_since(begin) >= SYNC_BUDGET {
                return;
            }
            let position = self.next % files.len();
            self.next = position + 1;
            let file = &mut files[position];
            let waits = file.waits_since().map(|since| now.saturating_duration_since(since));
            if waits.is_some_and(|waits| waits >= SYNC_AFTER) {
                file.sync(now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    use super::*;
    use crate::limits::{SYNC_EVERY, TURN};

    /// A file on a disk that takes its time. Something is written to it at every instant.
    struct Fake {
        clock: Rc<Cell<Instant>>,
        takes: Duration,
        since: Instant,
        syncs: usize,
        /// What a power cut would have cost at the worst moment.
        worst: Duration,
    }

    impl Unsynced for Fake {
        fn waits_since(&self) -> Option<Instant> {
            Some(self.since)
        }

        fn sync(&mut self, now: Instant) {
            self.clock.set(now + self.takes);
            self.worst = self.worst.max(self.clock.get() - self.since);
            self.since = now;
            self.syncs += 1;
        }
    }

    /// Files that begin together are written for an hour; the worst that a power cut could have
    /// cost any of them, and how often each was forced to the disk at most.
    fn an_hour(count: usize, takes: Duration) -> (Duration, usize) {
        let begun = Instant::now();
        let clock = Rc::new(Cell::new(begun));
        let fake = |_| {
            let clock = Rc::clone(&clock);
            Fake { clock, takes, since: begun, syncs: 0, worst: Duration::ZERO }
        };
        let mut files: Vec<Fake> = (0..count).map(fake).collect();
        let mut rounds = Rounds::default();
        while clock.get() - begun < Duration::from_secs(3_600) {
            let begin = clock.get();
            rounds.turn(begin, &mut files, || clock.get());
            clock.set(clock.get().max(begin + TURN));
        }
        let worst = files.iter().map(|file| file.worst).max().unwrap();
        (worst, files.iter().map(|file| file.syncs).max().unwrap())
    }

    #[test]
    fn a_power_cut_costs_five_seconds_of_a_recording_at_most() {
        let ms = Duration::from_millis;
        for (files, takes) in
            [(1, ms(1)), (1_000, ms(1)), (100, ms(10)), (10, ms(100)), (1, ms(2_000))]
        {
            let (worst, syncs) = an_hour(files, takes);
            assert!(worst <= SYNC_EVERY, "{files} files, {takes:?}: {worst:?}");
            assert!(syncs <= 3_600 * 2 / 5 + 1, "{files} files, {takes:?}: {syncs}");
        }
    }
}
