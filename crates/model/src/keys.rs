//! Which keys of a telephone say which verb.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::limits::{DIGITS_MAX, KEY_SEQUENCE_LENGTH_MAX, KEY_SEQUENCES_MAX, KEYS_WAIT_MS};
use crate::prompt::PromptName;
use crate::refusal::Refusal;
use crate::role::Relation;

/// The sixteen keys (ITU-T Q.23), four of which few telephones have.
pub const KEYS: &str = "0123456789*#ABCD";

/// The key that ends a number.
pub const KEY_ENDS: char = '#';

/// The key that takes back what was typed of a number.
pub const KEY_TAKES_BACK: char = '*';

/// Keys to be pressed, 1 to [`DIGITS_MAX`]. They may be a secret, so no picture shows them.
#[derive(Clone, PartialEq, Eq)]
pub struct Digits(String);

impl Digits {
    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// One after the other.
    pub fn keys(&self) -> impl Iterator<Item = char> {
        self.0.chars()
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.count())
    }
}

impl FromStr for Digits {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Digits, Refusal> {
        let keys = text.to_ascii_uppercase();
        match (1..=DIGITS_MAX).contains(&keys.len()) && keys.chars().all(|key| KEYS.contains(key)) {
            true => Ok(Digits(keys)),
            false => Err(Refusal::BadDigits),
        }
    }
}

/// What keys mean in a conference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// Longest time between two keys that belong together \[ms\].
    pub wait_ms: u32,
    /// Who gets those that say nothing, pressed anew at its own leg.
    pub relay: Relay,
    /// How whoever presses keys hears that they are refused. Nobody else does, and no recording.
    pub refused: RefusedBy,
    /// Which keys say which verb.
    pub map: KeyMap,
}

impl Default for Keys {
    fn default() -> Keys {
        let (relay, refused) = (Relay::default(), RefusedBy::default());
        Keys { wait_ms: KEYS_WAIT_MS, relay, refused, map: KeyMap::default() }
    }
}

/// Who gets the keys that say nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relay {
    /// Nobody.
    #[default]
    Nobody,
    /// Whoever hears who presses them.
    Hearers,
}

/// How somebody hears that its keys are refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedBy {
    /// By a short tone.
    #[default]
    Tone,
    /// By words that say why.
    Words,
    /// Not at all.
    Nothing,
}

impl RefusedBy {
    /// The prompt that tells of a refusal, if one does.
    pub fn prompt(self, refusal: Refusal) -> Option<PromptName> {
        let name = match self {
            RefusedBy::Tone => PromptName::REFUSED,
            RefusedBy::Words => refusal.prompt(),
            RefusedBy::Nothing => return None,
        };
        Some(PromptName::parse(name).expect("each is a name, which a test of this asserts"))
    }
}

/// What somebody says by keys, about itself where it is not said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeyVerb {
    /// It leaves.
    Leave,
    /// Its voice goes out; again: it comes back.
    Mute,
    /// It is set apart; again: it comes back.
    Hold,
    /// The customer is set apart; again: it comes back.
    HoldCustomer,
    /// It consults with a number.
    Consult,
    /// Who is talked with and who waits change places.
    Swap,
    /// All who consult and wait stand together.
    Merge,
    /// It leaves the consulted one in its place.
    Complete,
    /// The consulted one is let go.
    Cancel,
    /// A number is called in.
    Invite,
    /// Its seat passes to a number.
    Transfer,
    /// It speaks to ours only; again: to everybody.
    Whisper,
    /// The conference ends for all.
    End,
    /// Recording starts; again: it stops.
    Record,
    /// Of the others, the one in this place of the roster loses its voice; again: it comes back.
    MuteOther,
    /// The same one is set apart; again: it comes back.
    HoldOther,
    /// The same one is let go.
    RemoveOther,
    /// The same one loses its voice until it is given back; again: it is.
    SilenceOther,
    /// A supervisor listens.
    Monitor,
    /// A supervisor is heard by ours.
    Coach,
    /// A supervisor stands in the room.
    Barge,
}

