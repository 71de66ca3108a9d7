//! Callers who must type a PIN: until it is right they stand in a lobby.
//!
//! ```text
//!  INVITE ─► Enter, judged ─► port ─► 200 ─► lobby: hears nobody, is heard by nobody
//!                                              │ right: as if its audio had just begun
//!                                              └ wrong three times, or nothing for too long: BYE
//! ```
//! To the conference it is a caller whose audio does not run yet. Its keys are looked at here, and
//! go nowhere. Wrong PINs are counted by who types them and by the room, so that guessing takes
//! long however often somebody calls.

use std::collections::BTreeMap;
use std::time::Instant;

use call::{LegChange, PhoneKey};
use model::keys::{KEY_ENDS, KEY_TAKES_BACK};
use model::{Codec, LeaveReason, LegId, MediaOrder, Refusal};
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
            Origin::Trunk(name) => format!("{name} {}", incoming.from.uri.user().unwrap_or("")),
            Origin::Stranger | Origin::Trusted | Origin::User(_) => {
                incoming.flow.remote.ip().to_canonical().to_string()
            }
        };
        let (caller, room) = (Guesser::Caller(caller), Guesser::Room(conference.to_lowercase()));
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
        self.callers.insert(leg, Waiting { wanted, typed, tries: 0, until, codec: None });
    }

    /// The caller's audio is agreed on; false if it does not stand there.
    pub(crate) fn connected(&mut self, leg: LegId, codec: Codec) -> bool {
        match self.callers.get_mut(&leg) {
            Some(waiting) => {
                waiting.codec = Some(codec);
                true
            }
            None => false,
        }
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
        if wanted.pin.fits(&std::mem::take(typed)) {
            return Some(Step::ComesIn);
        }
        *tries += 1;
        let (is_last, wanted) = (*tries >= PIN_TRIES, wanted.clone());
        self.note(now, &wanted);
        let is_over = is_last || self.may_try(now, &wanted).is_err();
        Some(if is_over { Step::Goes } else { Step::Stays })
    }
}

impl Switchboard {
    /// A key was pressed by somebody in the lobby; false if it stands elsewhere.
    pub(crate) fn pressed_in_lobby(&mut self, now: Instant, leg: LegId, key: char) -> bool {
        match self.lobby.press(now, leg, key) {
            None => return false,
            Some(Step::Stays) => {}
            Some(Step::ComesIn) => self.leave_lobby(now, leg),
            Some(Step::Goes) => self.turn_away(now, leg),
        }
        true
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
        self.pin_was_typed(now, id);
        self.leg_changed(now, conference, id, LegChange::Connected { codec });
        if is_on_hold {
            self.leg_changed(now, conference, id, LegChange::Phone(PhoneKey::OnHold));
        }
    }

    /// The caller does not come in.
    fn turn_away(&mut self, now: Instant, id: LegId) {
        self.lobby.callers.remove(&id);
        let Some(leg) = self.legs.remove(&id) else { return };
        if let Some(session) = leg.session {
            self.legs_by_session.remove(&session);
            let declined = StatusCode::DECLINE;
            self.sip.end(now, session, Some(Reason::sip(declined.code(), declined.phrase())));
        }
        *self.refusals.entry(Refusal::WrongPin.code()).or_default() += 1;
        self.order(MediaOrder::Close { leg: id });
        self.leg_changed(now, leg.conference, id, LegChange::Gone(LeaveReason::Failed));
    }
}
