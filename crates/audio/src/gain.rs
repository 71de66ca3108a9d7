//! A gentle automatic gain for one speaker: who speaks too softly or too loudly is brought near the
//! level at which telephones are made to speak, within bounds and slowly enough that nobody hears
//! it happen.
//!
//! What is measured is the level while somebody speaks, as in ITU-T P.56; pauses and noise say
//! nothing, and are never made louder. Who is about right is left alone, to the last bit.

/// The level that speech is brought to: -26 dBov, the nominal active level of ITU-T P.56 tests and
/// of telephones, as a mean square.
const NOMINAL: f32 = 2_697_000.0;
/// Most that is added or taken: 12 dB, as a factor. A telephone that is further off is broken, and
/// what is below its voice is noise.
const GAIN_MAX: f32 = 3.981;
/// A speaker who is off by less is left alone: 3 dB, as a factor.
const LEFT_ALONE: f32 = 1.412;
/// And is left alone again once it is off by less than this: 1 dB.
const RIGHT_AGAIN: f32 = 1.122;
/// How fast the gain goes where it should \[dB/s of speech\].
const PACE_DB_PER_S: f32 = 3.0;
/// How fast the gain is taken back where speech ends \[dB/s\].
const RELEASE_DB_PER_S: f32 = 40.0;
/// Speech over which the level is averaged \[s\]: a sentence or two.
const MEMORY_S: f32 = 4.0;
/// Speech after which the level counts as known \[s\].
const KNOWN_S: f32 = 0.5;
/// Speech is above the floor by so much, as a factor of the mean square: 12 dB.
const ABOVE_FLOOR: f32 = 15.85;
/// No speech is softer than -50 dBov, as a mean square.
const SPEECH_MIN: f32 = 10_740.0;
/// The floor is never lower than -70 dBov, as a mean square.
const FLOOR_MIN: f32 = 107.4;
/// How fast the floor rises while it is louder \[dB/s\]; it falls at once. Speech has a pause in
/// every two seconds, so it is far above the floor; noise that lasts is at it soon.
const FLOOR_RISE_DB_PER_S: f32 = 6.0;
/// How long after speech its gain is kept, for the soft end of a word \[s\].
const HANGOVER_S: f32 = 0.2;
/// Peak that sound which is made louder may reach.
const PEAK_MAX: f32 = 29_000.0;
/// Length of the ramp between two gains \[s\].
const RAMP_S: f32 = 0.005;

/// One speaker's gain.
#[derive(Clone, Debug)]
pub struct AutomaticGain {
    rate_hz: f32,
    /// Mean square of what is below speech.
    floor: f32,
    /// Mean square of speech.
    active: f32,
    /// Speech that was heard, up to [`MEMORY_S`] \[s\].
    heard_s: f32,
    /// What speech is given, as a factor.
    gain: f32,
    /// What the last sample was given, as a factor.
    applied: f32,
    hangover_s: f32,
    untouched: bool,
}

impl AutomaticGain {
    /// Nothing is known of the speaker.
    pub fn new(rate_hz: u32) -> AutomaticGain {
        AutomaticGain {
            rate_hz: rate_hz as f32,
            floor: SPEECH_MIN,
            active: 0.0,
            heard_s: 0.0,
            gain: 1.0,
            applied: 1.0,
            hangover_s: 0.0,
            untouched: true,
        }
    }

    /// The same speaker at another rate.
    pub fn at_rate(&self, rate_hz: u32) -> AutomaticGain {
        AutomaticGain { rate_hz: rate_hz as f32, ..self.clone() }
    }

    /// Whether the last frame came out as it went in.
    pub fn is_untouched(&self) -> bool {
        self.untouched
    }

    /// Lets a frame of silence pass, or one that nobody hears.
    pub fn pause(&mut self) {
        (self.applied, self.hangover_s, self.untouched) = (1.0, 0.0, true);
    }

    /// Makes a frame louder or softer.
    pub fn process(&mut self, frame: &mut [i16]) {
        if frame.is_empty() {
            return;
        }
        let seconds = frame.len() as f32 / self.rate_hz;
        let squares: u64 = frame.iter().map(|s| u64::from(s.unsigned_abs()).pow(2)).sum();
        let level = squares as f32 / frame.len() as f32;
        self.listen(level, seconds);
        let mut target = if self.hangover_s > 0.0 {
            self.gain
        } else {
            let released = self.applied / factor(RELEASE_DB_PER_S * seconds);
            self.gain.min(released.max(1.0))
        };
        if target > 1.0 {
            let peak = frame.iter().fold(1, |peak, sample| sample.unsigned_abs().max(peak));
            target = target.min(PEAK_MAX / f32::from(peak)).max(1.0);
        }
        self.untouched = self.applied == 1.0 && target == 1.0;
        if !self.untouched {
            self.ramp(frame, target);
        }
    }

