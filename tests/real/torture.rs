//! The torture messages of RFC 4475 and RFC 5118 over real sockets, each as it is.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use sip::message::{HeaderName, Message, Via, parse};

use crate::server::Server;
use crate::shared_machine;

macro_rules! fixtures {
    ($($name:literal => $expected:literal,)*) => {
        /// Name, bytes, and the status that is answered first; `-` where nothing is.
        const FIXTURES: &[(&str, &[u8], &str)] = &[$((
            $name,
            include_bytes!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/fixtures/sip/torture/", $name, ".dat"
            )),
            $expected,
        ),)*];
    };
}

include!("../../fixtures/sip/torture.table");

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a stream makes of those whose length is not what they say: the length is missing or there
/// are two, which ends the stream after the answer, or the rest of the message never comes.
const CUT_OFF: [&str; 3] = ["ncl", "mcl01", "inv2543"];
const UNFINISHED: &str = "clerr";

/// They have all that makes them copies of one that comes before them, so each has its branch made
/// longer: it is not what they are about.
const COPIES: [&str; 6] =
    ["mult-ip-in-sdp", "cparam02", "regescrt", "ipv6-bad", "port-ambiguous", "port-unambiguous"];

/// A text to nobody, which is refused by whoever would pass it on, not by the endpoint itself.
const TEXT: (&str, &str) = ("mpart01", "403");

/// Calls, of which the endpoint by itself only says that it looks after them: the server has
/// answered in the same turn.
const CALLS: [(&str, &str); 6] = [
    ("baddate", "200"),
    ("esc01", "404"),
    ("inv2543", "200"),
    ("ipv6-in-sdp", "488"),
    ("longreq", "200"),
    ("mult-ip-in-sdp", "200"),
];

/// An OPTIONS to be answered after each.
fn options(server: SocketAddr, transport: &str, number: usize) -> String {
    format!(
        "OPTIONS sip:{server} SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1;branch=z9hG4bKf{number}\
         ;rport\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: fence-{number}\r\n\
         CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The first status that came besides those to OPTIONS of ours, `-` for none; and whether that of
/// the OPTIONS came.
fn seen(answers: &[String], number: usize) -> (String, bool) {
    let is_fence = |answer: &&String| answer.contains("Call-ID: fence-");
    let first = answers.iter().find(|answer| !is_fence(answer));
    let status = first.map_or("-", |answer| answer.split(' ').nth(1).unwrap());
    let fence = format!("Call-ID: fence-{number}\r\n");
    let answered =
        answers.iter().any(|answer| answer.contains(&fence) && answer.starts_with("SIP/2.0 200 "));
    (status.to_owned(), answered)
}

/// The hop that it says to come from, if that can be read.
fn top_via(bytes: &[u8]) -> Option<Via> {
    let request = match parse(bytes) {
        Ok(Message::Request(request)) => request,
        Ok(Message::Response(_)) => return None,
        Err(malformed) => *malformed.request?,
    };
    request.headers.values(&HeaderName::Via).first()?.parse().ok()
}

fn by_udp(server: &Server, number: usize, bytes: &[u8]) -> (String, bool) {
    // The answer comes to the port that the message names, so each message has an address of its
    // own, as has this process.
    let [low, high, ..] = std::process::id().to_le_bytes();
    let host = u8::try_from(number + 1).unwrap();
    let source = SocketAddr::from(([127, 100 + high % 100, low, host], 5060));
    let own = top_via(bytes).map_or(source, |via| via.reply_address(source));
    let socket = UdpSocket::bind(own).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(bytes, server.sip).unwrap();
    socket.send_to(options(server.sip, "UDP", number).as_bytes(), server.sip).unwrap();
    let mut answers = Vec::new();
    let mut buffer = [0; 65_536];
    while !seen(&answers, number).1 {
        let Ok(length) = socket.recv(&mut buffer) else { break };
        answers.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
    seen(&answers, number)
}

/// Reads until the OPTIONS is answered or the stream ends.
fn read_answers(
    stream: &mut TcpStream,
    number: usize,
    cut: impl Fn(&[u8]) -> Vec<String>,
) -> (String, bool) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 65_536];
    while !seen(&cut(&bytes), number).1 {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset, "no answer, and no end");
                break;
            }
        }
    }
    seen(&cut(&bytes), number)
}

