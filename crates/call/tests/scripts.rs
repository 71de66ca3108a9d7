//! Random scripts over all profiles: whatever people do, everybody hears exactly whom they should,
//! nobody is stranded, and everything that was begun is ended.
//!
//! Who must hear whom is told apart from `call`, by [`should_hear`], party by party; what may be
//! done is tried cell by cell in `profiles.rs`.

mod stage;

use std::collections::{BTreeMap, BTreeSet};

use call::{
    Aim, Hold, HoldReason, LegChange, Microphone, Party, PhoneKey, Presence, Stance, judge,
};
use model::command::{Hearers, Supervision, Target};
use model::profile::{EndsWithout, HoldPath, Profile};
use model::{
    Affiliation, Author, Chance, EventKind, LeaveReason, PartyId, PartyState, Refusal, Role, Verb,
};
use stage::{Stage, profile};

/// Scripts, unless `CONVOKE_SCRIPTS` says how many, and steps in each.
const SCRIPTS: u64 = 500;
const STEPS: usize = 40;
const PARTIES_MAX: usize = 6;

const PROFILES: [&str; 7] = [
    "cinnox",
    "connect_multi_party",
    "connect_three_party",
    "expertflow",
    "genesys_instant",
    "helpdesk3",
    "open",
];

/// Where somebody is, in a word that two share who are together.
fn place(parties: &[Party], party: &Party) -> String {
    match party.stance {
        Stance::Room => "room".into(),
        Stance::Aside(agent) => format!("aside {agent}"),
        Stance::Apart(_) => format!("apart {}", party.id),
        Stance::Beside(whom) => {
            let whom = parties.iter().find(|party| party.id == whom);
            whom.map_or_else(String::new, |whom| place(parties, whom))
        }
    }
}

/// Whether one must hear another, as a book of rules would say it.
fn should_hear(profile: &Profile, parties: &[Party], listener: &Party, speaker: &Party) -> bool {
    let up = |party: &Party| {
        matches!(party.presence, Presence::Connected { .. }) && party.phone == PhoneKey::Talking
    };
    let has_voice = speaker.microphone == Microphone::Open && speaker.silenced_by.is_none();
    if !up(listener) || !up(speaker) || !has_voice || listener.id == speaker.id {
        return false;
    }
    let monitors = |party: &Party| matches!(party.stance, Stance::Beside(_));
    let together = place(parties, listener) == place(parties, speaker);
    let ours = listener.role.is_ours();
    let directly = match &speaker.aim {
        Aim::Nobody => return false,
        Aim::Everybody => {
            !monitors(listener)
                && !monitors(speaker)
                && (together || on_path(profile, listener, speaker))
        }
        Aim::Whisper(Hearers::Ours) => ours && together,
        Aim::Whisper(Hearers::Only(whom)) => ours && together && whom.contains(&listener.id),
        Aim::Pair(with) => together && *with == listener.id,
    };
    let Stance::Beside(whom) = listener.stance else { return directly };
    // Who follows somebody hears that one, and what that one hears.
    let whom = parties.iter().find(|party| party.id == whom);
    directly
        || whom.is_some_and(|whom| {
            whom.id == speaker.id || {
                // Also where that one's own phone hears nothing.
                let ears = Party { phone: PhoneKey::Talking, ..whom.clone() };
                should_hear(profile, parties, &ears, speaker)
            }
        })
}

/// A hold can leave one of ours a path to who placed it.
fn on_path(profile: &Profile, one: &Party, other: &Party) -> bool {
    let held_by = |held: &Party, placer: &Party| {
        let by = Author::Party(placer.id);
        let asked = matches!(
            held.stance,
            Stance::Apart(Hold { by: placed, reason: HoldReason::Asked, .. }) if placed == by
        );
        asked && held.role.is_ours() && placer.stance == Stance::Room
    };
    profile.holding.path == HoldPath::Placer && (held_by(one, other) || held_by(other, one))
}

struct Script {
    stage: Stage,
    chance: Chance,
    seed: u64,
    callers: u64,
    counts: BTreeMap<String, [u64; 2]>,
}

impl Script {
    fn new(seed: u64) -> Script {
        let name = PROFILES[(seed % PROFILES.len() as u64) as usize];
        let profile =
            Profile { parties_max: PARTIES_MAX.min(profile(name).parties_max), ..profile(name) };
        let stage = Stage::with(profile, seed.is_multiple_of(2));
        Script { stage, chance: Chance::new(seed), seed, callers: 0, counts: BTreeMap::new() }
    }

