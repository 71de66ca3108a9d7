//! Nonces that check themselves: nothing is kept of one until somebody has shown a password with
//! it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::hex;
use crate::limits::{NONCE_LIFE, NONCES_KNOWN_MAX};

/// Issues nonces and tells whether one that comes back is good.
///
/// A nonce is `time ‖ number ‖ HMAC(key; time, number, source, realm)`: one that was made up, or
/// stolen from another source, does not check. What it leaves open is whether it was used before;
/// that is remembered from the first right answer on (RFC 7616 §3.4.5), so a stranger costs
/// nothing.
#[derive(Debug)]
pub(crate) struct Nonces {
    mac: Hmac<Sha256>,
    /// The instant that times are counted from: that of the first nonce.
    epoch: Option<Instant>,
    issued: u64,
    /// Which counts have been used, by time and number.
    used_by_nonce: BTreeMap<Serial, Window>,
}

/// Time [ms] and number of a nonce; in order of time, so that old ones are found first.
type Serial = (u64, u64);

/// Why a nonce is not good. The client may try again with another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NonceError {
    /// We never gave it to that source.
    Forged,
    /// It is too old.
    Expired,
    /// It was used with that count before.
    Replayed,
    /// More are in use than can be remembered.
    Full,
}

impl Nonces {
    pub(crate) fn new(key: [u8; 32]) -> Nonces {
        let mac = Hmac::new_from_slice(&key).expect("HMAC takes keys of any length");
        Nonces { mac, epoch: None, issued: 0, used_by_nonce: BTreeMap::new() }
    }

    /// A nonce for that source.
    pub(crate) fn issue(&mut self, now: Instant, source: IpAddr, realm: &str) -> String {
        self.issued += 1;
        let serial = (self.at_ms(now), self.issued);
        self.text(serial, source, realm)
    }

    fn at_ms(&mut self, now: Instant) -> u64 {
        let epoch = *self.epoch.get_or_insert(now);
        u64::try_from(now.saturating_duration_since(epoch).as_millis()).unwrap_or(u64::MAX)
    }

    fn text(&self, (at_ms, number): Serial, source: IpAddr, realm: &str) -> String {
        let mut mac = self.mac.clone();
        mac.update(&at_ms.to_be_bytes());
        mac.update(&number.to_be_bytes());
        mac.update(source.to_canonical().to_string().as_bytes());
        mac.update(b"\n");
        mac.update(realm.as_bytes());
        let code = mac.finalize().into_bytes();
        format!("{at_ms:016x}{number:016x}{}", hex(&code[..16]))
    }

    /// Whether a nonce is ours, of that source, and not too old.
    ///
    /// # Errors
    /// [`NonceError::Forged`] or [`NonceError::Expired`].
    pub(crate) fn check(
        &mut self,
        now: Instant,
        nonce: &str,
        source: IpAddr,
        realm: &str,
    ) -> Result<(), NonceError> {
        let serial = serial(nonce).ok_or(NonceError::Forged)?;
        if !super::same(&self.text(serial, source, realm), nonce) {
            return Err(NonceError::Forged);
        }
        let age_ms = u128::from(self.at_ms(now).saturating_sub(serial.0));
        if age_ms > NONCE_LIFE.as_millis() {
            return Err(NonceError::Expired);
        }
        Ok(())
    }

    /// Notes that a nonce that checks was used, with that count, to show a right password.
    ///
    /// # Errors
    /// [`NonceError::Replayed`] if it was before, [`NonceError::Full`].
    pub(crate) fn spend(
        &mut self,
        now: Instant,
        nonce: &str,
        count: u32,
    ) -> Result<(), NonceError> {
        let serial = serial(nonce).ok_or(NonceError::Forged)?;
        let life_ms = u64::try_from(NONCE_LIFE.as_millis()).unwrap_or(u64::MAX);
        let oldest_ms = self.at_ms(now).saturating_sub(life_ms);
        while let Some(first) = self.used_by_nonce.first_entry() {
            if first.key().0 >= oldest_ms {
                break;
            }
            first.remove();
        }
        if let Some(window) = self.used_by_nonce.get_mut(&serial) {
            return window.spend(count).then_some(()).ok_or(NonceError::Replayed);
        }
        if self.used_by_nonce.len() >= NONCES_KNOWN_MAX {
            return Err(NonceError::Full);
        }
        let mut window = Window { highest: 0, used: 0 };
        let first = window.spend(count).then_some(()).ok_or(NonceError::Replayed);
        self.used_by_nonce.insert(serial, window);
        first
    }
}

