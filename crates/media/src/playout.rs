//! From packets to one frame a tick, in time.
//!
//! Positions on the leg's line of time are samples. `cursor` is the position of what the decoder
//! does next, so what the listener gets next is at `cursor - fifo.len()`, and how far that lags
//! behind what is due is the delay to get rid of. Whatever is left out of the samples or put into
//! them moves that lag, and nothing else needs to be counted.
//!
//! | what is there | what is heard |
//! |---|---|
//! | the next packet | it |
//! | a later one, sequence numbers missing | made-up sound of that length, or its redundancy |
//! | a later one, none missing | silence of that length: the sender paused |
//! | nothing | made-up sound for 60 ms, during which time stands still; then silence |

use crate::decoders::{Decoders, Voice};
use crate::delay::DelayEstimate;
use crate::fifo::Fifo;
use crate::hush::Hush;
use crate::jitter::{Inserted, JitterBuffer, Waiting};
use crate::ledger::Ledger;
use crate::limits::{BUFFERED_MS_MAX, CONCEAL_MS_MAX, DELAY_MS_MAX, TICK_MS};
use crate::passing::Passing;
use crate::slack::{self, Slack};
use crate::stretch;
use crate::timeline::Position;

/// Made-up sound comes in multiples of this \[ms × 2\]: libopus's shortest frame is 2.5 ms.
const GRAIN_HALF_MS: usize = 5;
/// A delay that is too long by less is left alone \[ms\]: more than a stretch of 15 ms that was
/// made because it was too short can leave behind.
const LONG_MS: i64 = 15;
/// The same in silence, which costs nothing to leave out \[ms\].
const LONG_SILENT_MS: i64 = 4;
/// A delay that is too short by less is left alone \[ms\]: less than the estimate's margin, so that
/// a clock that is slow is followed before sound runs out.
const SHORT_MS: i64 = 3;
/// The same where nobody speaks \[ms\].
const SHORT_QUIET_MS: i64 = 2;
/// Sound below this is what is between words \[-dBov\]: the noise of a telephone is at 50 and
/// below, the voice at 20 to 30.
const QUIET_DBOV: u8 = 42;
/// Ticks for which a delay must be too long before speech is shortened: 2 s, in which most talkers
/// draw breath.
const PATIENCE_TICKS: u32 = 100;
/// A delay off by so much does not wait for that \[ms\].
const PATIENCE_MS_MAX: i64 = 60;
/// Ticks between two stretches when sound threatens to run out: 100 ms.
const LENGTHEN_TICKS: u32 = 5;
/// What a tick was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Playout {
    /// Sound as it was sent.
    Frame,
    /// Sound that was made up, at least in part.
    Concealed,
    /// Nothing but silence.
    Silence,
}

/// Which packets were decoded in a tick.
#[derive(Debug, Clone, Copy)]
enum Taken {
    Nothing,
    One(Waiting),
    /// Several, or a part of one.
    Others,
}

/// A tick of the stream as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parcel<'a> {
    /// One packet, as long as a tick.
    Payload {
        bytes: &'a [u8],
        /// What did not come before it is lost, and was not only late.
        after_loss: bool,
    },
    /// A packet is missing: later ones are there.
    Lost,
    /// There is no packet yet, and none is known to be missing: one is late, or the delay was made
    /// longer. In this tick the stream stood still.
    Late,
    /// The tick's sound is not that of one packet.
    Mingled,
}

/// Whether time runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing plays; the next packet will, when it is due.
    Idle,
    /// Positions are played one after the other.
    Playing,
}

/// One leg's way from packets to frames.
pub(crate) struct PlayoutBuffer {
    per_ms: i64,
    /// What packets, as long as the last one, and ticks have in common \[samples\].
    step: i64,
    decoders: Decoders,
    packets: JitterBuffer,
    delay: DelayEstimate,
    fifo: Fifo,
    state: State,
    cursor: i64,
    /// The last sequence number that was played.
    played: Option<i64>,
    /// Made-up samples while nothing was there, since the last packet.
    made_up: i64,
    /// What this tick decoded.
    taken: Taken,
    /// Whether this tick found that a packet is missing.
    missing: bool,
    /// Whether this tick holds made-up sound.
    concealed: bool,
    /// The newest packet carries no sound: what is missing now is silence.
    mute: bool,
    /// Ticks for which the delay was too long, and too short.
    long_ticks: u32,
    short_ticks: u32,
    /// The delay in the tick that played last \[samples\]: between two ticks it cannot be told.
    kept: Option<i64>,
    hush: Hush,
    passing: Passing,
}

