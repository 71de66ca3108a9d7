//! Prompts that are said: when, to whom, and one after the other for each who hears them.

use std::collections::BTreeSet;

use model::limits::ANNOUNCEMENTS_PER_CONFERENCE_MAX;
use model::profile::{HeardBy, Occasion, Prompted};
use model::{AnnouncementId, EventKind, PartyId, PromptName, Refusal, Role};

use crate::conference::{Cause, Conference};
use crate::effect::Effect;
use crate::party::{Party, Stance};

/// A prompt that is said, or waits until those who are to hear it have heard others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Its id.
    pub id: AnnouncementId,
    /// What is said.
    pub prompt: PromptName,
    /// Who hears it, of those who were in when it was asked for.
    pub to: BTreeSet<PartyId>,
    /// Whether recordings hold it.
    pub recorded: bool,
    /// What it is said for.
    pub purpose: Purpose,
    /// How far it has come.
    pub saying: Saying,
}

/// What an announcement is said for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Something has happened, and the profile has it said then.
    Occasion(Occasion),
    /// Keys of whoever hears it were refused.
    Refusal,
    /// Somebody wished it.
    Wish,
}

/// How far an announcement has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saying {
    /// Somebody of those who are to hear it still hears another one.
    Waits,
    /// It is heard.
    Sounds,
}

/// What is to be said.
pub(crate) struct Wanted {
    pub(crate) prompt: PromptName,
    pub(crate) to: BTreeSet<PartyId>,
    pub(crate) recorded: bool,
    pub(crate) purpose: Purpose,
}

impl Conference {
    /// Something happens to a party: what the profile has said for that is said. Beyond what can be
    /// said at once nothing is.
    pub(crate) fn say_for(&mut self, occasion: Occasion, party: PartyId) {
        let rows = self.rules.profile.prompted.iter();
        let wanted: Vec<Wanted> = rows
            .filter(|row| row.when == occasion)
            .map(|Prompted { play, to, recorded, .. }| Wanted {
                prompt: play.clone(),
                to: self.hearers(*to, party),
                recorded: *recorded,
                purpose: Purpose::Occasion(occasion),
            })
            .collect();
        for wanted in wanted {
            self.announce(wanted);
        }
    }

    /// Recording goes on: who has just come in is told what the others were told.
    pub(crate) fn say_that_it_is_recorded(&mut self, party: PartyId) {
        let rows = self.rules.profile.prompted.iter();
        let wanted: Vec<Wanted> = rows
            .filter(|row| row.when == Occasion::Recording)
            .filter(|row| self.hearers(row.to, party).contains(&party))
            .map(|Prompted { play, recorded, .. }| Wanted {
                prompt: play.clone(),
                to: BTreeSet::from([party]),
                recorded: *recorded,
                purpose: Purpose::Occasion(Occasion::Recording),
            })
            .collect();
        for wanted in wanted {
            self.announce(wanted);
        }
    }

    /// Keys of a party are refused: it is told so, and nobody else. Of several the last counts.
    pub(crate) fn say_that_keys_are_refused(
        &mut self,
        cause: Cause,
        party: PartyId,
        refusal: Refusal,
    ) {
        let Some(prompt) = self.rules.profile.keys.refused.prompt(refusal) else { return };
        self.say_no_more(cause, Purpose::Refusal, party);
        let (to, purpose) = (BTreeSet::from([party]), Purpose::Refusal);
        self.announce(Wanted { prompt, to, recorded: false, purpose });
    }

    /// Whether a prompt for that occasion is not said to its end.
    pub(crate) fn is_saying_for(&self, occasion: Occasion) -> bool {
        let is_for = |said: &Announcement| said.purpose == Purpose::Occasion(occasion);
        self.announcements.iter().any(is_for)
    }

    /// Lets a prompt be said; none if nobody would hear it, or too much is said already. What waits
    /// to be said to the same people for the same occasion is said once: who comes and goes
    /// quickly would have them listen to old news for long.
    pub(crate) fn announce(&mut self, wanted: Wanted) -> Option<AnnouncementId> {
        let Wanted { prompt, to, recorded, purpose } = wanted;
        let waits = self.announcements.iter().find(|one| {
            one.saying == Saying::Waits
                && (&one.prompt, one.purpose, one.recorded) == (&prompt, purpose, recorded)
                && one.to.is_superset(&to)
        });
        if let (Purpose::Occasion(_), Some(waits)) = (purpose, waits) {
            return Some(waits.id);
        }
        if to.is_empty() || self.announcements.len() == ANNOUNCEMENTS_PER_CONFERENCE_MAX {
            return None;
        }
        let id = AnnouncementId(self.chance.draw());
        let saying = Saying::Waits;
        self.announcements.push(Announcement { id, prompt, to, recorded, purpose, saying });
        Some(id)
    }

    /// Whom a prompt about a party is for.
    pub(crate) fn hearers(&self, heard_by: HeardBy, about: PartyId) -> BTreeSet<PartyId> {
        let is_meant = |party: &&Party| match heard_by {
            HeardBy::Party => party.id == about,
            HeardBy::Others => party.id != about && party.stance == Stance::Room,
            HeardBy::Customer => party.role == Role::Customer,
            HeardBy::Everybody => true,
        };
        let present = self.parties.iter().filter(|party| party.is_connected());
        let counted = present.filter(|party| party.is_counted());
        counted.filter(is_meant).map(|party| party.id).collect()
    }

    /// An announcement has come to its end.
    pub(crate) fn announced(&mut self, cause: Cause, id: AnnouncementId) -> bool {
        let Some(at) = self.announcements.iter().position(|one| one.id == id) else { return false };
        let announcement = self.announcements.remove(at);
        if announcement.saying == Saying::Sounds {
            self.effect(Effect::StopPlaying(id));
            let Announcement { id: announcement, to, .. } = announcement;
            self.tell(cause, EventKind::AnnouncementEnded { announcement, to });
        }
        true
    }

    /// What was said for something that is over is of no use any more.
    pub(crate) fn say_no_more(&mut self, cause: Cause, purpose: Purpose, party: PartyId) {
        let is_over = |one: &&Announcement| one.purpose == purpose && one.to.iter().eq([&party]);
        let over: Vec<_> = self.announcements.iter().filter(is_over).map(|one| one.id).collect();
        for id in over {
            self.announced(cause, id);
        }
    }

    /// What nobody hears any more is over; what nothing stands in the way of begins.
    pub(crate) fn settle_announcements(&mut self, cause: Cause) {
        let present: BTreeSet<PartyId> = match self.announcements.is_empty() {
            true => return,
            false => self.parties.iter().filter(|p| p.is_connected()).map(|p| p.id).collect(),
        };
        let unheard = |one: &&Announcement| one.to.is_disjoint(&present);
        let over: Vec<_> = self.announcements.iter().filter(unheard).map(|one| one.id).collect();
        for id in over {
            self.announced(cause, id);
        }
        for at in 0..self.announcements.len() {
            let (before, rest) = self.announcements.split_at_mut(at);
            let Some(one) = rest.first_mut() else { break };
            let is_free = before.iter().all(|earlier| earlier.to.is_disjoint(&one.to));
            if one.saying == Saying::Waits && is_free {
                one.saying = Saying::Sounds;
                let Announcement { id: announcement, prompt, to, .. } = one.clone();
                self.effect(Effect::Play { announcement, prompt: prompt.clone() });
                self.tell(cause, EventKind::AnnouncementStarted { announcement, prompt, to });
            }
        }
    }
}
