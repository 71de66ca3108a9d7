//! Calls to and from trunks: which of them a call takes, as whom, and who may make it at all.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use model::registration::Contact;
use model::{
    Author, Command, CommandId, ConferenceName, ConferenceRef, Direction, Refusal, Registration,
    SrtpKeys, SrtpPolicy, TrunkState, Verb,
};
use sip::access::{Access, Choice, From, Network, Pattern, Rewrite, Route, Target, Template};
use sip::access::{Trunk, TrunkHeaders};
use sip::message::{HeaderName, Message, Request, Uri};
use switchboard::{KeyKind, SrtpRules, TrunkAudio};
use wire::sdp::Encoding;

use crate::house::{House, Phone, SERVER, description, refusal, reply, statuses, text};

/// Three gateways, by what ends their addresses.
const GATEWAYS: [(&str, u8); 3] = [("first", 1), ("second", 2), ("third", 3)];

pub(crate) fn gateway(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 9, 0, number], 5060))
}

fn pattern(text: &str) -> Pattern {
    text.parse().unwrap()
}

fn rewrite(from: &str, to: &str) -> Rewrite {
    let pattern = pattern(from);
    Rewrite { to: Template::parse(to, &pattern).unwrap(), pattern }
}

fn trunk(number: u8) -> Trunk {
    let proxy = match format!("sip:{}", gateway(number)).parse() {
        Ok(Uri::Sip(uri)) => Some(uri),
        other => panic!("{other:?}"),
    };
    let source: Network = format!("10.9.0.{number}").parse().unwrap();
    Trunk {
        sources: vec![(source, None)],
        inbound: vec![rewrite("0%", "+49$1")],
        outbound: vec![rewrite("+49%", "0$1")],
        ..Trunk::at(proxy)
    }
}

fn route(from: From, dialled: &str, to: fn(Template) -> Target, at: &str) -> Route {
    let pattern = pattern(dialled);
    let to = to(Template::parse(at, &pattern).unwrap());
    let open = matches!(to, Target::Conference(_));
    Route { from, pattern, to, open }
}

/// The phones of 10.0.1.0/28 are trusted. Who dials 9 and a number gets out by the first gateway,
/// else by the second, else by the third; the room is open to everybody.
pub(crate) fn access() -> Access {
    let out: fn(Template) -> Target = |number| {
        let choices = GATEWAYS.iter().enumerate();
        let choice = |(at, (name, _)): (usize, &(&str, u8))| Choice {
            trunk: (*name).to_owned(),
            priority: u16::try_from(at).unwrap(),
            weight: 1,
        };
        Target::Number(choices.map(choice).collect(), number)
    };
    Access {
        trunks: GATEWAYS.map(|(name, number)| (name.to_owned(), trunk(number))).into(),
        trusted: vec!["10.0.1.0/28".parse().unwrap()],
        routes: vec![
            route(From::Any, "+%", out, "+$1"),
            route(From::Any, "9%", out, "+49$1"),
            route(From::Trunk("first".to_owned()), "+4930%", Target::Conference, "desk-$1"),
            route(From::Any, "room", Target::Conference, "room"),
        ],
        ..Access::local()
    }
}

pub(crate) fn with(change: impl FnOnce(&mut BTreeMap<String, Trunk>)) -> House {
    let mut access = access();
    change(&mut access.trunks);
    House::letting_in(access)
}

/// The calls that have come to a gateway.
pub(crate) fn calls(house: &mut House, number: u8) -> Vec<Request> {
    let invite = |message| match message {
        Message::Request(request) if request.method.name() == "INVITE" => Some(request),
        Message::Request(_) | Message::Response(_) => None,
    };
    house.take(gateway(number)).into_iter().filter_map(invite).collect()
}

pub(crate) fn the_call(house: &mut House, number: u8) -> Request {
    let calls = calls(house, number);
    let [call] = &calls[..] else { panic!("one call at gateway {number}, not {calls:?}") };
    call.clone()
}

pub(crate) fn refuse(house: &mut House, number: u8, call: &Request, status: &str) {
    house.receive(gateway(number), &refusal(call, status));
}

fn header(call: &Request, name: HeaderName) -> String {
    text(&call.headers, name)
}

pub(crate) fn methods(messages: &[Message]) -> Vec<&str> {
    let request = |message| match message {
        &Message::Request(Request { ref method, .. }) => Some(method.name()),
        Message::Response(_) => None,
    };
    messages.iter().filter_map(request).collect()
}

