//! Reliable provisional responses (RFC 3262), in both roles.

use sip::message::{HeaderName, Message, StatusCode};
use sip::{EndCause, SessionEvent, Transport};

use crate::stranger::{ADDRESS, Phone, answer, call_phone, caught_request, statuses};
use crate::world::World;

#[test]
fn early_media_is_told_reliably_and_the_answer_is_given_once() {
    let mut world = World::new(2, 1);
    world.lose("B", "183");
    world.lose("A", "PRACK");
    world.lose("B", "200 OK to PRACK");
    let calling = world.call(Transport::Udp);
    world.run_ms(100);
    let called = world.last_session(1);
    world.progress(1, called, 183, Some("answer"));
    world.run_ms(4_000);
    world.accept(1, called).expect("an INVITE that waits");
    world.run_ms(1_000);
    world.end(0, calling);
    world.run_ms(1_000);
    insta::assert_snapshot!(world.ladder);
    world.settle();
}

#[test]
fn an_answer_waits_for_the_prack_of_what_was_told_before() {
    let mut world = World::new(2, 2);
    let calling = world.call(Transport::Udp);
    world.run_ms(100);
    let called = world.last_session(1);
    world.progress(1, called, 183, Some("answer"));
    world.progress(1, called, 180, None);
    world.accept(1, called).expect("an INVITE that waits");
    assert_eq!(world.accept(1, called), Err(sip::SessionError::NothingPending));
    world.run_ms(1_000);
    world.end(0, calling);
    world.run_ms(1_000);
    insta::assert_snapshot!(world.ladder);
    world.settle();
}

#[test]
fn a_caller_that_demands_reliability_gets_it_for_every_provisional_response() {
    let mut phone = Phone::new();
    phone.more = "Require: 100rel\r\n";
    assert_eq!(statuses(&phone.send("INVITE", "offer")), [100]);
    phone.more = "";
    let id = phone.world.last_session(1);
    phone.world.ring(1, id);
    let ringing = phone.caught();
    let [Message::Response(first)] = &ringing[..] else { panic!("{ringing:?}") };
    assert_eq!(first.headers.text(&HeaderName::RSeq).as_deref(), Some("1"));
    assert_eq!(first.headers.text(&HeaderName::Require).as_deref(), Some("100rel"));
    phone.tag = crate::stranger::tag_of(first);
    // A PRACK of something else acknowledges nothing.
    for rack in ["RAck: 2 1 INVITE\r\n", "RAck: 1 9 INVITE\r\n", "RAck: 1 1 BYE\r\n", ""] {
        phone.more = rack;
        assert_eq!(statuses(&phone.send("PRACK", "")), [481], "{rack}");
    }
    phone.world.run_ms(600);
    assert_eq!(phone.caught(), ringing);
    phone.more = "RAck: 1 1 INVITE\r\n";
    assert_eq!(statuses(&phone.send("PRACK", "")), [200]);
    assert_eq!(statuses(&phone.send("PRACK", "")), [481]);
    phone.world.run_ms(40_000);
    assert!(phone.caught().is_empty());
    phone.world.end(1, id);
    phone.world.settle();
}

/// RFC 3262 section 5: the first reliable response would have to hold our offer, and its PRACK the
/// answer.
#[test]
fn a_caller_that_demands_reliability_and_makes_no_offer_is_told_nothing_before_the_answer() {
    let mut phone = Phone::new();
    phone.more = "Require: 100rel\r\n";
    assert_eq!(statuses(&phone.send("INVITE", "")), [100]);
    phone.more = "";
    let id = phone.world.last_session(1);
    phone.world.ring(1, id);
    phone.world.progress(1, id, 183, Some("answer"));
    phone.world.run_ms(130_000);
    assert_eq!(statuses(&phone.caught()), [0; 0]);
    phone.world.accept(1, id).expect("an INVITE that waits");
    phone.learn_tag();
    phone.send_numbered("ACK", 1, "late answer");
    let sdp = Some(b"late answer".to_vec());
    assert_eq!(*phone.last_event(), SessionEvent::Established { sdp });
    phone.end(id);
}

