//! The conference ends for all.

use model::{EventKind, LeaveReason, PartyId};

use super::Done;
use crate::conference::{Cause, Conference, Life};
use crate::effect::Effect;

pub(crate) fn end(conference: &mut Conference, cause: Cause) -> Done {
    conference.life = Life::Ending;
    let parties: Vec<PartyId> = conference.parties.iter().map(|party| party.id).collect();
    for party in parties {
        conference.hang_up(cause, party, LeaveReason::Ended);
    }
    let recording = conference.recording.take();
    if let Some(recording) = recording {
        conference.effect(Effect::CloseTap(recording));
        conference.tell(cause, EventKind::RecordingStopped { recording });
    }
    conference.close(cause);
    Done { recording, ..Done::default() }
}
