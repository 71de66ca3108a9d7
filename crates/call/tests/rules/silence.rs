//! A voice that supervisors took out, one of them or several.

use crate::stage::{Stage, colleague};
use model::command::Supervision;
use model::{Author, EventKind, PartyId, Refusal, Verb};

/// A customer, an agent and two supervisors who listen to it.
fn supervised_twice() -> (Stage, PartyId, [PartyId; 2]) {
    let mut stage = Stage::new("connect_multi_party");
    stage.customer();
    let agent = stage.agent("A1");
    let supervisors = ["S", "T"].map(|name| {
        let mode = Supervision::Monitor;
        let verb = Verb::Supervise { target: colleague(name), beside: agent, mode };
        let supervisor = stage.calls(Author::Admin, verb, name);
        stage.answer(supervisor);
        supervisor
    });
    (stage, agent, supervisors)
}

/// How often it was told that a voice went out, and that it came back.
fn told(stage: &Stage) -> (usize, usize) {
    let count = |is: fn(&EventKind) -> bool| stage.events.iter().filter(|e| is(&e.kind)).count();
    (
        count(|kind| matches!(kind, EventKind::Silenced { .. })),
        count(|kind| matches!(kind, EventKind::Unsilenced { .. })),
    )
}

#[test]
fn a_voice_that_two_took_out_stays_out_until_the_last_of_them_has_left() {
    for first in [0, 1] {
        let (mut stage, agent, supervisors) = supervised_twice();
        for supervisor in supervisors {
            stage.by(supervisor, Verb::Silence { party: agent }).unwrap();
        }
        stage.leaves(supervisors[first]);
        assert_eq!(told(&stage), (1, 0));
        let unmute = stage.by(agent, Verb::Unmute { party: agent });
        assert_eq!(unmute.map(|_| ()), Err(Refusal::Silenced));
        assert_eq!(stage.picture().split(" | ").nth(1), Some("C: "));
        stage.leaves(supervisors[1 - first]);
        assert_eq!(told(&stage), (1, 1));
        assert_eq!(stage.picture(), "A1: C | C: A1");
    }
}

#[test]
fn what_the_desk_took_out_does_not_come_back_with_who_wished_it_too() {
    let (mut stage, agent, [supervisor, _]) = supervised_twice();
    stage.ask(Author::Admin, Verb::Silence { party: agent }).unwrap();
    stage.by(supervisor, Verb::Silence { party: agent }).unwrap();
    stage.leaves(supervisor);
    assert_eq!(told(&stage), (1, 0));
    stage.ask(Author::Admin, Verb::Unsilence { party: agent }).unwrap();
    assert_eq!(told(&stage), (1, 1));
}

#[test]
fn whoever_may_lift_it_lifts_it_for_all_who_placed_it() {
    let (mut stage, agent, supervisors) = supervised_twice();
    for supervisor in supervisors {
        stage.by(supervisor, Verb::Silence { party: agent }).unwrap();
    }
    stage.by(supervisors[0], Verb::Unsilence { party: agent }).unwrap();
    assert_eq!(told(&stage), (1, 1));
    assert_eq!(stage.picture().split(" | ").nth(1), Some("C: A1"));
}
