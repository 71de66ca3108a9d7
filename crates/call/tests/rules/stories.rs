//! The situations of five systems, each told by who hears whom: C is the customer, A1 and A2 are
//! agents, X is somebody else, S a supervisor, T a trainee, M the music.

use crate::stage::{Stage, colleague, outsider};
use call::LegChange;
use model::command::{Hearers, Readers, Supervision, Target};
use model::{
    Affiliation, Author, Direction, Event, EventKind, LeaveReason, PartyId, Refusal, Role, Verb,
};

/// A customer and an agent who talk.
fn two(profile: &str) -> (Stage, PartyId, PartyId) {
    let mut stage = Stage::recorded(profile);
    let customer = stage.customer();
    let agent = stage.agent("A1");
    assert_eq!(stage.picture(), "A1: C | C: A1");
    assert_eq!(stage.records(), "A1 C");
    (stage, customer, agent)
}

/// A customer and two agents who talk.
fn three(profile: &str) -> (Stage, PartyId, PartyId, PartyId) {
    let (mut stage, customer, agent) = two(profile);
    let second = stage.agent("A2");
    assert_eq!(stage.picture(), "A1: A2 C | A2: A1 C | C: A1 A2");
    (stage, customer, agent, second)
}

fn supervisor(stage: &mut Stage, beside: PartyId, mode: Supervision) -> PartyId {
    let verb = Verb::Supervise { target: colleague("S"), beside, mode };
    let supervisor = stage.calls(Author::Admin, verb, "S");
    stage.answer(supervisor);
    supervisor
}

#[test]
fn a_consultation_holds_the_customer_from_the_first_ring_and_is_not_recorded() {
    let (mut stage, customer, agent) = two("helpdesk3");
    let expert = stage.consults(agent, "A2");
    assert_eq!(stage.picture(), "A1:  | C: M", "S4.29: from the first ring on");
    stage.answer(expert);
    assert_eq!(stage.picture(), "A1: A2 | A2: A1 | C: M");
    assert_eq!(stage.records(), "");
    assert_eq!(stage.told(&EventKind::Held { party: customer }), 1);
}

#[test]
fn swapping_exchanges_who_waits_and_who_talks_each_time() {
    let (mut stage, _, agent) = two("helpdesk3");
    let expert = stage.consults(agent, "A2");
    stage.answer(expert);
    for _ in 0..50 {
        stage.by(agent, Verb::Swap { party: agent }).unwrap();
        assert_eq!(stage.picture(), "A1: C | A2: M | C: A1");
        assert_eq!(stage.records(), "A1 C");
        stage.by(agent, Verb::Swap { party: agent }).unwrap();
        assert_eq!(stage.picture(), "A1: A2 | A2: A1 | C: M");
    }
}

#[test]
fn merging_brings_all_together_in_one_change() {
    let (mut stage, _, agent) = two("helpdesk3");
    let expert = stage.consults(agent, "A2");
    stage.answer(expert);
    stage.by(agent, Verb::Merge { party: agent }).unwrap();
    assert_eq!(stage.picture(), "A1: A2 C | A2: A1 C | C: A1 A2");
    assert_eq!(stage.told(&EventKind::ConsultMerged { party: agent, with: expert }), 1);
    let cancel = stage.by(agent, Verb::Cancel { party: agent });
    assert_eq!(cancel, Err(Refusal::NoConsultation), "it is a conference from there on");
}

#[test]
fn completing_leaves_the_expert_with_the_customer_and_no_moment_alone() {
    let (mut stage, _, agent) = two("helpdesk3");
    let expert = stage.consults(agent, "A2");
    assert_eq!(
        stage.by(agent, Verb::Complete { party: agent }),
        Err(Refusal::NoConsultation),
        "who has not answered takes over nothing"
    );
    stage.answer(expert);
    stage.by(agent, Verb::Complete { party: agent }).unwrap();
    assert_eq!(stage.picture(), "A2: C | C: A2");
    assert_eq!(stage.told(&EventKind::TransferCompleted { party: agent, to: expert }), 1);
    assert_eq!(stage.hung_up.last().unwrap().1, LeaveReason::Transferred);
    assert_eq!(stage.role(expert), Role::Primary);
}

