//! REST, WebSocket, OpenAPI, metrics and the web page: speaks `Command`, shows views folded from
//! `Event`s.
//!
//! The api decides nothing. A request becomes a [`Command`](model::Command) to the [`Switch`]; what
//! can be seen comes from the [`Feed`], into which the program publishes every event. The web page
//! uses the same routes as any script.

mod body;
mod command;
mod conferences;
mod control;
mod events;
mod feed;
mod follower;
mod gate;
mod limits;
mod metrics;
mod openapi;
mod page;
mod parties;
mod place;
mod probes;
mod problem;
mod recordings;
mod registrations;
mod router;
mod serve;
mod socket;
mod switch;
mod terms;
mod trunks;

pub use feed::Feed;
pub use openapi::document;
pub use router::router;
pub use serve::serve;
pub use switch::{Facts, Gauge, Readiness, Reply, Switch};
