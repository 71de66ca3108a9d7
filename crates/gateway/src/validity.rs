//! Until when a certificate is valid (RFC 5280 §4.1.2.5).

use std::fmt;

/// The end of a certificate's validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAfter {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
}

impl NotAfter {
    /// Of a certificate in DER; `None` where it cannot be found.
    pub(crate) fn of(certificate: &[u8]) -> Option<NotAfter> {
        let mut rest = certificate;
        let mut certificate = within(&mut rest, SEQUENCE)?;
        let mut signed = within(&mut certificate, SEQUENCE)?;
        // The version is left out by the first one.
        if signed.first() == Some(&VERSION) {
            element(&mut signed)?;
        }
        let (_serial, _algorithm) = (element(&mut signed)?, element(&mut signed)?);
        let _issuer = element(&mut signed)?;
        let mut validity = within(&mut signed, SEQUENCE)?;
        let _not_before = element(&mut validity)?;
        match element(&mut validity)? {
            (UTC_TIME, text) => {
                let (year, rest) = (number(text.get(..2)?)?, text.get(2..)?);
                let century = if year < 50 { 2_000 } else { 1_900 };
                NotAfter::at(century + year, rest)
            }
            (GENERALIZED_TIME, text) => NotAfter::at(number(text.get(..4)?)?, text.get(4..)?),
            (_, _) => None,
        }
    }

    /// From what follows the year: month, day, hours, minutes and seconds, in UTC.
    fn at(year: u64, rest: &[u8]) -> Option<NotAfter> {
        let two = |at: usize| number(rest.get(at..at + 2)?);
        let (month, day) = (two(0)?, two(2)?);
        let second_of_day = two(4)? * 3_600 + two(6)? * 60 + two(8)?;
        let is_date = (1..=12).contains(&month) && (1..=31).contains(&day) && year >= 1_900;
        is_date.then_some(NotAfter { year, month, day, second_of_day })
    }

    /// In seconds since the Unix epoch; zero before it.
    pub(crate) fn unix_s(self) -> u64 {
        // Years that begin on 1 March, so that a leap day is the last of its year.
        let year = self.year - u64::from(self.month <= 2);
        let month = (self.month + 9) % 12;
        let days = 365 * year + year / 4 - year / 100 + year / 400;
        let days = days + (153 * month + 2) / 5 + self.day - 1;
        // From 0000-03-01 to 1970-01-01.
        days.saturating_sub(719_468) * 86_400 + self.second_of_day
    }
}

impl fmt::Display for NotAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The next element: its tag, and what it holds (X.690 §8.1).
fn element<'d>(der: &mut &'d [u8]) -> Option<(u8, &'d [u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first.checked_sub(0x80) {
        None => (usize::from(*first), rest),
        Some(bytes @ 1..=3) => {
            let (length, rest) = rest.split_at_checked(bytes.into())?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        Some(_) => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *der = rest;
    Some((*tag, content))
}

fn within<'d>(der: &mut &'d [u8], tag: u8) -> Option<&'d [u8]> {
    element(der).filter(|(found, _)| *found == tag).map(|(_, content)| content)
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certified_until(year: i32, month: u8, day: u8) -> Vec<u8> {
        let mut params = CertificateParams::new(["pbx.example".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, month, day);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificates_end_is_read_by_the_calendar() {
        for (year, month, day, unix_s) in [
            (1_999, 12, 31, 946_598_400),
            (2_000, 2, 29, 951_782_400),
            (2_000, 3, 1, 951_868_800),
            (2_026, 11, 23, 1_795_392_000),
            (2_100, 3, 1, 4_107_542_400),
        ] {
            let end = NotAfter::of(&certified_until(year, month, day)).unwrap();
            assert_eq!(end.unix_s(), unix_s, "{end}");
            assert_eq!(end.to_string(), format!("{year}-{month:02}-{day:02}"));
        }
    }

    #[test]
    fn what_is_cut_off_has_no_end() {
        let whole = certified_until(2_030, 1, 1);
        let begins = (0..whole.len()).filter(|length| NotAfter::of(&whole[..*length]).is_some());
        assert_eq!(begins.count(), 0);
    }
}
