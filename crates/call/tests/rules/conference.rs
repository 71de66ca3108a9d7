//! What a conference decides, told as stories and tried with random scripts.

use std::collections::BTreeMap;

use call::{Conference, Effect, LegChange, PhoneKey, Presence, Rules};
use model::command::{Entrant, Newcomer, Readers, Target};
use model::{
    Affiliation, Author, Chance, Codec, CommandId, ConferenceId, ConferenceName, ConferenceView,
    Direction, LeaveReason, LegId, PartyId, PartyState, Refusal, Verb,
};

const CODEC: Codec = Codec::Pcmu;

/// A conference, the fold of its events, and what it wanted done besides.
struct Scene {
    conference: Conference,
    view: Option<ConferenceView>,
    seqs: Vec<u64>,
    hung_up: Vec<(LegId, LeaveReason)>,
    texts: Vec<(LegId, String)>,
    taps_open: usize,
    over: bool,
    routing: model::Routing,
    now_ms: u64,
    commands: u64,
}

/// The profile of rooms that are open to all.
const OPEN: &str = include_str!("../../profiles/open.toml");

impl Scene {
    fn new(record: bool, parties_max: usize) -> Scene {
        let profile = call::open();
        Scene::with_rules(Rules { profile, parties_max, record })
    }

    fn with_rules(rules: Rules) -> Scene {
        let name = ConferenceName::parse("standup").unwrap();
        let mut scene = Scene {
            conference: Conference::new(ConferenceId(1), name, rules, 1_000, 7),
            view: None,
            seqs: vec![],
            hung_up: vec![],
            texts: vec![],
            taps_open: 0,
            over: false,
            routing: model::Routing::default(),
            now_ms: 1_000,
            commands: 0,
        };
        scene.drain();
        scene
    }

    fn drain(&mut self) {
        while let Some(effect) = self.conference.poll() {
            assert!(!self.over, "nothing follows the end: {effect:?}");
            match effect {
                Effect::Event(event) => {
                    self.seqs.push(event.seq);
                    match &mut self.view {
                        Some(view) => view.apply(&event),
                        None => self.view = ConferenceView::begin(&event),
                    }
                }
                Effect::HangUp { leg, reason } => self.hung_up.push((leg, reason)),
                Effect::OpenTap(..) => self.taps_open += 1,
                Effect::CloseTap(_) => self.taps_open -= 1,
                Effect::Route(routing) => self.routing = routing,
                Effect::Over => self.over = true,
                Effect::Dial { .. }
                | Effect::Play { .. }
                | Effect::StopPlaying(_)
                | Effect::Press { .. } => {}
                Effect::Text { leg, text } => self.texts.push((leg, text)),
            }
        }
    }

    fn ask(&mut self, by: Author, verb: Verb) -> Result<model::Accepted, Refusal> {
        self.commands += 1;
        let answer = self.conference.command(self.now_ms, CommandId(self.commands), by, verb);
        self.drain();
        answer
    }

    fn change(&mut self, party: PartyId, change: LegChange) {
        if let Some(leg) = self.conference.party(party).map(|party| party.leg) {
            self.conference.leg_changed(self.now_ms, leg, change);
            self.drain();
        }
    }

    fn enter(&mut self, id: u64) -> Result<PartyId, Refusal> {
        let party = PartyId(id);
        let entrant = Entrant {
            party,
            leg: LegId(id),
            display_name: None,
            address: format!("sip:{id}@phone"),
            affiliation: Affiliation::Outside,
        };
        self.ask(Author::Party(party), Verb::Enter(entrant)).map(|_| party)
    }

    fn join(&mut self, id: u64) -> PartyId {
        let party = self.enter(id).unwrap();
        self.change(party, LegChange::Connected { codec: CODEC });
        party
    }

    fn state(&self, party: PartyId) -> Option<PartyState> {
        self.view.as_ref().unwrap().party(party).map(|party| party.state)
    }
}

#[test]
fn a_conference_begins_with_its_first_party_and_ends_with_its_last() {
    let mut scene = Scene::new(false, 10);
    let alice = scene.join(1);
    let bob = scene.join(2);
    scene.change(alice, LegChange::Gone(LeaveReason::Left));
    assert!(!scene.over);
    scene.change(bob, LegChange::Gone(LeaveReason::Left));
    assert!(scene.over);
    assert_eq!(scene.seqs, (1..=scene.seqs.len() as u64).collect::<Vec<_>>());
    assert!(scene.view.unwrap().ended_ms.is_some());
}

