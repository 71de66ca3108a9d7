//! Calls to emergency numbers.

use model::{Author, Command, CommandId, ConferenceName, ConferenceRef, Refusal, Verb};
use sip::access::Access;
use sip::message::Message;
use switchboard::Input;

use crate::house::{House, Phone, reply, statuses};
use crate::trunks::{access, calls, gateway};

/// The third gateway takes emergency calls, and no other ones.
fn with_help() -> Access {
    let mut access = access();
    access.emergency.insert("112".to_owned());
    let third = access.trunks.get_mut("third").unwrap();
    (third.emergency, third.calls_max, third.calls_per_second_max) = (true, 0, 0);
    access
}

#[test]
fn an_emergency_number_is_reached_without_a_route_and_beyond_the_limits_of_its_trunk() {
    let mut house = House::letting_in(with_help());
    Phone::new("alice", 1).dial(&mut house, "112", "");
    let [call] = &calls(&mut house, 3)[..] else { panic!("one call") };
    assert!(call.target.starts_with("sip:112@"), "{}", call.target);
    assert_eq!(house.emergencies, [(None, "112".to_owned())]);
    assert_eq!(house.board.stats().emergency_calls, 1);
    Phone::new("ben", 2).dial(&mut house, "112", "");
    assert_eq!(calls(&mut house, 3).len(), 1, "however many there are");
}

#[test]
fn no_route_takes_an_emergency_call_elsewhere() {
    let mut access = with_help();
    let all = access.routes.iter().find(|route| route.pattern.to_string() == "room").cloned();
    let mut all = all.unwrap();
    all.pattern = "1%".parse().unwrap();
    access.routes.insert(0, all);
    let mut house = House::letting_in(access);
    Phone::new("alice", 1).dial(&mut house, "112", "");
    assert_eq!(calls(&mut house, 3).len(), 1);
}

#[test]
fn strangers_and_trunks_do_not_call_for_help_through_us() {
    let mut house = House::letting_in(with_help());
    let from =
        |address: &str| Phone { address: address.parse().unwrap(), ..Phone::new("stranger", 99) };
    assert_eq!(statuses(&from("203.0.113.9:5060").call(&mut house, "112", "")), [401]);
    assert_eq!(statuses(&from("10.9.0.1:5060").outside("x").call(&mut house, "112", "")), [404]);
    assert!(calls(&mut house, 3).is_empty() && house.emergencies.is_empty());
}

#[test]
fn a_trunk_that_seems_to_be_out_is_tried_all_the_same() {
    let mut house = House::letting_in(with_help());
    house.board.watch_trunks(house.now);
    house.run(0);
    let probes = house.take(gateway(3));
    let [Message::Request(probe)] = &probes[..] else { panic!("{probes:?}") };
    house.receive(gateway(3), &reply(probe, "503 Out of Order", ";tag=p", "", ""));
    Phone::new("alice", 1).dial(&mut house, "112", "");
    assert_eq!(calls(&mut house, 3).len(), 1);
}

/// The server ends with them, and not in their midst.
#[test]
fn while_it_drains_help_can_be_called_for() {
    let mut house = House::letting_in(with_help());
    Phone::new("ben", 2).dial(&mut house, "room", "");
    house.input(Input::Drain);
    assert_eq!(statuses(&Phone::new("cleo", 3).call(&mut house, "room", "")), [503]);
    assert!(!house.board.has_emergency_calls());
    let mut alice = Phone::new("alice", 1);
    alice.dial(&mut house, "112", "");
    assert_eq!(calls(&mut house, 3).len(), 1);
    assert!(house.board.has_emergency_calls());
    alice.send(&mut house, "BYE", "");
    assert!(!house.board.has_emergency_calls() && house.board.has_calls());
}

#[test]
fn while_it_drains_a_desk_can_call_for_help_and_nobody_else() {
    let mut house = House::letting_in(with_help());
    Phone::new("ben", 2).dial(&mut house, "room", "");
    house.input(Input::Drain);
    let ask = |house: &mut House, id, target: &str| {
        let room = ConferenceRef::Name(ConferenceName::parse("room").unwrap());
        house.command(Command::new(CommandId(id), room, Author::Admin, Verb::invite(target)))
    };
    assert_eq!(ask(&mut house, 1, "sip:eve@10.0.1.9"), Err(Refusal::Draining));
    assert!(ask(&mut house, 2, "tel:112;phone-context=example.com").is_ok());
    assert_eq!(calls(&mut house, 3).len(), 1);
}
