//! Payloads that are known to be nothing, so that who is silent is not decoded.
//!
//! A codec with memory has no one payload for silence: libopus goes round through a few (two where
//! nobody ever spoke, up to eight after a word). Each was decoded once, in a decoder at rest, and
//! nothing was heard. While the decoder is at rest they are nothing again: what an Opus frame adds
//! to silence is bounded by gains and energies that are coded in it, and those of the frames before
//! only count for less (RFC 6716 sections 4.2.7.4 and 4.3.2.1). G.722 never repeats itself; its
//! decoder tells by the codes (`audio::Decoder::rests`).
//!
//! What the decoder does not see it does not remember. So it is shown the last payloads that were
//! left out before it decodes something else, and the first syllable comes out as it went in.

use audio::{Codec, Decoder};

use crate::limits::{
    HUSH_BYTES_MAX, HUSH_PAYLOADS_MAX, SILENT_PACKETS, WARM_BYTES_MAX, WARM_PACKETS_G722,
    WARM_PACKETS_OPUS,
};
use crate::spared::Spared;

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
    /// A few bits of each, which lie together: the others are looked at where these are the same.
    prints: [u32; HUSH_PAYLOADS_MAX],
    /// Whose place the next one takes.
    oldest: usize,
    /// Packets in a row that were nothing, up to [`SILENT_PACKETS`].
    inaudible: u32,
    /// What was left out at last, as far as it matters.
    left_out: Spared,
}

impl Hush {
    /// Nothing is known.
    pub(crate) fn new(codec: Codec) -> Hush {
        let warm_packets = match codec {
            Codec::Opus => WARM_PACKETS_OPUS,
            Codec::G722 => WARM_PACKETS_G722,
            // They remember nothing, and nothing of theirs is left out but to be forgotten.
            Codec::Pcmu | Codec::Pcma => 1,
        };
        let empty = Known { bytes: [0; HUSH_BYTES_MAX], length: 0 };
        Hush {
            known: vec![empty; HUSH_PAYLOADS_MAX].into_boxed_slice(),
            prints: [print(&[]); HUSH_PAYLOADS_MAX],
            oldest: 0,
            inaudible: 0,
            left_out: Spared::new(warm_packets, WARM_BYTES_MAX),
        }
    }

    /// Whether the decoder remembers nothing that could be heard.
    pub(crate) fn rests(&self) -> bool {
        self.inaudible >= SILENT_PACKETS
    }

    /// Whether a payload is one that decoded to silence before.
    pub(crate) fn knows(&self, payload: &[u8]) -> bool {
        self.find(payload).is_some()
    }

    /// Leaves a payload out if it is silence again.
    pub(crate) fn leaves_out(&mut self, decoder: &mut Decoder, payload: &[u8]) -> bool {
        (self.knows(payload) || decoder.rests(payload)) && self.leave_out(payload)
    }

    /// Leaves a payload out, given that the decoder rests; false if it is too long to be shown to
    /// it later.
    pub(crate) fn leave_out(&mut self, payload: &[u8]) -> bool {
        self.left_out.push(payload)
    }

    /// What the decoder has to see before it decodes anything else, oldest first.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = &[u8]> {
        self.left_out.iter()
    }

    /// A payload was decoded, after all that was left out: whether nothing was heard.
    pub(crate) fn decoded(&mut self, payload: &[u8], silent: bool) {
        self.left_out.clear();
        self.inaudible = if silent { (self.inaudible + 1).min(SILENT_PACKETS) } else { 0 };
        if silent && self.find(payload).is_none() {
            self.learn(payload);
        }
    }

    /// Something else was heard than a payload.
    pub(crate) fn disturb(&mut self) {
        self.inaudible = 0;
        self.left_out.clear();
    }

    fn learn(&mut self, payload: &[u8]) {
        let known = &mut self.known[self.oldest];
        if let Some(room) = known.bytes.get_mut(..payload.len()) {
            room.copy_from_slice(payload);
            known.length = payload.len();
            self.prints[self.oldest] = print(payload);
            self.oldest = (self.oldest + 1) % HUSH_PAYLOADS_MAX;
        }
    }

    fn find(&self, payload: &[u8]) -> Option<usize> {
        let wanted = print(payload);
        let alike = self.prints.iter().enumerate().filter(|(_, print)| **print == wanted);
        let known = alike.map(|(index, _)| index).find(|index| self.bytes(*index) == payload);
        known.filter(|_| !payload.is_empty())
    }

    fn bytes(&self, index: usize) -> &[u8] {
        let known = &self.known[index];
        &known.bytes[..known.length]
    }
}

/// What is likely to differ where payloads do.
fn print(payload: &[u8]) -> u32 {
    let words = payload.chunks(8).map(|part| {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        u64::from_le_bytes(word)
    });
    let mixed = words.fold(payload.len() as u64, |mixed, word| {
        (mixed ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
    });
    mixed as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves_out(hush: &mut Hush, payload: &[u8]) -> bool {
        hush.knows(payload) && hush.leave_out(payload)
    }

    fn at_rest(payloads: &[&[u8]]) -> Hush {
        let mut hush = Hush::new(Codec::Opus);
        for _ in 0..SILENT_PACKETS {
            payloads.iter().for_each(|payload| hush.decoded(payload, true));
        }
        assert!(hush.rests());
        hush
    }

    #[test]
    fn what_was_silent_is_left_out_and_shown_to_the_decoder_later() {
        let mut hush = at_rest(&[b"one", b"two"]);
        assert!(!leaves_out(&mut hush, b"three") && !leaves_out(&mut hush, b""));
        for _ in 0..10 {
            assert!(leaves_out(&mut hush, b"one") && leaves_out(&mut hush, b"two"));
        }
        assert!(hush.left_out().eq([&b"one"[..], b"two"].repeat(WARM_PACKETS_OPUS / 2)));
        hush.decoded(b"sound", false);
        assert!(
            !hush.rests() && hush.left_out().next().is_none() && !leaves_out(&mut hush, b"sound")
        );
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
            assert!(leaves_out(&mut hush, b"first"));
            hush.decoded(&[number; 9], true);
        }
        assert!(!leaves_out(&mut hush, b"first"));
        hush.decoded(&[1; HUSH_BYTES_MAX + 1], true);
        assert!(hush.rests() && !leaves_out(&mut hush, &[1; HUSH_BYTES_MAX + 1]));
        assert!(leaves_out(&mut hush, &[HUSH_PAYLOADS_MAX as u8 - 1; 9]));
    }
}
