//! Media threads: sockets, clock, rings, around `media`.
//!
//! ```text
//!  order(), open_tap()          media thread, one per core               reporter
//!  bind, compile ── Order ──►   wake every 5 ms at an absolute time
//!                               orders · receive · render · send
//!                               ── Return: reports, spent things ──►     report(), drop
//!  stats()  ◄── counters, once a turn
//! ```
//!
//! A media thread shares nothing but rings and counters. In a turn it neither allocates nor frees,
//! takes no lock and writes no log; its system calls are one sleep, one look at which sockets have
//! something, and one call for each socket that does or that is sent to.

mod address;
mod clock;
pub mod limits;
mod ports;
mod socket;
mod tally;
mod turn;
mod workers;

pub use workers::{Facts, Settings, Workers};
