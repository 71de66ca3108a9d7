//! Who is consulted is never left aside alone, whoever is held, brought back or called meanwhile.

use crate::stage::{MUSIC, Stage, colleague};
use model::command::Supervision;
use model::profile::Meanwhile;
use model::{Author, EventKind, PartyId, Refusal, Verb};

/// A customer, an agent, and an expert who is called by that one.
fn consulting(profile: &str) -> (Stage, PartyId, PartyId, PartyId) {
    let mut stage = Stage::new(profile);
    let (customer, agent) = (stage.customer(), stage.agent("A"));
    let expert = stage.consults(agent, "E");
    (stage, customer, agent, expert)
}

#[test]
fn who_was_on_hold_when_the_consulted_one_came_talks_with_it_when_it_is_back() {
    let (mut stage, customer, agent, expert) = consulting("expertflow");
    stage.by(agent, Verb::Hold { party: agent }).unwrap();
    stage.answer(expert);
    stage.by(agent, Verb::Resume { party: agent }).unwrap();
    assert_eq!(stage.picture(), "A: E | C: M | E: A");
    stage.by(agent, Verb::Swap { party: agent }).unwrap();
    assert_eq!(stage.picture(), "A: C | C: A | E: M");
    assert_eq!(stage.told(&EventKind::Resumed { party: customer }), 1);
}

/// S0.22: nobody in this profile may bring others back, but who consults may swap.
#[test]
fn who_may_swap_strands_nobody_by_swapping() {
    for profile in ["cinnox", "genesys_instant", "helpdesk3", "connect_multi_party"] {
        let (mut stage, customer, agent, expert) = consulting(profile);
        stage.answer(expert);
        for _ in 0..2 {
            assert_eq!(stage.picture(), "A: E | C: M | E: A", "{profile}");
            stage.by(agent, Verb::Swap { party: agent }).unwrap();
            assert_eq!(stage.picture(), "A: C | C: A | E: M", "{profile}");
            stage.by(agent, Verb::Swap { party: agent }).unwrap();
        }
        for party in [customer, agent, expert] {
            assert_eq!(stage.told(&EventKind::Stranded { party }), 0, "{profile}");
        }
        stage.by(agent, Verb::Merge { party: agent }).unwrap();
        assert_eq!(stage.picture(), "A: C E | C: A E | E: A C", "{profile}");
    }
}

#[test]
fn who_waits_for_a_consultation_is_brought_back_when_who_consults_is_gone() {
    for profile in ["cinnox", "genesys_instant", "helpdesk3", "connect_three_party"] {
        for swapped in [false, true] {
            let (mut stage, _, agent, expert) = consulting(profile);
            stage.answer(expert);
            if swapped {
                stage.by(agent, Verb::Swap { party: agent }).unwrap();
            }
            stage.leaves(agent);
            assert_eq!(stage.picture(), "C: E | E: C", "{profile}");
        }
    }
}

/// S4.31: Join releases all, also whom another one has swapped away.
#[test]
fn another_agent_who_joins_all_brings_who_was_swapped_away_to_them() {
    let (mut stage, _, agent, expert) = consulting("expertflow");
    let other = stage.agent("B");
    stage.answer(expert);
    stage.by(agent, Verb::Swap { party: agent }).unwrap();
    assert_eq!(stage.hears(expert), MUSIC);
    stage.by(other, Verb::Merge { party: other }).unwrap();
    assert_eq!(stage.picture(), "A: B C E | B: A C E | C: A B E | E: A B C");
    assert_eq!(stage.told(&EventKind::ConsultMerged { party: agent, with: expert }), 1);
}

/// Swapped away, then the one who consults is held by another: both come back, one by one.
#[test]
fn two_who_consult_and_are_both_held_talk_with_each_other_when_both_are_back() {
    for agent_first in [false, true] {
        let (mut stage, _, agent, expert) = consulting("expertflow");
        let other = stage.agent("B");
        stage.answer(expert);
        stage.by(agent, Verb::Swap { party: agent }).unwrap();
        stage.by(other, Verb::Hold { party: agent }).unwrap();
        let order = if agent_first { [agent, expert] } else { [expert, agent] };
        for party in order {
            stage.by(other, Verb::Resume { party }).unwrap();
        }
        let hears = stage.hears(expert);
        assert!(hears.contains('A'), "{agent_first}: {}", stage.picture());
    }
}

#[test]
fn a_supervisor_who_consults_does_not_go_away_to_listen() {
    let mut stage = Stage::new("expertflow");
    let (customer, agent) = (stage.customer(), stage.agent("A"));
    let verb = Verb::Supervise { target: colleague("S"), beside: agent, mode: Supervision::Barge };
    let supervisor = stage.calls(Author::Admin, verb, "S");
    stage.answer(supervisor);
    let verb = Verb::Consult { party: supervisor, target: colleague("E"), room: None };
    let expert = stage.calls(Author::Admin, verb, "E");
    stage.answer(expert);
    assert_eq!(stage.picture(), "A: C | C: A | E: S | S: E");
    for mode in [Supervision::Monitor, Supervision::Barge, Supervision::Relieve] {
        let beside = Some(if mode == Supervision::Relieve { agent } else { customer });
        let stand = Verb::Stand { party: supervisor, beside, mode };
        assert_eq!(stage.by(supervisor, stand).map(|_| ()), Err(Refusal::WrongState));
    }
    assert_eq!(stage.picture(), "A: C | C: A | E: S | S: E");
}

fn hands_on(stage: &mut Stage, expert: PartyId) -> PartyId {
    let verb = Verb::Transfer { party: expert, target: colleague("T") };
    stage.calls(Author::Party(expert), verb, "T")
}

