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
