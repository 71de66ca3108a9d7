//! RTP headers and telephone-events: the payload lies within the packet, and a key is reported once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::rtp::{Extender, Packet, Rtp, classify};
use wire::telephone_event::{Digits, Event};

fuzz_target!(|bytes: &[u8]| {
    assert!(!bytes.is_empty() || matches!(classify(bytes), Packet::Unknown));
    let (mut extender, mut digits) = (Extender::new(), Digits::new(8_000));
    for packet in bytes.chunks(24) {
        let Ok(rtp) = Rtp::parse(packet) else { continue };
        assert!(rtp.payload.len() <= packet.len() - 12);
        extender.place(rtp.sequence, rtp.timestamp);
        if let Some(event) = Event::parse(rtp.payload) {
            assert!(
                digits.receive(rtp.timestamp.into(), rtp.marker, event).into_iter().count() <= 2
            );
        }
    }
});
