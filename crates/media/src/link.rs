//! What was agreed with a leg's far end, and how its audio comes in.

use std::net::SocketAddr;

use audio::{Activity, AutomaticGain, CodecError, Resampler};
use model::{Codec, Connection, LegId, MediaReport, TelephoneEvent};
use wire::limits::SRTP_BYTES_MAX;
use wire::rtp::{Packet, Rtp, classify};
use wire::srtp::{Inbound, Outbound, SrtpError};
use wire::telephone_event::Event;

use crate::control::{Coding, Control, Spoilt};
use crate::decoders::{Decoders, Voice};
use crate::keys::Keys;
use crate::ledger::Ledger;
use crate::limits::{PTIME_MS_MAX, TICK_MS};
use crate::lull::Lull;
use crate::plan::Wanted;
use crate::playout::{Parcel, Playout, PlayoutBuffer};
use crate::pressing::Pressing;
use crate::rate::{Rate, audio_codec, forwards, has_memory};
use crate::recipe::Recipe;
use crate::sounding::Sounding;
use crate::source::SourceGate;
use crate::srtp::{self, TheirKeys};
use crate::timeline::Timeline;
use crate::voice::{LOSS_PERCENT_UNKNOWN, PrivateVoice};
use crate::watch::Sight;

/// The payload type of comfort noise (RFC 3551 section 6), and its clock \[Hz\].
const COMFORT_NOISE: u8 = 13;
const COMFORT_NOISE_CLOCK_HZ: u32 = 8_000;

/// What a packet of the leg's stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carries {
    /// Sound, in one of the codecs that were agreed on.
    Sound(Voice),
    /// A key that is pressed.
    Event,
    /// Something else: there is no sound in its place.
    Nothing,
}

/// Where a leg stands in the plan that plays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) ear: u16,
    pub(crate) own_gain: u16,
    /// The routing knows it.
    pub(crate) has_place: bool,
    pub(crate) wanted: Wanted,
    /// Which voice it shared with others.
    pub(crate) shared: Option<u16>,
}

/// What was agreed with the far end, and all that depends on its codec.
pub struct Link {
    pub(crate) terms: Connection,
    pub(crate) gate: SourceGate,
    /// What takes the protection off its packets.
    pub(crate) theirs: TheirKeys,
    /// What protects ours, until the port takes it; then what did so before, if another did.
    pub(crate) outbound: Option<Box<Outbound>>,
    timeline: Timeline,
    pub(crate) playout: PlayoutBuffer,
    keys: Keys,
    /// The keys that are pressed for the far end to hear.
    pub(crate) pressing: Pressing,
    activity: Activity,
    gain: AutomaticGain,
    /// As it was last reported.
    talking: bool,
    pub(crate) lull: Lull,
    /// Whether it ever sounded.
    sounded: bool,
    /// To the rates that are not its own.
    resamplers: [Option<Resampler>; Rate::COUNT],
    frames: [Box<[i16]>; Rate::COUNT],
    /// The last tick's samples, if somebody may be given its payloads.
    past: Box<[i16]>,
    pub(crate) state: Sounding,
    /// The tick for which the frames are.
    heard: Option<u64>,
    /// Whether it was told that audio comes to which none is sent.
    early: bool,
    pub(crate) voice: PrivateVoice,
    /// Samples that wait until they are a whole packet.
    pub(crate) collected: Vec<i16>,
    pub(crate) standing: Option<Standing>,
    pub(crate) spoilt: Spoilt,
    /// Loss that redundancy in what is sent should bear \[percent\].
    pub(crate) loss_percent: u8,
}

impl Link {
    /// Makes decoder, encoder and buffers.
    ///
    /// # Errors
    /// [`CodecError`] if the codec's library refuses.
    pub(crate) fn new(terms: Connection) -> Result<Link, CodecError> {
        let codec = audio_codec(terms.codec);
        let rate = Rate::of_codec(terms.codec);
        let resampler = |to: Rate| (to != rate).then(|| Resampler::new(rate.hz(), to.hz()));
        Ok(Link {
            gate: SourceGate::new(&terms),
            theirs: TheirKeys::new(&terms),
            outbound: srtp::outbound(&terms),
            timeline: Timeline::new(codec),
            playout: PlayoutBuffer::new(Decoders::new(&terms)?),
            keys: Keys::new(&terms, rate),
            pressing: Pressing::new(),
            activity: Activity::new(rate.hz()),
            gain: AutomaticGain::new(rate.hz()),
            talking: false,
            lull: Lull::new(),
            sounded: false,
            resamplers: Rate::ALL.map(resampler),
            frames: Rate::ALL.map(|rate| vec![0; rate.per_tick()].into_boxed_slice()),
            past: vec![0; if forwards(terms.codec) { rate.per_tick() } else { 0 }].into(),
            state: Sounding::Not,
            heard: None,
            early: false,
            voice: PrivateVoice::new(&terms)?,
            collected: Vec::with_capacity((PTIME_MS_MAX + TICK_MS as usize) * rate.per_ms()),
            standing: None,
            spoilt: Spoilt::default(),
            loss_percent: LOSS_PERCENT_UNKNOWN,
            terms,
        })
    }

