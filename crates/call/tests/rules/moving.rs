//! Somebody goes over from one conference to another in place of who leaves both.

use crate::scripts::Script;
use crate::stage::{Stage, colleague, profile};
use call::{LegChange, Mover, Party, Stance, Video};
use model::command::Newcomer;
use model::profile::Consulted;
use model::{Affiliation, Author, CommandId, EventKind, LeaveReason, LegId, Refusal, Verb};

const COMMAND: CommandId = CommandId(9);

/// Scripts in which a company goes over.
const SCRIPTS: u64 = 1_000;

/// An agent has a call with a customer, and another one with an expert; its second seat is in the
/// second conference.
fn two_calls() -> (Stage, Stage) {
    let (mut desk, mut aside) = (Stage::new("cinnox"), Stage::new("cinnox"));
    aside.number_from(100);
    desk.agent("A");
    desk.customer();
    aside.agent("A");
    aside.agent("E");
    (desk, aside)
}

/// What the one conference lets go is taken in by the other.
fn go_over(from: &mut Stage, to: &mut Stage) {
    let (leaver, replaced) = (from.conference.parties()[0].id, to.conference.parties()[0].id);
    let movers = from.conference.let_go(from.now_ms, COMMAND, leaver);
    for mover in &movers {
        assert!(from.legs.remove(&mover.leg()), "its connection is none of the one's any more");
        to.legs.insert(mover.leg());
        to.names.insert(mover.party(), from.names[&mover.party()].clone());
    }
    from.drain();
    to.conference.take_in(to.now_ms, COMMAND, replaced, movers);
    to.drain();
}

#[test]
fn company_takes_the_place_of_who_leaves_both_and_what_is_left_ends() {
    let (mut desk, mut aside) = two_calls();
    let (agent, expert) = (desk.conference.parties()[0].id, aside.conference.parties()[1].id);
    let role = desk.role(agent);
    go_over(&mut aside, &mut desk);
    assert_eq!(desk.picture(), "C: E | E: C");
    assert!(aside.over && !desk.over);
    assert_eq!((aside.hung_up.len(), desk.hung_up.len()), (1, 1), "its own two, and no other");
    assert_eq!(desk.role(expert), role, "it is what the one was whose place it takes");
    let left = |party| EventKind::Left { party, reason: LeaveReason::Transferred };
    assert_eq!(desk.told(&left(agent)), 1);
    assert_eq!(aside.told(&left(expert)), 1);
    assert_eq!(desk.told(&EventKind::TransferCompleted { party: agent, to: expert }), 1);
    // It is like any other party from then on.
    desk.by(expert, Verb::Remove { party: expert }).expect("it may leave");
}

#[test]
fn who_has_taken_its_voice_out_stays_muted_where_it_comes() {
    let (mut desk, mut aside) = two_calls();
    let expert = aside.conference.parties()[1].id;
    aside.by(expert, Verb::Mute { party: expert }).expect("its own voice");
    go_over(&mut aside, &mut desk);
    assert_eq!(desk.picture(), "C:  | E: C");
    assert_eq!(desk.told(&EventKind::Muted { party: expert }), 1);
    desk.by(expert, Verb::Unmute { party: expert }).expect("its own voice");
    assert_eq!(desk.picture(), "C: E | E: C");
}

/// Else it would be up for ever, with nobody in it.
#[test]
fn a_connection_that_was_to_take_the_seat_of_who_goes_over_is_ended() {
    let (mut desk, mut aside) = two_calls();
    let expert = aside.conference.parties()[1].id;
    let (leg, address, affiliation) = (LegId(77), "sip:n@h".to_owned(), Affiliation::Ours);
    let newcomer = Newcomer { leg, display_name: None, address, affiliation };
    aside.by(expert, Verb::TakeOver { party: expert, newcomer }).expect("its own seat");
    aside.legs.insert(leg);
    go_over(&mut aside, &mut desk);
    assert!(aside.hung_up.contains(&(leg, LeaveReason::Transferred)));
    assert!(aside.over && aside.legs.is_empty(), "{:?}", aside.legs);
    assert_eq!(desk.picture(), "C: E | E: C");
}

