//! What is said and played: what is shipped, and the user's own from a folder over it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use media::{Clip, Clips, Music};
use model::profile::Profile;
use model::{ClipName, PromptName};
use serde::Deserialize;

/// Where the user's own prompts are.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptsTable {
    /// A folder: `LANGUAGE/NAME.wav` for all profiles, `PROFILE/LANGUAGE/NAME.wav` for one, and
    /// `music.wav` for who waits.
    pub folder: Option<PathBuf>,
}

/// Longest prompt or music \[s\]: at every rate it is 144 KB a second in memory.
const LENGTH_S_MAX: u32 = 300;

/// What is wrong with a prompt.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is no sound that can be played.
    #[error("{}: {reason}", path.display())]
    Wrong {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A profile has a prompt said that there is none of.
    #[error("profile {profile}: [[prompt]] play = \"{prompt}\": there is no such prompt")]
    Missing {
        /// Which profile.
        profile: String,
        /// Which prompt.
        prompt: PromptName,
    },
}

macro_rules! shipped {
    ($($language:literal: $($name:literal)*;)*) => {
        [$($((
            $language,
            $name,
            include_bytes!(concat!("../fixtures/audio/prompts/", $language, "/", $name, ".wav")),
        )),*),*]
    };
}

/// Language, name and WAV file of each.
const SHIPPED: [(&str, &str, &[u8]); 21] = shipped! {
    "en": "joining" "leaving" "on_hold" "transferring" "nobody_available" "enter_pin" "recording"
        "not_allowed" "not_possible" "not_found" "refused";
    "de": "joining" "leaving" "on_hold" "transferring" "nobody_available" "enter_pin" "recording"
        "not_allowed" "not_possible" "not_found";
};

/// The files of a folder of prompts, when each was written last and how long it was: who sees them
/// as before has the same prompts.
pub type Written = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// What can be said, and what is played to who waits.
#[derive(Debug, Clone)]
pub struct Prompts {
    /// The prompts.
    pub clips: Clips,
    /// The music.
    pub music: Music,
}

impl Prompts {
    /// What is shipped, and over it what is in the folder, if there is one.
    ///
    /// # Errors
    /// The folder cannot be read, or a file in it is no WAV file that can be played.
    pub fn load(folder: Option<&Path>) -> Result<Prompts, PromptError> {
        let mut clips: BTreeMap<ClipName, Clip> = BTreeMap::new();
        for (language, name, wav) in SHIPPED {
            let named = |text| PromptName::parse(text).expect("what is shipped has a name");
            let sound = Sound::read(wav).expect("what is shipped is read in a test");
            clips.insert(ClipName::common(&named(language), &named(name)), sound.clip());
        }
        let mut music = Music::house();
        for path in folder.map_or(Ok(Vec::new()), wav_files)? {
            let wrong = |reason| PromptError::Wrong { path: path.clone(), reason };
            let within = folder.and_then(|folder| path.strip_prefix(folder).ok());
            let place = within.and_then(Path::to_str).unwrap_or("").trim_end_matches(".wav");
            let names: Result<Vec<PromptName>, _> =
                place.split(std::path::MAIN_SEPARATOR).map(PromptName::parse).collect();
            let names = names.map_err(|error| wrong(error.to_string()))?;
            let bytes = std::fs::read(&path)
                .map_err(|source| PromptError::Unreadable { path: path.clone(), source })?;
            let sound = Sound::read(&bytes).map_err(&wrong)?;
            match &names[..] {
                [one] if one.as_str() == "music" => music = sound.music(),
                [language, name] => {
                    clips.insert(ClipName::common(language, name), sound.clip());
                }
                [profile, language, name] => {
                    let name = ClipName::of_profile(profile.as_str(), language, name);
                    clips.insert(name, sound.clip());
                }
                _ => return Err(wrong("neither LANGUAGE/NAME.wav nor music.wav".to_owned())),
            }
        }
        Ok(Prompts { clips: clips.into_iter().collect(), music })
    }

    /// The files of the folder as they are now.
    pub fn written(folder: Option<&Path>) -> Written {
        let files = folder.map_or(Ok(Vec::new()), wav_files).unwrap_or_default();
        let stamp = |path: PathBuf| {
            let metadata = std::fs::metadata(&path).ok();
            let length = metadata.as_ref().map_or(0, std::fs::Metadata::len);
            (path, metadata.and_then(|it| it.modified().ok()), length)
        };
        files.into_iter().map(stamp).collect()
    }

