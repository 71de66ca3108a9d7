//! Transfers in the manner of RFC 5589, checked by ear: after each, exactly the right people hear
//! each other, and whoever asked for it was told how it went.

use std::collections::BTreeSet;
use std::time::Duration;

use audio::Codec;
use convoke::phone::CallState;
use model::command::Readers;
use model::{EventKind, LeaveReason, Refusal, Verb};
use sip::message::{DialogName, ExtraHeaders, HeaderName, ReferTo};

use crate::network::{FAIR, FOUL, Weather};
use crate::world::World;

fn set<const N: usize>(heard: [usize; N]) -> BTreeSet<usize> {
    heard.into_iter().collect()
}

/// Two stand in a room; one more phone is on its hook, and answers whoever calls it.
fn two_and_one_more(seed: u64, weather: Weather) -> World {
    let mut world = World::new(seed, weather);
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        world.guest(codec);
    }
    world.join(0, "room");
    world.join(1, "room");
    world
}

fn refer_to(text: &str) -> ReferTo {
    text.parse().unwrap()
}

/// The statuses that a guest's REFER got, and whether the last one was the last.
fn told(world: &World, guest: usize) -> (Vec<u16>, bool) {
    let progress = world.guests[guest].phone.transfer_progress();
    let statuses = progress.iter().map(|(status, _)| status.code()).collect();
    (statuses, progress.last().is_some_and(|(_, over)| *over))
}

fn transfer(world: &mut World, guest: usize, to: &str) {
    let now = world.now;
    world.guests[guest].phone.transfer(now, &refer_to(to));
    world.drain();
}

fn is_over(world: &World, guest: usize) -> bool {
    matches!(world.guests[guest].phone.state(), CallState::Ended(_))
}

fn all_leave(world: &mut World) {
    let now = world.now;
    for guest in &mut world.guests {
        guest.phone.hang_up(now);
    }
    world.run(Duration::from_secs(300));
    assert!(world.board.is_idle(), "seed {}: something is left of the calls", world.seed);
    assert_eq!(world.views.len(), 0, "seed {}: a conference lives on", world.seed);
    assert_eq!(world.studio.ports_open(), 0, "seed {}: a port is still open", world.seed);
}

#[test]
fn a_blind_transfer_puts_the_called_phone_in_the_place_of_who_asked() {
    for (seed, weather) in [(1, FAIR), (2, FOUL), (3, FOUL), (4, FOUL)] {
        let mut world = two_and_one_more(seed, weather);
        transfer(&mut world, 0, "<sip:guest2@10.0.1.3>");
        world.run_until(Duration::from_secs(30), |world| is_over(world, 0));
        let heard = world.listen();
        assert_eq!(heard, [set([]), set([2]), set([1])], "seed {seed}");
        // The last word may be overtaken by the BYE on a bad line, and both say the same.
        let (statuses, over) = told(&world, 0);
        assert!(seed != 1 || (over && statuses == [100, 200]), "seed {seed}: {statuses:?}");
        let left = |kind: &EventKind| {
            matches!(kind, EventKind::Left { reason: LeaveReason::Transferred, .. })
        };
        assert_eq!(world.events.iter().filter(|event| left(&event.kind)).count(), 1);
        all_leave(&mut world);
    }
}

#[test]
fn who_asked_stays_when_the_called_phone_is_busy_and_may_ask_again() {
    let mut world = two_and_one_more(5, FAIR);
    world.join(2, "elsewhere");
    transfer(&mut world, 0, "<sip:guest2@10.0.1.3>");
    world.run(Duration::from_secs(5));
    assert_eq!(told(&world, 0), (vec![100, 486], true));
    assert_eq!(world.listen(), [set([1]), set([0]), set([])]);
    let now = world.now;
    world.guests[2].phone.hang_up(now);
    world.run(Duration::from_secs(3));
    transfer(&mut world, 0, "<sip:guest2@10.0.1.3>");
    world.run(Duration::from_secs(5));
    assert_eq!(world.listen(), [set([]), set([2]), set([1])]);
    all_leave(&mut world);
}

#[test]
fn who_asked_and_hung_up_at_once_has_transferred_all_the_same() {
    let mut world = two_and_one_more(6, FAIR);
    transfer(&mut world, 0, "<sip:guest2@10.0.1.3>");
    world.run(Duration::from_millis(60));
    let now = world.now;
    world.guests[0].phone.hang_up(now);
    world.run(Duration::from_secs(5));
    assert_eq!(world.listen(), [set([]), set([2]), set([1])]);
    all_leave(&mut world);
}

#[test]
fn a_room_is_not_called_into_itself() {
    for target in ["sip:Room@10.0.0.1", "sip:room@convoke"] {
        let mut world = two_and_one_more(7, FAIR);
        transfer(&mut world, 0, &format!("<{target}>"));
        world.run(Duration::from_secs(2));
        assert_eq!(told(&world, 0), (vec![416], true), "{target}");
        let invite = Verb::invite(target.to_owned());
        assert_eq!(world.ask("room", invite).map(|_| ()), Err(Refusal::BadTarget), "{target}");
        assert_eq!(world.listen(), [set([1]), set([0]), set([])], "{target}");
        all_leave(&mut world);
    }
}

