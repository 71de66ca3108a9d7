//! Session timers (RFC 4028), in both roles.

use std::time::Duration;

use sip::message::{HeaderName, Message, Request, parse};
use sip::{Config, EndCause, Endpoint, SessionEvent, Transport};

use crate::flows::established;
use crate::stranger::{ADDRESS, Phone, answer, call_phone, caught_request, statuses};
use crate::world::World;

fn header(message: &Message, name: HeaderName) -> String {
    let headers = match message {
        Message::Request(request) => &request.headers,
        Message::Response(response) => &response.headers,
    };
    headers.text(&name).unwrap_or_default().into_owned()
}

/// A world whose nodes ask for that interval \[s\].
fn world_with_interval(seconds: u32) -> World {
    let mut world = World::new(2, 1);
    for (seed, node) in world.nodes.iter_mut().enumerate() {
        let listeners = vec![(Transport::Udp, node.address), (Transport::Tcp, node.address)];
        let mut config = Config::new(listeners);
        config.access = sip::access::Access::everybody();
        config.session_expires_s = seconds;
        node.endpoint = Endpoint::new(config, seed as u64);
    }
    world
}

#[test]
fn a_session_is_refreshed_at_half_of_its_interval_for_ever() {
    let mut world = world_with_interval(600);
    let (calling, called) = established(&mut world, Transport::Udp);
    world.run(Duration::from_secs(3_650));
    // The caller left it to the other side, which chose the caller.
    assert_eq!(world.ladder.matches("A ──▶ B  UPDATE").count(), 12);
    assert_eq!(world.ladder.matches("B ──▶ A  UPDATE").count(), 0);
    world.end(0, calling);
    world.run_ms(1_000);
    let told = world.events_of(1, called);
    assert!(matches!(told.last(), Some(SessionEvent::Ended { cause: EndCause::Bye { .. } })));
    world.settle();
}

#[test]
fn a_session_whose_other_side_is_gone_ends_before_its_interval_does() {
    for (interval_s, end_s) in [(90, 60), (1_800, 1_768)] {
        let mut world = world_with_interval(interval_s);
        let (_, called) = established(&mut world, Transport::Udp);
        world.vanish("A");
        world.run(Duration::from_secs(end_s - 3));
        assert_eq!(world.nodes[1].endpoint.alive().sessions, 1);
        world.run(Duration::from_secs(5));
        let told = world.events_of(1, called);
        assert_eq!(told.last(), Some(&&SessionEvent::Ended { cause: EndCause::TimedOut }));
        assert!(
            world.ladder.contains("B ──▶ A  BYE [SIP;cause=408;text=\"Session Timer Expired\"]")
        );
        world.run(Duration::from_secs(interval_s.into()));
        // The refresher sees it as well: nobody answers its UPDATE.
        world.settle();
    }
}

#[test]
fn an_interval_that_is_too_short_is_answered_422_with_ours() {
    let mut phone = Phone::new();
    phone.more = "Supported: timer\r\nSession-Expires: 30\r\n";
    let refused = phone.send("INVITE", "offer");
    assert_eq!(statuses(&refused), [422]);
    assert_eq!(header(&refused[0], HeaderName::MinSe), "90");
    assert_eq!(phone.world.nodes[1].endpoint.alive().sessions, 0);
    phone.world.settle();
}

#[test]
fn what_the_caller_asks_for_is_agreed_to_within_bounds() {
    for (asked, agreed) in [
        ("Supported: timer\r\nSession-Expires: 120;refresher=uas\r\n", "120;refresher=uas"),
        ("Supported: timer\r\nSession-Expires: 120;refresher=uac\r\n", "120;refresher=uac"),
        ("Supported: timer\r\nSession-Expires: 9000\r\n", "1800;refresher=uac"),
        ("Supported: timer\r\nSession-Expires: 3600\r\nMin-SE: 2000\r\n", "2000;refresher=uac"),
        // A proxy's wish for a phone without session timers: we refresh, and not too often.
        ("Session-Expires: 30;refresher=uac\r\n", "90;refresher=uas"),
        ("", "1800;refresher=uas"),
        ("x: nonsense\r\n", "1800;refresher=uas"),
    ] {
        let mut phone = Phone::new();
        phone.more = asked;
        phone.send("INVITE", "offer");
        let id = phone.world.last_session(1);
        phone.world.accept(1, id).expect("an INVITE that waits");
        let answers = phone.caught();
        let ok = answers.last().expect("a 200");
        assert_eq!(header(ok, HeaderName::SessionExpires), agreed, "{asked}");
        // §9: also who is refreshed, so that it may hang up where that fails.
        let must_know = asked.contains("Supported: timer");
        assert_eq!(header(ok, HeaderName::Require) == "timer", must_know, "{asked}");
        phone.world.end(1, id);
        phone.world.run(Duration::from_secs(40));
        phone.world.settle();
    }
}

