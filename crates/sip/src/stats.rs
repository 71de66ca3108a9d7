//! What is counted.

use std::collections::BTreeMap;

use crate::limits::Limit;
use crate::message::{Method, StatusCode};

/// Counters since the start.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Stats {
    /// Requests that arrived, copies included, by method.
    pub requests_received: MethodCounts,
    /// Requests sent, copies excluded, by method.
    pub requests_sent: MethodCounts,
    /// Responses that arrived, copies included.
    pub responses_received: StatusCounts,
    /// Responses sent, copies excluded.
    pub responses_sent: StatusCounts,
    /// Copies sent because something was not answered in time, or asked for again.
    pub retransmissions: u64,
    /// Messages that could not be read.
    pub malformed: u64,
    /// Responses and ACKs that belong to nothing.
    pub strays: u64,
    /// What was refused because a limit was reached, by limit.
    pub limits: LimitCounts,
    /// Requests that the gate turned away, by reason.
    pub turned_away: ReasonCounts,
}

/// Counts by limit.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct LimitCounts(BTreeMap<Limit, u64>);

impl LimitCounts {
    pub(crate) fn count(&mut self, limit: Limit) {
        *self.0.entry(limit).or_insert(0) += 1;
    }

    /// The count of one limit.
    #[must_use]
    pub fn of(&self, limit: Limit) -> u64 {
        self.0.get(&limit).copied().unwrap_or(0)
    }

    /// All limits, also those that were never reached.
    pub fn iter(&self) -> impl Iterator<Item = (Limit, u64)> {
        Limit::ALL.into_iter().map(|limit| (limit, self.of(limit)))
    }
}

/// Counts by reason.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ReasonCounts(BTreeMap<&'static str, u64>);

impl ReasonCounts {
    pub(crate) fn count(&mut self, reason: &'static str) {
        *self.0.entry(reason).or_insert(0) += 1;
    }

    /// The count of one reason.
    #[must_use]
    pub fn of(&self, reason: &str) -> u64 {
        self.0.get(reason).copied().unwrap_or(0)
    }

    /// All that were counted.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(reason, count)| (*reason, *count))
    }
}

/// Counts by method. Methods without a name of their own are counted as one: a stranger must not
/// make the table grow.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct MethodCounts(BTreeMap<Method, u64>);

impl MethodCounts {
    pub(crate) fn count(&mut self, method: &Method) {
        *self.0.entry(bounded(method)).or_insert(0) += 1;
    }

    /// The count of one method.
    #[must_use]
    pub fn of(&self, method: &Method) -> u64 {
        self.0.get(&bounded(method)).copied().unwrap_or(0)
    }

    /// All that were counted.
    pub fn iter(&self) -> impl Iterator<Item = (&Method, u64)> {
        self.0.iter().map(|(method, count)| (method, *count))
    }
}

/// Counts by method and status.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct StatusCounts(BTreeMap<(Method, StatusCode), u64>);

impl StatusCounts {
    pub(crate) fn count(&mut self, method: &Method, status: StatusCode) {
        *self.0.entry((bounded(method), status)).or_insert(0) += 1;
    }

    /// The count of one status to one method.
    #[must_use]
    pub fn of(&self, method: &Method, status: StatusCode) -> u64 {
        self.0.get(&(bounded(method), status)).copied().unwrap_or(0)
    }

    /// All that were counted.
    pub fn iter(&self) -> impl Iterator<Item = (&Method, StatusCode, u64)> {
        self.0.iter().map(|((method, status), count)| (method, *status, *count))
    }
}

fn bounded(method: &Method) -> Method {
    match matches!(method, Method::Other(_)) {
        true => Method::Other("other".to_owned()),
        false => method.clone(),
    }
}

/// What is alive at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Alive {
    /// Sessions, those included whose BYE or ACK is still awaited.
    pub sessions: usize,
    /// Requests of ours that may still be answered.
    pub client_transactions: usize,
    /// Requests of others that may still come again.
    pub server_transactions: usize,
    /// Subscriptions, those included whose last NOTIFY is not answered yet.
    pub subscriptions: usize,
}
