//! A message to bytes.

use super::header::{HeaderName, Headers};
use super::{Request, Response};

impl Request {
    /// Whether it asks for a `sips` URI, and so for TLS all the way (RFC 5630 §3.1).
    pub(crate) fn is_secure(&self) -> bool {
        self.target.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:"))
    }

    /// The message as it goes out, with the Content-Length of its body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let start = format!("{} {} SIP/2.0", self.method, self.target);
        message_bytes(&start, &self.headers, &self.body)
    }
}

impl Response {
    /// The message as it goes out, with the Content-Length of its body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let start = format!("SIP/2.0 {} {}", self.status, self.reason);
        message_bytes(&start, &self.headers, &self.body)
    }
}

fn message_bytes(start: &str, headers: &Headers, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512 + body.len());
    push_line(&mut bytes, start.as_bytes());
    for header in headers.iter().filter(|header| header.name != HeaderName::ContentLength) {
        let line = bytes.len();
        bytes.extend_from_slice(header.name.spelling().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(&header.value);
        end_line(&mut bytes, line);
    }
    push_line(&mut bytes, format!("Content-Length: {}", body.len()).as_bytes());
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

fn push_line(bytes: &mut Vec<u8>, line: &[u8]) {
    let start = bytes.len();
    bytes.extend_from_slice(line);
    end_line(bytes, start);
}

/// Ends a line. Control characters in it become blanks: this is the one place where a line break
/// smuggled into a name or phrase would turn into a header of its own.
fn end_line(bytes: &mut Vec<u8>, start: usize) {
    for byte in &mut bytes[start..] {
        if byte.is_ascii_control() && *byte != b'\t' {
            *byte = b' ';
        }
    }
    bytes.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::super::{Message, Method, StatusCode, parse};
    use super::*;

    #[test]
    fn what_is_written_can_be_read_again() {
        let mut headers = Headers::new();
        headers.push(HeaderName::Via, "SIP/2.0/UDP h");
        headers.push(HeaderName::Other("X-Own".into()), b"\xff".to_vec());
        headers.push(HeaderName::ContentLength, "99");
        let target = "sip:a@b".to_owned();
        let request = Request { method: Method::Info, target, headers, body: b"hi".to_vec() };
        let Ok(Message::Request(mut again)) = parse(&request.to_bytes()) else {
            panic!("no request")
        };
        assert_eq!(again.headers.text(&HeaderName::ContentLength).as_deref(), Some("2"));
        again.headers.set(HeaderName::ContentLength, "99");
        assert_eq!(again, request);
    }

    #[test]
    fn a_line_break_in_a_value_makes_no_header() {
        let mut headers = Headers::new();
        headers.push(HeaderName::Server, "x\r\nContact: <sip:evil>");
        let reason = "a\r\nb".to_owned();
        let response = Response { status: StatusCode::OK, reason, headers, body: Vec::new() };
        let text = String::from_utf8(response.to_bytes()).expect("text");
        assert_eq!(
            text,
            "SIP/2.0 200 a  b\r\nServer: x  Contact: <sip:evil>\r\nContent-Length: 0\r\n\r\n"
        );
    }
}
