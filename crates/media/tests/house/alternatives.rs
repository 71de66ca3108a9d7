//! A far end that may send any of several codecs, and changes between them as it likes.

use model::{Alternative, Codec, Content, LegId, MediaOrder, MediaReport};
use wire::telephone_event::Event;

use crate::world::*;

/// One who speaks and may do so in any codec, and one who listens in that codec; nothing has
/// happened yet.
fn pair(own: Codec, listens: Codec) -> World {
    let mut world = World::new();
    world.enter(0, Phone::new(0, own).speaking(0).or_any_of(&Codec::ALL));
    world.enter(1, Phone::new(1, listens));
    world.phone(1).sends = false;
    world.route(all_together(0..2));
    world
}

fn every_two() -> impl Iterator<Item = (Codec, Codec)> {
    let others = |own| Codec::ALL.into_iter().map(move |other| (own, other));
    Codec::ALL.into_iter().flat_map(others).filter(|(own, other)| own != other)
}

/// What the listener heard since the first sound.
fn sound(world: &mut World) -> Vec<i16> {
    let heard = &world.phone(1).heard;
    let start = heard.iter().position(|sample| sample.unsigned_abs() > 1_000).unwrap();
    heard[start..].to_vec()
}

#[test]
fn whatever_was_agreed_is_heard_from_the_first_packet_on() {
    for (own, other) in every_two() {
        let mut world = pair(own, Codec::Pcmu);
        world.phone(0).speak(other);
        world.run_ms(2_000);
        assert_eq!(world.picture(), [(0, vec![]), (1, vec![0])], "{other} in place of {own}");
        let stats = world.stats();
        let spoilt = (stats.packets_lost, stats.packets_late, stats.frames_concealed);
        assert_eq!((spoilt, stats.packets_refused), ((0, 0, 0), 0), "{other} in place of {own}");
        assert_steady(&sound(&mut world), 8, 0);
    }
}

#[test]
fn what_was_not_agreed_is_not_heard() {
    let mut world = pair(Codec::Pcmu, Codec::Pcmu);
    world.phone(0).alternatives.clear();
    let connection = world.phone(0).terms();
    world.order(MediaOrder::Close { leg: LegId(0) });
    let (conference, local) = (world.conference, "127.0.0.1".parse().unwrap());
    world.order(MediaOrder::Open { leg: LegId(0), conference, local });
    world.order(MediaOrder::Connect { leg: LegId(0), connection });
    world.phone(0).speak(Codec::Pcma);
    world.run_ms(2_000);
    assert_eq!(world.picture(), [(0, vec![]), (1, vec![])]);
}

/// The largest bend in a tone that goes from one codec to the other and back.
fn bend(own: Codec, other: Codec, keeps_encoders: bool) -> i32 {
    let mut world = pair(own, Codec::Pcmu);
    world.phone(0).keeps_encoders = keeps_encoders;
    world.run_ms(2_000);
    for _ in 0..3 {
        world.phone(0).speak(other);
        world.run_ms(500);
        world.phone(0).speak(own);
        world.run_ms(500);
    }
    assert_eq!(world.picture(), [(0, vec![]), (1, vec![0])], "{own} and {other}");
    let stats = world.stats();
    let spoilt = (stats.packets_lost, stats.packets_late, stats.frames_concealed);
    assert_eq!(spoilt, (0, 0, 0), "{own} and {other}");
    let pcm = sound(&mut world);
    // A decoder of G.722 begins at rest, and takes that long to meet an encoder that does not.
    let led = keeps_encoders && [own, other].contains(&Codec::G722);
    assert_steady(&pcm, 8, if led { 40 } else { 0 });
    largest_bend(&pcm[1_600..])
}

#[test]
fn a_change_of_codec_in_mid_sound_leaves_no_gap_and_no_click() {
    for (own, other) in every_two() {
        for keeps_encoders in [false, true] {
            let bend = bend(own, other, keeps_encoders);
            assert!(bend < 2_000, "{own} and {other}: a bend of {bend}");
        }
    }
}

#[test]
fn timestamps_that_go_on_anywhere_in_another_clock_leave_no_gap() {
    for jump in [0_u32, 1_000_000, 0x9000_0000, 960_u32.wrapping_neg()] {
        let mut world = pair(Codec::Pcmu, Codec::Pcmu);
        world.run_ms(2_000);
        for codec in [Codec::Opus, Codec::Pcmu, Codec::Opus] {
            let phone = world.phone(0);
            phone.timestamp = phone.timestamp.wrapping_add(jump);
            phone.speak(codec);
            world.run_ms(500);
        }
        let stats = world.stats();
        let spoilt = (stats.packets_lost, stats.packets_late, stats.frames_concealed);
        assert_eq!(spoilt, (0, 0, 0), "{jump}");
        assert_steady(&sound(&mut world), 8, 0);
    }
}

