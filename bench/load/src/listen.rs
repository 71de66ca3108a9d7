//! The ear: decodes what a leg heard, and says whether that is exactly whom it should hear.

use std::collections::BTreeSet;

use anyhow::Result;
use audio::Decoder;
use audio::limits::FRAME_SAMPLES_MAX;
use audio::tone::Ear;

use crate::clock::MS;
use crate::leg::{Captured, Leg};
use crate::limits::CONCEALED_MAX;
use crate::pump::Pump;
use crate::voice::{Schedule, TICK_MS, TONES_HZ, TURN_TICKS};

/// What the ear judges at a time \[ms\].
const WINDOW_MS: u64 = 400;

/// How long a change of talkers may take to reach a far leg \[ms\]: two jitter buffers, and a
/// codec's memory. What is heard meanwhile is not judged.
const CHANGE_MS: u64 = 300;

/// What an ear said of one leg.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Windows of 400 ms that were judged.
    pub(crate) judged: u64,
    /// Those in which somebody was missing, or somebody was heard who should not be.
    pub(crate) wrong: u64,
    /// What was wrong first: in which of the windows, tones expected, tones heard.
    pub(crate) first_wrong: Option<(u64, BTreeSet<usize>, BTreeSet<usize>)>,
}

impl Verdict {
    /// Whether the leg heard exactly whom it should, all the time.
    pub(crate) fn right(&self) -> bool {
        self.judged > 0 && self.wrong == 0
    }
}

/// Legs whose hearing is checked: in the first, the middle and the last room all talkers up to
/// three, two listeners and the last leg.
pub(crate) fn sample(rooms: usize, legs: usize, talkers: usize) -> BTreeSet<(usize, usize)> {
    let rooms = [0, rooms / 2, rooms - 1];
    let places = (0..talkers.min(3)).chain(talkers..talkers + 2).chain([legs - 1]);
    let places: Vec<usize> = places.filter(|place| *place < legs).collect();
    rooms.iter().flat_map(|room| places.iter().map(move |place| (*room, *place))).collect()
}

/// Judges what a leg captured.
pub(crate) fn judge(leg: &Leg, pump: &Pump, schedule: Schedule) -> Result<Option<Verdict>> {
    let Some(captured) = &leg.captured else { return Ok(None) };
    let mut in_order: Vec<&Captured> = captured.iter().collect();
    in_order.sort_by_key(|packet| packet.sequence);
    in_order.dedup_by_key(|packet| packet.sequence);

    let mut decoder = Decoder::new(leg.codec)?;
    let mut ear = Ear::new(&TONES_HZ, leg.codec.rate_hz());
    let mut pcm = vec![0; FRAME_SAMPLES_MAX];
    let mut windows = Vec::new();
    let mut next: Option<u64> = None;
    for packet in in_order {
        let missing = next.map_or(0, |next| packet.sequence.saturating_sub(next));
        for _ in 0..missing.min(CONCEALED_MAX) {
            let gap = &mut pcm[..leg.codec.samples(TICK_MS)];
            decoder.conceal(gap);
            windows.extend(ear.push(gap).map(|heard| (packet.at_ns, heard)));
        }
        next = Some(packet.sequence + 1);
        let samples = decoder.decode(&packet.payload, &mut pcm).unwrap_or(0);
        windows.extend(ear.push(&pcm[..samples]).map(|heard| (packet.at_ns, heard)));
    }

    let mut verdict = Verdict::default();
    // What was captured begins in the middle of a stream: codecs with memory, Opus above all, take
    // a few packets until they are right, and the first window holds those.
    for (end_ns, heard) in windows.into_iter().skip(1) {
        let Some(expected) = expected(leg, pump, schedule, end_ns) else { continue };
        let heard: BTreeSet<usize> = heard.iter().collect();
        verdict.judged += 1;
        if heard != expected {
            verdict.wrong += 1;
            verdict.first_wrong.get_or_insert((verdict.judged, expected, heard));
        }
    }
    Ok(Some(verdict))
}

