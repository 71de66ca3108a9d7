//! Samples between the decoder, which works in packets, and the tick, which takes 20 ms.

use crate::limits::FIFO_MS;
use crate::stretch;

/// One leg's decoded samples.
#[derive(Debug)]
pub(crate) struct Fifo {
    samples: Box<[i16]>,
    start: usize,
    end: usize,
    /// How many of the samples from the front on may be more than silence. Where none is, what
    /// the memory holds says nothing: it is not touched for silence until sound follows.
    sound: usize,
    /// Whether what came in last was more than silence.
    goes_on: bool,
    per_ms: usize,
}

impl Fifo {
    /// An empty one; `per_ms` samples are a millisecond.
    pub(crate) fn new(per_ms: usize) -> Fifo {
        let samples = vec![0; FIFO_MS * per_ms].into_boxed_slice();
        Fifo { samples, start: 0, end: 0, sound: 0, goes_on: false, per_ms }
    }

    /// Samples in it.
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Reads a word of the memory that a tick needs.
    pub(crate) fn touch(&self) -> usize {
        self.samples.get(self.start).map_or(0, |sample| *sample as usize)
    }

    /// Whether all in it is silence.
    pub(crate) fn is_silent(&self) -> bool {
        self.sound == 0
    }

    /// Whether what comes in next follows a sound.
    pub(crate) fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// How loud the sound is that a stretch would touch \[-dBov\].
    pub(crate) fn level_dbov(&self) -> u8 {
        let length = self.len().min(stretch::NEEDED_MS * self.per_ms);
        audio::activity::level_dbov(&self.samples[self.start..self.start + length])
    }

    /// Room for so many samples behind the last; none if there is not so much.
    pub(crate) fn room(&mut self, length: usize) -> Option<&mut [i16]> {
        if self.is_silent() {
            self.make_way(length);
            self.samples[self.start..self.end].fill(0);
        } else {
            self.make_way(length);
        }
        self.samples.get_mut(self.end..self.end + length)
    }

    /// Moves what is here to the beginning, if there is not so much room behind it.
    fn make_way(&mut self, length: usize) {
        if self.end + length > self.samples.len() {
            if !self.is_silent() {
                self.samples.copy_within(self.start..self.end, 0);
            }
            self.end -= self.start;
            self.start = 0;
        }
    }

    /// Takes over what was written into the room, but for its first samples.
    pub(crate) fn commit(&mut self, length: usize, skipped: usize, silent: bool) {
        if skipped > 0 {
            self.samples.copy_within(self.end + skipped..self.end + length, self.end);
        }
        self.end += length - skipped;
        self.goes_on = !silent;
        if !silent {
            self.sound = self.len();
        }
    }

    /// Adds silence; false if there is no room for it.
    pub(crate) fn push_silence(&mut self, length: usize) -> bool {
        self.make_way(length);
        let fits = self.end + length <= self.samples.len();
        self.goes_on = false;
        if fits {
            if !self.is_silent() {
                self.samples[self.end..self.end + length].fill(0);
            }
            self.end += length;
        }
        fits
    }

    /// Moves the first samples into a tick's frame. If they are silence the frame stays as it is,
    /// and this is false.
    pub(crate) fn pop(&mut self, out: &mut [i16]) -> bool {
        let length = out.len().min(self.len());
        let sounds = !self.is_silent();
        if sounds {
            out[..length].copy_from_slice(&self.samples[self.start..self.start + length]);
            out[length..].fill(0);
        }
        self.drop_front(length);
        sounds
    }

    /// Drops the first samples.
    pub(crate) fn drop_front(&mut self, length: usize) {
        self.start += length.min(self.len());
        self.sound = self.sound.saturating_sub(length);
        if self.start == self.end {
            (self.start, self.end, self.sound) = (0, 0, 0);
        }
    }

    /// Empties it.
    pub(crate) fn clear(&mut self) {
        (self.start, self.end, self.sound) = (0, 0, 0);
        self.goes_on = false;
    }

    /// Takes one pitch period out of the front; nothing if there is too little to compare.
    pub(crate) fn shorten(&mut self) {
        let lag = stretch::shorten(&mut self.samples[self.start..self.end], self.per_ms);
        self.drop_front(lag);
    }

    /// Puts one pitch period more into the front; nothing if there is too little to compare, or no
    /// room.
    pub(crate) fn lengthen(&mut self) {
        let most = stretch::LAG_MS_MAX * self.per_ms;
        if self.start < most {
            if self.end + most - self.start > self.samples.len() {
                return;
            }
            let shift = most - self.start;
            self.samples.copy_within(self.start..self.end, most);
            self.start += shift;
            self.end += shift;
        }
        let lag = stretch::lengthen(&mut self.samples[..self.end], self.start, self.per_ms);
        self.start -= lag;
        if self.sound > 0 {
            self.sound += lag;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_out_as_they_went_in_and_silence_is_known() {
        let mut fifo = Fifo::new(8);
        let mut out = [1; 160];
        for round in 0..50 {
            fifo.push_silence(80);
            fifo.room(160).unwrap().fill(round);
            fifo.commit(160, 60, false);
            assert_eq!(fifo.len(), 180);
            assert!(fifo.pop(&mut out[..80]));
            assert_eq!(out[..80], [0; 80]);
            assert!(fifo.pop(&mut out[..100]));
            assert_eq!(out[..100], [round; 100]);
            assert!(fifo.is_silent() && !fifo.pop(&mut out));
            assert_eq!(out[..100], [round; 100], "untouched");
        }
    }

    #[test]
    fn there_is_no_more_room_than_there_is() {
        let mut fifo = Fifo::new(8);
        assert!(fifo.push_silence(FIFO_MS * 8 - 10) && !fifo.push_silence(11));
        assert!(fifo.room(11).is_none());
        assert!(fifo.room(10).is_some());
    }

    #[test]
    fn silence_that_was_never_written_is_silence_when_sound_follows() {
        let mut fifo = Fifo::new(8);
        fifo.room(FIFO_MS * 8).unwrap().fill(7);
        fifo.commit(FIFO_MS * 8, 0, false);
        fifo.drop_front(FIFO_MS * 8 - 8);
        assert!(fifo.push_silence(80));
        fifo.drop_front(8);
        assert!(fifo.is_silent() && fifo.push_silence(FIFO_MS * 8 - 160));
        fifo.room(80).unwrap().fill(9);
        fifo.commit(80, 0, false);
        let mut out = [1; FIFO_MS * 8];
        assert!(fifo.pop(&mut out));
        assert!(out[..FIFO_MS * 8 - 80].iter().all(|sample| *sample == 0));
        assert_eq!(out[FIFO_MS * 8 - 80..], [9; 80]);
    }

    #[test]
    fn stretching_changes_the_length_by_a_period() {
        let mut fifo = Fifo::new(8);
        let room = fifo.room(400).unwrap();
        for (index, sample) in room.iter_mut().enumerate() {
            *sample = (index % 80) as i16; // 100 Hz
        }
        fifo.commit(400, 0, false);
        fifo.shorten();
        assert_eq!(fifo.len() % 80, 0);
        let shorter = fifo.len();
        assert!(shorter < 400);
        fifo.lengthen();
        assert!(fifo.len() > shorter && fifo.len().is_multiple_of(80));
        let mut out = [0; 240];
        fifo.pop(&mut out);
        assert!((0..240).all(|index| out[index] == (index % 80) as i16));
    }
}
