//! Whoever speaks to some alone is shown to do so for as long as it does, and no longer.

use crate::stage::{Stage, colleague, outsider};
use model::command::{Hearers, Supervision};
use model::{Action, Author, EventKind, PartyId, PartyView, Role, Verb};

fn barging(stage: &mut Stage, beside: PartyId) -> PartyId {
    let mode = Supervision::Barge;
    let verb = Verb::Supervise { target: colleague("S"), beside, mode };
    let supervisor = stage.calls(Author::Admin, verb, "S");
    stage.answer(supervisor);
    supervisor
}

fn stand(party: PartyId, beside: Option<PartyId>, mode: Supervision) -> Verb {
    Verb::Stand { party, beside, mode }
}

fn seen(stage: &Stage, party: PartyId) -> PartyView {
    stage.view.as_ref().unwrap().party(party).unwrap().clone()
}

/// S1.34: else its desk would say that it whispers while the customer hears it.
#[test]
fn a_supervisor_whose_whisper_is_over_is_not_shown_to_whisper() {
    for mode in [Supervision::Monitor, Supervision::Barge, Supervision::Relieve] {
        let mut stage = Stage::new("expertflow");
        let (_, agent) = (stage.customer(), stage.agent("A"));
        let supervisor = barging(&mut stage, agent);
        let to = Some(Hearers::Ours);
        stage.by(supervisor, Verb::Whisper { party: supervisor, to }).unwrap();
        assert_eq!(stage.picture(), "A: C S | C: A | S: A C");
        stage.by(supervisor, stand(supervisor, Some(agent), mode.clone())).unwrap();
        let ended = EventKind::WhisperEnded { party: supervisor };
        assert_eq!(stage.told(&ended), 1, "{mode:?}");
        assert_eq!(seen(&stage, supervisor).whispers_to, None, "{mode:?}");
    }
}

#[test]
fn who_becomes_a_trainee_is_not_shown_to_whisper_and_is_paired_with_nobody() {
    let mut stage = Stage::new("expertflow");
    let (_, agent) = (stage.customer(), stage.agent("A"));
    let novice = stage.agent("T");
    let to = Some(Hearers::Ours);
    stage.by(novice, Verb::Whisper { party: novice, to }).unwrap();
    let appoint = |role| Verb::Appoint { party: novice, role };
    stage.ask(Author::Admin, appoint(Role::Trainee)).unwrap();
    assert_eq!(seen(&stage, novice).whispers_to, None);
    stage.ask(Author::Admin, appoint(Role::Primary)).unwrap();
    stage.by(novice, Verb::Pair { party: novice, with: Some(agent) }).unwrap();
    stage.ask(Author::Admin, appoint(Role::Trainee)).unwrap();
    assert_eq!(seen(&stage, agent).paired_with, None);
    assert_eq!(stage.picture(), "A: C | C: A | T: A C");
    // What it was paired with lets nobody hear it.
    stage.by(agent, Verb::Pair { party: agent, with: None }).unwrap();
    assert_eq!(stage.picture(), "A: C | C: A | T: A C");
}

#[test]
fn who_is_paired_with_a_supervisor_that_goes_away_to_listen_speaks_to_all_again() {
    let mut stage = Stage::new("expertflow");
    let (_, agent) = (stage.customer(), stage.agent("A"));
    let supervisor = barging(&mut stage, agent);
    stage.by(agent, Verb::Pair { party: agent, with: Some(supervisor) }).unwrap();
    assert_eq!(stage.picture(), "A: C S | C:  | S: A C");
    stage.by(supervisor, stand(supervisor, Some(agent), Supervision::Monitor)).unwrap();
    assert_eq!(stage.picture(), "A: C | C: A | S: A C");
    assert_eq!(seen(&stage, agent).paired_with, None);
    stage.by(supervisor, stand(supervisor, None, Supervision::Barge)).unwrap();
    assert_eq!(stage.picture(), "A: C S | C: A S | S: A C");
}

/// Who has it called could do by its phone what it may not do itself.
#[test]
fn nobody_is_called_in_as_more_than_who_calls_it_may_appoint() {
    let mut stage = Stage::new("cinnox");
    let (_, host) = (stage.customer(), stage.agent("A"));
    let staff = stage.agent("B");
    stage.ask(Author::Admin, Verb::Appoint { party: host, role: Role::Host }).unwrap();
    let as_what = |role| Verb::Invite { target: colleague("X"), role: Some(role) };
    for role in [Role::Supervisor, Role::Admin] {
        for by in [Author::Party(host), Author::Party(staff), Author::Admin] {
            assert!(stage.ask(by, as_what(role)).is_err(), "{by:?} {role:?}");
        }
    }
    for role in [Role::Host, Role::CoHost] {
        assert!(stage.by(staff, as_what(role)).is_err(), "{role:?}");
    }
    stage.by(staff, as_what(Role::Staff)).expect("what the profile says");
    stage.by(staff, as_what(Role::Trainee)).expect("it may do less");
    let learner = Verb::Invite { target: outsider("L"), role: Some(Role::Trainee) };
    assert!(stage.by(staff, learner).is_err(), "it would hear whispers");
    let customer = Verb::Invite { target: outsider("D"), role: Some(Role::Customer) };
    stage.by(staff, customer).expect("it may do less");
    stage.by(host, as_what(Role::CoHost)).expect("whom it may appoint");
}

/// Else what an agent is told that it may do would tell of a monitor.
#[test]
fn whom_somebody_may_pair_with_is_nobody_who_only_listens() {
    let mut stage = Stage::new("expertflow");
    let agent = stage.agent("A");
    let mode = Supervision::Monitor;
    let verb = Verb::Supervise { target: colleague("S"), beside: agent, mode };
    let supervisor = stage.calls(Author::Admin, verb, "S");
    stage.answer(supervisor);
    stage.customer();
    let allowed = stage.conference.allowed(stage.now_ms, Author::Party(agent), Some(agent));
    let pair = allowed.parties[0].actions.iter().find(|verdict| verdict.action == Action::Pair);
    assert!(pair.is_some_and(|verdict| verdict.refused.is_none()), "{pair:?}");
}