#[test]
fn a_room_evens_out_how_loud_people_are_only_where_its_profile_says_so() {
    let gentle = OPEN.replace("parties_max = 5000", "parties_max = 5000\nautomatic_gain = true");
    for (profile, automatic_gain) in [(OPEN, false), (&gentle, true)] {
        let profile = call::parse(profile).unwrap();
        let mut scene = Scene::with_rules(Rules { profile, parties_max: 9, record: false });
        scene.enter(1).unwrap();
        assert_eq!(
            scene.routing,
            model::Routing::default(),
            "nothing to play before anybody is in"
        );
        scene.join(2);
        assert_eq!(scene.routing.automatic_gain, automatic_gain);
    }
}

#[test]
fn a_full_room_refuses_and_those_who_are_being_called_count() {
    let mut scene = Scene::new(false, 2);
    scene.join(1);
    scene.ask(Author::Admin, Verb::invite("sip:bob@b")).unwrap();
    assert_eq!(scene.enter(3), Err(Refusal::LimitReached));
}

#[test]
fn a_hold_that_the_phone_placed_is_not_ended_by_somebody_else() {
    let mut scene = Scene::new(false, 10);
    let alice = scene.join(1);
    scene.join(2);
    scene.change(alice, LegChange::Phone(PhoneKey::OnHold));
    assert_eq!(scene.state(alice), Some(PartyState::Held));
    let resume = Verb::Resume { party: alice };
    assert_eq!(scene.ask(Author::Admin, resume.clone()), Err(Refusal::WrongState));
    scene.ask(Author::Admin, Verb::Hold { party: alice }).unwrap();
    scene.change(alice, LegChange::Phone(PhoneKey::Talking));
    assert_eq!(scene.state(alice), Some(PartyState::Held), "the admin's hold stays");
    let refused = scene.ask(Author::Party(alice), resume.clone());
    assert_eq!(refused, Err(Refusal::NotYourHold));
    scene.ask(Author::Admin, resume).unwrap();
    assert_eq!(scene.state(alice), Some(PartyState::Connected));
}

#[test]
fn a_call_that_rings_too_long_is_given_up_and_told() {
    let mut scene = Scene::new(false, 10);
    scene.join(1);
    let invite = Verb::invite("sip:bob@b");
    let bob = scene.ask(Author::Admin, invite).unwrap().party.unwrap();
    scene.change(bob, LegChange::Ringing);
    assert_eq!(scene.state(bob), Some(PartyState::Ringing));
    scene.now_ms = scene.conference.next_deadline_ms().unwrap();
    scene.conference.handle_timeout(scene.now_ms);
    scene.drain();
    assert_eq!(scene.state(bob), None);
    assert_eq!(scene.hung_up.last().unwrap().1, LeaveReason::NoAnswer);
}

#[test]
fn a_phone_does_not_ring_on_for_a_room_that_everybody_has_left() {
    let mut scene = Scene::new(false, 10);
    let alice = scene.join(1);
    scene.ask(Author::Admin, Verb::invite("sip:bob@b")).unwrap();
    scene.change(alice, LegChange::Gone(LeaveReason::Left));
    assert!(scene.over);
    assert_eq!(scene.hung_up.len(), 1, "the ringing phone's call is withdrawn");
}

#[test]
fn a_conference_that_only_waits_for_a_called_phone_lives_until_it_fails() {
    let mut scene = Scene::new(false, 10);
    let invite = Verb::invite("sip:bob@b");
    let bob = scene.ask(Author::Admin, invite).unwrap().party.unwrap();
    assert!(!scene.over);
    scene.change(bob, LegChange::Gone(LeaveReason::Busy));
    assert!(scene.over);
}

#[test]
fn recording_begins_by_itself_where_the_room_says_so_and_goes_on_when_its_first_party_leaves() {
    let mut scene = Scene::new(true, 10);
    let alice = scene.join(1);
    scene.join(2);
    let recording = scene.view.as_ref().unwrap().recording.clone();
    assert!(recording.is_some());
    scene.change(alice, LegChange::Gone(LeaveReason::Left));
    assert_eq!(scene.view.as_ref().unwrap().recording, recording);
    assert_eq!(scene.taps_open, 1);
    scene.ask(Author::Admin, Verb::End).unwrap();
    assert_eq!(scene.taps_open, 0);
}

