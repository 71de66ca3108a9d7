//! Call flows in the manner of RFC 3665, as ladders in virtual time. Each ladder is a committed
//! picture; after each, every transaction and session must be gone.

use crate::world::World;
use sip::message::{HeaderName, Message, parse};
use sip::{EndCause, SessionEvent, SessionId, Transport};

/// A calls B, B rings and answers: both sessions, up.
pub(crate) fn established(world: &mut World, transport: Transport) -> (SessionId, SessionId) {
    let calling = world.call(transport);
    world.run_ms(100);
    let called = world.last_session(1);
    world.ring(1, called);
    world.run_ms(1_000);
    world.accept(1, called).expect("an INVITE that waits");
    world.run_ms(100);
    (calling, called)
}

#[test]
fn a_call_is_answered_and_the_caller_hangs_up() {
    let mut world = World::new(2, 1);
    let (calling, _) = established(&mut world, Transport::Udp);
    world.run_ms(5_000);
    world.end(0, calling);
    world.run_ms(1_000);
    insta::assert_snapshot!(world.ladder);
    world.settle();
}

#[test]
fn the_called_side_hangs_up_over_tcp_on_the_callers_connection() {
    let mut world = World::new(2, 2);
    let (_, called) = established(&mut world, Transport::Tcp);
    world.end(1, called);
    world.run_ms(1_000);
    insta::assert_snapshot!(world.ladder);
    world.settle();
}

#[test]
fn a_tcp_session_outlives_its_connection() {
    let mut world = World::new(2, 3);
    let (_, called) = established(&mut world, Transport::Tcp);
    world.close_stream(1);
    world.end(1, called);
    world.run_ms(1_000);
    insta::assert_snapshot!(world.ladder);
    world.settle();
}

#[test]
fn a_ringing_call_is_cancelled() {
    let mut world = World::new(2, 4);
    let calling = world.call(Transport::Udp);
    world.run_ms(100);
    world.ring(1, world.last_session(1));
    world.run_ms(1_000);
    world.end(0, calling);
    world.run_ms(1_000);
    insta::assert_snapshot!(world.ladder);
    world.settle();
}

#[test]
fn a_cancel_waits_until_something_was_heard() {
    let mut world = World::new(2, 5);
    world.lose("A", "INVITE");
    let calling = world.call(Transport::Udp);
    world.run_ms(100);
    world.end(0, calling);
    world.run_ms(2_000);
    insta::assert_snapshot!(world.ladder);
    world.settle();
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let mut world = World::new(2, 6);
    let calling = world.call(Transport::Udp);
    world.run_ms(100);
    world.ring(1, world.last_session(1));
    world.run_ms(1_000);
    world.end(0, calling);
    world.accept(1, world.last_session(1)).expect("an INVITE that waits");
    world.run_ms(1_000);
    insta::assert_snapshot!(world.ladder);
    world.settle();
}

#[test]
fn a_busy_callee_refuses_and_lost_refusals_are_repeated() {
    let mut world = World::new(2, 7);
    world.lose("B", "486");
    world.lose("A", "ACK");
    world.call(Transport::Udp);
    world.run_ms(100);
    world.reject(1, world.last_session(1), 486).expect("an INVITE that waits");
    world.run_ms(5_000);
    insta::assert_snapshot!(world.ladder);
    world.settle();
}

#[test]
fn a_200_is_repeated_until_its_ack_comes() {
    let mut world = World::new(2, 8);
    world.lose("B", "200 OK to INVITE");
    world.lose("A", "ACK");
    let (calling, _) = established(&mut world, Transport::Udp);
    world.run_ms(5_000);
    world.end(0, calling);
    world.run_ms(1_000);
    insta::assert_snapshot!(world.ladder);
    world.settle();
}

