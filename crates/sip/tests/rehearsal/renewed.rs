//! A phone that has not answered our call offers anew by UPDATE (RFC 3311 §5): a gateway that moves
//! what it lets us hear, or hands the call on.

use sip::message::{HeaderName, Message, Request, Response, parse};
use sip::{EndCause, SessionError, SessionEvent, SessionId};

use crate::reliable::reliable;
use crate::stranger::{ADDRESS, answer, call_phone, caught_request};
use crate::world::World;

/// A call of ours at phones with those tags, each of which has answered it by a reliable 183.
fn early(tags: &[&str]) -> (World, SessionId, Request) {
    let mut world = World::new(1, 1);
    let (id, invite) = call_phone(&mut world);
    for tag in tags {
        world.inject(0, ADDRESS, &reliable(&invite, "183 Progress", tag, 1));
        let prack = caught_request(&mut world);
        world.inject(0, ADDRESS, &answer(&prack, "200 OK", tag, ""));
    }
    (world, id, invite)
}

/// An UPDATE of the phone with that tag and number, with an offer of that name; what comes at once.
fn update(world: &mut World, invite: &Request, (tag, cseq): (&str, u32)) -> Vec<Response> {
    let text = |name: HeaderName| invite.headers.text(&name).expect("header").into_owned();
    let request = format!(
        "UPDATE sip:a@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {ADDRESS};branch=z9hG4bKu{tag}{cseq}\r\n\
         From: {};tag={tag}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} UPDATE\r\n\
         Contact: <sip:phone@{ADDRESS}>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\n\
         Content-Length: 6\r\n\r\nof {tag}",
        text(HeaderName::To),
        text(HeaderName::From),
        text(HeaderName::CallId),
    );
    world.caught.clear();
    world.inject(0, ADDRESS, request.as_bytes());
    responses(world)
}

fn responses(world: &mut World) -> Vec<Response> {
    let caught = std::mem::take(&mut world.caught);
    let read = caught.iter().map(|(_, bytes)| parse(bytes).expect("valid"));
    read.filter_map(|message| match message {
        Message::Response(response) => Some(response),
        Message::Request(_) => None,
    })
    .collect()
}

fn codes(responses: &[Response]) -> Vec<u16> {
    responses.iter().map(|response| response.status.code()).collect()
}

fn offered(tag: &str) -> SessionEvent {
    SessionEvent::Reoffer { sdp: Some(format!("of {tag}").into_bytes()) }
}

#[test]
fn until_our_offer_is_answered_for_good_no_other_is_taken() {
    let mut world = World::new(1, 1);
    let (id, invite) = call_phone(&mut world);
    // Whoever sends this may lose it, and say something else later.
    world.inject(0, ADDRESS, &answer(&invite, "183 Progress", "one", "early"));
    assert_eq!(codes(&update(&mut world, &invite, ("one", 1))), [491]);
    world.inject(0, ADDRESS, &reliable(&invite, "183 Progress", "one", 1));
    assert_eq!(codes(&update(&mut world, &invite, ("one", 2))), [0; 0]);
    assert_eq!(world.events_of(0, id).last(), Some(&&offered("one")));
    world.end(0, id);
    world.run_ms(80_000);
    world.settle();
}

#[test]
fn what_is_agreed_on_anew_holds_whatever_the_answer_to_the_call_repeats() {
    for repeated in ["", "early"] {
        let (mut world, id, invite) = early(&["one", "two"]);
        assert_eq!(codes(&update(&mut world, &invite, ("one", 1))), [0; 0]);
        // One at a time, of whichever phone.
        for (tag, cseq) in [("one", 2), ("two", 1)] {
            let busy = update(&mut world, &invite, (tag, cseq));
            assert_eq!(codes(&busy), [500]);
            assert!(busy[0].headers.first(&HeaderName::RetryAfter).is_some());
        }
        world.accept(0, id).expect("an offer that waits");
        let accepted = responses(&mut world);
        assert_eq!(codes(&accepted), [200]);
        assert_eq!(accepted[0].body, b"answer");
        assert_eq!(world.accept(0, id), Err(SessionError::NothingPending));
        // Told again: what it holds is not news.
        world.inject(0, ADDRESS, &answer(&invite, "180 Ringing", "one", repeated));
        let told = world.events_of(0, id);
        assert!(matches!(told.last(), Some(SessionEvent::Ringing { sdp: None, .. })), "{told:?}");
        world.inject(0, ADDRESS, &answer(&invite, "200 OK", "one", repeated));
        assert_eq!(caught_request(&mut world).method.name(), "ACK");
        let told = world.events_of(0, id);
        assert_eq!(told.last(), Some(&&SessionEvent::Established { sdp: None }), "{repeated}");
        world.end(0, id);
        world.run_ms(40_000);
        world.settle();
    }
}

#[test]
fn an_offer_that_is_refused_changes_nothing() {
    let (mut world, id, invite) = early(&["one"]);
    update(&mut world, &invite, ("one", 1));
    world.reject(0, id, 488).expect("an offer that waits");
    assert_eq!(codes(&responses(&mut world)), [488]);
    world.inject(0, ADDRESS, &answer(&invite, "200 OK", "one", ""));
    let sdp = Some(b"early".to_vec());
    assert_eq!(world.events_of(0, id).last(), Some(&&SessionEvent::Established { sdp }));
    world.end(0, id);
    world.run_ms(40_000);
    world.settle();
}

#[test]
fn an_offer_that_waits_when_the_call_is_answered_waits_on_and_of_others_is_forgotten() {
    let (mut world, id, invite) = early(&["one", "two"]);
    update(&mut world, &invite, ("one", 1));
    world.inject(0, ADDRESS, &answer(&invite, "200 OK", "one", ""));
    world.accept(0, id).expect("an offer that waits");
    assert_eq!(codes(&responses(&mut world)), [200]);
    world.end(0, id);
    world.run_ms(40_000);
    world.settle();

    let (mut world, id, invite) = early(&["one", "two"]);
    update(&mut world, &invite, ("one", 1));
    world.inject(0, ADDRESS, &answer(&invite, "200 OK", "two", ""));
    assert_eq!(world.accept(0, id), Err(SessionError::NothingPending));
    world.end(0, id);
    world.run_ms(40_000);
    world.settle();
}

#[test]
fn a_call_that_ends_leaves_no_offer_behind() {
    let (mut world, id, invite) = early(&["one"]);
    update(&mut world, &invite, ("one", 1));
    world.inject(0, ADDRESS, &answer(&invite, "486 Busy Here", "one", ""));
    let ended = world.events_of(0, id).last().copied().cloned();
    assert!(matches!(ended, Some(SessionEvent::Ended { cause: EndCause::Rejected { .. } })));
    world.run_ms(40_000);
    world.settle();
}
