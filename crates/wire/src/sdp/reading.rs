//! The lines of a description that say something to us.
//!
//! RFC 8866 section 9 has a grammar for each line, and some of those who call keep to it only where
//! anybody looks. No call is refused for a bandwidth, a name or a version that cannot be read:
//!
//! | lines | what is made of them |
//! |---|---|
//! | `v=` `c=` `a=` | what stands at their ends is cut off |
//! | `m=` | the same, and one space is enough; a format stands in for none |
//! | `o=` `t=` | read here, as far as they can be |
//! | others | left out |

use super::Origin;

/// What is left to be read by the grammar, and what is read.
pub(super) struct Lines {
    /// A line that is left out is empty: so errors name the line that was sent.
    pub(super) text: String,
    pub(super) origin: Origin,
    /// Start and stop of the first `t=` line.
    pub(super) time: (u64, u64),
}

/// Reads a description's bytes. What is no UTF-8 is in names, or is no line of ours.
pub(super) fn lines(bytes: &[u8]) -> Lines {
    let sent = String::from_utf8_lossy(bytes);
    let mut text = String::with_capacity(sent.len());
    let (mut origin, mut time) = (None, None);
    let (mut in_session, mut is_connected) = (true, false);
    for line in sent.split('\n') {
        let line = line.trim_end_matches(['\r', '\0', ' ', '\t']);
        match line.split_once('=') {
            Some(("v" | "a", _)) => text.push_str(line),
            Some(("c", _)) => {
                // Of several for the session the first counts.
                if !in_session || !std::mem::replace(&mut is_connected, true) {
                    text.push_str(line);
                }
            }
            Some(("m", value)) => {
                in_session = false;
                text.push_str("m=");
                text.push_str(&media_line(value));
            }
            Some(("o", value)) => origin = origin.or_else(|| Some(read_origin(value))),
            Some(("t", value)) => time = time.or_else(|| Some(read_time(value))),
            Some(_) | None => {}
        }
        text.push('\n');
    }
    let origin = origin.unwrap_or_else(|| read_origin(""));
    Lines { text, origin, time: time.unwrap_or_default() }
}

/// A line that is refused often has no format, though there must be one (RFC 3264 section 6).
fn media_line(value: &str) -> String {
    let words: Vec<_> = value.split_ascii_whitespace().collect();
    let joined = words.join(" ");
    if words.len() == 3 { joined + " 0" } else { joined }
}

/// Reads `<username> <sess-id> <sess-version> <nettype> <addrtype> <unicast-address>` from its end:
/// some write a display name for the first. A version that is no number is 0.
fn read_origin(value: &str) -> Origin {
    let mut words = value.rsplit(' ').filter(|word| !word.is_empty());
    let address = words.next().unwrap_or_default().to_owned();
    let version = words.nth(2).and_then(|word| word.parse().ok()).unwrap_or(0);
    let session_id = words.next().unwrap_or_default().to_owned();
    Origin { session_id, version, address }
}

/// Reads `<start-time> <stop-time>`; what is no number means always (RFC 8866 section 5.9).
fn read_time(value: &str) -> (u64, u64) {
    let mut words = value.split_ascii_whitespace().map(|word| word.parse().unwrap_or(0));
    (words.next().unwrap_or(0), words.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::{Description, Encoding};

    const GOOD: &str = "v=0\r\no=- 17 3 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                        m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

    /// Whether a description is read with that in the place of this, and means the same.
    fn means_the_same(this: &str, that: &[u8]) -> bool {
        let at = GOOD.find(this).expect("it is in there");
        let (before, after) = (&GOOD[..at], &GOOD[at + this.len()..]);
        let bytes = [before.as_bytes(), that, after.as_bytes()].concat();
        let Ok(read) = Description::parse(&bytes) else { return false };
        read.audio() == Description::parse(GOOD.as_bytes()).expect("it is good").audio()
    }

    #[test]
    fn nobody_is_refused_for_what_nobody_needs() {
        let good = Description::parse(GOOD.as_bytes()).expect("it is good");
        let audio = good.audio().expect("it has audio");
        let formats: Vec<_> = audio.formats.iter().map(|format| format.encoding).collect();
        assert_eq!(formats, [Encoding::Pcma, Encoding::TelephoneEvent]);
        for (this, that) in [
            ("o=- ", "o=Anna Schmidt "),
            ("o=- ", "o="),
            (" 3 IN", " -3 IN"),
            (" 3 IN", " 184467440737095516160 IN"),
            ("o=- 17 3 IN IP4 192.0.2.1\r\n", "o=-\r\n"),
            ("s=-\r\n", "s=\r\n"),
            ("s=-\r\n", "s=-\r\ns=-\r\n"),
            ("s=-\r\n", "s=-\r\nb=AS:64.0\r\n"),
            ("s=-\r\n", "s=-\r\nb=TIAS\r\n"),
            ("s=-\r\n", "s=-\r\nr=7d\r\nz=1\r\nk=\r\n"),
            ("t=0 0\r\n", "t=0\r\n"),
            ("t=0 0\r\n", "t=-1 0\r\n"),
            ("t=0 0\r\n", "t=0 0\r\nc=IN IP4 192.0.2.7\r\n"),
            ("t=0 0\r\n", "t=0 0\r\nhello\r\n \r\n"),
            ("v=0\r\n", "v=0 \r\n"),
            ("c=IN IP4 192.0.2.1\r\n", "c=IN IP4 192.0.2.1 \r\n"),
            ("m=audio 4000 RTP/AVP 8 101", "m=audio  4000 RTP/AVP  8 101 "),
            ("telephone-event/8000\r\n", "telephone-event/8000\r\n\0"),
            ("telephone-event/8000\r\n", "telephone-event/8000\r\nm=video 0 RTP/AVP\r\n"),
        ] {
            assert!(means_the_same(this, that.as_bytes()), "{that:?} in the place of {this:?}");
        }
        assert!(means_the_same("s=-", b"s=Gespr\xe4ch"));
    }

    #[test]
    fn a_line_that_must_be_read_and_cannot_be_is_named() {
        let refusal = |text: &str| Description::parse(text.as_bytes()).expect_err("it is bad");
        let error = refusal(&GOOD.replace(" 4000 ", " x "));
        assert!(error.to_string().contains("line 6"), "{error}");
        assert!(
            refusal(&GOOD.replace("c=IN IP4 192.0.2.1", "c=IN")).to_string().contains("line 4")
        );
        refusal(&GOOD.replace("v=0\r\n", ""));
    }

    #[test]
    fn who_made_a_description_is_read_from_the_end_of_its_line() {
        let origin = lines(b"o=Anna B. 17 3 IN IP4 192.0.2.1\r\n").origin;
        assert_eq!((origin.session_id.as_str(), origin.version), ("17", 3));
        assert_eq!(origin.address, "192.0.2.1");
    }
}
