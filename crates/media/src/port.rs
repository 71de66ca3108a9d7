//! One leg's media end.

use std::net::SocketAddr;

use audio::{Activity, AutomaticGain, CodecError, Decoder, Resampler};
use model::{Chance, Connection, LegId, MediaReport, Rtcp};
use wire::limits::SRTP_BYTES_MAX;
use wire::rtp::{Packet, Rtp, classify};
use wire::srtp::{Inbound, Outbound, SrtpError};
use wire::telephone_event::Event;

use crate::control::{Coding, Control, Sent, Spoilt};
use crate::keys::Keys;
use crate::ledger::Ledger;
use crate::limits::{PTIME_MS_MAX, RTCP_BYTES_MAX, TICK_MS};
use crate::outbox::Outbox;
use crate::outgoing::{Outgoing, Sender};
use crate::plan::Wanted;
use crate::playout::{Parcel, Playout, PlayoutBuffer};
use crate::pressing::Pressing;
use crate::rate::{Rate, audio_codec, forwards, has_memory};
use crate::sounding::Sounding;
use crate::source::SourceGate;
use crate::srtp;
use crate::stage::{MixerKey, PortKey};
use crate::timeline::Timeline;
use crate::voice::{LOSS_PERCENT_UNKNOWN, PrivateVoice, SharedVoice, loss_percent_told};

/// The payload type of comfort noise (RFC 3551 section 6), and its clock \[Hz\].
const COMFORT_NOISE: u8 = 13;
const COMFORT_NOISE_CLOCK_HZ: u32 = 8_000;

/// What lives as long as the leg: who it is, and the stream that it is sent.
pub struct Port {
    pub(crate) leg: LegId,
    pub(crate) mixer: MixerKey,
    pub(crate) link: Option<Box<Link>>,
    pub(crate) outgoing: Outgoing,
    control: Control,
    /// Whether the plan that plays knows it.
    pub(crate) plays: bool,
}

impl Port {
    /// A port with which nothing was agreed: it takes no packet and sends none.
    pub(crate) fn new(leg: LegId, mixer: MixerKey, chance: &mut Chance) -> Port {
        let (outgoing, control) = (Outgoing::new(chance), Control::new(chance.draw()));
        Port { leg, mixer, link: None, outgoing, control, plays: false }
    }

    /// Whose it is.
    pub fn leg(&self) -> LegId {
        self.leg
    }

    /// Takes a datagram that came for this leg.
    pub(crate) fn receive(
        &mut self,
        remote: SocketAddr,
        arrival_us: u64,
        bytes: &[u8],
        ledger: &mut Ledger,
    ) {
        let Some(link) = self.link.as_mut().filter(|link| link.inbound.is_some()) else {
            return self.receive_plain(remote, arrival_us, bytes, ledger);
        };
        let mut opened = [0; SRTP_BYTES_MAX];
        match link.unprotect(remote, bytes, &mut opened) {
            Ok(length) => self.receive_plain(remote, arrival_us, &opened[..length], ledger),
            Err(SrtpError::Replayed) => ledger.stats.packets_duplicate += 1,
            Err(SrtpError::Unauthentic) => {
                link.spoilt.unauthentic += 1;
                ledger.stats.packets_unauthentic += 1;
            }
            Err(SrtpError::Malformed | SrtpError::WornOut) => ledger.stats.packets_refused += 1,
        }
    }

    /// Takes a datagram that is not protected, or not any more.
    fn receive_plain(
        &mut self,
        remote: SocketAddr,
        arrival_us: u64,
        bytes: &[u8],
        ledger: &mut Ledger,
    ) {
        let taken = match (&mut self.link, classify(bytes)) {
            (Some(link), Packet::Rtp) => {
                let Port { leg, control, .. } = self;
                link.receive(*leg, remote, arrival_us, bytes, (control, ledger))
            }
            (Some(_), Packet::Rtcp) => self.receive_control(remote, arrival_us, bytes, ledger),
            (Some(_), Packet::Stun | Packet::Dtls | Packet::Unknown) | (None, _) => false,
        };
        if !taken {
            ledger.stats.packets_refused += 1;
        }
    }

