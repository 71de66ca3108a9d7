//! S3: whoever is added is in the talk at once, and who leaves has handed it over.

use serde_json::{Value, json};

use super::desk::Desk;
use crate::whole_machine;

#[test]
fn whoever_accepts_is_in_the_talk_at_once_and_leaving_hands_it_over() {
    let _machine = whole_machine();
    let mut desk = Desk::new("genesys_instant", "61200-61249");
    desk.on_duty(&["A1", "A2", "A3"]);
    desk.calls("C");
    desk.assign("A1");
    desk.sounds("A1: C | C: A1", Some("A1 C"));

    // S3.1, S3.5.
    desk.invites("A1", &desk.address("A2")).done();
    desk.is_in("A2");
    desk.sounds("A1: A2 C | A2: A1 C | C: A1 A2", Some("A1 A2 C"));
    assert!(desk.events("participant.held").is_empty(), "nobody is held");

    // S3.11: a side call, and a text for one alone.
    let (first, second) = (desk.party_id("A1"), desk.party_id("A2"));
    let pair = |with: Value| {
        let path = format!("parties/{second}/pair");
        desk.asks("A1", "PUT", &path, &json!({ "with": with })).done();
    };
    pair(first.into());
    desk.sounds("A1: A2 C | A2: A1 C | C: ", Some("C"));
    let text = json!({ "text": "is she from Rome?", "to": second });
    desk.asks("A1", "POST", "messages", &text).done();
    assert_eq!(desk.events("message.text")[0]["to"], second.as_str());
    pair(Value::Null);
    desk.sounds("A1: A2 C | A2: A1 C | C: A1 A2", Some("A1 A2 C"));

    // S3.6, S3.12, S3.14.
    desk.removes("A1", "A1").done();
    desk.is_gone("A1");
    desk.sounds("A2: C | C: A2", Some("A2 C"));

    // S3.19, S3.10, S3.21: a consultation becomes part of the talk.
    let path = format!("parties/{}/consult", desk.party_id("A2"));
    desk.asks("A2", "POST", &path, &json!({ "target": desk.address("A3") })).done();
    desk.is_in("A3");
    desk.sounds("A2: A3 | A3: A2 | C: M", Some(""));
    desk.does("A2", "merge", "A2").done();
    desk.sounds("A2: A3 C | A3: A2 C | C: A2 A3", Some("A2 A3 C"));

    // S3.11: delete from the conference. S3.7: the last agent's leaving is a normal end.
    desk.removes("A3", "A2").done();
    desk.is_gone("A2");
    desk.sounds("A3: C | C: A3", Some("A3 C"));
    desk.asks("C", "DELETE", "", &Value::Null).refused(403, "not_allowed");
    desk.removes("A3", "A3").done();
    desk.is_over();
    desk.nobody_heard_itself();
    desk.never_heard("A3", "A1");
}
