//! RTCP: a compound that is read can be walked to its end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::rtcp::Compound;

fuzz_target!(|bytes: &[u8]| {
    let Ok(compound) = Compound::parse(bytes) else { return };
    let mut packets = 0;
    for packet in compound {
        packets += 1;
        // Everything that a packet holds is walked by its own writing.
        assert!(!format!("{packet:?}").is_empty());
    }
    assert!(packets <= bytes.len() / 4);
});
