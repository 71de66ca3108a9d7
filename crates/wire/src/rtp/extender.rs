//! 16 and 32 bit counters made 64 bits wide (after RFC 3550 appendix A.1).

use crate::limits::{SEQUENCE_DROPOUT_MAX, SEQUENCE_MISORDER_MAX};

/// Both counters start one cycle up, so that packets older than the first one have a place.
const FIRST_SEQUENCE_CYCLE: u64 = 1 << 16;
const FIRST_TIMESTAMP_CYCLE: u64 = 1 << 32;

/// A packet's place in its stream. The low bits are those of the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extended {
    /// Counts packets and never wraps.
    pub sequence: u64,
    /// Sampling instant, never wraps \[ticks of the payload's clock\].
    pub timestamp: u64,
}

/// What a packet's sequence number says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It belongs to the stream: in order, late, early or a duplicate, as its sequence tells.
    Stream(Extended),
    /// The sender started again elsewhere, and this is the second packet of its restarted stream.
    /// Both counters go on upwards, one cycle above the old ones; the distance means nothing.
    Restart(Extended),
    /// Far from its stream: to be dropped. It becomes a restart if its successor comes next.
    Suspect,
}

/// Extends the counters of one SSRC. A different SSRC needs a fresh one.
#[derive(Debug, Clone, Default)]
pub struct Extender {
    highest: Option<Extended>,
    /// The sequence number that would prove a restart.
    awaited: Option<u16>,
}

impl Extender {
    /// An extender that has seen no packet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Places a packet. The first one is always in the stream.
    pub fn place(&mut self, sequence: u16, timestamp: u32) -> Placed {
        let Some(highest) = self.highest else {
            let first = Extended {
                sequence: FIRST_SEQUENCE_CYCLE | u64::from(sequence),
                timestamp: FIRST_TIMESTAMP_CYCLE | u64::from(timestamp),
            };
            self.highest = Some(first);
            return Placed::Stream(first);
        };
        let ahead = sequence.wrapping_sub(low_16(highest.sequence));
        let behind = ahead.wrapping_neg();
        if ahead < SEQUENCE_DROPOUT_MAX {
            let extended = Extended {
                sequence: highest.sequence + u64::from(ahead),
                timestamp: extend_timestamp(highest.timestamp, timestamp),
            };
            self.highest = Some(extended);
            self.awaited = None;
            Placed::Stream(extended)
        } else if behind <= SEQUENCE_MISORDER_MAX
            && let Some(sequence) = highest.sequence.checked_sub(u64::from(behind))
        {
            self.awaited = None;
            let timestamp = extend_timestamp(highest.timestamp, timestamp);
            Placed::Stream(Extended { sequence, timestamp })
        } else if self.awaited == Some(sequence) {
            let extended = Extended {
                sequence: next_cycle(highest.sequence, 16) | u64::from(sequence),
                timestamp: next_cycle(highest.timestamp, 32) | u64::from(timestamp),
            };
            self.highest = Some(extended);
            self.awaited = None;
            Placed::Restart(extended)
        } else {
            self.awaited = Some(sequence.wrapping_add(1));
            Placed::Suspect
        }
    }
}

/// The extended timestamp nearest to the reference. A sender that steps back for ever would reach
/// zero; there the next one up with the same low bits is taken.
fn extend_timestamp(reference: u64, timestamp: u32) -> u64 {
    let ahead = timestamp.wrapping_sub(low_32(reference));
    reference
        .checked_add_signed(i64::from(ahead.cast_signed()))
        .unwrap_or(reference + u64::from(ahead))
}

fn next_cycle(value: u64, bits: u32) -> u64 {
    ((value >> bits) + 1) << bits
}

const fn low_16(value: u64) -> u16 {
    value as u16
}

