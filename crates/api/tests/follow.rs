//! WebSockets over a real loopback listener.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod fake;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::{Bound, Capacity, CapacityName, Doors, Feed, Grant, Keyring, TokenDigest};
use axum::http::Method;
use fake::{CONFERENCE, Random, World, created, doors, event, request, talking};
use futures_util::{SinkExt, StreamExt};
use model::{ConferenceId, EventKind};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Served {
    address: SocketAddr,
    feed: Arc<Feed>,
    shutdown: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

async fn serve(world: World) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (shutdown, told) = oneshot::channel();
    let done =
        tokio::spawn(api::serve(listener, world.router, doors(Doors::default()), async move {
            told.await.ok();
        }));
    Served { address, feed: world.feed, shutdown, done }
}

impl Served {
    async fn connect(&self, path: &str) -> Client {
        let (client, _) = connect_async(format!("ws://{}{path}", self.address)).await.unwrap();
        client
    }

    /// As the page does it: `new WebSocket(url, protocols)` sends these, and the page's own origin.
    /// Gives which subprotocol the server speaks. A browser lets go of one that names none of those
    /// that it was offered (RFC 6455 §4.1).
    async fn connect_browser(&self, protocols: &str) -> Result<(Client, String), u16> {
        let url = format!("ws://{}/api/v1/events", self.address);
        let mut request = url.into_client_request().unwrap();
        let origin = format!("http://{}", self.address);
        request.headers_mut().insert("origin", origin.parse().unwrap());
        request.headers_mut().insert("sec-websocket-protocol", protocols.parse().unwrap());
        match connect_async(request).await {
            Ok((client, answer)) => {
                let spoken = &answer.headers()["sec-websocket-protocol"];
                Ok((client, spoken.to_str().unwrap().to_owned()))
            }
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(other) => panic!("expected an answer, got {other:?}"),
        }
    }

    async fn refused(&self, path: &str, origin: Option<&str>) -> u16 {
        let url = format!("ws://{}{path}", self.address);
        let mut request = url.into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        match connect_async(request).await {
            Err(Error::Http(answer)) => answer.status().as_u16(),
            other => panic!("expected a refusal, got {other:?}"),
        }
    }
}

/// The next message, as JSON, or the code with which the server closed.
async fn next(client: &mut Client) -> Result<Value, u16> {
    loop {
        match client.next().await {
            Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Ping(_))) => {}
            Some(Ok(Message::Close(Some(frame)))) => return Err(frame.code.into()),
            other => panic!("expected a text or a close, got {other:?}"),
        }
    }
}

fn path(conference: ConferenceId) -> String {
    format!("/api/v1/conferences/{conference}/events")
}

#[tokio::test]
async fn who_does_not_say_from_where_gets_the_view_first() {
    let served = serve(World::standup()).await;
    let mut client = served.connect("/api/v1/conferences/standup/events").await;
    let snapshot = next(&mut client).await.unwrap();
    assert_eq!(snapshot["type"], "snapshot");
    assert_eq!(snapshot["conference"]["seq"], 2);
    served.feed.publish(talking(CONFERENCE, 3));
    assert_eq!(next(&mut client).await.unwrap()["seq"], 3);
}

#[tokio::test]
async fn who_says_from_where_gets_what_was_missed_and_what_comes() {
    let served = serve(World::standup()).await;
    let mut client = served.connect(&format!("{}?after=0", path(CONFERENCE))).await;
    assert_eq!(next(&mut client).await.unwrap()["type"], "conversation.created");
    assert_eq!(next(&mut client).await.unwrap()["seq"], 2);
    served.feed.publish(event(CONFERENCE, 3, EventKind::Ended { duration_ms: 1 }));
    assert_eq!(next(&mut client).await.unwrap()["type"], "conversation.ended");
    assert_eq!(next(&mut client).await, Err(1000));
}

#[tokio::test]
async fn all_conferences_can_be_followed_at_once() {
    let served = serve(World::standup()).await;
    let mut client = served.connect("/api/v1/events").await;
    let snapshot = next(&mut client).await.unwrap();
    assert_eq!(snapshot["conferences"].as_array().unwrap().len(), 1);
    served.feed.publish(created(ConferenceId(2), "retro"));
    served.feed.publish(talking(CONFERENCE, 3));
    assert_eq!(next(&mut client).await.unwrap()["name"], "retro");
    assert_eq!(next(&mut client).await.unwrap()["seq"], 3);
}

