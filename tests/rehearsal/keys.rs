//! Verbs said by keys: each that a shipped profile maps is pressed, packet by packet, where it is
//! allowed and where it is not.

use std::time::Duration;

use audio::Codec;
use model::command::{Supervision, Target};
use model::keys::{Needs, Relay};
use model::{
    Author, Event, EventKind, KeyVerb, PartyId, PartyState, Profile, Refusal, Role, TapRate, Verb,
};
use switchboard::Room;

use crate::network::FAIR;
use crate::world::World;

/// Phones: a customer, an agent, an agent's colleague with a number, and a supervisor.
const CUSTOMER: usize = 0;
const AGENT: usize = 1;
const COLLEAGUE: usize = 2;
const SUPERVISOR: usize = 3;
const NUMBER: &str = "202";

struct Desk {
    world: World,
    profile: Profile,
    /// By phone.
    parties: [Option<PartyId>; 4],
}

impl Desk {
    fn new(seed: u64, profile: &Profile) -> Desk {
        let (recording_rate, profile) = (TapRate::Hz16000, profile.clone());
        let any_room =
            Room { record: false, recording_rate, parties_max: 100, profile: profile.clone() };
        let mut world = World::with_room(seed, FAIR, any_room);
        for _ in 0..4 {
            world.guest(Codec::Pcmu);
        }
        for phone in [AGENT, COLLEAGUE, SUPERVISOR] {
            world.register(&format!("guest{phone}"), &[phone]);
        }
        world.register(NUMBER, &[COLLEAGUE]);
        world.join(CUSTOMER, "desk");
        let customer = world.party(CUSTOMER);
        let mut desk = Desk { world, profile, parties: [Some(customer), None, None, None] };
        desk.call(AGENT, Verb::Invite { target: at(AGENT), role: None });
        desk
    }

    /// A phone is called, and is in.
    fn call(&mut self, phone: usize, verb: Verb) {
        let party = self.world.ask("desk", verb).unwrap().party.unwrap();
        self.parties[phone] = Some(party);
        self.comes(party);
    }

    fn comes(&mut self, party: PartyId) {
        let is_in = |world: &World| {
            let view = world.views.values().next();
            let party = view.and_then(|view| view.party(party));
            party.is_some_and(|party| party.state == PartyState::Connected)
        };
        self.world.run_until(Duration::from_secs(5), is_in);
        assert!(is_in(&self.world), "{} is not in", self.profile.name);
    }

    fn supervisor_comes(&mut self, mode: Supervision) {
        let beside = self.parties[AGENT].unwrap();
        self.call(SUPERVISOR, Verb::Supervise { target: at(SUPERVISOR), beside, mode });
    }

    /// The agent has its colleague called by keys, and that one is in.
    fn calls_colleague(&mut self, verb: KeyVerb) {
        let told = self.says(AGENT, verb);
        let called = told.iter().find_map(|event| {
            let EventKind::Dialling { party, .. } = event.kind else { return None };
            Some(party)
        });
        self.comes(called.unwrap_or_else(|| panic!("{}: {told:?}", self.profile.name)));
    }

    /// What a phone's keys make happen.
    fn says(&mut self, phone: usize, verb: KeyVerb) -> Vec<Event> {
        let typed = match verb.needs() {
            Needs::Nothing => String::new(),
            Needs::Number => format!("{NUMBER}#"),
            // The customer came first, the agent second; of those the supervisor takes the agent.
            Needs::Place if phone == SUPERVISOR => "2#".to_owned(),
            Needs::Place => "1#".to_owned(),
        };
        let keys = self.profile.keys.map.keys_of(verb).unwrap();
        self.typed(phone, &format!("{keys}{typed}"), Duration::ZERO)
    }

    /// What keys make happen, and a while after them, without what is only heard.
    fn typed(&mut self, phone: usize, keys: &str, wait: Duration) -> Vec<Event> {
        let before = self.world.events.len();
        self.world.press(phone, keys);
        self.world.run(wait);
        let is_heard = |event: &&Event| {
            matches!(event.kind, EventKind::Talking { .. })
                || matches!(event.kind, EventKind::AnnouncementStarted { .. })
                || matches!(event.kind, EventKind::AnnouncementEnded { .. })
        };
        self.world.events[before..].iter().filter(|event| !is_heard(event)).cloned().collect()
    }

    /// What a party is to this conference.
    fn role(&self, phone: usize) -> Role {
        let view = self.world.views.values().next().unwrap();
        view.party(self.parties[phone].unwrap()).unwrap().role
    }

