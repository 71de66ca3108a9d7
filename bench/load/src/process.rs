//! What a process costs, as `/proc` tells.

use std::fs;

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};

/// Clock ticks of `/proc/PID/stat` in a second (USER_HZ, proc(5)): 100 on every Linux that has a
/// stable interface to user space.
const TICKS_PER_SECOND: u64 = 100;

/// What a process has used so far, and has at this moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// User and system time of all threads, those that ended too \[ms\].
    pub(crate) cpu_ms: u64,
    /// Resident memory \[kB\].
    pub(crate) rss_kb: u64,
    /// Threads.
    pub(crate) threads: u64,
    /// Times that a thread which still runs gave up its core by itself.
    pub(crate) switches: u64,
}

/// Asks what a process has used.
///
/// # Errors
/// When there is no such process, or it belongs to somebody else.
pub(crate) fn usage(pid: u32) -> Result<Usage> {
    let read = |name: &str| {
        let path = format!("/proc/{pid}/{name}");
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    };
    let status = read("status")?;
    let cpu_ticks = cpu_ticks(&read("stat")?).context("cannot understand /proc/PID/stat")?;
    let mut switches = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end while we look.
        if let Ok(status) = fs::read_to_string(thread?.path().join("status")) {
            switches += field(&status, "voluntary_ctxt_switches").unwrap_or(0);
        }
    }
    Ok(Usage {
        cpu_ms: cpu_ticks * 1_000 / TICKS_PER_SECOND,
        rss_kb: field(&status, "VmRSS").unwrap_or(0),
        threads: field(&status, "Threads").unwrap_or(0),
        switches,
    })
}

/// User and system time of this process \[ms\].
pub(crate) fn own_cpu_ms() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let ms =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 * 1e3 + time.tv_usec() as f64 / 1e3;
    Ok(ms(usage.user_time()) + ms(usage.system_time()))
}

/// utime + stime, the 14th and 15th field. The second field, a name in parentheses, may hold
/// anything, so they are counted from its end.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let utime: u64 = fields.next()?.parse().ok()?;
    let stime: u64 = fields.next()?.parse().ok()?;
    Some(utime + stime)
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_parentheses() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 95 0 0 0 31 11 0 0 20 0 1 0 52 2 1 18";
        assert_eq!(cpu_ticks(stat), Some(42));
        assert_eq!(cpu_ticks("nonsense"), None);
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let status =
            "nonvoluntary_ctxt_switches:\t9\nvoluntary_ctxt_switches:\t5\nVmRSS:\t  12 kB\n";
        assert_eq!(field(status, "voluntary_ctxt_switches"), Some(5));
        assert_eq!(field(status, "VmRSS"), Some(12));
        assert_eq!(field(status, "Threads"), None);
    }

    #[test]
    fn this_process_has_memory_and_a_thread() {
        let usage = usage(std::process::id()).unwrap();
        assert!(usage.rss_kb > 0 && usage.threads > 0);
    }
}
