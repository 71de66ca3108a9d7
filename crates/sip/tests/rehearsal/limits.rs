//! Messages at their bounds and one beyond: what is too much is refused at once, is counted, and
//! the next message is answered (acceptance F5).

use sip::limits::{HEADER_VALUES_MAX, HEADERS_MAX, MULTIPART_PARTS_MAX};
use sip::message::{Message, parse};

use crate::world::World;

const STRANGER: &str = "192.0.2.99:5060";

/// What a fresh endpoint answers to a request with that head and body, and how many messages it
/// counts as malformed.
fn answer(method: &str, more: &str, body: &str) -> (u16, u64) {
    let mut world = World::new(1, 1);
    let text = format!(
        "{method} sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {STRANGER};branch=z9hG4bKa\r\n\
         From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: a\r\nCSeq: 1 {method}\r\n\
         Max-Forwards: 70\r\nContact: <sip:a@{STRANGER}>\r\n{more}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    world.inject(0, STRANGER, text.as_bytes());
    let [(_, bytes), ..] = &world.caught[..] else { panic!("no answer to {more:.80}") };
    let Ok(Message::Response(response)) = parse(bytes) else { panic!("no response") };
    let malformed = world.nodes[0].endpoint.stats().malformed;
    world.caught.clear();
    let options = text.replace(&format!("{method} "), "OPTIONS ").replace(method, "OPTIONS");
    let options = options.replace(more, "").replace("z9hG4bKa", "z9hG4bKb");
    let end = options.find("Content-Length").expect("a length");
    let options = format!("{}Content-Length: 0\r\n\r\n", &options[..end]);
    world.inject(0, STRANGER, options.as_bytes());
    assert_eq!(world.caught.len(), 1, "the next message is answered");
    (response.status.code(), malformed)
}

#[test]
fn header_lines_and_values_are_bounded() {
    // The request has eight lines besides.
    let lines = |count: usize| "X-Line: 1\r\n".repeat(count - 8);
    assert_eq!(answer("OPTIONS", &lines(HEADERS_MAX), ""), (200, 0));
    assert_eq!(answer("OPTIONS", &lines(HEADERS_MAX + 1), ""), (400, 1));
    // A Via of its own, and those that it claims to have passed.
    let vias = |count: usize| {
        let via = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx";
        format!("Via: {}\r\n", vec![via; count - 1].join(","))
    };
    assert_eq!(answer("OPTIONS", &vias(HEADER_VALUES_MAX - 1), ""), (200, 0));
    assert_eq!(answer("OPTIONS", &vias(HEADER_VALUES_MAX), "").0, 400);
}

/// A body of so many parts, the last of which is the description.
fn parts(count: usize) -> String {
    let other = "--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n".repeat(count - 1);
    format!("{other}--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--x--\r\n")
}

#[test]
fn a_description_is_looked_for_among_so_many_parts_and_not_within_parts() {
    let multipart = "Content-Type: multipart/mixed;boundary=x\r\n";
    assert_eq!(answer("INVITE", multipart, &parts(MULTIPART_PARTS_MAX)).0, 100);
    assert_eq!(answer("INVITE", multipart, &parts(MULTIPART_PARTS_MAX + 1)).0, 415);
    let within = parts(1).replace("--x", "--y");
    let nested =
        format!("--x\r\nContent-Type: multipart/mixed;boundary=y\r\n\r\n{within}\r\n--x--\r\n");
    assert_eq!(answer("INVITE", multipart, &nested).0, 415);
    let deep = (0..1_000).fold(String::new(), |deep, _| {
        deep + "--x\r\nContent-Type: multipart/mixed;boundary=x\r\n\r\n"
    });
    assert_eq!(answer("INVITE", multipart, &deep).0, 415);
}
