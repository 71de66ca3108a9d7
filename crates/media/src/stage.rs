//! All that one media thread owns.

use std::collections::VecDeque;
use std::hint::black_box;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use model::LegId;
use model::MediaReport;
use model::stats::MediaStats;

use crate::announcer::Ringer;
use crate::cue::{Change, Cue, Routed, Spent};
use crate::ledger::Ledger;
use crate::limits::{
    MIXERS_MAX, PHASES, PORTS_MAX, REPORT_TURNS, SPENT_QUEUED_MAX, SPENT_ROOM_MIN, TOUCHED_LEGS,
    TOUCHED_MIXERS, TURN_US,
};
use crate::link::Link;
use crate::mixer::{Floor, Mixer, Scratch};
use crate::music::Music;
use crate::outbox::Outbox;
use crate::port::Port;

/// Which of a stage's ports. The shell's sockets have the same numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortKey(pub(crate) u32);

impl PortKey {
    /// Its place in tables, below [`PORTS_MAX`].
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The key with this place.
    pub fn from_index(index: usize) -> Option<PortKey> {
        u32::try_from(index).ok().filter(|_| index < PORTS_MAX).map(PortKey)
    }
}

/// Which of a stage's mixers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MixerKey(pub(crate) u32);

/// The ports by key.
pub(crate) struct Ports {
    slots: Box<[Option<Box<Port>>]>,
}

impl Ports {
    fn new() -> Ports {
        Ports { slots: std::iter::repeat_with(|| None).take(PORTS_MAX).collect() }
    }

    fn slot(&mut self, key: PortKey) -> &mut Option<Box<Port>> {
        &mut self.slots[key.index()]
    }

    /// A leg's port, if the slot is still that leg's.
    pub(crate) fn port_mut(&mut self, key: PortKey, leg: LegId) -> Option<&mut Port> {
        self.slot(key).as_deref_mut().filter(|port| port.leg == leg)
    }

    /// Reads ahead for a port: see [`Port::touch`].
    pub(crate) fn touch(&self, key: PortKey) -> usize {
        self.slots[key.index()].as_deref().map_or(0, Port::touch)
    }

    /// Whether a leg has had its packets of this tick: then it came from another mixer in between.
    pub(crate) fn is_served(&self, key: PortKey, leg: LegId, tick: u64) -> bool {
        let port = self.slots[key.index()].as_deref().filter(|port| port.leg == leg);
        port.is_some_and(|port| port.outgoing.is_at(tick))
    }

    /// What was agreed with a leg.
    pub(crate) fn link(&self, key: PortKey, leg: LegId) -> Option<&Link> {
        let port = self.slots[key.index()].as_deref().filter(|port| port.leg == leg)?;
        port.link.as_deref()
    }

    /// What was agreed with a leg.
    pub(crate) fn link_mut(&mut self, key: PortKey, leg: LegId) -> Option<&mut Link> {
        self.port_mut(key, leg)?.link.as_deref_mut()
    }
}

/// The ports, mixers and counters of one media thread.
///
/// Nothing here allocates or frees after [`Stage::new`]: what comes is brought by a [`Cue`], what
/// goes is fetched by [`Stage::next_spent`].
pub struct Stage {
    ports: Ports,
    mixers: Box<[Option<Box<Mixer>>]>,
    /// Those of each phase, so that a turn looks at no other.
    mixers_by_phase: [Vec<MixerKey>; PHASES as usize],
    /// Ports that are closed but still heard in the plan that plays.
    leaving: Vec<PortKey>,
    ledger: Ledger,
    music: Music,
    ringer: Ringer,
    scratch: Box<Scratch>,
    spent: VecDeque<Spent>,
    /// The turn in which ports reported last.
    reported: u64,
}

impl Stage {
    /// An empty stage with room for all that the server may hold.
    pub fn new(music: Music) -> Stage {
        Stage {
            ports: Ports::new(),
            mixers: std::iter::repeat_with(|| None).take(MIXERS_MAX).collect(),
            mixers_by_phase: std::array::from_fn(|_| Vec::with_capacity(MIXERS_MAX)),
            leaving: Vec::with_capacity(PORTS_MAX),
            ledger: Ledger::new(),
            music,
            ringer: Ringer::new(),
            scratch: Box::new(Scratch::new()),
            spent: VecDeque::with_capacity(SPENT_QUEUED_MAX),
            reported: 0,
        }
    }

    /// Whether there is room for what a cue replaces. If not, fetch what is spent first.
    pub fn takes_cues(&self) -> bool {
        self.spent.len() + SPENT_ROOM_MIN <= SPENT_QUEUED_MAX
    }

