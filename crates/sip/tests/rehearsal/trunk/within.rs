//! Trunks that ask for our password within a call, as many carriers do for each request.

use sip::access::Access;
use sip::message::{ExtraHeaders, Method, StatusCode};
use sip::{Inquiry, Package};

use super::*;

const STRANGER: &str = "203.0.113.9:5060";

/// [`with_trunk`] where we have an account with the trunk, of that realm.
fn with_account(realm: Option<&str>) -> Access {
    let mut access = with_trunk();
    let carrier = access.trunks.get_mut("carrier").expect("the trunk");
    carrier.account = Some(Account { realm: realm.map(str::to_owned), ..account() });
    access
}

/// A challenge, by 401 or 407, of that realm and with that nonce.
fn asks(request: &Request, (status, realm): (u16, &str), nonce: &str, stale: bool) -> String {
    let (realm, nonce, algorithm) = (realm.to_owned(), nonce.to_owned(), Algorithm::Md5);
    let challenge = Challenge { realm, nonce, algorithm, stale, opaque: None, counts: true };
    match status {
        401 => answer(request, "401 Who", &format!("WWW-Authenticate: {challenge}\r\n")),
        _ => answer(request, "407 Who", &format!("Proxy-Authenticate: {challenge}\r\n")),
    }
}

fn asks_by(request: &Request, nonce: &str) -> String {
    asks(request, (407, "carrier"), nonce, false)
}

/// Nonce and count of what a request shows, if it does show the password.
fn nonce(request: &Request) -> Option<(String, u32)> {
    let header = [HeaderName::ProxyAuthorization, HeaderName::Authorization]
        .into_iter()
        .find_map(|name| request.headers.text(&name))?;
    let shown = Credentials::parse(&header).expect("credentials");
    let ha1 = Ha1::of(Algorithm::Md5, "us", &shown.realm, "secret");
    // Who acknowledges shows what the INVITE has shown (RFC 3261 section 13.2.2.4).
    let method = if request.method == Method::Ack { "INVITE" } else { request.method.name() };
    assert!(shown.show(&ha1, method), "{method}");
    Some((shown.nonce, shown.counted.expect("a count").0))
}

