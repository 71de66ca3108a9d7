//! Media threads: sockets, clock, rings, around `media`.
//!
//! ```text
//!  order(), open_tap()          media thread, one per core               reporter
//!  bind, compile ── Order ──►   wake at 5 ms boundaries where a
//!                               conference is due
//!                               orders · receive · render · send
//!                               ── Return: reports, spent things ──►     report(), drop
//!  stats()  ◄── counters, once a turn
//! ```
//!
//! A media thread shares nothing but rings and counters. In a turn it neither allocates nor frees,
//! takes no lock and writes no log. Its system calls are one sleep, and then by io_uring one for
//! each twenty sockets that have something and for each few hundred packets that go; by epoll one
//! for each socket that has something or is sent to.

mod address;
mod buffers;
mod clock;
mod epoll;
pub mod floor;
pub mod limits;
mod ports;
mod ring;
mod socket;
mod stamp;
mod tally;
mod transit;
mod turn;
mod workers;

pub use socket::Io;
pub use workers::{Facts, Settings, Workers};
