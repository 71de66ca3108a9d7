//! RTCP that we send: a report, our name, and a goodbye in one compound.

use std::time::Duration;

use super::{
    BLOCK_BYTES, BYE, HEADER_BYTES, RECEIVER_REPORT, ReportBlock, SDES_CNAME, SENDER_INFO_BYTES,
    SENDER_REPORT, SOURCE_DESCRIPTION, SSRC_BYTES, SenderInfo,
};
use crate::limits::{CNAME_BYTES_MAX, RTCP_CLOCK_GRAIN, RTCP_REPORT_BLOCKS_MAX};

/// Seconds from 1900, where NTP begins, to 1970 (RFC 3550 section 4).
const NTP_UNIX_OFFSET_S: u64 = 2_208_988_800;

/// Why a report was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The buffer is too small.
    #[error("the report needs {needed} bytes")]
    BufferTooSmall {
        /// What it takes \[bytes\].
        needed: usize,
    },
    /// More blocks than one report can hold, [`RTCP_REPORT_BLOCKS_MAX`].
    #[error("more report blocks than {RTCP_REPORT_BLOCKS_MAX}")]
    TooManyBlocks,
    /// A longer name than an item can hold, [`CNAME_BYTES_MAX`].
    #[error("a CNAME longer than {CNAME_BYTES_MAX} bytes")]
    CnameTooLong,
}

/// One compound that we send: report, name and, at the end of a call, goodbye.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// Our stream.
    pub ssrc: u32,
    /// What we have sent. None when nothing was sent since the last report but one: then the
    /// report is a receiver's (RFC 3550 section 6.4).
    pub sender: Option<SenderInfo>,
    /// How we receive others, one for each source.
    pub blocks: &'a [ReportBlock],
    /// Our name, which stays when the SSRC changes (RFC 7022).
    pub cname: &'a str,
    /// Whether we leave.
    pub bye: bool,
}

impl Report<'_> {
    /// The length of the compound \[bytes\].
    #[must_use]
    pub fn length(&self) -> usize {
        self.report_length() + self.name_length() + if self.bye { BYE_LENGTH } else { 0 }
    }

    /// Writes the compound to the front of `out` and returns its length \[bytes\].
    ///
    /// # Errors
    /// [`WriteError`] when it does not fit the buffer or the protocol; nothing is written then.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, WriteError> {
        if self.blocks.len() > RTCP_REPORT_BLOCKS_MAX {
            return Err(WriteError::TooManyBlocks);
        }
        if self.cname.len() > CNAME_BYTES_MAX {
            return Err(WriteError::CnameTooLong);
        }
        let needed = self.length();
        let Some(out) = out.get_mut(..needed) else {
            return Err(WriteError::BufferTooSmall { needed });
        };
        let mut writer = Writer::new(out);
        self.write_report(&mut writer);
        self.write_name(&mut writer);
        if self.bye {
            writer.header(1, BYE, BYE_LENGTH);
            writer.u32(self.ssrc);
        }
        debug_assert!(writer.rest.is_empty(), "the length is the sum of what is written");
        Ok(needed)
    }

    fn report_length(&self) -> usize {
        let info = if self.sender.is_some() { SENDER_INFO_BYTES } else { 0 };
        HEADER_BYTES + SSRC_BYTES + info + self.blocks.len() * BLOCK_BYTES
    }

    /// Header, source, one item, at least one zero, up to a full word.
    fn name_length(&self) -> usize {
        (HEADER_BYTES + SSRC_BYTES + 2 + self.cname.len() + 1).next_multiple_of(4)
    }

    fn write_report(&self, writer: &mut Writer<'_>) {
        let packet_type = if self.sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
        writer.header(self.blocks.len(), packet_type, self.report_length());
        writer.u32(self.ssrc);
        if let Some(info) = self.sender {
            writer.bytes(&info.ntp_timestamp.to_be_bytes());
            writer.u32(info.rtp_timestamp);
            writer.u32(info.packet_count);
            writer.u32(info.octet_count);
        }
        for block in self.blocks {
            writer.u32(block.ssrc);
            // The count does not wrap, it stays at its bounds (RFC 3550 appendix A.3).
            let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff).cast_unsigned();
            writer.u32(u32::from(block.fraction_lost) << 24 | lost & 0xff_ffff);
            writer.u32(block.highest_sequence);
            writer.u32(block.jitter);
            writer.u32(block.last_sender_report);
            writer.u32(block.delay_since_last_sender_report);
        }
    }

    fn write_name(&self, writer: &mut Writer<'_>) {
        let length = self.name_length();
        writer.header(1, SOURCE_DESCRIPTION, length);
        writer.u32(self.ssrc);
        writer.bytes(&[SDES_CNAME, low_8(self.cname.len())]);
        writer.bytes(self.cname.as_bytes());
        let zeros = length - HEADER_BYTES - SSRC_BYTES - 2 - self.cname.len();
        writer.bytes(&[0; 4][..zeros]);
    }
}

const BYE_LENGTH: usize = HEADER_BYTES + SSRC_BYTES;

/// Fills a buffer whose length has been computed before.
pub(super) struct Writer<'a> {
    rest: &'a mut [u8],
}

impl<'a> Writer<'a> {
    pub(super) fn new(rest: &'a mut [u8]) -> Writer<'a> {
        Writer { rest }
    }

    pub(super) fn header(&mut self, count: usize, packet_type: u8, length: usize) {
        let words = u16::try_from(length / 4 - 1).expect("31 blocks make fewer than 200 words");
        self.bytes(&[2 << 6 | low_8(count), packet_type]);
        self.bytes(&words.to_be_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let (front, rest) = std::mem::take(&mut self.rest).split_at_mut(bytes.len());
        front.copy_from_slice(bytes);
        self.rest = rest;
    }
}

fn low_8(value: usize) -> u8 {
    u8::try_from(value).expect("counts and lengths were checked before the first byte was written")
}

/// Time since 1970 as an NTP timestamp: 32.32 fixed point since 1900 \[s\] (RFC 3550 section 4).
/// It wraps in 2036, as the protocol wants it.
#[must_use]
pub fn ntp(since_unix_epoch: Duration) -> u64 {
    let seconds = since_unix_epoch.as_secs().wrapping_add(NTP_UNIX_OFFSET_S);
    let fraction = (u64::from(since_unix_epoch.subsec_nanos()) << 32) / 1_000_000_000;
    seconds << 32 | fraction
}

/// The middle 32 bits of an NTP timestamp \[1/65536 s\], by which reports are matched.
#[must_use]
pub fn ntp_middle(ntp_timestamp: u64) -> u32 {
    (ntp_timestamp >> 16) as u32
}

impl ReportBlock {
    /// The time to the reporter and back, when its report arrives at `now`, an [`ntp_middle`]
    /// (RFC 3550 section 6.4.1, figure 2). None if it has seen no report of ours, or if its
    /// figures make less than nothing by more than the grain of its clock ([`RTCP_CLOCK_GRAIN`]):
    /// who counts in milliseconds tells us a delay that is longer than a loopback's whole way.
    #[must_use]
    pub fn round_trip(&self, now: u32) -> Option<Duration> {
        if self.last_sender_report == 0 {
            return None;
        }
        let elapsed = now
            .wrapping_sub(self.last_sender_report)
            .wrapping_sub(self.delay_since_last_sender_report)
            .cast_signed();
        if elapsed < -RTCP_CLOCK_GRAIN {
            return None;
        }
        let units = u64::from(elapsed.max(0).unsigned_abs());
        Some(Duration::from_nanos((units * 1_000_000_000) >> 16))
    }
}
