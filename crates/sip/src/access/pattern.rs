//! Patterns of dialled names and numbers, and what is made of what they capture.

use std::fmt;
use std::str::FromStr;

use crate::limits::{PATTERN_BYTES_MAX, PATTERN_TEXT_MAX};

/// A pattern of a whole text. `*` stands for any letters, none included, `%` for one digit or more,
/// `?` for one letter; each of them is captured. All else stands for itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern(Vec<Piece>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Piece {
    Letter(char),
    One,
    Digits,
    Any,
}

/// The text is no pattern, or no template for one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PatternError {
    /// Empty, or longer than anything that is dialled.
    #[error("a pattern has 1 to {PATTERN_BYTES_MAX} letters, such as 00% or conf-*")]
    Length,
    /// A capture is used that the pattern does not have.
    #[error("${0} is used, but the pattern has not that many of * % ?")]
    NoSuchCapture(usize),
    /// A dollar sign without a number.
    #[error("a $ is followed by the number of a capture, 1 to 9; $$ is a dollar sign")]
    Dollar,
}

impl Pattern {
    /// What the wildcards stand for in that text, in order; `None` if it does not fit. Each takes
    /// as much as it can, the first before the second.
    #[must_use]
    pub fn captures<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        if text.len() > PATTERN_TEXT_MAX {
            return None;
        }
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let letters: Vec<char> = text.chars().collect();
        let fits = self.fits(&letters);
        let mut captures = Vec::new();
        let mut at = 0;
        for (index, piece) in self.0.iter().enumerate() {
            let after = (at..=letters.len())
                .rev()
                .find(|end| piece.takes(&letters[at..*end]) && fits[index + 1][*end])?;
            if !matches!(piece, Piece::Letter(_)) {
                captures.push(&text[ends[at]..ends[after]]);
            }
            at = after;
        }
        (at == letters.len()).then_some(captures)
    }

    /// For each number of pieces left out at the front, and each place in the text: whether the
    /// other pieces fit from there to its end. A table, so that no text can make it try for long.
    fn fits(&self, letters: &[char]) -> Vec<Vec<bool>> {
        let (pieces, length) = (self.0.len(), letters.len());
        let mut fits = vec![vec![false; length + 2]; pieces + 1];
        fits[pieces][length] = true;
        for index in (0..pieces).rev() {
            for at in (0..=length).rev() {
                let next = letters.get(at);
                fits[index][at] = match self.0[index] {
                    Piece::Letter(own) => next == Some(&own) && fits[index + 1][at + 1],
                    Piece::One => next.is_some() && fits[index + 1][at + 1],
                    Piece::Any => fits[index + 1][at] || next.is_some() && fits[index][at + 1],
                    Piece::Digits => {
                        next.is_some_and(char::is_ascii_digit)
                            && (fits[index + 1][at + 1] || fits[index][at + 1])
                    }
                };
            }
        }
        fits
    }

    fn wildcards(&self) -> usize {
        self.0.iter().filter(|piece| !matches!(piece, Piece::Letter(_))).count()
    }
}

impl Piece {
    fn takes(self, letters: &[char]) -> bool {
        match self {
            Piece::Letter(own) => letters == [own],
            Piece::One => letters.len() == 1,
            Piece::Digits => !letters.is_empty() && letters.iter().all(char::is_ascii_digit),
            Piece::Any => true,
        }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Pattern, PatternError> {
        if text.is_empty() || text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::Length);
        }
        let piece = |letter| match letter {
            '*' => Piece::Any,
            '%' => Piece::Digits,
            '?' => Piece::One,
            letter => Piece::Letter(letter),
        };
        Ok(Pattern(text.chars().map(piece).collect()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| {
            fmt::Write::write_char(
                f,
                match piece {
                    Piece::Letter(letter) => *letter,
                    Piece::One => '?',
                    Piece::Digits => '%',
                    Piece::Any => '*',
                },
            )
        })
    }
}

/// A text with holes for what a [`Pattern`] captures: `$1` to `$9`, and `$$` for a dollar sign.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template(Vec<Part>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Text(String),
    Capture(usize),
}

