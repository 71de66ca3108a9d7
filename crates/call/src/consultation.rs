//! Two of a conference step aside, and those in the room wait or talk on.

use model::profile::{Afterwards, Consulted, Fate, Meanwhile, Occasion};
use model::{Author, EventKind, LeaveReason, PartyId};

use crate::announcement::Purpose;
use crate::conference::{Cause, Conference};
use crate::party::{Hold, HoldReason, Party, Presence, Seat, Stance};

/// Two of a conference who consult. How far they have come is told by where they stand: who
/// consults is aside while they talk, and in the room while it talks with those there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Consultation {
    /// Who consults.
    pub(crate) agent: PartyId,
    /// Who is consulted.
    pub(crate) expert: PartyId,
    /// What becomes of those in the room.
    pub(crate) room: Meanwhile,
}

impl Conference {
    pub(crate) fn consultation_of(&self, agent: PartyId) -> Option<Consultation> {
        self.consultations.iter().find(|consultation| consultation.agent == agent).copied()
    }

    /// The consultation in which somebody has a part.
    pub(crate) fn consultation_with(&self, party: PartyId) -> Option<Consultation> {
        let with = |c: &&Consultation| c.agent == party || c.expert == party;
        self.consultations.iter().find(with).copied()
    }

    /// Who consults steps aside. Those in the room are set apart where the profile says so, and
    /// where only one would be left there.
    pub(crate) fn step_aside(&mut self, cause: Cause, consultation: Consultation) {
        let Consultation { agent, room, .. } = consultation;
        self.party_mut(agent).stance = Stance::Aside(agent);
        let in_room: Vec<PartyId> = self
            .parties
            .iter()
            .filter(|party| party.is_connected() && party.stance == Stance::Room)
            .map(|party| party.id)
            .collect();
        if room == Meanwhile::Held || in_room.len() == 1 {
            let reason = HoldReason::Consultation(agent);
            for party in in_room {
                let hold = Hold { by: Author::Party(agent), reason, stood: None };
                self.set_apart(cause, party, hold);
            }
        }
    }

    /// Sets somebody apart who stands somewhere, and tells it.
    pub(crate) fn set_apart(&mut self, cause: Cause, id: PartyId, hold: Hold) {
        let party = self.party_mut(id);
        let was_held = party.is_held();
        party.stance = Stance::Apart(hold);
        if !was_held {
            self.tell(cause, EventKind::Held { party: id });
            self.say_for(Occasion::Held, id);
        }
    }

    /// Brings somebody back who is set apart: to where it stood, if that is still there. Nobody is
    /// left aside alone by it: who is consulted comes to both where who consults talks with the
    /// room, and who consults goes to who was called for it and has come meanwhile.
    pub(crate) fn release(&mut self, cause: Cause, id: PartyId) {
        let Some(hold) = self.party(id).and_then(Party::hold) else { return };
        let consultation = self.consultation_with(id);
        if let Some(consultation) = consultation.filter(|c| c.expert == id)
            && self.stands(consultation.agent, Stance::Room)
        {
            return self.merge_consultation(cause, consultation);
        }
        match hold.stood {
            Some(agent) if consultation.is_some_and(|c| c.agent == agent) => {
                self.put(cause, id, Stance::Aside(agent));
            }
            Some(_) | None => {
                self.put(cause, id, Stance::Room);
                if let Some(consultation) = consultation.filter(|c| c.agent == id)
                    && self.party(consultation.expert).is_some_and(Party::is_connected)
                    && self.stands(consultation.expert, Stance::Aside(id))
                {
                    self.step_aside(cause, consultation);
                }
            }
        }
    }

    fn stands(&self, id: PartyId, stance: Stance) -> bool {
        self.party(id).is_some_and(|party| party.stance == stance)
    }

    /// Puts somebody somewhere, and tells it where that ends a hold.
    pub(crate) fn put(&mut self, cause: Cause, id: PartyId, stance: Stance) {
        let party = self.party_mut(id);
        let was_held = party.is_held();
        party.stance = stance;
        if was_held && !party.is_held() {
            self.tell(cause, EventKind::Resumed { party: id });
            self.say_no_more(cause, Purpose::Occasion(Occasion::Held), id);
        }
    }

    /// Brings back all who are held for this.
    pub(crate) fn release_all(&mut self, cause: Cause, held: impl Fn(&Hold) -> bool) {
        let held: Vec<PartyId> = self
            .parties
            .iter()
            .filter(|party| party.hold().as_ref().is_some_and(&held))
            .map(|party| party.id)
            .collect();
        for party in held {
            self.release(cause, party);
        }
    }

    /// The consultation becomes part of the room; who was set apart for it is not touched.
    pub(crate) fn merge_consultation(&mut self, cause: Cause, consultation: Consultation) {
        let Consultation { agent, expert, .. } = consultation;
        self.consultations.retain(|c| *c != consultation);
        for party in [agent, expert] {
            self.put(cause, party, Stance::Room);
        }
        self.tell(cause, EventKind::ConsultMerged { party: agent, with: expert });
    }

