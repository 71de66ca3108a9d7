//! Conferences that were live when the server went down without ending them: what the journal knows
//! of them, and the events that close them.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use model::limits::EVENTS_KEPT_PER_CONFERENCE;
use model::{Author, ConferenceId, ConferenceView, Event, EventKind, LeaveReason, RecordingId};

use crate::limits::{EVENT_LINE_BYTES_MAX, INTERRUPTED_EVENTS_MAX, JOURNAL_READ_BYTES_MAX};
use crate::lines;
use crate::mark::{Mark, Place};

/// A conference that a crash has left live, closed.
#[derive(Debug, Clone, PartialEq)]
pub struct Interrupted {
    /// What it was before the first of `events`; absent: they begin with its first one.
    pub before: Option<ConferenceView>,
    /// Its events as far as the server came. A very long one's first events are left out.
    pub events: Vec<Event>,
    /// Those that follow, and close it: what became of its recordings, each party has left, and it
    /// has ended.
    pub closing: Vec<Event>,
}

/// What the next start found of a recording that a crash had left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Repaired {
    /// Its file is whole and so long [ms].
    Recovered(u64),
    /// It could not be made whole, for this reason.
    Failed(String),
}

/// A conference without an end.
#[derive(Debug)]
struct Unended {
    view: ConferenceView,
    last_ms: u64,
    before: Option<ConferenceView>,
    events: VecDeque<Event>,
}

/// The conferences that have begun behind the mark and not ended, as far as the journal tells.
#[derive(Debug, Default)]
pub(crate) struct LeftLive {
    by_id: BTreeMap<ConferenceId, Unended>,
    /// Events held, of all of them.
    held: usize,
}

impl LeftLive {
    /// Reads the journal in that folder from the mark on. Of more than can be read in time the
    /// latest part is read.
    pub(crate) fn read(folder: &Path, from: &Place) -> io::Result<LeftLive> {
        let mut found = LeftLive::default();
        for (path, offset) in parts(folder, from)? {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(offset))?;
            found.take(BufReader::new(file))?;
        }
        Ok(found)
    }

    /// Folds lines. One that cannot be read was torn by a crash, or is the end of one whose
    /// beginning is not read; it says nothing.
    fn take(&mut self, mut reader: impl BufRead) -> io::Result<()> {
        while let Some(line) = lines::next(&mut reader, EVENT_LINE_BYTES_MAX)? {
            match serde_json::from_slice(&line) {
                Ok(event) => self.fold(event),
                Err(error) => tracing::debug!(%error, "a line of the journal is unreadable"),
            }
        }
        Ok(())
    }

    fn fold(&mut self, event: Event) {
        let id = event.conference;
        if let EventKind::Ended { .. } = event.kind {
            if let Some(ended) = self.by_id.remove(&id) {
                self.held -= ended.events.len();
            }
            return;
        }
        match self.by_id.get_mut(&id) {
            Some(unended) if event.seq <= unended.view.seq => return,
            Some(unended) => unended.apply(event),
            None => {
                let Some(unended) = Unended::begin(event) else { return };
                self.by_id.insert(id, unended);
            }
        }
        self.held += 1;
        if let Some(unended) = self.by_id.get_mut(&id)
            && (self.held > INTERRUPTED_EVENTS_MAX
                || unended.events.len() > EVENTS_KEPT_PER_CONFERENCE)
        {
            unended.forget_oldest();
            self.held -= 1;
        }
    }

    /// Closes them all, oldest first. `repaired` says what became of the recordings that were
    /// open, `is_there` whether any other has a file.
    pub(crate) fn close(
        self,
        mark: &Mark,
        repaired: &BTreeMap<RecordingId, Repaired>,
        is_there: impl Fn(RecordingId) -> bool,
    ) -> Vec<Interrupted> {
        let mut all: Vec<Unended> = self.by_id.into_values().collect();
        all.sort_by_key(|unended| (unended.view.started_ms, unended.view.id));
        let close = |unended: Unended| {
            let closing = unended.closing(mark, repaired, &is_there);
            Interrupted { before: unended.before, events: unended.events.into(), closing }
        };
        all.into_iter().map(close).collect()
    }
}

impl Unended {
    fn begin(event: Event) -> Option<Unended> {
        let view = ConferenceView::begin(&event)?;
        Some(Unended { view, last_ms: event.at_ms, before: None, events: [event].into() })
    }

    fn apply(&mut self, event: Event) {
        self.view.apply(&event);
        self.last_ms = self.last_ms.max(event.at_ms);
        self.events.push_back(event);
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.events.pop_front() else { return };
        match &mut self.before {
            Some(before) => before.apply(&oldest),
            None => self.before = ConferenceView::begin(&oldest),
        }
    }

