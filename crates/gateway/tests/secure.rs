//! TLS and WebSocket on the loopback.
#![expect(clippy::unwrap_used, reason = "a test's hands may fail with it")]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use gateway::{ClientCertificates, Gateway, Inbound, Settings, TlsSettings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sip::{Flow, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Receiver;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

const OPTIONS: &[u8] = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 4\r\n\r\nbody";
const OK: &[u8] = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n";
/// Longer than anything here can take; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a root, and certificates by it.
struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = format!("convoke-tls-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir(&folder).unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.join("root.pem"), issuer.pem()).unwrap();
        Authority { folder, issuer }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// Writes `server.pem` and `server.key`, for this name.
    fn certify(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path("server.pem"), certificate.pem()).unwrap();
        std::fs::write(self.path("server.key"), key.serialize_pem()).unwrap();
    }

    fn settings(&self) -> TlsSettings {
        TlsSettings {
            bind: vec!["127.0.0.1:0".parse().unwrap()],
            certificate: self.path("server.pem"),
            key: self.path("server.key"),
            clients: ClientCertificates::Unasked,
            roots: Some(self.path("root.pem")),
        }
    }

    fn chain(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = CertificateDer::pem_file_iter(self.path("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.path("server.key")).unwrap();
        (chain.map(Result::unwrap).collect(), key)
    }

    async fn phone(&self, server: SocketAddr, certified: bool) -> std::io::Result<Phone> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("root.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match certified {
            true => {
                let (chain, key) = self.chain();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
            false => builder.with_no_client_auth(),
        };
        let stream = TcpStream::connect(server).await?;
        let name = ServerName::try_from("pbx.example").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// A server of somebody else, with this authority's certificate.
    fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let (chain, key) = self.chain();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

type Phone = TlsStream<TcpStream>;

struct House {
    gateway: Gateway,
    inbound: Receiver<Inbound>,
}

impl House {
    async fn new(settings: Settings) -> House {
        let (gateway, inbound) = Gateway::bind(settings).await.unwrap();
        House { gateway, inbound }
    }

    async fn with_tls(tls: TlsSettings) -> House {
        House::new(Settings { tls: Some(tls), ..Settings::default() }).await
    }

    fn at(&self, transport: Transport) -> SocketAddr {
        let found = self.gateway.listeners().iter().find(|(kind, _)| *kind == transport);
        found.unwrap().1
    }

    async fn next(&mut self) -> Inbound {
        tokio::time::timeout(PATIENCE, self.inbound.recv()).await.unwrap().unwrap()
    }

    async fn message(&mut self) -> (Flow, Vec<u8>) {
        let next = self.next().await;
        let Inbound::Message { flow, bytes, .. } = next else { panic!("{next:?}") };
        (flow, bytes)
    }
}

async fn read(stream: &mut (impl AsyncReadExt + Unpin), length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut bytes)).await.unwrap().unwrap();
    bytes
}

#[tokio::test]
async fn a_phone_speaks_and_is_answered_over_tls() {
    let authority = Authority::new();
    authority.certify("pbx.example");
    let mut house = House::with_tls(authority.settings()).await;
    let mut phone = authority.phone(house.at(Transport::Tls), false).await.unwrap();
    phone.write_all(&[OPTIONS, b"\r\n\r\n"].concat()).await.unwrap();
    let (flow, bytes) = house.message().await;
    assert_eq!((flow.transport, bytes.as_slice()), (Transport::Tls, OPTIONS));
    assert_eq!(read(&mut phone, 2).await, b"\r\n");
    house.gateway.send(flow, OK.to_vec());
    assert_eq!(read(&mut phone, OK.len()).await, OK);
    drop(house.gateway);
    let mut rest = Vec::new();
    phone.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"", "the farewell of TLS came, or reading would have failed");
}

#[tokio::test]
async fn a_certificate_written_anew_is_shown_to_those_who_come_later() {
    let authority = Authority::new();
    authority.certify("pbx.example");
    let mut house = House::with_tls(authority.settings()).await;
    let server = house.at(Transport::Tls);
    let shown = |phone: &Phone| phone.get_ref().1.peer_certificates().unwrap()[0].clone();
    let mut early = authority.phone(server, false).await.unwrap();
    std::fs::write(authority.path("server.pem"), "half written").unwrap();
    let error = house.gateway.certificates().reload().unwrap_err().to_string();
    assert!(error.contains("server.pem: it has no certificate"), "{error}");
    let still = authority.phone(server, false).await.unwrap();
    assert_eq!(shown(&still), shown(&early), "what cannot be used changes nothing");
    authority.certify("pbx.example");
    house.gateway.certificates().reload().unwrap();
    let late = authority.phone(server, false).await.unwrap();
    assert_ne!(shown(&late), shown(&early));
    early.write_all(OPTIONS).await.unwrap();
    assert_eq!(house.message().await.1, OPTIONS, "who was there before stays");
}

