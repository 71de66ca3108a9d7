//! What the endpoint writes, read by somebody else's parser (rsip).

use rsip::prelude::{HeadersExt, ToTypedHeader, UntypedHeader};
use sip::message::{HeaderName, Headers, Message, parse};
use sip::{SessionEvent, Transport};

use crate::world::World;

/// Call-ID, CSeq, tags and branch as we read them.
fn ours(headers: &Headers) -> [String; 5] {
    let text = |name: HeaderName| headers.text(&name).expect("header").into_owned();
    let tag = |name: HeaderName| {
        let address: sip::message::NameAddr = text(name).parse().expect("address");
        address.tag().unwrap_or("").to_owned()
    };
    let via: sip::message::Via = text(HeaderName::Via).parse().expect("Via");
    [
        text(HeaderName::CallId),
        text(HeaderName::CSeq),
        tag(HeaderName::From),
        tag(HeaderName::To),
        via.branch().expect("branch").to_owned(),
    ]
}

/// The same as rsip reads them.
fn theirs(message: &impl HeadersExt) -> [String; 5] {
    let cseq = message.cseq_header().expect("CSeq").typed().expect("CSeq");
    let via = message.via_header().expect("Via").typed().expect("Via");
    let from = message.from_header().expect("From").typed().expect("From");
    let to = message.to_header().expect("To").typed().expect("To");
    [
        message.call_id_header().expect("Call-ID").value().to_owned(),
        format!("{} {}", cseq.seq, cseq.method),
        from.tag().map(ToString::to_string).unwrap_or_default(),
        to.tag().map(ToString::to_string).unwrap_or_default(),
        via.branch().map(ToString::to_string).unwrap_or_default(),
    ]
}

#[test]
fn another_parser_reads_the_messages_of_a_call_as_we_do() {
    let mut world = World::new(2, 1);
    let calling = world.call(Transport::Udp);
    world.run_ms(100);
    let called = world.last_session(1);
    world.ring(1, called);
    world.accept(1, called).expect("an INVITE that waits");
    world.run_ms(100);
    world.reinvite(1, called).expect("settled");
    world.run_ms(100);
    assert!(matches!(world.nodes[0].told.last(), Some((_, SessionEvent::Reoffer { .. }))));
    world.reject(0, calling, 488).expect("an offer that waits");
    world.run_ms(100);
    world.end(0, calling);
    world.run_ms(1_000);
    let mut methods = Vec::new();
    for bytes in &world.written {
        let text = String::from_utf8(bytes.clone()).expect("our own messages are text");
        let read = rsip::SipMessage::try_from(text.as_str()).expect("readable by rsip");
        match (parse(bytes).expect("readable"), read) {
            (Message::Request(one), rsip::SipMessage::Request(other)) => {
                assert_eq!(ours(&one.headers), theirs(&other), "{text}");
                assert_eq!(one.method.name(), other.method.to_string());
                // rsip writes the transport in capitals.
                assert!(one.target.eq_ignore_ascii_case(&other.uri.to_string()), "{text}");
                assert_eq!(one.body, other.body);
                methods.push(one.method.name().to_owned());
            }
            (Message::Response(one), rsip::SipMessage::Response(other)) => {
                assert_eq!(ours(&one.headers), theirs(&other), "{text}");
                assert_eq!(one.status.code(), other.status_code.code());
                assert_eq!(one.body, other.body);
            }
            (one, other) => panic!("{one:?}\n{other:?}"),
        }
    }
    assert_eq!(methods, ["INVITE", "ACK", "INVITE", "ACK", "BYE"]);
    world.settle();
}
