//! One leg's media end.

use std::net::SocketAddr;

use model::{Chance, Connection, LegId, MediaReport, Rtcp};
use wire::limits::SRTP_BYTES_MAX;
use wire::rtp::{Packet, classify};
use wire::srtp::SrtpError;

use crate::control::{Control, Sent};
use crate::ledger::Ledger;
use crate::limits::RTCP_BYTES_MAX;
use crate::link::Link;
use crate::outbox::Outbox;
use crate::outgoing::{Outgoing, Sender};
use crate::srtp;
use crate::stage::{MixerKey, PortKey};
use crate::voice::{SharedVoice, loss_percent_told};
use crate::watch::{Finding, Watch};

/// What lives as long as the leg: who it is, and the stream that it is sent.
pub struct Port {
    pub(crate) leg: LegId,
    pub(crate) mixer: MixerKey,
    pub(crate) link: Option<Box<Link>>,
    pub(crate) outgoing: Outgoing,
    control: Control,
    pub(crate) watch: Watch,
    /// Whether the plan that plays knows it.
    pub(crate) plays: bool,
}

impl Port {
    /// A port with which nothing was agreed: it takes no packet and sends none.
    pub(crate) fn new(leg: LegId, mixer: MixerKey, chance: &mut Chance) -> Port {
        let (outgoing, control) = (Outgoing::new(chance), Control::new(chance.draw()));
        let watch = Watch::default();
        Port { leg, mixer, link: None, outgoing, control, watch, plays: false }
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
        let protects = |link: &&mut Box<Link>| link.theirs.may_open(arrival_us);
        let Some(link) = self.link.as_mut().filter(protects) else {
            return self.receive_plain(remote, arrival_us, bytes, ledger);
        };
        let mut opened = [0; SRTP_BYTES_MAX];
        match link.unprotect(remote, arrival_us, bytes, &mut opened) {
            // The key that served is gone, and none has come.
            Err(_) if !link.theirs.serve() => {
                self.receive_plain(remote, arrival_us, bytes, ledger);
            }
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
            && self.control.receive((self.outgoing.ssrc, self.outgoing.packets), arrival_us, bytes);
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

    /// What was agreed takes the place of what was; what is of no use any more comes back.
    pub(crate) fn connect(&mut self, mut link: Box<Link>) -> Option<Box<Link>> {
        srtp::succeed(&mut self.outgoing.key, &mut link.outbound, |key| *key.key());
        let Some(mut before) = self.link.take() else {
            self.link = Some(link);
            return None;
        };
        self.control.readdress(&before.terms, &link.terms);
        if Link::suits_but_for_srtp(&before.terms, &link.terms) {
            before.rekey(&mut link);
            std::mem::swap(&mut before, &mut link);
        } else {
            link.succeed(&mut before);
            self.control.recode();
        }
        self.link = Some(link);
        Some(before)
    }

    /// Takes other terms for the same codec.
    pub(crate) fn amend(&mut self, terms: Connection) {
        let Some(link) = &mut self.link else { return };
        self.control.readdress(&link.terms, &terms);
        link.amend(terms);
    }

    /// Leaves a mixer for another. What it heard from a voice that it shared, with the memory of
    /// that, goes on in its own.
    pub(crate) fn step_out(&mut self, shared: &[SharedVoice]) {
        self.plays = false;
        // Whoever is there was told nothing.
        self.watch = Watch::default();
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
        let coding = link.coding();
        if let Some(quality) = self.control.quality(now_us, link.spoilt, coding) {
            ledger.report(MediaReport::Quality { leg: self.leg, quality });
        }
        let has_place = link.standing.is_some_and(|standing| standing.has_place);
        let found = self.watch.look(now_us, (&link.terms, has_place), || link.sight(&self.control));
        if let Some(finding) = found {
            let leg = self.leg;
            let report = match finding {
                Finding::OneWay(way) => MediaReport::OneWay { leg, way },
                Finding::TimedOut => MediaReport::TimedOut { leg },
            };
            if ledger.report(report) {
                self.watch.told(finding);
            }
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
