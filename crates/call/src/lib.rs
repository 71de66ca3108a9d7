//! What a conference decides: who is in it, who stands with whom, what each may do.
//!
//! A [`Conference`] takes commands and what became of its legs, and yields effects: events, calls
//! to place and to end, the whole routing. It knows neither SIP nor packets.
//!
//! Times are milliseconds since the Unix epoch as the caller's one monotonic source tells them.

mod conference;
mod effect;
mod party;
mod policy;
mod routing;
mod verbs;

pub use conference::{Conference, Rules};
pub use effect::{Effect, LegChange};
pub use party::{HoldPlacer, Microphone, Party, Presence, Seat};
pub use policy::judge;
pub use routing::routing;
