//! The focus (RFC 4579) as a phone that is written by hand sees it: who is told of the roster, and
//! who may add and remove others by REFER.

use model::{Action, Author, Command, CommandId, ConferenceRef, PartyId, Refusal, Role, Verb};
use sip::access::{Access, Pattern, Route, Target, Template};
use sip::message::{HeaderName, Message};

use crate::house::{House, Phone, description, notify_in, refusal, statuses, text};

#[test]
fn a_watcher_is_told_the_whole_then_what_changes_then_the_end() {
    let mut house = House::new();
    let (mut alice, mut bob) = (Phone::new("alice", 1), Phone::new("bob", 2));
    alice.join(&mut house);
    let subscribed = alice.send(&mut house, "SUBSCRIBE", "Event: conference\r\nExpires: 600\r\n");
    assert_eq!(statuses(&subscribed), [200]);
    let whole = notify_in(&subscribed);
    let body = String::from_utf8(whole.body.clone()).unwrap();
    assert!(body.contains("state=\"full\" version=\"1\""), "{body}");
    assert!(body.contains("sip:alice@home") && !body.contains("bob"), "{body}");
    // While its answer is out, what happens gathers.
    bob.join(&mut house);
    assert_eq!(house.take(alice.address), []);
    alice.answer(&mut house, &whole);
    let (_, body) = alice.take_notify(&mut house);
    assert!(body.contains("state=\"partial\" version=\"2\""), "{body}");
    assert!(body.contains("sip:bob@home") && !body.contains("entity=\"sip:alice@home"), "{body}");
    assert!(body.contains("<user-count>2</user-count>"), "{body}");
    bob.send(&mut house, "BYE", "");
    let (_, body) = alice.take_notify(&mut house);
    assert!(body.contains("<user entity=\"sip:bob@home\" state=\"deleted\"/>"), "{body}");
    alice.send(&mut house, "BYE", "");
    house.run(600);
    // The roster ends with the conference; the phone's BYE was answered before.
    let (standing, body) = alice.take_notify(&mut house);
    assert_eq!((standing.as_str(), body.as_str()), ("terminated;reason=noresource", ""));
    house.run(60_000);
    assert!(house.board.is_idle());
}

/// A profile in which the first who calls is one of ours, and the others are not.
const STAFFED: &str = r#"
name = "staffed"
about = "Who comes first is staff."
parties_max = 10

[roles]
first_of_ours = "staff"
of_ours = "staff"
caller = "staff"
outsider = "external"

[[permission]]
role = ["staff", "external"]
to = ["conference"]
may = ["enter"]

[[permission]]
role = ["admin"]
to = ["third", "colleague"]
may = ["appoint"]
"#;

#[test]
fn watchers_of_ours_are_told_the_roles_and_those_from_outside_are_not() {
    let mut house = House::following(STAFFED);
    let (mut staff, mut guest) = (Phone::new("staff", 1), Phone::new("guest", 2));
    let mut bodies = Vec::new();
    for phone in [&mut staff, &mut guest] {
        phone.join(&mut house);
    }
    for phone in [&mut staff, &mut guest] {
        let watch = "Event: conference\r\nExpires: 600\r\n";
        let subscribed = phone.send(&mut house, "SUBSCRIBE", watch);
        let whole = notify_in(&subscribed);
        phone.answer(&mut house, &whole);
        bodies.push(String::from_utf8(whole.body).unwrap());
    }
    assert!(bodies[0].contains("<roles>\n<entry>staff</entry>\n</roles>\n<endpoint"), "{bodies:?}");
    assert!(bodies[0].contains("<entry>external</entry>"), "{bodies:?}");
    assert!(!bodies[1].contains("roles"), "{bodies:?}");
    let party = house.board.conferences().next().unwrap().parties()[0].id;
    let appoint = Verb::Appoint { party, role: Role::Host };
    let room = ConferenceRef::parse("room").unwrap();
    house.command(Command::new(CommandId(1), room, Author::Admin, appoint)).unwrap();
    let (_, body) = staff.take_notify(&mut house);
    assert!(body.contains("<entry>host</entry>") && body.contains("\"partial\""), "{body}");
    assert_eq!(house.take(guest.address), [], "for who is from outside nothing has changed");
}