#[test]
fn a_call_goes_to_the_next_trunk_when_one_fails_and_ends_when_the_number_is_busy() {
    let mut house = with(|_| {});
    let mut alice = Phone::new("alice", 1);
    alice.dial(&mut house, "930123", "");
    let call = the_call(&mut house, 1);
    assert_eq!(call.target, "sip:030123@10.9.0.1:5060");
    assert!(header(&call, HeaderName::From).starts_with("<sip:alice@convoke>"));
    assert_eq!(header(&call, HeaderName::MaxForwards), "69");
    refuse(&mut house, 1, &call, "503 Full");
    let call = the_call(&mut house, 2);
    assert_eq!(call.target, "sip:030123@10.9.0.2:5060");
    refuse(&mut house, 2, &call, "486 Busy Here");
    assert_eq!(calls(&mut house, 3), [], "a busy number is busy everywhere");
    assert_eq!(methods(&house.take(alice.address)), ["BYE"]);
    house.run(70_000);
    assert!(house.board.is_idle() || house.board.conferences().count() == 0);
}

/// Three quarters of the calls go where three quarters of the weight are, and one of no weight is
/// for when nobody else can.
#[test]
fn among_equals_trunks_are_chosen_by_lot_with_their_weights() {
    let mut access = access();
    for route in &mut access.routes {
        if let Target::Number(choices, _) = &mut route.to {
            for (choice, weight) in choices.iter_mut().zip([3, 1, 0]) {
                (choice.priority, choice.weight) = (0, weight);
            }
        }
    }
    let mut house = House::letting_in(access);
    let mut taken = [0; 3];
    for number in 0..120 {
        let mut phone = Phone::new("phone", 2);
        phone.call_id = format!("call-{number}");
        phone.dial(&mut house, "930123", "");
        let tried: Vec<u8> = (1..=3).filter(|at| !calls(&mut house, *at).is_empty()).collect();
        let [first] = tried[..] else { panic!("{tried:?}: one at a time") };
        taken[usize::from(first) - 1] += 1;
        phone.send(&mut house, "BYE", "");
        house.run(1_000);
        (1..=3).for_each(|at| drop(house.take(gateway(at))));
    }
    assert_eq!(taken.iter().sum::<i32>(), 120);
    assert!((75..=105).contains(&taken[0]) && taken[2] == 0, "{taken:?}");
}

#[test]
fn a_trunk_of_no_weight_waits_for_the_others_wherever_it_is_named() {
    for weights in [[0, 1, 0], [1, 0, 1]] {
        let mut access = access();
        for route in &mut access.routes {
            if let Target::Number(choices, _) = &mut route.to {
                for (choice, weight) in choices.iter_mut().zip(weights) {
                    (choice.priority, choice.weight) = (0, weight);
                }
            }
        }
        let mut house = House::letting_in(access);
        for number in 0..30 {
            let mut phone = Phone::new("phone", 2);
            phone.call_id = format!("call-{number}");
            phone.dial(&mut house, "930123", "");
            let tried: Vec<u8> = (1..=3).filter(|at| !calls(&mut house, *at).is_empty()).collect();
            let [first] = tried[..] else { panic!("{tried:?}: one at a time") };
            assert_ne!(weights[usize::from(first) - 1], 0, "{weights:?}");
            phone.send(&mut house, "BYE", "");
            house.run(1_000);
            (1..=3).for_each(|at| drop(house.take(gateway(at))));
        }
    }
}

#[test]
fn who_has_no_number_calls_by_a_trunks_own_and_who_has_one_keeps_it() {
    for (caller, said, expected) in [
        ("alice", "", "<sip:+4930999@convoke>"),
        ("alice", "P-Asserted-Identity: <sip:+4930555@home>\r\n", "<sip:030555@convoke>"),
    ] {
        let mut house = with(|trunks| {
            trunks.get_mut("first").unwrap().caller = Some("+4930999".to_owned());
        });
        Phone::new(caller, 1).dial(&mut house, "930123", said);
        let from = header(&the_call(&mut house, 1), HeaderName::From);
        assert!(from.starts_with(expected), "{from}");
    }
}