    /// Carries out a cue. A plan plays from its conference's next tick on.
    pub fn apply(&mut self, cue: Cue) {
        match cue.0 {
            Change::Open { key, port, mixer } => {
                if let Some(mixer) = mixer {
                    self.set_up(port.mixer, mixer);
                }
                if let Some(before) = self.ports.slot(key).replace(port) {
                    self.spent.push_back(Spent::Port(key, before));
                } else {
                    self.ledger.stats.ports_open += 1;
                }
            }
            Change::Connect { port, link, routed } => {
                self.connect(port, link);
                self.route(routed);
            }
            Change::Amend { port, terms, routed } => {
                if let Some(port) = self.ports.slot(port) {
                    port.amend(terms);
                }
                self.route(routed);
            }
            Change::Move { port, left, routed, mixer } => {
                if let Some((mixer, routed)) = mixer.zip(routed.as_ref()) {
                    self.set_up(routed.mixer, mixer);
                }
                self.let_out(port, routed.as_ref());
                self.route(left);
                self.route(routed);
            }
            Change::Depart { port: key, routed } => {
                self.let_out(key, None);
                if let Some(port) = self.ports.slot(key).take() {
                    self.ledger.stats.ports_open -= 1;
                    self.spent.push_back(Spent::Departed(key, port));
                }
                self.route(routed);
            }
            Change::Land { key, mut port, routed } => {
                if let Some(routed) = &routed {
                    port.mixer = routed.mixer;
                }
                match self.ports.slot(key).replace(port) {
                    Some(before) => self.spent.push_back(Spent::Port(key, before)),
                    None => self.ledger.stats.ports_open += 1,
                }
                self.route(routed);
            }
            Change::Press { port, strokes } => {
                let link = self.ports.slot(port).as_mut().and_then(|port| port.link.as_mut());
                if !link.is_some_and(|link| link.pressing.press(&strokes)) {
                    self.ledger.stats.keys_dropped += strokes.count() as u64;
                }
            }
            Change::Close { port, routed } => {
                self.leaving.push(port);
                self.route(routed);
            }
            Change::Route { routed, mixer } => {
                if let Some((mixer, routed)) = mixer.zip(routed.as_ref()) {
                    self.set_up(routed.mixer, mixer);
                }
                self.route(routed);
            }
            Change::OpenTap { tap, routed } => {
                let tap = match self.mixer(&routed) {
                    Some(mixer) => mixer.open_tap(tap),
                    None => Some(tap),
                };
                self.spent.extend(tap.map(Spent::Tap));
                self.route(routed);
            }
            Change::CloseTap { recording, routed } => {
                let tap = self.mixer(&routed).and_then(|mixer| mixer.close_tap(recording));
                self.spent.extend(tap.map(Spent::Tap));
                self.route(routed);
            }
            Change::Play { mixer, announcement } => {
                let back = match &mut self.mixers[mixer.0 as usize] {
                    Some(mixer) => mixer.play(announcement),
                    None => Some(announcement),
                };
                self.spent.extend(back.map(Spent::Announcement));
            }
            Change::StopPlaying { mixer, announcement } => {
                if let Some(mixer) = &mut self.mixers[mixer.0 as usize] {
                    mixer.stop_playing(announcement);
                }
            }
            Change::CloseMixer { mixer } => {
                if let Some(before) = self.mixers[mixer.0 as usize].take() {
                    self.forget(mixer, &before);
                    before.dismiss(&mut self.ports);
                    self.spent.push_back(Spent::Mixer(before));
                }
            }
        }
    }

    /// A datagram for this port is about to be handed over: reads ahead what it needs.
    pub fn expect(&self, port: PortKey) {
        black_box(self.ports.touch(port));
    }

    /// Takes a datagram that came to a port's socket, `arrival_us` after the worker's start.
    pub fn receive(&mut self, port: PortKey, remote: SocketAddr, arrival_us: u64, bytes: &[u8]) {
        let Some(port) = self.ports.slot(port) else {
            self.ledger.stats.packets_refused += 1;
            return;
        };
        let ledger = &mut self.ledger;
        let take = AssertUnwindSafe(|| port.receive(remote, arrival_us, bytes, ledger));
        if catch_unwind(take).is_err() {
            self.ledger.stats.panics += 1;
            port.watch.give_up();
        }
    }

