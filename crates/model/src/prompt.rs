//! What can be said to those in a conference: prompts, by name, in languages.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::PROMPT_NAME_LENGTH_MAX;

/// A text that is no prompt's or language's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is of a-z, 0-9, _ and -, and at most {PROMPT_NAME_LENGTH_MAX} long")]
pub struct BadPromptName;

/// The name of a prompt, or of a language: a folder's or a file's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(value_type = String))]
#[serde(into = "String", try_from = "String")]
pub struct PromptName(String);

impl PromptName {
    /// Asks for the PIN of a room.
    pub const ENTER_PIN: &'static str = "enter_pin";

    /// Two short tones: keys are refused.
    pub const REFUSED: &'static str = "refused";

    /// Reads a name. It becomes a file's name, so nothing in it leads elsewhere.
    ///
    /// # Errors
    /// [`BadPromptName`].
    pub fn parse(text: &str) -> Result<PromptName, BadPromptName> {
        let fits = |sign: char| {
            sign.is_ascii_lowercase() || sign.is_ascii_digit() || matches!(sign, '_' | '-')
        };
        let fits_all = (1..=PROMPT_NAME_LENGTH_MAX).contains(&text.len()) && text.chars().all(fits);
        if fits_all { Ok(PromptName(text.to_owned())) } else { Err(BadPromptName) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PromptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<PromptName> for String {
    fn from(name: PromptName) -> String {
        name.0
    }
}

impl TryFrom<String> for PromptName {
    type Error = BadPromptName;
    fn try_from(text: String) -> Result<PromptName, BadPromptName> {
        PromptName::parse(&text)
    }
}

/// One prompt in one language, as some profile has it: `en/joining`, or `cinnox/en/joining` where a
/// profile has its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClipName(String);

impl ClipName {
    /// What all profiles have.
    pub fn common(language: &PromptName, prompt: &PromptName) -> ClipName {
        ClipName(format!("{language}/{prompt}"))
    }

    /// What one profile has.
    pub fn of_profile(profile: &str, language: &PromptName, prompt: &PromptName) -> ClipName {
        ClipName(format!("{profile}/{language}/{prompt}"))
    }
}

impl fmt::Display for ClipName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The language that is spoken where a prompt is not there in the profile's.
pub const LANGUAGE_AT_LEAST: &str = "en";

/// The clips that there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue(BTreeSet<ClipName>);

impl Catalogue {
    /// What a profile says for a prompt in its language: its own, else everybody's, else the same
    /// in English.
    pub fn find(
        &self,
        profile: &str,
        language: &PromptName,
        prompt: &PromptName,
    ) -> Option<ClipName> {
        let english = PromptName(LANGUAGE_AT_LEAST.to_owned());
        [
            ClipName::of_profile(profile, language, prompt),
            ClipName::common(language, prompt),
            ClipName::common(&english, prompt),
        ]
        .into_iter()
        .find(|clip| self.0.contains(clip))
    }
}

impl Catalogue {
    /// Whether somebody has such a prompt in some language.
    pub fn has(&self, prompt: &PromptName) -> bool {
        let end = format!("/{prompt}");
        self.0.iter().any(|clip| clip.0.ends_with(&end))
    }
}

impl FromIterator<ClipName> for Catalogue {
    fn from_iter<I: IntoIterator<Item = ClipName>>(clips: I) -> Catalogue {
        Catalogue(clips.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profiles_own_prompt_is_said_before_everybodys_and_english_at_least() {
        let name = |text| PromptName::parse(text).unwrap();
        let joining = name("joining");
        let catalogue: Catalogue = [
            ClipName::common(&name(LANGUAGE_AT_LEAST), &joining),
            ClipName::common(&name("de"), &joining),
            ClipName::of_profile("cinnox", &name("de"), &joining),
        ]
        .into_iter()
        .collect();
        let said = |profile, language| {
            catalogue.find(profile, &name(language), &joining).map(|clip| clip.to_string())
        };
        assert_eq!(said("cinnox", "de").as_deref(), Some("cinnox/de/joining"));
        assert_eq!(said("open", "de").as_deref(), Some("de/joining"));
        assert_eq!(said("cinnox", "fr").as_deref(), Some("en/joining"));
        assert_eq!(catalogue.find("open", &name("en"), &name("leaving")), None);
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        for bad in ["", "../x", "a/b", "A", "a b", "naïve", &"x".repeat(33)] {
            assert_eq!(PromptName::parse(bad), Err(BadPromptName), "{bad:?}");
        }
        assert_eq!(PromptName::parse("enter_pin").unwrap().as_str(), PromptName::ENTER_PIN);
    }
}
