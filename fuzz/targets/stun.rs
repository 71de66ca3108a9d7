//! STUN on the SIP port: an answer goes to requests only, and is hardly longer than they are.
#![no_main]

#[path = "../../crates/gateway/src/stun.rs"]
mod stun;

use libfuzzer_sys::fuzz_target;

/// By how much an answer may be longer than its request: a mapped IPv6 address.
const ADDRESS_BYTES: usize = 24;

fuzz_target!(|bytes: &[u8]| {
    for source in ["192.0.2.1:5060", "[2001:db8::1]:5060"] {
        let source = source.parse().expect("an address");
        if let Some(answer) = stun::answer(bytes, source) {
            assert!(stun::is_stun(bytes) && stun::is_stun(&answer));
            assert_eq!(answer[8..20], bytes[8..20], "the transaction is the request's");
            assert!(answer.len() <= bytes.len() + ADDRESS_BYTES);
            assert!(stun::answer(&answer, source).is_none(), "no answer is answered");
        }
    }
});