#[test]
fn packets_that_overtake_each_other_at_a_change_spoil_no_more_than_one() {
    for late in 98..103 {
        let mut world = pair(Codec::Pcmu, Codec::Pcmu);
        world.phone(0).network =
            Box::new(move |number| vec![if number == late { 25_000 } else { 0 }]);
        world.run_ms(2_000);
        world.phone(0).speak(Codec::Opus);
        world.run_ms(2_000);
        let stats = world.stats();
        assert!(stats.packets_lost <= 1 && stats.frames_concealed <= 2, "{late}: {stats:?}");
        assert_steady(&sound(&mut world), 8, 5);
        assert_eq!(world.picture(), [(0, vec![]), (1, vec![0])], "{late}");
    }
}

#[test]
fn silence_in_one_codec_and_words_in_another_begin_without_a_rest_of_what_was_said_before() {
    for (own, other) in every_two() {
        let mut world = pair(own, Codec::Pcmu);
        world.run_ms(1_000);
        world.phone(0).sine = None;
        world.run_ms(500);
        let phone = world.phone(0);
        phone.speak(other);
        phone.sine = None;
        world.phone(1).heard.clear();
        world.run_ms(1_000);
        let loudest = world.phone(1).heard.iter().map(|sample| sample.unsigned_abs()).max();
        assert!(loudest < Some(100), "{own} to {other}: {loudest:?}");
    }
}

#[test]
fn a_listener_in_opus_is_given_what_was_said_in_another_codec_too() {
    let mut world = pair(Codec::Opus, Codec::Opus);
    world.run_ms(3_000);
    for codec in [Codec::Pcma, Codec::Opus, Codec::G722] {
        world.phone(0).speak(codec);
        world.run_ms(3_000);
        assert_eq!(world.picture(), [(0, vec![]), (1, vec![0])], "{codec}");
    }
    assert_steady(&sound(&mut world), 48, 5);
}

#[test]
fn an_answer_that_leaves_one_codec_goes_on_without_a_gap() {
    let mut world = pair(Codec::Pcmu, Codec::Pcmu);
    world.run_ms(2_000);
    world.phone(0).alternatives.clear();
    let connection = world.phone(0).terms();
    world.order(MediaOrder::Connect { leg: LegId(0), connection });
    world.run_ms(1_000);
    assert_eq!(world.stats().frames_concealed, 0);
    assert_steady(&sound(&mut world), 8, 0);
}

#[test]
fn keys_are_told_once_on_whichever_clock_they_come() {
    let other_clock = |codec| if codec == Codec::Opus { 8_000 } else { 48_000 };
    for own in Codec::ALL {
        let mut world = pair(own, Codec::Pcmu);
        let alternative = Alternative {
            receive_payload_type: 102,
            content: Content::Events { clock_rate_hz: other_clock(own) },
        };
        world.phone(0).alternatives.push(alternative);
        let connection = world.phone(0).terms();
        world.order(MediaOrder::Connect { leg: LegId(0), connection });
        world.run_ms(1_000);
        // The first without an end: its length on its own clock says when it is over.
        for (payload_type, code, ends) in [(102, 5, 0), (101, 6, 3), (102, 7, 3)] {
            let clock_hz = if (payload_type == 102) == (own == Codec::Opus) { 8 } else { 48 };
            world.phone(0).sends = false;
            for number in 1..=5_u16 + ends {
                let (end, duration) = (number > 5, clock_hz * 20 * number.min(5));
                let event = Event { code, end, volume: 10, duration };
                let phone = world.phone(0);
                let place = (phone.sequence, phone.timestamp, phone.ssrc);
                phone.sequence = phone.sequence.wrapping_add(1);
                let address = phone.address;
                world.post(0, address, rtp_packet(payload_type, place, &event.to_bytes()));
                world.run_ms(20);
            }
            let phone = world.phone(0);
            let clock_hz = if own == Codec::Opus { 48_000 } else { 8_000 };
            phone.timestamp = phone.timestamp.wrapping_add(clock_hz / 5);
            phone.sends = true;
            world.run_ms(1_000);
        }
        let digit = |report: &MediaReport| {
            let MediaReport::Digit { leg: LegId(0), digit } = report else { return None };
            Some(*digit)
        };
        let digits: String = world.reports.iter().filter_map(digit).collect();
        assert_eq!(digits, "567", "{own}");
    }
}

#[test]
fn the_figures_of_quality_are_of_the_codec_that_comes() {
    let mut world = pair(Codec::Pcmu, Codec::Pcmu);
    world.run_ms(3_000);
    world.phone(0).speak(Codec::Opus);
    world.run_ms(8_000);
    let quality = world.reports.iter().rev().find_map(|report| {
        let MediaReport::Quality { leg: LegId(0), quality } = report else { return None };
        Some(quality)
    });
    let quality = quality.unwrap();
    assert!(quality.jitter_ms < 1.0, "{}", quality.jitter_ms);
    assert_eq!((quality.loss_percent, quality.packets_late), (0.0, 0));
}
