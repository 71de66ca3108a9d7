//! S1: a supervisor monitors, whispers and barges in while an agent swaps.

use serde_json::json;

use super::desk::Desk;
use crate::whole_machine;

#[test]
fn a_supervisor_monitors_whispers_and_barges_in_while_an_agent_swaps() {
    let _machine = whole_machine();
    let mut desk = Desk::new("expertflow", "61350-61399");
    desk.on_duty(&["A1", "A2", "S"]);
    desk.calls("C");
    desk.assign("A1");
    desk.sounds("A1: C | C: A1", Some("A1 C"));

    let agent = desk.party_id("A1");
    let body = json!({ "target": desk.address("S"), "beside": agent, "mode": "monitor" });
    desk.server.ask("POST", "conferences/desk/supervisors", &body.to_string());
    desk.is_in("S");
    desk.sounds("A1: C | C: A1 | S: A1 C", Some("A1 C"));

    // It follows its agent aside, and whispers there.
    let path = format!("parties/{agent}/consult");
    desk.asks("A1", "POST", &path, &json!({ "target": desk.address("A2") })).done();
    desk.is_in("A2");
    desk.sounds("A1: A2 | A2: A1 | C: M | S: A1 A2", Some(""));
    let coach = json!({ "mode": { "coach": { "only": [agent] } } });
    desk.sets("S", "supervision", &coach).done();
    desk.sounds("A1: A2 S | A2: A1 | C: M | S: A1 A2", Some(""));
    desk.does("A1", "swap", "A1").done();
    desk.sounds("A1: C S | A2: M | C: A1 | S: A1 C", Some("A1 C"));
    desk.does("A1", "merge", "A1").done();
    desk.sounds("A1: A2 C S | A2: A1 C | C: A1 A2 | S: A1 A2 C", Some("A1 A2 C"));

    // S1.23, S1.32, S1.36: all of ours hear a whisper, and who coaches hears it too.
    desk.sets("S", "supervision", &json!({ "mode": { "coach": "ours" } })).done();
    desk.sets("A1", "whisper", &json!({ "to": "ours" })).done();
    desk.sounds("A1: A2 C S | A2: A1 C S | C: A2 | S: A1 A2 C", Some("A2 C"));
    // S1.31: the customer has not heard the supervisor in any moment so far.
    desk.never_heard("C", "S");
    // S1.35: they are kept, each in a track of its own.
    desk.whispers_are_kept("A1 S");
    desk.sets("A1", "whisper", &json!({ "to": null })).done();

    desk.sets("S", "supervision", &json!({ "mode": "barge" })).done();
    desk.sounds("A1: A2 C S | A2: A1 C S | C: A1 A2 S | S: A1 A2 C", Some("A1 A2 C S"));
    // S4.40: a voice that a supervisor takes out comes back with it only.
    desk.does("S", "silence", "A2").done();
    desk.does("A2", "unmute", "A2").refused(403, "silenced");
    desk.sounds("A1: C S | A2: A1 C S | C: A1 S | S: A1 C", Some("A1 C S"));
    desk.sets("S", "supervision", &json!({ "mode": "monitor", "beside": agent })).done();
    desk.does("S", "unsilence", "A2").done();
    desk.sounds("A1: A2 C | A2: A1 C | C: A1 A2 | S: A1 A2 C", Some("A1 A2 C"));

    // It takes over from its agent, who is out; nobody else hears a difference.
    desk.sets("S", "supervision", &json!({ "mode": "relieve" })).done();
    desk.is_gone("A1");
    desk.sounds("A2: C S | C: A2 S | S: A2 C", Some("A2 C S"));
    assert_eq!(desk.role("S"), json!("primary"));

    // S1.17: with the customer it is over, for who only monitors as well.
    desk.hangs_up("C");
    desk.is_over();
    desk.nobody_heard_itself();
}
