//! Random scripts: joins, leaves, mute, hold by the API and by the phone's key, in fair and foul
//! weather; after every step everybody hears exactly whom they should.

use std::collections::BTreeSet;
use std::time::Duration;

use audio::Codec;
use model::{Chance, Verb};

use crate::network::{FAIR, FOUL};
use crate::world::{MUSIC, World};

/// Scripts, and steps in each. A step is two seconds of audio for each guest.
const SCRIPTS: u64 = 20;
const STEPS: usize = 12;
const GUESTS: usize = 4;

/// What a guest should be; told apart from the product.
#[derive(Debug, Default, Clone, Copy)]
struct Expected {
    present: bool,
    muted: bool,
    held: bool,
    holds: bool,
}

impl Expected {
    fn in_the_room(self) -> bool {
        self.present && !self.held && !self.holds
    }
}

fn expected_sets(guests: &[Expected]) -> Vec<BTreeSet<usize>> {
    let hears = |(listener, at_ear): (usize, &Expected)| {
        if at_ear.present && at_ear.held && !at_ear.holds {
            return BTreeSet::from([MUSIC]);
        }
        guests
            .iter()
            .enumerate()
            .filter(|(speaker, at_mouth)| {
                *speaker != listener
                    && at_ear.in_the_room()
                    && at_mouth.in_the_room()
                    && !at_mouth.muted
            })
            .map(|(speaker, _)| speaker)
            .collect()
    };
    guests.iter().enumerate().map(hears).collect()
}

fn step(world: &mut World, guests: &mut [Expected], chance: &mut Chance) -> String {
    let guest = (chance.draw() % GUESTS as u64) as usize;
    let known = &mut guests[guest];
    if !known.present {
        world.join(guest, "room");
        *known = Expected { present: true, ..Expected::default() };
        return format!("{guest} joins");
    }
    let party = world.party(guest);
    let now = world.now;
    match chance.draw() % 7 {
        0 => {
            world.guests[guest].phone.hang_up(now);
            // A BYE that is lost comes again after half a second.
            world.run(Duration::from_secs(3));
            *known = Expected::default();
            format!("{guest} leaves")
        }
        1 | 2 => {
            known.muted = !known.muted;
            let verb = if known.muted { Verb::Mute { party } } else { Verb::Unmute { party } };
            world.ask("room", verb).unwrap();
            format!("{guest} muted: {}", known.muted)
        }
        3 | 4 => {
            let wished = !known.held;
            let verb = if wished { Verb::Hold { party } } else { Verb::Resume { party } };
            world.ask("room", verb).unwrap();
            known.held = wished;
            format!("{guest} held: {}", known.held)
        }
        _ => {
            known.holds = !known.holds;
            world.guests[guest].phone.hold(now, known.holds);
            world.run(Duration::from_secs(3));
            format!("{guest} holds: {}", known.holds)
        }
    }
}

#[test]
fn after_every_step_of_random_scripts_everybody_hears_exactly_whom_they_should() {
    for seed in 0..SCRIPTS {
        let weather = if seed % 2 == 0 { FAIR } else { FOUL };
        let mut chance = Chance::new(seed);
        let mut world = World::new(seed, weather);
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
            world.guest(codec);
        }
        let mut guests = [Expected::default(); GUESTS];
        let mut story = Vec::new();
        for _ in 0..STEPS {
            story.push(step(&mut world, &mut guests, &mut chance));
            let heard = world.listen();
            assert_eq!(heard, expected_sets(&guests), "seed {seed}: {story:#?}\n{guests:#?}");
        }
    }
}
