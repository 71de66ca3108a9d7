//! Bytes to a message (RFC 3261 §7).
//!
//! The parser fixes where things stand: start line, header lines, body. What a header *means* is
//! parsed when somebody asks, so that an odd header nobody needs costs no call.

use bytes::Bytes;

use super::header::{HeaderName, HeaderValue, Headers};
use super::lexis;
use super::method::Method;
use super::status::StatusCode;
use super::uri::digits;
use super::{Message, Request, Response};
use crate::limits::{HEADERS_MAX, Limit, MESSAGE_BYTES_MAX};

/// Of messages up to so many bytes the headers' values are parts: whoever keeps one keeps all of
/// it. Of larger ones each value is a copy, so that nobody can have us keep 64 KiB by each.
const SHARED_BYTES_MAX: usize = 4_096;

/// Why bytes are no message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed {
    /// What is wrong, fit for a reason phrase.
    pub what: &'static str,
    /// With what to answer: 400, 505, or 413 for size.
    pub status: StatusCode,
    /// The limit that was reached, if that is what is wrong.
    pub limit: Option<Limit>,
    /// The request as far as it could be read, if it can be told that it is one.
    pub request: Option<Box<Request>>,
}

/// Reads one whole message: a datagram, or what [`crate::framing::Splitter`] cut from a stream.
///
/// # Errors
/// [`Malformed`] says what is wrong, with as much of a request as is needed to answer it.
pub fn parse(bytes: &[u8]) -> Result<Message, Malformed> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        let limit = Some(Limit::MessageBytes);
        return Err(Malformed { limit, ..hopeless("Message Too Large") });
    }
    let shared = (bytes.len() <= SHARED_BYTES_MAX).then(|| Bytes::copy_from_slice(bytes));
    let bytes = shared.as_deref().unwrap_or(bytes);
    let start = bytes.iter().position(|byte| !b"\r\n".contains(byte)).unwrap_or(bytes.len());
    let mut lines = Lines { rest: &bytes[start..] };
    let Some(first) = lines.next_line() else { return Err(hopeless("Empty Message")) };
    let first = std::str::from_utf8(first).map_err(|_| hopeless("Start Line Is Not UTF-8"))?;
    let (headers, mut flaw) = header_lines(&mut lines, shared.as_ref());
    let head_bytes = bytes.len() - lines.rest.len();
    let body = body_of(&headers, head_bytes, lines.rest).unwrap_or_else(|wrong| {
        flaw = flaw.or(Some(wrong));
        Vec::new()
    });
    if let Some(rest) = first.strip_prefix("SIP/") {
        let response = status_line(rest, headers, body).ok_or(hopeless("Bad Status Line"))?;
        return match flaw {
            None => Ok(Message::Response(response)),
            Some((what, limit)) => Err(Malformed { limit, ..hopeless(what) }),
        };
    }
    let (request, bad_line) = request_line(first, headers, body)?;
    let (what, status, limit) = match (bad_line, flaw) {
        (None, None) => return Ok(Message::Request(request)),
        (Some((what, status)), _) => (what, status, None),
        (None, Some((what, limit @ Some(Limit::MessageBytes)))) => {
            (what, StatusCode::REQUEST_ENTITY_TOO_LARGE, limit)
        }
        (None, Some((what, limit))) => (what, StatusCode::BAD_REQUEST, limit),
    };
    Err(Malformed { what, status, limit, request: Some(Box::new(request)) })
}

/// A flaw that leaves nothing to answer.
fn hopeless(what: &'static str) -> Malformed {
    Malformed { what, status: StatusCode::BAD_REQUEST, limit: None, request: None }
}

/// Cuts lines at LF, with or without CR before it.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    fn next_line(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn next_is_folded(&self) -> bool {
        self.rest.first().copied().is_some_and(lexis::is_blank)
    }
}

