//! Ids: 64 random bits behind a letter that tells their kind.
//!
//! As text an id is its letter and 13 characters of Crockford's base 32, so it can stand in a URL,
//! a file name and a log line without escaping, and one kind cannot be taken for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 13 × 5 = 65 bits hold 64.
const LENGTH: usize = 13;

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct NotAnId;

fn write_id(f: &mut fmt::Formatter<'_>, letter: char, value: u64) -> fmt::Result {
    let mut text = [0u8; LENGTH];
    for (position, digit) in text.iter_mut().enumerate() {
        let shift = 5 * (LENGTH - 1 - position);
        *digit = DIGITS[((value >> shift) & 31) as usize];
    }
    write!(f, "{letter}{}", std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

fn read_id(letter: char, text: &str) -> Result<u64, NotAnId> {
    let digits = text.strip_prefix(letter).ok_or(NotAnId)?;
    if digits.len() != LENGTH {
        return Err(NotAnId);
    }
    let mut value: u128 = 0;
    for byte in digits.bytes() {
        let digit = DIGITS.iter().position(|d| *d == byte).ok_or(NotAnId)?;
        value = (value << 5) | digit as u128;
    }
    u64::try_from(value).map_err(|_| NotAnId)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "schema", schema(value_type = String))]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_id(f, $letter, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_id(f, $letter, self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                read_id($letter, text).map(Self)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;
            fn try_from(text: String) -> Result<Self, NotAnId> {
                text.parse()
            }
        }
    };
}

id! {
    /// One conference, from its first party to its end. A name may come back; an id never does.
    ConferenceId, 'c'
}
id! {
    /// Somebody in a conference.
    PartyId, 'p'
}
id! {
    /// A party's connection: its session in `sip` and its port in `media`.
    LegId, 'l'
}
id! {
    /// One recording; also the stem of its file's name.
    RecordingId, 'r'
}
id! {
    /// One playing of a prompt.
    AnnouncementId, 'a'
}
id! {
    /// One command. The same id asked twice is carried out once.
    CommandId, 'x'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        for value in [0, 1, 31, 32, u64::MAX, 0x0123_4567_89ab_cdef] {
            let id = PartyId(value);
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.to_string().len(), 14);
        }
    }

    #[test]
    fn an_id_of_another_kind_or_beyond_64_bits_is_refused() {
        assert_eq!(LegId(7).to_string().parse::<PartyId>(), Err(NotAnId));
        assert_eq!("pzzzzzzzzzzzzz".parse::<PartyId>(), Err(NotAnId));
        assert_eq!("p".parse::<PartyId>(), Err(NotAnId));
        assert_eq!("pé00000000000".parse::<PartyId>(), Err(NotAnId));
    }
}
