//! Keys that say verbs, by the map of the conference's profile.
//!
//! | typed so far | a key | what it means |
//! |---|---|---|
//! | keys of a sequence | one that ends it | its verb, or that a number follows |
//! | | one that goes on with it | not known yet |
//! | | any other | as many of the first ones as are in no sequence mean themselves |
//! | a number | a digit | one more |
//! | | `#` | the verb with that number |
//! | | `*` | the number is taken back; a second `*` is part of that |
//!
//! Where no key follows in time, those of a sequence mean themselves, and a number is given up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use call::{Entered, LegChange};
use model::command::Target;
use model::keys::{KEY_ENDS, KEY_TAKES_BACK, Needs};
use model::limits::{KEYED_NUMBER_LENGTH_MAX, KEYS_WAIT_MS};
use model::{KeyMap, KeyVerb, LegId, Refusal};
use sip::Agenda;

use crate::leg::Leg;
use crate::switchboard::Switchboard;

/// Keys that were pressed and do not say anything yet, by leg.
#[derive(Debug, Default)]
pub(crate) struct Keypads {
    typed: BTreeMap<LegId, Typed>,
    /// Until when a key may follow.
    ends: Agenda<LegId>,
}

impl Keypads {
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.ends.next().map(|(at, _)| at)
    }

    fn put(&mut self, leg: LegId, typed: Typed, until: Instant) {
        self.typed.insert(leg, typed);
        self.ends.set(leg, until);
    }

    fn take(&mut self, leg: LegId) -> Option<Typed> {
        self.ends.clear(leg);
        self.typed.remove(&leg)
    }

    /// Takes out what no key has followed in time.
    fn take_due(&mut self, now: Instant) -> Option<(LegId, Typed)> {
        let leg = self.ends.pop(now)?;
        self.typed.remove(&leg).map(|typed| (leg, typed))
    }
}

/// What somebody has typed and not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Typed {
    /// Keys that begin a sequence.
    Sequence(String),
    /// The keys of a verb, and this of what is to follow.
    Number(KeyVerb, String),
    /// A number was taken back by the key that came last.
    TakenBack,
    /// A PIN was typed, whose end may follow.
    Pin,
}

/// What keys say.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    /// They mean themselves.
    Keys(String),
    /// This verb, with this number.
    Verb(KeyVerb, String),
    /// What was to follow this verb is none.
    Unfinished(KeyVerb),
}

/// One more key.
fn press(map: &KeyMap, typed: Option<Typed>, key: char) -> (Option<Typed>, Vec<Said>) {
    match typed {
        Some(Typed::Pin) if key == KEY_ENDS => (None, Vec::new()),
        None | Some(Typed::Pin) => follow(map, String::new(), key),
        Some(Typed::Sequence(keys)) => follow(map, keys, key),
        Some(Typed::TakenBack) if key == KEY_TAKES_BACK => (None, Vec::new()),
        Some(Typed::TakenBack) => follow(map, KEY_TAKES_BACK.to_string(), key),
        Some(Typed::Number(verb, mut number)) => match key {
            KEY_TAKES_BACK => (Some(Typed::TakenBack), Vec::new()),
            KEY_ENDS => (None, vec![Said::Verb(verb, number)]),
            _ if number.len() == KEYED_NUMBER_LENGTH_MAX || !key.is_ascii_digit() => {
                (None, vec![Said::Unfinished(verb)])
            }
            _ => {
                number.push(key);
                (Some(Typed::Number(verb, number)), Vec::new())
            }
        },
    }
}

