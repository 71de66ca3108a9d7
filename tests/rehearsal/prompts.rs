//! Prompts by ear: each is a tone here, so that it is told exactly who hears it.

use std::collections::BTreeSet;
use std::time::Duration;

use audio::Codec;
use audio::music::SIGNATURE_HZ;
use audio::tone::{Ear, Sine};
use media::{Clip, Clips};
use model::keys::RefusedBy;
use model::profile::{HeardBy, Occasion, Permission, Prompted};
use model::{Action, Author, ClipName, EventKind, PromptName, Relation, Role, TapRate, Verb};
use switchboard::Room;

use crate::network::FAIR;
use crate::world::{MUSIC, TONES_HZ, World};

/// What says each prompt, how long it lasts [ms], and what an ear calls it: the numbers after the
/// music.
const PROMPTS: [(&str, f64, usize); 6] = [
    ("transferring", 877.0, 2_000),
    ("recording", 953.0, 2_000),
    ("nobody_available", 1_021.0, 2_000),
    // Long enough that it is heard whether it ends before its time.
    ("enter_pin", 1_097.0, 4_000),
    ("refused", 1_171.0, 2_000),
    ("not_allowed", 1_249.0, 2_000),
];
const TRANSFERRING: usize = MUSIC + 1;
const RECORDING: usize = MUSIC + 2;
const NOBODY_AVAILABLE: usize = MUSIC + 3;
pub const ENTER_PIN: usize = MUSIC + 4;
const REFUSED: usize = MUSIC + 5;
const NOT_ALLOWED: usize = MUSIC + 6;

pub fn set<const N: usize>(heard: [usize; N]) -> BTreeSet<usize> {
    heard.into_iter().collect()
}

fn name(text: &str) -> PromptName {
    PromptName::parse(text).unwrap()
}

/// All of them, in English.
pub fn clips() -> Clips {
    let clip = |(prompt, hz, lasts_ms): (&str, f64, usize)| {
        let mut pcm = vec![0; 16 * lasts_ms];
        Sine::new(hz, 4_000, 16_000).fill(&mut pcm);
        (ClipName::common(&name("en"), &name(prompt)), Clip::new(&pcm, 16_000))
    };
    PROMPTS.into_iter().map(clip).collect()
}

/// A room of a profile with prompts, whose parties may transfer each other.
fn world(seed: u64, record: bool) -> World {
    world_with(seed, record, RefusedBy::Nothing)
}

/// The same, in which keys are refused so.
fn world_with(seed: u64, record: bool, refused: RefusedBy) -> World {
    let mut profile = call::shipped().into_iter().find(|p| p.name == "cinnox").unwrap();
    let row = |when, play, to, recorded| Prompted { when, play: name(play), to, recorded };
    profile.keys.refused = refused;
    profile.prompted = vec![
        row(Occasion::Transferring, "transferring", HeardBy::Customer, false),
        row(Occasion::NobodyAvailable, "nobody_available", HeardBy::Customer, false),
        row(Occasion::Recording, "recording", HeardBy::Everybody, true),
    ];
    profile.permissions.push(Permission {
        role: vec![Role::Admin],
        to: vec![Relation::Customer, Relation::Third],
        may: vec![Action::Transfer],
        when: vec![],
    });
    let (recording_rate, parties_max) = (TapRate::Hz16000, 100);
    let room = Room { record, recording_rate, parties_max, profile };
    let mut world = World::with_prompts(seed, FAIR, room, clips());
    for codec in [Codec::Pcmu, Codec::Opus, Codec::G722, Codec::Pcma] {
        world.guest(codec);
    }
    world
}

fn sounds(pcm: &[i16], rate_hz: u32) -> BTreeSet<usize> {
    let mut candidates = TONES_HZ.to_vec();
    candidates.push(SIGNATURE_HZ[0]);
    candidates.extend(PROMPTS.map(|(_, hz, _)| hz));
    let mut ear = Ear::new(&candidates, rate_hz);
    let frames = pcm.chunks_exact(rate_hz as usize / 50);
    let windows: Vec<_> = frames.filter_map(|frame| ear.push(frame)).collect();
    let sounds_in = |at: &usize| windows.iter().filter(|heard| heard.contains(*at)).count() > 1;
    (0..candidates.len()).filter(sounds_in).collect()
}

/// What sounds at each guest and in the recording from now on for so long.
pub fn listen(world: &mut World, ms: u64) -> (Vec<BTreeSet<usize>>, BTreeSet<usize>) {
    world.studio.take_recorded();
    for guest in &mut world.guests {
        guest.phone.take_heard();
    }
    world.run(Duration::from_millis(ms));
    let heard =
        |guest: &mut crate::world::Guest| sounds(&guest.phone.take_heard(), guest.phone.rate_hz());
    let heard = world.guests.iter_mut().map(heard).collect();
    (heard, sounds(&world.studio.take_mix(), 16_000))
}

fn told(world: &World, prompt: &str) -> (usize, usize) {
    let mut started = Vec::new();
    let mut ended = 0;
    for event in &world.events {
        if let EventKind::AnnouncementStarted { announcement, prompt: said, .. } = &event.kind {
            started.extend((said.as_str() == prompt).then_some(*announcement));
        }
        if let EventKind::AnnouncementEnded { announcement, .. } = &event.kind {
            ended += usize::from(started.contains(announcement));
        }
    }
    (started.len(), ended)
}

