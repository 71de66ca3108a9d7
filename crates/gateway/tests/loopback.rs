//! A gateway on the loopback, with plain sockets as its peers.
#![expect(clippy::unwrap_used, reason = "a test's hands may fail with it")]
#![expect(clippy::disallowed_methods, reason = "the endpoint must be told a time")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use gateway::limits::DATAGRAM_BYTES_MAX;
use gateway::{Gateway, GatewayStats, Inbound, Settings};
use sip::message::{NameAddr, Uri};
use sip::{Config, ConnectionId, Endpoint, Flow, Invite, Output, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc::Receiver;

const OPTIONS: &[u8] = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 4\r\n\r\nbody";
const OK: &[u8] = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n";
/// Longer than anything here can take; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_datagram_comes_with_its_flow_and_its_answer_goes_back() {
    let mut house = house(Settings::default()).await;
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    phone.send_to(OPTIONS, house.address).await.unwrap();
    let (flow, bytes) = house.message().await;
    assert_eq!(bytes, OPTIONS);
    assert_eq!(
        flow,
        Flow {
            transport: Transport::Udp,
            local: house.address,
            remote: phone.local_addr().unwrap(),
            connection: None
        }
    );
    house.gateway.send(flow, OK.to_vec());
    let mut buffer = [0; 1_000];
    let (length, from) = phone.recv_from(&mut buffer).await.unwrap();
    assert_eq!((&buffer[..length], from), (OK, house.address));
    let stats = house.gateway.stats();
    assert_eq!((stats.messages_in, stats.messages_out), (1, 1));
}

#[tokio::test]
async fn a_message_has_waited_since_the_kernel_took_it() {
    const WAIT: Duration = Duration::from_millis(50);
    let mut house = house(Settings::default()).await;
    let phone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    phone.send_to(OPTIONS, house.address).unwrap();
    // The one thread of this runtime, and so whoever reads the socket.
    std::thread::sleep(WAIT);
    let next = tokio::time::timeout(PATIENCE, house.inbound.recv()).await.unwrap();
    let Some(Inbound::Message { at, .. }) = next else { panic!("{next:?}") };
    assert!(at.elapsed() >= WAIT, "{:?}", at.elapsed());
}

#[tokio::test]
async fn keepalives_over_udp_are_counted_and_go_no_further() {
    let mut house = house(Settings::default()).await;
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for keepalive in [&b""[..], b"\r\n\r\n", b"\0\0\0\0"] {
        phone.send_to(keepalive, house.address).await.unwrap();
    }
    phone.send_to(OPTIONS, house.address).await.unwrap();
    assert_eq!(house.message().await.1, OPTIONS);
    assert_eq!(house.gateway.stats().keepalives, 3);
}

#[tokio::test]
async fn a_phone_learns_its_outer_address_on_the_sip_port() {
    let house = house(Settings::default()).await;
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = phone.local_addr().unwrap().port();
    let mut request = vec![0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42];
    request.extend(b"transaction!");
    phone.send_to(&request, house.address).await.unwrap();
    let mut buffer = [0; 100];
    let (length, from) = phone.recv_from(&mut buffer).await.unwrap();
    assert_eq!((length, from), (32, house.address));
    assert_eq!(buffer[4..20], request[4..]);
    assert_eq!(u16::from_be_bytes([buffer[26], buffer[27]]) ^ 0x2112, port);
    assert_eq!(house.gateway.stats().messages_in, 0, "the endpoint does not see it");
}