/// Nobody who checks it would come in, but a start is not to fail for all others.
#[tokio::test]
async fn a_certificate_that_is_over_takes_the_place_of_none_and_does_not_end_a_start() {
    let authority = Authority::new();
    authority.certify("pbx.example");
    let house = House::with_tls(authority.settings()).await;
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["pbx.example".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2_021, 5, 6);
    let certificate = params.signed_by(&key, &authority.issuer).unwrap();
    std::fs::write(authority.path("server.pem"), certificate.pem()).unwrap();
    std::fs::write(authority.path("server.key"), key.serialize_pem()).unwrap();
    let told = house.gateway.certificates().reload().unwrap_err().to_string();
    assert!(told.contains("server.pem") && told.contains("since 2021-05-06"), "{told}");
    let settings = Settings { tls: Some(authority.settings()), ..Settings::default() };
    let (gateway, _inbound) = Gateway::bind(settings).await.unwrap();
    assert!(gateway.listeners().iter().any(|(kind, _)| *kind == Transport::Tls));
}

#[tokio::test]
async fn a_peer_without_a_certificate_stays_out_where_one_is_required() {
    let authority = Authority::new();
    authority.certify("pbx.example");
    let clients = ClientCertificates::Required(authority.path("root.pem"));
    let mut house = House::with_tls(TlsSettings { clients, ..authority.settings() }).await;
    let server = house.at(Transport::Tls);
    // With TLS 1.3 the client learns of the refusal when it reads.
    let refused = async {
        let mut phone = authority.phone(server, false).await?;
        phone.write_all(OPTIONS).await?;
        phone.read_u8().await
    };
    assert!(refused.await.is_err());
    assert!(matches!(house.next().await, Inbound::ConnectionClosed(_)));
    let mut phone = authority.phone(server, true).await.unwrap();
    phone.write_all(OPTIONS).await.unwrap();
    assert_eq!(house.message().await.1, OPTIONS);
}

#[tokio::test]
async fn a_peer_that_stops_in_the_handshake_is_cut() {
    let authority = Authority::new();
    authority.certify("pbx.example");
    let settings = Settings {
        tls: Some(authority.settings()),
        first_message_within: Duration::from_millis(50),
        ..Settings::default()
    };
    let mut house = House::new(settings).await;
    let mut phone = TcpStream::connect(house.at(Transport::Tls)).await.unwrap();
    phone.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
    assert!(matches!(house.next().await, Inbound::ConnectionClosed(_)));
    assert_eq!(house.gateway.stats().connections_slow, 1);
}

/// A ClientHello by hand (RFC 5246 §7.4.1.2), for no library of today offers what is tried here:
/// the highest version, and the suites.
fn client_hello(version: u16, suites: &[u16]) -> Vec<u8> {
    let with_length = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes(), bytes].concat();
    let words = |words: &[u16]| {
        with_length(&words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<_>>())
    };
    let extension =
        |kind: u16, bytes: &[u8]| [&kind.to_be_bytes(), &with_length(bytes)[..]].concat();
    let extensions = [
        // supported_groups: secp256r1, x25519.
        extension(10, &words(&[23, 29])),
        // ec_point_formats: uncompressed.
        extension(11, &[1, 0]),
        // signature_algorithms: ECDSA and RSA with SHA-256, and what TLS 1.0 had, with SHA-1.
        extension(13, &words(&[0x0403, 0x0401, 0x0203, 0x0201])),
    ];
    let body = [
        &version.to_be_bytes()[..],
        &[7; 32],
        // No session.
        &[0],
        &words(suites),
        // No compression.
        &[1, 0],
        &with_length(&extensions.concat()),
    ]
    .concat();
    let handshake = [&[1, 0][..], &with_length(&body)].concat();
    [&[0x16, 3, 1][..], &with_length(&handshake)].concat()
}

