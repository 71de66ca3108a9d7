//! Who hears whom, derived from who stands where.

use model::routing::TapPlace;
use model::{EarGroup, Gain, Hearing, Place, RecordingId, Routing, VoiceGroup};

use crate::party::{Microphone, Party};

/// Those who stand in the room.
const ROOM: EarGroup = EarGroup(0);
/// Those who are set apart.
const APART: EarGroup = EarGroup(1);
/// The recorder: people, never music.
const RECORDER: EarGroup = EarGroup(2);
/// The voices of those who stand in the room.
const PEOPLE: VoiceGroup = VoiceGroup(0);

/// The routing of these parties, with this recording running.
///
/// A party whose audio does not run yet has no place: it hears nobody and nobody hears it.
pub fn routing(parties: &[Party], recording: Option<RecordingId>) -> Routing {
    let mut places: Vec<Place> =
        parties.iter().filter(|party| party.is_connected()).map(place).collect();
    places.sort_by_key(|place| place.leg);
    let row = |ear, voice| Hearing { ear, voice, gain: Gain::UNITY };
    let mut hears = vec![row(ROOM, PEOPLE), row(APART, VoiceGroup::MUSIC)];
    let mut taps = Vec::new();
    if let Some(recording) = recording {
        hears.push(row(RECORDER, PEOPLE));
        taps.push(TapPlace { recording, ear: RECORDER });
    }
    Routing { places, hears, taps, automatic_gain: false }
}

fn place(party: &Party) -> Place {
    if party.is_held() {
        return Place { leg: party.leg, ear: Some(APART), voice: None };
    }
    let voice = match party.microphone {
        Microphone::Open => Some(PEOPLE),
        Microphone::Muted => None,
    };
    Place { leg: party.leg, ear: Some(ROOM), voice }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::party::{HoldPlacer, Presence, Seat};
    use model::{Codec, LegId, PartyId};

    /// A picture: one row for each listener, who it hears in columns.
    fn picture(parties: &[Party], recording: Option<RecordingId>) -> String {
        let routing = routing(parties, recording);
        let mut rows = String::new();
        for listener in parties {
            let mut row = format!("{} hears", listener.address);
            for speaker in parties {
                if routing.hears(listener.leg, speaker.leg) {
                    row += &format!(" {}", speaker.address);
                }
            }
            let ear = routing.place(listener.leg).and_then(|place| place.ear);
            if ear.is_some_and(|ear| routing.gain(ear, VoiceGroup::MUSIC).is_some()) {
                row += " music";
            }
            rows += &row;
            rows.push('\n');
        }
        for tap in &routing.taps {
            rows += "recorder hears";
            for speaker in parties {
                let voice = routing.place(speaker.leg).and_then(|place| place.voice);
                if voice.is_some_and(|voice| routing.gain(tap.ear, voice).is_some()) {
                    rows += &format!(" {}", speaker.address);
                }
            }
            rows.push('\n');
        }
        rows
    }

    fn party(id: u64, name: &str, presence: Presence) -> Party {
        Party {
            id: PartyId(id),
            leg: LegId(100 - id),
            display_name: None,
            address: name.into(),
            presence,
            holds: Default::default(),
            microphone: Microphone::Open,
            talking: false,
            seat: Seat::Kept,
            quality: (model::MosClass::High, model::MosClass::High),
        }
    }

    #[test]
    fn the_picture_of_a_room_with_one_held_one_muted_and_one_ringing() {
        let connected = Presence::Connected { codec: Codec::Pcmu };
        let mut held = party(2, "bob", connected);
        held.holds.insert(HoldPlacer::Admin);
        let mut muted = party(3, "carol", connected);
        muted.microphone = Microphone::Muted;
        let parties = [
            party(1, "alice", connected),
            held,
            muted,
            party(4, "dave", connected),
            party(5, "erin", Presence::Ringing { until_ms: 0 }),
        ];
        let expected = "\
alice hears dave
bob hears music
carol hears alice dave
dave hears alice
erin hears
recorder hears alice dave
";
        assert_eq!(picture(&parties, Some(RecordingId(1))), expected);
    }
}
