//! Stories, checked by ear after every step.

use std::collections::BTreeSet;
use std::time::Duration;

use audio::Codec;
use convoke::phone::CallState;
use model::{CommandId, EventKind, LeaveReason, PartyState, Refusal, TapRate, Verb};
use sip::EndCause;
use switchboard::Room;

use crate::network::{FAIR, FOUL};
use crate::world::{MUSIC, World};

const CODECS: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

fn set<const N: usize>(heard: [usize; N]) -> BTreeSet<usize> {
    heard.into_iter().collect()
}

/// A room in which four guests with four codecs stand.
fn four(seed: u64, weather: crate::network::Weather) -> World {
    let mut world = World::new(seed, weather);
    for codec in CODECS {
        let guest = world.guest(codec);
        world.join(guest, "room");
    }
    world
}

/// All hang up; nothing is left anywhere.
fn all_leave(world: &mut World) {
    let now = world.now;
    for guest in &mut world.guests {
        guest.phone.hang_up(now);
    }
    world.run(Duration::from_secs(70));
    assert!(world.board.is_idle(), "seed {}: something is left of the calls", world.seed);
    assert_eq!(world.views.len(), 0, "seed {}: the conference lives on", world.seed);
    assert_eq!(world.studio.ports_open(), 0, "seed {}: a port is still open", world.seed);
    for guest in &world.guests {
        assert!(guest.phone.is_idle(), "seed {}: a phone still waits", world.seed);
    }
}

#[test]
fn guests_with_four_codecs_come_and_go_and_each_hears_all_others_but_not_itself() {
    let mut world = World::new(1, FAIR);
    for codec in CODECS {
        let guest = world.guest(codec);
        world.join(guest, "room");
        for (listener, heard) in world.listen().into_iter().enumerate() {
            let others: BTreeSet<usize> = (0..=guest).filter(|other| *other != listener).collect();
            assert_eq!(heard, others, "listener {listener} when {guest} has come");
        }
    }
    let now = world.now;
    world.guests[2].phone.hang_up(now);
    let heard = world.listen();
    assert_eq!(heard[0], set([1, 3]));
    assert_eq!(heard[3], set([0, 1]));
    assert_eq!(heard[2], set([]));
    all_leave(&mut world);
}

#[test]
fn a_muted_guest_hears_and_is_not_heard() {
    let mut world = four(2, FAIR);
    let party = world.party(1);
    world.ask("room", Verb::Mute { party }).unwrap();
    let heard = world.listen();
    assert_eq!(heard[0], set([2, 3]));
    assert_eq!(heard[1], set([0, 2, 3]));
    world.ask("room", Verb::Unmute { party }).unwrap();
    assert_eq!(world.listen()[0], set([1, 2, 3]));
}

#[test]
fn a_guest_that_is_held_hears_music_and_nobody_and_nobody_hears_it() {
    let mut world = four(3, FAIR);
    let party = world.party(3);
    world.ask("room", Verb::Hold { party }).unwrap();
    let heard = world.listen();
    assert_eq!(heard[3], set([MUSIC]));
    assert_eq!(heard[0], set([1, 2]));
    world.ask("room", Verb::Resume { party }).unwrap();
    let heard = world.listen();
    assert_eq!(heard[3], set([0, 1, 2]));
    assert_eq!(heard[0], set([1, 2, 3]));
}

#[test]
fn a_phone_that_holds_by_its_own_key_is_out_of_the_room_until_it_comes_back() {
    let mut world = four(4, FAIR);
    let now = world.now;
    world.guests[0].phone.hold(now, true);
    let heard = world.listen();
    // It sends its own music, here its tone, and takes nothing.
    assert_eq!(heard[0], set([]));
    assert_eq!(heard[1], set([2, 3]));
    let party = world.party(0);
    let refused = world.ask("room", Verb::Resume { party });
    assert_eq!(refused, Err(Refusal::WrongState), "only the phone can end its own hold");
    let now = world.now;
    world.guests[0].phone.hold(now, false);
    let heard = world.listen();
    assert_eq!(heard[0], set([1, 2, 3]));
    assert_eq!(heard[1], set([0, 2, 3]));
}

#[test]
fn on_a_foul_network_everybody_still_hears_exactly_whom_they_should() {
    for seed in [5, 6, 7] {
        let mut world = four(seed, FOUL);
        for (listener, heard) in world.listen().into_iter().enumerate() {
            let others: BTreeSet<usize> = (0..4).filter(|other| *other != listener).collect();
            assert_eq!(heard, others, "seed {seed}: listener {listener}");
        }
        all_leave(&mut world);
    }
}

#[test]
fn the_recording_holds_all_who_are_heard_and_no_music() {
    let room = Room {
        record: true,
        recording_rate: TapRate::Hz16000,
        parties_max: 100,
        profile: call::open(),
    };
    let mut world = World::with_room(8, FAIR, room);
    for codec in [Codec::Pcmu, Codec::Opus, Codec::G722] {
        let guest = world.guest(codec);
        world.join(guest, "room");
    }
    world.listen();
    assert_eq!(world.recorded(), set([0, 1, 2]));
    let party = world.party(1);
    world.ask("room", Verb::Hold { party }).unwrap();
    world.listen();
    assert_eq!(world.recorded(), set([0, 2]));
    world.ask("room", Verb::Record { on: false }).unwrap();
    world.listen();
    assert_eq!(world.recorded(), set([]));
}

