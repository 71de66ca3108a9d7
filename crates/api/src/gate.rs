//! Who may knock: the rules that keep another site's page from using somebody's browser against
//! this server.
//!
//! * `Host` must be a loopback name, an IP address, or a name that was configured. A page whose
//!   name is made to point here afterwards (DNS rebinding) still sends its own name.
//! * `Origin`, where there is one, must be of the same host and port as `Host`. Browsers send it
//!   with every request that another site's page makes to change something, and with every
//!   WebSocket handshake, for which there is no same-origin policy (RFC 6455 §10.2).

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;

use crate::problem::Problem;
use crate::router::Doors;

/// Lets a request pass, or answers 403.
pub(crate) async fn gate(
    State(doors): State<watch::Receiver<Doors>>,
    request: Request,
    next: Next,
) -> Response {
    let judged = judge(&doors.borrow().names, request.uri(), request.headers());
    match judged {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn judge(names: &[String], uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let host = host(uri, headers).ok_or_else(Problem::bad_host)?;
    if !is_ours(names, host.host()) {
        return Err(Problem::bad_host());
    }
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(()) };
    // "null" is the origin of a page that hides its own (RFC 6454 §7.1), so never ours.
    let origin = origin.to_str().ok().and_then(|text| text.parse::<Uri>().ok());
    let same = origin.is_some_and(|origin| is_same(&origin, &host)) && origins.next().is_none();
    same.then_some(()).ok_or_else(Problem::foreign_origin)
}

/// The host that the request names: in its target, else in its one Host header (RFC 9112 §3.2).
fn host(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    if let Some(authority) = uri.authority() {
        return Some(authority.clone());
    }
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next()?.to_str().ok()?.parse().ok()?;
    hosts.next().is_none().then_some(host)
}

fn is_ours(names: &[String], host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    address.parse::<IpAddr>().is_ok()
        || host == "localhost"
        || host.ends_with(".localhost")
        || names.iter().any(|name| name.eq_ignore_ascii_case(&host))
}

fn is_same(origin: &Uri, host: &Authority) -> bool {
    let Some(authority) = origin.authority() else { return false };
    let port_by_scheme = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        Some(_) | None => return false,
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(port_by_scheme);
    authority.host().eq_ignore_ascii_case(host.host()) && port(authority) == port(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(host: &str, origin: Option<&str>) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        let names = ["Convoke.example".to_owned()];
        judge(&names, &Uri::from_static("/"), &headers).err().map(|problem| problem.code())
    }

    #[test]
    fn only_our_own_names_and_addresses_are_hosts() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:80", "[::1]:8080", "192.0.2.7"] {
            assert_eq!(judged(host, None), None, "{host}");
        }
        for host in ["convoke.example:8080", "a.localhost"] {
            assert_eq!(judged(host, None), None, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "a b"]
        {
            assert_eq!(judged(host, None), Some("bad_host"), "{host}");
        }
    }

    #[test]
    fn a_page_may_only_ask_where_it_came_from() {
        for (host, origin) in [
            ("localhost:8080", "http://localhost:8080"),
            ("LOCALHOST:8080", "http://localhost:8080"),
            ("192.0.2.7", "http://192.0.2.7:80"),
            ("convoke.example", "https://convoke.example"),
            ("[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(judged(host, Some(origin)), None, "{host} {origin}");
        }
        for (host, origin) in [
            ("localhost:8080", "http://evil.example"),
            ("localhost:8080", "http://localhost:8081"),
            ("localhost:8080", "null"),
            ("localhost:8080", "file://"),
            ("localhost:8080", "localhost:8080"),
            ("localhost", "https://localhost:80"),
        ] {
            let problem = judged(host, Some(origin));
            // A bare Host has the port of the page's scheme, so the last pair differs by it.
            assert_eq!(problem, Some("foreign_origin"), "{host} {origin}");
        }
    }

    #[test]
    fn a_request_names_one_host() {
        let none = judge(&[], &Uri::from_static("/"), &HeaderMap::new());
        assert_eq!(none.unwrap_err().code(), "bad_host");
        let mut two = HeaderMap::new();
        two.append(HOST, "localhost".parse().unwrap());
        two.append(HOST, "localhost".parse().unwrap());
        assert!(judge(&[], &Uri::from_static("/"), &two).is_err());
        let target = Uri::from_static("http://evil.example/");
        assert!(judge(&[], &target, &HeaderMap::new()).is_err());
    }
}
