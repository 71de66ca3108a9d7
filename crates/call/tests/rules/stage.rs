//! A conference on a stage: who is in it has a short name, and what each hears is told by names.

use std::collections::{BTreeMap, BTreeSet};

use call::{Conference, Effect, LegChange, Rules};
use model::command::{Entrant, Target};
use model::profile::Profile;
use model::{
    Accepted, Affiliation, AnnouncementId, Audience, Author, Codec, CommandId, ConferenceId,
    ConferenceName, ConferenceView, Digits, EarGroup, Event, EventKind, LeaveReason, LegId,
    PartyId, Projection, PromptName, RecordingId, Refusal, Role, Routing, Track, Verb, VoiceGroup,
};

pub(crate) const MUSIC: &str = "M";

pub(crate) struct Stage {
    pub(crate) conference: Conference,
    pub(crate) view: Option<ConferenceView>,
    pub(crate) events: Vec<Event>,
    /// What each audience has been told, and what it sees by it.
    pub(crate) audiences: BTreeMap<Audience, (Projection, Vec<Event>)>,
    pub(crate) routing: Routing,
    pub(crate) over: bool,
    pub(crate) hung_up: Vec<(LegId, LeaveReason)>,
    /// To whose phone a text went.
    pub(crate) texts: Vec<LegId>,
    /// At whose far end which keys were pressed.
    pub(crate) pressed: Vec<(LegId, Digits)>,
    /// Legs that are called, or that have called.
    pub(crate) legs: BTreeSet<LegId>,
    pub(crate) names: BTreeMap<PartyId, String>,
    /// What is recorded, by recording.
    pub(crate) taps: BTreeMap<RecordingId, Track>,
    /// What is said, by announcement.
    pub(crate) said: BTreeMap<AnnouncementId, PromptName>,
    /// Whether a prompt is over only when a test says so; else it is as soon as it begins.
    pub(crate) prompts_last: bool,
    pub(crate) now_ms: u64,
    commands: u64,
    entered: u64,
}

pub(crate) fn profile(name: &str) -> Profile {
    call::shipped().into_iter().find(|profile| profile.name == name).expect("it is shipped")
}

impl Stage {
    pub(crate) fn new(profile_name: &str) -> Stage {
        Stage::with(profile(profile_name), false)
    }

    pub(crate) fn recorded(profile_name: &str) -> Stage {
        Stage::with(profile(profile_name), true)
    }

    pub(crate) fn with(profile: Profile, record: bool) -> Stage {
        Stage::seeded(profile, record, 7)
    }

    /// The seed decides the ids of those who are called.
    pub(crate) fn seeded(profile: Profile, record: bool, seed: u64) -> Stage {
        let name = ConferenceName::parse("desk").expect("a name");
        let rules = Rules { parties_max: profile.parties_max, profile, record };
        let mut stage = Stage {
            conference: Conference::new(ConferenceId(1), name, rules, 1_000, seed),
            view: None,
            events: vec![],
            audiences: BTreeMap::new(),
            routing: Routing::default(),
            over: false,
            hung_up: vec![],
            texts: vec![],
            pressed: vec![],
            legs: BTreeSet::new(),
            names: BTreeMap::new(),
            taps: BTreeMap::new(),
            said: BTreeMap::new(),
            prompts_last: false,
            now_ms: 1_000,
            commands: 0,
            entered: 0,
        };
        stage.drain();
        stage
    }

    /// Those who come from now on have numbers from there on.
    pub(crate) fn number_from(&mut self, first: u64) {
        self.entered = first;
    }

    pub(crate) fn drain(&mut self) {
        while let Some(effect) = self.conference.poll() {
            assert!(!self.over, "nothing follows the end: {effect:?}");
            match effect {
                Effect::Event(event) => {
                    match &mut self.view {
                        Some(view) => view.apply(&event),
                        None => self.view = ConferenceView::begin(&event),
                    }
                    self.events.push(event);
                    self.tell_audiences();
                }
                Effect::HangUp { leg, reason } => {
                    assert!(self.legs.remove(&leg), "{leg} is ended that is not up");
                    self.hung_up.push((leg, reason));
                }
                Effect::Route(routing) => self.routing = routing,
                Effect::Dial { leg, .. } => assert!(self.legs.insert(leg), "{leg} is called twice"),
                Effect::Over => {
                    assert!(self.taps.is_empty(), "it goes on being recorded: {:?}", self.taps);
                    self.over = true;
                }
                Effect::Play { announcement, prompt } => {
                    self.said.insert(announcement, prompt);
                    if !self.prompts_last {
                        self.conference.played(self.now_ms, announcement);
                    }
                }
                Effect::StopPlaying(announcement) => {
                    assert!(self.said.remove(&announcement).is_some(), "it is not said");
                }
                Effect::Text { leg, .. } => self.texts.push(leg),
                Effect::OpenTap(recording, track) => {
                    assert_eq!(self.taps.insert(recording, track), None, "one recording, one file");
                }
                Effect::CloseTap(recording) => {
                    assert!(self.taps.remove(&recording).is_some(), "it is not open");
                }
                Effect::Press { leg, digits } => self.pressed.push((leg, digits)),
            }
        }
    }