fn serial(nonce: &str) -> Option<Serial> {
    let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
    Some((number(nonce.get(0..16)?)?, number(nonce.get(16..32)?)?))
}

/// The counts that one nonce was used with: the highest, and which of the 64 up to it.
#[derive(Debug)]
struct Window {
    highest: u32,
    /// Bit `i` is the count `highest - i`.
    used: u64,
}

impl Window {
    /// Marks a count as used; false if it was, or is so old that nobody knows. Requests may
    /// overtake each other on UDP, so counts need not come in order.
    fn spend(&mut self, count: u32) -> bool {
        if count == 0 {
            return false;
        }
        if count > self.highest {
            self.used = self.used.checked_shl(count - self.highest).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let Some(bit) = 1u64.checked_shl(self.highest - count) else { return false };
        let fresh = self.used & bit == 0;
        self.used |= bit;
        fresh
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
    fn nonces() -> (Nonces, Instant) {
        (Nonces::new([7; 32]), Instant::now())
    }

    #[test]
    fn a_nonce_is_good_for_its_source_and_its_minute() {
        let (mut nonces, start) = nonces();
        let nonce = nonces.issue(start, HERE, "r");
        assert_ne!(nonce, nonces.issue(start, HERE, "r"));
        let mut check = |at, nonce: &str, source, realm| nonces.check(at, nonce, source, realm);
        assert_eq!(check(start + NONCE_LIFE, &nonce, HERE, "r"), Ok(()));
        let late = start + NONCE_LIFE + Duration::from_millis(1);
        assert_eq!(check(late, &nonce, HERE, "r"), Err(NonceError::Expired));
        assert_eq!(check(start, &nonce, THERE, "r"), Err(NonceError::Forged));
        assert_eq!(check(start, &nonce, HERE, "s"), Err(NonceError::Forged));
        for at in 0..nonce.len() {
            let mut forged = nonce.clone().into_bytes();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(check(start, &forged, HERE, "r"), Err(NonceError::Forged), "{forged}");
        }
        for text in ["", "0", "é", &"f".repeat(64), &"+".repeat(64)] {
            assert_eq!(check(start, text, HERE, "r"), Err(NonceError::Forged));
        }
    }

    #[test]
    fn a_count_passes_once_and_may_come_out_of_order() {
        let (mut nonces, start) = nonces();
        let nonce = nonces.issue(start, HERE, "r");
        let mut spend = |count| nonces.spend(start, &nonce, count);
        assert_eq!(spend(0), Err(NonceError::Replayed));
        assert_eq!((spend(1), spend(1)), (Ok(()), Err(NonceError::Replayed)));
        assert_eq!((spend(5), spend(3), spend(3)), (Ok(()), Ok(()), Err(NonceError::Replayed)));
        assert_eq!((spend(200), spend(100)), (Ok(()), Err(NonceError::Replayed)));
        assert_eq!((spend(u32::MAX), spend(u32::MAX)), (Ok(()), Err(NonceError::Replayed)));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_forgotten_with_its_life() {
        let (mut nonces, start) = nonces();
        for _ in 0..NONCES_KNOWN_MAX {
            let nonce = nonces.issue(start, HERE, "r");
            assert_eq!(nonces.spend(start, &nonce, 1), Ok(()));
        }
        let nonce = nonces.issue(start, HERE, "r");
        assert_eq!(nonces.spend(start, &nonce, 1), Err(NonceError::Full));
        let later = start + NONCE_LIFE + Duration::from_millis(1);
        let nonce = nonces.issue(later, HERE, "r");
        assert_eq!(nonces.spend(later, &nonce, 1), Ok(()));
        assert_eq!(nonces.used_by_nonce.len(), 1);
    }
}
