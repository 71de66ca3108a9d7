//! A server that is to end takes no more calls, and those that are up go on (acceptance K1).

use model::{Author, Command, CommandId, ConferenceName, ConferenceRef, Refusal, Verb};
use sip::message::{HeaderName, Message};
use switchboard::Input;

use crate::house::{House, Phone, statuses, text};

/// The status of the last answer, and whether it says when to try again.
fn answer(messages: &[Message]) -> (u16, bool) {
    let Some(Message::Response(last)) = messages.last() else { panic!("{messages:?}") };
    (last.status.code(), !text(&last.headers, HeaderName::RetryAfter).is_empty())
}

#[test]
fn while_it_drains_nobody_comes_in_and_who_is_in_is_answered() {
    let (mut house, mut ada) = (House::new(), Phone::new("ada", 1));
    ada.join(&mut house);
    house.input(Input::Drain);
    let mut ben = Phone::new("ben", 2);
    assert_eq!(answer(&ben.call(&mut house, "room", "")), (503, true));
    assert_eq!(answer(&ben.outside("ping").send(&mut house, "OPTIONS", "")), (503, true));
    assert_eq!(answer(&ada.send(&mut house, "OPTIONS", "")), (200, false));
    let name = ConferenceName::parse("room").unwrap();
    let (room, dial) = (ConferenceRef::Name(name), Verb::invite("sip:eve@10.0.1.9"));
    let command = Command::new(CommandId(1), room, Author::Admin, dial);
    assert_eq!(house.command(command), Err(Refusal::Draining));
    assert!(house.board.has_calls());
    assert_eq!(statuses(&ada.send(&mut house, "BYE", "")), [200]);
    assert!(!house.board.has_calls());
}

#[test]
fn while_it_drains_somebody_may_take_the_seat_of_who_is_in() {
    let (mut house, mut ada) = (House::new(), Phone::new("ada", 1));
    ada.join(&mut house);
    house.input(Input::Drain);
    let replaces = format!("Replaces: {};to-tag={};from-tag=tada\r\n", ada.call_id, ada.tag);
    Phone::new("desk", 2).dial(&mut house, "room", &replaces);
    assert!(house.board.has_calls());
}
