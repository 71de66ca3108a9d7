//! Keys that a phone sends by INFO.

use model::{Author, Command, CommandId, ConferenceRef, Verb};
use sip::message::{HeaderName, Message, Request};

use crate::house::{House, Phone, SERVER, description, reply, text};

const PROFILE: &str = r#"
name = "keyed"
about = "Whoever is in leaves by a key."
parties_max = 10

[roles]
first_of_ours = "guest"
of_ours = "guest"
caller = "guest"
outsider = "guest"

[[permission]]
role = ["admin"]
to = ["conference"]
may = ["invite"]

[[permission]]
role = ["guest"]
to = ["myself"]
may = ["remove"]

[keys.map]
"*0" = "leave"
"#;

/// Presses *0 in the dialog of our call to it; gives which requests of ours come of it.
fn press(house: &mut House, phone: &Phone, call: &Request, cseq: u32) -> Vec<String> {
    for (key, cseq) in ["*", "0"].into_iter().zip(cseq..) {
        let body = format!("Signal={key}\r\n");
        let info = format!(
            "INFO sip:room@{SERVER} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {};branch=z9hG4bKi{cseq}\r\nFrom: {};tag=b\r\nTo: {}\r\n\
             Call-ID: {}\r\nCSeq: {cseq} INFO\r\nMax-Forwards: 70\r\n\
             Content-Type: application/dtmf-relay\r\nContent-Length: {}\r\n\r\n{body}",
            phone.address,
            text(&call.headers, HeaderName::To),
            text(&call.headers, HeaderName::From),
            text(&call.headers, HeaderName::CallId),
            body.len(),
        );
        house.receive(phone.address, &info);
    }
    let requests = house.take(phone.address).into_iter().filter_map(|message| match message {
        Message::Request(request) => Some(request.method.name().to_owned()),
        Message::Response(_) => None,
    });
    requests.collect()
}

#[test]
fn keys_say_nothing_before_the_call_is_answered() {
    let mut house = House::following(PROFILE);
    let phone = Phone::new("bob", 9);
    let room = ConferenceRef::parse("room").unwrap();
    let verb = Verb::invite(format!("sip:bob@{}", phone.address));
    house.command(Command::new(CommandId(1), room, Author::Admin, verb)).unwrap();
    let [Message::Request(call)] = &house.take(phone.address)[..] else { panic!("no call") };
    house.receive(phone.address, &reply(call, "180 Ringing", ";tag=b", "", ""));
    assert_eq!(press(&mut house, &phone, call, 1), [""; 0]);
    let contact = format!("Contact: <sip:bob@{}>\r\n", phone.address);
    let more = format!("{contact}Content-Type: application/sdp\r\n");
    let body = description(phone.address, "0");
    house.receive(phone.address, &reply(call, "200 OK", ";tag=b", &more, &body));
    house.take(phone.address);
    assert_eq!(press(&mut house, &phone, call, 3), ["BYE"]);
}
