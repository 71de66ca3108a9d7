//! Calls that nobody can overhear on the way, and the transport of browsers.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::baresip::{Caller, Codec, listen};
use crate::server::Server;
use crate::{PATIENCE, shared_machine};

/// How long they talk [ms].
const TALK_MS: u64 = 1_000;

#[test]
fn a_phone_calls_over_tls_and_is_hung_up_over_it() {
    let _machine = shared_machine();
    let server = Server::start_with_tls();
    let ada = Caller { name: "ada", codec: Codec::PCMU, transport: "tls", tone_hz: 437.0 };
    let ben = Caller { name: "ben", codec: Codec::PCMA, transport: "udp", tone_hz: 577.0 };
    let mut phones = [ada, ben].map(|caller| caller.call(&server, "room"));
    let view = server.connected("room", 2);
    listen(&phones, TALK_MS);
    let mut parties = view["parties"].as_array().unwrap().iter();
    let ada = parties.find(|party| party["address"].as_str().unwrap().contains("ada@")).unwrap();
    let id = ada["id"].as_str().unwrap();
    // Our BYE goes along the connection that the phone opened; it listens nowhere else.
    server.ask("DELETE", &format!("conferences/room/parties/{id}"), "");
    server.connected("room", 1);
    crate::until("the BYE's answer", || {
        let series = r#"convoke_sip_requests_total{method="BYE",code="200"}"#;
        (server.metric(series) >= 1.0).then_some(())
    });
    phones[0].hang_up();
}

#[test]
fn a_browser_is_let_in_by_websocket_from_our_own_pages() {
    let _machine = shared_machine();
    let server = Server::start_with_tls();
    let websocket = server.tls.as_ref().unwrap().websocket;
    for (origin, status) in [("http://127.0.0.1:8080", "101"), ("https://evil.example", "403")] {
        let mut stream = TcpStream::connect(websocket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {websocket}\r\nOrigin: {origin}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), format!("HTTP/1.1 {status}"), "{origin}");
    }
}