    /// The events that close it. They bear the last time at which it is known to have been live:
    /// by its events, by what was recorded, or by the mark.
    fn closing(
        &self,
        mark: &Mark,
        repaired: &BTreeMap<RecordingId, Repaired>,
        is_there: impl Fn(RecordingId) -> bool,
    ) -> Vec<Event> {
        let mut kinds = Vec::new();
        let mut at_ms = self.last_ms.max(mark.up_ms.unwrap_or(0));
        if let Some(running) = &self.view.recording {
            let tracks = running.tracks.iter().map(|track| track.id);
            let tracks = tracks.filter(|track| repaired.contains_key(track));
            for recording in tracks.chain([running.id]) {
                let found = repaired.get(&recording).cloned();
                if let Some(Repaired::Recovered(duration_ms)) = found {
                    at_ms = at_ms.max(running.started_ms + duration_ms);
                }
                kinds.push(what_became(recording, found, &is_there));
            }
        }
        let left = |party| EventKind::Left { party, reason: LeaveReason::Interrupted };
        kinds.extend(self.view.parties.iter().map(|party| left(party.id)));
        let duration_ms = at_ms.saturating_sub(self.view.started_ms);
        kinds.push(EventKind::Ended { duration_ms });
        let event = |(seq, kind)| Event {
            conference: self.view.id,
            seq,
            at_ms,
            by: Author::System,
            cause: None,
            kind,
        };
        (self.view.seq + 1..).zip(kinds).map(event).collect()
    }
}

fn what_became(
    recording: RecordingId,
    found: Option<Repaired>,
    is_there: impl Fn(RecordingId) -> bool,
) -> EventKind {
    match found {
        Some(Repaired::Recovered(duration_ms)) => {
            EventKind::RecordingRecovered { recording, duration_ms }
        }
        Some(Repaired::Failed(reason)) => EventKind::RecordingFailed { recording, reason },
        None if is_there(recording) => EventKind::RecordingStopped { recording },
        None => {
            let reason = "the server went down before its file began".to_owned();
            EventKind::RecordingFailed { recording, reason }
        }
    }
}