    /// Learns from a frame's mean square.
    fn listen(&mut self, level: f32, seconds: f32) {
        let risen = self.floor * factor(FLOOR_RISE_DB_PER_S * seconds).powi(2);
        self.floor = risen.min(level).max(FLOOR_MIN);
        if level < SPEECH_MIN.max(self.floor * ABOVE_FLOOR) {
            self.hangover_s = (self.hangover_s - seconds).max(0.0);
            return;
        }
        self.hangover_s = HANGOVER_S;
        self.heard_s = (self.heard_s + seconds).min(MEMORY_S);
        self.active += (level - self.active) * (seconds / self.heard_s).min(1.0);
        if self.heard_s < KNOWN_S {
            return;
        }
        let wanted = (NOMINAL / self.active).sqrt().clamp(1.0 / GAIN_MAX, GAIN_MAX);
        let bound = if self.gain == 1.0 { LEFT_ALONE } else { RIGHT_AGAIN };
        let wanted = if (1.0 / bound..=bound).contains(&wanted) { 1.0 } else { wanted };
        let pace = factor(PACE_DB_PER_S * seconds);
        self.gain = wanted.clamp(self.gain / pace, self.gain * pace);
    }

    fn ramp(&mut self, frame: &mut [i16], target: f32) {
        let length = (self.rate_hz * RAMP_S) as usize;
        let step = (target - self.applied) / length as f32;
        for (index, sample) in frame.iter_mut().enumerate() {
            let gain =
                if index < length { self.applied + step * (index + 1) as f32 } else { target };
            // Float to integer saturates, which the first samples of a loud frame can need.
            *sample = (f32::from(*sample) * gain).round() as i16;
        }
        self.applied = target;
    }
}

/// Decibels as a factor of samples.
fn factor(db: f32) -> f32 {
    10.0_f32.powf(db / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::level_dbov;

    const RATE_HZ: u32 = 8_000;

    /// Three bursts a second of noise that swells and fades like syllables, over soft noise.
    fn speech(seconds: usize, loudness: f32, noise: f32) -> Vec<i16> {
        let mut state = 7_u32;
        (0..seconds * RATE_HZ as usize)
            .map(|at| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let random = (state >> 8) as f32 / 8_388_608.0 - 1.0;
                let into = (at % 2_667) as f32 / 2_667.0;
                // A second of pause after each two of speech.
                let speaks = at / RATE_HZ as usize % 3 < 2;
                let swell = if speaks { (into * std::f32::consts::PI).sin().powi(2) } else { 0.0 };
                (random * (noise + loudness * swell)) as i16
            })
            .collect()
    }

    fn levelled(pcm: &[i16]) -> Vec<i16> {
        let mut gain = AutomaticGain::new(RATE_HZ);
        let mut out = pcm.to_vec();
        out.chunks_mut(160).for_each(|frame| gain.process(frame));
        out
    }

    /// By how much the frames of speech became louder [dB].
    fn change_db(said: &[i16], heard: &[i16]) -> f32 {
        let levels = |pcm: &[i16]| -> Vec<f32> {
            pcm.chunks(160).map(|frame| -f32::from(level_dbov(frame))).collect()
        };
        let pairs = levels(said).into_iter().zip(levels(heard));
        let changes: Vec<f32> =
            pairs.filter(|(said, _)| *said > -43.0).map(|(said, heard)| heard - said).collect();
        changes.iter().sum::<f32>() / changes.len() as f32
    }

    #[test]
    fn soft_and_loud_speakers_come_near_the_nominal_level_and_no_further_than_12_db() {
        let last = 24 * RATE_HZ as usize..;
        for (loudness, wanted_db) in [(700.0, 12.0), (1_600.0, 8.0), (20_000.0, -12.0)] {
            let said = speech(30, loudness, 10.0);
            let heard = levelled(&said);
            let change = change_db(&said[last.clone()], &heard[last.clone()]);
            assert!((change - wanted_db).abs() < 2.5, "{loudness}: {change:.1} dB");
        }
    }

    #[test]
    fn who_speaks_about_right_is_left_alone_to_the_last_bit() {
        let said = speech(20, 5_500.0, 10.0);
        assert_eq!(levelled(&said), said);
    }

    #[test]
    fn noise_alone_and_pauses_are_not_made_louder() {
        for noise in [30.0, 300.0, 1_200.0] {
            let said = speech(20, 0.0, noise);
            let heard = levelled(&said);
            let change =
                f32::from(level_dbov(&said[80_000..])) - f32::from(level_dbov(&heard[80_000..]));
            assert!(change.abs() < 1.0, "noise of {noise}: {change} dB");
        }
        let said = speech(30, 1_000.0, 40.0);
        let heard = levelled(&said);
        // The last half of the second in which nobody speaks.
        let pause = 29 * RATE_HZ as usize + 5_000..30 * RATE_HZ as usize;
        assert_eq!(heard[pause.clone()], said[pause]);
    }

    #[test]
    fn nothing_clips_when_a_soft_speaker_shouts() {
        let mut said = speech(20, 1_000.0, 10.0);
        said.extend(speech(4, 30_000.0, 10.0));
        let heard = levelled(&said);
        let over = heard.iter().filter(|sample| sample.unsigned_abs() > 30_000).count();
        assert!(over < 20, "{over} samples near full scale");
    }
}
