//! SIPp's calls: many at once, and each unusual one by itself.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;

use audio::tone::Sine;
use audio::{Codec, Encoder, EncoderSettings};
use serde_json::{Value, json};

use crate::server::Server;
use crate::sipp::Sipp;
use crate::{PATIENCE, shared_machine, until, whole_machine};

/// How long a call of an unusual kind stands or rings [ms].
const STANDING_MS: &str = "500";

fn server() -> Server {
    Server::start(&["--rtp-ports", "63000-63999"])
}

/// A second of a tone, as PCMU payloads one after the other.
pub(crate) fn tone() -> Vec<u8> {
    let mut sine = Sine::new(500.0, 1_000, 8_000);
    let pcm: Vec<i16> = (0..8_000).map(|_| sine.next_sample()).collect();
    let mut encoder = Encoder::new(EncoderSettings::of(Codec::Pcmu)).unwrap();
    let mut bytes = vec![0; 8_000];
    for (frame, out) in pcm.chunks(160).zip(bytes.chunks_mut(160)) {
        assert_eq!(encoder.encode(frame, out), 160);
    }
    bytes
}

/// Invites SIPp into a conference; gives the party's path in the API.
fn invite(server: &Server, conference: &str, sipp: &Sipp) -> String {
    let target = json!({ "target": format!("sip:uas@{}", sipp.address) });
    let accepted =
        server.ask("POST", &format!("conferences/{conference}/parties"), &target.to_string());
    // By its id, for a conference that has ended can be asked for by that only.
    let [conference, party] = ["conference", "party"].map(|key| accepted[key].as_str().unwrap());
    format!("conferences/{conference}/parties/{party}")
}

/// Waits until a party does something; with what it is given by [`invite`].
fn party_is(server: &Server, path: &str, state: &str) {
    until(&format!("{path} {state}"), || (server.get(path)["state"] == state).then_some(()));
}

/// The reason for which the first that left a conference is gone, once somebody is.
fn reason(server: &Server, party: &str) -> Value {
    let conference = party.split("/parties").next().unwrap();
    until("somebody to leave", || {
        let events = server.get(&format!("{conference}/events"));
        let mut events = events.as_array().unwrap().iter();
        events.find(|event| event["type"] == "participant.left").map(|left| left["reason"].clone())
    })
}

