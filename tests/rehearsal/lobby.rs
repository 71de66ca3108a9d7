//! Callers who must type a PIN before they come in.

use std::time::Duration;

use audio::Codec;
use convoke::phone::CallState;
use model::{EventKind, TapRate};
use sip::EndCause;
use sip::access::{From, Pattern, Pin, Route, Target, Template};
use switchboard::Room;

use crate::network::FAIR;
use crate::prompts::{ENTER_PIN, clips, listen, set};
use crate::world::World;

/// A world in which 900 leads into the room of that name with a PIN, and any other name without.
fn world(seed: u64) -> World {
    let (record, recording_rate, profile) = (false, TapRate::Hz16000, call::open());
    let room = Room { record, recording_rate, parties_max: 100, profile };
    let pin: Pin = "4711".parse().unwrap();
    World::with_clips(seed, FAIR, room, clips(), |config| {
        let route = |pattern: &str, to: &str, pin: Option<Pin>| {
            let pattern: Pattern = pattern.parse().unwrap();
            let to = Template::parse(to, &pattern).unwrap();
            let to = match pin {
                Some(pin) => Target::Lobby(to, pin),
                None => Target::Conference(to),
            };
            Route { from: From::Any, pattern, to, open: true }
        };
        config.sip.access.routes = vec![route("900", "desk", Some(pin)), route("*", "$1", None)];
    })
}

fn wrong_pins(world: &World) -> u64 {
    world.board.stats().refusals.get("wrong_pin").copied().unwrap_or(0)
}

#[test]
fn who_types_the_pin_comes_in_and_until_then_hears_nobody_and_is_heard_by_nobody() {
    let mut world = world(81);
    for _ in 0..3 {
        world.guest(Codec::Pcmu);
    }
    world.join(0, "desk");
    world.join(1, "desk");
    world.join(2, "900");
    let alone = [set([1]), set([0]), set([])];
    assert_eq!(world.listen(), alone);
    world.press(2, "4712#");
    assert_eq!(world.listen(), alone);
    assert_eq!(world.views.values().next().unwrap().parties.len(), 2, "nobody is told of it");
    world.press(2, "47*4711#");
    assert_eq!(world.listen(), [set([1, 2]), set([0, 2]), set([0, 1])]);
    let is_digit = |event: &model::Event| matches!(event.kind, EventKind::Digit { .. });
    assert!(!world.events.iter().any(is_digit), "no digit of a PIN is told");
    // From here on its keys are a party's.
    world.press(2, "5");
    assert!(world.events.iter().any(is_digit));
    assert_eq!(wrong_pins(&world), 0);
}

#[test]
fn who_types_a_wrong_pin_three_times_is_let_go_and_soon_not_let_in_at_all() {
    let mut world = world(82);
    for _ in 0..2 {
        world.guest(Codec::Pcmu);
    }
    for call in 1..=2 {
        world.join(0, "900");
        // The length of the PIN is the end of a try, and so is its key.
        world.press(0, "47121#0815");
        world.run(Duration::from_millis(500));
        let state = world.guests[0].phone.state().clone();
        let is_over = matches!(state, CallState::Ended(EndCause::Bye { .. }));
        assert!(is_over, "{state:?}");
        assert_eq!(wrong_pins(&world), call);
        assert_eq!(world.views.len(), 0);
        assert_eq!(world.studio.ports_open(), 0);
    }
    let now = world.now;
    world.guests[0].phone.call(now, "900");
    world.run(Duration::from_millis(500));
    let state = world.guests[0].phone.state();
    let CallState::Ended(EndCause::Rejected { status, .. }) = state else { panic!("{state:?}") };
    assert_eq!(status.code(), 603);
    // Another caller still may.
    world.join(1, "900");
    world.press(1, "4711");
    assert_eq!(world.views.values().next().unwrap().parties.len(), 1);
}

#[test]
fn who_types_no_pin_for_a_minute_is_let_go() {
    let mut world = world(83);
    world.guest(Codec::Pcmu);
    world.join(0, "900");
    world.press(0, "47");
    world.run(Duration::from_secs(58));
    assert_eq!(*world.guests[0].phone.state(), CallState::Up);
    world.run(Duration::from_secs(3));
    let state = world.guests[0].phone.state();
    assert!(matches!(state, CallState::Ended(EndCause::Bye { .. })), "{state:?}");
}

#[test]
fn who_comes_is_asked_for_the_pin_again_if_it_is_wrong_until_it_presses_a_key_and_nobody_else_is() {
    let mut world = world(84);
    for _ in 0..3 {
        world.guest(Codec::Pcmu);
    }
    world.join(0, "desk");
    world.join(1, "desk");
    world.join(2, "900");
    let heard_at_the_door = |world: &mut World| {
        let heard = listen(world, 1_200).0;
        assert_eq!(heard[..2], [set([1]), set([0])]);
        heard[2].clone()
    };
    let events = world.events.len();
    assert_eq!(heard_at_the_door(&mut world), set([ENTER_PIN]));
    // A key ends it, long before it is over.
    world.press(2, "4");
    assert_eq!(heard_at_the_door(&mut world), set([]));
    world.press(2, "712");
    assert_eq!(heard_at_the_door(&mut world), set([ENTER_PIN]), "the PIN was wrong");
    world.run(Duration::from_millis(2_700));
    assert_eq!(heard_at_the_door(&mut world), set([]), "it is said once");
    let is_talking = |event: &model::Event| matches!(event.kind, EventKind::Talking { .. });
    let told = world.events[events..].iter().filter(|event| !is_talking(event));
    assert_eq!(told.count(), 0, "nobody is told of it");
    // The stream is the same one all the time.
    world.press(2, "4711");
    assert_eq!(world.listen(), [set([1, 2]), set([0, 2]), set([0, 1])]);
    assert_eq!(world.streams_to([2])[0].len(), 1);
}

#[test]
fn who_hangs_up_while_it_is_asked_leaves_nothing_behind() {
    let mut world = world(85);
    world.guest(Codec::Opus);
    world.join(0, "900");
    assert_eq!(listen(&mut world, 1_200).0[0], set([ENTER_PIN]));
    let now = world.now;
    world.guests[0].phone.hang_up(now);
    world.run(Duration::from_secs(70));
    assert!(world.board.is_idle(), "something is left of the call");
    assert_eq!((world.studio.ports_open(), world.views.len()), (0, 0));
}