#[test]
fn a_recording_that_fails_is_told_and_can_be_tried_again() {
    let mut scene = Scene::new(false, 10);
    scene.join(1);
    let recording = scene.ask(Author::Admin, Verb::Record { on: true }).unwrap().recording.unwrap();
    scene.conference.recording_failed(scene.now_ms, recording, "disk full".into());
    scene.drain();
    assert!(scene.view.as_ref().unwrap().recording.is_none());
    let again = scene.ask(Author::Admin, Verb::Record { on: true }).unwrap().recording;
    assert!(again.is_some_and(|again| again != recording));
}

#[test]
fn talking_is_told_in_pairs_also_when_the_talker_leaves() {
    let mut scene = Scene::new(false, 10);
    let alice = scene.join(1);
    scene.join(2);
    scene.change(alice, LegChange::Talking(true));
    scene.change(alice, LegChange::Talking(true));
    let before = scene.seqs.len();
    scene.change(alice, LegChange::Gone(LeaveReason::Left));
    assert_eq!(scene.seqs.len() - before, 2, "talking off, then left");
}

/// What a party should be, told apart from `call`: two bits for holds, one for mute.
#[derive(Default, Clone, Copy)]
struct Expected {
    connected: bool,
    held_by_phone: bool,
    held_by_admin: bool,
    muted: bool,
}

impl Expected {
    fn hears_people(self) -> bool {
        self.connected && !self.held_by_phone && !self.held_by_admin
    }
    fn is_heard(self) -> bool {
        self.hears_people() && !self.muted
    }
}

/// One random step, done to the conference and to the expectation alike.
fn step(
    scene: &mut Scene,
    expected: &mut BTreeMap<PartyId, Expected>,
    chance: &mut Chance,
    n: u64,
) {
    let parties: Vec<PartyId> = expected.keys().copied().collect();
    let pick = |chance: &mut Chance| parties[(chance.draw() % parties.len() as u64) as usize];
    if parties.is_empty() || chance.draw().is_multiple_of(5) {
        if let Ok(party) = scene.enter(n) {
            expected.insert(party, Expected::default());
        }
        return;
    }
    let party = pick(chance);
    let by_phone = chance.draw().is_multiple_of(2);
    let known = expected.get_mut(&party).unwrap();
    // Who is not in yet asks for nothing.
    let by = if by_phone && known.connected { Author::Party(party) } else { Author::Admin };
    match chance.draw() % 8 {
        0 | 1 => {
            scene.change(party, LegChange::Connected { codec: CODEC });
            known.connected = true;
        }
        2 if by_phone => {
            scene.change(party, LegChange::Phone(PhoneKey::OnHold));
            known.held_by_phone = true;
        }
        3 if by_phone => {
            scene.change(party, LegChange::Phone(PhoneKey::Talking));
            known.held_by_phone = false;
        }
        2 if scene.ask(by, Verb::Hold { party }).is_ok() => known.held_by_admin = true,
        3 if scene.ask(by, Verb::Resume { party }).is_ok() => known.held_by_admin = false,
        2 | 3 => {}
        4 => {
            scene.ask(by, Verb::Mute { party }).unwrap();
            known.muted = true;
        }
        5 => {
            scene.ask(by, Verb::Unmute { party }).unwrap();
            known.muted = false;
        }
        6 => {
            scene.ask(Author::Admin, Verb::Record { on: by_phone }).unwrap();
        }
        _ => {
            scene.change(party, LegChange::Gone(LeaveReason::Left));
            expected.remove(&party);
        }
    }
}

