//! PINs: what a caller types before it comes in.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::limits::{PIN_LENGTH_MAX, PIN_LENGTH_MIN};

/// A PIN. Of its digits only a digest is kept, and no picture shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin {
    digest: [u8; 32],
    length: usize,
}

/// A text that is no PIN. It is not told, for it may be nearly one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a PIN has {PIN_LENGTH_MIN} to {PIN_LENGTH_MAX} digits")]
pub struct BadPin;

impl Pin {
    /// How many digits it has.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Whether these are its digits. How long that takes says nothing of how much of them fits.
    #[must_use]
    pub fn fits(&self, typed: &str) -> bool {
        let pairs = digest(typed).into_iter().zip(self.digest);
        pairs.fold(0, |differs, (one, other)| differs | (one ^ other)) == 0
    }
}

fn digest(digits: &str) -> [u8; 32] {
    Sha256::digest(digits.as_bytes()).into()
}

impl FromStr for Pin {
    type Err = BadPin;
    fn from_str(text: &str) -> Result<Pin, BadPin> {
        let fits = (PIN_LENGTH_MIN..=PIN_LENGTH_MAX).contains(&text.len());
        match fits && text.bytes().all(|digit| digit.is_ascii_digit()) {
            true => Ok(Pin { digest: digest(text), length: text.len() }),
            false => Err(BadPin),
        }
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_fits_its_digits_alone_and_shows_none() {
        let pin: Pin = "4711".parse().unwrap();
        assert!(pin.fits("4711"));
        for wrong in ["", "471", "47110", "4712", "5711"] {
            assert!(!pin.fits(wrong), "{wrong}");
        }
        assert_eq!((format!("{pin:?}").as_str(), pin.length()), ("Pin", 4));
        for wrong in ["", "471", "47a1", "1234567890123"] {
            assert_eq!(wrong.parse::<Pin>(), Err(BadPin));
        }
    }
}
