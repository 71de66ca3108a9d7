//! Calls that we make and that are not answered: each phone that they reach is a dialog (RFC 3261
//! §12.1, RFC 5407).

use sip::message::{HeaderName, Message, Request, parse};
use sip::{EndCause, Meant, SessionEvent, SessionId};

use crate::knock::{Knocker, guarded};
use crate::stranger::{ADDRESS, answer, call_phone, caught_request};
use crate::world::World;

/// Somebody else's phone.
const OTHER: &str = "192.0.2.8:5060";

/// A call of ours that rings at that phone of those behind one address.
fn ringing(tags: &[&str]) -> (World, SessionId, Request) {
    let mut world = World::new(1, 1);
    let (id, invite) = call_phone(&mut world);
    for tag in tags {
        world.inject(0, ADDRESS, &answer(&invite, "180 Ringing", tag, ""));
    }
    assert_eq!(world.events_of(0, id).len(), tags.len());
    (world, id, invite)
}

/// A request of the phone with that tag in the dialog of our call; the statuses that come back.
fn send(world: &mut World, invite: &Request, (tag, method): (&str, &str), from: &str) -> Vec<u16> {
    let text = |name: HeaderName| invite.headers.text(&name).expect("header").into_owned();
    let request = format!(
        "{method} sip:a@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{method}{tag}\r\n\
         From: {};tag={tag}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:phone@{from}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        text(HeaderName::To),
        text(HeaderName::From),
        text(HeaderName::CallId),
    );
    world.caught.clear();
    world.inject(0, from, request.as_bytes());
    let mut statuses = Vec::new();
    world.caught.retain(|(_, bytes)| match parse(bytes) {
        Ok(Message::Response(response)) => {
            statuses.push(response.status.code());
            false
        }
        Ok(Message::Request(_)) | Err(_) => true,
    });
    statuses
}

/// What an INVITE with that Replaces is answered; what it means if it is put before the user.
fn replace(world: &mut World, cseq: u32, replaces: &str) -> (u16, Option<Meant>) {
    let invite = format!(
        "INVITE sip:a@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {OTHER};branch=z9hG4bKr{cseq}\r\n\
         From: <sip:o@x>;tag=o\r\nTo: <sip:a@x>\r\nCall-ID: o{cseq}\r\nCSeq: {cseq} INVITE\r\n\
         Contact: <sip:o@{OTHER}>\r\nReplaces: {replaces}\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n"
    );
    world.caught.clear();
    let told = world.nodes[0].told.len();
    world.inject(0, OTHER, invite.as_bytes());
    let Ok(Message::Response(first)) = parse(&world.caught[0].1) else { panic!("no answer") };
    let meant = world.nodes[0].told[told..].first().and_then(|(_, event)| {
        let SessionEvent::Incoming(incoming) = event else { return None };
        incoming.meant
    });
    (first.status.code(), meant)
}

/// RFC 3891 section 3: a call that rings is picked up by another phone, which names it to whoever
/// made it.
#[test]
fn a_call_that_rings_is_replaced_by_who_names_the_phone_that_rings() {
    let (mut world, id, invite) = ringing(&["one", "two"]);
    let text = |name: HeaderName| invite.headers.text(&name).expect("header").into_owned();
    let from = text(HeaderName::From);
    let ours = from.split(";tag=").nth(1).expect("a tag");
    let name = format!("{};to-tag={ours}", text(HeaderName::CallId));
    for (cseq, (from_tag, status, meant)) in [
        ("guess", 481, None),
        // That would be no dialog at all.
        ("0", 481, None),
        ("one", 100, Some(Meant::Replaces(id))),
        ("two;early-only", 100, Some(Meant::Replaces(id))),
    ]
    .into_iter()
    .enumerate()
    {
        let named = format!("{name};from-tag={from_tag}");
        assert_eq!(replace(&mut world, cseq as u32 + 1, &named), (status, meant), "{from_tag}");
    }
}

