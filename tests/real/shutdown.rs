//! How the program ends: asked to, and without being asked.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::baresip::{Caller, Codec, listen};
use crate::ear::{Heard, Sound};
use crate::line::Line;
use crate::program::{Folder, ended, signal};
use crate::server::Server;
use crate::sipp::Sipp;
use crate::{shared_machine, until, whole_machine};

/// A server that lets calls go on for that long at SIGTERM.
fn draining(folder: &Folder, drain_s: u32, ports: &str) -> Server {
    let path = folder.join("convoke.toml");
    std::fs::write(&path, format!("drain_s = {drain_s}\n")).unwrap();
    Server::start(&["--rtp-ports", ports, "--config", path.to_str().unwrap()])
}

fn two_phones(server: &Server) -> [Line; 2] {
    let lines = [("ada", 437.0), ("ben", 577.0)];
    let lines = lines.map(|(name, hz)| Line::new(server, name, audio::Codec::Pcmu, hz));
    lines.iter().for_each(|line| line.call("quay"));
    server.connected("quay", 2);
    lines
}

#[test]
fn asked_to_end_it_takes_no_more_calls_and_those_that_are_up_lose_nothing() {
    let _machine = shared_machine();
    let folder = Folder::new();
    let mut server = draining(&folder, 60, "64300-64399");
    let lines = two_phones(&server);
    signal(&server.process, "TERM");
    until("a server that drains", || {
        let (status, why) = server.request("GET", "/readyz", "");
        (status == 503 && why == "draining").then_some(())
    });
    Sipp::call(server.sip, "full", &["-m", "1", "-s", "quay"]).succeeds();
    Sipp::call(server.sip, "full", &["-m", "1", "-s", "pier", "-t", "t1"]).succeeds();
    let answer = server.options();
    assert!(answer.starts_with("SIP/2.0 503 ") && answer.contains("Retry-After: "), "{answer}");
    let (status, _) = server.ask_with(&[], "POST", "conferences/quay/parties", INVITE);
    assert_eq!(status, 503);

    let before = lines.each_ref().map(|line| line.wire().packets.len());
    lines[0].with(|phone, now| phone.hold(now, true));
    until("a party on hold", || {
        let view = server.conference("quay")?;
        let parties = view["parties"].as_array()?;
        parties.iter().any(|party| party["state"] == "held").then_some(())
    });
    // A phone makes no second change before the answer to the first: it is pressed again.
    until("nobody on hold", || {
        lines[0].with(|phone, now| phone.hold(now, false));
        let view = server.conference("quay")?;
        let parties = view["parties"].as_array()?;
        parties.iter().all(|party| party["state"] == "connected").then_some(())
    });
    until("three more seconds of sound", || {
        let ben = lines[1].wire().packets.len();
        (ben >= before[1] + 150).then_some(())
    });
    // The one that was not on hold.
    let packets = lines[1].wire().packets;
    let follows = |pair: &[(u32, u16, u32)]| pair[1].1 == pair[0].1.wrapping_add(1);
    assert!(packets.windows(2).all(follows), "{packets:?}");
    assert!(lines.iter().all(Line::is_up));

    drop(lines);
    let left = Instant::now();
    assert_eq!(ended("the server", &mut server.process).code(), Some(0));
    assert!(left.elapsed() <= Duration::from_secs(5), "{:?}", left.elapsed());
}

#[test]
fn calls_that_go_on_for_longer_than_they_may_are_ended_with_bye() {
    let _machine = shared_machine();
    let folder = Folder::new();
    let mut server = draining(&folder, 2, "64400-64499");
    let lines = two_phones(&server);
    let asked = Instant::now();
    signal(&server.process, "TERM");
    until("the calls' end", || lines.iter().all(|line| !line.is_up()).then_some(()));
    let (least, most) = (Duration::from_secs(2), Duration::from_secs(4));
    assert!((least..most).contains(&asked.elapsed()), "{:?}", asked.elapsed());
    for line in &lines {
        assert_eq!(line.wire().requests, ["BYE"]);
    }
    assert_eq!(ended("the server", &mut server.process).code(), Some(0));
}

