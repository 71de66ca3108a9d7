//! A house that is reached by IPv4 and by IPv6, and whoever has only one of the two.

use std::net::SocketAddr;

use model::{Author, Command, CommandId, ConferenceRef, Verb};
use sip::access::{Access, Target};
use sip::message::{Message, Request};

use crate::house::{House, Phone, description, route, statuses};

/// A house in which alice may register.
fn house() -> House {
    House::letting_in(Access {
        users: [("alice".to_owned(), Default::default())].into(),
        routes: vec![
            route("desk-*", Target::User, "$1"),
            route("room", Target::Conference, "room"),
        ],
        ..Access::everybody()
    })
}

/// Has that address called into a room.
fn invite(house: &mut House, target: &str) {
    let room = ConferenceRef::parse("room").unwrap();
    let verb = Verb::invite(target.to_owned());
    house.command(Command::new(CommandId(1), room, Author::Admin, verb)).unwrap();
}

/// The `c=` line of the one INVITE that came there.
fn connection(house: &mut House, at: &str) -> String {
    let messages = house.take(at.parse().unwrap());
    let [Message::Request(Request { body, .. })] = &messages[..] else { panic!("{messages:?}") };
    let body = String::from_utf8(body.clone()).unwrap();
    body.lines().find(|line| line.starts_with("c=")).unwrap().to_owned()
}

#[test]
fn whoever_is_called_is_offered_audio_of_the_family_by_which_it_is_reached() {
    for (at, expected) in
        [("10.0.1.9:5060", "c=IN IP4 10.0.0.1"), ("[2001:db8::9]:5060", "c=IN IP6 2001:db8::1")]
    {
        let mut house = house();
        invite(&mut house, &format!("sip:bob@{at}"));
        assert_eq!(connection(&mut house, at), expected);
    }
}

#[test]
fn a_user_is_offered_audio_of_the_family_of_its_registration() {
    for (at, expected) in
        [("10.0.1.5:5060", "c=IN IP4 10.0.0.1"), ("[2001:db8::5]:5060", "c=IN IP6 2001:db8::1")]
    {
        let mut house = house();
        let address: SocketAddr = at.parse().unwrap();
        let mut phone = Phone { address, ..Phone::new("alice", 5) };
        let register = phone.request("REGISTER", "", "");
        house.receive(address, &register.replace("To: <sip:room@", "To: <sip:alice@"));
        assert_eq!(statuses(&house.take(address)), [200]);
        invite(&mut house, "sip:desk-alice@convoke");
        assert_eq!(connection(&mut house, at), expected);
    }
}

/// Its server has an address of IPv6, and it has none (RFC 6157 has both on one side).
#[test]
fn a_caller_is_answered_in_the_family_of_its_audio() {
    let mut house = house();
    let address = "[2001:db8::7]:5060".parse().unwrap();
    let mut phone = Phone { address, ..Phone::new("carol", 7) };
    let body = description("192.0.2.7:4000".parse().unwrap(), "0");
    let invite = phone.request("INVITE", "Content-Type: application/sdp\r\n", &body);
    house.receive(address, &invite);
    let messages = house.take(address);
    assert_eq!(statuses(&messages).last(), Some(&200));
    let Some(Message::Response(ok)) = messages.last() else { panic!("{messages:?}") };
    let body = String::from_utf8(ok.body.clone()).unwrap();
    assert!(body.contains("c=IN IP4 10.0.0.1\r\n"), "{body}");
}
