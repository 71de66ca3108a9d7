//! Events: what is kept, and what comes.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::UPGRADE;
use axum::response::{IntoResponse, Response};
use model::{ConferenceView, Event, Refusal};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::body::Asked;
use crate::command::Api;
use crate::follower::Follower;
use crate::limits::CLIENT_MESSAGE_BYTES_MAX;
use crate::place::InConference;
use crate::problem::Problem;
use crate::serve::Seat;
use crate::socket;

/// From where on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Since {
    /// The last event that the client knows; what follows is those with a greater `seq`.
    after: Option<u64>,
}

/// The first message of a WebSocket that was not told from where on: what there is at that moment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Opening<'a> {
    /// The first event that follows is the one after the view's `seq`.
    Snapshot {
        /// The conference.
        conference: &'a ConferenceView,
    },
}

/// The first message of the WebSocket of all conferences: what there is at that moment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum OpeningOfAll<'a> {
    /// The events that follow are not in the views.
    Snapshot {
        /// The live conferences, oldest first.
        conferences: Vec<&'a ConferenceView>,
    },
}

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// Follow a conference's events
///
/// As a WebSocket (RFC 6455): one event a text message, in order, without a hole and without a
/// repeat. With `after` it begins with the event that follows; without, with a message
/// `{"type": "snapshot", "conference": …}`, and goes on from there. It closes with 1000 after
/// `conversation.ended`, with 1001 when the server shuts down, and with 1013 when the client is so
/// slow that what comes next is not kept any more. A client that comes back names the conference by
/// its id, as a name may have a successor, and in `after` the last `seq` that it saw. What a client
/// sends is not read.
///
/// As a plain GET: the events that are kept in memory, the latest 4,096 at most.
#[utoipa::path(
    get,
    path = "/api/v1/conferences/{conference}/events",
    tag = "events",
    params(InConference, Since),
    responses(
        (status = 101, description = "The WebSocket is open.", body = inline(Event)),
        (status = 200, description = "The events that are kept, oldest first.", body = [Event]),
        (status = 410, description = "Events after `after` are not kept any more.",
            body = Problem, content_type = "application/problem+json"),
        Problem,
    ),
)]
pub(crate) async fn follow_conference(
    State(api): State<Api>,
    Path(at): Path<InConference>,
    Asked(since): Asked<Since>,
    headers: HeaderMap,
    seat: Option<Extension<Seat>>,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let conference = at.conference()?;
    let kept = api.feed.events(&conference, since.after.unwrap_or(0));
    let (events, oldest) = kept.ok_or(Refusal::NoSuchConference)?;
    if since.after.is_some_and(|after| after.saturating_add(1) < oldest) {
        return Err(Problem::events_gone(oldest));
    }
    if !headers.contains_key(UPGRADE) {
        return Ok(Json(&events.iter().map(AsRef::as_ref).collect::<Vec<&Event>>()).into_response());
    }
    let upgrade = upgrade.map_err(|rejection| Problem::bad_upgrade(rejection.body_text()))?;
    let (view, follower) =
        Follower::of_one(&api.feed, &conference, since.after).ok_or(Refusal::NoSuchConference)?;
    let first =
        since.after.is_none().then(|| socket::text(&Opening::Snapshot { conference: &view }));
    Ok(open(upgrade, seat, move |socket| socket::run(socket, first, follower)))
}

/// Follow the events of all conferences
///
/// A WebSocket (RFC 6455): first `{"type": "snapshot", "conferences": […]}` with live ones, then
/// one event a text message in the order in which they came. It closes as that of one conference
/// does; a client that comes back begins with the snapshot again.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "events",
    responses(
        (status = 101, description = "The WebSocket is open.", body = inline(Event)),
        (status = 426, description = "This is not a WebSocket handshake.", body = Problem,
            content_type = "application/problem+json"),
        Problem,
    ),
)]
pub(crate) async fn follow_all(
    State(api): State<Api>,
    headers: HeaderMap,
    seat: Option<Extension<Seat>>,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    if !headers.contains_key(UPGRADE) {
        return Err(Problem::upgrade_required());
    }
    let upgrade = upgrade.map_err(|rejection| Problem::bad_upgrade(rejection.body_text()))?;
    let (views, follower) = Follower::of_all(&api.feed);
    let live = views.iter().map(Arc::as_ref).filter(|view| view.ended_ms.is_none());
    let first = socket::text(&OpeningOfAll::Snapshot { conferences: live.collect() });
    Ok(open(upgrade, seat, move |socket| socket::run(socket, Some(first), follower)))
}

/// Answers the handshake. The connection's seat is kept for as long as the socket is open.
fn open<F>(
    upgrade: WebSocketUpgrade,
    seat: Option<Extension<Seat>>,
    run: impl FnOnce(WebSocket) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = ()> + Send + 'static,
{
    upgrade
        .max_message_size(CLIENT_MESSAGE_BYTES_MAX)
        .max_frame_size(CLIENT_MESSAGE_BYTES_MAX)
        .on_upgrade(async move |socket| {
            run(socket).await;
            drop(seat);
        })
}
