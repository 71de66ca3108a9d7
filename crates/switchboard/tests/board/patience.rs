//! How long a call stays with a trunk that does not answer.

use crate::house::{Phone, description, reply};
use crate::trunks::{calls, gateway, methods, refuse, the_call, with};

#[test]
fn a_trunk_that_says_nothing_is_left_for_the_next_and_one_that_rings_is_not() {
    let mut house = with(|_| {});
    let mut alice = Phone::new("alice", 1);
    alice.dial(&mut house, "930123", "");
    the_call(&mut house, 1);
    house.run(3_900);
    assert_eq!(calls(&mut house, 2), []);
    house.run(200);
    let call = the_call(&mut house, 2);
    house.receive(gateway(2), &reply(&call, "180 Ringing", ";tag=b", "", ""));
    house.run(10_000);
    refuse(&mut house, 2, &call, "503 Gone");
    assert_eq!(calls(&mut house, 3), []);
}

/// Many a carrier's proxy says 100 by itself before it has asked anybody.
#[test]
fn a_trunk_that_gets_no_further_than_100_is_left_for_the_next_and_told_so() {
    let mut house = with(|_| {});
    let mut alice = Phone::new("alice", 1);
    alice.dial(&mut house, "930123", "");
    let call = the_call(&mut house, 1);
    house.run(3_000);
    drop(calls(&mut house, 1));
    for _ in 0..2 {
        house.receive(gateway(1), &reply(&call, "100 Trying", "", "", ""));
        house.run(4_900);
    }
    assert_eq!(calls(&mut house, 2), []);
    house.run(300);
    assert_eq!(methods(&house.take(gateway(1))), ["CANCEL"]);
    // Where a phone rings, whoever does not answer would not answer by another trunk.
    let call = the_call(&mut house, 2);
    house.receive(gateway(2), &reply(&call, "100 Trying", "", "", ""));
    house.receive(gateway(2), &reply(&call, "183 Session Progress", ";tag=b", "", ""));
    house.run(30_000);
    assert_eq!((calls(&mut house, 3), methods(&house.take(gateway(2)))), (vec![], vec![]));
}

/// To some countries it takes a while until a phone rings, and nobody else could do better.
#[test]
fn the_last_trunk_is_waited_for_though_it_gets_no_further_than_100() {
    let mut house = with(|trunks| {
        trunks.get_mut("first").unwrap().proxy = None;
        trunks.get_mut("third").unwrap().proxy = None;
    });
    let mut alice = Phone::new("alice", 1);
    alice.dial(&mut house, "930123", "");
    let call = the_call(&mut house, 2);
    house.receive(gateway(2), &reply(&call, "100 Trying", "", "", ""));
    house.run(25_000);
    assert_eq!(methods(&house.take(gateway(2))), [""; 0]);
    let body = description(gateway(2), "0");
    let kind = "Content-Type: application/sdp\r\nContact: <sip:x@10.9.0.2>\r\n";
    house.receive(gateway(2), &reply(&call, "200 OK", ";tag=b", kind, &body));
    assert_eq!(methods(&house.take(gateway(2))), ["ACK"]);
}
