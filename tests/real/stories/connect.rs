//! S4: six parties who are all held and muted, and three of whom the first agent is in control.

use serde_json::json;

use super::desk::Desk;
use crate::whole_machine;

/// Everybody hears everybody else.
fn all(names: &[&str]) -> String {
    let line = |listener: &&str| {
        let others = names.iter().filter(|name| *name != listener);
        format!("{listener}: {}", others.copied().collect::<Vec<_>>().join(" "))
    };
    names.iter().map(line).collect::<Vec<_>>().join(" | ")
}

/// One is held, another is muted.
fn all_but(names: &[&str], held: &str, muted: &str) -> String {
    let line = |listener: &&str| {
        let heard = |name: &&&str| **name != *listener && **name != held && **name != muted;
        let others = names.iter().filter(heard).copied().collect::<Vec<_>>().join(" ");
        if *listener == held { format!("{listener}: M") } else { format!("{listener}: {others}") }
    };
    names.iter().map(line).collect::<Vec<_>>().join(" | ")
}

#[test]
fn each_of_six_parties_is_held_and_muted_and_only_its_owner_brings_its_voice_back() {
    let _machine = whole_machine();
    let mut desk = Desk::new("connect_multi_party", "61250-61299");
    desk.on_duty(&["A1", "A2", "A3"]);
    desk.calls("C");
    desk.assign("A1");
    let (x, y) = (desk.outside("X"), desk.outside("Y"));
    desk.sounds("A1: C | C: A1", Some("A1 C"));
    // S4.9: who is added is talked with in private first. S4.11: any agent adds.
    let added = [("A1", "A2", desk.address("A2")), ("A2", "A3", desk.address("A3"))];
    let added = added.into_iter().chain([("A3", "X", x), ("A1", "Y", y)]);
    for (agent, name, address) in added {
        desk.invites(agent, &address).done();
        desk.is_in(name);
        if name == "A2" {
            desk.sounds("A1: A2 | A2: A1 | C: M", Some(""));
        }
        desk.does(agent, "merge", agent).done();
    }
    let six = ["A1", "A2", "A3", "C", "X", "Y"];
    let everybody = six.join(" ");
    desk.sounds(&all(&six), Some(&everybody));
    desk.invites("A1", "sip:nobody@127.0.0.1:9").refused(403, "limit_reached");

    // S4.8, S4.18, S4.21, S4.33: by another agent each time; S4.22.
    for (at, held) in six.into_iter().enumerate() {
        let muted = six[(at + 1) % six.len()];
        let agent = six[(at + 2) % 3];
        desk.does(agent, "hold", held).done();
        desk.does(agent, "mute", muted).done();
        let recorded = six.iter().filter(|name| **name != held && **name != muted);
        let recorded = recorded.copied().collect::<Vec<_>>().join(" ");
        desk.sounds(&all_but(&six, held, muted), Some(&recorded));
        let by = if held.starts_with('A') { held } else { agent };
        desk.does(by, "resume", held).done();
        if agent != muted {
            desk.does(agent, "unmute", muted).refused(403, "not_allowed");
        }
        match muted.starts_with('A') {
            true => drop(desk.does(muted, "unmute", muted).done()),
            // Who has no desk is brought back by whoever has the API.
            false => {
                let path = format!("conferences/desk/parties/{}/unmute", desk.party_id(muted));
                desk.server.ask("POST", &path, "");
            }
        }
    }
    desk.sounds(&all(&six), Some(&everybody));

    // S4.23, S4.34, S4.36: they go one after the other; the caller and one of ours go on.
    for (agent, name) in [("A2", "A1"), ("A3", "A2"), ("A3", "X"), ("A3", "Y")] {
        desk.removes(agent, name).done();
        desk.is_gone(name);
    }
    desk.sounds("A3: C | C: A3", Some("A3 C"));
    desk.nobody_heard_itself();
}

#[test]
fn the_primary_controls_whom_it_added_and_the_secondary_only_once_the_primary_has_left() {
    let _machine = whole_machine();
    let mut desk = Desk::new("connect_three_party", "61300-61349");
    desk.on_duty(&["A1", "A2"]);
    desk.calls("C");
    desk.assign("A1");
    desk.sounds("A1: C | C: A1", Some("A1 C"));
    desk.invites("A1", &desk.address("A2")).done();
    desk.is_in("A2");
    assert_eq!((desk.role("A1"), desk.role("A2")), (json!("primary"), json!("secondary")));
    desk.sounds("A1: A2 | A2: A1 | C: M", Some(""));
    desk.does("A1", "swap", "A1").done();
    desk.sounds("A1: C | A2: M | C: A1", Some("A1 C"));
    desk.does("A1", "merge", "A1").done();
    desk.sounds("A1: A2 C | A2: A1 C | C: A1 A2", Some("A1 A2 C"));

    // S4.16 to S4.24: what a secondary may not while the primary is there.
    desk.does("A2", "hold", "C").refused(403, "primary_present");
    desk.removes("A2", "C").refused(403, "primary_present");
    desk.does("A2", "mute", "C").refused(403, "not_allowed");
    desk.does("A2", "hold", "A1").refused(403, "not_allowed");
    desk.does("A1", "mute", "A2").refused(403, "not_allowed");
    desk.does("A2", "mute", "A2").done();
    desk.sounds("A1: C | A2: A1 C | C: A1", Some("A1 C"));
    desk.does("A1", "unmute", "A2").refused(403, "not_allowed");
    desk.does("A2", "unmute", "A2").done();

    // S4.19, S4.20: whom the primary holds goes on talking with it, and cannot release itself.
    desk.does("A1", "hold", "A2").done();
    desk.sounds("A1: A2 C | A2: A1 | C: A1", Some("A1 C"));
    desk.does("A2", "resume", "A2").refused(403, "not_your_hold");
    desk.does("A1", "hold", "C").done();
    desk.sounds("A1: A2 | A2: A1 | C: M", Some("A1"));
    desk.does("A1", "resume", "C").done();

    // S4.23, S4.24, S4.7: control stays with the rest.
    desk.hangs_up("A1");
    desk.sounds("A2: C | C: A2", Some("A2 C"));
    desk.invites("A2", "sip:nobody@127.0.0.1:9").refused(403, "not_allowed");
    desk.does("A2", "hold", "C").done();
    desk.sounds("A2: | C: M", Some("A2"));
    desk.does("A2", "resume", "C").done();
    desk.removes("A2", "C").done();
    desk.is_gone("C");
    desk.nobody_heard_itself();
}
