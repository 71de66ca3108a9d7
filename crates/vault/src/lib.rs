//! What must be kept: recordings and the journal of events.
//!
//! ```text
//!  media ──ring of TapFrames──▶ ┐                    ┌▶ data/recordings/<id>.wav
//!  Vault::record ──orders─────▶ ├ the writer's thread ┼▶ data/recordings/index.jsonl
//!  Vault::keep ────events─────▶ ┘                    └▶ data/journal/2026-11-23.jsonl
//!                                        └─▶ VaultReport
//! ```
//!
//! Nobody waits for the disk: rings and queues are bounded, and what finds them full is counted.
//! A recording is a valid WAV file at every instant; the header trails the data by half a second at
//! most. A recording that a crash left open is repaired when the vault is opened again, and a
//! conference that it left live is closed.
#![allow(clippy::disallowed_methods, reason = "a shell owns clocks")]

mod clock;
mod index;
mod interrupted;
mod journal;
pub mod limits;
mod lines;
mod mark;
mod recorder;
mod registrations;
mod rounds;
mod stats;
mod wav;
mod whole;
mod writer;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};

use model::limits::RECORDINGS_MAX;
use model::{Event, RecordingId, TapFrame, TapRate, Track};

pub use crate::interrupted::Interrupted;
use crate::interrupted::{LeftLive, Repaired};
use crate::journal::Journal;
use crate::limits::{EVENTS_QUEUED_MAX, FREE_BYTES_MIN, RIFF_BYTES_MAX};
use crate::recorder::{Order, Recorder};
pub use crate::registrations::Registrations;
use crate::stats::Counters;
pub use crate::stats::VaultStats;
use crate::writer::Writer;

/// What became of a recording, or of a conference. Each recording gets exactly one of `Finished`
/// and `Failed`; one that a crash has left open gets `Recovered` or `Failed` at the next start.
#[derive(Debug, Clone, PartialEq)]
pub enum VaultReport {
    /// A crash had left it open; its file now counts all that was written.
    Recovered {
        /// Which.
        recording: RecordingId,
        /// Its file.
        path: PathBuf,
        /// How long it is \[ms\].
        duration_ms: u64,
    },
    /// It is complete.
    Finished {
        /// Which.
        recording: RecordingId,
        /// Its file.
        path: PathBuf,
        /// How long it is \[ms\].
        duration_ms: u64,
    },
    /// It could not be started or go on. What its file holds so far is valid.
    Failed {
        /// Which.
        recording: RecordingId,
        /// What the world said.
        reason: String,
    },
    /// A crash had left a conference live; the journal has its end now.
    Interrupted(Interrupted),
}

/// Why a vault could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Another server holds the folder.
    #[error("the data folder {0} is in use by another server")]
    InUse(PathBuf),
    /// The folder cannot be used.
    #[error("the data folder {folder} cannot be used: {reason}")]
    Unusable {
        /// The data folder.
        folder: PathBuf,
        /// What the world said.
        reason: io::Error,
    },
}

/// The data folder, open and held by this process alone.
///
/// Dropping it ends all recordings as they stand, writes what waits for the journal, and waits for
/// the disk.
#[derive(Debug)]
pub struct Vault {
    recordings: PathBuf,
    /// Absent only while the vault is dropped; so is `events`.
    orders: Option<SyncSender<Order>>,
    events: Option<SyncSender<Event>>,
    counters: Arc<Counters>,
    report: Report,
    writer: Option<JoinHandle<()>>,
    /// The lock ends with this, even when the process is killed.
    _lock: File,
}

#[derive(Clone)]
struct Report(Arc<dyn Fn(VaultReport) + Send + Sync>);

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Report")
    }
}

/// Bounds that tests make small.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    riff_bytes_max: u64,
    free_bytes_min: u64,
}

impl Vault {
    /// Opens the data folder `data`, which is made if it is not there.
    ///
    /// Recordings that a crash has left open are repaired, and conferences that it has left live
    /// are closed, before this returns, and `report` is called for each by this thread. Later
    /// reports come from the writer's thread, which writes nothing while it reports; so `report`
    /// should not wait.
    ///
    /// # Errors
    /// [`VaultError::InUse`] if another server holds the folder, [`VaultError::Unusable`] if it
    /// cannot be made, read or written.
    pub fn open(
        data: &Path,
        report: impl Fn(VaultReport) + Send + Sync + 'static,
    ) -> Result<Vault, VaultError> {
        let bounds = Bounds { riff_bytes_max: RIFF_BYTES_MAX, free_bytes_min: FREE_BYTES_MIN };
        Vault::open_with(data, bounds, Report(Arc::new(report)))
    }

