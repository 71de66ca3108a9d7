use std::time::Duration;

use proptest::prelude::*;
use rtcp_types::{Compound as Oracle, Packet as OraclePacket};

use super::*;
use crate::limits::RTCP_REPORT_BLOCKS_MAX;

const INFO: SenderInfo = SenderInfo {
    ntp_timestamp: 0x0123_4567_89ab_cdef,
    rtp_timestamp: 0x1111_2222,
    packet_count: 1_000,
    octet_count: 160_000,
};

const BLOCK: ReportBlock = ReportBlock {
    ssrc: 0xaaaa_bbbb,
    fraction_lost: 12,
    cumulative_lost: -3,
    highest_sequence: 0x0001_0005,
    jitter: 77,
    last_sender_report: 0x4567_89ab,
    delay_since_last_sender_report: 65_536,
};

fn written(report: &Report<'_>) -> Vec<u8> {
    let mut out = vec![0xee; 2_000];
    let length = report.write(&mut out).unwrap();
    assert_eq!(length, report.length());
    out.truncate(length);
    out
}

/// What a compound says, one line for each packet.
fn picture(bytes: &[u8]) -> String {
    let mut lines = Vec::new();
    for packet in Compound::parse(bytes).unwrap() {
        lines.push(match packet {
            Packet::SenderReport { ssrc, info, blocks } => {
                format!(
                    "SR {ssrc:x} {} packets {:?}",
                    info.packet_count,
                    blocks.collect::<Vec<_>>()
                )
            }
            Packet::ReceiverReport { ssrc, blocks } => {
                format!("RR {ssrc:x} {:?}", blocks.collect::<Vec<_>>())
            }
            Packet::SourceDescription(names) => {
                let names = names.map(|name| {
                    let cname = name.cname.map(String::from_utf8_lossy);
                    format!("{:x} {cname:?}", name.ssrc)
                });
                format!("SDES {}", names.collect::<Vec<_>>().join(", "))
            }
            Packet::Bye(sources) => format!("BYE {:x?}", sources.collect::<Vec<_>>()),
            Packet::Extended { ssrc, blocks } => {
                format!("XR {ssrc:x} {:?}", blocks.collect::<Vec<_>>())
            }
            Packet::Other { packet_type } => format!("other {packet_type}"),
        });
    }
    lines.join("\n")
}

#[test]
fn a_whole_compound_is_read_back_as_written() {
    let report =
        Report { ssrc: 7, sender: Some(INFO), blocks: &[BLOCK], cname: "a@convoke", bye: true };
    let bytes = written(&report);
    let mut packets = Compound::parse(&bytes).unwrap();
    let Some(Packet::SenderReport { ssrc: 7, info: INFO, blocks }) = packets.next() else {
        panic!("the sender's report comes first");
    };
    assert_eq!(blocks.collect::<Vec<_>>(), [BLOCK]);
    let Some(Packet::SourceDescription(names)) = packets.next() else {
        panic!("the name comes second");
    };
    assert_eq!(names.collect::<Vec<_>>(), [Name { ssrc: 7, cname: Some(b"a@convoke") }]);
    let Some(Packet::Bye(sources)) = packets.next() else {
        panic!("the goodbye comes last");
    };
    assert_eq!(sources.collect::<Vec<_>>(), [7]);
    assert!(packets.next().is_none());
}

#[test]
fn who_sends_nothing_writes_a_receiver_report() {
    let report = Report { ssrc: 7, sender: None, blocks: &[], cname: "x", bye: false };
    assert_eq!(picture(&written(&report)), "RR 7 []\nSDES 7 Some(\"x\")");
}

#[test]
fn another_implementation_reads_what_we_write() {
    let blocks = [BLOCK; RTCP_REPORT_BLOCKS_MAX];
    for cname_length in 0..9 {
        let cname = &"abcdefgh"[..cname_length];
        let report = Report { ssrc: 7, sender: Some(INFO), blocks: &blocks, cname, bye: true };
        let bytes = written(&report);
        let packets: Vec<_> = Oracle::parse(&bytes).unwrap().map(Result::unwrap).collect();
        let [OraclePacket::Sr(sender), OraclePacket::Sdes(names), OraclePacket::Bye(bye)] =
            &packets[..]
        else {
            panic!("{packets:?}");
        };
        assert_eq!(sender.ntp_timestamp(), INFO.ntp_timestamp);
        assert_eq!(sender.octet_count(), INFO.octet_count);
        let block = sender.report_blocks().last().unwrap();
        assert_eq!((block.ssrc(), block.fraction_lost()), (BLOCK.ssrc, BLOCK.fraction_lost));
        assert_eq!(block.cumulative_lost(), 0xff_fffd);
        assert_eq!(block.interarrival_jitter(), BLOCK.jitter);
        let chunk = names.chunks().next().unwrap();
        assert_eq!((chunk.ssrc(), chunk.items().next().unwrap().value()), (7, cname.as_bytes()));
        assert_eq!(bye.ssrcs().collect::<Vec<_>>(), [7]);
    }
}

#[test]
fn several_chunks_and_items_are_read() {
    let bytes = [
        0x82, 202, 0, 7, // two chunks
        0, 0, 0, 1, 2, 2, b'n', b'n', 1, 1, b'c', 0, // a name, then the CNAME, then one zero
        0, 0, 0, 2, 2, 6, b'n', b'a', b'm', b'e', b'2', b'2', 0, 0, 0,
        0, // no CNAME, four zeros
    ];
    assert_eq!(picture(&bytes), "SDES 1 Some(\"c\"), 2 None");
}

