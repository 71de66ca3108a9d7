//! What can be seen of a conference: a fold of its events.

use serde::{Deserialize, Serialize};

use crate::command::{Hearers, Supervision};
use crate::profile::Seeing;
use crate::role::{Direction, Role};
use crate::{
    Codec, ConferenceId, ConferenceName, Event, EventKind, OneWay, PartyId, Quality, RecordingId,
    Track,
};

/// A conference as its events tell it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConferenceView {
    /// Its id.
    pub id: ConferenceId,
    /// Its name.
    pub name: ConferenceName,
    /// The profile whose rules it follows.
    pub profile: String,
    /// Whom those in it see.
    #[serde(skip)]
    pub seeing: Seeing,
    /// The last event that this view knows.
    pub seq: u64,
    /// When it began \[ms since the Unix epoch\].
    pub started_ms: u64,
    /// When it ended \[ms since the Unix epoch\]; absent while it is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// How often it has changed in a way that two people at desks could disagree about; what
    /// `If-Match` names.
    pub revision: u64,
    /// Its parties: the customer, then the others in the order in which they came.
    pub parties: Vec<PartyView>,
    /// The recording that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<RecordingView>,
}

/// A party as the events tell it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PartyView {
    /// Its id.
    pub id: PartyId,
    /// The name that its phone shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Its address.
    pub address: String,
    /// What it is doing.
    pub state: PartyState,
    /// What it is to the conference.
    pub role: Role,
    /// Which way its call goes.
    pub direction: Direction,
    /// Its voice is out.
    pub muted: bool,
    /// Who may supervise has taken its voice out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silenced: bool,
    /// With whom it consults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consults: Option<PartyId>,
    /// To whom alone it speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whispers_to: Option<Hearers>,
    /// With whom alone it speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paired_with: Option<PartyId>,
    /// How it supervises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supervises: Option<SupervisionView>,
    /// It is speaking.
    pub talking: bool,
    /// The codec that the server sends it; absent while it is being called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<Codec>,
    /// When it joined \[ms since the Unix epoch\].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined_ms: Option<u64>,
    /// How its audio was when it was measured last, every 5 s. Of all that is seen this alone is
    /// more than the events tell: they tell only when it gets better or worse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// How its audio fails to run both ways; absent while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_way: Option<OneWay>,
}

/// What a party is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PartyState {
    /// It is being called.
    Dialling,
    /// Its phone rings.
    Ringing,
    /// It stands in the room.
    Connected,
    /// It is set apart.
    Held,
}

impl PartyState {
    /// Every state there is.
    pub const ALL: [PartyState; 4] =
        [PartyState::Dialling, PartyState::Ringing, PartyState::Connected, PartyState::Held];

    /// The name as the API and metrics say it.
    pub fn name(self) -> &'static str {
        match self {
            PartyState::Dialling => "dialling",
            PartyState::Ringing => "ringing",
            PartyState::Connected => "connected",
            PartyState::Held => "held",
        }
    }
}

/// How somebody supervises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SupervisionView {
    /// Beside whom it stands; absent while it stands in the room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<PartyId>,
    /// How.
    pub mode: Supervision,
}

/// A recording that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RecordingView {
    /// Its id; its file is `recordings/<id>.wav` in the data folder.
    pub id: RecordingId,
    /// When it began \[ms since the Unix epoch\].
    pub started_ms: u64,
    /// The tracks beside the mix, those of parties that have left among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tracks: Vec<TrackView>,
}

/// A track beside the mix. Its file begins when the mix's does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TrackView {
    /// Its own recording.
    pub id: RecordingId,
    /// What it holds.
    pub track: Track,
}

impl ConferenceView {
    /// The view that a conference's first event gives; none if the event is not the first.
    pub fn begin(event: &Event) -> Option<ConferenceView> {
        let EventKind::Created { name, profile, seeing } = &event.kind else { return None };
        Some(ConferenceView {
            id: event.conference,
            name: name.clone(),
            profile: profile.clone(),
            seeing: seeing.clone(),
            seq: event.seq,
            started_ms: event.at_ms,
            ended_ms: None,
            revision: 1,
            parties: Vec::new(),
            recording: None,
        })
    }

