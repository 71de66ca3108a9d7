//! The recordings' index: a line when a recording's file is opened, a line when it is closed.
//!
//! The line "open" is written before the file exists. A recording that has no line "closed" was
//! left open by a crash, and its file is repaired when the vault is opened again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use model::{RecordingId, TapRate, Track};
use serde::{Deserialize, Serialize};

use crate::limits::INDEX_LINE_BYTES_MAX;
use crate::lines;

/// The index, open for appending.
#[derive(Debug)]
pub(crate) struct Index {
    file: File,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    recording: RecordingId,
    /// [ms since the Unix epoch]
    at_ms: u64,
    #[serde(flatten)]
    state: State,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum State {
    Open {
        rate: TapRate,
        #[serde(default, skip_serializing_if = "is_mix")]
        track: Track,
    },
    Closed {
        how: Closing,
        duration_ms: u64,
    },
}

/// How a recording's file came to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Closing {
    /// It is complete.
    Finished,
    /// It could not go on.
    Failed,
    /// It was left open by a crash and repaired.
    Recovered,
}

fn is_mix(track: &Track) -> bool {
    *track == Track::Mix
}

impl Index {
    /// Opens the index, and tells which recordings are still open in it.
    pub(crate) fn open(path: &Path) -> io::Result<(Index, BTreeMap<RecordingId, TapRate>)> {
        let file = lines::append_to(path)?;
        let open = left_open(BufReader::new(File::open(path)?))?;
        Ok((Index { file }, open))
    }

    /// Notes that a recording's file is about to be created.
    pub(crate) fn opened(
        &mut self,
        recording: RecordingId,
        at_ms: u64,
        rate: TapRate,
        track: Track,
    ) -> io::Result<()> {
        self.write(&Line { recording, at_ms, state: State::Open { rate, track } })
    }

    /// Notes that a recording's file is complete.
    pub(crate) fn closed(
        &mut self,
        recording: RecordingId,
        at_ms: u64,
        how: Closing,
        duration_ms: u64,
    ) -> io::Result<()> {
        self.write(&Line { recording, at_ms, state: State::Closed { how, duration_ms } })
    }

    /// Forces what is written to the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        let length = self.file.metadata()?.len();
        self.file.write_all(&bytes).inspect_err(|_| {
            // A torn line would swallow the one that follows it.
            if let Err(error) = self.file.set_len(length) {
                tracing::warn!(%error, "recordings' index has a torn line");
            }
        })
    }
}

/// Folds the lines. A line that cannot be read was torn by a crash and says nothing.
fn left_open(mut reader: impl BufRead) -> io::Result<BTreeMap<RecordingId, TapRate>> {
    let mut open = BTreeMap::new();
    while let Some(line) = lines::next(&mut reader, INDEX_LINE_BYTES_MAX)? {
        match serde_json::from_slice(&line) {
            Ok(Line { recording, state: State::Open { rate, .. }, .. }) => {
                open.insert(recording, rate);
            }
            Ok(Line { recording, state: State::Closed { .. }, .. }) => {
                open.remove(&recording);
            }
            Err(error) => tracing::warn!(%error, "a line of the recordings' index is unreadable"),
        }
    }
    Ok(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_opened_and_not_closed_is_still_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.jsonl");
        let (mut index, open) = Index::open(&path).unwrap();
        assert!(open.is_empty());
        index.opened(RecordingId(1), 10, TapRate::Hz8000, Track::Mix).unwrap();
        index.opened(RecordingId(2), 11, TapRate::Hz48000, Track::Mix).unwrap();
        index.closed(RecordingId(1), 20, Closing::Finished, 9).unwrap();
        drop(index);
        let (_, open) = Index::open(&path).unwrap();
        assert_eq!(open, BTreeMap::from([(RecordingId(2), TapRate::Hz48000)]));
    }

    #[test]
    fn a_torn_or_endless_line_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.jsonl");
        let (mut index, _) = Index::open(&path).unwrap();
        index.opened(RecordingId(1), 10, TapRate::Hz8000, Track::Mix).unwrap();
        index.file.write_all(&[b'x'; 3 * INDEX_LINE_BYTES_MAX]).unwrap();
        index.file.write_all(b"\n{\"recording\":\"r00").unwrap();
        drop(index);
        let (mut index, open) = Index::open(&path).unwrap();
        assert_eq!(open.len(), 1);
        index.opened(RecordingId(2), 11, TapRate::Hz16000, Track::Mix).unwrap();
        let (_, open) = Index::open(&path).unwrap();
        assert_eq!(open.len(), 2, "the torn line was ended before the next was written");
    }

    #[test]
    fn a_line_says_what_happened_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.jsonl");
        let (mut index, _) = Index::open(&path).unwrap();
        index.opened(RecordingId(1), 10, TapRate::Hz8000, Track::Mix).unwrap();
        index.closed(RecordingId(1), 20, Closing::Failed, 9).unwrap();
        let whisper = Track::Whisper { of: RecordingId(1), party: model::PartyId(7) };
        index.opened(RecordingId(2), 30, TapRate::Hz8000, whisper).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "{\"recording\":\"r0000000000001\",\"at_ms\":10,\"state\":\"open\",\"rate\":8000}\n\
             {\"recording\":\"r0000000000001\",\"at_ms\":20,\"state\":\"closed\",\
             \"how\":\"failed\",\"duration_ms\":9}\n\
             {\"recording\":\"r0000000000002\",\"at_ms\":30,\"state\":\"open\",\"rate\":8000,\
             \"track\":{\"kind\":\"whisper\",\"of\":\"r0000000000001\",\
             \"party\":\"p0000000000007\"}}\n"
        );
    }
}
