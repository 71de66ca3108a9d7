//! Packets that wait for their time, in order, each once.
//!
//! Whether a packet is digital silence is looked at when it comes, while its bytes are at hand. Of
//! G.711 no more is kept of such a packet: most of what phones send is silence, and memory that is
//! not touched is what makes it cheap.

use audio::activity::payload_is_silence;

use crate::decoders::Voice;
use crate::limits::{BUFFERED_MS_MAX, PACKET_MS_MAX, PACKETS_BUFFERED_MAX, PAYLOAD_BYTES_MAX};
use crate::timeline::Position;

/// Sequence numbers behind the newest for which it is known whether they came: bits of a word.
const SEEN: i64 = 64;

/// A packet that waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    /// Its place.
    pub(crate) position: Position,
    /// Its length \[samples\]; zero if it carries no sound.
    pub(crate) samples: i64,
    /// Whether it is digital silence, as its bytes alone tell.
    pub(crate) silent: bool,
    /// In which codec it is.
    pub(crate) voice: Voice,
    slot: Slot,
    bytes: u16,
}

/// Where a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// In this slot.
    Kept(u16),
    /// Nowhere: it is the codec's silence.
    Silence,
}

/// Silence as long as any G.711 packet.
const fn silence(code: u8) -> [u8; 8 * PACKET_MS_MAX] {
    [code; 8 * PACKET_MS_MAX]
}

static PCMU_SILENCE: [u8; 8 * PACKET_MS_MAX] = silence(0xFF);
static PCMA_SILENCE: [u8; 8 * PACKET_MS_MAX] = silence(0xD5);

/// A codec's payload of silence, if it has one that stands for all.
fn silence_of(codec: audio::Codec) -> Option<&'static [u8]> {
    match codec {
        audio::Codec::Pcmu => Some(&PCMU_SILENCE),
        audio::Codec::Pcma => Some(&PCMA_SILENCE),
        audio::Codec::G722 | audio::Codec::Opus => None,
    }
}

/// Longest payload of a codec that is taken \[bytes\].
fn slot_bytes(codec: audio::Codec) -> usize {
    match codec {
        audio::Codec::Pcmu | audio::Codec::Pcma | audio::Codec::G722 => 8 * PACKET_MS_MAX,
        audio::Codec::Opus => PAYLOAD_BYTES_MAX,
    }
}

impl Waiting {
    /// Where its last sample ends.
    pub(crate) fn end(&self) -> i64 {
        self.position.at + self.samples
    }
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// It waits.
    Kept,
    /// It came before.
    Duplicate,
    /// Its time has passed.
    Late,
    /// Its payload is longer than any that the codec makes.
    TooLong,
}

/// One leg's packets.
#[derive(Debug)]
pub(crate) struct JitterBuffer {
    codec: audio::Codec,
    /// By sequence.
    waiting: Vec<Waiting>,
    /// Payloads, in slots, as far as they were ever needed: with little jitter a few of them are,
    /// and the others cost neither time nor cache.
    payloads: Vec<u8>,
    slot_bytes: usize,
    /// Slots that are there and not in use.
    free: Vec<u16>,
    samples: i64,
    samples_max: i64,
    newest: Option<i64>,
    /// Bit n: the packet n before the newest came.
    seen: u64,
}

impl JitterBuffer {
    /// An empty buffer for packets of the leg's own codec and of others.
    pub(crate) fn new(codec: audio::Codec, others: &[audio::Codec]) -> JitterBuffer {
        let bytes = others.iter().copied().map(slot_bytes);
        let slot_bytes = bytes.fold(slot_bytes(codec), usize::max);
        JitterBuffer {
            codec,
            waiting: Vec::with_capacity(PACKETS_BUFFERED_MAX),
            payloads: Vec::with_capacity(slot_bytes * PACKETS_BUFFERED_MAX),
            slot_bytes,
            // Last in, first out: with little jitter the same few slots are used again and again.
            free: Vec::with_capacity(PACKETS_BUFFERED_MAX),
            samples: 0,
            samples_max: BUFFERED_MS_MAX * i64::from(codec.rate_hz() / 1_000),
            newest: None,
            seen: 0,
        }
    }

