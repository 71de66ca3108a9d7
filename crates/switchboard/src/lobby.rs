//! Callers who must type a PIN: until it is right they stand in a lobby.
//!
//! ```text
//!  INVITE ─► Enter, judged ─► port ─► 200 ─► lobby: is asked for the PIN, hears nobody, is heard
//!                                              │     by nobody
//!                                              │ right: as if its audio had just begun
//!                                              │ wrong: is asked again
//!                                              └ wrong three times, or nothing for too long: BYE
//! ```
//! To the conference it is a caller whose audio does not run yet. Its keys are looked at here, and
//! go nowhere. Wrong PINs are counted by who types them and by the room, so that guessing takes
//! long however often somebody calls.
//!
//! While it is asked its port stands in a mixer of its own. So who is not in yet takes none of the
//! few prompts that can be said in the room at once, and changes nothing about who hears whom
//! there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use call::{LegChange, PhoneKey};
use model::keys::{KEY_ENDS, KEY_TAKES_BACK};
use model::routing::AnnouncementPlace;
use model::{
    AnnouncementId, ClipName, Codec, ConferenceId, EarGroup, Gain, Hearing, LeaveReason, LegId,
    MediaOrder, Place, PromptName, Refusal, Routing, VoiceGroup, household,
};
use sip::Incoming;
use sip::access::{Destination, Origin, Pin};
use sip::message::{Reason, StatusCode};

use crate::leg::Stage;
use crate::limits::{
    GUESSERS_MAX, PIN_TIME, PIN_TRIES, WRONG_PIN_WINDOW, WRONG_PINS_PER_CALLER_MAX,
    WRONG_PINS_PER_ROOM_MAX,
};
use crate::switchboard::Switchboard;

/// Those who stand in the lobby, and who has typed wrong PINs.
#[derive(Debug, Default)]
pub(crate) struct Lobby {
    callers: BTreeMap<LegId, Waiting>,
    wrong: BTreeMap<Guesser, (u32, Instant)>,
}

/// One who stands there.
struct Waiting {
    wanted: Wanted,
    typed: String,
    tries: u32,
    until: Instant,
    /// What it is sent, once that is agreed on.
    codec: Option<Codec>,
    asked: Option<Question>,
}

/// The prompt that somebody hears.
#[derive(Clone, Copy)]
struct Question {
    /// The mixer that it is heard in, and nobody else is.
    booth: ConferenceId,
    announcement: AnnouncementId,
}

impl Question {
    /// Who hears it.
    fn routing(&self, leg: LegId) -> Routing {
        let (ear, voice) = (EarGroup(0), VoiceGroup(0));
        Routing {
            places: vec![Place { leg, ear: Some(ear), voice: None }],
            hears: vec![Hearing { ear, voice, gain: Gain::UNITY }],
            announcements: vec![AnnouncementPlace { announcement: self.announcement, voice }],
            ..Routing::default()
        }
    }
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}, {} tries", self.wanted, self.tries)
    }
}

/// Where a key leads somebody.
enum Step {
    /// It stays in the lobby.
    Stays,
    /// It stays, and is asked anew: the PIN was wrong.
    TriesAgain,
    /// It comes in.
    ComesIn,
    /// It is let go.
    Goes,
}

/// Which PIN somebody needs, and where its wrong ones are counted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pin: Pin,
    caller: Guesser,
    room: Guesser,
}

/// Whose wrong PINs are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Guesser {
    /// Of a host, or of a number that a trunk tells.
    Caller(String),
    /// Of all who call a room.
    Room(String),
}

impl Guesser {
    /// Who calls from that address.
    fn at(source: IpAddr) -> Guesser {
        Guesser::Caller(household(source).to_string())
    }

    fn wrong_max(&self) -> u32 {
        match self {
            Guesser::Caller(_) => WRONG_PINS_PER_CALLER_MAX,
            Guesser::Room(_) => WRONG_PINS_PER_ROOM_MAX,
        }
    }
}

impl Wanted {
    /// What a caller needs whose route has a PIN.
    pub(crate) fn of(incoming: &Incoming) -> Option<Wanted> {
        let Destination::Lobby { conference, pin } = &incoming.destination else { return None };
        let caller = match &incoming.origin {
            // All who call by a trunk call from one host.
            Origin::Trunk(name) => {
                Guesser::Caller(format!("{name} {}", incoming.from.uri.user().unwrap_or("")))
            }
            Origin::Stranger | Origin::Trusted | Origin::User(_) => {
                Guesser::at(incoming.flow.remote.ip())
            }
        };
        let room = Guesser::Room(conference.to_lowercase());
        Some(Wanted { pin: pin.clone(), caller, room })
    }
}