fn by_tcp(server: &Server, number: usize, bytes: &[u8]) -> (String, bool) {
    let mut stream = TcpStream::connect(server.sip).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let options = options(server.sip, "TCP", number);
    stream.write_all(&[bytes, options.as_bytes()].concat()).unwrap();
    read_answers(&mut stream, number, |bytes| {
        let text = String::from_utf8_lossy(bytes).replace("SIP/2.0 ", "\0SIP/2.0 ");
        text.split('\0').skip(1).map(str::to_owned).collect()
    })
}

/// A frame of a client: binary, whole, masked by nothing (RFC 6455 §5.2).
fn frame(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[0x82, 0x80 | 126][..], &length, &[0; 4], payload].concat()
}

/// The payloads of a server's frames that are whole, but those of pings and the farewell.
fn payloads(mut bytes: &[u8]) -> Vec<String> {
    let mut payloads = Vec::new();
    while let [kind, length, rest @ ..] = bytes {
        let (length, rest) = match (length, rest) {
            (126, [high, low, rest @ ..]) => (usize::from(u16::from_be_bytes([*high, *low])), rest),
            (126, _) => break,
            (length, rest) => (usize::from(*length), rest),
        };
        let Some(payload) = rest.get(..length) else { break };
        if matches!(kind & 0x0f, 1 | 2) {
            payloads.push(String::from_utf8_lossy(payload).into_owned());
        }
        bytes = &rest[length..];
    }
    payloads
}

fn by_websocket(server: &Server, number: usize, bytes: &[u8]) -> (String, bool) {
    let at = server.tls.as_ref().unwrap().websocket;
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {at}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: sip\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    let options = options(server.sip, "WS", number);
    stream.write_all(&[frame(bytes), frame(options.as_bytes())].concat()).unwrap();
    read_answers(&mut stream, number, payloads)
}

fn replaced(bytes: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    let at = bytes.windows(what.len()).position(|found| found == what).unwrap();
    [&bytes[..at], by, &bytes[at + what.len()..]].concat()
}

/// Sends one message and an OPTIONS; gives the first status, and whether the OPTIONS was answered.
type Send = fn(&Server, usize, &[u8]) -> (String, bool);

#[test]
fn each_torture_message_is_answered_as_the_rfc_has_it_by_udp_tcp_and_websocket() {
    let _machine = shared_machine();
    assert_eq!(FIXTURES.len(), 49 + 12);
    let mut wrong = Vec::new();
    for (transport, send) in [("UDP", by_udp as Send), ("TCP", by_tcp), ("WS", by_websocket)] {
        let by_stream = transport == "TCP";
        // A server each: what came before by another way would be a copy, or have gone in a circle.
        let server = Server::start_with_tls();
        for (number, (name, bytes, expected)) in FIXTURES.iter().enumerate() {
            let own_branch = format!("branch=z9hG4bK{name}");
            let bytes = match COPIES.contains(name) {
                true => &replaced(bytes, b"branch=z9hG4bK", own_branch.as_bytes()),
                false => *bytes,
            };
            if by_stream && *name == UNFINISHED {
                // What never is whole harms nobody.
                TcpStream::connect(server.sip).unwrap().write_all(bytes).unwrap();
                continue;
            }
            let (status, goes_on) = send(&server, number, bytes);
            let call = CALLS.iter().find(|(call, _)| call == name).map(|(_, status)| *status);
            let expected = call.unwrap_or(expected.trim_end_matches('!'));
            let is_right = status == expected || *name == TEXT.0 && status == TEXT.1;
            if !is_right || goes_on == (by_stream && CUT_OFF.contains(name)) {
                wrong.push((*name, transport, status, expected, goes_on));
            }
        }
        server.assert_answers_options();
    }
    assert!(wrong.is_empty(), "name, transport, what came, what should, goes on: {wrong:#?}");
}
