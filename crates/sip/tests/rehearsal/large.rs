//! Requests that are too large for a datagram (RFC 3261 §18.1.1).

use std::time::Duration;

use sip::message::{HeaderName, Message, Request, parse};
use sip::{Flow, Invite, SessionEvent, SessionId, Transport};

use crate::world::World;

/// Calls that address with an offer of 1,400 bytes.
fn call(world: &mut World, to: &str) -> SessionId {
    let from = "<sip:alice@a.example>".parse().expect("address");
    let invite = Invite::new(to.parse().expect("uri"), from, vec![b'x'; 1_400]);
    let id = world.nodes[0].endpoint.invite(world.now, invite).expect("a way");
    world.wake(0);
    id
}

fn caught(world: &mut World) -> Vec<(Flow, Request)> {
    let caught = std::mem::take(&mut world.caught).into_iter();
    let request = |(flow, bytes): (Flow, Vec<u8>)| match parse(&bytes) {
        Ok(Message::Request(request)) => (flow, request),
        other => panic!("{other:?}"),
    };
    caught.map(request).collect()
}

fn via(request: &Request) -> String {
    request.headers.text(&HeaderName::Via).expect("Via").into_owned()
}

#[test]
fn a_large_call_goes_by_tcp_from_its_invite_to_its_end() {
    let mut world = World::new(2, 1);
    let id = call(&mut world, "sip:bob@10.0.0.2");
    world.run_ms(100);
    let theirs = world.last_session(1);
    world.accept(1, theirs).expect("an INVITE that waits");
    world.run_ms(100);
    assert!(matches!(world.events_of(0, id).last(), Some(SessionEvent::Established { .. })));
    let by_udp = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).contains("SIP/2.0/UDP");
    assert!(!world.written.iter().any(by_udp), "{}", world.ladder);
    world.end(0, id);
    world.settle();
}

#[test]
fn a_large_call_goes_by_udp_where_no_stream_can_be_opened() {
    let mut world = World::new(1, 1);
    let id = call(&mut world, "sip:bob@203.0.113.1");
    let [(stream, invite)] = &caught(&mut world)[..] else { panic!("one INVITE") };
    assert_eq!(stream.transport, Transport::Tcp);
    world.nodes[0].endpoint.transport_failed(world.now, stream);
    world.wake(0);
    let [(datagram, again)] = &caught(&mut world)[..] else { panic!("one INVITE") };
    assert_eq!(datagram.transport, Transport::Udp);
    assert_eq!(via(again), via(invite).replace("/TCP", "/UDP"), "the same transaction");
    assert_eq!(again.body, invite.body);
    // It is repeated as datagrams are, and given up as they are.
    world.run(Duration::from_secs(3));
    assert_eq!(caught(&mut world).len(), 2);
    world.nodes[0].endpoint.transport_failed(world.now, datagram);
    world.wake(0);
    assert!(matches!(world.events_of(0, id).last(), Some(SessionEvent::Ended { .. })));
    world.settle();
}

#[test]
fn who_names_udp_gets_datagrams_of_any_size() {
    let mut world = World::new(1, 1);
    call(&mut world, "sip:bob@203.0.113.1;transport=udp");
    let [(datagram, _)] = &caught(&mut world)[..] else { panic!("one INVITE") };
    assert_eq!(datagram.transport, Transport::Udp);
    world.settle();
}
