//! A vault from outside: rings and events in, files and reports out.
#![expect(clippy::unwrap_used, reason = "a test's hands may fail with it")]
#![expect(clippy::disallowed_methods, reason = "it waits for another thread or process")]

use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use model::limits::{TAP_FRAMES_QUEUED_MAX, TAP_SAMPLES_MAX};
use model::{Author, ConferenceId, Event, EventKind, RecordingId, TapFrame, TapRate, Track};
use vault::limits::EVENTS_QUEUED_MAX;
use vault::{Vault, VaultError, VaultReport};

/// Longer than anything here can take; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(60);
const RATE: TapRate = TapRate::Hz8000;
const SAMPLES_PER_TICK: usize = 160;

#[test]
fn a_recording_holds_what_came_through_the_ring() {
    let data = tempfile::tempdir().unwrap();
    let (vault, reports) = open(data.path());
    let mut frames = record(&vault, RecordingId(1));
    for tick in 7..107 {
        frames.push(frame(tick)).unwrap();
    }
    drop(frames);
    let path = vault.recording_path(RecordingId(1));
    assert_eq!(path, data.path().join("recordings/r0000000000001.wav"));
    assert_eq!(
        reports.recv_timeout(PATIENCE).unwrap(),
        VaultReport::Finished { recording: RecordingId(1), path: path.clone(), duration_ms: 2_000 }
    );
    assert_eq!(samples(&path), expected(7..107));
    assert_eq!(vault.stats().bytes_written, 100 * 2 * SAMPLES_PER_TICK as u64);
    drop(vault);
    assert!(reports.recv().is_err(), "one report and no more");
}

#[test]
fn frames_that_are_missing_are_silence_of_their_length() {
    let data = tempfile::tempdir().unwrap();
    let (vault, reports) = open(data.path());
    let mut frames = record(&vault, RecordingId(1));
    for tick in [3, 4, 9, 10] {
        frames.push(frame(tick)).unwrap();
    }
    drop(frames);
    reports.recv_timeout(PATIENCE).unwrap();
    let mut wanted = expected(3..5);
    wanted.extend([0; 4 * SAMPLES_PER_TICK]);
    wanted.extend(expected(9..11));
    assert_eq!(samples(&vault.recording_path(RecordingId(1))), wanted);
}

#[test]
fn a_frame_of_the_past_is_left_out_and_counted() {
    let data = tempfile::tempdir().unwrap();
    let (vault, reports) = open(data.path());
    let mut frames = record(&vault, RecordingId(1));
    for tick in [3, 4, 4, 2, 5] {
        frames.push(frame(tick)).unwrap();
    }
    drop(frames);
    reports.recv_timeout(PATIENCE).unwrap();
    assert_eq!(samples(&vault.recording_path(RecordingId(1))), expected(3..6));
    assert_eq!(vault.stats().frames_out_of_order, 2);
}

#[test]
fn a_tick_beyond_reason_makes_an_hour_of_silence_and_no_more() {
    let data = tempfile::tempdir().unwrap();
    let (vault, reports) = open(data.path());
    let mut frames = record(&vault, RecordingId(1));
    frames.push(frame(0)).unwrap();
    frames.push(frame(u64::MAX)).unwrap();
    drop(frames);
    let VaultReport::Finished { duration_ms, .. } = reports.recv_timeout(PATIENCE).unwrap() else {
        panic!("a recording that was finished")
    };
    assert_eq!(duration_ms, 60 * 60 * 1_000 + 40);
}

#[test]
fn a_track_begins_with_its_mix_however_late_it_comes_and_in_whichever_order_they_are_read() {
    let hour = 60 * 60 * 50;
    for track_comes in [1, 2 * hour] {
        let data = tempfile::tempdir().unwrap();
        let (vault, reports) = open(data.path());
        let mut mix = record(&vault, RecordingId(1));
        let mut track = record_beside(&vault, RecordingId(1), RecordingId(2));
        // The mix is read first or second, as the writer's turn falls.
        mix.push(frame(0)).unwrap();
        track.push(frame(track_comes)).unwrap();
        drop(track);
        drop(mix);
        for _ in 0..2 {
            assert!(matches!(reports.recv_timeout(PATIENCE), Ok(VaultReport::Finished { .. })));
        }
        let held = samples(&vault.recording_path(RecordingId(2)));
        assert_eq!(held.len(), (track_comes as usize + 1) * SAMPLES_PER_TICK);
        let (silence, voice) = held.split_at(track_comes as usize * SAMPLES_PER_TICK);
        assert!(silence.iter().all(|sample| *sample == 0));
        assert_eq!(voice, expected(track_comes..track_comes + 1));
    }
}