    /// Takes in the next event. Events of another conference, and ones that are already in, change
    /// nothing.
    pub fn apply(&mut self, event: &Event) {
        if event.conference != self.id || event.seq <= self.seq {
            return;
        }
        self.seq = event.seq;
        self.revision += u64::from(event.kind.is_revision());
        match &event.kind {
            EventKind::Created { .. }
            | EventKind::Digit { .. }
            | EventKind::KeysRefused { .. }
            | EventKind::DigitsSent { .. }
            | EventKind::Text { .. }
            | EventKind::AnnouncementStarted { .. }
            | EventKind::AnnouncementEnded { .. }
            | EventKind::WhisperText { .. }
            | EventKind::Rejoined { .. }
            | EventKind::Stranded { .. }
            | EventKind::TransferRequested { .. }
            | EventKind::TransferCompleted { .. }
            | EventKind::TransferFailed { .. }
            | EventKind::RecordingModeChanged { .. } => {}
            EventKind::Replaced { party, display_name, address, codec, direction } => {
                self.with(*party, |p| {
                    p.display_name.clone_from(display_name);
                    p.address.clone_from(address);
                    p.codec = Some(*codec);
                    p.direction = *direction;
                    p.quality = None;
                    p.one_way = None;
                });
            }
            EventKind::Ended { .. } => self.ended_ms = Some(event.at_ms),
            EventKind::Dialling { party, address, role, direction } => {
                self.parties.push(PartyView::called(*party, address, *role, *direction));
                self.put_customer_first();
            }
            EventKind::Joined { party, display_name, address, codec, role, direction } => {
                self.join(*party, address, *role, *direction);
                self.with(*party, |p| {
                    p.display_name.clone_from(display_name);
                    p.state = PartyState::Connected;
                    p.codec = Some(*codec);
                    p.joined_ms = Some(event.at_ms);
                });
            }
            EventKind::Left { party, .. } => self.parties.retain(|p| p.id != *party),
            EventKind::RoleChanged { party, role } => {
                self.with(*party, |p| {
                    p.role = *role;
                    // Who has become something else supervises no more.
                    p.supervises.take_if(|_| *role != Role::Supervisor);
                });
                self.put_customer_first();
            }
            EventKind::Silenced { party } => self.with(*party, |p| p.silenced = true),
            EventKind::Unsilenced { party } => self.with(*party, |p| p.silenced = false),
            EventKind::ConsultStarted { party, with } => {
                self.with(*party, |p| p.consults = Some(*with));
            }
            EventKind::ConsultMerged { party, .. } | EventKind::ConsultEnded { party, .. } => {
                self.with(*party, |p| p.consults = None);
            }
            EventKind::WhisperStarted { party, to } => {
                self.with(*party, |p| p.whispers_to = Some(to.clone()));
            }
            EventKind::WhisperEnded { party } => self.with(*party, |p| p.whispers_to = None),
            EventKind::PairStarted { party, with } => {
                self.with(*party, |p| p.paired_with = Some(*with));
                self.with(*with, |p| p.paired_with = Some(*party));
            }
            EventKind::PairEnded { party, with } => {
                self.with(*party, |p| p.paired_with = None);
                self.with(*with, |p| p.paired_with = None);
            }
            EventKind::Supervised { party, beside, mode } => {
                let seen = SupervisionView { beside: *beside, mode: mode.clone() };
                self.with(*party, |p| p.supervises = Some(seen));
            }
            EventKind::Ringing { party } => {
                self.with(*party, |p| p.state = PartyState::Ringing);
            }
            EventKind::CodecChanged { party, codec } => {
                self.with(*party, |p| p.codec = Some(*codec));
            }
            EventKind::Held { party } => self.with(*party, |p| p.state = PartyState::Held),
            EventKind::Resumed { party } => {
                self.with(*party, |p| p.state = PartyState::Connected);
            }
            EventKind::Muted { party } => self.with(*party, |p| p.muted = true),
            EventKind::Unmuted { party } => self.with(*party, |p| p.muted = false),
            EventKind::Talking { party, talking } => self.with(*party, |p| p.talking = *talking),
            EventKind::Quality { party, quality } => self.measure(*party, **quality),
            EventKind::OneWay { party, way } => self.with(*party, |p| p.one_way = *way),
            EventKind::RecordingStarted { recording } => {
                let (id, started_ms) = (*recording, event.at_ms);
                self.recording = Some(RecordingView { id, started_ms, tracks: Vec::new() });
            }
            EventKind::TrackStarted { recording, track } => {
                if let Some(running) = &mut self.recording {
                    running.tracks.push(TrackView { id: *recording, track: *track });
                }
            }
            EventKind::RecordingStopped { recording }
            | EventKind::RecordingFailed { recording, .. }
            | EventKind::RecordingRecovered { recording, .. } => {
                self.recording.take_if(|running| running.id == *recording);
                if let Some(running) = &mut self.recording {
                    running.tracks.retain(|track| track.id != *recording);
                }
            }
        }
    }

