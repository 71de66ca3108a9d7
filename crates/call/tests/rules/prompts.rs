//! Prompts: when, to whom, in which order.

use crate::stage::{MUSIC, Stage, colleague};
use call::{LegChange, parse};
use model::keys::RefusedBy;
use model::limits::ANNOUNCEMENTS_PER_CONFERENCE_MAX;
use model::{
    Action, AnnouncementId, Author, EventKind, KeyVerb, LeaveReason, PartyId, PromptName, Refusal,
    Verb,
};

fn prompt(name: &str) -> PromptName {
    PromptName::parse(name).expect("a prompt's name")
}

fn play(name: &str, to: Option<PartyId>) -> Verb {
    Verb::Play { prompt: prompt(name), to }
}

/// A stage of a shipped profile, with rows of its own, on which prompts last until they are ended.
fn stage_with(profile: &str, rows: &str) -> Stage {
    let mut profile = crate::stage::profile(profile);
    let text = format!("{}\n{rows}", include_str!("../../profiles/open.toml"));
    profile.prompted = parse(&text).expect("rows of prompts").prompted;
    let mut stage = Stage::with(profile, true);
    stage.prompts_last = true;
    stage
}

fn row(when: &str, play: &str, to: &str, recorded: bool) -> String {
    format!(
        "[[prompt]]\nwhen = \"{when}\"\nplay = \"{play}\"\nto = \"{to}\"\nrecorded = {recorded}\n"
    )
}

#[test]
fn a_customer_alone_hears_that_it_is_being_transferred_and_music_once_it_is_alone() {
    let rows = row("transferring", "transferring", "customer", false);
    let mut stage = stage_with("cinnox", &rows);
    let (customer, agent) = (stage.customer(), stage.agent("A"));
    let transfer = Verb::Transfer { party: agent, target: colleague("B") };
    stage.calls(Author::Party(agent), transfer, "B");
    assert_eq!(stage.prompts_of(customer), ["transferring"]);
    assert_eq!(stage.prompts_of(agent), [""; 0]);
    assert_eq!(stage.recorded_prompts(), [""; 0]);
    stage.leaves(agent);
    // In place of the music, not with it.
    assert_eq!(stage.hears(customer), "");
    stage.end_prompt("transferring");
    assert_eq!(stage.hears(customer), MUSIC);
    assert_eq!(stage.prompts_of(customer), [""; 0]);
}

#[test]
fn a_customer_who_is_left_hears_that_nobody_is_available() {
    let rows = row("nobody_available", "nobody_available", "customer", false);
    for reason in [LeaveReason::Busy, LeaveReason::NoAnswer, LeaveReason::Declined] {
        let mut stage = stage_with("cinnox", &rows);
        let customer = stage.customer();
        let called = stage.calls(Author::Admin, Verb::invite("sip:B@h"), "B");
        stage.change(called, LegChange::Gone(reason));
        assert_eq!(stage.prompts_of(customer), ["nobody_available"], "{reason:?}");
    }
    // Who has an agent to say so is not told.
    let mut stage = stage_with("cinnox", &rows);
    let (customer, _) = (stage.customer(), stage.agent("A"));
    let called = stage.calls(Author::Admin, Verb::invite("sip:B@h"), "B");
    stage.change(called, LegChange::Gone(LeaveReason::Busy));
    assert_eq!(stage.prompts_of(customer), [""; 0]);
}

#[test]
fn who_is_in_is_told_who_comes_and_goes_and_one_prompt_waits_for_the_other() {
    let rows = row("joined", "joining", "others", false) + &row("left", "leaving", "others", false);
    let mut stage = stage_with("expertflow", &rows);
    let (customer, first) = (stage.customer(), stage.agent("A"));
    assert_eq!(stage.prompts_of(customer), ["joining"]);
    assert_eq!(stage.prompts_of(first), [""; 0]);
    let second = stage.agent("B");
    // The customer still hears of the first one.
    assert_eq!(stage.prompts_of(customer), ["joining"]);
    assert_eq!(stage.prompts_of(first), [""; 0]);
    stage.end_prompt("joining");
    assert_eq!(stage.prompts_of(customer), ["joining"]);
    assert_eq!(stage.prompts_of(first), ["joining"]);
    assert_eq!(stage.prompts_of(second), [""; 0]);
    stage.end_prompt("joining");
    stage.leaves(second);
    assert_eq!(stage.prompts_of(customer), ["leaving"]);
    assert_eq!(stage.prompts_of(first), ["leaving"]);
    let told: Vec<&str> = stage
        .events
        .iter()
        .filter_map(|event| {
            if let EventKind::AnnouncementStarted { prompt, .. } = &event.kind {
                return Some(prompt.as_str());
            }
            matches!(event.kind, EventKind::AnnouncementEnded { .. }).then_some("ended")
        })
        .collect();
    assert_eq!(told, ["joining", "ended", "joining", "ended", "leaving"]);
}

#[test]
fn who_is_set_apart_hears_the_prompt_then_music_and_no_more_of_it_once_it_is_back() {
    let mut stage = stage_with("expertflow", &row("held", "on_hold", "party", false));
    let (customer, agent) = (stage.customer(), stage.agent("A"));
    let hold = || Verb::Hold { party: customer };
    stage.by(agent, hold()).expect("it is allowed");
    assert_eq!(stage.prompts_of(customer), ["on_hold"]);
    assert_eq!(stage.prompts_of(agent), [""; 0]);
    assert_eq!(stage.hears(customer), "");
    stage.end_prompt("on_hold");
    assert_eq!(stage.hears(customer), MUSIC);
    stage.by(agent, Verb::Resume { party: customer }).expect("it is allowed");
    stage.by(agent, hold()).expect("it is allowed");
    stage.by(agent, Verb::Resume { party: customer }).expect("it is allowed");
    assert_eq!(stage.prompts_of(customer), [""; 0]);
    assert_eq!(stage.hears(customer), "A");
}