    /// Whether the table has this verb for a role at all.
    fn may(&self, role: Role, verb: KeyVerb) -> bool {
        let (action, to) = verb.action();
        to.iter().any(|to| self.profile.permissions_for(role, action, *to).next().is_some())
    }
}

fn at(phone: usize) -> Target {
    Target::Address(format!("sip:guest{phone}@10.0.0.1"))
}

/// How it is told that it is done.
fn told_as(verb: KeyVerb) -> &'static [&'static str] {
    match verb {
        KeyVerb::Leave | KeyVerb::Complete | KeyVerb::RemoveOther => &["participant.left"],
        KeyVerb::Mute | KeyVerb::MuteOther => &["participant.muted"],
        KeyVerb::Hold | KeyVerb::HoldCustomer | KeyVerb::HoldOther => &["participant.held"],
        KeyVerb::Consult => &["consult.started"],
        KeyVerb::Swap => &["participant.held", "participant.resumed"],
        KeyVerb::Merge => &["consult.merged"],
        KeyVerb::Cancel => &["consult.ended"],
        KeyVerb::Invite => &["participant.dialling"],
        KeyVerb::Transfer => &["transfer.requested"],
        KeyVerb::Whisper => &["whisper.started"],
        KeyVerb::End => &["conversation.ended"],
        KeyVerb::Record => &["recording.started"],
        KeyVerb::SilenceOther => &["participant.silenced"],
        KeyVerb::Monitor | KeyVerb::Coach | KeyVerb::Barge => &["supervision.mode_changed"],
    }
}

fn kind(event: &Event) -> String {
    let told = serde_json::to_value(event).unwrap();
    told["type"].as_str().unwrap().to_owned()
}

/// Who says it, once all is so that it may.
fn ready(desk: &mut Desk, verb: KeyVerb) -> usize {
    let supervises = matches!(verb, KeyVerb::Monitor | KeyVerb::Coach | KeyVerb::Barge);
    let phone = match supervises || !desk.may(desk.role(AGENT), verb) {
        true => SUPERVISOR,
        false => AGENT,
    };
    match verb {
        KeyVerb::Swap | KeyVerb::Merge | KeyVerb::Complete | KeyVerb::Cancel => {
            desk.calls_colleague(KeyVerb::Consult);
        }
        KeyVerb::Whisper if phone == SUPERVISOR => desk.supervisor_comes(Supervision::Barge),
        KeyVerb::Whisper => {
            desk.call(COLLEAGUE, Verb::Invite { target: at(COLLEAGUE), role: None });
        }
        KeyVerb::Monitor => desk.supervisor_comes(Supervision::Barge),
        KeyVerb::Coach | KeyVerb::Barge | KeyVerb::SilenceOther => {
            desk.supervisor_comes(Supervision::Monitor);
        }
        KeyVerb::Leave
        | KeyVerb::Mute
        | KeyVerb::Hold
        | KeyVerb::HoldCustomer
        | KeyVerb::HoldOther
        | KeyVerb::Consult
        | KeyVerb::Invite
        | KeyVerb::Transfer
        | KeyVerb::End
        | KeyVerb::Record
        | KeyVerb::MuteOther
        | KeyVerb::RemoveOther => {}
    }
    phone
}

#[test]
fn each_verb_that_a_profile_maps_to_keys_is_done_for_who_may() {
    let mut said = 0;
    for profile in call::shipped() {
        for (_, verb) in profile.keys.map.iter() {
            let mut desk = Desk::new(70 + said, &profile);
            let host_only = [KeyVerb::End, KeyVerb::Record, KeyVerb::MuteOther];
            let is_of_host = host_only.contains(&verb) || verb == KeyVerb::RemoveOther;
            if profile.name == "cinnox" && is_of_host {
                // Who brings somebody in is the host.
                desk.calls_colleague(KeyVerb::Invite);
            }
            let phone = ready(&mut desk, verb);
            let author = Author::Party(desk.parties[phone].unwrap());
            let told = desk.says(phone, verb);
            let kinds = told_as(verb);
            let is_it = |event: &&Event| event.by == author && event.cause.is_some();
            let done = told.iter().filter(is_it).any(|event| kinds.contains(&kind(event).as_str()));
            assert!(done, "{} {verb:?}: {told:#?}", profile.name);
            let digit = |event: &Event| matches!(event.kind, EventKind::Digit { .. });
            assert!(!told.iter().any(digit), "what is typed is told nowhere: {told:#?}");
            said += 1;
        }
    }
    assert!(said > 100, "{said}");
}

