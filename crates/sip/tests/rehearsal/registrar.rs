//! Phones that register, stay, move and leave.

use std::time::Duration;

use sip::access::{Access, Origin};
use sip::message::{HeaderName, Message, Response, parse};
use sip::{Config, ConnectionId, Endpoint, Flow, Invite, Output, Transport};

use crate::knock::{Knocker, SERVER, codes, guarded};
use crate::trunk::answer;

impl Knocker {
    /// Registers `to` with those headers, each with its line end, showing the password.
    fn register(&mut self, to: &str, headers: &str) -> Response {
        self.more = headers.to_owned();
        let mut answers = self.show("REGISTER", to);
        self.more.clear();
        answers.pop().expect("an answer")
    }

    fn bound(&self, user: &str) -> Vec<String> {
        let bindings = self.world.nodes[0].endpoint.bindings(self.world.now, user);
        bindings.iter().map(|binding| binding.contact.to_string()).collect()
    }
}

fn contacts(response: &Response) -> Vec<String> {
    let contacts = response.headers.values(&HeaderName::Contact).into_iter();
    contacts.map(|contact| contact.into_owned()).collect()
}

#[test]
fn a_user_has_several_contacts_each_with_its_own_life() {
    let mut phone = Knocker::at(guarded());
    let ok = phone.register("alice", "Contact: <sip:alice@192.0.2.7:5060>;expires=60;q=0.5\r\n");
    assert_eq!(codes(std::slice::from_ref(&ok)), [200]);
    assert_eq!(contacts(&ok), ["<sip:alice@192.0.2.7:5060>;expires=60;q=0.500"]);
    phone.wait(10);
    let ok = phone.register("alice", "Contact: <sip:alice@192.0.2.8>\r\nExpires: 600\r\n");
    assert_eq!(
        contacts(&ok),
        ["<sip:alice@192.0.2.8>;expires=600", "<sip:alice@192.0.2.7:5060>;expires=50;q=0.500"],
        "the preferred first"
    );
    phone.wait(51);
    assert_eq!(phone.bound("alice"), ["sip:alice@192.0.2.8"]);
    assert_eq!(contacts(&phone.register("alice", "")), ["<sip:alice@192.0.2.8>;expires=549"]);
    phone.wait(600);
    assert_eq!(phone.bound("alice"), [""; 0]);
    let told: Vec<usize> =
        phone.world.registrations.iter().map(|told| told.bindings.len()).collect();
    assert_eq!(told, [1, 2, 1, 0]);
    assert_eq!(phone.world.nodes[0].endpoint.next_deadline(), None);
}

#[test]
fn contacts_are_removed_one_by_one_or_all_together() {
    let mut phone = Knocker::at(guarded());
    phone.register("alice", "Contact: <sip:a@192.0.2.7>, <sip:b@192.0.2.7>, <sip:c@192.0.2.7>\r\n");
    assert_eq!(phone.bound("alice").len(), 3);
    phone.register("alice", "Contact: <sip:b@192.0.2.7>;expires=0\r\n");
    assert_eq!(phone.bound("alice"), ["sip:a@192.0.2.7", "sip:c@192.0.2.7"]);
    let lasting = phone.register("alice", "Contact: *\r\n");
    assert_eq!(codes(&[lasting]), [400]);
    let crowded = phone.register("alice", "Contact: *, <sip:d@x>\r\nExpires: 0\r\n");
    assert_eq!(codes(&[crowded]), [400]);
    assert_eq!(phone.bound("alice").len(), 2);
    assert_eq!(contacts(&phone.register("alice", "Contact: *\r\nExpires: 0\r\n")), [""; 0]);
    assert_eq!(phone.bound("alice"), [""; 0]);
}

#[test]
fn a_registration_is_neither_too_short_nor_too_long() {
    let mut phone = Knocker::at(guarded());
    let brief = phone.register("alice", "Contact: <sip:a@192.0.2.7>;expires=59\r\n");
    assert_eq!(codes(std::slice::from_ref(&brief)), [423]);
    assert_eq!(brief.headers.text(&HeaderName::MinExpires).as_deref(), Some("60"));
    let long = phone.register("alice", "Contact: <sip:a@192.0.2.7>;expires=99999999\r\n");
    assert_eq!(contacts(&long), ["<sip:a@192.0.2.7>;expires=7200"]);
    let silent = phone.register("alice", "Contact: <sip:a@192.0.2.7>\r\n");
    assert_eq!(contacts(&silent), ["<sip:a@192.0.2.7>;expires=3600"]);
}

