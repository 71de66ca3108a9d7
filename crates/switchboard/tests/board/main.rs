//! The switchboard as phones and trunks that are written by hand see it.

#![expect(clippy::unwrap_used, reason = "a test says that it failed by panicking")]

mod capacity;
mod codecs;
mod digits;
mod drain;
mod emergency;
mod families;
mod focus;
mod house;
mod keys;
mod limits;
mod patience;
mod quota;
mod reload;
mod renewal;
mod renewed;
mod trunks;
mod unmet;
mod users;
