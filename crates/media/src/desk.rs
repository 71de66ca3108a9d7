//! The other half of a stage, off the media thread: it knows who is there, and makes orders ready.

use std::collections::{BTreeMap, VecDeque};

use audio::CodecError;
use model::limits::{ANNOUNCEMENTS_PER_CONFERENCE_MAX, TAPS_PER_CONFERENCE_MAX};
use model::{
    AnnouncementId, Chance, ClipName, ConferenceId, Connection, LegId, MediaOrder, RecordingId,
    Routing, TapFrame, TapRate,
};
use rtrb::Producer;

use crate::announcer::Announcement;
use crate::clip::Clips;
use crate::cue::{Change, Cue, Routed};
use crate::expense::leg_us_per_s;
use crate::limits::{MIXERS_MAX, PHASE_LEGS, PHASES, PORTS_MAX};
use crate::link::Link;
use crate::mixer::Mixer;
use crate::plan::{Plan, Seat};
use crate::port::Port;
use crate::pressing::Strokes;
use crate::rate::Rate;
use crate::recipe::Recipe;
use crate::stage::{MixerKey, PortKey};
use crate::tap::Tap;

/// Why an order is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderError {
    /// No port was opened for this leg, or it was closed.
    UnknownLeg(LegId),
    /// A port is open for this leg.
    LegOpen(LegId),
    /// There is no such conference.
    UnknownConference(ConferenceId),
    /// There is no such recording in that conference.
    UnknownRecording(RecordingId),
    /// There is no such announcement in that conference.
    UnknownAnnouncement(AnnouncementId),
    /// There is no such clip.
    UnknownClip,
    /// All ports, mixers, taps or announcements are in use.
    Full,
    /// A recorder is let in with its ring, by [`Desk::open_tap`].
    NeedsRing,
    /// The codec's library refused.
    Codec(CodecError),
}