#[test]
fn how_long_calls_may_go_on_is_what_the_file_said_last() {
    let _machine = shared_machine();
    let folder = Folder::new();
    let mut server = draining(&folder, 60, "64900-64999");
    let lines = two_phones(&server);
    std::fs::write(folder.join("convoke.toml"), "drain_s = 1\n").unwrap();
    signal(&server.process, "HUP");
    until("rules that were read anew", || server.log().contains("read anew").then_some(()));
    let asked = Instant::now();
    signal(&server.process, "TERM");
    assert_eq!(ended("the server", &mut server.process).code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(lines.iter().all(|line| line.wire().requests == ["BYE"]));
}

#[test]
fn asked_to_end_once_more_it_ends_all_calls_at_once() {
    let _machine = shared_machine();
    let folder = Folder::new();
    let mut server = draining(&folder, 60, "64800-64899");
    let lines = two_phones(&server);
    signal(&server.process, "TERM");
    until("a server that drains", || server.log().contains("no more calls").then_some(()));
    assert!(lines.iter().all(Line::is_up));
    signal(&server.process, "TERM");
    let asked = Instant::now();
    assert_eq!(ended("the server", &mut server.process).code(), Some(0));
    assert!(asked.elapsed() <= Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(lines.iter().all(|line| line.wire().requests == ["BYE"]));
}

#[test]
fn calls_are_ended_with_bye_when_the_program_is_interrupted() {
    let _machine = shared_machine();
    let mut server = Server::start(&["--rtp-ports", "64500-64599"]);
    let udp = Sipp::call(server.sip, "stay", &["-m", "3", "-r", "100", "-s", "room"]);
    let tcp = Sipp::call(server.sip, "stay", &["-m", "1", "-s", "room", "-t", "t1"]);
    server.connected("room", 4);
    signal(&server.process, "INT");
    udp.succeeds();
    tcp.succeeds();
    assert_eq!(ended("the server", &mut server.process).code(), Some(0));
}

/// Somebody to be called.
const INVITE: &str = "{\"target\": \"sip:eve@127.0.0.1:9\"}";

#[test]
fn what_was_live_at_a_kill_is_closed_and_told_by_the_next_start() {
    let _machine = shared_machine();
    let ports = ["--rtp-ports", "64700-64799"];
    let mut server = Server::start(&ports);
    let lines = ["ada", "ben"].map(|name| Line::new(&server, name, audio::Codec::Pcmu, 437.0));
    lines.iter().for_each(|line| line.call("diary"));
    server.connected("diary", 2);
    server.ask("PUT", "conferences/diary/recording", "{\"on\": true}");
    let view = server.conference("diary").unwrap();
    let recording = view["recording"]["id"].as_str().unwrap();
    until("a second of sound", || {
        let reader = hound::WavReader::open(server.recording(recording)).ok()?;
        (reader.duration() >= reader.spec().sample_rate).then_some(())
    });
    let before = server.get("conferences/diary/events");
    let killed = Instant::now();
    server.kill_and_start_again(&ports);
    assert!(killed.elapsed() < Duration::from_secs(2), "{:?}", killed.elapsed());

    assert_eq!(server.get("conferences").as_array().unwrap().len(), 0, "nothing is live");
    let id = view["id"].as_str().unwrap();
    let after = server.get(&format!("conferences/{id}/events"));
    let (before, after) = (before.as_array().unwrap(), after.as_array().unwrap());
    assert_eq!(after[..before.len()], before[..], "what was told stays so");
    let told = after.iter().rev().take(4).rev();
    let told: Vec<_> = told.map(|event| event["type"].as_str().unwrap()).collect();
    let left = "participant.left";
    assert_eq!(told, ["recording.recovered", left, left, "conversation.ended"]);
    let reasons = after.iter().filter(|event| event["type"] == left);
    assert!(reasons.clone().all(|event| event["reason"] == "interrupted"), "{after:?}");
    let numbers = after.iter().map(|event| event["seq"].as_u64().unwrap());
    assert!(numbers.eq(1..=after.len() as u64), "without a hole");

    let [.., recovered, _, _, ended] = &after[..] else { panic!("{after:?}") };
    assert_eq!(recovered["recording"], recording);
    let reader = hound::WavReader::open(server.recording(recording)).unwrap();
    let kept_ms = u64::from(reader.duration()) * 1_000 / u64::from(reader.spec().sample_rate);
    assert_eq!(recovered["duration_ms"], kept_ms);
    assert!(ended["duration_ms"].as_u64().unwrap() >= kept_ms);
    let (status, file) = server.request("GET", &format!("/api/v1/recordings/{recording}"), "");
    assert!(status == 200 && file.starts_with("RIFF"), "{status}");
    assert_eq!(server.metric("convoke_recordings_recovered_total"), 1.0);
    assert_eq!(server.metric("convoke_conferences_interrupted_total"), 1.0);
    assert!(server.log().contains("recording.recovered"));

    server.kill_and_start_again(&ports);
    assert_eq!(server.metric("convoke_conferences_interrupted_total"), 0.0, "it is closed once");
}

#[test]
fn a_recording_is_a_file_that_plays_after_kill_9() {
    let _machine = whole_machine();
    let mut server = Server::start(&["--rtp-ports", "64600-64699"]);
    let tone_hz = 437.0;
    let caller = Caller { name: "ada", codec: Codec::PCMU, transport: "udp", tone_hz };
    let phone = [caller.call(&server, "diary")];
    server.connected("diary", 1);
    server.ask("PUT", "conferences/diary/recording", "{\"on\": true}");
    listen(&phone, 5_000);
    let view = server.conference("diary").unwrap();
    let recording = server.recording(view["recording"]["id"].as_str().unwrap());

    signal(&server.process, "KILL");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    ended("the server", &mut server.process);

    let reader = hound::WavReader::open(&recording).unwrap();
    let rate_hz = f64::from(reader.spec().sample_rate);
    let kept = Duration::from_secs_f64(f64::from(reader.duration()) / rate_hz);
    let began = Duration::from_millis(view["recording"]["started_ms"].as_u64().unwrap());
    let lost = (now - began).saturating_sub(kept);
    println!("kept {kept:?}, lost {lost:?}");
    assert!(lost < Duration::from_secs(1), "kept {kept:?}, lost {lost:?}");
    let phases = Heard::in_file(&recording, &[tone_hz]).phases();
    assert_eq!(phases, [[Sound::Phone(0)].into()]);
}
