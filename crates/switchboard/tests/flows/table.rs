//! The flows.

use sip::message::HeaderName;

use crate::Flow;
use crate::phone::Manners::{Answers, Forwards, Refuses, Rings};
use crate::world::World;

/// What is to be seen after [`consultation`].
const CONSULTATION: &str =
    "consult: alice carol, room: alice(held) bob | alice talks+talks, bob talks, carol talks";

pub(crate) const FLOWS: &[Flow] = &[
    Flow {
        section: "RFC 3665 2.1, 2.2: registration with a challenge, and its renewal",
        play: |world| {
            world.registering("alice", "alice's password");
            world.stop();
            world.stop();
        },
        stops: &["alice@1 | alice  registered", "alice@1 | alice  registered"],
    },
    Flow {
        section: "RFC 3665 2.5: registration with a wrong password",
        play: |world| {
            world.registering("alice", "another password");
            world.stop();
        },
        stops: &["alice  unregistered"],
    },
    Flow {
        section: "RFC 3665 3.1: a session is established, and the caller ends it",
        play: |world| {
            pair(world);
            world.at(0, |phone, now| phone.hang_up(now, 0));
            world.stop();
        },
        stops: &["room: alice bob | alice talks, bob talks", "room: bob | alice over, bob talks"],
    },
    Flow {
        section: "RFC 3665 3.1: a user is called, and ends the call",
        play: |world| {
            user_called(world, Answers);
            world.stop();
            world.at(1, |phone, now| phone.hang_up(now, 0));
            world.stop();
        },
        stops: &["call: alice bob | alice talks, bob talks", "alice over, bob over"],
    },
    Flow {
        section: "RFC 3665 3.8: nobody answers, and the caller gives up",
        play: |world| {
            user_called(world, Rings);
            world.run(std::time::Duration::from_secs(10));
            world.at(0, |phone, now| phone.hang_up(now, 0));
            world.stop();
        },
        stops: &["alice over, bob over"],
    },
    Flow {
        section: "RFC 3665 3.9: busy",
        play: |world| {
            user_called(world, Refuses(486));
            world.stop();
        },
        stops: &["alice over, bob over"],
    },
    Flow {
        section: "RFC 3665 3.11: temporarily not available",
        play: |world| {
            user_called(world, Refuses(480));
            world.stop();
        },
        stops: &["alice over, bob over"],
    },
    Flow {
        section: "RFC 5359 2.1: call hold",
        play: |world| {
            pair(world);
            world.at(0, |phone, now| phone.hold(now, 0, true));
            world.stop();
            world.at(0, |phone, now| phone.hold(now, 0, false));
            world.stop();
        },
        stops: &[
            "room: alice bob | alice talks, bob talks",
            "room: alice(held) bob | alice talks, bob talks",
            "room: alice bob | alice talks, bob talks",
        ],
    },
    Flow {
        section: "RFC 5359 2.2: consultation hold",
        play: |world| {
            consultation(world);
            world.at(0, |phone, now| phone.hang_up(now, 1));
            world.stop();
            world.at(0, |phone, now| phone.hold(now, 0, false));
            world.stop();
        },
        stops: &[
            CONSULTATION,
            "consult: carol, room: alice(held) bob | alice talks+over, bob talks, carol talks",
            "consult: carol, room: alice bob | alice talks+over, bob talks, carol talks",
        ],
    },
    Flow {
        section: "RFC 5359 2.4, RFC 5589 6.1: unattended transfer",
        play: |world| {
            pair(world);
            refer_to_carol(world, Answers, "");
            world.stop();
        },
        stops: &[
            "room: alice bob | alice talks, bob talks",
            "room: bob carol | alice over transfer 200, bob talks, carol talks",
        ],
    },
    Flow {
        section: "RFC 5589 6.3.1: transfer, target busy",
        play: |world| {
            pair(world);
            refer_to_carol(world, Refuses(486), "");
            world.stop();
        },
        stops: &[
            "room: alice bob | alice talks, bob talks",
            "room: alice bob | alice talks transfer 486, bob talks, carol over",
        ],
    },
    Flow {
        section: "RFC 5589 6.3.2: transfer, target does not answer",
        play: |world| {
            pair(world);
            refer_to_carol(world, Rings, "");
            world.run(std::time::Duration::from_secs(60));
            world.stop();
        },
        stops: &[
            "room: alice bob | alice talks, bob talks",
            "room: alice bob | alice talks transfer 408, bob talks, carol over",
        ],
    },
    Flow {
        section: "RFC 5359 2.5, RFC 5589 7.1: attended transfer",
        play: |world| {
            consultation(world);
            world.at(0, |phone, now| phone.put_together(now, 0, 1));
            world.stop();
        },
        stops: &[
            CONSULTATION,
            "room: bob carol | alice over+over transfer 200, bob talks, carol talks",
        ],
    },
    Flow {
        section: "RFC 5589 7.2: attended transfer, asked for in the consultation",
        play: |world| {
            consultation(world);
            world.at(0, |phone, now| phone.put_together(now, 1, 0));
            world.stop();
        },
        stops: &[
            CONSULTATION,
            "consult: bob carol | alice over+over transfer 200, bob talks, carol talks",
        ],
    },
    Flow {
        section: "RFC 5589 7.6: semi-attended transfer, at first as if the target had answered",
        play: |world| {
            pair(world);
            world.phone("carol", Rings);
            world.bind("carol", &[2]);
            world.call(0, "carol");
            world.run(std::time::Duration::from_secs(5));
            world.at(0, |phone, now| phone.put_together(now, 0, 1));
            world.stop();
            // As it is drawn: the call that rings is given up, and who was to be reached by it is
            // called anew.
            world.at(0, |phone, now| phone.hang_up(now, 1));
            refer_to_carol(world, Answers, "");
            world.stop();
        },
        stops: &[
            "room: alice bob | alice talks, bob talks",
            "call: alice carol(called), room: alice bob | \
             alice talks+talks transfer 491, bob talks, carol rings",
            "room: bob carol | alice over+over transfer 200, bob talks, carol over+talks",
        ],
    },
    Flow {
        section: "RFC 5359 2.7, RFC 3261 8.1.3.4: a phone forwards its calls, which nobody follows",
        play: |world| {
            user_called(world, Forwards("sip:carol@10.0.1.3"));
            world.phone("carol", Answers);
            world.stop();
        },
        stops: &["alice over, bob over, carol "],
    },
    Flow {
        section: "RFC 5359 2.9: a phone forwards its calls, and another of its user answers",
        play: |world| {
            world.phone("alice", Answers);
            world.phone("bob", Forwards("sip:carol@10.0.1.4"));
            world.phone("bob", Answers);
            world.phone("carol", Answers);
            world.bind("bob", &[1, 2]);
            world.call(0, "bob");
            world.stop();
        },
        stops: &["call: alice bob | alice talks, bob over, bob talks, carol "],
    },
    Flow {
        section: "RFC 5589 6.3: transfer, target forwards its calls",
        play: |world| {
            pair(world);
            refer_to_carol(world, Forwards("sip:dave@10.0.1.4"), "");
            world.stop();
        },
        stops: &[
            "room: alice bob | alice talks, bob talks",
            "room: alice bob | alice talks transfer 302, bob talks, carol over",
        ],
    },
    Flow {
        section: "RFC 5359 2.13: incoming call screening",
        play: |world| {
            world.phone("alice", Answers);
            world.call(0, "closed");
            world.stop();
        },
        stops: &["alice over"],
    },
    Flow {
        section: "RFC 5359 2.14: outgoing call screening",
        play: |world| {
            for name in ["alice", "bob"] {
                let phone = world.phone(name, Answers);
                world.call(phone, "quiet");
            }
            world.stop();
            refer_to_carol(world, Answers, ";method=INVITE");
            world.stop();
        },
        stops: &[
            "quiet: alice bob | alice talks, bob talks",
            "quiet: alice bob | alice talks transfer 403, bob talks, carol ",
        ],
    },
    Flow {
        section: "RFC 5359 2.15: call park, and its retrieval",
        play: |world| {
            pair(world);
            let replaces = |world: &World, phone: usize| {
                [(HeaderName::Replaces, world.phones[phone].named(0))]
            };
            let (park, alice) = (world.phone("park", Answers), replaces(world, 0));
            world.at(park, |phone, now| phone.call(now, "anything", &alice));
            world.run(std::time::Duration::from_secs(35));
            world.at(park, |phone, now| phone.hold(now, 0, true));
            world.stop();
            let (carol, parked) = (world.phone("carol", Answers), replaces(world, park));
            world.at(carol, |phone, now| phone.call(now, "anything", &parked));
            world.stop();
        },
        stops: &[
            "room: alice bob | alice talks, bob talks",
            "room: bob park(held) | alice over, bob talks, park talks",
            "room: bob carol | alice over, bob talks, park over, carol talks",
        ],
    },
    Flow {
        section: "RFC 5589 9, RFC 5359 2.10, RFC 4579 5.5: a third party is added by the focus",
        play: |world| {
            pair(world);
            refer_to_carol(world, Answers, ";method=INVITE");
            world.stop();
            let gone = "<sip:carol@10.0.1.3;method=BYE>";
            world.at(0, |phone, now| phone.refer(now, 0, gone));
            world.stop();
        },
        stops: &[
            "room: alice bob | alice talks, bob talks",
            "room: alice bob carol | alice talks transfer 200, bob talks, carol talks",
            "room: alice bob | alice talks transfer 200, bob talks, carol over",
        ],
    },
    Flow {
        section: "RFC 5359 2.11, RFC 3911: a third party joins",
        play: |world| {
            pair(world);
            let carol = world.phone("carol", Answers);
            let joins = [(HeaderName::Join, world.phones[1].named(0))];
            world.at(carol, |phone, now| phone.call(now, "anything", &joins));
            world.stop();
        },
        stops: &[
            "room: alice bob | alice talks, bob talks",
            "room: alice bob carol | alice talks, bob talks, carol talks",
        ],
    },
    Flow {
        section: "RFC 5359 2.12: find me, at one of several phones",
        play: |world| {
            world.phone("alice", Answers);
            world.phone("bob", Rings);
            world.phone("bob", Answers);
            world.bind("bob", &[1, 2]);
            world.call(0, "bob");
            world.stop();
        },
        stops: &["call: alice bob | alice talks, bob over, bob talks"],
    },
    Flow {
        section: "RFC 5359 2.16, RFC 3891: a call is picked up elsewhere",
        play: |world| {
            pair(world);
            let carol = world.phone("carol", Answers);
            let replaces = [(HeaderName::Replaces, world.phones[0].named(0))];
            world.at(carol, |phone, now| phone.call(now, "anything", &replaces));
            world.stop();
        },
        stops: &[
            "room: alice bob | alice talks, bob talks",
            "room: bob carol | alice over, bob talks, carol talks",
        ],
    },
    Flow {
        section: "RFC 5359 2.18: click to dial",
        play: |world| {
            let (alice, bob) = (world.phone("alice", Answers), world.phone("bob", Answers));
            world.invite("room", alice);
            world.invite("room", bob);
            world.stop();
        },
        stops: &["room: alice bob | alice talks, bob talks"],
    },
    Flow {
        section: "RFC 3428: a text to the conference",
        play: |world| {
            pair(world);
            world.at(0, |phone, now| phone.write(now, 0, "I am late"));
            world.stop();
        },
        stops: &[
            "room: alice bob | alice talks, bob talks",
            "room: alice bob | alice talks \"200\", bob talks",
        ],
    },
    Flow {
        section: "S0.21: video is refused, and a recording tells from when on it has none of whom",
        play: |world| {
            let names = ["alice", "bob", "carol"];
            let phones = names.map(|name| world.phone(name, Answers));
            for phone in [0, 2] {
                world.phones[phone].video = true;
            }
            phones[..2].iter().for_each(|phone| world.call(*phone, "room"));
            world.stop();
            world.record("room");
            world.stop();
            world.call(2, "room");
            world.stop();
            // A new offer with video tells it; one that only repeats it does not.
            world.phones[1].video = true;
            world.at(1, |phone, now| phone.hold(now, 0, true));
            world.stop();
            world.at(1, |phone, now| phone.hold(now, 0, false));
            world.stop();
        },
        stops: &[
            "room: alice bob | alice talks, bob talks, carol ",
            "room: alice bob | alice talks, bob talks, carol ",
            "room: alice bob carol | carol unseen at 40 s | alice talks, bob talks, carol talks",
            "room: alice bob(held) carol | bob unseen at 80 s | \
             alice talks, bob talks, carol talks",
            "room: alice bob carol | alice talks, bob talks, carol talks",
        ],
    },
    Flow {
        section: "RFC 4028: sessions that are refreshed stay",
        play: |world| {
            pair(world);
            world.run(std::time::Duration::from_secs(3_600));
            world.stop();
        },
        stops: &[
            "room: alice bob | alice talks, bob talks",
            "room: alice bob | alice talks, bob talks",
        ],
    },
];