    /// Takes a packet of so many samples. What was `played` and all before it is too late. If
    /// there is no room the oldest go.
    pub(crate) fn insert(
        &mut self,
        position: Position,
        samples: i64,
        (voice, payload): (Voice, &[u8]),
        played: Option<i64>,
    ) -> Inserted {
        let longest = match voice {
            Voice::Own => slot_bytes(self.codec),
            Voice::Other(_) => self.slot_bytes,
        };
        if payload.len() > longest {
            return Inserted::TooLong;
        }
        match self.note(position.sequence) {
            Inserted::Kept => {}
            refused @ (Inserted::Duplicate | Inserted::Late | Inserted::TooLong) => return refused,
        }
        if played.is_some_and(|played| position.sequence <= played) {
            return Inserted::Late;
        }
        while self.waiting.len() == PACKETS_BUFFERED_MAX || self.samples > self.samples_max {
            self.pop();
        }
        let silent = voice == Voice::Own && payload_is_silence(self.codec, payload);
        let slot = if silent && silence_of(self.codec).is_some() {
            Slot::Silence
        } else {
            let slot = self.free.pop().unwrap_or_else(|| self.next_slot());
            let start = usize::from(slot) * self.slot_bytes;
            self.payloads[start..start + payload.len()].copy_from_slice(payload);
            Slot::Kept(slot)
        };
        let bytes = payload.len() as u16;
        let place = self.waiting.partition_point(|w| w.position.sequence < position.sequence);
        self.waiting.insert(place, Waiting { position, samples, silent, voice, slot, bytes });
        self.samples += samples;
        Inserted::Kept
    }

    /// One more slot, of which there are as many as packets may wait.
    fn next_slot(&mut self) -> u16 {
        let end = self.payloads.len();
        debug_assert!(end < self.payloads.capacity(), "there is room for as many as may wait");
        self.payloads.resize(end + self.slot_bytes, 0);
        (end / self.slot_bytes) as u16
    }

    /// Notes that a packet came: kept if it is the first time.
    fn note(&mut self, sequence: i64) -> Inserted {
        let newest = *self.newest.get_or_insert(sequence - 1);
        let ahead = sequence - newest;
        if ahead > 0 {
            self.seen = if ahead < SEEN { self.seen << ahead | 1 } else { 1 };
            self.newest = Some(sequence);
        } else if -ahead >= SEEN {
            return Inserted::Late;
        } else if self.seen >> -ahead & 1 == 1 {
            return Inserted::Duplicate;
        } else {
            self.seen |= 1 << -ahead;
        }
        Inserted::Kept
    }

    /// Reads a word of each piece of memory that a packet or a tick needs.
    pub(crate) fn touch(&self) -> usize {
        let word = |packet: &Waiting| self.payload(packet).first().copied();
        self.waiting.first().and_then(word).map_or(0, usize::from)
    }

    /// The packet that is next.
    pub(crate) fn first(&self) -> Option<Waiting> {
        self.waiting.first().copied()
    }

    /// A waiting packet's payload.
    pub(crate) fn payload(&self, packet: &Waiting) -> &[u8] {
        let bytes = usize::from(packet.bytes);
        match packet.slot {
            Slot::Kept(slot) => &self.payloads[usize::from(slot) * self.slot_bytes..][..bytes],
            Slot::Silence => silence_of(self.codec).and_then(|all| all.get(..bytes)).unwrap_or(&[]),
        }
    }

    /// Lets the first packet go.
    pub(crate) fn pop(&mut self) {
        if !self.waiting.is_empty() {
            let packet = self.waiting.remove(0);
            if let Slot::Kept(slot) = packet.slot {
                self.free.push(slot);
            }
            self.samples -= packet.samples;
        }
    }