    /// Renders the turn of that number: all conferences whose phase it is. Turns are 5 ms apart,
    /// and turn 0 is at the worker's start. Datagrams are added to the outbox.
    ///
    /// A bug of ours that panics ends what it was about and nothing else: the conference is taken
    /// down, and its legs are told as timed out.
    pub fn turn(&mut self, turn: u64, outbox: &mut Outbox) {
        // Another one that fails in this turn fails in its next.
        let mut failed = None;
        let mut floor = Floor {
            ports: &mut self.ports,
            ledger: &mut self.ledger,
            music: &self.music,
            ringer: &self.ringer,
            scratch: &mut self.scratch,
            outbox,
            spent: &mut self.spent,
            now_us: turn * TURN_US,
        };
        for keys in self.mixers_by_phase[(turn % PHASES) as usize].chunks(TOUCHED_MIXERS) {
            for mixer in keys.iter().filter_map(|key| self.mixers[key.0 as usize].as_ref()) {
                mixer.touch(0..TOUCHED_LEGS, floor.ports);
            }
            for key in keys {
                if let Some(mixer) = &mut self.mixers[key.0 as usize] {
                    let render = AssertUnwindSafe(|| mixer.render(turn / PHASES, &mut floor));
                    if catch_unwind(render).is_err() {
                        failed = Some(*key);
                    }
                }
            }
        }
        if let Some(key) = failed {
            self.give_up(key);
        }
        self.report(turn, outbox);
        self.let_go(turn * TURN_US, outbox);
    }

    /// The next turn after this one that there is something to render in; without any, the one a
    /// tick later.
    pub fn next_turn(&self, turn: u64) -> u64 {
        let due = |next: &u64| !self.mixers_by_phase[(next % PHASES) as usize].is_empty();
        (turn + 1..turn + PHASES).find(due).unwrap_or(turn + PHASES)
    }

    /// Whether there is neither a port nor a conference.
    pub fn is_empty(&self) -> bool {
        self.ledger.stats.ports_open == 0 && self.mixers_by_phase.iter().all(Vec::is_empty)
    }

    /// The oldest report that was not fetched yet.
    pub fn next_report(&mut self) -> Option<MediaReport> {
        self.ledger.next_report()
    }

    /// Something that is of no use any more.
    pub fn next_spent(&mut self) -> Option<Spent> {
        self.spent.pop_front()
    }

    /// What was counted since the start. What only a shell can know is zero.
    pub fn stats(&self) -> &MediaStats {
        &self.ledger.stats
    }

    /// A conference has failed: it is rendered no more, and its legs are as good as gone.
    fn give_up(&mut self, key: MixerKey) {
        self.ledger.stats.panics += 1;
        let Some(mixer) = self.mixers[key.0 as usize].take() else { return };
        self.forget(key, &mixer);
        self.spent.push_back(Spent::Mixer(mixer));
        for port in self.ports.slots.iter_mut().flatten().filter(|port| port.mixer == key) {
            port.plays = false;
            port.watch.give_up();
        }
    }

    fn set_up(&mut self, key: MixerKey, mixer: Box<Mixer>) {
        let phase = mixer.phase as usize;
        if let Some(before) = self.mixers[key.0 as usize].replace(mixer) {
            self.forget(key, &before);
            self.spent.push_back(Spent::Mixer(before));
        }
        self.mixers_by_phase[phase].push(key);
    }

    /// A mixer is not rendered any more.
    fn forget(&mut self, key: MixerKey, mixer: &Mixer) {
        let keys = &mut self.mixers_by_phase[mixer.phase as usize];
        if let Some(place) = keys.iter().position(|other| *other == key) {
            keys.swap_remove(place);
        }
    }

    fn connect(&mut self, port: PortKey, link: Box<Link>) {
        let Some(port) = self.ports.slot(port) else {
            self.spent.push_back(Spent::Link(link));
            return;
        };
        self.spent.extend(port.connect(link).map(Spent::Link));
    }

    /// A port is not the mixer's any more that it was in, but another's.
    fn let_out(&mut self, key: PortKey, routed: Option<&Routed>) {
        let Some(port) = self.ports.slot(key).as_deref_mut() else { return };
        if let Some(mixer) = &mut self.mixers[port.mixer.0 as usize] {
            mixer.let_out(key, port);
        }
        if let Some(routed) = routed {
            port.mixer = routed.mixer;
        }
    }

    fn mixer(&mut self, routed: &Option<Routed>) -> Option<&mut Mixer> {
        self.mixers[routed.as_ref()?.mixer.0 as usize].as_deref_mut()
    }

    fn route(&mut self, routed: Option<Routed>) {
        let Some(Routed { mixer, plan }) = routed else { return };
        let unused = match &mut self.mixers[mixer.0 as usize] {
            Some(mixer) => mixer.route(plan),
            None => Some(plan),
        };
        self.spent.extend(unused.map(Spent::Plan));
    }

    /// Lets a share of the ports report for each turn since the last that was rendered, so that
    /// each port has its turn a few times a second.
    fn report(&mut self, turn: u64, outbox: &mut Outbox) {
        let shares = turn.saturating_sub(self.reported).min(REPORT_TURNS as u64);
        self.reported = turn;
        let share = PORTS_MAX.div_ceil(REPORT_TURNS);
        for number in turn + 1 - shares..=turn {
            let first = number as usize % REPORT_TURNS * share;
            let slots = self.ports.slots.iter_mut().enumerate().skip(first).take(share);
            for (index, slot) in slots {
                if let Some(port) = slot {
                    port.report(PortKey(index as u32), turn * TURN_US, outbox, &mut self.ledger);
                }
            }
        }
    }

