//! Every feature is one verb.
//!
//! REST, SIP and timers all become one [`Command`]. The answer comes at once: [`Accepted`], or a
//! [`Refusal`](crate::Refusal) that names the rule. Events say how it went.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::profile::Meanwhile;
use crate::role::{Affiliation, Role};
use crate::{
    AnnouncementId, CommandId, ConferenceId, ConferenceName, Digits, LegId, PartyId, PromptName,
    RecordingId,
};

/// One wish, from whoever has it, about one conference.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// The same id asked twice gets the same answer and is carried out once.
    pub id: CommandId,
    /// Which conference.
    pub conference: ConferenceRef,
    /// Who wishes.
    pub by: Author,
    /// What.
    pub verb: Verb,
    /// The revision of the conference that the author has seen, where it wants to be refused if
    /// another one is there by now.
    pub if_revision: Option<u64>,
}

impl Command {
    /// A command that is carried out whatever others have done meanwhile.
    pub fn new(id: CommandId, conference: ConferenceRef, by: Author, verb: Verb) -> Command {
        Command { id, conference, by, verb, if_revision: None }
    }
}

/// How a conference is named from outside: by its id, or by the name of the live one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConferenceRef {
    /// That very conference.
    Id(ConferenceId),
    /// The conference of that name that is live.
    Name(ConferenceName),
}

impl ConferenceRef {
    /// Reads what stands in a URL: an id where it has an id's form, else a name.
    pub fn parse(text: &str) -> Result<ConferenceRef, crate::name::BadName> {
        match text.parse() {
            Ok(id) => Ok(ConferenceRef::Id(id)),
            Err(_) => ConferenceName::parse(text).map(ConferenceRef::Name),
        }
    }
}

/// Who wishes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// Whoever may use the API.
    Admin,
    /// A party, by its phone.
    Party(PartyId),
    /// The server itself: configuration, a deadline, the world's failure.
    System,
}

/// What is wished.
#[derive(Debug, Clone, PartialEq)]
pub enum Verb {
    /// A caller comes in by dialling the conference.
    Enter(Entrant),
    /// The server calls somebody into the conference.
    Invite {
        /// Whom.
        target: Target,
        /// As what; none leaves it to the profile.
        role: Option<Role>,
    },
    /// The party steps aside with somebody who is called, to ask or to brief.
    Consult {
        /// Who consults.
        party: PartyId,
        /// Whom.
        target: Target,
        /// What becomes of the others; none leaves it to the profile.
        room: Option<Meanwhile>,
    },
    /// Who was set apart and who is talked with change places.
    Swap {
        /// Who consults, or talks with one of two.
        party: PartyId,
    },
    /// Who consults, who is consulted and who was set apart for it stand together.
    Merge {
        /// Who consults.
        party: PartyId,
    },
    /// Who consults leaves, the consulted one stands in the room.
    Complete {
        /// Who consults.
        party: PartyId,
    },
    /// The consulted one is let go, who consults is back in the room.
    Cancel {
        /// Who consults.
        party: PartyId,
    },
    /// The party's seat passes to somebody who is called: the party stays until that one is in,
    /// and for good if it does not come.
    Transfer {
        /// Whose seat.
        party: PartyId,
        /// To whom.
        target: Target,
    },
    /// Another connection takes the party's seat; the one before ends (RFC 3891).
    TakeOver {
        /// Whose seat.
        party: PartyId,
        /// The connection, and who is at its end.
        newcomer: Newcomer,
    },
    /// The party's voice goes out of the room; it still hears.
    Mute {
        /// Whom.
        party: PartyId,
    },
    /// The party's voice comes back.
    Unmute {
        /// Whom.
        party: PartyId,
    },
    /// The party's voice goes out and stays out until who may supervise lets it back in.
    Silence {
        /// Whom.
        party: PartyId,
    },
    /// That ends.
    Unsilence {
        /// Whom.
        party: PartyId,
    },
    /// The party speaks to some of ours only, or to everybody again.
    Whisper {
        /// Who.
        party: PartyId,
        /// To whom; none is to everybody.
        to: Option<Hearers>,
    },
    /// The party and one other speak to each other only, and hear everybody still.
    Pair {
        /// Who.
        party: PartyId,
        /// With whom; none ends it.
        with: Option<PartyId>,
    },
    /// The server calls somebody who is to supervise.
    Supervise {
        /// Whom.
        target: Target,
        /// Beside whom it stands.
        beside: PartyId,
        /// How.
        mode: Supervision,
    },
    /// A supervisor stands elsewhere, or otherwise.
    Stand {
        /// The supervisor.
        party: PartyId,
        /// Beside whom; none leaves it where it is.
        beside: Option<PartyId>,
        /// How.
        mode: Supervision,
    },
    /// The party gets a role.
    Appoint {
        /// Whom.
        party: PartyId,
        /// Which.
        role: Role,
    },
    /// The party is set apart: it hears music, nobody hears it.
    Hold {
        /// Whom.
        party: PartyId,
    },
    /// The hold that the same author's side placed ends.
    Resume {
        /// Whom.
        party: PartyId,
    },
    /// The party goes; said by the party itself it is leaving.
    Remove {
        /// Whom.
        party: PartyId,
    },
    /// A text for the room, for one of it, or for ours only.
    Write {
        /// For whom.
        to: Readers,
        /// The text.
        text: String,
    },
    /// A prompt is said.
    Play {
        /// Which.
        prompt: PromptName,
        /// To whom alone; none is to all who are in.
        to: Option<PartyId>,
    },
    /// An announcement is not said to its end, or not said at all.
    StopPlaying {
        /// Which.
        announcement: AnnouncementId,
    },
    /// Keys are pressed for the party's far end to hear, and for nobody else.
    SendDigits {
        /// At whose far end.
        party: PartyId,
        /// Which.
        digits: Digits,
    },
    /// The conference ends for all.
    End,
    /// Recording starts or stops.
    Record {
        /// True: be recording. False: do not.
        on: bool,
    },
}

