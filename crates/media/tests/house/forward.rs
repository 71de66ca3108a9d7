//! A speaker's own payloads: who gets them, and that no change between them and the mix is heard.

use std::f64::consts::TAU;

use crate::world::*;
use audio::tone::{Ear, Sine};
use media::Music;
use model::limits::TAP_FRAMES_QUEUED_MAX;
use model::{Codec, Gain, LegId, MediaOrder, RecordingId, TapRate};

/// A tone that bends little at 48 kHz, so that clicks stand out.
const LOW_HZ: f64 = 203.0;
/// Then the delay has been brought down to what the network needs: that takes stretching, during
/// which a voice is mixed \[ms\].
const SETTLED_MS: u64 = 4_000;

fn opus_room(legs: u64, talkers: u64) -> World {
    let mut world = World::new();
    for leg in 0..legs {
        let phone = Phone::new(leg, Codec::Opus);
        let phone = if leg < talkers { phone.speaking(leg as usize) } else { phone };
        world.enter(leg, phone);
    }
    world.route(all_together(0..legs));
    world
}

#[test]
fn one_talker_among_listeners_of_its_codec_costs_no_encode() {
    let mut world = opus_room(20, 1);
    world.run_ms(SETTLED_MS);
    let before = world.stats();
    world.run_ms(1_000);
    let after = world.stats();
    assert_eq!(after.packets_out - before.packets_out, 50 * 20);
    assert_eq!(after.encodes - before.encodes, 0);
    for (leg, tones) in world.picture() {
        assert_eq!(tones, if leg == 0 { vec![] } else { vec![0] }, "leg {leg}");
    }
}

#[test]
fn who_is_only_passed_on_is_hardly_decoded() {
    let decodes = |world: &mut World| {
        world.run_ms(SETTLED_MS);
        let before = world.stats();
        world.run_ms(10_000);
        world.stats().decodes - before.decodes
    };
    // A second goes by, then six packets are decoded again and ten listened to.
    let share = |talkers: u64| 500 * talkers * 16 / 60;
    let one = decodes(&mut opus_room(20, 1));
    assert!(one < share(1) + 16, "{one}");
    let mut two = opus_room(2, 2);
    assert!(decodes(&mut two) < share(2) + 32, "each hears nobody but the other");
    assert_eq!(two.picture(), [(0, vec![1]), (1, vec![0])]);
    // Whoever hears a mix needs the sound of all.
    assert_eq!(decodes(&mut opus_room(3, 2)), 1_000);
    let mut other = opus_room(2, 1);
    other.enter(2, Phone::new(2, Codec::Pcmu));
    other.route(all_together(0..3));
    assert_eq!(decodes(&mut other), 500);
}

#[test]
fn two_talkers_are_mixed_for_the_others_and_hear_each_other_as_they_are() {
    let mut world = opus_room(5, 2);
    world.run_ms(SETTLED_MS);
    let before = world.stats();
    world.run_ms(1_000);
    assert_eq!(world.stats().encodes - before.encodes, 50, "one for the three listeners");
    let both = vec![0, 1];
    let picture = world.picture();
    let expected = [vec![1], vec![0], both.clone(), both.clone(), both];
    assert_eq!(picture, (0..).zip(expected).collect::<Vec<_>>());
}

#[test]
fn another_codec_a_gain_music_or_another_packet_time_is_mixed() {
    let encodes = |change: &dyn Fn(&mut World)| {
        let mut world = World::with_music(Music::house());
        world.enter(0, Phone::new(0, Codec::Opus).speaking(0));
        world.enter(1, Phone::new(1, Codec::Opus));
        world.route(all_together(0..2));
        change(&mut world);
        world.run_ms(SETTLED_MS);
        let before = world.stats();
        world.run_ms(1_000);
        assert!(world.phone(1).tones_heard().contains(&0));
        world.stats().encodes - before.encodes
    };
    assert_eq!(encodes(&|_| {}), 0);
    let softer = |world: &mut World| {
        let mut routing = all_together(0..2);
        routing.hears[0].gain = Gain(16_384);
        world.route(routing);
    };
    assert_eq!(encodes(&softer), 50);
    let music = |world: &mut World| {
        let mut routing = all_together(0..2);
        let (ear, voice) = (routing.hears[0].ear, model::VoiceGroup::MUSIC);
        routing.hears.push(model::Hearing { ear, voice, gain: Gain::UNITY });
        world.route(routing);
    };
    assert_eq!(encodes(&music), 100);
    let longer = |world: &mut World| {
        let terms = model::Connection { ptime_ms: 40, ..world.phone(1).terms() };
        world.order(MediaOrder::Connect { leg: LegId(1), connection: terms });
    };
    assert_eq!(encodes(&longer), 25);
    let shorter = |world: &mut World| world.phone(0).ptime_ms = 10;
    assert_eq!(encodes(&shorter), 50);
}