/// Two agents of whom the second sees the primary alone, and a customer who sees a name for both.
const DISCREET: &str = r#"
name = "discreet"
about = "Ours are Support to those from outside; a secondary sees the primary alone."
parties_max = 10

[roles]
first_of_ours = "primary"
of_ours = "secondary"
caller = "primary"
outsider = "external"

[seeing]
secondary = "transfer"
ours_as = "Support"

[[permission]]
role = ["primary", "secondary", "external"]
to = ["conference"]
may = ["enter"]

[[permission]]
role = ["admin"]
to = ["third"]
may = ["appoint"]
"#;

/// What a phone is told when it begins to watch.
fn roster(phone: &mut Phone, house: &mut House) -> String {
    let watched = phone.send(house, "SUBSCRIBE", "Event: conference\r\nExpires: 600\r\n");
    let whole = notify_in(&watched);
    phone.answer(house, &whole);
    String::from_utf8(whole.body).unwrap()
}

#[test]
fn a_roster_shows_whom_the_profile_shows_and_by_the_name_that_it_says() {
    let mut house = House::following(DISCREET);
    let (mut first, mut second) = (Phone::new("first", 1), Phone::new("second", 2));
    let mut caller = Phone::new("caller", 3);
    for phone in [&mut first, &mut second, &mut caller] {
        phone.join(&mut house);
    }
    let party = house.board.conferences().next().unwrap().parties()[1].id;
    let appoint = Verb::Appoint { party, role: Role::Secondary };
    let room = ConferenceRef::parse("room").unwrap();
    house.command(Command::new(CommandId(1), room, Author::Admin, appoint)).unwrap();
    let roles = house.board.conferences().next().unwrap().parties().iter().map(|one| one.role);
    assert_eq!(roles.collect::<Vec<_>>(), [Role::Primary, Role::Secondary, Role::External]);

    let seen = roster(&mut caller, &mut house);
    assert!(!seen.contains("first") && !seen.contains("second"), "{seen}");
    assert!(seen.contains("<display-text>Support</display-text>"), "{seen}");
    assert_eq!(seen.matches("<endpoint entity=\"sip:anonymous@anonymous.invalid").count(), 2);
    assert!(seen.contains("sip:caller@home"), "itself as it is: {seen}");
    assert!(seen.contains("<user-count>3</user-count>"), "{seen}");

    let seen = roster(&mut second, &mut house);
    assert!(seen.contains("sip:first@home") && !seen.contains("caller"), "S4.25: {seen}");
    assert!(seen.contains("<display-text>internal transfer</display-text>"), "S4.26: {seen}");
    assert!(seen.contains("<user-count>2</user-count>"), "not even counted: {seen}");

    let seen = roster(&mut first, &mut house);
    assert!(seen.contains("sip:second@home") && seen.contains("sip:caller@home"), "{seen}");
    first.send(&mut house, "BYE", "");
    let (_, seen) = second.take_notify(&mut house);
    assert!(seen.contains("sip:caller@home"), "without a primary it sees all: {seen}");
}

#[test]
fn only_who_is_in_a_conference_may_watch_it() {
    let mut house = House::new();
    let mut alice = Phone::new("alice", 1);
    alice.join(&mut house);
    let event = "Event: conference\r\nExpires: 0\r\n";
    let asked = |house: &mut House, phone: &mut Phone, more: &str| {
        let messages = phone.send(house, "SUBSCRIBE", &format!("{event}{more}"));
        if statuses(&messages) == [200] {
            let notify = notify_in(&messages);
            phone.answer(house, &notify);
        }
        statuses(&messages)
    };
    let mut stranger = Phone::new("mallory", 66);
    assert_eq!(asked(&mut house, &mut stranger, ""), [403]);
    // Under another's name, from elsewhere.
    let mut liar = Phone { name: "alice", ..Phone::new("mallory", 66) };
    liar.call_id = "lie".to_owned();
    assert_eq!(asked(&mut house, &mut liar, ""), [403]);
    // From the host that it called from; by naming its dialog; by guessing one.
    assert_eq!(asked(&mut house, &mut alice.outside("o1"), ""), [200]);
    let named = alice.target_dialog();
    assert_eq!(asked(&mut house, &mut Phone::new("desk", 7), &named), [200]);
    let guess = named.replace("local-tag=", "local-tag=x");
    assert_eq!(asked(&mut house, &mut Phone::new("thief", 8), &guess), [403]);
    let mut lost = Phone::new("lost", 9);
    let text = lost.request("SUBSCRIBE", event, "").replace("sip:room@", "sip:nowhere@");
    house.receive(lost.address, &text);
    assert_eq!(statuses(&house.take(lost.address)), [404]);
}

