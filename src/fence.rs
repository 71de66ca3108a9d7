//! A fence around what decides: a bug of ours that panics ends what it was about, and nobody
//! else's call. What was begun by then may be left half done, so there is a bound: where one bug
//! follows the other it is better to begin anew.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Panics that are borne within [`PANICS_WINDOW`]: one that comes with each message of somebody,
/// or with each turn of a timer, soon is beyond it.
const PANICS_MAX: usize = 16;

/// The time over which they are counted.
const PANICS_WINDOW: Duration = Duration::from_secs(60);

/// Counts the panics of what it surrounds.
#[derive(Debug, Default)]
pub struct Fence {
    /// When the last ones were.
    recent: VecDeque<Instant>,
    count: u64,
}

/// There were too many panics to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{PANICS_MAX} bugs within {} s: what is left cannot be trusted", PANICS_WINDOW.as_secs())]
pub struct Broken;

impl Fence {
    /// Does something; `None` if it panicked.
    ///
    /// # Errors
    /// [`Broken`] if it did, and so did too much before.
    pub fn within<R>(
        &mut self,
        now: Instant,
        work: impl FnOnce() -> R,
    ) -> Result<Option<R>, Broken> {
        // The panic itself is printed by its hook, with its place.
        if let Ok(done) = catch_unwind(AssertUnwindSafe(work)) {
            return Ok(Some(done));
        }
        self.count += 1;
        self.recent.push_back(now);
        self.recent.retain(|at| now.saturating_duration_since(*at) < PANICS_WINDOW);
        tracing::error!(count = self.count, "a bug: what it was about is lost, the rest goes on");
        if self.recent.len() < PANICS_MAX { Ok(None) } else { Err(Broken) }
    }

    /// All panics so far.
    pub fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_counted_and_what_follows_is_done() {
        let (mut fence, now) = (Fence::default(), Instant::now());
        let mut calls = vec!["alice"];
        assert_eq!(fence.within(now, || calls.push("bob")), Ok(Some(())));
        let bug: Result<Option<()>, Broken> = fence.within(now, || panic!("a bug that is meant"));
        assert_eq!(bug, Ok(None));
        assert_eq!(fence.within(now, || calls.len()), Ok(Some(2)));
        assert_eq!(fence.count(), 1);
    }

    #[test]
    fn one_bug_after_the_other_is_not_borne_and_now_and_then_one_is() {
        let (mut fence, mut now) = (Fence::default(), Instant::now());
        let fail = |fence: &mut Fence, now| fence.within(now, || panic!("a bug that is meant"));
        for _ in 0..3 * PANICS_MAX {
            now += PANICS_WINDOW / (PANICS_MAX as u32 - 1);
            let failed: Result<Option<()>, Broken> = fail(&mut fence, now);
            assert_eq!(failed, Ok(None));
        }
        let failed: Vec<_> =
            (0..PANICS_MAX).map(|_| fail(&mut fence, now).map(|_: Option<()>| ())).collect();
        assert_eq!(failed.last(), Some(&Err(Broken)));
    }
}
