//! The rehearsal: the whole product but its shells, with simulated phones that speak tones, on a
//! network that may lose, delay, reorder and double, in virtual time. Everything follows from a
//! seed, which is printed when something is not as it should be.
#![expect(clippy::unwrap_used, reason = "a test says that it failed by panicking")]
#![allow(unreachable_pub, reason = "the rehearsal's modules are seen by nobody else")]

mod control;
mod dropped;
mod keys;
mod lobby;
mod network;
mod prompts;
mod quality;
mod ringing;
mod rules;
mod scenes;
mod script;
mod srtp;
mod studio;
mod texts;
mod transfer;
mod users;
mod world;
