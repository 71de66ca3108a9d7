//! Somebody goes over from one conference to another: the one exception to a conference for life.
//!
//! A phone that made two calls here and puts them together (RFC 5589 §7) has a seat in two
//! conferences. It leaves both, and those who were with it in the one stand in the other in its
//! place. Their connections stay as they are; only where they are mixed changes.

use model::command::Target;
use model::{
    Affiliation, Author, Codec, CommandId, EventKind, LeaveReason, LegId, PartyId, Refusal, Role,
    Verb,
};

use crate::conference::{Cause, Conference};
use crate::consultation::Consultation;
use crate::effect::Effect;
use crate::party::{Microphone, Party, Presence, Seat};
use crate::policy;

/// Somebody on the way from one conference to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Mover {
    party: Party,
    codec: Codec,
}

impl Mover {
    /// Who it is; it stays so.
    pub fn party(&self) -> PartyId {
        self.party.id
    }

    /// Its connection.
    pub fn leg(&self) -> LegId {
        self.party.leg
    }
}

impl Conference {
    /// Who would go over if that party took its company elsewhere: all others whose audio runs.
    /// Who supervises stays behind, and so does who is still being called.
    pub fn company_of(&self, party: PartyId) -> usize {
        self.parties.iter().filter(|other| other.id != party && goes_along(other)).count()
    }

    /// May that party have its seat pass to somebody who comes from another conference, or take
    /// its company to another one? Either is a transfer of its own seat.
    ///
    /// # Errors
    /// The rule that forbids it.
    pub fn may_pass_on(&self, id: PartyId) -> Result<(), Refusal> {
        let transfer = Verb::Transfer { party: id, target: Target::Address(String::new()) };
        policy::judge(&self.rules.profile, Author::Party(id), &transfer, &self.parties)?;
        let party = self.party(id).ok_or(Refusal::NoSuchParty)?;
        match party.is_connected() && party.is_counted() && party.seat == Seat::Kept {
            true => Ok(()),
            false => Err(Refusal::WrongState),
        }
    }

    /// Is there room for so many who come in one party's place?
    ///
    /// # Errors
    /// [`Refusal::LimitReached`].
    pub fn has_room_in_place_of_one(&self, movers: usize) -> Result<(), Refusal> {
        let cap = self.rules.parties_max.min(self.rules.profile.parties_max);
        let counted = self.parties.iter().filter(|party| party.is_counted()).count();
        match counted.saturating_sub(1) + movers <= cap {
            true => Ok(()),
            false => Err(Refusal::LimitReached),
        }
    }

    /// A party leaves, and its company goes over to another conference. What is left of this one
    /// ends.
    pub fn let_go(&mut self, now_ms: u64, command: CommandId, party: PartyId) -> Vec<Mover> {
        let cause = Cause { by: Author::Party(party), command: Some(command), now_ms };
        let going = self.parties.iter().filter(|other| other.id != party && goes_along(other));
        let movers: Vec<Mover> = going.filter_map(mover).collect();
        // Two who consult each other both go, or one takes the other along: neither has left the
        // other behind.
        let goes = |id: PartyId| movers.iter().any(|mover| mover.party.id == id);
        let (together, others): (Vec<_>, _) = self
            .consultations
            .drain(..)
            .partition(|talk| goes(talk.agent) && (goes(talk.expert) || talk.expert == party));
        self.consultations = others;
        for Consultation { agent, expert, .. } in together {
            self.tell(cause, EventKind::ConsultEnded { party: agent, with: expert });
        }
        let reason = LeaveReason::Transferred;
        for Mover { party, .. } in &movers {
            // Who was about to sit down in its seat is of neither conference from here on.
            if let Some(leg) = party.second_leg() {
                self.effect(Effect::HangUp { leg, reason });
            }
            self.forget(cause, party.id, reason);
        }
        self.hang_up(cause, party, reason);
        self.settle(cause);
        movers
    }

    /// A party leaves, and those who come from another conference stand in its place.
    pub fn take_in(&mut self, now_ms: u64, command: CommandId, party: PartyId, movers: Vec<Mover>) {
        let cause = Cause { by: Author::Party(party), command: Some(command), now_ms };
        let first = movers.first().map(Mover::party);
        for mover in movers {
            self.arrive(cause, mover);
        }
        if self.party(party).is_none() {
            // It went with somebody without whom the conference ends.
            return self.settle(cause);
        }
        if let Some(to) = first {
            self.tell(cause, EventKind::TransferCompleted { party, to });
            self.pass_role(cause, party, to);
        }
        self.hang_up(cause, party, LeaveReason::Transferred);
        self.settle(cause);
    }

    fn arrive(&mut self, cause: Cause, Mover { party: before, codec }: Mover) {
        let affiliation = match before.role.is_ours() {
            true => Affiliation::Ours,
            false => Affiliation::Outside,
        };
        let dialled_in = before.role == Role::Customer;
        let present = policy::roles(&self.parties);
        let role = self.rules.profile.role_for(affiliation, dialled_in, &present);
        let Party { id, leg, display_name, address, direction, phone, .. } = before;
        let Party { video, microphone, quality, seat, .. } = before;
        // A connection that goes over is still to sit down, if it was before.
        let seat = match seat {
            Seat::TakenOverBy(newcomer) if newcomer.leg == leg => Seat::TakenOverBy(newcomer),
            Seat::TakenOverBy(_) | Seat::PassingTo(_) | Seat::Kept => Seat::Kept,
        };
        let party = Party::new(id, leg, address, (role, direction), Presence::Connected { codec });
        self.parties.push(Party { display_name, phone, video, microphone, quality, seat, ..party });
        self.joined(cause, id, codec);
        // A voice that its owner took out stays out wherever it goes.
        if microphone == Microphone::Muted {
            self.tell(cause, EventKind::Muted { party: id });
        }
    }
}

fn goes_along(party: &Party) -> bool {
    party.is_connected() && party.is_counted()
}

fn mover(party: &Party) -> Option<Mover> {
    match party.presence {
        Presence::Connected { codec } => Some(Mover { party: party.clone(), codec }),
        Presence::Arriving
        | Presence::Dialling { .. }
        | Presence::Ringing { .. }
        | Presence::Early { .. } => None,
    }
}