#[test]
fn after_every_step_of_random_scripts_everybody_hears_exactly_whom_they_should() {
    for seed in 0..300 {
        let mut chance = Chance::new(seed);
        let mut scene = Scene::new(seed.is_multiple_of(2), 6);
        let mut expected = BTreeMap::new();
        for n in 1..60 {
            step(&mut scene, &mut expected, &mut chance, n);
            if scene.over {
                break;
            }
            for (listener, at_ear) in &expected {
                for (speaker, at_mouth) in &expected {
                    let leg = |party: &PartyId| scene.conference.party(*party).unwrap().leg;
                    let should =
                        listener != speaker && at_ear.hears_people() && at_mouth.is_heard();
                    let hears = scene.routing.hears(leg(listener), leg(speaker));
                    assert_eq!(hears, should, "seed {seed} step {n}: {listener} ← {speaker}");
                }
            }
            let view = scene.view.as_ref().unwrap();
            assert_eq!(view.recording.is_some(), scene.taps_open == 1, "seed {seed} step {n}");
            assert!(scene.seqs.iter().copied().eq(1..=scene.seqs.len() as u64), "seed {seed}");
            for party in scene.conference.parties() {
                let seen = view.party(party.id).map(|seen| seen.state);
                let should = match party.presence {
                    Presence::Connected { .. } if party.is_held() => Some(PartyState::Held),
                    Presence::Connected { .. } => Some(PartyState::Connected),
                    Presence::Arriving
                    | Presence::Dialling { .. }
                    | Presence::Ringing { .. }
                    | Presence::Early { .. } => None,
                };
                assert_eq!(seen, should, "seed {seed} step {n}");
            }
        }
    }
}

#[test]
fn a_muted_party_that_is_called_in_is_still_muted_when_it_answers() {
    let mut scene = Scene::new(false, 10);
    let alice = scene.join(1);
    let invite = Verb::invite("sip:bob@b");
    let bob = scene.ask(Author::Admin, invite).unwrap().party.unwrap();
    scene.ask(Author::Admin, Verb::Mute { party: bob }).unwrap();
    scene.change(bob, LegChange::Connected { codec: CODEC });
    let leg = |scene: &Scene, party| scene.conference.party(party).unwrap().leg;
    assert!(!scene.routing.hears(leg(&scene, alice), leg(&scene, bob)));
    assert!(scene.routing.hears(leg(&scene, bob), leg(&scene, alice)));
    assert!(scene.view.unwrap().party(bob).unwrap().muted);
}

/// Asks for a party's seat to pass to somebody; gives the called one.
fn transfer(scene: &mut Scene, party: PartyId) -> PartyId {
    let target = Target::Address("sip:carol@c".into());
    let verb = Verb::Transfer { party, target };
    scene.ask(Author::Party(party), verb).unwrap().party.unwrap()
}

#[test]
fn who_transfers_its_seat_leaves_when_the_called_one_is_in() {
    let mut scene = Scene::new(false, 2);
    let (alice, bob) = (scene.join(1), scene.join(2));
    let carol = transfer(&mut scene, alice);
    assert_eq!(scene.state(alice), Some(PartyState::Connected));
    let again = Verb::Transfer { party: alice, target: Target::Address("sip:d@d".into()) };
    assert_eq!(scene.ask(Author::Party(alice), again), Err(Refusal::WrongState));
    scene.change(carol, LegChange::Ringing);
    scene.change(carol, LegChange::Connected { codec: CODEC });
    assert_eq!(scene.hung_up, [(LegId(1), LeaveReason::Transferred)]);
    assert_eq!((scene.state(alice), scene.state(bob)), (None, Some(PartyState::Connected)));
    assert_eq!(scene.state(carol), Some(PartyState::Connected));
    assert_eq!(scene.routing.places.len(), 2);
}

#[test]
fn who_transfers_its_seat_stays_when_the_called_one_does_not_come() {
    let mut scene = Scene::new(false, 10);
    let (alice, bob) = (scene.join(1), scene.join(2));
    let carol = transfer(&mut scene, alice);
    scene.change(carol, LegChange::Gone(LeaveReason::Busy));
    assert_eq!(scene.state(carol), None);
    assert!(scene.hung_up.is_empty());
    assert_eq!(scene.state(alice), Some(PartyState::Connected));
    // It may try again, and the call that rings for too long is given up.
    let dave = transfer(&mut scene, alice);
    let due_ms = scene.conference.next_deadline_ms().unwrap();
    scene.conference.handle_timeout(due_ms);
    scene.drain();
    assert_eq!(scene.state(dave), None);
    assert_eq!(scene.state(alice), Some(PartyState::Connected));
    assert_eq!(scene.state(bob), Some(PartyState::Connected));
}

fn take_over(scene: &mut Scene, party: PartyId, leg: u64) -> Result<(), Refusal> {
    let (leg, address) = (LegId(leg), "sip:new@n".to_owned());
    let newcomer = Newcomer { leg, display_name: None, address, affiliation: Affiliation::Ours };
    scene.ask(Author::Party(party), Verb::TakeOver { party, newcomer }).map(|_| ())
}