    fn open_with(data: &Path, bounds: Bounds, report: Report) -> Result<Vault, VaultError> {
        let unusable = |reason| VaultError::Unusable { folder: data.to_owned(), reason };
        let recordings = data.join("recordings");
        let journal_folder = data.join("journal");
        fs::create_dir_all(&recordings).map_err(unusable)?;
        fs::create_dir_all(&journal_folder).map_err(unusable)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(data.join("vault.lock"))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(VaultError::InUse(data.to_owned())),
            Err(TryLockError::Error(reason)) => return Err(unusable(reason)),
        }
        let counters = Arc::new(Counters::default());
        let (recorder, repaired) =
            Recorder::open(recordings.clone(), bounds, counters.clone(), report.clone())
                .map_err(unusable)?;
        let mut journal = Journal::new(&journal_folder);
        let is_there = |id| recorder::path(&recordings, id).exists();
        close_left_live(&journal_folder, &mut journal, &repaired, is_there, &counters, &report)
            .map_err(unusable)?;
        let (orders, orders_taken) = mpsc::sync_channel(RECORDINGS_MAX);
        let (events, events_taken) = mpsc::sync_channel(EVENTS_QUEUED_MAX);
        let writer = Writer {
            recorder,
            journal,
            orders: orders_taken,
            events: events_taken,
            counters: counters.clone(),
        };
        let writer = thread::Builder::new()
            .name("vault-writer".into())
            .spawn(move || writer.run())
            .map_err(unusable)?;
        Ok(Vault {
            recordings,
            orders: Some(orders),
            events: Some(events),
            counters,
            report,
            writer: Some(writer),
            _lock: lock,
        })
    }

    /// Records what comes through the ring, until the ring's producer is dropped. A track's file
    /// begins when that of its mix does, in silence.
    ///
    /// Never waits. Whether it can be done is told by a [`VaultReport`]; at most
    /// [`RECORDINGS_MAX`] recordings run at once.
    pub fn record(
        &self,
        recording: RecordingId,
        track: Track,
        rate: TapRate,
        frames: rtrb::Consumer<TapFrame>,
    ) {
        let Some(orders) = &self.orders else { return };
        let reason = match orders.try_send(Order { recording, track, rate, frames }) {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => "too many recordings begin at once",
            Err(TrySendError::Disconnected(_)) => "the writer's thread is gone",
        };
        self.report.call(VaultReport::Failed { recording, reason: reason.into() });
    }

    /// Keeps an event in the journal. Never waits: when the queue is full the event is counted as
    /// dropped.
    pub fn keep(&self, event: &Event) {
        let Some(events) = &self.events else { return };
        if events.try_send(event.clone()).is_err() && self.counters.dropped(1) {
            tracing::warn!("events are missing from the journal: its queue is full");
        }
    }

    /// Where a recording's file is, whether it exists or not.
    pub fn recording_path(&self, recording: RecordingId) -> PathBuf {
        recorder::path(&self.recordings, recording)
    }

    /// The counters.
    pub fn stats(&self) -> VaultStats {
        self.counters.read()
    }
}

/// Closes the conferences that a crash has left live: in the journal, and for whoever is told.
fn close_left_live(
    folder: &Path,
    journal: &mut Journal,
    repaired: &BTreeMap<RecordingId, Repaired>,
    is_there: impl Fn(RecordingId) -> bool,
    counters: &Counters,
    report: &Report,
) -> io::Result<()> {
    let mark = journal.mark().clone();
    let left_live = LeftLive::read(folder, &mark.place)?;
    for conference in left_live.close(&mark, repaired, is_there) {
        for event in &conference.closing {
            if let Err(dropped) = journal.keep(event) {
                writer::count(counters, &dropped);
            }
        }
        counters.interrupted();
        report.call(VaultReport::Interrupted(conference));
    }
    if let Err(dropped) = journal.write() {
        writer::count(counters, &dropped);
    }
    journal.sync()
}

impl Drop for Vault {
    fn drop(&mut self) {
        self.orders = None;
        self.events = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer's thread had died; the next start repairs its recordings");
        }
    }
}

impl Report {
    fn call(&self, report: VaultReport) {
        (self.0)(report);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_the_floor_of_free_space_a_recording_is_refused() {
        let data = tempfile::tempdir().unwrap();
        let (report, reports) = mpsc::channel();
        let report = Report(Arc::new(move |what| report.send(what).unwrap()));
        let bounds = Bounds { riff_bytes_max: RIFF_BYTES_MAX, free_bytes_min: u64::MAX };
        let vault = Vault::open_with(data.path(), bounds, report).unwrap();
        let (_producer, frames) = rtrb::RingBuffer::new(1);
        vault.record(RecordingId(1), Track::Mix, TapRate::Hz8000, frames);
        let VaultReport::Failed { recording: RecordingId(1), reason } = reports.recv().unwrap()
        else {
            panic!("a recording that was refused")
        };
        assert!(reason.contains("MB are free"), "{reason}");
        assert!(!vault.recording_path(RecordingId(1)).exists());
    }
}
