//! The switchboard: one shard's machines, and what goes in and out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use call::{Conference, LegChange};
use model::stats::{QualityStats, SignalStats};
use model::{
    Accepted, Action, AnnouncementId, Author, Chance, Command, CommandId, ConferenceId,
    ConferenceName, Event, LeaveReason, LegId, MediaOrder, MediaReport, OneWay, PartyId, Quality,
    RecordingId, Refusal, Registration, TrunkView,
};
use sip::Transports;
use sip::access::{Origin, Suspicion};
use sip::{Agenda, Alive, ConnectionId, Endpoint, Flow, Leave, ResolveId, Server, SessionId};
use wire::srtp::KeySource;

use crate::calls::Calls;
use crate::commands::Answers;
use crate::config::{Config, HouseRules};
use crate::digits::KeyWay;
use crate::keypad::Keypads;
use crate::leg::Leg;
use crate::lobby::Lobby;
use crate::negotiation;
use crate::quota::{Bound, CallsOut};
use crate::referral::Referrals;
use crate::roster::Watchers;
use crate::seizure::{Seizure, TrunkUse};
use crate::send_digits::Infos;
use crate::spending::Spending;
use crate::way::Way;

/// What happened outside.
#[derive(Debug)]
pub enum Input<'a> {
    /// A whole SIP message came.
    Message {
        /// From where.
        flow: Flow,
        /// The message.
        bytes: &'a [u8],
    },
    /// A stream connection is gone.
    ConnectionClosed(ConnectionId),
    /// A name was looked up; no server means that it has none.
    Resolved {
        /// The question's id.
        id: ResolveId,
        /// The answer.
        servers: Vec<Server>,
    },
    /// A message could not be sent.
    Unreachable {
        /// Where to.
        flow: Flow,
    },
    /// Somebody wishes something. Answered by [`Output::Answer`].
    Command(Command),
    /// Media reports something.
    Media(MediaReport),
    /// A recording could not be started or go on.
    RecordingFailed {
        /// Which.
        recording: RecordingId,
        /// What the world said.
        reason: String,
    },
    /// The rules were read anew.
    Rules(Box<HouseRules>),
    /// The server is to stop once the calls that are up have ended: no more come in.
    Drain,
    /// The server is to stop: no more calls come in, and all that are up end.
    Stop,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Send a SIP message.
    Transmit {
        /// Where to.
        flow: Flow,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Look up a name; answered by [`Input::Resolved`].
    Resolve {
        /// The question's id.
        id: ResolveId,
        /// The name.
        host: String,
        /// The port, where the address named one.
        port: Option<u16>,
        /// By which transports.
        transports: Transports,
    },
    /// Where a user can be reached has changed: to be shown, and kept for
    /// [`Switchboard::restore`].
    Registered(Registration),
    /// Somebody tried what it may not.
    Security(Suspicion),
    /// A user has a number called in a country that it had none called in before, since the server
    /// began: what its owner does, or who has its password.
    NewCountry {
        /// Who.
        user: String,
        /// The country's code, as `+49`.
        country: String,
        /// The host that its call comes from, where one does.
        source: Option<IpAddr>,
    },
    /// An emergency number is called: whoever runs the server should know.
    Emergency {
        /// The user who calls, if it is one.
        user: Option<String>,
        /// The number.
        number: String,
        /// The host that its call comes from, where one does.
        source: Option<IpAddr>,
    },
    /// A call is refused, or not made, for its keys for SRTP would go by signalling that others can
    /// read. Told now and then only, for whoever looks why a phone does not work.
    KeysInClear {
        /// The host that calls, or whom we would have called.
        with: String,
    },
    /// Somebody in a conference, or who runs it, wished what it has no right to.
    Denied {
        /// In which conference.
        conference: ConferenceId,
        /// By which command.
        id: CommandId,
        /// Who.
        by: Author,
        /// What.
        action: Action,
        /// The rule that forbids it.
        refusal: Refusal,
    },
    /// What is known of a trunk has changed.
    Trunk(TrunkView),
    /// An order to media.
    Media(MediaOrder),
    /// The answer to a command.
    Answer {
        /// Which command.
        id: CommandId,
        /// Carried out, or the rule that forbids it.
        answer: Result<Accepted, Refusal>,
    },
    /// Something happened in a conference.
    Event(Event),
    /// A party's audio was measured. It is for whoever looks, not for the history.
    Quality {
        /// In which conference.
        conference: ConferenceId,
        /// Whose.
        party: PartyId,
        /// The figures.
        quality: Quality,
    },
}

/// When the switchboard wants to be woken, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Instant,
    /// Why, for whoever looks at a trace.
    pub why: &'static str,
}

