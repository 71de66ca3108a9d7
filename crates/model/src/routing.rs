//! The routing is all that media is told about sound.
//!
//! Parties that hear alike share an *ear group*, those that are heard alike share a *voice group*.
//! A routing is each leg's two groups plus a small table: which ear group hears which voice group,
//! at which gain. It is sent whole. It is fail-closed: a leg without a place hears nobody and is
//! heard by nobody, and a group without a row in the table hears nothing.

use crate::profile::Ringback;
use crate::{AnnouncementId, LegId, RecordingId};

/// Those who hear alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EarGroup(pub u16);

/// Those who are heard alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VoiceGroup(pub u16);

impl VoiceGroup {
    /// Hold music. No leg stands in this group; media plays the music for it.
    pub const MUSIC: VoiceGroup = VoiceGroup(u16::MAX);

    /// The ringing tone. No leg stands in this group either; it begins with a burst when somebody
    /// begins to hear it.
    pub const RINGBACK: VoiceGroup = VoiceGroup(u16::MAX - 1);
}

/// How loud, in Q15: 32,768 is unity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gain(pub u16);

impl Gain {
    /// As loud as it came.
    pub const UNITY: Gain = Gain(32_768);
}

/// Where one leg stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which leg.
    pub leg: LegId,
    /// With whom it hears; none hears nothing.
    pub ear: Option<EarGroup>,
    /// With whom it is heard; none is heard by nobody.
    pub voice: Option<VoiceGroup>,
}

/// One row of the table: this ear group hears this voice group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hearing {
    /// Who hears.
    pub ear: EarGroup,
    /// Who is heard.
    pub voice: VoiceGroup,
    /// How loud.
    pub gain: Gain,
}

/// A recorder's ear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapPlace {
    /// Which recording.
    pub recording: RecordingId,
    /// With whom it hears.
    pub ear: EarGroup,
}

/// A prompt that is played, as a voice. It begins when somebody first hears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnnouncementPlace {
    /// Which.
    pub announcement: AnnouncementId,
    /// With whom it is heard. No leg stands in this group.
    pub voice: VoiceGroup,
}

/// Who hears whom in one conference, whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routing {
    /// Each leg once, sorted by leg.
    pub places: Vec<Place>,
    /// Each pair once, sorted by ear group and voice group.
    pub hears: Vec<Hearing>,
    /// The recorders.
    pub taps: Vec<TapPlace>,
    /// The prompts.
    pub announcements: Vec<AnnouncementPlace>,
    /// How it rings for those who hear [`VoiceGroup::RINGBACK`].
    pub ringback: Ringback,
    /// Who speaks too softly or too loudly is brought near the usual loudness before it is mixed.
    pub automatic_gain: bool,
}

impl Routing {
    /// The place of a leg.
    pub fn place(&self, leg: LegId) -> Option<&Place> {
        self.places.binary_search_by_key(&leg, |place| place.leg).ok().map(|i| &self.places[i])
    }

    /// How loud a group hears a group; none is not at all.
    pub fn gain(&self, ear: EarGroup, voice: VoiceGroup) -> Option<Gain> {
        self.hears.iter().find(|row| row.ear == ear && row.voice == voice).map(|row| row.gain)
    }

    /// The full picture, leg by leg, for tests: does `listener` hear `speaker`?
    pub fn hears(&self, listener: LegId, speaker: LegId) -> bool {
        let ear = self.place(listener).and_then(|place| place.ear);
        let voice = self.place(speaker).and_then(|place| place.voice);
        match (ear, voice) {
            (Some(ear), Some(voice)) => {
                listener != speaker && self.gain(ear, voice).is_some_and(|gain| gain.0 > 0)
            }
            (None, _) | (_, None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_without_a_place_hears_nobody_and_is_heard_by_nobody() {
        let (ear, voice) = (EarGroup(0), VoiceGroup(0));
        let place = |id| Place { leg: LegId(id), ear: Some(ear), voice: Some(voice) };
        let routing = Routing {
            places: vec![place(1), place(2)],
            hears: vec![Hearing { ear, voice, gain: Gain::UNITY }],
            ..Routing::default()
        };
        assert!(routing.hears(LegId(1), LegId(2)));
        assert!(!routing.hears(LegId(1), LegId(1)));
        assert!(!routing.hears(LegId(3), LegId(1)));
        assert!(!routing.hears(LegId(1), LegId(3)));
    }
}
