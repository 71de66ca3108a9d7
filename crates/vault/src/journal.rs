//! The journal: every event, one JSON object a line, one file per UTC day.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use model::limits::CONFERENCES_MAX;
use model::{ConferenceId, Event, EventKind};

use crate::lines;
use crate::mark::{Mark, Place};
use crate::whole;

/// The file of the [`Mark`].
const MARK: &str = "mark.json";

const MS_PER_DAY: u64 = 24 * 60 * 60 * 1_000;

/// The journal, open for appending.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    open: Option<Day>,
    /// Lines of the open file's day that are not written yet, and how many.
    waiting: Vec<u8>,
    waiting_lines: u64,
    /// Where the first event of each live conference stands.
    live: BTreeMap<ConferenceId, Place>,
    /// The mark on disk.
    mark: Mark,
}

/// The file that is written.
#[derive(Debug)]
struct Day {
    /// The day that it holds [days since the Unix epoch].
    day: u64,
    file: File,
    /// How long it is, with what waits [bytes].
    length: u64,
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
        let mark = whole::read(&folder.join(MARK));
        Journal {
            folder: folder.to_owned(),
            open: None,
            waiting: Vec::new(),
            waiting_lines: 0,
            live: BTreeMap::new(),
            mark,
        }
    }

    /// Takes in an event. It is written by [`Journal::write`], or here if a day ends with it.
    pub(crate) fn keep(&mut self, event: &Event) -> Result<(), Dropped> {
        let day = event.at_ms / MS_PER_DAY;
        let mut ended = Ok(());
        if self.open.as_ref().is_none_or(|open| open.day != day) {
            ended = self.write();
            let path = self.folder.join(format!("{}.jsonl", date(day)));
            let file = lines::append_to(&path).map_err(|error| {
                let lost = ended.as_ref().map_or_else(|dropped| dropped.events, |()| 0);
                Dropped { events: lost + 1, error }
            })?;
            let length = file.metadata().map_or(0, |file| file.len());
            self.open = Some(Day { day, file, length });
        }
        let place = self.place();
        if let EventKind::Created { .. } = event.kind {
            self.live.insert(event.conference, place);
            if self.live.len() > CONFERENCES_MAX {
                // The end of one was dropped.
                self.live.pop_first();
            }
        }
        if let EventKind::Ended { .. } = event.kind {
            self.live.remove(&event.conference);
        }
        let begin = self.waiting.len();
        serde_json::to_writer(&mut self.waiting, event)
            .expect("an event is JSON: its keys are strings and memory takes every byte");
        self.waiting.push(b'\n');
        self.waiting_lines += 1;
        if let Some(open) = &mut self.open {
            open.length += (self.waiting.len() - begin) as u64;
        }
        ended
    }

    /// Writes what was taken in. After an error the events taken in since the last write are lost;
    /// the file is opened anew by the next event, and so a torn line is ended.
    pub(crate) fn write(&mut self) -> Result<(), Dropped> {
        let Some(Day { file, .. }) = &mut self.open else { return Ok(()) };
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
        self.open.as_ref().map_or(Ok(()), |open| open.file.sync_data())
    }

    /// The mark that was on disk when the journal was opened, or that was written last.
    pub(crate) fn mark(&self) -> &Mark {
        &self.mark
    }

    /// Writes from where on the next start must read, if that has changed. Until an event is kept
    /// the old mark holds.
    pub(crate) fn write_mark(&mut self, now_ms: u64) -> io::Result<()> {
        if self.open.is_none() {
            return Ok(());
        }
        let oldest = self.live.values().min().cloned();
        let up_ms = oldest.is_some().then_some(now_ms);
        let mark = Mark { place: oldest.unwrap_or_else(|| self.place()), up_ms };
        if mark != self.mark {
            whole::replace(&self.folder.join(MARK), &mark)?;
            self.mark = mark;
        }
        Ok(())
    }

    /// Where the next event will stand.
    fn place(&self) -> Place {
        self.open
            .as_ref()
            .map_or_else(Place::default, |open| Place { day: date(open.day), offset: open.length })
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
    fn the_mark_stands_where_the_oldest_live_conference_begins() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::new(folder.path());
        let event =
            |conference, kind| Event { conference: ConferenceId(conference), kind, ..event(1, 1) };
        let created = |conference| {
            let name = model::ConferenceName::parse("standup").unwrap();
            let (profile, seeing) = ("open".to_owned(), Default::default());
            event(conference, EventKind::Created { name, profile, seeing })
        };
        let ended = |conference| event(conference, EventKind::Ended { duration_ms: 3 });
        let line = |event: &Event| serde_json::to_vec(event).unwrap().len() as u64 + 1;
        let at = |offset, up_ms| Mark { place: Place { day: "1970-01-01".into(), offset }, up_ms };
        journal.write_mark(50).unwrap();
        assert_eq!(*journal.mark(), Mark::default(), "the old one holds until an event is kept");
        let marks = [
            (created(1), at(0, Some(50))),
            (created(2), at(0, Some(50))),
            (ended(1), at(line(&created(1)), Some(50))),
            (ended(2), at(2 * line(&created(1)) + 2 * line(&ended(1)), None)),
        ];
        for (event, expected) in marks {
            journal.keep(&event).unwrap();
            journal.write().unwrap();
            journal.write_mark(50).unwrap();
            assert_eq!(*Journal::new(folder.path()).mark(), expected);
        }
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
        journal.open = Some(Day { day: 0, file: full, length: 0 });
        journal.keep(&event(1, 1)).unwrap();
        journal.keep(&event(2, 1)).unwrap();
        assert_eq!(journal.write().unwrap_err().events, 2);
        journal.keep(&event(3, 1)).unwrap();
        journal.write().unwrap();
        assert_eq!(events(&path), [event(3, 1)]);
    }
}