#[tokio::test]
async fn a_handshake_can_be_refused() {
    let served = serve(World::standup()).await;
    let evil = Some("http://evil.example");
    assert_eq!(served.refused(&path(CONFERENCE), evil).await, 403);
    assert_eq!(served.refused("/api/v1/events", evil).await, 403);
    assert_eq!(served.refused(&path(ConferenceId(9)), None).await, 404);
    for seq in 3..=5_000 {
        served.feed.publish(talking(CONFERENCE, seq));
    }
    assert_eq!(served.refused(&format!("{}?after=1", path(CONFERENCE)), None).await, 410);
    let own = format!("http://{}", served.address);
    let url = format!("ws://{}/api/v1/events", served.address);
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("origin", own.parse().unwrap());
    connect_async(request).await.unwrap();
}

/// What page.js does when somebody signs in: it asks a route with the token, then follows.
#[tokio::test]
async fn a_browser_signs_in_and_follows_with_its_token_as_a_subprotocol() {
    const TOKEN: &str = "cvk_page_0123456789";
    let mut keyring = Keyring::default();
    let admin = Capacity::new(CapacityName::Admin, Bound::default()).unwrap();
    keyring.add(TokenDigest::of(TOKEN), Grant::new("page".to_owned(), admin, None));
    let world = World::standup().with(keyring);
    let about = async |token: Option<&str>| {
        let mut request = request(Method::GET, "/api/v1/about", None);
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("authorization", value);
        }
        world.send(request).await.status().as_u16()
    };
    assert_eq!(about(None).await, 401, "so the page shows its form");
    assert_eq!(about(Some("cvk_wrong_0123456789")).await, 401, "and shows it again");
    assert_eq!(about(Some(TOKEN)).await, 200);
    let served = serve(world).await;
    for wrong in ["convoke", "convoke, bearer.cvk_wrong_0123456789", "convoke, bearer."] {
        let status = served.connect_browser(wrong).await.map(|(_, spoken)| spoken);
        assert!(matches!(status, Err(400 | 401)), "{wrong}: {status:?}");
    }
    let (mut client, spoken) =
        served.connect_browser(&format!("convoke, bearer.{TOKEN}")).await.unwrap();
    assert_eq!(spoken, "convoke", "never the token, which would then be in logs");
    let snapshot = next(&mut client).await.unwrap();
    assert_eq!(snapshot["conferences"].as_array().unwrap().len(), 1);
    served.feed.publish(talking(CONFERENCE, 3));
    assert_eq!(next(&mut client).await.unwrap()["seq"], 3);
}

#[tokio::test]
async fn what_a_client_sends_changes_nothing() {
    let served = serve(World::standup()).await;
    let mut client = served.connect(&path(CONFERENCE)).await;
    next(&mut client).await.unwrap();
    client.send(Message::text("{\"verb\": \"end\"}")).await.unwrap();
    client.send(Message::binary(vec![0xff; 100])).await.unwrap();
    served.feed.publish(talking(CONFERENCE, 3));
    assert_eq!(next(&mut client).await.unwrap()["seq"], 3);
    // A message beyond the limit ends the connection, not the server.
    client.send(Message::text("a".repeat(1 << 20))).await.ok();
    served.connect(&path(CONFERENCE)).await;
}

/// On one thread: nothing is sent while events are published without a pause.
#[tokio::test]
async fn who_is_too_slow_is_told_to_come_back() {
    let served = serve(World::standup()).await;
    let mut client = served.connect(&path(CONFERENCE)).await;
    next(&mut client).await.unwrap();
    for seq in 3..=5_000 {
        served.feed.publish(talking(CONFERENCE, seq));
    }
    assert_eq!(next(&mut client).await, Err(1013));
    let mut again = served.connect(&format!("{}?after=4990", path(CONFERENCE))).await;
    assert_eq!(next(&mut again).await.unwrap()["seq"], 4_991);
}

