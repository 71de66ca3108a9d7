//! From where on the journal must be read to find every conference that a crash has left live.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A place in the journal. What lies before it tells of no conference that is live.
///
/// It is written now and then and so may be older than it could be: then more is read, and nothing
/// is missed.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The file's day, as in its name; empty: the first file.
    pub(crate) day: String,
    /// Where in the file \[bytes\].
    pub(crate) offset: u64,
}

/// A place, and a time at which the server was up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    #[serde(flatten)]
    pub(crate) place: Place,
    /// When a conference was last known to be live [ms since the Unix epoch]; absent: none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) up_ms: Option<u64>,
}

/// Reads the file; where there is none, or it cannot be understood, the whole journal counts.
pub(crate) fn read(path: &Path) -> Mark {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Mark::default(),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the journal's mark cannot be read");
            return Mark::default();
        }
    };
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), %error, "the journal's mark cannot be understood");
        Mark::default()
    })
}

/// Writes a file beside the old one and puts it in its place: whenever the power fails, one of the
/// two is whole.
pub(crate) fn replace(path: &Path, mark: &Mark) -> io::Result<()> {
    let beside = path.with_extension("json.new");
    let mut file = File::create(&beside)?;
    serde_json::to_writer(&mut file, mark)?;
    file.write_all(b"\n")?;
    file.sync_data()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_there_after_a_restart_and_a_torn_one_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mark.json");
        assert_eq!(read(&path), Mark::default());
        let place = Place { day: "2026-11-23".into(), offset: 77 };
        for up_ms in [Some(5), None] {
            let mark = Mark { place: place.clone(), up_ms };
            replace(&path, &mark).unwrap();
            assert_eq!(read(&path), mark);
        }
        fs::write(&path, "{\"day\":").unwrap();
        assert_eq!(read(&path), Mark::default());
    }

    #[test]
    fn no_mark_is_before_every_place() {
        let first = Place { day: "1970-01-01".into(), offset: 0 };
        assert!(Place::default() < first);
        assert!(first < Place { day: "1970-01-01".into(), offset: 1 });
        assert!(
            Place { day: "2026-11-23".into(), offset: 9 }
                < Place { day: "2026-11-24".into(), offset: 0 }
        );
    }
}