#[test]
fn the_customer_alone_hears_that_it_is_being_transferred_then_music_when_it_is_alone() {
    let mut world = world(1, true);
    world.join(0, "room");
    world.join(1, "room");
    // The notice that it is recorded is over.
    world.run(Duration::from_secs(5));
    let party = world.party(1);
    let target = model::command::Target::Address("sip:nobody@10.0.1.77:5060".to_owned());
    world.ask("room", Verb::Transfer { party, target }).unwrap();
    let (heard, recorded) = listen(&mut world, 2_000);
    assert_eq!(heard[0], set([1, TRANSFERRING]));
    assert_eq!(heard[1], set([0]));
    assert_eq!(recorded, set([0, 1]));
    let now = world.now;
    world.guests[1].phone.hang_up(now);
    world.run(Duration::from_secs(1));
    let (heard, recorded) = listen(&mut world, 2_000);
    assert_eq!(heard[0], set([MUSIC]));
    assert_eq!(recorded, set([0]));
    assert_eq!(told(&world, "transferring"), (1, 1));
}

#[test]
fn everybody_and_the_recording_hear_that_it_is_recorded_and_who_comes_later_hears_it_alone() {
    let mut world = world(2, true);
    world.join(0, "room");
    let (heard, recorded) = listen(&mut world, 2_000);
    assert_eq!(heard[0], set([RECORDING]));
    assert_eq!(recorded, set([0, RECORDING]));
    world.run(Duration::from_secs(1));
    world.join(1, "room");
    let (heard, recorded) = listen(&mut world, 2_000);
    assert_eq!(heard[0], set([1]));
    assert_eq!(heard[1], set([0, RECORDING]));
    assert_eq!(recorded, set([0, 1, RECORDING]));
    world.run(Duration::from_secs(1));
    let (heard, recorded) = listen(&mut world, 2_000);
    assert_eq!(heard[..2], [set([1]), set([0])]);
    assert_eq!(recorded, set([0, 1]));
    assert_eq!(told(&world, "recording"), (2, 2));
}

#[test]
fn a_caller_whose_only_other_does_not_come_hears_why_before_its_call_ends() {
    let mut world = world(3, false);
    world.guests[2].phone.behave(convoke::phone::Manner::Rings);
    world.register("guest2", &[2]);
    world.join(0, "guest2");
    world.run(Duration::from_secs(1));
    let now = world.now;
    world.guests[2].phone.refuse(now, sip::message::StatusCode::BUSY_HERE);
    world.drain();
    let (heard, _) = listen(&mut world, 2_000);
    assert_eq!(heard[0], set([NOBODY_AVAILABLE]));
    world.run(Duration::from_secs(2));
    let state = world.guests[0].phone.state().clone();
    assert!(matches!(state, convoke::phone::CallState::Ended(_)), "{state:?}");
    world.run(Duration::from_secs(70));
    assert!(world.board.is_idle(), "something is left of the calls");
}

#[test]
fn a_prompt_that_somebody_wishes_is_said_to_one_and_one_that_is_not_there_is_refused() {
    let mut world = world(4, false);
    world.join(0, "room");
    world.join(1, "room");
    let to = Some(world.party(1));
    let play = |prompt: &str| Verb::Play { prompt: name(prompt), to };
    let refused = world.ask("room", play("hullo"));
    assert_eq!(refused, Err(model::Refusal::NoSuchPrompt));
    let said = world.ask_as(Author::Admin, "room", play("recording")).unwrap();
    let (heard, _) = listen(&mut world, 1_200);
    assert_eq!(heard[..2], [set([1]), set([0, RECORDING])]);
    let announcement = said.announcement.unwrap();
    world.ask("room", Verb::StopPlaying { announcement }).unwrap();
    world.run(Duration::from_millis(300));
    let (heard, _) = listen(&mut world, 1_200);
    assert_eq!(heard[..2], [set([1]), set([0])]);
    assert_eq!(told(&world, "recording"), (1, 1));
}

#[test]
fn who_presses_keys_that_are_refused_hears_it_and_nobody_else_nor_the_recording_does() {
    let cases = [
        (RefusedBy::Tone, set([1, REFUSED])),
        (RefusedBy::Words, set([1, NOT_ALLOWED])),
        (RefusedBy::Nothing, set([1])),
    ];
    for (seed, (by, expected)) in (5..).zip(cases) {
        let mut world = world_with(seed, true, by);
        for guest in 0..3 {
            world.join(guest, "room");
        }
        // The notice that it is recorded is over.
        world.run(Duration::from_secs(3));
        // A customer may not record.
        world.press(0, "#9");
        let (heard, recorded) = listen(&mut world, 1_200);
        let alone = expected.into_iter().chain([2]).collect();
        assert_eq!(heard[..3], [alone, set([0, 2]), set([0, 1])], "{by:?}");
        assert_eq!(recorded, set([0, 1, 2]), "{by:?}");
        world.run(Duration::from_secs(2));
        let (heard, _) = listen(&mut world, 1_200);
        assert_eq!(heard[0], set([1, 2]), "{by:?}: it is said once");
    }
}
