//! Cutting a stream into messages (RFC 3261 §7.5, §18.3) and hearing keep-alives (RFC 5626 §4.4.1).

use thiserror::Error;

use crate::limits::{MESSAGE_BYTES_MAX, START_LINE_BYTES_MAX};
use crate::message::HeaderName;

/// What a stream holds next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item {
    /// One whole message, for [`crate::Endpoint::receive`].
    Message(Vec<u8>),
    /// A keep-alive of two line ends: the shell answers with one (CRLF).
    Ping,
}

/// Why a stream cannot be cut any further. The connection must be closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum FramingError {
    /// The message is longer than [`MESSAGE_BYTES_MAX`].
    #[error("message too large")]
    TooLarge,
    /// The message before this said that it is longer than that.
    #[error("message said to be too large")]
    SaidTooLarge,
    /// The first line is not SIP.
    #[error("not SIP")]
    Garbage,
    /// The message before this did not say where it ends.
    #[error("no usable Content-Length")]
    Unframed,
}

/// Takes bytes as they arrive, gives whole messages.
#[derive(Debug, Default)]
pub struct Splitter {
    /// What has not been given out yet.
    waiting: Vec<u8>,
    /// Up to where `waiting` is known to hold no end of headers, so that nothing is searched twice.
    searched: usize,
    failed: Option<FramingError>,
}

impl Splitter {
    /// For the start of a stream.
    #[must_use]
    pub fn new() -> Splitter {
        Splitter::default()
    }

    /// Adds what was read. The caller takes everything out with [`Splitter::next_item`] before it
    /// adds more, so at most one unfinished message and one read's worth wait here.
    pub fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// How many bytes of an unfinished message wait; the shell limits how long they may.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.waiting.len()
    }

    /// The next message or keep-alive, or `None` until more is pushed.
    ///
    /// # Errors
    /// [`FramingError`] when the stream is lost; each later call says the same.
    pub fn next_item(&mut self) -> Result<Option<Item>, FramingError> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        let item = self.cut();
        if let Err(error) = item {
            self.failed = Some(error);
        }
        item
    }

    fn cut(&mut self) -> Result<Option<Item>, FramingError> {
        if self.waiting.starts_with(b"\r\n\r\n") {
            self.waiting.drain(..4);
            return Ok(Some(Item::Ping));
        }
        let line_ends = match self.waiting.as_slice() {
            // A lone line end is somebody's pong; whether it is half a ping cannot be told yet.
            [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return Ok(None),
            waiting => waiting.iter().take_while(|byte| b"\r\n".contains(byte)).count(),
        };
        if line_ends > 0 {
            self.waiting.drain(..line_ends);
            self.searched = 0;
        }
        self.check_start_line()?;
        let Some(head) = self.head_bytes() else {
            return match self.waiting.len() > MESSAGE_BYTES_MAX {
                true => Err(FramingError::TooLarge),
                false => Ok(None),
            };
        };
        let whole = match content_length(&self.waiting[..head]) {
            Ok(length)
                if head <= MESSAGE_BYTES_MAX && head.saturating_add(length) > MESSAGE_BYTES_MAX =>
            {
                // Here too: nothing is waited for that would not be read.
                self.failed = Some(FramingError::SaidTooLarge);
                head
            }
            Ok(length) => head.saturating_add(length),
            Err(unframed) => {
                // The head goes to the parser, which finds the same flaw and has it answered.
                self.failed = Some(unframed);
                head
            }
        };
        if whole > MESSAGE_BYTES_MAX {
            return Err(FramingError::TooLarge);
        }
        if whole > self.waiting.len() {
            return Ok(None);
        }
        let rest = self.waiting.split_off(whole);
        self.searched = 0;
        Ok(Some(Item::Message(std::mem::replace(&mut self.waiting, rest))))
    }

    /// Refuses what is not SIP before more of it is kept.
    fn check_start_line(&self) -> Result<(), FramingError> {
        let looked = &self.waiting[..self.waiting.len().min(START_LINE_BYTES_MAX)];
        match looked.iter().position(|byte| *byte == b'\n') {
            Some(end) => match looked[..end].windows(4).any(|four| four == b"SIP/") {
                true => Ok(()),
                false => Err(FramingError::Garbage),
            },
            None if looked.len() == START_LINE_BYTES_MAX => Err(FramingError::Garbage),
            None => Ok(()),
        }
    }

    /// The length of start line and headers with the empty line, once that is there.
    fn head_bytes(&mut self) -> Option<usize> {
        // A line end may have been cut in the middle.
        let from = self.searched.saturating_sub(3);
        let found = (from..self.waiting.len()).find_map(|at| {
            let rest = &self.waiting[at..];
            let length = [&b"\n\r\n"[..], b"\n\n"].iter().find(|end| rest.starts_with(end))?.len();
            Some(at + length)
        });
        // Once found it is found again while the body is still coming.
        self.searched = found.unwrap_or(self.waiting.len());
        found
    }
}

