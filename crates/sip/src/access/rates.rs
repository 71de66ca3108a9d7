//! How many requests a source may send: a token bucket each.

use std::net::IpAddr;
use std::time::Instant;

use crate::limits::{REQUESTS_BURST_MAX, REQUESTS_PER_SECOND_MAX, SOURCES_COUNTED};
use crate::token::Tokens;

/// A fixed number of buckets; a source finds its own by a keyed hash. Two sources may share one,
/// but nobody can choose with whom, and no number of sources makes it grow.
#[derive(Debug)]
pub(crate) struct Rates {
    began: Option<Instant>,
    buckets: Vec<Bucket>,
}

/// What has been taken out [thousandths of a request], as of when.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    taken: u32,
    at_ms: u64,
    /// Whether it has been told that this one was found empty, since it was last full.
    told: bool,
}

impl Rates {
    pub(crate) fn new() -> Rates {
        Rates { began: None, buckets: vec![Bucket::default(); SOURCES_COUNTED] }
    }

    /// Takes one request out of the source's bucket.
    ///
    /// # Errors
    /// It is empty; true when that is so for the first time since the bucket was full.
    pub(crate) fn allow(
        &mut self,
        now: Instant,
        tokens: &Tokens,
        source: IpAddr,
    ) -> Result<(), bool> {
        let began = *self.began.get_or_insert(now);
        let since = now.saturating_duration_since(began).as_millis();
        let now_ms = u64::try_from(since).unwrap_or(u64::MAX);
        let slot = tokens.slot(&network(source), SOURCES_COUNTED);
        let bucket = &mut self.buckets[slot];
        let regained = now_ms.saturating_sub(bucket.at_ms) * u64::from(REQUESTS_PER_SECOND_MAX);
        let regained = u32::try_from(regained).unwrap_or(u32::MAX);
        bucket.taken = bucket.taken.saturating_sub(regained);
        bucket.at_ms = now_ms;
        if bucket.taken + 1_000 > REQUESTS_BURST_MAX * 1_000 {
            return Err(!std::mem::replace(&mut bucket.told, true));
        }
        bucket.told &= bucket.taken > 0;
        bucket.taken += 1_000;
        Ok(())
    }
}

/// What counts as one source: an IPv4 address, or the 64 bits that one IPv6 host has for itself.
pub(super) fn network(source: IpAddr) -> [u8; 8] {
    match source.to_canonical() {
        IpAddr::V4(ip) => (u64::from(ip.to_bits()) | 1 << 32).to_be_bytes(),
        IpAddr::V6(ip) => ((ip.to_bits() >> 64) as u64).to_be_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
    fn a_source_has_a_burst_then_its_rate_and_others_have_theirs() {
        let (tokens, start, mut rates) = (Tokens::new(1), Instant::now(), Rates::new());
        let source = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut passed = |at, from: &str, tries: u32| {
            (0..tries).filter(|_| rates.allow(at, &tokens, source(from)).is_ok()).count()
        };
        assert_eq!(passed(start, "192.0.2.1", 5_000), REQUESTS_BURST_MAX as usize);
        assert_eq!(passed(start, "192.0.2.2", 1), 1);
        let second = start + Duration::from_secs(1);
        assert_eq!(passed(second, "192.0.2.1", 5_000), REQUESTS_PER_SECOND_MAX as usize);
        let day = start + Duration::from_secs(86_400);
        assert_eq!(passed(day, "192.0.2.1", 5_000), REQUESTS_BURST_MAX as usize);
        assert_eq!(passed(start, "2001:db8::1", 5_000), REQUESTS_BURST_MAX as usize);
        assert_eq!(passed(start, "2001:db8::2", 1), 0, "one host has all of a /64");
    }
}