/// RFC 3891 section 3: and one that rings here is not anybody's to pick up.
#[test]
fn a_call_that_rings_here_is_not_replaced_by_anybody() {
    let mut phone = crate::stranger::Phone::new();
    phone.send("INVITE", "offer");
    let id = phone.world.last_session(1);
    phone.world.ring(1, id);
    phone.learn_tag();
    let more = format!("Replaces: call;to-tag={};from-tag=p\r\n", phone.tag);
    let invite = format!(
        "INVITE sip:b@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP {OTHER};branch=z9hG4bKr\r\n\
         From: <sip:o@x>;tag=o\r\nTo: <sip:b@x>\r\nCall-ID: other\r\nCSeq: 1 INVITE\r\n{more}\
         Content-Length: 0\r\n\r\n"
    );
    phone.world.inject(1, OTHER, invite.as_bytes());
    assert_eq!(crate::stranger::statuses(&phone.caught()), [481]);
    phone.end(id);
}

/// It must not (RFC 3261 section 15), but one whose 200 was lost all the time does.
#[test]
fn a_phone_that_hangs_up_before_it_has_answered_leaves_the_others_ringing() {
    let (mut world, id, invite) = ringing(&["one", "two"]);
    assert_eq!(send(&mut world, &invite, ("one", "BYE"), ADDRESS), [200]);
    assert_eq!(world.events_of(0, id).len(), 2, "another one rings");
    world.inject(0, ADDRESS, &answer(&invite, "200 OK", "two", "answer"));
    assert_eq!(caught_request(&mut world).method.name(), "ACK");
    let sdp = Some(b"answer".to_vec());
    assert_eq!(world.events_of(0, id).last(), Some(&&SessionEvent::Established { sdp }));
    world.end(0, id);
    world.run_ms(40_000);
    world.settle();
}

#[test]
fn when_the_last_phone_hangs_up_before_it_has_answered_nobody_is_left_ringing() {
    let (mut world, id, invite) = ringing(&["one", "two"]);
    for tag in ["one", "two"] {
        assert_eq!(send(&mut world, &invite, (tag, "BYE"), ADDRESS), [200]);
    }
    let ended = SessionEvent::Ended { cause: EndCause::Bye { reason: None } };
    assert_eq!(world.events_of(0, id).last(), Some(&&ended));
    let cancel = caught_request(&mut world);
    assert_eq!(cancel.method.name(), "CANCEL");
    world.inject(0, ADDRESS, &answer(&cancel, "200 OK", "x", ""));
    // One that answered in the same instant is told that it is too late.
    world.inject(0, ADDRESS, &answer(&invite, "200 OK", "three", "answer"));
    let requests: Vec<_> = (0..2).map(|_| caught_request(&mut world)).collect();
    let methods = requests.iter().map(|request| request.method.name());
    assert_eq!(methods.collect::<Vec<_>>(), ["ACK", "BYE"]);
    world.inject(0, ADDRESS, &answer(&requests[1], "200 OK", "x", ""));
    world.run_ms(40_000);
    world.settle();
}

/// It answers from where its Contact is, and not from where the INVITE went.
#[test]
fn a_phone_behind_a_proxy_speaks_for_itself_before_it_has_answered() {
    let mut world = Knocker::at(guarded()).world;
    let (id, invite) = call_phone(&mut world);
    let ringing = String::from_utf8(answer(&invite, "180 Ringing", "one", "")).expect("text");
    let ringing = ringing.replace(&format!("phone@{ADDRESS}"), &format!("phone@{OTHER}"));
    world.inject(0, ADDRESS, ringing.as_bytes());
    assert_eq!(send(&mut world, &invite, ("one", "INFO"), "192.0.2.9:5060"), [481]);
    assert_eq!(send(&mut world, &invite, ("one", "UPDATE"), OTHER), [200]);
    world.end(0, id);
    world.run_ms(80_000);
    world.settle();
}