/// A key that may go on with a sequence.
fn follow(map: &KeyMap, mut keys: String, key: char) -> (Option<Typed>, Vec<Said>) {
    keys.push(key);
    let mut themselves = String::new();
    let (typed, verb) = loop {
        if keys.is_empty() {
            break (None, None);
        }
        match map.verb(&keys) {
            Some(verb) if verb.needs() == Needs::Nothing => {
                break (None, Some(Said::Verb(verb, String::new())));
            }
            Some(verb) => break (Some(Typed::Number(verb, String::new())), None),
            None if map.goes_on(&keys) => break (Some(Typed::Sequence(keys)), None),
            None => themselves.push(keys.remove(0)),
        }
    };
    let themselves = (!themselves.is_empty()).then_some(Said::Keys(themselves));
    (typed, [themselves, verb].into_iter().flatten().collect())
}

/// No key follows.
fn give_up(typed: Typed) -> Option<Said> {
    match typed {
        Typed::Sequence(keys) => Some(Said::Keys(keys)),
        Typed::Number(verb, _) => Some(Said::Unfinished(verb)),
        Typed::TakenBack | Typed::Pin => None,
    }
}

impl Switchboard {
    /// Whoever has typed a PIN may press the key that ends it.
    pub(crate) fn pin_was_typed(&mut self, now: Instant, leg: LegId) {
        let until = now + Duration::from_millis(KEYS_WAIT_MS.into());
        self.keypads.put(leg, Typed::Pin, until);
    }

    /// A key was pressed on a leg.
    pub(crate) fn pressed(&mut self, now: Instant, leg: LegId, key: char) {
        if self.pressed_in_lobby(now, leg, key) {
            return;
        }
        let Some(Leg { conference, .. }) = self.legs.get(&leg) else { return };
        let Some(found) = self.conferences.get(conference) else { return };
        let keys = &found.profile().keys;
        let until = now + Duration::from_millis(keys.wait_ms.into());
        let typed = self.keypads.take(leg);
        let (typed, said) = press(&keys.map, typed, key);
        if let Some(typed) = typed {
            self.keypads.put(leg, typed, until);
        }
        for said in said {
            self.said_by_keys(now, leg, said);
        }
    }

    /// Gives up what no key followed in time.
    pub(crate) fn keys_time_out(&mut self, now: Instant) {
        while let Some((leg, typed)) = self.keypads.take_due(now) {
            if let Some(said) = give_up(typed) {
                self.said_by_keys(now, leg, said);
            }
        }
    }

    fn said_by_keys(&mut self, now: Instant, leg: LegId, said: Said) {
        let Some(Leg { conference, .. }) = self.legs.get(&leg) else { return };
        let conference = *conference;
        let (verb, refusal) = match said {
            Said::Keys(keys) => {
                for key in keys.chars() {
                    self.leg_changed(now, conference, leg, LegChange::Digit(key));
                }
                self.relay(now, (conference, leg), &keys);
                return;
            }
            Said::Unfinished(verb) => (verb, Refusal::BadTarget),
            Said::Verb(verb, number) => match self.verb_by_keys(now, leg, verb, &number) {
                Ok(()) => return,
                Err(refusal) => (verb, refusal),
            },
        };
        *self.refusals.entry(refusal.code()).or_default() += 1;
        self.leg_changed(now, conference, leg, LegChange::KeysRefused(verb, refusal));
    }

