//! A leg goes over from one conference to another: its stream goes on, and it hears others.

use crate::world::*;
use assert_no_alloc::assert_no_alloc;
use media::limits::{PHASE_LEGS, PHASES};
use model::{Codec, ConferenceId, LegId, MediaOrder, Routing};

const FIRST: ConferenceId = ConferenceId(4);
const SECOND: ConferenceId = ConferenceId(8);
const CROWD: ConferenceId = ConferenceId(12);

/// Legs 0 and 1 talk in one conference, leg 2 is alone in another. The two are rendered in the
/// same turn, or two turns of the same tick apart, the first one first or last.
fn two_conferences(codec: Codec, apart: bool, first_is_first: bool) -> World {
    let mut world = World::new();
    let (mut calls, mut began) = ([FIRST, SECOND], false);
    if !first_is_first {
        calls.reverse();
    }
    for conference in calls {
        if began && apart {
            // A phase that is full is left for the next.
            for leg in 0..PHASE_LEGS as u64 * 2 {
                let (leg, local) = (LegId(1_000 + leg), "127.0.0.1".parse().unwrap());
                world.order(MediaOrder::Open { leg, conference: CROWD, local });
            }
        }
        began = true;
        world.conference = conference;
        let legs = if conference == FIRST { 0..2 } else { 2..3 };
        for leg in legs.clone() {
            world.enter(leg, Phone::new(leg, codec).speaking(leg as usize));
        }
        world.route(all_together(legs));
    }
    world
}

/// Leg 1 goes over to leg 2, and the conference that it leaves is over, as the switchboard has it.
fn move_over(world: &mut World) {
    let (leg, local) = (LegId(1), Routing::default());
    let orders = [
        MediaOrder::Move { leg, conference: SECOND },
        MediaOrder::Route { conference: SECOND, routing: all_together(1..3) },
        MediaOrder::Route { conference: FIRST, routing: local },
        MediaOrder::Close { leg: LegId(0) },
        MediaOrder::CloseConference { conference: FIRST },
    ];
    let cues = orders.map(|order| world.desk.compile(&order).unwrap());
    for cue in cues {
        assert_no_alloc(|| world.stage.apply(cue));
    }
    world.phones.remove(&LegId(0));
}

#[test]
fn who_moves_keeps_its_stream_and_hears_the_others_from_the_next_frame_on() {
    let step = |codec| u32::from(audio_codec(codec).rtp_clock_hz() as u16) / 50;
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        for (case, turns) in (0..4).flat_map(|case| (0..PHASES).map(move |turns| (case, turns))) {
            let told = format!("{codec}, case {case}, after {turns} turns");
            let mut world = two_conferences(codec, case & 1 != 0, case & 2 != 0);
            world.run_ms(600 + turns * 5);
            for leg in [1, 2] {
                world.phone(leg).headers.clear();
                world.phone(leg).heard.clear();
            }
            move_over(&mut world);
            world.run_ms(1_000);
            for leg in [1, 2] {
                let headers = &world.phone(leg).headers;
                assert!(headers.len() >= 49, "{told}: leg {leg} got {}", headers.len());
                let mut gaps = 0;
                for pair in headers.windows(2) {
                    assert_eq!(pair[1].0.wrapping_sub(pair[0].0), 1, "{told}: a packet is missing");
                    let passed = pair[1].1.wrapping_sub(pair[0].1);
                    assert_eq!(passed % step(codec), 0, "{told}");
                    gaps += passed / step(codec) - 1;
                }
                assert!(gaps <= 1, "{told}: leg {leg} waited {gaps} frames");
            }
            // Opus and its resampler answer late; 80 ms are both ways and a frame.
            let rate_ms = audio_codec(codec).rate_hz() as usize / 1_000;
            for (leg, other) in [(1, 2), (2, 1)] {
                let heard = &world.phone(leg).heard[80 * rate_ms..];
                let tones = tones_in(heard, audio_codec(codec).rate_hz());
                assert_eq!(tones.into_iter().collect::<Vec<_>>(), [other], "{told}: leg {leg}");
            }
            assert_eq!(world.stats().frames_concealed, 0, "{told}");
            world.order(MediaOrder::Close { leg: LegId(1) });
            world.order(MediaOrder::Close { leg: LegId(2) });
            world.order(MediaOrder::CloseConference { conference: SECOND });
            world.phones.clear();
            world.run_ms(100);
            let open = if case & 1 != 0 { PHASE_LEGS as u64 * 2 } else { 0 };
            assert_eq!(world.stats().ports_open, open, "{told}");
        }
    }
}

#[test]
fn a_leg_that_moves_to_where_it_is_or_to_a_new_conference_is_heard_there() {
    let mut world = two_conferences(Codec::G722, false, true);
    world.run_ms(500);
    world.order(MediaOrder::Move { leg: LegId(1), conference: FIRST });
    let third = ConferenceId(16);
    world.order(MediaOrder::Move { leg: LegId(2), conference: third });
    world.conference = third;
    world.order(MediaOrder::Move { leg: LegId(0), conference: third });
    world.route(all_together([0, 2]));
    world.run_ms(300);
    world.phones.values_mut().for_each(|phone| phone.heard.clear());
    world.run_ms(1_000);
    assert_eq!(world.picture(), [(0, vec![2]), (1, vec![]), (2, vec![0])]);
}
