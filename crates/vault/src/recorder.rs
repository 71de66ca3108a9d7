//! The recordings that are being written: from rings into files.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use model::limits::{RECORDINGS_MAX, TAP_FRAMES_QUEUED_MAX, TAP_SAMPLES_MAX};
use model::{RecordingId, TapFrame, TapRate, Track};

use crate::clock;
use crate::index::{Closing, Index};
use crate::interrupted::Repaired;
use crate::limits::{GAP_TICKS_MAX, SIZES_LAG, SYNC_BUDGET};
use crate::rounds::{Rounds, Unsynced};
use crate::stats::Counters;
use crate::wav::{self, WavFile};
use crate::{Bounds, Report, VaultReport};

/// A wish to record.
pub(crate) struct Order {
    pub(crate) recording: RecordingId,
    pub(crate) track: Track,
    pub(crate) rate: TapRate,
    pub(crate) frames: rtrb::Consumer<TapFrame>,
}

/// All recordings; owned by the writer's thread.
pub(crate) struct Recorder {
    folder: PathBuf,
    bounds: Bounds,
    index: Index,
    recordings: Vec<Recording>,
    /// Files that are complete and not yet forced to the disk.
    finished: VecDeque<WavFile>,
    rounds: Rounds,
    /// Frames of one recording on their way from its ring to its file.
    block: Vec<u8>,
    counters: Arc<Counters>,
    report: Report,
}

struct Recording {
    id: RecordingId,
    /// The recording whose beginning is this one's; itself unless it is a track of another.
    mix: RecordingId,
    frames: rtrb::Consumer<TapFrame>,
    state: State,
}

enum State {
    /// Frames go into the file.
    Writing(Growing),
    /// The recording was refused or has failed: its frames are taken and thrown away, so that media
    /// never notices.
    Discarding,
}

/// A file and the tick that it has come to.
struct Growing {
    wav: WavFile,
    rate: TapRate,
    /// The tick at which the file begins; none before that is known.
    begin: Option<u64>,
    /// The tick that follows what is in the file; none before the first frame.
    tick_next: Option<u64>,
    /// Since when data waits to be forced to the disk.
    waits_since: Instant,
    /// What the disk said when it could not be forced there.
    sync_failed: Option<io::Error>,
}

/// Where a recording's file is. The name comes from the id alone, so nothing outside the folder
/// can be meant.
pub(crate) fn path(folder: &Path, recording: RecordingId) -> PathBuf {
    folder.join(format!("{recording}.wav"))
}

impl Recorder {
    /// Opens the folder's index and repairs the recordings that a crash has left open; tells what
    /// became of each.
    pub(crate) fn open(
        folder: PathBuf,
        bounds: Bounds,
        counters: Arc<Counters>,
        report: Report,
    ) -> io::Result<(Recorder, BTreeMap<RecordingId, Repaired>)> {
        let (index, left_open) = Index::open(&folder.join("index.jsonl"))?;
        let mut recorder = Recorder {
            folder,
            bounds,
            index,
            recordings: Vec::new(),
            finished: VecDeque::new(),
            rounds: Rounds::default(),
            block: Vec::with_capacity(TAP_FRAMES_QUEUED_MAX * TAP_SAMPLES_MAX * 2),
            counters,
            report,
        };
        let repaired = recorder.repair(left_open);
        Ok((recorder, repaired))
    }

    fn repair(
        &mut self,
        left_open: BTreeMap<RecordingId, TapRate>,
    ) -> BTreeMap<RecordingId, Repaired> {
        let mut repaired = BTreeMap::new();
        for (recording, rate) in left_open {
            let path = path(&self.folder, recording);
            match wav::repair(&path, rate, self.bounds.riff_bytes_max) {
                Ok(duration_ms) => {
                    self.note_closed(recording, Closing::Recovered, duration_ms);
                    self.counters.recovered();
                    repaired.insert(recording, Repaired::Recovered(duration_ms));
                    self.report.call(VaultReport::Recovered { recording, path, duration_ms });
                }
                Err(error) => {
                    // A file that never came to be is not asked for again; one that cannot be read
                    // today may be tomorrow.
                    if error.kind() == io::ErrorKind::NotFound {
                        self.note_closed(recording, Closing::Failed, 0);
                    }
                    let reason = error.to_string();
                    repaired.insert(recording, Repaired::Failed(reason.clone()));
                    self.report.call(VaultReport::Failed { recording, reason });
                }
            }
        }
        repaired
    }

