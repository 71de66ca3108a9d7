//! SIP messages (RFC 3261) as a plain phone writes and reads them. It talks to servers under test,
//! not to the world: what it cannot read it leaves alone.

use std::net::SocketAddr;

use crate::limits::SIP_HEADERS_MAX;

/// A message that came.
#[derive(Debug, PartialEq)]
pub(crate) struct Message<'a> {
    /// What it is.
    pub(crate) start: Start<'a>,
    headers: Vec<(&'a str, &'a str)>,
    /// What it carries.
    pub(crate) body: &'a str,
}

/// The first line.
#[derive(Debug, PartialEq)]
pub(crate) enum Start<'a> {
    /// A request, by its method.
    Request(&'a str),
    /// A response, by its status.
    Response(u16),
}

impl<'a> Message<'a> {
    /// Reads a datagram; `None` if it is no SIP message.
    pub(crate) fn parse(text: &'a str) -> Option<Message<'a>> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let start = match (words.next()?, words.next()?) {
            ("SIP/2.0", status) => Start::Response(status.parse().ok()?),
            (method, _uri) => Start::Request(method),
        };
        let headers = lines
            .take(SIP_HEADERS_MAX)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim(), value.trim()))
            .collect();
        Some(Message { start, headers, body })
    }

    /// The value of the first header of this name; `short` is its compact form, or the name again.
    pub(crate) fn header(&self, name: &str, short: &str) -> Option<&'a str> {
        self.values(name, short).next()
    }

    fn values<'m>(&'m self, name: &'m str, short: &'m str) -> impl Iterator<Item = &'a str> + 'm {
        let named = move |(other, _): &&(&str, &str)| {
            other.eq_ignore_ascii_case(name) || other.eq_ignore_ascii_case(short)
        };
        self.headers.iter().filter(named).map(|(_, value)| *value)
    }

    /// The method of the transaction that this message belongs to (RFC 3261 section 20.16).
    pub(crate) fn method(&self) -> Option<&'a str> {
        self.header("CSeq", "CSeq")?.split_whitespace().nth(1)
    }

    /// The URI in a Contact header, without angle brackets and parameters around it.
    pub(crate) fn contact(&self) -> Option<&'a str> {
        let value = self.header("Contact", "m")?;
        match value.split_once('<') {
            Some((_, rest)) => rest.split_once('>').map(|(uri, _)| uri),
            None => value.split(';').next(),
        }
    }

    /// A response to this request, without a body (RFC 3261 section 8.2.6).
    pub(crate) fn response(&self, status: &str) -> String {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for via in self.values("Via", "v") {
            text.push_str(&format!("Via: {via}\r\n"));
        }
        for (name, short) in [("From", "f"), ("To", "t"), ("Call-ID", "i"), ("CSeq", "CSeq")] {
            if let Some(value) = self.header(name, short) {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        text
    }
}

/// What all requests of one call share.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    /// Identifies the call, and in its requests' branches the transaction.
    pub(crate) call_id: String,
    /// Our address for SIP.
    pub(crate) local: SocketAddr,
    /// Whom we called.
    pub(crate) uri: String,
    /// Where requests go after the first: the far end's Contact.
    pub(crate) target: String,
    /// The far end's To header as it answered, with its tag.
    pub(crate) to: String,
}

impl Dialog {
    /// A call that is about to be placed.
    pub(crate) fn new(call_id: String, local: SocketAddr, uri: String) -> Dialog {
        Dialog { call_id, local, target: uri.clone(), to: format!("<{uri}>"), uri }
    }

    /// The INVITE that opens it.
    pub(crate) fn invite(&self, offer: &str) -> String {
        let contact = format!("Contact: <sip:load@{}>\r\n", self.local);
        let more = format!("{contact}Content-Type: application/sdp\r\n");
        self.request("INVITE", &self.uri, (1, "invite"), &more, offer)
    }

    /// The acknowledgement of a refusal: a part of the INVITE's transaction, with its branch and
    /// its URI (RFC 3261 section 17.1.1.3).
    pub(crate) fn ack_of_refusal(&self) -> String {
        self.request("ACK", &self.uri, (1, "invite"), "", "")
    }

    /// The acknowledgement of an acceptance: a transaction of its own.
    pub(crate) fn ack(&self) -> String {
        self.request("ACK", &self.target, (1, "ack"), "", "")
    }

    /// The end of the call.
    pub(crate) fn bye(&self) -> String {
        self.request("BYE", &self.target, (2, "bye"), "", "")
    }

    fn request(
        &self,
        method: &str,
        uri: &str,
        (sequence, branch): (u32, &str),
        more: &str,
        body: &str,
    ) -> String {
        let Dialog { call_id, local, to, .. } = self;
        format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};branch=z9hG4bK-{branch}-{call_id};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:load@{local}>;tag={call_id}\r\n\
             To: {to}\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {sequence} {method}\r\n\
             {more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANSWER: &str = "SIP/2.0 200 OK\r\nv: SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bK-x\r\n\
        From: <sip:load@a>;tag=1\r\nt: <sip:room-1@b>;tag=2\r\ni: load-7-3\r\n\
        CSeq: 1 INVITE\r\nContact: \"x\" <sip:127.0.0.1:5070;x=y>;expires=5\r\n\r\nv=0\r\n";

    #[test]
    fn an_answer_is_read_in_long_and_compact_form() {
        let message = Message::parse(ANSWER).unwrap();
        assert_eq!(message.start, Start::Response(200));
        assert_eq!(message.header("To", "t"), Some("<sip:room-1@b>;tag=2"));
        assert_eq!(message.header("call-id", "i"), Some("load-7-3"));
        assert_eq!(message.method(), Some("INVITE"));
        assert_eq!(message.contact(), Some("sip:127.0.0.1:5070;x=y"));
        assert_eq!(message.body, "v=0\r\n");
    }

    #[test]
    fn a_request_is_answered_with_its_own_headers() {
        let dialog = Dialog::new("load-7-3".into(), ([127, 0, 0, 1], 9).into(), "sip:x@y".into());
        let bye = dialog.bye();
        let message = Message::parse(&bye).unwrap();
        assert_eq!(message.start, Start::Request("BYE"));
        let response = message.response("200 OK");
        let response = Message::parse(&response).unwrap();
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            assert_eq!(response.header(name, name), message.header(name, name), "{name}");
        }
    }

    #[test]
    fn an_invite_is_as_long_as_it_says() {
        let dialog = Dialog::new("load-7-3".into(), ([127, 0, 0, 1], 9).into(), "sip:x@y".into());
        let invite = dialog.invite("v=0\r\n");
        let message = Message::parse(&invite).unwrap();
        assert_eq!(message.header("Content-Length", "l"), Some("5"));
        assert_eq!(message.body, "v=0\r\n");
        assert_eq!(message.contact(), Some("sip:load@127.0.0.1:9"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_left_alone(text in "(SIP/2.0 |BYE )?[ -~\r\n]{0,200}") {
            if let Some(message) = Message::parse(&text) {
                message.contact();
                message.method();
                prop_assert!(message.response("200 OK").ends_with("\r\n\r\n"));
            }
        }
    }
}