    fn draw(&mut self, below: usize) -> usize {
        (self.chance.draw() % below as u64) as usize
    }

    fn anybody(&mut self) -> Option<PartyId> {
        let ids: Vec<PartyId> = self.stage.conference.parties().iter().map(|p| p.id).collect();
        (!ids.is_empty()).then(|| ids[self.draw(ids.len())])
    }

    /// Somebody of whom that holds, else anybody.
    fn somebody(&mut self, is: impl Fn(&Script, &Party) -> bool) -> Option<PartyId> {
        let parties = self.stage.conference.parties();
        let ids: Vec<PartyId> = parties.iter().filter(|p| is(self, p)).map(|p| p.id).collect();
        if ids.is_empty() { self.anybody() } else { Some(ids[self.draw(ids.len())]) }
    }

    /// Who consults or supervises.
    fn is_at_work(&self, party: &Party) -> bool {
        let seen = self.stage.view.as_ref().and_then(|view| view.party(party.id));
        seen.is_some_and(|seen| seen.consults.is_some()) || party.role == Role::Supervisor
    }

    fn enter(&mut self) {
        self.callers += 1;
        let ours = self.draw(2) == 0;
        let affiliation = if ours { Affiliation::Ours } else { Affiliation::Outside };
        // Some come back under the address that they had.
        let address = format!("sip:{}@h", self.callers % 5);
        let entered = self.stage.enter(affiliation, &address);
        self.count("enter", entered.is_ok());
        if let Ok(party) = entered {
            self.stage.answer(party);
        }
    }

    fn count(&mut self, action: &str, accepted: bool) {
        self.counts.entry(action.to_owned()).or_default()[usize::from(accepted)] += 1;
    }

    fn target(&mut self) -> Target {
        self.callers += 1;
        let address = format!("sip:called{}@h", self.callers);
        match self.draw(8) {
            0 => Target::Queue("sales".into()),
            1..=3 => Target::Address(address),
            _ => Target::Colleague(address),
        }
    }

    fn hearers(&mut self, other: PartyId) -> Hearers {
        if self.draw(2) == 0 { Hearers::Ours } else { Hearers::Only([other].into()) }
    }

    fn verb(&mut self, party: PartyId, other: PartyId) -> Verb {
        let mode = match self.draw(3) {
            0 => Supervision::Monitor,
            1 => Supervision::Coach(self.hearers(other)),
            _ => Supervision::Barge,
        };
        match self.draw(22) {
            0 | 1 => Verb::Invite { target: self.target(), role: None },
            2 | 3 => Verb::Consult { party, target: self.target(), room: None },
            4 => Verb::Swap { party },
            5 => Verb::Merge { party },
            6 => Verb::Complete { party },
            7 => Verb::Cancel { party },
            8 => Verb::Transfer { party, target: self.target() },
            9 => Verb::Mute { party },
            10 => Verb::Unmute { party },
            11 => Verb::Silence { party },
            12 => Verb::Unsilence { party },
            13 | 14 => Verb::Hold { party },
            15 => Verb::Resume { party },
            16 => Verb::Whisper { party, to: Some(self.hearers(other)) },
            17 => Verb::Whisper { party, to: None },
            18 => Verb::Pair { party, with: (self.draw(2) == 0).then_some(other) },
            19 => Verb::Supervise { target: self.target(), beside: party, mode },
            20 => Verb::Stand { party, beside: (self.draw(2) == 0).then_some(other), mode },
            _ => match self.draw(4) {
                0 => Verb::Remove { party },
                1 => Verb::Appoint { party, role: Role::CoHost },
                2 => Verb::Record { on: self.draw(2) == 0 },
                _ => Verb::Appoint { party, role: Role::Trainee },
            },
        }
    }

    /// What who consults or supervises does next.
    fn next_of(&mut self, author: PartyId, party: PartyId, other: PartyId) -> Option<Verb> {
        let found = self.stage.conference.party(author)?;
        if !self.is_at_work(found) {
            return None;
        }
        let supervises = found.role == Role::Supervisor;
        let beside = Some(other);
        Some(match (supervises, self.draw(6)) {
            (true, 0) => Verb::Silence { party },
            (true, 1) => {
                let mode = Supervision::Coach(self.hearers(other));
                Verb::Stand { party: author, beside, mode }
            }
            (true, 2 | 3) => Verb::Stand { party: author, beside, mode: Supervision::Monitor },
            (true, _) => Verb::Stand { party: author, beside: None, mode: Supervision::Barge },
            (false, 0) => Verb::Merge { party: author },
            (false, 1) => Verb::Complete { party: author },
            (false, 2) => Verb::Cancel { party: author },
            (false, _) => Verb::Swap { party: author },
        })
    }

