//! Who hears whom, by ear.

use crate::world::*;
use media::Music;
use model::{
    Chance, Codec, EarGroup, Gain, Hearing, LegId, MediaOrder, MediaReport, Place, Routing,
    VoiceGroup,
};

const MUSIC: usize = TONES_HZ.len();

/// A routing drawn at random: up to three ear and voice groups, some legs without a place.
fn random_routing(chance: &mut Chance, legs: u64) -> Routing {
    let mut pick = |count: u64| (chance.draw() >> 33) % count;
    let group = |number: u64| u16::try_from(number).unwrap();
    let mut places = Vec::new();
    for leg in 0..legs {
        if pick(8) > 0 {
            let ear = Some(pick(4)).filter(|g| *g < 3).map(|g| EarGroup(group(g)));
            let voice = Some(pick(4)).filter(|g| *g < 3).map(|g| VoiceGroup(group(g)));
            places.push(Place { leg: LegId(leg), ear, voice });
        }
    }
    let mut hears = Vec::new();
    for ear in 0..3 {
        for voice in 0..3 {
            let gain = [None, Some(0), Some(32_768), Some(32_768), Some(16_384)];
            if let Some(gain) = gain[pick(5) as usize] {
                let (ear, voice) = (EarGroup(ear), VoiceGroup(voice));
                hears.push(Hearing { ear, voice, gain: Gain(gain) });
            }
        }
        if pick(3) == 0 {
            let (ear, voice) = (EarGroup(ear), VoiceGroup::MUSIC);
            hears.push(Hearing { ear, voice, gain: Gain::UNITY });
        }
    }
    Routing { places, hears, ..Routing::default() }
}

/// The party × party oracle.
fn expected(routing: &Routing, legs: u64) -> Vec<(u64, Vec<usize>)> {
    (0..legs)
        .map(|listener| {
            let hears = |speaker: &u64| routing.hears(LegId(listener), LegId(*speaker));
            let mut tones: Vec<usize> = (0..legs).filter(hears).map(|leg| leg as usize).collect();
            let ear = routing.place(LegId(listener)).and_then(|place| place.ear);
            let music = ear.and_then(|ear| routing.gain(ear, VoiceGroup::MUSIC));
            tones.extend(music.map(|_| MUSIC));
            (listener, tones)
        })
        .collect()
}

#[test]
fn everybody_hears_exactly_whom_the_oracle_says_in_all_codecs_mixed() {
    for seed in 0..6 {
        let mut chance = Chance::new(seed);
        let mut world = World::with_music(Music::house());
        for leg in 0..8 {
            let codec = Codec::ALL[(leg as usize + seed as usize) % 4];
            world.enter(leg, Phone::new(leg, codec).speaking(leg as usize));
        }
        for round in 0..3 {
            let routing = random_routing(&mut chance, 8);
            world.route(routing.clone());
            world.run_ms(1_600);
            assert_eq!(
                world.picture(),
                expected(&routing, 8),
                "seed {seed}, round {round}: {routing:?}"
            );
        }
    }
}

#[test]
fn without_a_routing_nobody_hears_anybody_but_packets_flow() {
    let mut world = World::new();
    for leg in 0..4 {
        let codec = Codec::ALL[leg as usize];
        world.enter(leg, Phone::new(leg, codec).speaking(leg as usize));
    }
    world.run_ms(2_000);
    for (leg, tones) in world.picture() {
        assert!(tones.is_empty(), "{leg} hears {tones:?}");
    }
    assert!(world.phones.values().all(|phone| phone.headers.len() == 100));
}

/// The power of a frequency, relative to others of the same samples only.
fn power(pcm: &[i16], frequency_hz: f64, rate_hz: f64) -> f64 {
    let step = std::f64::consts::TAU * frequency_hz / rate_hz;
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (index, sample) in pcm.iter().enumerate() {
        let (s, c) = (step * index as f64).sin_cos();
        let window = 1.0 - (std::f64::consts::TAU * index as f64 / pcm.len() as f64).cos();
        sine += f64::from(*sample) * s * window;
        cosine += f64::from(*sample) * c * window;
    }
    sine * sine + cosine * cosine
}

