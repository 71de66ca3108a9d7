//! A rule that says no is a [`Refusal`]; the world's failure is a [`Fault`].
//!
//! One table each says what a refusal is in HTTP, in SIP, by voice and in words.

use serde::{Deserialize, Serialize};

/// A rule says no. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No live conference has that name or id.
    NoSuchConference,
    /// The conference has no such party, or not any more.
    NoSuchParty,
    /// The name is not one that a conference can have.
    BadName,
    /// The target is not a SIP URI that can be called.
    BadTarget,
    /// The text is empty, or longer than a text can be.
    BadText,
    /// There is no prompt of that name.
    NoSuchPrompt,
    /// Nothing like that is said.
    NoSuchAnnouncement,
    /// What is to be pressed are no keys, or too many.
    BadDigits,
    /// The PIN is wrong, or was too often.
    WrongPin,
    /// The party's state does not allow it: it is still being called, or already as wished by
    /// another side.
    WrongState,
    /// The profile does not let this author do this.
    NotAllowed,
    /// The conference, or the server, is as full as its limit allows.
    LimitReached,
    /// There is no port left for the audio.
    NoPorts,
    /// No codec in common.
    NotAcceptable,
    /// Its keys for SRTP would go by signalling that others can read.
    KeysInClear,
    /// The user has no phone that is registered.
    NotReachable,
    /// There is no such queue.
    NoSuchQueue,
    /// The party consults nobody, or whom it consults has not answered.
    NoConsultation,
    /// The profile lets nobody be called while somebody is.
    DialInProgress,
    /// It needs exactly three parties.
    NotThreeParties,
    /// It needs more parties than are left.
    TooFewParties,
    /// It is the primary agent's to do while that one is in.
    PrimaryPresent,
    /// Another one placed the hold.
    NotYourHold,
    /// A supervisor has taken the voice out.
    Silenced,
    /// There is nobody of ours who would hear the whisper.
    NobodyToHear,
    /// Who has left may not come back.
    CannotRejoin,
    /// The conference is not as its author has seen it any more.
    Stale,
    /// No trunk takes the call: each is full, down or not for calls out.
    NoTrunk,
    /// Too much is waiting already; try again.
    Busy,
    /// The server is shutting down.
    Draining,
}

impl Refusal {
    /// Every refusal there is.
    pub const ALL: [Refusal; 30] = [
        Refusal::NoSuchConference,
        Refusal::NoSuchParty,
        Refusal::BadName,
        Refusal::BadTarget,
        Refusal::BadText,
        Refusal::NoSuchPrompt,
        Refusal::NoSuchAnnouncement,
        Refusal::BadDigits,
        Refusal::WrongPin,
        Refusal::WrongState,
        Refusal::NotAllowed,
        Refusal::LimitReached,
        Refusal::NoPorts,
        Refusal::NotAcceptable,
        Refusal::KeysInClear,
        Refusal::NotReachable,
        Refusal::NoSuchQueue,
        Refusal::NoConsultation,
        Refusal::DialInProgress,
        Refusal::NotThreeParties,
        Refusal::TooFewParties,
        Refusal::PrimaryPresent,
        Refusal::NotYourHold,
        Refusal::Silenced,
        Refusal::NobodyToHear,
        Refusal::CannotRejoin,
        Refusal::Stale,
        Refusal::NoTrunk,
        Refusal::Busy,
        Refusal::Draining,
    ];