#[test]
fn calls_from_a_trunk_beyond_its_limit_are_answered_503() {
    let mut house = with(|trunks| trunks.get_mut("first").unwrap().calls_max = 1);
    let caller = |name| Phone { address: gateway(1), ..Phone::new(name, 99) };
    caller("a").dial(&mut house, "03077", "");
    let refused = caller("b").call(&mut house, "03077", "");
    assert!(statuses(&refused).contains(&503), "{refused:?}");
}

#[test]
fn who_calls_is_told_to_trusted_trunks_only() {
    let uui = "User-to-User: 56a390f3d2b7310023a2;encoding=hex\r\nX-Own: 1\r\n";
    let identity = "P-Asserted-Identity: \"Ann\" <sip:+4930555@home>\r\n";
    let seen = |trusted: bool, more: &str| {
        let mut house = with(|trunks| {
            let first = trunks.get_mut("first").unwrap();
            first.trusted = trusted;
            let line = (HeaderName::Other("X-Customer".into()), "4711".to_owned());
            first.headers = TrunkHeaders { set: vec![line], ..TrunkHeaders::default() };
        });
        Phone::new("alice", 1).dial(&mut house, "930123", &format!("{uui}{more}"));
        let call = the_call(&mut house, 1);
        use HeaderName as Name;
        let from = header(&call, Name::From);
        let from = from.split(";tag=").next().unwrap_or_default().to_owned();
        let (known, privacy) =
            (header(&call, Name::PAssertedIdentity), header(&call, Name::Privacy));
        assert_eq!(header(&call, Name::Other("X-Customer".into())), "4711");
        assert_eq!(header(&call, Name::Other("X-Own".into())), "");
        assert!(header(&call, Name::UserToUser).starts_with("56a3"));
        [from, known, privacy]
    };
    let ann = "\"Ann\" <sip:030555@convoke>";
    let nobody = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
    assert_eq!(seen(true, identity), [ann, ann, ""]);
    assert_eq!(seen(false, identity), [ann, "", ""]);
    let private = format!("{identity}Privacy: id\r\n");
    assert_eq!(seen(true, &private), [nobody, ann, "id"]);
    assert_eq!(seen(false, &private), [nobody, "", ""]);
    assert_eq!(seen(true, ""), ["<sip:alice@convoke>", "", ""], "nobody vouches for a From");
}

#[test]
fn a_call_from_a_trunk_shows_the_number_that_it_vouches_for_and_none_that_is_private() {
    let shown = |more: &str| {
        let mut house = with(|trunks| trunks.get_mut("first").unwrap().trusted = true);
        let mut caller = Phone { address: gateway(1), ..Phone::new("030999", 99) };
        caller.dial(&mut house, "03077", more);
        let conference = house.board.conferences().next().unwrap();
        conference.parties()[0].address.clone()
    };
    assert_eq!(shown(""), "sip:+4930999@home");
    let identity = "P-Asserted-Identity: <tel:030555>\r\n";
    assert_eq!(shown(identity), "tel:+4930555");
    let private = format!("{identity}Privacy: id\r\n");
    assert_eq!(shown(&private), "sip:anonymous@anonymous.invalid");
}

/// Every way to have a call made that somebody else pays for.
#[test]
fn nobody_has_a_number_called_that_it_may_not_dial_itself() {
    let mut house = with(|_| {});
    let mut stranger = Phone::new("mallory", 66);
    stranger.join(&mut house);
    let mut trunk = Phone { address: gateway(2), ..Phone::new("trunk", 99) };
    trunk.dial(&mut house, "room", "");
    let mut alice = Phone::new("alice", 1);
    alice.join(&mut house);
    for target in
        ["sip:9301@10.0.0.1", "sip:9301@convoke", "tel:+49301", "sip:0301@10.9.0.1", "sip:1@x.org"]
    {
        for method in ["", ";method=INVITE"] {
            let refer = format!("Refer-To: <{target}{method}>\r\n");
            for author in [&mut stranger, &mut trunk] {
                let refused = author.send(&mut house, "REFER", &refer);
                assert_eq!(statuses(&refused), [403], "{} {refer}", author.name);
            }
        }
    }
    let direct = Phone::new("eve", 67).call(&mut house, "9301", "");
    assert_eq!(statuses(&direct), [401]);
    house.run(1_000);
    for (_, number) in GATEWAYS {
        assert_eq!(calls(&mut house, number), [], "{number}");
    }
    assert_eq!(house.board.stats().refusals.get("not_allowed"), Some(&20));
    // Who may dial it may also have it called.
    let refer = "Refer-To: <tel:+49-30-1>\r\n";
    assert_eq!(statuses(&alice.send(&mut house, "REFER", refer)), [202]);
    assert_eq!(the_call(&mut house, 1).target, "sip:0301@10.9.0.1:5060");
}