    /// The last event goes to each audience; one that is new is told everything from the beginning,
    /// which must be the same as if it had been there.
    fn tell_audiences(&mut self) {
        let event = self.events.last().expect("an event was told");
        for (projection, told) in self.audiences.values_mut() {
            told.extend(projection.apply(event));
        }
        let parties = self.conference.parties().iter().map(|party| Audience::Party(party.id));
        for audience in parties.chain([Audience::Outside]) {
            self.audiences.entry(audience).or_insert_with(|| {
                let begun = Projection::begin(audience, &self.events[0]);
                let (mut projection, first) = begun.expect("the first event begins it");
                let mut told = vec![first];
                for event in &self.events[1..] {
                    told.extend(projection.apply(event));
                }
                (projection, told)
            });
        }
    }

    /// What each audience sees is the fold of what it was told, numbered without holes; and who is
    /// from outside is told nothing of what is ours.
    pub(crate) fn audiences_see_what_they_may(&self) {
        for (audience, (projection, told)) in &self.audiences {
            let mut fold = ConferenceView::begin(&told[0]).expect("it begins");
            for (at, event) in told.iter().enumerate() {
                assert_eq!(event.seq, at as u64 + 1, "{audience:?}: a hole before {event:?}");
                fold.apply(event);
            }
            assert_eq!(&fold, projection.view().as_ref(), "{audience:?}");
            let view = self.view.as_ref().expect("it has begun");
            let role = match audience {
                Audience::Party(party) => view.party(*party).map(|party| party.role),
                Audience::Outside => Some(Role::Guest),
                Audience::Everything => None,
            };
            let Some(role) = role.filter(|role| !role.is_ours()) else { continue };
            let recording = fold.recording.as_ref();
            assert!(recording.is_none_or(|running| running.tracks.is_empty()), "{recording:?}");
            for party in &fold.parties {
                let beside = view.party(party.id).is_some_and(|party| party.is_beside());
                assert!(
                    !beside || *audience == Audience::Party(party.id),
                    "{role:?} sees {party:?}"
                );
                let bare = party.whispers_to.is_none() && party.consults.is_none();
                assert!(bare && party.supervises.is_none() && !party.silenced, "{party:?}");
            }
        }
    }

    /// The oldest prompt of that name comes to its end.
    pub(crate) fn end_prompt(&mut self, name: &str) {
        let is_meant = |place: &&model::routing::AnnouncementPlace| {
            self.said[&place.announcement].as_str() == name
        };
        let over = self.routing.announcements.iter().find(is_meant).expect("it is said");
        self.conference.played(self.now_ms, over.announcement);
        self.drain();
    }

    fn prompts_at(&self, ear: Option<EarGroup>) -> Vec<String> {
        let Some(ear) = ear else { return vec![] };
        let places = self.routing.announcements.iter();
        let heard = places.filter(|place| self.routing.gain(ear, place.voice).is_some());
        heard.map(|place| self.said[&place.announcement].to_string()).collect()
    }

    /// The prompts that a party hears.
    pub(crate) fn prompts_of(&self, listener: PartyId) -> Vec<String> {
        self.prompts_at(self.routing.place(self.leg(listener)).and_then(|place| place.ear))
    }

    /// The recording that runs.
    pub(crate) fn mix(&self) -> Option<RecordingId> {
        self.view.as_ref()?.recording.as_ref().map(|running| running.id)
    }

    /// The prompts that the recording gets.
    pub(crate) fn recorded_prompts(&self) -> Vec<String> {
        self.prompts_at(self.routing.taps.first().map(|tap| tap.ear))
    }

    pub(crate) fn ask(&mut self, by: Author, verb: Verb) -> Result<Accepted, Refusal> {
        self.commands += 1;
        let answer = self.conference.command(self.now_ms, CommandId(self.commands), by, verb);
        self.drain();
        answer
    }

    /// A party asks for something.
    pub(crate) fn by(&mut self, party: PartyId, verb: Verb) -> Result<Accepted, Refusal> {
        self.ask(Author::Party(party), verb)
    }

    pub(crate) fn change(&mut self, party: PartyId, change: LegChange) {
        if let Some(leg) = self.conference.party(party).map(|party| party.leg) {
            self.change_leg(leg, change);
        }
    }

