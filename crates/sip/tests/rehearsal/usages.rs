//! Several usages of one dialog (RFC 5057): a call, and subscriptions that outlive it.

use sip::message::{CSeq, HeaderName, Message, Request, StatusCode};
use sip::{Notification, SubscriptionEvent, SubscriptionId};

use crate::stranger::{ADDRESS, Phone, answer, statuses};

fn grant(phone: &mut Phone) -> SubscriptionId {
    let id = phone.world.nodes[1].asked.last().expect("somebody asked").0;
    let now = phone.world.now;
    phone.world.nodes[1].endpoint.grant(now, id).expect("a request that waits");
    phone.world.drain(1);
    id
}

fn tell(phone: &mut Phone, id: SubscriptionId, body: &str) {
    let now = phone.world.now;
    let notification = Notification { body: body.as_bytes().to_vec(), over: None };
    let told = phone.world.nodes[1].endpoint.notify(now, id, notification);
    told.expect("a subscription that lives");
    phone.world.drain(1);
}

/// Takes the NOTIFYs that came, and answers them; gives number, event and standing of each.
fn take(phone: &mut Phone) -> Vec<(u32, String, String)> {
    let is_notify = |message| match message {
        Message::Request(request) => Some(request),
        Message::Response(_) => None,
    };
    let came: Vec<Request> = phone.caught().into_iter().filter_map(is_notify).collect();
    let told = came.iter().map(|notify| {
        let text = |name: &HeaderName| notify.headers.text(name).expect("a header").into_owned();
        let cseq: CSeq = text(&HeaderName::CSeq).parse().expect("CSeq");
        let standing = text(&HeaderName::SubscriptionState);
        let standing = standing.split(';').next().unwrap_or_default().to_owned();
        (cseq.number, text(&HeaderName::Event), standing)
    });
    let told = told.collect();
    for notify in came {
        phone.world.inject(1, ADDRESS, &answer(&notify, "200 OK", "x", ""));
    }
    told
}

/// A phone in a call that watches the roster and has referred us.
fn referred_and_subscribed() -> (Phone, SubscriptionId, SubscriptionId) {
    let mut phone = Phone::new();
    phone.establish();
    phone.more = "Event: conference\r\n";
    phone.send("SUBSCRIBE", "");
    let roster = grant(&mut phone);
    phone.more = "Refer-To: <sip:carol@c.example>\r\n";
    phone.send("REFER", "");
    let refer = grant(&mut phone);
    assert_eq!(take(&mut phone).len(), 1);
    phone.more = "";
    (phone, roster, refer)
}

/// The other side may refuse a number that does not rise, and so end what it asked for.
#[test]
fn what_outlives_a_call_goes_on_counting_with_its_dialog() {
    let (mut phone, roster, refer) = referred_and_subscribed();
    tell(&mut phone, roster, "1");
    let before = take(&mut phone)[0].0;
    assert_eq!(statuses(&phone.send("BYE", "")), [200]);
    for turn in 0..2 {
        tell(&mut phone, roster, "2");
        tell(&mut phone, refer, "SIP/2.0 180 Ringing\r\n");
        let numbers: Vec<u32> = take(&mut phone).into_iter().map(|(number, ..)| number).collect();
        assert_eq!(numbers, [before + 2 * turn + 1, before + 2 * turn + 2]);
    }
}

#[test]
fn each_of_those_that_outlive_a_call_is_prolonged_and_ended_by_itself() {
    for ended_first in ["conference", "refer"] {
        let (mut phone, roster, refer) = referred_and_subscribed();
        let event = format!("refer;id={}", phone.cseq());
        assert_eq!(statuses(&phone.send("BYE", "")), [200]);
        let last = |phone: &mut Phone, event: &str| {
            phone.more = String::leak(format!("Event: {event}\r\nExpires: 0\r\n"));
            assert_eq!(statuses(&phone.send("SUBSCRIBE", ""))[0], 200, "{event}");
        };
        phone.more = "Event: conference\r\nExpires: 600\r\n";
        assert_eq!(statuses(&phone.send("SUBSCRIBE", "")), [200]);
        let refreshed = (roster, SubscriptionEvent::Refreshed);
        assert_eq!(phone.world.nodes[1].asked.last(), Some(&refreshed));
        phone.more = "Event: presence\r\n";
        assert_eq!(statuses(&phone.send("SUBSCRIBE", "")), [489]);
        phone.more = "Event: conference;id=9\r\n";
        assert_eq!(statuses(&phone.send("SUBSCRIBE", "")), [481]);
        let first = if ended_first == "refer" { event.as_str() } else { ended_first };
        phone.more = String::leak(format!("Event: {first}\r\nExpires: 0\r\n"));
        let said = phone.send("SUBSCRIBE", "");
        let [Message::Response(ok), Message::Request(over)] = &said[..] else { panic!("{said:?}") };
        assert_eq!(ok.status, StatusCode::OK);
        let standing = over.headers.text(&HeaderName::SubscriptionState).expect("a standing");
        assert!(standing.starts_with("terminated"), "{standing}");
        phone.world.inject(1, ADDRESS, &answer(over, "200 OK", "x", ""));
        // The other goes on.
        let other = if ended_first == "refer" { roster } else { refer };
        tell(&mut phone, other, "3");
        let told = take(&mut phone);
        assert!(matches!(&told[..], [(_, _, standing)] if standing == "active"), "{told:?}");
        let other = if ended_first == "refer" { "conference" } else { event.as_str() };
        last(&mut phone, other);
        phone.world.run_ms(40_000);
        assert_eq!(phone.world.nodes[1].endpoint.alive().subscriptions, 0);
        phone.world.settle();
    }
}
