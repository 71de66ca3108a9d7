//! A switch that does what it is told, and the small things that every test needs.
#![allow(dead_code, reason = "each test binary uses its own part of it")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use api::{Doors, Facts, Feed, Gauge, Keyring, Peer, Readiness, Reply, Switch};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response};
use model::profile::Seeing;
use model::stats::{MediaStats, SignalStats};
use model::{
    Accepted, Action, Allowed, AllowedTo, Author, Codec, Command, CommandId, ConferenceId,
    ConferenceName, Event, EventKind, PartyId, RecordingId, Refusal, Verdict,
};
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt;

pub(crate) const CONFERENCE: ConferenceId = ConferenceId(1);
pub(crate) const PARTY: PartyId = PartyId(7);
/// One that is in no view.
pub(crate) const HIDDEN: PartyId = PartyId(8);
pub(crate) const RECORDING: RecordingId = RecordingId(3);

pub(crate) struct Fake {
    pub(crate) commands: Mutex<Vec<Command>>,
    pub(crate) answer: Mutex<Result<Accepted, Refusal>>,
    pub(crate) readiness: Mutex<Readiness>,
    pub(crate) signal: Mutex<SignalStats>,
    pub(crate) media: Mutex<MediaStats>,
    pub(crate) recordings: Mutex<BTreeMap<RecordingId, PathBuf>>,
    /// Who asked last what it may do.
    pub(crate) asked: Mutex<Option<Author>>,
    ids: AtomicU64,
}

impl Default for Fake {
    fn default() -> Fake {
        Fake {
            commands: Mutex::default(),
            answer: Mutex::new(Ok(accepted(1))),
            readiness: Mutex::new(Readiness::Ready),
            signal: Mutex::default(),
            media: Mutex::default(),
            recordings: Mutex::default(),
            asked: Mutex::default(),
            ids: AtomicU64::new(100),
        }
    }
}

impl Switch for Fake {
    fn command(&self, command: Command) -> Reply<'_, Result<Accepted, Refusal>> {
        self.commands.lock().unwrap().push(command);
        let answer = self.answer.lock().unwrap().clone();
        Box::pin(async move { answer })
    }

    fn allowed(
        &self,
        _: ConferenceId,
        by: Author,
        party: Option<PartyId>,
    ) -> Reply<'_, Result<Allowed, Refusal>> {
        *self.asked.lock().unwrap() = Some(by);
        let verdicts = || {
            let (mute, hold) = (Action::Mute, Action::Hold);
            vec![Verdict::new(mute, Ok(())), Verdict::new(hold, Err(Refusal::NotAllowed))]
        };
        let parties = party.map_or(vec![PARTY, HIDDEN], |party| vec![party]);
        let parties = parties.into_iter().map(|party| AllowedTo { party, actions: verdicts() });
        let conference = vec![
            Verdict::new(Action::Supervise, Ok(())),
            Verdict::new(Action::End, Err(Refusal::NotAllowed)),
        ];
        let allowed = Allowed { conference, parties: parties.collect() };
        Box::pin(async move { Ok(allowed) })
    }

    fn signal_stats(&self) -> Reply<'_, SignalStats> {
        let stats = self.signal.lock().unwrap().clone();
        Box::pin(async move { stats })
    }

    fn media_stats(&self) -> MediaStats {
        *self.media.lock().unwrap()
    }

    fn facts(&self) -> Facts {
        let gauges =
            vec![Gauge { name: "open_descriptors", help: "Descriptors open", value: 42.0 }];
        Facts { version: "9.9.9", started_ms: 1_500, dial: None, gauges, counters: Vec::new() }
    }

    fn readiness(&self) -> Readiness {
        self.readiness.lock().unwrap().clone()
    }

    fn recording_path(&self, id: RecordingId) -> Option<PathBuf> {
        self.recordings.lock().unwrap().get(&id).cloned()
    }

    fn command_id(&self) -> CommandId {
        CommandId(self.ids.fetch_add(1, Ordering::Relaxed))
    }
}

pub(crate) fn accepted(seq: u64) -> Accepted {
    Accepted { conference: CONFERENCE, seq, party: None, recording: None, announcement: None }
}

/// Doors that stay as they are.
pub(crate) fn doors(doors: Doors) -> watch::Receiver<Doors> {
    watch::channel(doors).1
}

/// A router over a fake switch and a feed in which `standup` is live, with one party.
pub(crate) struct World {
    pub(crate) switch: Arc<Fake>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) router: Router,
}

impl World {
    pub(crate) fn empty() -> World {
        let (switch, feed) = (Arc::new(Fake::default()), Arc::new(Feed::new()));
        let router = api::router(switch.clone(), Arc::clone(&feed), doors(Doors::default()));
        World { switch, feed, router }
    }

    /// The same world, where tokens are wanted.
    pub(crate) fn with(self, keyring: Keyring) -> World {
        self.behind(doors(Doors { keyring, ..Doors::default() }))
    }

    /// The same world behind these doors.
    pub(crate) fn behind(self, doors: watch::Receiver<Doors>) -> World {
        let router = api::router(self.switch.clone(), Arc::clone(&self.feed), doors);
        World { router, ..self }
    }

    pub(crate) fn standup() -> World {
        let world = World::empty();
        world.feed.publish(created(CONFERENCE, "standup"));
        world.feed.publish(event(CONFERENCE, 2, joined("sip:alice@example.org")));
        world
    }

    /// As from this machine, unless it says from where.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Response<Body> {
        let here = Peer(std::net::Ipv4Addr::LOCALHOST.into());
        let from = request.extensions().get::<Peer>().copied().unwrap_or(here);
        request.extensions_mut().insert(from);
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Status and body, which must be JSON.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<&str>) -> (u16, Value) {
        let answer = self.send(request(method, path, body)).await;
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&text(answer).await).unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) fn refuse(&self, refusal: Refusal) {
        *self.switch.answer.lock().unwrap() = Err(refusal);
    }

    pub(crate) fn commands(&self) -> Vec<Command> {
        std::mem::take(&mut *self.switch.commands.lock().unwrap())
    }
}

pub(crate) fn request(method: Method, path: &str, body: Option<&str>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("host", "localhost:8080");
    match body {
        Some(body) => request
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap(),
        None => request.body(Body::empty()).unwrap(),
    }
}

pub(crate) async fn text(answer: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(answer.into_body(), 64 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn event(conference: ConferenceId, seq: u64, kind: EventKind) -> Event {
    Event { conference, seq, at_ms: 1_000 + seq, by: Author::System, cause: None, kind }
}

pub(crate) fn created(conference: ConferenceId, name: &str) -> Event {
    let name = ConferenceName::parse(name).unwrap();
    event(
        conference,
        1,
        EventKind::Created { name, profile: "open".to_owned(), seeing: Seeing::default() },
    )
}

pub(crate) fn joined(address: &str) -> EventKind {
    EventKind::Joined {
        party: PARTY,
        display_name: None,
        address: address.to_owned(),
        codec: Codec::Opus,
        role: model::Role::Guest,
        direction: model::Direction::Inbound,
    }
}

pub(crate) fn talking(conference: ConferenceId, seq: u64) -> Event {
    event(conference, seq, EventKind::Talking { party: PARTY, talking: seq.is_multiple_of(2) })
}

/// SplitMix64: a seed's numbers.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
