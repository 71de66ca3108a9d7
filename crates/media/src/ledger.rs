//! What a stage counts and has to tell.

use std::collections::VecDeque;

use model::MediaReport;
use model::stats::MediaStats;

use crate::limits::REPORTS_QUEUED_MAX;

/// Counters and reports of one stage.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) stats: MediaStats,
    reports: VecDeque<MediaReport>,
}

impl Ledger {
    pub(crate) fn new() -> Ledger {
        Ledger {
            stats: MediaStats::default(),
            reports: VecDeque::with_capacity(REPORTS_QUEUED_MAX),
        }
    }

    /// Queues a report; false if the queue is full.
    pub(crate) fn report(&mut self, report: MediaReport) -> bool {
        let fits = self.reports.len() < REPORTS_QUEUED_MAX;
        if fits {
            self.reports.push_back(report);
        }
        fits
    }

    /// The oldest report that waits.
    pub(crate) fn next_report(&mut self) -> Option<MediaReport> {
        self.reports.pop_front()
    }
}