#[test]
fn cancelling_lets_the_expert_go_and_brings_the_customer_back() {
    let (mut stage, _, agent) = two("helpdesk3");
    let expert = stage.consults(agent, "A2");
    stage.answer(expert);
    stage.by(agent, Verb::Cancel { party: agent }).unwrap();
    assert_eq!(stage.picture(), "A1: C | C: A1");
    assert_eq!(stage.told(&EventKind::ConsultEnded { party: agent, with: expert }), 1);
}

#[test]
fn an_expert_who_is_busy_or_goes_leaves_the_customer_as_the_profile_says() {
    for (profile, afterwards) in
        [("helpdesk3", "A1: C | C: A1"), ("connect_three_party", "A1:  | C: M")]
    {
        let (mut stage, customer, agent) = two(profile);
        let expert = stage.consults(agent, "A2");
        stage.change(expert, LegChange::Gone(LeaveReason::Busy));
        assert_eq!(stage.picture(), afterwards, "{profile}");
        stage.by(agent, Verb::Resume { party: customer }).unwrap();
        assert_eq!(stage.picture(), "A1: C | C: A1", "{profile}");
    }
}

#[test]
fn a_consultation_that_lets_the_room_talk_on_begins_when_the_expert_answers() {
    let (mut stage, _, agent, _) = three("expertflow");
    let expert = stage.consults(agent, "X");
    assert_eq!(stage.picture(), "A1: A2 C | A2: A1 C | C: A1 A2");
    stage.answer(expert);
    assert_eq!(stage.picture(), "A1: X | A2: C | C: A2 | X: A1");
    assert_eq!(stage.records(), "A2 C");
    stage.by(agent, Verb::Swap { party: agent }).unwrap();
    assert_eq!(stage.picture(), "A1: A2 C | A2: A1 C | C: A1 A2 | X: M");
}

#[test]
fn a_customer_who_would_be_left_alone_by_a_consultation_hears_music() {
    let (mut stage, _, agent) = two("genesys_instant");
    let expert = stage.consults(agent, "A2");
    assert_eq!(stage.picture(), "A1: C | C: A1", "S3.19: kept while it rings");
    stage.answer(expert);
    assert_eq!(stage.picture(), "A1: A2 | A2: A1 | C: M");
    stage.by(expert, Verb::Remove { party: expert }).unwrap();
    assert_eq!(stage.picture(), "A1: C | C: A1", "S3.10: ending the consult joins nothing");
}

#[test]
fn an_instant_conference_begins_when_the_other_side_accepts_and_disturbs_nobody_before() {
    let (mut stage, _, agent) = two("genesys_instant");
    let invite = Verb::Invite { target: colleague("A2"), role: None };
    let second = stage.calls(Author::Party(agent), invite, "A2");
    assert_eq!(stage.picture(), "A1: C | C: A1");
    stage.answer(second);
    assert_eq!(stage.picture(), "A1: A2 C | A2: A1 C | C: A1 A2");
    stage.leaves(agent);
    assert_eq!(stage.picture(), "A2: C | C: A2", "S3.6: leaving is handing over");
    stage.leaves(second);
    assert!(stage.over, "S3.7: a normal end");
}

#[test]
fn an_agent_who_leaves_while_it_consults_has_handed_over() {
    let (mut stage, _, agent) = two("helpdesk3");
    let expert = stage.consults(agent, "A2");
    stage.answer(expert);
    stage.leaves(agent);
    assert_eq!(stage.picture(), "A2: C | C: A2");
    assert_eq!(stage.told(&EventKind::TransferCompleted { party: agent, to: expert }), 1);
}

