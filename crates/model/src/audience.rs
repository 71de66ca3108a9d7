//! What somebody may see of a conference: its events and its view, without what is not for it.
//!
//! An audience is not shown the events less some, but what changed for its eyes: each event changes
//! the whole picture, the picture is cut to what the audience may see, and what is told is how that
//! has changed. So nothing that is cut away leaves a trace, the audience's own numbers have no
//! holes, and its view is the fold of what it was told, as everybody's is.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::appearance::{ANONYMOUS, Appearance, Seen};
use crate::command::Hearers;
use crate::event::LeaveReason;
use crate::profile::Seeing;
use crate::role::{Direction, Role};
use crate::view::{PartyState, PartyView, SupervisionView};
use crate::{
    Author, Codec, ConferenceView, Event, EventKind, PartyId, Quality, RecordingId, Track,
};

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// Who supervises, or runs the server: it sees everything.
    Everything,
    /// A party, as its role may see.
    Party(PartyId),
    /// Somebody from outside who is no party, or speaks for none.
    Outside,
}

/// What an audience has been told of a conference, and what there is.
#[derive(Debug, Clone)]
pub struct Projection {
    audience: Audience,
    /// As what it looks: the role of its party, the last one if it has left.
    role: Role,
    truth: ConferenceView,
    seen: Arc<ConferenceView>,
}

impl Projection {
    /// Begins with a conference's first event, and gives it as the audience is told it.
    pub fn begin(audience: Audience, event: &Event) -> Option<(Projection, Event)> {
        let truth = ConferenceView::begin(event)?;
        let mut told = event.clone();
        if let (EventKind::Created { seeing, .. }, true) =
            (&mut told.kind, audience != Audience::Everything)
        {
            *seeing = Seeing::default();
        }
        let seen = Arc::new(ConferenceView::begin(&told)?);
        Some((Projection { audience, role: Role::Guest, truth, seen }, told))
    }

    /// Begins in the middle, with all that there is by then. It was told nothing before, so that
    /// its numbers go on from those of all.
    pub fn from(audience: Audience, truth: ConferenceView) -> Projection {
        let (parties, seeing) = (Vec::new(), Seeing::default());
        let seen = Arc::new(ConferenceView { parties, seeing, ..truth.clone() });
        let mut projection = Projection { audience, role: Role::Guest, truth, seen };
        projection.look();
        for party in projection.truth.parties.clone() {
            if let Some(shown) = projection.shown(&party) {
                Arc::make_mut(&mut projection.seen).parties.push(shown);
            }
        }
        let tracks = projection.truth.recording.iter().flat_map(|running| &running.tracks);
        let tracks = tracks.filter(|one| projection.sees_track(&one.track)).cloned().collect();
        if let Some(running) = &mut Arc::make_mut(&mut projection.seen).recording {
            running.tracks = tracks;
        }
        projection
    }

    /// What the audience sees.
    pub fn view(&self) -> &Arc<ConferenceView> {
        &self.seen
    }

    /// Whether the party that looks is in the conference no more.
    pub fn is_gone(&self) -> bool {
        match self.audience {
            Audience::Party(viewer) => self.truth.party(viewer).is_none(),
            Audience::Everything | Audience::Outside => false,
        }
    }

    /// Takes in how a party's audio was.
    pub fn measure(&mut self, party: PartyId, quality: Quality) {
        self.truth.measure(party, quality);
        if self.sees_ours() || self.audience == Audience::Party(party) {
            Arc::make_mut(&mut self.seen).measure(party, quality);
        }
    }

    /// Takes in the next event, and gives what the audience is told of it: nothing, or something,
    /// numbered as its own.
    pub fn apply(&mut self, event: &Event) -> Vec<Event> {
        if event.seq <= self.truth.seq {
            return Vec::new();
        }
        self.truth.apply(event);
        self.look();
        let mut told = Vec::new();
        match (touched(&event.kind), self.audience) {
            (_, Audience::Everything) => self.tell(&mut told, event, event.kind.clone()),
            (Some(party), _) => self.tell_party(&mut told, event, party),
            (None, _) => {
                for party in self.everybody() {
                    self.tell_party(&mut told, event, party);
                }
            }
        }
        if self.audience != Audience::Everything
            && let Some(kind) = self.passed_on(event)
        {
            self.tell(&mut told, event, kind);
        }
        told
    }

