//! The wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Time of day [ms since the Unix epoch]; 0 on a machine whose clock stands before that.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
