//! Who asks to be told, and is; who asks us to contact somebody (RFC 6665, 3515).

use sip::message::{HeaderName, Message, Request, StatusCode, parse};
use sip::{
    Meant, Notification, Referred, SessionEvent, SessionId, SubscriptionEvent, SubscriptionId,
    Transport,
};

use crate::world::World;

/// Where a subscriber is that is written by hand.
const STRANGER: &str = "192.0.2.7:5060";

/// A calls B, and B answers.
fn established(world: &mut World) -> (SessionId, SessionId) {
    let calling = world.call(Transport::Udp);
    world.run_ms(21);
    // Copies are on their way where the network is bad.
    while world.nodes[1].told.is_empty() {
        world.run_ms(500);
    }
    let called = world.nodes[1].told[0].0;
    world.accept(1, called).expect("an INVITE that waits");
    for _ in 0..20 {
        world.run_ms(1_000);
    }
    (calling, called)
}

/// A asks B to call Carol.
fn refer(world: &mut World, calling: SessionId) {
    let (now, carol) = (world.now, "<sip:carol@c.example>".parse().expect("uri"));
    world.nodes[0].endpoint.refer(now, calling, &carol).expect("a session that is up");
    world.drain(0);
}

fn referred(world: &World) -> (SubscriptionId, Referred) {
    let found = world.nodes[1].asked.iter().find_map(|(id, event)| {
        let SubscriptionEvent::Referred(referred) = event else { return None };
        Some((*id, (**referred).clone()))
    });
    found.expect("a REFER came")
}

fn progress(world: &mut World, id: SubscriptionId, status: u16) {
    let status = StatusCode::new(status).expect("a status");
    let now = world.now;
    world.nodes[1]
        .endpoint
        .tell_progress(now, id, status, None)
        .expect("a subscription that lives");
    world.drain(1);
}

fn grant(world: &mut World, id: SubscriptionId) {
    let now = world.now;
    world.nodes[1].endpoint.grant(now, id).expect("a request that waits");
    world.drain(1);
}

#[test]
fn the_author_of_a_refer_is_told_how_it_goes() {
    let mut world = World::new(2, 1);
    let (calling, called) = established(&mut world);
    let before = world.ladder.len();
    refer(&mut world, calling);
    world.run_ms(100);
    let (id, asked) = referred(&world);
    assert_eq!(asked.session, Some(called));
    assert_eq!(asked.refer_to.uri.to_string(), "sip:carol@c.example");
    assert_eq!(asked.referred_by.as_deref(), Some("<sip:alice@a.example>"));
    grant(&mut world, id);
    world.run_ms(100);
    progress(&mut world, id, 180);
    world.run_ms(100);
    progress(&mut world, id, 200);
    world.run_ms(100);
    world.end(1, called);
    world.run_ms(100);
    insta::assert_snapshot!(&world.ladder[before..]);
    world.settle();
}

#[test]
fn a_refer_that_is_denied_is_over_and_the_call_goes_on() {
    let mut world = World::new(2, 2);
    let (calling, called) = established(&mut world);
    refer(&mut world, calling);
    world.run_ms(100);
    let (id, _) = referred(&world);
    let now = world.now;
    world.nodes[1].endpoint.deny(now, id, StatusCode::FORBIDDEN).expect("a request that waits");
    world.drain(1);
    world.run_ms(100);
    let refused = SessionEvent::Referral { status: StatusCode::FORBIDDEN, over: true };
    assert_eq!(world.events_of(0, calling).last(), Some(&&refused));
    assert_eq!(world.nodes[1].asked.last(), Some(&(id, SubscriptionEvent::Ended)));
    assert_eq!(world.nodes[1].endpoint.alive().sessions, 1);
    world.end(1, called);
    world.settle();
}