#[test]
fn what_is_lost_on_the_way_in_is_a_gap_on_the_way_out() {
    let mut world = opus_room(2, 1);
    world.phone(0).network = Box::new(|n| if n % 10 == 7 { vec![] } else { vec![0] });
    world.run_ms(SETTLED_MS);
    world.phone(1).headers.clear();
    let before = world.stats();
    world.run_ms(2_000);
    let headers = &world.phone(1).headers;
    let gaps = headers.windows(2).filter(|pair| {
        let (sequence, timestamp) =
            (pair[1].0.wrapping_sub(pair[0].0), pair[1].1.wrapping_sub(pair[0].1));
        assert_eq!(timestamp, u32::from(sequence) * 960, "time goes on as the sequence does");
        sequence == 2
    });
    assert_eq!(gaps.count(), 10);
    assert_eq!(world.phone(1).tones_heard(), [0].into());
    assert_eq!(world.stats().encodes, before.encodes);
}

#[test]
fn what_comes_late_is_no_gap_on_the_way_out() {
    let mut world = opus_room(3, 1);
    // Now and then nothing comes for longer than before, then all at once; meanwhile the delay is
    // that long, and then shorter again.
    world.phone(0).network = Box::new(|n| match n % 800 {
        250..252 => vec![(252 - n % 800) * 20_000 - 5_000],
        300..303 => vec![(303 - n % 800) * 20_000],
        _ => vec![n % 3 * 1_000],
    });
    world.run_ms(SETTLED_MS);
    world.phones.values_mut().for_each(|phone| phone.headers.clear());
    world.run_ms(20_000);
    assert_eq!(world.stats().packets_lost, 0);
    assert!(world.stats().frames_concealed > 0, "nothing came late");
    for leg in 1..3 {
        for pair in world.phone(leg).headers.windows(2) {
            let sequence = pair[1].0.wrapping_sub(pair[0].0);
            let timestamp = pair[1].1.wrapping_sub(pair[0].1);
            assert_eq!((sequence, timestamp), (1, 960), "to leg {leg}");
        }
        let sent = world.phone(leg).headers.len();
        assert!((990..1_000).contains(&sent), "{sent} of 1000 ticks, the others were held");
        assert_eq!(world.phone(leg).tones_heard(), [0].into());
    }
    let stats = world.stats();
    assert!(stats.encodes_shared > 10 * stats.encodes, "most of it is passed on: {stats:?}");
}

#[test]
fn a_recorder_hears_who_is_passed_on() {
    let mut world = opus_room(3, 1);
    let (conference, recording) = (world.conference, RecordingId(1));
    let (producer, mut consumer) = rtrb::RingBuffer::new(TAP_FRAMES_QUEUED_MAX);
    let rate = TapRate::Hz16000;
    let cue = world.desk.open_tap(conference, recording, rate, producer).unwrap();
    world.stage.apply(cue);
    world.route(with_tap(all_together(0..3), recording, model::EarGroup(0)));
    world.run_ms(1_500);
    let mut pcm = Vec::new();
    while let Ok(frame) = consumer.pop() {
        pcm.extend_from_slice(&frame.samples[..rate.samples_per_tick()]);
    }
    assert_eq!(tones_in(&pcm, rate.hz()), [0].into());
}

