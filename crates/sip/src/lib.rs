//! The SIP endpoint as a machine.

pub mod framing;
pub mod limits;
pub mod message;

mod flow;
mod token;

pub use flow::{ConnectionId, Flow, Transport};