    /// Somebody is in: whoever wanted to consult it steps aside.
    pub(crate) fn consulted_came(&mut self, cause: Cause, expert: PartyId) {
        let consultation = self.consultations.iter().find(|c| c.expert == expert).copied();
        let Some(consultation) = consultation else { return };
        let agent = consultation.agent;
        if self.stands(agent, Stance::Room) && self.stands(expert, Stance::Aside(agent)) {
            self.step_aside(cause, consultation);
        }
    }

    /// The seat of who is consulted has passed on: the next one stands where that one stood, and
    /// not before those in the room, who do not know of it.
    pub(crate) fn consulted_passes(&mut self, cause: Cause, from: PartyId, to: PartyId) {
        let Some(agent) = self.consults_another(cause, from, to) else { return };
        match self.party(from).and_then(Party::hold) {
            Some(hold) => self.set_apart(cause, to, hold),
            None => self.put(cause, to, Stance::Aside(agent)),
        }
    }

    /// Who is consulted has left while somebody is called for its seat: that one is called to be
    /// consulted.
    pub(crate) fn consulted_calls_on(&mut self, cause: Cause, gone: PartyId, heir: PartyId) {
        let Some(agent) = self.consults_another(cause, gone, heir) else { return };
        let heir = self.party_mut(heir);
        heir.stance = Stance::Aside(agent);
        heir.added_by = Some(agent);
    }

    fn consults_another(&mut self, cause: Cause, from: PartyId, to: PartyId) -> Option<PartyId> {
        let consultation = self.consultations.iter_mut().find(|c| c.expert == from)?;
        consultation.expert = to;
        let agent = consultation.agent;
        self.tell(cause, EventKind::ConsultEnded { party: agent, with: from });
        self.tell(cause, EventKind::ConsultStarted { party: agent, with: to });
        Some(agent)
    }

    /// Who is consulted is let go, and so is whoever is called for its seat.
    pub(crate) fn let_consulted_go(&mut self, cause: Cause, expert: PartyId) {
        if let Some(Seat::PassingTo(heir)) = self.party(expert).map(|party| party.seat.clone()) {
            self.hang_up(cause, heir, LeaveReason::Removed);
        }
        self.hang_up(cause, expert, LeaveReason::Removed);
    }

    /// Somebody is gone: its consultations are over.
    pub(crate) fn consultations_without(&mut self, cause: Cause, gone: PartyId) {
        while let Some(consultation) = self.consultation_with(gone) {
            self.consultations.retain(|c| *c != consultation);
            let Consultation { agent, expert, .. } = consultation;
            match gone == agent {
                true => self.consulter_left(cause, agent, expert),
                false => self.consulted_left(cause, agent, expert),
            }
        }
    }

    fn consulted_left(&mut self, cause: Cause, agent: PartyId, expert: PartyId) {
        self.tell(cause, EventKind::ConsultEnded { party: agent, with: expert });
        if self.stands(agent, Stance::Aside(agent)) {
            self.put(cause, agent, Stance::Room);
        }
        let for_it = HoldReason::Consultation(agent);
        match self.rules.profile.consulting.afterwards {
            Afterwards::Back => self.release_all(cause, |hold| hold.reason == for_it),
            Afterwards::Held => self.keep_held(agent),
        }
    }

    /// Who is held for a consultation is held for good, by who consulted.
    pub(crate) fn keep_held(&mut self, agent: PartyId) {
        for party in &mut self.parties {
            if let Stance::Apart(hold) = &mut party.stance
                && hold.reason == HoldReason::Consultation(agent)
            {
                hold.reason = HoldReason::Asked;
            }
        }
    }

    fn consulter_left(&mut self, cause: Cause, agent: PartyId, expert: PartyId) {
        self.tell(cause, EventKind::ConsultEnded { party: agent, with: expert });
        let for_it = HoldReason::Consultation(agent);
        let leaving = &self.rules.profile.leaving;
        let (consulted, dials) = (leaving.consulted, leaving.dials);
        let presence = self.party(expert).map(|party| party.presence);
        let stays = match presence {
            Some(Presence::Connected { .. }) => consulted == Consulted::TakesOver,
            Some(
                Presence::Arriving
                | Presence::Dialling { .. }
                | Presence::Ringing { .. }
                | Presence::Early { .. },
            ) => dials == Fate::Stays,
            None => return self.release_all(cause, |hold| hold.reason == for_it),
        };
        if stays {
            self.put(cause, expert, Stance::Room);
            if matches!(presence, Some(Presence::Connected { .. })) {
                self.tell(cause, EventKind::TransferCompleted { party: agent, to: expert });
            }
        } else {
            self.let_consulted_go(cause, expert);
        }
        self.release_all(cause, |hold| hold.reason == for_it);
    }
}
