//! Keys that a phone sends by INFO: `application/dtmf-relay` (a line `Signal=5`) and
//! `application/dtmf` (the key alone), as phones of the last twenty years do.

use std::time::Instant;

use model::LegId;

use crate::leg::{Leg, Stage};
use crate::switchboard::Switchboard;

/// How a leg's keys come. Some phones send each press in two ways: the first that was heard counts,
/// until something else is agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyWay {
    /// None was pressed.
    Unheard,
    /// By INFO.
    Info,
    /// By telephone-events or tones.
    Media,
}

impl Switchboard {
    /// A key came on a leg. Who is called and has not answered is nobody yet that could say
    /// anything.
    pub(crate) fn key(&mut self, now: Instant, id: LegId, way: KeyWay, digit: char) {
        let Some(Leg { keys, stage: Stage::Up { .. }, .. }) = self.legs.get_mut(&id) else {
            return;
        };
        if *keys == KeyWay::Unheard {
            *keys = way;
        }
        if *keys == way {
            self.pressed(now, id, digit);
        }
    }
}

/// The key in an INFO's body, if it is one.
pub(crate) fn digit(content_type: &str, body: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(body).ok()?;
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let value = match kind.as_str() {
        "application/dtmf-relay" => text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then_some(value)
        })?,
        "application/dtmf" => text,
        _ => return None,
    };
    key(value.trim())
}

/// A key by its sign, or by its event code (RFC 4733 §3.2).
fn key(text: &str) -> Option<char> {
    let mut signs = text.chars();
    match (signs.next(), signs.next()) {
        (Some(sign), None) => {
            let sign = sign.to_ascii_uppercase();
            "0123456789*#ABCD".contains(sign).then_some(sign)
        }
        (Some(_), Some(_)) => match text {
            "10" => Some('*'),
            "11" => Some('#'),
            "12" => Some('A'),
            "13" => Some('B'),
            "14" => Some('C'),
            "15" => Some('D'),
            _ => None,
        },
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_both_kinds_of_body() {
        let relay = b"Signal= 5\r\nDuration= 160\r\n";
        assert_eq!(digit("application/dtmf-relay", relay), Some('5'));
        assert_eq!(digit("Application/DTMF; x=y", b" # \r\n"), Some('#'));
        assert_eq!(digit("application/dtmf-relay", b"Signal=11"), Some('#'));
    }

    #[test]
    fn what_is_no_key_is_no_digit() {
        assert_eq!(digit("application/dtmf-relay", b"Signal=99"), None);
        assert_eq!(digit("application/dtmf", b"\xff"), None);
        assert_eq!(digit("text/plain", b"5"), None);
        assert_eq!(digit("application/dtmf", b""), None);
    }
}
