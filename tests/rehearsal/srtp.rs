//! Calls whose audio is protected by SRTP, beside plain ones.

use std::collections::BTreeMap;
use std::time::Duration;

use audio::Codec;
use convoke::phone::CallState;
use model::{SrtpKeys, SrtpPolicy, Verb};
use switchboard::SrtpRules;
use wire::sdp::Srtp;

use crate::network::{FAIR, FOUL, Weather};
use crate::world::World;

fn under(seed: u64, weather: Weather, any: SrtpPolicy) -> World {
    let users = BTreeMap::from([("guest1".to_owned(), SrtpPolicy::Required)]);
    World::with_srtp(seed, weather, SrtpRules { any, users, keys: SrtpKeys::Any, secret: [9; 32] })
}

/// How a guest's call ends, or that it is up.
fn called(world: &mut World, guest: usize, target: &str) -> String {
    let now = world.now;
    world.guests[guest].phone.call(now, target);
    world.run(Duration::from_secs(3));
    format!("{:?}", world.guests[guest].phone.state())
}

/// Everybody hears all others.
fn all_hear_all(world: &mut World) {
    let guests = world.guests.len();
    for (listener, heard) in world.listen().into_iter().enumerate() {
        let others = (0..guests).filter(|other| *other != listener).collect();
        assert_eq!(heard, others, "seed {}: listener {listener}", world.seed);
    }
}

#[test]
fn plain_and_protected_phones_hear_each_other_through_loss_over_a_wrap_and_hold() {
    let mut world = under(1, FOUL, SrtpPolicy::Optional);
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        world.guest_with(codec, Srtp::Required);
    }
    world.guest(Codec::Pcma);
    for guest in 0..4 {
        // Ten seconds until the sequence begins anew.
        world.guests[guest].phone.count_on_from(65_036);
        world.join(guest, "room");
    }
    let protected = |world: &World| -> Vec<bool> {
        world.guests.iter().map(|guest| guest.phone.is_protected()).collect()
    };
    assert_eq!(protected(&world), [true, true, true, false]);
    world.run(Duration::from_secs(20));
    all_hear_all(&mut world);
    for held in [true, false] {
        let now = world.now;
        world.guests[1].phone.hold(now, held);
        world.run(Duration::from_secs(5));
    }
    assert_eq!(protected(&world), [true, true, true, false]);
    all_hear_all(&mut world);
    assert_eq!(world.studio.stats().packets_unauthentic, 0);
}

#[test]
fn a_minute_without_packets_leaves_srtp_as_it_was_and_so_does_one_that_was_lost() {
    let rules = SrtpRules {
        any: SrtpPolicy::Required,
        keys: SrtpKeys::Any,
        secret: [9; 32],
        ..SrtpRules::default()
    };
    let mut world = World::with(3, FAIR, World::any_room(), |config| {
        config.srtp = rules;
        // Longer than what is tried.
        config.rtp_timeouts.talking_s = 300;
    });
    for codec in [Codec::Pcmu, Codec::Opus] {
        let guest = world.guest_with(codec, Srtp::Required);
        // A minute has 3,000 packets: the sequence begins anew in the one that is lost.
        world.guests[guest].phone.count_on_from(64_036);
        world.join(guest, "room");
    }
    all_hear_all(&mut world);
    // On hold a phone sends nothing, and goes on where it was.
    world.guests[1].phone.hold(world.now, true);
    world.run(Duration::from_secs(65));
    world.guests[1].phone.hold(world.now, false);
    all_hear_all(&mut world);
    world.unplug(1);
    world.run(Duration::from_secs(60));
    world.plug_in(1);
    all_hear_all(&mut world);
    assert_eq!(world.studio.stats().packets_unauthentic, 0);
}

#[test]
fn where_srtp_is_off_who_must_have_it_is_refused() {
    let mut world = under(2, FAIR, SrtpPolicy::Off);
    world.guest_with(Codec::Pcmu, Srtp::Required);
    let state = called(&mut world, 0, "room");
    assert!(state.contains("488"), "{state}");
}

#[test]
fn where_srtp_is_required_a_plain_call_is_refused() {
    let mut world = under(3, FAIR, SrtpPolicy::Required);
    world.guest(Codec::Pcmu);
    world.guest_with(Codec::Pcmu, Srtp::Required);
    let state = called(&mut world, 0, "room");
    assert!(state.contains("488"), "{state}");
    world.join(1, "room");
    assert!(world.guests[1].phone.is_protected());
}

#[test]
fn a_user_that_must_have_srtp_is_called_with_it_and_others_without() {
    let mut world = under(4, FAIR, SrtpPolicy::Optional);
    world.guest(Codec::Pcmu);
    world.guest_with(Codec::Pcmu, Srtp::Optional);
    world.guest_with(Codec::Pcmu, Srtp::Optional);
    world.register("guest1", &[1]);
    world.register("guest2", &[2]);
    world.join(0, "room");
    for user in ["guest1", "guest2"] {
        let invite = Verb::invite(format!("sip:{user}@10.0.0.1"));
        world.ask("room", invite).expect("a target that can be called");
        world.run(Duration::from_secs(3));
    }
    assert!(world.guests[1].phone.is_protected());
    assert!(!world.guests[2].phone.is_protected());
    all_hear_all(&mut world);
}

#[test]
fn a_phone_without_srtp_cannot_be_called_where_it_is_required() {
    let mut world = under(5, FAIR, SrtpPolicy::Optional);
    world.guest(Codec::Pcmu);
    world.guest(Codec::Pcmu);
    world.register("guest1", &[1]);
    let state = called(&mut world, 0, "guest1");
    assert_ne!(*world.guests[1].phone.state(), CallState::Up);
    assert!(state.starts_with("Ended"), "{state}");
}
