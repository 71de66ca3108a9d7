//! What is said in a take: beeps that tell the delay, a sentence to be scored, and beeps again.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use audio::tone::Sine;
use audio::{Codec, Decoder, Encoder, EncoderSettings, Resampler};

/// Rate of all that is said and heard: telephones' \[Hz\].
pub(crate) const RATE_HZ: u32 = 8_000;
/// Rate of the voices in `fixtures/audio` \[Hz\].
const FIXTURE_RATE_HZ: u32 = 16_000;
/// Samples in a millisecond.
pub(crate) const PER_MS: usize = RATE_HZ as usize / 1_000;

/// Beeps before the sentence, and after it.
const BEEPS: usize = 5;
/// From one beep to the next \[ms\]; no multiple of a packet time.
const BEEP_EVERY_MS: usize = 503;
/// Length of a beep \[ms\].
const BEEP_MS: usize = 50;
/// Silence around the sentence \[ms\].
const PAUSE_MS: usize = 500;
/// A beep's pitch \[Hz\] and peak: loud from its first sample on.
const BEEP: (f64, i16) = (1_000.0, 12_000);

/// All that one talker says.
pub(crate) struct Script {
    /// The samples, at [`RATE_HZ`].
    pub(crate) pcm: Vec<i16>,
    /// Where beeps begin \[samples\].
    pub(crate) beeps: Vec<usize>,
    /// Where the sentence begins \[samples\].
    pub(crate) sentence: usize,
    /// Its length \[samples\].
    pub(crate) sentence_length: usize,
}

impl Script {
    /// Reads a voice of `fixtures/audio` and puts the beeps around it. For so many minutes the
    /// sentence is said over and over after the first beeps.
    ///
    /// # Errors
    /// What the file lacks.
    pub(crate) fn read(path: &Path, after_min: u32) -> Result<Script> {
        let mut voice = read_wav(path, FIXTURE_RATE_HZ)?;
        // The resampler takes a multiple of its ratio.
        voice.truncate(voice.len() / 320 * 320);
        let mut sentence = vec![0; voice.len() / 2];
        Resampler::new(FIXTURE_RATE_HZ, RATE_HZ).process(&voice, &mut sentence);
        let mut script =
            Script { pcm: Vec::new(), beeps: Vec::new(), sentence: 0, sentence_length: 0 };
        script.beep();
        let until = script.pcm.len() + after_min as usize * 60_000 * PER_MS;
        while script.pcm.len() < until {
            script.pcm.extend_from_slice(&sentence);
            script.pause(PAUSE_MS);
        }
        script.sentence = script.pcm.len();
        script.sentence_length = sentence.len();
        script.pcm.extend_from_slice(&sentence);
        script.pause(PAUSE_MS);
        script.beep();
        script.encode_once()?;
        Ok(script)
    }

    /// Makes of all samples what a telephone makes of them, so that a score tells what the line and
    /// the server did, not what G.711 does.
    fn encode_once(&mut self) -> Result<()> {
        let mut encoder = Encoder::new(EncoderSettings::of(Codec::Pcmu))?;
        let mut decoder = Decoder::new(Codec::Pcmu)?;
        for part in self.pcm.chunks_mut(packet_samples(20)) {
            let mut payload = vec![0; part.len()];
            encoder.encode(part, &mut payload);
            decoder.decode(&payload, part)?;
        }
        Ok(())
    }

    fn beep(&mut self) {
        for _ in 0..BEEPS {
            self.pause(BEEP_EVERY_MS - BEEP_MS);
            self.beeps.push(self.pcm.len());
            let mut beep = vec![0; BEEP_MS * PER_MS];
            Sine::new(BEEP.0, BEEP.1, RATE_HZ).fill(&mut beep);
            self.pcm.extend_from_slice(&beep);
        }
        self.pause(PAUSE_MS);
    }

    fn pause(&mut self, ms: usize) {
        self.pcm.resize(self.pcm.len() + ms * PER_MS, 0);
    }

    /// A packet's samples; silence after the end.
    pub(crate) fn part(&self, start: usize, length: usize) -> Vec<i16> {
        let end = (start + length).min(self.pcm.len());
        let mut part = self.pcm.get(start..end).unwrap_or_default().to_vec();
        part.resize(length, 0);
        part
    }

    /// The sentence alone.
    pub(crate) fn reference(&self) -> &[i16] {
        &self.pcm[self.sentence..self.sentence + self.sentence_length]
    }
}

fn read_wav(path: &Path, rate_hz: u32) -> Result<Vec<i16>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let wav = || format!("{} is no WAV of 16 bits, mono, {rate_hz} Hz", path.display());
    ensure!(bytes.get(..4) == Some(b"RIFF") && bytes.get(8..12) == Some(b"WAVE"), wav());
    let (mut at, mut fits) = (12, false);
    while let Some(head) = bytes.get(at..at + 8) {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let body = &bytes[at + 8..(at + 8 + length).min(bytes.len())];
        match &head[..4] {
            b"fmt " => {
                let rate = rate_hz.to_le_bytes();
                fits = body.get(..8) == Some(&[1, 0, 1, 0, rate[0], rate[1], rate[2], rate[3]])
                    && body.get(14..16) == Some(&[16, 0]);
            }
            b"data" if fits => {
                let samples = body.as_chunks::<2>().0.iter();
                return Ok(samples.map(|pair| i16::from_le_bytes(*pair)).collect());
            }
            _ => {}
        }
        at += 8 + length + length % 2;
    }
    Err(anyhow::anyhow!(wav()))
}

/// Writes samples at [`RATE_HZ`] as a WAV file.
///
/// # Errors
/// What the system says.
pub(crate) fn write_wav(path: &Path, pcm: &[i16]) -> Result<()> {
    let length = 2 * pcm.len() as u32;
    let mut bytes = Vec::with_capacity(44 + 2 * pcm.len());
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + length).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend_from_slice(&RATE_HZ.to_le_bytes());
    bytes.extend_from_slice(&(2 * RATE_HZ).to_le_bytes());
    bytes.extend_from_slice(b"\x02\0\x10\0data");
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend(pcm.iter().flat_map(|sample| sample.to_le_bytes()));
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// The samples of a packet of so many milliseconds.
pub(crate) fn packet_samples(ptime_ms: u32) -> usize {
    Codec::Pcmu.samples(ptime_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_has_beeps_where_it_says_and_survives_a_file() {
        let voice = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/audio/bob.wav");
        let script = Script::read(&voice, 0).unwrap();
        assert_eq!(script.beeps.len(), 2 * BEEPS);
        for beep in &script.beeps {
            assert!(script.pcm[beep - 100..*beep].iter().all(|sample| *sample == 0));
            assert!(script.pcm[*beep..beep + 8].iter().any(|sample| *sample > 8_000));
        }
        assert_eq!(script.reference().len(), 8 * RATE_HZ as usize);
        let path = std::env::temp_dir().join(format!("load-speech-{}.wav", std::process::id()));
        write_wav(&path, script.reference()).unwrap();
        let read = read_wav(&path, RATE_HZ).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(read, script.reference());
    }
}