#[test]
fn a_track_whose_mix_could_not_be_made_begins_with_itself() {
    let data = tempfile::tempdir().unwrap();
    let (vault, reports) = open(data.path());
    std::fs::write(vault.recording_path(RecordingId(1)), b"kept").unwrap();
    let mut mix = record(&vault, RecordingId(1));
    let mut track = record_beside(&vault, RecordingId(1), RecordingId(2));
    assert!(matches!(reports.recv_timeout(PATIENCE), Ok(VaultReport::Failed { .. })));
    mix.push(frame(0)).unwrap();
    track.push(frame(9)).unwrap();
    drop(track);
    assert!(matches!(reports.recv_timeout(PATIENCE), Ok(VaultReport::Finished { .. })));
    assert_eq!(samples(&vault.recording_path(RecordingId(2))), expected(9..10));
}

#[test]
fn the_file_reads_back_while_it_is_recorded() {
    let data = tempfile::tempdir().unwrap();
    let (vault, _reports) = open(data.path());
    let mut frames = record(&vault, RecordingId(1));
    let path = vault.recording_path(RecordingId(1));
    for second in 0..4 {
        for tick in second * 50..second * 50 + 50 {
            frames.push(frame(tick)).unwrap();
        }
        let wanted = expected(0..second * 50 + 50);
        // Half a second may wait for the header.
        let read = eventually(|| {
            let read = samples(&path);
            (read.len() + 4_000 > wanted.len()).then_some(read)
        });
        assert_eq!(read, wanted[..read.len()]);
    }
    assert_eq!(vault.stats().recordings_active, 1);
}

#[test]
fn dropping_the_vault_ends_what_is_recorded() {
    let data = tempfile::tempdir().unwrap();
    let (vault, reports) = open(data.path());
    let mut frames = record(&vault, RecordingId(1));
    for tick in 0..10 {
        frames.push(frame(tick)).unwrap();
    }
    let path = vault.recording_path(RecordingId(1));
    drop(vault);
    let VaultReport::Finished { duration_ms: 200, .. } = reports.recv().unwrap() else {
        panic!("a recording that was finished")
    };
    assert_eq!(samples(&path), expected(0..10));
    let (_vault, reports) = open(data.path());
    assert!(reports.try_recv().is_err(), "nothing was left to be repaired");
}

#[test]
fn a_second_vault_on_the_same_folder_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let (first, _) = open(data.path());
    let refused = Vault::open(data.path(), |_| {}).unwrap_err();
    assert!(matches!(&refused, VaultError::InUse(folder) if folder == data.path()));
    assert!(refused.to_string().contains("in use by another server"), "{refused}");
    drop(first);
    Vault::open(data.path(), |_| {}).unwrap();
}

#[test]
fn a_file_that_cannot_be_made_is_reported_once_and_its_ring_is_emptied() {
    let data = tempfile::tempdir().unwrap();
    let (vault, reports) = open(data.path());
    let path = vault.recording_path(RecordingId(1));
    std::fs::write(&path, b"kept").unwrap();
    let mut frames = record(&vault, RecordingId(1));
    let VaultReport::Failed { recording: RecordingId(1), reason } =
        reports.recv_timeout(PATIENCE).unwrap()
    else {
        panic!("a recording that failed")
    };
    assert!(reason.contains("exists"), "{reason}");
    for tick in 0..3 * TAP_FRAMES_QUEUED_MAX as u64 {
        eventually(|| frames.push(frame(tick)).ok());
    }
    drop(frames);
    assert_eq!(vault.stats().recordings_active, 0);
    drop(vault);
    assert!(reports.recv().is_err(), "one report and no more");
    assert_eq!(std::fs::read(path).unwrap(), b"kept");
}

