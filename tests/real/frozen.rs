//! A phone that is gone without a word: by stopping its process.

use serde_json::Value;

use crate::baresip::{Caller, Codec, listen};
use crate::program::Folder;
use crate::server::Server;
use crate::{until, whole_machine};

const ADA: Caller = Caller { name: "ada", codec: Codec::PCMU, transport: "udp", tone_hz: 437.0 };
const BEN: Caller = Caller { name: "ben", codec: Codec::OPUS, transport: "udp", tone_hz: 577.0 };

/// The first event of a party of that type.
fn event(server: &Server, party: &Value, kind: &str) -> Option<Value> {
    let events = server.get("conferences/desk/events");
    let mut events = events.as_array()?.iter();
    events.find(|event| event["type"] == kind && event["party"] == *party).cloned()
}

#[test]
fn a_phone_that_freezes_is_told_of_and_then_its_call_ends_and_the_other_stays() {
    let _machine = whole_machine();
    let folder = Folder::new();
    let config = folder.join("convoke.toml");
    std::fs::write(&config, "rtp_timeout_s = 8\n").unwrap();
    let server =
        Server::start(&["--rtp-ports", "64800-64899", "--config", config.to_str().unwrap()]);
    let ada = ADA.call(&server, "desk");
    let first = server.connected("desk", 1)["parties"][0]["id"].clone();
    let ben = BEN.call(&server, "desk");
    let view = server.connected("desk", 2);
    let second = &view["parties"][1]["id"];
    listen([&ada, &ben], 3_000);
    assert_eq!(event(&server, second, "media.one_way"), None);

    ben.freeze();
    let told = until("word of it", || event(&server, second, "media.one_way"));
    assert_eq!(told["way"], "nothing_comes");
    assert_eq!(event(&server, second, "participant.left"), None, "first it is told");
    let left = until("its end", || event(&server, second, "participant.left"));
    assert_eq!(left["reason"], "lost");
    listen([&ada], 1_000);
    assert_eq!(event(&server, &first, "media.one_way"), None);
    assert_eq!(server.connected("desk", 1)["parties"][0]["id"], first);
    assert_eq!(server.metric("convoke_one_way_audio_total{way=\"nothing_comes\"}"), 1.0);
}
