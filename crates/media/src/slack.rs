//! How long before it is needed a packet is there, where packets and ticks meet.
//!
//! A packet is whole when it comes, and a tick takes what it needs of it at once. So a delay is as
//! long as it need be where packets begin when ticks do: were it longer by a part of a packet, each
//! tick would still wait for the same one. Delays are kept to such steps; of what is between, the
//! listener has nothing.

/// What packets and ticks have in common \[samples\]: 20 ms for packets of 20, 40 and 60 ms, 10 for
/// those of 10 and 30.
pub(crate) fn step(tick: i64, packet: i64) -> i64 {
    let (mut a, mut b) = (tick, packet);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

/// The delay that is kept, as it differs from the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slack {
    step: i64,
    /// By how much earlier than needed packets are there \[samples\]; below zero they are late.
    spare: i64,
    /// By how much ticks begin after packets do, before the step of both \[samples\].
    odd: i64,
}

impl Slack {
    /// What is played next lags behind what is due by `lag`, and `ahead` samples are played until
    /// the next packet begins.
    pub(crate) fn new(step: i64, lag: i64, ahead: i64) -> Slack {
        let odd = ahead.rem_euclid(step);
        // What is due waits for a whole tick after the packet came, wherever in a tick it came.
        Slack { step, spare: lag + step - odd, odd }
    }

    /// Whether packets are there in time, but for less than `late`, and no more than `early` sooner
    /// than a step that could be left out \[samples\].
    pub(crate) fn is_within(self, late: i64, early: i64) -> bool {
        (-late..self.step + early).contains(&self.spare)
    }

    /// What can be left out \[samples\]; whole steps only if packets are there earlier by so much
    /// more.
    pub(crate) fn excess(self, bound: i64) -> i64 {
        let early = self.spare >= self.step + bound;
        let whole = if early { self.spare / self.step * self.step } else { 0 };
        whole + self.odd
    }

    /// What must be put in so that packets are there in time \[samples\]; nothing if they are late
    /// by so much at most.
    pub(crate) fn shortage(self, bound: i64) -> i64 {
        if self.spare >= -bound {
            return 0;
        }
        -self.spare.div_euclid(self.step) * self.step - self.odd
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn packets_and_ticks_meet_at_what_divides_both() {
        let steps = [80, 160, 240, 320, 480, 161].map(|packet| step(160, packet));
        assert_eq!(steps, [80, 160, 80, 160, 160, 1]);
    }

    #[test]
    fn a_part_of_a_packet_more_of_delay_gives_no_more_time() {
        // A packet that is needed when it comes, and not a sample later.
        assert_eq!(Slack::new(160, -160, 0), Slack { step: 160, spare: 0, odd: 0 });
        for odd in 0..160 {
            assert_eq!(Slack::new(160, -160 + odd, odd), Slack { step: 160, spare: 0, odd });
        }
        assert_eq!(Slack::new(160, 0, 160), Slack { step: 160, spare: 160, odd: 0 });
    }

    proptest! {
        #[test]
        fn after_what_is_left_out_or_put_in_ticks_begin_with_packets_that_are_there(
            (tick, packet) in (1_i64..400, 1_i64..1_000),
            (lag, ahead) in (-2_000_i64..2_000, 0_i64..2_000),
        ) {
            let step = step(tick, packet);
            let slack = Slack::new(step, lag, ahead);
            let (excess, shortage) = (slack.excess(0), slack.shortage(0));
            prop_assert!(excess >= 0 && shortage >= 0 && (excess == slack.odd || shortage == 0));
            let shift = if shortage > 0 { shortage } else { -excess };
            let after = Slack::new(step, lag + shift, ahead + shift);
            prop_assert_eq!(after.odd, 0);
            prop_assert!((0..step).contains(&after.spare), "{:?}, {:?}", slack, after);
        }
    }
}