#[tokio::test]
async fn a_shutdown_lets_everybody_go() {
    let served = serve(World::standup()).await;
    let mut one = served.connect(&path(CONFERENCE)).await;
    let mut all = served.connect("/api/v1/events").await;
    next(&mut one).await.unwrap();
    next(&mut all).await.unwrap();
    served.feed.close();
    assert_eq!(next(&mut one).await, Err(1001));
    assert_eq!(next(&mut all).await, Err(1001));
    served.shutdown.send(()).unwrap();
    served.done.await.unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}

/// Clients come, read some, break off and come back, while events are published on other threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn catching_up_leaves_no_hole_and_no_repeat() {
    let mut came_back = 0;
    for seed in 0..12 {
        println!("seed {seed}");
        let world = World::empty();
        let conferences = [ConferenceId(1), ConferenceId(2)];
        for conference in conferences {
            world.feed.publish(created(conference, &format!("room-{}", conference.0)));
        }
        let served = Arc::new(serve(world).await);
        let clients: Vec<_> = (0..6)
            .map(|n| {
                tokio::spawn(follow(served.clone(), conferences[n % 2], seed * 100 + n as u64))
            })
            .collect();
        publish(&served.feed, &conferences, seed).await;
        for client in clients {
            came_back += client.await.unwrap();
        }
    }
    assert!(came_back > 100, "clients came too late to miss anything: {came_back}");
}

const LAST: u64 = 400;

async fn publish(feed: &Feed, conferences: &[ConferenceId; 2], seed: u64) {
    let mut random = Random(seed);
    let mut seqs = [1; 2];
    while seqs.iter().any(|seq| *seq < LAST) {
        let which = random.below(2) as usize;
        if seqs[which] == LAST {
            continue;
        }
        seqs[which] += 1;
        let (conference, seq) = (conferences[which], seqs[which]);
        match seq {
            LAST => feed.publish(event(conference, seq, EventKind::Ended { duration_ms: 1 })),
            _ => feed.publish(talking(conference, seq)),
        }
        if random.below(4) == 0 {
            // Not a time that anything depends on: it lets clients come in between.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Follows to the end, with breaks; asserts that each event came once, in order. How often it came
/// back before the end.
async fn follow(served: Arc<Served>, conference: ConferenceId, seed: u64) -> u32 {
    let mut random = Random(seed);
    let mut seen = None;
    for came_back in 0.. {
        let after = seen.map_or(String::new(), |seq: u64| format!("?after={seq}"));
        let mut client = served.connect(&format!("{}{after}", path(conference))).await;
        for _ in 0..=random.below(120) {
            let message = match next(&mut client).await {
                Ok(message) => message,
                Err(code) => {
                    assert_eq!((code, seen), (1000, Some(LAST)), "seed {seed}");
                    return came_back;
                }
            };
            seen = match seen {
                None => Some(message["conference"]["seq"].as_u64().unwrap()),
                Some(seq) => {
                    assert_eq!(message["seq"], seq + 1, "seed {seed}");
                    Some(seq + 1)
                }
            };
        }
    }
    unreachable!("it comes back until the conference has ended")
}

/// A paused clock runs ahead as soon as everybody waits.
#[tokio::test(start_paused = true)]
async fn who_does_not_answer_a_ping_is_let_go() {
    let served = serve(World::standup()).await;
    let mut awake = served.connect(&path(CONFERENCE)).await;
    let mut asleep = served.connect(&path(CONFERENCE)).await;
    next(&mut awake).await.unwrap();
    // Reading is what answers pings.
    let minutes = Duration::from_secs(300);
    assert!(tokio::time::timeout(minutes, next(&mut awake)).await.is_err());
    served.feed.publish(talking(CONFERENCE, 3));
    assert_eq!(next(&mut awake).await.unwrap()["seq"], 3);
    assert_eq!(next(&mut asleep).await.unwrap()["type"], "snapshot");
    let broken = loop {
        match asleep.next().await {
            Some(Ok(Message::Ping(_))) => {}
            other => break other,
        }
    };
    assert!(matches!(broken, None | Some(Err(_))), "{broken:?}");
}

#[tokio::test(start_paused = true)]
async fn a_header_that_never_ends_is_not_waited_for() {
    let served = serve(World::standup()).await;
    let mut slow = TcpStream::connect(served.address).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: local").await.unwrap();
    let mut answer = Vec::new();
    slow.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
}