    fn step(&mut self) {
        let author = match self.draw(3) {
            0 => self.anybody(),
            1 => self.somebody(Script::is_at_work),
            _ => self.somebody(|_, party| party.role.is_agent()),
        };
        let (Some(author), Some(party), Some(other)) = (author, self.anybody(), self.anybody())
        else {
            return self.enter();
        };
        match self.draw(16) {
            0 => self.enter(),
            1..=3 => {
                let called = self.somebody(|_, party| !party.is_connected());
                self.stage.answer(called.unwrap_or(party));
            }
            4 if self.draw(3) == 0 => self.stage.leaves(party),
            4 => self.stage.change(party, LegChange::Phone(PhoneKey::OnHold)),
            5 => self.stage.change(party, LegChange::Phone(PhoneKey::Talking)),
            6 if self.draw(4) == 0 => {
                self.stage.now_ms =
                    self.stage.conference.next_deadline_ms().unwrap_or(0).max(self.stage.now_ms);
                self.stage.conference.handle_timeout(self.stage.now_ms);
                self.stage.drain();
            }
            n => {
                let by = if n < 9 { Author::Admin } else { Author::Party(author) };
                // People mostly act on themselves, and on what they have begun.
                let party = if n < 12 { party } else { author };
                let verb = match self.draw(2) {
                    0 => self.next_of(author, party, other),
                    _ => None,
                };
                let verb = verb.unwrap_or_else(|| self.verb(party, other));
                let before = self.stage.events.len();
                let answer = self.stage.ask(by, verb.clone());
                self.count(verb.action().name(), answer.is_ok());
                if answer.is_err() {
                    assert_eq!(
                        self.stage.events.len(),
                        before,
                        "{verb:?}: a refusal changes nothing"
                    );
                    assert_ne!(answer, Err(Refusal::NoSuchConference));
                }
            }
        }
    }

    fn check(&self, at: usize) {
        let seed = self.seed;
        let stage = &self.stage;
        let parties = stage.conference.parties();
        let profile = stage.conference.profile();
        for listener in parties {
            for speaker in parties.iter().filter(|speaker| speaker.id != listener.id) {
                let should = should_hear(profile, parties, listener, speaker);
                let hears = stage.routing.hears(listener.leg, speaker.leg);
                assert_eq!(
                    hears, should,
                    "seed {seed} step {at} {}: {listener:#?}\n ← {speaker:#?}",
                    profile.name
                );
                let is_secret = matches!(speaker.aim, Aim::Whisper(_) | Aim::Nobody)
                    || matches!(speaker.stance, Stance::Beside(_));
                assert!(!(hears && is_secret && !listener.role.is_ours()), "seed {seed} step {at}");
            }
            self.check_party(at, listener);
        }
        let legs: BTreeSet<_> = parties.iter().map(|party| party.leg).collect();
        assert_eq!(legs, stage.legs, "seed {seed} step {at}: a leg is nobody's");
        let seqs = stage.events.iter().map(|event| event.seq);
        assert!(seqs.eq(1..=stage.events.len() as u64), "seed {seed} step {at}: a hole");
        let view = stage.view.as_ref().expect("it has begun");
        assert_eq!(view.revision, stage.conference.revision(), "seed {seed} step {at}");
        let counted = |party: &&Party| !matches!(party.stance, Stance::Beside(_));
        let cap = profile.parties_max;
        assert!(parties.iter().filter(counted).count() <= cap + self.passing(), "seed {seed}");
        self.check_end(at);
    }

    /// Seats that are passing to somebody: both are there until the one comes.
    fn passing(&self) -> usize {
        let passes = |party: &&Party| matches!(party.seat, call::Seat::PassingTo(_));
        self.stage.conference.parties().iter().filter(passes).count()
    }

