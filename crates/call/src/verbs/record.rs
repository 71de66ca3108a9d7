//! Recording starts and stops.

use model::profile::Occasion;
use model::{EventKind, PartyId, RecordingId, Track};

use super::Done;
use crate::conference::{Cause, Conference};
use crate::effect::Effect;
use crate::recording::{Recorder, Recording};

pub(crate) fn record(conference: &mut Conference, cause: Cause, on: bool) -> Done {
    let recording = match (&conference.recorder, on) {
        (Recorder::Runs(running), true) => Some(running.mix),
        (Recorder::Off | Recorder::WaitsForAgent, true) => {
            let recording = RecordingId(conference.chance.draw());
            conference.recorder = Recorder::Runs(Recording::of(recording, cause.now_ms));
            conference.effect(Effect::OpenTap(recording, Track::Mix));
            conference.tell(cause, EventKind::RecordingStarted { recording });
            conference.say_for(Occasion::Recording, PartyId(0));
            Some(recording)
        }
        (Recorder::Off | Recorder::WaitsForAgent | Recorder::Runs(_), false) => {
            conference.stop_recording(cause)
        }
    };
    Done { recording, ..Done::default() }
}