impl Template {
    /// Reads a template for that pattern.
    ///
    /// # Errors
    /// [`PatternError`] if it uses what the pattern does not capture.
    pub fn parse(text: &str, pattern: &Pattern) -> Result<Template, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::Length);
        }
        let mut pieces = text.split('$');
        let mut parts = vec![Part::Text(pieces.next().unwrap_or("").to_owned())];
        let mut doubled = false;
        for piece in pieces {
            let first = piece.chars().next();
            if doubled {
                parts.push(Part::Text(piece.to_owned()));
                doubled = false;
                continue;
            }
            match first.and_then(|digit| digit.to_digit(10)) {
                Some(number @ 1..=9) => {
                    let number = number as usize;
                    if number > pattern.wildcards() {
                        return Err(PatternError::NoSuchCapture(number));
                    }
                    parts.push(Part::Capture(number - 1));
                    parts.push(Part::Text(piece[1..].to_owned()));
                }
                Some(_) => return Err(PatternError::Dollar),
                None if piece.is_empty() => {
                    parts.push(Part::Text("$".to_owned()));
                    doubled = true;
                }
                None => return Err(PatternError::Dollar),
            }
        }
        // The last piece was empty, and no second dollar sign followed.
        if doubled { Err(PatternError::Dollar) } else { Ok(Template(parts)) }
    }

    /// The text, if it is the same whatever is captured.
    #[must_use]
    pub fn constant(&self) -> Option<String> {
        let has_hole = self.0.iter().any(|part| match part {
            Part::Text(_) => false,
            Part::Capture(_) => true,
        });
        (!has_hole).then(|| self.fill(&[]))
    }

    /// The text, with its holes filled.
    #[must_use]
    pub fn fill(&self, captures: &[&str]) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Capture(index) => captures.get(*index).copied().unwrap_or("").to_owned(),
        };
        self.0.iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_capture_what_their_wildcards_stand_for() {
        for (pattern, text, captures) in [
            ("*", "", Some(vec![""])),
            ("*", "any", Some(vec!["any"])),
            ("00%", "004930", Some(vec!["4930"])),
            ("00%", "00", None),
            ("00%", "00x", None),
            ("+49%", "+49301", Some(vec!["301"])),
            (
                "a*b*c",
                "axbybzc",
                Some(vec!["xbyb".trim_end_matches('b'), "zc".trim_end_matches('c')]),
            ),
            ("?%", "123", Some(vec!["1", "23"])),
            ("%%", "123", Some(vec!["12", "3"])),
            ("alice", "alice", Some(vec![])),
            ("alice", "alice2", None),
            ("*ü?", "xüß", Some(vec!["x", "ß"])),
        ] {
            let pattern: Pattern = pattern.parse().unwrap();
            assert_eq!(pattern.captures(text), captures, "{pattern} {text}");
        }
    }

    #[test]
    fn no_text_takes_long_to_be_refused() {
        // Sixteen wildcards over the longest text: a search by trial would not end this year.
        let pattern: Pattern = "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*ab".parse().unwrap();
        assert_eq!(pattern.captures(&"a".repeat(PATTERN_TEXT_MAX)), None);
        let any: Pattern = "*".parse().unwrap();
        assert_eq!(any.captures(&"a".repeat(PATTERN_TEXT_MAX + 1)), None);
    }

    #[test]
    fn templates_are_filled_with_captures() {
        let pattern: Pattern = "0?*".parse().unwrap();
        let captures = pattern.captures("0123").unwrap();
        for (template, filled) in
            [("+49$1$2", "+49123"), ("x", "x"), ("$2$$$1", "23$1"), ("", ""), ("$$1", "$1")]
        {
            let template = Template::parse(template, &pattern).unwrap();
            assert_eq!(template.fill(&captures), filled);
        }
        for (template, error) in [
            ("$3", PatternError::NoSuchCapture(3)),
            ("$x", PatternError::Dollar),
            ("$0", PatternError::Dollar),
            ("$", PatternError::Dollar),
        ] {
            assert_eq!(Template::parse(template, &pattern), Err(error), "{template}");
        }
    }
}