#[test]
fn a_call_whose_ack_never_comes_is_ended_with_bye() {
    let mut world = World::new(2, 9);
    for _ in 0..20 {
        world.lose("A", "ACK");
    }
    let (_, called) = established(&mut world, Transport::Udp);
    world.run_ms(40_000);
    let cause = EndCause::TimedOut;
    assert_eq!(world.events_of(1, called).last(), Some(&&SessionEvent::Ended { cause }));
    assert!(world.ladder.contains("B ──▶ A  BYE"));
    world.settle();
}

#[test]
fn ending_before_the_ack_waits_for_it() {
    let mut world = World::new(2, 10);
    world.call(Transport::Udp);
    world.run_ms(100);
    let called = world.last_session(1);
    world.accept(1, called).expect("an INVITE that waits");
    world.end(1, called);
    world.run_ms(1_000);
    insta::assert_snapshot!(world.ladder);
    world.settle();
}

#[test]
fn both_sides_hang_up_at_once() {
    let mut world = World::new(2, 11);
    let (calling, called) = established(&mut world, Transport::Udp);
    world.end(0, calling);
    world.end(1, called);
    world.run_ms(1_000);
    insta::assert_snapshot!(world.ladder);
    world.settle();
}

#[test]
fn a_session_is_put_on_hold_and_taken_back() {
    let mut world = World::new(2, 12);
    let (calling, called) = established(&mut world, Transport::Udp);
    world.reinvite(1, called).expect("settled");
    world.run_ms(100);
    world.accept(0, calling).expect("an offer that waits");
    world.run_ms(1_000);
    world.reinvite(0, calling).expect("settled");
    world.run_ms(100);
    world.reject(1, called, 488).expect("an offer that waits");
    world.run_ms(1_000);
    world.end(0, calling);
    world.run_ms(1_000);
    insta::assert_snapshot!(world.ladder);
    world.settle();
}

#[test]
fn offers_that_collide_are_made_again_one_after_the_other() {
    let mut world = World::new(2, 13);
    let (calling, called) = established(&mut world, Transport::Udp);
    world.reinvite(0, calling).expect("settled");
    world.reinvite(1, called).expect("settled");
    world.run_ms(2_050);
    // B did not make the Call-ID, so it comes first.
    world.accept(0, calling).expect("an offer that waits");
    world.run_ms(3_000);
    world.end(0, calling);
    world.run_ms(1_000);
    insta::assert_snapshot!(world.ladder);
    world.settle();
}

#[test]
fn a_call_to_nobody_times_out() {
    let mut world = World::new(2, 14);
    for _ in 0..20 {
        world.lose("A", "INVITE");
    }
    world.call(Transport::Udp);
    world.run_ms(40_000);
    insta::assert_snapshot!(world.ladder);
    world.settle();
}

#[test]
fn a_call_that_rings_for_ever_is_cancelled() {
    let mut world = World::new(2, 15);
    let calling = world.call(Transport::Udp);
    world.run_ms(100);
    world.ring(1, world.last_session(1));
    world.run_ms(250_000);
    let cause = EndCause::TimedOut;
    assert_eq!(world.events_of(0, calling).last(), Some(&&SessionEvent::Ended { cause }));
    // One for each minute of waiting, and the first.
    assert_eq!(world.ladder.matches("180 Ringing").count(), 4);
    world.settle();
}

#[test]
fn a_callee_that_falls_silent_after_180_leaves_nothing_behind() {
    let mut world = World::new(2, 16);
    let calling = world.call(Transport::Udp);
    world.run_ms(100);
    world.ring(1, world.last_session(1));
    world.run_ms(1_000);
    for _ in 0..40 {
        world.lose("A", "CANCEL");
    }
    world.end(0, calling);
    world.run_ms(70_000);
    world.end(1, world.last_session(1));
    world.settle();
}

#[test]
fn a_lost_peer_is_noticed_by_the_bye_that_nobody_answers() {
    let mut world = World::new(2, 17);
    let (calling, called) = established(&mut world, Transport::Udp);
    for _ in 0..40 {
        world.lose("A", "BYE");
    }
    world.end(0, calling);
    world.run_ms(40_000);
    assert_eq!(world.nodes[0].endpoint.alive().sessions, 0);
    assert_eq!(world.nodes[1].endpoint.alive().sessions, 1);
    // The other side learns it when it speaks.
    world.reinvite(1, called).expect("settled");
    world.run_ms(1_000);
    let cause = EndCause::Unknown;
    assert_eq!(world.events_of(1, called).last(), Some(&&SessionEvent::Ended { cause }));
    world.settle();
}

