//! Keys that are pressed for one leg's far end to hear.

use crate::world::*;
use audio::dtmf::DtmfEar;
use model::{Codec, LegId, MediaOrder};
use wire::telephone_event::Key;

/// Legs 1 and 2 speak, leg 0 listens; all hear each other.
fn three(first: Phone) -> World {
    let mut world = World::new();
    world.enter(0, first);
    world.enter(1, Phone::new(1, Codec::Pcmu).speaking(1));
    world.enter(2, Phone::new(2, Codec::Opus).speaking(2));
    world.route(all_together(0..3));
    world.run_ms(500);
    world
}

fn press(world: &mut World, leg: u64, digits: &str) {
    let digits = digits.parse().unwrap();
    world.order(MediaOrder::Press { leg: LegId(leg), digits });
}

/// The keys that a phone hears in its sound.
fn dialled(phone: &Phone) -> String {
    let rate_hz = audio_codec(phone.codec).rate_hz();
    let mut ear = DtmfEar::new(rate_hz);
    phone.heard.chunks_exact(rate_hz as usize / 50).filter_map(|frame| ear.push(frame)).collect()
}

#[test]
fn a_key_is_told_in_packets_as_rfc_4733_has_it_while_the_stream_goes_on() {
    let mut world = three(Phone::new(0, Codec::Pcmu));
    press(&mut world, 0, "5#");
    world.run_ms(1_000);
    let phone = world.phone(0);
    let (first, second) = phone.events.split_at(7);
    for (events, key) in [(first, '5'), (second, '#')] {
        let code = Key::from_char(key).unwrap().code();
        let (_, began, _, _) = events[0];
        let told: Vec<_> = events
            .iter()
            .map(|(_, at, marker, event)| {
                assert_eq!((*at, event.code), (began, code), "one event has one timestamp");
                (*marker, event.duration, event.end)
            })
            .collect();
        let growing = [(true, 160, false), (false, 320, false), (false, 480, false)];
        let ending = [(false, 640, false), (false, 800, true), (false, 800, true)];
        assert_eq!(told, [&growing[..], &ending, &[(false, 800, true)]].concat());
    }
    // Sound and keys are one stream: no number is missing, and sound is where it would be.
    let mut numbers: Vec<u16> = phone.headers.iter().map(|(number, _, _)| *number).collect();
    numbers.extend(phone.events.iter().map(|(number, _, _, _)| *number));
    let origin = phone.headers[0].0;
    numbers.sort_by_key(|number| number.wrapping_sub(origin));
    assert!(numbers.windows(2).all(|two| two[1] == two[0].wrapping_add(1)));
    let origin = phone.headers[0].1;
    assert!(phone.headers.iter().all(|(_, at, _)| at.wrapping_sub(origin) % 160 == 0));
    let gap = second[0].1.wrapping_sub(first[0].1);
    assert!(gap >= 160 * (5 + 4), "{gap} between the beginnings of two keys");
    assert_eq!(dialled(phone), "", "it is told in packets alone");
    assert!([1, 2].iter().all(|leg| world.phones[&LegId(*leg)].events.is_empty()));
}

#[test]
fn where_no_events_are_agreed_keys_sound_at_that_leg_and_nowhere_else() {
    for codec in Codec::ALL {
        for speaks in [false, true] {
            let mut phone = Phone::new(0, codec).without_events();
            if speaks {
                phone = phone.speaking(0);
            }
            let mut world = three(phone);
            press(&mut world, 0, "159#");
            world.run_ms(1_200);
            assert_eq!(dialled(world.phone(0)), "159#", "{codec}");
            assert_eq!(dialled(world.phone(1)) + &dialled(world.phone(2)), "", "{codec}");
            // What it hears goes on, and so does what the others hear.
            world.run_ms(1_500);
            let others: Vec<usize> = if speaks { vec![0, 2] } else { vec![2] };
            let picture = world.picture();
            assert_eq!(picture[0], (0, vec![1, 2]), "{codec}");
            assert_eq!(picture[1], (1, others), "{codec}");
        }
    }
}

#[test]
fn keys_that_have_no_room_or_nobody_to_hear_them_are_counted() {
    let mut world = three(Phone::new(0, Codec::Pcmu));
    for _ in 0..3 {
        press(&mut world, 0, &"1".repeat(32));
    }
    assert_eq!(world.stats().keys_dropped, 32);
    let mut connection = world.phone(0).terms();
    connection.sends = false;
    world.order(MediaOrder::Connect { leg: LegId(0), connection });
    world.run_ms(100);
    assert_eq!(world.stats().keys_dropped, 32 + 64);
}
