//! Who hears whom, derived from who stands where and at whom each speaks.
//!
//! Those who hear alike share an ear group, those who are heard alike share a voice group. Most
//! stand in the room and speak to everybody, so a crowd costs two groups. Whoever is named by
//! somebody (a supervisor's agent, the target of a whisper, one of a pair, whoever has somebody
//! called) has groups of its own, and so has the voice of whoever has a track in the recording.

use std::collections::{BTreeMap, BTreeSet};

use model::command::Hearers;
use model::profile::{Alone, HoldPath, Profile};
use model::routing::{AnnouncementPlace, TapPlace};
use model::{Author, EarGroup, Gain, Hearing, PartyId, Place, Routing, Track, VoiceGroup};

use crate::announcement::{Announcement, Saying};
use crate::party::{Aim, HoldReason, Party, PhoneKey, Stance};
use crate::recording::Recording;

/// The recorder's ear: below all others, as it is nobody's.
const RECORDER: EarGroup = EarGroup(0);

/// Where somebody is heard and hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Circle {
    Room,
    /// In whose consultation.
    Aside(PartyId),
    /// Set apart; nobody else is there.
    Alone(PartyId),
}

/// Those who hear alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum EarClass {
    Circle { circle: Circle, ours: bool },
    Music,
    Named(PartyId),
}

/// Those who are heard alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum VoiceClass {
    Circle { circle: Circle, whispers: bool },
    Named(PartyId),
}

/// The parties with what the routing needs to know of all of them.
struct Scene<'a> {
    profile: &'a Profile,
    by_id: BTreeMap<PartyId, &'a Party>,
    /// Those whom somebody's place or aim names.
    named: BTreeSet<PartyId>,
    /// Where somebody whispers to all of ours.
    whispering: BTreeSet<Circle>,
    /// Who stands alone, in the room or aside, being from outside.
    lone: BTreeSet<PartyId>,
    /// Who hears how a call goes.
    calling: BTreeSet<PartyId>,
    /// Those of them for whom it rings: no sound comes from the far end.
    rung: BTreeSet<PartyId>,
    /// Those whose voice is recorded apart.
    tracked: BTreeSet<PartyId>,
}

/// The routing of these parties, with this recording running.
///
/// A party whose audio does not run yet has no place: it hears nobody and nobody hears it. One that
/// sends sound before it answers is heard by who has it called alone, and hears nobody.
pub fn routing(
    profile: &Profile,
    parties: &[Party],
    recording: Option<&Recording>,
    announcements: &[Announcement],
) -> Routing {
    let scene = Scene::new(profile, parties, recording);
    let said: Vec<&Announcement> =
        announcements.iter().filter(|one| one.saying == Saying::Sounds).collect();
    let (mut ears, mut voices) = (BTreeMap::new(), BTreeMap::new());
    let mut classes = Vec::new();
    for party in scene.by_id.values().filter(|party| party.is_connected() || party.is_early()) {
        let (ear, voice) = (scene.ear_class(party), scene.voice_class(party));
        // Of those alike two are kept: enough to tell whether they hear each other.
        // Who hears a prompt hears otherwise than who does not.
        let ear = ear.map(|class| {
            let hears = said.iter().filter(|one| one.to.contains(&party.id));
            (class, hears.map(|one| one.id).collect::<Vec<_>>())
        });
        if let Some(ear) = ear.clone() {
            let alike: &mut Vec<&Party> = ears.entry(ear).or_default();
            alike.push(party);
            alike.truncate(2);
        }
        if let Some(voice) = voice {
            let alike: &mut Vec<&Party> = voices.entry(voice).or_default();
            alike.push(party);
            alike.truncate(2);
        }
        classes.push((party.leg, ear, voice));
    }
    let ear_groups = numbered(ears.keys().cloned(), 1);
    let voice_groups = numbered(voices.keys().copied(), 0);
    let mut places: Vec<Place> = classes
        .iter()
        .map(|(leg, ear, voice)| Place {
            leg: *leg,
            ear: ear.as_ref().and_then(|ear| ear_groups.get(ear).map(|group| EarGroup(*group))),
            voice: voice.and_then(|voice| voice_groups.get(&voice).map(|g| VoiceGroup(*g))),
        })
        .collect();
    places.sort_by_key(|place| place.leg);
    let row = |ear, voice| Hearing { ear, voice, gain: Gain::UNITY };
    let announcements: Vec<AnnouncementPlace> = said
        .iter()
        .zip(voice_groups.len() as u16..VoiceGroup::RINGBACK.0)
        .map(|(one, voice)| AnnouncementPlace { announcement: one.id, voice: VoiceGroup(voice) })
        .collect();
    let mut hears = Vec::new();
    let mut taps = Vec::new();
    if let Some(recording) = recording {
        taps.push(TapPlace { recording: recording.mix, ear: RECORDER });
        let recorded = voices.iter().filter(|(_, alike)| scene.is_recorded(alike[0]));
        hears.extend(recorded.map(|(class, _)| row(RECORDER, VoiceGroup(voice_groups[class]))));
        let said = said.iter().zip(&announcements).filter(|(one, _)| one.recorded);
        hears.extend(said.map(|(_, place)| row(RECORDER, place.voice)));
    }
    for (ear, listeners) in &ears {
        let group = EarGroup(ear_groups[ear]);
        let audible = voices.iter().filter(|(_, speakers)| scene.any_hears(listeners, speakers));
        hears.extend(audible.map(|(class, _)| row(group, VoiceGroup(voice_groups[class]))));
        let heard = announcements.iter().filter(|place| ear.1.contains(&place.announcement));
        hears.extend(heard.map(|place| row(group, place.voice)));
        if scene.rung.contains(&listeners[0].id) {
            hears.push(row(group, VoiceGroup::RINGBACK));
        }
        // A prompt is said in place of the music.
        if scene.hears_music(listeners[0]) && ear.1.is_empty() {
            hears.push(row(group, VoiceGroup::MUSIC));
        }
    }
    let ears_of_tracks = RECORDER.0 + 1 + ear_groups.len() as u16..VoiceGroup::RINGBACK.0;
    let tracks = recording.into_iter().flat_map(Recording::running);
    for ((track, recording), ear) in tracks.zip(ears_of_tracks) {
        let ear = EarGroup(ear);
        taps.push(TapPlace { recording, ear });
        let held = voices.iter().filter(|(_, alike)| scene.is_in_track(alike[0], track));
        hears.extend(held.map(|(class, _)| row(ear, VoiceGroup(voice_groups[class]))));
    }
    Routing {
        places,
        hears,
        taps,
        announcements,
        ringback: profile.inviting.ringback,
        automatic_gain: profile.automatic_gain,
    }
}