#[tokio::test]
async fn old_versions_of_tls_and_weak_ciphers_are_refused() {
    const HANDSHAKE: u8 = 22;
    const ALERT: u8 = 21;
    const FATAL: u8 = 2;
    const HANDSHAKE_FAILURE: u8 = 40;
    const PROTOCOL_VERSION: u8 = 70;
    /// TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, which goes with the certificate here.
    const GOOD: u16 = 0xc02b;
    /// Those with CBC, RC4, 3DES, export keys or no encryption, and those without forward secrecy.
    const WEAK: [u16; 11] =
        [0xc009, 0xc00a, 0xc023, 0xc007, 0xc008, 0xc006, 0x002f, 0x009c, 0x0005, 0x000a, 0x0003];
    let authority = Authority::new();
    authority.certify("pbx.example");
    let house = House::with_tls(authority.settings()).await;
    let answer = async |version, suites: &[u16]| {
        let mut phone = TcpStream::connect(house.at(Transport::Tls)).await.unwrap();
        phone.write_all(&client_hello(version, suites)).await.unwrap();
        let record = read(&mut phone, 7).await;
        (record[0], [record[5], record[6]])
    };
    // The same by TLS 1.2 with a suite of today is met with a ServerHello, so it is read well.
    let all = [&[GOOD], &WEAK[..]].concat();
    let (kind, [hello, _]) = answer(0x0303, &all).await;
    assert_eq!((kind, hello), (HANDSHAKE, 2));
    // SSL 3.0, TLS 1.0 and TLS 1.1.
    for version in [0x0300, 0x0301, 0x0302] {
        assert_eq!(answer(version, &all).await, (ALERT, [FATAL, PROTOCOL_VERSION]), "{version:x}");
    }
    for suite in WEAK {
        let refused = (ALERT, [FATAL, HANDSHAKE_FAILURE]);
        assert_eq!(answer(0x0303, &[suite]).await, refused, "{suite:x}");
    }
}

#[tokio::test]
async fn a_callee_must_be_certified_for_the_name_that_was_called() {
    let authority = Authority::new();
    for (name, welcome) in [("localhost", true), ("other.example", false)] {
        authority.certify(name);
        let mut house = House::with_tls(authority.settings()).await;
        let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = peer.local_addr().unwrap();
        let id = lookup(&house);
        let tls = sip::Transports::Named(Transport::Tls);
        house.gateway.resolve(id, "localhost".into(), Some(remote.port()), tls);
        let servers = vec![sip::Server { transport: Transport::Tls, address: remote }];
        assert_eq!(house.next().await, Inbound::Resolved { id, servers });
        let local = house.at(Transport::Tls);
        let flow = Flow { transport: Transport::Tls, local, remote, connection: None };
        house.gateway.send(flow, OPTIONS.to_vec());
        let (stream, _) = peer.accept().await.unwrap();
        let accepted = authority.acceptor().accept(stream).await;
        if welcome {
            let mut stream = accepted.unwrap();
            assert_eq!(read(&mut stream, OPTIONS.len()).await, OPTIONS);
            stream.write_all(OK).await.unwrap();
            stream.flush().await.unwrap();
            assert_eq!(house.message().await.1, OK);
        } else {
            assert_eq!(house.next().await, Inbound::Unreachable { flow });
        }
    }
}

/// The number of a lookup, which only an endpoint can give.
fn lookup(house: &House) -> sip::ResolveId {
    #[expect(clippy::disallowed_methods, reason = "the endpoint must be told a time")]
    let now = std::time::Instant::now();
    let config = sip::Config::new(house.gateway.listeners().to_vec());
    let mut endpoint = sip::Endpoint::new(config, 1);
    let uri = |text: &str| text.parse::<sip::message::Uri>().unwrap();
    let from = sip::message::NameAddr::new("", uri("sip:alice@localhost"));
    let invite = sip::Invite::new(uri("sips:bob@localhost"), from, Vec::new());
    endpoint.invite(now, invite).unwrap();
    match endpoint.poll() {
        Some(sip::Output::Resolve { id, .. }) => id,
        other => panic!("{other:?}"),
    }
}

async fn dial<S>(
    stream: S,
    origin: Option<&str>,
    protocol: &str,
) -> Result<WebSocketStream<S>, Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut request = "ws://pbx.example/".into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    client_async(request, stream).await.map(|(socket, _)| socket)
}

async fn house_with_websocket() -> House {
    let websocket = vec!["127.0.0.1:0".parse().unwrap()];
    House::new(Settings { websocket, ..Settings::default() }).await
}

