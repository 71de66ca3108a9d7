//! A text for the room, or for ours: an event for whoever follows it. What the server's own people
//! write goes to phones too, and so does a whisper, to those of ours; what else a phone writes does
//! not, since most phones would refuse it.

use model::command::{Hearers, Readers};
use model::{Author, EventKind, PartyId, Refusal};

use super::{Done, whisper};
use crate::conference::{Cause, Conference};
use crate::effect::Effect;
use crate::party::Party;

pub(crate) fn write(
    conference: &mut Conference,
    cause: Cause,
    to: Readers,
    text: String,
) -> Result<Done, Refusal> {
    if let Readers::Whisper(to) = &to {
        may_whisper(conference, cause.by, to)?;
    }
    let read_by = |party: &Party| match &to {
        Readers::Everybody => true,
        Readers::Party(whom) => party.id == *whom,
        Readers::Whisper(to) => is_whispered_to(to, party) && Author::Party(party.id) != cause.by,
    };
    let readers = conference.parties.iter().filter(|party| party.is_connected() && read_by(party));
    let legs: Vec<_> = readers.map(|party| party.leg).collect();
    if let (Readers::Party(_), true) = (&to, legs.is_empty()) {
        return Err(Refusal::NoSuchParty);
    }
    // What is whispered is for phones of ours; those can have it.
    let goes_to_phones = match (cause.by, &to) {
        (Author::Admin | Author::System, _) | (Author::Party(_), Readers::Whisper(_)) => true,
        (Author::Party(_), Readers::Everybody | Readers::Party(_)) => false,
    };
    for leg in legs.into_iter().filter(|_| goes_to_phones) {
        conference.effect(Effect::Text { leg, text: text.clone() });
    }
    let kind = match to {
        Readers::Everybody => EventKind::Text { to: None, text },
        Readers::Party(party) => EventKind::Text { to: Some(party), text },
        Readers::Whisper(to) => EventKind::WhisperText { to, text },
    };
    conference.tell(cause, kind);
    Ok(Done::default())
}

/// A whisper in writing is from ours to ours, as one by voice is.
fn may_whisper(conference: &Conference, by: Author, to: &Hearers) -> Result<(), Refusal> {
    let whisperer = match by {
        Author::Party(author) => {
            let author = conference.party(author).filter(|party| party.role.is_ours());
            author.ok_or(Refusal::NotAllowed)?.id
        }
        // Nobody has this id: all of ours can read what is whispered from outside the room.
        Author::Admin | Author::System => PartyId(0),
    };
    whisper::check(conference, whisperer, to)
}

fn is_whispered_to(to: &Hearers, party: &Party) -> bool {
    party.role.is_ours()
        && match to {
            Hearers::Ours => true,
            Hearers::Only(whom) => whom.contains(&party.id),
        }
}
