//! What the vault counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::limits::STALL;

/// The vault's counters, as values. All but the first count since the vault was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VaultStats {
    /// Recordings whose frames go into a file.
    pub recordings_active: u64,
    /// Recordings that a crash had left open and that were repaired at the start.
    pub recordings_recovered: u64,
    /// Conferences that a crash had left live and that were closed at the start.
    pub conferences_interrupted: u64,
    /// Audio written to recordings \[bytes\].
    pub bytes_written: u64,
    /// Frames left out of a recording because their tick was in the file already.
    pub frames_out_of_order: u64,
    /// Turns in which writing took longer than [`STALL`].
    pub write_stalls: u64,
    /// Time spent in those turns \[ms\].
    pub write_stall_ms: u64,
    /// Events that are not in the journal: its queue or the disk was full.
    pub journal_dropped: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    recordings_active: AtomicU64,
    recordings_recovered: AtomicU64,
    conferences_interrupted: AtomicU64,
    bytes_written: AtomicU64,
    frames_out_of_order: AtomicU64,
    write_stalls: AtomicU64,
    write_stall_ms: AtomicU64,
    journal_dropped: AtomicU64,
}

impl Counters {
    pub(crate) fn active(&self, recordings: usize) {
        self.recordings_active.store(recordings as u64, Ordering::Relaxed);
    }

    pub(crate) fn recovered(&self) {
        self.recordings_recovered.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn interrupted(&self) {
        self.conferences_interrupted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn wrote(&self, bytes: usize) {
        self.bytes_written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn frame_out_of_order(&self) {
        self.frames_out_of_order.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes in how long a turn's writing took.
    pub(crate) fn turn_took(&self, time: Duration) {
        if time > STALL {
            let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            self.write_stalls.fetch_add(1, Ordering::Relaxed);
            self.write_stall_ms.fetch_add(ms, Ordering::Relaxed);
        }
    }

    /// Counts events that are not in the journal. True if they are the first.
    pub(crate) fn dropped(&self, events: u64) -> bool {
        self.journal_dropped.fetch_add(events, Ordering::Relaxed) == 0
    }

    pub(crate) fn read(&self) -> VaultStats {
        VaultStats {
            recordings_active: self.recordings_active.load(Ordering::Relaxed),
            recordings_recovered: self.recordings_recovered.load(Ordering::Relaxed),
            conferences_interrupted: self.conferences_interrupted.load(Ordering::Relaxed),
            bytes_written: self.bytes_written.load(Ordering::Relaxed),
            frames_out_of_order: self.frames_out_of_order.load(Ordering::Relaxed),
            write_stalls: self.write_stalls.load(Ordering::Relaxed),
            write_stall_ms: self.write_stall_ms.load(Ordering::Relaxed),
            journal_dropped: self.journal_dropped.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_long_turn_is_a_stall() {
        let counters = Counters::default();
        counters.turn_took(STALL);
        counters.turn_took(STALL + Duration::from_millis(100));
        let stats = counters.read();
        assert_eq!((stats.write_stalls, stats.write_stall_ms), (1, 600));
    }

    #[test]
    fn only_the_first_dropped_event_is_news() {
        let counters = Counters::default();
        assert!(counters.dropped(3));
        assert!(!counters.dropped(1));
        assert_eq!(counters.read().journal_dropped, 4);
    }
}
