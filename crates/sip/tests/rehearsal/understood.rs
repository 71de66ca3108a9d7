//! What is not understood is said to be so: who is answered 200 takes it that something was done.

use sip::SessionEvent;
use sip::message::{HeaderName, Message};

use crate::stranger::{Phone, statuses};

fn header(message: &Message, name: HeaderName) -> Option<String> {
    let Message::Response(response) = message else { panic!("{message:?}") };
    response.headers.text(&name).map(|text| text.into_owned())
}

#[test]
fn an_info_that_says_no_keys_is_refused_and_so_is_every_package() {
    let mut phone = Phone::new();
    let id = phone.establish();
    phone.more = "Content-Type: application/media_control+xml\r\n";
    let refused = phone.send("INFO", "<media_control/>");
    assert_eq!(statuses(&refused), [415]);
    let taken = header(&refused[0], HeaderName::Accept);
    assert_eq!(taken.as_deref(), Some("application/dtmf-relay, application/dtmf"));
    phone.more = "Info-Package: nothing\r\n";
    for body in ["", "Signal=5"] {
        let refused = phone.send("INFO", body);
        assert_eq!(statuses(&refused), [469]);
        assert_eq!(header(&refused[0], HeaderName::RecvInfo).as_deref(), Some(""));
    }
    assert_eq!(*phone.last_event(), SessionEvent::Established { sdp: None });
    phone.more = "Content-Type: text/plain\r\nContent-Disposition: render;handling=optional\r\n";
    assert_eq!(statuses(&phone.send("INFO", "hello")), [200]);
    phone.more = "";
    assert_eq!(statuses(&phone.send("INFO", "")), [200]);
    assert_eq!(statuses(&phone.send("INFO", "Signal=5")), [200]);
    phone.end(id);
}

#[test]
fn a_part_beside_the_description_that_must_be_understood_is_not_passed_over() {
    for (handling, status) in [("required", 415), ("optional", 100)] {
        let mut phone = Phone::new();
        phone.more = "Content-Type: multipart/mixed;boundary=b\r\n";
        let body = format!(
            "--b\r\nContent-Type: application/isup\r\nContent-Disposition: signal;\
             handling={handling}\r\n\r\nx\r\n--b\r\nContent-Type: application/sdp\r\n\r\n\
             offer\r\n--b--\r\n"
        );
        assert_eq!(statuses(&phone.send("INVITE", &body)), [status], "{handling}");
    }
}

/// RFC 3261 section 8.2.6.1.
#[test]
fn a_100_says_again_when_its_request_was_sent() {
    let mut phone = Phone::new();
    phone.more = "Timestamp: 54.21\r\n";
    let trying = phone.send("INVITE", "offer");
    assert_eq!(statuses(&trying), [100]);
    assert_eq!(header(&trying[0], HeaderName::Timestamp).as_deref(), Some("54.21"));
    let id = phone.world.last_session(1);
    phone.world.accept(1, id).expect("an INVITE that waits");
    let answered = phone.caught();
    assert_eq!(header(answered.last().expect("200"), HeaderName::Timestamp), None);
    phone.tag = match answered.last() {
        Some(Message::Response(ok)) => crate::stranger::tag_of(ok),
        other => panic!("{other:?}"),
    };
    phone.send_numbered("ACK", phone.cseq(), "");
    let trying = phone.send("INVITE", "offer 2");
    assert_eq!(header(&trying[0], HeaderName::Timestamp).as_deref(), Some("54.21"));
    phone.world.accept(1, id).expect("an offer that waits");
    phone.send_numbered("ACK", phone.cseq(), "");
    phone.end(id);
}