    /// Something becomes of a connection that has no party yet.
    pub(crate) fn change_leg(&mut self, leg: LegId, change: LegChange) {
        if matches!(change, LegChange::Gone(_)) {
            self.legs.remove(&leg);
        }
        self.conference.leg_changed(self.now_ms, leg, change);
        self.drain();
    }

    pub(crate) fn enter(
        &mut self,
        affiliation: Affiliation,
        address: &str,
    ) -> Result<PartyId, Refusal> {
        self.entered += 1;
        let (party, leg) = (PartyId(self.entered), LegId(self.entered));
        let display_name = None;
        let address = address.to_owned();
        let entrant = Entrant { party, leg, display_name, address, affiliation };
        self.legs.insert(leg);
        let entered = self.ask(Author::Party(party), Verb::Enter(entrant));
        if entered.is_err() {
            self.legs.remove(&leg);
        }
        entered.map(|accepted| accepted.party.expect("who enters is a party"))
    }

    /// Who dialled in last, as its phone knows it.
    pub(crate) fn last_entrant(&self) -> PartyId {
        PartyId(self.entered)
    }

    /// Somebody dials in under that name and talks.
    pub(crate) fn join(&mut self, affiliation: Affiliation, name: &str) -> PartyId {
        let party = self.enter(affiliation, &format!("sip:{name}@h")).expect("there is room");
        self.names.insert(party, name.to_owned());
        self.answer(party);
        party
    }

    pub(crate) fn customer(&mut self) -> PartyId {
        self.join(Affiliation::Outside, "C")
    }

    pub(crate) fn agent(&mut self, name: &str) -> PartyId {
        self.join(Affiliation::Ours, name)
    }

    pub(crate) fn answer(&mut self, party: PartyId) {
        self.change(party, LegChange::Connected { codec: Codec::Pcmu });
    }

    pub(crate) fn leaves(&mut self, party: PartyId) {
        self.change(party, LegChange::Gone(LeaveReason::Left));
    }

    /// A command that calls somebody, who gets that name.
    pub(crate) fn calls(&mut self, by: Author, verb: Verb, name: &str) -> PartyId {
        let called = self.ask(by, verb).expect("it is allowed").party.expect("somebody is called");
        self.names.insert(called, name.to_owned());
        called
    }

    /// An agent consults somebody, who has not answered yet.
    pub(crate) fn consults(&mut self, agent: PartyId, name: &str) -> PartyId {
        let verb = Verb::Consult { party: agent, target: colleague(name), room: None };
        self.calls(Author::Party(agent), verb, name)
    }

    pub(crate) fn role(&self, party: PartyId) -> Role {
        self.conference.party(party).expect("it is in").role
    }

    fn leg(&self, party: PartyId) -> LegId {
        self.conference.party(party).expect("it is in").leg
    }

    /// Whom a party hears, by names in order, with music among them.
    pub(crate) fn hears(&self, listener: PartyId) -> String {
        let ear = self.routing.place(self.leg(listener)).and_then(|place| place.ear);
        let mut heard: Vec<&str> = self
            .conference
            .parties()
            .iter()
            .filter(|speaker| self.routing.hears(self.leg(listener), speaker.leg))
            .map(|speaker| self.names[&speaker.id].as_str())
            .collect();
        if ear.is_some_and(|ear| self.routing.gain(ear, VoiceGroup::MUSIC).is_some()) {
            heard.push(MUSIC);
        }
        heard.sort_unstable();
        heard.join(" ")
    }

    /// Who is in the recording.
    pub(crate) fn records(&self) -> String {
        let Some(tap) = self.routing.taps.first() else { return "nothing".to_owned() };
        let mut heard: Vec<&str> = self
            .conference
            .parties()
            .iter()
            .filter(|party| {
                let voice = self.routing.place(party.leg).and_then(|place| place.voice);
                voice.is_some_and(|voice| self.routing.gain(tap.ear, voice).is_some())
            })
            .map(|party| self.names[&party.id].as_str())
            .collect();
        heard.sort_unstable();
        heard.join(" ")
    }

    /// The picture of a moment: a line for each who is in.
    pub(crate) fn picture(&self) -> String {
        let mut lines: Vec<String> = self
            .conference
            .parties()
            .iter()
            .filter(|party| party.is_connected())
            .map(|party| format!("{}: {}", self.names[&party.id], self.hears(party.id)))
            .collect();
        lines.sort_unstable();
        lines.join(" | ")
    }

    pub(crate) fn told(&self, kind: &EventKind) -> usize {
        self.events.iter().filter(|event| event.kind == *kind).count()
    }
}

pub(crate) fn colleague(name: &str) -> Target {
    Target::Colleague(format!("sip:{name}@h"))
}

pub(crate) fn outsider(name: &str) -> Target {
    Target::Address(format!("sip:{name}@h"))
}
