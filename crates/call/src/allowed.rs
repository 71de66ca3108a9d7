//! What somebody may do at this moment: each command is tried on a copy of the conference. So there
//! is no second table that could say something else than the command would be answered.

use model::command::{Hearers, Readers, Supervision, Target};
use model::{
    Action, Allowed, AllowedTo, Author, CommandId, PartyId, PromptName, Refusal, Role, Verb,
    Verdict,
};

use crate::conference::Conference;
use crate::limits::ALLOWED_PARTIES_MAX;
use crate::party::{Aim, Party, Stance};
use crate::policy;

/// Somebody who could be called: whoever it is, the rules are the same.
const ANYBODY: &str = "sip:anybody@anonymous.invalid";

/// Something that could be said: whatever it is, the rules are the same.
const ANYTHING: &str = "anything";

impl Conference {
    /// What an author may do here: with the conference, and with one party or with each of the
    /// first 32 of them, the customer before the others.
    pub fn allowed(&self, now_ms: u64, by: Author, whom: Option<PartyId>) -> Allowed {
        let verdict =
            |verb: Verb| Verdict::new(verb.action(), self.would_be_answered(now_ms, by, verb));
        let mut parties: Vec<&Party> = self.parties.iter().collect();
        parties.sort_by_key(|party| party.role != Role::Customer);
        parties.retain(|party| whom.is_none_or(|whom| whom == party.id));
        parties.truncate(ALLOWED_PARTIES_MAX);
        let to = |party: &Party| AllowedTo {
            party: party.id,
            actions: Action::ALL
                .into_iter()
                .filter_map(|action| self.verb_to(action, by, party))
                .map(verdict)
                .collect(),
        };
        let of_all = Action::ALL.into_iter().filter_map(|action| self.verb_of_all(action));
        Allowed {
            conference: of_all.map(verdict).collect(),
            parties: parties.into_iter().map(to).collect(),
        }
    }

    fn would_be_answered(&self, now_ms: u64, by: Author, verb: Verb) -> Result<(), Refusal> {
        // What the table forbids need not be tried.
        policy::judge(self.profile(), by, &verb, &self.parties)?;
        self.clone().command(now_ms, CommandId(0), by, verb).map(|_| ())
    }

    /// What an action means for the conference as a whole; none where it means somebody in it, or
    /// is a phone's to do.
    fn verb_of_all(&self, action: Action) -> Option<Verb> {
        let target = || Target::Address(ANYBODY.to_owned());
        let beside = self.parties.iter().find(|party| party.is_connected() && party.is_counted());
        Some(match action {
            Action::Invite => Verb::Invite { target: target(), role: None },
            Action::Supervise => {
                Verb::Supervise { target: target(), beside: beside?.id, mode: Supervision::Monitor }
            }
            Action::Play => Verb::Play { prompt: PromptName::parse(ANYTHING).ok()?, to: None },
            Action::Write => Verb::Write { to: Readers::Everybody, text: String::new() },
            Action::End => Verb::End,
            Action::Record => Verb::Record { on: self.recorder.running().is_none() },
            Action::Enter
            | Action::Consult
            | Action::Swap
            | Action::Merge
            | Action::Complete
            | Action::Cancel
            | Action::Transfer
            | Action::TakeOver
            | Action::Mute
            | Action::Unmute
            | Action::Silence
            | Action::Unsilence
            | Action::Hold
            | Action::Resume
            | Action::Remove
            | Action::Whisper
            | Action::Pair
            | Action::Stand
            | Action::SendDigits
            | Action::Appoint => return None,
        })
    }

    /// What an action means for a party.
    fn verb_to(&self, action: Action, by: Author, whom: &Party) -> Option<Verb> {
        let party = whom.id;
        let target = || Target::Address(ANYBODY.to_owned());
        Some(match action {
            Action::Consult => Verb::Consult { party, target: target(), room: None },
            Action::Swap => Verb::Swap { party },
            Action::Merge => Verb::Merge { party },
            Action::Complete => Verb::Complete { party },
            Action::Cancel => Verb::Cancel { party },
            Action::Transfer => Verb::Transfer { party, target: target() },
            Action::Mute => Verb::Mute { party },
            Action::Unmute => Verb::Unmute { party },
            Action::Silence => Verb::Silence { party },
            Action::Unsilence => Verb::Unsilence { party },
            Action::Hold => Verb::Hold { party },
            Action::Resume => Verb::Resume { party },
            Action::Remove => Verb::Remove { party },
            Action::Whisper => Verb::Whisper { party, to: Some(Hearers::Ours) },
            Action::Pair => Verb::Pair { party, with: self.partner_for(by, whom) },
            Action::Stand => {
                let mode = match whom.stance {
                    Stance::Beside(_) => Supervision::Barge,
                    Stance::Room | Stance::Aside(_) | Stance::Apart(_) => Supervision::Monitor,
                };
                Verb::Stand { party, beside: self.followed_by(whom), mode }
            }
            Action::Appoint => Verb::Appoint { party, role: whom.role },
            Action::SendDigits => Verb::SendDigits { party, digits: "0".parse().ok()? },
            Action::Enter
            | Action::Invite
            | Action::TakeOver
            | Action::Supervise
            | Action::Play
            | Action::Write
            | Action::End
            | Action::Record => return None,
        })
    }

    /// With whom a party would be paired: with who asks, else with anybody; none ends a pair.
    fn partner_for(&self, by: Author, whom: &Party) -> Option<PartyId> {
        if let Aim::Pair(_) = whom.aim {
            return None;
        }
        let asks = |party: &Party| by == Author::Party(party.id);
        let other =
            |party: &&Party| party.id != whom.id && party.is_connected() && party.is_counted();
        let mut others = self.parties.iter().filter(other);
        let found = others.clone().find(|party| asks(party)).or_else(|| others.next());
        found.map(|party| party.id)
    }

    /// Beside whom a supervisor would stand: where it does, else beside anybody.
    fn followed_by(&self, whom: &Party) -> Option<PartyId> {
        match whom.stance {
            Stance::Beside(_) => None,
            Stance::Room | Stance::Aside(_) | Stance::Apart(_) => {
                let other = |party: &&Party| {
                    party.id != whom.id && party.is_connected() && party.is_counted()
                };
                self.parties.iter().find(other).map(|party| party.id)
            }
        }
    }
}
