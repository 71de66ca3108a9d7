//! Extended reports (RFC 3611): how a receiver heard a call, and round trips for those who only
//! receive.

use super::report::Writer;
use super::{HEADER_BYTES, RtcpError, SSRC_BYTES, WriteError};

/// The packet type (RFC 3611 section 2).
pub(super) const EXTENDED_REPORT: u8 = 207;

const RECEIVER_TIME: u8 = 4;
const SINCE_RECEIVER_TIME: u8 = 5;
const VOIP_METRICS: u8 = 7;

/// The header of a block: its type, a byte of its own, and its length less one \[words\].
const BLOCK_HEADER_BYTES: usize = 4;
const VOIP_METRICS_BYTES: usize = 32;
const SINCE_BYTES: usize = 12;

/// The figure for what is not known (RFC 3611 section 4.7).
const UNKNOWN: u8 = 127;

/// How a call is heard (RFC 3611 section 4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoipMetrics {
    /// The source that is judged.
    pub ssrc: u32,
    /// Packets that never came, of all since the beginning \[1/256\].
    pub loss_rate: u8,
    /// Packets that came too late to be played \[1/256\].
    pub discard_rate: u8,
    /// Loss within bursts \[1/256\].
    pub burst_density: u8,
    /// Loss between bursts \[1/256\].
    pub gap_density: u8,
    /// Mean length of a burst \[ms\].
    pub burst_duration_ms: u16,
    /// Mean length of what is between bursts \[ms\].
    pub gap_duration_ms: u16,
    /// The last round trip by RTCP; 0 if none is known \[ms\].
    pub round_trip_ms: u16,
    /// What the receiver adds itself \[ms\].
    pub end_system_delay_ms: u16,
    /// Packets that must come between two losses for them not to be one burst.
    pub gap_packets_min: u8,
    /// The rating factor of ITU-T G.107, delay included.
    pub r_factor: Option<u8>,
    /// Mean opinion score of listening, 10 to 50 \[1/10\].
    pub mos_listening: Option<u8>,
    /// Mean opinion score of talking with each other, 10 to 50 \[1/10\].
    pub mos_conversation: Option<u8>,
    /// The jitter buffer's delay as it is \[ms\].
    pub buffer_nominal_ms: u16,
    /// The longest that it may become \[ms\].
    pub buffer_max_ms: u16,
}

/// One block of an extended report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtendedBlock {
    /// How a call is heard.
    VoipMetrics(VoipMetrics),
    /// When the reporter sent this, as an NTP timestamp (section 4.4).
    ReceiverTime(u64),
    /// A receiver's time that we told came back (section 4.5).
    SinceReceiverTime {
        /// Whose time it was.
        ssrc: u32,
        /// The middle of that time.
        last_receiver_report: u32,
        /// How long ago it came \[1/65536 s\].
        delay: u32,
    },
    /// One that we do not read.
    Other,
}

/// The blocks of one extended report, in their order.
#[derive(Debug, Clone)]
pub struct ExtendedBlocks<'a>(&'a [u8]);

impl<'a> ExtendedBlocks<'a> {
    /// Checks that the blocks fill what is behind the reporter's SSRC.
    pub(super) fn parse(body: &'a [u8]) -> Result<(u32, Self), RtcpError> {
        let (ssrc, blocks) = body.split_first_chunk::<SSRC_BYTES>().ok_or(RtcpError::Truncated)?;
        let mut rest = blocks;
        while !rest.is_empty() {
            (_, rest) = split_block(rest).ok_or(RtcpError::Truncated)?;
        }
        Ok((u32::from_be_bytes(*ssrc), Self(blocks)))
    }
}

impl Iterator for ExtendedBlocks<'_> {
    type Item = ExtendedBlock;

    fn next(&mut self) -> Option<ExtendedBlock> {
        let (block, rest) = split_block(self.0)?;
        self.0 = rest;
        Some(block)
    }
}

/// Reads the first block, and what follows it. One with fewer bytes than its kind has is of no
/// kind that we read.
fn split_block(bytes: &[u8]) -> Option<(ExtendedBlock, &[u8])> {
    let (&[kind, _, high, low], _) = bytes.split_first_chunk::<BLOCK_HEADER_BYTES>()?;
    let length = BLOCK_HEADER_BYTES + 4 * usize::from(u16::from_be_bytes([high, low]));
    let (block, rest) = bytes.split_at_checked(length)?;
    let body = &block[BLOCK_HEADER_BYTES..];
    let read = match kind {
        VOIP_METRICS => body.first_chunk().map(voip_metrics),
        RECEIVER_TIME => {
            body.first_chunk().map(|time| ExtendedBlock::ReceiverTime(u64::from_be_bytes(*time)))
        }
        SINCE_RECEIVER_TIME => body.first_chunk().map(since_receiver_time),
        _ => None,
    };
    Some((read.unwrap_or(ExtendedBlock::Other), rest))
}

