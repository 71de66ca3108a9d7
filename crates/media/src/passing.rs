//! Payloads that are passed on without being decoded, while all who hear a talker get them as they
//! came and nobody needs the sound itself.
//!
//! A decoder that was left out is shown the last of them before it is needed again, so that what is
//! mixed then goes on where the payloads stopped.

use audio::activity::opus_voice_flag;

use crate::limits::{LISTENED_TICKS_MIN, PASSED_BYTES_MAX, PASSED_PACKETS_KEPT, PASSED_TICKS_MAX};
use crate::spared::Spared;
use crate::way::is_mono;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Every payload is decoded, for so many ticks now.
    Listening { ticks: u32 },
    /// None is, for so many ticks now.
    Passing {
        ticks: u32,
        /// What the payloads say of the voice in them.
        voiced: Option<bool>,
    },
}

/// One leg's payloads that went by.
#[derive(Debug)]
pub(crate) struct Passing {
    spared: Spared,
    state: State,
}

impl Passing {
    /// Nothing was passed on.
    pub(crate) fn new() -> Passing {
        let spared = Spared::new(PASSED_PACKETS_KEPT, PASSED_BYTES_MAX);
        Passing { spared, state: State::Listening { ticks: 0 } }
    }

    /// Whether the next payload may go by: not where it can be that somebody begins to speak, or
    /// stops. `speaking` is how it was when it was listened to.
    pub(crate) fn may_pass(&self, payload: &[u8], speaking: bool) -> bool {
        let voiced = opus_voice_flag(payload);
        let goes_on = match self.state {
            State::Listening { ticks } => ticks >= LISTENED_TICKS_MIN,
            State::Passing { ticks, voiced: before } => {
                ticks < PASSED_TICKS_MAX && voiced == before
            }
        };
        // What is not mono is mixed.
        goes_on
            && payload.len() <= PASSED_BYTES_MAX
            && is_mono(payload)
            && (speaking || voiced == Some(false))
    }

    /// A payload went by, as it may.
    pub(crate) fn pass(&mut self, payload: &[u8]) {
        let passed = match self.state {
            State::Listening { .. } => {
                self.spared.clear();
                0
            }
            State::Passing { ticks, .. } => ticks,
        };
        let kept = self.spared.push(payload);
        debug_assert!(kept, "what is too long may not go by");
        self.state = State::Passing { ticks: passed + 1, voiced: opus_voice_flag(payload) };
    }

    /// A payload is decoded. What went by before it is given first, as far as it matters, oldest
    /// first.
    pub(crate) fn listen(&mut self) -> impl Iterator<Item = &[u8]> {
        self.state = match self.state {
            State::Listening { ticks } => {
                self.spared.clear();
                State::Listening { ticks: ticks.saturating_add(1) }
            }
            State::Passing { .. } => State::Listening { ticks: 1 },
        };
        self.spared.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of SILK that says that it is voice, or that it is none.
    const VOICED: [u8; 2] = [9 << 3, 0x80];
    const UNVOICED: [u8; 2] = [9 << 3, 0];

    fn listened() -> Passing {
        let mut passing = Passing::new();
        for _ in 0..LISTENED_TICKS_MIN {
            assert!(!passing.may_pass(&VOICED, true));
            assert_eq!(passing.listen().count(), 0);
        }
        passing
    }

    #[test]
    fn what_went_by_last_is_given_again_oldest_first() {
        let mut passing = listened();
        for number in 0..PASSED_PACKETS_KEPT as u8 + 3 {
            assert!(passing.may_pass(&[9 << 3, 0x80, number], true));
            passing.pass(&[9 << 3, 0x80, number]);
        }
        let given: Vec<u8> = passing.listen().map(|payload| payload[2]).collect();
        assert_eq!(given, (3..PASSED_PACKETS_KEPT as u8 + 3).collect::<Vec<_>>());
        assert_eq!(passing.listen().count(), 0);
        assert!(!passing.may_pass(&VOICED, true), "it has to be listened to for a while");
    }

    #[test]
    fn somebody_who_is_silent_may_begin_to_speak_and_is_listened_to() {
        let mut passing = listened();
        assert!(!passing.may_pass(&VOICED, false));
        assert!(passing.may_pass(&UNVOICED, false));
        passing.pass(&UNVOICED);
        assert!(passing.may_pass(&UNVOICED, false) && !passing.may_pass(&VOICED, false));
        assert!(!passing.may_pass(&[31 << 3, 0], false), "CELT does not tell");
    }

    #[test]
    fn somebody_who_speaks_may_stop_and_is_listened_to() {
        let mut passing = listened();
        passing.pass(&VOICED);
        assert!(passing.may_pass(&VOICED, true) && !passing.may_pass(&UNVOICED, true));
        for _ in 1..PASSED_TICKS_MAX {
            assert!(passing.may_pass(&VOICED, true));
            passing.pass(&VOICED);
        }
        assert!(!passing.may_pass(&VOICED, true), "an encoder need not say it");
    }

    #[test]
    fn what_is_too_long_to_be_kept_is_decoded() {
        let mut long = [0x80; PASSED_BYTES_MAX + 1];
        long[0] = 9 << 3;
        assert!(!listened().may_pass(&long, true));
        assert!(listened().may_pass(&long[..PASSED_BYTES_MAX], true));
    }
}
