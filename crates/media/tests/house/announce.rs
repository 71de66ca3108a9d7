//! Prompts, the ringing tone and early media, by ear.

use crate::world::*;
use audio::tone::Ear;
use media::{Desk, Music};
use model::limits::TAP_FRAMES_QUEUED_MAX;
use model::profile::Ringback;
use model::routing::{AnnouncementPlace, TapPlace};
use model::{
    AnnouncementId, Codec, EarGroup, Gain, Hearing, LegId, MediaOrder, MediaReport, Place,
    RecordingId, Routing, TapFrame, TapRate, VoiceGroup,
};

const PROMPT: AnnouncementId = AnnouncementId(9);

/// Legs that each speak a tone: each in an ear group of its own, all in one voice group.
fn apart(legs: u64) -> Routing {
    let ear = |leg: u64| EarGroup(leg as u16);
    let place = |leg| Place { leg: LegId(leg), ear: Some(ear(leg)), voice: Some(VoiceGroup(0)) };
    Routing {
        places: (0..legs).map(place).collect(),
        hears: (0..legs).map(|leg| row(ear(leg), VoiceGroup(0))).collect(),
        ..Routing::default()
    }
}

fn row(ear: EarGroup, voice: VoiceGroup) -> Hearing {
    Hearing { ear, voice, gain: Gain::UNITY }
}

/// Some legs hear a prompt besides.
fn announced(mut routing: Routing, ears: &[u16]) -> Routing {
    let voice = VoiceGroup(1);
    routing.announcements.push(AnnouncementPlace { announcement: PROMPT, voice });
    routing.hears.extend(ears.iter().map(|ear| row(EarGroup(*ear), voice)));
    routing.hears.sort_by_key(|row| (row.ear, row.voice));
    routing
}

/// Four phones in four codecs, and clips that last so long.
fn four(clip_ms: usize) -> World {
    let mut world = World::with_music(Music::house());
    world.desk = Desk::with_clips(7, clips(clip_ms));
    for leg in 0..4 {
        world.enter(leg, Phone::new(leg, Codec::ALL[leg as usize]).speaking(leg as usize));
    }
    world
}

fn play(world: &mut World, tone: usize) {
    let conference = world.conference;
    let clip = clip_name(tone);
    world.order(MediaOrder::Play { conference, announcement: PROMPT, clip });
}

fn played(world: &World) -> usize {
    let over = MediaReport::Played { announcement: PROMPT };
    world.reports.iter().filter(|report| **report == over).count()
}

#[test]
fn a_prompt_is_heard_by_whom_the_routing_says_and_by_nobody_else() {
    for hears in [&[0_u16][..], &[3], &[1, 2], &[0, 1, 2, 3]] {
        let mut world = four(3_000);
        play(&mut world, 6);
        world.route(announced(apart(4), hears));
        world.run_ms(2_000);
        for (leg, heard) in world.picture() {
            let mut expected: Vec<usize> = (0..4).filter(|tone| *tone != leg as usize).collect();
            expected.extend(hears.contains(&(leg as u16)).then_some(6));
            assert_eq!(heard, expected, "leg {leg} when {hears:?} hear it");
        }
    }
}

#[test]
fn a_prompt_waits_until_somebody_hears_it_ends_once_and_tells_it() {
    let mut world = four(1_000);
    play(&mut world, 6);
    world.route(apart(4));
    world.run_ms(2_000);
    assert_eq!(played(&world), 0);
    world.route(announced(apart(4), &[0]));
    world.run_ms(1_000);
    assert!(world.picture()[0].1.contains(&6));
    assert_eq!(played(&world), 0);
    world.run_ms(1_200);
    assert!(!world.picture()[0].1.contains(&6));
    assert_eq!(played(&world), 1);
    world.route(apart(4));
    let conference = world.conference;
    world.order(MediaOrder::StopPlaying { conference, announcement: PROMPT });
    world.run_ms(100);
    assert_eq!(played(&world), 1);
}

#[test]
fn a_prompt_that_is_stopped_is_heard_no_more_and_fades_without_a_click() {
    let mut world = World::new();
    world.desk = Desk::with_clips(7, clips(3_000));
    world.enter(0, Phone::new(0, Codec::Pcmu));
    play(&mut world, 0);
    world.route(announced(apart(1), &[0]));
    world.run_ms(1_000);
    // In the order that is the harder one.
    let conference = world.conference;
    world.order(MediaOrder::StopPlaying { conference, announcement: PROMPT });
    world.route(apart(1));
    world.run_ms(1_000);
    assert_eq!(world.picture(), [(0, vec![])]);
    assert_eq!(played(&world), 0);
    let sine = 2.0 * (1.0 - (std::f64::consts::TAU * TONES_HZ[0] / 8_000.0).cos());
    let bend = largest_bend(&world.phone(0).heard);
    assert!(f64::from(bend) < 1.7 * sine * f64::from(LOUD), "a click of {bend}");
}

