//! A party's voice goes out of the room and comes back.

use model::{EventKind, PartyId};

use super::Done;
use crate::conference::{Cause, Conference};
use crate::party::Microphone;

pub(crate) fn mute(conference: &mut Conference, cause: Cause, party: PartyId) -> Done {
    turn(conference, cause, party, Microphone::Muted)
}

pub(crate) fn unmute(conference: &mut Conference, cause: Cause, party: PartyId) -> Done {
    turn(conference, cause, party, Microphone::Open)
}

fn turn(conference: &mut Conference, cause: Cause, id: PartyId, wished: Microphone) -> Done {
    let party = conference.party_mut(id);
    if party.microphone != wished {
        party.microphone = wished;
        let kind = match wished {
            Microphone::Muted => EventKind::Muted { party: id },
            Microphone::Open => EventKind::Unmuted { party: id },
        };
        conference.tell(cause, kind);
    }
    Done::party(id)
}