#[test]
fn a_call_whose_prack_never_comes_is_refused() {
    let mut phone = Phone::new();
    phone.more = "Require: 100rel\r\n";
    phone.send("INVITE", "offer");
    let id = phone.world.last_session(1);
    phone.world.ring(1, id);
    phone.world.accept(1, id).expect("an INVITE that waits");
    phone.world.caught.clear();
    phone.world.run_ms(33_000);
    let statuses = statuses(&phone.caught());
    // 500, 1000 … 16000 ms, then the refusal.
    assert_eq!(statuses[..6], [180; 6]);
    assert_eq!(statuses[6], 504);
    assert_eq!(*phone.last_event(), SessionEvent::Ended { cause: EndCause::TimedOut });
    phone.world.settle();
}

#[test]
fn without_the_callers_consent_nothing_is_reliable() {
    let mut phone = Phone::new();
    phone.send("INVITE", "offer");
    let id = phone.world.last_session(1);
    phone.world.progress(1, id, 183, Some("answer"));
    let caught = phone.caught();
    let Some(Message::Response(early)) = caught.last() else { panic!("{caught:?}") };
    assert_eq!(
        (early.status, early.body.as_slice()),
        (StatusCode::SESSION_PROGRESS, &b"answer"[..])
    );
    assert!(early.headers.first(&HeaderName::RSeq).is_none());
    phone.world.end(1, id);
    phone.world.settle();
}

/// A provisional response with that RSeq.
pub(crate) fn reliable(
    invite: &sip::message::Request,
    status: &str,
    tag: &str,
    rseq: u32,
) -> Vec<u8> {
    let text = String::from_utf8(answer(invite, status, tag, "early")).expect("text");
    let more = format!("\r\nRequire: 100rel\r\nRSeq: {rseq}\r\nContact:");
    text.replacen("\r\nContact:", &more, 1).into_bytes()
}

#[test]
fn reliable_responses_are_acknowledged_in_order_and_by_fork() {
    let mut world = World::new(1, 1);
    let (id, invite) = call_phone(&mut world);
    let supported = invite.headers.values(&HeaderName::Supported);
    assert!(supported.iter().any(|option| option == "100rel"));
    let mut racks = Vec::new();
    for (status, tag, rseq) in [
        ("183 Progress", "one", 700),
        ("183 Progress", "one", 700),
        // The one before is missing: no PRACK, and it is not told.
        ("180 Ringing", "one", 702),
        ("180 Ringing", "two", 9),
        ("180 Ringing", "one", 701),
    ] {
        world.inject(0, ADDRESS, &reliable(&invite, status, tag, rseq));
        while !world.caught.is_empty() {
            let prack = caught_request(&mut world);
            let to = prack.headers.text(&HeaderName::To).expect("To").into_owned();
            let rack = prack.headers.text(&HeaderName::RAck).expect("RAck").into_owned();
            racks.push(format!("{} {rack} {}", prack.method, &to[to.len() - 3..]));
            world.inject(0, ADDRESS, &answer(&prack, "200 OK", "x", ""));
        }
    }
    assert_eq!(racks, ["PRACK 700 1 INVITE one", "PRACK 9 1 INVITE two", "PRACK 701 1 INVITE one"]);
    assert_eq!(world.events_of(0, id).len(), 3);
    world.inject(0, ADDRESS, &answer(&invite, "200 OK", "two", "answer"));
    let ack = caught_request(&mut world);
    // The ACK has the INVITE's number, whatever was sent since (RFC 3261 §13.2.2.4).
    assert_eq!(ack.headers.text(&HeaderName::CSeq).as_deref(), Some("1 ACK"));
    world.end(0, id);
    let bye = caught_request(&mut world);
    assert_eq!(bye.headers.text(&HeaderName::CSeq).as_deref(), Some("5 BYE"));
    world.run_ms(40_000);
    world.settle();
}

#[test]
fn an_answer_that_came_reliably_holds_when_the_2xx_has_none() {
    let mut world = World::new(1, 1);
    let (id, invite) = call_phone(&mut world);
    let of = |tag: &str| format!("early of {tag}");
    for (tag, rseq) in [("one", 1), ("two", 5)] {
        let early = String::from_utf8(reliable(&invite, "183 Progress", tag, rseq)).expect("text");
        let early = early.replace("\r\n\r\nearly", &format!("\r\n\r\n{}", of(tag)));
        world.inject(0, ADDRESS, early.as_bytes());
    }
    world.inject(0, ADDRESS, &answer(&invite, "200 OK", "two", ""));
    let told = world.events_of(0, id);
    let sdp = Some(of("two").into_bytes());
    assert_eq!(told.last(), Some(&&SessionEvent::Established { sdp }));
    world.end(0, id);
    world.run_ms(40_000);
    world.settle();
}
