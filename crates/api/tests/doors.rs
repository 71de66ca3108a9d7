//! Doors that change while the server serves, and proxies before them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod fake;

use std::net::IpAddr;
use std::time::Duration;

use api::{
    Bound, Capacity, CapacityName, Doors, Grant, Keyring, Peer, Proxies, Scope, TokenDigest,
};
use axum::body::Body;
use axum::http::{Method, Request};
use fake::{World, request};
use futures_util::StreamExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const EVENTS: &str = "/api/v1/events";
const OLD: &str = "cvk_old_0123456789";
const NEW: &str = "cvk_new_0123456789";

/// Doors for an admin's tokens, with these scopes each.
fn doors(tokens: &[(&str, &[Scope])]) -> Doors {
    let mut keyring = Keyring::default();
    for (token, scopes) in tokens {
        let capacity = Capacity::new(CapacityName::Admin, Bound::default()).unwrap();
        let scopes = Some(scopes.iter().copied().collect());
        keyring.add(TokenDigest::of(token), Grant::new("an admin".to_owned(), capacity, scopes));
    }
    Doors { keyring, ..Doors::default() }
}

fn with(token: &str, mut request: Request<Body>) -> Request<Body> {
    let value = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", value);
    request
}

const READ: &[Scope] = &[Scope::Read];

#[tokio::test]
async fn a_token_counts_from_when_it_is_told_of_until_it_is_taken_away() {
    let (sender, held) = watch::channel(doors(&[(OLD, READ)]));
    let world = World::standup().behind(held);
    let status = async |token: &str| {
        let asked = with(token, request(Method::GET, "/api/v1/conferences", None));
        world.send(asked).await.status().as_u16()
    };
    assert_eq!((status(OLD).await, status(NEW).await), (200, 401));
    sender.send_replace(doors(&[(NEW, READ)]));
    assert_eq!((status(OLD).await, status(NEW).await), (401, 200));
}

#[tokio::test]
async fn who_follows_by_a_token_that_is_taken_away_is_told_so_and_nobody_else_is_cut() {
    let (sender, held) = watch::channel(doors(&[(OLD, READ), (NEW, READ)]));
    let world = World::standup().behind(held.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(api::serve(listener, world.router, held, std::future::pending()));
    let connect = async |token: &str| {
        let mut request = format!("ws://{address}{EVENTS}").into_client_request().unwrap();
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
        let (mut client, _) = connect_async(request).await.unwrap();
        assert!(matches!(client.next().await, Some(Ok(Message::Text(_)))), "the snapshot");
        client
    };
    let (mut old, mut new) = (connect(OLD).await, connect(NEW).await);
    // That another thing has changed is nothing to them.
    sender.send_replace(doors(&[(OLD, READ), (NEW, &[Scope::Read, Scope::Control])]));
    let nothing = tokio::time::timeout(Duration::from_millis(100), old.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    sender.send_replace(doors(&[(OLD, &[Scope::Control]), (NEW, READ)]));
    let Some(Ok(Message::Close(Some(frame)))) = old.next().await else { panic!("a close") };
    assert_eq!(u16::from(frame.code), 1008);
    assert!(frame.reason.contains("not believed any more"), "{}", frame.reason);
    let nothing = tokio::time::timeout(Duration::from_millis(100), new.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    served.abort();
}

/// Twenty wrong tokens, each as the proxy at 10.0.0.5 tells of its client; gives what the right one
/// is answered then to the guesser, and to somebody else behind the same proxy.
async fn guessed_behind_a_proxy(proxies: Proxies) -> (u16, u16) {
    let doors = Doors { proxies, ..doors(&[(OLD, READ)]) };
    let world = World::standup().behind(fake::doors(doors));
    let status = async |client: &'static str, token: &str| {
        let mut asked = with(token, request(Method::GET, "/api/v1/conferences", None));
        asked.extensions_mut().insert(Peer("10.0.0.5".parse().unwrap()));
        asked.headers_mut().insert("x-forwarded-for", client.parse().unwrap());
        world.send(asked).await.status().as_u16()
    };
    for n in 0..20 {
        assert_eq!(status("198.51.100.9, 192.0.2.1", &format!("cvk_guess_{n}")).await, 401);
    }
    (status("192.0.2.1", OLD).await, status("192.0.2.2", OLD).await)
}

#[tokio::test]
async fn who_guesses_behind_a_proxy_that_is_believed_is_shut_out_alone() {
    let proxy: IpAddr = "10.0.0.5".parse().unwrap();
    let believed = Proxies::new(move |address| address == proxy);
    assert_eq!(guessed_behind_a_proxy(believed).await, (429, 200));
    assert_eq!(guessed_behind_a_proxy(Proxies::default()).await, (429, 429), "nobody is believed");
}
