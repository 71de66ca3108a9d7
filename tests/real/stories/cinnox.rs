//! S0: a call of two becomes a conference, its recording goes on, and a co-host ends it.

use serde_json::{Value, json};

use super::desk::{Desk, sounds, tones_hz};
use crate::ear::Heard;
use crate::line::Wire;
use crate::whole_machine;

/// Samples in a packet of 20 ms, by the clock of PCMU.
const CLOCK_PER_PACKET: u32 = 160;

/// One stream without a hole: each packet follows the one before (RFC 3550 §5.1).
fn assert_is_one_stream(wire: &Wire) {
    let mut before = None;
    for (ssrc, sequence, timestamp) in wire.packets.iter().copied() {
        let follows = before.map(|(ssrc, sequence, timestamp): (u32, u16, u32)| {
            (ssrc, sequence.wrapping_add(1), timestamp.wrapping_add(CLOCK_PER_PACKET))
        });
        let this = (ssrc, sequence, timestamp);
        assert!(follows.is_none_or(|follows| follows == this), "{follows:?}, then {this:?}");
        before = Some(this);
    }
}

#[test]
fn a_call_of_two_becomes_a_conference_with_its_recording_going_on_and_a_co_host_ends_it() {
    let _machine = whole_machine();
    let mut desk = Desk::new("cinnox", "61100-61149");
    desk.on_duty(&["A1", "A2"]);
    desk.calls_with_ours("C");
    desk.sounds("C: M", Some("C"));
    desk.assign("A1");
    desk.sounds("A1: C | C: A1", Some("A1 C"));
    let recording = desk.recording();
    desk.asks("A1", "DELETE", "", &Value::Null).refused(403, "not_allowed");

    // S0.9, S0.6: who brings somebody in becomes the host when that one has come.
    desk.invites("A1", &desk.address("A2")).done();
    desk.is_in("A2");
    assert_eq!((desk.role("A1"), desk.role("A2")), (json!("host"), json!("staff")));
    desk.sounds("A1: A2 C | A2: A1 C | C: A1 A2", Some("A1 A2 C"));

    // S0.11: any of ours brings in anybody.
    let outside = desk.outside("X");
    desk.invites("A2", &outside).done();
    desk.is_in("X");
    desk.sounds("A1: A2 C X | A2: A1 C X | C: A1 A2 X | X: A1 A2 C", Some("A1 A2 C X"));

    // S0.14, S0.15.
    for name in ["A2", "X", "C"] {
        desk.asks(name, "DELETE", "", &Value::Null).refused(403, "not_allowed");
    }
    desk.sets("A2", "role", &json!({ "role": "co_host" })).refused(403, "not_allowed");
    let path = format!("parties/{}/role", desk.party_id("A2"));
    desk.asks("A1", "PUT", &path, &json!({ "role": "co_host" })).done();
    assert_eq!(desk.recording(), recording, "S0.16");
    desk.asks("A2", "DELETE", "", &Value::Null).done();
    desk.is_over();
    desk.nobody_heard_itself();

    // S0.1: for the customer it was one call and one stream, and nobody offered anything anew.
    crate::until("the customer's goodbye", || (!desk.line("C").is_up()).then_some(()));
    let wire = desk.line("C").wire();
    assert_eq!(wire.requests.iter().filter(|method| *method != "ACK").collect::<Vec<_>>(), ["BYE"]);
    assert_eq!(wire.call_ids.len(), 1, "{:?}", wire.call_ids);
    assert_is_one_stream(&wire);

    // S0.16: one recording of all of it.
    assert_eq!(
        (desk.events("recording.started").len(), desk.events("recording.stopped").len()),
        (1, 1)
    );
    let phases = Heard::in_file(&recording, &tones_hz()).phases();
    let told = ["C", "A1 C", "A1 A2 C", "A1 A2 C X"].map(sounds);
    let told: Vec<_> = told.iter().filter(|set| phases.contains(set)).collect();
    assert_eq!(told.len(), 4, "{phases:?}");
}
