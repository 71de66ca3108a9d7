//! Finding the session description in a body of several parts (RFC 2046 §5.1, RFC 5621).

use super::header::{HeaderName, Headers};
use super::media_type::MediaType;
use super::param::Params;
use super::{Message, Response, parse};
use crate::limits::{BOUNDARY_BYTES_MAX, MULTIPART_PARTS_MAX};

/// The first part of that media type in a `multipart/…` body; parts in parts are not looked into.
#[must_use]
pub fn part(media_type: &MediaType, body: &[u8], kind: &str, subtype: &str) -> Option<Vec<u8>> {
    let delimiter = delimiter(media_type)?;
    let mut parts = parts(body, &delimiter);
    parts.find_map(|part| is_of(&part.headers, kind, subtype).then(|| content(&part.body)))
}

/// Whether a part of another type says that it must be understood (RFC 5621 §8.2). One that says
/// nothing would have to be, too (RFC 3261 §20.11); gateways add parts of their own kind without a
/// word, and mean nothing by that. Of alternatives one is enough (RFC 2046 §5.1.4).
#[must_use]
pub fn demands_more(media_type: &MediaType, body: &[u8], kind: &str, subtype: &str) -> bool {
    let is_demanded = |part: Response| {
        let is_other = !is_of(&part.headers, kind, subtype);
        is_other && handling(&part.headers).as_deref() == Some("required")
    };
    media_type.subtype != "alternative"
        && delimiter(media_type).is_some_and(|delimiter| parts(body, &delimiter).any(is_demanded))
}

/// How Content-Disposition says that a body is to be handled, in lower case: `required` or
/// `optional` (RFC 3261 §20.11).
#[must_use]
pub fn handling(headers: &Headers) -> Option<String> {
    let disposition = headers.text(&HeaderName::ContentDisposition)?;
    let (_, params) = disposition.split_once(';')?;
    Params::parse(params)?.value("handling").map(str::to_ascii_lowercase)
}

/// Whether there are more parts than are looked at.
#[must_use]
pub fn has_more_parts(media_type: &MediaType, body: &[u8]) -> bool {
    // Behind the last part there is one more.
    media_type.kind == "multipart"
        && delimiter(media_type).is_some_and(|delimiter| {
            occurrences(body, &delimiter).nth(MULTIPART_PARTS_MAX + 1).is_some()
        })
}

/// What stands before each part and behind the last.
fn delimiter(media_type: &MediaType) -> Option<Vec<u8>> {
    let boundary = media_type.params.value("boundary")?;
    let is_one = (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len());
    is_one.then(|| [b"--", boundary.as_bytes()].concat())
}

/// Where the delimiter stands at the beginning of a line.
fn occurrences<'a>(body: &'a [u8], delimiter: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let at_line_start = |at: &usize| *at == 0 || body[at - 1] == b'\n';
    body.windows(delimiter.len())
        .enumerate()
        .filter(move |(_, window)| *window == delimiter)
        .map(|(at, _)| at)
        .filter(at_line_start)
}

/// The parts that can be read, of as many as are looked at. A part is headers, an empty line and
/// content, so the parser of messages reads it behind a start line.
fn parts<'a>(body: &'a [u8], delimiter: &'a [u8]) -> impl Iterator<Item = Response> + 'a {
    let mut starts = occurrences(body, delimiter);
    let mut start = starts.next().map_or(body.len(), |first| first + delimiter.len());
    starts.take(MULTIPART_PARTS_MAX).filter_map(move |next| {
        let part = &body[start..next];
        start = next + delimiter.len();
        let line_end = part.iter().position(|byte| *byte == b'\n')?;
        let message = [b"SIP/2.0 200 OK\r\n", &part[line_end + 1..]].concat();
        let Ok(Message::Response(read)) = parse(&message) else { return None };
        Some(read)
    })
}

fn is_of(headers: &Headers, kind: &str, subtype: &str) -> bool {
    let media_type = headers.text(&HeaderName::ContentType);
    let media_type = media_type.and_then(|text| text.parse::<MediaType>().ok());
    media_type.is_some_and(|media_type| media_type.covers(kind, subtype))
}

/// What a part holds, without the line's end that belongs to the delimiter behind it.
fn content(body: &[u8]) -> Vec<u8> {
    let content = body.strip_suffix(b"\n").unwrap_or(body);
    content.strip_suffix(b"\r").unwrap_or(content).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_part_is_found_and_broken_bodies_have_none() {
        let media_type: MediaType = "multipart/mixed;boundary=\"b 1\"".parse().expect("valid");
        let body = b"--b 1\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b 1\r\n\
            Content-Type: application/sdp\r\n\r\nv=0\r\ns=-\r\n\r\n--b 1--\r\n";
        let found = part(&media_type, body, "application", "sdp");
        assert_eq!(found.as_deref(), Some(&b"v=0\r\ns=-\r\n"[..]));
        assert_eq!(part(&media_type, body, "image", "png"), None);
        for broken in [&b""[..], b"--b 1", b"--b 1\r\n--b 1", b"--b 1\r\nx\r\n\r\n--b 1--"] {
            assert_eq!(part(&media_type, broken, "application", "sdp"), None);
        }
        // What must be understood is not passed over.
        let isup = |more: &str| {
            let body = format!(
                "--b 1\r\nContent-Type: application/isup\r\n{more}\r\nx\r\n--b 1\r\n\
                 Content-Type: application/sdp\r\nContent-Disposition: session;handling=required\
                 \r\n\r\nv=0\r\n--b 1--\r\n"
            );
            demands_more(&media_type, body.as_bytes(), "application", "sdp")
        };
        assert!(isup("Content-Disposition: signal ; Handling = Required\r\n"));
        assert!(!isup("Content-Disposition: signal;handling=optional\r\n") && !isup(""));
        // To look for a boundary costs its length times that of the body.
        let long = "-".repeat(BOUNDARY_BYTES_MAX + 1);
        let media_type: MediaType =
            format!("multipart/mixed;boundary={long}").parse().expect("valid");
        let body =
            format!("--{long}\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--{long}--\r\n");
        assert_eq!(part(&media_type, body.as_bytes(), "application", "sdp"), None);
    }
}
