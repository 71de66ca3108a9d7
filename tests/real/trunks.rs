//! Calls to the telephone network: SIPp as the gateways.

use crate::program::Folder;
use crate::server::Server;
use crate::shared_machine;
use crate::sipp::Sipp;

#[test]
fn a_call_goes_past_a_full_gateway_to_one_that_takes_our_password() {
    let _machine = shared_machine();
    let (full, gateway) = (Sipp::wait("congested", &[]), Sipp::wait("gateway", &[]));
    let folder = Folder::new();
    let path = folder.join("convoke.toml");
    let config = format!(
        "[access]\ntrusted = [\"127.0.0.0/8\"]\n\
         [trunks.full]\nproxy = \"sip:{}\"\n\
         [trunks.carrier]\nproxy = \"sip:{}\"\noutbound = [[\"+49%\", \"0$1\"]]\n\
         account = {{ user = \"us\", password_env = \"CARRIER\", realm = \"carrier\" }}\n\
         [[routes]]\nmatch = \"+%\"\nnumber = \"+$1\"\ntrunks = [\"full\", \"carrier\"]\n",
        full.address, gateway.address
    );
    std::fs::write(&path, config).unwrap();
    let config = path.display().to_string();
    let server = Server::start_as(&["--config", &config], |command| {
        command.env("CARRIER", "secret");
    });
    server.ask("POST", "conferences/out/parties", r#"{"target": "tel:+49-30-123"}"#);
    full.succeeds();
    server.connected("out", 1);
    server.ask("DELETE", "conferences/out", "");
    gateway.succeeds();
}
