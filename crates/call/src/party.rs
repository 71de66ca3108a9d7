//! Somebody in a conference.

use std::collections::BTreeSet;

use model::command::{Hearers, Newcomer};
use model::{Author, Codec, Direction, LegId, MosClass, PartyId, Quality, Role};

/// How far a party has come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It dialled in; its audio is being set up.
    Arriving,
    /// It is being called.
    Dialling {
        /// When the call is given up [ms since the Unix epoch].
        until_ms: u64,
    },
    /// Its phone rings.
    Ringing {
        /// When the call is given up [ms since the Unix epoch].
        until_ms: u64,
    },
    /// It is being called, and sound comes from there before anybody has answered (RFC 3960): who
    /// has it called hears that in place of a ringing tone.
    Early {
        /// When the call is given up [ms since the Unix epoch].
        until_ms: u64,
    },
    /// Its audio runs.
    Connected {
        /// The codec that it is sent.
        codec: Codec,
    },
}

/// Where a party stands. Those who stand in one circle hear each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    /// In the room.
    Room,
    /// Aside, with whoever else stands in this one's consultation.
    Aside(PartyId),
    /// Alone: it hears music, nobody hears it.
    Apart(Hold),
    /// Beside this party: it hears whom that one hears, and that one. It is nobody's business but
    /// ours, and no party of the conference.
    Beside(PartyId),
}

/// Why somebody was set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// By whom.
    pub by: Author,
    /// What for.
    pub reason: HoldReason,
    /// In whose consultation it stood; none is the room.
    pub stood: Option<PartyId>,
}

/// What somebody was set apart for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldReason {
    /// Somebody wished it.
    Asked,
    /// This one consults.
    Consultation(PartyId),
}

/// What a phone itself does, whatever the conference says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhoneKey {
    /// It sends and takes audio.
    Talking,
    /// Its own hold key is pressed.
    OnHold,
}

/// Whether a phone wants video, which no conference has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Video {
    /// It does not.
    Unasked,
    /// It does, and goes on with audio alone.
    Refused,
}

/// At whom a party's voice is directed, of those who stand with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aim {
    /// At everybody.
    Everybody,
    /// At some of ours.
    Whisper(Hearers),
    /// At this one.
    Pair(PartyId),
    /// At nobody: it listens only.
    Nobody,
}

/// Whether a party's seat is to pass to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seat {
    /// It is not.
    Kept,
    /// This party is being called for it.
    PassingTo(PartyId),
    /// This connection takes it as soon as its audio runs.
    TakenOverBy(Newcomer),
}

/// Whether a party's voice is out by its own layer: whoever may mute it turns it off, itself on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Microphone {
    /// It is in.
    Open,
    /// It is out.
    Muted,
}

/// Somebody in a conference.
#[derive(Debug, Clone, PartialEq)]
pub struct Party {
    /// Its id.
    pub id: PartyId,
    /// Its connection.
    pub leg: LegId,
    /// The name that its phone shows.
    pub display_name: Option<String>,
    /// Its address.
    pub address: String,
    /// What it is to the conference.
    pub role: Role,
    /// Which way its call goes.
    pub direction: Direction,
    /// Who brought it in.
    pub added_by: Option<PartyId>,
    /// Who waits for it alone, where the server itself has it called: it hears it ring.
    pub awaited_by: Option<PartyId>,
    /// Which agent's seat it has, or is to have since that one has left: without agents the
    /// conference is over, but not because one handed on to somebody who is none.
    pub in_place_of: Option<PartyId>,
    /// How often it has come back.
    pub rejoins: u32,
    /// How far it has come in.
    pub presence: Presence,
    /// Where it stands.
    pub stance: Stance,
    /// What its phone does by itself.
    pub phone: PhoneKey,
    /// Whether its phone wants video.
    pub video: Video,
    /// Whether its voice is in the room.
    pub microphone: Microphone,
    /// Who took its voice out so that it cannot bring it back.
    pub silenced_by: BTreeSet<Author>,
    /// At whom its voice is directed.
    pub aim: Aim,
    /// Whether its last report said that it speaks.
    pub talking: bool,
    /// Whether its seat is to pass to somebody.
    pub seat: Seat,
    /// How good its audio was when that was told last: from it, and to it.
    pub quality: (MosClass, MosClass),
}

