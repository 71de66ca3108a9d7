//! Keys for SRTP where they may go by TLS only.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use model::command::Target;
use model::registration::Contact;
use model::{
    Author, Command, CommandId, ConferenceName, ConferenceRef, Registration, SrtpKeys, SrtpPolicy,
    Verb,
};
use sip::access::Access;
use sip::message::Message;
use switchboard::SrtpRules;

use crate::house::{House, Phone, SERVER, SERVER_BY_TLS, description, statuses};

/// Ada must have SRTP, the others may; no key goes without TLS.
fn house(any: SrtpPolicy) -> House {
    let mut access = Access::everybody();
    access.users.insert("ada".to_owned(), sip::digest::Secrets::default());
    let users = BTreeMap::from([("ada".to_owned(), SrtpPolicy::Required)]);
    let rules = SrtpRules { any, users, secret: [1; 32], ..SrtpRules::default() };
    House::protecting(access, BTreeMap::new(), rules)
}

/// A description with a key.
fn protected(at: SocketAddr, profile: &str) -> String {
    let offer = description(at, "0").replace("RTP/AVP", profile);
    format!("{offer}a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{}\r\n", "A".repeat(40))
}

/// Eve calls the room with a key: the status and the description of the answer.
fn call(house: &mut House, by_tls: bool, profile: &str) -> (u16, String) {
    let mut phone = Phone::new("eve", 1);
    let offer = protected(phone.address, profile);
    let invite = phone.request("INVITE", "Content-Type: application/sdp\r\n", &offer);
    match by_tls {
        true => house.receive_by_tls(phone.address, &invite),
        false => house.receive(phone.address, &invite),
    }
    let messages = house.take(phone.address);
    let body = match messages.last() {
        Some(Message::Response(response)) => response.body.clone(),
        other => panic!("{other:?}"),
    };
    let status = statuses(&messages).pop().unwrap();
    (status, String::from_utf8(body).unwrap())
}

fn called(by_tls: bool, any: SrtpPolicy, profile: &str) -> (u16, String) {
    call(&mut house(any), by_tls, profile)
}

#[test]
fn a_key_that_comes_without_tls_is_not_taken() {
    use SrtpPolicy::{Optional, Required};
    for policy in [Optional, Required] {
        for profile in ["RTP/SAVP", "RTP/AVP"] {
            let (status, answer) = called(true, policy, profile);
            assert!(
                status == 200 && answer.contains("a=crypto:"),
                "{policy:?} {profile}: {answer}"
            );
        }
        assert_eq!(called(false, policy, "RTP/SAVP").0, 488, "{policy:?}");
    }
    assert_eq!(called(false, Required, "RTP/AVP").0, 488);
    let (status, answer) = called(false, Optional, "RTP/AVP");
    assert_eq!((status, answer.contains("a=crypto:")), (200, false), "plain, as it may be");
}

#[test]
fn keys_go_by_tls_only_unless_it_is_said_otherwise() {
    assert_eq!(SrtpRules::default().keys, SrtpKeys::Secure);
}

#[test]
fn who_is_refused_for_its_keys_came_in_clear_is_told_so_and_so_is_the_log_once_a_minute() {
    let mut house = house(SrtpPolicy::Optional);
    for (minutes, lines) in [(0, 1), (0, 1), (1, 2)] {
        house.run(minutes * 60_000);
        let mut phone = Phone::new("eve", 1);
        phone.call_id = format!("call-{minutes}-{lines}-{}", house.keys_in_clear.len());
        let offer = protected(phone.address, "RTP/SAVP");
        let invite = phone.request("INVITE", "Content-Type: application/sdp\r\n", &offer);
        house.receive(phone.address, &invite);
        let messages = house.take(phone.address);
        let Some(Message::Response(refusal)) = messages.last() else { panic!("{messages:?}") };
        let said = (refusal.status.code(), refusal.reason.as_str());
        assert_eq!(said, (488, "Keys for SRTP are taken and told by TLS only."));
        assert_eq!(house.keys_in_clear.len(), lines, "{:?}", house.keys_in_clear);
    }
    assert_eq!(house.keys_in_clear, ["10.0.1.1", "10.0.1.1"]);
    // Who has no keys at all is no such case.
    let (status, _) = call(&mut house, false, "RTP/AVP");
    assert_eq!((status, house.keys_in_clear.len()), (200, 2));
}

/// The offers that come to that address when the room calls this target.
fn offers(house: &mut House, target: &str, at: SocketAddr) -> Vec<String> {
    assert_eq!(call(house, true, "RTP/SAVP").0, 200);
    let room = ConferenceRef::Name(ConferenceName::parse("room").unwrap());
    let verb = Verb::Invite { target: Target::Address(target.to_owned()), role: None };
    house.command(Command::new(CommandId(9), room, Author::Admin, verb)).unwrap();
    let messages = house.take(at).into_iter().filter_map(|message| match message {
        Message::Request(request) => Some(String::from_utf8(request.body).unwrap()),
        Message::Response(_) => None,
    });
    messages.collect()
}

#[test]
fn a_key_is_told_to_nobody_who_cannot_be_called_by_tls() {
    let at: SocketAddr = "10.0.1.9:5060".parse().unwrap();
    let by = |transport: &str| format!("sip:bob@{at};transport={transport}");
    let mut strict = house(SrtpPolicy::Optional);
    // Who may do without is called without.
    let [plain] = &offers(&mut strict, &by("udp"), at)[..] else { panic!("no call") };
    assert!(plain.contains(" RTP/AVP ") && !plain.contains("a=crypto:"), "{plain}");

    // Who may not is called by TLS only, whoever it is …
    let mut required = house(SrtpPolicy::Required);
    assert_eq!(offers(&mut required, &by("udp"), at), [""; 0]);
    assert_eq!(required.keys_in_clear, [by("udp")], "and it is told why");
    let [protected] = &offers(&mut house(SrtpPolicy::Required), &by("tls"), at)[..] else {
        panic!("no call")
    };
    assert!(protected.contains(" RTP/SAVP "), "{protected}");

    // … and so is a user, by how its phone has registered.
    for (transport, local) in [("UDP", SERVER), ("TLS", SERVER_BY_TLS)] {
        let contact = Contact {
            uri: format!("sip:ada@{at};transport={transport}"),
            expires_ms: u64::MAX / 4,
            q_thousandths: 1_000,
            path: Vec::new(),
            transport: transport.to_owned(),
            local: local.parse().unwrap(),
            remote: at,
            call_id: "call".into(),
            cseq: 1,
            user_agent: None,
        };
        let mut house = house(SrtpPolicy::Optional);
        let registration = Registration { user: "ada".to_owned(), contacts: vec![contact] };
        house.board.restore(house.now, vec![registration]);
        let offers = offers(&mut house, &format!("sip:ada@{SERVER}"), at);
        assert_eq!(offers.len(), usize::from(transport == "TLS"), "{transport}: {offers:?}");
        assert_eq!(house.keys_in_clear.len(), usize::from(transport == "UDP"));
        assert!(offers.iter().all(|offer| offer.contains(" RTP/SAVP ")), "{offers:?}");
    }
}
