//! How often each limit of the api was reached.

use std::sync::atomic::{AtomicU64, Ordering};

/// A bound that clients can run into (see [`crate::limits`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// All seats are taken: who connects next waits.
    Connections,
    /// One address has as many connections as it may: the next is closed.
    ConnectionsPerAddress,
    /// A body is longer than any that is read.
    BodyBytes,
    /// A body did not come in time.
    BodyWait,
    /// So many wrong tokens came from a source that none is looked at.
    WrongTokens,
    /// A command was not answered in time.
    AnswerWait,
}

impl Limit {
    pub(crate) const ALL: [Limit; 6] = [
        Limit::Connections,
        Limit::ConnectionsPerAddress,
        Limit::BodyBytes,
        Limit::BodyWait,
        Limit::WrongTokens,
        Limit::AnswerWait,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Limit::Connections => "connections",
            Limit::ConnectionsPerAddress => "connections_per_address",
            Limit::BodyBytes => "body_bytes",
            Limit::BodyWait => "body_wait",
            Limit::WrongTokens => "wrong_tokens",
            Limit::AnswerWait => "answer_wait",
        }
    }

    /// The limit that a problem's code tells of.
    pub(crate) fn of_problem(code: &str) -> Option<Limit> {
        match code {
            "body_too_large" => Some(Limit::BodyBytes),
            "body_too_slow" => Some(Limit::BodyWait),
            "too_many_tokens" => Some(Limit::WrongTokens),
            "no_answer" => Some(Limit::AnswerWait),
            _ => None,
        }
    }
}

/// The counts.
#[derive(Debug, Default)]
pub(crate) struct Tally([AtomicU64; Limit::ALL.len()]);

impl Tally {
    pub(crate) fn count(&self, limit: Limit) {
        self.0[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn of(&self, limit: Limit) -> u64 {
        self.0[limit as usize].load(Ordering::Relaxed)
    }
}