#[test]
fn progress_is_told_after_the_author_has_hung_up_and_its_481_ends_it() {
    let mut world = World::new(2, 3);
    let (calling, _) = established(&mut world);
    refer(&mut world, calling);
    world.run_ms(100);
    let (id, _) = referred(&world);
    grant(&mut world, id);
    world.run_ms(100);
    world.end(0, calling);
    world.run_ms(100);
    assert_eq!(world.nodes[1].endpoint.alive().sessions, 0);
    assert_eq!(world.nodes[1].endpoint.alive().subscriptions, 1);
    progress(&mut world, id, 200);
    world.run_ms(100);
    assert!(world.ladder.ends_with("B: Subscription ended\n"), "{}", world.ladder);
    world.settle();
}

#[test]
fn progress_that_outruns_the_network_is_told_by_its_last_word() {
    let mut world = World::new(2, 4);
    let (calling, called) = established(&mut world);
    refer(&mut world, calling);
    world.run_ms(100);
    let (id, _) = referred(&world);
    grant(&mut world, id);
    progress(&mut world, id, 180);
    progress(&mut world, id, 183);
    progress(&mut world, id, 486);
    world.run_ms(500);
    let told: Vec<_> = world
        .events_of(0, calling)
        .into_iter()
        .filter_map(|event| {
            let SessionEvent::Referral { status, over } = event else { return None };
            Some((status.code(), *over))
        })
        .collect();
    assert_eq!(told, [(100, false), (486, true)]);
    world.end(1, called);
    world.settle();
}

#[test]
fn whatever_is_lost_of_a_transfer_its_author_learns_how_it_went() {
    for seed in 0..100 {
        let mut world = World::new(2, seed);
        world.loss_per_mille = 300;
        let (calling, called) = established(&mut world);
        let up = SessionEvent::Established { sdp: Some(b"answer".to_vec()) };
        if !world.events_of(0, calling).contains(&&up) {
            continue;
        }
        refer(&mut world, calling);
        for _ in 0..20 {
            world.run_ms(1_000);
        }
        let (id, _) = referred(&world);
        grant(&mut world, id);
        world.run_ms(300);
        progress(&mut world, id, 180);
        world.run_ms(300);
        progress(&mut world, id, 200);
        for _ in 0..70 {
            world.run_ms(1_000);
        }
        let last = SessionEvent::Referral { status: StatusCode::OK, over: true };
        assert!(world.events_of(0, calling).contains(&&last), "seed {seed}\n{}", world.ladder);
        world.end(1, called);
        world.run_ms(40_000);
        world.end(0, calling);
        world.settle();
    }
}