/// Its phone has hung up already, and the next one is about to ring in: that one goes over.
#[test]
fn who_has_the_seat_of_who_goes_over_sits_down_where_it_comes() {
    let (mut desk, mut aside) = two_calls();
    let expert = aside.conference.parties()[1].id;
    let (leg, address, affiliation) = (LegId(77), "sip:n@h".to_owned(), Affiliation::Ours);
    let newcomer = Newcomer { leg, display_name: None, address, affiliation };
    aside.by(expert, Verb::TakeOver { party: expert, newcomer }).expect("its own seat");
    aside.legs.insert(leg);
    aside.leaves(expert);
    go_over(&mut aside, &mut desk);
    desk.answer(expert);
    let seat = desk.view.as_ref().unwrap().party(expert).unwrap();
    assert_eq!(seat.address, "sip:n@h");
    assert_eq!(desk.picture(), "C: E | E: C");
}

#[test]
fn who_wants_video_is_marked_where_it_comes_if_that_is_recorded() {
    let (mut desk, mut aside) = two_calls();
    let expert = aside.conference.parties()[1].id;
    aside.change(expert, LegChange::Video(Video::Refused));
    desk.ask(Author::Admin, Verb::Record { on: true }).expect("it is allowed");
    let marks = |stage: &Stage| {
        let kinds = stage.events.iter().map(|event| &event.kind);
        kinds.filter(|kind| matches!(kind, EventKind::RecordingModeChanged { .. })).count()
    };
    go_over(&mut aside, &mut desk);
    assert_eq!((marks(&aside), marks(&desk)), (0, 1));
}

#[test]
fn a_seat_is_passed_on_only_by_who_may_transfer_it_and_while_it_is_its_own() {
    let (mut desk, _) = two_calls();
    let [agent, customer] = [0, 1].map(|place| desk.conference.parties()[place].id);
    assert_eq!(desk.conference.may_pass_on(customer), Err(Refusal::NotAllowed));
    assert_eq!(desk.conference.may_pass_on(agent), Ok(()));
    assert_eq!(desk.conference.company_of(agent), 1);
    let verb = Verb::Transfer { party: agent, target: colleague("F") };
    let called = desk.calls(Author::Party(agent), verb, "F");
    assert_eq!(desk.conference.may_pass_on(agent), Err(Refusal::WrongState));
    assert_eq!(desk.conference.may_pass_on(called), Err(Refusal::WrongState));
    assert_eq!(desk.conference.company_of(agent), 1, "who is being called does not go along");
}

#[test]
fn a_full_conference_takes_one_for_one_and_no_more() {
    let mut profile = crate::stage::profile("cinnox");
    profile.parties_max = 2;
    let mut desk = Stage::with(profile, false);
    desk.agent("A");
    desk.customer();
    assert_eq!(desk.conference.has_room_in_place_of_one(1), Ok(()));
    assert_eq!(desk.conference.has_room_in_place_of_one(2), Err(Refusal::LimitReached));
}

/// An agent of the company consults an expert of it: both go over, whatever becomes elsewhere of
/// whom somebody consulted that leaves.
#[test]
fn two_of_a_company_who_consult_each_other_both_go_over() {
    for consulted in [Consulted::TakesOver, Consulted::Leaves] {
        let mut profile = crate::stage::profile("cinnox");
        profile.leaving.consulted = consulted;
        let (mut desk, mut aside) = (Stage::new("cinnox"), Stage::with(profile, false));
        aside.number_from(100);
        desk.agent("A");
        desk.customer();
        aside.agent("A");
        let second = aside.agent("B");
        let expert = aside.consults(second, "E");
        aside.answer(expert);
        assert_eq!(aside.hears(second), "E");
        go_over(&mut aside, &mut desk);
        assert_eq!(desk.picture(), "B: C E | C: B E | E: B C", "{consulted:?}");
        assert_eq!((aside.hung_up.len(), desk.hung_up.len()), (1, 1), "the two of who leaves");
        assert!(aside.over);
        let completed = EventKind::TransferCompleted { party: second, to: expert };
        assert_eq!(aside.told(&completed), 0, "nobody has handed on to anybody");
    }
}

