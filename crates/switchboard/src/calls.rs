//! Counts calls by how they began and ended.

use std::collections::BTreeMap;

use model::LeaveReason;

/// Calls by direction and result.
#[derive(Debug, Default)]
pub(crate) struct Calls(BTreeMap<(&'static str, &'static str), u64>);

/// Who placed a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Placed {
    /// A phone called us.
    Inbound,
    /// We called a phone.
    Outbound,
}

impl Calls {
    pub(crate) fn answered(&mut self, placed: Placed) {
        self.count(placed, "answered");
    }

    /// A call that never was answered; `reason` says why.
    pub(crate) fn unanswered(&mut self, placed: Placed, reason: LeaveReason) {
        let result = match reason {
            LeaveReason::Left => "cancelled",
            LeaveReason::Removed | LeaveReason::Transferred | LeaveReason::Ended => "withdrawn",
            LeaveReason::NoAnswer => "no_answer",
            LeaveReason::Busy => "busy",
            LeaveReason::Declined => "declined",
            LeaveReason::Failed | LeaveReason::Lost | LeaveReason::Interrupted => "failed",
        };
        self.count(placed, result);
    }

    /// A call that a rule refused.
    pub(crate) fn refused(&mut self, placed: Placed) {
        self.count(placed, "refused");
    }

    pub(crate) fn counts(&self) -> &BTreeMap<(&'static str, &'static str), u64> {
        &self.0
    }

    fn count(&mut self, placed: Placed, result: &'static str) {
        let direction = match placed {
            Placed::Inbound => "inbound",
            Placed::Outbound => "outbound",
        };
        *self.0.entry((direction, result)).or_default() += 1;
    }
}