#[test]
fn a_participant_adds_and_removes_others_by_refer_to_the_conference() {
    let mut house = House::new();
    let (mut alice, bob) = (Phone::new("alice", 1), Phone::new("bob", 2));
    alice.join(&mut house);
    let known = alice.target_dialog();
    let invite = format!("Refer-To: <sip:bob@{};method=INVITE>\r\n", bob.address);
    let mut stranger = Phone::new("mallory", 66);
    assert_eq!(statuses(&stranger.send(&mut house, "REFER", &invite)), [403]);
    let mut outside = alice.outside("refer");
    let messages = outside.send(&mut house, "REFER", &format!("{invite}{known}"));
    assert_eq!(statuses(&messages), [202]);
    let trying = notify_in(&messages);
    assert_eq!(trying.body, b"SIP/2.0 100 Trying\r\n");
    outside.answer(&mut house, &trying);
    let called = house.take(bob.address);
    let [Message::Request(call)] = &called[..] else { panic!("{called:?}") };
    assert!(text(&call.headers, HeaderName::Contact).ends_with(";isfocus"));
    house.receive(bob.address, &refusal(call, "486 Busy Here"));
    let (standing, body) = alice.take_notify(&mut house);
    assert_eq!(
        (standing.as_str(), body.as_str()),
        ("terminated;reason=noresource", "SIP/2.0 486 Busy Here\r\n")
    );
    // Now bob comes by himself, and alice has him removed.
    let mut bob = Phone::new("bob", 3);
    bob.join(&mut house);
    let bye = "Refer-To: <sip:bob@home;method=BYE>\r\nRefer-Sub: false\r\n";
    assert_eq!(statuses(&alice.send(&mut house, "REFER", bye)), [202]);
    let messages = house.take(bob.address);
    assert!(matches!(&messages[..], [Message::Request(bye)] if bye.method.name() == "BYE"));
    assert_eq!(statuses(&alice.send(&mut house, "REFER", bye)), [404], "nobody is there twice");
}

#[test]
fn who_has_no_right_is_refused_counted_and_written_down() {
    let mut house = House::new();
    Phone::new("alice", 1).join(&mut house);
    let room = ConferenceRef::parse("room").unwrap();
    let ask = |house: &mut House, id, verb| {
        house.command(Command::new(CommandId(id), room.clone(), Author::Admin, verb))
    };
    assert_eq!(ask(&mut house, 1, Verb::End), Err(Refusal::NotAllowed));
    assert_eq!(ask(&mut house, 1, Verb::End), Err(Refusal::NotAllowed), "the same command again");
    let (by, denied) = (Author::Admin, Refusal::NotAllowed);
    assert_eq!(house.denied, [(by, Action::End, denied)], "S0.23");
    assert_eq!(house.board.stats().denials.get(&("end", "not_allowed")), Some(&1));
    // What is not there, or badly said, is no matter of rights.
    let party = PartyId(9);
    assert_eq!(ask(&mut house, 2, Verb::Mute { party }), Err(Refusal::NoSuchParty));
    assert_eq!(house.denied.len(), 1);
}

#[test]
fn of_two_who_have_seen_the_same_one_is_too_late() {
    let mut house = House::new();
    let (mut alice, mut bob) = (Phone::new("alice", 1), Phone::new("bob", 2));
    alice.join(&mut house);
    bob.join(&mut house);
    let conference = house.board.conferences().next().unwrap();
    let (id, seen) = (conference.id(), conference.revision());
    let authors: Vec<_> = conference.parties().iter().map(|party| party.id).collect();
    for (n, (author, answer)) in authors.into_iter().zip([Ok(()), Err(Refusal::Stale)]).enumerate()
    {
        let verb = Verb::invite(format!("sip:third{n}@10.0.1.9"));
        let at = ConferenceRef::Id(id);
        let command = Command::new(CommandId(n as u64 + 1), at, Author::Party(author), verb);
        let answered = house.command(Command { if_revision: Some(seen), ..command });
        assert_eq!(answered.map(|_| ()), answer, "S0.5");
    }
}