#[test]
fn rooms_do_not_hear_each_other() {
    let mut world = World::new(9, FAIR);
    for (codec, room) in
        [(Codec::Pcmu, "a"), (Codec::Pcmu, "b"), (Codec::Opus, "a"), (Codec::G722, "b")]
    {
        let guest = world.guest(codec);
        world.join(guest, room);
    }
    let heard = world.listen();
    assert_eq!(heard, vec![set([2]), set([3]), set([0]), set([1])]);
}

#[test]
fn a_removed_guest_gets_a_bye_and_an_ended_room_lets_all_go() {
    let mut world = four(10, FAIR);
    let party = world.party(1);
    world.ask("room", Verb::Remove { party }).unwrap();
    world.run(Duration::from_secs(1));
    let is_over = |state: &CallState| matches!(state, CallState::Ended(EndCause::Bye { .. }));
    assert!(is_over(world.guests[1].phone.state()));
    assert_eq!(*world.guests[0].phone.state(), CallState::Up);
    world.ask("room", Verb::End).unwrap();
    world.run(Duration::from_secs(1));
    assert!(world.guests.iter().all(|guest| is_over(guest.phone.state())));
    all_leave(&mut world);
}

#[test]
fn an_invited_phone_stands_in_the_room_when_it_answers() {
    let mut world = World::new(11, FAIR);
    let first = world.guest(Codec::G722);
    world.join(first, "room");
    world.guest(Codec::Pcma);
    let target = "sip:guest1@10.0.1.2:5060".to_owned();
    let invited = world.ask("room", Verb::invite(target)).unwrap().party.unwrap();
    let heard = world.listen();
    assert_eq!(heard, vec![set([1]), set([0])]);
    let view = world.views.values().next().unwrap();
    assert_eq!(view.party(invited).unwrap().state, PartyState::Connected);
    all_leave(&mut world);
}

#[test]
fn an_invited_phone_that_is_busy_leaves_the_room_as_it_was() {
    let mut world = World::new(12, FAIR);
    for room in ["a", "b"] {
        let guest = world.guest(Codec::Pcmu);
        world.join(guest, room);
    }
    let target = "sip:guest1@10.0.1.2:5060".to_owned();
    let party = world.ask("a", Verb::invite(target)).unwrap().party.unwrap();
    world.run(Duration::from_secs(2));
    let left = EventKind::Left { party, reason: LeaveReason::Busy };
    assert!(world.events.iter().any(|event| event.kind == left));
    assert_eq!(*world.guests[1].phone.state(), CallState::Up, "its other call goes on");
}

#[test]
fn a_phone_that_nobody_answers_at_is_given_up_and_told() {
    let mut world = World::new(13, FAIR);
    let first = world.guest(Codec::Pcmu);
    world.join(first, "room");
    let target = "sip:nobody@10.0.1.77:5060".to_owned();
    let party = world.ask("room", Verb::invite(target)).unwrap().party.unwrap();
    world.run(Duration::from_secs(65));
    let gone = [LeaveReason::NoAnswer, LeaveReason::Lost, LeaveReason::Failed]
        .map(|reason| EventKind::Left { party, reason });
    let told = world.events.iter().filter(|event| gone.contains(&event.kind)).count();
    assert_eq!(told, 1);
    assert_eq!(world.studio.ports_open(), 1);
}

#[test]
fn a_command_that_comes_twice_is_carried_out_once() {
    let mut world = World::new(14, FAIR);
    let first = world.guest(Codec::Pcmu);
    world.join(first, "room");
    let target = "sip:guest9@10.0.1.77:5060".to_owned();
    let id = CommandId(77_777);
    let once = world.ask_again(id, "room", Verb::invite(target.clone())).unwrap();
    let twice = world.ask_again(id, "room", Verb::invite(target)).unwrap();
    assert_eq!(once, twice);
    assert_eq!(world.views.values().next().unwrap().parties.len(), 2);
}

#[test]
fn a_pressed_key_is_told_once_in_spite_of_loss() {
    let mut world = four(15, FOUL);
    for key in ['1', '#', '1'] {
        world.guests[2].phone.press(key);
        world.run(Duration::from_millis(600));
    }
    let digits: Vec<char> = world
        .events
        .iter()
        .filter_map(|event| {
            let EventKind::Digit { digit, .. } = event.kind else { return None };
            Some(digit)
        })
        .collect();
    assert_eq!(digits, ['1', '#', '1']);
}

#[test]
fn a_phone_that_changes_its_address_hears_and_is_heard_at_the_other_one() {
    let mut world = World::new(16, FAIR);
    for codec in [Codec::Pcmu, Codec::Opus] {
        let guest = world.guest(codec);
        world.join(guest, "room");
    }
    world.move_audio(0, "10.0.1.1:4444".parse().unwrap());
    assert_eq!(world.listen(), vec![set([1]), set([0])]);
}

#[test]
fn talking_is_told_when_somebody_speaks() {
    let mut world = four(17, FAIR);
    world.run(Duration::from_secs(1));
    let talking = world.views.values().flat_map(|view| &view.parties).filter(|p| p.talking).count();
    assert_eq!(talking, 4);
    world.guests[0].phone.say(convoke::phone::Voice::Silence);
    world.run(Duration::from_secs(1));
    let party = world.party(0);
    let view = world.views.values().next().unwrap();
    assert!(!view.party(party).unwrap().talking);
}
