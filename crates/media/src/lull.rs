//! Moments in which it is not heard that a voice moves by a few milliseconds.

use audio::activity::Level;

use crate::limits::EVEN_TICKS;

/// Whether there is such a moment in one leg's sound.
#[derive(Debug)]
pub(crate) struct Lull {
    /// Of the frame that was looked at last.
    level: Level,
    /// Ticks for which the sound has been as loud as it is: no voice that speaks, but a tone or a
    /// long vowel.
    even_ticks: u32,
}

impl Lull {
    /// Nothing was heard yet.
    pub(crate) fn new() -> Lull {
        let level = Level { dbov: 127, loud: false, speaking: false };
        Lull { level, even_ticks: 0 }
    }

    /// Takes a tick's level in.
    pub(crate) fn push(&mut self, level: Level) {
        let even = level.dbov.abs_diff(self.level.dbov) <= 1;
        self.even_ticks = if even { self.even_ticks.saturating_add(1) } else { 0 };
        self.level = level;
    }

    /// Between two words, or in a sound that does not change, for which waiting is of no use.
    pub(crate) fn is_now(&self) -> bool {
        !self.level.loud || self.even_ticks >= EVEN_TICKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_words_and_in_a_steady_tone_there_is_one_and_in_a_word_there_is_none() {
        let mut lull = Lull::new();
        assert!(lull.is_now());
        let loud = |dbov| Level { dbov, loud: true, speaking: true };
        for dbov in [24, 20, 23, 26, 21, 21, 24] {
            lull.push(loud(dbov));
            assert!(!lull.is_now());
        }
        lull.push(Level { loud: false, ..loud(50) });
        assert!(lull.is_now(), "the speaker counts as speaking, but draws breath");
        lull.push(loud(20));
        for _ in 0..EVEN_TICKS {
            assert!(!lull.is_now());
            lull.push(loud(20));
        }
        assert!(lull.is_now());
    }
}