    /// Whether other terms can be met with the same decoder and encoder, and the same keys.
    pub(crate) fn suits(before: &Connection, after: &Connection) -> bool {
        Link::suits_but_for_srtp(before, after) && before.srtp == after.srtp
    }

    /// Whether other terms can be met with the same decoder and encoder.
    pub(crate) fn suits_but_for_srtp(before: &Connection, after: &Connection) -> bool {
        Recipe::of(before) == Recipe::of(after)
            && Keys::suit(before, after)
            && after.alternatives.iter().all(|one| before.alternatives.contains(one))
    }

    /// Takes other terms for the same codec.
    pub(crate) fn amend(&mut self, terms: Connection) {
        self.gate.amend(&terms);
        self.early = false;
        if terms.ptime_ms != self.terms.ptime_ms {
            self.collected.clear();
        }
        self.terms = terms;
    }

    /// Takes the terms of another link for the same codec, and its keys of SRTP. What is of no use
    /// any more is left there.
    pub(crate) fn rekey(&mut self, next: &mut Link) {
        next.theirs.succeed(&mut self.theirs, self.gate.last_us());
        std::mem::swap(&mut next.theirs, &mut self.theirs);
        std::mem::swap(&mut next.outbound, &mut self.outbound);
        self.amend(next.terms.clone());
    }

    /// Goes on where the link with another codec was.
    pub(crate) fn succeed(&mut self, before: &mut Link) {
        self.theirs.succeed(&mut before.theirs, before.gate.last_us());
        self.gate = before.gate.clone();
        self.gate.amend(&self.terms);
        self.gain = before.gain.at_rate(self.rate().hz());
        self.talking = before.talking;
        self.sounded = before.sounded;
        self.keys.succeed(&before.keys);
        self.pressing.succeed(&mut before.pressing);
        self.standing = before.standing;
        self.spoilt = before.spoilt;
    }

    /// Whether the frames of this tick hold sound, or the end of it.
    pub(crate) fn sounding(&self) -> bool {
        self.state.is_heard()
    }

    /// What a look at its audio finds.
    pub(crate) fn sight(&self, control: &Control) -> Sight {
        Sight {
            audio: control.reception.count().received,
            control: control.came,
            is_heard: self.standing.is_some_and(|standing| standing.wanted.heard),
            sounded: self.sounded,
            nothing_arrives: control.nothing_arrives(),
        }
    }

    /// The rate of its codec.
    pub(crate) fn rate(&self) -> Rate {
        Rate::of_codec(self.terms.codec)
    }

    /// The rate of the clock of the RTP timestamps that it is sent \[Hz\].
    pub(crate) fn clock_hz(&self) -> u32 {
        audio_codec(self.terms.codec).rtp_clock_hz()
    }

    /// The codec in which its sound came last.
    fn heard_codec(&self) -> Codec {
        self.codec_of(self.playout.decoders().last())
    }

    fn codec_of(&self, voice: Voice) -> Codec {
        match voice {
            Voice::Own => self.terms.codec,
            Voice::Other(place) => {
                self.playout.decoders().alternative_codec(place).unwrap_or(self.terms.codec)
            }
        }
    }

    /// How its audio is coded, both ways.
    pub(crate) fn coding(&self) -> Coding {
        Coding {
            codec: self.terms.codec,
            fec: self.terms.fec,
            clock_hz: self.clock_hz(),
            heard: self.heard_codec(),
            heard_clock_hz: self.timeline.clock_hz(),
        }
    }

    /// This tick's samples at a rate that was wanted.
    pub(crate) fn frame(&self, rate: Rate) -> &[i16] {
        &self.frames[rate.index()]
    }

    /// The last tick's samples at the codec's own rate; empty if nobody may be given its payloads.
    pub(crate) fn past(&self) -> &[i16] {
        &self.past
    }

