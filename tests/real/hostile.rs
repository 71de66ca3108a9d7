//! What is not SIP and not RTP does no harm to those who speak both.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{TcpStream, UdpSocket};

use model::Chance;

use crate::baresip::{Caller, Codec, Phone, listen};
use crate::ear::{Heard, Sound};
use crate::server::Server;
use crate::whole_machine;

const CALLERS: [Caller; 2] = [
    Caller { name: "ada", codec: Codec::PCMU, transport: "udp", tone_hz: 437.0 },
    Caller { name: "ben", codec: Codec::G722, transport: "tcp", tone_hz: 577.0 },
];

/// Where the server has its ports for audio; few, so that each can be shot at.
const RTP_PORTS: std::ops::RangeInclusive<u16> = 64_200..=64_219;

/// The longest that fits into a UDP datagram over IPv4 [bytes].
const DATAGRAM_BYTES_MAX: usize = 65_507;

/// An INVITE as a phone may send it.
fn invite(server: &Server) -> String {
    let sip = server.sip;
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
               m=audio 9 RTP/AVP 0\r\n";
    format!(
        "INVITE sip:victim@{sip} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx\r\n\
         From: <sip:x@127.0.0.1>;tag=x\r\nTo: <sip:victim@{sip}>\r\nCall-ID: x\r\n\
         CSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:x@127.0.0.1:9>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

/// Datagrams that nobody who means well sends.
fn malformed(server: &Server, chance: &mut Chance) -> Vec<Vec<u8>> {
    let invite = invite(server);
    let mut datagrams = vec![
        Vec::new(),
        vec![0],
        vec![0; 1_500],
        vec![0; DATAGRAM_BYTES_MAX],
        vec![b'A'; DATAGRAM_BYTES_MAX],
        b"\r\n\r\n".to_vec(),
        invite.replace("Content-Length: ", "Content-Length: 9").into_bytes(),
        invite.replace("Content-Length: ", "Content-Length: -").into_bytes(),
        invite.replace("CSeq: 1 ", "CSeq: 99999999999 ").into_bytes(),
        invite.replace("sip:victim@", "sip:\0\u{fffd}%00@").into_bytes(),
        invite.replace("SIP/2.0\r\n", "SIP/9.9\r\n").into_bytes(),
        invite.replace("m=audio 9", "m=audio 99999999").into_bytes(),
        invite.replace("Max-Forwards: 70\r\n", &"X: y\r\n".repeat(9_000)).into_bytes(),
    ];
    // An INVITE cut off short of its end never is whole, so no call comes of it.
    datagrams.extend((1..invite.len()).step_by(7).map(|end| invite.as_bytes()[..end].to_vec()));
    for _ in 0..500 {
        let length = chance.draw() as usize % 1_500;
        datagrams.push((0..length).map(|_| chance.draw() as u8).collect());
    }
    datagrams
}

/// Packets that look like RTP or RTCP to whoever looks at the first byte only.
fn like_rtp(chance: &mut Chance) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for _ in 0..200 {
        let length = 2 + chance.draw() as usize % 300;
        let mut packet: Vec<u8> = (0..length).map(|_| chance.draw() as u8).collect();
        packet[0] = 0x80 | (packet[0] & 0x3f);
        packets.push(packet);
    }
    packets
}

#[test]
fn malformed_datagrams_do_no_harm_to_a_call_that_is_up() {
    let _machine = whole_machine();
    let ports = format!("{}-{}", RTP_PORTS.start(), RTP_PORTS.end());
    let server = Server::start(&["--rtp-ports", &ports]);
    let mut phones: Vec<Phone> = CALLERS.map(|caller| caller.call(&server, "calm")).into();
    server.connected("calm", 2);
    listen(&phones, 1_000);

    let seed = 0x5eed;
    println!("seed {seed}");
    let mut chance = Chance::new(seed);
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    for (at, datagram) in malformed(&server, &mut chance).iter().enumerate() {
        stranger.send_to(datagram, server.sip).unwrap();
        if at % 100 == 0 {
            server.assert_answers_options();
        }
    }
    for port in RTP_PORTS {
        for packet in malformed(&server, &mut chance).iter().chain(&like_rtp(&mut chance)) {
            stranger.send_to(packet, ("127.0.0.1", port)).unwrap();
        }
    }
    server.assert_answers_options();
    assert!(server.metric("convoke_sip_malformed_total") > 0.0);
    assert!(server.metric(r#"convoke_limit_hit_total{limit="headers"}"#) > 0.0);
    assert!(server.metric("convoke_rtp_packets_refused_total") > 0.0);

    listen(&phones, 2_000);
    assert_eq!(server.get("conferences").as_array().unwrap().len(), 1);
    server.connected("calm", 2);
    let tones_hz = CALLERS.map(|caller| caller.tone_hz);
    for (at, phone) in phones.iter_mut().enumerate() {
        let heard = Heard::in_file(&phone.hang_up(), &tones_hz);
        let other = BTreeSet::from([Sound::Phone(1 - at)]);
        // The other alone, from when it came to when it went.
        let phases = heard.phases_from(&other);
        assert_eq!(phases.first(), Some(&other), "{:?}", heard.windows);
        let strange = phases.iter().any(|phase| !phase.is_subset(&other));
        assert!(!strange && heard.phases().len() <= 3, "{:?}", heard.windows);
    }
}

#[test]
fn half_a_message_over_tcp_and_then_nothing_does_no_harm() {
    let _machine = whole_machine();
    let server = Server::start(&["--rtp-ports", "64300-64399"]);
    let invite = invite(&server);
    for end in (1..invite.len()).step_by(29) {
        let mut stream = TcpStream::connect(server.sip).unwrap();
        stream.write_all(&invite.as_bytes()[..end]).unwrap();
    }
    let mut garbage = TcpStream::connect(server.sip).unwrap();
    // The server may hang up before all of it is written.
    let written = garbage.write_all(&vec![b'A'; 1 << 20]);
    println!("a megabyte of garbage: {written:?}");
    server.assert_answers_options();
    assert_eq!(server.get("conferences"), serde_json::json!([]));
}
