//! No change of the routing and no change of the encoder can be heard.

use crate::world::*;
use model::{
    Chance, Codec, EarGroup, Gain, Hearing, LegId, MediaOrder, Place, Routing, VoiceGroup,
};

/// Low tones, so that a step of a sample or two out of place stands out of the tone's own bends.
const LOW_HZ: [f64; 3] = [203.0, 251.0, 307.0];

/// A room in which leg `apart` may stand for itself, and `muted` is not heard.
fn routing(legs: &[u64], apart: Option<u64>, muted: Option<u64>) -> Routing {
    let place = |leg: &u64| Place {
        leg: LegId(*leg),
        ear: Some(EarGroup(u16::from(Some(*leg) == apart))),
        voice: Some(VoiceGroup(u16::from(Some(*leg) == apart))).filter(|_| Some(*leg) != muted),
    };
    let row = |group| Hearing { ear: EarGroup(group), voice: VoiceGroup(group), gain: Gain::UNITY };
    Routing {
        places: legs.iter().map(place).collect(),
        hears: vec![row(0), row(1)],
        ..Routing::default()
    }
}

#[test]
fn join_leave_mute_and_hold_do_not_click() {
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        let mut world = World::new();
        for leg in 0..3 {
            world.enter(leg, Phone::new(leg, codec).speaking_hz(LOW_HZ[leg as usize], 5_000));
        }
        world.enter(9, Phone::new(9, codec));
        let everybody = [0, 1, 2, 9];
        world.route(routing(&everybody, None, None));
        world.run_ms(1_500);
        world.phones.values_mut().for_each(|phone| phone.heard.clear());
        let changes = [
            routing(&everybody, Some(1), None),
            routing(&everybody, None, None),
            routing(&everybody, None, Some(2)),
            routing(&everybody, None, None),
            routing(&[0, 1, 9], None, None),
            routing(&everybody, None, None),
            routing(&everybody, Some(9), None),
            routing(&everybody, None, None),
        ];
        for (number, change) in changes.iter().cycle().take(16).enumerate() {
            world.route(change.clone());
            // Some changes come while a private voice is kept, some after.
            world.run_ms(if number < 8 { 137 + 10 * number as u64 } else { 2_300 });
        }
        // A leg goes in the same moment as its place.
        world.route(routing(&[0, 1, 9], None, None));
        world.order(MediaOrder::Close { leg: LegId(2) });
        world.phones.remove(&LegId(2));
        world.run_ms(200);
        // Three tones of 5,000 bend by less than 1,100 at 8 kHz and less at other rates, a ramp of
        // 5 ms adds little, and so does the coarseness of the codec; a cut bends by thousands.
        for (leg, phone) in &world.phones {
            let bend = largest_bend(&phone.heard);
            assert!(bend < 2_600, "{codec}, leg {leg}: a bend of {bend}");
            assert!(phone.heard.iter().any(|sample| sample.unsigned_abs() > 5_000));
        }
        assert_eq!(world.stats().frames_concealed, 0);
        assert_eq!(world.stats().ports_open, 3);
    }
}

#[test]
fn a_cut_would_be_found() {
    let mut pcm: Vec<i16> = Vec::new();
    let mut sine = audio::tone::Sine::new(LOW_HZ[1], 5_000, 8_000);
    for length in [1_000, 7, 1_000] {
        let mut part = vec![0; length];
        sine.fill(&mut part);
        if length > 7 {
            pcm.extend(part);
        }
    }
    assert!(largest_bend(&pcm) > 2_600, "{}", largest_bend(&pcm));
}

#[test]
fn who_begins_to_speak_goes_on_hearing_the_others_without_a_seam() {
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        let mut world = World::new();
        world.enter(0, Phone::new(0, codec).speaking_hz(LOW_HZ[0], 6_000));
        world.enter(1, Phone::new(1, codec));
        world.enter(2, Phone::new(2, codec));
        world.route(all_together(0..3));
        world.run_ms(1_500);
        let mut chance = Chance::new(5);
        world.phone(1).heard.clear();
        for _ in 0..6 {
            let rate_hz = audio_codec(codec).rate_hz();
            world.phone(1).sine = Some(audio::tone::Sine::new(LOW_HZ[2], 6_000, rate_hz));
            world.run_ms(200 + (chance.draw() >> 33) % 200 / 5 * 5);
            world.phone(1).sine = None;
            // Longer than a private voice is kept.
            world.run_ms(2_500);
        }
        let bend = largest_bend(&world.phone(1).heard);
        assert!(bend < 1_500, "{codec}: a bend of {bend}");
    }
}
