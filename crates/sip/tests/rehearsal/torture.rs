//! The torture messages of RFC 4475 and RFC 5118, and noise made from them.

use std::time::Duration;

use sip::framing::{Item, Splitter};
use sip::limits::MESSAGE_BYTES_MAX;
use sip::message::{CSeq, MediaType, Message, NameAddr, Reason, StatusCode, Uri, Via, parse};
use sip::{Alive, SessionEvent, SessionId};

use crate::world::{Luck, World};

const ADDRESS: &str = "192.0.2.99:5060";

macro_rules! fixtures {
    ($($name:literal => $expected:literal,)*) => {
        /// Name, bytes, and the statuses that are answered at once. `-` for a message that is
        /// dropped, `!` for one that is also counted as malformed.
        const FIXTURES: &[(&str, &[u8], &str)] = &[$((
            $name,
            include_bytes!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/../../fixtures/sip/torture/", $name, ".dat"
            )),
            $expected,
        ),)*];
    };
}

include!("../../../../fixtures/sip/torture.table");

/// What a fresh endpoint makes of a message, in the words of the table.
fn outcome(bytes: &[u8]) -> String {
    let mut world = World::new(1, 1);
    world.inject(0, ADDRESS, bytes);
    let mut outcome = String::new();
    for (_, answer) in &world.caught {
        match parse(answer) {
            Ok(Message::Response(response)) => outcome += &response.status.to_string(),
            other => panic!("no response: {other:?}"),
        }
    }
    if outcome.is_empty() {
        outcome.push('-');
    }
    if world.nodes[0].endpoint.stats().malformed > 0 {
        outcome.push('!');
    }
    outcome
}

#[test]
fn each_torture_message_is_taken_as_the_rfc_has_it() {
    let outcomes: Vec<_> =
        FIXTURES.iter().map(|(name, bytes, _)| (*name, outcome(bytes))).collect();
    let expected: Vec<_> =
        FIXTURES.iter().map(|(name, _, expected)| (*name, (*expected).to_owned())).collect();
    assert_eq!(outcomes, expected);
}

/// What a stream of a message and an OPTIONS is made of: the statuses in their order, `-` for none,
/// `|` where the stream is lost and its connection closed.
fn outcome_on_a_stream(bytes: &[u8]) -> String {
    let options = "OPTIONS sip:10.0.0.1 SIP/2.0\r\n\
                   Via: SIP/2.0/TCP 192.0.2.99;branch=z9hG4bKafter\r\n\
                   From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: after\r\nCSeq: 1 OPTIONS\r\n\
                   Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    let mut world = World::new(1, 1);
    let mut splitter = Splitter::new();
    let flow = sip::Flow {
        transport: sip::Transport::Tcp,
        local: world.nodes[0].address,
        remote: ADDRESS.parse().expect("an address"),
        connection: Some(sip::ConnectionId(1)),
    };
    let mut outcome = String::new();
    for bytes in [bytes, options.as_bytes()] {
        splitter.push(bytes);
        loop {
            match splitter.next_item() {
                Ok(Some(Item::Message(message))) => {
                    let now = world.now;
                    world.nodes[0].endpoint.receive(now, flow, &message);
                }
                Ok(Some(Item::Ping)) => outcome.push('p'),
                Ok(None) => break,
                Err(_) => return outcome + "|",
            }
            let mut answered = false;
            while let Some(output) = world.nodes[0].endpoint.poll() {
                let sip::Output::Transmit { bytes, .. } = output else { continue };
                let Ok(Message::Response(response)) = parse(&bytes) else { panic!("no response") };
                answered = true;
                outcome += &format!("{} ", response.status);
            }
            outcome += if answered { "" } else { "- " };
        }
    }
    outcome
}