#[test]
fn a_call_to_somebody_ends_with_who_wanted_it() {
    let (mut stage, customer, agent, second) = three("connect_multi_party");
    let called = stage.consults(agent, "X");
    stage.leaves(agent);
    assert!(stage.conference.party(called).is_none(), "S4.27: the dial dies with its owner");
    assert_eq!(stage.picture(), "A2: C | C: A2", "nobody stays on hold for it");
    assert!(stage.conference.party(customer).is_some());
    let consult = Verb::Consult { party: second, target: outsider("Y"), room: None };
    assert_eq!(stage.by(second, consult), Err(Refusal::TooFewParties), "S4.7: two are left");
}

#[test]
fn whom_the_primary_holds_in_a_three_party_call_goes_on_talking_with_it_alone() {
    let (mut stage, customer, agent) = two("connect_three_party");
    let invite = Verb::Invite { target: colleague("A2"), role: None };
    let second = stage.calls(Author::Party(agent), invite, "A2");
    stage.answer(second);
    assert_eq!(stage.picture(), "A1: A2 | A2: A1 | C: M", "S4.9: first in private");
    stage.by(agent, Verb::Merge { party: agent }).unwrap();
    assert_eq!(stage.picture(), "A1: A2 C | A2: A1 C | C: A1 A2");
    assert_eq!((stage.role(agent), stage.role(second)), (Role::Primary, Role::Secondary));
    stage.by(agent, Verb::Hold { party: second }).unwrap();
    assert_eq!(stage.picture(), "A1: A2 C | A2: A1 | C: A1", "S4.20");
    assert_eq!(stage.records(), "A1 C");
    let release = Verb::Resume { party: second };
    assert_eq!(stage.by(second, release), Err(Refusal::NotYourHold), "S4.19");
    let hold = Verb::Hold { party: customer };
    assert_eq!(stage.by(second, hold.clone()), Err(Refusal::PrimaryPresent), "S4.24");
    stage.leaves(agent);
    assert_eq!(stage.picture(), "A2: C | C: A2", "who is gone holds nobody");
    stage.by(second, hold).unwrap();
}

#[test]
fn held_agents_of_a_multi_party_call_hear_music_and_release_themselves() {
    let (mut stage, _, agent, second) = three("connect_multi_party");
    for party in [agent, second] {
        stage.by(agent, Verb::Hold { party }).unwrap();
    }
    assert_eq!(stage.picture(), "A1: M | A2: M | C: M", "S4.20: nobody is alone in silence");
    for party in [agent, second] {
        stage.by(party, Verb::Resume { party }).unwrap();
    }
    assert_eq!(stage.picture(), "A1: A2 C | A2: A1 C | C: A1 A2");
}

#[test]
fn who_is_being_consulted_may_bring_the_caller_in_and_let_the_other_agent_go() {
    let (mut stage, customer, agent) = two("connect_multi_party");
    let expert = stage.consults(agent, "A2");
    stage.answer(expert);
    stage.by(expert, Verb::Resume { party: customer }).unwrap();
    assert_eq!(stage.picture(), "A1: A2 C | A2: A1 C | C: A1 A2", "S4.12");
    stage.by(expert, Verb::Remove { party: agent }).unwrap();
    assert_eq!(stage.picture(), "A2: C | C: A2");
}

#[test]
fn a_seventh_party_is_refused_and_one_that_rings_counts() {
    let (mut stage, _, agent, _) = three("connect_multi_party");
    for name in ["X", "Y"] {
        let called = stage.consults(agent, name);
        let again = Verb::Invite { target: outsider("Z"), role: None };
        assert_eq!(stage.by(agent, again.clone()), Err(Refusal::WrongState), "{name}");
        assert_eq!(stage.ask(Author::Admin, again), Err(Refusal::DialInProgress), "S4.27");
        stage.answer(called);
        stage.by(agent, Verb::Merge { party: agent }).unwrap();
    }
    stage.consults(agent, "Z");
    assert_eq!(stage.enter(Affiliation::Outside, "sip:w@h"), Err(Refusal::LimitReached), "S4.1");
}

