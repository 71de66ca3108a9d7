//! What the gateway counts.

use std::sync::atomic::{AtomicU64, Ordering};

use sip::limits::Limit;

/// The gateway's counters, as values. All but the first count since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GatewayStats {
    /// Connections that are open or being opened.
    pub connections_open: u64,
    /// Connections accepted.
    pub connections_accepted: u64,
    /// Connections neither accepted nor opened because there were too many.
    pub connections_refused: u64,
    /// Connections not accepted because there were too many from their address.
    pub connections_refused_per_ip: u64,
    /// Connections not accepted because too many came lately from their address.
    pub connections_refused_rate: u64,
    /// Times that the system had no connection to accept, mostly for want of descriptors.
    pub accepts_failed: u64,
    /// Connections closed because a message on them was too large.
    pub messages_too_large: u64,
    /// Connections cut because the peer was too slow to speak, to finish a message or to read.
    pub connections_slow: u64,
    /// Connections closed because what came was not SIP or too large.
    pub connections_garbage: u64,
    /// Messages that came, over any transport.
    pub messages_in: u64,
    /// Messages sent, over any transport.
    pub messages_out: u64,
    /// Datagrams dropped because the endpoint was not fast enough.
    pub datagrams_dropped: u64,
    /// Datagrams dropped because the kernel's buffer was full.
    pub datagrams_unsent: u64,
    /// Keep-alives that came.
    pub keepalives: u64,
    /// Messages that could not be sent.
    pub unreachable: u64,
    /// Names that were not resolved.
    pub names_unresolved: u64,
    /// Names that were not looked up because too many others were.
    pub lookups_refused: u64,
}

impl GatewayStats {
    /// How often each limit was reached, by its name. A message is too large by one limit whether
    /// the gateway saw it or [`sip::limits::Limit::MessageBytes`] was reached.
    pub fn limits(&self) -> [(&'static str, u64); 8] {
        [
            (Limit::MessageBytes.name(), self.messages_too_large),
            ("connections", self.connections_refused),
            ("connections_per_address", self.connections_refused_per_ip),
            ("connection_rate", self.connections_refused_rate),
            ("accepts", self.accepts_failed),
            ("connection_time", self.connections_slow),
            ("inbound_messages", self.datagrams_dropped),
            ("lookups", self.lookups_refused),
        ]
    }
}

/// One counter.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections_accepted: Counter,
    pub(crate) connections_refused: Counter,
    pub(crate) connections_refused_per_ip: Counter,
    pub(crate) connections_refused_rate: Counter,
    pub(crate) accepts_failed: Counter,
    pub(crate) messages_too_large: Counter,
    pub(crate) connections_slow: Counter,
    pub(crate) connections_garbage: Counter,
    pub(crate) messages_in: Counter,
    pub(crate) messages_out: Counter,
    pub(crate) datagrams_dropped: Counter,
    pub(crate) datagrams_unsent: Counter,
    pub(crate) keepalives: Counter,
    pub(crate) unreachable: Counter,
    pub(crate) names_unresolved: Counter,
}

impl Counters {
    /// All but what is counted elsewhere.
    pub(crate) fn read(&self) -> GatewayStats {
        GatewayStats {
            connections_accepted: self.connections_accepted.read(),
            connections_refused: self.connections_refused.read(),
            connections_refused_per_ip: self.connections_refused_per_ip.read(),
            connections_refused_rate: self.connections_refused_rate.read(),
            accepts_failed: self.accepts_failed.read(),
            messages_too_large: self.messages_too_large.read(),
            connections_slow: self.connections_slow.read(),
            connections_garbage: self.connections_garbage.read(),
            messages_in: self.messages_in.read(),
            messages_out: self.messages_out.read(),
            datagrams_dropped: self.datagrams_dropped.read(),
            datagrams_unsent: self.datagrams_unsent.read(),
            keepalives: self.keepalives.read(),
            unreachable: self.unreachable.read(),
            names_unresolved: self.names_unresolved.read(),
            ..GatewayStats::default()
        }
    }
}
