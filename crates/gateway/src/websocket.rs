//! SIP over WebSocket (RFC 7118): one message in each frame.

use std::sync::Arc;
use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use sip::Flow;
use sip::framing::FramingError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::Receiver;
use tokio::time::{MissedTickBehavior, interval, timeout, timeout_at};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::{HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use crate::connection::End;
use crate::connections::Outgoing;
use crate::limits::{WEBSOCKET_BUFFER_BYTES_MAX, WEBSOCKET_PING_EVERY};
use crate::patience::Patience;
use crate::{Inbound, Shared};

/// The subprotocol of SIP (RFC 7118 §4).
const SUBPROTOCOL: &str = "sip";

/// A keep-alive of two line ends, as SIP clients send it over streams (RFC 5626 §4.4.1).
const PING: &[u8] = b"\r\n\r\n";

/// Lets a client in, then talks with it until one of both ends.
pub(crate) async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    flow: Flow,
    patience: &Patience,
    queue: &mut Receiver<Outgoing>,
    shared: &Arc<Shared>,
) -> End {
    let settings = Arc::clone(shared);
    #[expect(clippy::result_large_err, reason = "tungstenite wants the whole response")]
    let judge = move |request: &Request, mut response: Response| {
        judge(request, &settings.settings.origins).map_err(refusal)?;
        let sip = HeaderValue::from_static(SUBPROTOCOL);
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, sip);
        Ok(response)
    };
    let limits = WebSocketConfig::default()
        .max_message_size(Some(sip::limits::MESSAGE_BYTES_MAX))
        .max_frame_size(Some(sip::limits::MESSAGE_BYTES_MAX))
        .max_write_buffer_size(WEBSOCKET_BUFFER_BYTES_MAX);
    let accepted = accept_hdr_async_with_config(stream, judge, Some(limits));
    match timeout_at(patience.ends_at().into(), accepted).await {
        Ok(Ok(socket)) => exchange(socket, flow, queue, shared).await,
        Ok(Err(error)) => ended(error),
        Err(_elapsed) => End::Slow,
    }
}

/// Says whether a client may come in.
fn judge(request: &Request, origins: &[String]) -> Result<(), (StatusCode, &'static str)> {
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let speaks_sip = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|protocol| protocol.trim().eq_ignore_ascii_case(SUBPROTOCOL));
    if !speaks_sip {
        return Err((StatusCode::BAD_REQUEST, "the subprotocol must be sip (RFC 7118)"));
    }
    // Every browser names the page's origin; what is no browser obeys no page.
    if !headers.contains_key(ORIGIN) {
        return Ok(());
    }
    let origin = text(ORIGIN).unwrap_or_default();
    let own = |host: &str| {
        let page = origin.split_once("://").map_or("", |(_, host)| host);
        !page.is_empty() && host_name(page).eq_ignore_ascii_case(host_name(host))
    };
    let allowed = origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin));
    match allowed || text(HOST).is_some_and(own) {
        true => Ok(()),
        false => Err((StatusCode::FORBIDDEN, "this origin is not allowed")),
    }
}

/// A host without its port: a page and its WebSocket may have different ones.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

