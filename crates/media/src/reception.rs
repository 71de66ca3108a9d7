//! What is known of the packets that a leg sends: the figures of RTCP (RFC 3550 appendix A).

use wire::limits::{SEQUENCE_DROPOUT_MAX, SEQUENCE_MISORDER_MAX};
use wire::rtcp::ReportBlock;
use wire::rtp::Rtp;

use crate::bursts::{Bursts, Figures};

/// Packets by their sequence numbers, and those that came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) expected: u64,
    pub(crate) received: u64,
}

impl Count {
    /// What came on top of an earlier count.
    pub(crate) fn since(self, earlier: Count) -> Count {
        Count {
            expected: self.expected.saturating_sub(earlier.expected),
            received: self.received.saturating_sub(earlier.received),
        }
    }

    /// Packets that did not come. Doubles may stand for some that did not.
    pub(crate) fn lost(self) -> u64 {
        self.expected.saturating_sub(self.received)
    }
}

/// One stream of packets (RFC 3550 appendices A.1, A.3 and A.8).
#[derive(Debug, Clone)]
struct Stream {
    ssrc: u32,
    /// The highest sequence number, with the count of cycles in the upper half.
    highest: u32,
    base: u32,
    received: u64,
    /// The sequence number that would show that the sender began again.
    restart: Option<u16>,
    /// Arrival less timestamp of the packet before \[ticks of the RTP clock\].
    transit: Option<u32>,
    /// Sixteen times the interarrival jitter \[ticks of the RTP clock\].
    jitter_scaled: u32,
    reported: Count,
    bursts: Bursts,
    /// The packet of sound before: its number, and its timestamp.
    spoken: Option<(u16, u32)>,
    /// From one packet of sound to the next \[ticks of the RTP clock\].
    step: u32,
}

impl Stream {
    fn new(ssrc: u32, sequence: u16) -> Stream {
        let mut bursts = Bursts::default();
        bursts.advance(1);
        Stream {
            ssrc,
            highest: sequence.into(),
            base: sequence.into(),
            received: 0,
            restart: None,
            transit: None,
            jitter_scaled: 0,
            reported: Count::default(),
            bursts,
            spoken: None,
            step: 0,
        }
    }

    fn count(&self) -> Count {
        let expected = u64::from(self.highest.wrapping_sub(self.base)) + 1;
        Count { expected, received: self.received }
    }

    /// Appendix A.1: false if the packet is far from the others; the second such in a row means
    /// that the sender began again, and that is told by `None`.
    fn place(&mut self, sequence: u16) -> Option<bool> {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead < SEQUENCE_DROPOUT_MAX {
            self.highest = self.highest.wrapping_add(ahead.into());
            self.bursts.advance(ahead);
        } else if ahead <= u16::MAX - SEQUENCE_MISORDER_MAX {
            if self.restart == Some(sequence) {
                return None;
            }
            self.restart = Some(sequence.wrapping_add(1));
            return Some(false);
        } else {
            self.bursts.correct(ahead.wrapping_neg(), true);
        }
        self.restart = None;
        self.received += 1;
        Some(true)
    }

    /// How long its packets are.
    fn pace(&mut self, sequence: u16, timestamp: u32, clock_hz: u32) {
        let before = self.spoken.replace((sequence, timestamp));
        let next = |(number, _): &(u16, u32)| number.wrapping_add(1) == sequence;
        if let Some((_, at)) = before.filter(next) {
            let step = timestamp.wrapping_sub(at);
            self.step = if step < clock_hz { step } else { self.step };
        }
    }

    /// Appendix A.8.
    fn time(&mut self, timestamp: u32, arrival: u32, clock_hz: u32) {
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let difference = transit.wrapping_sub(before).cast_signed().unsigned_abs();
            // A timestamp that jumps by more than a second is no jitter.
            if difference < clock_hz {
                let settled = (self.jitter_scaled + 8) >> 4;
                self.jitter_scaled = self.jitter_scaled + difference - settled;
            }
        }
    }
}

/// All streams that a leg sent, one after the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reception {
    stream: Option<Stream>,
    /// Of the streams before this one.
    before: Count,
}

impl Reception {
    /// Takes in a packet. Only sound has a timestamp that tells when it was spoken.
    pub(crate) fn take(&mut self, rtp: &Rtp<'_>, is_sound: bool, arrival_us: u64, clock_hz: u32) {
        if self.stream.as_ref().is_none_or(|stream| stream.ssrc != rtp.ssrc) {
            self.begin(rtp);
        }
        let placed = self.stream.as_mut().and_then(|stream| stream.place(rtp.sequence));
        if placed.is_none() {
            self.begin(rtp);
        }
        let Some(stream) = &mut self.stream else { return };
        match placed {
            Some(true) => {}
            Some(false) => return,
            None => stream.received = 1,
        }
        if is_sound {
            let arrival = arrival_us.wrapping_mul(clock_hz.into()) / 1_000_000;
            stream.time(rtp.timestamp, arrival as u32, clock_hz);
            stream.pace(rtp.sequence, rtp.timestamp, clock_hz);
        }
    }

    fn begin(&mut self, rtp: &Rtp<'_>) {
        self.before = self.count();
        self.stream = Some(Stream::new(rtp.ssrc, rtp.sequence));
    }

    /// Timestamps have another clock from here on.
    pub(crate) fn forget_time(&mut self) {
        if let Some(stream) = &mut self.stream {
            (stream.transit, stream.jitter_scaled) = (None, 0);
        }
    }

    /// All packets since the call began.
    pub(crate) fn count(&self) -> Count {
        let stream = self.stream.as_ref().map(Stream::count).unwrap_or_default();
        Count {
            expected: self.before.expected + stream.expected,
            received: self.before.received + stream.received,
        }
    }

