//! Call control over real RTP: consulting, whispering, supervising, each checked by ear.

use std::collections::BTreeSet;
use std::time::Duration;

use audio::Codec;
use model::command::{Hearers, Supervision, Target};
use model::{Author, EventKind, LeaveReason, OneWay, PartyId, Refusal, TapRate, Track, Verb};
use switchboard::Room;

use crate::network::FAIR;
use crate::world::{MUSIC, World};

/// A customer, phone 0, and an agent, phone 1, who talk; phones 2 and 3 are agents' too.
fn desk(seed: u64, profile: &str) -> (World, PartyId, PartyId) {
    let profile = call::shipped().into_iter().find(|shipped| shipped.name == profile).unwrap();
    let recording_rate = TapRate::Hz16000;
    let room = Room { record: true, recording_rate, parties_max: 100, profile };
    let mut world = World::with_room(seed, FAIR, room);
    for codec in [Codec::Pcmu, Codec::Opus, Codec::G722, Codec::Pcma] {
        world.guest(codec);
    }
    for agent in 1..4 {
        world.register(&format!("guest{agent}"), &[agent]);
    }
    world.join(0, "desk");
    let invite = Verb::Invite { target: agent(1), role: None };
    let first = world.ask("desk", invite).unwrap().party.unwrap();
    assert_eq!(world.listen()[..2], [set(&[1]), set(&[0])]);
    let customer = world.party(0);
    (world, customer, first)
}

fn agent(phone: usize) -> Target {
    Target::Address(format!("sip:guest{phone}@10.0.0.1"))
}

fn set(heard: &[usize]) -> BTreeSet<usize> {
    heard.iter().copied().collect()
}

impl World {
    /// A party asks for something at its desk.
    fn at_desk(&mut self, party: PartyId, verb: Verb) -> Result<Option<PartyId>, Refusal> {
        self.ask_as(Author::Party(party), "desk", verb).map(|accepted| accepted.party)
    }
}

#[test]
fn consult_swap_join_and_complete_are_heard_as_they_should_be() {
    let (mut world, _, first) = desk(41, "helpdesk3");
    let consult = Verb::Consult { party: first, target: agent(2), room: None };
    world.at_desk(first, consult).unwrap();
    assert_eq!(world.listen()[..3], [set(&[MUSIC]), set(&[2]), set(&[1])]);
    assert_eq!(world.recorded(), set(&[]), "what is said aside is nobody's to record");
    world.at_desk(first, Verb::Swap { party: first }).unwrap();
    assert_eq!(world.listen()[..3], [set(&[1]), set(&[0]), set(&[MUSIC])]);
    assert_eq!(world.recorded(), set(&[0, 1]));
    world.at_desk(first, Verb::Swap { party: first }).unwrap();
    world.at_desk(first, Verb::Merge { party: first }).unwrap();
    assert_eq!(world.listen()[..3], [set(&[1, 2]), set(&[0, 2]), set(&[0, 1])]);
    assert_eq!(world.recorded(), set(&[0, 1, 2]));
    world.at_desk(first, Verb::Remove { party: first }).unwrap();
    assert_eq!(world.listen()[..3], [set(&[2]), set(&[]), set(&[0])]);
    let started = |event: &&model::Event| matches!(event.kind, EventKind::RecordingStarted { .. });
    assert_eq!(world.events.iter().filter(started).count(), 1, "one recording through all of it");
}

#[test]
fn an_attended_transfer_leaves_the_expert_with_the_customer() {
    let (mut world, _, first) = desk(42, "connect_three_party");
    // In this profile inviting is consulting.
    world.at_desk(first, Verb::Invite { target: agent(2), role: None }).unwrap();
    assert_eq!(world.listen()[..3], [set(&[MUSIC]), set(&[2]), set(&[1])]);
    world.at_desk(first, Verb::Complete { party: first }).unwrap();
    assert_eq!(world.listen()[..3], [set(&[2]), set(&[]), set(&[0])]);
}

#[test]
fn a_supervisor_monitors_coaches_and_barges_in_while_an_agent_whispers() {
    let (mut world, _, first) = desk(43, "expertflow");
    let invite = Verb::Invite { target: agent(2), role: None };
    world.at_desk(first, invite).unwrap().unwrap();
    let mode = Supervision::Monitor;
    let supervise = Verb::Supervise { target: agent(3), beside: first, mode };
    let supervisor = world.ask("desk", supervise).unwrap().party.unwrap();
    let apart = [set(&[1, 2]), set(&[0, 2]), set(&[0, 1]), set(&[0, 1, 2])];
    assert_eq!(world.listen(), apart);
    assert_eq!(world.recorded(), set(&[0, 1, 2]));
    let stand = |mode| Verb::Stand { party: supervisor, beside: None, mode };
    let only = Hearers::Only([first].into());
    world.at_desk(supervisor, stand(Supervision::Coach(only))).unwrap();
    let coached = [set(&[1, 2]), set(&[0, 2, 3]), set(&[0, 1]), set(&[0, 1, 2])];
    assert_eq!(world.listen(), coached);
    assert_eq!(world.recorded(), set(&[0, 1, 2]), "no whisper is in the recording");
    world.at_desk(first, Verb::Whisper { party: first, to: Some(Hearers::Ours) }).unwrap();
    let whispered = [set(&[2]), set(&[0, 2, 3]), set(&[0, 1]), set(&[0, 1, 2])];
    assert_eq!(world.listen(), whispered);
    let tracks = world.tracks();
    let of = tracks.keys().find_map(Track::mix).unwrap();
    assert_eq!(tracks[&Track::Mix], set(&[0, 2]));
    let party = first;
    assert_eq!(tracks[&Track::Voice { of, party }], set(&[]));
    assert_eq!(tracks[&Track::Whisper { of, party }], set(&[1]), "S1.35");
    let party = supervisor;
    assert_eq!(tracks.get(&Track::Voice { of, party }), None, "who listens in has no voice");
    assert_eq!(tracks[&Track::Whisper { of, party }], set(&[3]));
    world.at_desk(first, Verb::Whisper { party: first, to: None }).unwrap();
    world.at_desk(supervisor, stand(Supervision::Barge)).unwrap();
    let all = |but: usize| (0..4).filter(|guest| *guest != but).collect::<BTreeSet<_>>();
    assert_eq!(world.listen(), [all(0), all(1), all(2), all(3)]);
    let tracks = world.tracks();
    let voices = [0, 1, 2, 3].map(|guest| {
        let party = world.party(guest);
        (Track::Voice { of, party }, set(&[guest]))
    });
    let whispers = [first, supervisor].map(|party| (Track::Whisper { of, party }, set(&[])));
    let all = [(Track::Mix, set(&[0, 1, 2, 3]))].into_iter().chain(voices).chain(whispers);
    assert_eq!(tracks, all.collect(), "each speaks in a track of its own");
}

