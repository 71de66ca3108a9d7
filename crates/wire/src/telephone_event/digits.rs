//! Packets in, exactly one digit out for each press.

use super::{Event, Key};
use crate::limits::{KEY_LATE_MS_MAX, KEY_LOST_END_MS};

/// A key that was pressed and released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digit {
    /// Which one.
    pub key: Key,
    /// For how long, as far as its packets told \[ms\].
    pub duration_ms: u32,
}

/// The digit detector of one leg.
///
/// A press is known by its timestamp: repeated ends and late packets have one that was reported.
/// A press whose end is lost is over when the next one starts, or when its updates stop.
#[derive(Debug, Clone)]
pub struct Digits {
    clock_rate_hz: u32,
    press: Option<Press>,
}

#[derive(Debug, Clone, Copy)]
struct Press {
    key: Key,
    /// Start of the current segment (RFC 4733 section 2.5.1.3).
    start: u64,
    /// Length of the segments before it \[ticks\].
    before: u64,
    /// Length of the current segment so far \[ticks\].
    duration: u64,
    reported: bool,
}

impl Digits {
    /// A detector for events on a clock of this rate \[Hz\], as agreed by SDP.
    #[must_use]
    pub const fn new(clock_rate_hz: u32) -> Self {
        Self { clock_rate_hz, press: None }
    }

    /// Takes a packet with its extended timestamp. The result holds two digits if the end of the
    /// press before was lost and this packet is all that came of the next one.
    pub fn receive(
        &mut self,
        timestamp: u64,
        marker: bool,
        event: Event,
    ) -> impl Iterator<Item = Digit> + use<> {
        let mut digits = [None, None];
        if let Some(key) = Key::from_code(event.code) {
            let [before, ended] = &mut digits;
            if self.belongs_to_press(timestamp, marker, key) {
                self.update(timestamp, key, event);
            } else {
                *before = self.release();
                let duration = u64::from(event.duration);
                self.press =
                    Some(Press { key, start: timestamp, before: 0, duration, reported: false });
            }
            let is_told_of = |press: Press| press.start == timestamp && press.key == key;
            if event.end && self.press.is_some_and(is_told_of) {
                *ended = self.release();
            }
        }
        digits.into_iter().flatten()
    }

    /// Tells how far the leg's media has come on the same clock, by packets of sound or by the
    /// receiver's own: a press whose updates stopped [`KEY_LOST_END_MS`] ago is over.
    pub fn elapse(&mut self, timestamp: u64) -> Option<Digit> {
        let press = self.press?;
        let patience = self.ticks(KEY_LOST_END_MS);
        let is_over = timestamp > press.start + press.duration + patience;
        if is_over { self.release() } else { None }
    }

    /// Whether a packet tells of the current press (or of one before it) and not of the next.
    fn belongs_to_press(&self, timestamp: u64, marker: bool, key: Key) -> bool {
        let Some(press) = self.press else {
            return false;
        };
        if timestamp <= press.start {
            return press.start - timestamp <= self.ticks(KEY_LATE_MS_MAX);
        }
        // The next segment of a long press starts where the one before ended, without a marker;
        // some gateways move the timestamp with every packet of one press. No other press can
        // start before this one's known end. The full length covers a segment's lost last packet.
        let distance = timestamp - press.start;
        let is_full_segment = distance == u64::from(u16::MAX);
        key == press.key && !marker && (distance <= press.duration || is_full_segment)
    }

    fn update(&mut self, timestamp: u64, key: Key, event: Event) {
        let Some(press) = &mut self.press else {
            return;
        };
        let duration = u64::from(event.duration);
        if timestamp > press.start {
            press.before += timestamp - press.start;
            press.start = timestamp;
            press.duration = duration;
        } else if timestamp == press.start && key == press.key {
            press.duration = press.duration.max(duration);
        }
    }

