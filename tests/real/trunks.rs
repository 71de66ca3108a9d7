//! Calls to the telephone network: SIPp and baresip as the gateways.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::baresip::{Caller, Codec, listen};
use crate::ear::{Heard, Sound};
use crate::program::{Folder, ended, signal};
use crate::server::Server;
use crate::sipp::Sipp;
use crate::{shared_machine, until, whole_machine};

/// A server with that configuration and the carrier's password.
fn server(folder: &Folder, config: &str) -> Server {
    let path = folder.join("convoke.toml");
    std::fs::write(&path, config).unwrap();
    Server::start_as(&["--config", &path.display().to_string()], |command| {
        command.env("CARRIER", "secret");
    })
}

#[test]
fn a_call_goes_past_a_full_gateway_to_one_that_takes_our_password() {
    let _machine = shared_machine();
    let (full, gateway) = (Sipp::wait("congested", &[]), Sipp::wait("gateway", &[]));
    let folder = Folder::new();
    let config = format!(
        "[access]\ntrusted = [\"127.0.0.0/8\"]\n\
         [trunks.full]\nproxy = \"sip:{}\"\nprobe_s = 0\n\
         [trunks.carrier]\nprobe_s = 0\nproxy = \"sip:{}\"\noutbound = [[\"+49%\", \"0$1\"]]\n\
         account = {{ user = \"us\", password_env = \"CARRIER\", realm = \"carrier\" }}\n\
         [[routes]]\nmatch = \"+%\"\nnumber = \"+$1\"\ntrunks = [\"full\", \"carrier\"]\n",
        full.address, gateway.address
    );
    let server = server(&folder, &config);
    server.ask("POST", "conferences/out/parties", r#"{"target": "tel:+49-30-123"}"#);
    full.succeeds();
    server.connected("out", 1);
    server.ask("DELETE", "conferences/out", "");
    gateway.succeeds();
}

#[test]
fn we_register_with_a_carrier_that_checks_our_password() {
    let _machine = shared_machine();
    let carrier = Sipp::wait("registrar", &[]);
    let folder = Folder::new();
    let config = format!(
        "[trunks.carrier]\nproxy = \"sip:{}\"\nprobe_s = 0\nregister_s = 3600\n\
         account = {{ user = \"us\", password_env = \"CARRIER\", realm = \"carrier\" }}\n",
        carrier.address
    );
    let server = server(&folder, &config);
    carrier.succeeds();
    until("a registration", || {
        (server.get("trunks")[0]["registration"] == "registered").then_some(())
    });
    assert_eq!(server.metric(r#"convoke_trunk_registered{trunk="carrier"}"#), 1.0);
    assert_eq!(server.get("trunks")[0]["state"], "unknown");
}

#[test]
fn a_server_that_is_asked_to_end_takes_leave_of_the_carrier() {
    let _machine = shared_machine();
    let carrier = Sipp::wait("left", &[]);
    let folder = Folder::new();
    let config = format!(
        "[trunks.carrier]\nproxy = \"sip:{}\"\nprobe_s = 0\nregister_s = 3600\n\
         account = {{ user = \"us\", password_env = \"CARRIER\", realm = \"carrier\" }}\n",
        carrier.address
    );
    let mut server = server(&folder, &config);
    until("a registration", || {
        (server.get("trunks")[0]["registration"] == "registered").then_some(())
    });
    signal(&server.process, "TERM");
    let asked = Instant::now();
    carrier.succeeds();
    assert_eq!(ended("the server", &mut server.process).code(), Some(0));
    assert!(asked.elapsed() <= Duration::from_secs(4), "{:?}", asked.elapsed());
}

/// Who sits at a desk, and whom a number reaches by the gateway.
const CALLERS: [Caller; 2] = [
    Caller { name: "ada", codec: Codec::OPUS, transport: "udp", tone_hz: 437.0 },
    Caller { name: "0301234", codec: Codec::PCMA, transport: "udp", tone_hz: 577.0 },
];

#[test]
fn a_number_that_is_brought_in_by_a_trunk_hears_and_is_heard() {
    let _machine = whole_machine();
    let [desk, number] = CALLERS;
    let (far_end, address) = number.wait();
    let folder = Folder::new();
    let config = format!(
        "[access]\ntrusted = [\"127.0.0.0/8\"]\n\
         [trunks.carrier]\nproxy = \"sip:{}\"\nprobe_s = 0\noutbound = [[\"+49%\", \"0$1\"]]\n\
         [[routes]]\nmatch = \"+%\"\nnumber = \"+$1\"\ntrunks = [\"carrier\"]\n\
         [[routes]]\nmatch = \"*\"\nconference = \"$1\"\n",
        address.rsplit('@').next().unwrap(),
    );
    let server = server(&folder, &config);
    let ada = desk.call(&server, "desk");
    server.connected("desk", 1);
    server.ask("POST", "conferences/desk/parties", r#"{"target": "tel:+49-30-1234"}"#);
    let view = server.connected("desk", 2);
    assert_eq!(view["parties"][1]["direction"], "outbound");
    let mut phones = [ada, far_end];
    listen(&phones, 3_000);
    let tones_hz = CALLERS.map(|caller| caller.tone_hz);
    for (at, phone) in phones.iter_mut().enumerate() {
        let heard = Heard::in_file(&phone.hang_up(), &tones_hz);
        let other = BTreeSet::from([Sound::Phone(1 - at)]);
        assert!(heard.phases().contains(&other), "{at}: {:?}", heard.windows);
        let strange = heard.phases_from(&other).iter().any(|phase| !phase.is_subset(&other));
        assert!(!strange, "{at}: {:?}", heard.windows);
    }
}
