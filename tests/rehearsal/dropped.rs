//! Calls whose other end is gone without a word.

use std::time::Duration;

use audio::Codec;
use convoke::phone::CallState;
use model::{EventKind, LeaveReason};

use crate::network::FAIR;
use crate::world::World;

const CALLS: usize = 1_000;

/// Parties of each conference.
const PARTIES: usize = 20;

/// After so long a silence a call is ended, where nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(60);

#[test]
fn a_thousand_calls_that_are_dropped_at_once_all_end_in_time_and_nothing_is_left() {
    let mut world = World::new(60, FAIR);
    for number in 0..CALLS {
        let guest = world.guest(Codec::Pcmu);
        world.guests[guest].phone.call(world.now, &format!("room-{}", number / PARTIES));
    }
    let is_up =
        |world: &World| world.guests.iter().all(|guest| *guest.phone.state() == CallState::Up);
    world.run_until(Duration::from_secs(5), is_up);
    assert!(is_up(&world));
    world.run(Duration::from_millis(100));
    assert_eq!((world.views.len(), world.studio.ports_open()), (CALLS / PARTIES, CALLS));

    (0..CALLS).for_each(|guest| world.unplug(guest));
    // Nothing reaches the phones any more, nor does anything come of them.
    world.guests.clear();
    let since = world.events.len();
    let left = |world: &World| {
        let is_lost =
            |kind: &EventKind| matches!(kind, EventKind::Left { reason: LeaveReason::Lost, .. });
        world.events[since..].iter().filter(|event| is_lost(&event.kind)).count()
    };
    world.run(TIMEOUT - Duration::from_secs(1));
    assert_eq!(left(&world), 0, "not before it is due");
    world.run(Duration::from_secs(3));
    assert_eq!(left(&world), CALLS, "and at most two seconds later");
    assert_eq!((world.views.len(), world.studio.ports_open()), (0, 0));
    // Nobody answers the BYEs: they are given up after 64·T1.
    world.run(Duration::from_secs(33));
    assert!(world.board.is_idle());
}
