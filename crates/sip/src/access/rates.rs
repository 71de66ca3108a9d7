//! How many requests a source may send: a token bucket each.

use std::net::IpAddr;
use std::time::Instant;

use crate::limits::{
    NETWORK_REQUESTS_BURST_MAX, NETWORK_REQUESTS_PER_SECOND_MAX, REQUESTS_BURST_MAX,
    REQUESTS_PER_SECOND_MAX, SOURCES_COUNTED,
};
use crate::token::Tokens;

/// A fixed number of buckets; a source finds its own by a keyed hash. Two sources may share one,
/// but nobody can choose with whom, and no number of sources makes it grow.
#[derive(Debug)]
pub(crate) struct Rates {
    began: Option<Instant>,
    sources: Vec<Bucket>,
    networks: Vec<Bucket>,
}

/// What has been taken out [thousandths of a request], as of when.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    taken: u32,
    at_ms: u64,
    /// Whether it has been told that this one was found empty, since it was last full.
    told: bool,
}

/// A bucket is empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Over {
    pub(crate) whose: Whose,
    /// Whether that is so for the first time since the bucket was full.
    pub(crate) first: bool,
}

/// Whose bucket it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Whose {
    /// The source's own.
    Source,
    /// That of all strangers of its network.
    Network,
}

/// How much may be taken out at once, and in a second.
struct Allowance {
    burst: u32,
    per_second: u32,
}

const OF_SOURCE: Allowance =
    Allowance { burst: REQUESTS_BURST_MAX, per_second: REQUESTS_PER_SECOND_MAX };

const OF_NETWORK: Allowance =
    Allowance { burst: NETWORK_REQUESTS_BURST_MAX, per_second: NETWORK_REQUESTS_PER_SECOND_MAX };

impl Rates {
    pub(crate) fn new() -> Rates {
        let buckets = vec![Bucket::default(); SOURCES_COUNTED];
        Rates { began: None, sources: buckets.clone(), networks: buckets }
    }

    /// Takes one request out of the source's bucket and, if it is a stranger's, out of that of its
    /// network: who has many addresses has the rate of many all the same, and no more.
    ///
    /// # Errors
    /// One of them is empty.
    pub(crate) fn allow(
        &mut self,
        now: Instant,
        tokens: &Tokens,
        source: IpAddr,
        is_stranger: bool,
    ) -> Result<(), Over> {
        let began = *self.began.get_or_insert(now);
        let since = now.saturating_duration_since(began).as_millis();
        let now_ms = u64::try_from(since).unwrap_or(u64::MAX);
        let own = &mut self.sources[tokens.slot(&household(source), SOURCES_COUNTED)];
        let over = |whose| move |first| Over { whose, first };
        own.take(now_ms, &OF_SOURCE).map_err(over(Whose::Source))?;
        if !is_stranger {
            return Ok(());
        }
        let shared = &mut self.networks[tokens.slot(&wide_network(source), SOURCES_COUNTED)];
        shared.take(now_ms, &OF_NETWORK).map_err(over(Whose::Network))
    }
}

impl Bucket {
    /// Takes out one request.
    ///
    /// # Errors
    /// It is empty; true when that is so for the first time since it was full.
    fn take(&mut self, now_ms: u64, allowance: &Allowance) -> Result<(), bool> {
        let regained = now_ms.saturating_sub(self.at_ms) * u64::from(allowance.per_second);
        let regained = u32::try_from(regained).unwrap_or(u32::MAX);
        self.taken = self.taken.saturating_sub(regained);
        self.at_ms = now_ms;
        if self.taken + 1_000 > allowance.burst * 1_000 {
            return Err(!std::mem::replace(&mut self.told, true));
        }
        self.told &= self.taken > 0;
        self.taken += 1_000;
        Ok(())
    }
}

/// What counts as one source: an IPv4 address, or the 64 bits that one IPv6 host has for itself.
#[must_use]
pub fn household(source: IpAddr) -> [u8; 8] {
    match source.to_canonical() {
        IpAddr::V4(ip) => (u64::from(ip.to_bits()) | 1 << 32).to_be_bytes(),
        IpAddr::V6(ip) => ((ip.to_bits() >> 64) as u64).to_be_bytes(),
    }
}

/// What one who has many sources has of them: the 256 addresses of an IPv4 /24, or the 65,536
/// networks of an IPv6 /48, which is what a site is given (RFC 6177 §2).
fn wide_network(source: IpAddr) -> [u8; 8] {
    match source.to_canonical() {
        IpAddr::V4(ip) => (u64::from(ip.to_bits() >> 8) | 1 << 32).to_be_bytes(),
        IpAddr::V6(ip) => ((ip.to_bits() >> 80) as u64).to_be_bytes(),
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
            (0..tries).filter(|_| rates.allow(at, &tokens, source(from), false).is_ok()).count()
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

    #[test]
    #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
    fn a_network_full_of_strangers_has_its_burst_and_rate_whatever_their_number() {
        let (tokens, start) = (Tokens::new(1), Instant::now());
        let of_v4 = |host: u8| IpAddr::from([192, 0, 2, host]);
        let of_v6 = |host: u8| IpAddr::from([0x2001, 0xdb8, 0, u16::from(host), 0, 0, 0, 1]);
        let sources: [&dyn Fn(u8) -> IpAddr; 2] = [&of_v4, &of_v6];
        for of in sources {
            let mut rates = Rates::new();
            let mut passed = |at, is_stranger| {
                let mut over = Vec::new();
                let tries = (0..100).flat_map(|_| 0..=255).filter(|host| {
                    let judged = rates.allow(at, &tokens, of(*host), is_stranger);
                    over.extend(judged.err());
                    judged.is_ok()
                });
                (tries.count(), over.iter().filter(|over| over.first).count())
            };
            assert_eq!(passed(start, true), (NETWORK_REQUESTS_BURST_MAX as usize, 1));
            let second = start + Duration::from_secs(1);
            let (within, told) = passed(second, true);
            assert_eq!((within, told), (NETWORK_REQUESTS_PER_SECOND_MAX as usize, 0));
            // Who is known there is not held to the network's rate.
            let (known, _) = passed(second + Duration::from_secs(10), false);
            assert_eq!(known, 100 * 256);
            let elsewhere = IpAddr::from([198, 51, 100, 1]);
            assert_eq!(rates.allow(second, &tokens, elsewhere, true), Ok(()));
        }
    }
}
