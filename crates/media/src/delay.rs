//! How long sound must wait so that it never runs out: learnt from when packets came.

use crate::limits::{BUFFERED_MS_MAX, DELAY_MS_MAX, DELAY_MS_START, TICK_MS};

/// Spans of arrival that are remembered, and the length of each \[ms\]: 8 s together. A line that
/// stood still once in a few seconds will do so again, and each time that the delay goes down and
/// up is heard; a line that has become better is believed within ten seconds.
const SPANS: usize = 16;
const SPAN_MS: i64 = 500;
/// Spans after which the jitter counts as known.
const SPANS_KNOWN: usize = 2;
/// A packet further than this from all that is remembered is of another line of time \[ms\]:
/// nothing that was known before holds for it, and the buffer could not hold both.
const ASTRAY_MS: i64 = BUFFERED_MS_MAX;
/// Over the jitter that was seen \[ms\]: what the next packet may exceed it by.
const MARGIN_MS: i64 = 4;

/// A line that is out of reach of all that is remembered is believed after so long \[ms\]: three
/// packets of 20 ms. What a stall held back comes faster than it was spoken, and is in reach again.
const BEYOND_MS: i64 = 40;
/// By how much packets of such a line may be sooner than its first \[ms\].
const LEVEL_MS: i64 = 8;
/// How long the first of them waits for that \[ms\].
const DOUBT_MS: i64 = 60;

/// The extremes of *transit*, arrival minus position, within a span.
#[derive(Debug, Clone, Copy)]
struct Span {
    opened: i64,
    least: i64,
    most: i64,
}

/// Since when packets have come out of reach of all that is remembered, no sooner than the first.
#[derive(Debug, Clone, Copy)]
struct Beyond {
    arrival: i64,
    transit: i64,
}

/// One leg's estimate, all in samples. Only time in which packets come counts: a pause teaches
/// nothing, and what was known before it stays known.
#[derive(Debug)]
pub(crate) struct DelayEstimate {
    per_ms: i64,
    /// The latest span is at `spans_seen - 1` modulo the length.
    spans: [Option<Span>; SPANS],
    spans_seen: usize,
    /// Of all spans, so that a tick need not look at each.
    extremes: Option<(i64, i64)>,
    beyond: Option<Beyond>,
}

impl DelayEstimate {
    /// Nothing is known; `per_ms` samples are a millisecond.
    pub(crate) fn new(per_ms: i64) -> DelayEstimate {
        let spans = [None; SPANS];
        DelayEstimate { per_ms, spans, spans_seen: 0, extremes: None, beyond: None }
    }

    /// Takes note of a packet of sound that came.
    pub(crate) fn push(&mut self, arrival: i64, at: i64) {
        let transit = arrival - at;
        if self.is_astray(transit) || self.is_beyond(arrival, transit) {
            *self = DelayEstimate::new(self.per_ms);
        }
        let length = SPAN_MS * self.per_ms;
        let latest = self.spans_seen.wrapping_sub(1) % SPANS;
        if let Some(span) = &mut self.spans[latest]
            && arrival < span.opened + length
        {
            span.least = span.least.min(transit);
            span.most = span.most.max(transit);
            let widened = |(least, most): (i64, i64)| (least.min(transit), most.max(transit));
            self.extremes = self.extremes.map(widened);
        } else {
            self.forget_what_is_out_of_reach();
            let span = Span { opened: arrival, least: transit, most: transit };
            self.spans[self.spans_seen % SPANS] = Some(span);
            self.spans_seen += 1;
            let spans = || self.spans.iter().flatten();
            let least = spans().map(|span| span.least).min();
            self.extremes = least.zip(spans().map(|span| span.most).max());
        }
    }

    /// A way that has become longer for good: if no packet of the last span came soon enough to be
    /// played beside the earliest of the spans before, those hold no longer.
    fn forget_what_is_out_of_reach(&mut self) {
        let (Some(latest), Some((least, _))) =
            (self.spans[self.spans_seen.wrapping_sub(1) % SPANS], self.extremes)
        else {
            return;
        };
        if latest.least - least > self.reach() {
            self.spans = [None; SPANS];
            self.spans[0] = Some(latest);
            self.spans_seen = 1;
        }
    }

    /// By how much longer than the shortest a packet may be on its way and still be played.
    fn reach(&self) -> i64 {
        (DELAY_MS_MAX - TICK_MS.cast_signed() - MARGIN_MS) * self.per_ms
    }

    /// A sender whose timestamps do not count its pauses: each makes the way longer for good, and
    /// when they come to more than can be waited for, all that it says would be too late. True for
    /// the packet that convinces.
    fn is_beyond(&mut self, arrival: i64, transit: i64) -> bool {
        let reach = self.reach();
        let is_in_reach = self.extremes.is_none_or(|(least, _)| transit - least <= reach);
        let level = |first: &Beyond| transit >= first.transit - LEVEL_MS * self.per_ms;
        let first = self.beyond.filter(level).unwrap_or(Beyond { arrival, transit });
        self.beyond = (!is_in_reach).then_some(first);
        !is_in_reach && arrival - first.arrival >= BEYOND_MS * self.per_ms
    }

