//! Users that are called by name, at all of their phones.

use std::time::Duration;

use audio::Codec;
use convoke::phone::CallState;
use model::command::{Supervision, Target};
use model::{Direction, PartyState, TapRate, Verb};
use sip::access::Access;
use switchboard::{HouseRules, Input, Room};

use crate::network::FAIR;
use crate::world::World;

fn three(seed: u64) -> World {
    let mut world = World::new(seed, FAIR);
    for codec in [Codec::Pcmu, Codec::Opus, Codec::G722] {
        world.guest(codec);
    }
    world
}

fn all_is_over(world: &mut World) {
    world.run(Duration::from_secs(70));
    assert!(world.board.is_idle(), "something is left of the calls");
    assert_eq!(world.studio.ports_open(), 0);
    assert_eq!(world.views.len(), 0, "the conference lives on");
}

#[test]
fn all_phones_of_a_user_ring_and_the_first_that_answers_has_the_call() {
    let mut world = three(1);
    world.register("guest1", &[1, 2]);
    world.join(0, "guest1");
    world.run(Duration::from_secs(3));
    let up: Vec<usize> =
        (1..3).filter(|guest| *world.guests[*guest].phone.state() == CallState::Up).collect();
    let [answered] = up[..] else { panic!("one phone has the call, not {up:?}") };
    let heard = world.listen();
    assert_eq!(heard[0], [answered].into());
    assert_eq!(heard[answered], [0].into());
    let view = world.views.values().next().expect("a conference");
    assert_eq!(view.parties.len(), 2, "one party, however many phones");
    let ways = [("sip:guest0@", Direction::Inbound), ("sip:guest1@", Direction::Internal)];
    for (user, direction) in ways {
        let party = view.parties.iter().find(|party| party.address.starts_with(user));
        assert_eq!(party.map(|party| party.direction), Some(direction), "S0.4: {user}");
    }
    let now = world.now;
    world.guests[answered].phone.hang_up(now);
    world.run(Duration::from_secs(2));
    assert!(matches!(world.guests[0].phone.state(), CallState::Ended(_)), "nobody is left alone");
    all_is_over(&mut world);
}

/// Else who is left would sit there, and by that know of the monitor.
#[test]
fn a_call_of_two_is_over_with_one_of_them_also_where_it_is_monitored() {
    for leaves in [0, 1] {
        let mut world = three(6);
        world.register("guest1", &[1]);
        world.join(0, "guest1");
        world.run(Duration::from_secs(3));
        let view = world.views.values().next().expect("a conference");
        let (name, beside) = (view.name.to_string(), view.parties[1].id);
        let target = Target::Address("sip:guest2@10.0.1.3:5060".to_owned());
        let mode = Supervision::Monitor;
        world.ask(&name, Verb::Supervise { target, beside, mode }).expect("an admin may");
        world.run(Duration::from_secs(3));
        assert_eq!(world.listen(), [[1].into(), [0].into(), [0, 1].into()]);
        let now = world.now;
        world.guests[leaves].phone.hang_up(now);
        world.run(Duration::from_secs(2));
        for guest in &world.guests {
            assert!(matches!(guest.phone.state(), CallState::Ended(_)), "nobody is left alone");
        }
        all_is_over(&mut world);
    }
}

#[test]
fn a_user_without_a_phone_is_not_reachable() {
    let mut world = three(2);
    let now = world.now;
    world.guests[0].phone.call(now, "guest1");
    world.run(Duration::from_secs(2));
    let state = world.guests[0].phone.state().clone();
    assert!(format!("{state:?}").contains("480"), "{state:?}");
    all_is_over(&mut world);
}

#[test]
fn a_caller_that_gives_up_stops_all_phones() {
    let mut world = three(3);
    world.register("guest1", &[1, 2]);
    world.join(0, "guest1");
    let now = world.now;
    world.guests[0].phone.hang_up(now);
    world.run(Duration::from_secs(5));
    for guest in &world.guests[1..] {
        assert!(!matches!(guest.phone.state(), CallState::Up), "{:?}", guest.phone.state());
    }
    all_is_over(&mut world);
}

#[test]
fn a_user_is_invited_into_a_conference_by_its_address() {
    let mut world = three(4);
    world.register("guest1", &[1]);
    world.join(0, "room");
    let invite = |target: &str| Verb::invite(target);
    world.ask("room", invite("sip:guest1@10.0.0.1")).expect("a target that can be called");
    world.run(Duration::from_secs(3));
    assert_eq!(world.listen()[1], [0].into());
    world.ask("room", invite("sip:guest2@10.0.0.1")).expect("it is found out when it is called");
    world.run(Duration::from_secs(3));
    let view = world.views.values().next().expect("a conference");
    let connected = view.parties.iter().filter(|party| party.state == PartyState::Connected);
    assert_eq!(connected.count(), 2);
}

#[test]
fn a_user_that_is_no_more_stays_in_its_call_and_is_not_reached_again() {
    let mut world = three(5);
    world.register("guest1", &[1]);
    world.join(0, "guest1");
    world.run(Duration::from_secs(2));
    let access = Access::everybody();
    let (recording_rate, parties_max) = (TapRate::Hz16000, 100);
    let any_room = Room { record: false, recording_rate, parties_max, profile: call::open() };
    let (srtp_by_user, rooms, callers) = Default::default();
    let trunk_audio = std::collections::BTreeMap::new();
    let (srtp, srtp_keys) = Default::default();
    let rules =
        HouseRules { access, srtp, srtp_keys, srtp_by_user, trunk_audio, rooms, callers, any_room };
    world.board.handle(world.now, Input::Rules(Box::new(rules)));
    world.drain();
    let heard = world.listen();
    assert_eq!(heard[..2], [[1].into(), [0].into()], "the call goes on");
    let now = world.now;
    world.guests[2].phone.call(now, "guest1");
    world.run(Duration::from_secs(2));
    assert_ne!(*world.guests[1].phone.state(), CallState::Ringing);
    assert_eq!(world.listen()[2], [].into(), "there is no guest1, so that is a room of its own");
    for guest in 0..3 {
        let now = world.now;
        world.guests[guest].phone.hang_up(now);
    }
    all_is_over(&mut world);
}