/// What the headers say of the body's length; a message without that header has no body here.
fn content_length(head: &[u8]) -> Result<usize, FramingError> {
    let mut known: Option<usize> = None;
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = std::str::from_utf8(&line[..colon]).unwrap_or("").trim_end();
        if HeaderName::parse(name) != Some(HeaderName::ContentLength) {
            continue;
        }
        let value = line[colon + 1..].trim_ascii();
        let text = std::str::from_utf8(value).ok().filter(|text| !text.starts_with('+'));
        let length = text.and_then(|text| text.parse().ok()).ok_or(FramingError::Unframed)?;
        if known.is_some_and(|known| known != length) {
            return Err(FramingError::Unframed);
        }
        known = Some(length);
    }
    Ok(known.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabc";
    const TWO: &[u8] = b"SIP/2.0 200 OK\r\nContent-Length : 0\r\n\r\n";

    fn drain(splitter: &mut Splitter) -> Vec<Item> {
        std::iter::from_fn(|| splitter.next_item().expect("framed")).collect()
    }

    #[test]
    fn messages_are_whole_however_the_stream_is_cut() {
        let stream = [ONE, b"\r\n\r\n", TWO, b"\r\n", ONE].concat();
        let whole = vec![
            Item::Message(ONE.to_vec()),
            Item::Ping,
            Item::Message(TWO.to_vec()),
            Item::Message(ONE.to_vec()),
        ];
        for size in 1..stream.len() {
            let mut splitter = Splitter::new();
            let mut items = Vec::new();
            for chunk in stream.chunks(size) {
                splitter.push(chunk);
                items.extend(drain(&mut splitter));
            }
            assert_eq!(items, whole, "chunks of {size}");
            assert_eq!(splitter.waiting_bytes(), 0);
        }
    }

    #[test]
    fn garbage_and_oversize_fail_for_good() {
        let endless = [b"OPTIONS sip:a SIP/2.0\r\n".to_vec(), b"a: b\r\n".repeat(11_000)].concat();
        for (bytes, error) in [
            (b"GET / HTTP/1.1\r\n".to_vec(), FramingError::Garbage),
            (vec![0; START_LINE_BYTES_MAX], FramingError::Garbage),
            (endless, FramingError::TooLarge),
        ] {
            let mut splitter = Splitter::new();
            splitter.push(&bytes);
            assert_eq!(splitter.next_item(), Err(error));
            splitter.push(TWO);
            assert_eq!(splitter.next_item(), Err(error));
        }
    }

    #[test]
    fn a_message_without_usable_length_is_given_out_to_be_answered_and_ends_the_stream() {
        for length in ["-1", "x", "+3", "3\r\nl: 4", "99999999999999999999999"] {
            let mut splitter = Splitter::new();
            splitter.push(format!("BYE sip:a SIP/2.0\r\nl: {length}\r\n\r\nabc").as_bytes());
            assert!(matches!(splitter.next_item(), Ok(Some(Item::Message(_)))), "{length}");
            assert_eq!(splitter.next_item(), Err(FramingError::Unframed));
        }
    }

    #[test]
    fn the_head_of_a_message_that_says_that_it_is_too_large_is_given_out_to_be_answered() {
        let mut splitter = Splitter::new();
        let head = b"BYE sip:a SIP/2.0\r\nl: 65530\r\n\r\n";
        splitter.push(&[&head[..], b"abc"].concat());
        assert_eq!(splitter.next_item(), Ok(Some(Item::Message(head.to_vec()))));
        assert_eq!(splitter.next_item(), Err(FramingError::SaidTooLarge));
    }
}