#[test]
fn a_request_that_was_overtaken_and_one_that_is_half_wrong_change_nothing() {
    let mut phone = Knocker::at(guarded());
    phone.cseq = 10;
    phone.register("alice", "Contact: <sip:a@192.0.2.7>\r\n");
    phone.cseq = 5;
    let old =
        phone.register("alice", "Contact: <sip:b@192.0.2.7>, <sip:a@192.0.2.7>;expires=0\r\n");
    assert_eq!(codes(&[old]), [500]);
    phone.cseq = 20;
    let wrong = phone.register("alice", "Contact: <sip:b@192.0.2.7>, <broken\r\n");
    assert_eq!(codes(&[wrong]), [400]);
    let many: Vec<String> = (0..11).map(|n| format!("<sip:{n}@192.0.2.7>")).collect();
    let many = phone.register("alice", &format!("Contact: {}\r\n", many.join(", ")));
    assert_eq!(codes(&[many]), [403]);
    assert_eq!(phone.bound("alice"), ["sip:a@192.0.2.7"]);
}

/// RFC 5626 section 6. Else each start would leave a binding behind, and the eleventh be refused.
#[test]
fn a_phone_that_comes_again_under_another_address_takes_its_own_place() {
    let mut phone = Knocker::at(guarded());
    let register = |phone: &mut Knocker, at: u32, instance: &str, more: &str| {
        let contact = format!("<sip:alice@192.0.2.7:{at}>;+sip.instance=\"<urn:uuid:{instance}>\"");
        let ok = phone.register("alice", &format!("Contact: {contact}{more}\r\n"));
        assert_eq!(codes(&[ok]), [200], "{at}");
    };
    for start in 0..20 {
        register(&mut phone, 5_000 + start, "one", "");
    }
    assert_eq!(phone.bound("alice"), ["sip:alice@192.0.2.7:5019"]);
    // Another phone, and two ways that one phone keeps, are others.
    register(&mut phone, 6_000, "two", "");
    register(&mut phone, 7_000, "one", ";reg-id=1");
    register(&mut phone, 7_001, "one", ";reg-id=2");
    assert_eq!(phone.bound("alice").len(), 4);
    register(&mut phone, 7_002, "one", ";reg-id=2");
    let bound = phone.bound("alice");
    let ports: Vec<&str> = bound.iter().filter_map(|uri| uri.rsplit(':').next()).collect();
    assert_eq!(ports, ["5019", "6000", "7000", "7002"]);
    // It may say with one request that it is reached in two ways.
    let of = |at: u32| format!("<sip:alice@192.0.2.7:{at}>;+sip.instance=\"<urn:uuid:three>\"");
    phone.register("alice", &format!("Contact: {}, {}\r\n", of(1), of(2)));
    assert_eq!(phone.bound("alice").len(), 6);
    phone.register("alice", &format!("Contact: {};expires=0\r\n", of(3)));
    assert_eq!(phone.bound("alice").len(), 4);
}

#[test]
fn nobody_registers_for_another_or_without_a_password() {
    let mut phone = Knocker::at(guarded());
    let stranger = phone.ask("REGISTER", "alice", "");
    assert_eq!(codes(&stranger), [401]);
    let other = phone.register("bob", "Contact: <sip:mallory@192.0.2.7>\r\n");
    assert_eq!(codes(&[other]), [403]);
    phone.password = "guess";
    let guessed = phone.register("alice", "Contact: <sip:mallory@192.0.2.7>\r\n");
    assert_eq!(codes(&[guessed]), [401]);
    assert_eq!((phone.bound("alice"), phone.bound("bob")), (vec![], vec![]));
}

#[test]
fn a_repeated_register_gets_the_same_answer_once_more() {
    let mut phone = Knocker::at(guarded());
    let challenged = phone.ask("REGISTER", "alice", "");
    phone.more = "Contact: <sip:a@192.0.2.7>\r\n".to_owned();
    let answer = phone.answer(&challenged[0], "REGISTER", "alice", 1);
    assert_eq!(codes(&phone.ask("REGISTER", "alice", &answer)), [200]);
    phone.cseq -= 1;
    assert_eq!(codes(&phone.ask("REGISTER", "alice", &answer)), [200]);
    assert_eq!(phone.world.registrations.len(), 1);
}

