//! A stage with telephones around it, in virtual time: who hears whom, how well, and at what cost.
#![allow(clippy::unwrap_used, reason = "a test says that it failed by panicking")]

mod alternatives;
mod announce;
mod control;
mod flood;
mod forward;
mod hearing;
mod moving;
mod network;
mod onset;
mod pauses;
mod pressing;
mod renewal;
mod seams;
mod sides;
mod speech;
mod srtp;
mod tick;
mod untouched;
mod watch;
mod wishes;
mod world;

use assert_no_alloc::AllocDisabler;

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;