const fn low_32(value: u64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn started(sequence: u16, timestamp: u32) -> Extender {
        let mut extender = Extender::new();
        extender.place(sequence, timestamp);
        extender
    }

    fn stream(sequence: u64, timestamp: u64) -> Placed {
        Placed::Stream(Extended { sequence, timestamp })
    }

    #[test]
    fn both_counters_wrap_into_the_next_cycle() {
        let mut extender = started(0xffff, 0xffff_ff60);
        assert_eq!(extender.place(0, 0), stream(2 << 16, 2 << 32));
        assert_eq!(extender.place(1, 160), stream((2 << 16) + 1, (2 << 32) + 160));
    }

    #[test]
    fn a_packet_from_before_the_wrap_keeps_its_place() {
        let mut extender = started(0xffff, 0xffff_ff60);
        extender.place(1, 160);
        assert_eq!(extender.place(0, 0), stream(2 << 16, 2 << 32));
        assert_eq!(extender.place(0xffff, 0xffff_ff60), stream(0x1_ffff, 0x1_ffff_ff60));
    }

    #[test]
    fn a_packet_older_than_the_first_has_a_place() {
        let mut extender = started(0, 0);
        assert_eq!(extender.place(0xffff, 0xffff_ff60), stream(0xffff, 0xffff_ff60));
    }

    #[test]
    fn a_gap_below_the_bound_is_loss() {
        let mut extender = started(10, 0);
        let last = SEQUENCE_DROPOUT_MAX - 1;
        assert_eq!(extender.place(10 + last, 9), stream((1 << 16) + 10 + 2_999, (1 << 32) + 9));
    }

    #[test]
    fn a_far_jump_is_a_restart_only_when_its_successor_follows() {
        let mut extender = started(10, 1_000);
        assert_eq!(extender.place(30_000, 7), Placed::Suspect);
        let expected = Extended { sequence: (2 << 16) + 30_001, timestamp: (2 << 32) + 167 };
        assert_eq!(extender.place(30_001, 167), Placed::Restart(expected));
        assert_eq!(extender.place(30_002, 327), stream((2 << 16) + 30_002, (2 << 32) + 327));
    }

    #[test]
    fn strangers_between_packets_of_the_stream_never_restart_it() {
        let mut extender = started(10, 0);
        for step in 1..100 {
            let far = 30_000 + step;
            assert_eq!(extender.place(far, 0), Placed::Suspect, "packet {far}");
            assert!(matches!(extender.place(10 + step, 0), Placed::Stream(_)));
        }
    }

    #[test]
    fn a_sequence_far_behind_is_a_jump_and_not_reordering() {
        let mut extender = started(1_000, 0);
        assert_eq!(
            extender.place(1_000 - SEQUENCE_MISORDER_MAX, 0),
            stream((1 << 16) + 900, 1 << 32)
        );
        assert_eq!(extender.place(1_000 - SEQUENCE_MISORDER_MAX - 1, 0), Placed::Suspect);
    }

    #[test]
    fn timestamps_that_only_step_back_do_not_underflow() {
        let mut extender = started(0, 0);
        let mut timestamp = 0_u32;
        for sequence in 1..100_u16 {
            timestamp = timestamp.wrapping_sub(0x7fff_ffff);
            let Placed::Stream(extended) = extender.place(sequence, timestamp) else {
                panic!("packet {sequence} left the stream");
            };
            assert_eq!(low_32(extended.timestamp), timestamp);
        }
    }

    proptest! {
        #[test]
        fn the_low_bits_are_always_those_of_the_packet(
            packets in prop::collection::vec(any::<(u16, u32)>(), 1..200)
        ) {
            let mut extender = Extender::new();
            for (sequence, timestamp) in packets {
                match extender.place(sequence, timestamp) {
                    Placed::Stream(extended) | Placed::Restart(extended) => {
                        prop_assert_eq!(low_16(extended.sequence), sequence);
                        prop_assert_eq!(low_32(extended.timestamp), timestamp);
                    }
                    Placed::Suspect => {}
                }
            }
        }
    }
}