    fn receive_control(
        &mut self,
        remote: SocketAddr,
        arrival_us: u64,
        bytes: &[u8],
        ledger: &mut Ledger,
    ) -> bool {
        let Some(link) = &mut self.link else { return false };
        let taken = link.gate.fits_control(remote, link.terms.rtcp)
            && self.control.receive(self.outgoing.ssrc, arrival_us, bytes);
        if taken {
            self.control.learnt = Some(remote);
            if let Some(told) = self.control.take_loss_percent().filter(|_| link.terms.fec) {
                link.loss_percent = loss_percent_told(told, link.loss_percent);
            }
            ledger.stats.rtcp_packets_in += 1;
        }
        taken
    }

    /// Reads a word of each piece of memory that a packet or a tick needs.
    ///
    /// A leg's memory is cold when its turn comes, and a wait for each piece, one after the other,
    /// is most of what a leg costs. Whoever is about to go through many legs reads ahead: then the
    /// processor waits for all those pieces at once.
    pub(crate) fn touch(&self) -> usize {
        let link = self.link.as_deref().map_or(0, Link::touch);
        link ^ self.outgoing.octets as usize ^ self.control.touch()
    }

    /// What was agreed takes the place of what was; that comes back.
    pub(crate) fn connect(&mut self, mut link: Box<Link>) -> Option<Box<Link>> {
        let mut before = self.link.take();
        srtp::succeed(&mut self.outgoing.key, &mut link.outbound, |key| *key.key());
        if let Some(before) = &mut before {
            link.succeed(before);
            self.control.recode();
        }
        self.link = Some(link);
        before
    }

    /// Leaves a mixer for another. What it heard from a voice that it shared, with the memory of
    /// that, goes on in its own.
    pub(crate) fn step_out(&mut self, shared: &[SharedVoice]) {
        self.plays = false;
        let Some(link) = &mut self.link else { return };
        let standing = link.standing.take();
        let voice = standing.and_then(|standing| shared.get(usize::from(standing.shared?)));
        if let Some(voice) = voice.filter(|_| link.voice.active == Some(false)) {
            link.voice.continue_from(voice);
            link.voice.active = Some(true);
        }
        // This tick's frame was played there, at the rates that were wanted there.
        link.state = link.state.elsewhere();
    }

    /// Tells both sides how things are, when it is time.
    pub(crate) fn report(
        &mut self,
        key: PortKey,
        now_us: u64,
        outbox: &mut Outbox,
        ledger: &mut Ledger,
    ) {
        let Some(link) = &self.link else { return };
        let Connection { codec, fec, .. } = link.terms;
        let coding = Coding { codec, fec, clock_hz: link.clock_hz() };
        if let Some(quality) = self.control.quality(now_us, link.spoilt, coding) {
            ledger.report(MediaReport::Quality { leg: self.leg, quality });
        }
        let listening = link.listening(coding);
        let report = |control: &mut Control, now_us, sent, out: &mut [u8; RTCP_BYTES_MAX]| {
            control.report(now_us, sent, listening, out)
        };
        self.send_control(key, now_us, report, outbox, ledger);
    }

    /// Says goodbye.
    pub(crate) fn leave(
        &mut self,
        key: PortKey,
        now_us: u64,
        outbox: &mut Outbox,
        ledger: &mut Ledger,
    ) {
        self.send_control(key, now_us, Control::goodbye, outbox, ledger);
    }

    fn send_control(
        &mut self,
        key: PortKey,
        now_us: u64,
        write: impl FnOnce(&mut Control, u64, Sent, &mut [u8; RTCP_BYTES_MAX]) -> Option<usize>,
        outbox: &mut Outbox,
        ledger: &mut Ledger,
    ) {
        let Some(link) = &self.link else { return };
        let remote = match link.terms.rtcp {
            Rtcp::Shared => link.gate.reply_to(),
            Rtcp::Apart(described) => Some(self.control.learnt.unwrap_or(described)),
            Rtcp::Nowhere => None,
        };
        let Some(remote) = remote else { return };
        let sent = self.outgoing.sent(now_us, link.clock_hz());
        let mut bytes = [0; RTCP_BYTES_MAX];
        let Some(length) = write(&mut self.control, now_us, sent, &mut bytes) else { return };
        let protection = self.outgoing.key.as_deref_mut();
        if outbox.push_control(key, remote, &bytes[..length], protection) {
            ledger.stats.rtcp_packets_out += 1;
        }
    }
}

/// Where a leg stands in the plan that plays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) ear: u16,
    pub(crate) own_gain: u16,
    pub(crate) wanted: Wanted,
    /// Which voice it shared with others.
    pub(crate) shared: Option<u16>,
}