#[test]
fn feedback_is_passed_over_and_padding_is_cut_off() {
    let bytes = [
        0x81, 205, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, // transport feedback
        0xa1, 203, 0, 2, 0, 0, 0, 9, 0, 0, 0, 4, // a padded goodbye
    ];
    assert_eq!(picture(&bytes), "other 205\nBYE [9]");
}

#[test]
fn broken_compounds_are_refused_whole() {
    let good = written(&Report { ssrc: 7, sender: None, blocks: &[], cname: "x", bye: false });
    let refusal = |bytes: &[u8]| Compound::parse(bytes).err();
    assert_eq!(refusal(&[]), Some(RtcpError::Truncated));
    assert_eq!(refusal(&good[..good.len() - 1]), Some(RtcpError::Truncated));
    assert_eq!(refusal(&[&good[..], &[0x80]].concat()), Some(RtcpError::Truncated));
    assert_eq!(refusal(&[&good[..], &[0x40, 201, 0, 0]].concat()), Some(RtcpError::Version(1)));
    let padded = [0xa1, 203, 0, 2, 0, 0, 0, 9, 0, 0, 0, 4];
    assert_eq!(refusal(&[&padded[..], &good].concat()), Some(RtcpError::Padding));
    assert_eq!(refusal(&[0xa0, 203, 0, 0]), Some(RtcpError::Padding));
    assert_eq!(refusal(&[0xa0, 203, 0, 1, 0, 0, 0, 0]), Some(RtcpError::Padding));
    assert_eq!(refusal(&[0x82, 203, 0, 1, 0, 0, 0, 1]), Some(RtcpError::Truncated));
    assert_eq!(refusal(&[0x81, 201, 0, 1, 0, 0, 0, 1]), Some(RtcpError::Truncated));
    assert_eq!(refusal(&[0x80, 204, 0, 0].repeat(32)), None);
    assert_eq!(refusal(&[0x80, 204, 0, 0].repeat(33)), Some(RtcpError::TooManyPackets));
}

#[test]
fn what_does_not_fit_is_not_written() {
    let report = Report { ssrc: 7, sender: None, blocks: &[], cname: "x", bye: false };
    let mut out = [0xee; 64];
    let needed = report.length();
    assert_eq!(report.write(&mut out[..needed - 1]), Err(WriteError::BufferTooSmall { needed }));
    assert_eq!(out, [0xee; 64]);
    let blocks = [BLOCK; RTCP_REPORT_BLOCKS_MAX + 1];
    let crowded = Report { blocks: &blocks, ..report };
    assert_eq!(crowded.write(&mut out), Err(WriteError::TooManyBlocks));
    let cname = "x".repeat(256);
    let named = Report { cname: &cname, ..report };
    assert_eq!(named.write(&mut out), Err(WriteError::CnameTooLong));
}

#[test]
fn a_loss_beyond_24_bits_stays_at_the_bound() {
    for (lost, read) in [(i32::MAX, 0x7f_ffff), (i32::MIN, -0x80_0000), (-1, -1), (5, 5)] {
        let blocks = [ReportBlock { cumulative_lost: lost, ..BLOCK }];
        let report = Report { ssrc: 7, sender: None, blocks: &blocks, cname: "x", bye: false };
        let bytes = written(&report);
        let Some(Packet::ReceiverReport { mut blocks, .. }) =
            Compound::parse(&bytes).unwrap().next()
        else {
            panic!("a receiver's report was written");
        };
        assert_eq!(blocks.next().unwrap().cumulative_lost, read);
    }
}

#[test]
fn the_example_of_rfc_3550_figure_2_gives_its_round_trip() {
    // n, A, DLSR and LSR as printed there; the delay is 6.125 s.
    let block = ReportBlock {
        last_sender_report: 0xb705_2000,
        delay_since_last_sender_report: 0x0005_4000,
        ..BLOCK
    };
    assert_eq!(block.round_trip(0xb710_8000), Some(Duration::from_millis(6_125)));
    assert_eq!(block.round_trip(0xb705_2000), None);
    let unanswered = ReportBlock { last_sender_report: 0, ..block };
    assert_eq!(unanswered.round_trip(0xb710_8000), None);
}

#[test]
fn a_reporter_that_counts_in_milliseconds_is_next_door_and_not_unknown() {
    // It was asked 10 ms ago, and says that it has kept the question for 11.
    let block = ReportBlock {
        last_sender_report: 0x0001_0000,
        delay_since_last_sender_report: 65_536 * 11 / 1_000,
        ..BLOCK
    };
    assert_eq!(block.round_trip(0x0001_0000 + 65_536 * 10 / 1_000), Some(Duration::ZERO));
}

#[test]
fn unix_time_becomes_ntp_time() {
    assert_eq!(ntp(Duration::ZERO), 2_208_988_800 << 32);
    assert_eq!(ntp(Duration::from_millis(1_500)), (2_208_988_801 << 32) + (1 << 31));
    assert_eq!(ntp_middle(0x1111_2222_3333_4444), 0x2222_3333);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..128)) {
        if Compound::parse(&bytes).is_ok() {
            prop_assert!(!picture(&bytes).is_empty());
        }
    }

    #[test]
    fn mutated_compounds_are_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let blocks = [BLOCK, BLOCK];
        let report =
            Report { ssrc: 7, sender: Some(INFO), blocks: &blocks, cname: "a@convoke", bye: true };
        let mut bytes = written(&report);
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        if Compound::parse(&bytes).is_ok() {
            prop_assert!(!picture(&bytes).is_empty());
        }
    }
}
