//! Each kind of header value: what is read is written so that the same is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::message::{
    CSeq, DialogName, EventType, HeaderName, MediaType, NameAddr, Reason, SessionExpires, Via,
};

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    macro_rules! stable {
        ($kind:ty) => {
            if let Ok(read) = text.parse::<$kind>() {
                let written = read.to_string();
                let again = written.parse::<$kind>().map(|again| again.to_string());
                assert_eq!(again.ok(), Some(written));
            }
        };
    }
    match kind % 9 {
        0 => stable!(NameAddr),
        1 => stable!(Via),
        2 => stable!(CSeq),
        3 => stable!(Reason),
        4 => stable!(SessionExpires),
        5 => stable!(DialogName),
        6 => stable!(EventType),
        7 => stable!(MediaType),
        _ => {
            if let Some(name) = HeaderName::parse(text) {
                assert_eq!(HeaderName::parse(name.spelling()), Some(name));
            }
        }
    }
});
