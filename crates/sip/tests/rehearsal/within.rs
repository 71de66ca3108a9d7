//! What is carried through: headers of a call, and requests inside a session.

use sip::message::{ExtraHeaders, HeaderName, Method, StatusCode};
use sip::{EndCause, Inquiry, Invite, SessionError, SessionEvent, Transport};

use crate::flows::established;
use crate::world::World;

#[test]
fn headers_that_the_user_adds_are_told_to_the_other_side() {
    let mut world = World::new(2, 1);
    let to = format!("sip:bob@{}", world.nodes[1].address).parse().expect("uri");
    let mut invite = Invite::new(to, "<sip:a@x>".parse().expect("address"), b"offer".to_vec());
    invite.headers.push(HeaderName::UserToUser, "56a390f3;encoding=hex").expect("a header to add");
    invite.headers.push(HeaderName::PAssertedIdentity, "<tel:+15551>").expect("a header to add");
    let now = world.now;
    let calling = world.nodes[0].endpoint.invite(now, invite).expect("a listener");
    world.wake(0);
    world.run_ms(100);
    let called = world.last_session(1);
    let Some(SessionEvent::Incoming(incoming)) = world.events_of(1, called).first().copied() else {
        panic!("no call");
    };
    let text = |name: HeaderName| incoming.headers.text(&name).map(|text| text.into_owned());
    assert_eq!(text(HeaderName::UserToUser).as_deref(), Some("56a390f3;encoding=hex"));
    assert_eq!(text(HeaderName::PAssertedIdentity).as_deref(), Some("<tel:+15551>"));
    world.end(0, calling);
    world.run_ms(1_000);
    world.settle();
}

fn info(body: &str) -> Inquiry {
    let body = Some(("application/dtmf-relay".to_owned(), body.as_bytes().to_vec()));
    Inquiry { method: Method::Info, headers: ExtraHeaders::new(), body }
}

#[test]
fn an_inquiry_is_replied_to_and_the_session_goes_on() {
    let mut world = World::new(2, 2);
    let (calling, called) = established(&mut world, Transport::Udp);
    world.lose("A", "INFO");
    world.lose("B", "200 OK to INFO");
    let now = world.now;
    let asked = world.nodes[0].endpoint.inquire(now, calling, info("Signal=5")).expect("up");
    world.wake(0);
    world.run_ms(3_000);
    let infos = |event: &&&SessionEvent| matches!(event, SessionEvent::Info { .. });
    assert_eq!(world.events_of(1, called).iter().filter(infos).count(), 1);
    let told = world.events_of(0, calling);
    let Some(SessionEvent::Replied { inquiry, status, .. }) = told.last() else {
        panic!("{told:?}")
    };
    assert_eq!((*inquiry, *status), (asked, StatusCode::OK));
    world.end(0, calling);
    world.run_ms(1_000);
    world.settle();
}

#[test]
fn an_inquiry_that_nobody_answers_counts_as_408_and_ends_nothing() {
    let mut world = World::new(2, 3);
    let (calling, _) = established(&mut world, Transport::Udp);
    for _ in 0..20 {
        world.lose("A", "INFO");
    }
    let now = world.now;
    world.nodes[0].endpoint.inquire(now, calling, info("Signal=5")).expect("up");
    world.wake(0);
    world.run_ms(40_000);
    let told = world.events_of(0, calling);
    let Some(SessionEvent::Replied { status, .. }) = told.last() else { panic!("{told:?}") };
    assert_eq!(status.code(), 408);
    world.end(0, calling);
    world.run_ms(1_000);
    let told = world.events_of(0, calling);
    assert_eq!(told.last(), Some(&&SessionEvent::Ended { cause: EndCause::LocalEnd }));
    world.settle();
}

#[test]
fn an_inquiry_is_no_way_around_the_verbs_of_a_session() {
    let mut world = World::new(2, 4);
    let (calling, _) = established(&mut world, Transport::Udp);
    let now = world.now;
    for method in [Method::Invite, Method::Bye, Method::Update, Method::Prack] {
        let inquiry = Inquiry { method, ..info("") };
        let refused = world.nodes[0].endpoint.inquire(now, calling, inquiry);
        assert_eq!(refused, Err(SessionError::BadMethod));
    }
    world.end(0, calling);
    let refused = world.nodes[0].endpoint.inquire(now, calling, info(""));
    assert_eq!(refused, Err(SessionError::Unsettled));
    world.run_ms(1_000);
    world.settle();
}