#[test]
fn eight_full_scale_talkers_hear_themselves_at_least_60_db_down() {
    let mut world = World::new();
    // The harmonics that the limiter makes of the others' tone are far from the own one.
    world.enter(0, Phone::new(0, Codec::Pcmu).speaking_hz(TONES_HZ[7], 32_000));
    for leg in 1..8 {
        world.enter(leg, Phone::new(leg, Codec::Pcmu).speaking_hz(TONES_HZ[0], 32_000));
    }
    world.route(all_together(0..8));
    world.run_ms(2_500);
    let heard = &world.phone(0).heard;
    let last = &heard[heard.len() - 8_000..];
    let [own, others] = [TONES_HZ[7], TONES_HZ[0]].map(|hz| power(last, hz, 8_000.0));
    let down_db = 10.0 * (others / own).log10();
    assert!(down_db >= 60.0, "{down_db:.1} dB");
    // The same measure finds it in the others' ears.
    let heard = &world.phone(1).heard;
    let last = &heard[heard.len() - 8_000..];
    let [other, rest] = [TONES_HZ[7], TONES_HZ[0]].map(|hz| power(last, hz, 8_000.0));
    assert!(10.0 * (rest / other).log10() < 30.0);
}

#[test]
fn speech_is_reported_when_it_begins_and_ends_and_only_if_it_is_heard() {
    let mut world = World::new();
    world.enter(1, Phone::new(1, Codec::Pcmu).speaking(0));
    world.enter(2, Phone::new(2, Codec::Pcmu));
    world.enter(3, Phone::new(3, Codec::Pcmu).speaking(1));
    let mut routing = all_together(1..=3);
    routing.places[2].voice = None;
    world.route(routing);
    world.run_ms(1_000);
    world.phone(1).sine = None;
    world.run_ms(1_000);
    let talking = |talking| MediaReport::Talking { leg: LegId(1), talking };
    assert_eq!(world.reports, [talking(true), talking(false)]);
}

#[test]
fn a_leg_that_may_not_speak_or_listen_does_not() {
    let mut world = World::new();
    for leg in 0..3 {
        world.enter(leg, Phone::new(leg, Codec::Pcma).speaking(leg as usize));
    }
    world.route(all_together(0..3));
    let deaf = model::Connection { sends: false, ..world.phone(1).terms() };
    let dumb = model::Connection { receives: false, ..world.phone(2).terms() };
    world.order(MediaOrder::Connect { leg: LegId(1), connection: deaf });
    world.order(MediaOrder::Connect { leg: LegId(2), connection: dumb });
    world.run_ms(2_000);
    assert_eq!(world.phone(1).headers.len(), 0);
    assert_eq!(world.phone(0).tones_heard(), [1].into());
    assert_eq!(world.phone(2).tones_heard(), [0, 1].into());
    assert_eq!(world.stats().packets_refused, 0);

    let again = model::Connection { sends: true, ..world.phone(1).terms() };
    world.order(MediaOrder::Connect { leg: LegId(1), connection: again });
    world.run_ms(2_000);
    assert_eq!(world.phone(1).tones_heard(), [0].into());
    assert!(world.phone(1).headers[0].2, "the first packet after a pause is marked");
    assert!(!world.phone(1).headers[1].2);
}

#[test]
fn a_leg_that_changes_its_codec_goes_on_with_the_same_stream() {
    let mut world = World::new();
    world.enter(0, Phone::new(0, Codec::Pcmu).speaking(0));
    world.enter(1, Phone::new(1, Codec::G722).speaking(1));
    world.route(all_together(0..2));
    world.run_ms(1_500);
    let last = *world.phone(0).headers.last().unwrap();
    let mut phone = Phone::new(0, Codec::Opus).speaking(0);
    phone.address = world.phone(0).address;
    world.order(MediaOrder::Connect { leg: LegId(0), connection: phone.terms() });
    world.phones.insert(LegId(0), phone);
    world.run_ms(1_600);
    assert_eq!(world.phone(0).headers[0].0, last.0.wrapping_add(1));
    assert_eq!(world.picture(), [(0, vec![1]), (1, vec![0])]);
}
