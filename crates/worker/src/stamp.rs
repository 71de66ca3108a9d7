//! The kernel's time stamps of datagrams.
#![expect(unsafe_code, reason = "the kernel writes structures into bytes")]

use std::mem::size_of;

use crate::limits::STAMP_AGE_US_MAX;

/// Room for a stamp: its header and the time.
pub(crate) const CONTROL_BYTES: usize = size_of::<libc::cmsghdr>() + size_of::<libc::timespec>();

/// How long ago the kernel took a datagram in \[µs\], by what it wrote beside it; zero if it did
/// not say, or nothing that can be believed.
pub(crate) fn age_us(control: &[u8], wall_ns: u64) -> u64 {
    let age_us = stamp_ns(control).map(|stamp_ns| wall_ns.saturating_sub(stamp_ns) / 1_000);
    age_us.filter(|age_us| *age_us <= STAMP_AGE_US_MAX).unwrap_or(0)
}

/// When the kernel took a datagram in \[ns of the wall clock\].
fn stamp_ns(control: &[u8]) -> Option<u64> {
    let bytes = control.get(..CONTROL_BYTES)?;
    // SAFETY: the bytes are as long as the header and then the time, which are plain integers; they
    // are read without regard to alignment.
    let (header, time) = unsafe {
        let header = bytes.as_ptr().cast::<libc::cmsghdr>().read_unaligned();
        let time = bytes[size_of::<libc::cmsghdr>()..].as_ptr();
        (header, time.cast::<libc::timespec>().read_unaligned())
    };
    let is_stamp =
        header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_TIMESTAMPNS;
    let seconds = u64::try_from(time.tv_sec).ok().filter(|_| is_stamp)?;
    Some(seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(level: i32, seconds: i64, nanoseconds: i64) -> Vec<u8> {
        let mut bytes = (CONTROL_BYTES as u64).to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(libc::SCM_TIMESTAMPNS.to_ne_bytes());
        bytes.extend(seconds.to_ne_bytes());
        bytes.extend(nanoseconds.to_ne_bytes());
        bytes
    }

    #[test]
    fn an_age_is_told_only_by_a_stamp_that_can_be_believed() {
        let stamped = control(libc::SOL_SOCKET, 10, 500);
        assert_eq!(age_us(&stamped, 10_000_007_500), 7);
        assert_eq!(age_us(&stamped, 9_000_000_000), 0, "from the future");
        assert_eq!(age_us(&stamped, 12_000_000_000), 0, "from before the clock was set");
        assert_eq!(age_us(&stamped[..CONTROL_BYTES - 1], 10_000_007_500), 0, "cut");
        assert_eq!(age_us(&[], 10_000_007_500), 0);
        let foreign = control(libc::IPPROTO_IP, 10, 500);
        assert_eq!(age_us(&foreign, 10_000_007_500), 0);
    }
}