/// Who can be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Whoever is at this SIP URI.
    Address(String),
    /// A user of this server, by its SIP URI.
    Colleague(String),
    /// Whoever a queue finds.
    Queue(String),
}

impl Target {
    /// The URI that is called; none where it has to be found first.
    pub fn address(&self) -> Option<&str> {
        match self {
            Target::Address(address) | Target::Colleague(address) => Some(address),
            Target::Queue(_) => None,
        }
    }
}

/// For whom a whisper is. Nobody but ours ever hears one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Hearers {
    /// All of ours who stand with the speaker.
    Ours,
    /// These, if they do.
    Only(BTreeSet<PartyId>),
}

/// For whom a text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readers {
    /// For all.
    Everybody,
    /// For this party alone.
    Party(PartyId),
    /// For ours: a whisper in writing, which nobody else ever reads.
    Whisper(Hearers),
}

/// How a supervisor takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Supervision {
    /// It hears whom it stands beside, and what that one hears; nobody hears it.
    Monitor,
    /// The same, and these of ours hear it.
    Coach(Hearers),
    /// It stands in the room as a party.
    Barge,
    /// It takes over from the agent whom it stands beside: it is in the room as what that one was,
    /// who leaves. It is no supervisor from then on.
    Relieve,
}

/// A connection that takes a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newcomer {
    /// The connection.
    pub leg: LegId,
    /// The name that its phone shows, if any.
    pub display_name: Option<String>,
    /// Its address as its phone says it.
    pub address: String,
    /// Where it comes from.
    pub affiliation: Affiliation,
}

/// Somebody who dials in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entrant {
    /// Its id for this conference.
    pub party: PartyId,
    /// Its connection.
    pub leg: LegId,
    /// The name that its phone shows, if any.
    pub display_name: Option<String>,
    /// Its address as its phone says it, e.g. `sip:alice@example.org`.
    pub address: String,
    /// Where it comes from.
    pub affiliation: Affiliation,
}

impl Verb {
    /// Calling whoever is at a SIP URI, as what the profile says.
    pub fn invite(address: impl Into<String>) -> Verb {
        Verb::Invite { target: Target::Address(address.into()), role: None }
    }
}

/// The answer to a command that is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Accepted {
    /// The conference that it concerned.
    pub conference: ConferenceId,
    /// The conference's last event when the answer was given; what follows from the command has a
    /// sequence number up to this one, or comes later with this command as its cause.
    pub seq: u64,
    /// The party that was invited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<PartyId>,
    /// The recording that was started or stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<RecordingId>,
    /// The announcement that was begun or stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announcement: Option<AnnouncementId>,
}