impl Lobby {
    /// When somebody has stood there for long enough.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.callers.values().map(|waiting| waiting.until).min()
    }

    /// Whether that one may type a PIN at all.
    pub(crate) fn may_try(&mut self, now: Instant, wanted: &Wanted) -> Result<(), Refusal> {
        self.wrong.retain(|_, (_, until)| *until > now);
        let has_left = |guesser: &Guesser| {
            let count = self.wrong.get(guesser).map_or(0, |(count, _)| *count);
            count < guesser.wrong_max()
        };
        let known = self.wrong.len() < GUESSERS_MAX;
        match known && has_left(&wanted.caller) && has_left(&wanted.room) {
            true => Ok(()),
            false => Err(Refusal::WrongPin),
        }
    }

    fn note(&mut self, now: Instant, wanted: &Wanted) {
        for guesser in [&wanted.caller, &wanted.room] {
            let fresh = (0, now + WRONG_PIN_WINDOW);
            self.wrong.entry(guesser.clone()).or_insert(fresh).0 += 1;
        }
    }

    pub(crate) fn enter(&mut self, now: Instant, leg: LegId, wanted: Wanted) {
        let (typed, until) = (String::new(), now + PIN_TIME);
        let waiting = Waiting { wanted, typed, tries: 0, until, codec: None, asked: None };
        self.callers.insert(leg, waiting);
    }

    /// Who hears that prompt.
    fn asked(&self, announcement: AnnouncementId) -> Option<LegId> {
        let is_that = |question: Question| question.announcement == announcement;
        let mut callers = self.callers.iter();
        callers.find(|(_, waiting)| waiting.asked.is_some_and(is_that)).map(|(leg, _)| *leg)
    }

    /// A key of somebody who stands there; none if nobody does.
    fn press(&mut self, now: Instant, leg: LegId, key: char) -> Option<Step> {
        let waiting = self.callers.get_mut(&leg)?;
        let Waiting { wanted, typed, tries, codec, .. } = waiting;
        match key {
            KEY_TAKES_BACK => typed.clear(),
            KEY_ENDS => {}
            _ => typed.push(key),
        }
        let is_whole = typed.len() >= wanted.pin.length() || key == KEY_ENDS && !typed.is_empty();
        // Before its audio is agreed on nobody types.
        if !is_whole || codec.is_none() {
            return Some(Step::Stays);
        }
        *tries += 1;
        let (typed, wanted) = (std::mem::take(typed), wanted.clone());
        let is_last = *tries >= PIN_TRIES;
        // Since it came others may have typed all the wrong ones that there may be: those who
        // stand here together have no more tries than one after the other.
        if self.may_try(now, &wanted).is_err() {
            return Some(Step::Goes);
        }
        if wanted.pin.fits(&typed) {
            return Some(Step::ComesIn);
        }
        self.note(now, &wanted);
        let is_over = is_last || self.may_try(now, &wanted).is_err();
        Some(if is_over { Step::Goes } else { Step::TriesAgain })
    }
}

impl Switchboard {
    /// A caller's audio is agreed on; false if it does not stand in the lobby.
    pub(crate) fn connected_in_lobby(&mut self, leg: LegId, codec: Codec) -> bool {
        let Some(waiting) = self.lobby.callers.get_mut(&leg) else { return false };
        if waiting.codec.replace(codec).is_none() {
            self.ask_for_pin(leg);
        }
        true
    }

    /// A key was pressed by somebody in the lobby; false if it stands elsewhere.
    pub(crate) fn pressed_in_lobby(&mut self, now: Instant, leg: LegId, key: char) -> bool {
        let Some(step) = self.lobby.press(now, leg, key) else { return false };
        // Who answers need not hear the question to its end.
        self.ask_no_more(leg);
        match step {
            Step::Stays => {}
            Step::TriesAgain => self.ask_for_pin(leg),
            Step::ComesIn => self.leave_lobby(now, leg),
            Step::Goes => self.turn_away(now, leg),
        }
        true
    }

    /// Lets somebody hear what it is to type, in the voice of the profile that it is to come into.
    fn ask_for_pin(&mut self, leg: LegId) {
        let Some(clip) = self.pin_question(leg) else { return };
        let booth = ConferenceId(self.chance.draw());
        let question = Question { booth, announcement: AnnouncementId(self.chance.draw()) };
        let Some(waiting) = self.lobby.callers.get_mut(&leg) else { return };
        waiting.asked = Some(question);
        let announcement = question.announcement;
        self.order(MediaOrder::Move { leg, conference: booth });
        self.order(MediaOrder::Play { conference: booth, announcement, clip });
        self.order(MediaOrder::Route { conference: booth, routing: question.routing(leg) });
    }

    fn pin_question(&self, leg: LegId) -> Option<ClipName> {
        let conference = self.legs.get(&leg)?.conference;
        let profile = self.conferences.get(&conference)?.profile();
        let prompt = PromptName::parse(PromptName::ENTER_PIN)
            .expect("it is a name, as a test of prompts shows");
        self.config.prompts.find(&profile.name, &profile.prompts.language, &prompt)
    }

    /// Somebody has heard it to its end; false if nobody in the lobby was to.
    pub(crate) fn asked_in_lobby(&mut self, announcement: AnnouncementId) -> bool {
        let leg = self.lobby.asked(announcement);
        if let Some(leg) = leg {
            self.ask_no_more(leg);
        }
        leg.is_some()
    }

