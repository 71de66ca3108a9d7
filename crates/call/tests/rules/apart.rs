//! Whoever speaks to some alone is shown to do so for as long as it does, and no longer.

use crate::stage::{Stage, colleague};
use model::command::{Hearers, Supervision};
use model::{Author, EventKind, PartyId, PartyView, Role, Verb};

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