    /// Carries out what a party says by its keys.
    fn verb_by_keys(
        &mut self,
        now: Instant,
        leg: LegId,
        verb: KeyVerb,
        number: &str,
    ) -> Result<(), Refusal> {
        let entered = match verb.needs() {
            Needs::Nothing => Entered::Nothing,
            Needs::Number if number.is_empty() => return Err(Refusal::BadTarget),
            Needs::Number => {
                let realm = &self.sip.access().realm;
                Entered::Target(Target::Address(format!("sip:{number}@{realm}")))
            }
            Needs::Place => Entered::Place(number.parse().map_err(|_| Refusal::NoSuchParty)?),
        };
        let Leg { conference, party, session, .. } = *self.legs.get(&leg).ok_or(Refusal::Busy)?;
        let session = session.ok_or(Refusal::WrongState)?;
        let found = self.conferences.get(&conference).ok_or(Refusal::NoSuchConference)?;
        let verb = found.verb_by_keys(party, verb, entered)?;
        self.command_by_phone(now, (conference, party, session), verb).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::keys::KEYS;

    fn map() -> KeyMap {
        let profile = call::shipped().into_iter().find(|one| one.name == "helpdesk3");
        profile.expect("it is shipped").keys.map
    }

    /// All that these keys say, pressed one by one; `.` is a wait until no key follows.
    fn said(keys: &str) -> Vec<Said> {
        let (map, mut typed, mut all) = (map(), None, Vec::new());
        for key in keys.chars() {
            if key == '.' {
                all.extend(typed.take().and_then(give_up));
                continue;
            }
            let (next, said) = press(&map, typed, key);
            typed = next;
            all.extend(said);
        }
        assert_eq!(typed, None, "{keys}");
        all
    }

    fn verb(verb: KeyVerb, number: &str) -> Said {
        Said::Verb(verb, number.to_owned())
    }

    fn plain(keys: &str) -> Said {
        Said::Keys(keys.to_owned())
    }

    #[test]
    fn every_sequence_says_its_verb_as_soon_as_it_is_typed() {
        for (keys, said_by) in map().iter() {
            let (number, end) = match said_by.needs() {
                Needs::Nothing => ("", ""),
                Needs::Number | Needs::Place => ("17", "#"),
            };
            assert_eq!(said(&format!("{keys}{number}{end}")), [verb(said_by, number)]);
        }
    }

    #[test]
    fn keys_in_no_sequence_mean_themselves() {
        assert_eq!(said("5"), [plain("5")]);
        assert_eq!(said("4*1"), [plain("4"), verb(KeyVerb::Mute, "")]);
        assert_eq!(said("*85"), [plain("*85")]);
        assert_eq!(said("*."), [plain("*")]);
        // The second one begins another.
        assert_eq!(said("*8*1"), [plain("*8"), verb(KeyVerb::Mute, "")]);
    }

    #[test]
    fn a_number_is_taken_back_given_up_or_too_long() {
        let consult = Said::Unfinished(KeyVerb::Consult);
        assert_eq!(said("*312**"), []);
        assert_eq!(said("*312*."), []);
        assert_eq!(said("*312*1"), [verb(KeyVerb::Mute, "")]);
        assert_eq!(said("*312."), std::slice::from_ref(&consult));
        assert_eq!(said("*3A"), std::slice::from_ref(&consult));
        let longest = "7".repeat(KEYED_NUMBER_LENGTH_MAX);
        assert_eq!(said(&format!("*3{longest}#")), [verb(KeyVerb::Consult, &longest)]);
        assert_eq!(said(&format!("*3{longest}7")), [consult]);
    }

    #[test]
    fn whatever_is_pressed_is_said_or_waits() {
        let (map, mut chance) = (map(), model::Chance::new(5));
        for _ in 0..2_000 {
            let mut typed = None;
            let (mut pressed, mut plain) = (0, 0);
            for _ in 0..1 + chance.draw() % 40 {
                let key = KEYS.as_bytes()[(chance.draw() % KEYS.len() as u64) as usize] as char;
                pressed += 1;
                let (next, said) = press(&map, typed, key);
                typed = next;
                plain += said
                    .iter()
                    .map(|said| match said {
                        Said::Keys(keys) => keys.len(),
                        Said::Verb(..) | Said::Unfinished(_) => 0,
                    })
                    .sum::<usize>();
                match &typed {
                    Some(Typed::Sequence(keys)) => assert!(map.goes_on(keys)),
                    Some(Typed::Number(_, number)) => {
                        assert!(number.len() <= KEYED_NUMBER_LENGTH_MAX);
                    }
                    Some(Typed::TakenBack | Typed::Pin) | None => {}
                }
            }
            assert!(plain <= pressed);
        }
    }
}
