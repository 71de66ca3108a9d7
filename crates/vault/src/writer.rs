//! The writer's thread: the only one that touches the disk.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use model::Event;

use crate::clock;
use crate::journal::{Dropped, Journal};
use crate::limits::{EVENTS_QUEUED_MAX, SYNC_AFTER, TURN};
use crate::recorder::{Order, Recorder};
use crate::stats::Counters;

/// What the thread owns.
pub(crate) struct Writer {
    pub(crate) recorder: Recorder,
    pub(crate) journal: Journal,
    pub(crate) orders: Receiver<Order>,
    pub(crate) events: Receiver<Event>,
    pub(crate) counters: Arc<Counters>,
}

impl Writer {
    /// Writes until the vault is dropped, then ends all that is open.
    pub(crate) fn run(mut self) {
        let mut synced_at = Instant::now();
        let mut due = Instant::now() + TURN;
        while self.begin_recordings(due) {
            let begin = Instant::now();
            self.recorder.turn();
            self.write_journal();
            if synced_at.elapsed() >= SYNC_AFTER {
                synced_at = Instant::now();
                self.sync();
            }
            self.counters.turn_took(begin.elapsed());
            due = begin + TURN;
        }
        self.write_journal();
        self.sync();
        self.recorder.close();
    }

    /// Begins the recordings that are ordered until the turn is due. False once the vault is
    /// dropped.
    fn begin_recordings(&mut self, due: Instant) -> bool {
        loop {
            match self.orders.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(order) => self.recorder.begin(order),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
            if Instant::now() >= due {
                return true;
            }
        }
    }

    fn write_journal(&mut self) {
        for event in self.events.try_iter().take(EVENTS_QUEUED_MAX) {
            if let Err(dropped) = self.journal.keep(&event) {
                count(&self.counters, &dropped);
            }
        }
        if let Err(dropped) = self.journal.write() {
            count(&self.counters, &dropped);
        }
    }

    fn sync(&mut self) {
        self.recorder.sync_index();
        let journal = &mut self.journal;
        // What the mark leaves out must be on the disk before it.
        if let Err(error) = journal.sync().and_then(|()| journal.write_mark(clock::unix_ms())) {
            tracing::warn!(%error, "the journal may not have reached the disk");
        }
    }
}

pub(crate) fn count(counters: &Counters, dropped: &Dropped) {
    if counters.dropped(dropped.events) {
        tracing::warn!(error = %dropped.error, "events are missing from the journal");
    }
}