    /// Begins a recording, or refuses it with a report.
    pub(crate) fn begin(&mut self, order: Order) {
        let Order { recording: id, track, rate, frames } = order;
        if self.recordings.len() >= RECORDINGS_MAX {
            // The ring is let go, so media counts its frames as lost: the bound has no bypass.
            let reason = format!("{RECORDINGS_MAX} recordings run already");
            self.report.call(VaultReport::Failed { recording: id, reason });
            return;
        }
        let state = match self.create(id, track, rate) {
            Ok(growing) => State::Writing(growing),
            Err(error) => {
                let reason = error.to_string();
                self.report.call(VaultReport::Failed { recording: id, reason });
                State::Discarding
            }
        };
        self.recordings.push(Recording { id, mix: track.mix().unwrap_or(id), frames, state });
        self.count_active();
    }

    fn create(&mut self, id: RecordingId, track: Track, rate: TapRate) -> io::Result<Growing> {
        let space = rustix::fs::statvfs(&self.folder)?;
        let free_bytes = space.f_bavail.saturating_mul(space.f_frsize);
        if free_bytes < self.bounds.free_bytes_min {
            let text = format!("only {} MB are free for recordings", free_bytes / 1_000_000);
            return Err(io::Error::new(io::ErrorKind::StorageFull, text));
        }
        let path = path(&self.folder, id);
        // Looked at before the index is written: a line about a second recording of the same id
        // would close the first.
        if path.symlink_metadata().is_ok() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "its file exists already"));
        }
        self.index.opened(id, clock::unix_ms(), rate, track)?;
        match WavFile::create(&path, rate, self.bounds.riff_bytes_max) {
            Ok(wav) => {
                let waits_since = Instant::now();
                let (begin, tick_next, sync_failed) = (None, None, None);
                Ok(Growing { wav, rate, begin, tick_next, waits_since, sync_failed })
            }
            Err(error) => {
                self.note_closed(id, Closing::Failed, 0);
                Err(error)
            }
        }
    }

    /// Takes what the rings hold, and ends the recordings whose producer is gone.
    pub(crate) fn turn(&mut self) {
        // Asked before any ring is emptied: nothing comes after this answer. A mix is let go after
        // its tracks, so while one of its tracks has frames left it is still here.
        let ended: Vec<bool> =
            self.recordings.iter().map(|recording| recording.frames.is_abandoned()).collect();
        self.drain_all();
        for position in (0..ended.len()).rev().filter(|position| ended[*position]) {
            let recording = self.recordings.swap_remove(position);
            self.end(recording);
        }
        self.count_active();
        self.sync();
    }

    /// Ends every recording as it stands.
    pub(crate) fn close(mut self) {
        self.drain_all();
        for recording in std::mem::take(&mut self.recordings) {
            self.end(recording);
        }
        self.count_active();
        for wav in std::mem::take(&mut self.finished) {
            warn_if_not_synced(wav.sync());
        }
        warn_if_not_synced(self.index.sync());
    }

    fn drain_all(&mut self) {
        for position in 0..self.recordings.len() {
            self.begin_with_mix(position);
            self.drain(position);
        }
    }

    /// A track begins where its mix does: where that is, is known once the mix's first frame is
    /// in, which is in its ring before the track's own. Without a mix it begins with itself.
    fn begin_with_mix(&mut self, position: usize) {
        let Some(recording) = self.recordings.get(position) else { return };
        let (id, mix) = (recording.id, recording.mix);
        if id == mix || recording.begin().is_some() || recording.frames.is_empty() {
            return;
        }
        let Some(at) = self.recordings.iter().position(|one| one.id == mix) else { return };
        if self.recordings[at].begin().is_none() {
            self.drain(at);
        }
        let begin = self.recordings[at].begin();
        if let State::Writing(growing) = &mut self.recordings[position].state {
            growing.begin = begin;
            growing.tick_next = begin;
        }
    }

    fn drain(&mut self, position: usize) {
        let Some(recording) = self.recordings.get_mut(position) else { return };
        match &mut recording.state {
            State::Writing(growing) => {
                let taken = growing.take(&mut recording.frames, &mut self.block, &self.counters);
                if let Err(error) = taken {
                    self.fail(position, &error);
                }
            }
            State::Discarding => {
                let waiting = recording.frames.slots();
                if let Ok(chunk) = recording.frames.read_chunk(waiting) {
                    chunk.commit_all();
                }
            }
        }
    }

    /// The recording cannot go on. What is in its file stays valid.
    fn fail(&mut self, position: usize, error: &io::Error) {
        let Some(recording) = self.recordings.get_mut(position) else { return };
        let id = recording.id;
        let state = std::mem::replace(&mut recording.state, State::Discarding);
        if let State::Writing(mut growing) = state {
            if let Err(error) = growing.wav.count() {
                tracing::warn!(recording = %id, %error, "the last second is not in the header");
            }
            self.note_closed(id, Closing::Failed, growing.wav.duration_ms());
        }
        self.report.call(VaultReport::Failed { recording: id, reason: error.to_string() });
        self.count_active();
    }

    fn end(&mut self, recording: Recording) {
        let id = recording.id;
        let State::Writing(mut growing) = recording.state else { return };
        if let Err(error) = growing.wav.count() {
            self.note_closed(id, Closing::Failed, growing.wav.duration_ms());
            self.report.call(VaultReport::Failed { recording: id, reason: error.to_string() });
            return;
        }
        let duration_ms = growing.wav.duration_ms();
        self.note_closed(id, Closing::Finished, duration_ms);
        if self.finished.len() == RECORDINGS_MAX {
            // The kernel writes it back in its own time.
            self.finished.pop_front();
        }
        self.finished.push_back(growing.wav);
        let path = path(&self.folder, id);
        self.report.call(VaultReport::Finished { recording: id, path, duration_ms });
    }

    /// Forces to the disk what is due, as far as the turn's budget goes.
    fn sync(&mut self) {
        let begin = Instant::now();
        while begin.elapsed() < SYNC_BUDGET
            && let Some(wav) = self.finished.pop_front()
        {
            warn_if_not_synced(wav.sync());
        }
        self.rounds.turn(begin, &mut self.recordings, Instant::now);
        for position in 0..self.recordings.len() {
            if let State::Writing(growing) = &mut self.recordings[position].state
                && let Some(error) = growing.sync_failed.take()
            {
                self.fail(position, &error);
            }
        }
    }

    /// Forces the index to the disk, and the names of new files.
    pub(crate) fn sync_index(&self) {
        warn_if_not_synced(self.index.sync());
        let names = File::open(&self.folder).and_then(|folder| folder.sync_all());
        warn_if_not_synced(names);
    }

    fn note_closed(&mut self, recording: RecordingId, how: Closing, duration_ms: u64) {
        let noted = self.index.closed(recording, clock::unix_ms(), how, duration_ms);
        if let Err(error) = noted {
            // The next start will look at the file once more, find it whole, and note it.
            tracing::warn!(%recording, %error, "recordings' index misses a line");
        }
    }

    fn count_active(&self) {
        let writing = |recording: &&Recording| matches!(recording.state, State::Writing(_));
        self.counters.active(self.recordings.iter().filter(writing).count());
    }
}