    /// Sees that there is each prompt that a profile has said.
    ///
    /// # Errors
    /// [`PromptError::Missing`].
    pub fn check(&self, profile: &Profile) -> Result<(), PromptError> {
        let catalogue = self.clips.catalogue();
        let language = &profile.prompts.language;
        for row in &profile.prompted {
            if catalogue.find(&profile.name, language, &row.play).is_none() {
                let (profile, prompt) = (profile.name.clone(), row.play.clone());
                return Err(PromptError::Missing { profile, prompt });
            }
        }
        Ok(())
    }
}

/// All WAV files below a folder, three levels deep, in order.
fn wav_files(folder: &Path) -> Result<Vec<PathBuf>, PromptError> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let unreadable = |source| PromptError::Unreadable { path: folder.clone(), source };
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_dir() && depth < 2 {
                folders.push((path, depth + 1));
            } else if path.extension().is_some_and(|extension| extension == "wav") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// A WAV file, read.
struct Sound {
    samples: Vec<i16>,
    rate_hz: u32,
}

impl Sound {
    fn read(wav: &[u8]) -> Result<Sound, String> {
        let reader = hound::WavReader::new(wav).map_err(|error| error.to_string())?;
        let hound::WavSpec { channels, sample_rate, bits_per_sample, sample_format } =
            reader.spec();
        let fits = channels == 1
            && matches!(sample_rate, 8_000 | 16_000 | 48_000)
            && (bits_per_sample, sample_format) == (16, hound::SampleFormat::Int);
        if !fits {
            return Err(format!(
                "{channels} channels of {bits_per_sample} bits at {sample_rate} Hz: it must be \
                 mono, 16 bits, at 8000, 16000 or 48000 Hz"
            ));
        }
        if reader.duration() > LENGTH_S_MAX * sample_rate {
            return Err(format!("it is longer than {LENGTH_S_MAX} s"));
        }
        let samples: Result<Vec<i16>, _> = reader.into_samples().collect();
        let samples = samples.map_err(|error| error.to_string())?;
        Ok(Sound { samples, rate_hz: sample_rate })
    }

    fn clip(&self) -> Clip {
        Clip::new(&self.samples, self.rate_hz)
    }

    fn music(&self) -> Music {
        Music::of(&self.clip())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(channels: u16, rate_hz: u32) -> Vec<u8> {
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate_hz,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        (0..rate_hz as i16 / 10).for_each(|sample| writer.write_sample(sample).unwrap());
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn every_shipped_profile_has_its_prompts_in_both_languages() {
        let prompts = Prompts::load(None).unwrap();
        for mut profile in call::shipped() {
            for language in ["en", "de"] {
                profile.prompts.language = PromptName::parse(language).unwrap();
                prompts.check(&profile).unwrap();
            }
        }
    }

    #[test]
    fn every_refusal_can_be_said_in_both_languages() {
        let catalogue = Prompts::load(None).unwrap().clips.catalogue();
        for refusal in model::Refusal::ALL {
            for language in ["en", "de"] {
                let language = PromptName::parse(language).unwrap();
                let prompt = PromptName::parse(refusal.prompt()).unwrap();
                let said = catalogue.find("open", &language, &prompt);
                assert_eq!(said, Some(ClipName::common(&language, &prompt)), "{refusal:?}");
            }
        }
        assert!(catalogue.has(&PromptName::parse(PromptName::REFUSED).unwrap()));
    }

    #[test]
    fn prompts_of_ones_own_come_over_the_shipped_ones_and_a_mistake_is_told_with_its_file() {
        let folder = std::env::temp_dir().join(format!("convoke-prompts-{}", std::process::id()));
        let own = folder.join("cinnox").join("fr");
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("joining.wav"), wav(1, 8_000)).unwrap();
        std::fs::write(folder.join("music.wav"), wav(1, 16_000)).unwrap();
        let prompts = Prompts::load(Some(&folder)).unwrap();
        let name = |text| PromptName::parse(text).unwrap();
        let said = |profile| {
            let clip = prompts.clips.catalogue().find(profile, &name("fr"), &name("joining"));
            clip.map(|clip| clip.to_string())
        };
        assert_eq!(said("cinnox").as_deref(), Some("cinnox/fr/joining"));
        assert_eq!(said("open").as_deref(), Some("en/joining"));
        std::fs::write(own.join("leaving.wav"), wav(2, 8_000)).unwrap();
        let told = Prompts::load(Some(&folder)).unwrap_err().to_string();
        assert!(told.contains("leaving.wav: 2 channels"), "{told}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_profile_that_has_something_said_that_is_not_there_is_refused() {
        let mut profile = call::open();
        let mut row = call::shipped().iter().find_map(|p| p.prompted.first().cloned()).unwrap();
        row.play = PromptName::parse("hullo").unwrap();
        profile.prompted.push(row);
        let told = Prompts::load(None).unwrap().check(&profile).unwrap_err().to_string();
        assert!(told.contains("open") && told.contains("hullo"), "{told}");
    }
}
