//! A prompt is said because somebody wishes it, or is not said any more.

use std::collections::BTreeSet;

use model::profile::HeardBy;
use model::{AnnouncementId, PartyId, PromptName, Refusal};

use super::Done;
use crate::announcement::{Purpose, Wanted};
use crate::conference::{Cause, Conference};

pub(crate) fn play(
    conference: &mut Conference,
    prompt: PromptName,
    to: Option<PartyId>,
) -> Result<Done, Refusal> {
    let to = match to.map(|id| (id, conference.party(id).map(|party| party.is_connected()))) {
        Some((_, None)) => return Err(Refusal::NoSuchParty),
        Some((_, Some(false))) => return Err(Refusal::WrongState),
        Some((party, Some(true))) => BTreeSet::from([party]),
        // Whom it is about says nothing where it is for everybody.
        None => conference.hearers(HeardBy::Everybody, PartyId(0)),
    };
    if to.is_empty() {
        return Err(Refusal::NobodyToHear);
    }
    let wanted = Wanted { prompt, to, recorded: false, purpose: Purpose::Wish };
    let announcement = conference.announce(wanted).ok_or(Refusal::LimitReached)?;
    Ok(Done { announcement: Some(announcement), ..Done::default() })
}

pub(crate) fn stop_playing(
    conference: &mut Conference,
    cause: Cause,
    announcement: AnnouncementId,
) -> Result<Done, Refusal> {
    match conference.announced(cause, announcement) {
        true => Ok(Done { announcement: Some(announcement), ..Done::default() }),
        false => Err(Refusal::NoSuchAnnouncement),
    }
}