    fn look(&mut self) {
        if let Audience::Party(viewer) = self.audience
            && let Some(party) = self.truth.party(viewer)
        {
            self.role = party.role;
        }
    }

    /// Who is there, or was a moment ago.
    fn everybody(&self) -> Vec<PartyId> {
        let mut parties: Vec<PartyId> = self.truth.parties.iter().map(|party| party.id).collect();
        let gone = self.seen.parties.iter().map(|party| party.id);
        let gone: Vec<PartyId> = gone.filter(|id| !parties.contains(id)).collect();
        parties.extend(gone);
        parties
    }

    fn is_viewer(&self, party: PartyId) -> bool {
        self.audience == Audience::Party(party)
    }

    fn supervises(&self) -> bool {
        match (self.audience, self.role) {
            (Audience::Everything, _) => true,
            (Audience::Party(_), role) => role == Role::Supervisor || role == Role::Admin,
            (Audience::Outside, _) => false,
        }
    }

    fn sees_ours(&self) -> bool {
        match self.audience {
            Audience::Everything => true,
            Audience::Party(_) => self.role.is_ours(),
            Audience::Outside => false,
        }
    }

    /// A party as the audience sees it; none if it does not.
    fn shown(&self, party: &PartyView) -> Option<PartyView> {
        let myself = self.is_viewer(party.id);
        let viewer = match self.audience {
            Audience::Everything => Role::Admin,
            Audience::Party(_) => self.role,
            Audience::Outside => Role::Guest,
        };
        let is_primary = |party: &PartyView| party.role == Role::Primary && party.is_connected();
        let primary_is_in = self.truth.parties.iter().any(is_primary);
        let seen = Seen { role: party.role, is_beside: party.is_beside() };
        let appearance = match myself {
            true => Appearance::Plain,
            false => self.truth.seeing.appearance(viewer, seen, primary_is_in),
        };
        let mut shown = party.clone();
        match appearance {
            Appearance::Hidden => return None,
            Appearance::Plain => {}
            Appearance::Named(name) => shown.display_name = Some(name.to_owned()),
            Appearance::Nameless(name) => {
                shown.display_name = Some(name.to_owned());
                ANONYMOUS.clone_into(&mut shown.address);
                // How its call goes would tell who sits there.
                shown.direction = Direction::Internal;
            }
        }
        if self.sees_ours() {
            return Some(shown);
        }
        shown.silenced = false;
        shown.consults = None;
        shown.whispers_to = None;
        shown.paired_with = None;
        shown.supervises = None;
        shown.talking = party.talking && self.hears(party);
        shown.quality = party.quality.filter(|_| myself);
        shown.one_way = party.one_way.filter(|_| myself);
        Some(shown)
    }

    /// Whether somebody from outside hears that party, as far as can be told. Where it cannot, a
    /// lamp stays dark that could be lit: the other way round it would tell of a whisper.
    fn hears(&self, party: &PartyView) -> bool {
        let is_consulted = self.truth.parties.iter().any(|one| one.consults == Some(party.id));
        let is_held = |viewer: PartyId| {
            self.truth.party(viewer).is_some_and(|viewer| viewer.state == PartyState::Held)
        };
        let viewer = match self.audience {
            Audience::Party(viewer) => Some(viewer),
            Audience::Everything | Audience::Outside => None,
        };
        let is_apart = party.consults.is_some() || is_consulted;
        let alone_with = party.paired_with.is_some() && party.paired_with != viewer;
        Some(party.id) == viewer
            || (party.whispers_to.is_none()
                && party.state == PartyState::Connected
                && !is_apart
                && !alone_with
                && !viewer.is_some_and(is_held))
    }

    /// Tells how one party has changed for the audience's eyes.
    fn tell_party(&mut self, told: &mut Vec<Event>, event: &Event, id: PartyId) {
        let shown = self.truth.party(id).and_then(|party| self.shown(party));
        let before = self.seen.party(id).cloned();
        let kinds = match (before, shown) {
            (None, None) => Vec::new(),
            (Some(_), None) => vec![EventKind::Left { party: id, reason: reason(event, id) }],
            (None, Some(shown)) => appears(&shown, event),
            (Some(before), Some(shown)) => changes(&before, &shown, event),
        };
        for kind in kinds {
            self.tell(told, event, kind);
        }
    }