#[test]
fn the_api_calls_numbers_by_the_routes_too() {
    let mut house = with(|_| {});
    let invite = |house: &mut House, id, target: &str| {
        let name = ConferenceName::parse("room").unwrap();
        let verb = Verb::invite(target.to_owned());
        let conference = ConferenceRef::Name(name);
        let id = CommandId(id);
        house.command(Command { id, conference, by: Author::Admin, verb, if_revision: None })
    };
    invite(&mut house, 1, "tel:+4930123").unwrap();
    let call = the_call(&mut house, 1);
    assert_eq!(call.target, "sip:030123@10.9.0.1:5060");
    assert!(header(&call, HeaderName::From).starts_with("<sip:room@convoke>"));
    assert_eq!(invite(&mut house, 2, "tel:110"), Err(Refusal::NotAllowed), "no route");
}

#[test]
fn who_is_called_by_a_number_is_from_outside_and_its_call_goes_out() {
    let mut house = with(|_| {});
    Phone::new("alice", 1).dial(&mut house, "930123", "");
    the_call(&mut house, 1);
    let pair = house.board.conferences().next().unwrap();
    assert_eq!(pair.parties()[1].direction, Direction::Outbound, "S0.4");
}

#[test]
fn a_trunk_is_offered_the_codecs_and_keys_that_it_takes() {
    let audio =
        TrunkAudio { codecs: vec![Encoding::Pcma], keys: KeyKind::Info, ..TrunkAudio::default() };
    let mut house = House::agreeing(access(), BTreeMap::from([("first".to_owned(), audio)]));
    let mut alice = Phone::new("alice", 1);
    alice.dial(&mut house, "930123", "");
    let call = the_call(&mut house, 1);
    let offer = String::from_utf8(call.body.clone()).unwrap();
    assert!(offer.contains(" RTP/AVP 8 13\r\n"), "{offer}");
    let contact = "Contact: <sip:gw@10.9.0.1>\r\nContent-Type: application/sdp\r\n";
    let answer = description(gateway(1), "8");
    house.receive(gateway(1), &reply(&call, "200 OK", ";tag=b", contact, &answer));
    let acknowledged = house.take(gateway(1));
    assert_eq!(methods(&acknowledged), ["ACK"]);
    house.run(1_000);
    assert_eq!(house.board.conferences().next().unwrap().parties().len(), 2);
}

#[test]
fn a_trunk_that_is_down_is_passed_over_and_shown_so() {
    let mut house = with(|_| {});
    house.board.watch_trunks(house.now);
    house.run(0);
    let answer = |house: &mut House, number, status: &str| {
        let messages = house.take(gateway(number));
        let [Message::Request(probe)] = &messages[..] else { panic!("{messages:?}") };
        assert_eq!(probe.method.name(), "OPTIONS");
        house.receive(gateway(number), &reply(probe, status, ";tag=p", "", ""));
    };
    answer(&mut house, 1, "503 Out of Order");
    answer(&mut house, 2, "200 OK");
    Phone::new("alice", 1).dial(&mut house, "930123", "");
    assert_eq!((calls(&mut house, 1).len(), calls(&mut house, 2).len()), (0, 1));
    let trunks = house.board.stats().trunks;
    let shown: Vec<_> =
        trunks.iter().map(|it| (it.name.as_str(), it.state, it.calls, it.tried)).collect();
    assert_eq!(
        shown,
        [
            ("first", TrunkState::Down, 0, 0),
            ("second", TrunkState::Up, 1, 1),
            ("third", TrunkState::Unknown, 0, 0),
        ]
    );
}

