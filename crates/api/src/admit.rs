//! Who asks? Before every route of the api: a token (RFC 6750), or, as long as there are no tokens,
//! this machine.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::grant::{Capacity, Grant, Scope};
use crate::problem::Problem;
use crate::router::Doors;
use crate::throttle::{News, Throttle};

/// The WebSocket subprotocol that is spoken; a browser offers it together with its token.
pub(crate) const SUBPROTOCOL: &str = "convoke";

/// Before a token among the subprotocols that a browser offers: it can set no header.
const SUBPROTOCOL_TOKEN: &str = "bearer.";

/// The route that gives recordings away, which is a scope of its own.
pub(crate) const RECORDING: &str = "/api/v1/recordings/{recording}";

/// By which a proxy says that it asks for somebody else: RFC 7239, RFC 9110 §7.6.3, and what those
/// in use say in their place.
const PROXY_HEADERS: [&str; 5] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/// From where a request comes. [`serve`](crate::serve()) tells it of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// From where somebody may ask as long as there are no tokens: by default from this machine.
#[derive(Clone)]
pub struct Neighbours(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl Neighbours {
    /// Those for whose address this is true.
    pub fn new(are: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Neighbours {
        Neighbours(Arc::new(are))
    }
}

impl Default for Neighbours {
    fn default() -> Neighbours {
        Neighbours::new(|address| address.to_canonical().is_loopback())
    }
}

impl fmt::Debug for Neighbours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Neighbours")
    }
}

/// Whom to believe, and whom not to listen to.
#[derive(Debug)]
pub(crate) struct Doorkeeper {
    doors: watch::Receiver<Doors>,
    throttle: Throttle,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) grant: Arc<Grant>,
    token: Option<Token>,
    doors: watch::Receiver<Doors>,
}

