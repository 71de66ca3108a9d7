//! What is left when the server is killed, and when the disk takes no more. A child process
//! records; it is this test binary again, asked for one test that is otherwise ignored.
#![expect(clippy::unwrap_used, reason = "a test's hands may fail with it")]
#![expect(clippy::disallowed_methods, reason = "it waits for another thread or process")]

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::Duration;

use model::limits::{TAP_FRAMES_QUEUED_MAX, TAP_SAMPLES_MAX};
use model::profile::Seeing;
use model::{
    Author, Codec, ConferenceId, ConferenceName, Direction, Event, EventKind, LeaveReason, PartyId,
    RecordingId, Role, TapFrame, TapRate, Track,
};
use vault::{Vault, VaultReport};

const RECORDING: RecordingId = RecordingId(0xfeed);
const PARTY: PartyId = PartyId(0xada);
const RATE: TapRate = TapRate::Hz16000;
const SAMPLES_PER_TICK: usize = 320;
const HEADER_BYTES: u64 = 80;
/// Longer than anything here can take; only a test that fails waits for it.
const PATIENCE_MS: u32 = 60_000;
/// How many ticks the child speaks before it falls silent with the recording open; absent: no end.
const TICKS: &str = "VAULT_TEST_TICKS";
const DATA: &str = "VAULT_TEST_DATA";

#[test]
fn after_a_kill_any_reader_shows_all_but_the_last_second() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join(format!("recordings/{RECORDING}.wav"));
    let mut child = spawn(data.path(), Some(170));
    // Half a second may wait for the header, so of 3.4 s that were spoken 2.9 s come to be read.
    eventually(|| counted(&path) > (170 - 25) * SAMPLES_PER_TICK);
    kill(&mut child);

    let read = samples(&path);
    assert_eq!(read, tone(read.len()), "what is read is what was spoken");
    assert!(read.len() >= (170 - 50) * SAMPLES_PER_TICK);

    assert_recovers(data.path(), &path);
}

#[test]
fn a_kill_at_any_moment_leaves_a_file_that_reads_and_repairs() {
    for moment in 0..12u64 {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join(format!("recordings/{RECORDING}.wav"));
        let mut child = spawn(data.path(), None);
        let length = HEADER_BYTES + moment * 77_777;
        eventually(|| std::fs::metadata(&path).is_ok_and(|file| file.len() >= length));
        kill(&mut child);
        let read = samples(&path);
        assert_eq!(read, tone(read.len()), "moment {moment}");
        assert_recovers(data.path(), &path);
    }
}

#[test]
fn a_conference_that_was_live_at_a_kill_is_closed_by_the_next_start_and_once() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join(format!("recordings/{RECORDING}.wav"));
    let mut child = spawn(data.path(), Some(100));
    eventually(|| counted(&path) > 50 * SAMPLES_PER_TICK);
    let journal = data.path().join("journal/2026-11-23.jsonl");
    eventually(|| std::fs::read_to_string(&journal).is_ok_and(|text| text.lines().count() == 5));
    kill(&mut child);

    let (report, reports) = mpsc::channel();
    let vault = Vault::open(data.path(), move |what| drop(report.send(what))).unwrap();
    assert_eq!(vault.stats().conferences_interrupted, 1);
    let told: Vec<VaultReport> = reports.try_iter().collect();
    let [VaultReport::Recovered { duration_ms, .. }, VaultReport::Interrupted(one)] = &told[..]
    else {
        panic!("{told:?}")
    };
    let kinds: Vec<EventKind> = one.closing.iter().map(|event| event.kind.clone()).collect();
    let (recording, duration_ms) = (RECORDING, *duration_ms);
    assert_eq!(
        kinds[..2],
        [
            EventKind::RecordingRecovered { recording, duration_ms },
            EventKind::Left { party: PARTY, reason: LeaveReason::Interrupted },
        ]
    );
    assert!(matches!(kinds[2..], [EventKind::Ended { duration_ms: 2_000.. }]), "{kinds:?}");
    drop(vault);
    let text = std::fs::read_to_string(&journal).unwrap();
    let kept: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let whole: Vec<Event> = one.events.iter().chain(&one.closing).cloned().collect();
    let live = kept.iter().filter(|event| event.conference == ConferenceId(1));
    assert_eq!(live.cloned().collect::<Vec<_>>(), whole, "the journal has it to its end");
    let vault = Vault::open(data.path(), |_| panic!("it is closed once")).unwrap();
    assert_eq!(vault.stats().conferences_interrupted, 0);
}

#[test]
fn a_disk_that_takes_no_more_fails_the_recording_once_and_leaves_its_file_valid() {
    let data = tempfile::tempdir().unwrap();
    // The shell bounds the size of files; without the signal a write beyond it is an error.
    let script = "trap '' XFSZ; ulimit -f 256; exec \"$0\" \"$@\"";
    let status = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_child_that_finds_the_disk_full", "--ignored"])
        .env(DATA, data.path())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "the child saw what it should");
    let path = data.path().join(format!("recordings/{RECORDING}.wav"));
    let read = samples(&path);
    let whole_bytes = std::fs::metadata(&path).unwrap().len() - HEADER_BYTES;
    assert_eq!(read.len() as u64, whole_bytes / 2, "all that the disk took is counted");
    assert!(read.len() >= 50 * SAMPLES_PER_TICK, "{}", read.len());
    assert_eq!(read, tone(read.len()));
}

