//! What legs say: loops of payloads, encoded before anything is measured.

use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::Result;
use audio::limits::PAYLOAD_BYTES_MAX;
use audio::tone::Sine;
use audio::{Codec, Encoder, EncoderSettings};

/// Length of a packet and of a tick \[ms\].
pub(crate) const TICK_MS: u32 = 20;

/// The talkers' tones \[Hz\]. None is three times another: what G.711 adds to a tone is odd
/// harmonics, and an ear must not take them for a talker. Whole numbers, so that a loop of whole
/// seconds has no seam.
pub(crate) const TONES_HZ: [f64; 12] =
    [437.0, 509.0, 577.0, 653.0, 727.0, 809.0, 877.0, 953.0, 1031.0, 1103.0, 1181.0, 1259.0];

/// Peak of a tone: three of them together are far from full scale.
const AMPLITUDE: i16 = 6_000;

/// How long one talker speaks where they take turns \[ticks\]: 2 s.
pub(crate) const TURN_TICKS: u64 = 100;

/// Length of a loop that never changes \[ticks\]: 2 s.
const LOOP_TICKS: u64 = 100;

/// Payloads, one a tick, over and over.
pub(crate) type Loop = Rc<Vec<Vec<u8>>>;

/// Who talks in each room, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// The first so many legs of each room talk.
    pub(crate) talkers: usize,
    /// One at a time instead of all at once.
    pub(crate) turns: bool,
}

impl Schedule {
    /// The tone of a talker, by its place in [`TONES_HZ`]. Neighbouring rooms have other tones, so
    /// that an ear notices a voice that came through the wall.
    pub(crate) fn tone(self, room: usize, talker: usize) -> usize {
        (room * self.talkers + talker) % TONES_HZ.len()
    }

    /// Whether the leg at this place in its room speaks at a tick.
    pub(crate) fn speaks(self, place: usize, tick: u64) -> bool {
        let turn = || (tick / TURN_TICKS) % self.talkers as u64;
        place < self.talkers && (!self.turns || turn() == place as u64)
    }

    fn ticks(self) -> u64 {
        if self.turns { TURN_TICKS * self.talkers as u64 } else { LOOP_TICKS }
    }
}

/// All loops that were asked for so far; legs that say the same share one.
pub(crate) struct Loops {
    schedule: Schedule,
    known: BTreeMap<(Codec, Option<(usize, usize)>), Loop>,
}

impl Loops {
    pub(crate) fn new(schedule: Schedule) -> Loops {
        Loops { schedule, known: BTreeMap::new() }
    }

    /// What a leg says, by its room and its place there.
    pub(crate) fn of(&mut self, codec: Codec, room: usize, place: usize) -> Result<Loop> {
        let talks = place < self.schedule.talkers;
        let voice = talks.then(|| (self.schedule.tone(room, place), place));
        if let Some(known) = self.known.get(&(codec, voice)) {
            return Ok(Rc::clone(known));
        }
        let encoded = Rc::new(encode(codec, voice, self.schedule)?);
        self.known.insert((codec, voice), Rc::clone(&encoded));
        Ok(encoded)
    }
}

/// Encodes a loop twice and keeps the second time, so that its end leads into its beginning for
/// codecs with memory too.
fn encode(codec: Codec, voice: Option<(usize, usize)>, schedule: Schedule) -> Result<Vec<Vec<u8>>> {
    let mut encoder = Encoder::new(EncoderSettings::of(codec))?;
    let mut sine = voice.map(|(tone, _)| Sine::new(TONES_HZ[tone], AMPLITUDE, codec.rate_hz()));
    let mut pcm = vec![0; codec.samples(TICK_MS)];
    let mut payload = [0; PAYLOAD_BYTES_MAX];
    let mut payloads = Vec::new();
    for tick in 0..2 * schedule.ticks() {
        pcm.fill(0);
        if let (Some(sine), Some((_, place))) = (&mut sine, voice)
            && schedule.speaks(place, tick)
        {
            sine.fill(&mut pcm);
        }
        let bytes = encoder.encode(&pcm, &mut payload);
        if tick >= schedule.ticks() {
            payloads.push(payload[..bytes].to_vec());
        }
    }
    Ok(payloads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_talker_at_a_time_speaks_and_listeners_never_do() {
        let schedule = Schedule { talkers: 2, turns: true };
        for tick in 0..1_000 {
            let speaking: Vec<usize> =
                (0..4).filter(|place| schedule.speaks(*place, tick)).collect();
            assert_eq!(speaking, vec![(tick / TURN_TICKS % 2) as usize], "tick {tick}");
        }
    }

    #[test]
    fn no_tone_is_a_low_odd_harmonic_of_another() {
        for one in TONES_HZ {
            assert!(TONES_HZ.iter().all(|other| (other - 3.0 * one).abs() > 24.0));
            assert_eq!(one.fract(), 0.0);
        }
    }

    #[test]
    fn listeners_send_digital_silence() {
        let mut loops = Loops::new(Schedule { talkers: 1, turns: false });
        let silence = loops.of(Codec::Pcmu, 0, 1).unwrap();
        assert!(silence.iter().all(|payload| payload == &vec![0xff; 160]));
        let tone = loops.of(Codec::Pcmu, 0, 0).unwrap();
        assert_eq!((silence.len(), tone.len()), (100, 100));
        assert!(tone.iter().all(|payload| payload != &vec![0xff; 160]));
    }
}
