//! The conference ends for all.

use model::{LeaveReason, PartyId};

use super::Done;
use crate::conference::{Cause, Conference, Life};

pub(crate) fn end(conference: &mut Conference, cause: Cause) -> Done {
    conference.life = Life::Ending;
    let parties: Vec<PartyId> = conference.parties.iter().map(|party| party.id).collect();
    for party in parties {
        conference.hang_up(cause, party, LeaveReason::Ended);
    }
    let recording = conference.stop_recording(cause);
    conference.close(cause);
    Done { recording, ..Done::default() }
}
