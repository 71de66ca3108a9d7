//! Responses whose connection is gone (RFC 3261 §18.2.2).

use sip::message::{Message, Response, parse};
use sip::{ConnectionId, Flow, SessionEvent, Transport};

use crate::knock::{Knocker, SERVER, codes, guarded};
use crate::world::World;

fn is_up(world: &World, node: usize) -> bool {
    let told = world.nodes[node].told.last();
    matches!(told, Some((_, SessionEvent::Established { .. })))
}

#[test]
fn a_call_is_answered_though_its_connection_is_gone() {
    for is_answered_before in [false, true] {
        let mut world = World::new(2, 4);
        let calling = world.call(Transport::Tcp);
        world.run_ms(100);
        let called = world.last_session(1);
        if is_answered_before {
            world.lose("B", "200 OK");
            world.accept(1, called).expect("an INVITE that waits");
        }
        world.close_stream(1);
        if !is_answered_before {
            world.accept(1, called).expect("an INVITE that waits");
        }
        world.run_ms(1_000);
        assert!(is_up(&world, 0) && is_up(&world, 1), "{}", world.ladder);
        world.end(0, calling);
        world.run_ms(1_000);
        world.settle();
    }
}

#[test]
fn a_caller_is_told_reliably_though_its_connection_is_gone() {
    let mut world = World::new(2, 5);
    let calling = world.call(Transport::Tcp);
    world.run_ms(100);
    let called = world.last_session(1);
    world.lose("B", "183");
    world.progress(1, called, 183, Some("answer"));
    world.close_stream(1);
    world.run_ms(1_000);
    let told = world.events_of(0, calling);
    assert!(matches!(told[..], [SessionEvent::Ringing { .. }]), "{}", world.ladder);
    world.end(0, calling);
    world.run_ms(1_000);
    world.settle();
}

/// A stream from that address to the server.
fn stream(remote: &str, connection: u64) -> Flow {
    let (local, remote) = [SERVER, remote].map(|at| at.parse().expect("an address")).into();
    let connection = Some(ConnectionId(connection));
    Flow { transport: Transport::Tcp, local, remote, connection }
}

/// Says something by a stream; gives what is answered.
fn say(knocker: &mut Knocker, flow: Flow, method: &str, to: &str, more: &str) -> Vec<Response> {
    knocker.cseq += 1;
    let number = knocker.cseq;
    let text = format!(
        "{method} sip:{to}@10.0.0.1 SIP/2.0\r\n\
         Via: SIP/2.0/TCP 10.9.9.9:5070;branch=z9hG4bKs{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@10.0.0.1>;tag=p\r\nTo: <sip:{to}@10.0.0.1>\r\nCall-ID: {method}\r\n\
         CSeq: {number} {method}\r\nContact: <sip:alice@10.9.9.9:5070;transport=tcp>\r\n{more}\
         Content-Length: 0\r\n\r\n"
    );
    let now = knocker.world.now;
    knocker.world.nodes[0].endpoint.receive(now, flow, text.as_bytes());
    knocker.world.wake(0);
    knocker.heard()
}

/// The connection is closed, and the call answered; gives where to.
fn answered_to(
    knocker: &mut Knocker,
    gone: ConnectionId,
    between: impl FnOnce(&mut Knocker),
) -> Vec<Flow> {
    knocker.world.nodes[0].endpoint.connection_closed(gone);
    between(knocker);
    knocker.world.caught.clear();
    let id = knocker.world.last_session(0);
    knocker.world.accept(0, id).expect("an INVITE that waits");
    knocker.world.run_ms(5_000);
    let caught = std::mem::take(&mut knocker.world.caught);
    let is_ok = |bytes: &[u8]| match parse(bytes) {
        Ok(Message::Response(response)) => response.status.code() == 200,
        Ok(Message::Request(_)) | Err(_) => false,
    };
    caught.iter().filter(|(_, bytes)| is_ok(bytes)).map(|(flow, _)| *flow).collect()
}

#[test]
fn nobody_who_is_a_stranger_is_connected_to() {
    let mut knocker = Knocker::at(guarded());
    let flow = stream("203.0.113.9:40000", 7);
    assert_eq!(codes(&say(&mut knocker, flow, "INVITE", "open-1", "")), [100]);
    assert_eq!(answered_to(&mut knocker, ConnectionId(7), |_| {}), []);
}

#[test]
fn who_is_known_is_connected_to_where_it_comes_from_and_listens() {
    let mut access = guarded();
    access.trusted.push("203.0.113.0/24".parse().expect("a network"));
    let mut knocker = Knocker::at(access);
    let flow = stream("203.0.113.9:40000", 7);
    assert_eq!(codes(&say(&mut knocker, flow, "INVITE", "open-1", "")), [100]);
    let remote = "203.0.113.9:5070".parse().expect("an address");
    let back = Flow { remote, connection: None, ..flow };
    let answers = answered_to(&mut knocker, ConnectionId(7), |_| {});
    assert!(answers.len() > 2 && answers.iter().all(|way| *way == back), "{answers:?}");
}

#[test]
fn a_phone_that_has_registered_anew_is_answered_by_its_new_connection() {
    let mut knocker = Knocker::at(guarded());
    let show = |knocker: &mut Knocker, flow, method, to| {
        let challenged = say(knocker, flow, method, to, "");
        let answer = knocker.answer(&challenged[0], method, to, 1);
        codes(&say(knocker, flow, method, to, &format!("Authorization: {answer}\r\n")))
    };
    let (old, new) = (stream("203.0.113.9:40000", 7), stream("198.51.100.7:2000", 8));
    assert_eq!(show(&mut knocker, old, "INVITE", "room"), [100]);
    let answers = answered_to(&mut knocker, ConnectionId(7), |knocker| {
        assert_eq!(show(knocker, new, "REGISTER", "alice"), [200]);
    });
    assert!(answers.len() > 2 && answers.iter().all(|way| *way == new), "{answers:?}");
}