#[test]
fn a_phone_that_does_not_know_update_is_refreshed_by_a_reinvite_with_the_same_description() {
    let mut phone = Phone::new();
    phone.more = "Allow: INVITE, ACK, BYE\r\n";
    let id = phone.establish();
    phone.world.run(Duration::from_secs(905));
    let caught = phone.caught();
    let Some(Message::Request(refresh)) = caught.first() else { panic!("{caught:?}") };
    assert_eq!((refresh.method.name(), refresh.body.as_slice()), ("INVITE", b"answer".as_slice()));
    assert_eq!(header(&caught[0], HeaderName::SessionExpires), "1800;refresher=uac");
    phone.world.inject(1, ADDRESS, &answer(refresh, "488 No", "p", ""));
    // A refusal is no sign of a change, and no end; but nothing has been refreshed.
    let ups = |event: &&SessionEvent| matches!(event, SessionEvent::Established { .. });
    assert!(phone.world.events_of(1, id).last().is_some_and(ups));
    phone.world.run(Duration::from_secs(900));
    assert_eq!(*phone.last_event(), SessionEvent::Ended { cause: EndCause::TimedOut });
    phone.world.settle();
}

#[test]
fn an_update_that_is_not_understood_after_all_gives_way_to_a_reinvite() {
    let mut phone = Phone::new();
    phone.more = "Allow: INVITE, ACK, BYE, UPDATE\r\n";
    let id = phone.establish();
    phone.world.run(Duration::from_secs(905));
    let caught = phone.caught();
    let Some(Message::Request(update)) = caught.first() else { panic!("{caught:?}") };
    assert_eq!((update.method.name(), update.body.len()), ("UPDATE", 0));
    phone.world.inject(1, ADDRESS, &answer(update, "501 No", "p", ""));
    let caught = phone.caught();
    let Some(Message::Request(refresh)) = caught.first() else { panic!("{caught:?}") };
    assert_eq!(refresh.method.name(), "INVITE");
    phone.world.inject(1, ADDRESS, &answer(refresh, "200 OK", "p", "same"));
    let sdp = Some(b"same".to_vec());
    assert_eq!(*phone.last_event(), SessionEvent::Reanswered { sdp });
    phone.end(id);
}

#[test]
fn a_call_that_meets_422_is_made_again_with_the_interval_that_is_asked_for() {
    let mut world = World::new(1, 1);
    let (id, invite) = call_phone(&mut world);
    let told = |request: &Request, name: HeaderName| {
        request.headers.text(&name).unwrap_or_default().into_owned()
    };
    assert_eq!(told(&invite, HeaderName::SessionExpires), "1800");
    let longer = |seconds: &str, request: &Request| {
        let refusal = answer(request, "422 Session Interval Too Small", "x", "");
        let more = format!("\r\nMin-SE: {seconds}\r\nContact:");
        String::from_utf8(refusal).expect("text").replacen("\r\nContact:", &more, 1)
    };
    world.inject(0, ADDRESS, longer("4000", &invite).as_bytes());
    assert_eq!(caught_request(&mut world).method.name(), "ACK");
    let again = caught_request(&mut world);
    assert_eq!(told(&again, HeaderName::SessionExpires), "4000");
    assert_eq!(told(&again, HeaderName::MinSe), "4000");
    assert_eq!(told(&again, HeaderName::CallId), told(&invite, HeaderName::CallId));
    assert_eq!(world.events_of(0, id).len(), 0);
    // Not longer than before: asking again would never end.
    world.inject(0, ADDRESS, longer("4000", &again).as_bytes());
    let events = world.events_of(0, id);
    assert!(matches!(events[..], [SessionEvent::Ended { cause: EndCause::Rejected { .. } }]));
    world.settle();
}

#[test]
fn an_answer_without_interval_means_that_there_is_none() {
    let mut world = World::new(1, 1);
    let (id, invite) = call_phone(&mut world);
    world.inject(0, ADDRESS, &answer(&invite, "200 OK", "x", "answer"));
    world.run(Duration::from_secs(7_200));
    let (_, last) = world.caught.last().expect("an ACK");
    let Ok(Message::Request(ack)) = parse(last) else { panic!("no request") };
    assert_eq!(ack.method.name(), "ACK");
    world.end(0, id);
    world.run(Duration::from_secs(40));
    world.settle();
}

#[test]
fn a_refresh_whose_interval_is_never_long_enough_is_not_made_again_for_ever() {
    for allow in ["Allow: INVITE, ACK, BYE, UPDATE\r\n", "Allow: INVITE, ACK, BYE\r\n"] {
        let mut phone = Phone::new();
        phone.more = allow;
        phone.establish();
        phone.world.run(Duration::from_secs(905));
        let mut refreshes = 0;
        while let Some(Message::Request(refresh)) = phone.caught().into_iter().next_back() {
            if refresh.method.name() == "ACK" || refreshes == 100 {
                break;
            }
            refreshes += 1;
            let refusal = answer(&refresh, "422 Session Interval Too Small", "p", "");
            let more = format!("\r\nMin-SE: {}\r\nContact:", 2_000 + refreshes);
            let refusal = String::from_utf8(refusal).expect("text");
            let refusal = refusal.replacen("\r\nContact:", &more, 1);
            phone.world.inject(1, ADDRESS, refusal.as_bytes());
        }
        assert_eq!(refreshes, 5, "{allow}");
        phone.world.run(Duration::from_secs(900));
        assert_eq!(*phone.last_event(), SessionEvent::Ended { cause: EndCause::TimedOut });
        phone.world.settle();
    }
}
