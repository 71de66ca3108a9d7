//! REST, WebSocket, OpenAPI, metrics and the web page: speaks `Command`, shows views folded from
//! `Event`s.
//!
//! The api decides nothing. A request becomes a [`Command`](model::Command) to the [`Switch`]; what
//! can be seen comes from the [`Feed`], into which the program publishes every event. The web page
//! uses the same routes as any script.

mod actions;
mod admit;
mod announcements;
mod body;
mod command;
mod conferences;
mod control;
mod events;
mod feed;
mod follower;
mod gate;
mod grant;
mod issuer;
mod keyring;
mod limits;
mod metrics;
mod openapi;
mod page;
mod parties;
mod place;
mod probes;
mod problem;
mod proxies;
mod recordings;
mod registrations;
mod router;
mod serve;
mod sight;
mod socket;
mod spoken;
mod switch;
mod tally;
mod terms;
mod throttle;
mod trunks;

pub use admit::{Neighbours, Peer};
pub use feed::Feed;
pub use grant::{BadGrant, Bound, Capacity, CapacityName, Grant, Scope};
pub use issuer::{BadKey, Issuer, Signature};
pub use keyring::{Keyring, NotADigest, TokenDigest};
pub use openapi::document;
pub use proxies::Proxies;
pub use router::{Doors, router};
pub use serve::serve;
pub use switch::{Counter, Facts, Gauge, Readiness, Reply, Switch};
