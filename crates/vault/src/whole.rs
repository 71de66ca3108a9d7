//! Small JSON files that are read and replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads a file; where there is none, or it cannot be understood, there is nothing in it.
pub(crate) fn read<T: DeserializeOwned + Default>(path: &Path) -> T {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return T::default(),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a file cannot be read");
            return T::default();
        }
    };
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), %error, "a file cannot be understood");
        T::default()
    })
}

/// Writes a file beside the old one and puts it in its place: whenever the power fails, one of the
/// two is whole.
pub(crate) fn replace<T: Serialize + ?Sized>(path: &Path, all: &T) -> io::Result<()> {
    let beside = path.with_extension("json.new");
    let mut file = File::create(&beside)?;
    serde_json::to_writer_pretty(&mut file, all)?;
    file.write_all(b"\n")?;
    file.sync_data()?;
    fs::rename(&beside, path)
}
