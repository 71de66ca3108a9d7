//! Phones of another maker, each with another codec, in one room: by ear.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::baresip::{Caller, Codec, Phone, listen};
use crate::ear::{Heard, Sound};
use crate::server::Server;
use crate::{shared_machine, until, whole_machine};

const ADA: usize = 0;
const BEN: usize = 1;
const CLEO: usize = 2;
const DORA: usize = 3;

const CALLERS: [Caller; 4] = [
    Caller { name: "ada", codec: Codec::PCMU, transport: "udp", tone_hz: 437.0 },
    Caller { name: "ben", codec: Codec::PCMA, transport: "tcp", tone_hz: 577.0 },
    Caller { name: "cleo", codec: Codec::G722, transport: "udp", tone_hz: 727.0 },
    Caller { name: "dora", codec: Codec::OPUS, transport: "udp", tone_hz: 953.0 },
];

/// How long they stand as they are before something is changed [ms].
const STANDING_MS: u64 = 3_000;

/// These phones.
fn all(phones: &[usize]) -> BTreeSet<Sound> {
    phones.iter().map(|phone| Sound::Phone(*phone)).collect()
}

fn tones_hz() -> [f64; 4] {
    CALLERS.map(|caller| caller.tone_hz)
}

/// The party of a caller.
fn party(server: &Server, room: &str, caller: usize) -> Value {
    let view = server.conference(room).unwrap();
    let user = format!("sip:{}@", CALLERS[caller].name);
    let mut parties = view["parties"].as_array().unwrap().iter();
    let party = parties.find(|party| party["address"].as_str().unwrap().starts_with(&user));
    party.unwrap_or_else(|| panic!("no {user} in {view}")).clone()
}

/// Does something to the party of a caller.
fn change(server: &Server, room: &str, caller: usize, doing: &str) {
    let party = party(server, room, caller);
    let id = party["id"].as_str().unwrap();
    server.ask("POST", &format!("conferences/{room}/parties/{id}/{doing}"), "");
}

/// Waits until a caller's own hold key has had its effect.
fn caller_is(server: &Server, room: &str, caller: usize, state: &str) {
    let name = CALLERS[caller].name;
    until(&format!("{name} {state}"), || {
        (party(server, room, caller)["state"] == state).then_some(())
    });
}

fn record(server: &Server, room: &str, on: bool) -> PathBuf {
    let body = format!("{{\"on\": {on}}}");
    let accepted = server.ask("PUT", &format!("conferences/{room}/recording"), &body);
    server.recording(accepted["recording"].as_str().unwrap())
}

/// One line of the table: who listened, and whom they heard, one phase after the other.
fn line(listener: &str, heard: &Heard) -> String {
    let name = |sound: &Sound| match sound {
        Sound::Phone(at) => CALLERS[*at].name,
        Sound::Music => "music",
    };
    let phase = |phase: &BTreeSet<Sound>| match phase.len() {
        0 => "nobody".to_owned(),
        _ => phase.iter().map(name).collect::<Vec<_>>().join(" "),
    };
    let phases: Vec<String> = heard.phases().iter().map(phase).collect();
    format!("  {listener:<18}{}\n", phases.join("  →  "))
}

/// The lines of all phones.
fn table(heard: &[Heard]) -> String {
    let mut table = "who heard whom, one phase after the other:\n".to_owned();
    for (Caller { name, codec, transport, .. }, heard) in CALLERS.iter().zip(heard) {
        table += &line(&format!("{name} ({}, {transport})", codec.name), heard);
    }
    table
}

/// Not for a single window, at any time.
fn assert_nobody_heard_itself(heard: &[Heard]) {
    for (at, heard) in heard.iter().enumerate() {
        let echo = heard.windows.iter().position(|window| window.contains(&Sound::Phone(at)));
        assert_eq!(echo, None, "{} heard itself, at this window", CALLERS[at].name);
    }
}

/// Lets all phones hang up; gives what each has heard.
fn hang_up(phones: &mut [Phone]) -> Vec<Heard> {
    phones.iter_mut().map(|phone| Heard::in_file(&phone.hang_up(), &tones_hz())).collect()
}

