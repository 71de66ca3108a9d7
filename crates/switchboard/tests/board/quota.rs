//! How many calls out a user may begin in an hour and have at once, and where it has not called
//! before.

use std::collections::BTreeMap;

use model::{Author, Command, CommandId, ConferenceRef, Refusal, Verb};
use sip::access::{Access, CallsOut, Choice, Cost, From, Pattern, Route, Target, Template, Trunk};
use sip::digest::{Account, Challenge, Password, Secrets};
use sip::message::{HeaderName, Message, NameAddr, Uri};

use crate::house::{House, Phone, SERVER, description, reply, statuses, text};

/// What alice may begin in an hour.
const CALLS: u32 = 2;

fn cost(amount: f64) -> Cost {
    amount.try_into().unwrap()
}

/// A minute to +49 costs 0.5, one to +1900 is 3 and one to +800 nothing; of others it is unknown.
fn access() -> Access {
    let any: Pattern = "+%".parse().unwrap();
    let number = Template::parse("+$1", &any).unwrap();
    let carrier = Choice { trunk: "carrier".to_owned(), priority: 0, weight: 1 };
    let out = Target::Number(vec![carrier], number);
    let room: Pattern = "room".parse().unwrap();
    let to_room = Target::Conference(Template::parse("room", &room).unwrap());
    let route = |pattern, to| Route { from: From::Any, pattern, to, open: false };
    let Ok(Uri::Sip(proxy)) = "sip:10.9.0.1".parse() else { panic!("a URI") };
    let price = |numbers: &str, amount| (numbers.parse().unwrap(), cost(amount));
    let prices = vec![price("+49%", 0.5), price("+1900%", 3.0), price("+800%", 0.0)];
    let carrier = Trunk { prices, calls_per_second_max: 100, ..Trunk::at(Some(proxy)) };
    let secrets = |user: &str| (user.to_owned(), Secrets::of(user, "convoke", "wonder"));
    Access {
        users: ["alice", "ben", "dora", "erin"].map(secrets).into(),
        calls_out: BTreeMap::from([
            ("alice".to_owned(), CallsOut { per_hour: Some(CALLS), ..CallsOut::default() }),
            ("dora".to_owned(), CallsOut { at_once: Some(CALLS), ..CallsOut::default() }),
            ("erin".to_owned(), CallsOut { spend_per_day: Some(cost(2.0)), ..CallsOut::default() }),
        ]),
        trunks: BTreeMap::from([("carrier".to_owned(), carrier)]),
        trusted: Vec::new(),
        emergency: ["+49112".to_owned()].into(),
        routes: vec![route(any, out), route(room, to_room)],
        ..Access::local()
    }
}

/// A user asks with its password.
fn show(house: &mut House, phone: &mut Phone, method: &str, to: &str) -> Vec<Message> {
    let mut ask = |house: &mut House, more: &str| {
        let asked = phone.request(method, more, "");
        let target = format!("{method} sip:{to}@");
        house.receive(phone.address, &asked.replacen(&format!("{method} sip:room@"), &target, 1));
        house.take(phone.address)
    };
    let challenged = ask(house, "");
    let [Message::Response(response)] = &challenged[..] else { panic!("{challenged:?}") };
    let challenge = text(&response.headers, HeaderName::WwwAuthenticate);
    let (user, password) = (phone_name(&challenged), Password::new("wonder"));
    let account = Account { user, realm: None, password };
    let challenge = account.choose(&[Challenge::parse(&challenge).unwrap()]).unwrap();
    let uri = format!("sip:{to}@{SERVER}");
    let shown = account.answer(&challenge, (method, &uri), (1, "cnonce"));
    ask(house, &format!("Authorization: {shown}\r\n"))
}

/// The user in From.
fn phone_name(answers: &[Message]) -> String {
    let Some(Message::Response(response)) = answers.first() else { panic!("{answers:?}") };
    let from = text(&response.headers, HeaderName::From);
    from.split_once("sip:").unwrap().1.split('@').next().unwrap().to_owned()
}

