//! A supervisor takes over from the agent whom it supervises, in the call as it is.

use crate::stage::{MUSIC, Stage, colleague};
use model::command::Supervision;
use model::{Author, LeaveReason, PartyId, Refusal, Role, Verb};

/// A customer, its agent, and a supervisor who listens.
fn supervised(profile: &str) -> (Stage, PartyId, PartyId, PartyId) {
    let mut stage = Stage::recorded(profile);
    let (customer, agent) = (stage.customer(), stage.agent("A1"));
    let mode = Supervision::Monitor;
    let verb = Verb::Supervise { target: colleague("S"), beside: agent, mode };
    let supervisor = stage.calls(Author::Admin, verb, "S");
    stage.answer(supervisor);
    assert_eq!(stage.picture(), "A1: C | C: A1 | S: A1 C");
    (stage, customer, agent, supervisor)
}

fn relieve(party: PartyId, beside: Option<PartyId>) -> Verb {
    Verb::Stand { party, beside, mode: Supervision::Relieve }
}

#[test]
fn a_supervisor_takes_over_from_its_agent_and_is_what_that_one_was() {
    for profile in ["expertflow", "genesys_instant", "helpdesk3", "connect_three_party"] {
        let (mut stage, customer, agent, supervisor) = supervised(profile);
        let role = stage.role(agent);
        let legs = stage.legs.len();
        stage.by(supervisor, relieve(supervisor, None)).unwrap();
        assert_eq!(stage.picture(), "C: S | S: C", "{profile}");
        assert_eq!(stage.records(), "C S", "{profile}: the recording goes on");
        assert_eq!(stage.role(supervisor), role, "{profile}");
        let seen = stage.view.as_ref().unwrap().party(supervisor).unwrap();
        assert_eq!(seen.supervises, None, "{profile}: it supervises no more");
        assert_eq!((stage.legs.len(), stage.hung_up.len()), (legs - 1, 1));
        assert_eq!(stage.hung_up[0].1, LeaveReason::Transferred);
        let again = stage.by(supervisor, relieve(supervisor, Some(customer)));
        assert!(again.is_err(), "{profile}: it is no supervisor any more");
        stage.leaves(supervisor);
        stage.leaves(customer);
        assert!(stage.over, "{profile}");
    }
}

#[test]
fn who_takes_over_brings_back_whom_the_agent_had_on_hold() {
    let (mut stage, customer, agent, supervisor) = supervised("helpdesk3");
    stage.by(agent, Verb::Hold { party: customer }).unwrap();
    assert_eq!(stage.hears(customer), MUSIC);
    stage.by(supervisor, relieve(supervisor, None)).unwrap();
    assert_eq!(stage.picture(), "C: S | S: C");
}

#[test]
fn a_supervisor_takes_over_from_agents_only_and_where_it_may_remove_them() {
    let (mut stage, customer, agent, supervisor) = supervised("expertflow");
    let from_customer = stage.by(supervisor, relieve(supervisor, Some(customer)));
    assert_eq!(from_customer.map(|_| ()), Err(Refusal::WrongState));
    let by_agent = stage.by(agent, relieve(agent, None));
    assert!(by_agent.is_err(), "an agent is relieved, it does not relieve");
    let mut rules = crate::stage::profile("expertflow");
    for row in &mut rules.permissions {
        if row.role.contains(&Role::Supervisor) {
            row.may.retain(|action| *action != model::Action::Remove);
        }
    }
    let mut stage = Stage::with(rules, false);
    let (_, agent) = (stage.customer(), stage.agent("A1"));
    let mode = Supervision::Monitor;
    let verb = Verb::Supervise { target: colleague("S"), beside: agent, mode };
    let supervisor = stage.calls(Author::Admin, verb, "S");
    stage.answer(supervisor);
    let refused = stage.by(supervisor, relieve(supervisor, None));
    assert_eq!(refused.map(|_| ()), Err(Refusal::NotAllowed));
    assert_eq!(stage.picture(), "A1: C | C: A1 | S: A1 C", "a refusal changes nothing");
}