/// Acceptance P1: what a datagram's end would have cut off belongs to the next message of a stream,
/// and a message whose length is not known ends it. After every other one the next is answered.
#[test]
fn on_a_stream_each_is_taken_the_same_and_the_next_message_is_answered() {
    assert_eq!(FIXTURES.len(), 49 + 12);
    // mcl01 has two lengths, inv2543 none.
    let differs = [
        ("dblreq", "404 100 200 "),
        ("clerr", ""),
        ("ncl", "400 |"),
        ("mcl01", "400 |"),
        ("inv2543", "100 |"),
    ];
    let mut wrong = Vec::new();
    for (name, bytes, expected) in FIXTURES {
        let usual = format!("{} 200 ", expected.trim_end_matches('!'));
        let differs = differs.iter().find(|(differs, _)| differs == name);
        let expected = differs.map_or(usual, |(_, expected)| (*expected).to_owned());
        let outcome = outcome_on_a_stream(bytes);
        if outcome != expected {
            wrong.push((name, outcome, expected));
        }
    }
    assert!(wrong.is_empty(), "name, what came, what should: {wrong:#?}");
}

/// Ends what is told of, so that nothing may be left.
fn end_all(world: &mut World) {
    let told: Vec<SessionId> = world.nodes[0].told.iter().map(|(id, _)| *id).collect();
    for id in told {
        world.end(0, id);
    }
    world.nodes[0].told.clear();
    let now = world.now;
    for (id, _) in std::mem::take(&mut world.nodes[0].texts) {
        world.nodes[0].endpoint.answer_text(now, id, StatusCode::OK);
    }
    for (id, _) in std::mem::take(&mut world.nodes[0].asked) {
        if world.nodes[0].endpoint.deny(now, id, StatusCode::FORBIDDEN).is_ok() {
            world.drain(0);
        }
    }
    world.caught.clear();
    world.ladder.clear();
}

/// Changes a message in one of the ways that networks and attackers know.
fn mutate(bytes: &mut Vec<u8>, luck: &mut Luck) {
    const SALT: [&[u8]; 14] = [
        b"\r\n",
        b"\r\n\r\n",
        b";",
        b",",
        b"\"",
        b"<",
        b">",
        b"%",
        b"=",
        b":",
        b"@",
        b"\xff",
        b" ",
        b"99999999999999999999",
    ];
    for _ in 0..=luck.below(3) {
        let at = luck.below(bytes.len().max(1) as u64) as usize;
        let until = (at + luck.below(40) as usize).min(bytes.len());
        match luck.below(6) {
            0 if at < bytes.len() => bytes[at] = luck.below(256) as u8,
            1 => drop(bytes.drain(at..until)),
            2 => {
                let copy = bytes[at..until].to_vec();
                bytes.splice(at..at, copy);
            }
            3 => {
                let salt = SALT[luck.below(SALT.len() as u64) as usize];
                bytes.splice(at..at, salt.iter().copied());
            }
            4 => bytes.truncate(at),
            _ => {
                let (_, other, _) = FIXTURES[luck.below(FIXTURES.len() as u64) as usize];
                let cut = luck.below(other.len() as u64) as usize;
                bytes.truncate(at);
                bytes.extend_from_slice(&other[cut..]);
            }
        }
    }
}

#[test]
fn no_mutated_message_brings_the_endpoint_down_or_stays() {
    const ROUNDS: u64 = 100_000;
    let seed = 4475;
    let mut world = World::new(1, seed);
    let mut luck = Luck::new(seed);
    let mut calls = 0;
    for round in 0..ROUNDS {
        let (_, fixture, _) = FIXTURES[luck.below(FIXTURES.len() as u64) as usize];
        let mut bytes = fixture.to_vec();
        mutate(&mut bytes, &mut luck);
        world.inject(0, ADDRESS, &bytes);
        if round % 100 == 99 {
            let accepted: Vec<SessionId> = world.nodes[0].told.iter().map(|(id, _)| *id).collect();
            calls += accepted.len();
            for id in accepted.into_iter().step_by(2) {
                // Some have been refused or ended meanwhile.
                let now = world.now;
                let answered = world.nodes[0].endpoint.accept(now, id, b"v=0".to_vec()).is_ok();
                calls += usize::from(answered);
            }
            end_all(&mut world);
            world.run_ms(500);
        }
    }
    // Every transaction of the last 64·T1 may be alive, and nothing older.
    assert!(world.nodes[0].endpoint.alive().server_transactions < 64 * 100 + 100);
    world.run(Duration::from_secs(60));
    end_all(&mut world);
    world.settle();
    assert!(calls > 300, "{calls}: noise that never gets through proves little");
}

