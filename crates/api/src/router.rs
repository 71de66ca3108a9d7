//! Which path leads where.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::{from_fn_with_state, map_response_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use tokio::sync::watch;

use crate::admit::{Doorkeeper, Neighbours, RECORDING, admit};
use crate::command::Api;
use crate::feed::Feed;
use crate::gate::gate;
use crate::keyring::Keyring;
use crate::limits::BODY_BYTES_MAX;
use crate::problem::{PROBLEM_JSON, Problem};
use crate::proxies::Proxies;
use crate::switch::Switch;
use crate::tally::{Limit, Tally};
use crate::{
    actions, announcements, conferences, control, events, metrics, openapi, page, parties, probes,
    recordings, registrations, trunks,
};

/// Who is let in.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    /// The host names that the server goes by, besides loopback names and IP addresses; a request
    /// that names another is refused.
    pub names: Vec<String>,
    /// The tokens that are believed.
    pub keyring: Keyring,
    /// Who may ask, and everything, as long as there are no tokens.
    pub neighbours: Neighbours,
    /// Who is believed when it says for whom it asks.
    pub proxies: Proxies,
}

/// All routes. Each but those of health and metrics, which are open to whoever can connect, and
/// the page's own files, which say nothing of what goes on, needs a token. The doors may change
/// while it serves: each request is judged by those of its time, and a WebSocket whose token is not
/// believed any more ends.
pub fn router(switch: Arc<dyn Switch>, feed: Arc<Feed>, doors: watch::Receiver<Doors>) -> Router {
    let doorkeeper = Arc::new(Doorkeeper::new(doors.clone()));
    let tally = Arc::new(Tally::default());
    let open = Router::new()
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz))
        .route("/metrics", get(metrics::scrape));
    rest()
        .route_layer(from_fn_with_state(doorkeeper, admit))
        .merge(pages())
        .route_layer(from_fn_with_state(doors, gate))
        .merge(open)
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(map_response_with_state(Arc::clone(&tally), finish))
        .with_state(Api { switch, feed, tally, spoken: Arc::default() })
}

fn rest() -> Router<Api> {
    const CONFERENCE: &str = "/api/v1/conferences/{conference}";
    let below = |path: &str| format!("{CONFERENCE}/{path}");
    Router::new()
        .route("/api/v1/about", get(probes::about))
        .route("/api/v1/openapi.json", get(openapi::show))
        .route("/api/v1/events", get(events::follow_all))
        .route(RECORDING, get(recordings::download_recording))
        .route("/api/v1/registrations", get(registrations::list_registrations))
        .route("/api/v1/trunks", get(trunks::list_trunks))
        .route("/api/v1/conferences", get(conferences::list_conferences))
        .route(CONFERENCE, get(conferences::show_conference).delete(conferences::end_conference))
        .route(&below("actions"), get(actions::list_actions))
        .route(&below("parties/{party}/actions"), get(actions::list_actions_with))
        .route(&below("events"), get(events::follow_conference))
        .route(&below("recording"), put(recordings::set_recording))
        .route(&below("parties"), get(parties::list_parties).post(parties::invite_party))
        .route(&below("parties/{party}"), get(parties::show_party).delete(parties::remove_party))
        .route(&below("messages"), post(conferences::write_message))
        .route(&below("announcements"), post(announcements::announce))
        .route(&below("announcements/{announcement}"), delete(announcements::stop_announcement))
        .route(&below("supervisors"), post(control::supervise))
        .route(&below("parties/{party}/supervision"), put(control::stand))
        .route(&below("parties/{party}/consult"), post(control::consult))
        .route(&below("parties/{party}/whisper"), put(control::whisper))
        .route(&below("parties/{party}/pair"), put(control::pair))
        .route(&below("parties/{party}/role"), put(control::appoint))
        .route(&below("parties/{party}/digits"), post(control::press))
        .route(&below("parties/{party}/transfer"), post(parties::transfer_party))
        .route(&below("parties/{party}/{doing}"), post(parties::change_party))
}

fn pages() -> Router<Api> {
    Router::new()
        .route("/", get(page::index))
        .route("/page/style.css", get(page::style))
        .route("/page/page.js", get(page::script))
        .route("/page/icon.svg", get(page::icon))
}

/// What every answer has in common: an error is a problem, nothing is sniffed, framed or kept.
async fn finish(State(tally): State<Arc<Tally>>, response: Response) -> Response {
    if let Some(limit) = response.extensions().get::<Limit>() {
        tally.count(*limit);
    }
    let status = response.status();
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|content_type| content_type.as_bytes() == PROBLEM_JSON.as_bytes());
    // A probe's 503 is plain text, which is what probes show.
    let mut response = if status.is_client_error() && !is_problem {
        Problem::from_status(status).into_response()
    } else {
        response
    };
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