fn since_receiver_time(body: &[u8; SINCE_BYTES]) -> ExtendedBlock {
    let word = |at: usize| u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
    ExtendedBlock::SinceReceiverTime {
        ssrc: word(0),
        last_receiver_report: word(4),
        delay: word(8),
    }
}

fn voip_metrics(body: &[u8; VOIP_METRICS_BYTES]) -> ExtendedBlock {
    let half = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
    let known = |figure: u8| (figure != UNKNOWN).then_some(figure);
    ExtendedBlock::VoipMetrics(VoipMetrics {
        ssrc: u32::from_be_bytes([body[0], body[1], body[2], body[3]]),
        loss_rate: body[4],
        discard_rate: body[5],
        burst_density: body[6],
        gap_density: body[7],
        burst_duration_ms: half(8),
        gap_duration_ms: half(10),
        round_trip_ms: half(12),
        end_system_delay_ms: half(14),
        // Signal, noise and echo (16 to 18) are the telephone's to know.
        gap_packets_min: body[19],
        r_factor: known(body[20]),
        // The rating of an outer network (21) is nobody's business here.
        mos_listening: known(body[22]),
        mos_conversation: known(body[23]),
        // How it conceals (24) is not asked.
        buffer_nominal_ms: half(26),
        buffer_max_ms: half(28),
    })
}

/// What the receiver's configuration says of us: the standard's concealment, a buffer that adapts
/// (RFC 3611 section 4.7.6).
const CONFIGURATION: u8 = 0b1111_0000;

/// An extended report that we send, behind a [`super::Report`] in the same datagram.
#[derive(Debug, Clone, Copy)]
pub struct ExtendedReport {
    /// Our stream.
    pub ssrc: u32,
    /// How we hear the far end.
    pub metrics: Option<VoipMetrics>,
    /// The far end's [`ExtendedBlock::ReceiverTime`] comes back: whose it is, its middle, and how
    /// long ago it came \[1/65536 s\].
    pub since_receiver_time: Option<(u32, u32, u32)>,
}

impl ExtendedReport {
    /// The length of the packet \[bytes\].
    #[must_use]
    pub fn length(&self) -> usize {
        let block = |there: bool, bytes| if there { BLOCK_HEADER_BYTES + bytes } else { 0 };
        HEADER_BYTES
            + SSRC_BYTES
            + block(self.metrics.is_some(), VOIP_METRICS_BYTES)
            + block(self.since_receiver_time.is_some(), SINCE_BYTES)
    }

    /// Writes the packet to the front of `out` and returns its length \[bytes\].
    ///
    /// # Errors
    /// [`WriteError::BufferTooSmall`]; nothing is written then.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, WriteError> {
        let needed = self.length();
        let out = out.get_mut(..needed).ok_or(WriteError::BufferTooSmall { needed })?;
        let mut writer = Writer::new(out);
        writer.header(0, EXTENDED_REPORT, needed);
        writer.u32(self.ssrc);
        if let Some((ssrc, middle, delay)) = self.since_receiver_time {
            writer.bytes(&[SINCE_RECEIVER_TIME, 0, 0, (SINCE_BYTES / 4) as u8]);
            [ssrc, middle, delay].into_iter().for_each(|word| writer.u32(word));
        }
        if let Some(metrics) = &self.metrics {
            writer.bytes(&[VOIP_METRICS, 0, 0, (VOIP_METRICS_BYTES / 4) as u8]);
            write_metrics(metrics, &mut writer);
        }
        Ok(needed)
    }
}

