//! Recordings of many hours. Their silence is a hole in the file, so that they take no disk.
#![expect(clippy::unwrap_used, reason = "a test's hands may fail with it")]

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use model::limits::{TAP_FRAMES_QUEUED_MAX, TAP_SAMPLES_MAX};
use model::{PartyId, RecordingId, TapFrame, TapRate, Track};
use vault::{Vault, VaultReport};

/// Longer than anything here can take; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(60);
const RATE: TapRate = TapRate::Hz48000;
const TICK_BYTES: u64 = 2 * 960;
const HEADER_BYTES: u64 = 80;
const TICKS_PER_HOUR: u64 = 60 * 60 * 50;

/// A file's samples by its own header, where they begin and how many bytes they are, as a reader
/// finds them: chunk after chunk (RIFF, and EBU Tech 3306 for more than 32 bits).
fn data(path: &Path) -> (u64, u64) {
    let file = File::open(path).unwrap();
    let bytes = |at: u64| {
        let mut eight = [0; 8];
        file.read_exact_at(&mut eight, at).unwrap();
        eight
    };
    let word = |at| u32::from_le_bytes(bytes(at)[..4].try_into().unwrap());
    let long = |at| u64::from_le_bytes(bytes(at));
    let is_long = match &bytes(0)[..4] {
        b"RF64" => true,
        b"RIFF" => false,
        other => panic!("{other:?}"),
    };
    let mut at = 12;
    let mut data_bytes = None;
    loop {
        let size = match word(at + 4) {
            u32::MAX if is_long => data_bytes.unwrap(),
            size => u64::from(size),
        };
        match &bytes(at)[..4] {
            b"ds64" => {
                assert_eq!(long(at + 8) + 8, file.metadata().unwrap().len());
                data_bytes = Some(long(at + 16));
            }
            b"data" => return (at + 8, size),
            _ => {}
        }
        at += 8 + size;
    }
}

/// Two sides that are recorded for so long and say something every 50 minutes, each another thing
/// at the same instant.
fn record(hours: u64) -> (tempfile::TempDir, [std::path::PathBuf; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let (report, reports) = mpsc::channel();
    let vault = Vault::open(folder.path(), move |what| drop(report.send(what))).unwrap();
    let (mix, side) = (RecordingId(1), RecordingId(2));
    let ring = || rtrb::RingBuffer::new(TAP_FRAMES_QUEUED_MAX);
    let ((mut mix_frames, mix_taken), (mut side_frames, side_taken)) = (ring(), ring());
    vault.record(mix, Track::Mix, RATE, mix_taken);
    vault.record(side, Track::Voice { of: mix, party: PartyId(7) }, RATE, side_taken);
    let frame = |tick, said| TapFrame { tick, samples: [said; TAP_SAMPLES_MAX] };
    let last = hours * TICKS_PER_HOUR - 1;
    for tick in (0..last).step_by(TICKS_PER_HOUR as usize * 5 / 6).chain([last]) {
        mix_frames.push(frame(tick, 11)).unwrap();
        side_frames.push(frame(tick, 22)).unwrap();
    }
    drop((side_frames, mix_frames));
    for _ in 0..2 {
        let VaultReport::Finished { duration_ms, .. } = reports.recv_timeout(PATIENCE).unwrap()
        else {
            panic!("a recording that was finished")
        };
        assert_eq!(duration_ms, hours * 60 * 60 * 1_000);
    }
    let paths = [mix, side].map(|recording| vault.recording_path(recording));
    (folder, paths)
}

fn assert_in_step(hours: u64) {
    let (_folder, paths) = record(hours);
    for (path, said) in paths.iter().zip([11, 22_i16]) {
        assert_eq!(data(path), (HEADER_BYTES, hours * TICKS_PER_HOUR * TICK_BYTES));
        let file = File::open(path).unwrap();
        let sample = |at: u64| {
            let mut two = [0; 2];
            file.read_exact_at(&mut two, at).unwrap();
            i16::from_le_bytes(two)
        };
        for minute in (0..hours * 60).step_by(50) {
            let at = HEADER_BYTES + minute * 60 * 50 * TICK_BYTES;
            assert_eq!((sample(at), sample(at + TICK_BYTES)), (said, 0), "minute {minute}");
            assert!(minute == 0 || sample(at - 2) == 0, "minute {minute}");
        }
        assert!(file.metadata().unwrap().blocks() < 8_192, "silence takes no disk");
    }
}

#[test]
fn a_recording_of_ten_hours_is_as_long_as_it_was_and_its_sides_are_in_step() {
    assert_in_step(10);
}

#[test]
fn a_recording_that_has_outgrown_four_gigabytes_is_whole_and_in_step_too() {
    // 13 hours at 48 kHz are 4.49 GB.
    assert_in_step(13);
}