#[tokio::test]
async fn a_phone_is_served_over_ipv6() {
    let settings = Settings { bind: vec!["[::1]:0".parse().unwrap()], ..Settings::default() };
    let (gateway, mut inbound) = Gateway::bind(settings).await.unwrap();
    let server = gateway.listeners()[0].1;
    let phone = UdpSocket::bind("[::1]:0").await.unwrap();
    phone.send_to(OPTIONS, server).await.unwrap();
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(OPTIONS).await.unwrap();
    for _ in 0..2 {
        let next = tokio::time::timeout(PATIENCE, inbound.recv()).await.unwrap();
        let Some(Inbound::Message { flow, .. }) = next else { panic!("{next:?}") };
        assert!(flow.remote.is_ipv6() && flow.local == server, "{flow:?}");
        gateway.send(flow, OK.to_vec());
    }
    assert_eq!(read(&mut stream, OK.len()).await, OK);
    let mut buffer = [0; 100];
    assert_eq!(phone.recv(&mut buffer).await.unwrap(), OK.len());
}

#[tokio::test]
async fn datagrams_beyond_the_queue_are_dropped_and_counted() {
    let settings = Settings { inbound_queued_max: 4, ..Settings::default() };
    let mut house = house(settings).await;
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for _ in 0..10 {
        phone.send_to(OPTIONS, house.address).await.unwrap();
    }
    house.until(|stats| stats.messages_in == 10).await;
    assert_eq!(house.gateway.stats().datagrams_dropped, 6);
    for _ in 0..4 {
        house.message().await;
    }
}

#[tokio::test]
async fn a_datagram_that_cannot_be_sent_is_unreachable() {
    let mut house = house(Settings::default()).await;
    let flow = Flow {
        transport: Transport::Udp,
        local: house.address,
        remote: "127.0.0.1:9".parse().unwrap(),
        connection: None,
    };
    house.gateway.send(flow, vec![b'x'; DATAGRAM_BYTES_MAX]);
    assert_eq!(house.next().await, Inbound::Unreachable { flow });
    let foreign = Flow { local: "127.0.0.9:1".parse().unwrap(), ..flow };
    house.gateway.send(foreign, OK.to_vec());
    assert_eq!(house.next().await, Inbound::Unreachable { flow: foreign });
    assert_eq!(house.gateway.stats().unreachable, 2);
}

