//! RTP headers and telephone-events: the payload lies within the packet, and a key is reported once.
//! SRTP: whatever comes is refused, or is shorter without its tag.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::rtp::{Extender, Packet, Rtp, classify};
use wire::srtp::{Inbound, KeySource, Suite};
use wire::telephone_event::{Digits, Event};

fuzz_target!(|bytes: &[u8]| {
    assert!(!bytes.is_empty() || matches!(classify(bytes), Packet::Unknown));
    for suite in Suite::ALL {
        let mut inbound = Inbound::new(&KeySource::new([7; 32]).draw(suite));
        // A tag of four bytes can be met by chance.
        let opened = inbound.unprotect(&mut bytes.to_vec());
        assert!(opened.is_err() || opened.is_ok_and(|length| length < bytes.len()));
        assert!(inbound.unprotect_control(&mut bytes.to_vec()).is_err());
    }
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
