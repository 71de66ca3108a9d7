//! How long a call outlives a phone that is gone.

use serde::Deserialize;
use sip::limits::{SESSION_INTERVAL_S, SESSION_INTERVAL_S_MAX, SESSION_INTERVAL_S_MIN};

/// The session interval that is asked for (RFC 4028) \[s\].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct SessionInterval(u32);

/// A number of seconds that is no session interval.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("a session interval is {SESSION_INTERVAL_S_MIN} to {SESSION_INTERVAL_S_MAX} seconds")]
pub struct BadSessionInterval;

impl SessionInterval {
    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> u32 {
        self.0
    }
}

impl Default for SessionInterval {
    fn default() -> SessionInterval {
        SessionInterval(SESSION_INTERVAL_S)
    }
}

impl TryFrom<u32> for SessionInterval {
    type Error = BadSessionInterval;

    fn try_from(seconds: u32) -> Result<SessionInterval, BadSessionInterval> {
        let bounds = SESSION_INTERVAL_S_MIN..=SESSION_INTERVAL_S_MAX;
        bounds.contains(&seconds).then_some(SessionInterval(seconds)).ok_or(BadSessionInterval)
    }
}