/// What is typed after the keys of a verb, up to [`KEY_ENDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: not even the end.
    Nothing,
    /// The number to call.
    Number,
    /// A place among the others, in the order in which they came: 1 is the first.
    Place,
}

impl KeyVerb {
    /// Every verb that keys can say.
    pub const ALL: [KeyVerb; 21] = [
        KeyVerb::Leave,
        KeyVerb::Mute,
        KeyVerb::Hold,
        KeyVerb::HoldCustomer,
        KeyVerb::Consult,
        KeyVerb::Swap,
        KeyVerb::Merge,
        KeyVerb::Complete,
        KeyVerb::Cancel,
        KeyVerb::Invite,
        KeyVerb::Transfer,
        KeyVerb::Whisper,
        KeyVerb::End,
        KeyVerb::Record,
        KeyVerb::MuteOther,
        KeyVerb::HoldOther,
        KeyVerb::RemoveOther,
        KeyVerb::SilenceOther,
        KeyVerb::Monitor,
        KeyVerb::Coach,
        KeyVerb::Barge,
    ];

    /// The name as profiles say it.
    pub fn name(self) -> &'static str {
        match self {
            KeyVerb::Leave => "leave",
            KeyVerb::Mute => "mute",
            KeyVerb::Hold => "hold",
            KeyVerb::HoldCustomer => "hold_customer",
            KeyVerb::Consult => "consult",
            KeyVerb::Swap => "swap",
            KeyVerb::Merge => "merge",
            KeyVerb::Complete => "complete",
            KeyVerb::Cancel => "cancel",
            KeyVerb::Invite => "invite",
            KeyVerb::Transfer => "transfer",
            KeyVerb::Whisper => "whisper",
            KeyVerb::End => "end",
            KeyVerb::Record => "record",
            KeyVerb::MuteOther => "mute_other",
            KeyVerb::HoldOther => "hold_other",
            KeyVerb::RemoveOther => "remove_other",
            KeyVerb::SilenceOther => "silence_other",
            KeyVerb::Monitor => "monitor",
            KeyVerb::Coach => "coach",
            KeyVerb::Barge => "barge",
        }
    }

    /// What it does, in words.
    pub fn words(self) -> &'static str {
        match self {
            KeyVerb::Leave => "leave",
            KeyVerb::Mute => "mute oneself, and back",
            KeyVerb::Hold => "hold oneself, and back",
            KeyVerb::HoldCustomer => "hold the customer, and back",
            KeyVerb::Consult => "consult with a number",
            KeyVerb::Swap => "swap who is talked with and who waits",
            KeyVerb::Merge => "bring all together",
            KeyVerb::Complete => "leave the consulted one in one's place",
            KeyVerb::Cancel => "let the consulted one go",
            KeyVerb::Invite => "call a number in",
            KeyVerb::Transfer => "pass one's seat to a number",
            KeyVerb::Whisper => "speak to ours only, and back",
            KeyVerb::End => "end for all",
            KeyVerb::Record => "record, and stop",
            KeyVerb::MuteOther => "mute another, and back",
            KeyVerb::HoldOther => "hold another, and back",
            KeyVerb::RemoveOther => "let another go",
            KeyVerb::SilenceOther => "silence another, and back",
            KeyVerb::Monitor => "listen as a supervisor",
            KeyVerb::Coach => "be heard by ours, as a supervisor",
            KeyVerb::Barge => "stand in the room, as a supervisor",
        }
    }

    /// What is typed after it.
    pub fn needs(self) -> Needs {
        match self {
            KeyVerb::Consult | KeyVerb::Invite | KeyVerb::Transfer => Needs::Number,
            KeyVerb::MuteOther
            | KeyVerb::HoldOther
            | KeyVerb::RemoveOther
            | KeyVerb::SilenceOther => Needs::Place,
            KeyVerb::Leave
            | KeyVerb::Mute
            | KeyVerb::Hold
            | KeyVerb::HoldCustomer
            | KeyVerb::Swap
            | KeyVerb::Merge
            | KeyVerb::Complete
            | KeyVerb::Cancel
            | KeyVerb::Whisper
            | KeyVerb::End
            | KeyVerb::Record
            | KeyVerb::Monitor
            | KeyVerb::Coach
            | KeyVerb::Barge => Needs::Nothing,
        }
    }

    /// What a profile must allow for it: what it does first, and to whom it can be done.
    pub fn action(self) -> (Action, &'static [Relation]) {
        const MYSELF: &[Relation] = &[Relation::Myself];
        const CUSTOMER: &[Relation] = &[Relation::Customer];
        const CONFERENCE: &[Relation] = &[Relation::Conference];
        const OTHERS: &[Relation] = &[
            Relation::Supervisor,
            Relation::Customer,
            Relation::Added,
            Relation::Colleague,
            Relation::Third,
        ];
        match self {
            KeyVerb::Leave => (Action::Remove, MYSELF),
            KeyVerb::Mute => (Action::Mute, MYSELF),
            KeyVerb::Hold => (Action::Hold, MYSELF),
            KeyVerb::HoldCustomer => (Action::Hold, CUSTOMER),
            KeyVerb::Consult => (Action::Consult, MYSELF),
            KeyVerb::Swap => (Action::Swap, MYSELF),
            KeyVerb::Merge => (Action::Merge, MYSELF),
            KeyVerb::Complete => (Action::Complete, MYSELF),
            KeyVerb::Cancel => (Action::Cancel, MYSELF),
            KeyVerb::Invite => (Action::Invite, CONFERENCE),
            KeyVerb::Transfer => (Action::Transfer, MYSELF),
            KeyVerb::Whisper => (Action::Whisper, MYSELF),
            KeyVerb::End => (Action::End, CONFERENCE),
            KeyVerb::Record => (Action::Record, CONFERENCE),
            KeyVerb::MuteOther => (Action::Mute, OTHERS),
            KeyVerb::HoldOther => (Action::Hold, OTHERS),
            KeyVerb::RemoveOther => (Action::Remove, OTHERS),
            KeyVerb::SilenceOther => (Action::Silence, OTHERS),
            KeyVerb::Monitor | KeyVerb::Coach | KeyVerb::Barge => (Action::Stand, MYSELF),
        }
    }
}

