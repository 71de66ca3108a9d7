//! The one clock of media: the kernel's monotonic one, counted from the workers' start.
#![expect(unsafe_code, reason = "clocks and scheduling are system calls")]

use crate::limits::REALTIME_PRIORITY;

const NS_PER_S: u64 = 1_000_000_000;

/// Times since the workers' start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin_ns: u64,
}

impl Clock {
    /// A clock that shows zero.
    pub(crate) fn start() -> Clock {
        Clock { origin_ns: read_ns(libc::CLOCK_MONOTONIC) }
    }

    /// The time \[µs\].
    pub(crate) fn now_us(self) -> u64 {
        read_ns(libc::CLOCK_MONOTONIC).saturating_sub(self.origin_ns) / 1_000
    }

    /// Sleeps until a time \[µs\]; not at all if it has passed.
    pub(crate) fn sleep_until_us(self, time_us: u64) {
        let at_ns = self.origin_ns + time_us * 1_000;
        let at = libc::timespec {
            tv_sec: (at_ns / NS_PER_S) as libc::time_t,
            tv_nsec: (at_ns % NS_PER_S) as libc::c_long,
        };
        loop {
            // SAFETY: `at` lives through the call, and with an absolute time nothing is written.
            let result = unsafe {
                libc::clock_nanosleep(
                    libc::CLOCK_MONOTONIC,
                    libc::TIMER_ABSTIME,
                    &raw const at,
                    std::ptr::null_mut(),
                )
            };
            if result != libc::EINTR {
                return;
            }
        }
    }

    /// Sleeps for a while \[ms\].
    pub(crate) fn sleep_ms(self, ms: u64) {
        self.sleep_until_us(self.now_us() + ms * 1_000);
    }
}

/// What the wall clock, by which the kernel stamps datagrams, shows \[ns\].
pub(crate) fn wall_ns() -> u64 {
    read_ns(libc::CLOCK_REALTIME)
}

fn read_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is ours to write. The call cannot fail for the clocks that every Linux has.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec.cast_unsigned() * NS_PER_S + time.tv_nsec.cast_unsigned()
}

/// Asks for the calling thread to run before all that is not real-time. False if it may not.
pub(crate) fn ask_realtime() -> bool {
    let parameters = libc::sched_param { sched_priority: REALTIME_PRIORITY };
    // SAFETY: `parameters` lives through the call; zero is the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) == 0 }
}

/// Raises the number of descriptors that the process may hold: to `wanted` where that is allowed,
/// else as far as the hard limit. Returns what it is.
pub(crate) fn raise_descriptors(wanted: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is ours to write.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return 0;
    }
    let tries = [wanted.max(limit.rlim_max), limit.rlim_max];
    for rlim_max in tries {
        let raised = libc::rlimit { rlim_cur: rlim_max, rlim_max };
        // SAFETY: `raised` lives through the call.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) } == 0 {
            return rlim_max;
        }
    }
    limit.rlim_cur
}
