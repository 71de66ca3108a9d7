//! What a conference tells, and as whose doing.

use crate::stage::Stage;
use call::LegChange;
use model::{Author, Codec, EventKind, LeaveReason, Verb};

/// Who did what is told by that name.
fn authors(stage: &Stage, is: impl Fn(&EventKind) -> bool) -> Vec<Author> {
    stage.events.iter().filter(|event| is(&event.kind)).map(|event| event.by).collect()
}

#[test]
fn what_follows_by_itself_is_told_as_the_systems_doing() {
    let mut stage = Stage::recorded("connect_multi_party");
    stage.customer();
    let agent = stage.agent("A1");
    stage.leaves(agent);
    let started = |kind: &EventKind| matches!(kind, EventKind::RecordingStarted { .. });
    assert_eq!(authors(&stage, started), [Author::System], "nobody asked for it");
    let stopped = |kind: &EventKind| matches!(kind, EventKind::RecordingStopped { .. });
    assert_eq!(authors(&stage, stopped), [Author::System], "S4.8: it stops without agents");
    let mut stage = Stage::recorded("helpdesk3");
    stage.customer();
    let agent = stage.agent("A1");
    stage.leaves(agent);
    let ended = |kind: &EventKind| matches!(kind, EventKind::Ended { .. });
    assert_eq!(authors(&stage, ended), [Author::System], "it is over without agents");
    let left = |kind: &EventKind| matches!(kind, EventKind::Left { .. });
    assert_eq!(authors(&stage, left), [Author::Party(agent), Author::System]);
}

#[test]
fn what_somebody_asked_for_is_told_as_its_doing() {
    let mut stage = Stage::new("helpdesk3");
    stage.customer();
    let agent = stage.agent("A1");
    stage.by(agent, Verb::Record { on: true }).expect("it may");
    stage.ask(Author::Admin, Verb::End).expect("it may");
    let started = |kind: &EventKind| matches!(kind, EventKind::RecordingStarted { .. });
    assert_eq!(authors(&stage, started), [Author::Party(agent)]);
    let ended = |kind: &EventKind| matches!(kind, EventKind::Ended { .. });
    assert_eq!(authors(&stage, ended), [Author::Admin]);
}

#[test]
fn a_codec_is_told_again_only_where_it_is_another() {
    let mut stage = Stage::new("open");
    let party = stage.customer();
    let changed = |codec| EventKind::CodecChanged { party, codec };
    stage.change(party, LegChange::Connected { codec: Codec::Pcmu });
    assert_eq!(stage.told(&changed(Codec::Pcmu)), 0);
    stage.change(party, LegChange::Connected { codec: Codec::Opus });
    stage.change(party, LegChange::Connected { codec: Codec::Opus });
    assert_eq!(stage.told(&changed(Codec::Opus)), 1);
    stage.change(party, LegChange::Gone(LeaveReason::Left));
    assert!(stage.over);
}
