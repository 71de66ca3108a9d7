//! One conference, from its first party to its end.

use std::collections::VecDeque;

use model::profile::{Occasion, Profile};
use model::{
    Accepted, AnnouncementId, Author, Chance, CommandId, ConferenceId, ConferenceName, Event,
    EventKind, LeaveReason, LegId, PartyId, RecordingId, Refusal, Routing, Verb,
};

use crate::announcement::Announcement;
use crate::consultation::Consultation;
use crate::effect::{Effect, LegChange};
use crate::leaving::Ticket;
use crate::party::{Party, Presence, Seat};
use crate::recording::Recorder;
use crate::routing::routing;
use crate::{policy, verbs};

/// What a conference is told about itself when it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Who may do what.
    pub profile: Profile,
    /// Parties at most; the lower of this and the profile's cap counts.
    pub parties_max: usize,
    /// Recording begins with the first party.
    pub record: bool,
}

/// One conference.
#[derive(Debug, Clone)]
pub struct Conference {
    pub(crate) id: ConferenceId,
    pub(crate) rules: Rules,
    pub(crate) parties: Vec<Party>,
    pub(crate) consultations: Vec<Consultation>,
    /// Who has left and may come back as who it was, or may not come back. Oldest first.
    pub(crate) tickets: VecDeque<Ticket>,
    pub(crate) recorder: Recorder,
    /// What is said, and what waits to be; first come, first said.
    pub(crate) announcements: Vec<Announcement>,
    pub(crate) chance: Chance,
    pub(crate) life: Life,
    started_ms: u64,
    seq: u64,
    revision: u64,
    routed: Routing,
    effects: VecDeque<Effect>,
}

/// How far a conference's life has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Nobody's audio has run yet.
    Waiting,
    /// Somebody is or was in it.
    Running,
    /// Nobody came in the place of whom it ends without, and it is over when that has been said,
    /// unless an agent comes in meanwhile.
    LastWords,
    /// Somebody has left without whom it ends: all others are being let go.
    Ending,
    /// It is over.
    Over,
}

/// Whose doing it is, and from which command it follows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause {
    pub(crate) by: Author,
    pub(crate) command: Option<CommandId>,
    pub(crate) now_ms: u64,
}

impl Conference {
    /// A conference begins. `seed` decides the ids that it gives.
    pub fn new(
        id: ConferenceId,
        name: ConferenceName,
        rules: Rules,
        now_ms: u64,
        seed: u64,
    ) -> Conference {
        let (profile, seeing) = (rules.profile.name.clone(), rules.profile.seeing.clone());
        let routed = routing(&rules.profile, &[], None, &[]);
        let mut conference = Conference {
            id,
            rules,
            parties: Vec::new(),
            consultations: Vec::new(),
            tickets: VecDeque::new(),
            recorder: Recorder::Off,
            announcements: Vec::new(),
            chance: Chance::new(seed),
            life: Life::Waiting,
            started_ms: now_ms,
            seq: 0,
            revision: 0,
            routed,
            effects: VecDeque::new(),
        };
        let cause = Cause { by: Author::System, command: None, now_ms };
        conference.tell(cause, EventKind::Created { name, profile, seeing });
        conference
    }

    /// Carries out a command, or says which rule forbids it. What follows comes by [`Self::poll`].
    pub fn command(
        &mut self,
        now_ms: u64,
        id: CommandId,
        by: Author,
        verb: Verb,
    ) -> Result<Accepted, Refusal> {
        if self.life == Life::Over {
            return Err(Refusal::NoSuchConference);
        }
        policy::judge(&self.rules.profile, by, &verb, &self.parties)?;
        let cause = Cause { by, command: Some(id), now_ms };
        let done = self.carry_out(cause, verb)?;
        self.settle(cause);
        Ok(Accepted {
            conference: self.id,
            seq: self.seq,
            party: done.party,
            recording: done.recording,
            announcement: done.announcement,
        })
    }

