//! A phone that is written by hand, for what no endpoint of ours would send.

use std::collections::BTreeSet;
use std::time::Duration;

use sip::access::Access;
use sip::limits::Limit;
use sip::message::{HeaderName, Message, NameAddr, Request, Response, parse};
use sip::{Config, EndCause, Invite, Output, Server, SessionEvent, SessionId, Transport};

use crate::world::World;

pub(crate) const ADDRESS: &str = "192.0.2.7:5060";

/// A phone at [`ADDRESS`] that calls node 1 as it likes.
pub(crate) struct Phone {
    pub(crate) world: World,
    cseq: u32,
    /// The other side's tag, once known.
    pub(crate) tag: String,
    /// Added to each request.
    pub(crate) more: &'static str,
}

impl Phone {
    pub(crate) fn new() -> Phone {
        Phone { world: World::new(2, 1), cseq: 0, tag: String::new(), more: "" }
    }

    /// Sends a request with the next number, and returns what came back at once.
    pub(crate) fn send(&mut self, method: &str, body: &str) -> Vec<Message> {
        self.cseq += 1;
        self.send_numbered(method, self.cseq, body)
    }

    pub(crate) fn send_numbered(&mut self, method: &str, cseq: u32, body: &str) -> Vec<Message> {
        let to_tag = match self.tag.as_str() {
            "" => String::new(),
            tag => format!(";tag={tag}"),
        };
        // The ACK of a 2xx has a branch of its own; a CANCEL that of its INVITE.
        let branch = if method == "CANCEL" { "INVITE" } else { method };
        let kind = match (body, method) {
            ("", _) => "",
            _ if self.more.contains("Content-Type") => "",
            (_, "INFO") => "Content-Type: application/dtmf-relay\r\n",
            (_, _) => "Content-Type: application/sdp\r\n",
        };
        let text = format!(
            "{method} sip:b@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;\
             branch=z9hG4bK{branch}{cseq}\
             \r\nFrom: <sip:phone@x>;tag=p\r\nTo: <sip:b@x>{to_tag}\r\nCall-ID: call\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:phone@{ADDRESS}>\r\n{}{kind}\
             Content-Length: {}\r\n\r\n{body}",
            self.more,
            body.len(),
        );
        self.send_text(&text)
    }

    fn send_text(&mut self, text: &str) -> Vec<Message> {
        self.world.caught.clear();
        self.world.inject(1, ADDRESS, text.as_bytes());
        self.caught()
    }

    pub(crate) fn caught(&mut self) -> Vec<Message> {
        let caught = std::mem::take(&mut self.world.caught);
        caught.iter().map(|(_, bytes)| parse(bytes).expect("valid")).collect()
    }

    /// Calls, and is answered.
    pub(crate) fn establish(&mut self) -> SessionId {
        self.send("INVITE", "offer");
        let id = self.world.last_session(1);
        self.world.accept(1, id).expect("an INVITE that waits");
        self.learn_tag();
        self.send_numbered("ACK", self.cseq, "");
        id
    }

    pub(crate) fn learn_tag(&mut self) {
        let messages = self.caught();
        let Some(Message::Response(ok)) = messages.last() else { panic!("{messages:?}") };
        self.tag = tag_of(ok);
    }

    /// The number of its last request.
    pub(crate) fn cseq(&self) -> u32 {
        self.cseq
    }

    pub(crate) fn last_event(&self) -> &SessionEvent {
        &self.world.nodes[1].told.last().expect("something was told").1
    }

    pub(crate) fn end(mut self, id: SessionId) {
        self.world.end(1, id);
        self.world.settle();
    }
}

pub(crate) fn tag_of(response: &Response) -> String {
    let to: NameAddr =
        response.headers.text(&HeaderName::To).expect("To").parse().expect("address");
    to.tag().expect("tag").to_owned()
}

pub(crate) fn statuses(messages: &[Message]) -> Vec<u16> {
    messages
        .iter()
        .map(|message| match message {
            Message::Response(response) => response.status.code(),
            Message::Request(_) => 0,
        })
        .collect()
}

