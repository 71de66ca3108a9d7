//! Two sides of a call, each recorded apart: whole, and in step while their clocks drift.

use audio::{Decoder, Encoder, EncoderSettings};
use model::limits::TAP_FRAMES_QUEUED_MAX;
use model::routing::TapPlace;
use model::{
    Codec, EarGroup, Gain, Hearing, LegId, Place, RecordingId, Routing, TapFrame, TapRate,
    VoiceGroup,
};

use crate::speech::voice;
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
    Side { frames: tap(world, leg, RATE), onset: None }
}

fn tap(world: &mut World, leg: u64, rate: TapRate) -> rtrb::Consumer<TapFrame> {
    let (producer, frames) = rtrb::RingBuffer::new(TAP_FRAMES_QUEUED_MAX);
    let conference = world.conference;
    let cue = world.desk.open_tap(conference, RecordingId(leg), rate, producer).unwrap();
    world.stage.apply(cue);
    frames
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

/// The part of what was recorded that is most like what was said, at half a second's delay at most.
fn alike<'a>(recorded: &'a [i16], said: &[i16]) -> &'a [i16] {
    let from = |at: usize| &recorded[at..at + said.len()];
    let unlike = |at: &usize| {
        from(*at).iter().zip(said).step_by(37).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>()
    };
    from((0..recorded.len() - said.len()).min_by_key(unlike).unwrap())
}

/// What a codec leaves of some words.
fn coded(codec: Codec, words: &[i16]) -> Vec<i16> {
    let codec = audio_codec(codec);
    let mut encoder = Encoder::new(EncoderSettings::of(codec)).unwrap();
    let mut decoder = Decoder::new(codec).unwrap();
    let (mut payload, mut left) = ([0; 1_275], Vec::new());
    for frame in words.chunks_exact(codec.samples(20)) {
        let length = encoder.encode(frame, &mut payload);
        let mut pcm = vec![0; frame.len()];
        decoder.decode(&payload[..length], &mut pcm).unwrap();
        left.extend(pcm);
    }
    left
}

#[test]
fn a_recording_has_every_sample_that_the_codec_leaves_of_what_was_said() {
    for (codec, rate, least_db) in [
        (Codec::Pcmu, TapRate::Hz8000, f64::MAX),
        (Codec::Pcma, TapRate::Hz8000, 50.0),
        (Codec::G722, TapRate::Hz16000, 40.0),
        (Codec::Opus, TapRate::Hz48000, 70.0),
    ] {
        for number in 0..3 {
            // The delay that a line begins with is given up once, after a second.
            let second = vec![0; rate.hz() as usize];
            let words = [&second[..], &second, &voice(number, rate.hz(), 0.8), &second].concat();
            let mut world = World::new();
            world.enter(0, Phone::new(0, codec).saying(words.clone()));
            world.enter(1, Phone::new(1, codec));
            let mut frames = tap(&mut world, 0, rate);
            world.route(Routing { taps: vec![two_sides().taps[0]], ..two_sides() });
            let mut recorded = Vec::new();
            for _ in 0..words.len() * 200 / rate.hz() as usize {
                world.step();
                while let Ok(frame) = frames.pop() {
                    recorded.extend_from_slice(&frame.samples[..rate.samples_per_tick()]);
                }
            }
            let left = coded(codec, &words);
            let said = &left[2 * second.len()..left.len() - second.len()];
            let recorded = alike(&recorded[2 * second.len()..], said);
            let loss = |(a, b): (&i16, &i16)| f64::from(i32::from(*a) - i32::from(*b)).powi(2);
            let power: f64 = said.iter().map(|sample| f64::from(*sample).powi(2)).sum();
            let lost: f64 = recorded.iter().zip(said).map(loss).sum();
            // The softest pauses are recorded as silence, and are not decoded.
            let below_db = 10.0 * (power / lost).log10();
            assert!(below_db > least_db, "{codec}, voice {number}: {below_db:.1} dB");
        }
    }
}