#[test]
fn a_name_is_looked_up_before_the_call() {
    let mut world = World::new(2, 18);
    let to = "sip:bob@b.example".parse().expect("uri");
    let from = "<sip:alice@a.example>".parse().expect("address");
    let invite = sip::Invite::new(to, from, b"offer".to_vec());
    let now = world.now;
    let calling = world.nodes[0].endpoint.invite(now, invite).expect("a listener");
    let output = world.nodes[0].endpoint.poll();
    let Some(sip::Output::Resolve { id, host, port, .. }) = output else { panic!("{output:?}") };
    assert_eq!((host.as_str(), port), ("b.example", None));
    world.nodes[0].endpoint.resolved(now, id, &[]);
    let output = world.nodes[0].endpoint.poll();
    let ended = SessionEvent::Ended { cause: EndCause::Unresolved };
    assert_eq!(output, Some(sip::Output::Session(calling, ended)));
    world.settle();
}

/// What node B answers to a message from a stranger: the status lines.
fn answers(world: &mut World, message: &str) -> Vec<String> {
    let from = world.ladder.len();
    world.inject(1, "10.0.0.1:5060", message.as_bytes());
    let lines = world.ladder[from..].lines().filter(|line| line.contains("B ──▶ "));
    lines.map(|line| line.split("  ").last().unwrap_or_default().to_owned()).collect()
}

fn request(method: &str, tags: (&str, &str), more: &str) -> String {
    format!(
        "{method} sip:bob@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK{method}\
         {}{}\r\nFrom: <sip:a@a>{}\r\nTo: <sip:b@b>{}\r\nCall-ID: x\r\nCSeq: 5 {method}\r\n\
         Contact: <sip:a@10.0.0.1>\r\n{more}\r\n",
        more.len(),
        tags.1.len(),
        tags.0,
        tags.1,
    )
}

#[test]
fn requests_of_unknown_dialogs_are_answered_481() {
    let mut world = World::new(2, 19);
    for method in ["BYE", "INVITE", "UPDATE", "INFO", "OPTIONS", "NOTIFY", "PRACK"] {
        let request = request(method, (";tag=1", ";tag=2"), "");
        let expected = format!("481 Call/Transaction Does Not Exist to {method}");
        assert_eq!(answers(&mut world, &request), [expected]);
    }
    for method in ["BYE", "UPDATE", "INFO", "CANCEL"] {
        let request = request(method, (";tag=1", ""), "");
        assert!(answers(&mut world, &request)[0].starts_with("481 "), "{method}");
    }
    assert_eq!(answers(&mut world, &request("ACK", (";tag=1", ";tag=2"), "")), [""; 0]);
    world.settle();
}

#[test]
fn a_stranger_who_knows_half_of_a_dialog_cannot_end_it() {
    let mut world = World::new(2, 20);
    let (calling, called) = established(&mut world, Transport::Udp);
    let Some(SessionEvent::Incoming(incoming)) = world.events_of(1, called).first().copied() else {
        panic!("no call");
    };
    let (call_id, tag) = (incoming.call_id.clone(), incoming.from.tag().expect("tag").to_owned());
    let half = request("BYE", (&format!(";tag={tag}"), ";tag=guess"), "");
    let half = half.replace("Call-ID: x", &format!("Call-ID: {call_id}"));
    assert!(answers(&mut world, &half)[0].starts_with("481 "));
    assert_eq!(world.nodes[1].endpoint.alive().sessions, 1);
    world.end(0, calling);
    world.run_ms(1_000);
    world.settle();
}