    fn carry_out(&mut self, cause: Cause, verb: Verb) -> Result<verbs::Done, Refusal> {
        Ok(match verb {
            Verb::Enter(entrant) => verbs::enter(self, entrant)?,
            Verb::Invite { target, role } => verbs::invite(self, cause, target, role)?,
            Verb::Consult { party, target, room } => {
                verbs::consult(self, cause, party, target, room)?
            }
            Verb::Swap { party } => verbs::swap(self, cause, party)?,
            Verb::Merge { party } => verbs::merge(self, cause, party)?,
            Verb::Complete { party } => verbs::complete(self, cause, party)?,
            Verb::Cancel { party } => verbs::cancel(self, cause, party)?,
            Verb::Silence { party } => verbs::silence(self, cause, party),
            Verb::Unsilence { party } => verbs::unsilence(self, cause, party),
            Verb::Whisper { party, to } => verbs::whisper(self, cause, party, to)?,
            Verb::Pair { party, with } => verbs::pair(self, cause, party, with)?,
            Verb::Supervise { target, beside, mode } => {
                verbs::supervise(self, cause, target, beside, mode)?
            }
            Verb::Stand { party, beside, mode } => verbs::stand(self, cause, party, beside, mode)?,
            Verb::Appoint { party, role } => verbs::appoint(self, cause, party, role)?,
            Verb::Transfer { party, target } => verbs::transfer(self, cause, party, target)?,
            Verb::TakeOver { party, newcomer } => verbs::take_over(self, party, newcomer)?,
            Verb::Mute { party } => verbs::mute(self, cause, party),
            Verb::Unmute { party } => verbs::unmute(self, cause, party)?,
            Verb::Hold { party } => verbs::hold(self, cause, party)?,
            Verb::Resume { party } => verbs::resume(self, cause, party)?,
            Verb::Remove { party } => verbs::remove(self, cause, party),
            Verb::Write { to, text } => verbs::write(self, cause, to, text)?,
            Verb::Play { prompt, to } => verbs::play(self, prompt, to)?,
            Verb::StopPlaying { announcement } => verbs::stop_playing(self, cause, announcement)?,
            Verb::SendDigits { party, digits } => verbs::send_digits(self, cause, party, digits)?,
            Verb::End => verbs::end(self, cause),
            Verb::Record { on } => verbs::record(self, cause, on),
        })
    }

    /// Takes in what became of a leg. A leg that is not in the conference any more changes nothing.
    pub fn leg_changed(&mut self, now_ms: u64, leg: LegId, change: LegChange) {
        let Some(index) = self.parties.iter().position(|party| party.leg == leg) else {
            return self.newcomer_changed(now_ms, leg, change);
        };
        let party = self.parties[index].id;
        let cause = Cause { by: Author::Party(party), command: None, now_ms };
        let is_only_told = change.is_only_told();
        match change {
            LegChange::Ringing => self.ringing(cause, index),
            LegChange::EarlyMedia(comes) => self.early_media(cause, index, comes),
            LegChange::Connected { codec } => self.connected(cause, index, codec),
            LegChange::Talking(talking) if self.parties[index].is_early() => {
                // Told when it joins.
                self.parties[index].talking = talking;
            }
            LegChange::Talking(talking) => {
                if self.parties[index].talking != talking && self.parties[index].is_connected() {
                    self.parties[index].talking = talking;
                    self.tell(cause, EventKind::Talking { party, talking });
                }
            }
            LegChange::Phone(key) => verbs::phone_key(self, cause, party, key),
            LegChange::Video(video) => self.video_changed(cause, party, video),
            LegChange::Digit(digit) => self.tell(cause, EventKind::Digit { party, digit }),
            LegChange::KeysRefused(verb, refusal) => {
                self.tell(cause, EventKind::KeysRefused { party, verb, refusal });
                self.say_that_keys_are_refused(cause, party, refusal);
            }
            LegChange::Measured(quality) => {
                if self.parties[index].is_connected() && self.parties[index].changes_class(&quality)
                {
                    self.tell(cause, EventKind::Quality { party, quality: Box::new(quality) });
                }
            }
            LegChange::OneWay(way) => {
                if self.parties[index].is_connected() {
                    self.tell(cause, EventKind::OneWay { party, way });
                }
            }
            LegChange::TimedOut => {
                let reason = LeaveReason::Lost;
                self.effects.push_back(Effect::HangUp { leg, reason });
                self.leg_gone(cause, index, reason);
            }
            LegChange::Gone(reason) => self.leg_gone(cause, index, reason),
        }
        if !is_only_told {
            self.settle(cause);
        }
    }