impl std::fmt::Display for OrderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OrderError::UnknownLeg(leg) => write!(f, "leg {leg} has no port"),
            OrderError::LegOpen(leg) => write!(f, "leg {leg} has a port already"),
            OrderError::UnknownConference(conference) => {
                write!(f, "conference {conference} has no mixer")
            }
            OrderError::UnknownRecording(recording) => {
                write!(f, "recording {recording} has no tap")
            }
            OrderError::UnknownAnnouncement(announcement) => {
                write!(f, "announcement {announcement} is not played")
            }
            OrderError::UnknownClip => f.write_str("there is no such clip"),
            OrderError::Full => f.write_str("all ports, mixers, taps or announcements are in use"),
            OrderError::NeedsRing => f.write_str("a tap needs a ring"),
            OrderError::Codec(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OrderError {}

impl From<CodecError> for OrderError {
    fn from(error: CodecError) -> OrderError {
        OrderError::Codec(error)
    }
}

struct Leg {
    key: PortKey,
    conference: ConferenceId,
    terms: Option<Connection>,
}

struct Conference {
    key: MixerKey,
    phase: u64,
    legs: Vec<LegId>,
    routing: Routing,
    taps: Vec<(RecordingId, Rate)>,
    announcements: Vec<AnnouncementId>,
}

/// Keys that are free, oldest first, so that each rests as long as possible.
struct Keys(VecDeque<u32>);

impl Keys {
    fn new(count: usize) -> Keys {
        Keys((0..count as u32).collect())
    }

    fn take(&mut self) -> Result<u32, OrderError> {
        self.0.pop_front().ok_or(OrderError::Full)
    }

    fn give_back(&mut self, key: u32) {
        self.0.push_back(key);
    }
}

/// Makes orders into cues for one stage. Cues must reach the stage in the order in which they were
/// made.
pub struct Desk {
    chance: Chance,
    clips: Clips,
    legs: BTreeMap<LegId, Leg>,
    conferences: BTreeMap<ConferenceId, Conference>,
    port_keys: Keys,
    mixer_keys: Keys,
    phases: Phases,
    /// What all legs are expected to cost.
    busy_us_per_s: u64,
}

/// Which phases of a tick are in use. Each is a wake of the media thread, so that few of them are
/// cheap; many legs are dealt to all, so that what is sent at once is never much.
struct Phases {
    /// The one that is filled first.
    first: u64,
    legs: [usize; PHASES as usize],
}

impl Phases {
    /// For a conference that begins: the first that has room, else the one with the fewest legs.
    /// Where nobody is yet the conference's number says which is the first, so that stages that
    /// run side by side seldom wake at once.
    fn choose(&mut self, conference: ConferenceId) -> u64 {
        if self.legs == [0; PHASES as usize] {
            self.first = conference.0 % PHASES;
        }
        let phases = || (0..PHASES).map(|number| (self.first + number) % PHASES);
        let legs = |phase: &u64| self.legs[*phase as usize];
        let room = phases().find(|phase| legs(phase) < PHASE_LEGS);
        room.or_else(|| phases().min_by_key(legs)).unwrap_or(self.first)
    }
}

impl Desk {
    /// A desk for an empty stage. The streams' random numbers come from the seed.
    pub fn new(seed: u64) -> Desk {
        Desk::with_clips(seed, Clips::default())
    }

    /// The same, with something to announce.
    pub fn with_clips(seed: u64, clips: Clips) -> Desk {
        Desk {
            chance: Chance::new(seed),
            clips,
            legs: BTreeMap::new(),
            conferences: BTreeMap::new(),
            port_keys: Keys::new(PORTS_MAX),
            mixer_keys: Keys::new(MIXERS_MAX),
            phases: Phases { first: 0, legs: [0; PHASES as usize] },
            busy_us_per_s: 0,
        }
    }

    /// Makes an order ready. [`MediaOrder::OpenTap`] is refused: see [`Desk::open_tap`].
    ///
    /// # Errors
    /// [`OrderError`]; then nothing has changed.
    pub fn compile(&mut self, order: &MediaOrder) -> Result<Cue, OrderError> {
        let change = match order {
            MediaOrder::Open { leg, conference, local: _ } => self.open(*leg, *conference)?,
            MediaOrder::Connect { leg, connection } => self.connect(*leg, connection)?,
            MediaOrder::Move { leg, conference } => self.relocate(*leg, *conference)?,
            MediaOrder::Press { leg, digits } => {
                let port = self.port(*leg).ok_or(OrderError::UnknownLeg(*leg))?;
                Change::Press { port, strokes: Strokes::of(digits) }
            }
            MediaOrder::Close { leg } => self.close(*leg)?,
            MediaOrder::Route { conference, routing } => self.route(*conference, routing)?,
            MediaOrder::OpenTap { .. } => return Err(OrderError::NeedsRing),
            MediaOrder::CloseTap { conference, recording } => {
                self.close_tap(*conference, *recording)?
            }
            MediaOrder::Play { conference, announcement, clip } => {
                self.play(*conference, *announcement, clip)?
            }
            MediaOrder::StopPlaying { conference, announcement } => {
                self.stop_playing(*conference, *announcement)?
            }
            MediaOrder::CloseConference { conference } => self.close_conference(*conference)?,
        };
        Ok(Cue(change))
    }

    /// Lets a recorder in. It is given a frame in every tick from its conference's next one on;
    /// what it hears is in the routing.
    ///
    /// # Errors
    /// [`OrderError::UnknownConference`], [`OrderError::Full`].
    pub fn open_tap(
        &mut self,
        conference: ConferenceId,
        recording: RecordingId,
        rate: TapRate,
        frames: Producer<TapFrame>,
    ) -> Result<Cue, OrderError> {
        let rate = Rate::of_tap(rate);
        let room = self.conference(conference)?;
        if room.taps.len() == TAPS_PER_CONFERENCE_MAX {
            return Err(OrderError::Full);
        }
        room.taps.push((recording, rate));
        let routed = self.plan(conference);
        let tap = Box::new(Tap::new(recording, rate, frames));
        Ok(Cue(Change::OpenTap { tap, routed }))
    }

    /// Lets a leg go that another desk expects ([`Desk::expect`]). Its port comes back as
    /// [`Spent::Departed`](crate::Spent::Departed).
    ///
    /// # Errors
    /// [`OrderError::UnknownLeg`].
    pub fn depart(&mut self, leg: LegId) -> Result<Cue, OrderError> {
        let known = self.take_out(leg)?;
        Ok(Cue(Change::Depart { port: known.key, routed: self.plan(known.conference) }))
    }

    /// Makes ready for a leg that comes from another desk's stage: in its conference's plan it has
    /// its place before its port is here.
    ///
    /// # Errors
    /// [`OrderError::LegOpen`], [`OrderError::Full`].
    pub fn expect(
        &mut self,
        leg: LegId,
        conference: ConferenceId,
        terms: Option<Connection>,
    ) -> Result<Cue, OrderError> {
        let (_, mixer) = self.seat(leg, conference, terms)?;
        Ok(Cue(Change::Route { routed: self.plan(conference), mixer }))
    }

    /// The port of a leg that was expected is here.
    ///
    /// # Errors
    /// [`OrderError::UnknownLeg`] if it was not expected; then the port is gone.
    pub fn land(&mut self, port: Box<Port>) -> Result<(PortKey, Cue), OrderError> {
        let leg = port.leg;
        let known = self.legs.get(&leg).ok_or(OrderError::UnknownLeg(leg))?;
        let key = known.key;
        let routed = self.plan(known.conference);
        Ok((key, Cue(Change::Land { key, port, routed })))
    }

    /// What was agreed with a leg, as it was ordered last.
    pub fn terms(&self, leg: LegId) -> Option<&Connection> {
        self.legs.get(&leg)?.terms.as_ref()
    }

    /// The key of a leg's port.
    pub fn port(&self, leg: LegId) -> Option<PortKey> {
        self.legs.get(&leg).map(|leg| leg.key)
    }

    /// Whether a conference is here.
    pub fn has_conference(&self, conference: ConferenceId) -> bool {
        self.conferences.contains_key(&conference)
    }

    /// Legs that are here.
    pub fn legs(&self) -> usize {
        self.legs.len()
    }

    /// How busy those legs are expected to keep a thread \[µs per second\].
    pub fn busy_us_per_s(&self) -> u64 {
        self.busy_us_per_s
    }

    fn open(&mut self, leg: LegId, conference: ConferenceId) -> Result<Change, OrderError> {
        let (key, mixer) = self.seat(leg, conference, None)?;
        let mixer_key = self.conference(conference)?.key;
        let port = Box::new(Port::new(leg, mixer_key, &mut self.chance));
        Ok(Change::Open { key, port, mixer })
    }

    /// Gives a leg a key and a place in its conference, whose mixer is made if there is none.
    fn seat(
        &mut self,
        leg: LegId,
        conference: ConferenceId,
        terms: Option<Connection>,
    ) -> Result<(PortKey, Option<Box<Mixer>>), OrderError> {
        if self.legs.contains_key(&leg) {
            return Err(OrderError::LegOpen(leg));
        }
        let key = PortKey(self.port_keys.take()?);
        let mixer = match self.enter(conference) {
            Ok(mixer) => mixer,
            Err(full) => {
                self.port_keys.give_back(key.0);
                return Err(full);
            }
        };
        let room = self.conference(conference)?;
        room.legs.push(leg);
        let phase = room.phase;
        self.phases.legs[phase as usize] += 1;
        self.busy_us_per_s += leg_us_per_s(terms.as_ref());
        self.legs.insert(leg, Leg { key, conference, terms });
        Ok((key, mixer))
    }

    fn connect(&mut self, leg: LegId, terms: &Connection) -> Result<Change, OrderError> {
        let known = self.legs.get_mut(&leg).ok_or(OrderError::UnknownLeg(leg))?;
        let (port, conference) = (known.key, known.conference);
        let suits = known.terms.as_ref().is_some_and(|before| Link::suits(before, terms));
        let link = if suits { None } else { Some(Box::new(Link::new(terms.clone())?)) };
        self.busy_us_per_s -= leg_us_per_s(known.terms.as_ref());
        known.terms = Some(terms.clone());
        self.busy_us_per_s += leg_us_per_s(known.terms.as_ref());
        let routed = self.plan(conference);
        Ok(match link {
            Some(link) => Change::Connect { port, link, routed },
            None => Change::Amend { port, terms: terms.clone(), routed },
        })
    }

    fn relocate(&mut self, leg: LegId, conference: ConferenceId) -> Result<Change, OrderError> {
        let known = self.legs.get(&leg).ok_or(OrderError::UnknownLeg(leg))?;
        let (port, from) = (known.key, known.conference);
        let mixer = self.enter(conference)?;
        self.step_out(leg, from);
        let room = self.conference(conference)?;
        room.legs.push(leg);
        let phase = room.phase;
        self.phases.legs[phase as usize] += 1;
        if let Some(known) = self.legs.get_mut(&leg) {
            known.conference = conference;
        }
        let left = if from == conference { None } else { self.plan(from) };
        Ok(Change::Move { port, left, routed: self.plan(conference), mixer })
    }

    fn close(&mut self, leg: LegId) -> Result<Change, OrderError> {
        let known = self.take_out(leg)?;
        Ok(Change::Close { port: known.key, routed: self.plan(known.conference) })
    }

    /// A leg is not here any more.
    fn take_out(&mut self, leg: LegId) -> Result<Leg, OrderError> {
        let known = self.legs.remove(&leg).ok_or(OrderError::UnknownLeg(leg))?;
        self.port_keys.give_back(known.key.0);
        self.busy_us_per_s -= leg_us_per_s(known.terms.as_ref());
        self.step_out(leg, known.conference);
        Ok(known)
    }

    /// A leg is not in a conference any more.
    fn step_out(&mut self, leg: LegId, conference: ConferenceId) {
        let Some(room) = self.conferences.get_mut(&conference) else { return };
        let before = room.legs.len();
        room.legs.retain(|other| *other != leg);
        self.phases.legs[room.phase as usize] -= before - room.legs.len();
    }

    fn route(&mut self, conference: ConferenceId, routing: &Routing) -> Result<Change, OrderError> {
        let mixer = if routing.places.is_empty() { None } else { self.enter(conference)? };
        self.conference(conference)?.routing = routing.clone();
        Ok(Change::Route { routed: self.plan(conference), mixer })
    }

    fn close_tap(
        &mut self,
        conference: ConferenceId,
        recording: RecordingId,
    ) -> Result<Change, OrderError> {
        let room = self.conference(conference)?;
        let place = room.taps.iter().position(|(id, _)| *id == recording);
        room.taps.remove(place.ok_or(OrderError::UnknownRecording(recording))?);
        Ok(Change::CloseTap { recording, routed: self.plan(conference) })
    }

    fn play(
        &mut self,
        conference: ConferenceId,
        announcement: AnnouncementId,
        clip: &ClipName,
    ) -> Result<Change, OrderError> {
        let clip = self.clips.find(clip).ok_or(OrderError::UnknownClip)?;
        let room = self.conference(conference)?;
        if room.announcements.len() == ANNOUNCEMENTS_PER_CONFERENCE_MAX {
            return Err(OrderError::Full);
        }
        room.announcements.push(announcement);
        let mixer = room.key;
        let announcement = Box::new(Announcement::new(announcement, clip));
        Ok(Change::Play { mixer, announcement })
    }

    fn stop_playing(
        &mut self,
        conference: ConferenceId,
        announcement: AnnouncementId,
    ) -> Result<Change, OrderError> {
        let room = self.conference(conference)?;
        let place = room.announcements.iter().position(|id| *id == announcement);
        room.announcements.remove(place.ok_or(OrderError::UnknownAnnouncement(announcement))?);
        Ok(Change::StopPlaying { mixer: room.key, announcement })
    }

    fn close_conference(&mut self, conference: ConferenceId) -> Result<Change, OrderError> {
        let room = self.conferences.remove(&conference);
        let room = room.ok_or(OrderError::UnknownConference(conference))?;
        self.mixer_keys.give_back(room.key.0);
        self.phases.legs[room.phase as usize] -= room.legs.len();
        Ok(Change::CloseMixer { mixer: room.key })
    }

    /// Makes a mixer if the conference has none.
    fn enter(&mut self, conference: ConferenceId) -> Result<Option<Box<Mixer>>, OrderError> {
        if self.conferences.contains_key(&conference) {
            return Ok(None);
        }
        let key = MixerKey(self.mixer_keys.take()?);
        let phase = self.phases.choose(conference);
        let room = Conference {
            key,
            phase,
            legs: Vec::new(),
            routing: Routing::default(),
            taps: Vec::new(),
            announcements: Vec::new(),
        };
        self.conferences.insert(conference, room);
        Ok(Some(Box::new(Mixer::new(phase))))
    }

    fn conference(&mut self, conference: ConferenceId) -> Result<&mut Conference, OrderError> {
        let room = self.conferences.get_mut(&conference);
        room.ok_or(OrderError::UnknownConference(conference))
    }

    /// The plan of a conference as things stand; none if it is closed.
    fn plan(&self, conference: ConferenceId) -> Option<Routed> {
        let room = self.conferences.get(&conference)?;
        let seat = |leg: &LegId| {
            let known = self.legs.get(leg)?;
            let terms = known.terms.as_ref()?;
            let (recipe, ptime_ms) = (Recipe::of(terms), terms.ptime_ms);
            Some(Seat { leg: *leg, port: known.key, recipe, ptime_ms })
        };
        let seats: Vec<Seat> = room.legs.iter().filter_map(seat).collect();
        let plan = Box::new(Plan::compile(&room.routing, &seats, &room.taps));
        Some(Routed { mixer: room.key, plan })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Codec, Source};

    fn terms() -> Connection {
        Connection {
            codec: Codec::Pcmu,
            payload_type: 0,
            receive_payload_type: 0,
            telephone_event: None,
            alternatives: Vec::new(),
            ptime_ms: 20,
            fec: false,
            opus: Default::default(),
            remote: "192.0.2.1:4000".parse().unwrap(),
            rtcp: model::Rtcp::Nowhere,
            voip_metrics: false,
            srtp: None,
            source: Source::Signalled { signalling: "192.0.2.1".parse().unwrap() },
            sends: true,
            receives: true,
            rtp_timeout_ms: None,
        }
    }

    fn open(leg: u64, conference: u64) -> MediaOrder {
        let (leg, conference) = (LegId(leg), ConferenceId(conference));
        MediaOrder::Open { leg, conference, local: "192.0.2.9".parse().unwrap() }
    }

    #[test]
    fn orders_about_what_is_not_there_are_refused() {
        let mut desk = Desk::new(1);
        let (leg, conference, recording) = (LegId(1), ConferenceId(2), RecordingId(3));
        let connect = MediaOrder::Connect { leg, connection: terms() };
        let route = MediaOrder::Route { conference, routing: Routing::default() };
        let close_tap = MediaOrder::CloseTap { conference, recording };
        let refused = |desk: &mut Desk, order| desk.compile(&order).err();
        assert_eq!(refused(&mut desk, connect), Some(OrderError::UnknownLeg(leg)));
        assert_eq!(
            refused(&mut desk, MediaOrder::Close { leg }),
            Some(OrderError::UnknownLeg(leg))
        );
        assert_eq!(refused(&mut desk, route), Some(OrderError::UnknownConference(conference)));
        assert_eq!(refused(&mut desk, open(1, 2)), None);
        assert_eq!(refused(&mut desk, open(1, 2)), Some(OrderError::LegOpen(leg)));
        assert_eq!(refused(&mut desk, close_tap), Some(OrderError::UnknownRecording(recording)));
    }

    #[test]
    fn few_legs_share_a_phase_and_many_are_dealt_to_all() {
        let mut desk = Desk::new(1);
        let legs = 6 * PHASE_LEGS as u64;
        for leg in 0..legs {
            assert!(desk.compile(&open(leg, 3 + leg / 4)).is_ok());
            if leg < PHASE_LEGS as u64 {
                assert_eq!(desk.phases.legs[..3], [0; 3]);
            }
        }
        let dear = desk.busy_us_per_s();
        for leg in 0..legs {
            let connect = MediaOrder::Connect { leg: LegId(leg), connection: terms() };
            assert!(desk.compile(&connect).is_ok());
        }
        assert!(desk.busy_us_per_s() < dear / 4, "telephones are cheaper than what may come");
        assert_eq!(desk.phases.legs, [legs as usize / PHASES as usize; PHASES as usize]);
        for leg in 0..legs {
            if leg % 8 == 0 {
                let conference = ConferenceId(3 + leg / 4);
                assert!(desk.compile(&MediaOrder::CloseConference { conference }).is_ok());
            }
            assert!(desk.compile(&MediaOrder::Close { leg: LegId(leg) }).is_ok());
        }
        assert_eq!(desk.phases.legs, [0; PHASES as usize]);
        assert_eq!(desk.busy_us_per_s(), 0);
    }

    #[test]
    fn a_key_rests_before_it_is_used_again_and_full_is_full() {
        let mut desk = Desk::new(1);
        for leg in 0..PORTS_MAX as u64 {
            assert!(desk.compile(&open(leg, 1)).is_ok());
        }
        assert_eq!(desk.compile(&open(9_999, 1)).err(), Some(OrderError::Full));
        assert_eq!(desk.compile(&open(9_999, 2)).err(), Some(OrderError::Full));
        assert!(!desk.has_conference(ConferenceId(2)));
        let freed = desk.port(LegId(7));
        assert!(desk.compile(&MediaOrder::Close { leg: LegId(7) }).is_ok());
        assert!(desk.compile(&open(9_999, 1)).is_ok());
        assert_eq!(desk.port(LegId(9_999)), freed);
    }
}