impl Recording {
    /// The tick at which its file begins.
    fn begin(&self) -> Option<u64> {
        match &self.state {
            State::Writing(growing) => growing.begin,
            State::Discarding => None,
        }
    }
}

impl Unsynced for Recording {
    fn waits_since(&self) -> Option<Instant> {
        match &self.state {
            State::Writing(growing) => Some(growing.waits_since),
            State::Discarding => None,
        }
    }

    /// The header goes first: what is forced to the disk is seen by every reader.
    fn sync(&mut self, now: Instant) {
        let State::Writing(growing) = &mut self.state else { return };
        growing.waits_since = now;
        growing.sync_failed = growing.wav.count().and_then(|()| growing.wav.sync()).err();
    }
}

impl Growing {
    /// Writes what the ring holds. Silence stands for frames that are missing.
    fn take(
        &mut self,
        frames: &mut rtrb::Consumer<TapFrame>,
        block: &mut Vec<u8>,
        counters: &Counters,
    ) -> io::Result<()> {
        let samples_per_tick = self.rate.samples_per_tick();
        let mut silence = 0;
        block.clear();
        for _ in 0..frames.slots() {
            let Ok(frame) = frames.pop() else { break };
            self.begin.get_or_insert(frame.tick);
            let expected = self.tick_next.unwrap_or(frame.tick);
            let Some(missing) = frame.tick.checked_sub(expected) else {
                counters.frame_out_of_order();
                continue;
            };
            if missing > 0 {
                self.append(silence, block, counters)?;
                // A track may begin hours after its mix.
                let gap_ticks_max = if self.wav.is_empty() { u64::MAX } else { GAP_TICKS_MAX };
                silence = missing.min(gap_ticks_max) * samples_per_tick as u64;
            }
            block.extend(frame.samples[..samples_per_tick].iter().flat_map(|s| s.to_le_bytes()));
            self.tick_next = Some(frame.tick.saturating_add(1));
        }
        self.append(silence, block, counters)?;
        let lag_samples = u128::from(self.rate.hz()) * SIZES_LAG.as_millis() / 1_000;
        if u128::from(self.wav.samples_uncounted()) >= lag_samples {
            self.wav.count()?;
        }
        Ok(())
    }

    fn append(&mut self, silence: u64, block: &mut Vec<u8>, counters: &Counters) -> io::Result<()> {
        self.wav.append(silence, block)?;
        counters.wrote(block.len());
        block.clear();
        Ok(())
    }
}

fn warn_if_not_synced(result: io::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, "data may not have reached the disk");
    }
}
