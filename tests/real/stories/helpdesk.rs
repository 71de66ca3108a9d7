//! S2: the customer waits while two agents brief each other; consult, swap, join, complete.

use serde_json::json;

use super::desk::Desk;
use crate::whole_machine;

#[test]
fn the_customer_waits_while_agents_consult_swap_and_join_and_is_handed_over() {
    let _machine = whole_machine();
    let mut desk = Desk::new("helpdesk3", "61150-61199");
    desk.on_duty(&["A1", "A2", "A3"]);
    desk.calls("C");
    desk.assign("A1");
    desk.sounds("A1: C | C: A1", Some("A1 C"));

    // S2.1, S2.7.
    let consult = |desk: &Desk, agent: &str, whom: &str| {
        let path = format!("parties/{}/consult", desk.party_id(agent));
        desk.asks(agent, "POST", &path, &json!({ "target": desk.address(whom) })).done();
    };
    consult(&desk, "A1", "A2");
    desk.is_in("A2");
    desk.sounds("A1: A2 | A2: A1 | C: M", Some(""));
    desk.does("A1", "swap", "A1").done();
    desk.sounds("A1: C | A2: M | C: A1", Some("A1 C"));
    desk.does("A1", "swap", "A1").done();
    desk.sounds("A1: A2 | A2: A1 | C: M", Some(""));
    desk.does("A1", "merge", "A1").done();
    desk.sounds("A1: A2 C | A2: A1 C | C: A1 A2", Some("A1 A2 C"));

    // S2.8, S2.10: either holds and resumes the customer; a fourth is refused.
    desk.does("A2", "hold", "C").done();
    desk.sounds("A1: A2 | A2: A1 | C: M", Some("A1 A2"));
    desk.does("A1", "resume", "C").done();
    desk.invites("A2", &desk.address("A3")).refused(403, "limit_reached");

    // S2.2: who was added keeps the call.
    desk.removes("A1", "A1").done();
    desk.is_gone("A1");
    desk.sounds("A2: C | C: A2", Some("A2 C"));

    // S2.11.
    consult(&desk, "A2", "A3");
    desk.is_in("A3");
    desk.sounds("A2: A3 | A3: A2 | C: M", Some(""));
    desk.does("A2", "complete", "A2").done();
    desk.is_gone("A2");
    desk.sounds("A3: C | C: A3", Some("A3 C"));
    assert_eq!(desk.events("transfer.completed").len(), 1);
    assert_eq!(desk.events("recording.started").len(), 1);

    desk.hangs_up("A3");
    desk.is_over();
    desk.nobody_heard_itself();
    desk.never_heard("A3", "A1");
}