    /// Reports the press, once.
    fn release(&mut self) -> Option<Digit> {
        let clock_rate_hz = self.clock_rate_hz;
        let press = self.press.as_mut().filter(|press| !press.reported)?;
        press.reported = true;
        let ms = (press.before + press.duration) * 1_000 / u64::from(clock_rate_hz.max(1));
        Some(Digit { key: press.key, duration_ms: u32::try_from(ms).unwrap_or(u32::MAX) })
    }

    fn ticks(&self, ms: u32) -> u64 {
        u64::from(ms) * u64::from(self.clock_rate_hz) / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::super::Keystroke;
    use super::*;
    use proptest::prelude::*;

    const START: u64 = 1 << 32;

    /// One packet: timestamp after [`START`], marker, label, end, duration.
    type Sent = (u64, bool, char, bool, u16);

    /// The digits of a run of packets as text, such as `5:100 #:40`.
    fn digits(clock_rate_hz: u32, packets: &[Sent]) -> String {
        let mut detector = Digits::new(clock_rate_hz);
        let mut heard = Vec::new();
        for &(timestamp, marker, label, end, duration) in packets {
            let code = Key::from_char(label).unwrap().code();
            let event = Event { code, end, volume: 10, duration };
            heard.extend(detector.receive(START + timestamp, marker, event));
        }
        heard.extend(detector.elapse(START * 2));
        text(&heard)
    }

    fn text(heard: &[Digit]) -> String {
        let words =
            heard.iter().map(|digit| format!("{}:{}", digit.key.to_char(), digit.duration_ms));
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn three_ends_are_one_digit() {
        let end = (0, false, '5', true, 800);
        let packets = [(0, true, '5', false, 160), (0, false, '5', false, 320), end, end, end];
        assert_eq!(digits(8_000, &packets), "5:100");
    }

    #[test]
    fn the_digit_is_told_at_the_first_end() {
        let mut detector = Digits::new(8_000);
        let event = Event { code: 5, end: false, volume: 10, duration: 160 };
        assert_eq!(detector.receive(START, true, event).count(), 0);
        assert_eq!(detector.receive(START, false, Event { end: true, ..event }).count(), 1);
        assert_eq!(detector.receive(START, false, Event { end: true, ..event }).count(), 0);
    }

    #[test]
    fn the_same_key_twice_is_two_digits() {
        let packets = [(0, true, '5', true, 800), (1_600, true, '5', true, 400)];
        assert_eq!(digits(8_000, &packets), "5:100 5:50");
    }

    #[test]
    fn one_end_alone_is_a_digit() {
        assert_eq!(digits(8_000, &[(0, false, '#', true, 320)]), "#:40");
    }

    #[test]
    fn a_press_whose_ends_are_lost_is_over_when_the_next_starts() {
        let packets = [(0, true, '1', false, 480), (1_600, true, '2', true, 800)];
        assert_eq!(digits(8_000, &packets), "1:60 2:100");
    }

    #[test]
    fn a_press_whose_ends_are_lost_is_over_when_updates_stop() {
        let mut detector = Digits::new(8_000);
        let event = Event { code: 1, end: false, volume: 10, duration: 480 };
        assert_eq!(detector.receive(START, true, event).count(), 0);
        let patience = u64::from(KEY_LOST_END_MS) * 8;
        assert_eq!(detector.elapse(START + 480 + patience), None);
        let digit = Digit { key: Key(1), duration_ms: 60 };
        assert_eq!(detector.elapse(START + 481 + patience), Some(digit));
        assert_eq!(detector.elapse(START + 9_999), None);
        assert_eq!(detector.receive(START, false, Event { end: true, ..event }).count(), 0);
    }

    #[test]
    fn late_packets_of_a_reported_press_are_no_digit() {
        let packets = [
            (0, true, '1', true, 800),
            (1_600, true, '2', true, 800),
            (0, false, '1', true, 800),
            (0, true, '1', false, 160),
        ];
        assert_eq!(digits(8_000, &packets), "1:100 2:100");
    }

    #[test]
    fn segments_of_a_long_press_are_one_digit() {
        let packets = [
            (0, true, '7', false, 960),
            (0, false, '7', false, 65_535),
            (65_535, false, '7', false, 960),
            (65_535, false, '7', true, 30_465),
        ];
        assert_eq!(digits(48_000, &packets), "7:2000");
        assert_eq!(digits(48_000, &[packets[0], packets[2], packets[3]]), "7:2000");
    }

    #[test]
    fn a_gateway_that_moves_the_timestamp_makes_one_digit() {
        let packets = [
            (0, true, '7', false, 160),
            (160, false, '7', false, 320),
            (320, false, '7', false, 480),
            (480, false, '7', true, 640),
            (640, false, '7', true, 640),
        ];
        assert_eq!(digits(8_000, &packets), "7:140");
    }

    #[test]
    fn another_key_with_the_same_timestamp_ends_nothing() {
        let packets = [(0, true, '1', false, 160), (0, false, '2', true, 320)];
        assert_eq!(digits(8_000, &packets), "1:20");
    }

    #[test]
    fn a_press_after_a_timestamp_restart_is_a_digit() {
        let mut detector = Digits::new(8_000);
        let event = Event { code: 1, end: true, volume: 10, duration: 800 };
        assert_eq!(detector.receive(START + 1_000_000, true, event).count(), 1);
        assert_eq!(detector.receive(START, true, event).count(), 1);
    }

    #[test]
    fn flash_hook_and_fax_signals_are_no_digits() {
        let mut detector = Digits::new(8_000);
        for code in 16..=255 {
            let event = Event { code, end: true, volume: 0, duration: 800 };
            assert_eq!(detector.receive(START, true, event).count(), 0, "code {code}");
        }
    }

    proptest! {
        /// Of each press at least one packet arrives; order inside a press may change.
        #[test]
        fn every_press_is_one_digit_whatever_is_lost(
            presses in prop::collection::vec((0_u8..16, 40_u32..3_000, any::<u64>()), 1..8),
            clock_rate_hz in prop::sample::select(vec![8_000_u32, 16_000, 48_000]),
        ) {
            let mut detector = Digits::new(clock_rate_hz);
            let mut heard = Vec::new();
            let mut timestamp = START;
            let mut expected = String::new();
            for (code, duration_ms, lost) in presses {
                let key = Key::from_code(code).unwrap();
                expected.push(key.to_char());
                let keystroke = Keystroke::new(key, duration_ms, clock_rate_hz, 20);
                let sent: Vec<_> = keystroke.collect();
                for (at, out) in sent.iter().enumerate() {
                    // Loss of anything but a whole segment; the marker always arrives.
                    let arrives = at == 0 || lost >> (at % 64) & 1 == 0;
                    if arrives {
                        let event = Event::parse(&out.payload).unwrap();
                        let at = timestamp + u64::from(out.timestamp_offset);
                        heard.extend(detector.receive(at, out.marker, event));
                    }
                }
                timestamp += u64::from((duration_ms + 100) * (clock_rate_hz / 1_000));
            }
            heard.extend(detector.elapse(timestamp + u64::from(clock_rate_hz)));
            let keys: String = heard.iter().map(|digit| digit.key.to_char()).collect();
            prop_assert_eq!(keys, expected);
        }

        #[test]
        fn any_packets_are_survived(
            packets in prop::collection::vec(any::<(u64, bool, [u8; 4])>(), 0..64)
        ) {
            let mut detector = Digits::new(8_000);
            for (timestamp, marker, payload) in packets {
                let timestamp = timestamp >> 2;
                detector.receive(timestamp, marker, Event::parse(&payload).unwrap()).count();
                detector.elapse(timestamp);
            }
        }
    }
}
