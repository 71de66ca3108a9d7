//! A media thread's counters, as others may read them at any time.

use std::sync::atomic::{AtomicU64, Ordering};

use model::stats::{MediaStats, TICK_US_BOUNDS};

const BUCKETS: usize = TICK_US_BOUNDS.len() + 1;
const PLAIN: usize = 18;

/// One cell for each counter. They are stored once a turn; a reader may see some of a turn's
/// counters and not yet the others.
#[derive(Debug)]
pub(crate) struct Tally {
    plain: [AtomicU64; PLAIN],
    buckets: [AtomicU64; BUCKETS],
}

impl Tally {
    pub(crate) fn new() -> Tally {
        Tally {
            plain: std::array::from_fn(|_| AtomicU64::new(0)),
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Shows the counters as they are.
    pub(crate) fn publish(&self, stats: &MediaStats) {
        for (cell, value) in self.plain.iter().zip(plain(stats)) {
            cell.store(value, Ordering::Relaxed);
        }
        for (cell, value) in self.buckets.iter().zip(stats.tick_us_buckets) {
            cell.store(value, Ordering::Relaxed);
        }
    }

    /// The counters as they were shown last.
    pub(crate) fn read(&self) -> MediaStats {
        let cells = self.plain.each_ref().map(|cell| cell.load(Ordering::Relaxed));
        let buckets = self.buckets.each_ref().map(|cell| cell.load(Ordering::Relaxed));
        stats_of(cells, buckets)
    }
}

/// The plain counters in their order. A counter that is added must be named here to compile.
fn plain(stats: &MediaStats) -> [u64; PLAIN] {
    let MediaStats {
        packets_in,
        packets_out,
        packets_lost,
        packets_late,
        packets_duplicate,
        packets_refused,
        frames_concealed,
        decodes,
        encodes,
        encodes_shared,
        ticks,
        ticks_late,
        tick_us_buckets: _,
        tick_us_sum,
        ports_open,
        tap_frames_lost,
        send_errors,
        rtcp_packets_in,
        rtcp_packets_out,
    } = *stats;
    [
        packets_in,
        packets_out,
        packets_lost,
        packets_late,
        packets_duplicate,
        packets_refused,
        frames_concealed,
        decodes,
        encodes,
        encodes_shared,
        ticks,
        ticks_late,
        tick_us_sum,
        ports_open,
        tap_frames_lost,
        send_errors,
        rtcp_packets_in,
        rtcp_packets_out,
    ]
}

fn stats_of(cells: [u64; PLAIN], tick_us_buckets: [u64; BUCKETS]) -> MediaStats {
    let [
        packets_in,
        packets_out,
        packets_lost,
        packets_late,
        packets_duplicate,
        packets_refused,
        frames_concealed,
        decodes,
        encodes,
        encodes_shared,
        ticks,
        ticks_late,
        tick_us_sum,
        ports_open,
        tap_frames_lost,
        send_errors,
        rtcp_packets_in,
        rtcp_packets_out,
    ] = cells;
    MediaStats {
        packets_in,
        packets_out,
        packets_lost,
        packets_late,
        packets_duplicate,
        packets_refused,
        frames_concealed,
        decodes,
        encodes,
        encodes_shared,
        ticks,
        ticks_late,
        tick_us_buckets,
        tick_us_sum,
        ports_open,
        tap_frames_lost,
        send_errors,
        rtcp_packets_in,
        rtcp_packets_out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_read_as_it_was_shown() {
        let cells = std::array::from_fn(|index| 1 + index as u64);
        let stats = stats_of(cells, std::array::from_fn(|index| 100 + index as u64));
        let tally = Tally::new();
        tally.publish(&stats);
        assert_eq!(tally.read(), stats);
        assert_eq!(plain(&stats), cells);
    }
}