#[test]
fn each_of_a_multi_party_call_is_held_and_muted_and_comes_back() {
    let (mut world, customer, first) = desk(44, "connect_multi_party");
    world.at_desk(first, Verb::Invite { target: agent(2), role: None }).unwrap();
    world.listen();
    world.at_desk(first, Verb::Merge { party: first }).unwrap();
    let second = world.party(2);
    let all = [set(&[1, 2]), set(&[0, 2]), set(&[0, 1])];
    assert_eq!(world.listen()[..3], all);
    for (phone, party) in [(0, customer), (2, second)] {
        world.at_desk(first, Verb::Hold { party }).unwrap();
        let heard = world.listen();
        assert_eq!(heard[phone], set(&[MUSIC]));
        assert!(heard.iter().all(|heard| !heard.contains(&phone)));
        // S4.6: each speaks in a track of its own, and who is held is silent in it.
        for (track, held) in world.tracks() {
            let speaker = (0..3).find(|guest| track.party() == Some(world.party(*guest)));
            let speaks: Vec<usize> = match speaker {
                Some(speaker) => vec![speaker],
                None => vec![0, 1, 2],
            };
            let speaks = speaks.into_iter().filter(|speaker| *speaker != phone);
            assert_eq!(held, speaks.collect(), "{track:?}");
        }
        world.at_desk(first, Verb::Resume { party }).unwrap();
        assert_eq!(world.listen()[..3], all);
        world.at_desk(first, Verb::Mute { party }).unwrap();
        assert!(world.listen().iter().all(|heard| !heard.contains(&phone)));
        let refused = world.at_desk(first, Verb::Unmute { party });
        assert_eq!(refused, Err(Refusal::NotAllowed));
        world.ask("desk", Verb::Unmute { party }).unwrap();
        assert_eq!(world.listen()[..3], all);
    }
}

#[test]
fn an_agent_whose_network_is_gone_loses_the_call_and_the_other_agent_has_control_of_it() {
    let (mut world, customer, first) = desk(50, "connect_three_party");
    let second = world.at_desk(first, Verb::Invite { target: agent(2), role: None }).unwrap();
    world.listen();
    world.at_desk(first, Verb::Merge { party: first }).unwrap();
    assert_eq!(world.listen()[..3], [set(&[1, 2]), set(&[0, 2]), set(&[0, 1])]);
    let hold = Verb::Hold { party: customer };
    let second = second.unwrap();
    assert_eq!(world.at_desk(second, hold.clone()), Err(Refusal::PrimaryPresent));
    world.unplug(1);
    let since = world.events.len();
    let happened = |world: &World| -> Vec<EventKind> {
        let about_first = |kind: &&EventKind| {
            matches!(kind, EventKind::OneWay { party, .. } | EventKind::Left { party, .. }
                if *party == first)
        };
        let kinds = world.events[since..].iter().map(|event| &event.kind);
        kinds.filter(about_first).cloned().collect()
    };
    world.run(Duration::from_secs(5));
    let nothing = EventKind::OneWay { party: first, way: Some(OneWay::NothingComes) };
    assert_eq!(happened(&world), std::slice::from_ref(&nothing), "told before anything is done");
    world.run(Duration::from_secs(54));
    assert_eq!(happened(&world), std::slice::from_ref(&nothing));
    world.run(Duration::from_secs(3));
    let left = EventKind::Left { party: first, reason: LeaveReason::Lost };
    assert_eq!(happened(&world), [nothing, left]);
    world.at_desk(second, hold).unwrap();
    world.at_desk(second, Verb::Resume { party: customer }).unwrap();
    let heard = world.listen();
    assert_eq!([&heard[0], &heard[2]], [&set(&[2]), &set(&[0])]);
}

#[test]
fn a_phone_on_hold_that_sends_nothing_keeps_its_call() {
    let mut world = World::new(51, FAIR);
    for codec in [Codec::Pcmu, Codec::Opus] {
        let guest = world.guest(codec);
        world.join(guest, "room");
    }
    world.run(Duration::from_secs(2));
    let now = world.now;
    world.guests[1].phone.hold(now, true);
    world.run(Duration::from_secs(120));
    world.guests[1].phone.hold(world.now, false);
    assert_eq!(world.listen(), [set(&[1]), set(&[0])]);
}
