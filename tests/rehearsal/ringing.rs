//! What is heard while somebody is being called: a ringing tone, or what the far end sends before
//! it answers. Whoever waits for it hears it, and nobody else: no party, no recording, and the
//! called one hears nobody.

use std::collections::BTreeSet;
use std::time::Duration;

use audio::Codec;
use audio::music::SIGNATURE_HZ;
use audio::tone::Ear;
use convoke::phone::{CallState, Manner, Voice};
use model::profile::{Permission, Profile};
use model::{Action, Author, PartyId, Relation, Role, TapRate, Verb};
use sip::message::StatusCode;
use switchboard::Room;

use crate::network::FAIR;
use crate::world::{MUSIC, TONES_HZ, World};

/// What an ear calls the ringing tone.
const RINGING: usize = MUSIC + 1;

/// A ringing tone sounds for one second in five.
const CADENCE: Duration = Duration::from_secs(5);

fn set<const N: usize>(heard: [usize; N]) -> BTreeSet<usize> {
    heard.into_iter().collect()
}

/// All that sounds in at least two windows. The first guest's tone is too near to the ringing
/// tone to be told from it.
fn sounds(pcm: &[i16], rate_hz: u32) -> BTreeSet<usize> {
    let mut candidates = vec![425.0];
    candidates.extend(&TONES_HZ[1..]);
    candidates.push(SIGNATURE_HZ[0]);
    let mut ear = Ear::new(&candidates, rate_hz);
    let frames = pcm.chunks_exact(rate_hz as usize / 50);
    let windows: Vec<_> = frames.filter_map(|frame| ear.push(frame)).collect();
    let sounds_in = |at: &usize| windows.iter().filter(|heard| heard.contains(*at)).count() > 1;
    let numbers = (0..candidates.len()).filter(sounds_in);
    numbers.map(|at| if at == 0 { RINGING } else { at }).collect()
}

/// A world with phones of all codecs, of which the first says nothing.
fn phones(seed: u64, count: usize, profile: &str, record: bool) -> World {
    let mut shipped: Vec<Profile> = call::shipped();
    shipped.retain(|shipped| shipped.name == profile);
    let mut profile = shipped.pop().unwrap();
    // Anybody may have somebody called.
    profile.permissions.push(Permission {
        role: vec![Role::Guest],
        to: vec![Relation::Conference],
        may: vec![Action::Invite],
        when: vec![],
    });
    let (recording_rate, parties_max) = (TapRate::Hz16000, 100);
    let mut world =
        World::with_room(seed, FAIR, Room { record, recording_rate, parties_max, profile });
    for number in 0..count {
        let codec = [Codec::Pcmu, Codec::Opus, Codec::G722, Codec::Pcma][(number + 1) % 4];
        world.guest(codec);
    }
    world.guests[0].phone.say(Voice::Silence);
    world
}

/// What each guest hears in a whole cadence, and what the recording got.
fn listen(world: &mut World) -> (Vec<BTreeSet<usize>>, BTreeSet<usize>) {
    world.run(Duration::from_millis(700));
    world.studio.take_recorded();
    for guest in &mut world.guests {
        guest.phone.take_heard();
    }
    world.run(CADENCE);
    let heard =
        |guest: &mut crate::world::Guest| sounds(&guest.phone.take_heard(), guest.phone.rate_hz());
    let heard = world.guests.iter_mut().map(heard).collect();
    (heard, sounds(&world.studio.take_mix(), 16_000))
}

/// Guests 1 and 2 talk and are recorded; guest 3 is called by whom it is said.
fn called_by(world: &mut World, by: impl Fn(&World) -> Author, manner: Manner) -> PartyId {
    world.join(1, "room");
    world.join(2, "room");
    world.guests[3].phone.behave(manner);
    let by = by(world);
    let invite = Verb::invite("sip:guest3@10.0.1.4:5060");
    let called = world.ask_as(by, "room", invite).unwrap().party.unwrap();
    world.run_until(Duration::from_secs(5), |world| {
        *world.guests[3].phone.state() == CallState::Called
    });
    called
}

fn first_guest(world: &World) -> Author {
    Author::Party(world.party(1))
}

fn answer(world: &mut World, guest: usize) {
    let now = world.now;
    world.guests[guest].phone.answer(now);
    world.drain();
}