    /// Sound that waits \[samples\].
    #[cfg(test)]
    pub(crate) fn samples(&self) -> i64 {
        self.samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn insert(buffer: &mut JitterBuffer, sequence: i64, played: Option<i64>) -> Inserted {
        let position = Position { sequence, at: sequence * 160 };
        buffer.insert(position, 160, (Voice::Own, &[sequence as u8; 160]), played)
    }

    /// How many were ever needed.
    fn slots(buffer: &JitterBuffer) -> usize {
        buffer.payloads.len() / buffer.slot_bytes
    }

    fn drained(buffer: &mut JitterBuffer) -> Vec<(i64, u8)> {
        let mut packets = Vec::new();
        while let Some(packet) = buffer.first() {
            let first = buffer.payload(&packet).first().copied().unwrap_or(0);
            packets.push((packet.position.sequence, first));
            buffer.pop();
        }
        packets
    }

    #[test]
    fn packets_come_out_in_order_and_once() {
        let mut buffer = JitterBuffer::new(audio::Codec::Pcmu, &[]);
        let inserted = [3, 5, 4, 3, 5, 7].map(|sequence| insert(&mut buffer, sequence, Some(2)));
        use Inserted::{Duplicate, Kept};
        assert_eq!(inserted, [Kept, Kept, Kept, Duplicate, Duplicate, Kept]);
        assert_eq!(drained(&mut buffer), [(3, 3), (4, 4), (5, 5), (7, 7)]);
    }

    #[test]
    fn what_was_played_is_late_the_first_time_and_a_duplicate_the_second() {
        let mut buffer = JitterBuffer::new(audio::Codec::Pcmu, &[]);
        assert_eq!(insert(&mut buffer, 10, None), Inserted::Kept);
        assert_eq!(insert(&mut buffer, 9, Some(10)), Inserted::Late);
        assert_eq!(insert(&mut buffer, 9, Some(10)), Inserted::Duplicate);
        assert_eq!(insert(&mut buffer, 10, Some(10)), Inserted::Duplicate);
        assert_eq!(insert(&mut buffer, -60, Some(10)), Inserted::Late);
    }

    #[test]
    fn a_burst_pushes_the_oldest_out() {
        let mut buffer = JitterBuffer::new(audio::Codec::Pcmu, &[]);
        for sequence in 0..200 {
            assert_eq!(insert(&mut buffer, sequence, None), Inserted::Kept);
            assert!(buffer.samples() <= (BUFFERED_MS_MAX + 20) * 8);
        }
        assert_eq!(drained(&mut buffer).last(), Some(&(199, 199)));
        assert_eq!(buffer.samples(), 0);
        assert_eq!(buffer.free.len(), slots(&buffer));
    }

    #[test]
    fn packets_without_sound_are_bounded_too() {
        let mut buffer = JitterBuffer::new(audio::Codec::Opus, &[]);
        for sequence in 0..200 {
            let position = Position { sequence, at: 0 };
            assert_eq!(buffer.insert(position, 0, (Voice::Own, &[]), None), Inserted::Kept);
        }
        assert_eq!(drained(&mut buffer).len(), PACKETS_BUFFERED_MAX);
    }

    proptest! {
        #[test]
        fn whatever_comes_the_buffer_is_in_order_whole_and_bounded(
            packets in prop::collection::vec((0_i64..120, 0_i64..2, 0_usize..481), 0..400),
        ) {
            let mut buffer = JitterBuffer::new(audio::Codec::Pcmu, &[]);
            let mut played = None;
            for (sequence, take, length) in packets {
                let position = Position { sequence, at: sequence * 160 };
                let payload = vec![sequence as u8; length];
                buffer.insert(position, length as i64, (Voice::Own, &payload), played);
                if take == 1 && let Some(packet) = buffer.first() {
                    played = Some(packet.position.sequence);
                    buffer.pop();
                }
                let sequences = buffer.waiting.iter().map(|packet| packet.position.sequence);
                prop_assert!(sequences.is_sorted_by(|a, b| a < b));
                let first = buffer.first().map(|packet| packet.position.sequence);
                prop_assert!(first.is_none_or(|first| Some(first) > played));
                for packet in &buffer.waiting {
                    let payload = buffer.payload(packet);
                    prop_assert_eq!(payload.len() as i64, packet.samples);
                    prop_assert!(payload.iter().all(|b| *b == packet.position.sequence as u8));
                }
                prop_assert_eq!(buffer.free.len() + buffer.waiting.len(), slots(&buffer));
                prop_assert!(slots(&buffer) <= PACKETS_BUFFERED_MAX);
            }
        }
    }

    #[test]
    fn silence_takes_no_slot_and_is_there_when_it_is_asked_for() {
        let mut buffer = JitterBuffer::new(audio::Codec::Pcmu, &[]);
        for (sequence, code) in [(1, 0x7F), (2, 0xFF), (3, 0x80)] {
            let position = Position { sequence, at: sequence * 160 };
            let payload = [code; 160];
            let inserted = buffer.insert(position, 160, (Voice::Own, &payload), None);
            assert_eq!(inserted, Inserted::Kept);
        }
        assert_eq!((slots(&buffer), buffer.free.len()), (1, 0));
        for (silent, code) in [(true, 0xFF), (true, 0xFF), (false, 0x80)] {
            let packet = buffer.first().unwrap();
            assert_eq!(packet.silent, silent);
            assert_eq!(buffer.payload(&packet), [code; 160]);
            buffer.pop();
        }
        assert_eq!(buffer.free, [0]);
    }

    #[test]
    fn a_payload_that_no_codec_makes_is_refused() {
        let mut buffer = JitterBuffer::new(audio::Codec::Pcmu, &[]);
        let position = Position { sequence: 1, at: 0 };
        let inserted = buffer.insert(position, 481, (Voice::Own, &[0; 481]), None);
        assert_eq!(inserted, Inserted::TooLong);
    }
}