fn cseq(request: &Request) -> u32 {
    let cseq = request.headers.text(&HeaderName::CSeq).expect("CSeq");
    cseq.split(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}

fn one(knocker: &mut Knocker, method: &str) -> Request {
    knocker.world.wake(0);
    let mut all = asked(knocker, method);
    assert_eq!(all.len(), 1, "{method}");
    all.remove(0)
}

/// A call out by the trunk, whose INVITE is challenged with the first nonce if `nonce` is there.
fn up(knocker: &mut Knocker, more: &str, nonce: Option<&str>) -> SessionId {
    let to = format!("sip:0044123@{TRUNK}").parse().expect("uri");
    let from = "<sip:alice@10.0.0.1>".parse().expect("address");
    let callee = Some(Origin::Trunk("carrier".to_owned()));
    let account = knocker.world.nodes[0].endpoint.access().trunks["carrier"].account.clone();
    let invite = Invite { account, callee, ..Invite::new(to, from, b"offer".to_vec()) };
    let now = knocker.world.now;
    let id = knocker.world.nodes[0].endpoint.invite(now, invite).expect("a way");
    let mut invite = one(knocker, "INVITE");
    if let Some(nonce) = nonce {
        knocker.world.inject(0, TRUNK, asks_by(&invite, nonce).as_bytes());
        invite = one(knocker, "INVITE");
    }
    let more = format!("Contact: <sip:x@{TRUNK}>\r\n{more}");
    knocker.world.inject(0, TRUNK, answer(&invite, "200 OK", &more).as_bytes());
    assert!(matches!(
        knocker.world.events_of(0, id).last(),
        Some(SessionEvent::Established { .. })
    ));
    id
}

fn ended(knocker: &Knocker, id: SessionId) -> bool {
    let last = knocker.world.events_of(0, id).into_iter().next_back();
    matches!(last, Some(SessionEvent::Ended { .. }))
}

/// What was sent anywhere since it was looked last, as text.
fn sent_texts(knocker: &mut Knocker) -> String {
    knocker.world.wake(0);
    let caught = std::mem::take(&mut knocker.world.caught);
    caught.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect()
}

#[test]
fn a_bye_that_the_trunk_challenges_is_said_again_with_our_password() {
    for status in [401, 407] {
        let mut knocker = Knocker::at(with_account(Some("carrier")));
        let id = up(&mut knocker, "", None);
        knocker.world.caught.clear();
        knocker.world.end(0, id);
        let first = one(&mut knocker, "BYE");
        assert_eq!(nonce(&first), None, "nobody has asked");
        let asks = asks(&first, (status, "carrier"), "a", false);
        knocker.world.inject(0, TRUNK, asks.as_bytes());
        let again = one(&mut knocker, "BYE");
        assert_eq!(nonce(&again), Some(("a".to_owned(), 1)));
        assert_eq!(cseq(&again), cseq(&first) + 1);
        assert_eq!(again.headers.all(&HeaderName::Via).count(), 1);
        assert_eq!(again.headers.all(&HeaderName::UserAgent).count(), 1);
        assert!(again.headers.text(&HeaderName::Reason).is_some(), "as it was said before");
        // A copy of the challenge changes nothing.
        knocker.world.inject(0, TRUNK, asks.as_bytes());
        assert_eq!(sent_texts(&mut knocker), "");
        knocker.world.inject(0, TRUNK, answer(&again, "200 OK", "").as_bytes());
        assert_eq!(knocker.alive().sessions, 0);
        knocker.world.settle();
    }
}

#[test]
fn a_bye_ends_the_call_though_our_password_is_refused() {
    let mut knocker = Knocker::at(with_account(Some("carrier")));
    let id = up(&mut knocker, "", None);
    knocker.world.end(0, id);
    let first = asked(&mut knocker, "BYE").pop().expect("a BYE");
    knocker.world.inject(0, TRUNK, asks_by(&first, "a").as_bytes());
    let again = one(&mut knocker, "BYE");
    knocker.world.inject(0, TRUNK, asks_by(&again, "b").as_bytes());
    assert_eq!(sent_texts(&mut knocker), "", "it was wrong");
    assert_eq!(knocker.alive().sessions, 0);
    knocker.world.settle();
}

/// A nonce that is too old says nothing of the password, but nobody is followed for ever.
#[test]
fn a_nonce_that_is_stale_is_answered_anew_and_only_so_often() {
    let mut knocker = Knocker::at(with_account(Some("carrier")));
    let id = up(&mut knocker, "", None);
    knocker.world.end(0, id);
    let mut bye = asked(&mut knocker, "BYE").pop().expect("a BYE");
    let mut tries = 0;
    loop {
        let stale = asks(&bye, (407, "carrier"), &format!("{tries}"), true);
        knocker.world.inject(0, TRUNK, stale.as_bytes());
        match asked(&mut knocker, "BYE").pop() {
            Some(again) => bye = again,
            None => break,
        }
        tries += 1;
    }
    assert_eq!(tries, 4);
    assert_eq!(knocker.alive().sessions, 0);
    knocker.world.settle();
}

#[test]
fn what_a_challenged_reinvite_is_for_goes_on() {
    let mut knocker = Knocker::at(with_account(Some("carrier")));
    let id = up(&mut knocker, "", Some("a"));
    let ack = one(&mut knocker, "ACK");
    assert_eq!(nonce(&ack), Some(("a".to_owned(), 1)), "as its INVITE");
    knocker.world.reinvite(0, id).expect("a call that is up");
    let first = one(&mut knocker, "INVITE");
    assert_eq!(nonce(&first), Some(("a".to_owned(), 2)), "shown at once");
    knocker.world.inject(0, TRUNK, asks_by(&first, "b").as_bytes());
    let again = one(&mut knocker, "INVITE");
    assert_eq!(nonce(&again), Some(("b".to_owned(), 1)));
    assert_eq!((cseq(&again), &again.body), (cseq(&first) + 1, &first.body));
    let ok = answer(&again, "200 OK", &format!("Contact: <sip:x@{TRUNK}>\r\n"));
    knocker.world.inject(0, TRUNK, ok.as_bytes());
    let ack = one(&mut knocker, "ACK");
    assert_eq!((cseq(&ack), nonce(&ack)), (cseq(&again), Some(("b".to_owned(), 1))));
    let last = knocker.world.events_of(0, id).into_iter().next_back();
    assert!(matches!(last, Some(SessionEvent::Reanswered { .. })), "{last:?}");
    // One that is refused leaves the call as it was.
    knocker.world.reinvite(0, id).expect("a call that is up");
    let first = one(&mut knocker, "INVITE");
    knocker.world.inject(0, TRUNK, asks_by(&first, "c").as_bytes());
    let again = one(&mut knocker, "INVITE");
    knocker.world.inject(0, TRUNK, asks_by(&again, "d").as_bytes());
    assert_eq!(asked(&mut knocker, "INVITE"), []);
    let last = knocker.world.events_of(0, id).into_iter().next_back();
    assert!(matches!(last, Some(SessionEvent::ReofferRefused { .. })), "{last:?}");
    // And nothing is shown after that.
    knocker.world.end(0, id);
    let bye = one(&mut knocker, "BYE");
    assert_eq!(nonce(&bye), None);
    knocker.world.inject(0, TRUNK, asks_by(&bye, "e").as_bytes());
    assert_eq!(sent_texts(&mut knocker), "");
    knocker.world.settle();
}

#[test]
fn a_session_is_refreshed_though_each_update_is_challenged() {
    let mut knocker = Knocker::at(with_account(Some("carrier")));
    let timer = "Allow: UPDATE\r\nRequire: timer\r\nSession-Expires: 90;refresher=uac\r\n";
    let id = up(&mut knocker, timer, Some("a"));
    for turn in ["b", "c", "d"] {
        knocker.world.caught.clear();
        knocker.world.run_ms(45_100);
        let first = one(&mut knocker, "UPDATE");
        knocker.world.inject(0, TRUNK, asks_by(&first, turn).as_bytes());
        let again = one(&mut knocker, "UPDATE");
        assert_eq!(nonce(&again), Some((turn.to_owned(), 1)));
        let ok = answer(&again, "200 OK", "Session-Expires: 90;refresher=uac\r\n");
        knocker.world.inject(0, TRUNK, ok.as_bytes());
    }
    assert!(!ended(&knocker, id));
}

fn info(knocker: &mut Knocker, id: SessionId) -> sip::InquiryId {
    let body = Some(("application/dtmf-relay".to_owned(), b"Signal=5".to_vec()));
    let inquiry = Inquiry { method: Method::Info, headers: ExtraHeaders::new(), body };
    let now = knocker.world.now;
    knocker.world.nodes[0].endpoint.inquire(now, id, inquiry).expect("a call that is up")
}

/// Carriers may give each request a nonce of its own, and keys do not wait for one another.
#[test]
fn several_requests_at_once_are_each_said_again_when_they_are_challenged() {
    let mut knocker = Knocker::at(with_account(Some("carrier")));
    let id = up(&mut knocker, "", Some("a"));
    knocker.world.caught.clear();
    let ids = [info(&mut knocker, id), info(&mut knocker, id)];
    knocker.world.wake(0);
    let first = asked(&mut knocker, "INFO");
    let shown: Vec<_> = first.iter().filter_map(nonce).collect();
    assert_eq!(shown, [("a".to_owned(), 2), ("a".to_owned(), 3)]);
    let again = [(&first[0], "b"), (&first[1], "c")].map(|(info, turn)| {
        knocker.world.inject(0, TRUNK, asks_by(info, turn).as_bytes());
        one(&mut knocker, "INFO")
    });
    let shown: Vec<_> = again.iter().filter_map(nonce).collect();
    assert_eq!(shown, [("b".to_owned(), 1), ("c".to_owned(), 1)]);
    assert_eq!(again[1].body, b"Signal=5");
    for (info, wanted) in again.iter().zip(ids) {
        knocker.world.inject(0, TRUNK, answer(info, "200 OK", "").as_bytes());
        let last = knocker.world.events_of(0, id).into_iter().next_back();
        let Some(SessionEvent::Replied { inquiry, status, .. }) = last else { panic!("{last:?}") };
        assert_eq!((*inquiry, *status), (wanted, StatusCode::OK));
    }
}

#[test]
fn a_prack_and_a_refer_that_are_challenged_are_said_again() {
    let mut knocker = Knocker::at(with_account(Some("carrier")));
    let to = format!("sip:0044123@{TRUNK}").parse().expect("uri");
    let from = "<sip:alice@10.0.0.1>".parse().expect("address");
    let (callee, account) = (Some(Origin::Trunk("carrier".to_owned())), Some(account()));
    let invite = Invite { account, callee, ..Invite::new(to, from, b"offer".to_vec()) };
    let now = knocker.world.now;
    let id = knocker.world.nodes[0].endpoint.invite(now, invite).expect("a way");
    let invite = one(&mut knocker, "INVITE");
    let early = format!("Contact: <sip:x@{TRUNK}>\r\nRequire: 100rel\r\nRSeq: 1\r\n");
    knocker.world.inject(0, TRUNK, answer(&invite, "183 Progress", &early).as_bytes());
    let prack = one(&mut knocker, "PRACK");
    knocker.world.inject(0, TRUNK, asks_by(&prack, "a").as_bytes());
    let again = one(&mut knocker, "PRACK");
    assert_eq!(again.headers.text(&HeaderName::RAck), prack.headers.text(&HeaderName::RAck));
    assert_eq!((cseq(&again), nonce(&again)), (cseq(&prack) + 1, Some(("a".to_owned(), 1))));
    knocker.world.inject(0, TRUNK, answer(&again, "200 OK", "").as_bytes());
    let ok = answer(&invite, "200 OK", &format!("Contact: <sip:x@{TRUNK}>\r\n"));
    knocker.world.inject(0, TRUNK, ok.as_bytes());
    let ack = one(&mut knocker, "ACK");
    assert_eq!((cseq(&ack), nonce(&ack)), (cseq(&invite), None), "as its INVITE");
    let now = knocker.world.now;
    let target = "<sip:dora@d.example>".parse().expect("an address");
    knocker.world.nodes[0].endpoint.refer(now, id, &target).expect("a call that is up");
    let refer = one(&mut knocker, "REFER");
    assert_eq!(nonce(&refer), Some(("a".to_owned(), 2)));
    knocker.world.inject(0, TRUNK, asks_by(&refer, "b").as_bytes());
    let again = one(&mut knocker, "REFER");
    assert_eq!(nonce(&again), Some(("b".to_owned(), 1)));
    knocker.world.inject(0, TRUNK, answer(&again, "603 Decline", "").as_bytes());
    let last = knocker.world.events_of(0, id).into_iter().next_back();
    assert!(matches!(last, Some(SessionEvent::Referral { over: true, .. })), "{last:?}");
}

/// The trunk has called, and asks for the progress of its REFER.
#[test]
fn a_call_in_from_the_trunk_is_ended_and_told_of_with_our_password() {
    let mut knocker = Knocker::at(with_account(Some("carrier")));
    let (id, to) = called_from(&mut knocker, TRUNK, "00493077");
    let more = format!("Refer-To: <sip:dora@d.example>\r\nContact: <sip:p@{TRUNK}>\r\n");
    let refer = within(&knocker, &to, "REFER", &more);
    knocker.world.inject(0, TRUNK, refer.as_bytes());
    let (subscription, _) = *knocker.world.nodes[0].asked.last().expect("a REFER");
    let now = knocker.world.now;
    knocker.world.nodes[0].endpoint.grant(now, subscription).expect("a REFER that waits");
    let notify = one(&mut knocker, "NOTIFY");
    knocker.world.inject(0, TRUNK, asks_by(&notify, "a").as_bytes());
    let again = one(&mut knocker, "NOTIFY");
    assert_eq!((nonce(&again), &again.body), (Some(("a".to_owned(), 1)), &notify.body));
    let kind = Package::Refer.content_type();
    assert_eq!(again.headers.text(&HeaderName::ContentType).as_deref(), Some(kind));
    knocker.world.inject(0, TRUNK, answer(&again, "200 OK", "").as_bytes());
    knocker.world.end(0, id);
    let bye = one(&mut knocker, "BYE");
    assert_eq!((cseq(&bye), nonce(&bye)), (cseq(&again) + 1, Some(("a".to_owned(), 2))));
    knocker.world.inject(0, TRUNK, answer(&bye, "200 OK", "").as_bytes());
    assert_eq!(knocker.alive().sessions, 0);
}

/// Calls the server from there and is answered; gives our side of the dialog, too.
fn called_from(knocker: &mut Knocker, source: &'static str, to: &str) -> (SessionId, String) {
    knocker.source = source;
    knocker.more = format!("Contact: <sip:p@{source}>\r\n");
    assert_eq!(codes(&knocker.ask("INVITE", to, "")), [100]);
    let id = knocker.world.last_session(0);
    knocker.world.accept(0, id).expect("an INVITE that waits");
    let ok = knocker.heard().pop().expect("a 200");
    let to = ok.headers.text(&HeaderName::To).expect("To").into_owned();
    let ack = within(knocker, &to, "ACK", "");
    knocker.world.inject(0, source, ack.as_bytes());
    (id, to)
}

/// A request in the dialog of [`called_from`].
fn within(knocker: &Knocker, to: &str, method: &str, more: &str) -> String {
    let (source, number) = (knocker.source, knocker.cseq);
    let host = source.split(':').next().expect("a host");
    let number = if method == "ACK" { number } else { number + 1 };
    format!(
        "{method} sip:10.0.0.1 SIP/2.0\r\nMax-Forwards: 70\r\nTo: {to}\r\n\
         Via: SIP/2.0/UDP {source};branch=z9hG4bKin{method}{number};rport\r\n\
         From: <sip:alice@10.0.0.1>;tag=p\r\nCall-ID: call-{host}\r\n\
         CSeq: {number} {method}\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// Nobody but a trunk that we have an account with is shown anything, and it of its own realm only.
#[test]
fn nobody_else_who_asks_within_a_call_is_shown_our_password() {
    let bye = |knocker: &mut Knocker, id: SessionId| {
        knocker.world.caught.clear();
        knocker.world.end(0, id);
        one(knocker, "BYE")
    };
    // A caller who is no trunk asks for the trunk's realm.
    let mut access = with_account(Some("carrier"));
    access.routes.extend(guarded().routes);
    let mut knocker = Knocker::at(access);
    let (id, _) = called_from(&mut knocker, STRANGER, "open-1");
    let said = bye(&mut knocker, id);
    knocker.world.inject(0, STRANGER, asks_by(&said, "a").as_bytes());
    assert!(!sent_texts(&mut knocker).contains("Authorization"));
    // Another realm; another host; one who sits behind the trunk and asks for himself.
    let elsewhere = format!("Record-Route: <sip:{STRANGER};lr>\r\n");
    for (more, realm, from) in
        [("", "evil", TRUNK), ("", "carrier", STRANGER), (&elsewhere[..], "carrier", STRANGER)]
    {
        for status in [401, 407] {
            let mut knocker = Knocker::at(with_account(Some("carrier")));
            let id = up(&mut knocker, more, Some("a"));
            knocker.world.caught.clear();
            knocker.world.reinvite(0, id).expect("a call that is up");
            let said = one(&mut knocker, "INVITE");
            assert_eq!(nonce(&said).is_some(), more.is_empty(), "{from}");
            let asks_them = |said: &Request| asks(said, (status, realm), "b", true);
            knocker.world.inject(0, from, asks_them(&said).as_bytes());
            assert!(!sent_texts(&mut knocker).contains("Authorization"), "{realm} {from}");
            let said = bye(&mut knocker, id);
            knocker.world.inject(0, from, asks_them(&said).as_bytes());
            assert!(!sent_texts(&mut knocker).contains("Authorization"), "{realm} {from}");
            knocker.world.settle();
        }
    }
    // We have no account with it, any more.
    let mut knocker = Knocker::at(with_account(Some("carrier")));
    let id = up(&mut knocker, "", Some("a"));
    let now = knocker.world.now;
    knocker.world.nodes[0].endpoint.admit_by(now, with_trunk());
    let said = bye(&mut knocker, id);
    assert_eq!(nonce(&said), None);
    knocker.world.inject(0, TRUNK, asks_by(&said, "b").as_bytes());
    assert!(!sent_texts(&mut knocker).contains("Authorization"));
}

/// Where the configuration names no realm, it is the one that has taken our password before.
#[test]
fn a_realm_that_nobody_has_named_is_that_which_took_our_password() {
    for (invited_by, realm, shows) in
        [(Some("a"), "carrier", true), (Some("a"), "evil", false), (None, "carrier", false)]
    {
        let mut knocker = Knocker::at(with_account(None));
        let id = up(&mut knocker, "", invited_by);
        knocker.world.caught.clear();
        knocker.world.end(0, id);
        let bye = one(&mut knocker, "BYE");
        let asks = asks(&bye, (407, realm), "b", false);
        knocker.world.inject(0, TRUNK, asks.as_bytes());
        let again = asked(&mut knocker, "BYE").pop().and_then(|bye| nonce(&bye));
        assert_eq!(again, shows.then(|| ("b".to_owned(), 1)), "{realm}");
    }
    // That of our registration counts as well.
    let mut access = with_account(None);
    let proxy = match format!("sip:{TRUNK}").parse() {
        Ok(Uri::Sip(uri)) => Some(uri),
        other => panic!("{other:?}"),
    };
    let carrier = access.trunks.get_mut("carrier").expect("the trunk");
    (carrier.proxy, carrier.register_s, carrier.probe_every) = (proxy, Some(600), None);
    let mut knocker = Knocker::at(access);
    let now = knocker.world.now;
    knocker.world.nodes[0].endpoint.watch_trunks(now);
    knocker.world.run_ms(1);
    registered(&mut knocker);
    let id = up(&mut knocker, "", None);
    knocker.world.caught.clear();
    knocker.world.end(0, id);
    let bye = one(&mut knocker, "BYE");
    knocker.world.inject(0, TRUNK, asks_by(&bye, "b").as_bytes());
    assert_eq!(nonce(&one(&mut knocker, "BYE")), Some(("b".to_owned(), 1)));
}