impl Party {
    /// Somebody who comes in as anybody does: into the room, speaking to everybody.
    pub fn new(
        id: PartyId,
        leg: LegId,
        address: String,
        (role, direction): (Role, Direction),
        presence: Presence,
    ) -> Party {
        Party {
            id,
            leg,
            display_name: None,
            address,
            role,
            direction,
            added_by: None,
            awaited_by: None,
            in_place_of: None,
            rejoins: 0,
            presence,
            stance: Stance::Room,
            phone: PhoneKey::Talking,
            video: Video::Unasked,
            microphone: Microphone::Open,
            silenced_by: BTreeSet::new(),
            aim: Aim::of(role),
            talking: false,
            seat: Seat::Kept,
            quality: (MosClass::High, MosClass::High),
        }
    }

    /// Its audio runs.
    pub fn is_connected(&self) -> bool {
        match self.presence {
            Presence::Connected { .. } => true,
            Presence::Arriving
            | Presence::Dialling { .. }
            | Presence::Ringing { .. }
            | Presence::Early { .. } => false,
        }
    }

    /// It is being called.
    pub fn is_called(&self) -> bool {
        match self.presence {
            Presence::Dialling { .. } | Presence::Ringing { .. } | Presence::Early { .. } => true,
            Presence::Arriving | Presence::Connected { .. } => false,
        }
    }

    /// It is being called, and sends sound already.
    pub fn is_early(&self) -> bool {
        match self.presence {
            Presence::Early { .. } => true,
            Presence::Arriving
            | Presence::Dialling { .. }
            | Presence::Ringing { .. }
            | Presence::Connected { .. } => false,
        }
    }

    /// Who hears it ring: who has it called, or who waits for it.
    pub fn rings_for(&self) -> Option<PartyId> {
        match self.presence {
            Presence::Ringing { .. } | Presence::Early { .. } => self.added_by.or(self.awaited_by),
            Presence::Arriving | Presence::Dialling { .. } | Presence::Connected { .. } => None,
        }
    }

    /// The connection that is to take its seat, beside the one that it has.
    pub(crate) fn second_leg(&self) -> Option<LegId> {
        match &self.seat {
            Seat::TakenOverBy(newcomer) => Some(newcomer.leg).filter(|leg| *leg != self.leg),
            Seat::Kept | Seat::PassingTo(_) => None,
        }
    }

    /// It is an agent, or has an agent's seat.
    pub(crate) fn has_agents_seat(&self) -> bool {
        self.role.is_agent() || self.in_place_of.is_some()
    }

    /// It is a party to what is said. Who stands beside somebody is not: it counts nowhere, and
    /// only ours know of it.
    pub fn is_counted(&self) -> bool {
        match self.stance {
            Stance::Beside(_) => false,
            Stance::Room | Stance::Aside(_) | Stance::Apart(_) => true,
        }
    }

    /// Takes in how good its audio is: true if that is another class than was told last. Where
    /// nothing is known nothing has changed, and nobody need be told that all is well from the
    /// beginning.
    pub(crate) fn changes_class(&mut self, quality: &Quality) -> bool {
        let (from, to) = quality.classes();
        let classes = (from.unwrap_or(self.quality.0), to.unwrap_or(self.quality.1));
        std::mem::replace(&mut self.quality, classes) != classes
    }

    /// Why it stands apart by the conference's doing.
    pub fn hold(&self) -> Option<Hold> {
        match self.stance {
            Stance::Apart(hold) => Some(hold),
            Stance::Room | Stance::Aside(_) | Stance::Beside(_) => None,
        }
    }

    /// It is set apart, or its phone is on hold.
    pub fn is_held(&self) -> bool {
        self.hold().is_some() || self.phone == PhoneKey::OnHold
    }

    /// Its voice goes somewhere.
    pub fn speaks(&self) -> bool {
        self.is_connected()
            && self.phone == PhoneKey::Talking
            && self.microphone == Microphone::Open
            && self.silenced_by.is_empty()
    }

    /// When the call to it is given up [ms since the Unix epoch].
    pub fn given_up_ms(&self) -> Option<u64> {
        match self.presence {
            Presence::Dialling { until_ms }
            | Presence::Ringing { until_ms }
            | Presence::Early { until_ms } => Some(until_ms),
            Presence::Arriving | Presence::Connected { .. } => None,
        }
    }
}

impl Aim {
    /// At whom somebody of this role speaks at first: a trainee listens.
    pub(crate) fn of(role: Role) -> Aim {
        match role {
            Role::Trainee => Aim::Nobody,
            Role::Admin
            | Role::Host
            | Role::CoHost
            | Role::Staff
            | Role::Primary
            | Role::Secondary
            | Role::Supervisor
            | Role::Customer
            | Role::External
            | Role::Guest => Aim::Everybody,
        }
    }
}
