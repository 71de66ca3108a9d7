//! Who transfers and hangs up at once drops nobody, and nobody is left alone by it.

use crate::stage::{Stage, colleague, outsider};
use call::LegChange;
use model::command::Target;
use model::{LeaveReason, PartyId, Verb};

/// Profiles that end with the last agent.
const STAFFED: [&str; 3] = ["expertflow", "genesys_instant", "helpdesk3"];

/// A customer whose agent has just transferred it, and hung up before anybody answered.
fn handed_on(profile: &str, target: Target) -> (Stage, PartyId, PartyId) {
    let mut stage = Stage::recorded(profile);
    let customer = stage.customer();
    let agent = stage.agent("A1");
    let transfer = Verb::Transfer { party: agent, target };
    let heir = stage.calls(model::Author::Party(agent), transfer, "X");
    stage.leaves(agent);
    assert!(!stage.over, "{profile}: the customer is not dropped");
    (stage, customer, heir)
}

#[test]
fn who_transfers_and_hangs_up_at_once_leaves_the_customer_with_who_is_called() {
    for profile in STAFFED {
        for target in [colleague("X"), outsider("X")] {
            let (mut stage, customer, heir) = handed_on(profile, target);
            stage.answer(heir);
            assert_eq!(stage.picture(), "C: X | X: C", "{profile}");
            stage.leaves(customer);
            stage.leaves(heir);
            assert!(stage.over);
        }
    }
}

#[test]
fn a_customer_whose_transfer_comes_to_nothing_is_told_and_let_go() {
    for profile in STAFFED {
        let (mut stage, customer, heir) = handed_on(profile, colleague("X"));
        stage.prompts_last = true;
        stage.change(heir, LegChange::Gone(LeaveReason::Busy));
        if profile == "expertflow" {
            assert!(!stage.over, "first it hears why");
            assert_eq!(stage.prompts_of(customer), ["nobody_available"], "S1.10");
            stage.end_prompt("nobody_available");
        }
        assert!(stage.over, "{profile}: without agents it is over");
    }
}

#[test]
fn an_agent_who_comes_in_while_nobody_was_available_has_the_customer() {
    let (mut stage, customer, heir) = handed_on("expertflow", colleague("X"));
    stage.prompts_last = true;
    stage.change(heir, LegChange::Gone(LeaveReason::NoAnswer));
    stage.agent("A2");
    stage.end_prompt("nobody_available");
    assert!(!stage.over);
    assert_eq!(stage.hears(customer), "A2");
}

#[test]
fn a_number_that_has_an_agents_seat_is_not_left_alone_and_leaves_nobody_alone() {
    for profile in STAFFED {
        for first in 0..2 {
            let (mut stage, customer, heir) = handed_on(profile, outsider("X"));
            stage.answer(heir);
            stage.leaves([customer, heir][first]);
            assert!(stage.over, "{profile}: nobody is there for the other");
        }
    }
}

#[test]
fn a_number_to_which_an_agent_has_handed_on_by_consultation_stays_with_the_customer() {
    for profile in ["expertflow", "helpdesk3"] {
        let mut stage = Stage::new(profile);
        let customer = stage.customer();
        let agent = stage.agent("A1");
        let consult = Verb::Consult { party: agent, target: outsider("X"), room: None };
        let number = stage.calls(model::Author::Party(agent), consult, "X");
        stage.answer(number);
        stage.by(agent, Verb::Complete { party: agent }).expect("it has answered");
        assert_eq!(stage.picture(), "C: X | X: C", "{profile}");
        stage.leaves(customer);
        assert!(stage.over, "{profile}");
    }
}