    /// This tick's sound as it came; what was made louder or softer did not come so.
    pub(crate) fn parcel(&self) -> Parcel<'_> {
        if !self.gain.is_untouched() {
            return Parcel::Mingled;
        }
        self.playout.parcel(self.rate().per_tick())
    }

    pub(crate) fn touch(&self) -> usize {
        let frame = self.frame(self.rate()).first().map_or(0, |sample| *sample as usize);
        let place = self.standing.map_or(0, |standing| usize::from(standing.ear));
        let flags = usize::from(self.talking) ^ usize::from(self.terms.ptime_ms) ^ place;
        let gate = usize::from(self.gate.is_open()) ^ self.timeline.touch();
        frame ^ flags ^ gate ^ self.playout.touch() ^ self.voice.until as usize
    }

    /// Takes the protection off a packet; how long it is without. Only a packet that comes from
    /// where the leg's may is worth that; until it is authentic nothing else is learnt from it.
    pub(crate) fn unprotect(
        &mut self,
        remote: SocketAddr,
        arrival_us: u64,
        bytes: &[u8],
        opened: &mut [u8; SRTP_BYTES_MAX],
    ) -> Result<usize, SrtpError> {
        let opened = opened.get_mut(..bytes.len()).ok_or(SrtpError::Malformed)?;
        let open = match classify(bytes) {
            Packet::Rtp if self.gate.may_show(remote) => Inbound::unprotect,
            Packet::Rtcp if self.gate.fits_control(remote, self.terms.rtcp) => {
                Inbound::unprotect_control
            }
            Packet::Rtp | Packet::Rtcp | Packet::Stun | Packet::Dtls | Packet::Unknown => {
                return Err(SrtpError::Malformed);
            }
        };
        self.theirs.unprotect(arrival_us, (bytes, opened), open)
    }

    /// Takes a datagram; false if it is not one for this leg.
    pub(crate) fn receive(
        &mut self,
        leg: LegId,
        remote: SocketAddr,
        arrival_us: u64,
        bytes: &[u8],
        (control, ledger): (&mut Control, &mut Ledger),
    ) -> bool {
        let Ok(rtp) = Rtp::parse(bytes) else { return false };
        if !self.gate.fits(remote) && !self.gate.follow(remote, &rtp, arrival_us) {
            return false;
        }
        let carries = self.carries(rtp.payload_type);
        let is_sound = matches!(carries, Carries::Sound(_));
        if self.gate.is_open() {
            if carries == Carries::Nothing && !self.is_comfort_noise(rtp.payload_type) {
                return false;
            }
            self.gate.latch(remote, arrival_us);
        }
        self.gate.pass(&rtp, arrival_us);
        ledger.stats.packets_in += 1;
        let clock_hz = self.clock_of(carries);
        if clock_hz != self.timeline.clock_hz() {
            control.recode();
        }
        control.count(&rtp, is_sound, arrival_us, clock_hz);
        let late_before = ledger.stats.packets_late;
        self.take(leg, &rtp, arrival_us, (carries, clock_hz), ledger);
        if ledger.stats.packets_late > late_before {
            control.discard(rtp.sequence);
        }
        self.spoilt.late += ledger.stats.packets_late - late_before;
        if is_sound && !self.terms.sends && !self.early {
            self.early = ledger.report(MediaReport::EarlyMedia { leg });
        }
        true
    }

    fn carries(&self, payload_type: u8) -> Carries {
        let is_event = |event: &TelephoneEvent| event.receive_payload_type == payload_type;
        if payload_type == self.terms.receive_payload_type {
            Carries::Sound(Voice::Own)
        } else if self.terms.telephone_event.as_ref().is_some_and(is_event)
            || self.keys.may_come_as(payload_type)
        {
            Carries::Event
        } else if let Some(voice) = self.playout.decoders().alternative(payload_type) {
            Carries::Sound(voice)
        } else {
            Carries::Nothing
        }
    }

    /// The RTP clock of a packet \[Hz\]. What is no sound has that of the sound around it.
    fn clock_of(&self, carries: Carries) -> u32 {
        match carries {
            Carries::Sound(voice) => audio_codec(self.codec_of(voice)).rtp_clock_hz(),
            Carries::Event | Carries::Nothing => self.timeline.clock_hz(),
        }
    }

    /// Whether a packet says that silence begins, and how loud it is (RFC 3389). The number is
    /// fixed, and many send it without asking. Silence is played in its place, whatever its
    /// level: in a sum of many the noise of all who do not speak would drown who does.
    fn is_comfort_noise(&self, payload_type: u8) -> bool {
        payload_type == COMFORT_NOISE && self.timeline.clock_hz() == COMFORT_NOISE_CLOCK_HZ
    }

    /// Takes a packet of the leg's own stream.
    fn take(
        &mut self,
        leg: LegId,
        rtp: &Rtp<'_>,
        arrival_us: u64,
        (carries, clock_hz): (Carries, u32),
        ledger: &mut Ledger,
    ) {
        let (voice, samples) = match carries {
            Carries::Sound(voice) => (voice, self.playout.samples_of(voice, rtp.payload)),
            Carries::Event | Carries::Nothing => (Voice::Own, 0),
        };
        let arrival = self.playout.samples_at(arrival_us);
        let Some(position) = self.timeline.place(rtp, (samples, clock_hz), arrival) else {
            ledger.stats.packets_late += 1;
            return;
        };
        if carries == Carries::Event
            && let Some(event) = Event::parse(rtp.payload)
        {
            let place = (position.at, arrival, self.rate());
            self.keys.receive(leg, place, (rtp, event), ledger);
        }
        let payload = if samples > 0 { rtp.payload } else { &[] };
        self.playout.insert(position, samples, (voice, payload), arrival, ledger);
    }

    /// Plays this tick's frame, once, and brings it to the rates that are wanted. What nobody
    /// hears is not decoded where the codec has no memory.
    pub(crate) fn hear(
        &mut self,
        leg: LegId,
        (tick, now_us): (u64, u64),
        wanted: Wanted,
        passes: bool,
        ledger: &mut Ledger,
    ) {
        if self.heard == Some(tick) {
            return;
        }
        self.heard = Some(tick);
        let now = self.playout.samples_at(now_us);
        if passes && self.pass(leg, now, wanted, ledger) {
            return;
        }
        let before = (ledger.stats.packets_late, ledger.stats.frames_concealed);
        let (own, remembers) = (self.rate().index(), has_memory(self.heard_codec()));
        let frame = &mut self.frames[own];
        if self.state != Sounding::Not {
            self.past.copy_from_slice(&frame[..self.past.len()]);
        }
        self.playout.listen(&mut self.past, ledger);
        let decodes = wanted.heard || self.keys.sound() || remembers;
        let decodes = decodes && self.terms.receives;
        let playout = if decodes {
            self.playout.play(now, frame, ledger)
        } else {
            self.playout.discard(now, ledger);
            Playout::Silence
        };
        if playout == Playout::Silence && self.state.fills_frame() {
            frame.fill(0);
        }
        let sounds = decodes && {
            let codec = audio_codec(self.terms.codec);
            let sounds =
                playout != Playout::Silence && !audio::activity::frame_is_silence(codec, frame);
            if sounds && wanted.levelled {
                self.gain.process(frame);
            } else {
                self.gain.pause();
            }
            // Who is given the payloads is given them from the first one that sounds.
            sounds || forwards(self.terms.codec) && self.playout.has_more_sound()
        };
        self.spoilt.late += ledger.stats.packets_late - before.0;
        self.spoilt.concealed += ledger.stats.frames_concealed - before.1;
        self.state = self.state.then(sounds);
        if self.sounding() {
            let (before, rest) = self.frames.split_at_mut(own);
            let Some((frame, after)) = rest.split_first_mut() else { return };
            let others = before.iter_mut().chain(after);
            let resamplers = self.resamplers.iter_mut().zip(wanted.rates);
            // The resampler to the own rate is none, and its frame is not among the others.
            let resamplers = resamplers.filter_map(|(r, wanted)| r.as_mut().map(|r| (r, wanted)));
            for ((resampler, wanted), out) in resamplers.zip(others) {
                if wanted {
                    resampler.process(frame, out);
                }
            }
        }
        self.follow_activity(leg, wanted.heard && sounds, ledger);
        let frame = Some(&self.frames[own][..]).filter(|_| sounds);
        self.keys.follow(leg, (now, Rate::of_codec(self.terms.codec)), frame, ledger);
    }

    /// Whether the leg's payloads may be passed on undecoded as far as it is concerned.
    pub(crate) fn may_pass(&self) -> bool {
        forwards(self.terms.codec) && self.sounding() && self.terms.receives && !self.keys.sound()
    }

    /// Lets this tick's payload go by undecoded, if that can be. The frames stay as they were:
    /// nobody looks at them.
    fn pass(&mut self, leg: LegId, now: i64, wanted: Wanted, ledger: &mut Ledger) -> bool {
        let own = self.rate();
        let plain = wanted.heard && !wanted.levelled && self.gain.is_untouched();
        let own_alone = Rate::ALL.iter().all(|rate| *rate == own || !wanted.rates[rate.index()]);
        let passes = self.may_pass()
            && plain
            && own_alone
            && self.playout.pass(now, own.per_tick(), self.talking, ledger);
        if passes {
            self.state = Sounding::Now;
            self.keys.follow(leg, (now, own), None, ledger);
        }
        passes
    }

    /// Reports when the leg begins or stops to speak. A report that finds no room is made a tick
    /// later.
    fn follow_activity(&mut self, leg: LegId, sounds: bool, ledger: &mut Ledger) {
        if !sounds && !self.talking {
            return;
        }
        self.sounded |= sounds;
        let level = self.activity.push(&self.frames[self.rate().index()]);
        let talking = level.speaking;
        self.lull.push(level);
        if talking != self.talking && ledger.report(MediaReport::Talking { leg, talking }) {
            self.talking = talking;
        }
    }
}