    /// Interarrival jitter \[ticks of the RTP clock\].
    pub(crate) fn jitter(&self) -> u32 {
        self.stream.as_ref().map_or(0, |stream| stream.jitter_scaled >> 4)
    }

    /// A packet came too late to be played.
    pub(crate) fn discard(&mut self, sequence: u16) {
        if let Some(stream) = &mut self.stream {
            let behind = (stream.highest as u16).wrapping_sub(sequence);
            stream.bursts.correct(behind, false);
        }
    }

    /// How loss came in the stream that runs, and how long its packets are \[ticks of the RTP
    /// clock\].
    pub(crate) fn bursts(&self) -> Option<(Figures, u32)> {
        self.stream.as_ref().map(|stream| (stream.bursts.figures(), stream.step))
    }

    /// Whose stream it is.
    pub(crate) fn ssrc(&self) -> Option<u32> {
        self.stream.as_ref().map(|stream| stream.ssrc)
    }

    /// What is told to the sender, since it was told last (appendix A.3). What is known of the
    /// sender's own report is left to the caller.
    pub(crate) fn block(&mut self) -> Option<ReportBlock> {
        let stream = self.stream.as_mut()?;
        let count = stream.count();
        let interval = count.since(stream.reported);
        stream.reported = count;
        let fraction = (interval.lost() << 8).checked_div(interval.expected).unwrap_or(0);
        let lost = count.expected.cast_signed() - count.received.cast_signed();
        Some(ReportBlock {
            ssrc: stream.ssrc,
            fraction_lost: fraction.min(255) as u8,
            cumulative_lost: lost.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence: stream.highest,
            jitter: stream.jitter_scaled >> 4,
            last_sender_report: 0,
            delay_since_last_sender_report: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK_HZ: u32 = 8_000;

    fn rtp(ssrc: u32, sequence: u16, timestamp: u32) -> Rtp<'static> {
        Rtp { payload_type: 0, marker: false, sequence, timestamp, ssrc, payload: &[] }
    }

    /// Packets of 20 ms from a sequence number on, those listed left out, each so late \[µs\].
    fn packets(
        reception: &mut Reception,
        first: u16,
        count: u16,
        lost: &[u16],
        late_us: impl Fn(u16) -> u64,
    ) {
        for number in 0..count {
            if !lost.contains(&number) {
                let rtp = rtp(7, first.wrapping_add(number), u32::from(number) * 160);
                let arrival_us = u64::from(number) * 20_000 + late_us(number);
                reception.take(&rtp, true, arrival_us, CLOCK_HZ);
            }
        }
    }

    #[test]
    fn loss_is_counted_by_interval_and_since_the_beginning_over_a_wrap() {
        let mut reception = Reception::default();
        packets(&mut reception, 65_500, 100, &[10, 20, 30, 40, 50], |_| 0);
        let block = reception.block().unwrap();
        assert_eq!((block.fraction_lost, block.cumulative_lost), (12, 5));
        assert_eq!(block.highest_sequence, 65_599);
        packets(&mut reception, 65_600_u32 as u16, 50, &[], |_| 0);
        let block = reception.block().unwrap();
        assert_eq!((block.fraction_lost, block.cumulative_lost), (0, 5));
        assert_eq!(reception.count(), Count { expected: 150, received: 145 });
    }

    #[test]
    fn doubles_make_the_loss_negative_and_the_fraction_none() {
        let mut reception = Reception::default();
        packets(&mut reception, 1, 10, &[], |_| 0);
        packets(&mut reception, 1, 10, &[], |_| 0);
        let block = reception.block().unwrap();
        assert_eq!((block.fraction_lost, block.cumulative_lost), (0, -10));
    }

    #[test]
    fn jitter_is_that_of_appendix_a_8() {
        let mut even = Reception::default();
        packets(&mut even, 1, 500, &[], |_| 3_000);
        assert_eq!(even.jitter(), 0);
        // Every other packet is 10 ms late: each difference is 80 ticks, and so is their mean.
        let mut uneven = Reception::default();
        packets(&mut uneven, 1, 500, &[], |number| u64::from(number % 2) * 10_000);
        assert!((78..=80).contains(&uneven.jitter()), "{}", uneven.jitter());
    }

    #[test]
    fn a_jump_of_the_timestamp_is_no_jitter() {
        let mut reception = Reception::default();
        packets(&mut reception, 1, 10, &[], |_| 0);
        reception.take(&rtp(7, 11, 900_000), true, 200_000, CLOCK_HZ);
        assert_eq!(reception.jitter(), 0);
    }

    #[test]
    fn another_stream_and_a_restart_begin_anew_and_the_sum_goes_on() {
        let mut reception = Reception::default();
        packets(&mut reception, 1, 10, &[5], |_| 0);
        reception.take(&rtp(8, 40_000, 0), true, 300_000, CLOCK_HZ);
        assert_eq!(reception.ssrc(), Some(8));
        assert_eq!(reception.block().unwrap().cumulative_lost, 0);
        assert_eq!(reception.count(), Count { expected: 11, received: 10 });
        // One packet that is far away is no restart; two in a row are.
        reception.take(&rtp(8, 10, 0), true, 320_000, CLOCK_HZ);
        assert_eq!(reception.count().received, 10);
        reception.take(&rtp(8, 11, 160), true, 340_000, CLOCK_HZ);
        assert_eq!(reception.count(), Count { expected: 12, received: 11 });
        assert_eq!(reception.block().unwrap().highest_sequence, 11);
    }
}
