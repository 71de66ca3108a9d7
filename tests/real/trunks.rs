//! Calls to the telephone network: SIPp as the gateways.

use crate::program::Folder;
use crate::server::Server;
use crate::sipp::Sipp;
use crate::{shared_machine, until};

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
