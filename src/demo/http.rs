//! Asks a server's API for one thing.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// The longest answer that is read [bytes].
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Sends a JSON body, and gives the JSON answer.
///
/// # Errors
/// The server cannot be reached, or says no: then its reason.
pub(super) async fn request(
    server: SocketAddr,
    method: &str,
    path: &str,
    body: &Value,
) -> Result<Value> {
    let stream = TcpStream::connect(server)
        .await
        .with_context(|| format!("no server answers at http://{server}/"))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let mut request =
        hyper::Request::builder().method(method).uri(path).header("host", server.to_string());
    // A server that has tokens wants one.
    if let Ok(token) = std::env::var("CONVOKE_TOKEN") {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let answer = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
        .collect()
        .await
        .map_err(|error| anyhow::anyhow!("the server's answer cannot be read: {error}"))?
        .to_bytes();
    driver.abort();
    if !status.is_success() {
        bail!("{method} {path}: {status}: {}", String::from_utf8_lossy(&answer));
    }
    Ok(serde_json::from_slice(&answer)?)
}