    /// Takes in that a recording could not be started or go on.
    pub fn recording_failed(&mut self, now_ms: u64, recording: RecordingId, reason: String) {
        let cause = Cause { by: Author::System, command: None, now_ms };
        self.lose_recording(cause, recording, reason);
        self.settle(cause);
    }

    /// Takes in that an announcement has come to its end.
    pub fn played(&mut self, now_ms: u64, announcement: AnnouncementId) {
        let cause = Cause { by: Author::System, command: None, now_ms };
        self.announced(cause, announcement);
        self.settle(cause);
    }

    /// Whether something is said that was not said to its end.
    pub fn is_announcing(&self) -> bool {
        !self.announcements.is_empty()
    }

    /// Gives up calls that rang for too long.
    pub fn handle_timeout(&mut self, now_ms: u64) {
        let cause = Cause { by: Author::System, command: None, now_ms };
        let due = |party: &Party| party.given_up_ms().is_some_and(|until_ms| until_ms <= now_ms);
        let unanswered: Vec<PartyId> =
            self.parties.iter().filter(|party| due(party)).map(|party| party.id).collect();
        for party in unanswered {
            self.hang_up(cause, party, LeaveReason::NoAnswer);
        }
        self.settle(cause);
    }

    /// When [`Self::handle_timeout`] is to be called [ms since the Unix epoch].
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.parties.iter().filter_map(Party::given_up_ms).min()
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Its id.
    pub fn id(&self) -> ConferenceId {
        self.id
    }

    /// How often it has changed in a way that two people at desks could disagree about.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The rules that it follows.
    pub fn profile(&self) -> &Profile {
        &self.rules.profile
    }

    /// Its parties, in the order in which they came.
    pub fn parties(&self) -> &[Party] {
        &self.parties
    }

    /// A party.
    pub fn party(&self, id: PartyId) -> Option<&Party> {
        self.parties.iter().find(|party| party.id == id)
    }

    pub(crate) fn party_mut(&mut self, id: PartyId) -> &mut Party {
        self.parties
            .iter_mut()
            .find(|party| party.id == id)
            .expect("a verb is only carried out on a party that is in the conference")
    }

