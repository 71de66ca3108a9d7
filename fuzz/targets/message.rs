//! SIP messages: what is read and written again reads the same, and a stream cut anywhere gives the
//! same messages as a whole one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::framing::{Item, Splitter};
use sip::limits::HEADERS_MAX;
use sip::message::{
    CSeq, HeaderName, Headers, Message, NameAddr, Reason, SessionExpires, Uri, Via, parse,
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = parse(bytes) {
        let (bytes, headers) = match &message {
            Message::Request(request) => (request.to_bytes(), &request.headers),
            Message::Response(response) => (response.to_bytes(), &response.headers),
        };
        let told = |headers: &Headers| {
            headers.iter().filter(|header| header.name != HeaderName::ContentLength).count()
        };
        // The length is added, and there may be no room for it.
        if told(headers) < HEADERS_MAX {
            // Nothing in a value can make a header of its own.
            let again = match parse(&bytes).expect("our own writing") {
                Message::Request(request) => request.headers,
                Message::Response(response) => response.headers,
            };
            assert_eq!(told(&again), told(headers));
        }
        for header in headers.iter() {
            values(&String::from_utf8_lossy(&header.value));
        }
    }
    assert_eq!(split(bytes, bytes.len().max(1)), split(bytes, 7));
});

/// Each kind of value reads what it writes.
fn values(text: &str) {
    macro_rules! stable {
        ($($kind:ty),*) => {$(
            if let Ok(read) = text.parse::<$kind>() {
                let written = read.to_string();
                let again = written.parse::<$kind>().map(|again| again.to_string());
                assert_eq!(again.ok(), Some(written));
            }
        )*};
    }
    stable!(CSeq, NameAddr, Reason, SessionExpires, Uri, Via);
}

fn split(bytes: &[u8], step: usize) -> Vec<Vec<u8>> {
    let mut splitter = Splitter::new();
    let mut messages = Vec::new();
    for piece in bytes.chunks(step) {
        splitter.push(piece);
        loop {
            match splitter.next_item() {
                Ok(Some(Item::Message(message))) => messages.push(message),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return messages,
            }
        }
    }
    messages
}
