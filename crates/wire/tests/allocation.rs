//! What runs inside a tick does not allocate.

use std::hint::black_box;

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use wire::rtcp::{self, Compound, ReportBlock, SenderInfo};
use wire::rtp::{self, Extender, Header, Rtp};
use wire::srtp::{Inbound, KeySource, Outbound, Suite};
use wire::telephone_event::{Digits, Event, Key, Keystroke};

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

#[test]
fn packets_are_written_and_read_without_allocation() {
    assert_no_alloc(|| {
        let mut packet = [0; 172];
        let mut extender = Extender::new();
        for sequence in 0..1_000_u16 {
            let timestamp = u32::from(sequence) * 160;
            let header = Header { payload_type: 0, marker: false, sequence, timestamp, ssrc: 1 };
            rtp::write_header(&mut packet, &header);
            black_box(rtp::classify(&packet));
            let rtp = Rtp::parse(&packet).expect("our own packet can be read");
            black_box(extender.place(rtp.sequence, rtp.timestamp));
        }
        assert!(Rtp::parse(&packet[..5]).is_err());
    });
}

#[test]
fn reports_are_written_and_read_without_allocation() {
    assert_no_alloc(|| {
        let info =
            SenderInfo { ntp_timestamp: 1, rtp_timestamp: 2, packet_count: 3, octet_count: 4 };
        let blocks = [ReportBlock::default(); 4];
        let report = rtcp::Report {
            ssrc: 1,
            sender: Some(info),
            blocks: &blocks,
            cname: "somebody@convoke",
            bye: true,
        };
        let mut out = [0; 512];
        let length = report.write(&mut out).expect("the buffer is large enough");
        for packet in Compound::parse(&out[..length]).expect("our own report can be read") {
            match packet {
                rtcp::Packet::SenderReport { blocks, .. }
                | rtcp::Packet::ReceiverReport { blocks, .. } => {
                    assert_eq!(blocks.count(), 4);
                }
                rtcp::Packet::SourceDescription(names) => assert_eq!(names.count(), 1),
                rtcp::Packet::Bye(sources) => assert_eq!(sources.count(), 1),
                rtcp::Packet::Extended { .. } | rtcp::Packet::Other { .. } => {
                    unreachable!("no such packet was written")
                }
            }
        }
        assert!(Compound::parse(&out[..length - 1]).is_err());
    });
}

#[test]
fn keys_are_sent_and_heard_without_allocation() {
    let key = Key::from_char('#').expect("a key");
    let heard = assert_no_alloc(|| {
        let mut digits = Digits::new(8_000);
        let packets = Keystroke::new(key, 100, 8_000, 20);
        let mut heard = 0;
        for out in packets {
            let event = Event::parse(&out.payload).expect("our own payload can be read");
            let timestamp = 1_000 + u64::from(out.timestamp_offset);
            heard += digits.receive(timestamp, out.marker, event).count();
        }
        heard
    });
    assert_eq!(heard, 1);
}

#[test]
fn packets_are_protected_and_opened_without_allocation() {
    let mut source = KeySource::new([1; 32]);
    for suite in Suite::ALL {
        let key = source.draw(suite);
        let (mut outbound, mut inbound) = (Outbound::new(&key), Inbound::new(&key));
        assert_no_alloc(|| {
            for sequence in 0..1_000_u16 {
                let header =
                    Header { payload_type: 0, marker: false, sequence, timestamp: 5, ssrc: 1 };
                let mut packet = [0; 172 + 16];
                rtp::write_header(&mut packet, &header);
                let packet = &mut packet[..172 + outbound.overhead()];
                outbound.protect(packet).expect("there is room for the tag");
                assert_eq!(inbound.unprotect(packet), Ok(172));
                let mut compound = [0; 100];
                outbound.protect_control(&mut compound).expect("there is room for the tag");
                assert_eq!(
                    inbound.unprotect_control(&mut compound).ok(),
                    Some(100 - outbound.control_overhead())
                );
                assert!(inbound.unprotect(packet).is_err());
            }
        });
    }
}