#[test]
fn each_verb_that_a_profile_maps_to_keys_is_refused_to_who_may_not() {
    let mut free_for_all = Vec::new();
    for (seed, profile) in (90..).zip(call::shipped()) {
        let mut desk = Desk::new(seed, &profile);
        desk.supervisor_comes(Supervision::Monitor);
        for (_, verb) in profile.keys.map.iter() {
            let phones = [CUSTOMER, AGENT, SUPERVISOR];
            let who = phones.into_iter().find(|phone| !desk.may(desk.role(*phone), verb));
            let Some(phone) = who else {
                free_for_all.push((profile.name.clone(), verb));
                continue;
            };
            let party = desk.parties[phone].unwrap();
            let told = desk.says(phone, verb);
            let kinds: Vec<EventKind> = told.into_iter().map(|event| event.kind).collect();
            let refusal = Refusal::NotAllowed;
            let refused = EventKind::KeysRefused { party, verb, refusal };
            assert_eq!(kinds, [refused], "{} {verb:?}", profile.name);
        }
    }
    let leave = |(name, verb): &(String, KeyVerb)| {
        *verb == KeyVerb::Leave || (*verb == KeyVerb::Mute && name == "open")
    };
    assert!(free_for_all.iter().all(leave), "{free_for_all:?}");
}

#[test]
fn a_number_of_keys_that_nobody_may_call_or_that_is_not_finished_is_refused() {
    let profile = call::shipped().into_iter().find(|one| one.name == "helpdesk3").unwrap();
    let mut desk = Desk::new(61, &profile);
    let party = desk.parties[AGENT].unwrap();
    let refused = |desk: &mut Desk, keys: &str, wait: u64| {
        let told = desk.typed(AGENT, keys, Duration::from_millis(wait));
        told.into_iter().map(|event| event.kind).collect::<Vec<_>>()
    };
    let consult = |refusal| EventKind::KeysRefused { party, verb: KeyVerb::Consult, refusal };
    assert_eq!(refused(&mut desk, "*3#", 0), [consult(Refusal::BadTarget)]);
    // Nobody goes on for longer than the profile waits.
    assert_eq!(refused(&mut desk, "*3202", 4_100), [consult(Refusal::BadTarget)]);
    assert_eq!(refused(&mut desk, "*3202**", 4_100), []);
    let place =
        EventKind::KeysRefused { party, verb: KeyVerb::RemoveOther, refusal: Refusal::NoSuchParty };
    assert_eq!(refused(&mut desk, "#47#", 0), [place]);
    // A key alone is a key, once it is sure that none follows.
    assert_eq!(refused(&mut desk, "*", 3_000), []);
    let star = EventKind::Digit { party, digit: '*' };
    assert_eq!(refused(&mut desk, "", 1_200), [star]);
}

/// Three guests in a room whose other keys are relayed so.
fn guests(seed: u64, relay: Relay) -> World {
    let mut profile = call::open();
    profile.keys.relay = relay;
    let (record, recording_rate) = (false, TapRate::Hz16000);
    let room = Room { record, recording_rate, parties_max: 100, profile };
    let mut world = World::with_room(seed, FAIR, room);
    for _ in 0..3 {
        let guest = world.guest(Codec::Pcmu);
        world.join(guest, "room");
    }
    world
}

fn heard_by(world: &World, guest: usize) -> String {
    let of_guest = world.keys.iter().filter(|(number, ..)| *number == guest);
    of_guest.map(|(_, _, key)| key).collect()
}

#[test]
fn digits_that_are_sent_reach_the_chosen_leg_and_nobody_else() {
    let mut world = guests(62, Relay::Nobody);
    let party = world.party(1);
    let digits = "4711#".parse().unwrap();
    world.ask("room", Verb::SendDigits { party, digits }).unwrap();
    world.run(Duration::from_secs(2));
    let heard: Vec<String> = (0..3).map(|guest| heard_by(&world, guest)).collect();
    assert_eq!(heard, ["", "4711#", ""]);
    let sent = EventKind::DigitsSent { party, count: 5 };
    assert!(world.events.iter().any(|event| event.kind == sent));
    assert!(!serde_json::to_string(&world.events).unwrap().contains("4711"));
    assert_eq!(world.listen().iter().map(std::collections::BTreeSet::len).sum::<usize>(), 6);
}

#[test]
fn keys_are_relayed_to_who_hears_only_if_the_profile_says_so_and_never_those_that_say_a_verb() {
    for (relay, at_others) in [(Relay::Nobody, ""), (Relay::Hearers, "5")] {
        let mut world = guests(63, relay);
        world.press(0, "5*17");
        world.run(Duration::from_secs(1));
        let heard: Vec<String> = (0..3).map(|guest| heard_by(&world, guest)).collect();
        // Who is muted is not heard, and neither are its keys.
        assert_eq!(heard, ["", at_others, at_others], "{relay:?}");
    }
}