/// One shard's machines.
pub struct Switchboard {
    pub(crate) config: Config,
    pub(crate) sip: Endpoint,
    pub(crate) chance: Chance,
    pub(crate) keys: KeySource,
    /// When it was told last that keys would have gone in clear.
    pub(crate) keys_told: Option<Instant>,
    pub(crate) conferences: BTreeMap<ConferenceId, Conference>,
    /// When conferences are due: the first call of each that is given up.
    pub(crate) ringing: Agenda<ConferenceId>,
    pub(crate) names: BTreeMap<ConferenceName, ConferenceId>,
    pub(crate) legs: BTreeMap<LegId, Leg>,
    pub(crate) legs_by_session: BTreeMap<SessionId, LegId>,
    /// Sessions that ring for a leg until one of them answers: the phones of a user.
    pub(crate) hunts: BTreeMap<LegId, Vec<SessionId>>,
    /// Where legs that wait for their port are called, and for whom.
    pub(crate) ways: BTreeMap<LegId, (Way, Origin)>,
    /// Calls out that no trunk has taken yet.
    pub(crate) seizures: BTreeMap<LegId, Seizure>,
    pub(crate) trunk_use: TrunkUse,
    /// Legs that emergency numbers are called by. Those that are gone are taken out with the next.
    pub(crate) urgent: BTreeSet<LegId>,
    /// Keys that were pressed and do not say anything yet.
    pub(crate) keypads: Keypads,
    pub(crate) infos: Infos,
    pub(crate) lobby: Lobby,
    /// Conferences that are calls of two: over when one of them is gone. With each, why the one
    /// that was called did not come.
    pub(crate) pairs: BTreeMap<ConferenceId, Option<LeaveReason>>,
    pub(crate) recordings: BTreeMap<RecordingId, ConferenceId>,
    pub(crate) announcements: BTreeMap<AnnouncementId, ConferenceId>,
    pub(crate) answers: Answers,
    pub(crate) referrals: Referrals,
    pub(crate) watchers: Watchers,
    pub(crate) calls: Calls,
    pub(crate) refusals: BTreeMap<&'static str, u64>,
    pub(crate) denials: BTreeMap<(&'static str, &'static str), u64>,
    /// What users have of the calls out that they may.
    pub(crate) calls_out: CallsOut,
    pub(crate) spending: Spending,
    /// How often a limit of session descriptions, or of calls out, was reached.
    pub(crate) limits: BTreeMap<&'static str, u64>,
    pub(crate) quality: QualityStats,
    pub(crate) one_way: BTreeMap<OneWay, u64>,
    pub(crate) life: Life,
    pub(crate) outputs: VecDeque<Output>,
}

/// Whether calls are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// They are.
    Open,
    /// New ones are not: the server is to stop once those that are up have ended.
    Draining,
    /// They are not: the server is to stop.
    Stopping,
}

impl Switchboard {
    /// A switchboard begins. `seed` decides its ids, tags and branches: the shell takes it from
    /// the operating system, a test prints it.
    pub fn new(mut config: Config, seed: u64) -> Switchboard {
        let mut chance = Chance::new(seed);
        Switchboard {
            keys: KeySource::new(std::mem::take(&mut config.srtp.secret)),
            keys_told: None,
            sip: Endpoint::new(
                sip::Config { started_s: config.started_ms / 1_000, ..config.sip.clone() },
                chance.draw(),
            ),
            config,
            chance,
            conferences: BTreeMap::new(),
            ringing: Agenda::new(),
            names: BTreeMap::new(),
            legs: BTreeMap::new(),
            legs_by_session: BTreeMap::new(),
            hunts: BTreeMap::new(),
            ways: BTreeMap::new(),
            seizures: BTreeMap::new(),
            trunk_use: TrunkUse::default(),
            urgent: BTreeSet::new(),
            calls_out: CallsOut::default(),
            spending: Spending::default(),
            keypads: Keypads::default(),
            infos: Infos::default(),
            lobby: Lobby::default(),
            pairs: BTreeMap::new(),
            recordings: BTreeMap::new(),
            announcements: BTreeMap::new(),
            answers: Answers::default(),
            referrals: Referrals::default(),
            watchers: Watchers::default(),
            calls: Calls::default(),
            refusals: BTreeMap::new(),
            denials: BTreeMap::new(),
            limits: negotiation::LIMITS
                .map(|name| (name, 0))
                .into_iter()
                .chain(Bound::ALL.map(|bound| (bound.name(), 0)))
                .collect(),
            quality: QualityStats::default(),
            one_way: BTreeMap::new(),
            life: Life::Open,
            outputs: VecDeque::new(),
        }
    }

