//! Puts the machines together: what happened outside becomes commands, decisions become orders.
//!
//! A [`Switchboard`] owns the SIP endpoint and the conferences of one shard. It takes what arrives
//! ([`Input`]) and yields what is to be done ([`Output`]); it reads no clock, opens no socket and
//! is the same machine in the server and in the rehearsal.

mod audio;
mod caller;
mod calls;
mod commands;
mod config;
mod country;
mod digits;
mod early;
mod effects;
mod hunt;
mod keypad;
mod leg;
pub mod limits;
mod lobby;
mod locality;
mod moving;
mod negotiation;
mod prompts;
mod quota;
mod reason;
mod referral;
mod registrations;
mod roster;
mod seizure;
mod send_digits;
mod signal;
mod spending;
mod srtp;
mod switchboard;
mod text;
mod way;

pub use audio::{KeyKind, TrunkAudio};
pub use config::{Config, HouseRules, Room, RtpTimeouts};
pub use srtp::SrtpRules;
pub use switchboard::{Deadline, Input, Output, Switchboard};
