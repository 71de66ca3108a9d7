//! Credentials and challenges: what is read is written so that the same is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::digest::{Challenge, Credentials};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(shown) = Credentials::parse(text) {
        assert_eq!(Credentials::parse(&shown.to_string()).as_ref(), Some(&shown));
    }
    if let Some(challenge) = Challenge::parse(text) {
        assert_eq!(Challenge::parse(&challenge.to_string()).as_ref(), Some(&challenge));
    }
});
