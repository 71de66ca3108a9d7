//! Two sides of a call, each recorded apart while their clocks drift.

use model::limits::TAP_FRAMES_QUEUED_MAX;
use model::routing::TapPlace;
use model::{
    Codec, EarGroup, Gain, Hearing, LegId, Place, RecordingId, Routing, TapFrame, TapRate,
    VoiceGroup,
};

use crate::world::*;

const RATE: TapRate = TapRate::Hz8000;
const SAMPLES_PER_MS: u64 = 8;

/// What one side's recorder was given, and where in it the side begins to speak.
struct Side {
    frames: rtrb::Consumer<TapFrame>,
    /// Where its last tone began [samples since the first tick].
    onset: Option<u64>,
}

impl Side {
    fn listen(&mut self) {
        while let Ok(frame) = self.frames.pop() {
            let samples = &frame.samples[..RATE.samples_per_tick()];
            let loud = samples.iter().position(|sample| sample.unsigned_abs() > 1_000);
            if let (None, Some(at)) = (self.onset, loud) {
                self.onset = Some(frame.tick * samples.len() as u64 + at as u64);
            }
        }
    }
}

fn record(world: &mut World, leg: u64) -> Side {
    let (producer, frames) = rtrb::RingBuffer::new(TAP_FRAMES_QUEUED_MAX);
    let conference = world.conference;
    let cue = world.desk.open_tap(conference, RecordingId(leg), RATE, producer).unwrap();
    world.stage.apply(cue);
    Side { frames, onset: None }
}

/// Both hear each other, and each is recorded by an ear that hears it alone.
fn two_sides() -> Routing {
    let place = |leg: u8| Place {
        leg: LegId(leg.into()),
        ear: Some(EarGroup(0)),
        voice: Some(VoiceGroup(leg.into())),
    };
    let hearing = |ear, voice: u8| Hearing {
        ear: EarGroup(ear),
        voice: VoiceGroup(voice.into()),
        gain: Gain::UNITY,
    };
    let tap = |leg: u8| TapPlace {
        recording: RecordingId(leg.into()),
        ear: EarGroup(10 + u16::from(leg)),
    };
    Routing {
        places: vec![place(0), place(1)],
        hears: vec![hearing(0, 0), hearing(0, 1), hearing(10, 0), hearing(11, 1)],
        taps: vec![tap(0), tap(1)],
        ..Routing::default()
    }
}

fn run(world: &mut World, sides: &mut [Side; 2], ms: u64) {
    for _ in 0..ms / 5 {
        world.step();
        sides.iter_mut().for_each(Side::listen);
    }
    (0..2).for_each(|leg| world.phone(leg).heard.clear());
}

/// How much later one side is recorded than the other [ms], by what both begin to say at the same
/// instant: each as soon as its next packet begins.
fn out_of_step_ms(world: &mut World, sides: &mut [Side; 2]) -> f64 {
    let sines = [0, 1].map(|leg| world.phone(leg).sine.take());
    run(world, sides, 1_000);
    sides.iter_mut().for_each(|side| side.onset = None);
    let mut spoken_us = [0.0; 2];
    for (leg, sine) in (0..).zip(sines) {
        let phone = world.phone(leg);
        phone.sine = sine;
        spoken_us[leg as usize] = phone.next_us - f64::from(phone.ptime_ms) * 1_000.0;
    }
    run(world, sides, 1_000);
    let late = |leg: usize| {
        let recorded_ms = sides[leg].onset.unwrap() as f64 / SAMPLES_PER_MS as f64;
        recorded_ms - spoken_us[leg] / 1_000.0
    };
    late(0) - late(1)
}

fn drift_apart(minutes: u64) {
    let mut world = World::new();
    for (leg, drift_ppm) in [(0, 200.0), (1, -200.0)] {
        let mut phone = Phone::new(leg, Codec::Pcmu).speaking(leg as usize);
        phone.drift_ppm = drift_ppm;
        world.enter(leg, phone);
    }
    let mut sides = [0, 1].map(|leg| record(&mut world, leg));
    world.route(two_sides());
    run(&mut world, &mut sides, 5_000);
    for minute in 0..=minutes {
        if minute % 10 == 0 {
            let apart_ms = out_of_step_ms(&mut world, &mut sides);
            assert!(apart_ms.abs() <= 20.0, "minute {minute}: {apart_ms} ms");
        }
        run(&mut world, &mut sides, 60_000);
    }
}

#[test]
fn two_sides_whose_clocks_drift_apart_for_an_hour_are_recorded_in_step() {
    drift_apart(60);
}
