//! Names, asked of a small name server on the loopback.
#![expect(clippy::unwrap_used, reason = "a test's hands may fail with it")]
#![expect(clippy::disallowed_methods, reason = "the endpoint must be told a time")]

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use gateway::limits::RESOLVES_MAX;
use gateway::{Gateway, Inbound, Settings};
use sip::message::{NameAddr, Uri};
use sip::{Config, Endpoint, Invite, Output};
use tokio::net::UdpSocket;

/// Longer than anything here can take; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

const A: u16 = 1;
const SRV: u16 = 33;
const NAPTR: u16 = 35;

/// Answers with what is known of a name and type; of other names that they are not there, and of
/// those that begin with `mute` nothing.
async fn serve(socket: UdpSocket, zone: Vec<(&'static str, u16, Vec<u8>)>) {
    let mut buffer = [0; 1_000];
    loop {
        let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
        let query = &buffer[..length];
        let mut name = String::new();
        let mut at = 12;
        while query[at] != 0 {
            let end = at + 1 + usize::from(query[at]);
            name += &String::from_utf8_lossy(&query[at + 1..end]).to_lowercase();
            name += ".";
            at = end;
        }
        let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
        if name.starts_with("mute") {
            continue;
        }
        let question = &query[12..at + 5];
        let known = |(of, of_kind, _): &&(&str, u16, Vec<u8>)| *of == name && *of_kind == kind;
        let answers: Vec<_> = zone.iter().filter(known).collect();
        let status = match zone.iter().any(|(of, ..)| *of == name) {
            true => 0x80,
            false => 0x83,
        };
        let count = u8::try_from(answers.len()).unwrap();
        let mut reply =
            [&query[..2], &[0x81, status, 0, 1, 0, count, 0, 0, 0, 0], question].concat();
        for (_, _, data) in answers {
            reply.extend([0xc0, 12]);
            reply.extend(kind.to_be_bytes());
            reply.extend([0, 1, 0, 0, 0, 60]);
            reply.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            reply.extend(data);
        }
        socket.send_to(&reply, client).await.unwrap();
    }
}

fn a(last: u8) -> Vec<u8> {
    Ipv4Addr::new(127, 0, 0, last).octets().to_vec()
}

fn srv(priority: u16, port: u16, host: &str) -> Vec<u8> {
    let mut data = [priority, 10, port].map(u16::to_be_bytes).concat();
    for label in host.split('.').filter(|label| !label.is_empty()) {
        data.push(u8::try_from(label.len()).unwrap());
        data.extend(label.as_bytes());
    }
    data.push(0);
    data
}

fn naptr(order: u16, service: &str, replacement: &str) -> Vec<u8> {
    let mut data = [order, 50].map(u16::to_be_bytes).concat();
    for text in ["s", service, ""] {
        data.push(u8::try_from(text.len()).unwrap());
        data.extend(text.as_bytes());
    }
    // After the three numbers an SRV record ends with a name, too.
    data.extend(&srv(0, 0, replacement)[6..]);
    data
}

/// Where that leads, as `udp 127.0.0.1:5060`.
async fn resolved(target: &str) -> Vec<String> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let name_servers = vec![socket.local_addr().unwrap()];
    tokio::spawn(serve(
        socket,
        vec![
            ("_sip._udp.carrier.example.", SRV, srv(20, 5080, "second.carrier.example")),
            ("_sip._udp.carrier.example.", SRV, srv(10, 5070, "first.carrier.example")),
            ("_sip._tcp.carrier.example.", SRV, srv(10, 0, "")),
            ("first.carrier.example.", A, a(2)),
            ("second.carrier.example.", A, a(3)),
            ("second.carrier.example.", A, a(4)),
            ("carrier.example.", A, a(9)),
            ("plain.example.", A, a(5)),
            // It prefers TCP, under a name of its own, and has UDP for who can no other.
            ("choosy.example.", NAPTR, naptr(20, "SIP+D2U", "_sip._udp.choosy.example.")),
            ("choosy.example.", NAPTR, naptr(10, "SIP+D2T", "streams.choosy.example.")),
            ("choosy.example.", NAPTR, naptr(5, "SIPS+D2T", "_sips._tcp.choosy.example.")),
            ("streams.choosy.example.", SRV, srv(1, 5062, "first.carrier.example")),
            ("_sip._udp.choosy.example.", SRV, srv(1, 5064, "first.carrier.example")),
            // It says nothing of transports, and has servers for streams only.
            ("_sip._tcp.quiet.example.", SRV, srv(1, 5066, "first.carrier.example")),
            // What it names is not there.
            ("broken.example.", NAPTR, naptr(1, "SIP+D2U", "_sip._udp.broken.example.")),
            ("broken.example.", A, a(6)),
            // Who is to tell of its first servers is down.
            ("_sip._udp.lame.example.", SRV, srv(1, 5070, "mute-1.lame.example")),
            ("_sip._udp.lame.example.", SRV, srv(2, 5070, "mute-2.lame.example")),
            ("_sip._udp.lame.example.", SRV, srv(3, 5080, "first.carrier.example")),
        ],
    ));
    let bind = vec!["127.0.0.1:0".parse().unwrap()];
    let settings = Settings { bind, name_servers, ..Settings::default() };
    let (gateway, mut inbound) = Gateway::bind(settings).await.unwrap();
    let mut endpoint = Endpoint::new(Config::new(gateway.listeners().to_vec()), 1);
    let from = NameAddr::new("", "sip:alice@localhost".parse::<Uri>().unwrap());
    endpoint
        .invite(Instant::now(), Invite::new(target.parse().unwrap(), from, Vec::new()))
        .unwrap();
    let Some(Output::Resolve { id, host, port, transports }) = endpoint.poll() else {
        panic!("a name to be looked up")
    };
    gateway.resolve(id, host, port, transports);
    match tokio::time::timeout(PATIENCE, inbound.recv()).await.unwrap() {
        Some(Inbound::Resolved { id: asked, servers }) if asked == id => servers
            .iter()
            .map(|server| format!("{} {}", server.transport.param_name(), server.address))
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_servers_of_a_domain_are_tried_by_priority_at_their_ports() {
    let mut found = resolved("sip:bob@carrier.example;transport=udp").await;
    found[1..].sort();
    assert_eq!(found, ["udp 127.0.0.2:5070", "udp 127.0.0.3:5080", "udp 127.0.0.4:5080"]);
}

#[tokio::test]
async fn a_port_in_the_uri_asks_for_the_host_itself() {
    assert_eq!(resolved("sip:bob@carrier.example:5090").await, ["udp 127.0.0.9:5090"]);
    assert_eq!(resolved("sip:bob@choosy.example:5090").await, [""; 0]);
}

#[tokio::test]
async fn a_domain_without_servers_is_the_host_itself() {
    assert_eq!(resolved("sip:bob@plain.example").await, ["udp 127.0.0.5:5060"]);
    let by_tcp = resolved("sip:bob@plain.example;transport=tcp").await;
    assert_eq!(by_tcp, ["tcp 127.0.0.5:5060"]);
}

#[tokio::test]
async fn a_domain_says_by_which_transports_it_wants_to_be_reached_and_the_rest_is_failover() {
    // TLS is not listened for here, so that what it prefers most is out of reach.
    let both = ["tcp 127.0.0.2:5062", "udp 127.0.0.2:5064"];
    assert_eq!(resolved("sip:bob@choosy.example").await, both);
    // Who names a transport is not asked what the domain prefers.
    assert_eq!(resolved("sip:bob@choosy.example;transport=udp").await, both[1..]);
}

#[tokio::test]
async fn a_domain_that_says_nothing_is_reached_by_what_it_has_servers_for() {
    assert_eq!(resolved("sip:bob@quiet.example").await, ["tcp 127.0.0.2:5066"]);
    let mut all = resolved("sip:bob@carrier.example").await;
    all[1..].sort();
    assert_eq!(all, ["udp 127.0.0.2:5070", "udp 127.0.0.3:5080", "udp 127.0.0.4:5080"]);
}

#[tokio::test]
async fn a_domain_whose_service_is_not_there_is_the_host_itself() {
    assert_eq!(resolved("sip:bob@broken.example").await, ["udp 127.0.0.6:5060"]);
}

#[tokio::test]
async fn servers_that_nobody_tells_the_addresses_of_hide_no_other() {
    let found = resolved("sip:bob@lame.example;transport=udp").await;
    assert_eq!(found, ["udp 127.0.0.2:5080"]);
}

#[tokio::test]
async fn a_service_that_is_said_not_to_be_there_and_a_name_that_is_not_known_have_no_address() {
    assert_eq!(resolved("sip:bob@carrier.example;transport=tcp").await, [""; 0]);
    assert_eq!(resolved("sip:bob@nowhere.example").await, [""; 0]);
}

/// Answers one message as the endpoint does.
fn serve_one(endpoint: &mut Endpoint, gateway: &Gateway, inbound: &Inbound) {
    let Inbound::Message { flow, bytes, .. } = inbound else { panic!("{inbound:?}") };
    endpoint.receive(Instant::now(), *flow, bytes);
    while let Some(output) = endpoint.poll() {
        if let Output::Transmit { flow, bytes } = output {
            gateway.send(flow, bytes);
        }
    }
}

#[tokio::test]
async fn while_no_name_server_answers_everybody_else_is_answered_at_once() {
    const PINGS: usize = 100;
    // It is there and says nothing, which takes longer to notice than a closed port.
    let mute = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let bind = vec!["127.0.0.1:0".parse().unwrap()];
    let name_servers = vec![mute.local_addr().unwrap()];
    let settings = Settings { bind, name_servers, ..Settings::default() };
    let (gateway, mut inbound) = Gateway::bind(settings).await.unwrap();
    let mut endpoint = Endpoint::new(Config::new(gateway.listeners().to_vec()), 1);
    // More calls to names than are looked up at once.
    for number in 0..2 * RESOLVES_MAX {
        let from = NameAddr::new("", "sip:alice@localhost".parse::<Uri>().unwrap());
        let target = format!("sip:bob@host-{number}.example").parse().unwrap();
        endpoint.invite(Instant::now(), Invite::new(target, from, Vec::new())).unwrap();
    }
    let mut asked = 0;
    while let Some(output) = endpoint.poll() {
        let Output::Resolve { id, host, port, transports } = output else { panic!("{output:?}") };
        gateway.resolve(id, host, port, transports);
        asked += 1;
    }
    assert_eq!(asked, 2 * RESOLVES_MAX);
    // Those over the bound are told so; the others wait.
    for _ in 0..RESOLVES_MAX {
        let told = inbound.recv().await.unwrap();
        assert!(matches!(&told, Inbound::Resolved { servers, .. } if servers.is_empty()));
    }
    assert_eq!(gateway.stats().lookups_refused, RESOLVES_MAX as u64);

    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (own, server) = (phone.local_addr().unwrap(), gateway.listeners()[0].1);
    let mut waits = Vec::new();
    for number in 0..PINGS {
        let ping = format!(
            "OPTIONS sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{number}\r\n\
             From: <sip:ping@{own}>;tag=1\r\nTo: <sip:{server}>\r\nCall-ID: {own}\r\n\
             CSeq: {number} OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        let began = Instant::now();
        phone.send_to(ping.as_bytes(), server).await.unwrap();
        let asked = tokio::time::timeout(PATIENCE, inbound.recv()).await.unwrap().unwrap();
        serve_one(&mut endpoint, &gateway, &asked);
        let mut answer = [0; 1_000];
        let received = tokio::time::timeout(PATIENCE, phone.recv(&mut answer)).await;
        let length = received.unwrap().unwrap();
        waits.push(began.elapsed());
        assert!(answer[..length].starts_with(b"SIP/2.0 200 "));
    }
    waits.sort();
    println!("median {:?}, slowest {:?}", waits[PINGS / 2], waits[PINGS - 1]);
    assert!(waits[PINGS / 2] < Duration::from_millis(20), "{waits:?}");
}