/// Alice and bob talk in a room.
fn pair(world: &mut World) {
    for name in ["alice", "bob"] {
        let phone = world.phone(name, Answers);
        world.call(phone, "room");
    }
    world.stop();
}

/// Alice has put bob on hold, and talks with carol.
fn consultation(world: &mut World) {
    for (name, room) in [("alice", "room"), ("bob", "room"), ("carol", "consult")] {
        let phone = world.phone(name, Answers);
        world.call(phone, room);
    }
    world.run(std::time::Duration::from_secs(35));
    world.at(0, |phone, now| phone.hold(now, 0, true));
    world.call(0, "consult");
    world.stop();
}

/// Alice calls bob, who does so when his phone rings.
fn user_called(world: &mut World, manners: crate::phone::Manners) {
    world.phone("alice", Answers);
    world.phone("bob", manners);
    world.bind("bob", &[1]);
    world.call(0, "bob");
}

/// Alice refers the room to carol, who does so when her phone rings.
fn refer_to_carol(world: &mut World, manners: crate::phone::Manners, more: &str) {
    match world.phones.get_mut(2) {
        Some(carol) => carol.manners = manners,
        None => {
            world.phone("carol", manners);
        }
    }
    let to = format!("<sip:carol@10.0.1.3{more}>");
    world.at(0, |phone, now| phone.refer(now, 0, &to));
}