    fn is_astray(&self, transit: i64) -> bool {
        let bound = ASTRAY_MS * self.per_ms;
        let far = |span: &Span| transit < span.least - bound || transit > span.most + bound;
        // Whoever is near the latest is not astray, and most are.
        let latest = &self.spans[self.spans_seen.wrapping_sub(1) % SPANS];
        latest.as_ref().is_some_and(far) && self.spans.iter().flatten().all(far)
    }

    /// Which position is due for the listener at this time; none before the first packet.
    pub(crate) fn due(&self, now: i64) -> Option<i64> {
        let (least, _) = self.extremes?;
        Some(now - least - self.target())
    }

    /// The same for a sound that begins: none while it is not known whether it came late, or its
    /// way is longer from now on.
    pub(crate) fn due_at_first(&self, now: i64) -> Option<i64> {
        let doubts = |first: Beyond| now - first.arrival < DOUBT_MS * self.per_ms;
        self.due(now).filter(|_| !self.beyond.is_some_and(doubts))
    }

    /// The delay to keep at most \[samples\]: a tick, because a tick's sound is taken at once, and
    /// the jitter on top. Where packets begin with ticks less will do ([`Slack`]).
    ///
    /// [`Slack`]: crate::slack::Slack
    pub(crate) fn target(&self) -> i64 {
        let (least, most) = self.extremes.unwrap_or_default();
        let needed = most - least + (TICK_MS.cast_signed() + MARGIN_MS) * self.per_ms;
        let start = if self.spans_seen < SPANS_KNOWN { DELAY_MS_START * self.per_ms } else { 0 };
        needed.max(start).min(DELAY_MS_MAX * self.per_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The target after packets every 20 ms at 8 kHz that came so late each \[ms\].
    fn target_ms(lateness_ms: impl IntoIterator<Item = i64>) -> i64 {
        let mut estimate = DelayEstimate::new(8);
        for (packet, late_ms) in (0..).zip(lateness_ms) {
            estimate.push((packet * 20 + late_ms) * 8, packet * 160);
        }
        estimate.target() / 8
    }

    #[test]
    fn a_clean_network_needs_one_tick_and_the_margin_once_it_is_known() {
        assert_eq!(target_ms([0; 10]), DELAY_MS_START);
        assert_eq!(target_ms([0; 100]), 20 + MARGIN_MS);
    }

    #[test]
    fn the_delay_follows_the_jitter_and_comes_back_within_ten_seconds() {
        let late = |spike: usize, packets: usize| {
            (0..packets).map(move |packet| if packet == spike { 50 } else { 0 })
        };
        assert_eq!(target_ms(late(100, 120)), 70 + MARGIN_MS);
        assert_eq!(target_ms(late(100, 400)), 70 + MARGIN_MS);
        assert_eq!(target_ms(late(100, 600)), 20 + MARGIN_MS);
    }

    #[test]
    fn the_delay_is_bounded() {
        assert_eq!(target_ms([0, 300, 0]), DELAY_MS_MAX);
    }

    #[test]
    fn a_way_that_is_longer_for_good_is_believed_at_the_third_packet_and_a_stall_is_none() {
        let mut estimate = DelayEstimate::new(8);
        for packet in 0..100 {
            estimate.push(packet * 160, packet * 160);
        }
        let mut late = |packet: i64, late_ms: i64| {
            let arrival = packet * 160 + late_ms * 8;
            estimate.push(arrival, packet * 160);
            (estimate.target() / 8, estimate.due_at_first(arrival).is_some())
        };
        // Fifteen packets at once: the first seven are out of reach.
        let stall: Vec<_> = (0..15).map(|number| late(100 + number, 300 - number * 20)).collect();
        assert!(stall.iter().all(|(target_ms, _)| *target_ms == DELAY_MS_MAX));
        assert_eq!(stall.iter().position(|(_, is_sure)| *is_sure), Some(7));
        let pause = [115, 116, 117, 118].map(|packet| late(packet, 300));
        let (doubt, start) = ((DELAY_MS_MAX, false), (DELAY_MS_START, true));
        assert_eq!(pause, [doubt, doubt, start, start]);
    }

    #[test]
    fn a_packet_that_is_astray_teaches_nothing_about_those_that_are_not() {
        assert_eq!(target_ms([-900; 200].into_iter().chain([0; 100])), 20 + MARGIN_MS);
        assert_eq!(target_ms([0, 5_000, 0]), DELAY_MS_START);
    }
}
