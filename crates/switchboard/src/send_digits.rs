//! Keys that we press for a leg's far end to hear: in its media, or by INFO where its trunk takes
//! them so.
//!
//! INFO goes key by key, the next when the one before was answered, so that their order is kept.
//! A far end that does not know `application/dtmf-relay` is told by `application/dtmf`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use model::keys::Relay;
use model::{ConferenceId, Digits, LegId, MediaOrder};
use sip::message::{ExtraHeaders, Method, StatusCode};
use sip::{Inquiry, InquiryId};

use crate::audio::KeyKind;
use crate::digits::KeyWay;
use crate::leg::Stage;
use crate::limits::INFO_KEYS_MAX;
use crate::switchboard::Switchboard;

/// How long a key that goes by INFO is to be down \[ms\].
const KEY_MS: u32 = 100;

/// Keys on their way by INFO, by leg.
#[derive(Debug, Default)]
pub(crate) struct Infos(BTreeMap<LegId, Waiting>);

/// The keys of one leg.
#[derive(Default)]
struct Waiting {
    kind: Kind,
    /// The first is on its way.
    keys: VecDeque<char>,
    sent: Option<InquiryId>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys by {:?}", self.keys.len(), self.kind)
    }
}

/// How a key is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    /// `application/dtmf-relay`.
    #[default]
    Relay,
    /// `application/dtmf`.
    Plain,
}

impl Kind {
    fn body(self, key: char) -> (String, Vec<u8>) {
        match self {
            Kind::Relay => {
                let text = format!("Signal={key}\r\nDuration={KEY_MS}\r\n");
                ("application/dtmf-relay".to_owned(), text.into_bytes())
            }
            Kind::Plain => ("application/dtmf".to_owned(), key.to_string().into_bytes()),
        }
    }
}

impl Switchboard {
    /// Presses keys for a leg's far end to hear.
    pub(crate) fn press_at(&mut self, now: Instant, leg: LegId, digits: Digits) {
        let trunk = self.trunk_use.of(leg).and_then(|name| self.config.audio_of(name));
        match trunk.map(|audio| audio.keys).unwrap_or_default() {
            KeyKind::Events | KeyKind::Tones => self.order(MediaOrder::Press { leg, digits }),
            KeyKind::Info => {
                let legs = &self.legs;
                self.infos.0.retain(|leg, _| legs.contains_key(leg));
                let waiting = self.infos.0.entry(leg).or_default();
                if waiting.keys.len() + digits.count() <= INFO_KEYS_MAX {
                    waiting.keys.extend(digits.keys());
                }
                self.send_key(now, leg);
            }
        }
    }

    /// Sends the first key that waits, if none is on its way.
    fn send_key(&mut self, now: Instant, leg: LegId) {
        let session = self.legs.get(&leg).and_then(|leg| leg.session);
        let Some(Waiting { kind, keys, sent }) = self.infos.0.get_mut(&leg) else { return };
        let (Some(key), Some(session)) = (keys.front().filter(|_| sent.is_none()), session) else {
            return;
        };
        let (headers, body) = (ExtraHeaders::new(), Some(kind.body(*key)));
        match self.sip.inquire(now, session, Inquiry { method: Method::Info, headers, body }) {
            Ok(inquiry) => *sent = Some(inquiry),
            // Its call ends in this instant, or there are too many transactions.
            Err(_) => keys.clear(),
        }
    }

    /// An INFO was answered.
    pub(crate) fn key_answered(
        &mut self,
        now: Instant,
        leg: LegId,
        (inquiry, status): (InquiryId, StatusCode),
    ) {
        let Some(Waiting { kind, keys, sent }) = self.infos.0.get_mut(&leg) else { return };
        if *sent != Some(inquiry) {
            return;
        }
        *sent = None;
        match (status, *kind) {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, Kind::Relay) => *kind = Kind::Plain,
            (status, _) if status.is_success() => {
                keys.pop_front();
            }
            // It takes none.
            _ => keys.clear(),
        }
        self.send_key(now, leg);
    }

    /// Keys that say nothing here may say something where they are heard.
    pub(crate) fn relay(
        &mut self,
        now: Instant,
        (conference, leg): (ConferenceId, LegId),
        keys: &str,
    ) {
        let Some(found) = self.conferences.get(&conference) else { return };
        let profile = found.profile();
        match profile.keys.relay {
            Relay::Nobody => return,
            Relay::Hearers => {}
        }
        let Ok(digits) = keys.parse::<Digits>() else { return };
        if self.sounds(leg) {
            return;
        }
        let routing = call::routing(profile, found.parties(), None, &[]);
        let legs = found.parties().iter().map(|party| party.leg);
        let legs: Vec<LegId> = legs.filter(|other| routing.hears(*other, leg)).collect();
        for leg in legs {
            self.press_at(now, leg, digits.clone());
        }
    }

    /// Whether a leg's keys are in its sound, and heard already.
    fn sounds(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|leg| match &leg.stage {
            Stage::Up { negotiated, .. } => {
                negotiated.telephone_event.is_none() && leg.keys == KeyWay::Media
            }
            Stage::Opening(_) | Stage::Offered(_) | Stage::Early { .. } => false,
        })
    }
}