    /// Somebody is left without whom the conference would be over.
    fn check_end(&self, at: usize) {
        let stage = &self.stage;
        let parties = stage.conference.parties();
        let live = parties.iter().any(|party| party.is_counted());
        assert!(live || stage.over || stage.events.len() == 1, "seed {} step {at}", self.seed);
        let was = |wanted: fn(Role) -> bool| {
            let joined =
                |kind: &EventKind| matches!(kind, EventKind::Joined { role, .. } if wanted(*role));
            stage.events.iter().any(|event| joined(&event.kind))
        };
        let is = |wanted: fn(Role) -> bool| {
            parties.iter().any(|p| p.is_connected() && p.is_counted() && wanted(p.role))
        };
        if stage.over || !was(Role::is_agent) || is(Role::is_agent) {
            return;
        }
        match stage.conference.profile().ends_without {
            EndsWithout::Anybody | EndsWithout::AgentsAndCustomer => {}
            EndsWithout::Agents | EndsWithout::AgentsOrCustomer => {
                panic!("seed {} step {at}: no agent is left", self.seed);
            }
        }
    }

    fn check_party(&self, at: usize, party: &Party) {
        let (seed, stage) = (self.seed, &self.stage);
        let parties = stage.conference.parties();
        let profile = stage.conference.profile();
        if let Some(Hold { by: Author::Party(_), .. }) = party.hold() {
            let resume = Verb::Resume { party: party.id };
            let may = |other: &Party| {
                other.is_connected()
                    && judge(profile, Author::Party(other.id), &resume, parties).is_ok()
            };
            assert!(parties.iter().any(may), "seed {seed} step {at}: {} is stranded", party.id);
        }
        if party.is_called()
            && let Some(owner) = party.added_by
        {
            let owned = parties.iter().any(|other| other.id == owner && other.is_connected());
            assert!(owned, "seed {seed} step {at}: nobody calls {}", party.id);
        }
        if let Stance::Aside(agent) = party.stance {
            assert!(
                parties.iter().any(|p| p.id == agent),
                "seed {seed} step {at}: nobody's circle"
            );
        }
        let view = stage.view.as_ref().expect("it has begun");
        let Some(seen) = view.party(party.id) else {
            return assert_eq!(party.presence, Presence::Arriving, "seed {seed} step {at}");
        };
        let state = match party.presence {
            Presence::Connected { .. } if party.is_held() => PartyState::Held,
            Presence::Connected { .. } => PartyState::Connected,
            Presence::Ringing { .. } => PartyState::Ringing,
            Presence::Arriving | Presence::Dialling { .. } => PartyState::Dialling,
        };
        let muted = party.microphone == Microphone::Muted;
        let silenced = party.silenced_by.is_some();
        let is = (state, party.role, muted, silenced);
        let told = (seen.state, seen.role, seen.muted, seen.silenced);
        assert_eq!(told, is, "seed {seed} step {at}: the view is not as it is");
        let beside = seen.supervises.as_ref().and_then(|supervises| supervises.beside);
        let stands = match party.stance {
            Stance::Beside(whom) => Some(whom),
            Stance::Room | Stance::Aside(_) | Stance::Apart(_) => None,
        };
        assert_eq!(beside, stands, "seed {seed} step {at}");
    }
}

#[test]
fn after_every_step_of_random_scripts_everybody_hears_exactly_whom_they_should() {
    let asked = std::env::var("CONVOKE_SCRIPTS").ok().and_then(|text| text.parse().ok());
    let (mut ended, mut counts) = (0, BTreeMap::<String, [u64; 2]>::new());
    let scripts = asked.unwrap_or(SCRIPTS);
    for seed in 0..scripts {
        let mut script = Script::new(seed);
        for at in 0..STEPS {
            script.step();
            if script.stage.over {
                break;
            }
            script.check(at);
        }
        if !script.stage.over {
            let ending = script.stage.ask(Author::Admin, Verb::End);
            assert!(ending.is_ok() && script.stage.over, "seed {seed}");
        } else {
            ended += 1;
        }
        assert!(script.stage.legs.is_empty(), "seed {seed}: a leg that was rung is not ended");
        let by_server = |(_, reason): &&(_, LeaveReason)| *reason == LeaveReason::Ended;
        assert!(script.stage.hung_up.iter().filter(by_server).count() <= 2 * PARTIES_MAX);
        for (action, [refused, accepted]) in script.counts {
            let count = counts.entry(action).or_default();
            count[0] += refused;
            count[1] += accepted;
        }
    }
    println!("{scripts} scripts, {ended} ended by their rules; accepted and refused:");
    for (action, [refused, accepted]) in &counts {
        println!("  {action:<12}{accepted:>7}{refused:>7}");
    }
    for action in ["swap", "merge", "complete", "cancel", "whisper", "pair", "stand", "silence"] {
        assert!(counts[action][1] > 0, "no script did {action}");
    }
}
