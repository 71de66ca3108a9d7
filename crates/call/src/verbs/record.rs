//! Recording starts and stops.

use model::profile::Occasion;
use model::{EventKind, PartyId, RecordingId, Track};

use super::Done;
use crate::conference::{Cause, Conference};
use crate::effect::Effect;
use crate::recording::Recording;

pub(crate) fn record(conference: &mut Conference, cause: Cause, on: bool) -> Done {
    let recording = match (&conference.recording, on) {
        (Some(running), true) => Some(running.mix),
        (None, false) => None,
        (None, true) => {
            let recording = RecordingId(conference.chance.draw());
            conference.recording = Some(Recording::of(recording, cause.now_ms));
            conference.effect(Effect::OpenTap(recording, Track::Mix));
            conference.tell(cause, EventKind::RecordingStarted { recording });
            conference.say_for(Occasion::Recording, PartyId(0));
            Some(recording)
        }
        (Some(_), false) => conference.stop_recording(cause),
    };
    Done { recording, ..Done::default() }
}
