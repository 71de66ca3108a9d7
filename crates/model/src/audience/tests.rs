use super::*;
use crate::appearance::INTERNAL_TRANSFER;
use crate::command::Supervision;
use crate::profile::Sees;
use crate::{ConferenceId, ConferenceName};

const AGENT: PartyId = PartyId(1);
const CUSTOMER: PartyId = PartyId(2);
const SECOND: PartyId = PartyId(3);
const EVE: PartyId = PartyId(4);

/// A conference, and what each audience has been told of it.
struct Room {
    seq: u64,
    projections: Vec<Projection>,
    told: Vec<Vec<Event>>,
}

impl Room {
    fn new(seeing: Seeing) -> Room {
        let name = ConferenceName::parse("desk").unwrap();
        let kind = EventKind::Created { name, profile: "p".into(), seeing };
        let first = event(1, Author::System, kind);
        let audiences = [AGENT, CUSTOMER, SECOND, EVE].map(Audience::Party);
        let audiences = audiences.into_iter().chain([Audience::Outside, Audience::Everything]);
        let begun = audiences.map(|audience| Projection::begin(audience, &first).unwrap());
        let (projections, told) = begun.map(|(seen, told)| (seen, vec![told])).unzip();
        Room { seq: 1, projections, told }
    }

    /// A customer and its agent.
    fn desk(seeing: Seeing) -> Room {
        let mut room = Room::new(seeing);
        room.tell(joined(AGENT, Role::Primary));
        room.tell(joined(CUSTOMER, Role::Customer));
        room
    }

    fn tell(&mut self, kind: EventKind) {
        self.tell_by(Author::System, kind);
    }

    fn tell_by(&mut self, by: Author, kind: EventKind) {
        self.seq += 1;
        let event = event(self.seq, by, kind);
        for (projection, told) in self.projections.iter_mut().zip(&mut self.told) {
            told.extend(projection.apply(&event));
            let mut fold = ConferenceView::begin(&told[0]).unwrap();
            told.iter().for_each(|event| fold.apply(event));
            assert_eq!(&fold, projection.view().as_ref(), "a view is a fold: {event:?}");
            let seqs: Vec<u64> = told.iter().map(|event| event.seq).collect();
            assert_eq!(seqs, (1..=told.len() as u64).collect::<Vec<_>>());
        }
    }

    fn at(&self, audience: Audience) -> usize {
        self.projections.iter().position(|one| one.audience == audience).unwrap()
    }

    fn seen(&self, audience: Audience) -> Vec<PartyId> {
        let view = self.projections[self.at(audience)].view();
        view.parties.iter().map(|party| party.id).collect()
    }

    fn shown(&self, viewer: PartyId, party: PartyId) -> PartyView {
        let view = self.projections[self.at(Audience::Party(viewer))].view();
        view.party(party).unwrap().clone()
    }

    fn last(&self, audience: Audience) -> &Event {
        self.told[self.at(audience)].last().unwrap()
    }

    fn count(&self, audience: Audience) -> usize {
        self.told[self.at(audience)].len()
    }
}

fn event(seq: u64, by: Author, kind: EventKind) -> Event {
    Event { conference: ConferenceId(1), seq, at_ms: seq, by, cause: None, kind }
}

fn joined(party: PartyId, role: Role) -> EventKind {
    EventKind::Joined {
        party,
        display_name: Some(format!("{role:?}")),
        address: format!("sip:{party}@h"),
        codec: Codec::Pcmu,
        role,
        direction: Direction::Internal,
    }
}

fn supervised(beside: Option<PartyId>, mode: Supervision) -> EventKind {
    EventKind::Supervised { party: EVE, beside, mode }
}

fn monitors(room: &mut Room) {
    let (party, role, direction) = (EVE, Role::Supervisor, Direction::Internal);
    room.tell(EventKind::Dialling { party, address: "sip:eve@h".into(), role, direction });
    room.tell(supervised(Some(AGENT), Supervision::Monitor));
    room.tell(joined(EVE, Role::Supervisor));
}

const OUTSIDE: Audience = Audience::Outside;

