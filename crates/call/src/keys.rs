//! What somebody says by the keys of its telephone, as a verb: most keys mean one thing, and its
//! opposite where that is already so.

use model::command::{Hearers, Supervision, Target};
use model::{KeyVerb, PartyId, Refusal, Role, Verb};

use crate::conference::Conference;
use crate::party::{Aim, Microphone, Party, Stance};

/// What was typed after the keys of a verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// Nothing.
    Nothing,
    /// Whom to call.
    Target(Target),
    /// A place among the others, in the order in which they came: 1 is the first.
    Place(usize),
}

impl Conference {
    /// The verb that a party says by keys. Whether it may is judged as for any other.
    ///
    /// # Errors
    /// [`Refusal::NoSuchParty`] if nobody is who is meant, [`Refusal::BadTarget`] if something else
    /// was entered than the verb needs.
    pub fn verb_by_keys(
        &self,
        id: PartyId,
        said: KeyVerb,
        entered: Entered,
    ) -> Result<Verb, Refusal> {
        let own = self.party(id).ok_or(Refusal::NoSuchParty)?;
        let other = || match entered {
            Entered::Place(place) => self.other(id, place),
            Entered::Nothing | Entered::Target(_) => Err(Refusal::BadTarget),
        };
        let target = || match &entered {
            Entered::Target(target) => Ok(target.clone()),
            Entered::Nothing | Entered::Place(_) => Err(Refusal::BadTarget),
        };
        let stand = |mode| Verb::Stand { party: id, beside: self.to_follow(own), mode };
        Ok(match said {
            KeyVerb::Leave => Verb::Remove { party: id },
            KeyVerb::Mute => mute(own),
            KeyVerb::MuteOther => mute(other()?),
            KeyVerb::Hold => hold(own),
            KeyVerb::HoldOther => hold(other()?),
            KeyVerb::HoldCustomer => {
                let customer = self.parties.iter().find(|party| party.role == Role::Customer);
                hold(customer.ok_or(Refusal::NoSuchParty)?)
            }
            KeyVerb::RemoveOther => Verb::Remove { party: other()?.id },
            KeyVerb::SilenceOther => {
                let other = other()?;
                let party = other.id;
                match other.silenced_by.is_empty() {
                    true => Verb::Silence { party },
                    false => Verb::Unsilence { party },
                }
            }
            KeyVerb::Consult => Verb::Consult { party: id, target: target()?, room: None },
            KeyVerb::Swap => Verb::Swap { party: id },
            KeyVerb::Merge => Verb::Merge { party: id },
            KeyVerb::Complete => Verb::Complete { party: id },
            KeyVerb::Cancel => Verb::Cancel { party: id },
            KeyVerb::Invite => Verb::Invite { target: target()?, role: None },
            KeyVerb::Transfer => Verb::Transfer { party: id, target: target()? },
            KeyVerb::Whisper => {
                let to = match own.aim {
                    Aim::Whisper(_) => None,
                    Aim::Everybody | Aim::Pair(_) | Aim::Nobody => Some(Hearers::Ours),
                };
                Verb::Whisper { party: id, to }
            }
            KeyVerb::End => Verb::End,
            KeyVerb::Record => Verb::Record { on: self.recorder.running().is_none() },
            KeyVerb::Monitor => stand(Supervision::Monitor),
            KeyVerb::Coach => stand(Supervision::Coach(Hearers::Ours)),
            KeyVerb::Barge => Verb::Stand { party: id, beside: None, mode: Supervision::Barge },
        })
    }

    /// Beside whom a supervisor goes who stands in the room: the agent who has been in longest, or
    /// whoever has where there is none. None is where it stands.
    fn to_follow(&self, supervisor: &Party) -> Option<PartyId> {
        let others = || {
            let is_other = |party: &&Party| party.id != supervisor.id && party.is_counted();
            self.parties.iter().filter(is_other).filter(|party| party.is_connected())
        };
        match supervisor.stance {
            Stance::Beside(_) => None,
            Stance::Room | Stance::Aside(_) | Stance::Apart(_) => {
                let agent = others().find(|party| party.role.is_agent());
                agent.or_else(|| others().next()).map(|party| party.id)
            }
        }
    }

    /// Of all who are in or called but one, who stands in that place of the roster. Who only
    /// monitors has none.
    fn other(&self, but: PartyId, place: usize) -> Result<&Party, Refusal> {
        let known = |party: &Party| party.is_connected() || party.is_called();
        let is_other = |party: &&Party| party.id != but && party.is_counted() && known(party);
        let mut others = self.parties.iter().filter(is_other);
        let found = place.checked_sub(1).and_then(|before| others.nth(before));
        found.ok_or(Refusal::NoSuchParty)
    }
}

fn mute(party: &Party) -> Verb {
    let Party { id, microphone, .. } = *party;
    match microphone {
        Microphone::Open => Verb::Mute { party: id },
        Microphone::Muted => Verb::Unmute { party: id },
    }
}

fn hold(party: &Party) -> Verb {
    match party.hold() {
        None => Verb::Hold { party: party.id },
        Some(_) => Verb::Resume { party: party.id },
    }
}
