//! Calls to and from trunks.

use std::collections::BTreeMap;
use std::time::Duration;

use sip::access::{Access, Choice, Destination, From, Origin, Pattern, Rewrite, Route, Target};
use sip::access::{Template, Trunk};
use sip::digest::{Account, Algorithm, Challenge, Credentials, Ha1, Password};
use sip::message::{HeaderName, Message, Request, Uri, parse};
use sip::{
    Alive, Config, EndCause, Endpoint, Invite, Output, Reach, Registered, Server, SessionEvent,
    SessionId,
};
use sip::{Standing, Transport};

use crate::knock::{Knocker, codes, guarded};

mod leaving;
mod renewed;
mod within;

const TRUNK: &str = "198.51.100.1:5060";

fn pattern(text: &str) -> Pattern {
    text.parse().expect("a pattern")
}

fn carrier_first() -> Choice {
    Choice { trunk: "carrier".to_owned(), priority: 0, weight: 1 }
}

/// What [`guarded`] has, and the trunk `carrier` at 198.51.100.0/24, whose numbers begin with 00.
fn with_trunk() -> Access {
    let e164 = pattern("00%");
    let rewrite = Rewrite { to: Template::parse("+$1", &e164).expect("a template"), pattern: e164 };
    let source = ("198.51.100.0/24".parse().expect("a network"), None);
    let carrier = Trunk { sources: vec![source], inbound: vec![rewrite], ..Trunk::at(None) };
    let number = pattern("+%");
    let to = Template::parse("+$1", &number).expect("a template");
    let out = Target::Number(vec![carrier_first()], to);
    let did = pattern("+4930%");
    let desk = Template::parse("desk-$1", &did).expect("a template");
    let by_trunk = From::Trunk("carrier".to_owned());
    let routes = vec![
        Route { from: by_trunk, pattern: did, to: Target::Conference(desk), open: false },
        Route { from: From::Any, pattern: number, to: out, open: true },
    ];
    Access { trunks: BTreeMap::from([("carrier".to_owned(), carrier)]), routes, ..guarded() }
}

