//! RTCP (RFC 3550 section 6): reports of quality, names and goodbyes.
//!
//! [`Compound::parse`] reads a datagram without copying; [`Report::write`] fills a caller's buffer.

mod extended;
mod report;

use rtcp_types::RtcpPacketParser;

pub use extended::{ExtendedBlock, ExtendedBlocks, ExtendedReport, VoipMetrics};
pub use report::{Report, WriteError, ntp, ntp_middle};

use crate::limits::RTCP_PACKETS_MAX;

const HEADER_BYTES: usize = 4;
const SSRC_BYTES: usize = 4;
const SENDER_INFO_BYTES: usize = 20;
const BLOCK_BYTES: usize = 24;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;

const SDES_END: u8 = 0;
const SDES_CNAME: u8 = 1;

/// Why bytes are no RTCP compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RtcpError {
    /// A packet ends before its fields do, or the datagram before its packets.
    #[error("an RTCP packet is cut short")]
    Truncated,
    /// Not version 2.
    #[error("RTCP version {0} instead of 2")]
    Version(u8),
    /// Padding of no length, longer than its packet, or before the last packet.
    #[error("an RTCP packet's padding is wrong")]
    Padding,
    /// More than [`RTCP_PACKETS_MAX`].
    #[error("more RTCP packets in a datagram than {RTCP_PACKETS_MAX}")]
    TooManyPackets,
}

/// One packet of a compound.
#[derive(Debug, Clone)]
pub enum Packet<'a> {
    /// A report by someone who sends (RFC 3550 section 6.4.1).
    SenderReport {
        /// Who reports.
        ssrc: u32,
        /// What they have sent.
        info: SenderInfo,
        /// How they receive others.
        blocks: Blocks<'a>,
    },
    /// A report by someone who only receives (RFC 3550 section 6.4.2).
    ReceiverReport {
        /// Who reports.
        ssrc: u32,
        /// How they receive others.
        blocks: Blocks<'a>,
    },
    /// Names of sources (RFC 3550 section 6.5).
    SourceDescription(Names<'a>),
    /// Sources that leave (RFC 3550 section 6.6).
    Bye(Sources<'a>),
    /// What RFC 3611 adds: how a call is heard, and round trips.
    Extended {
        /// Who reports.
        ssrc: u32,
        /// What it tells.
        blocks: ExtendedBlocks<'a>,
    },
    /// A type that we do not read: feedback, application-defined.
    Other {
        /// Its number in the registry of RTCP packet types.
        packet_type: u8,
    },
}

/// What a sender says of its own stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// When the report was sent, in 32.32 fixed point since 1900 \[s\]. See [`ntp`].
    pub ntp_timestamp: u64,
    /// The same instant on the stream's clock \[ticks of the payload's clock\].
    pub rtp_timestamp: u32,
    /// Packets sent so far.
    pub packet_count: u32,
    /// Payload sent so far \[bytes\].
    pub octet_count: u32,
}

/// How one source is received (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source that is judged.
    pub ssrc: u32,
    /// Loss since the last report \[1/256\].
    pub fraction_lost: u8,
    /// Packets lost so far, in 24 bits on the wire; negative when duplicates outnumber losses.
    pub cumulative_lost: i32,
    /// Highest sequence received, with the count of cycles in the upper half.
    pub highest_sequence: u32,
    /// Interarrival jitter \[ticks of the payload's clock\].
    pub jitter: u32,
    /// The middle of the last sender report's NTP time, or 0 if there was none. See [`ntp_middle`].
    pub last_sender_report: u32,
    /// How long ago that report came \[1/65536 s\].
    pub delay_since_last_sender_report: u32,
}

/// A datagram of RTCP that has been checked as a whole: an iterator over its packets.
///
/// A compound that does not begin with a report is accepted (reduced size, RFC 5506).
#[derive(Debug, Clone)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Reads a datagram without copying. One wrong packet refuses all of them.
    ///
    /// # Errors
    /// [`RtcpError`] when the bytes contradict RFC 3550 section 6, or are more than we read.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RtcpError> {
        let mut rest = bytes;
        for _ in 0..RTCP_PACKETS_MAX {
            let (_, after) = split_packet(rest)?;
            if after.is_empty() {
                return Ok(Self { rest: bytes });
            }
            rest = after;
        }
        Err(RtcpError::TooManyPackets)
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        // `parse` has read every packet once, so an error here only means the end.
        let (packet, rest) = split_packet(self.rest).ok()?;
        self.rest = rest;
        Some(packet)
    }
}

