//! A media thread's counters, as others may read them at any time.

use std::sync::atomic::{AtomicU64, Ordering};

use model::stats::{MediaStats, TICK_US_BOUNDS};

const BUCKETS: usize = TICK_US_BOUNDS.len() + 1;

/// Makes [`Tally`] of the plain counters' names. A counter that is added must be named to compile.
macro_rules! tally {
    ($($counter:ident)*) => {
        /// One cell for each counter. They are stored once a turn; a reader may see some of a
        /// turn's counters and not yet the others.
        #[derive(Debug, Default)]
        pub(crate) struct Tally {
            $($counter: AtomicU64,)*
            tick_us_buckets: [AtomicU64; BUCKETS],
        }

        impl Tally {
            /// Shows the counters as they are.
            pub(crate) fn publish(&self, stats: &MediaStats) {
                let MediaStats { $($counter,)* tick_us_buckets } = *stats;
                $(self.$counter.store($counter, Ordering::Relaxed);)*
                for (cell, value) in self.tick_us_buckets.iter().zip(tick_us_buckets) {
                    cell.store(value, Ordering::Relaxed);
                }
            }

            /// The counters as they were shown last.
            pub(crate) fn read(&self) -> MediaStats {
                let read = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
                MediaStats {
                    $($counter: read(&self.$counter),)*
                    tick_us_buckets: self.tick_us_buckets.each_ref().map(read),
                }
            }
        }

        #[cfg(test)]
        impl Tally {
            /// Counters of which no two are alike.
            fn distinct() -> MediaStats {
                let mut numbers = 1..;
                let mut next = || numbers.next().unwrap_or_default();
                MediaStats {
                    $($counter: next(),)*
                    tick_us_buckets: std::array::from_fn(|_| next()),
                }
            }
        }
    };
}

tally! {
    packets_in packets_out packets_lost packets_late packets_duplicate packets_refused
    packets_unauthentic frames_concealed decodes encodes encodes_shared ticks ticks_late
    tick_us_sum ports_open tap_frames_lost send_errors keys_dropped rtcp_packets_in rtcp_packets_out
    panics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_read_as_it_was_shown() {
        let tally = Tally::default();
        tally.publish(&Tally::distinct());
        assert_eq!(tally.read(), Tally::distinct());
    }
}