fn of(party: PartyId) -> Audience {
    Audience::Party(party)
}

#[test]
fn who_monitors_is_seen_by_those_who_supervise_and_a_whisper_by_ours() {
    let mut room = Room::desk(Seeing::default());
    let before = room.count(of(CUSTOMER));
    monitors(&mut room);
    room.tell(EventKind::Talking { party: EVE, talking: true });
    assert_eq!(room.seen(Audience::Everything), [CUSTOMER, AGENT, EVE]);
    assert_eq!(room.seen(of(EVE)), [CUSTOMER, AGENT, EVE]);
    for audience in [of(AGENT), of(CUSTOMER), OUTSIDE] {
        assert_eq!(room.seen(audience), [CUSTOMER, AGENT], "{audience:?}");
    }
    room.tell_by(
        Author::Party(AGENT),
        EventKind::WhisperStarted { party: AGENT, to: Hearers::Ours },
    );
    room.tell(EventKind::Talking { party: AGENT, talking: true });
    let text = EventKind::WhisperText { to: Hearers::Ours, text: "psst".into() };
    room.tell_by(Author::Party(AGENT), text.clone());
    assert_eq!(room.last(of(AGENT)).kind, text);
    room.tell_by(Author::Party(AGENT), EventKind::WhisperEnded { party: AGENT });
    room.tell(EventKind::Silenced { party: AGENT });
    for audience in [of(CUSTOMER), OUTSIDE] {
        let last = &room.last(audience).kind;
        let talking = EventKind::Talking { party: AGENT, talking: true };
        // What it hears is all that it is told: that the agent goes on talking, to it.
        assert_eq!((room.count(audience), last), (before + 1, &talking), "{audience:?}");
    }
    room.tell(EventKind::Left { party: EVE, reason: LeaveReason::Left });
    assert_eq!(room.count(of(CUSTOMER)), before + 1, "who was not there does not leave");
}

#[test]
fn a_lamp_that_is_lit_goes_out_when_a_whisper_begins() {
    let mut room = Room::desk(Seeing::default());
    room.tell(EventKind::Talking { party: AGENT, talking: true });
    room.tell(joined(SECOND, Role::Secondary));
    room.tell(EventKind::WhisperStarted { party: AGENT, to: Hearers::Ours });
    let dark = EventKind::Talking { party: AGENT, talking: false };
    assert_eq!(room.last(of(CUSTOMER)).kind, dark, "as when it falls silent");
    assert!(room.shown(SECOND, AGENT).talking);
}

#[test]
fn who_barges_in_appears_and_who_goes_back_to_listening_leaves() {
    let mut room = Room::desk(Seeing::default());
    monitors(&mut room);
    room.tell_by(Author::Party(EVE), supervised(None, Supervision::Barge));
    assert_eq!(room.last(of(CUSTOMER)).kind, joined(EVE, Role::Supervisor));
    assert_eq!(room.seen(of(AGENT)), [CUSTOMER, AGENT, EVE]);
    room.tell_by(Author::Party(EVE), supervised(Some(AGENT), Supervision::Monitor));
    let left = EventKind::Left { party: EVE, reason: LeaveReason::Left };
    assert_eq!(room.last(of(CUSTOMER)).kind, left);
    // What it does meanwhile is nobody's doing.
    room.tell_by(Author::Party(EVE), EventKind::Muted { party: AGENT });
    assert_eq!(room.last(of(CUSTOMER)).by, Author::System);
    assert_eq!(room.last(Audience::Everything).by, Author::Party(EVE));
}