/// Says whether one party hears another: the rule that every routing follows.
pub fn hears(profile: &Profile, parties: &[Party], listener: PartyId, speaker: PartyId) -> bool {
    let scene = Scene::new(profile, parties, None);
    match (scene.by_id.get(&listener), scene.by_id.get(&speaker)) {
        (Some(listener), Some(speaker)) if listener.id != speaker.id => {
            scene.hears(listener, speaker)
        }
        (Some(_) | None, _) => false,
    }
}

/// Numbers in order, as many as there are; beyond what a group can be numbered there is none.
fn numbered<Class: Ord>(classes: impl Iterator<Item = Class>, from: u16) -> BTreeMap<Class, u16> {
    classes.zip(from..VoiceGroup::RINGBACK.0).collect()
}

impl<'a> Scene<'a> {
    fn new(profile: &'a Profile, parties: &'a [Party], recording: Option<&Recording>) -> Scene<'a> {
        let tracks = recording.into_iter().flat_map(Recording::running);
        let by_id: BTreeMap<_, _> = parties.iter().map(|party| (party.id, party)).collect();
        let mut scene = Scene {
            profile,
            by_id,
            named: BTreeSet::new(),
            whispering: BTreeSet::new(),
            lone: BTreeSet::new(),
            calling: BTreeSet::new(),
            rung: BTreeSet::new(),
            tracked: tracks.filter_map(|(track, _)| track.party()).collect(),
        };
        for party in parties {
            scene.name_those_of(party);
            if let Some(listener) = scene.ringing_for(party) {
                scene.named.insert(listener);
                scene.calling.insert(listener);
                if !party.is_early() {
                    scene.rung.insert(listener);
                }
            }
            if party.aim == Aim::Whisper(Hearers::Ours) {
                let circle = scene.circle(party);
                scene.whispering.insert(circle);
            }
        }
        scene.lone = lone(parties);
        scene
    }

    /// Who has the called one called, or waits for it, is in and hears it ring.
    fn ringing_for(&self, called: &Party) -> Option<PartyId> {
        let listener = self.by_id.get(&called.rings_for()?)?;
        let listens = listener.is_connected() && listener.phone == PhoneKey::Talking;
        (listens && listener.hold().is_none()).then_some(listener.id)
    }

    fn name_those_of(&mut self, party: &Party) {
        let mut name = |others: &[PartyId]| {
            self.named.insert(party.id);
            self.named.extend(others);
        };
        match &party.stance {
            Stance::Beside(whom) => name(&[*whom]),
            Stance::Apart(hold) => {
                if let Some(placer) = path(self.profile, party, hold.by, hold.reason) {
                    name(&[placer]);
                }
            }
            Stance::Room | Stance::Aside(_) => {}
        }
        match &party.aim {
            Aim::Whisper(Hearers::Only(whom)) => name(&whom.iter().copied().collect::<Vec<_>>()),
            Aim::Pair(with) => name(&[*with]),
            Aim::Everybody | Aim::Whisper(Hearers::Ours) | Aim::Nobody => {}
        }
    }

    fn circle(&self, party: &Party) -> Circle {
        match party.stance {
            Stance::Room => Circle::Room,
            Stance::Aside(with) => Circle::Aside(with),
            Stance::Apart(_) => Circle::Alone(party.id),
            // Whoever is followed follows nobody.
            Stance::Beside(whom) => match self.by_id.get(&whom).map(|whom| whom.stance) {
                Some(Stance::Room) => Circle::Room,
                Some(Stance::Aside(with)) => Circle::Aside(with),
                Some(Stance::Apart(_) | Stance::Beside(_)) | None => Circle::Alone(whom),
            },
        }
    }

    fn ear_class(&self, party: &Party) -> Option<EarClass> {
        if party.is_early() {
            return None;
        }
        if party.phone == PhoneKey::OnHold {
            return Some(EarClass::Music);
        }
        if self.named.contains(&party.id) || self.lone.contains(&party.id) {
            return Some(EarClass::Named(party.id));
        }
        Some(match self.circle(party) {
            Circle::Alone(_) => EarClass::Music,
            circle @ (Circle::Room | Circle::Aside(_)) => {
                let ours = self.whispering.contains(&circle) && party.role.is_ours();
                EarClass::Circle { circle, ours }
            }
        })
    }

    fn voice_class(&self, party: &Party) -> Option<VoiceClass> {
        if party.is_early() {
            return Some(VoiceClass::Named(party.id));
        }
        if !party.speaks() || party.aim == Aim::Nobody {
            return None;
        }
        if self.named.contains(&party.id) {
            return Some(VoiceClass::Named(party.id));
        }
        match self.circle(party) {
            Circle::Alone(_) => None,
            Circle::Room | Circle::Aside(_) if self.tracked.contains(&party.id) => {
                Some(VoiceClass::Named(party.id))
            }
            circle @ (Circle::Room | Circle::Aside(_)) => {
                let whispers = party.aim != Aim::Everybody;
                Some(VoiceClass::Circle { circle, whispers })
            }
        }
    }

    /// Whether somebody of these hears somebody else of those. Whoever is alone in its class is
    /// not asked about itself.
    fn any_hears(&self, listeners: &[&Party], speakers: &[&Party]) -> bool {
        listeners.iter().any(|listener| {
            speakers
                .iter()
                .any(|speaker| listener.id != speaker.id && self.hears(listener, speaker))
        })
    }

    fn hears(&self, listener: &Party, speaker: &Party) -> bool {
        if speaker.is_early() {
            return self.ringing_for(speaker) == Some(listener.id);
        }
        if !listener.is_connected() || listener.phone == PhoneKey::OnHold || !speaker.speaks() {
            return false;
        }
        if let Stance::Beside(whom) = listener.stance {
            let followed = self.by_id.get(&whom);
            return self.reaches(speaker, listener)
                || followed.is_some_and(|whom| {
                    whom.is_counted() && (whom.id == speaker.id || self.reaches(speaker, whom))
                });
        }
        self.reaches(speaker, listener)
    }

    /// At whom a party's voice is directed where it stands. Who has stepped aside from whom it is
    /// paired with speaks with those there. It is paired again when it is back: what the two say to
    /// each other alone is not heard by others because one of them was away.
    fn aim<'p>(&self, party: &'p Party) -> &'p Aim {
        match (&party.aim, party.stance) {
            (Aim::Pair(with), Stance::Aside(_)) => {
                let place = self.by_id.get(with).map(|partner| self.circle(partner));
                match place == Some(self.circle(party)) {
                    true => &party.aim,
                    false => &Aim::Everybody,
                }
            }
            (aim, _) => aim,
        }
    }

    /// Whether a voice goes to an ear by where both stand and at whom it is directed.
    fn reaches(&self, speaker: &Party, listener: &Party) -> bool {
        let together = self.circle(speaker) == self.circle(listener);
        match self.aim(speaker) {
            Aim::Everybody => {
                speaker.is_counted() && listener.is_counted() && together
                    || self.is_on_path(speaker, listener)
                    || self.is_on_path(listener, speaker)
            }
            Aim::Whisper(to) => {
                let meant = match to {
                    Hearers::Ours => true,
                    Hearers::Only(whom) => whom.contains(&listener.id),
                };
                meant && listener.role.is_ours() && together
            }
            Aim::Pair(with) => *with == listener.id && together && speaker.is_counted(),
            Aim::Nobody => false,
        }
    }

    /// Whether `held` goes on talking with `other`, who set it apart.
    fn is_on_path(&self, held: &Party, other: &Party) -> bool {
        let Stance::Apart(hold) = held.stance else { return false };
        path(self.profile, held, hold.by, hold.reason) == Some(other.id)
            && other.stance == Stance::Room
    }

    fn hears_music(&self, party: &Party) -> bool {
        if party.phone == PhoneKey::OnHold {
            return true;
        }
        match party.stance {
            Stance::Apart(_) => !self.by_id.values().any(|other| {
                other.id != party.id && other.is_connected() && self.is_on_path(party, other)
            }),
            Stance::Room | Stance::Aside(_) => {
                let lone = self.lone.contains(&party.id) && !self.calling.contains(&party.id);
                lone && self.profile.holding.alone == Alone::Music
            }
            Stance::Beside(whom) => self
                .by_id
                .get(&whom)
                .is_some_and(|whom| whom.is_counted() && self.hears_music(whom)),
        }
    }

    /// The recorder stands in the room as the customer does: it hears no whisper, nobody who is
    /// apart, and what is said aside only where the profile says so.
    fn is_recorded(&self, speaker: &Party) -> bool {
        if speaker.is_early() {
            return false;
        }
        match (speaker.stance, self.aim(speaker)) {
            (Stance::Room | Stance::Aside(_), Aim::Everybody) => self.is_kept(speaker),
            (Stance::Apart(_) | Stance::Beside(_), _) => false,
            (_, Aim::Whisper(_) | Aim::Pair(_) | Aim::Nobody) => false,
        }
    }

    /// Whether a track holds a voice. One of whispers holds them where the recorder would hear
    /// who speaks aloud, also from who only listens in.
    fn is_in_track(&self, speaker: &Party, track: Track) -> bool {
        if track.party() != Some(speaker.id) {
            return false;
        }
        match (track, &speaker.aim) {
            (Track::Whisper { .. }, Aim::Whisper(_)) => self.is_kept(speaker),
            (Track::Whisper { .. }, Aim::Everybody | Aim::Pair(_) | Aim::Nobody) => false,
            (Track::Mix | Track::Voice { .. }, _) => self.is_recorded(speaker),
        }
    }

    /// Whether what is said where somebody stands is recorded.
    fn is_kept(&self, speaker: &Party) -> bool {
        match self.circle(speaker) {
            Circle::Room => true,
            Circle::Aside(_) => self.profile.recording.consultations,
            Circle::Alone(_) => false,
        }
    }
}

/// Those from outside of whom each stands where nobody else does.
fn lone(parties: &[Party]) -> BTreeSet<PartyId> {
    // Of each circle the first, as long as there is no second.
    let mut first = BTreeMap::new();
    for party in parties {
        let circle = match party.stance {
            Stance::Room => Circle::Room,
            Stance::Aside(with) => Circle::Aside(with),
            Stance::Apart(_) | Stance::Beside(_) => continue,
        };
        if party.is_connected() && party.phone == PhoneKey::Talking {
            let alone = Some(party).filter(|_| !first.contains_key(&circle));
            first.insert(circle, alone);
        }
    }
    let lone = first.into_values().flatten();
    lone.filter(|party| !party.role.is_ours()).map(|party| party.id).collect()
}

/// With whom somebody who is set apart goes on talking.
fn path(profile: &Profile, held: &Party, by: Author, reason: HoldReason) -> Option<PartyId> {
    match (profile.holding.path, by, reason) {
        (HoldPath::Placer, Author::Party(placer), HoldReason::Asked)
            if held.role.is_ours() && placer != held.id =>
        {
            Some(placer)
        }
        (HoldPath::Placer | HoldPath::None, _, _) => None,
    }
}
