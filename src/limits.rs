//! Every bound of the program itself, with its reason.

use std::time::Duration;

/// Bytes of the log that wait to be written, and as many again that are just being written: some
/// 10,000 lines, more than an overload logs in a second. A reader that hangs for longer misses
/// lines, and nobody waits for it.
pub const LOG_WAITING_BYTES_MAX: usize = 2 * 1024 * 1024;

/// How long emergency calls may go on when the time for all others is over at the end: few are
/// longer than some minutes. Who cannot wait asks the program to end once more.
pub const EMERGENCY_CALLS_END_WITHIN: Duration = Duration::from_secs(600);

/// Longest time for the last lines at the end: a reader that takes none for so long hangs, and
/// supervisors wait for the program only so long before they kill it.
pub const LOG_FLUSHED_WITHIN: Duration = Duration::from_secs(2);