#[test]
fn all_are_told_that_it_is_recorded_who_comes_later_alone_and_the_recording_holds_it() {
    let mut stage = stage_with("cinnox", &row("recording", "recording", "everybody", true));
    let customer = stage.customer();
    assert_eq!(stage.prompts_of(customer), ["recording"]);
    assert_eq!(stage.recorded_prompts(), ["recording"]);
    stage.end_prompt("recording");
    let agent = stage.agent("A");
    assert_eq!(stage.prompts_of(agent), ["recording"]);
    assert_eq!(stage.prompts_of(customer), [""; 0]);
}

#[test]
fn a_prompt_is_said_to_one_or_to_all_by_whom_the_profile_lets() {
    let mut stage = stage_with("open", "");
    let (first, second) = (stage.customer(), stage.agent("A"));
    assert_eq!(stage.by(first, play("on_hold", None)), Err(Refusal::NotAllowed));
    let nobody = Some(PartyId(99));
    assert_eq!(stage.ask(Author::Admin, play("on_hold", nobody)), Err(Refusal::NoSuchParty));
    let accepted = stage.ask(Author::Admin, play("on_hold", Some(first))).expect("it is allowed");
    assert_eq!(stage.prompts_of(first), ["on_hold"]);
    assert_eq!(stage.prompts_of(second), [""; 0]);
    let announcement = accepted.announcement.expect("it has an id");
    let stop = Verb::StopPlaying { announcement };
    stage.ask(Author::Admin, stop.clone()).expect("it is said");
    assert_eq!(stage.prompts_of(first), [""; 0]);
    assert_eq!(stage.ask(Author::Admin, stop), Err(Refusal::NoSuchAnnouncement));
    stage.ask(Author::Admin, play("joining", None)).expect("it is allowed");
    assert_eq!(stage.prompts_of(first), ["joining"]);
    assert_eq!(stage.prompts_of(second), ["joining"]);
    // What one hears does not make another hear less.
    assert_eq!(stage.hears(first), "A");
    assert_eq!(stage.recorded_prompts(), [""; 0]);
}

#[test]
fn no_more_is_said_at_once_than_can_be() {
    let mut stage = stage_with("open", "");
    let first = stage.customer();
    for _ in 0..model::limits::ANNOUNCEMENTS_PER_CONFERENCE_MAX {
        stage.ask(Author::Admin, play("on_hold", None)).expect("there is room");
    }
    let more = stage.ask(Author::Admin, play("on_hold", None));
    assert_eq!(more, Err(Refusal::LimitReached));
    stage.end_prompt("on_hold");
    assert_eq!(stage.prompts_of(first), ["on_hold"]);
    stage.ask(Author::Admin, play("on_hold", None)).expect("there is room");
    // An end of what is not said changes nothing.
    stage.conference.played(stage.now_ms, AnnouncementId(1));
    stage.drain();
    assert_eq!(stage.prompts_of(first), ["on_hold"]);
}

#[test]
fn a_mistake_in_a_row_is_told_with_its_line() {
    let open = include_str!("../../profiles/open.toml");
    let lines = open.lines().count();
    let told = |row: String| parse(&format!("{open}\n{row}")).unwrap_err().to_string();
    let wrong = told(row("joind", "joining", "others", false));
    assert!(wrong.contains(&format!("line {}", lines + 3)) && wrong.contains("joind"), "{wrong}");
    let wrong = told(row("joined", "../joining", "others", false));
    assert!(wrong.contains(&format!("line {}", lines + 4)), "{wrong}");
    assert!(Action::Play.is_of_conference());
}

#[test]
fn of_keys_that_are_refused_the_last_is_told_to_who_pressed_them_alone() {
    let mut profile = crate::stage::profile("cinnox");
    profile.keys.refused = RefusedBy::Words;
    profile.prompted.clear();
    let mut stage = Stage::with(profile, true);
    stage.prompts_last = true;
    let (customer, agent) = (stage.customer(), stage.agent("A"));
    let refused = |stage: &mut Stage, refusal| {
        stage.change(customer, LegChange::KeysRefused(KeyVerb::Record, refusal));
    };
    refused(&mut stage, Refusal::NotAllowed);
    assert_eq!(stage.prompts_of(customer), ["not_allowed"]);
    for _ in 0..2 * ANNOUNCEMENTS_PER_CONFERENCE_MAX {
        refused(&mut stage, Refusal::NoSuchParty);
    }
    assert_eq!(stage.prompts_of(customer), ["not_found"], "what was said before is cut");
    assert_eq!(stage.prompts_of(agent), [""; 0]);
    assert_eq!(stage.recorded_prompts(), [""; 0]);
    assert_eq!(stage.hears(customer), "A", "the talk goes on");
    stage.end_prompt("not_found");
    assert_eq!(stage.prompts_of(customer), [""; 0]);
}

#[test]
fn of_several_who_come_while_a_prompt_is_said_those_who_wait_to_be_told_are_told_once() {
    let rows = row("joined", "joining", "customer", false);
    let mut stage = stage_with("cinnox", &rows);
    let customer = stage.customer();
    let first = stage.agent("A");
    for name in ["B", "X", "Y"] {
        stage.agent(name);
    }
    stage.leaves(first);
    assert_eq!(stage.prompts_of(customer), ["joining"]);
    stage.end_prompt("joining");
    assert_eq!(stage.prompts_of(customer), ["joining"], "that others have come");
    stage.end_prompt("joining");
    assert_eq!(stage.prompts_of(customer), [""; 0], "and not once more for each");
}