#[test]
fn a_registration_outlives_a_restart() {
    let mut phone = Knocker::at(guarded());
    phone.register("alice", "Contact: <sip:a@192.0.2.7>;expires=100\r\n");
    let kept = phone.world.registrations.pop().expect("told");
    phone.wait(40);
    let listeners = vec![(Transport::Udp, SERVER.parse().expect("address"))];
    let config = Config { access: guarded(), ..Config::new(listeners) };
    let mut endpoint = Endpoint::new(config, 8);
    let now = phone.world.now;
    endpoint.restore(now, kept.clone());
    assert_eq!(endpoint.bindings(now, "alice"), kept.bindings);
    let expiry = kept.bindings[0].expires_at;
    assert_eq!(endpoint.next_deadline().map(|due| due.at), Some(expiry));
    let unknown = sip::Registration { user: "carol".into(), ..kept };
    endpoint.restore(now, unknown);
    assert_eq!(endpoint.bindings(now, "carol"), []);
    endpoint.handle_timeout(now + Duration::from_secs(61));
    assert_eq!(endpoint.bindings(now + Duration::from_secs(61), "alice"), []);
}

#[test]
fn a_registered_phone_is_called_along_its_flow_by_its_path() {
    let mut phone = Knocker::at(guarded());
    let ok = phone.register(
        "alice",
        "Contact: <sip:alice@10.9.9.9>\r\nPath: <sip:edge.example;lr>\r\nRequire: path\r\n",
    );
    assert_eq!(ok.headers.values(&HeaderName::Path), ["<sip:edge.example;lr>"]);
    let now = phone.world.now;
    let binding = phone.world.nodes[0].endpoint.bindings(now, "alice").remove(0);
    let from = "<sip:us@10.0.0.1>".parse().expect("address");
    let invite = Invite {
        flow: Some(binding.flow),
        path: binding.path,
        ..Invite::new(binding.contact, from, b"offer".to_vec())
    };
    phone.world.nodes[0].endpoint.invite(now, invite).expect("a way");
    let mut outputs = std::iter::from_fn(|| phone.world.nodes[0].endpoint.poll());
    let sent = outputs.find_map(|output| {
        let sip::Output::Transmit { flow, bytes } = output else { return None };
        Some((flow.remote.to_string(), bytes))
    });
    let (remote, bytes) = sent.expect("an INVITE");
    let text = String::from_utf8_lossy(&bytes);
    assert_eq!(remote, "192.0.2.7:5060", "through its NAT, not to its private address");
    assert!(text.starts_with("INVITE sip:alice@10.9.9.9 SIP/2.0"), "{text}");
    assert!(text.contains("Route: <sip:edge.example;lr>"), "{text}");
}

/// A phone that roams, a browser page that is loaded anew: each time it comes by another connection
/// and under another name, and does not take leave.
#[test]
fn a_phone_that_comes_back_by_ever_new_connections_stays_registered() {
    let mut access = guarded();
    access.trusted = sip::access::Network::everywhere().to_vec();
    let address = SERVER.parse().expect("address");
    let mut config = Config::new(vec![(Transport::Tcp, address)]);
    config.access = access;
    let mut endpoint = Endpoint::new(config, 7);
    let now = Knocker::at(guarded()).world.now;
    for turn in 0..30_u64 {
        let connection = Some(sip::ConnectionId(turn));
        let remote = format!("192.0.2.7:{}", 40_000 + turn).parse().expect("address");
        let flow = sip::Flow { transport: Transport::Tcp, local: address, remote, connection };
        let register = format!(
            "REGISTER sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP {remote};branch=z9hG4bK{turn}\r\n\
             From: <sip:alice@10.0.0.1>;tag=p\r\nTo: <sip:alice@10.0.0.1>\r\nCall-ID: c{turn}\r\n\
             CSeq: 1 REGISTER\r\nContact: <sip:alice@{remote};transport=tcp>\r\n\
             Content-Length: 0\r\n\r\n"
        );
        endpoint.receive(now, flow, register.as_bytes());
        let answers = std::iter::from_fn(|| endpoint.poll()).filter_map(|output| {
            let sip::Output::Transmit { bytes, .. } = output else { return None };
            Some(String::from_utf8_lossy(&bytes[..12]).into_owned())
        });
        assert_eq!(answers.collect::<Vec<_>>(), ["SIP/2.0 200 "], "{turn}");
        assert_eq!(endpoint.bindings(now, "alice").last().map(|last| last.flow), Some(flow));
        endpoint.connection_closed(sip::ConnectionId(turn));
    }
}