/// The tones that a leg should have heard in a window that ended at a time: those of the others in
/// its room who spoke all the time. `None` if that changed meanwhile.
fn expected(leg: &Leg, pump: &Pump, schedule: Schedule, end_ns: u64) -> Option<BTreeSet<usize>> {
    let first = pump.tick_at(end_ns.saturating_sub((WINDOW_MS + CHANGE_MS) * MS));
    let last = pump.tick_at(end_ns);
    if schedule.turns && first / TURN_TICKS != last / TURN_TICKS {
        return None;
    }
    let others = (0..schedule.talkers).filter(|talker| *talker != leg.place);
    let speaking = others.filter(|talker| schedule.speaks(*talker, last));
    Some(speaking.map(|talker| schedule.tone(leg.room, talker)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voice::Loops;
    use audio::limits::PAYLOAD_BYTES_MAX;
    use audio::{Codec, Encoder, EncoderSettings};

    const SCHEDULE: Schedule = Schedule { talkers: 2, turns: false };

    /// A leg of room 0 that has captured the loop of talker `of`, as if it were alone there.
    fn leg_that_heard(place: usize, of: usize, without: std::ops::Range<u64>) -> (Leg, Pump) {
        let speech = Loops::new(SCHEDULE).of(Codec::Pcmu, 0, of).unwrap();
        let mut leg = Leg::new(0, place, Codec::Pcmu, speech.clone()).unwrap();
        let packets = (0..200_u64).filter(|sequence| !without.contains(sequence));
        leg.captured = Some(
            packets
                .map(|sequence| {
                    let payload = speech[sequence as usize % speech.len()].clone();
                    Captured { sequence, at_ns: sequence * 20 * MS, payload }
                })
                .collect(),
        );
        (leg, Pump::new(Vec::new()).unwrap())
    }

    #[test]
    fn a_talker_who_hears_the_other_one_is_right() {
        let (leg, pump) = leg_that_heard(0, 1, 0..0);
        let verdict = judge(&leg, &pump, SCHEDULE).unwrap().unwrap();
        assert!(verdict.right() && verdict.judged >= 9, "{verdict:?}");
    }

    #[test]
    fn a_talker_who_hears_itself_is_wrong() {
        let (leg, pump) = leg_that_heard(0, 0, 0..0);
        let verdict = judge(&leg, &pump, SCHEDULE).unwrap().unwrap();
        assert_eq!(verdict.wrong, verdict.judged);
        assert_eq!(verdict.first_wrong, Some((1, BTreeSet::from([1]), BTreeSet::from([0]))));
    }

    #[test]
    fn a_listener_who_misses_one_is_wrong() {
        let (leg, pump) = leg_that_heard(2, 1, 0..0);
        assert!(!judge(&leg, &pump, SCHEDULE).unwrap().unwrap().right());
    }

    #[test]
    fn a_second_without_packets_is_wrong() {
        let (leg, pump) = leg_that_heard(0, 1, 80..130);
        let verdict = judge(&leg, &pump, SCHEDULE).unwrap().unwrap();
        assert!(!verdict.right() && verdict.wrong < verdict.judged, "{verdict:?}");
    }

    #[test]
    fn who_captured_nothing_is_not_right() {
        assert!(!Verdict::default().right());
    }

    #[test]
    fn the_sample_holds_talkers_and_listeners_of_several_rooms() {
        assert_eq!(sample(1, 2, 1), BTreeSet::from([(0, 0), (0, 1)]));
        assert_eq!(sample(100, 3, 2).len(), 9);
        assert_eq!(sample(1, 400, 3).len(), 6);
    }

    /// Each pair of neighbouring talkers is mixed and encoded once more, as a conference does.
    #[test]
    fn two_talkers_are_told_through_two_generations_of_opus() {
        let mut wrong = Vec::new();
        for room in 0..TONES_HZ.len() / 2 {
            let mut loops = Loops::new(SCHEDULE);
            let voices = [0, 1].map(|place| loops.of(Codec::Opus, room, place).unwrap());
            let mut decoders = [(); 3].map(|()| Decoder::new(Codec::Opus).unwrap());
            let mut encoder = Encoder::new(EncoderSettings::of(Codec::Opus)).unwrap();
            let mut ear = Ear::new(&TONES_HZ, 48_000);
            let expected = BTreeSet::from([0, 1].map(|place| SCHEDULE.tone(room, place)));
            for tick in 0..500 {
                let mut bus = vec![0_i16; 960];
                for (voice, decoder) in voices.iter().zip(&mut decoders) {
                    let mut pcm = vec![0; FRAME_SAMPLES_MAX];
                    decoder.decode(&voice[tick % voice.len()], &mut pcm).unwrap();
                    bus.iter_mut().zip(&pcm).for_each(|(bus, sample)| *bus += sample);
                }
                let mut payload = [0; PAYLOAD_BYTES_MAX];
                let bytes = encoder.encode(&bus, &mut payload);
                let mut pcm = vec![0; FRAME_SAMPLES_MAX];
                let samples = decoders[2].decode(&payload[..bytes], &mut pcm).unwrap();
                if let Some(heard) = ear.push(&pcm[..samples])
                    && tick > 50
                    && heard.iter().collect::<BTreeSet<_>>() != expected
                {
                    wrong.push((room, tick));
                }
            }
        }
        assert_eq!(wrong, Vec::new());
    }
}