    /// The code that stands in problem details and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::NoSuchConference => "no_such_conference",
            Refusal::NoSuchParty => "no_such_party",
            Refusal::BadName => "bad_name",
            Refusal::BadTarget => "bad_target",
            Refusal::BadText => "bad_text",
            Refusal::NoSuchPrompt => "no_such_prompt",
            Refusal::NoSuchAnnouncement => "no_such_announcement",
            Refusal::BadDigits => "bad_digits",
            Refusal::WrongPin => "wrong_pin",
            Refusal::WrongState => "wrong_state",
            Refusal::NotAllowed => "not_allowed",
            Refusal::LimitReached => "limit_reached",
            Refusal::NoPorts => "no_ports",
            Refusal::NotAcceptable => "not_acceptable",
            Refusal::KeysInClear => "keys_in_clear",
            Refusal::NotReachable => "not_reachable",
            Refusal::NoSuchQueue => "no_such_queue",
            Refusal::NoConsultation => "no_consultation",
            Refusal::DialInProgress => "dial_in_progress",
            Refusal::NotThreeParties => "not_three_parties",
            Refusal::TooFewParties => "too_few_parties",
            Refusal::PrimaryPresent => "primary_present",
            Refusal::NotYourHold => "not_your_hold",
            Refusal::Silenced => "silenced",
            Refusal::NobodyToHear => "nobody_to_hear",
            Refusal::CannotRejoin => "cannot_rejoin",
            Refusal::Stale => "stale",
            Refusal::NoTrunk => "no_trunk",
            Refusal::Busy => "busy",
            Refusal::Draining => "draining",
        }
    }

    /// In HTTP (RFC 9110 §15).
    pub fn http_status(self) -> u16 {
        match self {
            Refusal::NoSuchConference
            | Refusal::NoSuchParty
            | Refusal::NoSuchQueue
            | Refusal::NoSuchPrompt
            | Refusal::NoSuchAnnouncement => 404,
            Refusal::BadName | Refusal::BadTarget | Refusal::BadText | Refusal::BadDigits => 422,
            Refusal::WrongState
            | Refusal::NotReachable
            | Refusal::NoConsultation
            | Refusal::DialInProgress
            | Refusal::NotThreeParties
            | Refusal::NobodyToHear => 409,
            Refusal::Stale => 412,
            Refusal::NotAllowed
            | Refusal::WrongPin
            | Refusal::LimitReached
            | Refusal::TooFewParties
            | Refusal::PrimaryPresent
            | Refusal::NotYourHold
            | Refusal::Silenced
            | Refusal::CannotRejoin => 403,
            Refusal::NotAcceptable | Refusal::KeysInClear => 422,
            Refusal::NoPorts | Refusal::NoTrunk | Refusal::Busy | Refusal::Draining => 503,
        }
    }

    /// In SIP (RFC 3261 §21).
    pub fn sip_status(self) -> u16 {
        match self {
            Refusal::NoSuchConference
            | Refusal::NoSuchParty
            | Refusal::NoSuchQueue
            | Refusal::NoSuchPrompt
            | Refusal::NoSuchAnnouncement
            | Refusal::BadName => 404,
            Refusal::BadTarget => 416,
            Refusal::BadText | Refusal::BadDigits => 413,
            Refusal::WrongState
            | Refusal::NoConsultation
            | Refusal::DialInProgress
            | Refusal::Stale => 491,
            Refusal::NotReachable => 480,
            Refusal::NotAllowed
            | Refusal::NotThreeParties
            | Refusal::TooFewParties
            | Refusal::PrimaryPresent
            | Refusal::NotYourHold
            | Refusal::Silenced
            | Refusal::NobodyToHear => 403,
            Refusal::CannotRejoin | Refusal::WrongPin => 603,
            Refusal::LimitReached => 486,
            Refusal::NotAcceptable | Refusal::KeysInClear => 488,
            Refusal::NoPorts | Refusal::NoTrunk | Refusal::Busy | Refusal::Draining => 503,
        }
    }

    /// Whether its author lacks a right, so that it is worth a line of audit; else the time was
    /// wrong, or the words.
    pub fn denies_a_right(self) -> bool {
        match self {
            Refusal::NotAllowed
            | Refusal::PrimaryPresent
            | Refusal::NotYourHold
            | Refusal::Silenced
            | Refusal::WrongPin
            | Refusal::CannotRejoin => true,
            Refusal::NoSuchConference
            | Refusal::NoSuchParty
            | Refusal::BadName
            | Refusal::BadTarget
            | Refusal::BadText
            | Refusal::NoSuchPrompt
            | Refusal::NoSuchAnnouncement
            | Refusal::BadDigits
            | Refusal::WrongState
            | Refusal::LimitReached
            | Refusal::NoPorts
            | Refusal::NotAcceptable
            | Refusal::KeysInClear
            | Refusal::NotReachable
            | Refusal::NoSuchQueue
            | Refusal::NoConsultation
            | Refusal::DialInProgress
            | Refusal::NotThreeParties
            | Refusal::TooFewParties
            | Refusal::NobodyToHear
            | Refusal::Stale
            | Refusal::NoTrunk
            | Refusal::Busy
            | Refusal::Draining => false,
        }
    }

    /// After how long another try may do better \[s\]; none where waiting does not help.
    pub fn retry_after_s(self) -> Option<u32> {
        match self {
            Refusal::NoPorts | Refusal::NoTrunk | Refusal::Busy => Some(5),
            Refusal::Draining => Some(30),
            Refusal::NoSuchConference
            | Refusal::NoSuchParty
            | Refusal::BadName
            | Refusal::BadTarget
            | Refusal::BadText
            | Refusal::NoSuchPrompt
            | Refusal::NoSuchAnnouncement
            | Refusal::BadDigits
            | Refusal::WrongPin
            | Refusal::WrongState
            | Refusal::NotAllowed
            | Refusal::LimitReached
            | Refusal::NotReachable
            | Refusal::NoSuchQueue
            | Refusal::NoConsultation
            | Refusal::DialInProgress
            | Refusal::NotThreeParties
            | Refusal::TooFewParties
            | Refusal::PrimaryPresent
            | Refusal::NotYourHold
            | Refusal::Silenced
            | Refusal::NobodyToHear
            | Refusal::CannotRejoin
            | Refusal::Stale
            | Refusal::NotAcceptable
            | Refusal::KeysInClear => None,
        }
    }

    /// By voice: the name of the prompt that says it to whoever is on the telephone.
    pub fn prompt(self) -> &'static str {
        match self {
            Refusal::NotAllowed
            | Refusal::WrongPin
            | Refusal::PrimaryPresent
            | Refusal::NotYourHold
            | Refusal::Silenced
            | Refusal::CannotRejoin => "not_allowed",
            Refusal::NoSuchConference
            | Refusal::NoSuchParty
            | Refusal::BadName
            | Refusal::BadTarget
            | Refusal::NotReachable
            | Refusal::NoSuchQueue => "not_found",
            Refusal::BadText
            | Refusal::NoSuchPrompt
            | Refusal::NoSuchAnnouncement
            | Refusal::BadDigits
            | Refusal::WrongState
            | Refusal::LimitReached
            | Refusal::NoPorts
            | Refusal::NotAcceptable
            | Refusal::KeysInClear
            | Refusal::NoConsultation
            | Refusal::DialInProgress
            | Refusal::NotThreeParties
            | Refusal::TooFewParties
            | Refusal::NobodyToHear
            | Refusal::Stale
            | Refusal::NoTrunk
            | Refusal::Busy
            | Refusal::Draining => "not_possible",
        }
    }

    /// In words, for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Refusal::NoSuchConference => "There is no such conference.",
            Refusal::NoSuchParty => "There is no such party in this conference.",
            Refusal::BadName => "That is not a name that a conference can have.",
            Refusal::BadTarget => "The target is not a SIP URI that can be called.",
            Refusal::NoSuchPrompt => "There is no such prompt.",
            Refusal::NoSuchAnnouncement => "There is no such announcement.",
            Refusal::BadText => "The text is empty or too long.",
            Refusal::WrongPin => "The PIN is wrong, or was too often.",
            Refusal::BadDigits => "Those are no keys of a telephone, or too many.",
            Refusal::WrongState => "The party's state does not allow that.",
            Refusal::NotAllowed => "The conference's profile does not allow that.",
            Refusal::LimitReached => "The conference is full.",
            Refusal::NoPorts => "No port is left for the audio.",
            Refusal::NotAcceptable => "There is no codec in common.",
            Refusal::KeysInClear => "Keys for SRTP are taken and told by TLS only.",
            Refusal::NotReachable => "No phone of that user is registered.",
            Refusal::NoSuchQueue => "There is no such queue.",
            Refusal::NoConsultation => "The party consults nobody.",
            Refusal::DialInProgress => {
                "Somebody is being called already; wait until that call is over."
            }
            Refusal::NotThreeParties => "That needs exactly three parties.",
            Refusal::TooFewParties => "Too few parties are left for that.",
            Refusal::PrimaryPresent => "Only the primary agent may do that while it is in.",
            Refusal::NotYourHold => "Somebody else placed the hold, and only they may end it.",
            Refusal::Silenced => {
                "A supervisor has taken the voice out, and only a supervisor may let it back in."
            }
            Refusal::NobodyToHear => "Nobody of ours would hear it.",
            Refusal::CannotRejoin => "Who has left may not come back.",
            Refusal::Stale => "Somebody else has changed the conference meanwhile; look again.",
            Refusal::NoTrunk => "No trunk takes the call.",
            Refusal::Busy => "The server is busy; try again.",
            Refusal::Draining => "The server is shutting down.",
        }
    }
}

/// The world failed; whose failure it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The far end's, or the network's on the way.
    Peer(String),
    /// This machine's: disk, descriptors, ports.
    Machine(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_refusal_is_an_error_in_every_language_and_has_a_code_of_its_own() {
        let mut codes = BTreeSet::new();
        for refusal in Refusal::ALL {
            assert!((400..600).contains(&refusal.http_status()), "{refusal:?}");
            assert!((400..700).contains(&refusal.sip_status()), "{refusal:?}");
            assert!(refusal.sentence().ends_with('.'), "{refusal:?}");
            assert!(codes.insert(refusal.code()), "{refusal:?}");
        }
    }
}