#[test]
fn a_guest_may_not_add_or_remove_others_where_the_profile_does_not_say_so() {
    let mut world = two_and_one_more(8, FAIR);
    transfer(&mut world, 0, "<sip:guest2@10.0.1.3;method=INVITE>");
    world.run(Duration::from_secs(2));
    assert_eq!(told(&world, 0), (vec![403], true));
    transfer(&mut world, 0, "<sip:guest1@10.0.1.2;method=BYE>");
    world.run(Duration::from_secs(2));
    assert_eq!(told(&world, 0), (vec![403, 403], true));
    // But anybody may leave.
    transfer(&mut world, 0, "<sip:guest0@10.0.1.1;method=BYE>");
    world.run(Duration::from_secs(2));
    assert_eq!(world.listen(), [set([]), set([]), set([])]);
    assert!(is_over(&world, 0));
    all_leave(&mut world);
}

/// How that guest's dialog is named in a request to the server.
fn named(world: &World, guest: usize) -> String {
    let dialog: DialogName = world.guests[guest].phone.dialog().expect("a call");
    dialog.to_string()
}

/// A guest calls with a header that means another's dialog.
fn call_meaning(world: &mut World, guest: usize, header: HeaderName, value: &str) {
    let mut headers = ExtraHeaders::new();
    headers.push(header, value).unwrap();
    let now = world.now;
    world.guests[guest].phone.call_with(now, "anything", headers);
    world.drain();
}

#[test]
fn a_call_that_replaces_another_takes_its_seat_and_the_room_hears_it_go_on() {
    for (seed, weather) in [(9, FAIR), (10, FOUL), (11, FOUL)] {
        let mut world = two_and_one_more(seed, weather);
        let seat = world.party(0);
        let dialog = named(&world, 0);
        call_meaning(&mut world, 2, HeaderName::Replaces, &dialog);
        world.run_until(Duration::from_secs(30), |world| is_over(world, 0));
        assert_eq!(world.listen(), [set([]), set([2]), set([1])], "seed {seed}");
        assert_eq!(world.party(2), seat, "seed {seed}: the seat is the same party");
        let left = |kind: &EventKind| matches!(kind, EventKind::Left { .. });
        assert!(!world.events.iter().any(|event| left(&event.kind)), "nobody left");
        all_leave(&mut world);
    }
}

/// Guests 0 and 2 are the two calls of one phone: 0 talks with 1 in one room, 2 with 3 in another.
fn two_calls_of_one_phone(seed: u64, weather: Weather) -> World {
    let mut world = World::new(seed, weather);
    for codec in [Codec::Pcmu, Codec::G722, Codec::Pcma, Codec::Opus] {
        world.guest(codec);
    }
    for (guest, room) in [(0, "call"), (1, "call"), (2, "consult"), (3, "consult")] {
        world.join(guest, room);
    }
    world
}

/// The first of two calls is put to the second.
fn put_together(world: &mut World, asking: usize, meant: usize) {
    let dialog = ReferTo {
        replaces: world.guests[meant].phone.dialog(),
        ..refer_to("<sip:consult@10.0.0.1>")
    };
    let now = world.now;
    world.guests[asking].phone.transfer(now, &dialog);
    world.drain();
}

#[test]
fn a_phone_puts_two_of_its_calls_together_and_those_it_spoke_with_hear_each_other() {
    for (seed, weather) in [(21, FAIR), (22, FOUL), (23, FOUL), (24, FOUL)] {
        for asking in [0, 2] {
            let mut world = two_calls_of_one_phone(seed, weather);
            // As people do: the first call waits while the second is consulted.
            let now = world.now;
            world.guests[0].phone.hold(now, true);
            world.run(Duration::from_secs(2));
            let (first, third) = (world.party(1), world.party(3));
            let before = world.streams_to([1, 3]);
            put_together(&mut world, asking, 2 - asking);
            world
                .run_until(Duration::from_secs(30), |world| is_over(world, 0) && is_over(world, 2));
            let heard = world.listen();
            assert_eq!(heard, [set([]), set([3]), set([]), set([1])], "seed {seed}");
            let (statuses, over) = told(&world, asking);
            assert!(seed != 21 || (over && statuses == [100, 200]), "{statuses:?}");
            assert_eq!((world.party(1), world.party(3)), (first, third), "they are who they were");
            assert_eq!(world.streams_to([1, 3]), before, "seed {seed}: the same streams");
            // The customer's conference goes on whichever call was put to the other.
            let rooms: Vec<_> = world.views.values().map(|view| view.name.to_string()).collect();
            assert_eq!(rooms, [["call", "", "consult"][asking]]);
            all_leave(&mut world);
        }
    }
}

