//! What is agreed anew in a call, while packets by what was agreed before are on their way.

use model::{Codec, LegId, MediaOrder};

use crate::world::{Phone, World, all_together};

/// One who speaks, from whom packets take 40 ms, and one who listens.
fn pair(speaker: Phone) -> World {
    let mut world = World::new();
    let codec = speaker.codec;
    world.enter(0, speaker);
    world.phone(0).network = Box::new(|_| vec![40_000]);
    world.enter(1, Phone::new(1, codec).speaking(1));
    world.route(all_together(0..2));
    world.run_ms(1_000);
    world
}

/// The speaker offers anew as that phone, which takes its place once our answer is there: 40 ms
/// after we gave it.
fn renew(world: &mut World, renewed: Phone) {
    let connection = renewed.terms();
    world.order(MediaOrder::Connect { leg: LegId(0), connection });
    // What we send goes to the new address at once, where nobody counts it yet.
    for _ in 0..8 {
        world.render();
    }
    let before = world.phones.insert(LegId(0), renewed);
    let now_us = (world.turn * 5_000) as f64;
    let renewed = world.phone(0);
    renewed.next_us = now_us;
    renewed.network = before.unwrap().network;
}

#[test]
fn who_moves_to_another_port_is_heard_though_packets_from_the_old_one_come_first() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        let mut world = pair(Phone::new(0, codec).speaking(0));
        let mut renewed = Phone::new(0, codec).speaking(2);
        renewed.address.set_port(7_000);
        renewed.ssrc = 99;
        renew(&mut world, renewed);
        world.run_ms(2_000);
        assert_eq!(world.picture(), [(0, vec![1]), (1, vec![2])], "{codec}");
    }
}