/// Else anybody could place calls at our cost, or sit down in another's seat.
#[test]
fn a_stranger_that_came_by_an_open_route_has_nobody_called_and_takes_no_seat() {
    let pattern: Pattern = "*".parse().unwrap();
    let to = Target::Conference(Template::parse("$1", &pattern).unwrap());
    let open = Route { from: sip::access::From::Any, pattern, to, open: true };
    let mut house = House::letting_in(Access { routes: vec![open], ..Access::local() });
    let (mut mallory, mut alice) = (Phone::new("mallory", 66), Phone::new("alice", 1));
    mallory.join(&mut house);
    alice.join(&mut house);
    for method in ["", ";method=INVITE"] {
        let canary = "10.0.1.9:5060";
        let refer = format!("Refer-To: <sip:toll@{canary}{method}>\r\n");
        assert_eq!(statuses(&mallory.send(&mut house, "REFER", &refer)), [403], "{method}");
        house.run(1_000);
        assert_eq!(house.take(canary.parse().unwrap()), []);
    }
    let Phone { name, call_id, tag, .. } = &alice;
    let replaces = format!("Replaces: {call_id};to-tag={tag};from-tag=t{name}\r\n");
    let mut thief = mallory.outside("theft");
    assert_eq!(statuses(&thief.send(&mut house, "INVITE", &replaces)), [403]);
}

/// Acceptance F5: a description that is too much is answered, and the next call is taken.
#[test]
fn a_description_with_too_many_lines_or_formats_is_not_acceptable() {
    let mut house = House::new();
    let mut asked = |more_lines: usize, formats: &str| {
        let mut phone = Phone::new("alice", 1);
        phone.call_id = format!("call-{more_lines}-{}", formats.len());
        let lines = "m=video 0 RTP/AVP 31\r\n".repeat(more_lines);
        let body = format!("{}{lines}", description(phone.address, formats));
        let invite = phone.request("INVITE", "Content-Type: application/sdp\r\n", &body);
        house.receive(phone.address, &invite);
        statuses(&house.take(phone.address)).pop()
    };
    let formats = |count: usize| ["0"].repeat(count).join(" ");
    assert_eq!(asked(31, "0"), Some(200));
    assert_eq!(asked(32, "0"), Some(488));
    assert_eq!(asked(0, &formats(64)), Some(200));
    assert_eq!(asked(0, &formats(65)), Some(488));
    assert_eq!(asked(0, "0 8"), Some(200));
    assert_eq!(house.board.stats().calls.get(&("inbound", "refused")), Some(&2));
}

/// RFC 5589 section 7.3: the dialog that is to be replaced is one of another server's, and only
/// that server can judge whether it may be.
#[test]
fn a_transfer_to_a_call_elsewhere_names_the_dialog_there_and_who_asked() {
    let mut house = House::new();
    let (mut alice, bob) = (Phone::new("alice", 1), Phone::new("bob", 2));
    alice.join(&mut house);
    let refer = format!(
        "Refer-To: <sip:bob@{}?Replaces=12%40elsewhere%3Bto-tag%3D7%3Bfrom-tag%3D8>\r\n\
         Referred-By: <sip:alice@home>\r\n",
        bob.address
    );
    let messages = alice.send(&mut house, "REFER", &refer);
    assert_eq!(statuses(&messages), [202]);
    let called = house.take(bob.address);
    let [Message::Request(call)] = &called[..] else { panic!("{called:?}") };
    assert_eq!(text(&call.headers, HeaderName::Replaces), "12@elsewhere;to-tag=7;from-tag=8");
    assert_eq!(text(&call.headers, HeaderName::ReferredBy), "<sip:alice@home>");
    // One that would be here, and is not, is not looked for by calling ourselves.
    let here = refer.replace(&bob.address.to_string(), crate::house::SERVER);
    assert_eq!(statuses(&alice.send(&mut house, "REFER", &here)), [404]);
}