/// What was agreed with the far end, and all that depends on its codec.
pub struct Link {
    pub(crate) terms: Connection,
    pub(crate) gate: SourceGate,
    /// What takes the protection off its packets.
    inbound: Option<Box<Inbound>>,
    /// What protects ours, until the port takes it; then what did so before, if another did.
    outbound: Option<Box<Outbound>>,
    timeline: Timeline,
    pub(crate) playout: PlayoutBuffer,
    keys: Keys,
    /// The keys that are pressed for the far end to hear.
    pub(crate) pressing: Pressing,
    activity: Activity,
    gain: AutomaticGain,
    /// As it was last reported.
    talking: bool,
    /// To the rates that are not its own.
    resamplers: [Option<Resampler>; Rate::COUNT],
    frames: [Box<[i16]>; Rate::COUNT],
    /// The last tick's samples, if somebody may be given its payloads.
    past: Box<[i16]>,
    state: Sounding,
    /// The tick for which the frames are.
    heard: Option<u64>,
    /// Whether it was told that audio comes to which none is sent.
    early: bool,
    pub(crate) voice: PrivateVoice,
    /// Samples that wait until they are a whole packet.
    collected: Vec<i16>,
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
            inbound: srtp::inbound(&terms),
            outbound: srtp::outbound(&terms),
            timeline: Timeline::new(codec),
            playout: PlayoutBuffer::new(Decoder::new(codec)?),
            keys: Keys::new(&terms, rate),
            pressing: Pressing::new(),
            activity: Activity::new(rate.hz()),
            gain: AutomaticGain::new(rate.hz()),
            talking: false,
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
        before.codec == after.codec
            && before.fec == after.fec
            && before.srtp == after.srtp
            && Keys::suit(before, after)
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

    /// Goes on where the link with another codec was.
    pub(crate) fn succeed(&mut self, before: &mut Link) {
        srtp::succeed(&mut before.inbound, &mut self.inbound, |key| *key.key());
        std::mem::swap(&mut before.inbound, &mut self.inbound);
        self.gate = before.gate.clone();
        self.gate.amend(&self.terms);
        self.gain = before.gain.at_rate(self.rate().hz());
        self.talking = before.talking;
        self.pressing.succeed(&mut before.pressing);
        self.standing = before.standing;
        self.spoilt = before.spoilt;
    }

    /// Whether the frames of this tick hold sound, or the end of it.
    pub(crate) fn sounding(&self) -> bool {
        self.state.is_heard()
    }

    /// The rate of its codec.
    pub(crate) fn rate(&self) -> Rate {
        Rate::of_codec(self.terms.codec)
    }