/// Reads a value, and if that can be done, writes and reads it again.
fn reread<T>(value: &str)
where
    T: std::str::FromStr + std::fmt::Display + PartialEq + std::fmt::Debug,
{
    if let Ok(read) = value.parse::<T>() {
        let written = read.to_string();
        assert_eq!(written.parse::<T>().ok(), Some(read), "{value:?} was written {written:?}");
    }
}

#[test]
fn whatever_can_be_read_is_the_same_when_written_and_read_again() {
    let mut luck = Luck::new(5118);
    for _ in 0..50_000 {
        let (_, fixture, _) = FIXTURES[luck.below(FIXTURES.len() as u64) as usize];
        let mut bytes = fixture.to_vec();
        mutate(&mut bytes, &mut luck);
        let Ok(message) = parse(&bytes) else { continue };
        let (headers, again) = match &message {
            Message::Request(request) => (&request.headers, request.to_bytes()),
            Message::Response(response) => (&response.headers, response.to_bytes()),
        };
        assert!(parse(&again).is_ok(), "{}", String::from_utf8_lossy(&again));
        for header in headers.iter() {
            let value = String::from_utf8_lossy(&header.value);
            reread::<NameAddr>(&value);
            reread::<Via>(&value);
            reread::<CSeq>(&value);
            reread::<MediaType>(&value);
            reread::<Reason>(&value);
        }
        if let Message::Request(request) = &message {
            reread::<Uri>(&request.target);
        }
    }
}

#[test]
fn noise_on_a_stream_is_cut_or_refused_and_never_piles_up() {
    let mut luck = Luck::new(18);
    let mut cut = 0;
    for _ in 0..5_000 {
        let mut splitter = Splitter::new();
        for _ in 0..4 {
            let (_, fixture, _) = FIXTURES[luck.below(FIXTURES.len() as u64) as usize];
            let mut bytes = fixture.to_vec();
            if luck.below(2) == 0 {
                mutate(&mut bytes, &mut luck);
            }
            splitter.push(&bytes);
            let mut lost = false;
            loop {
                match splitter.next_item() {
                    Ok(Some(_)) => cut += 1,
                    Ok(None) => break,
                    Err(_) => {
                        lost = true;
                        break;
                    }
                }
            }
            assert!(splitter.waiting_bytes() <= MESSAGE_BYTES_MAX);
            if lost {
                break;
            }
        }
    }
    assert!(cut > 5_000, "{cut}");
}

#[test]
fn noise_around_a_real_call_does_not_touch_it() {
    let seed = 3261;
    let mut world = World::new(2, seed);
    let calling = world.call(sip::Transport::Udp);
    world.run_ms(100);
    let called = world.last_session(1);
    world.accept(1, called).expect("an INVITE that waits");
    world.run_ms(100);
    let mut luck = Luck::new(seed);
    // A BYE that has everything right but the tags.
    let Some(SessionEvent::Incoming(incoming)) = world.events_of(1, called).first().copied() else {
        panic!("no call");
    };
    let bye = format!(
        "BYE sip:b@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKguess\r\n\
         From: {}\r\nTo: <sip:b@x>;tag=0123456789abcdef\r\nCall-ID: {}\r\nCSeq: 900 BYE\r\n\r\n",
        incoming.from, incoming.call_id,
    );
    for _ in 0..20_000 {
        let mut bytes = bye.clone().into_bytes();
        mutate(&mut bytes, &mut luck);
        world.inject(1, "10.0.0.1:5060", &bytes);
        world.ladder.clear();
    }
    assert!(world.events_of(1, called).len() == 2, "{:?}", world.events_of(1, called));
    world.run_ms(100);
    world.end(0, calling);
    world.run_ms(1_000);
    let stats = world.nodes[1].endpoint.stats();
    assert_eq!(stats.responses_sent.of(&sip::message::Method::Bye, StatusCode::OK), 1);
    end_all(&mut world);
    world.settle();
    assert_eq!(world.nodes[1].endpoint.alive(), Alive::default());
}
