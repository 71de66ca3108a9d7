//! Events: what is kept, and what comes.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, Path, State};
use axum::http::header::UPGRADE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use model::{ConferenceRef, ConferenceView, Event, Refusal};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::admit::{Caller, SUBPROTOCOL};
use crate::body::Asked;
use crate::command::Api;
use crate::follower::Follower;
use crate::limits::CLIENT_MESSAGE_BYTES_MAX;
use crate::place::InConference;
use crate::problem::Problem;
use crate::serve::Seat;
use crate::sight::Sight;
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

/// What a request says of a WebSocket: nothing, or that it wants one, rightly or not.
pub(crate) struct Handshake {
    upgrade: Option<Result<WebSocketUpgrade, WebSocketUpgradeRejection>>,
    seat: Option<Seat>,
}

impl<S: Send + Sync> FromRequestParts<S> for Handshake {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Handshake, Infallible> {
        let upgrade = match parts.headers.contains_key(UPGRADE) {
            true => Some(WebSocketUpgrade::from_request_parts(parts, state).await),
            false => None,
        };
        Ok(Handshake { upgrade, seat: parts.extensions.get().cloned() })
    }
}

/// Follow a conference's events
///
/// As a WebSocket (RFC 6455): one event a text message, in order, without a hole and without a
/// repeat. A browser, which can set no header, offers the subprotocols `convoke` and
/// `bearer.TOKEN`. Each audience has numbers of its own: who may not see an event gets none of it,
/// and no hole; the `seq` and `revision` of its view are those of what it was told. With `after` it
/// begins with the event that follows; without, with a message `{"type": "snapshot", "conference":
/// …}`, and goes on from there. It closes with 1000 after `conversation.ended`, or when the party
/// that follows has left, with 1001 when the server shuts down, with 1008 when the token expires or
/// is taken away, and with 1013 when the client is so slow that what comes next is not kept any
/// more. A client that comes back names the conference by its id, as a name may have a successor,
/// and in `after` the last `seq` that it saw. What a client sends is not read.
///
/// As a plain GET: the events that are kept in memory. Those are the latest 8,192 of all
/// conferences, of each its latest 64 in any case and its latest 4,096 at most.
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
    caller: Caller,
    Path(at): Path<InConference>,
    Asked(since): Asked<Since>,
    handshake: Handshake,
) -> Result<Response, Problem> {
    let Sight { audience, view, .. } = api.sight(&caller, &at.conference()?)?;
    let conference = ConferenceRef::Id(view.id);
    let kept = api.feed.events(&conference, audience, since.after.unwrap_or(0));
    let (events, oldest) = kept.ok_or(Refusal::NoSuchConference)?;
    if since.after.is_some_and(|after| after.saturating_add(1) < oldest) {
        return Err(Problem::events_gone(oldest));
    }
    let Some(upgrade) = handshake.upgrade else {
        return Ok(Json(&events.iter().map(AsRef::as_ref).collect::<Vec<&Event>>()).into_response());
    };
    let upgrade = upgrade.map_err(|rejection| Problem::bad_upgrade(rejection.body_text()))?;
    let (view, follower) = Follower::of_one(&api.feed, &conference, audience, since.after)
        .ok_or(Refusal::NoSuchConference)?;
    let first =
        since.after.is_none().then(|| socket::text(&Opening::Snapshot { conference: &view }));
    let stay = caller.stay();
    Ok(open(upgrade, handshake.seat, move |socket| socket::run(socket, first, follower, stay)))
}

/// Follow the events of all conferences
///
/// A WebSocket (RFC 6455): first `{"type": "snapshot", "conferences": […]}` with live ones, then
/// one event a text message in the order in which they came. It closes as that of one conference
/// does; a client that comes back begins with the snapshot again. For tokens that see everything.
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
    caller: Caller,
    handshake: Handshake,
) -> Result<Response, Problem> {
    caller.sees_everything()?;
    let upgrade = handshake.upgrade.ok_or_else(Problem::upgrade_required)?;
    let upgrade = upgrade.map_err(|rejection| Problem::bad_upgrade(rejection.body_text()))?;
    let (views, follower) = Follower::of_all(&api.feed);
    let live = views.iter().map(Arc::as_ref).filter(|view| view.ended_ms.is_none());
    let first = socket::text(&OpeningOfAll::Snapshot { conferences: live.collect() });
    let stay = caller.stay();
    Ok(open(upgrade, handshake.seat, move |socket| {
        socket::run(socket, Some(first), follower, stay)
    }))
}

/// Answers the handshake. The connection's seat is kept for as long as the socket is open.
fn open<F>(
    upgrade: WebSocketUpgrade,
    seat: Option<Seat>,
    run: impl FnOnce(WebSocket) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = ()> + Send + 'static,
{
    upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(CLIENT_MESSAGE_BYTES_MAX)
        .max_frame_size(CLIENT_MESSAGE_BYTES_MAX)
        .on_upgrade(async move |socket| {
            run(socket).await;
            drop(seat);
        })
}
