//! The small print of the grammar (RFC 3261 §25.1): tokens, quoted strings, separators.

/// A set of bytes: each byte of each message is looked up in one or the other.
pub(super) struct ByteSet([bool; 256]);

impl ByteSet {
    /// Letters, digits and those.
    pub(super) const fn alphanumeric_and(others: &[u8]) -> ByteSet {
        let mut set = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            set[byte] = (byte as u8).is_ascii_alphanumeric();
            byte += 1;
        }
        let mut at = 0;
        while at < others.len() {
            set[others[at] as usize] = true;
            at += 1;
        }
        ByteSet(set)
    }

    /// Visible ASCII but those.
    pub(super) const fn visible_but(others: &[u8]) -> ByteSet {
        let mut set = [false; 256];
        let mut byte = 0x21;
        while byte < 0x7f {
            set[byte] = true;
            byte += 1;
        }
        let mut at = 0;
        while at < others.len() {
            set[others[at] as usize] = false;
            at += 1;
        }
        ByteSet(set)
    }

    pub(super) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }

    /// Whether all of the text is made of them.
    pub(super) fn make(&self, text: &str) -> bool {
        text.bytes().all(|byte| self.has(byte))
    }
}

static TOKEN: ByteSet = ByteSet::alphanumeric_and(b"-.!%*_+`'~");

/// Whether the text is a token: not empty, and nothing but token characters.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && TOKEN.make(text)
}

/// Whether the byte is a blank of linear white space once lines are unfolded.
pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The text without blanks at either end.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Cuts at each separator that stands outside quotes and angle brackets.
/// Text with an unclosed quote comes back whole from there on; its own parser then refuses it.
pub(crate) fn split(text: &str, separator: u8) -> Split<'_> {
    Split { rest: Some(text), separator }
}

/// The parts of a text, in order; see [`split`].
#[derive(Debug)]
pub(crate) struct Split<'a> {
    rest: Option<&'a str>,
    separator: u8,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest.take()?;
        let Some(end) = end_of_part(text, self.separator) else { return Some(text) };
        self.rest = Some(&text[end + 1..]);
        Some(&text[..end])
    }
}

/// Where the first separator stands that cuts.
fn end_of_part(text: &str, separator: u8) -> Option<usize> {
    let opens = |byte: u8| matches!(byte, b'"' | b'<');
    let first = text.bytes().position(|byte| byte == separator || opens(byte))?;
    if !opens(text.as_bytes()[first]) {
        return Some(first);
    }
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if escaped {
            escaped = false;
        } else if quoted {
            match byte {
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
        } else if byte == b'"' {
            quoted = true;
        } else if byte == b'<' {
            bracketed = true;
        } else if byte == b'>' {
            bracketed = false;
        } else if byte == separator && !bracketed {
            return Some(at);
        }
    }
    None
}

/// The letter, or a blank for a control character: those are for nobody to see, least of all in a
/// log.
pub(super) fn printable(letter: char) -> char {
    if letter.is_control() { ' ' } else { letter }
}

/// Reads a quoted string at the start of the text: its meaning without escapes and control
/// characters, and the rest.
pub(crate) fn quoted_string(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut meaning = String::new();
    let mut escaped = false;
    for (at, letter) in inner.char_indices() {
        if escaped {
            meaning.push(printable(letter));
            escaped = false;
        } else {
            match letter {
                '\\' => escaped = true,
                '"' => return Some((meaning, &inner[at + 1..])),
                _ => meaning.push(printable(letter)),
            }
        }
    }
    None
}

/// Puts quotes around a text, escaping what must be; control characters become blanks.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(printable(letter));
    }
    quoted.push('"');
    quoted
}

/// Resolves `%hh` escapes; `None` when an escape is broken or the result is not UTF-8.
pub(super) fn unescape(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high << 4 | low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Writes `%hh` for every byte that is neither alphanumeric nor in `plain`.
pub(super) fn escape(text: &str, plain: &[u8]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            for digit in [byte >> 4, byte & 15] {
                escaped.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_in_quotes_and_brackets_do_not_cut() {
        let cut: Vec<&str> = split(r#""a,\",b" <sip:c,d>, e"#, b',').collect();
        assert_eq!(cut, [r#""a,\",b" <sip:c,d>"#, " e"]);
    }

    #[test]
    fn escapes_are_resolved_once_and_broken_ones_refused() {
        assert_eq!(unescape("v%61lue%25%34%31").as_deref(), Some("value%41"));
        for broken in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(unescape(broken), None, "{broken}");
        }
    }

    #[test]
    fn quoting_and_reading_back_is_the_same_text() {
        let written = quote(r#"a "b" \c"#) + " rest";
        let (text, rest) = quoted_string(&written).expect("quoted");
        assert_eq!((text.as_str(), rest), (r#"a "b" \c"#, " rest"));
    }
}