#[test]
fn who_has_somebody_called_hears_it_ring_and_nobody_else_does() {
    let mut world = phones(1, 4, "open", true);
    called_by(&mut world, first_guest, Manner::Rings);
    let (heard, recorded) = listen(&mut world);
    assert_eq!(heard[1], set([2, RINGING]));
    assert_eq!(heard[2], set([1]));
    assert_eq!(recorded, set([1, 2]));
    assert_eq!(world.guests[3].phone.packets_received(), 0);
    answer(&mut world, 3);
    let (heard, recorded) = listen(&mut world);
    assert_eq!(heard[1..], [set([2, 3]), set([1, 3]), set([1, 2])]);
    assert_eq!(recorded, set([1, 2, 3]));
}

#[test]
fn early_media_is_heard_by_who_has_it_called_in_place_of_the_ringing_tone() {
    let mut world = phones(2, 4, "open", true);
    called_by(&mut world, first_guest, Manner::SpeaksEarly);
    for also_rings in [false, true] {
        if also_rings {
            let now = world.now;
            world.guests[3].phone.ring(now);
            world.drain();
        }
        let (heard, recorded) = listen(&mut world);
        assert_eq!(heard[1], set([2, 3]), "it rings besides: {also_rings}");
        assert_eq!(heard[2], set([1]));
        assert_eq!(recorded, set([1, 2]));
        assert_eq!(world.guests[3].phone.packets_received(), 0, "it hears the room");
    }
    answer(&mut world, 3);
    let (heard, recorded) = listen(&mut world);
    assert_eq!(heard[1..], [set([2, 3]), set([1, 3]), set([1, 2])]);
    assert_eq!(recorded, set([1, 2, 3]));
}

#[test]
fn early_media_of_a_call_that_nobody_inside_has_made_is_heard_by_nobody() {
    for manner in [Manner::Rings, Manner::SpeaksEarly] {
        let mut world = phones(3, 4, "open", true);
        called_by(&mut world, |_| Author::Admin, manner);
        let (heard, recorded) = listen(&mut world);
        assert_eq!(heard[1..3], [set([2]), set([1])], "{manner:?}");
        assert_eq!(recorded, set([1, 2]));
    }
}

#[test]
fn a_caller_who_waits_for_one_other_hears_it_ring_or_what_it_sends_and_no_music() {
    for (manner, expected) in [(Manner::Rings, RINGING), (Manner::SpeaksEarly, 2)] {
        let mut world = phones(4, 3, "cinnox", false);
        world.guests[2].phone.behave(manner);
        world.register("guest2", &[2]);
        world.join(1, "guest2");
        let (heard, _) = listen(&mut world);
        assert_eq!(heard[1..], [set([expected]), set([])], "{manner:?}");
        answer(&mut world, 2);
        let (heard, _) = listen(&mut world);
        assert_eq!(heard[1..], [set([2]), set([1])], "{manner:?}");
    }
}

#[test]
fn where_one_of_several_phones_gives_up_that_spoke_early_it_rings_for_the_others() {
    let mut world = phones(5, 4, "open", false);
    world.guests[2].phone.behave(Manner::SpeaksEarly);
    world.guests[3].phone.behave(Manner::Rings);
    world.register("guest2", &[2, 3]);
    world.join(1, "guest2");
    assert_eq!(listen(&mut world).0[1], set([2]));
    let now = world.now;
    world.guests[2].phone.refuse(now, StatusCode::BUSY_HERE);
    world.drain();
    assert_eq!(listen(&mut world).0[1], set([RINGING]));
    // The other one speaks before it answers, too.
    world.guests[3].phone.behave(Manner::Answers);
    answer(&mut world, 3);
    let (heard, _) = listen(&mut world);
    assert_eq!((&heard[1], &heard[3]), (&set([3]), &set([1])));
}

#[test]
fn a_call_that_is_given_up_while_its_far_end_speaks_leaves_nothing_behind() {
    let mut world = phones(6, 4, "open", false);
    let party = called_by(&mut world, first_guest, Manner::SpeaksEarly);
    assert_eq!(listen(&mut world).0[1], set([2, 3]));
    world.ask("room", Verb::Remove { party }).unwrap();
    assert_eq!(listen(&mut world).0[1], set([2]));
    assert!(matches!(world.guests[3].phone.state(), CallState::Ended(_)));
    let now = world.now;
    for guest in &mut world.guests {
        guest.phone.hang_up(now);
    }
    world.run(Duration::from_secs(70));
    assert!(world.board.is_idle(), "something is left of the calls");
    assert_eq!(world.studio.ports_open(), 0);
}
