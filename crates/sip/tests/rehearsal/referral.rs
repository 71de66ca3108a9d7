//! REFERs that we send, to whom does not do as RFC 3515 says.

use sip::message::{Message, Request};
use sip::{SessionError, SessionEvent, SessionId};

use crate::stranger::{ADDRESS, Phone, answer};

/// A phone in a call with us that has been asked to call Carol.
fn referred() -> (Phone, SessionId, Request) {
    let mut phone = Phone::new();
    let id = phone.establish();
    phone.caught();
    let (now, carol) = (phone.world.now, "<sip:carol@c.example>".parse().expect("uri"));
    phone.world.nodes[1].endpoint.refer(now, id, &carol).expect("a session that is up");
    phone.world.wake(1);
    let Some(Message::Request(refer)) = phone.caught().pop() else { panic!("no REFER") };
    assert_eq!(refer.method.name(), "REFER");
    (phone, id, refer)
}

fn told(phone: &Phone, id: SessionId) -> Vec<(u16, bool)> {
    let referral = |event: &SessionEvent| {
        let SessionEvent::Referral { status, over } = event else { return None };
        Some((status.code(), *over))
    };
    phone.world.events_of(1, id).into_iter().filter_map(referral).collect()
}

fn refers_anew(phone: &mut Phone, id: SessionId) -> Result<(), SessionError> {
    let (now, carol) = (phone.world.now, "<sip:carol@c.example>".parse().expect("uri"));
    phone.world.nodes[1].endpoint.refer(now, id, &carol)
}

fn notify(phone: &mut Phone, standing: &'static str, body: &str) {
    phone.more = standing;
    phone.send("NOTIFY", body);
    phone.more = "";
}

#[test]
fn a_refer_whose_notifies_never_come_is_over_after_a_while() {
    let (mut phone, id, refer) = referred();
    phone.world.inject(1, ADDRESS, &answer(&refer, "202 Accepted", "p", ""));
    // A re-INVITE changes nothing of it.
    let invite = phone.cseq() + 1;
    phone.send("INVITE", "offer 2");
    phone.world.accept(1, id).expect("an offer that waits");
    phone.send_numbered("ACK", invite, "");
    phone.world.run_ms(200_000);
    notify(
        &mut phone,
        "Event: refer\r\nSubscription-State: active;expires=60\r\n",
        "SIP/2.0 180 Ringing\r\n",
    );
    phone.world.run_ms(239_000);
    assert_eq!(told(&phone, id), [(180, false)]);
    assert_eq!(refers_anew(&mut phone, id), Err(SessionError::Unsettled));
    phone.world.run_ms(2_000);
    assert_eq!(told(&phone, id), [(180, false), (408, true)]);
    assert_eq!(refers_anew(&mut phone, id), Ok(()));
    phone.end(id);
}

/// RFC 4488 section 4: it has granted no subscription.
#[test]
fn a_refer_that_is_accepted_without_a_subscription_is_over_at_once() {
    let (mut phone, id, refer) = referred();
    let accepted = String::from_utf8(answer(&refer, "202 Accepted", "p", "")).expect("text");
    let accepted = accepted.replacen("\r\nContact:", "\r\nRefer-Sub: false\r\nContact:", 1);
    phone.world.inject(1, ADDRESS, accepted.as_bytes());
    assert_eq!(told(&phone, id), [(202, true)]);
    assert_eq!(refers_anew(&mut phone, id), Ok(()));
    phone.end(id);
}

#[test]
fn nothing_is_told_of_a_refer_after_the_session_is_over() {
    let (mut phone, id, refer) = referred();
    phone.world.end(1, id);
    phone.world.inject(1, ADDRESS, &answer(&refer, "403 No", "p", ""));
    let standing = "Event: refer\r\nSubscription-State: terminated;reason=noresource\r\n";
    notify(&mut phone, standing, "SIP/2.0 200 OK\r\n");
    assert_eq!(told(&phone, id), []);
    phone.world.settle();
}