    pub(crate) fn tell(&mut self, cause: Cause, kind: EventKind) {
        self.seq += 1;
        self.revision += u64::from(kind.is_revision());
        self.effects.push_back(Effect::Event(Event {
            conference: self.id,
            seq: self.seq,
            at_ms: cause.now_ms,
            by: cause.by,
            cause: cause.command,
            kind,
        }));
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    /// Ends a party's leg, whatever its state, and forgets the party.
    pub(crate) fn hang_up(&mut self, cause: Cause, party: PartyId, reason: LeaveReason) {
        let party_there = self.party_mut(party);
        let (leg, newcomer) = (party_there.leg, party_there.second_leg());
        for leg in [Some(leg), newcomer].into_iter().flatten() {
            self.effects.push_back(Effect::HangUp { leg, reason });
        }
        self.forget(cause, party, reason);
    }

    pub(crate) fn forget(&mut self, cause: Cause, party: PartyId, reason: LeaveReason) {
        let index = self
            .parties
            .iter()
            .position(|p| p.id == party)
            .expect("only a party that is in the conference is forgotten");
        let gone = self.parties.remove(index);
        self.seat_stays(cause, party, reason);
        let was_in = gone.is_connected();
        match gone.presence {
            // Nobody was told that it came.
            Presence::Arriving => {}
            Presence::Dialling { .. } | Presence::Ringing { .. } | Presence::Early { .. } => {
                self.tell(cause, EventKind::Left { party, reason });
                let came_to_nothing = match reason {
                    LeaveReason::NoAnswer
                    | LeaveReason::Busy
                    | LeaveReason::Declined
                    | LeaveReason::Failed
                    | LeaveReason::Lost
                    | LeaveReason::Interrupted => true,
                    LeaveReason::Left
                    | LeaveReason::Removed
                    | LeaveReason::Transferred
                    | LeaveReason::Ended => false,
                };
                if came_to_nothing && !self.has(model::Role::is_agent) {
                    self.say_for(Occasion::NobodyAvailable, party);
                }
            }
            Presence::Connected { .. } => {
                if gone.talking {
                    self.tell(cause, EventKind::Talking { party, talking: false });
                }
                self.tell(cause, EventKind::Left { party, reason });
                if gone.is_counted() && self.life == Life::Running {
                    self.say_for(Occasion::Left, party);
                }
            }
        }
        if self.life != Life::Ending {
            if let (Seat::PassingTo(heir), true) = (&gone.seat, is_by_itself(reason)) {
                self.consulted_calls_on(cause, party, *heir);
            }
            self.after_leaving(cause, &gone, was_in);
        }
    }

    fn ringing(&mut self, cause: Cause, index: usize) {
        let party = &mut self.parties[index];
        match party.presence {
            Presence::Dialling { until_ms } => {
                party.presence = Presence::Ringing { until_ms };
                let party = party.id;
                self.tell(cause, EventKind::Ringing { party });
            }
            Presence::Arriving
            | Presence::Ringing { .. }
            | Presence::Early { .. }
            | Presence::Connected { .. } => {}
        }
    }

    /// Sound comes from a phone that has not answered, or comes no more: then it only rings.
    fn early_media(&mut self, cause: Cause, index: usize, comes: bool) {
        if comes {
            self.ringing(cause, index);
        }
        let party = &mut self.parties[index];
        party.presence = match (party.presence, comes) {
            (Presence::Ringing { until_ms }, true) => Presence::Early { until_ms },
            (Presence::Early { until_ms }, false) => Presence::Ringing { until_ms },
            (before, _) => before,
        };
        party.talking &= party.is_early() || party.is_connected();
    }

    fn connected(&mut self, cause: Cause, index: usize, codec: model::Codec) {
        let party = &mut self.parties[index];
        if matches!(&party.seat, Seat::TakenOverBy(newcomer) if newcomer.leg == party.leg) {
            let party = party.id;
            return verbs::take_seat(self, cause, party, codec);
        }
        let before = party.presence;
        party.presence = Presence::Connected { codec };
        let id = party.id;
        match before {
            Presence::Connected { codec: old } if old == codec => {}
            Presence::Connected { .. } => {
                self.tell(cause, EventKind::CodecChanged { party: id, codec });
            }
            Presence::Arriving
            | Presence::Dialling { .. }
            | Presence::Ringing { .. }
            | Presence::Early { .. } => {
                self.joined(cause, id, codec);
            }
        }
    }

    /// Somebody stands in the conference whose audio did not run before.
    pub(crate) fn joined(&mut self, cause: Cause, id: PartyId, codec: model::Codec) {
        let party = self.party_mut(id);
        let (display_name, address) = (party.display_name.clone(), party.address.clone());
        let (role, times, added_by) = (party.role, party.rejoins, party.added_by);
        let (is_held, talking, direction) = (party.is_held(), party.talking, party.direction);
        let party = id;
        self.tell(
            cause,
            EventKind::Joined { party, display_name, address, codec, role, direction },
        );
        if talking {
            self.tell(cause, EventKind::Talking { party: id, talking });
        }
        if times > 0 {
            self.tell(cause, EventKind::Rejoined { party: id, times });
        }
        if is_held {
            self.tell(cause, EventKind::Held { party: id });
        }
        if self.life == Life::Waiting {
            self.life = Life::Running;
        }
        if self.party(id).is_some_and(Party::is_counted) {
            self.say_for(Occasion::Joined, id);
        }
        if is_held {
            self.say_for(Occasion::Held, id);
        }
        if self.recorder.running().is_some() {
            self.say_that_it_is_recorded(id);
        }
        let is_recorded = self.recorder.running().is_some();
        if self.rules.record && !is_recorded && self.connected_count() == 1 {
            verbs::record(self, Cause { by: Author::System, ..cause }, true);
        }
        self.tell_that_video_is_missing(cause, id);
        if let Some(inviter) = added_by.filter(|_| self.holder_of_seat_for(id).is_none()) {
            verbs::become_host(self, cause, inviter);
        }
        self.seat_passes(cause, id);
        self.consulted_came(cause, id);
    }

    /// Something became of a connection that is to take a seat.
    fn newcomer_changed(&mut self, now_ms: u64, leg: LegId, change: LegChange) {
        let Some(party) = self.seat_for_leg(leg) else { return };
        let cause = Cause { by: Author::Party(party), command: None, now_ms };
        match change {
            LegChange::Connected { codec } => verbs::take_seat(self, cause, party, codec),
            LegChange::TimedOut => {
                self.effects.push_back(Effect::HangUp { leg, reason: LeaveReason::Lost });
                self.party_mut(party).seat = Seat::Kept;
            }
            LegChange::Gone(_) => self.party_mut(party).seat = Seat::Kept,
            LegChange::Ringing
            | LegChange::EarlyMedia(_)
            | LegChange::Phone(_)
            | LegChange::Video(_)
            | LegChange::Talking(_)
            | LegChange::Digit(_)
            | LegChange::KeysRefused(..)
            | LegChange::Measured(_)
            | LegChange::OneWay(_) => {}
        }
        self.settle(cause);
    }

    /// A party's connection is over. Where another one is about to take its seat, it keeps it.
    fn leg_gone(&mut self, cause: Cause, index: usize, reason: LeaveReason) {
        let party = &mut self.parties[index];
        match &party.seat {
            Seat::TakenOverBy(newcomer) if newcomer.leg != party.leg => party.leg = newcomer.leg,
            Seat::TakenOverBy(_) | Seat::PassingTo(_) | Seat::Kept => {
                let party = party.id;
                self.forget(cause, party, reason);
            }
        }
    }

    fn connected_count(&self) -> usize {
        self.parties.iter().filter(|party| party.is_connected()).count()
    }

    /// After each change: is somebody stranded, does it end, and did the routing change?
    pub(crate) fn settle(&mut self, cause: Cause) {
        let ends = match self.life {
            Life::Waiting | Life::Running | Life::LastWords => self.nobody_is_left(),
            Life::Ending => true,
            Life::Over => return,
        };
        if ends {
            verbs::end(self, Cause { by: Author::System, ..cause });
            return;
        }
        self.release_stranded(cause);
        self.record_again(cause);
        self.settle_announcements(cause);
        if self.life == Life::LastWords {
            if self.is_staffed() {
                self.life = Life::Running;
            } else if !self.is_saying_for(Occasion::NobodyAvailable) {
                verbs::end(self, Cause { by: Author::System, ..cause });
                return;
            }
        }
        self.settle_tracks(cause);
        let (profile, recording) = (&self.rules.profile, self.recorder.running());
        let routing = routing(profile, &self.parties, recording, &self.announcements);
        if routing != self.routed {
            self.routed = routing.clone();
            self.effects.push_back(Effect::Route(routing));
        }
    }

    /// Once somebody was in it, a conference lives while somebody is; before, while somebody may
    /// still come. So a phone does not go on ringing for a room that everybody has left.
    fn nobody_is_left(&self) -> bool {
        let waited_for = |party: &Party| match (party.presence, self.life) {
            (Presence::Connected { .. } | Presence::Arriving, _) | (_, Life::Waiting) => true,
            (
                Presence::Dialling { .. } | Presence::Ringing { .. } | Presence::Early { .. },
                Life::Running | Life::LastWords | Life::Ending | Life::Over,
            ) => false,
        };
        !self.parties.iter().any(|party| party.is_counted() && waited_for(party))
    }

    /// The conference is over: the last event, then oblivion.
    pub(crate) fn close(&mut self, cause: Cause) {
        let duration_ms = cause.now_ms.saturating_sub(self.started_ms);
        self.tell(cause, EventKind::Ended { duration_ms });
        self.life = Life::Over;
        self.effects.push_back(Effect::Over);
    }
}

/// Whether somebody has left by its own doing, or its connection's.
fn is_by_itself(reason: LeaveReason) -> bool {
    match reason {
        LeaveReason::Left | LeaveReason::Lost | LeaveReason::Failed => true,
        LeaveReason::Removed | LeaveReason::Transferred | LeaveReason::Ended => false,
        LeaveReason::NoAnswer
        | LeaveReason::Busy
        | LeaveReason::Declined
        | LeaveReason::Interrupted => false,
    }
}