#[test]
fn the_recorder_hears_a_prompt_if_the_routing_says_so() {
    for recorded in [false, true] {
        let mut world = four(3_000);
        let conference = world.conference;
        let recording = RecordingId(5);
        let (producer, mut consumer) = rtrb::RingBuffer::<TapFrame>::new(TAP_FRAMES_QUEUED_MAX);
        let rate = TapRate::Hz16000;
        let cue = world.desk.open_tap(conference, recording, rate, producer).unwrap();
        world.stage.apply(cue);
        play(&mut world, 6);
        let recorder = EarGroup(9);
        let mut routing = apart(4);
        routing.taps.push(TapPlace { recording, ear: recorder });
        routing.hears.push(row(recorder, VoiceGroup(0)));
        let hears = if recorded { &[0, 9][..] } else { &[0] };
        world.route(announced(routing, hears));
        world.run_ms(2_000);
        let mut pcm = Vec::new();
        while let Ok(frame) = consumer.pop() {
            pcm.extend_from_slice(&frame.samples[..rate.samples_per_tick()]);
        }
        let mut expected = vec![0, 1, 2, 3];
        expected.extend(recorded.then_some(6));
        assert_eq!(tones_in(&pcm, rate.hz()), expected.into_iter().collect());
    }
}

#[test]
fn a_thousand_who_hear_one_prompt_cost_one_encode_a_tick() {
    let mut world = World::new();
    world.desk = Desk::with_clips(7, clips(3_000));
    for leg in 0..1_000 {
        world.enter(leg, Phone::new(leg, Codec::Pcmu));
    }
    play(&mut world, 6);
    let mut routing = all_together(0..1_000);
    let voice = VoiceGroup(1);
    routing.announcements.push(AnnouncementPlace { announcement: PROMPT, voice });
    routing.hears.push(row(EarGroup(0), voice));
    world.route(routing);
    world.run_ms(200);
    let before = world.stats();
    world.run_ms(200);
    assert_eq!(world.stats().encodes - before.encodes, 10);
}

/// The frequencies of the tones of a ringing tone that sound in most of its first burst.
fn rings(pcm: &[i16], rate_hz: u32, candidates: &[f64]) -> Vec<usize> {
    let mut ear = Ear::new(candidates, rate_hz);
    let windows: Vec<_> = pcm.chunks(rate_hz as usize / 50).filter_map(|f| ear.push(f)).collect();
    (0..candidates.len()).filter(|at| windows.iter().any(|heard| heard.contains(*at))).collect()
}

#[test]
fn it_rings_for_one_alone_from_a_burst_on_as_its_country_does() {
    let countries = [
        (Ringback::Europe, &[425.0][..]),
        (Ringback::NorthAmerica, &[440.0, 480.0]),
        (Ringback::UnitedKingdom, &[400.0, 450.0]),
    ];
    for (ringback, frequencies) in countries {
        for listener in 0..4_u16 {
            let mut world = World::new();
            for leg in 0..4 {
                world.enter(leg, Phone::new(leg, Codec::ALL[leg as usize]));
            }
            world.route(apart(4));
            // It does not ring in step with the ticks.
            world.run_ms(1_700);
            for phone in world.phones.values_mut() {
                phone.heard.clear();
            }
            let mut routing = Routing { ringback, ..apart(4) };
            routing.hears.push(row(EarGroup(listener), VoiceGroup::RINGBACK));
            routing.hears.sort_by_key(|row| (row.ear, row.voice));
            world.route(routing);
            world.run_ms(900);
            for (leg, phone) in &world.phones {
                let rate_hz = audio_codec(phone.codec).rate_hz();
                let heard = rings(&phone.heard, rate_hz, frequencies);
                let expected = if leg.0 == u64::from(listener) { frequencies.len() } else { 0 };
                assert_eq!(heard.len(), expected, "{ringback:?}: {leg} when {listener} is rung");
            }
        }
    }
}

#[test]
fn early_media_is_heard_by_one_and_hears_nobody_until_it_is_answered() {
    let mut world = World::new();
    world.enter(0, Phone::new(0, Codec::Opus).speaking(0));
    world.enter(1, Phone::new(1, Codec::Pcmu).speaking(1));
    let called = LegId(2);
    let mut phone = Phone::new(2, Codec::Pcma).speaking(2);
    let conference = world.conference;
    let local = "127.0.0.1".parse().unwrap();
    world.order(MediaOrder::Open { leg: called, conference, local });
    let mut early = phone.terms();
    early.sends = false;
    world.order(MediaOrder::Connect { leg: called, connection: early });
    let answered = phone.terms();
    phone.next_us += (world.turn * 5_000) as f64;
    world.phones.insert(called, phone);
    let mut routing = apart(2);
    routing.places.push(Place { leg: called, ear: None, voice: Some(VoiceGroup(5)) });
    routing.hears.push(row(EarGroup(0), VoiceGroup(5)));
    routing.hears.sort_by_key(|row| (row.ear, row.voice));
    world.route(routing);
    world.run_ms(2_000);
    assert!(world.phone(2).headers.is_empty(), "nothing is sent to who has not answered");
    world.phone(2).heard.resize(8_000, 0);
    assert_eq!(world.picture(), [(0, vec![1, 2]), (1, vec![0]), (2, vec![])]);
    let told = |world: &World| {
        let early = MediaReport::EarlyMedia { leg: called };
        world.reports.iter().filter(|report| **report == early).count()
    };
    assert_eq!(told(&world), 1);
    world.order(MediaOrder::Connect { leg: called, connection: answered });
    world.route(apart(3));
    world.run_ms(2_000);
    assert_eq!(world.picture(), [(0, vec![1, 2]), (1, vec![0, 2]), (2, vec![0, 1])]);
    assert_eq!(told(&world), 1);
}