    /// Takes in how a party's audio was. It is no event: its number stays.
    pub fn measure(&mut self, party: PartyId, quality: Quality) {
        self.with(party, |p| p.quality = Some(quality));
    }

    /// A party of this view.
    pub fn party(&self, id: PartyId) -> Option<&PartyView> {
        self.parties.iter().find(|party| party.id == id)
    }

    fn with(&mut self, id: PartyId, change: impl FnOnce(&mut PartyView)) {
        if let Some(party) = self.parties.iter_mut().find(|party| party.id == id) {
            change(party);
        }
    }

    /// One that was called is in already.
    fn join(&mut self, id: PartyId, address: &str, role: Role, direction: Direction) {
        let called = self.party(id).is_some();
        if !called {
            self.parties.push(PartyView::called(id, address, role, direction));
        }
        self.with(id, |p| {
            address.clone_into(&mut p.address);
            p.role = role;
            p.direction = direction;
        });
        self.put_customer_first();
    }

    fn put_customer_first(&mut self) {
        self.parties.sort_by_key(|party| party.role != Role::Customer);
    }
}

impl PartyView {
    /// It stands beside somebody, and is no party to what is said; or it is being called, and where
    /// it will stand has not been told yet.
    pub fn is_beside(&self) -> bool {
        match (&self.supervises, self.state) {
            (Some(supervises), _) => supervises.beside.is_some(),
            (None, PartyState::Dialling | PartyState::Ringing) => self.role == Role::Supervisor,
            (None, PartyState::Connected | PartyState::Held) => false,
        }
    }

    /// It has answered.
    pub fn is_connected(&self) -> bool {
        match self.state {
            PartyState::Connected | PartyState::Held => true,
            PartyState::Dialling | PartyState::Ringing => false,
        }
    }

    pub(crate) fn called(
        id: PartyId,
        address: &str,
        role: Role,
        direction: Direction,
    ) -> PartyView {
        PartyView {
            id,
            display_name: None,
            address: address.to_owned(),
            state: PartyState::Dialling,
            role,
            direction,
            muted: false,
            silenced: false,
            consults: None,
            whispers_to: None,
            paired_with: None,
            supervises: None,
            talking: false,
            codec: None,
            joined_ms: None,
            quality: None,
            one_way: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Author, ConferenceName, LeaveReason};

    fn event(seq: u64, kind: EventKind) -> Event {
        Event {
            conference: ConferenceId(1),
            seq,
            at_ms: 1_000 + seq,
            by: Author::System,
            cause: None,
            kind,
        }
    }

    #[test]
    fn a_view_is_the_fold_of_the_events() {
        let name = ConferenceName::parse("standup").unwrap();
        let party = PartyId(7);
        let first = event(
            1,
            EventKind::Created { name, profile: "open".into(), seeing: Seeing::default() },
        );
        let mut view = ConferenceView::begin(&first).unwrap();
        view.apply(&event(
            2,
            EventKind::Dialling {
                party,
                address: "sip:bob@b".into(),
                role: Role::Guest,
                direction: Direction::Outbound,
            },
        ));
        assert_eq!(view.party(party).unwrap().state, PartyState::Dialling);
        view.apply(&event(
            3,
            EventKind::Joined {
                party,
                display_name: None,
                address: "sip:bob@b".into(),
                codec: Codec::Opus,
                role: Role::Guest,
                direction: Direction::Outbound,
            },
        ));
        view.apply(&event(4, EventKind::Muted { party }));
        view.apply(&event(4, EventKind::Unmuted { party }));
        let bob = view.party(party).unwrap();
        assert!(bob.muted, "an event that is already in changes nothing");
        assert_eq!((bob.state, bob.codec), (PartyState::Connected, Some(Codec::Opus)));
        view.apply(&event(5, EventKind::Left { party, reason: LeaveReason::Left }));
        assert!(view.parties.is_empty());
        assert_eq!(view.seq, 5);
    }
}