#[test]
fn swapping_two_of_three_needs_exactly_three() {
    let (mut stage, customer, agent, second) = three("connect_multi_party");
    stage.by(agent, Verb::Hold { party: customer }).unwrap();
    stage.by(agent, Verb::Swap { party: agent }).unwrap();
    assert_eq!(stage.picture(), "A1: C | A2: M | C: A1");
    stage.by(agent, Verb::Merge { party: agent }).unwrap();
    assert_eq!(stage.picture(), "A1: A2 C | A2: A1 C | C: A1 A2", "S4.31: join releases all");
    stage.agent("A3");
    stage.by(agent, Verb::Hold { party: second }).unwrap();
    let four = stage.by(agent, Verb::Swap { party: agent });
    assert_eq!(four, Err(Refusal::NotThreeParties), "S4.32");
}

#[test]
fn a_call_goes_on_with_the_caller_or_an_agent_and_ends_with_third_parties_alone() {
    let (mut stage, customer, agent) = two("connect_multi_party");
    let invite = Verb::Invite { target: outsider("X"), role: None };
    let third = stage.calls(Author::Party(agent), invite, "X");
    stage.answer(third);
    stage.by(agent, Verb::Merge { party: agent }).unwrap();
    stage.leaves(agent);
    assert!(!stage.over, "S4.36");
    assert_eq!(stage.records(), "nothing", "S4.38: as the profile says");
    stage.leaves(customer);
    assert!(stage.over, "S4.37");
    assert!(stage.legs.is_empty(), "every leg is ended");
}

#[test]
fn nobody_brings_back_another_agents_voice_and_no_agent_one_that_a_supervisor_took() {
    let (mut stage, _, agent, second) = three("connect_multi_party");
    stage.by(agent, Verb::Mute { party: second }).unwrap();
    assert_eq!(stage.picture(), "A1: C | A2: A1 C | C: A1");
    assert_eq!(stage.records(), "A1 C");
    let unmute = Verb::Unmute { party: second };
    assert_eq!(stage.by(agent, unmute.clone()), Err(Refusal::NotAllowed), "S4.22");
    stage.by(second, unmute.clone()).unwrap();
    let supervisor = supervisor(&mut stage, agent, Supervision::Barge);
    stage.by(supervisor, Verb::Silence { party: second }).unwrap();
    assert_eq!(stage.by(second, unmute.clone()), Err(Refusal::Silenced), "S4.40");
    assert_eq!(stage.picture(), "A1: C S | A2: A1 C S | C: A1 S | S: A1 C");
    stage.leaves(supervisor);
    assert_eq!(stage.picture(), "A1: A2 C | A2: A1 C | C: A1 A2", "it ends with who placed it");
    stage.by(second, unmute).unwrap();
}

#[test]
fn a_supervisor_listens_coaches_and_barges_in_without_another_leg() {
    let (mut stage, _, agent, second) = three("expertflow");
    let supervisor = supervisor(&mut stage, agent, Supervision::Monitor);
    assert_eq!(stage.picture(), "A1: A2 C | A2: A1 C | C: A1 A2 | S: A1 A2 C");
    let stand = |mode| Verb::Stand { party: supervisor, beside: None, mode };
    let only = Hearers::Only([agent].into());
    stage.by(supervisor, stand(Supervision::Coach(only))).unwrap();
    assert_eq!(stage.picture(), "A1: A2 C S | A2: A1 C | C: A1 A2 | S: A1 A2 C");
    stage.by(supervisor, stand(Supervision::Coach(Hearers::Ours))).unwrap();
    assert_eq!(stage.picture(), "A1: A2 C S | A2: A1 C S | C: A1 A2 | S: A1 A2 C");
    assert_eq!(stage.records(), "A1 A2 C");
    stage.by(supervisor, stand(Supervision::Barge)).unwrap();
    assert_eq!(stage.picture(), "A1: A2 C S | A2: A1 C S | C: A1 A2 S | S: A1 A2 C");
    assert_eq!(stage.records(), "A1 A2 C S");
    let whom = Verb::Stand { party: supervisor, beside: Some(second), mode: Supervision::Monitor };
    stage.by(supervisor, whom).unwrap();
    assert_eq!(stage.picture(), "A1: A2 C | A2: A1 C | C: A1 A2 | S: A1 A2 C");
    assert!(stage.hung_up.is_empty());
}

