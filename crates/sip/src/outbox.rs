//! What waits to be taken out of the endpoint.

use std::collections::VecDeque;

use crate::event::{Output, SessionEvent};
use crate::flow::Flow;
use crate::session::SessionId;
use crate::stats::Stats;

/// Outputs in order, and what is counted on the way. Emptied after each input, so its length is
/// bounded by what one input or one timeout causes.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Output>,
    pub(crate) stats: Stats,
}

impl Outbox {
    pub(crate) fn take(&mut self) -> Option<Output> {
        self.waiting.pop_front()
    }

    pub(crate) fn push(&mut self, output: Output) {
        self.waiting.push_back(output);
    }

    pub(crate) fn transmit(&mut self, flow: Flow, bytes: Vec<u8>) {
        self.push(Output::Transmit { flow, bytes });
    }

    pub(crate) fn resend(&mut self, flow: Flow, bytes: Vec<u8>) {
        self.stats.retransmissions += 1;
        self.transmit(flow, bytes);
    }

    pub(crate) fn tell(&mut self, session: SessionId, event: SessionEvent) {
        self.push(Output::Session(session, event));
    }
}
