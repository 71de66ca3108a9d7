//! From where on the journal must be read to find every conference that a crash has left live.

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

/// A place, and a time at which the server was up. Where none is kept the whole journal counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    #[serde(flatten)]
    pub(crate) place: Place,
    /// When a conference was last known to be live [ms since the Unix epoch]; absent: none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) up_ms: Option<u64>,
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::whole::{read, replace};

    #[test]
    fn a_mark_is_there_after_a_restart_and_a_torn_one_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mark.json");
        assert_eq!(read::<Mark>(&path), Mark::default());
        let place = Place { day: "2026-11-23".into(), offset: 77 };
        for up_ms in [Some(5), None] {
            let mark = Mark { place: place.clone(), up_ms };
            replace(&path, &mark).unwrap();
            assert_eq!(read::<Mark>(&path), mark);
        }
        fs::write(&path, "{\"day\":").unwrap();
        assert_eq!(read::<Mark>(&path), Mark::default());
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
