//! Profiles by name: those that are shipped, and the user's own from a folder over them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::Profile;
use serde::Deserialize;

/// Where the user's own profiles are.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProfilesTable {
    /// A folder; each file `NAME.toml` in it is a profile, over a shipped one of that name.
    pub folder: Option<PathBuf>,
}

/// What is wrong with a profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file does not say what a profile says.
    #[error("{}: {reason}", path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// Line, column and reason.
        reason: String,
    },
    /// There is no profile of that name.
    #[error("there is no profile {name}; there are {}", known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
}

/// Profiles by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profiles(BTreeMap<String, Profile>);

impl Default for Profiles {
    fn default() -> Profiles {
        Profiles(call::shipped().into_iter().map(|p| (p.name.clone(), p)).collect())
    }
}

impl Profiles {
    /// Those that are shipped, and over them those of the folder, if there is one.
    ///
    /// # Errors
    /// The folder cannot be read, or a file in it is no profile.
    pub fn load(folder: Option<&Path>) -> Result<Profiles, ProfileError> {
        let mut profiles = Profiles::default();
        let Some(folder) = folder else { return Ok(profiles) };
        let unreadable = |path: &Path, source| {
            let path = path.to_owned();
            ProfileError::Unreadable { path, source }
        };
        let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, error))?;
        for entry in entries {
            let path = entry.map_err(|error| unreadable(folder, error))?.path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            let wrong = |reason| ProfileError::Wrong { path: path.clone(), reason };
            let profile = call::parse(&text).map_err(|error| wrong(error.to_string()))?;
            if path.file_stem().is_none_or(|stem| *stem != *profile.name) {
                return Err(wrong(format!("name = \"{}\": it is the file's name", profile.name)));
            }
            profiles.0.insert(profile.name.clone(), profile);
        }
        Ok(profiles)
    }

    /// The profile of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn get(&self, name: &str) -> Result<&Profile, ProfileError> {
        self.0.get(name).ok_or_else(|| ProfileError::Unknown {
            name: name.to_owned(),
            known: self.0.keys().cloned().collect(),
        })
    }

    /// What differs between two, a sentence a line.
    ///
    /// # Errors
    /// There is no such profile.
    pub fn differences(&self, one: &str, other: &str) -> Result<String, ProfileError> {
        let sentences = call::differences(self.get(one)?, self.get(other)?);
        Ok(match sentences.is_empty() {
            true => format!("{one} and {other} say the same."),
            false => sentences.join("\n"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_of_ones_own_counts_over_a_shipped_one_and_a_mistake_is_told_with_its_place() {
        let folder = std::env::temp_dir().join(format!("convoke-profiles-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let own = include_str!("../crates/call/profiles/helpdesk3.toml");
        let write = |text: &str| std::fs::write(folder.join("helpdesk3.toml"), text).unwrap();
        write(&own.replace("parties_max = 3", "parties_max = 4"));
        let profiles = Profiles::load(Some(&folder)).unwrap();
        assert_eq!(profiles.get("helpdesk3").unwrap().parties_max, 4);
        assert_eq!(profiles.get("open").unwrap().name, "open");
        write(&own.replace("\"held\"", "\"hold\""));
        let told = Profiles::load(Some(&folder)).unwrap_err().to_string();
        assert!(told.contains("helpdesk3.toml") && told.contains("line"), "{told}");
        assert!(told.contains("hold"), "{told}");
        std::fs::remove_dir_all(&folder).unwrap();
        let unknown = Profiles::default().get("closed").unwrap_err().to_string();
        assert!(unknown.contains("cinnox") && unknown.contains("closed"), "{unknown}");
    }
}