#[test]
fn a_user_begins_as_many_calls_out_in_an_hour_as_it_may_and_others_any_number() {
    let mut house = House::letting_in(access());
    let mut number = 0;
    let mut out = |house: &mut House, name: &'static str| {
        number += 1;
        let mut phone = Phone::new(name, 100);
        phone.call_id = format!("call-{number}");
        house.take(phone.address);
        statuses(&show(house, &mut phone, "INVITE", &format!("+4930{number}")))
    };
    for _ in 0..CALLS {
        let answers = out(&mut house, "alice");
        assert!(!answers.is_empty() && answers.iter().all(|status| *status < 300), "{answers:?}");
    }
    assert_eq!(out(&mut house, "alice").last(), Some(&Refusal::NotAllowed.sip_status()));
    assert_eq!(out(&mut house, "alice").last(), Some(&403));
    let mut in_need = Phone::new("alice", 100);
    in_need.call_id = "call-112".to_owned();
    house.take(in_need.address);
    let answers = statuses(&show(&mut house, &mut in_need, "INVITE", "+49112"));
    assert!(!answers.is_empty() && answers.iter().all(|status| *status < 300), "{answers:?}");
    assert_eq!(house.emergencies, [(Some("alice".to_owned()), "+49112".to_owned())]);
    assert!(out(&mut house, "ben").iter().all(|status| *status < 300));
    let hits = |house: &House| house.board.stats().limits["calls_out"];
    assert_eq!(hits(&house), 2);
    assert_eq!(house.suspicions, ["too many calls out"], "told once");
    house.run(3_600_000);
    assert!(out(&mut house, "alice").iter().all(|status| *status < 300), "an hour later");
}

#[test]
fn whom_a_user_has_called_counts_as_its_own_call() {
    let mut house = House::letting_in(access());
    let mut alice = Phone::new("alice", 100);
    let mut other = alice.outside("other");
    show(&mut house, &mut other, "INVITE", "+49301");
    let answers = show(&mut house, &mut alice, "INVITE", "room");
    let Some(Message::Response(ok)) = answers.last() else { panic!("{answers:?}") };
    let to: NameAddr = text(&ok.headers, HeaderName::To).parse().unwrap();
    alice.tag = to.tag().unwrap().to_owned();
    let sdp = description(alice.address, "0");
    let ack = alice.request("ACK", "Content-Type: application/sdp\r\n", &sdp);
    house.receive(alice.address, &ack);
    for (number, status) in [(2, 202), (3, 403)] {
        let refer_to = format!("Refer-To: <sip:+4930{number}@{SERVER}>\r\n");
        let answers = statuses(&alice.send(&mut house, "REFER", &refer_to));
        assert_eq!(answers.first(), Some(&status), "{number}");
    }
    // And so does whom it has called by its desk, in either of its calls.
    let seats: Vec<_> = house
        .board
        .conferences()
        .map(|found| {
            let its = found.parties().iter().find(|party| party.address.contains("alice"));
            (ConferenceRef::Id(found.id()), its.unwrap().id)
        })
        .collect();
    for (at, (conference, party)) in seats.into_iter().enumerate() {
        let invite = Verb::invite(format!("sip:+49305@{SERVER}"));
        let command = CommandId(5 + at as u64);
        let command = Command::new(command, conference, Author::Party(party), invite);
        assert_eq!(house.command(command), Err(Refusal::NotAllowed));
    }
    assert_eq!(house.board.stats().limits["calls_out"], 3);
}

/// A user calls a number outside: the final status.
fn dials(house: &mut House, phone: &mut Phone, number: &str) -> u16 {
    house.take(phone.address);
    let answers = show(house, phone, "INVITE", number);
    let Some(Message::Response(answer)) = answers.last() else { panic!("{answers:?}") };
    let to: NameAddr = text(&answer.headers, HeaderName::To).parse().unwrap();
    phone.tag = to.tag().unwrap().to_owned();
    answer.status.code()
}

