//! Whether a leg's audio runs both ways, and whether its far end is still there.

use model::{Connection, OneWay};

use crate::limits::{NOTHING_COMES_US, SILENT_LOOKS, WATCH_EVERY_US};

/// What a look finds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight {
    /// Packets of audio that came so far.
    pub(crate) audio: u64,
    /// RTCP of the far end that came so far.
    pub(crate) control: u32,
    /// Somebody is to hear it, so that it is known whether it sounds.
    pub(crate) is_heard: bool,
    /// Its audio has sounded.
    pub(crate) sounded: bool,
    /// The far end says that nothing of ours arrives.
    pub(crate) nothing_arrives: bool,
}

/// What is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// How audio fails to run both ways, or that it runs again.
    OneWay(Option<OneWay>),
    /// Nothing has come for as long as was agreed.
    TimedOut,
}

impl Default for Finding {
    /// All is well.
    fn default() -> Finding {
        Finding::OneWay(None)
    }
}

/// Looks after a leg, once a second.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    state: State,
    told: Finding,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing was agreed on yet.
    #[default]
    New,
    /// The last look.
    Since(Look),
    /// What played it has failed: it is as good as gone.
    GivenUp,
}

#[derive(Debug, Clone, Copy)]
struct Look {
    at_us: u64,
    /// Audio was to come.
    expects: bool,
    audio: u64,
    control: u32,
    /// Since when no audio has come, and since when nothing at all.
    without_audio_us: u64,
    without_sign_us: u64,
    /// Looks in a row that found audio and no sound in it.
    silent: u8,
}

impl Watch {
    /// Looks, if it is time to; at a leg without a place in the plan only whether it is still
    /// there. Whoever gets a finding says by [`Self::told`] that it was told.
    pub(crate) fn look(
        &mut self,
        now_us: u64,
        (terms, has_place): (&Connection, bool),
        see: impl FnOnce() -> Sight,
    ) -> Option<Finding> {
        let expects = terms.sends && terms.receives && has_place;
        let last = match self.state {
            State::GivenUp => return self.anew(Finding::TimedOut),
            State::Since(last) if now_us < last.at_us + WATCH_EVERY_US => return None,
            // What was held, or stood nowhere, and does not any more begins anew.
            State::Since(last) if last.expects == expects => last,
            State::Since(_) | State::New => {
                self.state = State::Since(Look::first(now_us, expects, see()));
                return None;
            }
        };
        let sight = see();
        let look = last.next(now_us, sight);
        self.state = State::Since(look);
        let silence_us = now_us - look.without_sign_us;
        let timed_out = terms.rtp_timeout_ms.is_some_and(|ms| silence_us >= u64::from(ms) * 1_000);
        let finding = match timed_out {
            true => Finding::TimedOut,
            false => Finding::OneWay(look.one_way(sight).filter(|_| expects)),
        };
        self.anew(finding)
    }

    /// A finding, unless it was told.
    fn anew(&self, finding: Finding) -> Option<Finding> {
        (finding != self.told).then_some(finding)
    }

    /// What plays the leg has failed: it is found gone at the next look.
    pub(crate) fn give_up(&mut self) {
        self.state = State::GivenUp;
    }

    /// It was told; what is not is found again.
    pub(crate) fn told(&mut self, finding: Finding) {
        self.told = finding;
    }
}

impl Look {
    fn first(at_us: u64, expects: bool, sight: Sight) -> Look {
        let Sight { audio, control, .. } = sight;
        let (without_audio_us, without_sign_us) = (at_us, at_us);
        Look { at_us, expects, audio, control, without_audio_us, without_sign_us, silent: 0 }
    }

    fn next(self, at_us: u64, sight: Sight) -> Look {
        let Sight { audio, control, is_heard, sounded, .. } = sight;
        let came = audio != self.audio;
        let silent = match (came && is_heard, sounded) {
            (true, false) => self.silent.saturating_add(1),
            (false, false) => self.silent,
            (_, true) => 0,
        };
        let without_audio_us = if came { at_us } else { self.without_audio_us };
        let signs = came || control != self.control;
        let without_sign_us = if signs { at_us } else { self.without_sign_us };
        Look { at_us, audio, control, without_audio_us, without_sign_us, silent, ..self }
    }

    fn one_way(self, sight: Sight) -> Option<OneWay> {
        if self.at_us - self.without_audio_us >= NOTHING_COMES_US {
            Some(OneWay::NothingComes)
        } else if sight.nothing_arrives {
            Some(OneWay::NothingArrives)
        } else if self.silent >= SILENT_LOOKS {
            Some(OneWay::OnlySilence)
        } else {
            None
        }
    }
}
