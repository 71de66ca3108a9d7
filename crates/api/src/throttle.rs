//! Who guesses tokens is not listened to for a while.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::household;
use tokio::time::Instant;

use crate::limits::{WRONG_TOKEN_SOURCES_MAX, WRONG_TOKENS_MAX, WRONG_TOKENS_PER};

/// Wrong tokens by source, of the last minute.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<BTreeMap<IpAddr, Wrong>>);

#[derive(Debug, Clone, Copy)]
struct Wrong {
    count: u32,
    since: Instant,
}

/// Whether a wrong token is worth a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// It is the first of its source for a while.
    First,
    /// It is one more.
    Known,
}

impl Throttle {
    /// Whether a token of this source is looked at; else after how long it will be.
    pub(crate) fn listens_to(&self, source: IpAddr) -> Result<(), Duration> {
        let sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match sources.get(&household(source)) {
            Some(wrong) if wrong.count >= WRONG_TOKENS_MAX => {
                match WRONG_TOKENS_PER.checked_sub(wrong.since.elapsed()) {
                    Some(rest) => Err(rest),
                    None => Ok(()),
                }
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Counts a wrong token.
    pub(crate) fn wrong(&self, source: IpAddr) -> News {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let source = household(source);
        if sources.len() >= WRONG_TOKEN_SOURCES_MAX && !sources.contains_key(&source) {
            sources.retain(|_, wrong| wrong.since.elapsed() < WRONG_TOKENS_PER);
            if sources.len() >= WRONG_TOKEN_SOURCES_MAX {
                sources.pop_first();
            }
        }
        let now = Instant::now();
        let wrong = sources.entry(source).or_insert(Wrong { count: 0, since: now });
        if wrong.since.elapsed() >= WRONG_TOKENS_PER {
            *wrong = Wrong { count: 0, since: now };
        }
        wrong.count += 1;
        if wrong.count == 1 { News::First } else { News::Known }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_guesses_is_not_listened_to_for_a_minute_and_nobody_else_is_hit() {
        let throttle = Throttle::default();
        let guesser: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::2".parse().unwrap();
        let honest: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(throttle.wrong(guesser), News::First);
        for _ in 1..WRONG_TOKENS_MAX {
            assert!(throttle.listens_to(guesser).is_ok());
            assert_eq!(throttle.wrong(guesser), News::Known);
        }
        assert!(throttle.listens_to(guesser).is_err());
        assert!(throttle.listens_to(neighbour).is_err());
        assert!(throttle.listens_to(honest).is_ok());
        tokio::time::advance(WRONG_TOKENS_PER + Duration::from_secs(1)).await;
        assert!(throttle.listens_to(guesser).is_ok());
        assert_eq!(throttle.wrong(guesser), News::First);
    }

    #[tokio::test(start_paused = true)]
    async fn sources_that_guess_cannot_fill_the_memory() {
        let throttle = Throttle::default();
        for n in 0..2 * WRONG_TOKEN_SOURCES_MAX as u32 {
            throttle.wrong(IpAddr::V4(n.into()));
        }
        assert_eq!(throttle.0.lock().unwrap().len(), WRONG_TOKEN_SOURCES_MAX);
    }
}
