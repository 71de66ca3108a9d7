//! What a conference decides: who is in it, who stands with whom, what each may do.
//!
//! A [`Conference`] takes commands and what became of its legs, and yields effects: events, calls
//! to place and to end, the whole routing. It knows neither SIP nor packets.
//!
//! What may be done, and what follows from what, stands in a profile: a table as data. [`judge`]
//! reads it, [`grid`] draws it.
//!
//! Times are milliseconds since the Unix epoch as the caller's one monotonic source tells them.

mod allowed;
mod announcement;
mod conference;
mod consultation;
mod effect;
mod grid;
mod keys;
mod leaving;
mod limits;
mod moving;
mod party;
mod policy;
mod profiles;
mod recording;
mod routing;
mod verbs;

pub use announcement::{Announcement, Purpose, Saying};
pub use conference::{Conference, Rules};
pub use effect::{Effect, LegChange};
pub use grid::{differences, grid, keys_table};
pub use keys::Entered;
pub use moving::Mover;
pub use party::{
    Aim, Hold, HoldReason, Microphone, Party, PhoneKey, Presence, Seat, Stance, Video,
};
pub use policy::judge;
pub use profiles::{BadProfile, open, parse, shipped};
pub use recording::Recording;
pub use routing::{hears, routing};
