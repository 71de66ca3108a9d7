//! Keys pressed and keys sent as telephone-events (RFC 4733).
//!
//! ```text
//!  0                   1                   2                   3
//! |     event     |E|R| volume    |          duration             |
//! ```

mod digits;
mod keystroke;

pub use digits::{Digit, Digits};
pub use keystroke::{Keystroke, Outgoing};

/// Length of the payload that [`Event::to_bytes`] makes \[bytes\].
pub const PAYLOAD_BYTES: usize = 4;

/// The keys in the order of their event codes (RFC 4733 section 3.2).
const KEYS: [char; 16] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// One of the sixteen DTMF keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u8);

impl Key {
    /// The key with this event code, if it is one of 0 to 15.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        if code < 16 { Some(Self(code)) } else { None }
    }

    /// The key with this label: `0` to `9`, `*`, `#`, `A` to `D` or `a` to `d`.
    #[must_use]
    pub fn from_char(label: char) -> Option<Self> {
        let label = label.to_ascii_uppercase();
        (0..16).zip(KEYS).find(|(_, key)| *key == label).map(|(code, _)| Self(code))
    }

    /// Its event code, 0 to 15.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }

    /// Its label, with `A` to `D` in capitals.
    #[must_use]
    pub const fn to_char(self) -> char {
        KEYS[self.0 as usize]
    }
}

/// The payload of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// What happened: 0 to 15 are keys, others are flash-hook and signals of fax and modems.
    pub code: u8,
    /// Whether the event is over.
    pub end: bool,
    /// Power of the tone, 0 (loudest) to 63 \[-dBm0\].
    pub volume: u8,
    /// How long the event has lasted since the packet's timestamp \[ticks of the clock\].
    pub duration: u16,
}

impl Event {
    /// Reads a payload. None if it is shorter than four bytes; what follows them is not ours.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &[code, flags, high, low, ..] = payload else {
            return None;
        };
        let duration = u16::from_be_bytes([high, low]);
        Some(Self { code, end: flags & 0x80 != 0, volume: flags & 0x3f, duration })
    }

    /// The payload as sent.
    #[must_use]
    pub fn to_bytes(self) -> [u8; PAYLOAD_BYTES] {
        let [high, low] = self.duration.to_be_bytes();
        [self.code, u8::from(self.end) << 7 | self.volume & 0x3f, high, low]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_payload_is_read_as_rfc_4733_draws_it() {
        let event = Event { code: 11, end: true, volume: 10, duration: 0x0320 };
        assert_eq!(Event::parse(&[11, 0x8a, 3, 0x20]), Some(event));
        assert_eq!(Event::parse(&[11, 0xca, 3, 0x20, 9]), Some(event));
        assert_eq!(Event::parse(&[11, 0x8a, 3]), None);
    }

    #[test]
    fn every_key_has_one_label_and_one_code() {
        let labels: String = (0..16).filter_map(Key::from_code).map(Key::to_char).collect();
        assert_eq!(labels, "0123456789*#ABCD");
        for (code, label) in (0..16).zip(labels.chars()) {
            assert_eq!(Key::from_char(label), Key::from_code(code));
        }
        assert_eq!(Key::from_char('d'), Key::from_code(15));
        assert_eq!((Key::from_char('E'), Key::from_code(16)), (None, None));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            (code, end, volume, duration) in (any::<u8>(), any::<bool>(), 0_u8..64, any::<u16>())
        ) {
            let event = Event { code, end, volume, duration };
            prop_assert_eq!(Event::parse(&event.to_bytes()), Some(event));
        }
    }
}
