//! What is recorded of a conference: the mix, and the tracks of its parties beside it.

use std::collections::BTreeMap;

use model::limits::TAPS_PER_CONFERENCE_MAX;
use model::profile::Tracks;
use model::{Author, EventKind, PartyId, RecordingId, RecordingMode, Role, Track};

use crate::conference::{Cause, Conference};
use crate::effect::Effect;
use crate::party::{Aim, Party, Video};
use crate::verbs;

/// Whether a conference is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recorder {
    /// It is not.
    Off,
    /// It was until its last agent left, and is again once one is in.
    WaitsForAgent,
    /// It is.
    Runs(Recording),
}

impl Recorder {
    /// The recording that runs.
    pub(crate) fn running(&self) -> Option<&Recording> {
        match self {
            Recorder::Runs(recording) => Some(recording),
            Recorder::Off | Recorder::WaitsForAgent => None,
        }
    }
}

/// A recording that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The mix.
    pub mix: RecordingId,
    /// When it began \[ms since the Unix epoch\].
    pub(crate) started_ms: u64,
    pub(crate) tracks: BTreeMap<Track, TrackState>,
}

/// How far a track has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrackState {
    /// It is recorded, as this recording.
    Runs(RecordingId),
    /// It could not be started or go on, and is not tried again while its party stays.
    Failed,
}

impl Recording {
    /// The recording of this mix, without tracks, that began then \[ms since the Unix epoch\].
    pub fn of(mix: RecordingId, started_ms: u64) -> Recording {
        Recording { mix, started_ms, tracks: BTreeMap::new() }
    }

    /// The tracks that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = (Track, RecordingId)> {
        self.tracks.iter().filter_map(|(track, state)| match state {
            TrackState::Runs(recording) => Some((*track, *recording)),
            TrackState::Failed => None,
        })
    }

    /// The tracks that this party should have by now. Whoever only listens in has no voice in the
    /// mix; a track of whispers begins with the first.
    fn wanted(&self, party: &Party) -> impl Iterator<Item = Track> + use<> {
        let (of, id) = (self.mix, party.id);
        let whispers = match party.aim {
            Aim::Whisper(_) => true,
            Aim::Everybody | Aim::Pair(_) | Aim::Nobody => false,
        };
        let voice = party.is_counted().then_some(Track::Voice { of, party: id });
        let whisper = whispers.then_some(Track::Whisper { of, party: id });
        voice.into_iter().chain(whisper)
    }
}

impl Conference {
    /// Recording stops, with all tracks.
    pub(crate) fn stop_recording(&mut self, cause: Cause) -> Option<RecordingId> {
        let recording = self.close_recording()?;
        self.tell(cause, EventKind::RecordingStopped { recording });
        Some(recording)
    }

    /// A recording could not be started or go on. A track ends alone; the mix ends with its
    /// tracks, for without it nobody knows what they belong to.
    pub(crate) fn lose_recording(&mut self, cause: Cause, lost: RecordingId, reason: String) {
        let Recorder::Runs(recording) = &mut self.recorder else { return };
        if recording.mix == lost {
            self.close_recording();
        } else {
            let track = recording.running().find(|(_, running)| *running == lost);
            let Some((track, _)) = track else { return };
            recording.tracks.insert(track, TrackState::Failed);
            self.effect(Effect::CloseTap(lost));
        }
        self.tell(cause, EventKind::RecordingFailed { recording: lost, reason });
    }

    /// A phone wants video from now on, or does no more.
    pub(crate) fn video_changed(&mut self, cause: Cause, id: PartyId, video: Video) {
        let party = self.party_mut(id);
        if std::mem::replace(&mut party.video, video) != video && party.is_connected() {
            self.tell_that_video_is_missing(cause, id);
        }
    }

    /// Where somebody wants video, the recording tells from when on it lacks it.
    pub(crate) fn tell_that_video_is_missing(&mut self, cause: Cause, party: PartyId) {
        match self.party(party).map(|party| party.video) {
            None | Some(Video::Unasked) => return,
            Some(Video::Refused) => {}
        }
        let Some(Recording { mix, started_ms, .. }) = self.recorder.running() else { return };
        let (recording, mode) = (*mix, RecordingMode::Audio);
        let offset_ms = cause.now_ms.saturating_sub(*started_ms);
        self.tell(cause, EventKind::RecordingModeChanged { recording, party, mode, offset_ms });
    }

    fn close_recording(&mut self) -> Option<RecordingId> {
        let Recorder::Runs(recording) = std::mem::replace(&mut self.recorder, Recorder::Off) else {
            return None;
        };
        for (_, track) in recording.running() {
            self.effect(Effect::CloseTap(track));
        }
        self.effect(Effect::CloseTap(recording.mix));
        Some(recording.mix)
    }

    /// Who is in has its tracks, and who is gone has none.
    pub(crate) fn settle_tracks(&mut self, cause: Cause) {
        match self.rules.profile.recording.tracks {
            Tracks::None => return,
            Tracks::Each => {}
        }
        let Some(mut recording) = self.recorder.running().cloned() else { return };
        let is_in = |id: PartyId| self.party(id).is_some_and(Party::is_connected);
        let mut ended = Vec::new();
        recording.tracks.retain(|track, state| {
            let stays = track.party().is_some_and(is_in);
            if !stays && let TrackState::Runs(id) = state {
                ended.push(Effect::CloseTap(*id));
            }
            stays
        });
        let wanted: Vec<Track> = self
            .parties
            .iter()
            .filter(|party| party.is_connected())
            .flat_map(|party| recording.wanted(party))
            .filter(|track| !recording.tracks.contains_key(track))
            .collect();
        ended.into_iter().for_each(|effect| self.effect(effect));
        for track in wanted {
            let state = self.start_track(cause, track, recording.running().count());
            recording.tracks.insert(track, state);
        }
        self.recorder = Recorder::Runs(recording);
    }

    /// The last agent has left, and the profile has nothing recorded without one.
    pub(crate) fn stop_recording_without_agents(&mut self, cause: Cause) {
        if self.stop_recording(Cause { by: Author::System, ..cause }).is_some() {
            self.recorder = Recorder::WaitsForAgent;
        }
    }

    /// What stopped when the last agent left goes on with the next one.
    pub(crate) fn record_again(&mut self, cause: Cause) {
        match self.recorder {
            Recorder::Off | Recorder::Runs(_) => return,
            Recorder::WaitsForAgent => {}
        }
        if self.has(Role::is_agent) {
            verbs::record(self, Cause { by: Author::System, ..cause }, true);
        }
    }

    fn start_track(&mut self, cause: Cause, track: Track, running: usize) -> TrackState {
        let recording = RecordingId(self.chance.draw());
        self.tell(cause, EventKind::TrackStarted { recording, track });
        // The mix has a tap as well.
        if running + 1 >= TAPS_PER_CONFERENCE_MAX {
            let reason = format!("a mix has {} tracks at most", TAPS_PER_CONFERENCE_MAX - 1);
            self.tell(cause, EventKind::RecordingFailed { recording, reason });
            return TrackState::Failed;
        }
        self.effect(Effect::OpenTap(recording, track));
        TrackState::Runs(recording)
    }
}
