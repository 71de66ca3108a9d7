//! Phones of another maker whose audio is protected by SRTP.

use std::collections::BTreeSet;

use serde_json::json;

use crate::baresip::{Caller, Codec, Phone, listen};
use crate::ear::{Heard, Sound};
use crate::program::Folder;
use crate::server::Server;
use crate::{shared_machine, until, whole_machine};

const ADA: Caller = Caller { name: "ada", codec: Codec::PCMU, transport: "udp", tone_hz: 437.0 };
const BEN: Caller = Caller { name: "ben", codec: Codec::OPUS, transport: "tcp", tone_hz: 577.0 };
const CLEO: Caller = Caller { name: "cleo", codec: Codec::G722, transport: "udp", tone_hz: 727.0 };

/// What baresip's account says: no call without SRTP, or with it if the other end can.
const MANDATORY: &str = ";mediaenc=srtp-mand";
const IF_IT_CAN: &str = ";mediaenc=srtp";

/// What baresip writes into its log.
const PROTECTED: &str = "SRTP is Enabled";

/// A server with that policy that takes keys by UDP, too; its folder lives as long as it does.
fn server(folder: &Folder, policy: &str, ports: &str) -> Server {
    let path = folder.join("convoke.toml");
    let rules = format!("srtp = \"{policy}\"\nsrtp_keys = \"any\"\n");
    std::fs::write(&path, rules).unwrap();
    Server::start(&["--rtp-ports", ports, "--config", path.to_str().unwrap()])
}

fn refused(phone: &Phone) {
    until("a refusal", || phone.said().contains("488 Not Acceptable").then_some(()));
}

#[test]
fn baresip_hears_and_is_heard_by_srtp_beside_a_plain_phone() {
    let _machine = whole_machine();
    let folder = Folder::new();
    let server = server(&folder, "optional", "64400-64499");
    let mut phones = [
        ADA.call_with(&server, "vault", MANDATORY),
        BEN.call_with(&server, "vault", IF_IT_CAN),
        CLEO.call(&server, "vault"),
    ];
    server.connected("vault", 3);
    listen(&phones, 4_000);
    let protected = phones.each_ref().map(|phone| phone.said().contains(PROTECTED));
    let tones = [ADA, BEN, CLEO].map(|caller| caller.tone_hz);
    let heard = phones.each_mut().map(|phone| Heard::in_file(&phone.hang_up(), &tones).phases());
    println!("ada, ben and cleo heard: {heard:?}");
    assert_eq!(protected, [true, true, false]);
    for (listener, heard) in heard.iter().enumerate() {
        let others: BTreeSet<Sound> =
            (0..3).filter(|other| *other != listener).map(Sound::Phone).collect();
        assert!(heard.contains(&others), "{listener} heard {heard:?}");
    }
    // baresip opens its NAT by RTCP, once before its keys are in place and once after.
    let unauthentic = server.metric("convoke_srtp_packets_unauthentic_total");
    assert!(unauthentic <= 2.0, "{unauthentic} packets were not authentic");
}

#[test]
fn where_srtp_is_required_a_plain_phone_is_refused_and_one_is_called_with_it() {
    let _machine = shared_machine();
    let folder = Folder::new();
    let server = server(&folder, "required", "64500-64599");
    assert!(server.log().contains("its keys can be read"), "{}", server.log());
    refused(&CLEO.call(&server, "vault"));
    let (ben, address) = BEN.wait_with(MANDATORY);
    let ada = ADA.call_with(&server, "vault", MANDATORY);
    server.connected("vault", 1);
    let target = json!({ "target": format!("{address};transport=tcp") });
    server.ask("POST", "conferences/vault/parties", &target.to_string());
    server.connected("vault", 2);
    listen([&ada, &ben], 1_000);
    assert!(ben.said().contains(PROTECTED) && ada.said().contains(PROTECTED));
    assert!(!server.log().contains("inline:"), "{}", server.log());
}

#[test]
fn where_srtp_is_off_a_phone_that_must_have_it_is_refused() {
    let _machine = shared_machine();
    let folder = Folder::new();
    let server = server(&folder, "off", "64600-64699");
    refused(&ADA.call_with(&server, "vault", MANDATORY));
    let _plain = BEN.call_with(&server, "vault", IF_IT_CAN);
    server.connected("vault", 1);
}

#[test]
fn where_keys_go_by_tls_only_a_phone_without_it_is_refused() {
    let _machine = shared_machine();
    let server = Server::start_with_tls_and("srtp = \"required\"\n");
    assert!(!server.log().contains("its keys can be read"), "{}", server.log());
    let by_tls = Caller { transport: "tls", ..BEN };
    let ben = by_tls.call_with(&server, "vault", MANDATORY);
    server.connected("vault", 1);
    let ada = ADA.call_with(&server, "vault", MANDATORY);
    until("why it is refused", || ada.said().contains("488 Keys for SRTP").then_some(()));
    until("which setting helps", || server.log().contains("srtp_keys = \"any\"").then_some(()));
    until("SRTP", || ben.said().contains(PROTECTED).then_some(()));
}