impl PlayoutBuffer {
    /// An empty one around decoders.
    pub(crate) fn new(decoders: Decoders) -> PlayoutBuffer {
        let codec = decoders.codec();
        let per_ms = codec.rate_hz() as usize / 1_000;
        PlayoutBuffer {
            per_ms: per_ms as i64,
            step: TICK_MS.cast_signed() * per_ms as i64,
            packets: JitterBuffer::new(codec, &decoders.other_codecs()),
            decoders,
            delay: DelayEstimate::new(per_ms as i64),
            fifo: Fifo::new(per_ms),
            state: State::Idle,
            cursor: 0,
            played: None,
            made_up: 0,
            taken: Taken::Nothing,
            missing: false,
            concealed: false,
            mute: false,
            long_ticks: 0,
            short_ticks: 0,
            kept: None,
            hush: Hush::new(codec),
            passing: Passing::new(),
        }
    }

    /// A time since the worker's start in samples \[µs → samples\].
    pub(crate) fn samples_at(&self, time_us: u64) -> i64 {
        i64::try_from(time_us).unwrap_or(i64::MAX >> 8) * self.per_ms / 1_000
    }

    /// The length of a payload \[samples\]; zero if it is no sound.
    pub(crate) fn samples_of(&self, voice: Voice, payload: &[u8]) -> i64 {
        self.decoders.duration_samples(voice, payload).unwrap_or(0) as i64
    }

    /// The decoders.
    pub(crate) fn decoders(&self) -> &Decoders {
        &self.decoders
    }

    /// Takes a packet; one without samples only tells that nothing is missing in its place.
    pub(crate) fn insert(
        &mut self,
        position: Position,
        samples: i64,
        payload: (Voice, &[u8]),
        arrival: i64,
        ledger: &mut Ledger,
    ) {
        let inserted = self.packets.insert(position, samples, payload, self.played);
        match inserted {
            Inserted::Kept if samples > 0 => {
                self.delay.push(arrival, position.at);
                self.step = slack::step(TICK_MS.cast_signed() * self.per_ms, samples);
                self.mute = false;
            }
            Inserted::Kept => self.mute = true,
            Inserted::Duplicate => ledger.stats.packets_duplicate += 1,
            Inserted::Late => {
                // It came too late for this time; the next ones shall not.
                self.delay.push(arrival, position.at);
                ledger.stats.packets_late += 1;
            }
            Inserted::TooLong => ledger.stats.packets_refused += 1,
        }
    }

    /// Plays one tick's frame. For silence the frame stays as it is.
    pub(crate) fn play(&mut self, now: i64, out: &mut [i16], ledger: &mut Ledger) -> Playout {
        self.concealed = false;
        (self.taken, self.missing) = (Taken::Nothing, false);
        if self.state == State::Idle && !self.start(now, out.len() as i64, ledger) {
            return Playout::Silence;
        }
        self.fill(now, out.len(), ledger);
        if self.fifo.len() < out.len() {
            self.run_out(out.len());
        }
        self.steer(now, out.len(), ledger);
        let sounds = self.fifo.pop(out);
        if self.concealed {
            ledger.stats.frames_concealed += 1;
        }
        match (sounds, self.concealed) {
            (false, _) => Playout::Silence,
            (true, true) => Playout::Concealed,
            (true, false) => Playout::Frame,
        }
    }

    /// Lets a tick's packet go by without decoding it, if it is whole, goes on where the last one
    /// ended, and nothing has to be done about the delay. `speaking` is how it was when the sound
    /// was looked at last.
    pub(crate) fn pass(
        &mut self,
        now: i64,
        frame: usize,
        speaking: bool,
        ledger: &mut Ledger,
    ) -> bool {
        let Some(packet) = self.packets.first() else { return false };
        // A delay that is longer by less than a stretch needs is shortened in silence only.
        let (late, early) = (SHORT_MS * self.per_ms, stretch::NEEDED_MS as i64 * self.per_ms);
        let steady = self.slack(now, 0).is_some_and(|slack| slack.is_within(late, early));
        let goes_on = self.state == State::Playing
            && packet.position.at == self.cursor
            && packet.samples == frame as i64
            && (packet.voice, self.decoders.last()) == (Voice::Own, Voice::Own)
            && !self.hush.rests()
            && steady;
        let payload = self.packets.payload(&packet);
        if !goes_on || packet.silent || !self.passing.may_pass(payload, speaking) {
            return false;
        }
        self.passing.pass(payload);
        self.concealed = false;
        (self.taken, self.missing) = (Taken::One(packet), false);
        self.cursor = packet.end();
        self.made_up = 0;
        self.take(&packet, ledger);
        true
    }

