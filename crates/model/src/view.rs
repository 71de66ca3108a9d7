//! What can be seen of a conference: a fold of its events.

use serde::{Deserialize, Serialize};

use crate::{Codec, ConferenceId, ConferenceName, Event, EventKind, PartyId, Quality, RecordingId};

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
    /// The last event that this view knows.
    pub seq: u64,
    /// When it began \[ms since the Unix epoch\].
    pub started_ms: u64,
    /// When it ended \[ms since the Unix epoch\]; absent while it is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// Its parties, in the order in which they came.
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
    /// Its voice is out.
    pub muted: bool,
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

/// A recording that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RecordingView {
    /// Its id; its file is `recordings/<id>.wav` in the data folder.
    pub id: RecordingId,
    /// When it began \[ms since the Unix epoch\].
    pub started_ms: u64,
}

impl ConferenceView {
    /// The view that a conference's first event gives; none if the event is not the first.
    pub fn begin(event: &Event) -> Option<ConferenceView> {
        let EventKind::Created { name, profile } = &event.kind else { return None };
        Some(ConferenceView {
            id: event.conference,
            name: name.clone(),
            profile: profile.clone(),
            seq: event.seq,
            started_ms: event.at_ms,
            ended_ms: None,
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
        match &event.kind {
            EventKind::Created { .. }
            | EventKind::Digit { .. }
            | EventKind::Text { .. }
            | EventKind::TransferRequested { .. }
            | EventKind::TransferCompleted { .. }
            | EventKind::TransferFailed { .. } => {}
            EventKind::Replaced { party, display_name, address, codec } => {
                self.with(*party, |p| {
                    p.display_name.clone_from(display_name);
                    p.address.clone_from(address);
                    p.codec = Some(*codec);
                    p.quality = None;
                });
            }
            EventKind::Ended { .. } => self.ended_ms = Some(event.at_ms),
            EventKind::Dialling { party, address } => {
                self.parties.push(PartyView {
                    id: *party,
                    display_name: None,
                    address: address.clone(),
                    state: PartyState::Dialling,
                    muted: false,
                    talking: false,
                    codec: None,
                    joined_ms: None,
                    quality: None,
                });
            }
            EventKind::Joined { party, display_name, address, codec } => {
                self.join(*party, display_name.clone(), address, *codec, event.at_ms);
            }
            EventKind::Left { party, .. } => self.parties.retain(|p| p.id != *party),
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
            EventKind::Quality { party, quality } => self.measure(*party, *quality),
            EventKind::RecordingStarted { recording } => {
                self.recording = Some(RecordingView { id: *recording, started_ms: event.at_ms });
            }
            EventKind::RecordingStopped { .. } | EventKind::RecordingFailed { .. } => {
                self.recording = None;
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

    fn join(
        &mut self,
        id: PartyId,
        display_name: Option<String>,
        address: &str,
        codec: Codec,
        at_ms: u64,
    ) {
        let called = self.parties.iter().position(|party| party.id == id);
        let joined = PartyView {
            id,
            display_name,
            address: address.to_owned(),
            state: PartyState::Connected,
            muted: called.is_some_and(|i| self.parties[i].muted),
            talking: false,
            codec: Some(codec),
            joined_ms: Some(at_ms),
            quality: None,
        };
        match called {
            Some(i) => self.parties[i] = joined,
            None => self.parties.push(joined),
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
        let first = event(1, EventKind::Created { name, profile: "open".into() });
        let mut view = ConferenceView::begin(&first).unwrap();
        view.apply(&event(2, EventKind::Dialling { party, address: "sip:bob@b".into() }));
        assert_eq!(view.party(party).unwrap().state, PartyState::Dialling);
        view.apply(&event(
            3,
            EventKind::Joined {
                party,
                display_name: None,
                address: "sip:bob@b".into(),
                codec: Codec::Opus,
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
