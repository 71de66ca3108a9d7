//! A key that we press: the packets to send, one for each packet time.

use super::{Event, Key, PAYLOAD_BYTES};
use crate::limits::{KEY_MS_MAX, KEY_MS_MIN};

/// Power of the tones that we send \[-dBm0\], the usual level of telephones.
const VOLUME: u8 = 10;

/// The packet that ends an event is sent three times (RFC 4733 section 2.5.1.4).
const ENDS: u8 = 3;

/// One packet of a key press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing {
    /// Set on the first packet only.
    pub marker: bool,
    /// To be added to the timestamp at which the press began \[ticks of the clock\].
    pub timestamp_offset: u32,
    /// The payload.
    pub payload: [u8; PAYLOAD_BYTES],
}

/// The packets of one key press, in order, one for each packet time. They take the place of sound:
/// sequence numbers go on, and sound goes on at the timestamp where it would be without them.
#[derive(Debug, Clone)]
pub struct Keystroke {
    key: Key,
    ticks_per_packet: u32,
    /// How long the press lasts \[ticks\].
    total: u32,
    /// How long it has lasted \[ticks\].
    elapsed: u32,
    /// Where the current segment starts \[ticks\].
    segment: u32,
    ends_left: u8,
}

impl Keystroke {
    /// A press of `duration_ms` (held to [`KEY_MS_MIN`] and [`KEY_MS_MAX`]) on a clock of this
    /// rate, in packets of `packet_ms` (at least 1).
    #[must_use]
    pub fn new(key: Key, duration_ms: u32, clock_rate_hz: u32, packet_ms: u16) -> Self {
        let ticks_per_ms = clock_rate_hz / 1_000;
        Self {
            key,
            ticks_per_packet: (u32::from(packet_ms) * ticks_per_ms).max(1),
            total: duration_ms.clamp(KEY_MS_MIN, KEY_MS_MAX) * ticks_per_ms,
            elapsed: 0,
            segment: 0,
            ends_left: ENDS,
        }
    }
}

impl Iterator for Keystroke {
    type Item = Outgoing;

    fn next(&mut self) -> Option<Outgoing> {
        if self.ends_left == 0 {
            return None;
        }
        let marker = self.elapsed == 0;
        let target = self.total.min(self.elapsed + self.ticks_per_packet);
        let segment = self.segment;
        let duration = u16::try_from(target - segment).unwrap_or_else(|_| {
            // The duration is full: this packet ends the segment, and the next one starts another
            // where it ended (RFC 4733 section 2.5.1.3).
            self.segment += u32::from(u16::MAX);
            u16::MAX
        });
        self.elapsed = segment + u32::from(duration);
        let end = self.elapsed == self.total;
        if end {
            self.ends_left -= 1;
        }
        let event = Event { code: self.key.code(), end, volume: VOLUME, duration };
        Some(Outgoing { marker, timestamp_offset: segment, payload: event.to_bytes() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each packet as `M offset+duration E`.
    fn picture(keystroke: Keystroke) -> Vec<String> {
        let packets = keystroke.map(|out| {
            let event = Event::parse(&out.payload).unwrap();
            let marker = if out.marker { "M " } else { "" };
            let end = if event.end { " E" } else { "" };
            format!("{marker}{}+{}{end}", out.timestamp_offset, event.duration)
        });
        packets.collect()
    }

    #[test]
    fn a_press_grows_by_one_packet_and_ends_three_times() {
        let keystroke = Keystroke::new(Key(5), 50, 8_000, 20);
        assert_eq!(picture(keystroke), ["M 0+160", "0+320", "0+400 E", "0+400 E", "0+400 E"]);
    }

    #[test]
    fn a_press_that_fits_one_packet_is_three_ends() {
        let keystroke = Keystroke::new(Key(5), 40, 8_000, 60);
        assert_eq!(picture(keystroke), ["M 0+320 E", "0+320 E", "0+320 E"]);
    }

    #[test]
    fn a_long_press_goes_on_in_segments() {
        let keystroke = Keystroke::new(Key(5), 1_400, 48_000, 20);
        let picture = picture(keystroke);
        assert_eq!(
            picture[67..],
            ["0+65280", "0+65535", "65535+960", "65535+1665 E", "65535+1665 E", "65535+1665 E"]
        );
    }

    #[test]
    fn durations_are_held_to_their_bounds() {
        let last = |ms| picture(Keystroke::new(Key(5), ms, 8_000, 20)).pop();
        assert_eq!(last(0), Some("0+320 E".to_owned()));
        assert_eq!(last(u32::MAX), Some("0+48000 E".to_owned()));
    }
}
