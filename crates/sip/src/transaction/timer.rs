//! The timers of RFC 3261 table 4 and RFC 6026.

use std::time::Duration;

use crate::limits::FINAL_WAIT_MAX;

/// Round-trip estimate.
pub(crate) const T1: Duration = Duration::from_millis(500);
/// Longest pause between copies of a non-INVITE request or an INVITE response.
pub(crate) const T2: Duration = Duration::from_secs(4);
/// Longest time that a message stays in the network.
pub(crate) const T4: Duration = Duration::from_secs(5);
/// 64·T1: when a transaction gives up, and when everything about it may be forgotten.
pub(crate) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(32);

/// A timer of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Timer {
    A,
    B,
    C,
    D,
    E,
    F,
    G,
    H,
    I,
    J,
    K,
    L,
    M,
}

impl Timer {
    pub(super) const FIRST: Timer = Timer::A;
    pub(super) const LAST: Timer = Timer::M;

    /// What the timer is for, in words.
    pub(crate) fn why(self) -> &'static str {
        match self {
            Timer::A => "Timer A: INVITE again",
            Timer::B => "Timer B: INVITE unanswered",
            Timer::C => "Timer C: INVITE never answered for good",
            Timer::D => "Timer D: refusals absorbed",
            Timer::E => "Timer E: request again",
            Timer::F => "Timer F: request unanswered",
            Timer::G => "Timer G: refusal again",
            Timer::H => "Timer H: refusal unacknowledged",
            Timer::I => "Timer I: ACKs absorbed",
            Timer::J => "Timer J: requests absorbed",
            Timer::K => "Timer K: responses absorbed",
            Timer::L => "Timer L: INVITEs absorbed",
            Timer::M => "Timer M: 2xx awaited from forks",
        }
    }

    /// How long it runs. `interval` is the pause before the next copy, which grows.
    pub(super) fn length(self, interval: Duration) -> Duration {
        match self {
            Timer::A | Timer::E | Timer::G => interval,
            Timer::I | Timer::K => T4,
            Timer::C => FINAL_WAIT_MAX,
            // Timer D is "at least 32 s" (§17.1.1.2).
            Timer::B | Timer::D | Timer::F | Timer::H | Timer::J | Timer::L | Timer::M => {
                TRANSACTION_TIMEOUT
            }
        }
    }

    /// The pause after the next one: doubled, up to T2 except for an INVITE (§17.1.1.2, §17.1.2.2).
    pub(super) fn next_interval(self, interval: Duration) -> Duration {
        match self {
            Timer::E | Timer::G => (interval * 2).min(T2),
            Timer::A => interval * 2,
            Timer::B
            | Timer::C
            | Timer::D
            | Timer::F
            | Timer::H
            | Timer::I
            | Timer::J
            | Timer::K
            | Timer::L
            | Timer::M => interval,
        }
    }
}