/// Lets a second talker come and go many times over a first, and returns what a listener, and the
/// first talker, heard.
fn changes(low_hz: f64, amplitude: i16, gain: Gain) -> World {
    let mut world = World::new();
    world.enter(0, Phone::new(0, Codec::Opus).speaking_hz(low_hz, amplitude));
    world.enter(1, Phone::new(1, Codec::Opus));
    world.enter(2, Phone::new(2, Codec::Opus));
    let mut routing = all_together(0..3);
    routing.hears[0].gain = gain;
    world.route(routing);
    world.run_ms(1_000);
    for phone in world.phones.values_mut() {
        phone.heard.clear();
    }
    for round in 0..12 {
        world.phone(1).sine = Some(audio::tone::Sine::new(LOW_HZ * 1.5, amplitude, 48_000));
        world.phone(1).swell = Some(Swell::In);
        world.run_ms(300 + 35 * (round % 5));
        world.phone(1).swell = Some(Swell::Out);
        world.run_ms(1_200 + 15 * (round % 7));
    }
    world
}

#[test]
fn a_second_talker_who_comes_and_goes_makes_no_click() {
    let mut world = changes(LOW_HZ, 6_000, Gain::UNITY);
    let passed_on = world.stats().encodes_shared - world.stats().encodes;
    assert!(passed_on > 100, "{passed_on}");
    // Both tones together bend by 11 at most, what the codec adds comes to 90; a jump that is not
    // smoothed bends by thousands, a wrong memory of the decoder by hundreds.
    for leg in 0..3 {
        let bend = largest_bend(&world.phone(leg).heard);
        assert!(bend < 150, "leg {leg}: a bend of {bend}");
        let loud = world.phone(leg).heard.iter().any(|sample| sample.unsigned_abs() > 5_000);
        assert!(loud, "leg {leg}");
    }
}

#[test]
fn payloads_take_over_from_the_mix_between_two_words() {
    for before in 0..7_usize {
        // Words of 300 ms whose loudness goes up and down, and 100 ms between them.
        let loudness = |ms: usize| if ms % 400 < 300 { 6_000 + ms % 60 * 100 } else { 20 };
        let tone = |at: usize| (TAU * LOW_HZ * at as f64 / 48_000.0).sin();
        let words = (0..48_000 * 10).map(|at| (tone(at) * loudness(at / 48) as f64) as i16);
        let words: Vec<i16> = words.collect();
        let mut world = World::new();
        world.enter(0, Phone::new(0, Codec::Opus).saying(words));
        world.enter(1, Phone::new(1, Codec::Opus).speaking_hz(LOW_HZ * 3.0, 4_000));
        world.enter(2, Phone::new(2, Codec::Opus));
        world.route(all_together(0..3));
        world.run_ms(4_000 + 60 * before as u64);
        world.phone(1).sine = None;
        let mut waited = 0;
        loop {
            let encodes = world.stats().encodes;
            world.phone(2).heard.clear();
            world.run_ms(20);
            if world.stats().encodes == encodes {
                break;
            }
            waited += 1;
        }
        let loudest = world.phone(2).heard.iter().map(|sample| sample.unsigned_abs()).max();
        assert!(loudest < Some(600), "{loudest:?} in tick {waited}");
        assert!((6..40).contains(&waited), "{waited} ticks");
    }
}

/// How much of 20 ms stands between 1.5 and 7.5 kHz at most, where no tone is \[dB of full scale\].
fn splash_db(pcm: &[i16]) -> f64 {
    const WINDOW: usize = 960;
    let hann = |n: usize| 0.5 - 0.5 * (TAU * n as f64 / WINDOW as f64).cos();
    let hann: Vec<f64> = (0..WINDOW).map(hann).collect();
    let power = |window: &[i16]| -> f64 {
        let bins = (30..=150).step_by(3).map(|bin| {
            let coefficient = 2.0 * (TAU * f64::from(bin) / WINDOW as f64).cos();
            let (mut last, mut before) = (0.0, 0.0);
            for (sample, weight) in window.iter().zip(&hann) {
                let next = f64::from(*sample) * weight + coefficient * last - before;
                (before, last) = (last, next);
            }
            last * last + before * before - coefficient * last * before
        });
        bins.sum()
    };
    let full = (32_768.0 * WINDOW as f64 / 4.0).powi(2);
    let windows = pcm.windows(WINDOW).step_by(WINDOW / 2).map(power);
    10.0 * (windows.fold(0.0, f64::max) / full).log10()
}

