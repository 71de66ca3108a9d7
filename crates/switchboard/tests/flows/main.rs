//! The flows of RFC 3665, 5359 and 5589 that end at this server, with phones around it, in virtual
//! time: each as it should be, and with each of its messages lost once, doubled once, and overtaken
//! once by the one after it. However it goes, it ends as it should.
#![expect(clippy::unwrap_used, reason = "a test's hands may fail with it")]

mod phone;
mod table;
mod world;

use world::{Mishap, World};

/// One flow.
struct Flow {
    /// Where it is drawn.
    section: &'static str,
    /// What happens.
    play: fn(&mut World),
    /// What is to be seen at each stop: who is where, and what the phones show.
    stops: &'static [&'static str],
}

fn stops(flow: &Flow, mishap: Option<(usize, Mishap)>) -> World {
    let mut world = World::new(mishap);
    (flow.play)(&mut world);
    world.end();
    world
}

/// How the stops of a flow differ from what they should be, if they do.
fn difference(flow: &Flow, mishap: Option<(usize, Mishap)>) -> Option<String> {
    let world = stops(flow, mishap);
    assert!(world.mishap.is_none(), "{}: {mishap:?} did not happen", flow.section);
    let (came, expected) = (&world.stops, flow.stops);
    (came != expected).then(|| {
        let Flow { section, .. } = flow;
        format!("{section} {mishap:?}\n{}came {came:#?}, not {expected:#?}\n", world.ladder)
    })
}

#[test]
fn every_flow_goes_as_it_is_drawn() {
    let wrong: Vec<String> =
        table::FLOWS.iter().filter_map(|flow| difference(flow, None)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// It is no rare misfortune: in a day of a thousand calls on a bad line each of them happens.
#[test]
fn every_flow_ends_the_same_with_any_message_lost_doubled_or_overtaken() {
    let (mut runs, mut wrong) = (0, Vec::new());
    for flow in table::FLOWS {
        let messages = stops(flow, None).messages;
        assert!(messages > 2, "{} has {messages} messages", flow.section);
        let mishaps = (0..messages).flat_map(|message| Mishap::ALL.map(|how| (message, how)));
        for mishap in mishaps {
            runs += 1;
            wrong.extend(difference(flow, Some(mishap)));
        }
    }
    let (count, first) = (wrong.len(), wrong.iter().take(12).cloned().collect::<Vec<_>>());
    assert!(wrong.is_empty(), "{count} of {runs} runs\n{}", first.join("\n"));
    assert!(runs > 1_000, "only {runs} runs");
}
