//! The server is to stop: what it has registered with trunks is withdrawn.

use sip::Leave;

use super::*;

fn leave(knocker: &mut Knocker, which: Leave) -> Vec<Request> {
    let now = knocker.world.now;
    knocker.world.nodes[0].endpoint.leave_trunks(now, which);
    knocker.world.wake(0);
    asked(knocker, "REGISTER")
}

fn expires(request: &Request) -> Option<String> {
    request.headers.text(&HeaderName::Expires).map(|text| text.into_owned())
}

#[test]
fn a_trunk_that_is_left_is_asked_to_forget_this_place_of_ours_and_no_other() {
    for which in [Leave::Unused, Leave::All] {
        let mut knocker = watching(Some(600));
        registered(&mut knocker);
        let withdrawn = leave(&mut knocker, which).pop().expect("a REGISTER");
        assert_eq!(expires(&withdrawn).as_deref(), Some("0"));
        let contact = withdrawn.headers.text(&HeaderName::Contact).expect("Contact");
        assert_eq!(contact, "<sip:10.0.0.1:5060>");
        // Its nonce is old by now: it is answered, once.
        let asks = challenge(&withdrawn, &asks_by("second", true));
        knocker.world.inject(0, TRUNK, asks.as_bytes());
        let showing = asked(&mut knocker, "REGISTER").pop().expect("our password");
        assert_eq!(expires(&showing).as_deref(), Some("0"));
        assert_eq!(shown(&showing).map(|it| it.nonce), Some("second".to_owned()));
        knocker.world.inject(0, TRUNK, answer(&showing, "200 OK", "").as_bytes());
        assert_eq!(standing(&knocker).registered, Registered::NotAsked);
        assert_eq!(leave(&mut knocker, which), [], "once");
        knocker.world.run_ms(600_000);
        assert_eq!(asked(&mut knocker, "REGISTER"), [], "and never again");
        assert_eq!(knocker.alive(), Alive::default());
    }
}

/// Some networks end the calls of who is registered no longer.
#[test]
fn a_trunk_is_left_when_its_last_call_has_ended() {
    let mut knocker = watching(Some(600));
    registered(&mut knocker);
    let to = format!("sip:0044123@{TRUNK}").parse().expect("uri");
    let from = "<sip:alice@10.0.0.1>".parse().expect("address");
    let callee = Some(Origin::Trunk("carrier".to_owned()));
    let invite = Invite { callee, ..Invite::new(to, from, b"offer".to_vec()) };
    let now = knocker.world.now;
    let id = knocker.world.nodes[0].endpoint.invite(now, invite).expect("a way");
    let invite = sent(&mut knocker);
    let ok = answer(&invite, "200 OK", &format!("Contact: <sip:x@{TRUNK}>\r\n"));
    knocker.world.inject(0, TRUNK, ok.as_bytes());
    assert_eq!(leave(&mut knocker, Leave::Unused), []);
    // It is prolonged until then.
    knocker.world.run_ms(76_000);
    let again = asked(&mut knocker, "REGISTER").pop().expect("a REGISTER");
    knocker.world.inject(0, TRUNK, answer(&again, "200 OK", "Expires: 100\r\n").as_bytes());
    knocker.world.end(0, id);
    knocker.world.wake(0);
    let bye = asked(&mut knocker, "BYE").pop().expect("a BYE");
    assert_eq!(leave(&mut knocker, Leave::Unused), []);
    knocker.world.inject(0, TRUNK, answer(&bye, "200 OK", "").as_bytes());
    let withdrawn = leave(&mut knocker, Leave::Unused).pop().expect("a REGISTER");
    assert_eq!(expires(&withdrawn).as_deref(), Some("0"));
}

#[test]
fn a_trunk_that_emergency_calls_may_need_is_left_last() {
    for (is_marked, other_is, waits) in
        [(true, false, true), (false, false, true), (false, true, false)]
    {
        let mut knocker = watching(Some(600));
        registered(&mut knocker);
        let now = knocker.world.now;
        let endpoint = &mut knocker.world.nodes[0].endpoint;
        let mut access = endpoint.access().clone();
        access.emergency.insert("112".to_owned());
        let other = Trunk { emergency: other_is, ..Trunk::at(None) };
        access.trunks.insert("other".to_owned(), other);
        access.trunks.get_mut("carrier").expect("the trunk").emergency = is_marked;
        endpoint.admit_by(now, access);
        assert_eq!(leave(&mut knocker, Leave::Unused).is_empty(), waits);
        assert_eq!(leave(&mut knocker, Leave::All).is_empty(), !waits);
    }
}

#[test]
fn a_trunk_that_has_granted_nothing_is_not_asked_to_forget_us() {
    let mut knocker = watching(Some(600));
    let first = asked(&mut knocker, "REGISTER").pop().expect("a REGISTER");
    knocker.world.inject(0, TRUNK, answer(&first, "403 Forbidden", "").as_bytes());
    assert_eq!(leave(&mut knocker, Leave::Unused), []);
    assert_eq!(leave(&mut knocker, Leave::All), []);
    knocker.world.run_ms(600_000);
    assert_eq!(asked(&mut knocker, "REGISTER"), []);
}
