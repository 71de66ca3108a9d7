//! A gateway that changes what it lets a caller hear before it answers (RFC 3311 §5).

use sip::message::{HeaderName, Message, Request};

use crate::house::{House, Phone, description, reply, statuses, text};
use crate::trunks::{gateway, methods, the_call, with};

const MORE: &str = "Content-Type: application/sdp\r\nContact: <sip:gw@10.9.0.1>\r\n";

/// An UPDATE of the gateway in the call that it has not answered; what it is answered.
fn update(house: &mut House, call: &Request, (cseq, body): (u32, &str)) -> Vec<Message> {
    let at = gateway(1);
    let (from, to) = (text(&call.headers, HeaderName::From), text(&call.headers, HeaderName::To));
    let call_id = text(&call.headers, HeaderName::CallId);
    let update = format!(
        "UPDATE sip:x@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bKu{cseq}\r\n\
         From: {to};tag=b\r\nTo: {from}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} UPDATE\r\n\
         Max-Forwards: 70\r\n{MORE}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    house.receive(at, &update);
    house.take(at)
}

#[test]
fn a_gateway_may_change_what_is_heard_before_it_answers_and_answer_without_a_word() {
    let mut house = with(|_| {});
    let mut alice = Phone::new("alice", 1);
    alice.dial(&mut house, "930123", "");
    let call = the_call(&mut house, 1);
    let at = gateway(1);
    let early = format!("{MORE}Require: 100rel\r\nRSeq: 1\r\n");
    house.receive(at, &reply(&call, "183 Progress", ";tag=b", &early, &description(at, "0")));
    let pracked = house.take(at);
    assert_eq!(methods(&pracked), ["PRACK"]);
    let Message::Request(prack) = &pracked[0] else { panic!("{pracked:?}") };
    house.receive(at, &reply(prack, "200 OK", "", "", ""));
    // Nothing in common: as it was.
    assert_eq!(statuses(&update(&mut house, &call, (1, &description(at, "18")))), [488]);
    let moved = description(at, "8").replace("audio 4000", "audio 4100");
    let accepted = update(&mut house, &call, (2, &moved));
    let [Message::Response(accepted)] = &accepted[..] else { panic!("{accepted:?}") };
    let body = String::from_utf8_lossy(&accepted.body);
    assert_eq!(accepted.status.code(), 200);
    assert!(body.contains("RTP/AVP 8\r\n"), "{body}");
    house.receive(at, &reply(&call, "200 OK", ";tag=b", "Contact: <sip:gw@10.9.0.1>\r\n", ""));
    assert_eq!(methods(&house.take(at)), ["ACK"]);
    assert_eq!(methods(&house.take(alice.address)), [""; 0], "the call is up");
    let conference = house.board.conferences().next().unwrap();
    assert!(conference.parties().iter().all(|party| party.is_connected()));
}
