//! What the gate lets in, and what it answers to the rest.

use sip::access::{Access, Destination, Origin};
use sip::digest::Algorithm;
use sip::limits::{GUESSES_PER_SOURCE_MAX, Limit, NETWORK_REQUESTS_BURST_MAX, REQUESTS_BURST_MAX};
use sip::message::{HeaderName, Method, Response};
use sip::{Alive, EndCause, SessionEvent};

use crate::knock::{Knocker, challenges, codes, guarded};
use crate::stranger::{ADDRESS, answer, call_phone};

/// All that are known, and one that nobody knows.
fn methods() -> impl Iterator<Item = Method> {
    Method::known().chain([Method::Other("FROBNICATE".to_owned())])
}

#[test]
fn a_stranger_gets_nothing_by_any_method_and_nothing_is_kept_of_it() {
    let mut table = String::new();
    let mut knocker = Knocker::at(guarded());
    for method in methods() {
        let answers = codes(&knocker.ask(method.name(), "alice", ""));
        table.push_str(&format!("{method} {answers:?}\n"));
        assert_eq!(knocker.alive(), Alive::default(), "{method}");
    }
    insta::assert_snapshot!(table, @r"
    INVITE [401]
    ACK []
    CANCEL [481]
    BYE [481]
    OPTIONS [200]
    INFO [481]
    UPDATE [481]
    PRACK [481]
    REGISTER [401]
    SUBSCRIBE [401]
    NOTIFY [481]
    PUBLISH [401]
    MESSAGE [401]
    REFER [401]
    FROBNICATE [405]
    ");
    assert!(knocker.world.nodes[0].told.is_empty());
}

#[test]
fn a_user_that_shows_its_password_is_let_in_once_for_each_count() {
    for algorithm in Algorithm::ALL {
        let mut knocker = Knocker::at(guarded());
        let challenged = knocker.ask("INVITE", "standup", "");
        let offered: Vec<_> = challenges(&challenged[0]).iter().map(|c| c.algorithm).collect();
        assert_eq!(offered, Algorithm::ALL);
        let mut only = challenged[0].clone();
        only.headers = sip::message::Headers::new();
        for challenge in challenges(&challenged[0]).iter().filter(|c| c.algorithm == algorithm) {
            let name = HeaderName::WwwAuthenticate;
            only.headers.push(name, challenge.to_string());
        }
        let answer = knocker.answer(&only, "INVITE", "standup", 1);
        assert_eq!(codes(&knocker.ask("INVITE", "standup", &answer)), [100]);
        let Some((_, SessionEvent::Incoming(incoming))) = knocker.world.nodes[0].told.last() else {
            panic!("a call");
        };
        assert_eq!(incoming.origin, Origin::User("alice".into()));
        assert_eq!(incoming.destination, Destination::Conference("standup".into()));
        let again = knocker.ask("INVITE", "standup", &answer);
        assert_eq!(codes(&again), [401]);
        assert!(challenges(&again[0])[0].stale, "the password was right, only used before");
        let answer = knocker.answer(&only, "INVITE", "standup", 2);
        assert_eq!(codes(&knocker.ask("INVITE", "standup", &answer)), [100]);
    }
}

#[test]
fn a_nonce_that_is_old_made_up_or_somebody_elses_is_challenged_anew() {
    let mut knocker = Knocker::at(guarded());
    let challenged = knocker.ask("INVITE", "standup", "");
    let answer = knocker.answer(&challenged[0], "INVITE", "standup", 1);
    let nonce = challenges(&challenged[0])[0].nonce.clone();
    let made_up = answer.replace(&nonce, &"0".repeat(nonce.len()));
    knocker.source = "192.0.2.8:5060";
    assert_eq!(codes(&knocker.ask("INVITE", "standup", &answer)), [401]);
    knocker.source = "192.0.2.7:5060";
    assert_eq!(codes(&knocker.ask("INVITE", "standup", &made_up)), [401]);
    knocker.wait(61);
    let late = knocker.ask("INVITE", "standup", &answer);
    assert_eq!(codes(&late), [401]);
    assert!(challenges(&late[0])[0].stale);
    assert_eq!(knocker.turned_away("stale nonce"), 3);
    assert_eq!(knocker.alive(), Alive::default());
}

#[test]
fn md5_can_be_switched_off() {
    let mut knocker = Knocker::at(Access { md5: false, ..guarded() });
    let challenged = knocker.ask("INVITE", "standup", "");
    let [only] = &challenges(&challenged[0])[..] else { panic!("{challenged:?}") };
    assert_eq!(only.algorithm, Algorithm::Sha256);
    let answer = knocker.answer(&challenged[0], "INVITE", "standup", 1);
    let weak = answer.replace("SHA-256", "MD5");
    assert_eq!(codes(&knocker.ask("INVITE", "standup", &weak)), [401]);
    assert_eq!(codes(&knocker.ask("INVITE", "standup", &answer)), [100]);
}

/// An answer without what differs each time: nonce, tags, branches.
fn shape(response: &Response) -> String {
    let mut text = String::from_utf8_lossy(&response.to_bytes()).into_owned();
    for challenge in challenges(response) {
        text = text.replace(&challenge.nonce, "NONCE");
    }
    let keep = |line: &&str| !["Via", "To", "From", "CSeq"].iter().any(|h| line.starts_with(h));
    text.lines().filter(keep).collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_tells_whether_a_user_exists() {
    for method in ["INVITE", "REGISTER", "SUBSCRIBE", "MESSAGE", "REFER"] {
        let mut knocker = Knocker::at(guarded());
        knocker.password = "guess";
        let mut shapes = Vec::new();
        for user in ["alice", "nobody"] {
            knocker.user = user;
            shapes.push((
                shape(&knocker.ask(method, user, "")[0]),
                shape(&knocker.show(method, user)[0]),
            ));
        }
        assert_eq!(shapes[0], shapes[1], "{method}");
    }
}

#[test]
fn guesses_are_looked_at_ten_times_a_minute_then_refused_and_told_once() {
    let mut knocker = Knocker::at(guarded());
    knocker.password = "guess";
    let mut evaluated = 0;
    for _ in 0..300 {
        match codes(&knocker.show("REGISTER", "alice"))[..] {
            [401] => evaluated += 1,
            [403] => {}
            ref other => panic!("{other:?}"),
        }
        knocker.world.run_ms(100);
    }
    assert_eq!(evaluated, GUESSES_PER_SOURCE_MAX);
    assert_eq!(knocker.turned_away("wrong credentials"), u64::from(evaluated));
    assert_eq!(knocker.refused_by(Limit::WrongPasswords), 300 - u64::from(evaluated));
    assert_eq!(knocker.world.suspicions.len(), 1, "{:?}", knocker.world.suspicions);
    knocker.password = "wonder";
    assert_eq!(codes(&knocker.show("INVITE", "standup")), [403], "not even the right one");
    knocker.source = "192.0.2.99:5060";
    assert_eq!(codes(&knocker.show("INVITE", "standup")), [100], "its owner, elsewhere");
}

#[test]
fn an_open_route_lets_strangers_in_and_no_others() {
    let mut knocker = Knocker::at(guarded());
    assert_eq!(codes(&knocker.ask("INVITE", "open-house", "")), [100]);
    let Some((_, SessionEvent::Incoming(incoming))) = knocker.world.nodes[0].told.last() else {
        panic!("a call");
    };
    assert_eq!(incoming.origin, Origin::Stranger);
    assert_eq!(incoming.destination, Destination::Conference("house".into()));
    assert_eq!(codes(&knocker.ask("INVITE", "standup", "")), [401]);
    assert_eq!(codes(&knocker.ask("INVITE", "open", "")), [401]);
}

#[test]
fn answers_to_a_stranger_are_never_ten_times_its_bytes() {
    let mut knocker = Knocker::at(guarded());
    let short = "INVITE sip:a@b SIP/2.0\r\nv:SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1\r\n\
                 f:<sip:a@b>;tag=1\r\nt:<sip:a@b>\r\ni:1\r\nCSeq:1 INVITE\r\n\r\n";
    knocker.world.caught.clear();
    knocker.world.inject(0, knocker.source, short.as_bytes());
    knocker.wait(5);
    let answered: usize = knocker.world.caught.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(answered > 0 && answered <= 10 * short.len(), "{answered} to {}", short.len());
}

#[test]
fn a_source_over_its_rate_is_not_answered_and_others_are() {
    let mut knocker = Knocker::at(guarded());
    let answered = (0..5_000).filter(|_| !knocker.ask("INVITE", "x", "").is_empty()).count();
    assert_eq!(answered, REQUESTS_BURST_MAX as usize);
    assert_eq!(knocker.refused_by(Limit::RequestRate), 5_000 - answered as u64);
    assert_eq!(knocker.world.suspicions.len(), 1);
    knocker.source = "192.0.2.99:5060";
    assert_eq!(codes(&knocker.ask("INVITE", "x", "")), [401]);
}

#[test]
fn who_has_all_of_a_network_floods_no_harder_and_the_users_within_it_come_in() {
    let mut knocker = Knocker::at(guarded());
    knocker.source = "192.0.2.7:5060";
    assert_eq!(codes(&knocker.show("REGISTER", "alice")), [200]);
    let sources: Vec<String> = (10..=200).map(|host| format!("192.0.2.{host}:5060")).collect();
    let sources: Vec<&'static str> = sources.into_iter().map(|at| &*at.leak()).collect();
    let mut answered = 0;
    for at in (0..50).flat_map(|_| &sources) {
        knocker.source = at;
        answered += usize::from(!knocker.ask("INVITE", "x", "").is_empty());
    }
    // What alice asked before she was known counts, too.
    assert_eq!(answered, NETWORK_REQUESTS_BURST_MAX as usize - 2);
    assert!(knocker.refused_by(Limit::NetworkRequestRate) > 5_000);
    assert_eq!(knocker.refused_by(Limit::RequestRate), 0);
    assert_eq!(knocker.world.suspicions.len(), 1);
    knocker.source = "192.0.2.7:5060";
    assert_eq!(codes(&knocker.show("INVITE", "standup")), [100], "who is known there");
    knocker.source = "192.0.3.1:5060";
    assert_eq!(codes(&knocker.ask("INVITE", "x", "")), [401], "who is elsewhere");
}

/// Alice calls and is answered: the To of the dialog.
fn called(knocker: &mut Knocker) -> String {
    assert_eq!(codes(&knocker.show("INVITE", "standup")), [100]);
    let id = knocker.world.last_session(0);
    knocker.world.accept(0, id).expect("a call that waits");
    let ok = knocker.heard().pop().expect("200");
    ok.headers.text(&HeaderName::To).expect("To").into_owned()
}

/// A stranger who knows everything of a call but its address.
#[test]
fn a_request_in_a_dialog_counts_from_its_other_side_only() {
    let mut knocker = Knocker::at(guarded());
    let to = called(&mut knocker);
    let from_there = |cseq: u32, method: &str| {
        format!(
            "{method} sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9:5060;\
             branch=z9hG4bKx{cseq}\r\nFrom: <sip:alice@10.0.0.1>;tag=p\r\nTo: {to}\r\n\
             Call-ID: call-192.0.2.7\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:x@203.0.113.9>\r\nContent-Length: 0\r\n\r\n"
        )
    };
    for (cseq, method) in [(2, "ACK"), (10, "BYE"), (11, "INVITE"), (12, "INFO"), (13, "UPDATE")] {
        knocker.source = "203.0.113.9:5060";
        let answers = codes(&knocker.send(&from_there(cseq, method)));
        let expected: &[u16] = if method == "ACK" { &[] } else { &[401] };
        assert_eq!(answers, expected, "{method}");
    }
    assert_eq!(knocker.turned_away("foreign source in dialog"), 5);
    assert_eq!(knocker.alive().sessions, 1);
    knocker.source = "192.0.2.7:5060";
    let bye = from_there(20, "BYE").replace("203.0.113.9", "192.0.2.7");
    let ack = from_there(2, "ACK").replace("203.0.113.9", "192.0.2.7");
    knocker.send(&ack);
    assert_eq!(codes(&knocker.send(&bye)), [200]);
}

#[test]
fn a_user_that_has_moved_ends_its_call_with_its_password() {
    let mut knocker = Knocker::at(guarded());
    let to = called(&mut knocker);
    knocker.source = "203.0.113.9:5060";
    let challenged = knocker.ask("INVITE", "x", "");
    let bye = |authorization: String| {
        format!(
            "BYE sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bKb\r\n\
             From: <sip:alice@10.0.0.1>;tag=p\r\nTo: {to}\r\nCall-ID: call-192.0.2.7\r\n\
             CSeq: 30 BYE\r\nAuthorization: {authorization}\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let others = {
        (knocker.user, knocker.password) = ("bob", "builder");
        knocker.answer(&challenged[0], "BYE", "x", 1)
    };
    assert_eq!(codes(&knocker.send(&bye(others))), [481], "another user's password");
    (knocker.user, knocker.password) = ("alice", "wonder");
    let own = knocker.answer(&challenged[0], "BYE", "x", 2);
    assert_eq!(codes(&knocker.send(&bye(own))), [200]);
}

/// A phone sends no password before it is asked, and cannot know a nonce for its new address.
#[test]
fn a_user_that_has_moved_is_asked_for_its_password_in_its_call() {
    let mut knocker = Knocker::at(guarded());
    let to = called(&mut knocker);
    knocker.source = "203.0.113.9:5060";
    let request = |cseq: u32, authorization: &str| {
        format!(
            "INVITE sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bKm{cseq}\
             \r\nFrom: <sip:alice@10.0.0.1>;tag=p\r\nTo: {to}\r\nCall-ID: call-192.0.2.7\r\n\
             CSeq: {cseq} INVITE\r\nContact: <sip:alice@203.0.113.9>\r\n{authorization}\
             Content-Length: 0\r\n\r\n"
        )
    };
    let ack = request(2, "").replace("INVITE", "ACK");
    knocker.source = "192.0.2.7:5060";
    knocker.send(&ack);
    knocker.source = "203.0.113.9:5060";
    let asked = knocker.send(&request(20, ""));
    assert_eq!(codes(&asked), [401]);
    let shown = format!("Authorization: {}\r\n", knocker.answer(&asked[0], "INVITE", "x", 1));
    assert_eq!(codes(&knocker.send(&request(21, &shown))), [100]);
    assert!(matches!(knocker.world.nodes[0].told.last(), Some((_, SessionEvent::Reoffer { .. }))));
}

#[test]
fn a_guessed_cancel_does_not_end_a_call_that_rings() {
    let mut knocker = Knocker::at(guarded());
    let invite = |method: &str, at: &str| {
        format!(
            "{method} sip:open-x@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bKi\r\n\
             From: <sip:a@b>;tag=p\r\nTo: <sip:open-x@10.0.0.1>\r\nCall-ID: c\r\n\
             CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        )
    };
    assert_eq!(codes(&knocker.send(&invite("INVITE", "192.0.2.7:5060"))), [100]);
    knocker.source = "203.0.113.9:5060";
    assert_eq!(codes(&knocker.send(&invite("CANCEL", "192.0.2.7:5060"))), [481]);
    assert_eq!(knocker.alive().sessions, 1);
    knocker.source = "192.0.2.7:5060";
    assert_eq!(codes(&knocker.send(&invite("CANCEL", "192.0.2.7:5060"))), [200, 487]);
}

/// The servers of one farm behind one name: each may send what another one began.
#[test]
fn what_a_trusted_farm_begins_goes_on_from_any_of_its_hosts_and_from_no_other() {
    let trusted = vec!["192.0.2.0/24".parse().expect("a network")];
    let mut knocker = Knocker::at(Access { trusted, ..guarded() });
    let request = |method: &str, cseq: u32, to_tag: &str, at: &str| {
        format!(
            "{method} sip:alice@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {at};\
             branch=z9hG4bK{method}{at}\r\n\
             From: <sip:a@farm.example>;tag=p\r\nTo: <sip:open-x@10.0.0.1>{to_tag}\r\n\
             Call-ID: farm\r\nCSeq: {cseq} {method}\r\nContact: <sip:a@farm.example>\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let invite = request("INVITE", 1, "", "192.0.2.7:5060").replace("sip:alice@", "sip:open-x@");
    assert_eq!(codes(&knocker.send(&invite)), [100]);
    let id = knocker.world.last_session(0);
    knocker.world.accept(0, id).expect("a call that waits");
    let ok = knocker.heard().pop().expect("200");
    let to: sip::message::NameAddr =
        ok.headers.text(&HeaderName::To).expect("To").parse().expect("an address");
    let tag = format!(";tag={}", to.tag().expect("a tag"));
    (knocker.source, knocker.cseq) = ("203.0.113.9:5060", 0);
    knocker.send(&request("ACK", 1, &tag, "203.0.113.9:5060"));
    assert!(!matches!(
        knocker.world.nodes[0].told.last(),
        Some((_, SessionEvent::Established { .. }))
    ));
    knocker.source = "192.0.2.8:5060";
    knocker.send(&request("ACK", 1, &tag, "192.0.2.8:5060"));
    assert!(matches!(
        knocker.world.nodes[0].told.last(),
        Some((_, SessionEvent::Established { .. }))
    ));
    knocker.source = "203.0.113.9:5060";
    assert_eq!(codes(&knocker.send(&request("BYE", 2, &tag, "203.0.113.9:5060"))), [481]);
    knocker.source = "192.0.2.9:5060";
    assert_eq!(codes(&knocker.send(&request("BYE", 3, &tag, "192.0.2.9:5060"))), [200]);
}

/// A call of ours to a host that is trusted is with all of its farm, too.
#[test]
fn what_we_begin_with_a_trusted_farm_goes_on_from_any_of_its_hosts() {
    let trusted = vec!["192.0.2.0/24".parse().expect("a network")];
    let mut knocker = Knocker::at(Access { trusted, ..guarded() });
    let world = &mut knocker.world;
    let (id, invite) = call_phone(world);
    let ok = String::from_utf8(answer(&invite, "200 OK", "x", "answer")).expect("text");
    let ok = ok.replace("phone@192.0.2.7:5060", "phone@farm.example");
    world.inject(0, ADDRESS, ok.as_bytes());
    let text = |name: HeaderName| invite.headers.text(&name).expect("header").into_owned();
    let bye = format!(
        "BYE sip:a@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.8;branch=z9hG4bKb\r\n\
         From: {};tag=x\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 BYE\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n",
        text(HeaderName::To),
        text(HeaderName::From),
        text(HeaderName::CallId),
    );
    world.inject(0, "192.0.2.8:5060", bye.as_bytes());
    let told = world.events_of(0, id);
    assert!(
        matches!(told.last(), Some(SessionEvent::Ended { cause: EndCause::Bye { .. } })),
        "{told:?}"
    );
}