    /// Begins to probe the trunks, and to register with those that want it.
    pub fn watch_trunks(&mut self, now: Instant) {
        self.sip.watch_trunks(now);
        self.drain_sip(now);
    }

    /// Takes in how long the next message has waited: see [`Endpoint::waited`].
    pub fn waited(&mut self, now: Instant, delay: Duration, behind: usize) {
        self.sip.waited(now, delay, behind);
    }

    /// Whether new calls are refused because there is no time for them.
    pub fn sheds(&self) -> bool {
        self.sip.sheds()
    }

    /// Takes in what happened. What follows comes by [`Self::poll`].
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Message { flow, bytes } => self.sip.receive(now, flow, bytes),
            Input::ConnectionClosed(connection) => self.sip.connection_closed(connection),
            Input::Resolved { id, servers } => self.sip.resolved(now, id, &servers),
            Input::Unreachable { flow } => self.sip.transport_failed(now, &flow),
            Input::Command(command) => {
                let id = command.id;
                let answer = self.command(now, command);
                self.outputs.push_back(Output::Answer { id, answer });
            }
            Input::Media(report) => self.media(now, report),
            Input::RecordingFailed { recording, reason } => {
                self.recording_failed(now, recording, reason);
            }
            Input::Rules(rules) => self.rule_anew(now, *rules),
            Input::Drain => {
                self.life = Life::Draining;
                self.sip.drain();
            }
            Input::Stop => self.stop(now),
        }
        self.drain_sip(now);
        self.end_pairs(now);
        self.leave_trunks(now);
        self.drain_sip(now);
    }

    /// While no more calls are taken, trunks need not send any: those that a call needs are asked
    /// when it has ended, and all at the end.
    fn leave_trunks(&mut self, now: Instant) {
        match self.life {
            Life::Open => {}
            Life::Draining => self.sip.leave_trunks(now, Leave::Unused),
            Life::Stopping => self.sip.leave_trunks(now, Leave::All),
        }
    }

    fn rule_anew(&mut self, now: Instant, rules: HouseRules) {
        let HouseRules { access, srtp, srtp_keys, srtp_by_user, .. } = rules;
        let HouseRules { trunk_audio, rooms, callers, any_room, .. } = rules;
        self.sip.admit_by(now, access);
        self.config.trunk_audio = trunk_audio;
        (self.config.srtp.any, self.config.srtp.keys) = (srtp, srtp_keys);
        self.config.srtp.users = srtp_by_user;
        self.config.rooms = rooms;
        self.config.callers = callers;
        self.config.any_room = any_room;
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.sip.handle_timeout(now);
        let now_ms = self.config.at_ms(now);
        while let Some(id) = self.ringing.pop(now) {
            if let Some(conference) = self.conferences.get_mut(&id) {
                conference.handle_timeout(now_ms);
            }
            self.drain_conference(now, id);
        }
        self.keys_time_out(now);
        self.lobby_times_out(now);
        self.bill(now);
        self.drain_sip(now);
        self.end_pairs(now);
        self.leave_trunks(now);
        self.drain_sip(now);
    }

    /// When [`Self::handle_timeout`] is to be called.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let sip = self.sip.next_deadline().map(|due| Deadline { at: due.at, why: due.why });
        let ringing = self.ringing.next().map(|(at, _)| at);
        debug_assert_eq!(ringing, self.first_given_up(), "it is noted after every change");
        let ringing = ringing.map(|at| Deadline { at, why: "ringing for too long" });
        let keys = self.keypads.next_deadline();
        let keys = keys.map(|at| Deadline { at, why: "no key follows" });
        let lobby = self.lobby.next_deadline();
        let lobby = lobby.map(|at| Deadline { at, why: "no PIN comes" });
        let minute = self.spending.next_deadline();
        let minute = minute.map(|at| Deadline { at, why: "a minute is to be paid for" });
        [sip, ringing, keys, lobby, minute].into_iter().flatten().min_by_key(|due| due.at)
    }

    /// When the first call of all conferences is given up.
    fn first_given_up(&self) -> Option<Instant> {
        let due_ms = self.conferences.values().filter_map(Conference::next_deadline_ms).min();
        due_ms.map(|at_ms| self.config.instant(at_ms))
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        let trying = |(flow, bytes)| Output::Transmit { flow, bytes };
        self.outputs.pop_front().or_else(|| self.sip.trying().map(trying))
    }

    /// Conferences that are live.
    pub fn conferences(&self) -> impl Iterator<Item = &Conference> {
        self.conferences.values()
    }

    /// Whether somebody is in a call, or comes into one.
    pub fn has_calls(&self) -> bool {
        !self.legs.is_empty()
    }

    /// Whether nothing is left to be done for anybody: no session, no transaction.
    pub fn is_idle(&self) -> bool {
        self.legs.is_empty() && self.sip.alive() == Alive::default()
    }

    /// What was counted since the start.
    pub fn stats(&self) -> SignalStats {
        let sip = self.sip.stats();
        let mut requests = BTreeMap::new();
        for (method, status, count) in
            sip.responses_sent.iter().chain(sip.responses_received.iter())
        {
            if status.is_final() {
                *requests.entry((method.name().to_owned(), status.code())).or_default() += count;
            }
        }
        let alive = self.sip.alive();
        let limits = sip.limits.iter().map(|(limit, count)| (limit.name(), count));
        let limits = limits.chain(self.limits.iter().map(|(name, count)| (*name, *count)));
        SignalStats {
            requests,
            malformed: sip.malformed,
            calls: self.calls.counts().clone(),
            sessions: alive.sessions as u64,
            transactions: (alive.client_transactions + alive.server_transactions) as u64,
            limits: limits.collect(),
            turned_away: sip.turned_away.iter().collect(),
            refusals: self.refusals.clone(),
            denials: self.denials.clone(),
            quality: self.quality,
            one_way: self.one_way.clone(),
            panics: 0,
            new_countries: self.calls_out.new_countries,
            emergency_calls: self.calls_out.emergencies,
            trunks: self.trunk_views(),
        }
    }

    /// Tells a leg's conference what became of the leg.
    pub(crate) fn leg_changed(
        &mut self,
        now: Instant,
        id: ConferenceId,
        leg: LegId,
        change: LegChange,
    ) {
        let now_ms = self.config.at_ms(now);
        let is_only_told = change.is_only_told();
        if let LegChange::Gone(reason) = change {
            self.gone_from_pair(id, leg, reason);
        }
        if let Some(conference) = self.conferences.get_mut(&id) {
            conference.leg_changed(now_ms, leg, change);
        }
        // In a large conference to look when it is due is long, too.
        match is_only_told {
            true => self.carry_out(now, id),
            false => self.drain_conference(now, id),
        }
    }

    fn media(&mut self, now: Instant, report: MediaReport) {
        let (leg, change) = match report {
            MediaReport::Opened { leg, local } => return self.port_opened(now, leg, local.rtp),
            MediaReport::OpenFailed { leg, reason: _ } => return self.port_failed(now, leg),
            MediaReport::Digit { leg, digit } => return self.key(now, leg, KeyWay::Media, digit),
            MediaReport::Talking { leg, talking } => (leg, LegChange::Talking(talking)),
            MediaReport::OneWay { leg, way } => {
                if let Some(way) = way {
                    *self.one_way.entry(way).or_default() += 1;
                }
                (leg, LegChange::OneWay(way))
            }
            MediaReport::TimedOut { leg } => (leg, LegChange::TimedOut),
            MediaReport::EarlyMedia { leg } => return self.early_media_came(now, leg),
            MediaReport::Played { announcement } => return self.played(now, announcement),
            MediaReport::Quality { leg, quality } => return self.measured(now, leg, quality),
        };
        if let Some(conference) = self.legs.get(&leg).map(|leg| leg.conference) {
            self.leg_changed(now, conference, leg, change);
        }
    }

    /// The figures of every measurement go to whoever looks; the conference tells when they mean
    /// something else than before.
    fn measured(&mut self, now: Instant, id: LegId, quality: Quality) {
        let Some(&Leg { conference, party, .. }) = self.legs.get(&id) else { return };
        self.quality.count(&quality);
        self.outputs.push_back(Output::Quality { conference, party, quality });
        self.leg_changed(now, conference, id, LegChange::Measured(quality));
    }

    fn recording_failed(&mut self, now: Instant, recording: RecordingId, reason: String) {
        let Some(id) = self.recordings.get(&recording).copied() else { return };
        let now_ms = self.config.at_ms(now);
        if let Some(conference) = self.conferences.get_mut(&id) {
            conference.recording_failed(now_ms, recording, reason);
        }
        self.drain_conference(now, id);
    }

    fn stop(&mut self, now: Instant) {
        self.life = Life::Stopping;
        self.sip.drain();
        let live: Vec<ConferenceId> = self.conferences.keys().copied().collect();
        for id in live {
            let command = CommandId(self.chance.draw());
            self.conference_command(now, id, command, model::Author::System, model::Verb::End)
                .expect("the server itself may end a conference that is live");
        }
    }
}
