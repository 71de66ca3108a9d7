//! Peers that are gone, or come in crowds.
#![expect(clippy::unwrap_used, reason = "a test's hands may fail with it")]

use std::net::SocketAddr;
use std::time::Duration;

use gateway::limits::{CONNECTIONS_BURST_MAX, CONNECTIONS_PER_IP_MAX};
use gateway::{Gateway, Inbound, Settings};
use sip::{Flow, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

const OPTIONS: &[u8] = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 4\r\n\r\nbody";
const OK: &[u8] = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n";
/// Longer than anything here can take; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(20);
/// Within which what a peer has done is seen, and shorter than an answer lingers.
const SOON: Duration = Duration::from_millis(100);

async fn gateway() -> (Gateway, Receiver<Inbound>, SocketAddr) {
    let bind = vec!["127.0.0.1:0".parse().unwrap()];
    let (gateway, inbound) = Gateway::bind(Settings { bind, ..Settings::default() }).await.unwrap();
    let address = gateway.listeners()[0].1;
    (gateway, inbound, address)
}

async fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    timeout(PATIENCE, stream.read_exact(&mut bytes)).await.unwrap().unwrap();
    bytes
}

/// A trunk that is restarted closes its connections, and calls go to it at that moment.
#[tokio::test]
async fn what_goes_to_a_peer_that_has_closed_goes_by_a_new_connection() {
    let (gateway, _inbound, local) = gateway().await;
    let trunk = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = trunk.local_addr().unwrap();
    let flow = Flow { transport: Transport::Tcp, local, remote, connection: None };
    gateway.send(flow, OPTIONS.to_vec());
    let (mut first, _) = trunk.accept().await.unwrap();
    read(&mut first, OPTIONS.len()).await;
    drop(first);
    tokio::time::sleep(SOON).await;
    gateway.send(flow, OPTIONS.to_vec());
    let (mut second, _) = timeout(PATIENCE, trunk.accept()).await.unwrap().unwrap();
    assert_eq!(read(&mut second, OPTIONS.len()).await, OPTIONS);
}

#[tokio::test]
async fn a_request_does_not_go_by_a_connection_whose_peer_could_not_answer_by_it() {
    let (gateway, mut inbound, local) = gateway().await;
    let mut phone = TcpStream::connect(local).await.unwrap();
    phone.write_all(OPTIONS).await.unwrap();
    let Some(Inbound::Message { flow, .. }) = inbound.recv().await else { panic!("a message") };
    phone.shutdown().await.unwrap();
    tokio::time::sleep(SOON).await;
    gateway.send(flow, OPTIONS.to_vec());
    let told = timeout(PATIENCE, inbound.recv()).await.unwrap();
    assert_eq!(told, Some(Inbound::Unreachable { flow }), "nobody listens at its port");
    // What it has asked is answered all the same.
    let mut other = TcpStream::connect(local).await.unwrap();
    other.write_all(OPTIONS).await.unwrap();
    let asked = async {
        loop {
            match inbound.recv().await {
                Some(Inbound::Message { flow, .. }) => break flow,
                Some(_) => {}
                None => panic!("the gateway has ended"),
            }
        }
    };
    let flow = timeout(PATIENCE, asked).await.unwrap();
    other.shutdown().await.unwrap();
    tokio::time::sleep(SOON).await;
    gateway.send(flow, OK.to_vec());
    assert_eq!(read(&mut other, OK.len()).await, OK);
}

/// Each costs a handshake, where there is TLS, and they would take the time of all calls.
#[tokio::test]
async fn who_comes_and_goes_too_often_is_not_let_in_for_a_while() {
    let (gateway, _inbound, local) = gateway().await;
    let burst = usize::try_from(CONNECTIONS_BURST_MAX).unwrap();
    assert!(burst >= CONNECTIONS_PER_IP_MAX, "all of one office may come back at once");
    let crowd = async {
        while gateway.stats().connections_refused_rate == 0 {
            drop(TcpStream::connect(local).await.unwrap());
        }
    };
    timeout(PATIENCE, crowd).await.unwrap();
    let limits = gateway.stats().limits();
    assert!(limits.iter().any(|(name, _)| *name == "connection_rate"), "{limits:?}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut later = TcpStream::connect(local).await.unwrap();
    later.write_all(b"\r\n\r\n").await.unwrap();
    assert_eq!(read(&mut later, 2).await, b"\r\n", "it is heard again");
}