#[test]
fn a_secondary_sees_the_transfer_connection_alone_until_the_primary_has_left() {
    let seeing = Seeing { secondary: Sees::Transfer, ..Seeing::default() };
    let mut room = Room::desk(seeing);
    let (party, role) = (SECOND, Role::Secondary);
    room.tell(EventKind::Dialling {
        party,
        address: "sip:b@h".into(),
        role,
        direction: Direction::Internal,
    });
    room.tell(joined(SECOND, Role::Secondary));
    assert_eq!(room.seen(of(SECOND)), [AGENT, SECOND], "S4.25");
    assert_eq!(room.seen(of(AGENT)), [CUSTOMER, AGENT, SECOND], "S4.25, S4.28");
    let label = |viewer, party| room.shown(viewer, party).display_name.unwrap();
    assert_eq!(label(SECOND, AGENT), INTERNAL_TRANSFER, "S4.26");
    assert_eq!(label(AGENT, SECOND), INTERNAL_TRANSFER, "S4.26");
    assert_eq!(label(AGENT, CUSTOMER), "Customer");
    assert_eq!(label(CUSTOMER, SECOND), "Secondary");
    room.tell(EventKind::Held { party: CUSTOMER });
    room.tell(EventKind::Left { party: AGENT, reason: LeaveReason::Left });
    assert_eq!(room.seen(of(SECOND)), [CUSTOMER, SECOND], "it is in control");
    assert_eq!(room.shown(SECOND, CUSTOMER).state, PartyState::Held);
}

#[test]
fn all_agents_see_all_connections_where_the_profile_says_nothing_else() {
    let mut room = Room::desk(Seeing::default());
    room.tell(joined(SECOND, Role::Secondary));
    for viewer in [AGENT, SECOND, CUSTOMER] {
        assert_eq!(room.seen(of(viewer)), [CUSTOMER, AGENT, SECOND], "S4.10");
    }
    assert_eq!(room.shown(AGENT, SECOND).display_name.unwrap(), "Secondary", "S4.26");
}

#[test]
fn from_outside_ours_are_seen_by_the_name_that_the_profile_gives_them() {
    let seeing = Seeing { ours_as: "Support".into(), ..Seeing::default() };
    let mut room = Room::desk(seeing);
    let shown = room.shown(CUSTOMER, AGENT);
    assert_eq!((shown.display_name.as_deref(), &*shown.address), (Some("Support"), ANONYMOUS));
    assert_eq!(room.shown(AGENT, CUSTOMER).display_name.as_deref(), Some("Customer"), "S1.22");
    assert_eq!(room.shown(CUSTOMER, CUSTOMER).display_name.as_deref(), Some("Customer"));
    let count = room.count(of(CUSTOMER));
    room.tell(EventKind::Replaced {
        party: AGENT,
        display_name: Some("Bob".into()),
        address: "sip:bob@h".into(),
        codec: Codec::Pcmu,
        direction: Direction::Inbound,
    });
    assert_eq!(room.count(of(CUSTOMER)), count, "it is the same Support");
    assert_eq!(room.shown(SECOND, AGENT).display_name.as_deref(), Some("Support"), "not in yet");
}

#[test]
fn when_somebody_leaves_the_others_are_told_once_who() {
    let mut room = Room::desk(Seeing::default());
    room.tell(joined(SECOND, Role::Secondary));
    let counts = [AGENT, CUSTOMER].map(|viewer| room.count(of(viewer)));
    let left = EventKind::Left { party: SECOND, reason: LeaveReason::Left };
    room.tell(left.clone());
    for (viewer, count) in [AGENT, CUSTOMER].into_iter().zip(counts) {
        assert_eq!((room.count(of(viewer)), &room.last(of(viewer)).kind), (count + 1, &left));
    }
    assert!(room.projections[room.at(of(SECOND))].is_gone());
    assert!(!room.projections[room.at(of(AGENT))].is_gone());
}