    /// The rate of the clock of its RTP timestamps \[Hz\].
    pub(crate) fn clock_hz(&self) -> u32 {
        audio_codec(self.terms.codec).rtp_clock_hz()
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

    fn touch(&self) -> usize {
        let frame = self.frame(self.rate()).first().map_or(0, |sample| *sample as usize);
        let place = self.standing.map_or(0, |standing| usize::from(standing.ear));
        let flags = usize::from(self.talking) ^ usize::from(self.terms.ptime_ms) ^ place;
        let gate = usize::from(self.gate.is_open()) ^ self.timeline.touch();
        frame ^ flags ^ gate ^ self.playout.touch() ^ self.voice.until as usize
    }

    /// Takes the protection off a packet; how long it is without. Only a packet that comes from
    /// where the leg's may is worth that; until it is authentic nothing else is learnt from it.
    fn unprotect(
        &mut self,
        remote: SocketAddr,
        bytes: &[u8],
        opened: &mut [u8; SRTP_BYTES_MAX],
    ) -> Result<usize, SrtpError> {
        let inbound = self.inbound.as_mut().ok_or(SrtpError::Malformed)?;
        let opened = opened.get_mut(..bytes.len()).ok_or(SrtpError::Malformed)?;
        opened.copy_from_slice(bytes);
        match classify(bytes) {
            Packet::Rtp if self.gate.may_show(remote) => inbound.unprotect(opened),
            Packet::Rtcp if self.gate.fits_control(remote, self.terms.rtcp) => {
                inbound.unprotect_control(opened)
            }
            Packet::Rtp | Packet::Rtcp | Packet::Stun | Packet::Dtls | Packet::Unknown => {
                Err(SrtpError::Malformed)
            }
        }
    }

    /// Takes a datagram; false if it is not one for this leg.
    fn receive(
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
        let is_sound = rtp.payload_type == self.terms.receive_payload_type;
        let is_event = self.is_event(rtp.payload_type);
        if self.gate.is_open() {
            if !is_sound && !is_event && !self.is_comfort_noise(rtp.payload_type) {
                return false;
            }
            self.gate.latch(remote);
        }
        self.gate.pass(&rtp, arrival_us);
        ledger.stats.packets_in += 1;
        control.count(&rtp, is_sound, arrival_us, self.clock_hz());
        let late_before = ledger.stats.packets_late;
        self.take(leg, &rtp, arrival_us, (is_sound, is_event), ledger);
        if ledger.stats.packets_late > late_before {
            control.discard(rtp.sequence);
        }
        self.spoilt.late += ledger.stats.packets_late - late_before;
        if is_sound && !self.terms.sends && !self.early {
            self.early = ledger.report(MediaReport::EarlyMedia { leg });
        }
        true
    }

    fn is_event(&self, payload_type: u8) -> bool {
        let agreed = self.terms.telephone_event;
        agreed.is_some_and(|event| event.receive_payload_type == payload_type)
    }

    /// Whether a packet says that silence begins, and how loud it is (RFC 3389). The number is
    /// fixed, and many send it without asking. Silence is played in its place, whatever its
    /// level: in a sum of many the noise of all who do not speak would drown who does.
    fn is_comfort_noise(&self, payload_type: u8) -> bool {
        payload_type == COMFORT_NOISE && self.clock_hz() == COMFORT_NOISE_CLOCK_HZ
    }

    /// Takes a packet of the leg's own stream.
    fn take(
        &mut self,
        leg: LegId,
        rtp: &Rtp<'_>,
        arrival_us: u64,
        (is_sound, is_event): (bool, bool),
        ledger: &mut Ledger,
    ) {
        let samples = if is_sound { self.playout.samples_of(rtp.payload) } else { 0 };
        let arrival = self.playout.samples_at(arrival_us);
        let Some(position) = self.timeline.place(rtp, samples, arrival) else {
            ledger.stats.packets_late += 1;
            return;
        };
        if is_event && let Some(event) = Event::parse(rtp.payload) {
            let timestamp = self.timeline.timestamp(position);
            self.keys.receive(leg, (timestamp, arrival), (rtp.marker, event), ledger);
        }
        let payload = if samples > 0 { rtp.payload } else { &[] };
        self.playout.insert(position, samples, payload, arrival, ledger);
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
        let own = self.rate().index();
        let frame = &mut self.frames[own];
        if self.state != Sounding::Not {
            self.past.copy_from_slice(&frame[..self.past.len()]);
        }
        self.playout.listen(&mut self.past, ledger);
        let decodes = wanted.heard || self.keys.sound() || has_memory(self.terms.codec);
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
        let talking = self.activity.push(&self.frames[self.rate().index()]).speaking;
        if talking != self.talking && ledger.report(MediaReport::Talking { leg, talking }) {
            self.talking = talking;
        }
    }
}

impl Port {
    /// Encodes a tick's samples with the leg's own encoder and sends as many packets as are whole.
    pub(crate) fn send_private(&mut self, pcm: &[i16], sender: &mut Sender<'_>) {
        let Some(link) = &mut self.link else { return };
        let per_ms = link.rate().per_ms();
        let length = usize::from(link.terms.ptime_ms) * per_ms;
        let clock_per_ms = (link.clock_hz() / 1_000) as i32;
        let waiting_ms = (link.collected.len() / per_ms) as i32;
        link.collected.extend_from_slice(pcm);
        link.voice.bear(link.loss_percent);
        let whole = link.collected.len() / length * length;
        for (number, packet) in (0..).zip(link.collected[..whole].chunks(length)) {
            let offset_ms = number * i32::from(link.terms.ptime_ms) - waiting_ms;
            let payload = link.voice.encode(packet);
            sender.ledger.stats.encodes += 1;
            let payload_type = link.terms.payload_type;
            sender.send(&mut self.outgoing, payload_type, offset_ms * clock_per_ms, payload);
        }
        link.collected.drain(..whole);
    }

    /// Nothing is sent in this tick.
    pub(crate) fn pause(&mut self) {
        self.outgoing.pause();
        if let Some(link) = &mut self.link {
            link.collected.clear();
        }
    }
}