#[test]
fn a_connection_that_takes_a_seat_is_the_same_party_and_the_one_before_ends() {
    let mut scene = Scene::new(false, 2);
    let (alice, bob) = (scene.join(1), scene.join(2));
    scene.change(alice, LegChange::Phone(PhoneKey::OnHold));
    scene.ask(Author::Party(alice), Verb::Mute { party: alice }).unwrap();
    take_over(&mut scene, alice, 9).unwrap();
    assert_eq!(take_over(&mut scene, alice, 10), Err(Refusal::WrongState));
    assert!(scene.hung_up.is_empty(), "the connection before goes on until the next one runs");
    scene.conference.leg_changed(2_000, LegId(9), LegChange::Connected { codec: Codec::Opus });
    scene.drain();
    assert_eq!(scene.hung_up, [(LegId(1), LeaveReason::Transferred)]);
    let view = scene.view.as_ref().unwrap();
    let seat = view.party(alice).unwrap();
    assert_eq!((seat.address.as_str(), seat.codec), ("sip:new@n", Some(Codec::Opus)));
    // The phone's hold went with the phone; what was said of the party stays said.
    assert_eq!((seat.state, seat.muted), (PartyState::Connected, true));
    // RFC 4575 §5.7.4: the focus was called by who sits there now.
    assert_eq!(seat.direction, Direction::Internal);
    assert_eq!(scene.state(bob), Some(PartyState::Connected));
    let legs: Vec<u64> = scene.routing.places.iter().map(|place| place.leg.0).collect();
    assert_eq!(legs, [2, 9]);
}

#[test]
fn a_seat_is_kept_whichever_of_its_two_connections_fails() {
    let mut scene = Scene::new(false, 10);
    let (alice, bob) = (scene.join(1), scene.join(2));
    take_over(&mut scene, alice, 9).unwrap();
    scene.conference.leg_changed(2_000, LegId(9), LegChange::Gone(LeaveReason::Failed));
    assert_eq!(scene.state(alice), Some(PartyState::Connected));
    take_over(&mut scene, alice, 10).unwrap();
    // The old phone hangs up before the next one is ready.
    scene.change(alice, LegChange::Gone(LeaveReason::Left));
    assert_eq!(scene.state(alice), Some(PartyState::Connected));
    scene.conference.leg_changed(2_000, LegId(10), LegChange::Connected { codec: CODEC });
    scene.drain();
    assert!(scene.hung_up.is_empty());
    scene.ask(Author::Admin, Verb::End).unwrap();
    let ended = |leg| (LegId(leg), LeaveReason::Ended);
    assert_eq!(scene.hung_up, [ended(10), ended(2)]);
    assert!(scene.over);
    assert_eq!(scene.state(bob), None);
}

#[test]
fn whoever_goes_while_its_seat_is_taken_goes_with_both_connections() {
    let mut scene = Scene::new(false, 10);
    let (alice, _bob) = (scene.join(1), scene.join(2));
    take_over(&mut scene, alice, 9).unwrap();
    scene.ask(Author::Admin, Verb::Remove { party: alice }).unwrap();
    let removed = |leg| (LegId(leg), LeaveReason::Removed);
    assert_eq!(scene.hung_up, [removed(1), removed(9)]);
}

#[test]
fn what_is_written_is_an_event_and_reaches_phones_from_the_servers_own_people_only() {
    let mut scene = Scene::new(false, 10);
    let (alice, bob) = (scene.join(1), scene.join(2));
    let write = |to| Verb::Write { to, text: "hello".into() };
    let seqs = scene.seqs.len();
    scene.ask(Author::Party(alice), write(Readers::Everybody)).unwrap();
    assert!(scene.texts.is_empty());
    scene.ask(Author::Admin, write(Readers::Party(bob))).unwrap();
    assert_eq!(scene.texts, [(LegId(2), "hello".to_owned())]);
    scene.ask(Author::Admin, write(Readers::Everybody)).unwrap();
    assert_eq!(scene.texts.len(), 3);
    let nobody = write(Readers::Party(PartyId(9)));
    assert_eq!(scene.ask(Author::Admin, nobody), Err(Refusal::NoSuchParty));
    assert_eq!(scene.seqs.len(), seqs + 3);
}