#[test]
fn a_supervisor_follows_its_agent_through_hold_and_consultation() {
    let (mut stage, _, agent) = two("helpdesk3");
    supervisor(&mut stage, agent, Supervision::Monitor);
    let expert = stage.consults(agent, "A2");
    stage.answer(expert);
    assert_eq!(stage.picture(), "A1: A2 | A2: A1 | C: M | S: A1 A2");
    stage.by(agent, Verb::Swap { party: agent }).unwrap();
    assert_eq!(stage.picture(), "A1: C | A2: M | C: A1 | S: A1 C");
    stage.by(agent, Verb::Merge { party: agent }).unwrap();
    stage.leaves(agent);
    assert_eq!(stage.picture(), "A2: C | C: A2 | S: A2 C", "it stands beside the next agent");
    stage.leaves(expert);
    assert!(stage.over, "who only monitors keeps nothing alive");
}

#[test]
fn a_monitor_takes_nobodys_place_and_changes_no_rule() {
    for monitors in 0..3 {
        let (mut stage, customer, agent) = two("connect_three_party");
        for _ in 0..monitors {
            supervisor(&mut stage, agent, Supervision::Monitor);
        }
        let second = stage.consults(agent, "A2");
        stage.answer(second);
        stage.by(agent, Verb::Merge { party: agent }).unwrap();
        let fourth = Verb::Invite { target: outsider("X"), role: None };
        assert_eq!(stage.by(agent, fourth), Err(Refusal::LimitReached), "S4.3");
        stage.by(agent, Verb::Hold { party: customer }).unwrap();
        stage.by(agent, Verb::Swap { party: agent }).unwrap();
        assert_eq!(stage.hears(customer), "A1", "{monitors} monitors");
    }
}

#[test]
fn nobody_stands_beside_itself_or_beside_one_who_stands_beside_another() {
    let (mut stage, _, agent) = two("expertflow");
    let first = supervisor(&mut stage, agent, Supervision::Barge);
    let second = supervisor(&mut stage, first, Supervision::Monitor);
    let beside =
        |party, beside| Verb::Stand { party, beside: Some(beside), mode: Supervision::Monitor };
    assert_eq!(stage.by(first, beside(first, first)), Err(Refusal::WrongState));
    assert_eq!(stage.by(first, beside(first, second)), Err(Refusal::WrongState));
    stage.by(first, beside(first, agent)).unwrap();
    let mode = Supervision::Monitor;
    let followed = EventKind::Supervised { party: second, beside: Some(agent), mode };
    assert_eq!(stage.told(&followed), 1, "who followed it follows whom it follows");
}

#[test]
fn who_barged_in_cannot_go_back_to_listening_when_one_would_be_left_alone() {
    let (mut stage, customer, agent) = two("connect_multi_party");
    let supervisor = supervisor(&mut stage, agent, Supervision::Barge);
    stage.leaves(agent);
    let stand = |beside| Verb::Stand { party: supervisor, beside, mode: Supervision::Monitor };
    assert_eq!(stage.by(supervisor, stand(Some(customer))), Err(Refusal::TooFewParties), "S4.40");
    assert_eq!(stage.picture(), "C: S | S: C");
}