#[test]
fn texts_reach_those_they_are_for() {
    let mut room = Room::desk(Seeing::default());
    room.tell(joined(SECOND, Role::Secondary));
    let text = |to| EventKind::Text { to, text: "x".into() };
    let reaches = |room: &mut Room, by, kind: EventKind| {
        let before = room.told.iter().map(Vec::len).collect::<Vec<_>>();
        room.tell_by(by, kind);
        let viewers = [AGENT, CUSTOMER, SECOND].into_iter();
        viewers.filter(|viewer| room.count(of(*viewer)) > before[room.at(of(*viewer))]).collect()
    };
    let all: Vec<PartyId> = reaches(&mut room, Author::Admin, text(None));
    assert_eq!(all, [AGENT, CUSTOMER, SECOND]);
    let one: Vec<PartyId> = reaches(&mut room, Author::Party(AGENT), text(Some(CUSTOMER)));
    assert_eq!(one, [AGENT, CUSTOMER]);
    let whisper = |to| EventKind::WhisperText { to, text: "x".into() };
    let ours: Vec<PartyId> = reaches(&mut room, Author::Admin, whisper(Hearers::Ours));
    assert_eq!(ours, [AGENT, SECOND], "S1.32");
    let to = Hearers::Only([SECOND].into());
    let narrow: Vec<PartyId> = reaches(&mut room, Author::Admin, whisper(to));
    assert_eq!(narrow, [SECOND], "S1.32");
}

#[test]
fn who_is_from_outside_is_told_of_the_prompts_that_it_hears_and_of_no_other() {
    let mut room = Room::desk(Seeing::default());
    room.tell(joined(SECOND, Role::Secondary));
    let announcement = crate::AnnouncementId(1);
    let prompt = crate::PromptName::parse("on_hold").unwrap();
    let said = |to: &[PartyId]| {
        let to = to.iter().copied().collect();
        EventKind::AnnouncementStarted { announcement, prompt: prompt.clone(), to }
    };
    let told = |room: &Room, viewer| {
        let EventKind::AnnouncementStarted { to, .. } = &room.last(of(viewer)).kind else {
            return vec![];
        };
        to.iter().copied().collect::<Vec<_>>()
    };
    room.tell(said(&[AGENT]));
    assert_eq!(told(&room, AGENT), [AGENT]);
    assert_eq!(told(&room, SECOND), [AGENT]);
    assert_eq!(told(&room, CUSTOMER), []);
    room.tell(said(&[AGENT, CUSTOMER]));
    assert_eq!(told(&room, CUSTOMER), [CUSTOMER]);
    let ended = EventKind::AnnouncementEnded { announcement, to: [AGENT, CUSTOMER].into() };
    room.tell(ended);
    let to = [CUSTOMER].into();
    let told = &room.last(of(CUSTOMER)).kind;
    assert_eq!(*told, EventKind::AnnouncementEnded { announcement, to });
    assert!(!matches!(room.last(Audience::Outside).kind, EventKind::AnnouncementEnded { .. }));
}

#[test]
fn who_is_from_outside_is_told_of_no_track() {
    let mut room = Room::desk(Seeing::default());
    monitors(&mut room);
    let mix = RecordingId(1);
    room.tell(EventKind::RecordingStarted { recording: mix });
    let before = room.count(of(CUSTOMER));
    let agents = room.count(of(AGENT));
    let voice = Track::Voice { of: mix, party: AGENT };
    room.tell(EventKind::TrackStarted { recording: RecordingId(2), track: voice });
    let whisper = Track::Whisper { of: mix, party: EVE };
    let by = Author::Party(EVE);
    room.tell_by(by, EventKind::TrackStarted { recording: RecordingId(3), track: whisper });
    let truth = room.projections[room.at(Audience::Everything)].view().as_ref().clone();
    let tracks = |audience| {
        let late = Projection::from(audience, truth.clone());
        late.view().recording.as_ref().unwrap().tracks.len()
    };
    let comes_late = [OUTSIDE, of(CUSTOMER), of(AGENT), Audience::Everything].map(tracks);
    assert_eq!(comes_late, [0, 0, 1, 2]);
    let disk_full = || "disk full".to_owned();
    for recording in [RecordingId(2), RecordingId(3)] {
        room.tell(EventKind::RecordingFailed { recording, reason: disk_full() });
    }
    assert_eq!(room.count(of(CUSTOMER)), before);
    assert_eq!(room.count(of(AGENT)), agents + 2, "nor is an agent of who monitors");
    room.tell(EventKind::RecordingFailed { recording: mix, reason: disk_full() });
    let stopped = EventKind::RecordingStopped { recording: mix };
    assert_eq!(room.last(of(CUSTOMER)).kind, stopped, "of the mix it is told that it is over");
}