#[tokio::test]
async fn a_browser_speaks_in_frames_and_is_answered_over_its_connection_only() {
    let mut house = house_with_websocket().await;
    let server = house.at(Transport::Ws);
    let stream = TcpStream::connect(server).await.unwrap();
    let own = stream.local_addr().unwrap();
    let mut phone = dial(stream, Some("https://pbx.example:8443"), "sip").await.unwrap();
    phone.send(Message::binary(OPTIONS)).await.unwrap();
    let (flow, bytes) = house.message().await;
    assert_eq!((flow.transport, flow.remote, bytes.as_slice()), (Transport::Ws, own, OPTIONS));
    house.gateway.send(flow, OK.to_vec());
    let answer = std::str::from_utf8(OK).unwrap();
    assert_eq!(next_frame(&mut phone).await, Message::text(answer));
    phone.send(Message::text("\r\n\r\n")).await.unwrap();
    assert_eq!(next_frame(&mut phone).await, Message::text("\r\n"));
    phone.close(None).await.unwrap();
    assert_eq!(house.next().await, Inbound::ConnectionClosed(flow.connection.unwrap()));
    house.gateway.send(flow, OPTIONS.to_vec());
    assert_eq!(house.next().await, Inbound::Unreachable { flow }, "nobody can be called there");
    assert_eq!(house.gateway.stats().connections_open, 0);
}

/// The next frame with something in it.
async fn next_frame<S>(phone: &mut WebSocketStream<S>) -> Message
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        match phone.next().await.unwrap().unwrap() {
            Message::Ping(_) | Message::Pong(_) => {}
            frame @ (Message::Text(_)
            | Message::Binary(_)
            | Message::Close(_)
            | Message::Frame(_)) => return frame,
        }
    }
}

#[tokio::test]
async fn a_browser_comes_over_tls_too() {
    let authority = Authority::new();
    authority.certify("pbx.example");
    let settings = Settings {
        tls: Some(authority.settings()),
        secure_websocket: vec!["127.0.0.1:0".parse().unwrap()],
        ..Settings::default()
    };
    let mut house = House::new(settings).await;
    let stream = authority.phone(house.at(Transport::Wss), false).await.unwrap();
    let mut phone = dial(stream, None, "sip").await.unwrap();
    phone.send(Message::binary(OPTIONS)).await.unwrap();
    let (flow, bytes) = house.message().await;
    assert_eq!((flow.transport, bytes.as_slice()), (Transport::Wss, OPTIONS));
}

#[tokio::test]
async fn strange_pages_and_other_protocols_stay_out() {
    let mut house = house_with_websocket().await;
    let server = house.at(Transport::Ws);
    for (origin, protocol, status) in
        [(Some("https://evil.example"), "sip", 403), (None, "chat", 400)]
    {
        let stream = TcpStream::connect(server).await.unwrap();
        let error = dial(stream, origin, protocol).await.unwrap_err();
        let Error::Http(response) = error else { panic!("{error}") };
        assert_eq!(response.status().as_u16(), status);
        assert!(matches!(house.next().await, Inbound::ConnectionClosed(_)));
    }
    assert_eq!(house.gateway.stats().connections_garbage, 2);
}

#[tokio::test]
async fn a_frame_that_is_too_large_ends_its_connection() {
    let mut house = house_with_websocket().await;
    let stream = TcpStream::connect(house.at(Transport::Ws)).await.unwrap();
    let mut phone = dial(stream, None, "sip").await.unwrap();
    let sent = phone.send(Message::binary(vec![b'x'; 100_000])).await;
    match sent {
        Ok(()) => {}
        Err(Error::Io(error)) => assert_ne!(error.kind(), ErrorKind::NotFound),
        Err(error) => panic!("{error}"),
    }
    assert!(matches!(house.next().await, Inbound::ConnectionClosed(_)));
    assert_eq!(house.gateway.stats().connections_garbage, 1);
    assert_eq!(house.gateway.stats().messages_too_large, 1);
}

#[tokio::test]
async fn a_client_that_does_not_ask_for_its_websocket_is_cut() {
    let websocket = vec!["127.0.0.1:0".parse().unwrap()];
    let first_message_within = Duration::from_millis(50);
    let settings = Settings { websocket, first_message_within, ..Settings::default() };
    let mut house = House::new(settings).await;
    let mut phone = TcpStream::connect(house.at(Transport::Ws)).await.unwrap();
    phone.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
    assert!(matches!(house.next().await, Inbound::ConnectionClosed(_)));
    assert_eq!(house.gateway.stats().connections_slow, 1);
}
