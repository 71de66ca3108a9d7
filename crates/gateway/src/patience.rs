//! How long a peer may take to say something.

use std::time::{Duration, Instant};

use crate::Settings;

/// Fewer bytes than this are no message that has begun: a lone line end is half a keep-alive, and
/// none may follow it.
const LINE_ENDS: usize = 4;

/// What a connection waits for, and since when.
#[derive(Debug)]
pub(crate) struct Patience {
    awaited: Awaited,
    since: Instant,
    first_message_within: Duration,
    message_within: Duration,
    idle_max: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// The whole of the first message.
    First,
    /// The rest of a message.
    Rest,
    /// The next message, whenever it comes.
    Next,
}

impl Patience {
    /// With a peer that has connected to us, and has to say why.
    pub(crate) fn with_stranger(now: Instant, settings: &Settings) -> Patience {
        Patience {
            awaited: Awaited::First,
            since: now,
            first_message_within: settings.first_message_within,
            message_within: settings.message_within,
            idle_max: settings.idle_max,
        }
    }

    /// With a peer to which we have connected.
    pub(crate) fn with_callee(now: Instant, settings: &Settings) -> Patience {
        Patience { awaited: Awaited::Next, ..Patience::with_stranger(now, settings) }
    }

    /// When it ends.
    pub(crate) fn ends_at(&self) -> Instant {
        self.since
            + match self.awaited {
                Awaited::First => self.first_message_within,
                Awaited::Rest => self.message_within,
                Awaited::Next => self.idle_max,
            }
    }

    /// Takes in that something was read: whether a message became whole by it, and how many bytes
    /// of the next one are there. Single bytes of one message buy no time.
    pub(crate) fn heard(&mut self, now: Instant, whole_message: bool, bytes_waiting: usize) {
        let awaited = match (self.awaited, bytes_waiting >= LINE_ENDS) {
            (Awaited::First, _) if !whole_message => return,
            (Awaited::Rest, true) if !whole_message => return,
            (Awaited::First | Awaited::Rest | Awaited::Next, true) => Awaited::Rest,
            (Awaited::First | Awaited::Rest | Awaited::Next, false) => Awaited::Next,
        };
        self.awaited = awaited;
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            first_message_within: Duration::from_secs(10),
            message_within: Duration::from_secs(30),
            idle_max: Duration::from_secs(1_000),
            ..Settings::default()
        }
    }

    fn ends_after_s(patience: &Patience, start: Instant) -> u64 {
        (patience.ends_at() - start).as_secs()
    }

    #[test]
    fn a_stranger_buys_no_time_with_keepalives_or_single_bytes() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut patience = Patience::with_stranger(start, &settings());
        patience.heard(at(4), false, 0);
        patience.heard(at(8), false, 500);
        assert_eq!(ends_after_s(&patience, start), 10);
        patience.heard(at(9), true, 0);
        assert_eq!(ends_after_s(&patience, start), 1_009);
    }

    #[test]
    fn a_message_that_has_begun_must_end() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut patience = Patience::with_callee(start, &settings());
        assert_eq!(ends_after_s(&patience, start), 1_000);
        patience.heard(at(100), false, 40);
        patience.heard(at(110), false, 41);
        patience.heard(at(120), false, 42);
        assert_eq!(ends_after_s(&patience, start), 130);
        patience.heard(at(125), true, 7);
        assert_eq!(ends_after_s(&patience, start), 155, "the next one has begun");
        patience.heard(at(140), true, 0);
        assert_eq!(ends_after_s(&patience, start), 1_140);
    }

    #[test]
    fn a_lone_line_end_is_no_message_that_has_begun() {
        let start = Instant::now();
        let mut patience = Patience::with_callee(start, &settings());
        patience.heard(start + Duration::from_secs(5), false, 2);
        assert_eq!(ends_after_s(&patience, start), 1_005);
    }
}
