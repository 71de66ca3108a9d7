//! Rules that are others while calls are up.

use std::collections::BTreeMap;

use model::{SrtpKeys, SrtpPolicy};
use sip::access::Access;
use switchboard::{HouseRules, Input, Room};

use crate::house::{House, Phone, statuses};
use crate::trunks::{gateway, with};

/// Goes by that from now on.
fn reload(house: &mut House, access: Access) {
    reload_with(house, access, SrtpPolicy::Off);
}

fn reload_with(house: &mut House, access: Access, srtp: SrtpPolicy) {
    let any_room = Room {
        record: false,
        recording_rate: model::TapRate::Hz16000,
        parties_max: 10,
        profile: call::open(),
    };
    let rules = HouseRules {
        access,
        srtp,
        srtp_keys: SrtpKeys::Secure,
        srtp_by_user: BTreeMap::new(),
        trunk_audio: BTreeMap::new(),
        rooms: BTreeMap::new(),
        callers: BTreeMap::new(),
        any_room,
    };
    house.input(Input::Rules(Box::new(rules)));
}

#[test]
fn a_call_by_a_trunk_that_is_gone_goes_on_and_ends_and_no_other_comes_in() {
    let mut house = with(|_| {});
    house.board.watch_trunks(house.now);
    let from = |number: u8, id: u8| Phone { address: gateway(number), ..Phone::new("030999", id) };
    let mut caller = from(1, 99);
    caller.dial(&mut house, "0307", "");
    house.run(1_000);
    assert_eq!(house.board.conferences().count(), 1);
    house.take(gateway(1));

    reload(&mut house, Access { trunks: BTreeMap::new(), routes: Vec::new(), ..Access::local() });
    // The probe that was on its way is given up by then.
    house.run(60_000);
    house.take(gateway(1));
    house.run(60_000);
    assert_eq!(house.board.stats().trunks, []);
    let probes = house.take(gateway(1));
    assert!(probes.is_empty(), "nobody asks it any more: {probes:?}");
    assert_eq!(house.board.conferences().count(), 1, "whoever talks goes on");
    assert_eq!(statuses(&caller.outside("call-2").call(&mut house, "0308", "")), [401]);
    assert_eq!(statuses(&caller.send(&mut house, "BYE", "")), [200]);
    assert_eq!(house.board.conferences().count(), 0);
}

#[test]
fn who_must_have_srtp_from_now_on_has_no_call_without_and_who_talks_goes_on() {
    let mut house = House::new();
    let mut ada = Phone::new("ada", 1);
    ada.join(&mut house);
    reload_with(&mut house, Access::everybody(), SrtpPolicy::Required);
    let refused = Phone::new("ben", 2).call(&mut house, "room", "");
    assert_eq!(statuses(&refused).last(), Some(&488));
    assert!(house.board.has_calls());
    reload_with(&mut house, Access::everybody(), SrtpPolicy::Off);
    Phone::new("cleo", 3).dial(&mut house, "room", "");
    assert_eq!(statuses(&ada.send(&mut house, "BYE", "")), [200]);
}
