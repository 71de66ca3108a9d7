//! One WebSocket, from its first message to its close.

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use serde::Serialize;
use tokio::time::Instant;

use crate::admit::Stay;
use crate::follower::{Follower, Over};
use crate::limits::{PING_EVERY, SEND_WAIT_MAX};

/// RFC 6455's registry: "Try Again Later".
const TRY_AGAIN_LATER: u16 = 1013;

/// RFC 6455 §7.4.1: what came, or who came, is not wanted.
const POLICY_VIOLATION: u16 = close_code::POLICY;

/// Tells the follower's events until there are no more, nobody listens, or its stay ends.
pub(crate) async fn run(
    mut socket: WebSocket,
    first: Option<Utf8Bytes>,
    mut follower: Follower,
    mut stay: Stay,
) {
    if let Some(first) = first
        && send(&mut socket, Message::Text(first)).await.is_err()
    {
        return;
    }
    let mut ping = tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    let mut heard = true;
    loop {
        let sent = tokio::select! {
            next = follower.next() => match next {
                Ok(events) => send_all(&mut socket, &events).await,
                Err(over) => {
                    let (code, reason) = told(over);
                    close(socket, code, reason).await;
                    return;
                }
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(
                    Message::Text(_) | Message::Binary(_) | Message::Ping(_) | Message::Pong(_),
                )) => {
                    heard = true;
                    Ok(())
                }
            },
            why = stay.ended() => {
                close(socket, POLICY_VIOLATION, why).await;
                return;
            }
            _ = ping.tick() => {
                if !heard {
                    return;
                }
                heard = false;
                send(&mut socket, Message::Ping(axum::body::Bytes::new())).await
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

/// A value as the text of a message.
pub(crate) fn text<T: Serialize>(value: &T) -> Utf8Bytes {
    serde_json::to_string(value).expect("our own words are always JSON").into()
}

/// Nobody listens.
struct Deaf;

async fn send_all(
    socket: &mut WebSocket,
    events: &[std::sync::Arc<model::Event>],
) -> Result<(), Deaf> {
    for event in events {
        send(socket, Message::Text(text(event.as_ref()))).await?;
    }
    Ok(())
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), Deaf> {
    match tokio::time::timeout(SEND_WAIT_MAX, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Deaf),
    }
}

fn told(over: Over) -> (u16, &'static str) {
    match over {
        Over::Ended => (close_code::NORMAL, "the conference ended"),
        Over::Closed => (close_code::AWAY, "the server shuts down"),
        Over::TooSlow => (TRY_AGAIN_LATER, "too slow; come back with after=<last seq>"),
    }
}

async fn close(mut socket: WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
    if send(&mut socket, Message::Close(Some(frame))).await.is_ok() {
        // The far end answers with a close of its own (RFC 6455 §7.1.1); until then what it sent
        // before must be read, or the connection is reset and the reason lost.
        let answer = async { while let Some(Ok(_)) = socket.recv().await {} };
        if tokio::time::timeout(SEND_WAIT_MAX, answer).await.is_err() {
            tracing::debug!("a WebSocket client did not answer the close");
        }
    }
}