/// The consulted one hands its seat on, and may hang up before that is taken; gives the agent,
/// the consulted one, and whom it hands it on to.
fn handing_on(at_once: bool) -> (Stage, [PartyId; 3]) {
    let (mut stage, _, agent, expert) = consulting("expertflow");
    stage.answer(expert);
    let next = hands_on(&mut stage, expert);
    if at_once {
        stage.leaves(expert);
        assert_eq!(stage.picture(), "A:  | C: M");
    }
    (stage, [agent, expert, next])
}

/// The customer waits for the consultation: nobody stands before it unannounced because the
/// consulted one's phone was forwarded by hand.
#[test]
fn whom_the_consulted_one_hands_its_seat_on_to_is_consulted_in_its_place() {
    for at_once in [false, true] {
        let (mut stage, [agent, _, next]) = handing_on(at_once);
        stage.answer(next);
        assert_eq!(stage.picture(), "A: T | C: M | T: A", "{at_once}");
        let seen = stage.view.as_ref().unwrap().party(agent).unwrap();
        assert_eq!(seen.consults, Some(next), "{at_once}");
        stage.by(agent, Verb::Swap { party: agent }).unwrap();
        assert_eq!(stage.picture(), "A: C | C: A | T: M", "{at_once}");
        stage.by(agent, Verb::Complete { party: agent }).unwrap();
        assert_eq!(stage.picture(), "C: T | T: C", "{at_once}");
    }
}

#[test]
fn who_hands_on_while_it_waits_leaves_the_next_one_waiting() {
    let (mut stage, _, agent, expert) = consulting("expertflow");
    stage.answer(expert);
    let next = hands_on(&mut stage, expert);
    stage.by(agent, Verb::Swap { party: agent }).unwrap();
    stage.answer(next);
    assert_eq!(stage.picture(), "A: C | C: A | T: M");
    stage.by(agent, Verb::Swap { party: agent }).unwrap();
    assert_eq!(stage.picture(), "A: T | C: M | T: A");
}

#[test]
fn a_consultation_that_is_cancelled_while_it_is_handed_on_is_over() {
    for at_once in [false, true] {
        let (mut stage, [agent, _, next]) = handing_on(at_once);
        stage.by(agent, Verb::Cancel { party: agent }).unwrap();
        assert_eq!(stage.picture(), "A: C | C: A", "{at_once}");
        assert!(stage.conference.party(next).is_none(), "it is not called any more");
    }
}

#[test]
fn who_is_handed_a_consultation_and_does_not_come_leaves_it_as_it_was() {
    for at_once in [false, true] {
        let (mut stage, [agent, expert, next]) = handing_on(at_once);
        stage.change(next, call::LegChange::Gone(model::LeaveReason::Busy));
        let picture = if at_once { "A: C | C: A" } else { "A: E | C: M | E: A" };
        assert_eq!(stage.picture(), picture);
        let seen = stage.view.as_ref().unwrap().party(agent).unwrap();
        assert_eq!(seen.consults, (!at_once).then_some(expert));
    }
}

/// No consultant from outside sits in silence because an agent answers its other line.
#[test]
fn a_consultant_from_outside_who_is_alone_for_a_moment_hears_music() {
    let (mut stage, _, agent) = (Stage::new("helpdesk3"), (), PartyId(2));
    stage.customer();
    stage.agent("A");
    let target = crate::stage::outsider("X");
    let verb = Verb::Consult { party: agent, target, room: None };
    let expert = stage.calls(Author::Party(agent), verb, "X");
    stage.answer(expert);
    stage.change(agent, call::LegChange::Phone(call::PhoneKey::OnHold));
    assert_eq!(stage.picture(), "A: M | C: M | X: M");
    stage.change(agent, call::LegChange::Phone(call::PhoneKey::Talking));
    assert_eq!(stage.picture(), "A: X | C: M | X: A");
    stage.ask(Author::Admin, Verb::Hold { party: agent }).unwrap();
    assert_eq!(stage.picture(), "A: M | C: M | X: M");
    stage.ask(Author::Admin, Verb::Resume { party: agent }).unwrap();
    assert_eq!(stage.picture(), "A: X | C: M | X: A");
}

/// What was for its partner alone is not heard by others because one of the two is away.
#[test]
fn who_steps_aside_from_its_partner_speaks_with_whom_it_consults_and_is_paired_when_it_is_back() {
    for room in [Meanwhile::Held, Meanwhile::Stays] {
        let mut stage = Stage::recorded("connect_multi_party");
        let (customer, agent) = (stage.customer(), stage.agent("A"));
        let second = stage.agent("B");
        let pair = Verb::Pair { party: agent, with: Some(second) };
        stage.ask(Author::Admin, pair).unwrap();
        let paired = "A: B C | B: A C | C: ";
        assert_eq!(stage.picture(), paired);
        let target = colleague("E");
        let consult = Verb::Consult { party: agent, target, room: Some(room) };
        let expert = stage.calls(Author::Party(agent), consult, "E");
        stage.answer(expert);
        let aside = match room {
            Meanwhile::Held => "A: E | B: M | C: M | E: A",
            Meanwhile::Stays => "A: E | B: C | C:  | E: A",
        };
        assert_eq!(stage.picture(), aside);
        stage.by(agent, Verb::Cancel { party: agent }).unwrap();
        for held in [customer, second] {
            stage.ask(Author::Admin, Verb::Resume { party: held }).unwrap();
        }
        assert_eq!(stage.picture(), paired);
        assert_eq!(stage.records(), "C");
    }
}