/// The files to be read, oldest first, and from where on.
fn parts(folder: &Path, from: &Place) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let day = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        if path.extension().is_some_and(|extension| extension == "jsonl") && day >= from.day {
            let offset = if day == from.day { from.offset } else { 0 };
            files.push((day, path, offset));
        }
    }
    files.sort();
    let mut room = JOURNAL_READ_BYTES_MAX;
    let mut parts = Vec::new();
    for (_, path, offset) in files.into_iter().rev() {
        let length = path.metadata()?.len();
        let taken = length.saturating_sub(offset).min(room);
        if taken < length.saturating_sub(offset) {
            tracing::warn!(path = %path.display(), "the journal is too long to be read whole");
        }
        if taken > 0 {
            parts.push((path, length - taken));
        }
        room -= taken;
    }
    parts.reverse();
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use model::profile::Seeing;
    use model::{Codec, ConferenceName, Direction, PartyId, Role, Track};

    use super::*;

    const ADA: PartyId = PartyId(7);
    const MIX: RecordingId = RecordingId(1);
    const VOICE: RecordingId = RecordingId(2);

    fn event(conference: u64, seq: u64, kind: EventKind) -> Event {
        let conference = ConferenceId(conference);
        Event { conference, seq, at_ms: 1_000 * seq, by: Author::System, cause: None, kind }
    }

    fn created(conference: u64) -> Event {
        let name = ConferenceName::parse(&format!("room-{conference}")).unwrap();
        let profile = "open".to_owned();
        event(conference, 1, EventKind::Created { name, profile, seeing: Seeing::default() })
    }

    fn joined(conference: u64, seq: u64, party: PartyId) -> Event {
        let (address, codec) = ("sip:ada@a".to_owned(), Codec::Opus);
        let (role, direction, display_name) = (Role::Guest, Direction::Inbound, None);
        let kind = EventKind::Joined { party, display_name, address, codec, role, direction };
        event(conference, seq, kind)
    }

    fn closed(
        events: Vec<Event>,
        mark: &Mark,
        repaired: &[(RecordingId, Repaired)],
    ) -> Vec<Interrupted> {
        let mut found = LeftLive::default();
        events.into_iter().for_each(|event| found.fold(event));
        let repaired = repaired.iter().cloned().collect();
        found.close(mark, &repaired, |_| false)
    }

    fn kinds(one: &Interrupted) -> Vec<EventKind> {
        one.closing.iter().map(|event| event.kind.clone()).collect()
    }

    #[test]
    fn a_conference_without_an_end_gets_one_and_each_party_a_cause() {
        let talking = event(2, 3, EventKind::Talking { party: ADA, talking: true });
        let ended = event(1, 2, EventKind::Ended { duration_ms: 1 });
        let events = vec![created(1), created(2), joined(2, 2, ADA), ended, talking];
        let [one] = &closed(events, &Mark::default(), &[])[..] else { panic!("one is left") };
        let left = EventKind::Left { party: ADA, reason: LeaveReason::Interrupted };
        assert_eq!(kinds(one), [left, EventKind::Ended { duration_ms: 2_000 }]);
        let seqs: Vec<u64> = one.events.iter().chain(&one.closing).map(|event| event.seq).collect();
        assert_eq!(seqs, [1, 2, 3, 4, 5]);
        assert_eq!(one.closing[1].at_ms, 3_000);
    }

    #[test]
    fn it_ended_when_it_is_last_known_to_have_been_live() {
        let events = || {
            let started = event(1, 2, EventKind::RecordingStarted { recording: MIX });
            vec![created(1), started]
        };
        let end = |mark: Mark, recorded_ms| {
            let repaired = [(MIX, Repaired::Recovered(recorded_ms))];
            let one = closed(events(), &mark, &repaired).remove(0);
            one.closing.last().unwrap().at_ms
        };
        let up = |up_ms| Mark { up_ms: Some(up_ms), ..Mark::default() };
        assert_eq!(end(up(9_000), 3_000), 9_000);
        assert_eq!(end(up(4_000), 3_000), 5_000);
        assert_eq!(end(Mark::default(), 0), 2_000);
    }

    #[test]
    fn what_became_of_its_recordings_is_told_first() {
        let track = Track::Voice { of: MIX, party: ADA };
        let events = |recordings: &[EventKind]| {
            let told = (2..).zip(recordings.iter().cloned());
            let told = told.map(|(seq, kind)| event(1, seq, kind));
            [created(1)].into_iter().chain(told).collect::<Vec<_>>()
        };
        let started = EventKind::RecordingStarted { recording: MIX };
        let beside = EventKind::TrackStarted { recording: VOICE, track };
        let repaired = [(MIX, Repaired::Recovered(60)), (VOICE, Repaired::Failed("lost".into()))];
        let both = [started.clone(), beside];
        let one = closed(events(&both), &Mark::default(), &repaired).remove(0);
        assert_eq!(
            kinds(&one)[..2],
            [
                EventKind::RecordingFailed { recording: VOICE, reason: "lost".into() },
                EventKind::RecordingRecovered { recording: MIX, duration_ms: 60 },
            ]
        );
        let one = closed(events(&[started]), &Mark::default(), &[]).remove(0);
        assert!(matches!(kinds(&one)[0], EventKind::RecordingFailed { recording: MIX, .. }));
    }

    #[test]
    fn of_a_very_long_conference_the_first_events_are_left_out_and_it_still_is_whole() {
        let talk = |seq| event(1, seq, EventKind::Talking { party: ADA, talking: seq % 2 == 0 });
        let more = EVENTS_KEPT_PER_CONFERENCE as u64;
        let events = [created(1), joined(1, 2, ADA)].into_iter().chain((3..3 + more).map(talk));
        let one = closed(events.collect(), &Mark::default(), &[]).remove(0);
        let mut view = one.before.clone().unwrap();
        assert_eq!(view.seq, 2);
        assert_eq!(one.events.len(), EVENTS_KEPT_PER_CONFERENCE);
        one.events.iter().chain(&one.closing).for_each(|event| view.apply(event));
        assert!(view.parties.is_empty() && view.ended_ms.is_some());
    }

    #[test]
    fn only_what_lies_behind_the_mark_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let line = |event: &Event| serde_json::to_string(event).unwrap() + "\n";
        let file = |day: &str, text: &str| {
            std::fs::write(folder.path().join(format!("{day}.jsonl")), text).unwrap();
        };
        file("2026-11-22", &line(&created(1)));
        let before = line(&created(2));
        file("2026-11-23", &format!("{before}{}{{\"torn", line(&created(3))));
        file("2026-11-24", &line(&created(4)));
        let found = |day: &str, offset| {
            let from = Place { day: day.to_owned(), offset };
            let found = LeftLive::read(folder.path(), &from).unwrap();
            found.by_id.keys().map(|id| id.0).collect::<Vec<u64>>()
        };
        assert_eq!(found("", 0), [1, 2, 3, 4]);
        assert_eq!(found("2026-11-23", before.len() as u64), [3, 4]);
        assert_eq!(found("2026-11-24", 1_000), [0; 0]);
        assert_eq!(found("2026-11-25", 0), [0; 0]);
    }
}
