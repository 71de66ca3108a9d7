//! Texts by telephone: what is whispered reaches the phones of ours, and no other.

use std::time::Duration;

use audio::Codec;
use model::command::{Hearers, Readers, Supervision, Target};
use model::{Author, EventKind, PartyId, TapRate, Verb};
use switchboard::Room;

use crate::network::FAIR;
use crate::world::World;

/// A customer, phone 0, two agents, and a supervisor who listens, phone 3.
fn desk(seed: u64) -> (World, Vec<PartyId>) {
    let profile = call::shipped().into_iter().find(|one| one.name == "expertflow").unwrap();
    let (record, recording_rate) = (false, TapRate::Hz16000);
    let room = Room { record, recording_rate, parties_max: 100, profile };
    let mut world = World::with_room(seed, FAIR, room);
    for _ in 0..4 {
        world.guest(Codec::Pcmu);
    }
    world.join(0, "desk");
    let mut parties = vec![world.party(0)];
    for agent in 1..4 {
        world.register(&format!("guest{agent}"), &[agent]);
        let target = Target::Address(format!("sip:guest{agent}@10.0.0.1"));
        let verb = match agent {
            3 => Verb::Supervise { target, beside: parties[1], mode: Supervision::Monitor },
            _ => Verb::Invite { target, role: None },
        };
        parties.push(world.ask("desk", verb).unwrap().party.unwrap());
        world.run(Duration::from_secs(1));
    }
    (world, parties)
}

impl World {
    fn texts(&mut self) -> Vec<Vec<String>> {
        self.run(Duration::from_secs(2));
        self.guests.iter().map(|guest| guest.phone.texts().to_vec()).collect()
    }
}

#[test]
fn a_whisper_in_writing_reaches_all_phones_of_ours_and_never_the_customers() {
    let (mut world, parties) = desk(64);
    let now = world.now;
    world.guests[1].phone.write(now, "/w mind the gap");
    world.drain();
    assert_eq!(world.texts(), [vec![], vec![], vec!["mind the gap"], vec!["mind the gap"]]);
    let to = Hearers::Ours;
    let whispered = EventKind::WhisperText { to, text: "mind the gap".into() };
    let is_it = |event: &&model::Event| event.kind == whispered;
    assert_eq!(world.events.iter().filter(is_it).count(), 1);
    assert!(!world.events.iter().any(|event| matches!(event.kind, EventKind::Text { .. })));
    // Who looks after them may be the only one who is to read it; so may be one agent.
    let only = Readers::Whisper(Hearers::Only([parties[2]].into()));
    let verb = Verb::Write { to: only, text: "well done".into() };
    world.ask_as(Author::Party(parties[3]), "desk", verb).unwrap();
    let texts = world.texts();
    assert_eq!(texts[2], ["mind the gap", "well done"]);
    assert_eq!((texts[0].len(), texts[1].len(), texts[3].len()), (0, 0, 1));
}

#[test]
fn who_is_from_outside_whispers_to_nobody_and_is_not_read_by_all_instead() {
    let (mut world, _) = desk(65);
    let now = world.now;
    world.guests[0].phone.write(now, "/w hello");
    world.drain();
    assert!(world.texts().iter().all(Vec::is_empty));
    let is_text =
        |kind: &EventKind| matches!(kind, EventKind::Text { .. } | EventKind::WhisperText { .. });
    assert!(!world.events.iter().any(|event| is_text(&event.kind)));
    assert_eq!(world.board.stats().refusals.get("not_allowed"), Some(&1));
}
