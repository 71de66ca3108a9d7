//! A rule that says no is a [`Refusal`]; the world's failure is a [`Fault`].
//!
//! One table each says what a refusal is in HTTP, in SIP and in words.

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
    /// The user has no phone that is registered.
    NotReachable,
    /// Too much is waiting already; try again.
    Busy,
    /// The server is shutting down.
    Draining,
}

impl Refusal {
    /// Every refusal there is.
    pub const ALL: [Refusal; 13] = [
        Refusal::NoSuchConference,
        Refusal::NoSuchParty,
        Refusal::BadName,
        Refusal::BadTarget,
        Refusal::BadText,
        Refusal::WrongState,
        Refusal::NotAllowed,
        Refusal::LimitReached,
        Refusal::NoPorts,
        Refusal::NotAcceptable,
        Refusal::NotReachable,
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
            Refusal::WrongState => "wrong_state",
            Refusal::NotAllowed => "not_allowed",
            Refusal::LimitReached => "limit_reached",
            Refusal::NoPorts => "no_ports",
            Refusal::NotAcceptable => "not_acceptable",
            Refusal::NotReachable => "not_reachable",
            Refusal::Busy => "busy",
            Refusal::Draining => "draining",
        }
    }

    /// In HTTP (RFC 9110 §15).
    pub fn http_status(self) -> u16 {
        match self {
            Refusal::NoSuchConference | Refusal::NoSuchParty => 404,
            Refusal::BadName | Refusal::BadTarget | Refusal::BadText => 422,
            Refusal::WrongState | Refusal::NotReachable => 409,
            Refusal::NotAllowed | Refusal::LimitReached => 403,
            Refusal::NotAcceptable => 422,
            Refusal::NoPorts | Refusal::Busy | Refusal::Draining => 503,
        }
    }

    /// In SIP (RFC 3261 §21).
    pub fn sip_status(self) -> u16 {
        match self {
            Refusal::NoSuchConference | Refusal::NoSuchParty | Refusal::BadName => 404,
            Refusal::BadTarget => 416,
            Refusal::BadText => 413,
            Refusal::WrongState => 491,
            Refusal::NotReachable => 480,
            Refusal::NotAllowed => 403,
            Refusal::LimitReached => 486,
            Refusal::NotAcceptable => 488,
            Refusal::NoPorts | Refusal::Busy | Refusal::Draining => 503,
        }
    }

    /// After how long another try may do better \[s\]; none where waiting does not help.
    pub fn retry_after_s(self) -> Option<u32> {
        match self {
            Refusal::NoPorts | Refusal::Busy => Some(5),
            Refusal::Draining => Some(30),
            Refusal::NoSuchConference
            | Refusal::NoSuchParty
            | Refusal::BadName
            | Refusal::BadTarget
            | Refusal::BadText
            | Refusal::WrongState
            | Refusal::NotAllowed
            | Refusal::LimitReached
            | Refusal::NotReachable
            | Refusal::NotAcceptable => None,
        }
    }

    /// In words, for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Refusal::NoSuchConference => "There is no such conference.",
            Refusal::NoSuchParty => "There is no such party in this conference.",
            Refusal::BadName => "That is not a name that a conference can have.",
            Refusal::BadTarget => "The target is not a SIP URI that can be called.",
            Refusal::BadText => "The text is empty or too long.",
            Refusal::WrongState => "The party's state does not allow that.",
            Refusal::NotAllowed => "The conference's profile does not allow that.",
            Refusal::LimitReached => "The conference is full.",
            Refusal::NoPorts => "No port is left for the audio.",
            Refusal::NotAcceptable => "There is no codec in common.",
            Refusal::NotReachable => "No phone of that user is registered.",
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
