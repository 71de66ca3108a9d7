//! A party's voice goes out of the room and comes back, in two layers. Its own: whoever the profile
//! lets may take it out, and the party brings it back. The other: who may supervise takes it out,
//! and the party cannot bring it back.
//!
//! Several may have taken it out. It is one silence: whoever may lift it lifts it for all, as the
//! party is asked to speak now. But it does not end because one of them leaves while another stays.

use model::{Author, EventKind, PartyId, Refusal};

use super::Done;
use crate::conference::{Cause, Conference};
use crate::party::Microphone;

pub(crate) fn mute(conference: &mut Conference, cause: Cause, party: PartyId) -> Done {
    turn(conference, cause, party, Microphone::Muted)
}

pub(crate) fn unmute(
    conference: &mut Conference,
    cause: Cause,
    party: PartyId,
) -> Result<Done, Refusal> {
    if !conference.party_mut(party).silenced_by.is_empty() {
        return Err(Refusal::Silenced);
    }
    Ok(turn(conference, cause, party, Microphone::Open))
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

pub(crate) fn silence(conference: &mut Conference, cause: Cause, id: PartyId) -> Done {
    let silenced_by = &mut conference.party_mut(id).silenced_by;
    let is_first = silenced_by.is_empty();
    silenced_by.insert(cause.by);
    if is_first {
        conference.tell(cause, EventKind::Silenced { party: id });
    }
    Done::party(id)
}

pub(crate) fn unsilence(conference: &mut Conference, cause: Cause, id: PartyId) -> Done {
    if !std::mem::take(&mut conference.party_mut(id).silenced_by).is_empty() {
        conference.tell(cause, EventKind::Unsilenced { party: id });
    }
    Done::party(id)
}

/// Somebody who may have taken it out has left.
pub(crate) fn silence_without(
    conference: &mut Conference,
    cause: Cause,
    id: PartyId,
    gone: Author,
) {
    let silenced_by = &mut conference.party_mut(id).silenced_by;
    if silenced_by.remove(&gone) && silenced_by.is_empty() {
        conference.tell(cause, EventKind::Unsilenced { party: id });
    }
}