    /// Brings the decoder and what is left of its samples to where they were if nothing had gone by
    /// undecoded. `past` gets the last tick's frame then, and stays as it is otherwise.
    pub(crate) fn listen(&mut self, past: &mut [i16], ledger: &mut Ledger) {
        for payload in self.passing.listen() {
            let Some(room) = self.fifo.room(past.len()) else { break };
            let decoder = self.decoders.own();
            if decoder.decode(payload, room) != Ok(past.len()) {
                decoder.conceal(room);
            }
            self.fifo.commit(past.len(), 0, false);
            self.fifo.pop(past);
            ledger.stats.decodes += 1;
        }
    }

    /// The delay that it keeps \[samples\].
    pub(crate) fn delay(&self) -> i64 {
        self.kept.unwrap_or_else(|| self.delay.target())
    }

    /// Reads a word of each piece of memory that a packet or a tick needs.
    pub(crate) fn touch(&self) -> usize {
        let delay = self.delay.due(0).unwrap_or(0) ^ self.cursor ^ self.made_up;
        delay as usize ^ self.packets.touch() ^ self.fifo.touch()
    }

    /// What of the stream the tick took, to be given to somebody as it is. It is there until the
    /// next packet comes.
    pub(crate) fn parcel(&self, tick: usize) -> Parcel<'_> {
        match self.taken {
            Taken::One(packet) if packet.samples == tick as i64 => {
                let bytes = self.packets.payload(&packet);
                Parcel::Payload { bytes, after_loss: self.missing }
            }
            Taken::Nothing if self.missing => Parcel::Lost,
            Taken::Nothing => Parcel::Late,
            Taken::One(_) | Taken::Others => Parcel::Mingled,
        }
    }

    /// Whether there is sound that the next tick will play.
    pub(crate) fn has_more_sound(&self) -> bool {
        !self.fifo.is_silent()
    }

    /// Lets a tick pass that nobody hears, without decoding. A decoder with memory lands on what
    /// comes after it as after a loss.
    pub(crate) fn discard(&mut self, now: i64, ledger: &mut Ledger) {
        self.fifo.clear();
        (self.taken, self.missing) = (Taken::Nothing, false);
        self.state = State::Idle;
        let due = self.delay.due(now).unwrap_or(i64::MIN);
        while let Some(packet) = self.packets.first().filter(|packet| packet.end() <= due) {
            self.take(&packet, ledger);
        }
    }

    /// Begins to play if the first packet is due within this tick.
    fn start(&mut self, now: i64, frame: i64, ledger: &mut Ledger) -> bool {
        let Some(due) = self.delay.due_at_first(now) else { return false };
        let slack = DELAY_MS_MAX * self.per_ms - self.delay.target();
        while let Some(packet) = self.packets.first() {
            if packet.samples == 0 || packet.end() <= due - slack {
                if packet.samples > 0 {
                    ledger.stats.packets_late += 1;
                }
                self.take(&packet, ledger);
                continue;
            }
            let slack = Slack::new(self.step, due - packet.position.at, 0);
            let wait = slack.shortage(0);
            if wait >= frame {
                return false;
            }
            self.state = State::Playing;
            self.cursor = packet.position.at;
            self.count_lost(&packet, ledger);
            self.played = Some(packet.position.sequence - 1);
            (self.made_up, self.long_ticks, self.short_ticks) = (0, 0, 0);
            self.fifo.push_silence(wait as usize);
            return true;
        }
        false
    }

    /// Decodes until there are so many samples, or nothing to decode.
    fn fill(&mut self, now: i64, wanted: usize, ledger: &mut Ledger) {
        while self.fifo.len() < wanted {
            let Some(packet) = self.packets.first() else { return };
            if packet.samples == 0 {
                self.take(&packet, ledger);
            } else if packet.end() <= self.cursor {
                ledger.stats.packets_late += 1;
                self.take(&packet, ledger);
            } else if packet.position.at > self.cursor {
                self.fill_gap(now, &packet, wanted, ledger);
            } else if !self.decode(&packet, ledger) {
                return;
            }
        }
    }

    /// Fills what is before a packet: made-up sound if packets are missing, else silence.
    fn fill_gap(&mut self, now: i64, packet: &Waiting, wanted: usize, ledger: &mut Ledger) {
        let gap = packet.position.at - self.cursor;
        let room = (wanted - self.fifo.len()) as i64;
        let missing = self.played.is_none_or(|played| packet.position.sequence > played + 1);
        if !missing || gap > BUFFERED_MS_MAX * self.per_ms {
            // In silence the delay is set right for nothing.
            let slack = self.slack(now, gap);
            let (early, late) = (LONG_SILENT_MS * self.per_ms, SHORT_QUIET_MS * self.per_ms);
            let excess = slack.map_or(0, |slack| slack.excess(early)).min(gap);
            let shortage = slack.map_or(0, |slack| slack.shortage(late));
            if shortage > 0 {
                self.fifo.push_silence(shortage.min(room) as usize);
            } else {
                self.cursor += excess;
            }
            let gap = packet.position.at - self.cursor;
            let silence = gap.min((wanted - self.fifo.len()) as i64);
            self.fifo.push_silence(silence as usize);
            self.cursor += silence;
            return;
        }
        self.missing = true;
        // What was made up while nothing was there stood for what is missing.
        let stood_for = self.made_up.min(gap);
        if stood_for > 0 {
            self.cursor += stood_for;
            self.made_up -= stood_for;
            return;
        }
        if self.recover(packet, gap, ledger) {
            return;
        }
        let length = self.grains(room.min(gap));
        self.conceal(length, length - (length as i64).min(gap) as usize);
        self.cursor += (length as i64).min(gap);
    }

    /// Fills a gap of one packet from the redundancy in the next (RFC 6716 section 2.1.7).
    fn recover(&mut self, packet: &Waiting, gap: i64, ledger: &mut Ledger) -> bool {
        let payload = self.packets.payload(packet);
        let one_is_missing = self.played == Some(packet.position.sequence - 2);
        let whole = self.grains(gap) as i64 == gap && gap <= packet.samples;
        if !one_is_missing || !whole || !self.decoders.carries_fec(packet.voice, payload) {
            return false;
        }
        let Some(room) = self.fifo.room(gap as usize) else { return false };
        if self.decoders.own().decode_fec(payload, room) != Ok(gap as usize) {
            return false;
        }
        self.fifo.commit(gap as usize, 0, false);
        self.cursor += gap;
        ledger.stats.packets_lost += 1;
        self.played = Some(packet.position.sequence - 1);
        true
    }

    /// Decodes the first packet, which holds the cursor. False if there is no room.
    fn decode(&mut self, packet: &Waiting, ledger: &mut Ledger) -> bool {
        let length = packet.samples as usize;
        let skipped = (self.cursor - packet.position.at) as usize;
        let own = packet.voice == Voice::Own;
        let mut whole = skipped == 0 && own;
        let payload = self.packets.payload(packet);
        if own
            && self.hush.rests()
            && (packet.silent || self.hush.leaves_out(self.decoders.own(), payload))
        {
            if !self.fifo.push_silence(length - skipped) {
                return false;
            }
        } else {
            let goes_on = self.fifo.goes_on() && self.state == State::Playing;
            let Some(room) = self.fifo.room(length) else { return false };
            let left_out = self.hush.left_out();
            let payload = (packet.voice, payload);
            if self.decoders.decode_after(left_out, payload, goes_on, room) == Ok(length) {
                let silent = packet.silent || self.decoders.is_silence(packet.voice, room);
                self.fifo.commit(length, skipped, silent);
                if own {
                    self.hush.decoded(payload.1, silent);
                } else {
                    self.hush.disturb();
                }
                ledger.stats.decodes += 1;
            } else {
                self.decoders.conceal(room);
                self.fifo.commit(length, skipped, false);
                self.hush.disturb();
                self.concealed = true;
                whole = false;
            }
        }
        self.taken = match self.taken {
            Taken::Nothing if whole => Taken::One(*packet),
            Taken::Nothing | Taken::One(_) | Taken::Others => Taken::Others,
        };
        self.cursor = packet.end();
        self.made_up = 0;
        self.take(packet, ledger);
        true
    }

    /// Nothing is there: makes sound up for a while, then stops.
    fn run_out(&mut self, wanted: usize) {
        if self.mute || self.made_up >= CONCEAL_MS_MAX * self.per_ms {
            // What is left is played; the rest of the frame is silence.
            self.state = State::Idle;
            return;
        }
        let length = self.grains((wanted - self.fifo.len()) as i64);
        self.conceal(length, 0);
        self.made_up += length as i64;
    }

    /// Makes up so many samples and keeps all but the last ones.
    fn conceal(&mut self, length: usize, surplus: usize) {
        let Some(room) = self.fifo.room(length) else { return };
        self.decoders.conceal(room);
        let silent = self.decoders.is_silence(self.decoders.last(), room);
        self.fifo.commit(length - surplus, 0, silent);
        self.concealed = true;
        self.hush.disturb();
    }

    /// How far what is played next lags behind what is due \[samples\].
    fn lag(&self, now: i64) -> Option<i64> {
        Some(self.delay.due(now)? - (self.cursor - self.fifo.len() as i64))
    }

    /// How the delay differs from the least, if the next packet begins so much after the cursor.
    fn slack(&self, now: i64, gap: i64) -> Option<Slack> {
        Some(Slack::new(self.step, self.lag(now)?, self.fifo.len() as i64 + gap))
    }

    /// Brings the delay back to what is needed: in silence at once, between words by a few
    /// milliseconds a tick, in speech late, and by a period of its pitch at a time.
    fn steer(&mut self, now: i64, frame: usize, ledger: &mut Ledger) {
        let Some(lag) = self.lag(now).filter(|_| self.state == State::Playing) else { return };
        self.kept = Some(self.delay.target() + lag);
        let slack = Slack::new(self.step, lag, self.fifo.len() as i64);
        let shortage = slack.shortage(SHORT_QUIET_MS * self.per_ms);
        let excess = slack.excess(LONG_SILENT_MS * self.per_ms);
        let longest = LONG_MS * self.per_ms;
        let long = slack.excess(longest) > longest;
        self.long_ticks = if long { self.long_ticks + 1 } else { 0 };
        self.short_ticks = if shortage > 0 { self.short_ticks + 1 } else { 0 };
        if self.fifo.is_silent() {
            self.steer_silence(now, (excess, shortage), frame, ledger);
            return;
        }
        if shortage == 0 && excess <= longest {
            return;
        }
        let quiet = self.fifo.level_dbov() >= QUIET_DBOV;
        if shortage == 0 {
            let urgent = excess > PATIENCE_MS_MAX * self.per_ms;
            if quiet || urgent || self.long_ticks >= PATIENCE_TICKS {
                let wanted = frame + stretch::NEEDED_MS * self.per_ms as usize;
                self.fill_from_packets(now, wanted, ledger);
                if self.fifo.len() >= wanted {
                    self.fifo.shorten();
                    self.long_ticks = 0;
                }
            }
        } else if quiet
            || slack.shortage(SHORT_MS * self.per_ms) > 0 && self.short_ticks >= LENGTHEN_TICKS
        {
            let wanted = stretch::NEEDED_MS * self.per_ms as usize;
            self.fill_from_packets(now, wanted, ledger);
            self.fifo.lengthen();
            self.short_ticks = 0;
        }
    }

    fn steer_silence(
        &mut self,
        now: i64,
        (excess, shortage): (i64, i64),
        frame: usize,
        ledger: &mut Ledger,
    ) {
        if shortage > 0 {
            self.fifo.push_silence(shortage.min(frame as i64) as usize);
            return;
        }
        if excess == 0 {
            return;
        }
        self.fill_from_packets(now, frame + excess.min(frame as i64) as usize, ledger);
        if self.fifo.is_silent() {
            let spare = self.fifo.len().saturating_sub(frame);
            self.fifo.drop_front(spare.min(excess as usize));
        }
    }

    /// As [`PlayoutBuffer::fill`], but only from packets that are there without a gap.
    fn fill_from_packets(&mut self, now: i64, wanted: usize, ledger: &mut Ledger) {
        while self.fifo.len() < wanted {
            let ready = |packet: &Waiting| {
                packet.samples > 0
                    && packet.position.at <= self.cursor
                    && packet.end() > self.cursor
            };
            let before = self.fifo.len();
            if self.packets.first().is_some_and(|packet| ready(&packet)) {
                self.fill(now, before + 1, ledger);
            }
            if self.fifo.len() == before {
                return;
            }
        }
    }

    /// Lets the first packet go, and counts those that are missing before it.
    fn take(&mut self, packet: &Waiting, ledger: &mut Ledger) {
        self.count_lost(packet, ledger);
        self.played = self.played.max(Some(packet.position.sequence));
        self.packets.pop();
    }

    fn count_lost(&self, packet: &Waiting, ledger: &mut Ledger) {
        if let Some(played) = self.played {
            let missing = packet.position.sequence - played - 1;
            ledger.stats.packets_lost += u64::try_from(missing).unwrap_or(0);
        }
    }

    /// Rounds up to what decoders conceal.
    fn grains(&self, samples: i64) -> usize {
        let grain = GRAIN_HALF_MS * self.per_ms as usize / 2;
        (samples.max(0) as usize).next_multiple_of(grain)
    }
}
