//! Users whom somebody has called: whatever is dialled, they are who they are.

use model::{Author, Command, CommandId, ConferenceRef, Direction, Verb};
use sip::access::{Access, Target};
use sip::message::{HeaderName, Message, NameAddr, Request};

use crate::house::{House, Phone, SERVER, description, reply, route, statuses, text};

/// A house in which alice is reached by an alias and by a number, and not by her own name.
fn house() -> House {
    House::letting_in(Access {
        users: [("alice".to_owned(), Default::default())].into(),
        routes: vec![
            route("desk-*", Target::User, "$1"),
            route("+4930100", Target::User, "alice"),
            route("room", Target::Conference, "room"),
        ],
        ..Access::everybody()
    })
}

/// Her phone, registered.
fn alice(house: &mut House) -> Phone {
    registered(house, Phone::new("alice", 5))
}

fn registered(house: &mut House, mut phone: Phone) -> Phone {
    let register = phone.request("REGISTER", "", "");
    let of_herself = register.replace("To: <sip:room@", "To: <sip:alice@");
    house.receive(phone.address, &of_herself);
    assert_eq!(statuses(&house.take(phone.address)), [200]);
    phone
}

/// Her phone rings, and the room's party is she.
fn is_alice(house: &mut House, phone: &Phone, called: &str) {
    let rings = house.take(phone.address);
    assert!(matches!(&rings[..], [Message::Request(call)] if call.method.name() == "INVITE"));
    let conference = house.board.conferences().next().unwrap();
    let party = conference.parties().last().unwrap();
    assert_eq!(party.address, "sip:alice@convoke", "{called}");
    assert_eq!(party.direction, Direction::Internal, "{called}");
}

/// By what else should somebody's token know which party its user is?
#[test]
fn a_user_who_is_invited_has_its_own_address_whatever_was_dialled() {
    let dialled = [
        format!("sip:desk-alice@{SERVER}"),
        format!("sip:desk-alice@{SERVER};transport=udp"),
        "sip:desk-alice@convoke".to_owned(),
        "tel:+4930100".to_owned(),
    ];
    for called in dialled {
        let mut house = house();
        let phone = alice(&mut house);
        let room = ConferenceRef::parse("room").unwrap();
        let verb = Verb::invite(called.clone());
        house.command(Command::new(CommandId(1), room, Author::Admin, verb)).unwrap();
        is_alice(&mut house, &phone, &called);
    }
}

/// RFC 3892 section 4: whoever does what it was referred to says on whose word.
#[test]
fn a_user_who_is_called_because_somebody_asked_for_it_is_told_who_did() {
    let mut house = house();
    let phone = alice(&mut house);
    let mut bob = Phone::new("bob", 1);
    bob.join(&mut house);
    let refer = format!("Refer-To: <sip:desk-alice@{SERVER}>\r\nReferred-By: <sip:bob@home>\r\n");
    assert_eq!(statuses(&bob.send(&mut house, "REFER", &refer)), [202]);
    let rings = house.take(phone.address);
    let [Message::Request(call)] = &rings[..] else { panic!("{rings:?}") };
    assert_eq!(text(&call.headers, HeaderName::ReferredBy), "<sip:bob@home>");
}

/// Else a token would speak for whoever took a seat and called itself its user (RFC 3891 §7).
#[test]
fn who_takes_a_seat_has_called_in_and_is_no_user_by_its_name_alone() {
    let mut house = house();
    let phone = alice(&mut house);
    let room = ConferenceRef::parse("room").unwrap();
    let verb = Verb::invite(format!("sip:desk-alice@{SERVER}"));
    house.command(Command::new(CommandId(1), room, Author::Admin, verb)).unwrap();
    let rings = house.take(phone.address);
    let [Message::Request(call)] = &rings[..] else { panic!("{rings:?}") };
    let (type_, body) = ("Content-Type: application/sdp\r\n", description(phone.address, "0"));
    let contact = format!("Contact: <sip:alice@{}>\r\n{type_}", phone.address);
    house.receive(phone.address, &reply(call, "200 OK", ";tag=hers", &contact, &body));
    let party = |house: &House| {
        let party = house.board.conferences().next().unwrap().parties()[0].clone();
        (party.address, party.direction)
    };
    assert_eq!(party(&house), ("sip:alice@convoke".to_owned(), Direction::Internal));

    let from: NameAddr = text(&call.headers, HeaderName::From).parse().unwrap();
    let (id, ours) = (text(&call.headers, HeaderName::CallId), from.tag().unwrap());
    let mut another = Phone { name: "alice", ..Phone::new("another", 7) };
    another.dial(&mut house, "room", &format!("Replaces: {id};to-tag={ours};from-tag=hers\r\n"));
    assert_eq!(party(&house), ("sip:alice@home".to_owned(), Direction::Inbound));
}