#[test]
#[ignore = "a_disk_that_takes_no_more runs it as its child"]
fn a_child_that_finds_the_disk_full() {
    let data = PathBuf::from(std::env::var_os(DATA).unwrap());
    let (report, reports) = mpsc::channel();
    let vault = Vault::open(&data, move |what| drop(report.send(what))).unwrap();
    let mut frames = record(&vault);
    let mut tick = 0;
    let failed = loop {
        eventually(|| frames.push(frame(tick)).is_ok());
        tick += 1;
        if let Ok(report) = reports.try_recv() {
            break report;
        }
    };
    assert!(matches!(&failed, VaultReport::Failed { recording: RECORDING, .. }), "{failed:?}");
    for _ in 0..2 * TAP_FRAMES_QUEUED_MAX {
        eventually(|| frames.push(frame(tick)).is_ok());
        tick += 1;
    }
    drop(frames);
    drop(vault);
    assert!(reports.recv().is_err(), "one report and no more");
}

#[test]
#[ignore = "the tests that kill run it as their child"]
fn a_child_that_records_until_it_is_killed() {
    let data = PathBuf::from(std::env::var_os(DATA).unwrap());
    let ticks = std::env::var(TICKS).map_or(u64::MAX, |ticks| ticks.parse().unwrap());
    let vault = Vault::open(&data, |_| {}).unwrap();
    let mut frames = record(&vault);
    events().iter().for_each(|event| vault.keep(event));
    for tick in 0..ticks {
        eventually(|| frames.push(frame(tick)).is_ok());
    }
    std::thread::sleep(Duration::from_millis(PATIENCE_MS.into()));
}

fn assert_recovers(data: &Path, path: &Path) {
    let whole_bytes = (std::fs::metadata(path).unwrap().len() - HEADER_BYTES) & !1;
    let (report, reports) = mpsc::channel();
    let vault = Vault::open(data, move |what| drop(report.send(what))).unwrap();
    assert_eq!(vault.stats().recordings_recovered, 1);
    assert_eq!(
        reports.try_recv().unwrap(),
        VaultReport::Recovered {
            recording: RECORDING,
            path: path.to_owned(),
            duration_ms: whole_bytes / 2 * 1_000 / u64::from(RATE.hz()),
        }
    );
    let read = samples(path);
    assert_eq!(read.len() as u64, whole_bytes / 2);
    assert_eq!(read, tone(read.len()));
    drop(vault);
    let vault = Vault::open(data, |_| panic!("it is recovered once")).unwrap();
    assert_eq!(vault.stats().recordings_recovered, 0);
}

/// A conference that is live and recorded, and one that has ended.
fn events() -> [Event; 5] {
    let created = |name: &str| EventKind::Created {
        name: ConferenceName::parse(name).unwrap(),
        profile: "open".into(),
        seeing: Seeing::default(),
    };
    let joined = EventKind::Joined {
        party: PARTY,
        display_name: None,
        address: "sip:ada@a".into(),
        codec: Codec::Opus,
        role: Role::Guest,
        direction: Direction::Inbound,
    };
    let event = |conference, seq, kind| Event {
        conference: ConferenceId(conference),
        seq,
        at_ms: 1_795_392_000_000 + seq,
        by: Author::System,
        cause: None,
        kind,
    };
    [
        event(2, 1, created("over")),
        event(1, 1, created("live")),
        event(1, 2, joined),
        event(2, 2, EventKind::Ended { duration_ms: 1 }),
        event(1, 3, EventKind::RecordingStarted { recording: RECORDING }),
    ]
}

fn spawn(data: &Path, ticks: Option<u64>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "a_child_that_records_until_it_is_killed", "--ignored"]);
    command.env(DATA, data).stdout(std::process::Stdio::null());
    if let Some(ticks) = ticks {
        command.env(TICKS, ticks.to_string());
    }
    command.spawn().unwrap()
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9), "it died of the kill and of nothing else");
}

fn record(vault: &Vault) -> rtrb::Producer<TapFrame> {
    let (producer, consumer) = rtrb::RingBuffer::new(TAP_FRAMES_QUEUED_MAX);
    vault.record(RECORDING, Track::Mix, RATE, consumer);
    producer
}

fn frame(tick: u64) -> TapFrame {
    let mut samples = [0; TAP_SAMPLES_MAX];
    let begin = tick as usize * SAMPLES_PER_TICK;
    for (i, sample) in samples[..SAMPLES_PER_TICK].iter_mut().enumerate() {
        *sample = tone_at(begin + i);
    }
    TapFrame { tick, samples }
}

fn tone(samples: usize) -> Vec<i16> {
    (0..samples).map(tone_at).collect()
}

/// 809 Hz.
fn tone_at(sample: usize) -> i16 {
    let turns = sample as f64 * 809.0 / f64::from(RATE.hz());
    ((turns * std::f64::consts::TAU).sin() * 10_000.0) as i16
}

fn counted(path: &Path) -> usize {
    hound::WavReader::open(path).map_or(0, |reader| reader.len() as usize)
}

fn samples(path: &Path) -> Vec<i16> {
    let mut reader = hound::WavReader::open(path).unwrap();
    reader.samples().map(Result::unwrap).collect()
}

fn eventually(mut look: impl FnMut() -> bool) {
    for _ in 0..PATIENCE_MS {
        if look() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("it did not come to pass")
}