/// A request of a stranger, whose dialog it is told by a tag of ours.
fn request(method: &str, cseq: u32, tag: &str, more: &str) -> String {
    let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    format!(
        "{method} sip:room@10.0.0.2 SIP/2.0\r\n\
         Via: SIP/2.0/UDP {STRANGER};branch=z9hG4bK{method}{cseq}\r\nFrom: <sip:s@x>;tag=s\r\n\
         To: <sip:room@10.0.0.2>{tag}\r\nCall-ID: strange\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:s@{STRANGER}>\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// What a stranger gets.
fn send(world: &mut World, text: &str) -> Vec<Message> {
    world.caught.clear();
    world.inject(1, STRANGER, text.as_bytes());
    caught(world)
}

fn caught(world: &mut World) -> Vec<Message> {
    let caught = std::mem::take(&mut world.caught);
    caught.iter().map(|(_, bytes)| parse(bytes).expect("valid")).collect()
}

fn text(headers: &sip::message::Headers, name: HeaderName) -> String {
    headers.text(&name).map(|text| text.into_owned()).unwrap_or_default()
}

/// Takes the last NOTIFY; gives its standing and its body.
fn take_notify(world: &mut World, status: u16) -> (String, String) {
    let messages = caught(world);
    let Some(Message::Request(notify)) = messages.last() else { panic!("{messages:?}") };
    assert_eq!(notify.method.name(), "NOTIFY");
    answer(world, notify, status);
    let standing = text(&notify.headers, HeaderName::SubscriptionState);
    (standing, String::from_utf8(notify.body.clone()).expect("text"))
}

fn answer(world: &mut World, request: &Request, status: u16) {
    use HeaderName::{CSeq, CallId, From, To, Via};
    let mut answer = format!("SIP/2.0 {status} Whatever\r\n");
    for name in [Via, From, To, CallId, CSeq] {
        answer += &format!("{}: {}\r\n", name.spelling(), text(&request.headers, name.clone()));
    }
    world.inject(1, STRANGER, format!("{answer}Content-Length: 0\r\n\r\n").as_bytes());
}

/// A stranger subscribes for so long; gives the subscription and our tag.
fn subscribe(world: &mut World, expires_s: u32) -> (SubscriptionId, String) {
    let more = format!("Event: conference\r\nExpires: {expires_s}\r\n");
    assert_eq!(send(world, &request("SUBSCRIBE", 1, "", &more)), []);
    let id = world.nodes[1].asked.last().expect("somebody asked").0;
    grant(world, id);
    let messages = caught(world);
    let [Message::Response(ok)] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(ok.status, StatusCode::OK);
    assert!(ok.headers.first(&HeaderName::Contact).is_some());
    let to: sip::message::NameAddr = text(&ok.headers, HeaderName::To).parse().expect("To");
    (id, to.tag().expect("a tag").to_owned())
}

fn tell(world: &mut World, id: SubscriptionId, body: &str) {
    let now = world.now;
    let notification = Notification { body: body.as_bytes().to_vec(), over: None };
    world.nodes[1].endpoint.notify(now, id, notification).expect("a subscription that lives");
    world.drain(1);
}

#[test]
fn a_subscriber_is_told_refreshes_and_leaves() {
    let mut world = World::new(2, 5);
    let (id, tag) = subscribe(&mut world, 600);
    tell(&mut world, id, "one");
    assert_eq!(take_notify(&mut world, 200), ("active;expires=600".to_owned(), "one".to_owned()));
    world.run_ms(300_000);
    let refresh = request("SUBSCRIBE", 2, &tag, "Event: conference\r\nExpires: 600\r\n");
    let messages = send(&mut world, &refresh);
    let [Message::Response(ok)] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(text(&ok.headers, HeaderName::Expires), "600");
    assert_eq!(world.nodes[1].asked.last(), Some(&(id, SubscriptionEvent::Refreshed)));
    tell(&mut world, id, "two");
    assert_eq!(take_notify(&mut world, 200).1, "two");
    world.run_ms(500_000);
    assert_eq!(world.nodes[1].endpoint.alive().subscriptions, 1, "it was prolonged");
    world.caught.clear();
    let leave = request("SUBSCRIBE", 3, &tag, "Event: conference\r\nExpires: 0\r\n");
    world.inject(1, STRANGER, leave.as_bytes());
    let last = ("terminated;reason=timeout".to_owned(), String::new());
    assert_eq!(take_notify(&mut world, 200), last);
    assert_eq!(world.nodes[1].asked.last(), Some(&(id, SubscriptionEvent::Ended)));
    world.settle();
}

#[test]
fn a_subscriber_that_leaves_while_it_is_told_something_is_told_the_last_word_whatever_follows() {
    let mut world = World::new(2, 14);
    let (id, tag) = subscribe(&mut world, 600);
    tell(&mut world, id, "one");
    let under_way = std::mem::take(&mut world.caught);
    let leave = request("SUBSCRIBE", 2, &tag, "Event: conference\r\nExpires: 0\r\n");
    send(&mut world, &leave);
    tell(&mut world, id, "two");
    world.caught = under_way;
    assert_eq!(take_notify(&mut world, 200).1, "one");
    assert_eq!(take_notify(&mut world, 200), ("terminated;reason=timeout".into(), "two".into()));
    assert_eq!(world.nodes[1].asked.last(), Some(&(id, SubscriptionEvent::Ended)));
    world.settle();
}

#[test]
fn a_subscription_that_is_not_refreshed_ends() {
    let mut world = World::new(2, 6);
    let (id, tag) = subscribe(&mut world, 60);
    tell(&mut world, id, "one");
    take_notify(&mut world, 200);
    world.run_ms(60_001);
    assert_eq!(take_notify(&mut world, 200), ("terminated;reason=timeout".into(), String::new()));
    assert_eq!(world.nodes[1].asked.last(), Some(&(id, SubscriptionEvent::Ended)));
    let late = request("SUBSCRIBE", 2, &tag, "Event: conference\r\n");
    let messages = send(&mut world, &late);
    let [Message::Response(gone)] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(gone.status, StatusCode::CALL_DOES_NOT_EXIST);
    world.settle();
}

#[test]
fn a_subscriber_that_refuses_or_never_answers_a_notify_is_told_nothing_more() {
    let mut world = World::new(2, 7);
    let (id, _) = subscribe(&mut world, 600);
    tell(&mut world, id, "one");
    take_notify(&mut world, 481);
    assert_eq!(world.nodes[1].asked.last(), Some(&(id, SubscriptionEvent::Ended)));
    world.settle();
    let mut world = World::new(2, 8);
    let (id, _) = subscribe(&mut world, 600);
    tell(&mut world, id, "one");
    world.run_ms(33_000);
    assert_eq!(world.nodes[1].asked.last(), Some(&(id, SubscriptionEvent::Ended)));
    world.settle();
}

#[test]
fn a_state_that_is_fetched_is_told_once() {
    let mut world = World::new(2, 9);
    let (id, _) = subscribe(&mut world, 0);
    tell(&mut world, id, "state");
    let expected = ("terminated;reason=timeout".to_owned(), "state".to_owned());
    assert_eq!(take_notify(&mut world, 200), expected);
    assert_eq!(world.nodes[1].asked.last(), Some(&(id, SubscriptionEvent::Ended)));
    world.settle();
}

#[test]
fn a_refer_outside_of_any_dialog_may_prove_that_it_knows_one_and_may_want_no_notify() {
    let mut world = World::new(2, 10);
    let (_, called) = established(&mut world);
    let name = world.nodes[1].endpoint.name_for_peer(called).expect("a session that is up");
    let target = format!(
        "Refer-To: <sip:carol@c.example;method=BYE>\r\nRefer-Sub: false\r\n\
         Target-Dialog: {};local-tag={};remote-tag={}\r\n",
        name.call_id, name.to_tag, name.from_tag
    );
    assert_eq!(send(&mut world, &request("REFER", 1, "", &target)), []);
    let (id, asked) = referred(&world);
    assert_eq!((asked.session, asked.known), (None, Some(called)));
    grant(&mut world, id);
    let messages = caught(&mut world);
    let [Message::Response(accepted)] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    assert_eq!(text(&accepted.headers, HeaderName::ReferSub), "false");
    assert_eq!(world.nodes[1].endpoint.alive().subscriptions, 0);
    let guess = target.replace(&name.to_tag, "guess");
    send(&mut world, &request("REFER", 2, "", &guess).replace("strange", "stranger"));
    let (_, last) = world.nodes[1].asked.last().cloned().expect("asked");
    let SubscriptionEvent::Referred(last) = last else { panic!("{last:?}") };
    assert_eq!(last.known, None);
    world.end(1, called);
    world.run_ms(250_000);
    world.settle();
}

/// What B says to a stranger's INVITE with that header.
fn invite(world: &mut World, cseq: u32, more: &str) -> Vec<u16> {
    let invite =
        request("INVITE", cseq, "", more).replace("Call-ID: s", &format!("Call-ID: {cseq}"));
    let messages = send(world, &invite);
    let statuses = messages.iter().filter_map(|message| match message {
        Message::Response(response) => Some(response.status.code()),
        Message::Request(_) => None,
    });
    statuses.collect()
}

#[test]
fn only_the_exact_name_of_a_session_that_is_up_lets_a_call_take_its_place_or_come_to_it() {
    let mut world = World::new(2, 11);
    let (_, called) = established(&mut world);
    // As the other side would name it to us: our tag is the one that the INVITE is sent to.
    let name = world.nodes[1].endpoint.name_for_peer(called).expect("a session that is up");
    let (id, ours, theirs) = (name.call_id, name.from_tag, name.to_tag);
    let exact = format!("{id};to-tag={ours};from-tag={theirs}");
    for (cseq, (header, status)) in [
        (format!("Replaces: {id};to-tag={theirs};from-tag={ours}\r\n"), 481),
        (format!("Replaces: {id};to-tag={ours};from-tag=guess\r\n"), 481),
        (format!("Replaces: other;to-tag={ours};from-tag={theirs}\r\n"), 481),
        (format!("Replaces: {id};to-tag={ours}\r\n"), 400),
        (format!("Replaces: {exact}\r\nReplaces: {exact}\r\n"), 400),
        (format!("Replaces: {exact}\r\nJoin: {exact}\r\n"), 400),
        (format!("Replaces: {exact};early-only\r\n"), 486),
        (format!("Join: {id};to-tag=guess;from-tag={theirs}\r\n"), 481),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(invite(&mut world, 10 + cseq as u32, &header), [status], "{header}");
    }
    for (cseq, header, meant) in
        [(30, "Replaces", Meant::Replaces(called)), (31, "Join", Meant::Joins(called))]
    {
        let wanted = format!("Require: {header}\r\n{header}: {exact}\r\n");
        assert_eq!(invite(&mut world, cseq, &wanted), [100], "{wanted}");
        let Some((calling, SessionEvent::Incoming(incoming))) = world.nodes[1].told.last().cloned()
        else {
            panic!("no call");
        };
        assert_eq!(incoming.meant, Some(meant));
        world.reject(1, calling, 480).expect("an INVITE that waits");
    }
    world.end(1, called);
    assert_eq!(invite(&mut world, 40, &format!("Replaces: {exact}\r\n")), [603]);
    world.run_ms(40_000);
    world.settle();
}

#[test]
fn a_text_is_put_before_the_user_and_answered_once() {
    let mut world = World::new(2, 12);
    let text = |cseq, kind: &str, body: &str| {
        let more = format!("Content-Type: {kind}\r\n");
        let head = request("MESSAGE", cseq, "", &more);
        let length = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        head.replace("Content-Length: 0\r\n\r\n", &length)
    };
    assert_eq!(send(&mut world, &text(1, "text/plain;charset=UTF-8", "hello")), []);
    let (id, heard) = world.nodes[1].texts.pop().expect("a text came");
    assert_eq!((heard.text.as_str(), heard.session), ("hello", None));
    let now = world.now;
    for _ in 0..2 {
        world.nodes[1].endpoint.answer_text(now, id, StatusCode::OK);
        world.drain(1);
    }
    assert_eq!(caught(&mut world).len(), 1);
    let status = |messages: Vec<Message>| match &messages[..] {
        [Message::Response(response)] => response.status.code(),
        _ => panic!("{messages:?}"),
    };
    assert_eq!(status(send(&mut world, &text(2, "text/html", "<b>"))), 415);
    assert_eq!(status(send(&mut world, &text(3, "text/plain", &"a".repeat(4_097)))), 413);
    assert_eq!(world.nodes[1].endpoint.alive().server_transactions, 1);
    world.settle();
}

#[test]
fn a_focus_says_so_in_its_contact_and_a_factory_names_what_it_made() {
    let address: std::net::SocketAddr = "10.0.0.2:5060".parse().expect("address");
    let config = sip::Config {
        focus: true,
        access: sip::access::Access::everybody(),
        ..sip::Config::new(vec![(Transport::Udp, address)])
    };
    let mut world = World::new(2, 13);
    world.nodes[1].endpoint = sip::Endpoint::new(config, 13);
    let contact = |world: &mut World, cseq: u32, made: Option<&str>| {
        assert_eq!(invite(world, cseq, ""), [100]);
        let id = world.last_session(1);
        if let Some(made) = made {
            world.nodes[1].endpoint.appear_as(id, made);
        }
        world.accept(1, id).expect("an INVITE that waits");
        let messages = caught(world);
        let Some(Message::Response(ok)) = messages.last() else { panic!("{messages:?}") };
        world.end(1, id);
        text(&ok.headers, HeaderName::Contact)
    };
    assert_eq!(contact(&mut world, 1, None), "<sip:room@10.0.0.2:5060>;isfocus");
    assert_eq!(contact(&mut world, 2, Some("made")), "<sip:made@10.0.0.2:5060>;isfocus");
    world.run_ms(100_000);
    world.settle();
}