#[test]
fn a_whisper_is_heard_by_ours_and_by_nobody_else_whoever_comes_and_goes() {
    let (mut stage, customer, agent, second) = three("expertflow");
    let whisper = |to| Verb::Whisper { party: agent, to };
    stage.by(agent, whisper(Some(Hearers::Ours))).unwrap();
    assert_eq!(stage.picture(), "A1: A2 C | A2: A1 C | C: A2", "S1.23");
    assert_eq!(stage.records(), "A2 C");
    let third = stage.agent("A3");
    let other = stage.join(Affiliation::Outside, "X");
    assert_eq!(
        stage.picture(),
        "A1: A2 A3 C X | A2: A1 A3 C X | A3: A1 A2 C X | C: A2 A3 X | X: A2 A3 C"
    );
    supervisor(&mut stage, second, Supervision::Monitor);
    assert_eq!(stage.names.values().filter(|name| *name == "S").count(), 1);
    stage.by(agent, whisper(Some(Hearers::Only([third].into())))).unwrap();
    assert_eq!((stage.hears(second), stage.hears(third)), ("A3 C X".into(), "A1 A2 C X".into()));
    for to in [customer, other] {
        let to = Some(Hearers::Only([to].into()));
        assert_eq!(stage.by(agent, whisper(to)), Err(Refusal::NobodyToHear), "S1.31");
    }
    stage.by(agent, whisper(None)).unwrap();
    assert_eq!(stage.hears(customer), "A1 A2 A3 X");
}

#[test]
fn a_whisper_needs_somebody_of_ours_to_hear_it() {
    let (mut stage, _, agent) = two("expertflow");
    let whisper = Verb::Whisper { party: agent, to: Some(Hearers::Ours) };
    assert_eq!(stage.by(agent, whisper.clone()), Err(Refusal::NobodyToHear), "S1.30");
    supervisor(&mut stage, agent, Supervision::Monitor);
    stage.by(agent, whisper).unwrap();
    assert_eq!(stage.picture(), "A1: C | C:  | S: A1 C", "S1.36");
}

#[test]
fn a_whisper_in_writing_is_from_ours_to_ours() {
    let (mut stage, customer, agent) = two("expertflow");
    let whisper = |to| Verb::Write { to: Readers::Whisper(to), text: "Offer 10 %".into() };
    let ours = || whisper(Hearers::Ours);
    assert_eq!(stage.by(agent, ours()), Err(Refusal::NobodyToHear), "S1.30");
    supervisor(&mut stage, agent, Supervision::Monitor);
    let second = stage.agent("A2");
    stage.by(agent, ours()).unwrap();
    stage.by(second, whisper(Hearers::Only([agent].into()))).unwrap();
    stage.ask(Author::Admin, ours()).unwrap();
    let whispered = |event: &Event| {
        let EventKind::WhisperText { to, .. } = &event.kind else { return None };
        Some((event.by, to.clone()))
    };
    let told: Vec<_> = stage.events.iter().filter_map(whispered).collect();
    let wanted = [
        (Author::Party(agent), Hearers::Ours),
        (Author::Party(second), Hearers::Only([agent].into())),
        (Author::Admin, Hearers::Ours),
    ];
    assert_eq!(told, wanted, "S1.23");
    for to in [Hearers::Only([customer].into()), Hearers::Only([agent].into())] {
        assert_eq!(stage.by(agent, whisper(to)), Err(Refusal::NobodyToHear), "S1.31");
    }
    let mut room = Stage::new("open");
    let (guest, other) = (room.customer(), room.join(Affiliation::Outside, "X"));
    let to = Hearers::Only([other].into());
    assert_eq!(room.by(guest, whisper(to)), Err(Refusal::NotAllowed), "nobody there is ours");
}

#[test]
fn two_who_speak_with_each_other_alone_stay_in_the_room() {
    let (mut stage, customer, agent) = two("connect_multi_party");
    let translator = stage.join(Affiliation::Outside, "X");
    let pair = |with| Verb::Pair { party: translator, with };
    stage.by(agent, pair(Some(customer))).unwrap();
    assert_eq!(stage.picture(), "A1:  | C: A1 X | X: A1 C", "S4.39");
    assert_eq!(stage.records(), "A1");
    stage.by(agent, pair(None)).unwrap();
    assert_eq!(stage.picture(), "A1: C X | C: A1 X | X: A1 C");
    stage.by(agent, pair(Some(customer))).unwrap();
    stage.leaves(translator);
    assert_eq!(stage.picture(), "A1: C | C: A1", "a pair is over with one of it");
}