#[test]
fn the_smaller_company_goes_to_the_larger_one() {
    let mut world = two_calls_of_one_phone(25, FAIR);
    let more = world.guest(Codec::G722);
    world.join(more, "consult");
    put_together(&mut world, 0, 2);
    world.run(Duration::from_secs(3));
    let heard = world.listen();
    assert_eq!(heard, [set([]), set([3, 4]), set([]), set([1, 4]), set([1, 3])]);
    let rooms: Vec<_> = world.views.values().map(|view| view.name.to_string()).collect();
    assert_eq!(rooms, ["consult"]);
    all_leave(&mut world);
}

#[test]
fn two_calls_of_one_phone_to_one_room_both_end() {
    let mut world = two_and_one_more(26, FAIR);
    world.join(2, "room");
    put_together(&mut world, 0, 2);
    world.run(Duration::from_secs(3));
    assert_eq!(told(&world, 0), (vec![100, 200], true));
    assert_eq!(world.listen(), [set([]), set([]), set([])]);
    assert!(is_over(&world, 0) && is_over(&world, 2) && !is_over(&world, 1));
    all_leave(&mut world);
}

#[test]
fn calls_are_not_put_together_by_a_guess_or_with_nobody_there() {
    let mut world = two_calls_of_one_phone(27, FAIR);
    let now = world.now;
    let mut dialog = world.guests[2].phone.dialog().expect("a call");
    dialog.from_tag.push('x');
    let guess = ReferTo { replaces: Some(dialog), ..refer_to("<sip:consult@10.0.0.1>") };
    world.guests[0].phone.transfer(now, &guess);
    world.run(Duration::from_secs(2));
    assert_eq!(told(&world, 0), (vec![404], true));
    // With itself, and when nobody is in the other room.
    put_together(&mut world, 0, 0);
    world.run(Duration::from_secs(2));
    let now = world.now;
    world.guests[3].phone.hang_up(now);
    world.run(Duration::from_secs(2));
    put_together(&mut world, 0, 2);
    world.run(Duration::from_secs(2));
    assert_eq!(told(&world, 0), (vec![404, 416, 491], true));
    assert_eq!(world.listen(), [set([1]), set([0]), set([]), set([])]);
    all_leave(&mut world);
}

#[test]
fn a_guess_at_a_dialog_takes_nobodys_seat() {
    let mut world = two_and_one_more(12, FAIR);
    let guess = named(&world, 0).replace("from-tag=", "from-tag=x");
    call_meaning(&mut world, 2, HeaderName::Replaces, &guess);
    world.run(Duration::from_secs(2));
    assert!(is_over(&world, 2));
    assert_eq!(world.listen(), [set([1]), set([0]), set([])]);
    all_leave(&mut world);
}

#[test]
fn a_call_that_joins_another_comes_to_its_room() {
    let mut world = two_and_one_more(13, FAIR);
    let dialog = named(&world, 1);
    call_meaning(&mut world, 2, HeaderName::Join, &dialog);
    world.run(Duration::from_secs(2));
    assert_eq!(world.listen(), [set([1, 2]), set([0, 2]), set([0, 1])]);
    all_leave(&mut world);
}

#[test]
fn what_a_phone_writes_is_an_event_and_what_the_server_writes_reaches_phones() {
    let mut world = two_and_one_more(14, FOUL);
    let now = world.now;
    world.guests[0].phone.write(now, "I am late");
    world.drain();
    world.run(Duration::from_secs(5));
    let party = world.party(0);
    let texts: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| {
            let EventKind::Text { to, text } = &event.kind else { return None };
            Some((event.by, *to, text.clone()))
        })
        .collect();
    assert_eq!(texts, [(model::Author::Party(party), None, "I am late".to_owned())]);
    let verb = model::Verb::Write { to: Readers::Everybody, text: "Hello".into() };
    world.ask("room", verb).unwrap();
    world.run(Duration::from_secs(5));
    let verb = model::Verb::Write { to: Readers::Party(party), text: "Never mind".into() };
    world.ask("room", verb).unwrap();
    world.run(Duration::from_secs(5));
    assert_eq!(world.guests[0].phone.texts(), ["Hello", "Never mind"]);
    assert_eq!(world.guests[1].phone.texts(), ["Hello"]);
    for text in [String::new(), "a".repeat(4_097)] {
        let verb = model::Verb::Write { to: Readers::Everybody, text };
        assert_eq!(world.ask("room", verb), Err(model::Refusal::BadText));
    }
    all_leave(&mut world);
}

#[test]
fn the_factory_makes_each_caller_a_conference_of_its_own() {
    let mut world = World::new(15, FAIR);
    world.guest(Codec::Pcmu);
    world.guest(Codec::Opus);
    world.join(0, "conference-factory");
    world.join(1, "Conference-Factory");
    assert_eq!(world.views.len(), 2);
    assert_eq!(world.listen(), [set([]), set([])]);
    // The Contact names what was made: whoever calls that comes to it.
    let made: Vec<String> = world.views.values().map(|view| view.name.to_string()).collect();
    let guest = world.guest(Codec::G722);
    world.join(guest, &made[0]);
    assert_eq!(world.views.len(), 2);
    all_leave(&mut world);
}