fn phone(name: &'static str, call: usize) -> Phone {
    Phone { call_id: format!("call-{call}"), ..Phone::new(name, 100) }
}

#[test]
fn a_user_has_as_many_calls_out_at_once_as_it_may() {
    let mut house = House::letting_in(access());
    let [mut one, mut two, mut three] = [1, 2, 3].map(|call| phone("dora", call));
    assert_eq!(dials(&mut house, &mut one, "+49301"), 200);
    assert_eq!(dials(&mut house, &mut two, "+49301"), 200);
    assert_eq!(dials(&mut house, &mut three, "+49301"), 403);
    assert_eq!(dials(&mut house, &mut phone("dora", 4), "+49301"), 403);
    assert_eq!(house.board.stats().limits["calls_out_at_once"], 2);
    assert_eq!(house.suspicions, ["too many calls out at once"], "told once");
    // It gives one up: there is room for one again.
    assert_eq!(statuses(&one.send(&mut house, "BYE", "")), [200]);
    assert_eq!(dials(&mut house, &mut phone("dora", 5), "+49301"), 200);
    assert_eq!(dials(&mut house, &mut phone("dora", 6), "+49301"), 403);
    assert_eq!(house.suspicions.len(), 2);
    assert_eq!(dials(&mut house, &mut phone("ben", 7), "+49301"), 200, "others have their own");
}

#[test]
fn a_country_that_a_user_has_not_called_before_is_told_of_once() {
    let mut house = House::letting_in(access());
    let calls = [
        ("ben", "+49301"),
        ("ben", "+49302"),
        ("ben", "+18765550100"),
        ("ben", "+25290"),
        ("dora", "+49301"),
    ];
    for (call, (name, number)) in calls.into_iter().enumerate() {
        assert_eq!(dials(&mut house, &mut phone(name, call), number), 200);
    }
    let told: Vec<(&str, &str)> =
        house.countries.iter().map(|(user, country)| (user.as_str(), country.as_str())).collect();
    assert_eq!(told, [("ben", "+49"), ("ben", "+1876"), ("ben", "+252"), ("dora", "+49")]);
    assert_eq!(house.board.stats().new_countries, 4);
    assert!(house.suspicions.is_empty(), "nobody is turned away for it");
}

/// The calls that have come to the carrier, each repeated until it answers, as it does now.
fn carrier_answers(house: &mut House) -> usize {
    let carrier = "10.9.0.1:5060".parse().unwrap();
    let mut answered = std::collections::BTreeSet::new();
    for message in house.take(carrier) {
        let Message::Request(request) = message else { continue };
        match request.method.name() {
            "INVITE" => {
                answered.insert(text(&request.headers, HeaderName::CallId));
                let more = "Contact: <sip:10.9.0.1>\r\nContent-Type: application/sdp\r\n";
                let sdp = description(carrier, "0");
                house.receive(carrier, &reply(&request, "200 OK", ";tag=carrier", more, &sdp));
            }
            "BYE" => house.receive(carrier, &reply(&request, "200 OK", "", "", "")),
            _ => {}
        }
    }
    answered.len()
}