#[test]
fn a_trunk_that_must_have_srtp_is_called_with_it_and_not_heard_without() {
    let audio = TrunkAudio { srtp: Some(SrtpPolicy::Required), ..TrunkAudio::default() };
    let audio = BTreeMap::from([("first".to_owned(), audio)]);
    let srtp = SrtpRules { keys: SrtpKeys::Any, ..SrtpRules::default() };
    let mut house = House::protecting(access(), audio.clone(), srtp);
    Phone::new("alice", 1).dial(&mut house, "930123", "");
    let call = the_call(&mut house, 1);
    let offer = |call: &Request| String::from_utf8(call.body.clone()).unwrap();
    let protected = offer(&call);
    assert!(protected.contains(" RTP/SAVP ") && protected.contains("a=crypto:1 "), "{protected}");
    refuse(&mut house, 1, &call, "503 Full");
    let plain = offer(&the_call(&mut house, 2));
    assert!(plain.contains(" RTP/AVP ") && !plain.contains("crypto"), "{plain}");
    let mut caller = Phone { address: gateway(1), ..Phone::new("030999", 99) };
    assert_eq!(statuses(&caller.call(&mut house, "0307", "")).last(), Some(&488));

    // Where keys go by TLS only it is not called by UDP, and the log says why.
    let mut strict = House::protecting(access(), audio, SrtpRules::default());
    Phone::new("alice", 1).dial(&mut strict, "930123", "");
    assert_eq!(strict.keys_in_clear, ["first"]);
    the_call(&mut strict, 2);
}

/// How many stand in each conference.
fn crowds(house: &House) -> Vec<usize> {
    let mut crowds: Vec<usize> = house.board.conferences().map(|c| c.parties().len()).collect();
    crowds.sort_unstable();
    crowds
}

/// The server calls itself then, and must know itself: nobody else is let in by that route.
#[test]
fn who_transfers_itself_to_another_room_of_ours_gets_there_by_its_own_right() {
    for target in ["sip:+49301@10.0.0.1:5060", "sip:+49301@10.0.0.1", "sip:+49301@convoke"] {
        let mut house = with(|_| {});
        let mut caller = Phone { address: gateway(1), ..Phone::new("trunk", 99) };
        caller.dial(&mut house, "room", "");
        let refer = format!("Refer-To: <{target}>\r\nRefer-Sub: false\r\n");
        let messages = caller.send(&mut house, "REFER", &refer);
        assert_eq!(statuses(&messages), [202], "{target}");
        assert_eq!(crowds(&house), [1, 1], "{target}: the room, and the desk");
        assert_eq!(methods(&messages), ["BYE"], "{target}: {messages:?}");
    }
}

#[test]
fn who_came_by_a_proxy_means_us_where_it_names_that_proxy() {
    for (passed, target, status) in [
        ("10.9.0.9:5080", "10.9.0.9:5080", 202),
        ("10.9.0.9", "10.9.0.9:5060", 202),
        ("10.9.0.9:5080", "10.9.0.9:5060", 403),
        ("10.9.0.9:5080", "10.9.0.8:5080", 403),
    ] {
        let mut house = with(|_| {});
        let mut caller = Phone { address: gateway(1), ..Phone::new("trunk", 99) };
        caller.dial(&mut house, "room", &format!("Record-Route: <sip:{passed};lr>\r\n"));
        let refer = format!("Refer-To: <sip:+49301@{target}>\r\nRefer-Sub: false\r\n");
        let messages = caller.send(&mut house, "REFER", &refer);
        assert_eq!(statuses(&messages), [status], "{target} by {passed}");
        let expected: &[usize] = if status == 202 { &[1, 1] } else { &[1] };
        assert_eq!(crowds(&house), expected, "{target} by {passed}");
    }
}

/// Nobody can make up such a call: its name is known to us alone.
#[test]
fn a_call_under_the_name_of_one_of_ours_is_a_strangers() {
    let mut house = with(|_| {});
    let mut alice = Phone::new("alice", 1);
    alice.dial(&mut house, "930123", "");
    let ours = the_call(&mut house, 1);
    let mut mallory = Phone::new("mallory", 66);
    mallory.call_id = text(&ours.headers, HeaderName::CallId);
    let from = text(&ours.headers, HeaderName::From);
    let invite = mallory.request("INVITE", "", "");
    let invite = invite.replace("<sip:mallory@home>;tag=tmallory", &from);
    house.receive(mallory.address, &invite.replace("sip:room@", "sip:9110@"));
    assert_eq!(statuses(&house.take(mallory.address)), [401]);
}