#[test]
fn a_writer_that_stalls_for_ten_seconds_loses_no_audio() {
    let data = tempfile::tempdir().unwrap();
    let stall = Arc::new(Barrier::new(2));
    let (report, reports) = mpsc::channel();
    let vault = Vault::open(data.path(), {
        let stall = stall.clone();
        move |what| {
            if matches!(what, VaultReport::Failed { .. }) {
                stall.wait(); // the test knows that the writer stands still
                stall.wait();
            }
            report.send(what).unwrap();
        }
    })
    .unwrap();
    std::fs::write(vault.recording_path(RecordingId(2)), b"in the way").unwrap();
    let mut frames = record(&vault, RecordingId(1));
    record(&vault, RecordingId(2));
    stall.wait();
    for tick in 0..TAP_FRAMES_QUEUED_MAX as u64 {
        frames.push(frame(tick)).unwrap();
    }
    for seq in 0..EVENTS_QUEUED_MAX as u64 + 5 {
        vault.keep(&event(seq));
    }
    assert_eq!(vault.stats().journal_dropped, 5, "what finds the queue full is counted");
    stall.wait();
    drop(frames);
    let path = vault.recording_path(RecordingId(1));
    drop(vault);
    assert_eq!(samples(&path), expected(0..TAP_FRAMES_QUEUED_MAX as u64));
    assert_eq!(reports.iter().count(), 2);
}

#[test]
fn events_are_in_the_journal_in_the_order_in_which_they_came() {
    let data = tempfile::tempdir().unwrap();
    let (vault, _) = open(data.path());
    let events: Vec<Event> = (1..=300).map(event).collect();
    for event in &events {
        vault.keep(event);
    }
    drop(vault);
    let text = std::fs::read_to_string(data.path().join("journal/2026-11-23.jsonl")).unwrap();
    let read: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, events);
}

fn open(data: &Path) -> (Vault, Receiver<VaultReport>) {
    let (report, reports) = mpsc::channel();
    // A test that has seen enough has dropped the other end.
    let vault = Vault::open(data, move |what| drop(report.send(what))).unwrap();
    (vault, reports)
}

fn record(vault: &Vault, recording: RecordingId) -> rtrb::Producer<TapFrame> {
    let (producer, consumer) = rtrb::RingBuffer::new(TAP_FRAMES_QUEUED_MAX);
    vault.record(recording, Track::Mix, RATE, consumer);
    producer
}

fn record_beside(vault: &Vault, of: RecordingId, id: RecordingId) -> rtrb::Producer<TapFrame> {
    let (producer, consumer) = rtrb::RingBuffer::new(TAP_FRAMES_QUEUED_MAX);
    let party = model::PartyId(id.0);
    vault.record(id, Track::Voice { of, party }, RATE, consumer);
    producer
}

fn event(seq: u64) -> Event {
    Event {
        conference: ConferenceId(1),
        seq,
        at_ms: 1_795_392_000_000 + seq,
        by: Author::System,
        cause: None,
        kind: EventKind::Digit { party: model::PartyId(3), digit: '#' },
    }
}

/// A frame whose samples tell where they belong and are never zero.
fn frame(tick: u64) -> TapFrame {
    let mut samples = [i16::MIN; TAP_SAMPLES_MAX];
    for (i, sample) in samples[..SAMPLES_PER_TICK].iter_mut().enumerate() {
        *sample =
            (tick.wrapping_mul(SAMPLES_PER_TICK as u64).wrapping_add(i as u64) % 32_749) as i16 + 1;
    }
    TapFrame { tick, samples }
}

fn expected(ticks: std::ops::Range<u64>) -> Vec<i16> {
    ticks.flat_map(|tick| frame(tick).samples[..SAMPLES_PER_TICK].to_vec()).collect()
}

fn samples(path: &Path) -> Vec<i16> {
    match hound::WavReader::open(path) {
        Ok(mut reader) => reader.samples().map(Result::unwrap).collect(),
        Err(hound::Error::IoError(e)) if e.kind() == std::io::ErrorKind::NotFound => vec![],
        Err(error) => panic!("{error}"),
    }
}

fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..PATIENCE.as_millis() {
        if let Some(seen) = look() {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("it did not come to pass")
}