#[test]
fn what_is_not_served_is_refused_as_the_rfc_has_it() {
    let mut world = World::new(2, 21);
    for (method, more, status) in [
        ("REGISTER", "", 404),
        ("MESSAGE", "", 415),
        ("REFER", "", 400),
        ("SUBSCRIBE", "", 489),
        ("SUBSCRIBE", "Event: refer\r\n", 403),
        ("SUBSCRIBE", "Event: conference\r\nExpires: 59\r\n", 423),
        ("SUBSCRIBE", "Event: conference\r\nAccept: text/plain\r\n", 406),
        ("SUBSCRIBE", "Event: presence\r\n", 489),
        ("PUBLISH", "Event: presence\r\n", 489),
        ("JUMP", "", 405),
        ("OPTIONS", "Require: 100rel, none\r\n", 420),
        ("INVITE", "Require: replaced, 100rel\r\n", 420),
        ("INVITE", "Accept: text/plain\r\n", 406),
        ("INVITE", "Max-Forwards: 0\r\n", 483),
        ("OPTIONS", "Max-Forwards: 0\r\n", 200),
        ("OPTIONS", "Max-Forwards: 256\r\n", 400),
        ("INVITE", "Content-Type: text/plain\r\nContent-Length: 1\r\n\r\nx", 415),
        ("INVITE", "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", 415),
        ("INVITE", "Record-Route: nonsense\r\n", 400),
    ] {
        let answer = answers(&mut world, &request(method, (";tag=1", ""), more));
        assert_eq!(answer.len(), 1, "{method} {more}");
        assert!(answer[0].starts_with(&status.to_string()), "{method} {more}: {answer:?}");
    }
    for (target, status) in
        [("sips:b@h", "416"), ("isbn:1", "416"), ("sip:b@h?Route=x", "400"), ("tel:+1", "200")]
    {
        let options = request("OPTIONS", (";tag=1", ""), "").replace("sip:bob@10.0.0.2", target);
        assert!(answers(&mut world, &options)[0].starts_with(status), "{target}");
    }
    assert_eq!(world.nodes[1].told, []);
    world.settle();
}

#[test]
fn options_tells_what_is_understood() {
    let mut world = World::new(2, 22);
    let bytes = request("OPTIONS", (";tag=1", ""), "");
    let flow = sip::Flow {
        transport: Transport::Udp,
        local: world.nodes[1].address,
        remote: "192.0.2.7:1024".parse().expect("address"),
        connection: None,
    };
    let now = world.now;
    let answer = |world: &mut World| {
        world.nodes[1].endpoint.receive(now, flow, bytes.as_bytes());
        match world.nodes[1].endpoint.poll() {
            Some(sip::Output::Transmit { bytes, flow }) => (bytes, flow),
            other => panic!("{other:?}"),
        }
    };
    let (first, to) = answer(&mut world);
    // Without rport it goes to the source's address and the port of the Via.
    assert_eq!(to.remote, "192.0.2.7:5060".parse().expect("address"));
    // A copy gets the very same answer, tag included, though nothing was kept.
    assert_eq!(answer(&mut world).0, first);
    assert_eq!(world.nodes[1].endpoint.alive(), sip::Alive::default());
    let Ok(Message::Response(ok)) = parse(&first) else { panic!("no response") };
    let allow = ok.headers.values(&HeaderName::Allow);
    let calls = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "PRACK", "UPDATE"];
    let others = ["REGISTER", "SUBSCRIBE", "NOTIFY", "REFER", "MESSAGE"];
    assert_eq!(allow, [&calls[..], &others].concat());
    assert_eq!(ok.headers.values(&HeaderName::AllowEvents), ["conference", "refer"]);
    assert_eq!(ok.headers.values(&HeaderName::Accept), ["application/sdp"]);
    let supported = ["100rel", "join", "norefersub", "replaces", "tdialog", "timer"];
    assert_eq!(ok.headers.values(&HeaderName::Supported), supported);
    let via = ok.headers.text(&HeaderName::Via).expect("via");
    assert!(via.ends_with(";received=192.0.2.7"), "{via}");
}