fn sdp(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

#[test]
fn an_invite_without_offer_gets_one_and_answers_it_in_the_ack() {
    let mut phone = Phone::new();
    assert_eq!(statuses(&phone.send("INVITE", "")), [100]);
    let id = phone.world.last_session(1);
    phone.world.accept(1, id).expect("an INVITE that waits");
    phone.learn_tag();
    phone.send_numbered("ACK", 1, "late answer");
    assert_eq!(*phone.last_event(), SessionEvent::Established { sdp: sdp("late answer") });
    phone.send("INVITE", "");
    assert_eq!(*phone.last_event(), SessionEvent::Reoffer { sdp: None });
    phone.world.accept(1, id).expect("an offer that is asked for");
    phone.send_numbered("ACK", 2, "later answer");
    assert_eq!(*phone.last_event(), SessionEvent::Reanswered { sdp: sdp("later answer") });
    phone.end(id);
}

#[test]
fn an_update_is_an_offer_and_one_without_offer_a_refresh() {
    let mut phone = Phone::new();
    let id = phone.establish();
    assert_eq!(statuses(&phone.send("UPDATE", "")), [200]);
    assert_eq!(*phone.last_event(), SessionEvent::Established { sdp: None });
    assert_eq!(statuses(&phone.send("UPDATE", "offer 2")), [0; 0]);
    assert_eq!(*phone.last_event(), SessionEvent::Reoffer { sdp: sdp("offer 2") });
    let busy = phone.send("UPDATE", "offer 3");
    let Message::Response(busy) = &busy[0] else { panic!("{busy:?}") };
    assert_eq!(busy.status.code(), 500);
    assert!(busy.headers.first(&HeaderName::RetryAfter).is_some());
    phone.world.accept(1, id).expect("an offer that waits");
    assert_eq!(statuses(&phone.caught()), [200]);
    phone.end(id);
}

#[test]
fn an_offer_is_refused_while_ours_is_open() {
    let mut phone = Phone::new();
    let id = phone.establish();
    phone.world.reinvite(1, id).expect("settled");
    assert_eq!(statuses(&phone.send("UPDATE", "offer 2")), [491]);
    assert_eq!(phone.world.reinvite(1, id), Err(sip::SessionError::Unsettled));
    phone.end(id);
}

#[test]
fn a_reinvite_can_be_cancelled_and_the_session_goes_on() {
    let mut phone = Phone::new();
    let id = phone.establish();
    phone.send("INVITE", "offer 2");
    let answers = phone.send_numbered("CANCEL", phone.cseq, "");
    assert_eq!(statuses(&answers), [200, 487]);
    assert_eq!(*phone.last_event(), SessionEvent::ReofferWithdrawn);
    assert_eq!(phone.world.accept(1, id), Err(sip::SessionError::NothingPending));
    assert_eq!(statuses(&phone.send("INFO", "x")), [200]);
    phone.end(id);
}

#[test]
fn a_caller_may_end_an_early_dialog_with_bye() {
    let mut phone = Phone::new();
    phone.send("INVITE", "offer");
    let id = phone.world.last_session(1);
    phone.world.ring(1, id);
    phone.learn_tag();
    assert_eq!(statuses(&phone.send("BYE", "")), [200, 487]);
    assert_eq!(*phone.last_event(), SessionEvent::Ended { cause: EndCause::Bye { reason: None } });
    phone.world.settle();
}

#[test]
fn info_is_told_once_however_often_it_comes() {
    let mut phone = Phone::new();
    let id = phone.establish();
    let first = phone.send("INFO", "Signal=5");
    let told = phone.world.nodes[1].told.len();
    assert_eq!(phone.send_numbered("INFO", phone.cseq, "Signal=5"), first);
    assert_eq!(phone.world.nodes[1].told.len(), told);
    let content_type = "application/dtmf-relay".to_owned();
    let info = SessionEvent::Info { content_type, body: b"Signal=5".to_vec() };
    assert_eq!(*phone.last_event(), info);
    phone.end(id);
}

#[test]
fn a_request_out_of_order_is_refused() {
    let mut phone = Phone::new();
    phone.cseq = 10;
    let id = phone.establish();
    assert_eq!(statuses(&phone.send_numbered("INFO", 3, "x")), [500]);
    phone.tag.push('x');
    assert_eq!(statuses(&phone.send("BYE", "")), [481]);
    phone.tag.pop();
    phone.end(id);
}

#[test]
fn an_invite_that_comes_on_two_ways_is_taken_once() {
    let mut phone = Phone::new();
    phone.send("INVITE", "offer");
    let id = phone.world.last_session(1);
    let other = "INVITE sip:b@10.0.0.2 SIP/2.0\r\n\
                 Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKother\r\n\
                 From: <sip:phone@x>;tag=p\r\nTo: <sip:b@x>\r\nCall-ID: call\r\n\
                 CSeq: 1 INVITE\r\n\r\n";
    assert_eq!(statuses(&phone.send_text(other)), [482]);
    phone.end(id);
}

#[test]
fn proxies_that_record_the_route_stay_in_the_way() {
    let mut phone = Phone::new();
    phone.more = "Record-Route: <sip:192.0.2.50;lr>, <sip:192.0.2.51;lr>\r\n\
                  Via: SIP/2.0/UDP 192.0.2.60;branch=z9hG4bKfurther\r\n";
    phone.send("INVITE", "offer");
    let id = phone.world.last_session(1);
    phone.world.accept(1, id).expect("an INVITE that waits");
    let messages = phone.caught();
    let Some(Message::Response(ok)) = messages.last() else { panic!("{messages:?}") };
    let route = ["<sip:192.0.2.50;lr>", "<sip:192.0.2.51;lr>"];
    assert_eq!(ok.headers.values(&HeaderName::RecordRoute), route);
    assert_eq!(ok.headers.values(&HeaderName::Via).len(), 2);
    phone.tag = tag_of(ok);
    phone.send_numbered("ACK", 1, "");
    phone.world.caught.clear();
    phone.world.end(1, id);
    let (flow, bytes) = phone.world.caught.pop().expect("a BYE");
    assert_eq!(flow.remote.to_string(), "192.0.2.50:5060");
    let Ok(Message::Request(bye)) = parse(&bytes) else { panic!("no request") };
    assert_eq!(bye.headers.values(&HeaderName::Route), route);
    assert_eq!(bye.target, format!("sip:phone@{ADDRESS}"));
    phone.world.settle();
}

#[test]
fn a_phone_behind_nat_is_reached_where_it_came_from() {
    let mut phone = Phone::new();
    let invite = "INVITE sip:b@10.0.0.2 SIP/2.0\r\n\
                  Via: SIP/2.0/UDP 172.16.0.5:5060;rport;branch=z9hG4bKnat\r\n\
                  From: <sip:phone@x>;tag=p\r\nTo: <sip:b@x>\r\nCall-ID: call\r\nCSeq: 1 INVITE\r\n\
                  Contact: <sip:phone@172.16.0.5:5060>\r\n\r\n";
    phone.world.inject(1, "203.0.113.9:31000", invite.as_bytes());
    let id = phone.world.last_session(1);
    phone.world.accept(1, id).expect("an INVITE that waits");
    let Some((flow, bytes)) = phone.world.caught.pop() else { panic!("no 200") };
    assert_eq!(flow.remote.to_string(), "203.0.113.9:31000");
    let Ok(Message::Response(ok)) = parse(&bytes) else { panic!("no response") };
    let via = ok.headers.text(&HeaderName::Via).expect("Via").into_owned();
    assert!(via.contains("rport=31000") && via.contains("received=203.0.113.9"), "{via}");
    // The NAT chose another port since: the ACK shows which.
    let ack = invite
        .replace("z9hG4bKnat", "z9hG4bKack")
        .replace("INVITE", "ACK")
        .replace("<sip:b@x>", &format!("<sip:b@x>;tag={}", tag_of(&ok)));
    phone.world.inject(1, "203.0.113.9:32000", ack.as_bytes());
    phone.world.end(1, id);
    let (flow, _) = phone.world.caught.pop().expect("a BYE");
    assert_eq!(flow.remote.to_string(), "203.0.113.9:32000");
    phone.world.settle();
}

#[test]
fn the_description_is_found_among_other_parts() {
    let mut phone = Phone::new();
    let body = "--b\r\nContent-Type: application/pidf+xml\r\n\r\n<x/>\r\n--b\r\n\
                Content-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b--\r\n";
    let text = format!(
        "INVITE sip:b@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKm\r\n\
         From: <sip:phone@x>;tag=p\r\nTo: <sip:b@x>\r\nCall-ID: call\r\nCSeq: 1 INVITE\r\n\
         Content-Type: multipart/mixed;boundary=b\r\n\r\n{body}"
    );
    assert_eq!(statuses(&phone.send_text(&text)), [100]);
    let SessionEvent::Incoming(incoming) = phone.last_event() else { panic!("no call") };
    assert_eq!(incoming.offer, sdp("v=0\r\n"));
    let id = phone.world.last_session(1);
    phone.end(id);
}

#[test]
fn an_invite_expires_when_the_caller_said() {
    let mut phone = Phone::new();
    phone.more = "Expires: 30\r\n";
    phone.send("INVITE", "offer");
    phone.world.run_ms(30_000);
    assert_eq!(statuses(&phone.caught()), [487]);
    let cause = EndCause::Cancelled { reason: None };
    assert_eq!(*phone.last_event(), SessionEvent::Ended { cause });
    phone.world.settle();
}

/// A response of the phone to a request that it caught.
pub(crate) fn answer(request: &Request, status: &str, tag: &str, body: &str) -> Vec<u8> {
    let text = |name: HeaderName| request.headers.text(&name).expect("header").into_owned();
    format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag={tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:phone@{ADDRESS}>\r\nContent-Type: application/sdp\r\n\r\n{body}",
        text(HeaderName::Via),
        text(HeaderName::From),
        text(HeaderName::To),
        text(HeaderName::CallId),
        text(HeaderName::CSeq),
    )
    .into_bytes()
}

pub(crate) fn call_phone(world: &mut World) -> (SessionId, Request) {
    let to = format!("sip:phone@{ADDRESS}").parse().expect("uri");
    let from = "\"A, \\\"B\\\"\" <sip:a@x>".parse().expect("address");
    let invite =
        Invite { route: None, max_forwards: 12, ..Invite::new(to, from, b"offer".to_vec()) };
    let id = world.nodes[0].endpoint.invite(world.now, invite).expect("a listener");
    world.inject(0, ADDRESS, b"\r\n");
    (id, caught_request(world))
}

pub(crate) fn caught_request(world: &mut World) -> Request {
    let (_, bytes) = world.caught.remove(0);
    match parse(&bytes) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_two_forks_the_first_to_answer_wins_and_the_other_is_ended() {
    let mut world = World::new(1, 1);
    let (id, invite) = call_phone(&mut world);
    assert_eq!(invite.headers.text(&HeaderName::MaxForwards).as_deref(), Some("12"));
    world.inject(0, ADDRESS, &answer(&invite, "183 Progress", "one", "early"));
    world.inject(0, ADDRESS, &answer(&invite, "200 OK", "two", "answer"));
    assert_eq!(caught_request(&mut world).method.name(), "ACK");
    // The second time it is a copy: only the ACK is repeated.
    world.inject(0, ADDRESS, &answer(&invite, "200 OK", "one", "answer"));
    world.inject(0, ADDRESS, &answer(&invite, "200 OK", "one", "answer"));
    for expected in ["ACK", "BYE", "ACK"] {
        let request = caught_request(&mut world);
        assert_eq!(request.method.name(), expected);
        assert!(request.headers.text(&HeaderName::To).expect("To").ends_with("tag=one"));
    }
    assert!(world.caught.is_empty());
    let told = world.events_of(0, id);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(*told[1], SessionEvent::Established { sdp: sdp("answer") });
    world.end(0, id);
    world.settle();
}

#[test]
fn a_200_without_to_tag_is_taken_once() {
    let mut world = World::new(1, 1);
    let (id, invite) = call_phone(&mut world);
    let ok = String::from_utf8(answer(&invite, "200 OK", "x", "answer")).expect("text");
    let ok = ok.replace(";tag=x", "");
    world.inject(0, ADDRESS, ok.as_bytes());
    world.inject(0, ADDRESS, ok.as_bytes());
    let methods: Vec<_> = (0..2).map(|_| caught_request(&mut world).method).collect();
    assert_eq!(methods, [sip::message::Method::Ack, sip::message::Method::Ack]);
    assert!(world.caught.is_empty());
    world.end(0, id);
    world.settle();
}

#[test]
fn a_server_without_room_sends_the_call_to_the_next_address() {
    let mut world = World::new(1, 1);
    let to = "sip:phone@x.example".parse().expect("uri");
    let from = "<sip:a@x>".parse().expect("address");
    let invite = Invite {
        route: Some("sip:trunk.example;lr".parse().expect("uri")),
        max_forwards: 70,
        ..Invite::new(to, from, b"offer".to_vec())
    };
    let now = world.now;
    let endpoint = &mut world.nodes[0].endpoint;
    let id = endpoint.invite(now, invite).expect("a listener");
    let Some(Output::Resolve { id: lookup, host, .. }) = endpoint.poll() else {
        panic!("no lookup")
    };
    assert_eq!(host, "trunk.example");
    let addresses = ["192.0.2.1:5060", "[2001:db8::1]:5060", "192.0.2.2:5060"];
    let servers = addresses.map(|address| Server {
        transport: Transport::Udp,
        address: address.parse().expect("address"),
    });
    endpoint.resolved(now, lookup, &servers);
    world.inject(0, ADDRESS, b"\r\n");
    let first = caught_request(&mut world);
    assert_eq!(first.headers.values(&HeaderName::Route), ["<sip:trunk.example;lr>"]);
    world.inject(0, "192.0.2.1:5060", &answer(&first, "503 No", "x", ""));
    assert_eq!(caught_request(&mut world).method.name(), "ACK");
    // The IPv6 address is passed over: nothing listens on that family.
    assert_eq!(world.caught[0].0.remote.to_string(), "192.0.2.2:5060");
    let second = caught_request(&mut world);
    world.inject(0, "192.0.2.2:5060", &answer(&second, "404 No", "x", ""));
    let told = world.events_of(0, id);
    assert!(matches!(told[..], [SessionEvent::Ended { cause: EndCause::Rejected { .. } }]));
    world.settle();
}

#[test]
fn a_transport_that_cannot_send_ends_the_call() {
    let mut world = World::new(1, 1);
    let to = format!("sip:phone@{ADDRESS};transport=tcp").parse().expect("uri");
    let from = "<sip:a@x>".parse().expect("address");
    let invite =
        Invite { route: None, max_forwards: 70, ..Invite::new(to, from, b"offer".to_vec()) };
    let now = world.now;
    let endpoint = &mut world.nodes[0].endpoint;
    let id = endpoint.invite(now, invite).expect("a listener");
    let Some(Output::Transmit { flow, .. }) = endpoint.poll() else { panic!("no INVITE") };
    assert_eq!((flow.transport, flow.connection), (Transport::Tcp, None));
    endpoint.transport_failed(now, &flow);
    let ended = SessionEvent::Ended { cause: EndCause::TransportFailed };
    assert_eq!(endpoint.poll(), Some(Output::Session(id, ended)));
    world.settle();
}

#[test]
fn while_messages_wait_new_calls_are_refused_and_what_belongs_to_calls_is_not() {
    let address = "10.0.0.1:5060".parse().expect("address");
    let mut config = Config::new(vec![(Transport::Udp, address)]);
    config.access = Access::everybody();
    let mut world = World::new(1, 1);
    world.nodes[0].endpoint = sip::Endpoint::new(config, 1);
    let request = |method: &str, number: u32, to_tag: &str, more: &str| {
        format!(
            "{method} sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKw{number}\r\n\
             From: <sip:p@x>;tag={number}\r\nTo: <sip:b@x>{to_tag}\r\nCall-ID: {number}\r\n\
             CSeq: 1 {method}\r\n{more}\r\n"
        )
    };
    let answer = |world: &mut World, text: &str| {
        world.caught.clear();
        world.inject(0, ADDRESS, text.as_bytes());
        let last = world.caught.last().map(|(_, bytes)| parse(bytes));
        let Some(Ok(Message::Response(answer))) = last else { panic!("no answer to {text}") };
        (answer.status.code(), answer.headers.text(&HeaderName::RetryAfter).is_some())
    };
    let waits = |world: &mut World, ms: u64| {
        let now = world.now;
        world.nodes[0].endpoint.waited(now, Duration::from_millis(ms), 100);
    };
    world.inject(0, ADDRESS, request("INVITE", 1, "", "").as_bytes());
    let alive = world.nodes[0].endpoint.alive();
    // All messages of a tenth of a second wait for 50 ms each.
    for _ in 0..3 {
        waits(&mut world, 50);
        world.run_ms(50);
    }
    waits(&mut world, 50);
    assert_eq!(answer(&mut world, &request("INVITE", 2, "", "")), (503, true));
    assert_eq!(world.nodes[0].endpoint.stats().limits.of(Limit::QueueDelay), 1);
    assert_eq!(world.nodes[0].endpoint.alive(), alive, "nothing is kept");
    let goes_on = "Replaces: 9;to-tag=a;from-tag=b\r\n";
    assert_eq!(answer(&mut world, &request("INVITE", 3, "", goes_on)), (481, false));
    assert_eq!(answer(&mut world, &request("OPTIONS", 4, "", "")), (200, false));
    assert_eq!(answer(&mut world, &request("BYE", 5, ";tag=a", "")), (481, false));
    assert_eq!(answer(&mut world, &request("CANCEL", 1, "", "")), (487, false));
    waits(&mut world, 1);
    world.caught.clear();
    world.inject(0, ADDRESS, request("INVITE", 6, "", "").as_bytes());
    assert!(world.nodes[0].endpoint.alive().sessions > 0, "taken again at once");
    waits(&mut world, 50);
    assert_eq!(answer(&mut world, &request("INVITE", 7, "", "")), (503, true), "and refused again");
}

#[test]
fn who_supports_overload_control_is_told_in_each_answer_how_much_to_keep_back() {
    let address = "10.0.0.1:5060".parse().expect("address");
    let mut config = Config::new(vec![(Transport::Udp, address)]);
    config.access = Access::everybody();
    let mut world = World::new(1, 1);
    world.nodes[0].endpoint = sip::Endpoint::new(config, 1);
    let mut number = 0;
    let mut ask = |world: &mut World, method: &str, params: &str, ms: u64| {
        number += 1;
        let now = world.now;
        world.nodes[0].endpoint.waited(now, Duration::from_millis(ms), 100);
        let text = format!(
            "{method} sip:b@x SIP/2.0\r\n\
             Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKo{number}{params}\r\n\
             From: <sip:p@x>;tag={number}\r\nTo: <sip:b@x>\r\nCall-ID: {number}\r\n\
             CSeq: 1 {method}\r\n\r\n"
        );
        world.caught.clear();
        world.inject(0, ADDRESS, text.as_bytes());
        let last = world.caught.last().map(|(_, bytes)| parse(bytes));
        let Some(Ok(Message::Response(answer))) = last else { panic!("no answer to {text}") };
        (answer.status.code(), answer.headers.text(&HeaderName::Via).unwrap().into_owned())
    };
    let supports = ";oc;oc-algo=\"loss\"";
    let (_, calm) = ask(&mut world, "OPTIONS", supports, 0);
    assert!(calm.contains(";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=0."), "{calm}");
    for _ in 0..20 {
        world.run_ms(50);
        ask(&mut world, "INVITE", supports, 50);
    }
    for method in ["INVITE", "OPTIONS", "REGISTER"] {
        let (_, loaded) = ask(&mut world, method, supports, 50);
        assert!(loaded.contains(";oc=95;oc-algo=\"loss\";oc-validity=1000;"), "{loaded}");
    }
    let (status, other) = ask(&mut world, "INVITE", "", 50);
    assert!(status == 503 && !other.contains("oc="), "{other}");
    world.run_ms(11_000);
    let (_, calm) = ask(&mut world, "OPTIONS", supports, 0);
    assert!(calm.contains(";oc=0;"), "{calm}");
}

#[test]
fn calls_over_the_limit_are_refused_and_nothing_is_kept() {
    let address = "10.0.0.1:5060".parse().expect("address");
    let mut config = Config::new(vec![(Transport::Udp, address)]);
    config.access = Access::everybody();
    config.sessions_max = 1;
    let mut world = World::new(1, 1);
    world.nodes[0].endpoint = sip::Endpoint::new(config, 1);
    let invite = |number: u32| {
        format!(
            "INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK{number}\r\n\
             From: <sip:p@x>;tag={number}\r\nTo: <sip:b@x>\r\nCall-ID: {number}\r\n\
             CSeq: 1 INVITE\r\n\r\n"
        )
    };
    world.inject(0, ADDRESS, invite(1).as_bytes());
    let before = world.nodes[0].endpoint.alive();
    let mut waits_s = BTreeSet::new();
    for number in 2..1_000 {
        world.caught.clear();
        world.inject(0, ADDRESS, invite(number).as_bytes());
        let Ok(Message::Response(busy)) = parse(&world.caught[0].1) else { panic!("no answer") };
        assert_eq!(busy.status.code(), 503);
        let wait_s = busy.headers.text(&HeaderName::RetryAfter).expect("a wait");
        waits_s.insert(wait_s.parse::<u32>().expect("seconds"));
    }
    assert_eq!(waits_s, (1..=10).collect(), "they do not all come back at once");
    assert_eq!(world.nodes[0].endpoint.alive(), before);
    assert_eq!(world.nodes[0].endpoint.stats().limits.of(Limit::Sessions), 998);
    let id = world.last_session(0);
    world.end(0, id);
    world.settle();
}