#[test]
fn a_trainee_hears_and_is_heard_by_nobody() {
    let (mut stage, _, _) = two("helpdesk3");
    let invite = Verb::Invite { target: colleague("T"), role: Some(Role::Trainee) };
    let trainee = stage.calls(Author::Admin, invite, "T");
    stage.answer(trainee);
    assert_eq!(stage.picture(), "A1: C | C: A1 | T: A1 C", "S2.12");
    assert_eq!(stage.records(), "A1 C");
}

#[test]
fn who_brings_somebody_in_is_the_host_and_the_host_names_another() {
    for first_invites in [true, false] {
        let mut stage = Stage::new("cinnox");
        let pair = [stage.agent("A1"), stage.agent("A2")];
        let (host, other) = if first_invites { (pair[0], pair[1]) } else { (pair[1], pair[0]) };
        let end = Verb::End;
        assert_eq!(stage.by(host, end.clone()), Err(Refusal::NotAllowed), "S0.14");
        let invite = Verb::Invite { target: outsider("X"), role: None };
        let guest = stage.calls(Author::Party(host), invite, "X");
        assert_eq!(stage.role(host), Role::Staff, "S0.6: when it has succeeded");
        stage.answer(guest);
        assert_eq!((stage.role(host), stage.role(other)), (Role::Host, Role::Staff));
        assert_eq!(stage.by(other, end.clone()), Err(Refusal::NotAllowed));
        stage.by(host, Verb::Appoint { party: other, role: Role::CoHost }).unwrap();
        stage.by(other, end).unwrap();
        assert!(stage.over && stage.legs.is_empty(), "S0.14: every leg is ended");
    }
}

#[test]
fn each_party_says_which_way_its_call_goes() {
    let mut stage = Stage::new("cinnox");
    let (customer, agent) = (stage.customer(), stage.agent("A1"));
    let called = [(outsider("X"), "X"), (colleague("A2"), "A2")].map(|(target, name)| {
        let party = stage.calls(Author::Party(agent), Verb::Invite { target, role: None }, name);
        stage.answer(party);
        party
    });
    let told = |party: PartyId| {
        let says = |event: &Event| {
            let (EventKind::Dialling { party: told, direction, .. }
            | EventKind::Joined { party: told, direction, .. }) = &event.kind
            else {
                return None;
            };
            (*told == party).then_some(*direction)
        };
        stage.events.iter().filter_map(says).collect::<Vec<_>>()
    };
    assert_eq!(told(customer), [Direction::Inbound], "S0.4");
    assert_eq!(told(agent), [Direction::Internal]);
    assert_eq!(told(called[0]), [Direction::Outbound; 2], "when it is called, and when it is in");
    assert_eq!(told(called[1]), [Direction::Internal; 2]);
}

#[test]
fn the_host_is_succeeded_by_its_co_host_else_by_who_is_in_longest() {
    let mut stage = Stage::new("cinnox");
    let [one, two, three] = ["A1", "A2", "A3"].map(|name| stage.agent(name));
    let invite = Verb::Invite { target: outsider("X"), role: None };
    let guest = stage.calls(Author::Party(one), invite, "X");
    stage.answer(guest);
    stage.by(one, Verb::Appoint { party: three, role: Role::CoHost }).unwrap();
    stage.leaves(one);
    assert_eq!((stage.role(two), stage.role(three)), (Role::Staff, Role::Host), "S0.15");
    stage.leaves(three);
    assert_eq!(stage.role(two), Role::Host);
    assert_eq!(stage.picture(), "A2: X | X: A2", "S0.12");
}

