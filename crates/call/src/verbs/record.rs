//! Recording starts and stops.

use model::profile::Occasion;
use model::{EventKind, PartyId, RecordingId};

use super::Done;
use crate::conference::{Cause, Conference};
use crate::effect::Effect;

pub(crate) fn record(conference: &mut Conference, cause: Cause, on: bool) -> Done {
    let recording = match (conference.recording, on) {
        (Some(running), true) => Some(running),
        (None, false) => None,
        (None, true) => {
            let recording = RecordingId(conference.chance.draw());
            conference.recording = Some(recording);
            conference.effect(Effect::OpenTap(recording));
            conference.tell(cause, EventKind::RecordingStarted { recording });
            conference.say_for(Occasion::Recording, PartyId(0));
            Some(recording)
        }
        (Some(recording), false) => {
            conference.recording = None;
            conference.effect(Effect::CloseTap(recording));
            conference.tell(cause, EventKind::RecordingStopped { recording });
            Some(recording)
        }
    };
    Done { recording, ..Done::default() }
}
