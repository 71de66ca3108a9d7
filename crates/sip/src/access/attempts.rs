//! Who guesses passwords: wrong ones, counted by source and by account.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use super::rates::household;
use crate::limits::{
    GUESS_WINDOW, GUESSED_NAME_LENGTH_MAX, GUESSERS_KNOWN_MAX, GUESSES_PER_ACCOUNT_MAX,
    GUESSES_PER_SOURCE_MAX,
};

/// Counts wrong passwords. Two spans of [`GUESS_WINDOW`] are kept, the one that runs and the one
/// before: what is older is forgotten as a whole, without looking at it.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// When the span that runs began.
    began: Option<Instant>,
    running: Wrong,
    before: Wrong,
}

#[derive(Debug, Default)]
struct Wrong {
    /// By what counts as one source.
    by_source: BTreeMap<[u8; 8], u32>,
    /// By as much of the name as tells accounts apart.
    by_account: BTreeMap<String, u32>,
}

/// As much of an account's name as it is counted by.
fn counted(account: &str) -> &str {
    let end = account.char_indices().nth(GUESSED_NAME_LENGTH_MAX).map(|(at, _)| at);
    &account[..end.unwrap_or(account.len())]
}

impl Attempts {
    /// Whether that source, or who asks for that account, has to wait. A source that has shown the
    /// account's password lately (`known`) is not kept out by what others try on it.
    pub(crate) fn throttles(
        &mut self,
        now: Instant,
        source: IpAddr,
        account: &str,
        known: bool,
    ) -> bool {
        self.turn(now);
        let (source, account) = (household(source), counted(account));
        let spans = [&self.running, &self.before];
        let by_source: u32 = spans.iter().filter_map(|wrong| wrong.by_source.get(&source)).sum();
        let by_account: u32 = spans.iter().filter_map(|wrong| wrong.by_account.get(account)).sum();
        // When no more can be counted, nobody may guess.
        let full = self.running.by_source.len() >= GUESSERS_KNOWN_MAX
            || self.running.by_account.len() >= GUESSERS_KNOWN_MAX;
        by_source >= GUESSES_PER_SOURCE_MAX
            || !known && (by_account >= GUESSES_PER_ACCOUNT_MAX || full)
    }

    /// Counts a wrong password; true if it is the first of that source for a while.
    pub(crate) fn note(&mut self, now: Instant, source: IpAddr, account: &str) -> bool {
        self.turn(now);
        let (source, account) = (household(source), counted(account));
        let first = !self.before.by_source.contains_key(&source)
            && !self.running.by_source.contains_key(&source);
        if self.running.by_source.len() < GUESSERS_KNOWN_MAX {
            *self.running.by_source.entry(source).or_default() += 1;
        }
        if self.running.by_account.len() < GUESSERS_KNOWN_MAX {
            *self.running.by_account.entry(account.to_owned()).or_default() += 1;
        }
        first
    }

    fn turn(&mut self, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let since = now.saturating_duration_since(began);
        if since < GUESS_WINDOW {
            return;
        }
        let running = std::mem::take(&mut self.running);
        self.before = if since < 2 * GUESS_WINDOW { running } else { Wrong::default() };
        self.began = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn one_source_that_guesses_keeps_itself_out_and_nobody_else() {
        let (mut attempts, start) = (Attempts::default(), start());
        let mut evaluated = 0;
        for _ in 0..300 {
            if !attempts.throttles(start, HERE, "alice", false) {
                assert_eq!(attempts.note(start, HERE, "alice"), evaluated == 0);
                evaluated += 1;
            }
        }
        assert_eq!(evaluated, GUESSES_PER_SOURCE_MAX);
        assert!(attempts.throttles(start, HERE, "bob", false));
        assert!(!attempts.throttles(start, THERE, "alice", false));
        let later = start + 2 * GUESS_WINDOW;
        assert!(!attempts.throttles(later, HERE, "alice", false));
    }

    #[test]
    fn many_sources_guess_at_one_account_no_faster_than_one() {
        let (mut attempts, start) = (Attempts::default(), start());
        let mut evaluated = 0;
        for host in 0..=255 {
            let source = IpAddr::from([198, 51, 100, host]);
            if !attempts.throttles(start, source, "alice", false) {
                attempts.note(start, source, "alice");
                evaluated += 1;
            }
        }
        assert_eq!(evaluated, GUESSES_PER_ACCOUNT_MAX);
        assert!(!attempts.throttles(start, HERE, "bob", false));
        assert!(!attempts.throttles(start, HERE, "alice", true), "its own phone goes on");
    }

    #[test]
    fn a_host_with_many_addresses_guesses_no_faster_than_one_with_one() {
        let (mut attempts, start) = (Attempts::default(), start());
        let mut evaluated = 0;
        for host in 0..300_u16 {
            let source = IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]);
            let account = format!("user-{host}");
            if !attempts.throttles(start, source, &account, false) {
                attempts.note(start, source, &account);
                evaluated += 1;
            }
        }
        assert_eq!(evaluated, GUESSES_PER_SOURCE_MAX);
        let other = IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1]);
        assert!(!attempts.throttles(start, other, "alice", false));
    }

    #[test]
    fn the_name_of_an_account_is_kept_no_longer_than_a_name_is() {
        let (mut attempts, start) = (Attempts::default(), start());
        let long = "ä".repeat(30_000);
        attempts.note(start, HERE, &long);
        let kept: usize = attempts.running.by_account.keys().map(String::len).sum();
        assert_eq!(kept, GUESSED_NAME_LENGTH_MAX * "ä".len());
    }

    #[test]
    fn a_window_that_has_just_turned_forgets_nothing() {
        let (mut attempts, start) = (Attempts::default(), start());
        for _ in 0..GUESSES_PER_SOURCE_MAX {
            attempts.note(start, HERE, "alice");
        }
        assert!(attempts.throttles(start + GUESS_WINDOW, HERE, "alice", false));
    }
}