#[test]
fn four_phones_with_four_codecs_hear_each_other_mute_and_hold() {
    let _machine = whole_machine();
    let server = Server::start(&["--rtp-ports", "64000-64099"]);
    let room = "standup";
    let mut phones: Vec<Phone> = CALLERS.map(|caller| caller.call(&server, room)).into();
    let view = server.connected(room, 4);
    for caller in CALLERS {
        let parties = view["parties"].as_array().unwrap();
        let codec = Value::from(caller.codec.name);
        assert_eq!(parties.iter().filter(|party| party["codec"] == codec).count(), 1, "{view}");
    }

    listen(&phones, STANDING_MS / 3);
    let recording = record(&server, room, true);
    listen(&phones, STANDING_MS);
    change(&server, room, BEN, "mute");
    listen(&phones, STANDING_MS);
    change(&server, room, BEN, "unmute");
    change(&server, room, DORA, "hold");
    listen(&phones, STANDING_MS);
    change(&server, room, DORA, "resume");
    listen(&phones, STANDING_MS);
    assert_eq!(record(&server, room, false), recording);

    let heard = hang_up(&mut phones);
    until("the conference's end", || server.conference(room).is_none().then_some(()));
    let recorded = Heard::in_file(&recording, &tones_hz());

    println!("{}{}", table(&heard), line("the recording", &recorded));

    assert_nobody_heard_itself(&heard);
    // All in; Ben is muted; Ben speaks again, and Dora is held; all in.
    let expected = [
        vec![all(&[BEN, CLEO, DORA]), all(&[CLEO, DORA]), all(&[BEN, CLEO])],
        vec![all(&[ADA, CLEO, DORA]), all(&[ADA, CLEO])],
        vec![all(&[ADA, BEN, DORA]), all(&[ADA, DORA]), all(&[ADA, BEN])],
        vec![all(&[ADA, BEN, CLEO]), all(&[ADA, CLEO]), BTreeSet::from([Sound::Music])],
    ];
    for (at, mut expected) in expected.into_iter().enumerate() {
        let everybody = expected[0].clone();
        expected.push(everybody.clone());
        // They hang up one after the other, so there is more after the end that counts.
        let heard = heard[at].phases_from(&everybody);
        assert!(heard.starts_with(&expected), "{}: {heard:?}", CALLERS[at].name);
    }
    let everybody = all(&[ADA, BEN, CLEO, DORA]);
    let expected = [everybody.clone(), all(&[ADA, CLEO, DORA]), all(&[ADA, BEN, CLEO]), everybody];
    assert_eq!(recorded.phases(), expected);
}

/// Without multiplexing RTCP goes to the port above, unless `a=rtcp` names another, as we do.
#[test]
fn a_phone_that_does_not_multiplex_sends_its_rtcp_where_we_say() {
    let _machine = shared_machine();
    let server = Server::start(&["--rtp-ports", "64700-64799"]);
    let room = "reports";
    let phones = [ADA, CLEO].map(|caller| CALLERS[caller].call(&server, room));
    server.connected(room, 2);
    for caller in [ADA, CLEO] {
        // It tells how it hears us, and by the time of a report of ours that it has seen ours.
        until("a report of the phone about one of ours", || {
            let quality = &party(&server, room, caller)["quality"];
            (quality["far"].is_object() && quality["round_trip_ms"].is_number()).then_some(())
        });
    }
    drop(phones);
}

#[test]
fn keys_that_are_pressed_at_a_phone_are_told_and_its_hold_key_takes_it_out() {
    let _machine = whole_machine();
    let server = Server::start(&["--rtp-ports", "64100-64199"]);
    let room = "keys";
    let callers = [CALLERS[ADA], CALLERS[BEN], CALLERS[CLEO]];
    let mut phones: Vec<Phone> = callers.map(|caller| caller.call(&server, room)).into();
    let id = server.connected(room, 3)["id"].as_str().unwrap().to_owned();
    listen(&phones, STANDING_MS);

    phones[ADA].press("sndcode", "5#");
    let ada = party(&server, room, ADA)["id"].clone();
    until("two digits", || {
        let events = server.get(&format!("conferences/{id}/events"));
        let events = events.as_array().unwrap().iter();
        let pressed = events.filter(|event| event["type"] == "dtmf.received");
        let told: Vec<_> = pressed.map(|event| (&event["party"], &event["digit"])).collect();
        (told == [(&ada, &"5".into()), (&ada, &"#".into())]).then_some(())
    });

    // baresip keeps nothing more of what it hears once its own hold key was pressed, not even of
    // another baresip, so it is those who stay that listen.
    let stay = [&phones[ADA], &phones[CLEO]];
    phones[BEN].press("hold", "");
    caller_is(&server, room, BEN, "held");
    listen(stay, STANDING_MS);
    phones[BEN].press("resume", "");
    caller_is(&server, room, BEN, "connected");
    listen(stay, STANDING_MS);

    let heard = hang_up(&mut phones);
    println!("{}", table(&heard));
    assert_nobody_heard_itself(&heard);
    for (at, other) in [(ADA, CLEO), (CLEO, ADA)] {
        let both = all(&[BEN, other]);
        let heard = heard[at].phases_from(&both);
        let expected = [both.clone(), all(&[other]), both];
        assert!(heard.starts_with(&expected), "{}: {heard:?}", CALLERS[at].name);
    }
}