/// What it has shown. No log tells it.
#[derive(Clone)]
struct Token(Arc<str>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Doorkeeper {
    pub(crate) fn new(doors: watch::Receiver<Doors>) -> Doorkeeper {
        Doorkeeper { doors, throttle: Throttle::default() }
    }

    fn judge(&self, request: &Request) -> Result<Caller, Problem> {
        let headers = request.headers();
        let peer = request.extensions().get::<Peer>().map(|Peer(address)| *address);
        let doors = self.doors.borrow();
        let (grant, token) = match token(headers)? {
            _ if doors.keyring.is_empty() => match is_near(&doors, peer, headers) {
                true => (Arc::new(Grant::of_this_machine()), None),
                false => return Err(Problem::no_tokens()),
            },
            None => return Err(Problem::no_token()),
            Some(token) => {
                let source = doors.proxies.origin(peer.ok_or_else(Problem::no_token)?, headers);
                (self.grant(&doors, token, source)?, Some(Token(token.into())))
            }
        };
        let scope = scope(request);
        if !grant.scopes.contains(&scope) {
            tracing::warn!(target: "security", bearer = grant.name, scope = scope.name(),
                "insufficient scope");
            return Err(Problem::insufficient_scope(scope));
        }
        Ok(Caller { grant, token, doors: self.doors.clone() })
    }

    fn grant(&self, doors: &Doors, token: &str, source: IpAddr) -> Result<Arc<Grant>, Problem> {
        self.throttle.listens_to(source).map_err(Problem::too_many_tokens)?;
        doors.keyring.grant(token).ok_or_else(|| {
            if self.throttle.wrong(source) == News::First {
                // The line that a program that shuts out by address (fail2ban) can read; never
                // what was tried.
                tracing::warn!(target: "security", %source, reason = "wrong token", "turned away");
            }
            Problem::bad_token()
        })
    }
}

/// Without a proxy between: what comes through one has its address, whoever asked.
fn is_near(doors: &Doors, peer: Option<IpAddr>, headers: &HeaderMap) -> bool {
    let is_forwarded = PROXY_HEADERS.iter().any(|name| headers.contains_key(*name));
    let Neighbours(are) = &doors.neighbours;
    peer.is_some_and(are.as_ref()) && !is_forwarded
}

/// Lets a request pass that may, and tells the route who asks.
pub(crate) async fn admit(
    State(doorkeeper): State<Arc<Doorkeeper>>,
    mut request: Request,
    next: Next,
) -> Response {
    match doorkeeper.judge(&request) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// What a token must be for. A route that is not named here reads, or changes something.
fn scope(request: &Request) -> Scope {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    match (path, request.method()) {
        (Some(RECORDING), _) => Scope::Recordings,
        (_, &Method::GET | &Method::HEAD) => Scope::Read,
        (_, _) => Scope::Control,
    }
}

/// The one token of a request (RFC 6750 §2: never two), in its header or among its subprotocols.
fn token(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut tokens = Vec::new();
    for value in headers.get_all(AUTHORIZATION) {
        let text = value.to_str().map_err(|_| Problem::bad_authorization())?;
        // Another scheme is not ours: as if nothing had been said.
        if let Some((scheme, token)) = text.split_once(' ')
            && scheme.eq_ignore_ascii_case("bearer")
        {
            tokens.push(token.trim_matches(' '));
        }
    }
    for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        let text = value.to_str().map_err(|_| Problem::bad_authorization())?;
        let offered = text.split(',').map(|protocol| protocol.trim_matches([' ', '\t']));
        tokens.extend(offered.filter_map(|protocol| protocol.strip_prefix(SUBPROTOCOL_TOKEN)));
    }
    match tokens.as_slice() {
        [] => Ok(None),
        [token] if !token.is_empty() => Ok(Some(token)),
        _ => Err(Problem::bad_authorization()),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    /// Who was not let in by the door does not get in by a route that was put beside it.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, Problem> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(Problem::no_token)
    }
}

/// How long somebody may follow what goes on: until its token ends, or is not believed any more.
#[derive(Debug)]
pub(crate) struct Stay {
    until: Option<Instant>,
    caller: Caller,
}

impl Stay {
    /// Waits for its end, and gives why. Nothing is lost if the wait is given up.
    pub(crate) async fn ended(&mut self) -> &'static str {
        const EXPIRED: &str = "the token has expired";
        loop {
            tokio::select! {
                () = at(self.until) => return EXPIRED,
                changed = self.caller.doors.changed() => match changed {
                    Ok(()) if self.caller.is_believed() => {}
                    Ok(()) => return "the token is not believed any more",
                    // Nobody changes them any more.
                    Err(_) => {
                        at(self.until).await;
                        return EXPIRED;
                    }
                },
            }
        }
    }
}

async fn at(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

impl Caller {
    /// For how long it may follow what goes on.
    pub(crate) fn stay(self) -> Stay {
        Stay { until: self.expires(), caller: self }
    }

    /// When its token ends, if it does.
    fn expires(&self) -> Option<Instant> {
        let expires_s = self.grant.expires_s?;
        let rest_s = expires_s.saturating_sub(jsonwebtoken::get_current_timestamp());
        Instant::now().checked_add(Duration::from_secs(rest_s))
    }

    /// Whether it would be let in now, to see the same.
    fn is_believed(&self) -> bool {
        let doors = self.doors.borrow();
        let Some(Token(token)) = &self.token else { return doors.keyring.is_empty() };
        doors.keyring.grant(token).is_some_and(|grant| {
            grant.capacity == self.grant.capacity && grant.scopes.contains(&Scope::Read)
        })
    }

    /// Whether it is a supervisor's.
    pub(crate) fn is_supervisor(&self) -> bool {
        match self.grant.capacity {
            Capacity::Supervisor { .. } => true,
            Capacity::Admin
            | Capacity::Integration
            | Capacity::Agent { .. }
            | Capacity::Guest { .. } => false,
        }
    }

    /// Only who sees everything sees this.
    pub(crate) fn sees_everything(&self) -> Result<(), Problem> {
        match self.grant.capacity.sees_everything() {
            true => Ok(()),
            false => Err(Problem::not_for_you()),
        }
    }
}
