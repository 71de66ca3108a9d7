//! A party goes, by its own wish or another's.

use model::{Author, LeaveReason, PartyId};

use super::Done;
use crate::conference::{Cause, Conference};

pub(crate) fn remove(conference: &mut Conference, cause: Cause, id: PartyId) -> Done {
    let reason = match cause.by {
        Author::Party(author) if author == id => LeaveReason::Left,
        Author::Party(_) | Author::Admin | Author::System => LeaveReason::Removed,
    };
    conference.hang_up(cause, id, reason);
    Done::party(id)
}
