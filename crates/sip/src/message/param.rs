//! Parameters behind semicolons: `;tag=1;lr`.

use std::fmt;

use super::lexis;
use crate::limits::PARAMS_MAX;

/// Named values, in order. Names are compared without regard to case.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// Reads `a=1;b` (without a leading semicolon) as it stands in a header value.
    /// `None` when a parameter has no name, a quote is unbalanced, or there are too many.
    #[must_use]
    pub fn parse(text: &str) -> Option<Params> {
        Params::of(lexis::split(text, b';'))
    }

    /// Reads parameters that were cut apart already, each `a=1` or `b`; see [`Params::parse`].
    pub(crate) fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Option<Params> {
        let mut params = Params::default();
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (lexis::trim(name), Some(lexis::trim(value))),
                None => (lexis::trim(part), None),
            };
            if !lexis::is_token(name) || params.0.len() == PARAMS_MAX {
                return None;
            }
            let value = match value {
                Some(quoted) if quoted.starts_with('"') => match lexis::quoted_string(quoted)? {
                    (meaning, "") => Some(meaning),
                    (_, _) => return None,
                },
                Some(bare) if !stands_bare(bare) => return None,
                other => other.map(str::to_owned),
            };
            params.0.push((name.to_owned(), value));
        }
        Some(params)
    }

    /// Whether a URI or a header value has more parameters than are read, behind the value or
    /// behind the URI in its brackets.
    pub(crate) fn are_too_many(value: &str) -> bool {
        let is_over = |text: &str| lexis::split(text, b';').count() > 1 + PARAMS_MAX;
        let bracketed = value.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
        // Semicolons before the `@` of a URI are the user's.
        let behind_user = |uri: &str| is_over(uri.split_once('@').map_or(uri, |(_, host)| host));
        match bracketed {
            Some((uri, _)) => behind_user(uri) || is_over(value),
            None => behind_user(value),
        }
    }

    /// The value of that parameter; empty for one that stands alone, `None` for one that is
    /// missing.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(found.1.as_deref().unwrap_or(""))
    }

    /// Whether that parameter is there, with or without a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Sets a parameter in its place, or adds it at the end; `None` stands alone.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        match self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some(param) => param.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Removes a parameter.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// All parameters, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }
}

/// Whether the value may stand without quotes. The grammar has tokens and hosts only; what real
/// clients put into tags beyond that must come back to them as it was.
pub(super) fn stands_bare(value: &str) -> bool {
    static BARE: lexis::ByteSet = lexis::ByteSet::visible_but(b"\"\\,;<>");
    if BARE.make(value) {
        return !value.is_empty();
    }
    let is_bare =
        |letter: char| letter != ' ' && !letter.is_control() && !"\"\\,;<>".contains(letter);
    !value.is_empty() && value.chars().all(is_bare)
}

/// Writes `;a=1;b`; a value that cannot stand bare is quoted.
impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.iter() {
            match value {
                None => write!(f, ";{name}")?,
                Some(value) if stands_bare(value) => write!(f, ";{name}={value}")?,
                Some(value) => write!(f, ";{name}={}", lexis::quote(value))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_survive_reading_and_writing() {
        let params = Params::parse("a = 1;B; c=\"x;\\\"y\" ;d=[::1]:5").expect("valid");
        assert_eq!(params.value("A"), Some("1"));
        assert_eq!(params.value("b"), Some(""));
        assert_eq!(params.value("c"), Some("x;\"y"));
        assert_eq!(params.value("e"), None);
        assert_eq!(params.to_string(), ";a=1;B;c=\"x;\\\"y\";d=[::1]:5");
    }

    #[test]
    fn nameless_empty_and_unbalanced_parameters_are_refused() {
        for text in ["", ";", "a;;b", "=1", "a=", "a=\"x", "a=\"x\"y", "a b", "a=b c", "a=\u{9c}"] {
            assert_eq!(Params::parse(text), None, "{text}");
        }
    }
}