    /// Lets closed ports go that nobody hears any more.
    fn let_go(&mut self, now_us: u64, outbox: &mut Outbox) {
        let Stage { ports, leaving, ledger, spent, .. } = self;
        leaving.retain(|key| {
            let slot = ports.slot(*key);
            let heard = slot.as_ref().is_some_and(|port| port.plays);
            if heard || spent.len() == SPENT_QUEUED_MAX {
                return true;
            }
            if let Some(mut port) = slot.take() {
                port.leave(*key, now_us, outbox, ledger);
                ledger.stats.ports_open -= 1;
                spent.push_back(Spent::Port(*key, port));
            }
            false
        });
    }
}

#[cfg(test)]
mod tests {
    use model::routing::Hearing;
    use model::{
        Codec, ConferenceId, Connection, EarGroup, Gain, MediaOrder, Place, Routing, Rtcp, Source,
        VoiceGroup,
    };

    use super::*;
    use crate::desk::Desk;

    /// Two conferences of two phones each.
    struct House {
        desk: Desk,
        stage: Stage,
        outbox: Outbox,
        turn: u64,
    }

    impl House {
        fn new() -> House {
            let stage = Stage::new(Music::silence());
            let mut house = House { desk: Desk::new(1), stage, outbox: Outbox::new(), turn: 0 };
            for leg in 1..=4 {
                let (leg, conference) = (LegId(leg), ConferenceId(leg.div_ceil(2)));
                let local = "192.0.2.9".parse().unwrap();
                house.order(MediaOrder::Open { leg, conference, local });
                let remote = SocketAddr::from(([192, 0, 2, 1], 4_000 + leg.0 as u16));
                let connection = Connection {
                    codec: Codec::Pcmu,
                    payload_type: 0,
                    receive_payload_type: 0,
                    telephone_event: None,
                    alternatives: Vec::new(),
                    ptime_ms: 20,
                    fec: false,
                    opus: Default::default(),
                    remote,
                    rtcp: Rtcp::Nowhere,
                    voip_metrics: false,
                    srtp: None,
                    source: Source::Signalled { signalling: remote.ip() },
                    sends: true,
                    receives: true,
                    rtp_timeout_ms: None,
                };
                house.order(MediaOrder::Connect { leg, connection });
            }
            for conference in 1..=2 {
                let (ear, voice) = (EarGroup(0), VoiceGroup(0));
                let place = |leg| Place { leg: LegId(leg), ear: Some(ear), voice: Some(voice) };
                let routing = Routing {
                    places: [2 * conference - 1, 2 * conference].map(place).into(),
                    hears: vec![Hearing { ear, voice, gain: Gain::UNITY }],
                    ..Routing::default()
                };
                let conference = ConferenceId(conference);
                house.order(MediaOrder::Route { conference, routing });
            }
            house
        }

        fn order(&mut self, order: MediaOrder) {
            let cue = self.desk.compile(&order).unwrap();
            self.stage.apply(cue);
        }

        /// Who was sent audio in the next second.
        fn second(&mut self) -> std::collections::BTreeSet<u16> {
            let mut sent = std::collections::BTreeSet::new();
            for _ in 0..1_000_000 / TURN_US {
                self.turn += 1;
                self.outbox.clear();
                self.stage.turn(self.turn, &mut self.outbox);
                sent.extend(self.outbox.iter().map(|datagram| datagram.remote.port() - 4_000));
                while self.stage.next_spent().is_some() {}
            }
            sent
        }
    }

    #[test]
    fn a_conference_that_fails_by_a_bug_of_ours_ends_and_no_other_does() {
        let mut house = House::new();
        assert_eq!(house.second(), [1, 2, 3, 4].into());
        let first = house.stage.mixers.iter_mut().flatten().next().unwrap();
        first.spoil();
        println!("what is printed of a panic now is meant");
        assert_eq!(house.second(), [3, 4].into());
        assert_eq!(house.second(), [3, 4].into());
        assert_eq!(house.stage.stats().panics, 1);
        let mut gone = Vec::new();
        while let Some(report) = house.stage.next_report() {
            if let MediaReport::TimedOut { leg } = report {
                gone.push(leg.0);
            }
        }
        assert_eq!(gone, [1, 2], "each is told of once, and its call can end");
        for leg in 1..=2 {
            house.order(MediaOrder::Close { leg: LegId(leg) });
        }
        assert_eq!(house.second(), [3, 4].into());
        assert_eq!(house.stage.stats().ports_open, 2, "what it had is free again");
    }
}