#[test]
fn calls_out_are_paid_for_by_the_minute_and_end_when_a_days_money_is_spent() {
    let mut house = House::letting_in(access());
    let [mut first, mut second] = [1, 2].map(|call| phone("erin", call));
    let begins = |house: &mut House, phone: &mut Phone, number: &str| {
        assert_eq!(dials(house, phone, number), 200);
        let sdp = description(phone.address, "0");
        let ack = phone.request("ACK", "Content-Type: application/sdp\r\n", &sdp);
        house.receive(phone.address, &ack);
    };
    begins(&mut house, &mut first, "+49301");
    assert_eq!(carrier_answers(&mut house), 1);
    let seconds = |house: &mut House, count: u64| (0..count * 2).for_each(|_| house.run(500));
    // To ring costs nothing. The first is paid for until 3:00, the second from 1:40 to 2:40.
    seconds(&mut house, 97);
    begins(&mut house, &mut second, "+49302");
    seconds(&mut house, 3);
    assert_eq!(carrier_answers(&mut house), 1);
    let ends = |house: &mut House, phone: &Phone| {
        let is_bye = |message: &Message| {
            matches!(message, Message::Request(it) if it.method.name() == "BYE"
                && text(&it.headers, HeaderName::CallId) == phone.call_id)
        };
        house.take(phone.address).iter().any(is_bye)
    };
    seconds(&mut house, 59);
    assert!(!ends(&mut house, &second), "it is paid for until 2:40");
    seconds(&mut house, 2);
    assert!(ends(&mut house, &second));
    seconds(&mut house, 18);
    assert!(!ends(&mut house, &first), "it is paid for until 3:00");
    seconds(&mut house, 2);
    assert!(ends(&mut house, &first));
    seconds(&mut house, 40);
    assert_eq!(house.board.conferences().count(), 0, "nobody is left in a call that is over");
    assert_eq!(house.suspicions, ["too much spent on calls out"], "told once");
    assert_eq!(dials(&mut house, &mut phone("erin", 3), "+49301"), 403);
    assert_eq!(house.suspicions.len(), 1);
    assert_eq!(dials(&mut house, &mut phone("ben", 4), "+49301"), 200, "others pay for themselves");
    assert!(house.board.stats().limits["calls_out_spending"] >= 2);
    (0..26).for_each(|_| house.run(3_600_000));
    assert_eq!(dials(&mut house, &mut phone("erin", 5), "+49301"), 200, "a day later");
}

#[test]
fn a_number_that_is_too_dear_or_has_no_price_is_not_called_and_one_that_is_free_always() {
    let mut house = House::letting_in(access());
    let mut call = 0;
    let mut tries = |house: &mut House, name: &'static str, number: &str| {
        call += 1;
        dials(house, &mut phone(name, call), number);
        carrier_answers(house)
    };
    assert_eq!(tries(&mut house, "erin", "+19001"), 0, "3 of 2");
    assert_eq!(tries(&mut house, "erin", "+3901"), 0, "nobody knows what it costs");
    assert_eq!(tries(&mut house, "ben", "+19001"), 1);
    assert_eq!(tries(&mut house, "ben", "+3901"), 1);
    assert_eq!(tries(&mut house, "erin", "+8001"), 1);
    (0..600).for_each(|_| house.run(60_000));
    assert_eq!(tries(&mut house, "erin", "+49301"), 1, "nothing was spent");
}

#[test]
fn that_too_much_is_spent_is_told_of_calls_that_no_trunk_takes_and_not_of_trunks_passed_over() {
    let mut access = access();
    let Ok(Uri::Sip(proxy)) = "sip:10.9.0.2".parse() else { panic!("a URI") };
    let prices = vec![("+%".parse().unwrap(), cost(3.0))];
    let dear = Trunk { prices, calls_per_second_max: 100, ..Trunk::at(Some(proxy)) };
    access.trunks.insert("dear".to_owned(), dear);
    for route in &mut access.routes {
        if let Target::Number(choices, _) = &mut route.to {
            choices.push(Choice { trunk: "dear".to_owned(), priority: 0, weight: 1 });
            choices.iter_mut().for_each(|it| it.priority = u16::from(it.trunk == "carrier"));
        }
    }
    let mut house = House::letting_in(access);
    dials(&mut house, &mut phone("erin", 1), "+49301");
    assert_eq!(carrier_answers(&mut house), 1, "the second of its trunks has it");
    assert_eq!(house.suspicions, [""; 0]);
    assert_eq!(house.board.stats().limits.get("calls_out_spending").copied().unwrap_or(0), 0);
    dials(&mut house, &mut phone("erin", 2), "+19001");
    assert_eq!(carrier_answers(&mut house), 0);
    assert_eq!(house.suspicions, ["too much spent on calls out"]);
    assert_eq!(house.board.stats().limits["calls_out_spending"], 1, "one call, by two trunks");
}