    /// What changes no view, or not that of a party: passed on to whom it is for.
    fn passed_on(&self, event: &Event) -> Option<EventKind> {
        let (by_viewer, ours) = match event.by {
            Author::Party(author) => (self.is_viewer(author), self.sees_ours()),
            Author::Admin | Author::System => (false, self.sees_ours()),
        };
        let sees = |party: &PartyId| self.seen.party(*party).is_some();
        let passes = match &event.kind {
            EventKind::Ended { .. }
            | EventKind::RecordingStarted { .. }
            | EventKind::RecordingStopped { .. } => true,
            EventKind::RecordingFailed { recording, .. }
            | EventKind::RecordingRecovered { recording, .. } => match self.knows(*recording) {
                true if ours => true,
                true => return Some(EventKind::RecordingStopped { recording: *recording }),
                false => false,
            },
            EventKind::TrackStarted { track, .. } => self.sees_track(track),
            EventKind::Text { to, .. } => {
                to.is_none_or(|to| self.is_viewer(to) || self.supervises()) || by_viewer
            }
            EventKind::WhisperText { to, .. } => ours && (by_viewer || self.is_whispered_to(to)),
            EventKind::AnnouncementStarted { announcement, prompt, to } => {
                let (announcement, prompt) = (*announcement, prompt.clone());
                let to = self.hearers_seen(to)?;
                return Some(EventKind::AnnouncementStarted { announcement, prompt, to });
            }
            EventKind::AnnouncementEnded { announcement, to } => {
                let (announcement, to) = (*announcement, self.hearers_seen(to)?);
                return Some(EventKind::AnnouncementEnded { announcement, to });
            }
            EventKind::Rejoined { party, .. } | EventKind::RecordingModeChanged { party, .. } => {
                sees(party)
            }
            EventKind::Digit { party, .. } | EventKind::KeysRefused { party, .. } => {
                self.is_viewer(*party) || (ours && sees(party))
            }
            EventKind::Stranded { party } | EventKind::DigitsSent { party, .. } => {
                ours && sees(party)
            }
            EventKind::TransferRequested { party, to }
            | EventKind::TransferCompleted { party, to }
            | EventKind::TransferFailed { party, to, .. } => ours && sees(party) && sees(to),
            // These are told as what changes for the audience's eyes.
            EventKind::Created { .. }
            | EventKind::Dialling { .. }
            | EventKind::Ringing { .. }
            | EventKind::Joined { .. }
            | EventKind::RoleChanged { .. }
            | EventKind::CodecChanged { .. }
            | EventKind::Left { .. }
            | EventKind::Replaced { .. }
            | EventKind::Held { .. }
            | EventKind::Resumed { .. }
            | EventKind::Muted { .. }
            | EventKind::Unmuted { .. }
            | EventKind::Silenced { .. }
            | EventKind::Unsilenced { .. }
            | EventKind::ConsultStarted { .. }
            | EventKind::ConsultMerged { .. }
            | EventKind::ConsultEnded { .. }
            | EventKind::WhisperStarted { .. }
            | EventKind::WhisperEnded { .. }
            | EventKind::PairStarted { .. }
            | EventKind::PairEnded { .. }
            | EventKind::Supervised { .. }
            | EventKind::Talking { .. }
            | EventKind::Quality { .. }
            | EventKind::OneWay { .. } => false,
        };
        passes.then(|| event.kind.clone())
    }

    /// Who speaks to whom apart is nobody's business outside, and a track would tell.
    fn sees_track(&self, track: &Track) -> bool {
        let sees = |party| self.supervises() || self.seen.party(party).is_some();
        self.sees_ours() && track.party().is_none_or(sees)
    }

    /// Whether the audience was told that this is being recorded.
    fn knows(&self, recording: RecordingId) -> bool {
        self.seen.recording.as_ref().is_some_and(|running| {
            running.id == recording || running.tracks.iter().any(|one| one.id == recording)
        })
    }

    /// Who hears a prompt, as far as the audience sees them: from outside only oneself. None if
    /// there is nobody, and so nothing to be told of.
    fn hearers_seen(&self, to: &BTreeSet<PartyId>) -> Option<BTreeSet<PartyId>> {
        let sees = |party: &PartyId| {
            let ours = self.sees_ours() && self.seen.party(*party).is_some();
            self.supervises() || self.is_viewer(*party) || ours
        };
        let seen: BTreeSet<PartyId> = to.iter().copied().filter(sees).collect();
        (!seen.is_empty()).then_some(seen)
    }