#[tokio::test]
async fn messages_are_whole_however_the_stream_is_cut() {
    let mut house = house(Settings::default()).await;
    let mut phone = TcpStream::connect(house.address).await.unwrap();
    phone.set_nodelay(true).unwrap();
    phone.write_all(&[OPTIONS, OK].concat()).await.unwrap();
    assert_eq!(house.message().await.1, OPTIONS);
    assert_eq!(house.message().await.1, OK);
    for piece in [&OPTIONS[..7], &OPTIONS[7..45], &OPTIONS[45..]] {
        phone.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    let (flow, bytes) = house.message().await;
    assert_eq!(bytes, OPTIONS);
    assert_eq!((flow.transport, flow.local), (Transport::Tcp, house.address));
    assert_eq!(flow.remote, phone.local_addr().unwrap());
    house.gateway.send(flow, OK.to_vec());
    assert_eq!(read(&mut phone, OK.len()).await, OK);
    house.gateway.send(Flow { connection: None, ..flow }, OPTIONS.to_vec());
    assert_eq!(read(&mut phone, OPTIONS.len()).await, OPTIONS, "it is the way to that peer");
}

#[tokio::test]
async fn a_connection_that_closes_is_reported() {
    let mut house = house(Settings::default()).await;
    let mut phone = TcpStream::connect(house.address).await.unwrap();
    phone.write_all(OK).await.unwrap();
    let connection = house.message().await.0.connection.unwrap();
    assert_eq!(house.gateway.stats().connections_open, 1);
    drop(phone);
    assert_eq!(house.next().await, Inbound::ConnectionClosed(connection));
    let stats = house.gateway.stats();
    assert_eq!((stats.connections_open, stats.connections_slow), (0, 0));
}

#[tokio::test]
async fn a_keepalive_over_tcp_is_answered() {
    let house = house(Settings::default()).await;
    let mut phone = TcpStream::connect(house.address).await.unwrap();
    phone.write_all(b"\r\n\r\n").await.unwrap();
    assert_eq!(read(&mut phone, 2).await, b"\r\n");
    assert_eq!(house.gateway.stats().keepalives, 1);
}

#[tokio::test]
async fn a_stranger_who_says_nothing_whole_is_cut() {
    let settings = Settings {
        first_message_within: Duration::from_millis(50),
        message_within: 2 * PATIENCE,
        ..Settings::default()
    };
    let mut house = house(settings).await;
    let mut phone = TcpStream::connect(house.address).await.unwrap();
    phone.write_all(&OPTIONS[..20]).await.unwrap();
    assert!(read_to_end(&mut phone).await.is_empty());
    assert!(matches!(house.next().await, Inbound::ConnectionClosed(_)));
    assert_eq!(house.gateway.stats().connections_slow, 1);
}

#[tokio::test]
async fn a_peer_that_does_not_finish_its_message_is_cut() {
    let settings = Settings { message_within: Duration::from_millis(50), ..Settings::default() };
    let mut house = house(settings).await;
    let mut phone = TcpStream::connect(house.address).await.unwrap();
    phone.write_all(&[OPTIONS, &OPTIONS[..20]].concat()).await.unwrap();
    house.message().await;
    assert!(read_to_end(&mut phone).await.is_empty());
    assert!(matches!(house.next().await, Inbound::ConnectionClosed(_)));
    assert_eq!(house.gateway.stats().connections_slow, 1);
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_cut_and_each_message_is_sent_or_unreachable() {
    let settings = Settings { write_within: Duration::from_millis(50), ..Settings::default() };
    let mut house = house(settings).await;
    let mut phone = TcpStream::connect(house.address).await.unwrap();
    phone.write_all(OK).await.unwrap();
    let (flow, _) = house.message().await;
    let connection = flow.connection.unwrap();
    let large = vec![b'x'; 60_000];
    let mut handed = 0;
    let mut unreachable = 0;
    // The buffers of the kernel take some megabytes before the peer is felt not to read.
    while unreachable == 0 {
        house.gateway.send(flow, large.clone());
        handed += 1;
        tokio::task::yield_now().await;
        if let Ok(inbound) = house.inbound.try_recv() {
            assert_eq!(inbound, Inbound::Unreachable { flow });
            unreachable += 1;
        }
        assert!(handed < 100_000, "somebody must have noticed");
    }
    loop {
        match house.next().await {
            Inbound::Unreachable { flow: told } if told == flow => unreachable += 1,
            Inbound::ConnectionClosed(closed) if closed == connection => break,
            other @ (Inbound::Unreachable { .. }
            | Inbound::ConnectionClosed(_)
            | Inbound::Message { .. }
            | Inbound::Resolved { .. }) => panic!("{other:?}"),
        }
    }
    let stats = house.gateway.stats();
    assert_eq!((stats.connections_open, stats.connections_slow), (0, 1));
    assert_eq!((stats.unreachable, stats.messages_out + unreachable), (unreachable, handed));
}

#[tokio::test]
async fn what_is_not_sip_or_too_large_is_closed() {
    let mut house = house(Settings::default()).await;
    let endless = [&b"OPTIONS sip:a SIP/2.0\r\n"[..], &b"a: b\r\n".repeat(12_000)].concat();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &endless, &[0xff; 20_000]] {
        let mut phone = TcpStream::connect(house.address).await.unwrap();
        phone.write_all(garbage).await.unwrap();
        assert!(matches!(house.next().await, Inbound::ConnectionClosed(_)));
    }
    let stats = house.gateway.stats();
    assert_eq!((stats.connections_garbage, stats.messages_in), (3, 0));
    let mut phone = TcpStream::connect(house.address).await.unwrap();
    phone.write_all(OK).await.unwrap();
    assert_eq!(house.message().await.1, OK, "others are served");
}

#[tokio::test]
async fn a_message_without_usable_length_is_answered_before_its_connection_closes() {
    let mut house = house(Settings::default()).await;
    let mut phone = TcpStream::connect(house.address).await.unwrap();
    phone.write_all(b"BYE sip:a SIP/2.0\r\nContent-Length: many\r\n\r\n").await.unwrap();
    let (flow, _) = house.message().await;
    house.gateway.send(flow, OK.to_vec());
    assert_eq!(read_to_end(&mut phone).await, OK);
    assert_eq!(house.next().await, Inbound::ConnectionClosed(flow.connection.unwrap()));
}

#[tokio::test]
async fn a_peer_that_has_ended_its_side_is_still_answered() {
    let mut house = house(Settings::default()).await;
    let mut phone = TcpStream::connect(house.address).await.unwrap();
    phone.write_all(OPTIONS).await.unwrap();
    phone.shutdown().await.unwrap();
    let (flow, _) = house.message().await;
    house.gateway.send(flow, OK.to_vec());
    assert_eq!(read_to_end(&mut phone).await, OK);
}

#[tokio::test]
async fn one_address_gets_so_many_connections_and_no_more() {
    let settings = Settings { connections_per_ip_max: 2, ..Settings::default() };
    let mut house = house(settings).await;
    let mut phones = Vec::new();
    for _ in 0..2 {
        let mut phone = TcpStream::connect(house.address).await.unwrap();
        phone.write_all(OK).await.unwrap();
        house.message().await;
        phones.push(phone);
    }
    let mut third = TcpStream::connect(house.address).await.unwrap();
    assert!(read_to_end(&mut third).await.is_empty());
    let limits = house.gateway.stats().limits();
    assert!(limits.contains(&("connections_per_address", 1)), "{limits:?}");
    phones.pop();
    assert!(matches!(house.next().await, Inbound::ConnectionClosed(_)));
    let mut fourth = TcpStream::connect(house.address).await.unwrap();
    fourth.write_all(OK).await.unwrap();
    house.message().await;
}

#[tokio::test]
async fn a_connection_is_opened_once_and_used_for_all_that_goes_to_that_peer() {
    let mut house = house(Settings::default()).await;
    let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let flow = house.to(peer.local_addr().unwrap());
    house.gateway.send(flow, OPTIONS.to_vec());
    house.gateway.send(flow, OK.to_vec());
    let (mut stream, _) = peer.accept().await.unwrap();
    let both = [OPTIONS, OK].concat();
    assert_eq!(read(&mut stream, both.len()).await, both);
    stream.write_all(OK).await.unwrap();
    let (answered, bytes) = house.message().await;
    assert_eq!(bytes, OK);
    assert_eq!(Flow { connection: None, ..answered }, flow);
    house.gateway.send(answered, OPTIONS.to_vec());
    assert_eq!(read(&mut stream, OPTIONS.len()).await, OPTIONS);
    assert_eq!(house.gateway.stats().connections_open, 1);
}

#[tokio::test]
async fn a_peer_that_is_not_there_is_unreachable() {
    let mut house = house(Settings::default()).await;
    let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let flow = house.to(peer.local_addr().unwrap());
    drop(peer);
    house.gateway.send(flow, OPTIONS.to_vec());
    house.gateway.send(flow, OPTIONS.to_vec());
    assert_eq!(house.next().await, Inbound::Unreachable { flow });
    assert_eq!(house.next().await, Inbound::Unreachable { flow });
    assert_eq!(house.next().await, Inbound::ConnectionClosed(ConnectionId(1)));
    assert_eq!(house.gateway.stats().connections_open, 0);
}

#[tokio::test]
async fn a_lookup_is_answered_with_what_a_listener_can_reach() {
    let mut house = house(Settings::default()).await;
    let mut endpoint = Endpoint::new(Config::new(house.gateway.listeners().to_vec()), 1);
    for host in ["localhost", "no.such.name.invalid"] {
        let to = format!("sip:bob@{host}").parse::<Uri>().unwrap();
        let from = NameAddr::new("", "sip:alice@localhost".parse::<Uri>().unwrap());
        let invite = Invite::new(to, from, Vec::new());
        endpoint.invite(Instant::now(), invite).unwrap();
        let Some(Output::Resolve { id, host, port, transports }) = endpoint.poll() else {
            panic!("a name to be looked up")
        };
        house.gateway.resolve(id, host.clone(), port, transports);
        let address = "127.0.0.1:5060".parse().unwrap();
        let servers = match host.as_str() {
            "localhost" => vec![sip::Server { transport: Transport::Udp, address }],
            _ => vec![],
        };
        assert_eq!(house.next().await, Inbound::Resolved { id, servers });
    }
    assert_eq!(house.gateway.stats().names_unresolved, 1);
}

#[tokio::test]
async fn what_waits_is_written_when_the_gateway_is_dropped() {
    let mut house = house(Settings::default()).await;
    let mut phone = TcpStream::connect(house.address).await.unwrap();
    phone.write_all(OPTIONS).await.unwrap();
    let (flow, _) = house.message().await;
    house.gateway.send(flow, OK.to_vec());
    drop(house.gateway);
    assert_eq!(read_to_end(&mut phone).await, OK);
    assert_eq!(
        house.inbound.recv().await,
        Some(Inbound::ConnectionClosed(flow.connection.unwrap()))
    );
    assert_eq!(house.inbound.recv().await, None);
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    assert_eq!(
        refusal(address).await,
        format!("SIP cannot listen on {address} (udp): address in use")
    );
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    assert_eq!(
        refusal(address).await,
        format!("SIP cannot listen on {address} (tcp): address in use")
    );
    assert_eq!(
        refusal("192.0.2.1:5060".parse().unwrap()).await,
        "SIP cannot listen on 192.0.2.1:5060 (udp): not an address of this machine"
    );
}

#[tokio::test]
async fn a_wildcard_listens_on_the_addresses_of_this_machine() {
    let settings = Settings { bind: vec!["0.0.0.0:0".parse().unwrap()], ..Settings::default() };
    let (gateway, _inbound) = Gateway::bind(settings).await.unwrap();
    let listeners = gateway.listeners();
    assert!(listeners.iter().all(|(_, address)| !address.ip().is_unspecified()));
    for pair in listeners.chunks(2) {
        assert_eq!((pair[0].0, pair[1].0), (Transport::Udp, Transport::Tcp));
        assert_eq!(pair[0].1, pair[1].1, "both transports have one port");
        assert_ne!(pair[0].1.port(), 0);
    }
    assert!(listeners.last().unwrap().1.ip().is_loopback());
}

struct House {
    gateway: Gateway,
    inbound: Receiver<Inbound>,
    address: SocketAddr,
}

async fn house(settings: Settings) -> House {
    let settings = Settings { bind: vec!["127.0.0.1:0".parse().unwrap()], ..settings };
    let (gateway, inbound) = Gateway::bind(settings).await.unwrap();
    let address = gateway.listeners()[0].1;
    House { gateway, inbound, address }
}

impl House {
    async fn next(&mut self) -> Inbound {
        tokio::time::timeout(PATIENCE, self.inbound.recv()).await.unwrap().unwrap()
    }

    async fn message(&mut self) -> (Flow, Vec<u8>) {
        let next = self.next().await;
        let Inbound::Message { flow, bytes, .. } = next else { panic!("{next:?}") };
        (flow, bytes)
    }

    async fn until(&self, seen: impl Fn(GatewayStats) -> bool) {
        let look = async {
            while !seen(self.gateway.stats()) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap();
    }

    fn to(&self, remote: SocketAddr) -> Flow {
        Flow { transport: Transport::Tcp, local: self.address, remote, connection: None }
    }
}

async fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut bytes)).await.unwrap().unwrap();
    bytes
}

/// What comes until the other side closes or resets.
async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap();
    match end {
        Ok(_) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => bytes,
        Err(error) => panic!("{error}"),
    }
}

async fn refusal(address: SocketAddr) -> String {
    let settings = Settings { bind: vec![address], ..Settings::default() };
    Gateway::bind(settings).await.unwrap_err().to_string()
}