/// Keys that are pressed one after the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct KeySequence(String);

impl KeySequence {
    /// The keys.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeySequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with a map of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadKeys {
    /// No sequence of keys.
    #[error("{0:?} is not one to {KEY_SEQUENCE_LENGTH_MAX} of the keys {KEYS}")]
    Sequence(String),
    /// One sequence could never be typed to its end.
    #[error("{0} is the beginning of {1}")]
    Beginning(KeySequence, KeySequence),
    /// More than a map holds.
    #[error("{0} sequences are more than {KEY_SEQUENCES_MAX}")]
    TooMany(usize),
}

impl FromStr for KeySequence {
    type Err = BadKeys;
    fn from_str(text: &str) -> Result<KeySequence, BadKeys> {
        let fits = (1..=KEY_SEQUENCE_LENGTH_MAX).contains(&text.len());
        match fits && text.chars().all(|key| KEYS.contains(key)) {
            true => Ok(KeySequence(text.to_owned())),
            false => Err(BadKeys::Sequence(text.to_owned())),
        }
    }
}

impl TryFrom<String> for KeySequence {
    type Error = BadKeys;
    fn try_from(text: String) -> Result<KeySequence, BadKeys> {
        text.parse()
    }
}

impl From<KeySequence> for String {
    fn from(sequence: KeySequence) -> String {
        sequence.0
    }
}

/// Which keys say which verb. No sequence is the beginning of another, so that each is known as
/// soon as its last key is pressed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<KeySequence, KeyVerb>")]
pub struct KeyMap(BTreeMap<KeySequence, KeyVerb>);

