//! How the program ends: asked to, and without being asked.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::baresip::{Caller, Codec, listen};
use crate::ear::{Heard, Sound};
use crate::program::{ended, signal};
use crate::server::Server;
use crate::sipp::Sipp;
use crate::{shared_machine, whole_machine};

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
