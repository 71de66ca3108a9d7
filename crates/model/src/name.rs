//! The name of a conference: what a phone dials before the `@`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::CONFERENCE_NAME_LENGTH_MAX;

/// A conference's name: 1 to [`CONFERENCE_NAME_LENGTH_MAX`] characters of letters, digits and
/// `-_.+*#~`, folded to lower case, so that `Standup` and `standup` are one room.
///
/// RFC 3261 §19.1.4 compares user parts by case; people do not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(value_type = String))]
#[serde(into = "String", try_from = "String")]
pub struct ConferenceName(String);

/// A text that cannot name a conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// There is nothing before the `@`.
    #[error("a conference needs a name")]
    Empty,
    /// Longer than [`CONFERENCE_NAME_LENGTH_MAX`].
    #[error("a conference's name has at most {CONFERENCE_NAME_LENGTH_MAX} characters")]
    TooLong,
    /// Something other than letters, digits and `-_.+*#~`.
    #[error("a conference's name is of letters, digits and -_.+*#~")]
    Character,
}

impl ConferenceName {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<ConferenceName, BadName> {
        if text.is_empty() {
            return Err(BadName::Empty);
        }
        if text.chars().count() > CONFERENCE_NAME_LENGTH_MAX {
            return Err(BadName::TooLong);
        }
        let allowed = |c: char| c.is_alphanumeric() || "-_.+*#~".contains(c);
        if !text.chars().all(allowed) {
            return Err(BadName::Character);
        }
        Ok(ConferenceName(text.to_lowercase()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConferenceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ConferenceName> for String {
    fn from(name: ConferenceName) -> String {
        name.0
    }
}

impl TryFrom<String> for ConferenceName {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        ConferenceName::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_folded_to_lower_case() {
        assert_eq!(ConferenceName::parse("Stand-Up"), ConferenceName::parse("stand-up"));
    }

    #[test]
    fn a_name_that_could_walk_a_path_is_refused() {
        assert_eq!(ConferenceName::parse("../etc"), Err(BadName::Character));
        assert_eq!(ConferenceName::parse(""), Err(BadName::Empty));
        assert_eq!(ConferenceName::parse(&"a".repeat(65)), Err(BadName::TooLong));
    }
}