/// A phone behind two NATs: neither of its addresses is one that we could reach it at.
#[test]
fn a_registered_phone_that_answers_is_spoken_to_along_its_flow() {
    let mut phone = Knocker::at(guarded());
    phone.source = "192.168.7.7:40000";
    phone.register("alice", "Contact: <sip:alice@10.9.9.9>\r\n");
    let now = phone.world.now;
    let binding = phone.world.nodes[0].endpoint.bindings(now, "alice").remove(0);
    let from = "<sip:us@10.0.0.1>".parse().expect("address");
    let flow = Some(binding.flow);
    let invite = Invite { flow, ..Invite::new(binding.contact, from, b"offer".to_vec()) };
    phone.world.caught.clear();
    phone.world.nodes[0].endpoint.invite(now, invite).expect("a way");
    phone.world.wake(0);
    let (_, invite) = phone.world.caught.remove(0);
    let Ok(Message::Request(invite)) = parse(&invite) else { panic!("an INVITE") };
    let more = "Contact: <sip:alice@10.9.9.9>\r\n";
    phone.world.inject(0, "192.168.7.7:40000", answer(&invite, "200 OK", more).as_bytes());
    let (flow, ack) = phone.world.caught.remove(0);
    assert!(ack.starts_with(b"ACK "));
    assert_eq!(flow.remote.to_string(), "192.168.7.7:40000");
}

/// A browser whose network was gone for a moment: it registers along a new connection, and has no
/// reason to say anything in its call.
#[test]
fn a_phone_whose_connection_broke_is_reached_in_its_call_along_the_one_it_registered_by() {
    let address: std::net::SocketAddr = SERVER.parse().expect("an address");
    let access = Access { users: guarded().users, ..Access::everybody() };
    let listeners = vec![(Transport::Udp, address), (Transport::Wss, address)];
    let mut endpoint = Endpoint::new(Config { access, ..Config::new(listeners) }, 7);
    #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
    let now = std::time::Instant::now();
    let flow = |connection: u64| Flow {
        transport: Transport::Wss,
        local: address,
        remote: format!("192.0.2.7:{}", 4_000 + connection).parse().expect("an address"),
        connection: Some(ConnectionId(connection)),
    };
    let register = |endpoint: &mut Endpoint, user: &str, connection: u64| {
        let text = format!(
            "REGISTER sip:10.0.0.1 SIP/2.0\r\n\
             Via: SIP/2.0/WSS x7.invalid;branch=z9hG4bK{user}{connection}\r\n\
             From: <sip:alice@10.0.0.1>;tag=p\r\nTo: <sip:alice@10.0.0.1>\r\nCall-ID: {user}\r\n\
             CSeq: {connection} REGISTER\r\nContact: <sip:{user}@x7.invalid;transport=ws>\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        endpoint.receive(now, flow(connection), text.as_bytes());
        while endpoint.poll().is_some() {}
    };
    let sent = |endpoint: &mut Endpoint| {
        let transmits = std::iter::from_fn(|| endpoint.poll()).filter_map(|output| {
            let Output::Transmit { flow, bytes } = output else { return None };
            let Ok(Message::Request(request)) = parse(&bytes) else { return None };
            Some((request, flow.connection))
        });
        transmits.last().expect("a request")
    };
    register(&mut endpoint, "j3", 1);
    let binding = endpoint.bindings(now, "alice").remove(0);
    let caller = "<sip:b@10.0.0.1>".parse().expect("an address");
    let invite = Invite {
        flow: Some(binding.flow),
        callee: Some(Origin::User("alice".to_owned())),
        ..Invite::new(binding.contact, caller, b"offer".to_vec())
    };
    let id = endpoint.invite(now, invite).expect("a way");
    let (invite, _) = sent(&mut endpoint);
    let contact = "Contact: <sip:j3@x7.invalid;transport=ws;ob>\r\n";
    let ok = answer(&invite, "200 OK", contact);
    endpoint.receive(now, flow(1), ok.as_bytes());
    while endpoint.poll().is_some() {}
    endpoint.connection_closed(ConnectionId(1));
    // Her other phone is another one.
    register(&mut endpoint, "k4", 2);
    register(&mut endpoint, "j3", 3);
    endpoint.end(now, id, None);
    let (bye, connection) = sent(&mut endpoint);
    assert_eq!((bye.method.name(), connection), ("BYE", Some(ConnectionId(3))));
}