/// Her two phones ring, and say so; what each was sent.
fn both_ring(house: &mut House) -> [(Phone, Request); 2] {
    let desk = alice(house);
    let mobile = registered(house, Phone { name: "alice", ..Phone::new("mobile", 6) });
    let room = ConferenceRef::parse("room").unwrap();
    let verb = Verb::invite(format!("sip:desk-alice@{SERVER}"));
    house.command(Command::new(CommandId(1), room, Author::Admin, verb)).unwrap();
    [desk, mobile].map(|phone| {
        let [Message::Request(call)] = &house.take(phone.address)[..] else { panic!("no call") };
        house.receive(phone.address, &reply(call, "180 Ringing", ";tag=hers", "", ""));
        (phone, call.clone())
    })
}

fn cancelled_because(house: &mut House, phone: &Phone) -> String {
    let messages = house.take(phone.address);
    let [Message::Request(cancel)] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(cancel.method.name(), "CANCEL");
    text(&cancel.headers, HeaderName::Reason)
}

const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// RFC 3326 section 3.1: else each of the others shows a call that was missed.
#[test]
fn a_phone_that_rings_in_vain_is_told_that_another_one_has_answered() {
    let mut house = house();
    let [(desk, call), (mobile, _)] = both_ring(&mut house);
    let (type_, body) = ("Content-Type: application/sdp\r\n", description(desk.address, "0"));
    let contact = format!("Contact: <sip:alice@{}>\r\n{type_}", desk.address);
    house.receive(desk.address, &reply(&call, "200 OK", ";tag=hers", &contact, &body));
    assert_eq!(cancelled_because(&mut house, &mobile), ELSEWHERE);
}

/// RFC 3891 section 3: a colleague's phone names the one that it hears ringing.
#[test]
fn a_call_that_rings_at_all_phones_of_a_user_is_picked_up_by_who_names_one() {
    let mut house = house();
    let [(desk, _), (mobile, call)] = both_ring(&mut house);
    let from: NameAddr = text(&call.headers, HeaderName::From).parse().unwrap();
    let (id, ours) = (text(&call.headers, HeaderName::CallId), from.tag().unwrap());
    let mut bob = Phone::new("bob", 7);
    let replaces = format!("Replaces: {id};to-tag={ours};from-tag=hers;early-only\r\n");
    bob.dial(&mut house, "room", &replaces);
    for phone in [desk, mobile] {
        assert_eq!(cancelled_because(&mut house, &phone), ELSEWHERE);
    }
    let parties = house.board.conferences().next().unwrap().parties();
    let [party] = parties else { panic!("{parties:?}") };
    assert_eq!(party.address, "sip:bob@home");
}

#[test]
fn a_user_who_is_added_by_refer_has_its_own_address_too() {
    for method in ["", ";method=INVITE"] {
        let mut house = house();
        let phone = alice(&mut house);
        let mut bob = Phone::new("bob", 2);
        bob.join(&mut house);
        let refer = format!("Refer-To: <sip:desk-alice@{SERVER}{method}>\r\nRefer-Sub: false\r\n");
        assert_eq!(statuses(&bob.send(&mut house, "REFER", &refer)), [202]);
        is_alice(&mut house, &phone, method);
    }
}

/// Else a supervisor's token would have anybody called in who has its user's name somewhere.
#[test]
fn who_is_said_to_be_a_user_is_called_at_that_users_address_only() {
    let routes = [("alice", "alice"), ("desk-*", "$1")];
    let mut house = House::letting_in(Access {
        users: [("alice".to_owned(), Default::default())].into(),
        routes: routes.map(|(dialled, at)| route(dialled, Target::User, at)).into(),
        ..Access::everybody()
    });
    let phone = alice(&mut house);
    let room = || ConferenceRef::parse("room").unwrap();
    let mut invite = |id, address: &str| {
        let target = model::command::Target::Colleague(address.to_owned());
        let verb = Verb::Invite { target, role: None };
        let asked = Command::new(CommandId(id), room(), Author::Admin, verb);
        house.command(asked).map(|_| ())
    };
    let refused = Err(model::Refusal::NotAllowed);
    assert_eq!(invite(1, "sip:alice@203.0.113.9"), refused, "another host's alice");
    assert_eq!(invite(2, &format!("sip:desk-alice@{SERVER}")), refused, "her alias, not she");
    assert_eq!(invite(3, &format!("sip:alice@{SERVER}")), Ok(()));
    is_alice(&mut house, &phone, "alice");
}

/// Audio comes in where the port was opened, and an address of the other version of IP is not
/// there.
#[test]
fn a_phone_is_told_the_advertised_address_only_where_it_can_be_reached_by_it() {
    for (advertised, told) in
        [("203.0.113.7", "IN IP4 203.0.113.7"), ("2001:db8::7", "IN IP4 10.0.0.1")]
    {
        let mut house = House::advertising(advertised.parse().unwrap());
        let messages = Phone::new("alice", 1).call(&mut house, "room", "");
        let Some(Message::Response(ok)) = messages.last() else { panic!("{messages:?}") };
        let said = String::from_utf8(ok.body.clone()).unwrap();
        assert!(said.contains(&format!("c={told}\r\n")), "{said}");
    }
}