/// Reads the first packet and returns what follows it.
fn split_packet(bytes: &[u8]) -> Result<(Packet<'_>, &[u8]), RtcpError> {
    let &[first, packet_type, length_high, length_low, ..] = bytes else {
        return Err(RtcpError::Truncated);
    };
    if first >> 6 != 2 {
        return Err(RtcpError::Version(first >> 6));
    }
    let length = HEADER_BYTES + 4 * usize::from(u16::from_be_bytes([length_high, length_low]));
    let (packet, rest) = bytes.split_at_checked(length).ok_or(RtcpError::Truncated)?;
    let padding = if first & 0x20 == 0 { 0 } else { usize::from(packet[length - 1]) };
    // Only the last packet may be padded (RFC 3550 section 6.4.1).
    if first & 0x20 != 0 && (padding == 0 || padding > length - HEADER_BYTES || !rest.is_empty()) {
        return Err(RtcpError::Padding);
    }
    let count = usize::from(first & 0x1f);
    let body = &packet[HEADER_BYTES..length - padding];
    let packet = match packet_type {
        SENDER_REPORT => sender_report(packet)?,
        RECEIVER_REPORT => receiver_report(packet)?,
        SOURCE_DESCRIPTION => Packet::SourceDescription(Names::parse(body, count)?),
        BYE => {
            let sources = body.get(..count * SSRC_BYTES).ok_or(RtcpError::Truncated)?;
            Packet::Bye(Sources(sources))
        }
        extended::EXTENDED_REPORT => {
            let (ssrc, blocks) = ExtendedBlocks::parse(body)?;
            Packet::Extended { ssrc, blocks }
        }
        packet_type => Packet::Other { packet_type },
    };
    Ok((packet, rest))
}

fn sender_report(packet: &[u8]) -> Result<Packet<'_>, RtcpError> {
    let report = rtcp_types::SenderReport::parse(packet).map_err(|_| RtcpError::Truncated)?;
    let info = SenderInfo {
        ntp_timestamp: report.ntp_timestamp(),
        rtp_timestamp: report.rtp_timestamp(),
        packet_count: report.packet_count(),
        octet_count: report.octet_count(),
    };
    let blocks =
        Blocks::after(packet, HEADER_BYTES + SSRC_BYTES + SENDER_INFO_BYTES, report.n_reports());
    Ok(Packet::SenderReport { ssrc: report.ssrc(), info, blocks })
}

fn receiver_report(packet: &[u8]) -> Result<Packet<'_>, RtcpError> {
    let report = rtcp_types::ReceiverReport::parse(packet).map_err(|_| RtcpError::Truncated)?;
    let blocks = Blocks::after(packet, HEADER_BYTES + SSRC_BYTES, report.n_reports());
    Ok(Packet::ReceiverReport { ssrc: report.ssrc(), blocks })
}

/// The report blocks of one report, in their order.
#[derive(Debug, Clone)]
pub struct Blocks<'a>(&'a [u8]);

impl<'a> Blocks<'a> {
    /// The packet was checked to hold `count` blocks.
    fn after(packet: &'a [u8], start: usize, count: u8) -> Self {
        Self(&packet[start..start + usize::from(count) * BLOCK_BYTES])
    }
}

impl Iterator for Blocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.0.split_at_checked(BLOCK_BYTES)?;
        let block = rtcp_types::ReportBlock::parse(block).ok()?;
        self.0 = rest;
        Some(ReportBlock {
            ssrc: block.ssrc(),
            fraction_lost: block.fraction_lost(),
            // 24 bits with a sign: moved to the top and back.
            cumulative_lost: (block.cumulative_lost() << 8).cast_signed() >> 8,
            highest_sequence: block.extended_sequence_number(),
            jitter: block.interarrival_jitter(),
            last_sender_report: block.last_sender_report_timestamp(),
            delay_since_last_sender_report: block.delay_since_last_sender_report_timestamp(),
        })
    }
}

/// The sources of a goodbye.
#[derive(Debug, Clone)]
pub struct Sources<'a>(&'a [u8]);

impl Iterator for Sources<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (ssrc, rest) = self.0.split_first_chunk::<SSRC_BYTES>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*ssrc))
    }
}

/// One source and its canonical name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a> {
    /// The source.
    pub ssrc: u32,
    /// Its CNAME, if the chunk has one: UTF-8 by RFC 3550, any bytes in fact.
    pub cname: Option<&'a [u8]>,
}

/// The chunks of a source description. Only their CNAME is kept: nothing here wants to know
/// telephone numbers and e-mail addresses of people.
#[derive(Debug, Clone)]
pub struct Names<'a> {
    rest: &'a [u8],
    count: usize,
}

impl<'a> Names<'a> {
    fn parse(body: &'a [u8], count: usize) -> Result<Self, RtcpError> {
        let mut rest = body;
        for _ in 0..count {
            (_, rest) = split_chunk(rest).ok_or(RtcpError::Truncated)?;
        }
        Ok(Self { rest: body, count })
    }
}

impl<'a> Iterator for Names<'a> {
    type Item = Name<'a>;

    fn next(&mut self) -> Option<Name<'a>> {
        self.count = self.count.checked_sub(1)?;
        let (name, rest) = split_chunk(self.rest)?;
        self.rest = rest;
        Some(name)
    }
}

/// Reads one chunk: a source, its items, and zeros up to a multiple of four bytes.
fn split_chunk(bytes: &[u8]) -> Option<(Name<'_>, &[u8])> {
    let (ssrc, mut rest) = bytes.split_first_chunk::<SSRC_BYTES>()?;
    let mut name = Name { ssrc: u32::from_be_bytes(*ssrc), cname: None };
    while *rest.first()? != SDES_END {
        let (&[kind, length], after) = rest.split_first_chunk::<2>()?;
        let (value, after) = after.split_at_checked(usize::from(length))?;
        if kind == SDES_CNAME {
            name.cname = Some(value);
        }
        rest = after;
    }
    // At least one zero ends the items, and more fill the word.
    let zeros = 4 - (bytes.len() - rest.len()) % 4;
    Some((name, rest.get(zeros..)?))
}

#[cfg(test)]
mod tests;