    /// Somebody is asked no more: its port goes where it will be heard.
    fn ask_no_more(&mut self, leg: LegId) {
        let waiting = self.lobby.callers.get_mut(&leg);
        let Some(Question { booth, .. }) = waiting.and_then(|one| one.asked.take()) else { return };
        let Some(conference) = self.legs.get(&leg).map(|leg| leg.conference) else { return };
        self.order(MediaOrder::Move { leg, conference });
        self.order(MediaOrder::CloseConference { conference: booth });
    }

    /// A leg's port goes, and the mixer that it stands in by itself if it is asked for a PIN.
    pub(crate) fn close_port(&mut self, leg: LegId) {
        self.spending.ended(leg);
        self.order(MediaOrder::Close { leg });
        let asked = self.lobby.callers.remove(&leg).and_then(|waiting| waiting.asked);
        if let Some(Question { booth, .. }) = asked {
            self.order(MediaOrder::CloseConference { conference: booth });
        }
    }

    /// Who has stood there for too long goes.
    pub(crate) fn lobby_times_out(&mut self, now: Instant) {
        let is_due = |(leg, waiting): (&LegId, &Waiting)| (waiting.until <= now).then_some(*leg);
        let due: Vec<LegId> = self.lobby.callers.iter().filter_map(is_due).collect();
        for leg in due {
            self.turn_away(now, leg);
        }
    }

    /// The PIN is right: the caller comes in.
    fn leave_lobby(&mut self, now: Instant, id: LegId) {
        let codec = self.lobby.callers.remove(&id).and_then(|waiting| waiting.codec);
        let (Some(codec), Some(leg)) = (codec, self.legs.get(&id)) else { return };
        let conference = leg.conference;
        let is_on_hold = match &leg.stage {
            Stage::Up { negotiated, .. } => negotiated.on_hold,
            Stage::Opening(_) | Stage::Offered(_) | Stage::Early { .. } => false,
        };
        let video = leg.video();
        self.pin_was_typed(now, id);
        self.leg_changed(now, conference, id, LegChange::Connected { codec });
        self.leg_changed(now, conference, id, LegChange::Video(video));
        if is_on_hold {
            self.leg_changed(now, conference, id, LegChange::Phone(PhoneKey::OnHold));
        }
    }

    /// The caller does not come in.
    fn turn_away(&mut self, now: Instant, id: LegId) {
        self.close_port(id);
        let Some(leg) = self.legs.remove(&id) else { return };
        if let Some(session) = leg.session {
            self.legs_by_session.remove(&session);
            let declined = StatusCode::DECLINE;
            self.sip.end(now, session, Some(Reason::sip(declined.code(), declined.phrase())));
        }
        *self.refusals.entry(Refusal::WrongPin.code()).or_default() += 1;
        self.leg_changed(now, leg.conference, id, LegChange::Gone(LeaveReason::Failed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(source: &str) -> Wanted {
        let caller = Guesser::at(source.parse().unwrap());
        Wanted { pin: "4711".parse().unwrap(), caller, room: Guesser::Room("desk".to_owned()) }
    }

    /// Somebody with that many calls open at once types a wrong PIN in each, and the right one in
    /// another; how many were looked at, and whether it came in.
    fn guess(source: impl Fn(u64) -> String, calls: u64) -> (u64, bool) {
        #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
        let now = Instant::now();
        let mut lobby = Lobby::default();
        for leg in 0..=calls {
            let wanted = wanted(&source(leg));
            lobby.may_try(now, &wanted).unwrap();
            lobby.enter(now, LegId(leg), wanted);
            lobby.callers.get_mut(&LegId(leg)).unwrap().codec = Some(Codec::Pcmu);
        }
        for leg in 0..calls {
            for key in "1234".chars() {
                lobby.press(now, LegId(leg), key);
            }
        }
        let room = lobby.wrong[&Guesser::Room("desk".to_owned())].0;
        let steps = "4711".chars().map(|key| lobby.press(now, LegId(calls), key));
        (room.into(), matches!(steps.last(), Some(Some(Step::ComesIn))))
    }

    #[test]
    fn calls_that_are_open_at_once_have_no_more_tries_than_one_after_the_other() {
        let one_host = |_| "192.0.2.1".to_owned();
        assert_eq!(guess(one_host, 5), (5, true));
        assert_eq!(guess(one_host, 100), (WRONG_PINS_PER_CALLER_MAX.into(), false));
        let many_hosts = |leg| format!("198.51.100.{leg}");
        assert_eq!(guess(many_hosts, 200), (WRONG_PINS_PER_ROOM_MAX.into(), false));
    }

    #[test]
    fn a_host_with_many_addresses_has_no_more_tries_than_one_with_one() {
        let of_one_host = |leg| format!("2001:db8::{leg:x}");
        assert_eq!(guess(of_one_host, 100), (WRONG_PINS_PER_CALLER_MAX.into(), false));
    }
}
