//! Payloads that are known to be nothing, so that who is silent is not decoded.
//!
//! A codec with memory has no one payload for silence: libopus goes round through a few (two where
//! nobody ever spoke, up to eight after a word). Each was decoded once, in a decoder at rest, and
//! nothing was heard. While the decoder is at rest they are nothing again: what an Opus frame adds
//! to silence is bounded by gains and energies that are coded in it, and those of the frames before
//! only count for less (RFC 6716 sections 4.2.7.4 and 4.3.2.1).
//!
//! What the decoder does not see it does not remember. So it is shown the last payloads that were
//! left out before it decodes something else, and the first syllable comes out as it went in.

use crate::limits::{HUSH_BYTES_MAX, HUSH_PAYLOADS_MAX, SILENT_PACKETS, WARM_PACKETS_MAX};

/// A payload that decoded to silence.
#[derive(Debug, Clone, Copy)]
struct Known {
    bytes: [u8; HUSH_BYTES_MAX],
    length: usize,
}

/// One leg's silence.
#[derive(Debug)]
pub(crate) struct Hush {
    known: Box<[Known]>,
    /// Whose place the next one takes.
    oldest: usize,
    /// Packets in a row that were nothing, up to [`SILENT_PACKETS`].
    inaudible: u32,
    /// Which known payloads were left out at last, as far as they matter; oldest first.
    left_out: [usize; WARM_PACKETS_MAX],
    left_out_count: usize,
}

impl Hush {
    /// Nothing is known.
    pub(crate) fn new() -> Hush {
        let empty = Known { bytes: [0; HUSH_BYTES_MAX], length: 0 };
        Hush {
            known: vec![empty; HUSH_PAYLOADS_MAX].into_boxed_slice(),
            oldest: 0,
            inaudible: 0,
            left_out: [0; WARM_PACKETS_MAX],
            left_out_count: 0,
        }
    }

    /// Whether the decoder remembers nothing that could be heard.
    pub(crate) fn rests(&self) -> bool {
        self.inaudible >= SILENT_PACKETS
    }

    /// Whether a payload can be left out, given that the decoder rests. If so, that is noted.
    pub(crate) fn leaves_out(&mut self, payload: &[u8]) -> bool {
        let Some(index) = self.find(payload) else { return false };
        if self.left_out_count == WARM_PACKETS_MAX {
            self.left_out.rotate_left(1);
            self.left_out_count -= 1;
        }
        self.left_out[self.left_out_count] = index;
        self.left_out_count += 1;
        true
    }

    /// What the decoder has to see before it decodes anything else, oldest first.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = &[u8]> {
        self.left_out[..self.left_out_count].iter().map(|index| self.bytes(*index))
    }

    /// A payload was decoded, after all that was left out: whether nothing was heard.
    pub(crate) fn decoded(&mut self, payload: &[u8], silent: bool) {
        self.left_out_count = 0;
        self.inaudible = if silent { (self.inaudible + 1).min(SILENT_PACKETS) } else { 0 };
        if silent && self.find(payload).is_none() {
            self.learn(payload);
        }
    }

    /// Something else was heard than a payload.
    pub(crate) fn disturb(&mut self) {
        (self.inaudible, self.left_out_count) = (0, 0);
    }

    fn learn(&mut self, payload: &[u8]) {
        let known = &mut self.known[self.oldest];
        if let Some(room) = known.bytes.get_mut(..payload.len()) {
            room.copy_from_slice(payload);
            known.length = payload.len();
            self.oldest = (self.oldest + 1) % HUSH_PAYLOADS_MAX;
        }
    }

    fn find(&self, payload: &[u8]) -> Option<usize> {
        let known = (0..HUSH_PAYLOADS_MAX).find(|index| self.bytes(*index) == payload);
        known.filter(|_| !payload.is_empty())
    }

    fn bytes(&self, index: usize) -> &[u8] {
        let known = &self.known[index];
        &known.bytes[..known.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_rest(payloads: &[&[u8]]) -> Hush {
        let mut hush = Hush::new();
        for _ in 0..SILENT_PACKETS {
            payloads.iter().for_each(|payload| hush.decoded(payload, true));
        }
        assert!(hush.rests());
        hush
    }

    #[test]
    fn what_was_silent_is_left_out_and_shown_to_the_decoder_later() {
        let mut hush = at_rest(&[b"one", b"two"]);
        assert!(!hush.leaves_out(b"three") && !hush.leaves_out(b""));
        for _ in 0..10 {
            assert!(hush.leaves_out(b"one") && hush.leaves_out(b"two"));
        }
        assert!(hush.left_out().eq([&b"one"[..], b"two"].repeat(WARM_PACKETS_MAX / 2)));
        hush.decoded(b"sound", false);
        assert!(!hush.rests() && hush.left_out().next().is_none() && !hush.leaves_out(b"sound"));
    }

    #[test]
    fn a_sound_or_a_loss_ends_the_rest() {
        let mut hush = at_rest(&[b"one"]);
        hush.disturb();
        assert!(!hush.rests());
        for _ in 1..SILENT_PACKETS {
            hush.decoded(b"one", true);
            assert!(!hush.rests());
        }
        hush.decoded(b"one", false);
        assert!(!hush.rests());
    }

    #[test]
    fn the_oldest_are_forgotten_and_long_ones_never_learnt() {
        let mut hush = at_rest(&[b"first"]);
        for number in 0..HUSH_PAYLOADS_MAX as u8 {
            assert!(hush.leaves_out(b"first"));
            hush.decoded(&[number; 9], true);
        }
        assert!(!hush.leaves_out(b"first"));
        hush.decoded(&[1; HUSH_BYTES_MAX + 1], true);
        assert!(hush.rests() && !hush.leaves_out(&[1; HUSH_BYTES_MAX + 1]));
        assert!(hush.leaves_out(&[HUSH_PAYLOADS_MAX as u8 - 1; 9]));
    }
}