    fn is_whispered_to(&self, to: &Hearers) -> bool {
        match (to, self.audience) {
            (Hearers::Ours, _) => true,
            (Hearers::Only(whom), Audience::Party(viewer)) => {
                self.supervises() || whom.contains(&viewer)
            }
            (Hearers::Only(_), Audience::Everything | Audience::Outside) => self.supervises(),
        }
    }

    /// Tells one thing, under the audience's own number. Who is not seen does nothing: then it is
    /// the server's doing.
    fn tell(&mut self, told: &mut Vec<Event>, event: &Event, kind: EventKind) {
        let sees = |projection: &Projection| match event.by {
            Author::Party(author) => {
                projection.is_viewer(author) || projection.seen.party(author).is_some()
            }
            Author::Admin | Author::System => true,
        };
        let saw = sees(self) || self.supervises();
        let mut event = Event { seq: self.seen.seq + 1, kind, ..event.clone() };
        Arc::make_mut(&mut self.seen).apply(&event);
        if !saw && !sees(self) {
            event.by = Author::System;
        }
        told.push(event);
    }
}

/// The one party whose picture an event can change; none where it may be another's, too.
fn touched(kind: &EventKind) -> Option<PartyId> {
    match kind {
        EventKind::Talking { party, .. }
        | EventKind::Quality { party, .. }
        | EventKind::OneWay { party, .. }
        | EventKind::Digit { party, .. }
        | EventKind::KeysRefused { party, .. }
        | EventKind::DigitsSent { party, .. }
        | EventKind::CodecChanged { party, .. }
        | EventKind::Ringing { party }
        | EventKind::Muted { party }
        | EventKind::Unmuted { party }
        | EventKind::Replaced { party, .. } => Some(*party),
        EventKind::Created { .. }
        | EventKind::Ended { .. }
        | EventKind::Dialling { .. }
        | EventKind::Joined { .. }
        | EventKind::Rejoined { .. }
        | EventKind::RoleChanged { .. }
        | EventKind::Left { .. }
        | EventKind::TransferRequested { .. }
        | EventKind::TransferCompleted { .. }
        | EventKind::TransferFailed { .. }
        | EventKind::Held { .. }
        | EventKind::Resumed { .. }
        | EventKind::Silenced { .. }
        | EventKind::Unsilenced { .. }
        | EventKind::ConsultStarted { .. }
        | EventKind::ConsultMerged { .. }
        | EventKind::ConsultEnded { .. }
        | EventKind::WhisperStarted { .. }
        | EventKind::WhisperEnded { .. }
        | EventKind::PairStarted { .. }
        | EventKind::PairEnded { .. }
        | EventKind::Supervised { .. }
        | EventKind::Stranded { .. }
        | EventKind::Text { .. }
        | EventKind::WhisperText { .. }
        | EventKind::AnnouncementStarted { .. }
        | EventKind::AnnouncementEnded { .. }
        | EventKind::RecordingStarted { .. }
        | EventKind::RecordingStopped { .. }
        | EventKind::TrackStarted { .. }
        | EventKind::RecordingModeChanged { .. }
        | EventKind::RecordingFailed { .. }
        | EventKind::RecordingRecovered { .. } => None,
    }
}

/// Why a party is gone for the audience's eyes.
fn reason(event: &Event, id: PartyId) -> LeaveReason {
    if let EventKind::Left { party, reason } = &event.kind
        && *party == id
    {
        return *reason;
    }
    LeaveReason::Left
}

/// A party that was not seen before.
fn appears(shown: &PartyView, event: &Event) -> Vec<EventKind> {
    let party = shown.id;
    let (address, role, direction) = (shown.address.clone(), shown.role, shown.direction);
    let mut kinds = match shown.state {
        PartyState::Dialling => vec![EventKind::Dialling { party, address, role, direction }],
        PartyState::Ringing => {
            vec![
                EventKind::Dialling { party, address, role, direction },
                EventKind::Ringing { party },
            ]
        }
        PartyState::Connected | PartyState::Held => vec![joined(shown)],
    };
    let mut before = PartyView::called(party, &shown.address, role, direction);
    before.state = match shown.state {
        PartyState::Held => PartyState::Connected,
        PartyState::Dialling | PartyState::Ringing | PartyState::Connected => shown.state,
    };
    before.display_name.clone_from(&shown.display_name);
    before.codec = shown.codec;
    kinds.extend(changes(&before, shown, event));
    kinds
}

