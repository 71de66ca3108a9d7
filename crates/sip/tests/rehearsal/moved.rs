//! Phones that are somewhere else than their calls say.

use sip::SessionId;
use sip::message::{HeaderName, Message, Request, parse};

use crate::knock::{Knocker, codes, guarded};

const HOME: &str = "192.0.2.7:5060";
const ABROAD: &str = "198.51.100.7:6000";

/// Asks with the password of who knocks, from there; gives the last answer's To.
fn show(knocker: &mut Knocker, from: &'static str, method: &str, to: &str, more: &str) -> String {
    (knocker.source, knocker.more) = (from, more.to_owned());
    let answers = knocker.show(method, to);
    assert!(matches!(codes(&answers)[..], [100 | 200]), "{answers:?}");
    answers[0].headers.text(&HeaderName::To).expect("To").into_owned()
}

fn register(knocker: &mut Knocker, from: &'static str, contact: &str) {
    let user = knocker.user;
    show(knocker, from, "REGISTER", user, &format!("Contact: {contact}\r\n"));
}

/// Alice's phone registers from home by that contact, calls and is answered.
fn called(contact: &str) -> (Knocker, SessionId) {
    let mut knocker = Knocker::at(guarded());
    register(&mut knocker, HOME, contact);
    let more = format!("Contact: {}\r\n", contact.split(";+").next().expect("an address"));
    show(&mut knocker, HOME, "INVITE", "room", &more);
    let id = knocker.world.last_session(0);
    knocker.world.accept(0, id).expect("an INVITE that waits");
    let ok = knocker.heard().pop().expect("a 200");
    let to = ok.headers.text(&HeaderName::To).expect("To").into_owned();
    let number = knocker.cseq;
    let ack = format!(
        "ACK sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {HOME};branch=z9hG4bKack;rport\r\n\
         From: <sip:alice@10.0.0.1>;tag=p\r\nTo: {to}\r\nCall-ID: call-192.0.2.7\r\n\
         CSeq: {number} ACK\r\nContent-Length: 0\r\n\r\n"
    );
    knocker.send(&ack);
    (knocker, id)
}

/// The BYEs that went out in that time, and where to.
fn byes(knocker: &mut Knocker, ms: u64) -> Vec<(String, Request)> {
    knocker.world.run_ms(ms);
    let caught = std::mem::take(&mut knocker.world.caught);
    let bye = |(flow, bytes): &(sip::Flow, Vec<u8>)| match parse(bytes) {
        Ok(Message::Request(request)) => Some((flow.remote.to_string(), request)),
        Ok(Message::Response(_)) | Err(_) => None,
    };
    caught.iter().filter_map(bye).collect()
}

fn all_to(byes: &[(String, Request)], remote: &str) -> bool {
    !byes.is_empty() && byes.iter().all(|(to, _)| to == remote)
}

fn cseq(byes: &[(String, Request)]) -> String {
    byes[0].1.headers.text(&HeaderName::CSeq).expect("CSeq").into_owned()
}

/// By what it calls itself for life, or as a NAT's other port has it: its contact is the same.
#[test]
fn a_phone_that_registers_from_elsewhere_in_its_call_is_reached_there_when_it_is_silent_here() {
    let instance = ";+sip.instance=\"<urn:uuid:1>\"";
    let (home, abroad) = ("<sip:alice@192.0.2.7:5060>", "<sip:alice@198.51.100.7:6000>");
    for there in [home, abroad] {
        let (mut knocker, id) = called(&format!("{home}{instance}"));
        register(&mut knocker, ABROAD, &format!("{there}{instance}"));
        knocker.world.end(0, id);
        let first = byes(&mut knocker, 3_900);
        assert!(all_to(&first, HOME), "where it was");
        let again = byes(&mut knocker, 200);
        assert!(all_to(&again, ABROAD), "{again:?}");
        assert_eq!((cseq(&first).as_str(), cseq(&again).as_str()), ("1 BYE", "2 BYE"));
        let ok = crate::stranger::answer(&again[0].1, "200 OK", "x", "");
        knocker.world.inject(0, ABROAD, &ok);
        assert_eq!(knocker.alive().sessions, 0);
    }
}

/// It may be another phone of that user, which knows nothing of the call: only where the call
/// would be given up.
#[test]
fn a_phone_that_may_be_another_one_is_asked_when_nothing_is_left_to_be_lost() {
    let (mut knocker, id) = called("<sip:alice@192.0.2.7:5060>");
    register(&mut knocker, ABROAD, "<sip:alice@198.51.100.7:6000>");
    knocker.world.end(0, id);
    assert!(all_to(&byes(&mut knocker, 31_900), HOME));
    assert!(all_to(&byes(&mut knocker, 40_000), ABROAD));
    assert_eq!(knocker.alive().sessions, 0, "and nowhere after that");
}

#[test]
fn nobody_else_who_registers_moves_a_call_to_himself() {
    let (mut knocker, id) = called("<sip:alice@192.0.2.7:5060>;+sip.instance=\"<urn:uuid:1>\"");
    (knocker.user, knocker.password) = ("bob", "builder");
    register(&mut knocker, ABROAD, "<sip:alice@192.0.2.7:5060>;+sip.instance=\"<urn:uuid:1>\"");
    knocker.world.end(0, id);
    assert!(all_to(&byes(&mut knocker, 70_000), HOME));
    assert_eq!(knocker.alive().sessions, 0);
}

#[test]
fn a_phone_that_has_come_back_is_not_looked_for_where_it_was_between() {
    let home = "<sip:alice@192.0.2.7:5060>;+sip.instance=\"<urn:uuid:1>\"";
    let (mut knocker, id) = called(home);
    let abroad = "<sip:alice@198.51.100.7:6000>;+sip.instance=\"<urn:uuid:1>\"";
    register(&mut knocker, ABROAD, abroad);
    register(&mut knocker, HOME, home);
    knocker.world.end(0, id);
    assert!(all_to(&byes(&mut knocker, 70_000), HOME));
    assert_eq!(knocker.alive().sessions, 0);
}
