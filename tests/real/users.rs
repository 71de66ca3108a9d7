//! Users with passwords: baresip registers by digest, and calls; wrong ones stay outside.

use serde_json::json;

use crate::baresip::{Caller, Codec};
use crate::program::{Folder, signal};
use crate::server::Server;
use crate::sipp::Sipp;
use crate::{shared_machine, until};

/// The lines of a user. SIPp and baresip know MD5 only, and take the first challenge for the only
/// one.
fn user(name: &str, password: &str) -> String {
    let lines = convoke::access::UserLines { name, realm: "convoke", password }.to_string();
    let lines: Vec<&str> = lines.lines().filter(|line| !line.contains("sha256")).collect();
    lines.join("\n") + "\n"
}

/// A server that knows alice, whose password is `wonder`, and nobody else; its folder lives as long
/// as it does.
fn server(folder: &Folder, more: &[&str]) -> Server {
    let path = folder.join("convoke.toml");
    std::fs::write(&path, user("alice", "wonder")).unwrap();
    let path = path.display().to_string();
    Server::start(&[&["--rtp-ports", "62000-62999", "--config", &path], more].concat())
}

const ALICE: Caller =
    Caller { name: "alice", codec: Codec::PCMU, transport: "udp", tone_hz: 600.0 };

#[test]
fn baresip_registers_and_calls_by_its_password() {
    let _machine = shared_machine();
    let folder = Folder::new();
    let server = server(&folder, &[]);
    let _phone = ALICE.register(&server, "wonder", "standup");
    until("a registration", || {
        let users = server.get("registrations");
        (users[0]["user"] == "alice" && users[0]["contacts"].as_array()?.len() == 1).then_some(())
    });
    until("a call", || (server.metric("convoke_conferences") == 1.0).then_some(()));
    assert_eq!(server.metric("convoke_registered_phones"), 1.0);
}

#[test]
fn a_user_that_is_written_into_the_file_is_let_in_on_hangup_and_calls_go_on() {
    let _machine = shared_machine();
    let folder = Folder::new();
    let server = server(&folder, &[]);
    let _alice = ALICE.register(&server, "wonder", "room");
    server.connected("room", 1);
    let path = folder.join("convoke.toml");
    let both = user("alice", "wonder") + &user("bob", "builder");
    std::fs::write(&path, &both).unwrap();
    signal(&server.process, "HUP");
    until("the rules", || server.log().contains("were read anew").then_some(()));
    let bob = Caller { name: "bob", ..ALICE };
    let _bob = bob.register(&server, "builder", "room");
    server.connected("room", 2);

    std::fs::write(&path, both + "[users.carol]\npassword = 7\n").unwrap();
    signal(&server.process, "HUP");
    until("a complaint", || server.log().contains("the rules stay as they were").then_some(()));
    server.connected("room", 2);
}

#[test]
fn baresip_with_a_wrong_password_stays_outside() {
    let _machine = shared_machine();
    let folder = Folder::new();
    let server = server(&folder, &[]);
    let _phone = ALICE.register(&server, "guess", "standup");
    let wrong = r#"convoke_sip_turned_away_total{reason="wrong credentials"}"#;
    until("a refusal", || server.page("/metrics").contains(wrong).then_some(()));
    assert_eq!(server.get("registrations"), json!([]));
    assert_eq!(server.get("conferences"), json!([]));
    assert_eq!(server.metric("convoke_rtp_ports_in_use"), 0.0);
}

#[test]
fn sipp_calls_with_its_credentials_and_not_without() {
    let _machine = shared_machine();
    let folder = Folder::new();
    let server = server(&folder, &[]);
    let as_alice = |password| ["-m", "1", "-s", "room", "-au", "alice", "-ap", password];
    Sipp::call(server.sip, "digest", &as_alice("wonder")).succeeds();
    // It tries for as long as it is let.
    let _refused = Sipp::call(server.sip, "digest", &as_alice("guess"));
    let wrong = r#"convoke_sip_turned_away_total{reason="wrong credentials"}"#;
    until("a refusal", || server.page("/metrics").contains(wrong).then_some(()));
    let answered = r#"convoke_calls_total{direction="inbound",result="answered"}"#;
    assert_eq!(server.metric(answered), 1.0);
}
