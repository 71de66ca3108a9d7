//! The keys that are pressed for a leg's far end to hear, in place of its sound while one is down.
//!
//! As telephone-events where those were agreed on (RFC 4733), else as tones in the sound. Either
//! way that one leg hears them, and nobody else: what goes out to it is changed, not what is mixed.

use audio::dtmf::DtmfTone;
use model::limits::DIGITS_MAX;
use model::{Connection, Digits};
use wire::telephone_event::{Key, Keystroke, PAYLOAD_BYTES};

use crate::limits::{KEY_GAP_TICKS, KEY_MS, KEY_TICKS, KEYS_QUEUED_MAX, TICK_MS};
use crate::outgoing::Sender;
use crate::port::Port;
use crate::rate::{Rate, audio_codec};

/// Keys of one order.
#[derive(Clone, Copy)]
pub(crate) struct Strokes {
    keys: [Option<Key>; DIGITS_MAX],
    count: usize,
}

impl Strokes {
    pub(crate) fn of(digits: &Digits) -> Strokes {
        let mut keys = [None; DIGITS_MAX];
        for (place, key) in keys.iter_mut().zip(digits.keys()) {
            *place = Key::from_char(key);
        }
        Strokes { keys, count: digits.count().min(DIGITS_MAX) }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

/// The keys that are pressed on a leg.
pub(crate) struct Pressing {
    /// Those that wait, in a ring.
    waiting: [Option<Key>; KEYS_QUEUED_MAX],
    first: usize,
    count: usize,
    now: Now,
}

/// What is done in this tick.
enum Now {
    /// Nothing.
    Idle,
    /// A key is down, in packets of its own that count from the tick in which it went down.
    Event { stroke: Keystroke, ticks: u32 },
    /// A key sounds for so many more ticks.
    Tone { tone: DtmfTone, ticks: u32 },
    /// No key is down for so many more ticks.
    Gap { ticks: u32 },
}

/// A packet of a telephone-event.
pub(crate) struct EventPacket {
    /// It is the first of its event.
    pub(crate) marker: bool,
    /// Where its segment began, before this tick's first sample \[RTP clock ticks\].
    pub(crate) before: u32,
    pub(crate) payload: [u8; PAYLOAD_BYTES],
}

impl Pressing {
    pub(crate) fn new() -> Pressing {
        Pressing { waiting: [None; KEYS_QUEUED_MAX], first: 0, count: 0, now: Now::Idle }
    }

    /// Lets keys wait for their turn; false if not all of them have room, then none is pressed.
    pub(crate) fn press(&mut self, strokes: &Strokes) -> bool {
        if strokes.count > KEYS_QUEUED_MAX - self.count {
            return false;
        }
        for key in &strokes.keys[..strokes.count] {
            self.waiting[(self.first + self.count) % KEYS_QUEUED_MAX] = *key;
            self.count += 1;
        }
        true
    }

    /// Lets go of the key that is down, and forgets those that wait: so many.
    pub(crate) fn clear(&mut self) -> usize {
        self.now = Now::Idle;
        std::mem::take(&mut self.count)
    }

    /// Goes on with the keys of a link that was before. The one that was down is up.
    pub(crate) fn succeed(&mut self, before: &mut Pressing) {
        std::mem::swap(self, before);
        if !matches!(self.now, Now::Idle) {
            self.now = Now::Gap { ticks: KEY_GAP_TICKS };
        }
    }

    /// Whether nothing is pressed, and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.count == 0 && matches!(self.now, Now::Idle)
    }

    /// Whether this leg's sound is what is pressed.
    pub(crate) fn sounds(&self, terms: &Connection) -> bool {
        terms.telephone_event.is_none() && !self.is_idle()
    }

    /// Takes the next key, if none is down.
    fn begin(&mut self, terms: &Connection) {
        if !matches!(self.now, Now::Idle) || self.count == 0 {
            return;
        }
        let key = self.waiting[self.first].take();
        self.first = (self.first + 1) % KEYS_QUEUED_MAX;
        self.count -= 1;
        let Some(key) = key else { return };
        self.now = match terms.telephone_event {
            Some(event) => {
                let stroke = Keystroke::new(key, KEY_MS, event.clock_rate_hz, TICK_MS as u16);
                Now::Event { stroke, ticks: 0 }
            }
            None => match DtmfTone::new(key.to_char(), Rate::of_codec(terms.codec).hz()) {
                Some(tone) => Now::Tone { tone, ticks: KEY_TICKS },
                None => Now::Idle,
            },
        };
    }

    /// This tick's packet, if a key is down that is told in packets.
    pub(crate) fn packet(&mut self, terms: &Connection) -> Option<EventPacket> {
        let event_hz = terms.telephone_event?.clock_rate_hz.max(1);
        self.begin(terms);
        let Now::Event { stroke, ticks } = &mut self.now else {
            self.wait();
            return None;
        };
        let Some(packet) = stroke.next() else {
            self.now = Now::Gap { ticks: KEY_GAP_TICKS };
            self.wait();
            return None;
        };
        // Sound and events may have clocks of their own; the stream's timestamps have one.
        let clock_hz = audio_codec(terms.codec).rtp_clock_hz();
        let per_tick = clock_hz / 1_000 * TICK_MS as u32;
        let offset = u64::from(packet.timestamp_offset) * u64::from(clock_hz) / u64::from(event_hz);
        let before = (*ticks * per_tick).saturating_sub(offset as u32);
        *ticks += 1;
        Some(EventPacket { marker: packet.marker, before, payload: packet.payload })
    }

    /// Fills this tick's sound if keys are pressed as tones: with the one that is down, or with the
    /// silence between two.
    pub(crate) fn fill(&mut self, terms: &Connection, out: &mut [i16]) -> bool {
        if !self.sounds(terms) {
            return false;
        }
        self.begin(terms);
        match &mut self.now {
            Now::Tone { tone, ticks } => {
                tone.fill(out);
                *ticks -= 1;
                if *ticks == 0 {
                    self.now = Now::Gap { ticks: KEY_GAP_TICKS };
                }
            }
            Now::Idle | Now::Event { .. } | Now::Gap { .. } => {
                out.fill(0);
                self.wait();
            }
        }
        true
    }

    /// A tick of the gap passes.
    fn wait(&mut self) {
        self.now = match &self.now {
            Now::Gap { ticks } if *ticks > 1 => Now::Gap { ticks: ticks - 1 },
            Now::Gap { .. } | Now::Idle | Now::Event { .. } | Now::Tone { .. } => Now::Idle,
        };
    }
}

impl Port {
    /// Sends what is pressed in place of this tick's sound; false if that goes as ever.
    pub(crate) fn press(&mut self, pcm: &mut [i16], sender: &mut Sender<'_>) -> bool {
        let Some(link) = &mut self.link else { return false };
        let samples = link.rate().per_tick();
        if link.pressing.fill(&link.terms, &mut pcm[..samples]) {
            self.send_private(&pcm[..samples], sender);
            return true;
        }
        match (link.pressing.packet(&link.terms), link.terms.telephone_event) {
            (Some(packet), Some(event)) => {
                self.pause();
                sender.send_event(&mut self.outgoing, event.payload_type, &packet);
                true
            }
            (None, _) | (_, None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_refused_as_a_whole() {
        let mut pressing = Pressing::new();
        let strokes = Strokes::of(&"0123456789*#ABCD".parse().unwrap());
        let rounds = KEYS_QUEUED_MAX / strokes.count();
        assert!((0..rounds).all(|_| pressing.press(&strokes)));
        assert!(!pressing.press(&strokes));
        assert_eq!(pressing.clear(), KEYS_QUEUED_MAX);
        assert!(pressing.is_idle() && pressing.press(&strokes));
    }
}
