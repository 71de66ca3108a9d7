//! Whom one hears in a recording.

use std::collections::BTreeSet;
use std::path::Path;

use audio::music::SIGNATURE_HZ;
use audio::tone::Ear;

/// Who sounds: the tone of a phone by its place, or the music that is played to whoever is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sound {
    /// The phone with this place in the list of tones.
    Phone(usize),
    /// A note of the hold music's signature.
    Music,
}

/// A phase counts if it lasts this many windows of the ear [400 ms]; what is shorter is a moment
/// of change, or a phone that the machine kept from speaking in time.
const PHASE_WINDOWS_MIN: usize = 3;

/// What a recording holds, from its beginning to its end.
pub(crate) struct Heard {
    /// What sounded in each window.
    pub(crate) windows: Vec<BTreeSet<Sound>>,
}

impl Heard {
    /// Listens to a WAV file for these tones [Hz] and for the music.
    pub(crate) fn in_file(path: &Path, tones_hz: &[f64]) -> Heard {
        let reader = hound::WavReader::open(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let spec = reader.spec();
        let samples: Vec<i16> = reader.into_samples().map(Result::unwrap).collect();
        // baresip decodes Opus to two like channels.
        let mono: Vec<i16> = samples.iter().step_by(spec.channels.into()).copied().collect();
        Heard::in_samples(&mono, spec.sample_rate, tones_hz)
    }

    /// Listens to samples, all of them from one source.
    pub(crate) fn in_samples(samples: &[i16], rate_hz: u32, tones_hz: &[f64]) -> Heard {
        let candidates: Vec<f64> = tones_hz.iter().copied().chain(SIGNATURE_HZ).collect();
        let sound = |at| if at < tones_hz.len() { Sound::Phone(at) } else { Sound::Music };
        let mut ear = Ear::new(&candidates, rate_hz);
        let frames = samples.chunks_exact(rate_hz as usize / 50);
        let windows = frames.filter_map(|frame| ear.push(frame));
        Heard { windows: windows.map(|heard| heard.iter().map(sound).collect()).collect() }
    }

    /// What was heard for longer than a moment, one after the other.
    pub(crate) fn phases(&self) -> Vec<BTreeSet<Sound>> {
        let mut phases: Vec<BTreeSet<Sound>> = Vec::new();
        for run in self.windows.chunk_by(|one, next| one == next) {
            if run.len() >= PHASE_WINDOWS_MIN && phases.last() != Some(&run[0]) {
                phases.push(run[0].clone());
            }
        }
        phases
    }

    /// The phases from the first that is this one.
    pub(crate) fn phases_from(&self, first: &BTreeSet<Sound>) -> Vec<BTreeSet<Sound>> {
        self.phases().into_iter().skip_while(|phase| phase != first).collect()
    }
}