#[test]
fn staff_come_back_as_who_they_were_and_guests_do_not_come_back() {
    let mut stage = Stage::new("cinnox");
    let (one, two) = (stage.agent("A1"), stage.agent("A2"));
    let invite = Verb::Invite { target: outsider("X"), role: None };
    let guest = stage.calls(Author::Party(one), invite, "X");
    stage.answer(guest);
    stage.by(one, Verb::Appoint { party: two, role: Role::CoHost }).unwrap();
    stage.leaves(two);
    let again = stage.enter(Affiliation::Ours, "sip:A2@h").unwrap();
    stage.answer(again);
    assert_eq!((again, stage.role(again)), (two, Role::CoHost), "S0.13");
    assert_eq!(stage.told(&EventKind::Rejoined { party: two, times: 1 }), 1);
    stage.leaves(guest);
    let refused = stage.enter(Affiliation::Outside, "sip:X@h");
    assert_eq!(refused, Err(Refusal::CannotRejoin), "S0.17");
    let lookalike = stage.enter(Affiliation::Outside, "sip:A1@h").unwrap();
    assert_ne!(lookalike, one, "from outside anybody could give that address");
}

#[test]
fn a_conference_of_equals_ends_with_its_last_agent_or_its_customer() {
    for customer_leaves in [true, false] {
        let (mut stage, customer, agent, second) = three("expertflow");
        stage.leaves(agent);
        assert_eq!(stage.picture(), "A2: C | C: A2", "S1.17");
        stage.leaves(if customer_leaves { customer } else { second });
        assert!(stage.over && stage.legs.is_empty());
    }
}

#[test]
fn a_recording_goes_on_through_all_of_it() {
    let (mut stage, _, agent) = two("expertflow");
    let recording = stage.mix();
    let invite = Verb::Invite { target: colleague("A2"), role: None };
    let second = stage.calls(Author::Party(agent), invite, "A2");
    stage.answer(second);
    stage.leaves(agent);
    assert_eq!(stage.mix(), recording, "S0.16");
    assert_eq!(stage.records(), "A2 C");
}

#[test]
fn each_refusal_of_a_verb_without_its_state_changes_nothing() {
    let (mut stage, customer, agent) = two("helpdesk3");
    let events = stage.events.len();
    let party = agent;
    for (verb, refusal) in [
        (Verb::Swap { party }, Refusal::NotThreeParties),
        (Verb::Merge { party }, Refusal::NoConsultation),
        (Verb::Complete { party }, Refusal::NoConsultation),
        (Verb::Cancel { party }, Refusal::NoConsultation),
        (Verb::Resume { party: PartyId(99) }, Refusal::NoSuchParty),
        (Verb::Whisper { party, to: Some(Hearers::Ours) }, Refusal::NobodyToHear),
        (Verb::Unmute { party: customer }, Refusal::NotAllowed),
    ] {
        assert_eq!(stage.by(agent, verb), Err(refusal));
    }
    assert_eq!(stage.events.len(), events, "S3.25");
}

#[test]
fn a_queue_is_refused_until_there_are_queues() {
    let (mut stage, _, agent) = two("helpdesk3");
    let target = Target::Queue("sales".into());
    for verb in [
        Verb::Transfer { party: agent, target: target.clone() },
        Verb::Consult { party: agent, target: target.clone(), room: None },
        Verb::Invite { target, role: None },
    ] {
        assert_eq!(stage.by(agent, verb), Err(Refusal::NoSuchQueue));
    }
    assert_eq!(stage.picture(), "A1: C | C: A1");
}

#[test]
fn a_transferred_agents_role_passes_with_its_seat() {
    let (mut stage, customer, agent) = two("connect_multi_party");
    let transfer = Verb::Transfer { party: agent, target: colleague("A2") };
    let second = stage.calls(Author::Party(agent), transfer, "A2");
    assert_eq!(stage.picture(), "A1: C | C: A1");
    stage.answer(second);
    assert_eq!(stage.picture(), "A2: C | C: A2", "S4.34");
    assert_eq!((stage.role(second), stage.role(customer)), (Role::Primary, Role::Customer));
}
