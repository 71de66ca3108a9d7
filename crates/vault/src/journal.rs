//! The journal: every event, one JSON object a line, one file per UTC day.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use model::Event;

use crate::lines;

const MS_PER_DAY: u64 = 24 * 60 * 60 * 1_000;

/// The journal, open for appending.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    /// The file that is written, and the day that it holds [days since the Unix epoch].
    open: Option<(u64, File)>,
    /// Lines of the open file's day that are not written yet, and how many.
    waiting: Vec<u8>,
    waiting_lines: u64,
}

/// Events that could not be written, and why.
#[derive(Debug)]
pub(crate) struct Dropped {
    /// How many.
    pub(crate) events: u64,
    /// What the world said.
    pub(crate) error: io::Error,
}

impl Journal {
    /// The journal in that folder.
    pub(crate) fn new(folder: &Path) -> Journal {
        Journal { folder: folder.to_owned(), open: None, waiting: Vec::new(), waiting_lines: 0 }
    }

    /// Takes in an event. It is written by [`Journal::write`], or here if a day ends with it.
    pub(crate) fn keep(&mut self, event: &Event) -> Result<(), Dropped> {
        let day = event.at_ms / MS_PER_DAY;
        let mut ended = Ok(());
        if self.open.as_ref().is_none_or(|(open, _)| *open != day) {
            ended = self.write();
            let path = self.folder.join(format!("{}.jsonl", date(day)));
            let file = lines::append_to(&path).map_err(|error| {
                let lost = ended.as_ref().map_or_else(|dropped| dropped.events, |()| 0);
                Dropped { events: lost + 1, error }
            })?;
            self.open = Some((day, file));
        }
        serde_json::to_writer(&mut self.waiting, event)
            .expect("an event is JSON: its keys are strings and memory takes every byte");
        self.waiting.push(b'\n');
        self.waiting_lines += 1;
        ended
    }

    /// Writes what was taken in. After an error the events taken in since the last write are lost;
    /// the file is opened anew by the next event, and so a torn line is ended.
    pub(crate) fn write(&mut self) -> Result<(), Dropped> {
        let Some((_, file)) = &mut self.open else { return Ok(()) };
        let written = file.write_all(&self.waiting);
        let events = std::mem::take(&mut self.waiting_lines);
        self.waiting.clear();
        written.map_err(|error| {
            self.open = None;
            Dropped { events, error }
        })
    }

    /// Forces what is written to the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.open.as_ref().map_or(Ok(()), |(_, file)| file.sync_data())
    }
}

/// A day as `2026-11-23`: the proleptic Gregorian calendar, counted in eras of 400 years that begin
/// on 1 March, so that a leap day is the last of its year.
fn date(days_since_epoch: u64) -> String {
    let days = days_since_epoch + 719_468; // from 0000-03-01 to 1970-01-01
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Author, ConferenceId, EventKind};

    fn event(seq: u64, at_ms: u64) -> Event {
        Event {
            conference: ConferenceId(5),
            seq,
            at_ms,
            by: Author::System,
            cause: None,
            kind: EventKind::Ended { duration_ms: 3 },
        }
    }

    fn events(path: &Path) -> Vec<Event> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    #[test]
    fn a_day_has_the_date_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_795_391_999, "2026-11-22"),
            (1_795_392_000, "2026-11-23"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(date(seconds * 1_000 / MS_PER_DAY), expected, "{seconds}");
        }
    }

    #[test]
    fn each_day_has_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::new(folder.path());
        for (seq, at_ms) in [(1, 1), (2, MS_PER_DAY - 1), (3, MS_PER_DAY), (4, MS_PER_DAY + 5)] {
            journal.keep(&event(seq, at_ms)).unwrap();
        }
        journal.write().unwrap();
        let first = events(&folder.path().join("1970-01-01.jsonl"));
        assert_eq!(first, [event(1, 1), event(2, MS_PER_DAY - 1)]);
        let second = events(&folder.path().join("1970-01-02.jsonl"));
        assert_eq!(second, [event(3, MS_PER_DAY), event(4, MS_PER_DAY + 5)]);
    }

    #[test]
    fn a_line_torn_by_a_crash_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1970-01-01.jsonl");
        std::fs::write(&path, b"{\"conference\":\"c00").unwrap();
        let mut journal = Journal::new(folder.path());
        journal.keep(&event(1, 1)).unwrap();
        journal.write().unwrap();
        assert_eq!(events(&path), [event(1, 1)]);
    }

    #[test]
    fn events_that_find_the_disk_full_are_counted_and_later_ones_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1970-01-01.jsonl");
        let mut journal = Journal::new(folder.path());
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        journal.open = Some((0, full));
        journal.keep(&event(1, 1)).unwrap();
        journal.keep(&event(2, 1)).unwrap();
        assert_eq!(journal.write().unwrap_err().events, 2);
        journal.keep(&event(3, 1)).unwrap();
        journal.write().unwrap();
        assert_eq!(events(&path), [event(3, 1)]);
    }
}