#[test]
fn changes_between_the_mix_and_a_voice_s_own_payloads_splash_hardly_more_than_the_mix() {
    let mut with_changes = changes(LOW_HZ, 6_000, Gain::UNITY);
    // A hundredth of a decibel softer, and everything is mixed.
    let mut mixed = changes(LOW_HZ, 6_000, Gain(32_730));
    for leg in 0..3 {
        let splash = splash_db(&with_changes.phone(leg).heard);
        let of_mix = splash_db(&mixed.phone(leg).heard);
        // The voices are at -15 dB, and what Opus adds to any of it comes to -64 dB.
        assert!(splash < of_mix + 6.0 && splash < -57.0, "leg {leg}: {splash:.1}, {of_mix:.1} dB");
    }
    // The same ear finds a cut.
    let cut = &mut with_changes.phone(2).heard;
    cut.drain(100_000..100_100);
    assert!(splash_db(cut) > -50.0, "{:.1}", splash_db(cut));
}

/// Lets three talk in turn, 2 s each, over a line with so much jitter, and returns in which turns
/// who heard whom where it should have been another, 300 ms after the change of talkers and later.
fn wrong_in_turns(jitter_us: u64) -> Vec<(usize, usize, Vec<usize>)> {
    const CHANGE_MS: usize = 300;
    const WINDOW_MS: usize = 400;
    let mut world = opus_room(3, 0);
    for leg in 0..3_u64 {
        let mut state = leg + 77;
        world.phone(leg).network = Box::new(move |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            vec![(state >> 33) % jitter_us]
        });
    }
    let mut ears: Vec<Ear> = (0..3).map(|_| Ear::new(&TONES_HZ, 48_000)).collect();
    let mut wrong = Vec::new();
    for turn in 0..11 {
        let talker = turn % 3;
        for (leg, tone_hz) in TONES_HZ.into_iter().take(3).enumerate() {
            let sine = (leg == talker).then(|| Sine::new(tone_hz, LOUD, 48_000));
            world.phone(leg as u64).sine = sine;
        }
        for at_ms in (0..2_000).step_by(20) {
            world.run_ms(20);
            for (leg, ear) in ears.iter_mut().enumerate() {
                let pcm = std::mem::take(&mut world.phone(leg as u64).heard);
                let windows = pcm.chunks(960).filter_map(|frame| ear.push(frame));
                for heard in windows.filter(|_| turn > 1 && at_ms >= CHANGE_MS + WINDOW_MS) {
                    let heard: Vec<usize> = heard.iter().collect();
                    let expected = if leg == talker { vec![] } else { vec![talker] };
                    if heard != expected {
                        wrong.push((turn, leg, heard));
                    }
                }
            }
        }
    }
    wrong
}

#[test]
fn who_takes_its_turn_is_heard_without_a_break_after_the_change() {
    for jitter_us in [3_000, 8_000, 15_000] {
        assert_eq!(wrong_in_turns(jitter_us), [], "with a jitter of {jitter_us} µs");
    }
}

#[test]
fn pauses_that_are_not_sent_leave_timestamps_in_step_with_time() {
    let mut world = opus_room(2, 1);
    world.run_ms(SETTLED_MS);
    let (mut first, mut last) = (None, (0, 0));
    for _ in 0..20 {
        // Its clock goes on while nothing is sent.
        world.phone(0).timestamp = world.turn as u32 * 5 * 48;
        world.phone(0).sends = true;
        for _ in 0..100 {
            let before = world.phone(1).headers.len();
            world.step();
            if let Some((_, timestamp, _)) = world.phone(1).headers.get(before).copied() {
                last = (world.turn, timestamp);
                first.get_or_insert(last);
            }
        }
        world.phone(0).sends = false;
        world.run_ms(500);
    }
    let first = first.unwrap();
    let elapsed = (last.0 - first.0) as i64 * 5 * 48;
    let told = i64::from(last.1.wrapping_sub(first.1));
    assert!((told - elapsed).abs() <= 40 * 48, "{} ms off", (told - elapsed) / 48);
}
