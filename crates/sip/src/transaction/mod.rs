//! Transactions: a request and its responses (RFC 3261 §17, RFC 6026).
//!
//! The four machines are tables without data, one file each; their moves are committed as pictures
//! in `snapshots/`. [`Clients`] and [`Servers`] hold what lives, and do what the tables say.

mod client;
mod client_invite;
mod clients;
mod server;
mod server_invite;
mod servers;
mod timer;

pub(crate) use clients::{Clients, Failed, Failure, Heard, Sent};
pub(crate) use servers::{MergeKey, ServerKey, Servers};
pub(crate) use timer::{T1, T2, TRANSACTION_TIMEOUT, Timer};

/// One transaction, for its owner. Numbers are never used twice by one table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct TransactionId(u64);

/// What a machine wants done on a move, in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// Send the response at hand, and keep it.
    Send,
    /// Send the last message again.
    Resend,
    /// Send the ACK for a refusal.
    Acknowledge,
    /// Keep no more of the messages than what copies that still come are answered with.
    Release,
    /// Hand the message at hand to the user.
    Report,
    /// Tell the user that nothing was heard.
    TellTimeout,
    /// Tell the user that nothing could be sent.
    TellTransport,
    /// Start a timer.
    Start(Timer),
    /// Stop a timer.
    Stop(Timer),
}

/// One line of a machine's table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Move<S> {
    pub(crate) next: S,
    pub(crate) actions: &'static [Action],
}

impl<S> Move<S> {
    fn to(next: S, actions: &'static [Action]) -> Move<S> {
        Move { next, actions }
    }
}

/// A machine's whole table as text, over both kinds of transport.
#[cfg(test)]
fn picture<S, I>(states: &[S], inputs: &[I], step: fn(S, I, bool) -> Option<Move<S>>) -> String
where
    S: Copy + PartialEq + std::fmt::Debug,
    I: Copy + std::fmt::Debug,
{
    use std::fmt::Write as _;
    let mut picture = String::new();
    for state in states {
        for input in inputs {
            let by_kind = [false, true].map(|reliable| step(*state, *input, reliable));
            let kinds: &[(&str, usize)] =
                if by_kind[0] == by_kind[1] { &[("", 0)] } else { &[("UDP", 0), ("TCP", 1)] };
            for (kind, index) in kinds {
                let Some(step) = by_kind[*index] else { continue };
                let (from, by, to) =
                    (format!("{state:?}"), format!("{input:?}"), format!("{:?}", step.next));
                writeln!(picture, "{from:10} {by:14} {kind:3} → {to:10} {:?}", step.actions)
                    .expect("a String takes what is written");
            }
        }
    }
    picture
}