#[test]
fn two_hundred_calls_into_twenty_rooms_all_end_well() {
    let _machine = whole_machine();
    let server = server();
    let mut rooms = "SEQUENTIAL\n".to_owned();
    (1..=20).for_each(|room| writeln!(rooms, "room-{room};").unwrap());
    let files = [("rooms.csv", rooms.as_bytes()), ("tone.pcmu", &tone())];
    let load = ["-inf", "rooms.csv", "-r", "100", "-m", "200", "-l", "200", "-d", "4000"];
    let sipp = Sipp::call_with(server.sip, "call", &files, &load);

    until("200 parties in 20 rooms", || {
        let views = server.get("conferences");
        let views = views.as_array().unwrap();
        let rooms = views.iter().map(|view| view["parties"].as_array().unwrap().len());
        (rooms.collect::<Vec<_>>() == [10; 20]).then_some(())
    });
    let closing = sipp.succeeds();
    println!("{}", closing.text);
    assert_eq!(closing.count("SuccessfulCall(C)"), 200);
    assert_eq!(closing.count("FailedCall(C)"), 0);

    until("the conferences' end", || (server.metric("convoke_conferences") == 0.0).then_some(()));
    for (series, count) in [
        (r#"convoke_calls_total{direction="inbound",result="answered"}"#, 200.0),
        (r#"convoke_sip_requests_total{method="INVITE",code="200"}"#, 200.0),
        (r#"convoke_sip_requests_total{method="BYE",code="200"}"#, 200.0),
    ] {
        assert_eq!(server.metric(series), count, "{series}");
    }
    // Each speaks 50 packets a second for four seconds; half of that says that all did.
    let received = server.metric("convoke_rtp_packets_received_total");
    assert!(received > 20_000.0, "{received} packets");
    until("the ports' end", || (server.metric("convoke_rtp_ports_in_use") == 0.0).then_some(()));
    assert_eq!(server.page("/healthz").trim(), "ok");
    println!("{}", server.page("/metrics"));
}

#[test]
fn a_call_over_tcp_is_a_call() {
    let _machine = shared_machine();
    let server = server();
    let files = [("rooms.csv", b"SEQUENTIAL\ntcp;\n".as_slice()), ("tone.pcmu", &tone())];
    let one = ["-t", "t1", "-inf", "rooms.csv", "-m", "1", "-d", STANDING_MS];
    Sipp::call_with(server.sip, "call", &files, &one).succeeds();
}

#[test]
fn requests_outside_a_call_get_the_status_that_their_rfc_asks_for() {
    let _machine = shared_machine();
    let server = server();
    for transport in ["u1", "t1"] {
        Sipp::call(server.sip, "outside", &["-m", "1", "-t", transport]).succeeds();
    }
}

#[test]
fn a_call_without_a_codec_in_common_or_without_a_good_name_is_refused() {
    let _machine = shared_machine();
    let server = server();
    Sipp::call(server.sip, "refused", &["-m", "1", "-s", "room"]).succeeds();
    assert_eq!(server.get("conferences"), json!([]));
}

#[test]
fn an_invite_without_a_description_is_offered_one() {
    let _machine = shared_machine();
    let server = server();
    let sipp = Sipp::call(server.sip, "late_offer", &["-m", "1", "-s", "late", "-d", STANDING_MS]);
    let view = server.connected("late", 1);
    assert_eq!(view["parties"][0]["codec"], "PCMU");
    sipp.succeeds();
}

#[test]
fn a_phones_own_hold_key_holds_it_and_brings_it_back() {
    let _machine = shared_machine();
    let server = server();
    let sipp = Sipp::call(server.sip, "hold", &["-m", "1", "-s", "desk", "-d", STANDING_MS]);
    let id = server.connected("desk", 1)["id"].as_str().unwrap().to_owned();
    sipp.succeeds();
    let events = server.get(&format!("conferences/{id}/events"));
    let kinds = events.as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap());
    let told = ["participant.joined", "participant.held", "participant.resumed"];
    assert_eq!(kinds.filter(|kind| told.contains(kind)).collect::<Vec<_>>(), told);
}

/// Sends an INVITE and at once its CANCEL over TCP, and gives the status of the INVITE.
///
/// SIPp and all phones wait for a provisional response first (RFC 3261 §9.1), and in that time the
/// server has answered.
fn invite_and_cancel(server: &Server) -> u16 {
    let mut stream = TcpStream::connect(server.sip).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (own, sip) = (stream.local_addr().unwrap(), server.sip);
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
               m=audio 9 RTP/AVP 0\r\n";
    let head = |method: &str| {
        format!(
            "{method} sip:never@{sip} SIP/2.0\r\nVia: SIP/2.0/TCP {own};branch=z9hG4bK{own}\r\n\
             From: <sip:hasty@{own}>;tag=1\r\nTo: <sip:never@{sip}>\r\nCall-ID: {own}\r\n\
             CSeq: 1 {method}\r\nMax-Forwards: 70\r\n"
        )
    };
    let invite = format!(
        "{}Contact: <sip:hasty@{own};transport=tcp>\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{sdp}",
        head("INVITE"),
        sdp.len()
    );
    let cancel = format!("{}Content-Length: 0\r\n\r\n", head("CANCEL"));
    stream.write_all((invite + &cancel).as_bytes()).unwrap();

    let mut said = String::new();
    loop {
        let mut part = [0; 4_096];
        let length = stream.read(&mut part).unwrap();
        assert!(length > 0, "closed after {said}");
        said += std::str::from_utf8(&part[..length]).unwrap();
        let status = |method: &str| {
            let end = format!("CSeq: 1 {method}");
            let responses = said.split("SIP/2.0 ").filter(|response| response.contains(&end));
            let mut statuses = responses.filter_map(|response| response.get(..3)?.parse().ok());
            statuses.find(|status| *status >= 200)
        };
        if let (Some(invite), Some(cancel)) = (status("INVITE"), status("CANCEL")) {
            assert_eq!(cancel, 200u16, "{said}");
            return invite;
        }
    }
}

#[test]
fn of_a_call_that_is_given_up_at_once_both_sides_know_whether_it_was_taken() {
    let _machine = shared_machine();
    let server = server();
    // A room answers in the turn in which it is called, and then the CANCEL has no effect.
    let statuses: Vec<u16> = (0..40).map(|_| invite_and_cancel(&server)).collect();
    println!("{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 487].contains(status)), "{statuses:?}");
    let with = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count() as f64;
    let calls = |result: &str| {
        let labels = format!(r#"{{direction="inbound",result="{result}"}}"#);
        server.metric(&format!("convoke_calls_total{labels}"))
    };
    assert_eq!((calls("answered"), calls("cancelled")), (with(200), with(487)));
}

#[test]
fn an_invited_phone_rings_joins_and_is_hung_up_on() {
    let _machine = shared_machine();
    let server = server();
    let sipp = Sipp::wait("answer", &["-d", STANDING_MS]);
    let party = invite(&server, "team", &sipp);
    party_is(&server, &party, "ringing");
    party_is(&server, &party, "connected");
    server.ask("DELETE", &party, "");
    sipp.succeeds();
    assert_eq!(reason(&server, &party), "removed");
}

#[test]
fn an_invitation_is_withdrawn_while_the_phone_rings() {
    let _machine = shared_machine();
    let server = server();
    let sipp = Sipp::wait("withdrawn", &[]);
    let party = invite(&server, "team", &sipp);
    party_is(&server, &party, "ringing");
    server.ask("DELETE", &party, "");
    sipp.succeeds();
    assert_eq!(reason(&server, &party), "removed");
}

#[test]
fn an_invited_phone_that_is_busy_leaves_with_that_reason() {
    let _machine = shared_machine();
    let server = server();
    let sipp = Sipp::wait("busy", &[]);
    let party = invite(&server, "team", &sipp);
    assert_eq!(reason(&server, &party), "busy");
    sipp.succeeds();
}