impl TryFrom<BTreeMap<KeySequence, KeyVerb>> for KeyMap {
    type Error = BadKeys;
    fn try_from(map: BTreeMap<KeySequence, KeyVerb>) -> Result<KeyMap, BadKeys> {
        if map.len() > KEY_SEQUENCES_MAX {
            return Err(BadKeys::TooMany(map.len()));
        }
        // In order, a sequence stands right before those that it is the beginning of.
        for (one, next) in map.keys().zip(map.keys().skip(1)) {
            if next.0.starts_with(&one.0) {
                return Err(BadKeys::Beginning(one.clone(), next.clone()));
            }
        }
        Ok(KeyMap(map))
    }
}

impl KeyMap {
    /// What these keys say.
    pub fn verb(&self, typed: &str) -> Option<KeyVerb> {
        self.iter().find(|(keys, _)| keys.0 == typed).map(|(_, verb)| verb)
    }

    /// Whether a sequence begins with these keys and goes on.
    pub fn goes_on(&self, typed: &str) -> bool {
        let longer = |keys: &KeySequence| keys.0.len() > typed.len() && keys.0.starts_with(typed);
        self.0.keys().any(longer)
    }

    /// The keys that say it, if any do.
    pub fn keys_of(&self, verb: KeyVerb) -> Option<&KeySequence> {
        self.iter().find(|(_, said)| *said == verb).map(|(keys, _)| keys)
    }

    /// All of it, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&KeySequence, KeyVerb)> {
        self.0.iter().map(|(keys, verb)| (keys, *verb))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, KeyVerb)]) -> Result<KeyMap, BadKeys> {
        let read = |(keys, verb): &(&str, KeyVerb)| Ok((keys.parse()?, *verb));
        pairs.iter().map(read).collect::<Result<BTreeMap<_, _>, _>>()?.try_into()
    }

    #[test]
    fn no_sequence_is_the_beginning_of_another() {
        let fine = map(&[("*1", KeyVerb::Mute), ("*21", KeyVerb::Hold), ("**", KeyVerb::Cancel)]);
        let fine = fine.unwrap();
        assert_eq!((fine.verb("*21"), fine.verb("*2")), (Some(KeyVerb::Hold), None));
        assert!(fine.goes_on("*") && fine.goes_on("*2") && !fine.goes_on("*1"));
        let told = map(&[("*2", KeyVerb::Mute), ("*21", KeyVerb::Hold)]).unwrap_err();
        assert_eq!(told.to_string(), "*2 is the beginning of *21");
        for wrong in ["", "*1234", "*x", "1 2"] {
            assert_eq!(map(&[(wrong, KeyVerb::Mute)]), Err(BadKeys::Sequence(wrong.into())));
        }
    }

    #[test]
    fn digits_are_keys_and_are_shown_nowhere() {
        let digits: Digits = "12*#ab".parse().unwrap();
        assert_eq!((digits.keys().collect::<String>().as_str(), digits.count()), ("12*#AB", 6));
        assert_eq!(format!("{digits:?}"), "6 keys");
        for wrong in ["", "1 2", "é", &"1".repeat(DIGITS_MAX + 1)] {
            assert_eq!(wrong.parse::<Digits>(), Err(Refusal::BadDigits));
        }
    }

    #[test]
    fn every_refusal_of_keys_is_told_as_the_profile_says() {
        let told = |by: RefusedBy, refusal| by.prompt(refusal).map(String::from);
        for refusal in Refusal::ALL {
            assert_eq!(told(RefusedBy::Tone, refusal).as_deref(), Some(PromptName::REFUSED));
            assert_eq!(told(RefusedBy::Words, refusal).as_deref(), Some(refusal.prompt()));
            assert_eq!(told(RefusedBy::Nothing, refusal), None);
        }
    }

    #[test]
    fn every_verb_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = KeyVerb::ALL.map(KeyVerb::name).into();
        assert_eq!(names.len(), KeyVerb::ALL.len());
        for verb in KeyVerb::ALL {
            let told = serde_json::to_string(&verb).unwrap();
            assert_eq!(told, format!("{:?}", verb.name()));
        }
    }
}