fn incoming(knocker: &Knocker) -> (Origin, Destination) {
    match knocker.world.nodes[0].told.last() {
        Some((_, SessionEvent::Incoming(incoming))) => {
            (incoming.origin.clone(), incoming.destination.clone())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_trunk_is_known_by_its_source_and_its_numbers_are_rewritten() {
    let mut knocker = Knocker::at(with_trunk());
    knocker.source = TRUNK;
    assert_eq!(codes(&knocker.ask("INVITE", "00493077", "")), [100]);
    let carrier = Origin::Trunk("carrier".into());
    assert_eq!(incoming(&knocker), (carrier, Destination::Conference("desk-77".into())));
    assert_eq!(codes(&knocker.ask("INVITE", "0044123", "")), [404], "not round to itself");
    assert_eq!(codes(&knocker.ask("REGISTER", "alice", "")), [403]);
}

/// A gateway without a fixed address has an account here.
#[test]
fn a_trunk_is_known_by_its_users_password_wherever_it_comes_from() {
    let mut access = with_trunk();
    let carrier = access.trunks.get_mut("carrier").expect("the trunk");
    carrier.sources.clear();
    carrier.user = Some("bob".to_owned());
    let mut knocker = Knocker::at(access);
    (knocker.source, knocker.user, knocker.password) = ("203.0.113.9:5060", "bob", "wrong");
    assert_eq!(codes(&knocker.ask("INVITE", "00493077", "")), [401]);
    assert_eq!(codes(&knocker.show("INVITE", "00493077")), [401], "by no other password");
    knocker.password = "builder";
    assert_eq!(codes(&knocker.show("INVITE", "00493077")), [100]);
    let carrier = Origin::Trunk("carrier".into());
    assert_eq!(incoming(&knocker), (carrier, Destination::Conference("desk-77".into())));
    // And no other user is the trunk.
    (knocker.source, knocker.user, knocker.password) = ("203.0.113.10:5060", "alice", "wonder");
    assert_eq!(codes(&knocker.show("INVITE", "00493077")), [404]);
}

#[test]
fn only_who_may_reaches_the_number_outside() {
    let mut knocker = Knocker::at(with_trunk());
    assert_eq!(codes(&knocker.ask("INVITE", "+44123", "")), [401], "though the route says open");
    assert!(knocker.world.nodes[0].told.is_empty());
    assert_eq!(codes(&knocker.show("INVITE", "+44123")), [100]);
    let choices = vec![carrier_first()];
    let out = Destination::Number { choices, number: "+44123".to_owned() };
    assert_eq!(incoming(&knocker), (Origin::User("alice".into()), out));
}

fn account() -> Account {
    let (user, realm) = ("us".to_owned(), Some("carrier".to_owned()));
    Account { user, realm, password: Password::new("secret") }
}

/// Calls the trunk with an account of its own; gives what it is sent.
fn call(knocker: &mut Knocker) -> (SessionId, Request) {
    let to = format!("sip:0044123@{TRUNK}").parse().expect("uri");
    let from = "<sip:alice@10.0.0.1>".parse().expect("address");
    let invite = Invite { account: Some(account()), ..Invite::new(to, from, b"offer".to_vec()) };
    let now = knocker.world.now;
    let id = knocker.world.nodes[0].endpoint.invite(now, invite).expect("a way");
    (id, sent(knocker))
}

fn sent(knocker: &mut Knocker) -> Request {
    knocker.world.wake(0);
    asked(knocker, "INVITE").pop().expect("an INVITE")
}

/// The requests of that method that have gone out since it was asked last.
fn asked(knocker: &mut Knocker, method: &str) -> Vec<Request> {
    let caught = std::mem::take(&mut knocker.world.caught);
    let requests = caught.iter().filter_map(|(_, bytes)| match parse(bytes) {
        Ok(Message::Request(request)) if request.method.name() == method => Some(request),
        Ok(_) | Err(_) => None,
    });
    requests.collect()
}

fn challenge(invite: &Request, challenge: &str) -> String {
    answer(invite, "407 Who", challenge)
}

pub(crate) fn answer(invite: &Request, status: &str, more: &str) -> String {
    let line = |name: HeaderName| {
        let value = invite.headers.text(&name).expect("a header").into_owned();
        format!("{name}: {value}\r\n")
    };
    let of = [HeaderName::Via, HeaderName::From, HeaderName::CallId, HeaderName::CSeq];
    let lines: String = of.into_iter().map(line).collect();
    let to = invite.headers.text(&HeaderName::To).expect("To").into_owned();
    format!("SIP/2.0 {status}\r\n{lines}To: {to};tag=t\r\n{more}Content-Length: 0\r\n\r\n")
}

fn proxy_authenticate(realm: &str, algorithm: Algorithm, stale: bool) -> String {
    let (realm, nonce) = (realm.to_owned(), format!("{algorithm:?}{stale}"));
    let challenge = Challenge { realm, nonce, algorithm, stale, opaque: None, counts: true };
    format!("Proxy-Authenticate: {challenge}\r\n")
}

fn shown(invite: &Request) -> Option<Credentials> {
    let value = invite.headers.text(&HeaderName::ProxyAuthorization)?;
    Credentials::parse(&value)
}

#[test]
fn a_call_that_is_challenged_shows_our_password_by_the_best_algorithm() {
    let mut knocker = Knocker::at(with_trunk());
    let (id, invite) = call(&mut knocker);
    assert_eq!(shown(&invite), None, "nothing is shown to who has not asked");
    let both = [Algorithm::Md5, Algorithm::Sha256]
        .map(|algorithm| proxy_authenticate("carrier", algorithm, false))
        .concat();
    knocker.world.inject(0, TRUNK, challenge(&invite, &both).as_bytes());
    let again = sent(&mut knocker);
    let credentials = shown(&again).expect("credentials");
    assert_eq!(credentials.algorithm, Algorithm::Sha256);
    let ha1 = Ha1::of(Algorithm::Sha256, "us", "carrier", "secret");
    assert!(credentials.show(&ha1, "INVITE"));
    // A nonce that got old is answered anew; a password that is wrong is wrong.
    let stale = proxy_authenticate("carrier", Algorithm::Md5, true);
    knocker.world.inject(0, TRUNK, challenge(&again, &stale).as_bytes());
    let third = sent(&mut knocker);
    assert_eq!(shown(&third).expect("credentials").algorithm, Algorithm::Md5);
    let wrong = proxy_authenticate("carrier", Algorithm::Md5, false);
    knocker.world.inject(0, TRUNK, challenge(&third, &wrong).as_bytes());
    match knocker.world.events_of(0, id).last() {
        Some(SessionEvent::Ended { cause: EndCause::Rejected { status, .. } }) => {
            assert_eq!(status.code(), 407);
        }
        other => panic!("{other:?}"),
    }
    knocker.world.settle();
}

#[test]
fn our_password_is_shown_neither_to_another_realm_nor_to_another_host() {
    for (realm, from) in [("evil", TRUNK), ("carrier", "203.0.113.9:5060")] {
        let mut knocker = Knocker::at(with_trunk());
        let (id, invite) = call(&mut knocker);
        let asks = proxy_authenticate(realm, Algorithm::Md5, false);
        knocker.world.caught.clear();
        knocker.world.inject(0, from, challenge(&invite, &asks).as_bytes());
        let leaked = knocker
            .world
            .caught
            .iter()
            .any(|(_, bytes)| String::from_utf8_lossy(bytes).contains("Authorization"));
        assert!(!leaked, "{realm} {from}");
        let ended = knocker.world.events_of(0, id).into_iter().next_back();
        assert!(matches!(ended, Some(SessionEvent::Ended { .. })), "{ended:?}");
        knocker.world.settle();
    }
}

/// An account that was given for one call, and is no trunk's, is for the INVITE alone.
#[test]
fn our_password_is_not_shown_to_who_challenges_a_bye() {
    let mut knocker = Knocker::at(with_trunk());
    let (id, invite) = call(&mut knocker);
    let asks = proxy_authenticate("carrier", Algorithm::Md5, false);
    knocker.world.inject(0, TRUNK, challenge(&invite, &asks).as_bytes());
    let again = sent(&mut knocker);
    let body = format!("Contact: <sip:x@{TRUNK}>\r\n");
    knocker.world.inject(0, TRUNK, answer(&again, "200 OK", &body).as_bytes());
    knocker.world.caught.clear();
    knocker.world.end(0, id);
    knocker.world.wake(0);
    let bye = asked(&mut knocker, "BYE").pop().expect("a BYE");
    for status in ["401 Who", "407 Who"] {
        let asks =
            asks.replace("Proxy-", if status.starts_with("401") { "WWW-" } else { "Proxy-" });
        knocker.world.inject(0, TRUNK, answer(&bye, status, &asks).as_bytes());
    }
    knocker.wait(40);
    let texts = knocker.world.caught.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes));
    let told: Vec<_> = texts.filter(|text| text.contains("Authorization")).collect();
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(knocker.alive(), Alive::default());
}

/// A server that watches the trunk at [`TRUNK`].
fn watching(register_s: Option<u32>) -> Knocker {
    let mut access = with_trunk();
    let proxy = match format!("sip:{TRUNK}").parse() {
        Ok(Uri::Sip(uri)) => Some(uri),
        other => panic!("{other:?}"),
    };
    let account = Some(account());
    let probe_every = register_s.is_none().then_some(Duration::from_secs(30));
    let trunk = Trunk { account, probe_every, register_s, ..Trunk::at(proxy) };
    access.trunks.insert("carrier".to_owned(), trunk);
    let mut knocker = Knocker::at(access);
    let now = knocker.world.now;
    knocker.world.nodes[0].endpoint.watch_trunks(now);
    knocker.world.run_ms(1);
    knocker
}

fn standing(knocker: &Knocker) -> Standing {
    knocker.world.nodes[0].endpoint.standing("carrier").expect("a trunk")
}

#[test]
fn a_trunk_is_up_while_it_answers_whatever_it_answers_and_down_when_it_is_silent() {
    let mut knocker = watching(None);
    assert_eq!(standing(&knocker).reach, Reach::Unknown);
    for (status, reach) in [
        ("200 OK", Reach::Up),
        ("404 Not Found", Reach::Up),
        ("503 Full", Reach::Down),
        ("405 No", Reach::Up),
    ] {
        let probe = asked(&mut knocker, "OPTIONS").pop().expect("a probe");
        assert_eq!(probe.target, format!("sip:{TRUNK}"));
        knocker.world.inject(0, TRUNK, answer(&probe, status, "").as_bytes());
        assert_eq!(standing(&knocker).reach, reach, "{status}");
        assert_eq!(standing(&knocker).is_out(), reach == Reach::Down);
        knocker.world.run_ms(30_001);
    }
    knocker.world.run_ms(33_000);
    assert_eq!(standing(&knocker).reach, Reach::Down);
    let told: Vec<Reach> = knocker.world.standings.iter().map(|(_, it)| it.reach).collect();
    assert_eq!(told, [Reach::Up, Reach::Down, Reach::Up, Reach::Down], "what is news");
}

#[test]
fn we_register_with_our_password_and_again_before_it_is_over() {
    let mut knocker = watching(Some(600));
    let register = |knocker: &mut Knocker| asked(knocker, "REGISTER").pop().expect("a REGISTER");
    let answered = |knocker: &mut Knocker, request: &Request, status: &str, more: &str| {
        knocker.world.inject(0, TRUNK, answer(request, status, more).as_bytes());
    };
    let first = register(&mut knocker);
    assert_eq!(standing(&knocker).registered, Registered::Trying);
    assert_eq!(first.headers.text(&HeaderName::To).as_deref(), Some("<sip:us@198.51.100.1>"));
    assert_eq!((shown(&first), first.target.as_str()), (None, "sip:198.51.100.1:5060"));
    let brief = "Min-Expires: 900\r\n";
    answered(&mut knocker, &first, "423 Brief", brief);
    let longer = register(&mut knocker);
    assert_eq!(longer.headers.text(&HeaderName::Expires).as_deref(), Some("900"));
    answered(
        &mut knocker,
        &longer,
        "407 Who",
        &proxy_authenticate("carrier", Algorithm::Md5, false),
    );
    let showing = register(&mut knocker);
    let ha1 = Ha1::of(Algorithm::Md5, "us", "carrier", "secret");
    assert!(shown(&showing).expect("credentials").show(&ha1, "REGISTER"));
    let contact = showing.headers.text(&HeaderName::Contact).expect("Contact").into_owned();
    let granted = format!("Contact: <sip:other@x>;expires=7, {contact};expires=100\r\n");
    answered(&mut knocker, &showing, "200 OK", &granted);
    assert_eq!(standing(&knocker).registered, Registered::Yes);
    knocker.world.run_ms(74_000);
    assert_eq!(asked(&mut knocker, "REGISTER"), []);
    knocker.world.run_ms(2_000);
    let again = register(&mut knocker);
    assert_eq!(again.headers.text(&HeaderName::CallId), first.headers.text(&HeaderName::CallId));
    assert_eq!(shown(&again).and_then(|it| it.counted).map(|(count, _)| count), Some(2));
    // Our password is not good any more: it is not shown again and again.
    let refuses = proxy_authenticate("carrier", Algorithm::Md5, false);
    answered(&mut knocker, &again, "407 Who", &refuses);
    assert_eq!(
        (standing(&knocker).registered, standing(&knocker).is_out()),
        (Registered::No, true)
    );
    knocker.world.run_ms(59_000);
    assert_eq!(asked(&mut knocker, "REGISTER"), []);
    knocker.world.run_ms(2_000);
    assert_eq!(shown(&register(&mut knocker)), None);
}

const BACKUP: &str = "198.51.100.2:5060";

/// A name with two servers, the first of which says nothing.
fn two_servers() -> [Server; 2] {
    [TRUNK, BACKUP]
        .map(|at| Server { transport: Transport::Udp, address: at.parse().expect("an address") })
}

/// Those of a method that were sent to an address.
fn sent_to(knocker: &mut Knocker, to: &str, method: &str) -> Vec<Request> {
    let to: std::net::SocketAddr = to.parse().expect("an address");
    let caught = std::mem::take(&mut knocker.world.caught);
    let requests =
        caught.iter().filter(|(flow, _)| flow.remote == to).map(|(_, bytes)| parse(bytes));
    let of_method = |message| match message {
        Ok(Message::Request(request)) if request.method.name() == method => Some(request),
        Ok(Message::Request(_) | Message::Response(_)) | Err(_) => None,
    };
    requests.filter_map(of_method).collect()
}

/// What is said by a server of IPv6 is not heard at an address of IPv4.
#[test]
fn of_a_names_servers_those_of_the_offers_family_are_tried_first() {
    let (v4, v6) = ("10.0.0.1:5060", "[2001:db8::1]:5060");
    for (audio_at, first) in [
        (Some("10.0.0.1"), "198.51.100.1:5060"),
        (Some("2001:db8::1"), "[2001:db8::9]:5060"),
        (None, "[2001:db8::9]:5060"),
    ] {
        let mut knocker = Knocker::at(with_trunk());
        let listeners = [v4, v6].map(|at| (Transport::Udp, at.parse().expect("an address")));
        let config = Config { access: with_trunk(), ..Config::new(listeners.to_vec()) };
        knocker.world.nodes[0].endpoint = Endpoint::new(config, 7);
        let to = "sip:0044123@carrier.example".parse().expect("uri");
        let from = "<sip:alice@10.0.0.1>".parse().expect("address");
        let audio_at = audio_at.map(|at| at.parse().expect("an address"));
        let invite = Invite { audio_at, ..Invite::new(to, from, b"offer".to_vec()) };
        let now = knocker.world.now;
        let endpoint = &mut knocker.world.nodes[0].endpoint;
        endpoint.invite(now, invite).expect("a way");
        let Some(Output::Resolve { id, .. }) = endpoint.poll() else { panic!("a lookup") };
        let servers = ["[2001:db8::9]:5060", TRUNK, BACKUP].map(|at| Server {
            transport: Transport::Udp,
            address: at.parse().expect("an address"),
        });
        endpoint.resolved(now, id, &servers);
        knocker.world.wake(0);
        assert_eq!(knocker.world.caught[0].0.remote.to_string(), first);
    }
}

/// RFC 3263 section 4.3: a server that does not answer is as good as one that says 503.
#[test]
fn a_call_whose_patience_is_over_goes_to_the_names_next_server() {
    let mut knocker = Knocker::at(with_trunk());
    let to = "sip:0044123@carrier.example".parse().expect("uri");
    let from = "<sip:alice@10.0.0.1>".parse().expect("address");
    let patience = Duration::from_secs(4);
    let invite = Invite { patience, ..Invite::new(to, from, b"offer".to_vec()) };
    let now = knocker.world.now;
    let endpoint = &mut knocker.world.nodes[0].endpoint;
    endpoint.invite(now, invite).expect("a way");
    let Some(Output::Resolve { id, .. }) = endpoint.poll() else { panic!("a lookup") };
    endpoint.resolved(now, id, &two_servers());
    knocker.world.wake(0);
    knocker.world.run_ms(3_900);
    let [first, ..] = &sent_to(&mut knocker, TRUNK, "INVITE")[..] else { panic!("a call") };
    let first = first.clone();
    knocker.world.run_ms(200);
    let calls = sent_to(&mut knocker, BACKUP, "INVITE");
    assert_eq!(calls.len(), 1);
    // The first server speaks after all, too late: it is told that nobody waits for it (section 9).
    knocker.world.inject(0, TRUNK, answer(&first, "180 Ringing", "").as_bytes());
    assert_eq!(sent_to(&mut knocker, TRUNK, "CANCEL").len(), 1);
    knocker.world.inject(0, TRUNK, answer(&first, "180 Ringing", "").as_bytes());
    assert_eq!(sent_to(&mut knocker, TRUNK, "CANCEL"), []);
    knocker.world.run_ms(4_000);
    assert_eq!(
        knocker.world.nodes[0].told.last().map(|(_, event)| event.clone()),
        Some(SessionEvent::Ended { cause: EndCause::TimedOut }),
        "there is no third"
    );
}

#[test]
fn a_trunk_is_up_while_one_of_its_names_servers_answers() {
    let mut access = with_trunk();
    let proxy = match "sip:carrier.example".parse() {
        Ok(Uri::Sip(uri)) => Some(uri),
        other => panic!("{other:?}"),
    };
    let trunk = Trunk { account: Some(account()), register_s: Some(600), ..Trunk::at(proxy) };
    access.trunks.insert("carrier".to_owned(), trunk);
    let mut knocker = Knocker::at(access);
    let now = knocker.world.now;
    let endpoint = &mut knocker.world.nodes[0].endpoint;
    endpoint.watch_trunks(now);
    endpoint.handle_timeout(now);
    let mut lookups = Vec::new();
    while let Some(output) = endpoint.poll() {
        if let Output::Resolve { id, .. } = output {
            lookups.push(id);
        }
    }
    for lookup in lookups {
        endpoint.resolved(now, lookup, &two_servers());
    }
    knocker.world.wake(0);
    knocker.world.run_ms(33_000);
    assert_eq!(standing(&knocker).reach, Reach::Unknown, "one is left to be asked");
    let caught = std::mem::take(&mut knocker.world.caught);
    for (flow, bytes) in caught {
        let Ok(Message::Request(request)) = parse(&bytes) else { panic!("a request") };
        if flow.remote == two_servers()[1].address {
            knocker.world.inject(0, BACKUP, answer(&request, "200 OK", "").as_bytes());
        }
    }
    assert_eq!(
        standing(&knocker),
        Standing { reach: Reach::Up, registered: Registered::Yes },
        "by the second"
    );
}

/// Registers, is challenged and let in; gives how to answer the trunk's next REGISTER.
fn registered(knocker: &mut Knocker) {
    let first = asked(knocker, "REGISTER").pop().expect("a REGISTER");
    knocker.world.inject(0, TRUNK, challenge(&first, &asks_by("first", false)).as_bytes());
    let showing = asked(knocker, "REGISTER").pop().expect("a REGISTER");
    knocker.world.inject(0, TRUNK, answer(&showing, "200 OK", "Expires: 100\r\n").as_bytes());
    assert_eq!(standing(knocker).registered, Registered::Yes);
}

/// A challenge with that nonce.
fn asks_by(nonce: &str, stale: bool) -> String {
    let (realm, nonce, algorithm) = ("carrier".to_owned(), nonce.to_owned(), Algorithm::Md5);
    let challenge = Challenge { realm, nonce, algorithm, stale, opaque: None, counts: true };
    format!("Proxy-Authenticate: {challenge}\r\n")
}

/// Nonces live for minutes, registrations for an hour: each refresh is challenged anew. Some
/// registrars do not say that it is for the nonce's age alone.
#[test]
fn a_registration_stands_however_often_its_nonce_gets_old() {
    for stale in [true, false] {
        let mut knocker = watching(Some(600));
        registered(&mut knocker);
        for refresh in 0..10 {
            knocker.world.run_ms(76_000);
            let old = asked(&mut knocker, "REGISTER").pop().expect("a REGISTER");
            let anew = challenge(&old, &asks_by(&format!("{refresh}"), stale));
            knocker.world.inject(0, TRUNK, anew.as_bytes());
            let showing = asked(&mut knocker, "REGISTER").pop();
            let showing = showing.unwrap_or_else(|| panic!("{refresh}, stale={stale}"));
            let ok = answer(&showing, "200 OK", "Expires: 100\r\n");
            knocker.world.inject(0, TRUNK, ok.as_bytes());
            assert_eq!(standing(&knocker).registered, Registered::Yes);
        }
        let told = knocker.world.standings.len();
        assert_eq!(told, 1, "that it is there, and nothing else");
    }
}

#[test]
fn a_registrar_that_knows_us_by_another_address_is_taken_at_its_word_all_the_same() {
    let mut knocker = watching(Some(600));
    let first = asked(&mut knocker, "REGISTER").pop().expect("a REGISTER");
    // Our address as it is outside of our NAT; another phone of the account has long to go.
    let granted = "Contact: <sip:203.0.113.77:1025>;expires=80, <sip:x@h>;expires=500\r\n";
    knocker.world.inject(0, TRUNK, answer(&first, "200 OK", granted).as_bytes());
    assert_eq!(standing(&knocker).registered, Registered::Yes);
    knocker.world.run_ms(61_000);
    assert_ne!(asked(&mut knocker, "REGISTER"), [], "in time");
}

/// RFC 3261 section 10.2.4: what was granted holds, whatever becomes of the next request.
#[test]
fn a_registration_that_cannot_be_prolonged_holds_to_its_end_and_is_tried_again_soon() {
    for status in [None, Some("503 Full"), Some("408 Request Timeout")] {
        let mut knocker = watching(Some(600));
        let first = asked(&mut knocker, "REGISTER").pop().expect("a REGISTER");
        knocker.world.inject(0, TRUNK, answer(&first, "200 OK", "Expires: 600\r\n").as_bytes());
        let begun = knocker.world.now;
        knocker.world.run_ms(450_000);
        let again = asked(&mut knocker, "REGISTER").pop().expect("a REGISTER");
        match status {
            Some(status) => knocker.world.inject(0, TRUNK, answer(&again, status, "").as_bytes()),
            None => knocker.world.run_ms(32_000),
        }
        assert_eq!(standing(&knocker).registered, Registered::Yes, "{status:?}");
        drop(asked(&mut knocker, "REGISTER"));
        knocker.world.run_ms(10_000);
        assert_ne!(asked(&mut knocker, "REGISTER"), [], "{status:?}");
        let granted = begun + Duration::from_secs(600);
        let left = granted.duration_since(knocker.world.now);
        knocker.world.run(left - Duration::from_secs(1));
        assert!(!standing(&knocker).is_out(), "{status:?}");
        knocker.world.run_ms(2_000);
        assert_eq!(standing(&knocker).registered, Registered::No, "{status:?}");
        knocker.world.run_ms(85_000);
        let late = asked(&mut knocker, "REGISTER").pop().expect("a REGISTER");
        knocker.world.inject(0, TRUNK, answer(&late, "200 OK", "Expires: 600\r\n").as_bytes());
        assert_eq!(standing(&knocker).registered, Registered::Yes);
    }
}