fn joined(shown: &PartyView) -> EventKind {
    EventKind::Joined {
        party: shown.id,
        display_name: shown.display_name.clone(),
        address: shown.address.clone(),
        codec: codec(shown),
        role: shown.role,
        direction: shown.direction,
    }
}

fn codec(shown: &PartyView) -> Codec {
    shown.codec.expect("who is connected is sent something")
}

/// What has changed of a party that was seen before.
fn changes(before: &PartyView, shown: &PartyView, event: &Event) -> Vec<EventKind> {
    let party = shown.id;
    let mut kinds = Vec::new();
    let sitting =
        |view: &PartyView| (view.display_name.clone(), view.address.clone(), view.direction);
    let role_is_told = match (before.is_connected(), shown.is_connected()) {
        (false, true) => {
            kinds.push(joined(shown));
            true
        }
        (true, true) if sitting(before) != sitting(shown) => {
            let ((display_name, address, direction), codec) = (sitting(shown), codec(shown));
            kinds.push(EventKind::Replaced { party, display_name, address, codec, direction });
            false
        }
        (true, true) if before.codec != shown.codec => {
            kinds.push(EventKind::CodecChanged { party, codec: codec(shown) });
            false
        }
        (true, true) | (true, false) | (false, false) => false,
    };
    if before.role != shown.role && !role_is_told {
        kinds.push(EventKind::RoleChanged { party, role: shown.role });
    }
    match (before.state, shown.state) {
        (PartyState::Dialling, PartyState::Ringing) => kinds.push(EventKind::Ringing { party }),
        (PartyState::Held, PartyState::Connected) => kinds.push(EventKind::Resumed { party }),
        (PartyState::Held, PartyState::Held) => {}
        (_, PartyState::Held) => kinds.push(EventKind::Held { party }),
        (_, _) => {}
    }
    flags(&mut kinds, before, shown);
    relations(&mut kinds, before, shown, event);
    if before.talking != shown.talking {
        kinds.push(EventKind::Talking { party, talking: shown.talking });
    }
    if let (EventKind::Quality { party: measured, .. }, Some(quality)) =
        (&event.kind, shown.quality)
        && *measured == party
    {
        kinds.push(EventKind::Quality { party, quality: Box::new(quality) });
    }
    if before.one_way != shown.one_way {
        kinds.push(EventKind::OneWay { party, way: shown.one_way });
    }
    kinds
}

fn flags(kinds: &mut Vec<EventKind>, before: &PartyView, shown: &PartyView) {
    let party = shown.id;
    match (before.muted, shown.muted) {
        (false, true) => kinds.push(EventKind::Muted { party }),
        (true, false) => kinds.push(EventKind::Unmuted { party }),
        (true, true) | (false, false) => {}
    }
    match (before.silenced, shown.silenced) {
        (false, true) => kinds.push(EventKind::Silenced { party }),
        (true, false) => kinds.push(EventKind::Unsilenced { party }),
        (true, true) | (false, false) => {}
    }
}

/// With whom, to whom and beside whom.
fn relations(kinds: &mut Vec<EventKind>, before: &PartyView, shown: &PartyView, event: &Event) {
    let party = shown.id;
    if before.consults != shown.consults {
        let is_merged = matches!(event.kind, EventKind::ConsultMerged { .. });
        kinds.extend(before.consults.map(|with| match is_merged {
            true => EventKind::ConsultMerged { party, with },
            false => EventKind::ConsultEnded { party, with },
        }));
        kinds.extend(shown.consults.map(|with| EventKind::ConsultStarted { party, with }));
    }
    match (&before.whispers_to, &shown.whispers_to) {
        (before, Some(to)) if before.as_ref() != Some(to) => {
            kinds.push(EventKind::WhisperStarted { party, to: to.clone() });
        }
        (Some(_), None) => kinds.push(EventKind::WhisperEnded { party }),
        (_, _) => {}
    }
    if before.paired_with != shown.paired_with {
        kinds.extend(before.paired_with.map(|with| EventKind::PairEnded { party, with }));
        kinds.extend(shown.paired_with.map(|with| EventKind::PairStarted { party, with }));
    }
    if let Some(SupervisionView { beside, mode }) = &shown.supervises
        && before.supervises != shown.supervises
    {
        kinds.push(EventKind::Supervised { party, beside: *beside, mode: mode.clone() });
    }
}

#[cfg(test)]
mod tests;