/// A script of its own, whose ids are none of another script's.
fn another(seed: u64) -> Script {
    let mut script = Script::new(seed);
    let (rules, lasts) = (script.stage.conference.profile().clone(), script.stage.prompts_last);
    script.stage = Stage::seeded(rules, seed.is_multiple_of(2), 11);
    script.stage.prompts_last = lasts;
    script.stage.number_from(100_000);
    script.newcomers = 100_000;
    script
}

/// Whatever is going on in either conference: calls that ring, consultations, transfers, holds,
/// prompts, connections that are about to take a seat.
#[test]
fn from_any_moment_of_any_script_a_company_goes_over_and_every_leg_has_one_end() {
    let mut moved = 0;
    for seed in 0..SCRIPTS {
        let (mut from, mut to) = (Script::new(seed), another(seed + 3));
        from.steps(1 + seed as usize % 30);
        to.steps(1 + seed as usize % 23);
        let (left, entered) = (&mut from.stage, &mut to.stage);
        let seat = |stage: &Stage| {
            let sits = |party: &&Party| {
                let (id, conference) = (party.id, &stage.conference);
                conference.may_pass_on(id).is_ok() && conference.company_of(id) > 0
            };
            stage.conference.parties().iter().find(sits).map(|party| party.id)
        };
        if left.over || entered.over {
            continue;
        }
        let (Some(leaver), Some(replaced)) = (seat(left), seat(entered)) else { continue };
        let movers = left.conference.let_go(left.now_ms, COMMAND, leaver);
        let ids: Vec<_> = movers.iter().map(Mover::party).collect();
        for mover in &movers {
            assert!(left.legs.remove(&mover.leg()), "seed {seed}: it is ended, and goes over");
            entered.legs.insert(mover.leg());
        }
        left.drain();
        assert!(left.over && left.legs.is_empty(), "seed {seed}: {:?}", left.legs);
        entered.conference.take_in(entered.now_ms, COMMAND, replaced, movers);
        entered.drain();
        moved += 1;
        if !entered.over {
            assert!(entered.conference.party(replaced).is_none(), "seed {seed}");
            let room = |id| entered.conference.party(id).map(|party| party.stance);
            assert!(ids.iter().all(|id| room(*id) == Some(Stance::Room)), "seed {seed}");
            let alone = |party: &&Party| match party.stance {
                Stance::Aside(agent) => entered.conference.party(agent).is_none(),
                Stance::Room | Stance::Apart(_) | Stance::Beside(_) => false,
            };
            assert_eq!(entered.conference.parties().iter().find(alone), None, "seed {seed}");
        }
        while let Some(party) = entered.conference.parties().first().map(|party| party.id) {
            entered.leaves(party);
        }
        assert!(entered.over && entered.legs.is_empty(), "seed {seed}: {:?}", entered.legs);
        entered.audiences_see_what_they_may();
    }
    assert!(moved > SCRIPTS / 20, "{moved} of {SCRIPTS}");
}

/// Where who consults lets the consulted one go when it leaves, who takes it along is gone before
/// its own turn.
#[test]
fn who_is_consulted_may_take_its_consulter_along() {
    for consulted in [Consulted::TakesOver, Consulted::Leaves] {
        let mut rules = profile("helpdesk3");
        rules.leaving.consulted = consulted;
        let mut from = Stage::with(rules, false);
        from.customer();
        let agent = from.agent("A");
        let expert = from.consults(agent, "E");
        from.answer(expert);
        let movers = from.conference.let_go(from.now_ms, COMMAND, expert);
        assert_eq!(movers.len(), 2, "{consulted:?}");
        for mover in &movers {
            from.legs.remove(&mover.leg());
        }
        from.drain();
        assert!(from.over && from.legs.is_empty(), "{consulted:?}: {:?}", from.legs);
    }
}
