//! The rules of conferences, in virtual time: stories, grids, and random scripts beside a book of
//! rules that is written apart from `call`.
#![allow(clippy::unwrap_used, reason = "a test says that it failed by panicking")]

mod apart;
mod aside;
mod book;
mod conference;
mod handing_on;
mod moving;
mod profiles;
mod prompts;
mod relieving;
mod scripts;
mod silence;
mod stage;
mod stories;
mod told;
mod tracks;
