//! The program `convoke`: configuration, wiring, shutdown, subcommands.
//!
//! No decision about a call is made here. [`server`] starts the shells, [`shard`] carries what
//! happens to the pure switchboard and what it decides back to the shells; [`demo`] is a client
//! that calls a running server as phones do.
#![allow(clippy::disallowed_methods, reason = "the program owns the clock that it hands on")]

pub mod access;
pub mod check;
pub mod config;
pub mod demo;
pub mod fence;
pub mod interval;
pub mod limits;
pub mod log;
pub mod phone;
pub mod profiles;
pub mod prompts;
mod reload;
pub mod sense;
pub mod server;
pub mod shard;
pub mod tokens;
pub mod trunks;
