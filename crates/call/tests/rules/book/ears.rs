//! Who hears whom, said party by party.

use std::collections::BTreeSet;

use model::command::{Hearers, Readers};
use model::profile::{Alone, HoldPath};
use model::{AnnouncementId, Author, PartyId};

use super::{At, Book, Line, Person, Says};

/// What somebody hears.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) voices: BTreeSet<PartyId>,
    /// By the book's own numbers.
    pub(crate) prompts: BTreeSet<AnnouncementId>,
    pub(crate) music: bool,
}

impl Book {
    /// Whose phones show what somebody writes: what the server's own people write, and whispers,
    /// which are for ours alone.
    pub(crate) fn shown_to(&self, by: Author, to: &Readers) -> BTreeSet<PartyId> {
        let from_phone = matches!(by, Author::Party(_));
        let reads = |person: &Person| match to {
            Readers::Everybody => !from_phone,
            Readers::Party(whom) => !from_phone && person.id == *whom,
            Readers::Whisper(hearers) => {
                let meant = match hearers {
                    Hearers::Ours => true,
                    Hearers::Only(whom) => whom.contains(&person.id),
                };
                meant && person.role.is_ours() && by != Author::Party(person.id)
            }
        };
        self.ids(|person| person.is_up() && reads(person)).into_iter().collect()
    }

    /// What a party hears.
    pub(crate) fn hears(&self, listener: &Person) -> Heard {
        if !listener.is_up() {
            return Heard::default();
        }
        let heard = |speaker: &&Person| self.hears_voice(listener, speaker);
        let voices = self.people.iter().filter(heard).map(|speaker| speaker.id).collect();
        let prompts = self.said.iter().filter(|one| one.sounds && one.to.contains(&listener.id));
        let prompts: BTreeSet<AnnouncementId> = prompts.map(|one| one.id).collect();
        // A prompt is said in place of the music.
        let music = self.hears_music(listener) && prompts.is_empty();
        Heard { voices, prompts, music }
    }

    /// Who is in the recording: it stands in the room, and is none of ours.
    pub(crate) fn recorded(&self) -> BTreeSet<PartyId> {
        let is_recorded = |person: &&Person| {
            let there = match person.at {
                At::Room => true,
                At::Aside(_) => self.rules.recording.consultations,
                At::Apart(_) | At::Beside(_) => false,
            };
            self.records && there && *self.says(person) == Says::ToAll && has_voice(person)
        };
        self.people.iter().filter(is_recorded).map(|person| person.id).collect()
    }

    /// Whether a track of this one's whispers holds what it says now.
    pub(crate) fn is_whisper_kept(&self, person: &Person) -> bool {
        let whispers = matches!(person.says, Says::Whispers(_));
        whispers && has_voice(person) && self.is_kept_where(person)
    }

    fn is_kept_where(&self, person: &Person) -> bool {
        match person.at {
            At::Room => true,
            At::Aside(_) => self.rules.recording.consultations,
            At::Apart(_) => false,
            At::Beside(whom) => self.find(whom).is_some_and(|whom| self.is_kept_where(whom)),
        }
    }

    /// Who has somebody called hears it ring, if it can hear anything.
    fn hears_ringing(&self, listener: &Person, called: &Person) -> bool {
        let rings = matches!(called.line, Line::Rings | Line::Early);
        let listens = listener.is_up() && !listener.own_hold && listener.waits().is_none();
        rings && listens && called.brought_by == Some(listener.id)
    }

    fn hears_voice(&self, listener: &Person, speaker: &Person) -> bool {
        if speaker.line == Line::Early {
            return self.hears_ringing(listener, speaker);
        }
        let may = listener.is_up() && !listener.own_hold && has_voice(speaker);
        if !may || listener.id == speaker.id {
            return false;
        }
        let together = self.place(listener) == self.place(speaker);
        let ours = listener.role.is_ours();
        let directly = match self.says(speaker) {
            Says::Nothing => return false,
            Says::ToAll => {
                listener.counts()
                    && speaker.counts()
                    && (together || self.on_path(listener, speaker))
            }
            Says::Whispers(Hearers::Ours) => ours && together,
            Says::Whispers(Hearers::Only(whom)) => ours && together && whom.contains(&listener.id),
            Says::ToOne(with) => together && *with == listener.id,
        };
        let At::Beside(whom) = listener.at else { return directly };
        // Who follows somebody hears that one, and what that one's ears would hear.
        let follows = self.find(whom).is_some_and(|whom| {
            let ears = Person { own_hold: false, ..whom.clone() };
            whom.id == speaker.id || self.hears_voice(&ears, speaker)
        });
        directly || follows
    }

    /// Who consults speaks with whom it consults, though it is paired with somebody elsewhere.
    fn says<'p>(&self, person: &'p Person) -> &'p Says {
        match (&person.says, person.at) {
            (Says::ToOne(with), At::Aside(_)) if !self.is_at(*with, person.at) => &Says::ToAll,
            (says, _) => says,
        }
    }

    fn hears_music(&self, listener: &Person) -> bool {
        match listener.at {
            _ if listener.own_hold => true,
            At::Apart(_) => {
                let talks = |other: &Person| other.is_up() && self.on_path(listener, other);
                !self.people.iter().any(talks)
            }
            At::Beside(whom) => self.find(whom).is_some_and(|whom| self.hears_music(whom)),
            At::Room | At::Aside(_) => {
                let there = |person: &&Person| {
                    person.is_up() && person.at == listener.at && !person.own_hold
                };
                let alone = self.people.iter().filter(there).count() == 1;
                let calls = self.people.iter().any(|one| self.hears_ringing(listener, one));
                alone
                    && !calls
                    && !listener.role.is_ours()
                    && self.rules.holding.alone == Alone::Music
            }
        }
    }

    /// Two have the same place who are together.
    fn place(&self, person: &Person) -> String {
        match person.at {
            At::Room => "room".into(),
            At::Aside(agent) => format!("aside {agent}"),
            At::Apart(_) => format!("apart {}", person.id),
            At::Beside(whom) => self.find(whom).map_or_else(String::new, |whom| self.place(whom)),
        }
    }

    /// A hold can leave one of ours a path to who placed it.
    fn on_path(&self, one: &Person, other: &Person) -> bool {
        let held_by = |held: &Person, placer: &Person| {
            let asked = held
                .waits()
                .is_some_and(|wait| wait.talk.is_none() && wait.by == Author::Party(placer.id));
            asked && held.role.is_ours() && placer.at == At::Room && placer.id != held.id
        };
        self.rules.holding.path == HoldPath::Placer && (held_by(one, other) || held_by(other, one))
    }
}

fn has_voice(person: &Person) -> bool {
    person.is_up() && !person.own_hold && !person.muted && person.silenced_by.is_empty()
}
