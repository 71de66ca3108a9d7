//! A far end of another maker that speaks before it answers.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use audio::Codec;
use serde_json::json;

use crate::calls::tone;
use crate::ear::{Heard, Sound};
use crate::line::Line;
use crate::program::Folder;
use crate::server::Server;
use crate::sipp::Sipp;
use crate::{until, whole_machine};

/// What Ada and Ben say, and what the far end does [Hz].
const TONES_HZ: [f64; 3] = [437.0, 727.0, 500.0];
const ADA: usize = 0;
const BEN: usize = 1;
const FAR_END: usize = 2;

/// How long it speaks before it answers [ms].
const EARLY_MS: &str = "8000";

/// How long is listened to one state of things: five windows of the ear.
const LISTENING: Duration = Duration::from_millis(2_000);

/// Whom a phone hears for a while from now on, when what was on its way has come.
fn listen(lines: [&Line; 2]) -> [Vec<BTreeSet<Sound>>; 2] {
    sleep(Duration::from_millis(400));
    let from = lines.map(Line::heard_samples);
    sleep(LISTENING);
    [0, 1].map(|at| {
        let samples = lines[at].heard_from(from[at]);
        Heard::in_samples(&samples, lines[at].rate_hz(), &TONES_HZ).phases()
    })
}

/// A server in whose rooms everybody may have others called.
fn server(profiles: &Folder, folder: &Folder) -> Server {
    let open = include_str!("../../crates/call/profiles/open.toml");
    let trusting = open.replacen(r#"["enter", "write"]"#, r#"["enter", "invite", "write"]"#, 1);
    assert_ne!(trusting, open);
    std::fs::write(profiles.join("open.toml"), trusting).unwrap();
    let config = format!("[profiles]\nfolder = \"{}\"\n", profiles.path().display());
    let path = folder.join("convoke.toml");
    std::fs::write(&path, config).unwrap();
    Server::start(&["--rtp-ports", "64600-64699", "--config", path.to_str().unwrap()])
}

fn only(phones: &[usize]) -> Vec<BTreeSet<Sound>> {
    vec![phones.iter().map(|phone| Sound::Phone(*phone)).collect()]
}

#[test]
fn who_has_a_far_end_called_hears_what_it_says_before_it_answers_and_then_all_do() {
    let _machine = whole_machine();
    let (profiles, folder) = (Folder::new(), Folder::new());
    let server = server(&profiles, &folder);
    let sipp = Sipp::wait_with("early", &[("tone.pcmu", &tone())], &["-d", EARLY_MS]);
    let [ada, ben] = [("ada", TONES_HZ[ADA]), ("ben", TONES_HZ[BEN])]
        .map(|(name, tone_hz)| Line::new(&server, name, Codec::Pcmu, tone_hz));
    ada.call("desk");
    let party = server.connected("desk", 1)["parties"][0]["id"].as_str().unwrap().to_owned();
    ben.call("desk");
    server.connected("desk", 2);
    let target = json!({ "target": format!("sip:uas@{}", sipp.address) }).to_string();
    let (status, accepted) = server.ask_as(&party, "POST", "conferences/desk/parties", &target);
    assert_eq!(status, 202, "{accepted}");
    let called = format!("conferences/desk/parties/{}", accepted["party"].as_str().unwrap());
    let before = ada.heard_samples();
    until("early media", || {
        let heard = ada.heard_from(before);
        let heard = Heard::in_samples(&heard, ada.rate_hz(), &TONES_HZ);
        heard.windows.iter().any(|window| window.contains(&Sound::Phone(FAR_END))).then_some(())
    });

    let early = listen([&ada, &ben]);
    assert_ne!(server.get(&called)["state"], "connected", "it has not answered yet");
    server.connected("desk", 3);
    let answered = listen([&ada, &ben]);

    println!("ada and ben heard: {early:?} before the answer, {answered:?} after it");
    assert_eq!(early, [only(&[BEN, FAR_END]), only(&[ADA])]);
    assert_eq!(answered, [only(&[BEN, FAR_END]), only(&[ADA, FAR_END])]);
    server.ask("DELETE", &called, "");
    sipp.succeeds();
}
