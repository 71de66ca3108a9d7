//! One conference, one tick: ports, jitter buffers, the mix, packets out.
//!
//! A [`Stage`] is all that one media thread owns. It has no clock, no socket and no thread: arrival
//! times and turns are arguments, datagrams come and go as bytes. The same packets and orders give
//! the same packets, bit for bit.
//!
//! ```text
//!  control side                         media thread
//!  Desk::compile(order) ── Cue ──────►  Stage::apply
//!                                       Stage::receive(port, remote, arrival, bytes)
//!                                       Stage::turn(number, outbox) ──► datagrams
//!  drop             ◄─── Spent ───────  Stage::next_spent
//!  MediaReport      ◄──────────────────  Stage::next_report
//! ```
//!
//! After its construction a stage neither allocates nor frees: whatever an order needs is made by
//! the [`Desk`] and comes in the [`Cue`]; whatever it replaces goes back as [`Spent`].
//!
//! | what | where |
//! |---|---|
//! | from where packets may come | `source` |
//! | one line of time for a leg's packets | `timeline` |
//! | a decoder for each codec in which they may come | `decoders` |
//! | packets in order; how long they wait | `jitter`, `delay` |
//! | packets into frames, concealment, the delay kept | `playout`, `fifo`, `stretch` |
//! | silence that need not be decoded, and what is shown to a decoder later | `hush`, `spared` |
//! | a leg's media end, and what is sent to it | `port`, `outgoing` |
//! | packets that only the two ends can read | `srtp` |
//! | who hears whom, with sums | `plan` |
//! | encoders, private and shared, and how they are set | `voice`, `recipe` |
//! | who gets a speaker's own payloads | `way`, `crowd` |
//! | a conference's tick | `mixer` |
//! | prompts and the ringing tone | `announcer`, `clip` |
//! | recorders | `tap` |
//! | reports of quality, both ways | `control`, `reception`, `quality` |

mod announcer;
mod bursts;
mod carried;
mod clip;
mod control;
mod crowd;
mod cue;
mod decoders;
mod delay;
mod desk;
mod expense;
mod extended;
mod fifo;
mod hush;
mod jitter;
mod keys;
mod ledger;
pub mod limits;
mod link;
mod lull;
mod mixer;
mod music;
mod outbox;
mod outgoing;
mod passing;
mod plan;
mod playout;
mod port;
mod pressing;
mod quality;
mod rate;
mod reception;
mod recipe;
mod slack;
mod sounding;
mod source;
mod spared;
mod srtp;
mod stage;
mod stretch;
mod tap;
mod timeline;
mod voice;
mod watch;
mod way;

pub use announcer::Announcement;
pub use clip::{Clip, Clips};
pub use cue::{Cue, Spent};
pub use desk::{Desk, OrderError};
pub use link::Link;
pub use mixer::Mixer;
pub use music::Music;
pub use outbox::{Datagram, Outbox};
pub use plan::Plan;
pub use port::Port;
pub use stage::{PortKey, Stage};
pub use tap::Tap;
