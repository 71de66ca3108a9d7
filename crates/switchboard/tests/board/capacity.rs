//! How many calls a trunk takes.

use crate::house::{House, Phone, statuses};
use crate::trunks::{calls, with};

#[test]
fn a_trunk_takes_as_many_calls_as_it_may_and_the_next_takes_the_rest() {
    let mut house = with(|trunks| {
        trunks.get_mut("first").unwrap().calls_max = 1;
        trunks.get_mut("second").unwrap().calls_per_second_max = 1;
        trunks.remove("third");
    });
    let mut answers = Vec::new();
    for number in [1, 2, 3, 4] {
        let mut phone = Phone::new("phone", number);
        phone.call_id = format!("call-{}", phone.address);
        answers.extend(statuses(&phone.call(&mut house, "930123", "")).pop());
    }
    assert_eq!(answers, [200, 200, 503, 503]);
    assert_eq!((calls(&mut house, 1).len(), calls(&mut house, 2).len()), (1, 1));
    assert_eq!(house.board.stats().refusals.get("no_trunk"), Some(&2));
    house.run(1_000);
    // The calls that wait for an answer have been repeated.
    calls(&mut house, 1);
    calls(&mut house, 2);
    let mut later = Phone::new("later", 5);
    later.dial(&mut house, "930123", "");
    assert_eq!((calls(&mut house, 1).len(), calls(&mut house, 2).len()), (0, 1));
}

/// A carrier refuses what is over its rate, so no second that it may begin to count at holds more.
#[test]
fn a_trunk_gets_no_more_calls_in_any_second_than_it_takes_in_one() {
    let mut house = with(|trunks| trunks.get_mut("first").unwrap().calls_per_second_max = 2);
    let mut number = 0;
    let mut by_first = |house: &mut House| {
        number += 1;
        let mut phone = Phone::new("phone", number);
        phone.call_id = format!("call-{}", phone.address);
        phone.dial(house, "930123", "");
        calls(house, 1).len()
    };
    assert_eq!(by_first(&mut house), 1);
    house.run(900);
    calls(&mut house, 1);
    assert_eq!(by_first(&mut house), 1);
    house.run(200);
    calls(&mut house, 1);
    // 200 ms after the second call and 1.1 s after the first one there is room for one.
    assert_eq!([by_first(&mut house), by_first(&mut house)], [1, 0]);
    house.run(800);
    calls(&mut house, 1);
    assert_eq!([by_first(&mut house), by_first(&mut house)], [1, 0]);
}