fn refusal((status, why): (StatusCode, &'static str)) -> ErrorResponse {
    let mut response = ErrorResponse::new(Some(format!("{why}\n")));
    *response.status_mut() = status;
    response
}

async fn exchange(
    mut socket: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>,
    flow: Flow,
    queue: &mut Receiver<Outgoing>,
    shared: &Shared,
) -> End {
    let mut heard = Instant::now();
    let mut pings = interval(WEBSOCKET_PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let sent = tokio::select! {
            read = socket.next() => {
                heard = Instant::now();
                match read {
                    Some(Ok(message)) => match take(message, flow, shared).await {
                        Taken::Nothing => continue,
                        Taken::Answer(answer) => send(&mut socket, answer, shared).await,
                        Taken::End => Err(End::Closed),
                    },
                    Some(Err(error)) => Err(ended(error)),
                    None => Err(End::Eof),
                }
            }
            outgoing = queue.recv() => match outgoing {
                Some(Outgoing::Message { flow, bytes }) => {
                    let sent = send(&mut socket, frame(bytes), shared).await;
                    match &sent {
                        Ok(()) => shared.counters.messages_out.add(),
                        Err(_) => shared.unreachable(flow).await,
                    }
                    sent
                }
                Some(Outgoing::Pong) => Ok(()),
                None => {
                    let said = timeout(shared.settings.write_within, socket.close(None)).await;
                    tracing::trace!(?said, "a WebSocket is closed");
                    return End::Closed;
                }
            },
            _ = pings.tick() => match heard.elapsed() > 2 * WEBSOCKET_PING_EVERY {
                true => Err(End::Slow),
                false => send(&mut socket, Message::Ping(Vec::new().into()), shared).await,
            },
        };
        if let Err(end) = sent {
            return end;
        }
    }
}

/// What is to be done about something that came.
enum Taken {
    Nothing,
    Answer(Message),
    End,
}

async fn take(message: Message, flow: Flow, shared: &Shared) -> Taken {
    let bytes = match message {
        Message::Text(text) => text.as_bytes().to_vec(),
        Message::Binary(bytes) => bytes.to_vec(),
        // tungstenite answers pings and closes by itself.
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {
            return Taken::Nothing;
        }
    };
    if bytes.iter().all(|byte| b"\r\n".contains(byte)) {
        shared.counters.keepalives.add();
        return match bytes == PING {
            true => Taken::Answer(Message::text("\r\n")),
            false => Taken::Nothing,
        };
    }
    shared.counters.messages_in.add();
    match shared.inbound.send(Inbound::Message { flow, bytes, at: Instant::now() }).await {
        Ok(()) => Taken::Nothing,
        Err(_) => Taken::End,
    }
}

/// Browsers are given text, as RFC 7118 §5.2 has it, where it is text.
fn frame(bytes: Vec<u8>) -> Message {
    match String::from_utf8(bytes) {
        Ok(text) => Message::text(text),
        Err(error) => Message::binary(error.into_bytes()),
    }
}

async fn send(
    socket: &mut WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>,
    message: Message,
    shared: &Shared,
) -> Result<(), End> {
    match timeout(shared.settings.write_within, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(ended(error)),
        Err(_elapsed) => Err(End::Slow),
    }
}

fn ended(error: Error) -> End {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => End::Eof,
        Error::Io(error) => End::Failed(error),
        Error::Capacity(_) => End::Garbage(FramingError::TooLarge),
        error @ (Error::Protocol(_)
        | Error::WriteBufferFull(_)
        | Error::Utf8(_)
        | Error::AttackAttempt
        | Error::Url(_)
        | Error::Tls(_)
        | Error::Http(_)
        | Error::HttpFormat(_)) => End::NotSip(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(headers: &[(&str, &str)], origins: &[&str]) -> Result<(), StatusCode> {
        let mut request = Request::new(());
        for (name, value) in headers {
            let name: tokio_tungstenite::tungstenite::http::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        let origins: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
        judge(&request, &origins).map_err(|(status, _)| status)
    }

    const SIP: (&str, &str) = ("sec-websocket-protocol", "chat, SIP");

    #[test]
    fn a_client_must_speak_sip() {
        assert_eq!(judged(&[SIP], &[]), Ok(()));
        assert_eq!(judged(&[], &[]), Err(StatusCode::BAD_REQUEST));
        let other = ("sec-websocket-protocol", "sip2, xmpp");
        assert_eq!(judged(&[other], &[]), Err(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn a_page_comes_in_from_our_own_host_or_a_listed_origin() {
        let page = |origin| [SIP, ("host", "pbx.example:8443"), ("origin", origin)];
        let listed = ["https://phone.example"];
        assert_eq!(judged(&page("https://pbx.example"), &[]), Ok(()));
        assert_eq!(judged(&page("https://phone.example"), &listed), Ok(()));
        for stranger in ["https://evil.example", "https://pbx.example.evil", "null", ""] {
            assert_eq!(judged(&page(stranger), &listed), Err(StatusCode::FORBIDDEN), "{stranger}");
        }
        let without_host = [SIP, ("origin", "null")];
        assert_eq!(judged(&without_host, &[]), Err(StatusCode::FORBIDDEN));
    }
}
