//! The clocks of this machine \[ns\], and waiting for them.

use anyhow::Result;
use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

/// Nanoseconds in a millisecond.
pub(crate) const MS: u64 = 1_000_000;
/// Nanoseconds in a second.
pub(crate) const SECOND: u64 = 1_000 * MS;

/// Time that never steps, from an arbitrary origin: for pacing.
pub(crate) fn monotonic_ns() -> Result<u64> {
    Ok(nanoseconds(clock_gettime(ClockId::CLOCK_MONOTONIC)?))
}

/// Time since 1970: what the kernel stamps packets with.
pub(crate) fn realtime_ns() -> Result<u64> {
    Ok(nanoseconds(clock_gettime(ClockId::CLOCK_REALTIME)?))
}

/// Waits until [`monotonic_ns`] has reached a time.
pub(crate) fn sleep_until(at_ns: u64) -> Result<()> {
    let at = TimeSpec::new((at_ns / SECOND) as i64, (at_ns % SECOND) as i64);
    loop {
        match clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &at) {
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(()),
        }
    }
}

/// A time of the kernel in nanoseconds; none is before its clock's origin.
pub(crate) fn nanoseconds(time: TimeSpec) -> u64 {
    time.tv_sec() as u64 * SECOND + time.tv_nsec() as u64
}