/// By whatever number or name a route leads to it.
#[test]
fn a_user_that_must_have_srtp_is_called_with_it_however_it_is_dialled() {
    let srtp = SrtpRules {
        users: BTreeMap::from([("ada".to_owned(), SrtpPolicy::Required)]),
        keys: SrtpKeys::Any,
        ..SrtpRules::default()
    };
    let mut access = access();
    access.users.insert("ada".to_owned(), sip::digest::Secrets::default());
    access.routes.insert(0, route(From::Any, "phone-*", Target::User, "$1"));
    let mut house = House::protecting(access, BTreeMap::new(), srtp);
    let ada: SocketAddr = "10.0.1.5:5060".parse().unwrap();
    let contact = Contact {
        uri: format!("sip:ada@{ada}"),
        expires_ms: u64::MAX / 4,
        q_thousandths: 1_000,
        path: Vec::new(),
        transport: "UDP".into(),
        local: SERVER.parse().unwrap(),
        remote: ada,
        call_id: "call".into(),
        cseq: 1,
        user_agent: None,
    };
    let registration = Registration { user: "ada".to_owned(), contacts: vec![contact] };
    house.board.restore(house.now, vec![registration]);
    Phone::new("alice", 1).dial(&mut house, "phone-ada", "");
    let messages = house.take(ada);
    let [Message::Request(call)] = &messages[..] else { panic!("{messages:?}") };
    let offer = String::from_utf8_lossy(&call.body);
    assert!(offer.contains(" RTP/SAVP ") && offer.contains("a=crypto:"), "{offer}");
}

/// A body of an INFO that has come, which is answered so.
fn info(house: &mut House, status: &str) -> Option<(String, String)> {
    let messages = house.take(gateway(1));
    let found = messages.iter().find_map(|message| match message {
        Message::Request(request) if request.method.name() == "INFO" => Some(request.clone()),
        Message::Request(_) | Message::Response(_) => None,
    });
    let request = found?;
    house.receive(gateway(1), &reply(&request, status, "", "", ""));
    let body = String::from_utf8(request.body.clone()).unwrap();
    Some((header(&request, HeaderName::ContentType), body))
}

#[test]
fn keys_go_one_by_one_by_info_where_the_trunk_takes_them_so() {
    let audio = TrunkAudio { keys: KeyKind::Info, ..TrunkAudio::default() };
    let mut house = House::agreeing(access(), BTreeMap::from([("first".to_owned(), audio)]));
    Phone::new("alice", 1).dial(&mut house, "930123", "");
    let call = the_call(&mut house, 1);
    let contact = "Contact: <sip:gw@10.9.0.1>\r\nContent-Type: application/sdp\r\n";
    let answer = description(gateway(1), "8");
    house.receive(gateway(1), &reply(&call, "200 OK", ";tag=b", contact, &answer));
    house.take(gateway(1));
    let conference = house.board.conferences().next().unwrap();
    let (id, party) = (conference.id(), conference.parties()[1].id);
    let press = |house: &mut House, number, digits: &str| {
        let digits = digits.parse().unwrap();
        let (by, verb) = (Author::Admin, Verb::SendDigits { party, digits });
        house.command(Command::new(CommandId(number), ConferenceRef::Id(id), by, verb)).unwrap();
    };
    press(&mut house, 1, "4#");
    let relay = |key| {
        let body = format!("Signal={key}\r\nDuration=100\r\n");
        ("application/dtmf-relay".to_owned(), body)
    };
    assert_eq!(info(&mut house, "200 OK"), Some(relay('4')));
    // It does not know that kind: the same key comes in the other.
    assert_eq!(info(&mut house, "415 Unsupported Media Type"), Some(relay('#')));
    let plain = |key: char| ("application/dtmf".to_owned(), key.to_string());
    assert_eq!(info(&mut house, "200 OK"), Some(plain('#')));
    assert_eq!(info(&mut house, "200 OK"), None);
    press(&mut house, 2, "12");
    assert_eq!(info(&mut house, "500 No"), Some(plain('1')));
    assert_eq!(info(&mut house, "200 OK"), None, "it takes none");
}

#[test]
fn whom_a_room_calls_sees_the_number_that_the_room_has() {
    let mut house = with(|_| {});
    let target = model::command::Target::Address("sip:930123@convoke".to_owned());
    let room = ConferenceRef::parse("desk").unwrap();
    let verb = Verb::Invite { target, role: None };
    house.command(Command::new(CommandId(1), room, Author::Admin, verb)).unwrap();
    let call = the_call(&mut house, 1);
    let from = header(&call, HeaderName::From);
    assert!(from.starts_with("<sip:030999@convoke>"), "{from}");
}