/// What is wrong, and the limit that was reached, if that is it.
type Flaw = (&'static str, Option<Limit>);

/// Reads up to the empty line: the headers, and the first flaw.
fn header_lines(lines: &mut Lines<'_>, shared: Option<&Bytes>) -> (Headers, Option<Flaw>) {
    let value_of = |part: &[u8]| match shared {
        Some(whole) => HeaderValue::part(whole, part),
        None => HeaderValue::from(part),
    };
    let mut headers = Headers::new();
    let mut flaw = None;
    loop {
        let Some(line) = lines.next_line() else {
            return (headers, flaw.or(Some(("Missing End Of Headers", None))));
        };
        if line.is_empty() {
            return (headers, flaw);
        }
        let mut header = match header_line(line) {
            Some((name, value)) if headers.len() < HEADERS_MAX => Some((name, value_of(value))),
            Some(_) => {
                flaw = flaw.or(Some(("Too Many Headers", Some(Limit::Headers))));
                None
            }
            None => {
                flaw = flaw.or(Some(("Bad Header Line", None)));
                None
            }
        };
        if lines.next_is_folded() {
            let rest = unfolded(lines);
            if let Some((_, value)) = &mut header {
                *value = [&value[..], &rest].concat().trim_ascii().into();
            }
        }
        if let Some((name, value)) = header {
            headers.push(name, value);
        }
    }
}

/// The lines that go on with the one before, a blank before each that holds something.
fn unfolded(lines: &mut Lines<'_>) -> Vec<u8> {
    let mut rest = Vec::new();
    while lines.next_is_folded() {
        let Some(more) = lines.next_line() else { break };
        let more = more.trim_ascii();
        if !more.is_empty() {
            rest.push(b' ');
            rest.extend_from_slice(more);
        }
    }
    rest
}

fn header_line(line: &[u8]) -> Option<(HeaderName, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = std::str::from_utf8(&line[..colon]).ok()?;
    // Blanks are allowed before the colon (§7.3.1), not before the name.
    let name = HeaderName::parse(name.trim_end_matches([' ', '\t']))?;
    Some((name, line[colon + 1..].trim_ascii()))
}

/// The body as Content-Length has it (§18.3): longer data is cut off, shorter is an error. Without
/// that header, a datagram's rest is the body.
fn body_of(headers: &Headers, head_bytes: usize, rest: &[u8]) -> Result<Vec<u8>, Flaw> {
    let mut lengths = headers.all(&HeaderName::ContentLength);
    let Some(length) = lengths.next() else { return Ok(rest.to_vec()) };
    if lengths.any(|other| other != length) {
        return Err(("Conflicting Content-Length", None));
    }
    let length = std::str::from_utf8(length).ok().and_then(digits::<usize>);
    let length = length.ok_or(("Bad Content-Length", None))?;
    if head_bytes.saturating_add(length) > MESSAGE_BYTES_MAX {
        return Err(("Message Too Large", Some(Limit::MessageBytes)));
    }
    rest.get(..length).map(<[u8]>::to_vec).ok_or(("Content-Length Exceeds Message", None))
}

fn status_line(rest: &str, headers: Headers, body: Vec<u8>) -> Option<Response> {
    let rest = rest.strip_prefix("2.0 ")?;
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    if code.len() != 3 {
        return None;
    }
    let status = StatusCode::new(digits(code)?)?;
    Some(Response { status, reason: reason.to_owned(), headers, body })
}

/// The request line; what is wrong with it is told beside the request, which is then only good for
/// answering.
type RequestLine = (Request, Option<(&'static str, StatusCode)>);

fn request_line(line: &str, headers: Headers, body: Vec<u8>) -> Result<RequestLine, Malformed> {
    let no_request = || hopeless("Bad Request Line");
    let (method, rest) = line.split_once(' ').ok_or_else(no_request)?;
    let (target, version) = rest.trim_end_matches(' ').rsplit_once(' ').ok_or_else(no_request)?;
    let method = Method::parse(method).ok_or_else(no_request)?;
    let version = version.get(..4).filter(|name| name.eq_ignore_ascii_case("SIP/")).and(
        // Without a version it could be anything, such as HTTP.
        version.get(4..),
    );
    let version = version.ok_or_else(no_request)?;
    let bad = if version != "2.0" {
        Some(("Version Not Supported", StatusCode::VERSION_NOT_SUPPORTED))
    } else if rest.ends_with(' ') || target.is_empty() || target.contains(outside_uri) {
        Some(("Bad Request Line", StatusCode::BAD_REQUEST))
    } else {
        None
    };
    Ok((Request { method, target: target.to_owned(), headers, body }, bad))
}

/// Whether a letter can be in no URI.
fn outside_uri(letter: char) -> bool {
    letter.is_ascii_control() || matches!(letter, ' ' | '<' | '>')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Request {
        match parse(text.as_bytes()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn folded_compact_and_odd_headers_are_kept() {
        let request = request(
            "\r\nOPTIONS sip:a@b SIP/2.0\r\nv: one\r\n  two\r\n\tthree\r\nSubject :\r\n\
             X-Odd:  \u{e9}; \r\nl: 2\r\n\r\nhi and what follows",
        );
        assert_eq!(request.headers.text(&HeaderName::Via).as_deref(), Some("one two three"));
        assert_eq!(request.headers.len(), 4);
        assert_eq!(request.body, b"hi");
    }

    #[test]
    fn bytes_that_are_not_utf8_do_not_lose_a_header() {
        let bytes = b"OPTIONS sip:a@b SIP/2.0\r\nSubject: \xff\xfe\r\nTo: \xc3\r\n\r\n";
        let Ok(Message::Request(request)) = parse(bytes) else { panic!("not parsed") };
        assert_eq!(request.headers.first(&HeaderName::To), Some(&b"\xc3"[..]));
        assert_eq!(request.headers.len(), 2);
    }

    #[test]
    fn flaws_are_named_and_leave_a_request_to_answer() {
        for (text, what, status) in [
            ("OPTIONS sip:a@b SIP/7.0\r\n\r\n", "Version Not Supported", 505),
            ("OPTIONS  sip:a@b SIP/2.0\r\n\r\n", "Bad Request Line", 400),
            ("OPTIONS sip:a@b; lr SIP/2.0\r\n\r\n", "Bad Request Line", 400),
            ("OPTIONS sip:a@b SIP/2.0 \r\n\r\n", "Bad Request Line", 400),
            ("OPTIONS sip:a@b SIP/2.0\r\nx\r\n\r\n", "Bad Header Line", 400),
            ("OPTIONS sip:a@b SIP/2.0\r\nTo: x\r\n", "Missing End Of Headers", 400),
            ("OPTIONS sip:a@b SIP/2.0\r\nl: -1\r\n\r\n", "Bad Content-Length", 400),
            ("OPTIONS sip:a@b SIP/2.0\r\nl: 9\r\n\r\nx", "Content-Length Exceeds Message", 400),
            ("OPTIONS sip:a@b SIP/2.0\r\nl: 1\r\nl: 0\r\n\r\nx", "Conflicting Content-Length", 400),
        ] {
            let flaw = parse(text.as_bytes()).expect_err(text);
            assert_eq!((flaw.what, flaw.status.code()), (what, status), "{text}");
            assert!(flaw.request.is_some(), "{text}");
        }
    }

    #[test]
    fn what_is_no_request_is_told_apart() {
        for text in ["", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "SIP/2.0 4294967301 x\r\n\r\n", "x"]
        {
            let flaw = parse(text.as_bytes()).expect_err(text);
            assert_eq!(flaw.request, None, "{text}");
        }
    }

    #[test]
    fn the_number_and_size_of_headers_are_bounded() {
        let many = "OPTIONS sip:a@b SIP/2.0\r\n".to_owned() + &"a: b\r\n".repeat(300) + "\r\n";
        assert_eq!(parse(many.as_bytes()).expect_err("too many").what, "Too Many Headers");
        let large = vec![b'a'; MESSAGE_BYTES_MAX + 1];
        assert_eq!(parse(&large).expect_err("too large").what, "Message Too Large");
    }

    #[test]
    fn a_response_may_lack_its_phrase() {
        for text in ["SIP/2.0 200 \r\n\r\n", "SIP/2.0 200\r\n\r\n"] {
            assert!(
                matches!(parse(text.as_bytes()), Ok(Message::Response(r)) if r.reason.is_empty())
            );
        }
    }
}