fn write_metrics(metrics: &VoipMetrics, writer: &mut Writer<'_>) {
    let VoipMetrics { loss_rate, discard_rate, burst_density, gap_density, .. } = *metrics;
    writer.u32(metrics.ssrc);
    writer.bytes(&[loss_rate, discard_rate, burst_density, gap_density]);
    for half in [
        metrics.burst_duration_ms,
        metrics.gap_duration_ms,
        metrics.round_trip_ms,
        metrics.end_system_delay_ms,
    ] {
        writer.bytes(&half.to_be_bytes());
    }
    let known = |figure: Option<u8>| figure.unwrap_or(UNKNOWN);
    writer.bytes(&[UNKNOWN, UNKNOWN, UNKNOWN, metrics.gap_packets_min]);
    writer.bytes(&[known(metrics.r_factor), UNKNOWN]);
    writer.bytes(&[known(metrics.mos_listening), known(metrics.mos_conversation)]);
    writer.bytes(&[CONFIGURATION, 0]);
    for half in [metrics.buffer_nominal_ms, metrics.buffer_max_ms, metrics.buffer_max_ms] {
        writer.bytes(&half.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Compound, Packet};
    use super::*;
    use proptest::prelude::*;

    const METRICS: VoipMetrics = VoipMetrics {
        ssrc: 0xaaaa_bbbb,
        loss_rate: 13,
        discard_rate: 2,
        burst_density: 100,
        gap_density: 1,
        burst_duration_ms: 120,
        gap_duration_ms: 4_000,
        round_trip_ms: 35,
        end_system_delay_ms: 44,
        gap_packets_min: 16,
        r_factor: Some(88),
        mos_listening: Some(42),
        mos_conversation: None,
        buffer_nominal_ms: 24,
        buffer_max_ms: 200,
    };

    fn blocks(bytes: &[u8]) -> Vec<ExtendedBlock> {
        match Compound::parse(bytes).unwrap().next() {
            Some(Packet::Extended { ssrc: 7, blocks }) => blocks.collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_extended_report_is_read_back_as_written() {
        let report = ExtendedReport {
            ssrc: 7,
            metrics: Some(METRICS),
            since_receiver_time: Some((9, 0x1234_5678, 65_536)),
        };
        let mut bytes = [0; 100];
        let length = report.write(&mut bytes).unwrap();
        assert_eq!(length, 8 + 16 + 36);
        let since = ExtendedBlock::SinceReceiverTime {
            ssrc: 9,
            last_receiver_report: 0x1234_5678,
            delay: 65_536,
        };
        assert_eq!(blocks(&bytes[..length]), [since, ExtendedBlock::VoipMetrics(METRICS)]);
        let short = report.write(&mut bytes[..length - 1]);
        assert_eq!(short, Err(WriteError::BufferTooSmall { needed: length }));
    }

    #[test]
    fn a_block_stands_on_the_wire_as_rfc_3611_draws_it() {
        let report = ExtendedReport { ssrc: 7, metrics: Some(METRICS), since_receiver_time: None };
        let mut bytes = [0; 44];
        report.write(&mut bytes).unwrap();
        let drawn = [
            [0x80, 207, 0, 10],
            [0, 0, 0, 7],
            [7, 0, 0, 8],
            [0xaa, 0xaa, 0xbb, 0xbb],
            [13, 2, 100, 1],
            [0, 120, 0x0f, 0xa0],
            [0, 35, 0, 44],
            [127, 127, 127, 16],
            [88, 127, 42, 127],
            [0xf0, 0, 0, 24],
            [0, 200, 0, 200],
        ];
        assert_eq!(bytes.as_slice(), drawn.concat());
    }

    #[test]
    fn a_time_is_read_and_what_is_unknown_or_cut_is_passed_over() {
        let report = |blocks: &[u8]| {
            let words = (SSRC_BYTES + blocks.len()) / 4;
            [&[0x80, 207, 0, words as u8, 0, 0, 0, 7], blocks].concat()
        };
        let time = [4, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        let strange = [99, 0, 0, 1, 1, 2, 3, 4];
        let cut = [7, 0, 0, 1, 1, 2, 3, 4];
        let found = blocks(&report(&[&strange[..], &cut, &time].concat()));
        let time = ExtendedBlock::ReceiverTime(1 << 32 | 2);
        assert_eq!(found, [ExtendedBlock::Other, ExtendedBlock::Other, time]);
        let lies = report(&[7, 0, 0, 9, 1, 2, 3, 4]);
        assert_eq!(Compound::parse(&lies).err(), Some(RtcpError::Truncated));
    }

    proptest! {
        #[test]
        fn whatever_the_blocks_say_reading_ends_and_nothing_breaks(
            words in prop::collection::vec(any::<u32>(), 0..60), kind in 0_u8..9,
        ) {
            let mut body: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            if let Some(first) = body.get_mut(4) {
                *first = kind;
            }
            let length = words.len() as u16;
            let mut bytes = vec![0x80, EXTENDED_REPORT];
            bytes.extend(length.to_be_bytes());
            bytes.extend(body);
            for packet in Compound::parse(&bytes).into_iter().flatten() {
                if let Packet::Extended { blocks, .. } = packet {
                    prop_assert!(blocks.count() <= words.len());
                }
            }
        }
    }
}
