//! What each state of a session that others opened makes of each verb and each request, as one
//! committed picture: a changed rule is a changed line.

use std::fmt::Write as _;

use sip::message::{ExtraHeaders, Message, Method};
use sip::{Inquiry, SessionEvent, SessionId};

use crate::stranger::{ADDRESS, Phone, answer, tag_of};

/// How a session comes into each state.
const STATES: [&str; 9] = [
    "invited",
    "told reliably",
    "awaiting ACK",
    "settled",
    "their offer",
    "our offer",
    "backing off",
    "bye after ACK",
    "bye",
];

const INPUTS: [&str; 15] = [
    "ring", "progress", "accept", "reject", "reinvite", "inquire", "end", "CANCEL", "ACK", "PRACK",
    "INVITE", "UPDATE", "refresh", "INFO", "BYE",
];

fn reach(state: &str) -> (Phone, SessionId) {
    let mut phone = Phone::new();
    if state == "told reliably" {
        phone.more = "Supported: 100rel\r\n";
    }
    phone.send("INVITE", "offer");
    phone.more = "";
    let id = phone.world.last_session(1);
    match state {
        "invited" => {
            phone.world.ring(1, id);
            phone.learn_tag();
            return (phone, id);
        }
        "told reliably" => {
            phone.world.progress(1, id, 183, Some("answer"));
            let caught = phone.caught();
            let Some(Message::Response(early)) = caught.last() else { panic!("{caught:?}") };
            phone.tag = tag_of(early);
            phone.more = "RAck: 1 1 INVITE\r\n";
            return (phone, id);
        }
        _ => {}
    }
    phone.world.accept(1, id).expect("an INVITE that waits");
    phone.learn_tag();
    if state == "bye after ACK" {
        phone.world.end(1, id);
    }
    if ["awaiting ACK", "bye after ACK"].contains(&state) {
        phone.caught();
        return (phone, id);
    }
    phone.send_numbered("ACK", 1, "");
    match state {
        "settled" => {}
        "their offer" => drop(phone.send("INVITE", "offer 2")),
        "our offer" | "backing off" => {
            phone.world.reinvite(1, id).expect("settled");
            let caught = phone.caught();
            let Some(Message::Request(ours)) = caught.last() else { panic!("{caught:?}") };
            if state == "backing off" {
                phone.world.inject(1, ADDRESS, &answer(ours, "491 Pending", "p", ""));
            }
        }
        "bye" => phone.world.end(1, id),
        other => panic!("no way to {other}"),
    }
    phone.caught();
    (phone, id)
}

/// Does it; says whether it was refused, if it is a verb.
fn act(phone: &mut Phone, id: SessionId, input: &str) -> Option<Result<(), String>> {
    let now = phone.world.now;
    let endpoint = &mut phone.world.nodes[1].endpoint;
    let sdp = || b"sdp".to_vec();
    let done = match input {
        "ring" => endpoint.ring(now, id),
        "progress" => {
            let status = sip::message::StatusCode::SESSION_PROGRESS;
            endpoint.progress(now, id, status, Some(sdp()))
        }
        "accept" => endpoint.accept(now, id, sdp()),
        "reject" => {
            let status = sip::message::StatusCode::NOT_ACCEPTABLE_HERE;
            endpoint.reject(now, id, status, None, None)
        }
        "reinvite" => endpoint.reinvite(now, id, sdp()),
        "inquire" => {
            let headers = ExtraHeaders::new();
            let inquiry = Inquiry { method: Method::Info, headers, body: None };
            endpoint.inquire(now, id, inquiry).map(drop)
        }
        "end" => {
            endpoint.end(now, id, None);
            Ok(())
        }
        _ => return None,
    };
    phone.world.wake(1);
    Some(done.map_err(|error| error.to_string()))
}

#[test]
fn each_state_makes_of_each_verb_and_request_what_the_picture_says() {
    let mut picture = String::new();
    for state in STATES {
        for input in INPUTS {
            let (mut phone, id) = reach(state);
            let told_before = phone.world.nodes[1].told.len();
            let verb = act(&mut phone, id, input);
            let messages = match (&verb, input) {
                (Some(_), _) => phone.caught(),
                // These have the number of the INVITE that they belong to.
                (None, "CANCEL" | "ACK") => phone.send_numbered(input, phone.cseq(), ""),
                (None, "refresh") => phone.send("UPDATE", ""),
                (None, "INVITE" | "UPDATE") => phone.send(input, "offer 3"),
                (None, _) => phone.send(input, ""),
            };
            let mut said: Vec<String> = messages.iter().map(name).collect();
            if let Some(Err(refused)) = verb {
                said.push(format!("({refused})"));
            }
            let told = phone.world.nodes[1].told[told_before..].iter();
            let told: Vec<&str> = told.map(|(_, event)| event_name(event)).collect();
            writeln!(picture, "{state:13} {input:9} → {:32} {}", said.join(" "), told.join(" "))
                .expect("a String takes what is written");
        }
    }
    let picture: Vec<&str> = picture.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(picture.join("\n"));
}

fn name(message: &Message) -> String {
    match message {
        Message::Request(request) => request.method.to_string(),
        Message::Response(response) => response.status.to_string(),
    }
}

fn event_name(event: &SessionEvent) -> &'static str {
    match event {
        SessionEvent::Incoming(_) => "Incoming",
        SessionEvent::Ringing { .. } => "Ringing",
        SessionEvent::Established { .. } => "Established",
        SessionEvent::Reoffer { .. } => "Reoffer",
        SessionEvent::ReofferWithdrawn => "ReofferWithdrawn",
        SessionEvent::Reanswered { .. } => "Reanswered",
        SessionEvent::ReofferRefused { .. } => "ReofferRefused",
        SessionEvent::Info { .. } => "Info",
        SessionEvent::Referral { .. } => "Referral",
        SessionEvent::Replied { .. } => "Replied",
        SessionEvent::Ended { .. } => "Ended",
    }
}
