//! Transfers by phones of other makers, over real sockets.

use std::collections::BTreeSet;

use crate::baresip::{Caller, Codec, Phone, listen};
use crate::ear::{Heard, Sound};
use crate::server::Server;
use crate::sipp::Sipp;
use crate::{shared_machine, until, whole_machine};

const ADA: Caller = Caller { name: "ada", codec: Codec::PCMU, transport: "udp", tone_hz: 437.0 };
const BEN: Caller = Caller { name: "ben", codec: Codec::PCMA, transport: "udp", tone_hz: 577.0 };
const CLEO: Caller = Caller { name: "cleo", codec: Codec::G722, transport: "udp", tone_hz: 727.0 };

/// Waits until a conference has told an event of that type.
fn told(server: &Server, conference: &str, kind: &str) {
    until(kind, || {
        let events = server.get(&format!("conferences/{conference}/events"));
        events.as_array().unwrap().iter().any(|event| event["type"] == kind).then_some(())
    });
}

#[test]
fn baresips_transfer_key_puts_another_baresip_in_its_place() {
    let _machine = whole_machine();
    let server = Server::start(&["--rtp-ports", "64200-64299"]);
    let (mut cleo, address) = CLEO.wait();
    let (mut ada, mut ben) = (ADA.call(&server, "desk"), BEN.call(&server, "desk"));
    let id = server.connected("desk", 2)["id"].as_str().unwrap().to_owned();
    listen([&ada, &ben], 2_000);
    ada.press("transfer", &address);
    told(&server, &id, "transfer.completed");
    server.connected("desk", 2);
    listen([&ben, &cleo], 3_000);
    let tones = [ADA, BEN, CLEO].map(|caller| caller.tone_hz);
    let heard = [&mut ada, &mut ben, &mut cleo].map(|phone| {
        let file = phone.hang_up();
        Heard::in_file(&file, &tones).phases()
    });
    println!("ada, ben and cleo heard: {heard:?}");
    let only = |phone| BTreeSet::from([Sound::Phone(phone)]);
    assert!(heard[0].contains(&only(1)) && !heard[0].contains(&only(2)), "ada: {:?}", heard[0]);
    let [first, .., last] = &heard[1][..] else { panic!("ben: {:?}", heard[1]) };
    assert_eq!((first, last), (&only(0), &only(2)), "ben: {:?}", heard[1]);
    assert_eq!(heard[2], [only(1)], "cleo heard ben and nobody else");
}

/// The dialog of a phone's call to that room as a third party has to name it to the server: from
/// the 200 in the phone's trace.
fn dialog(phone: &Phone, room: &str) -> String {
    let trace = phone.said();
    let answers = trace.split("SIP/2.0 200 OK").skip(1);
    let headers = |answer: &str| -> Vec<(String, String)> {
        let lines = answer.lines().skip(1).take_while(|line| !line.trim().is_empty());
        let split = |line: &str| line.split_once(':').map(|(n, v)| (n.into(), v.trim().into()));
        lines.filter_map(split).collect()
    };
    let found = answers.map(headers).find(|headers| {
        let to = headers.iter().find(|(name, _)| name == "To");
        to.is_some_and(|(_, value)| value.contains(&format!("sip:{room}@")))
    });
    let found = found.expect("the phone has called that room");
    let value = |wanted: &str| &found.iter().find(|(name, _)| name == wanted).unwrap().1;
    let tag = |of: &str| value(of).split_once(";tag=").unwrap().1.to_owned();
    // The server is asked, and it is who was called.
    format!("{};to-tag={};from-tag={}", value("Call-ID"), tag("To"), tag("From"))
}

/// Debian's baresip has no key for it, but refers to whatever it is told.
#[test]
fn a_baresip_with_two_calls_puts_those_together_with_whom_it_spoke() {
    let _machine = whole_machine();
    let server = Server::start(&["--rtp-ports", "64400-64499"]);
    let [ada, mut ben] = [ADA, BEN].map(|caller| caller.call(&server, "desk"));
    let mut cleo = CLEO.call(&server, "consult");
    server.connected("desk", 2);
    let id = server.connected("consult", 1)["id"].as_str().unwrap().to_owned();
    listen([&ada, &ben], 2_000);
    ada.press("dial", &format!("sip:consult@{}", server.sip));
    server.connected("consult", 2);
    listen([&cleo], 2_000);
    let replaces = dialog(&ada, "desk").replace(';', "%3B").replace('=', "%3D");
    ada.press("transfer", &format!("sip:desk@{}?Replaces={replaces}", server.sip));
    told(&server, &id, "transfer.completed");
    server.connected("consult", 2);
    listen([&ben, &cleo], 3_000);
    let tones = [ADA, BEN, CLEO].map(|caller| caller.tone_hz);
    let heard = [&mut ben, &mut cleo].map(|phone| {
        let file = phone.hang_up();
        Heard::in_file(&file, &tones).phases()
    });
    println!("ben and cleo heard: {heard:?}");
    let only = |phone| BTreeSet::from([Sound::Phone(phone)]);
    assert_eq!(heard[0].last(), Some(&only(2)), "ben: {:?}", heard[0]);
    assert_eq!(heard[1].last(), Some(&only(1)), "cleo: {:?}", heard[1]);
}

#[test]
fn a_caller_that_knows_a_focus_asks_who_is_there_and_transfers_itself_away() {
    let _machine = shared_machine();
    let server = Server::start(&["--rtp-ports", "64300-64399"]);
    let answering = Sipp::wait("answer", &["-d", "300"]);
    let target = format!("sip:uas@{}", answering.address);
    let more = ["-m", "1", "-s", "focus", "-key", "target", target.as_str()];
    let caller = Sipp::call(server.sip, "refer", &more);
    caller.succeeds();
    let view = server.connected("focus", 1);
    assert_eq!(view["parties"][0]["address"], target.as_str(), "{view}");
    server.ask("DELETE", "conferences/focus", "");
    answering.succeeds();
}
