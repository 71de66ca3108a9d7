//! How the program ends: asked to, and without being asked.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::baresip::{Caller, Codec, listen};
use crate::ear::{Heard, Sound};
use crate::line::Line;
use crate::program::{ended, signal};
use crate::server::Server;
use crate::sipp::Sipp;
use crate::{shared_machine, until, whole_machine};

#[test]
fn calls_are_ended_with_bye_when_the_program_is_asked_to_end() {
    let _machine = shared_machine();
    let mut server = Server::start(&["--rtp-ports", "64500-64599"]);
    let udp = Sipp::call(server.sip, "stay", &["-m", "3", "-r", "100", "-s", "room"]);
    let tcp = Sipp::call(server.sip, "stay", &["-m", "1", "-s", "room", "-t", "t1"]);
    server.connected("room", 4);
    signal(&server.process, "TERM");
    udp.succeeds();
    tcp.succeeds();
    assert_eq!(ended("the server", &mut server.process).code(), Some(0));
}

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
