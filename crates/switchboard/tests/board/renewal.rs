//! What is described anew in a call that is up.

use sip::message::Message;

use crate::house::{House, Phone, description};

/// Sends a re-INVITE with that body; gives the description in its 200, and the answer to that is
/// in the ACK.
fn renewed(house: &mut House, phone: &mut Phone, body: &str) -> String {
    let type_ = "Content-Type: application/sdp\r\n";
    let invite = phone.request("INVITE", if body.is_empty() { "" } else { type_ }, body);
    house.receive(phone.address, &invite);
    let messages = house.take(phone.address);
    let Some(Message::Response(ok)) = messages.last() else { panic!("{messages:?}") };
    assert_eq!(ok.status.code(), 200);
    let answer = if body.is_empty() { description(phone.address, "0") } else { String::new() };
    let ack = phone.request("ACK", if body.is_empty() { type_ } else { "" }, &answer);
    house.receive(phone.address, &ack);
    String::from_utf8(ok.body.clone()).unwrap()
}

fn version(description: &str) -> u64 {
    let origin = description.lines().find(|line| line.starts_with("o=")).unwrap();
    origin.split(' ').nth(2).unwrap().parse().unwrap()
}

/// A phone that takes another version for other audio begins it anew (RFC 3264 section 8).
#[test]
fn the_version_goes_up_only_with_a_description_that_differs() {
    let mut house = House::new();
    let mut phone = Phone::new("bob", 2);
    phone.join(&mut house);
    let offered = renewed(&mut house, &mut phone, "");
    assert_eq!(version(&offered), 2, "{offered}");
    assert_eq!(renewed(&mut house, &mut phone, ""), offered);
    let offer = description(phone.address, "0");
    let answered = renewed(&mut house, &mut phone, &offer);
    assert_eq!(version(&answered), 3, "{answered}");
    assert_eq!(renewed(&mut house, &mut phone, &offer), answered);
}
