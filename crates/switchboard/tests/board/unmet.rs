//! Calls of two to which the one that was called does not come: who called is told why.

use sip::message::{HeaderName, Message};

use crate::house::{House, Phone, description, reply, text};
use crate::trunks::{gateway, refuse, the_call, with};

/// The Reason of the BYE that a phone has got, and of nothing else.
fn told(house: &mut House, phone: &Phone) -> String {
    let messages = house.take(phone.address);
    let [Message::Request(bye)] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(bye.method.name(), "BYE");
    text(&bye.headers, HeaderName::Reason)
}

/// RFC 3326: by the BYE alone it could be anything, for the call was up.
#[test]
fn who_called_is_told_by_the_bye_why_nobody_came() {
    for (status, reason) in [
        ("486 Busy Here", "Q.850;cause=17;text=\"busy\""),
        ("603 Decline", "Q.850;cause=21;text=\"declined\""),
        ("480 Temporarily Unavailable", "Q.850;cause=19;text=\"no answer\""),
        ("404 Not Found", "Q.850;cause=41;text=\"failed\""),
    ] {
        let mut house = with(|_| {});
        let mut alice = Phone::new("alice", 1);
        alice.dial(&mut house, "930123", "");
        let call = the_call(&mut house, 1);
        refuse(&mut house, 1, &call, status);
        assert_eq!(told(&mut house, &alice), reason);
    }
}

#[test]
fn who_was_talked_with_is_no_reason_but_that_the_call_is_over() {
    let mut house = with(|_| {});
    let mut alice = Phone::new("alice", 1);
    alice.dial(&mut house, "930123", "");
    let call = the_call(&mut house, 1);
    let at = gateway(1);
    let answer = format!("Contact: <sip:gw@{at}>\r\nContent-Type: application/sdp\r\n");
    house.receive(at, &reply(&call, "200 OK", ";tag=b", &answer, &description(at, "0")));
    let (from, to) = (text(&call.headers, HeaderName::From), text(&call.headers, HeaderName::To));
    let call_id = text(&call.headers, HeaderName::CallId);
    let bye = format!(
        "BYE sip:x@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bKbye\r\n\
         From: {to};tag=b\r\nTo: {from}\r\nCall-ID: {call_id}\r\nCSeq: 1 BYE\r\n\
         Max-Forwards: 70\r\nReason: Q.850;cause=17\r\nContent-Length: 0\r\n\r\n"
    );
    house.receive(at, &bye);
    assert_eq!(told(&mut house, &alice), "Q.850;cause=16;text=\"conference ended\"");
}

#[test]
fn who_calls_by_trunks_that_are_full_is_refused_for_a_while() {
    let mut house = with(|trunks| trunks.values_mut().for_each(|trunk| trunk.calls_max = 0));
    let refused = Phone::new("alice", 1).call(&mut house, "930123", "");
    let Some(Message::Response(refused)) = refused.last() else { panic!("{refused:?}") };
    assert_eq!(refused.status.code(), 503);
    let wait_s: u32 = text(&refused.headers, HeaderName::RetryAfter).parse().unwrap();
    assert!((1..=10).contains(&wait_s), "{wait_s}");
}
