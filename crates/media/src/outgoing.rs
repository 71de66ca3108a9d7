//! The stream of packets to one leg's far end.

use std::net::SocketAddr;

use model::{Chance, Connection};
use wire::rtp::Header;
use wire::srtp::Outbound;

use crate::control::Sent;
use crate::ledger::Ledger;
use crate::limits::TICK_MS;
use crate::outbox::Outbox;
use crate::playout::Parcel;
use crate::pressing::EventPacket;
use crate::rate::audio_codec;
use crate::stage::PortKey;

/// The stream of packets to the far end. It is one stream for the leg's life, whatever is agreed.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) ssrc: u32,
    sequence: u16,
    /// Of the tick that is rendered.
    timestamp: u32,
    marker: bool,
    /// Packets that are late, and what the timestamp was held back for them.
    held: u16,
    held_clock: u32,
    tick: Option<u64>,
    /// Packets and payload \[bytes\] so far.
    pub(crate) packets: u32,
    pub(crate) octets: u32,
    /// What protects it, if SRTP is agreed on.
    pub(crate) key: Option<Box<Outbound>>,
}

impl Outgoing {
    /// RFC 3550 section 5.1: all three counters begin at random. The sequence begins in the lower
    /// half, so that who misses the first packets does not miss a wrap (RFC 3711 section 3.3.1).
    pub(crate) fn new(chance: &mut Chance) -> Outgoing {
        Outgoing {
            ssrc: chance.draw() as u32,
            sequence: chance.draw() as u16 & 0x7fff,
            timestamp: chance.draw() as u32,
            marker: true,
            held: 0,
            held_clock: 0,
            tick: None,
            packets: 0,
            octets: 0,
            key: None,
        }
    }

    /// Goes on to a tick. Time passes whether packets are sent or not (RFC 3550 section 5.1).
    pub(crate) fn advance(&mut self, tick: u64, clock_hz: u32) {
        let passed = self.tick.map_or(1, |last| tick.saturating_sub(last));
        let per_tick = u64::from(clock_hz) * TICK_MS / 1_000;
        self.timestamp = self.timestamp.wrapping_add(passed.wrapping_mul(per_tick) as u32);
        self.marker |= passed > 1;
        self.tick = Some(tick);
    }

    /// Whether it has come to that tick.
    pub(crate) fn is_at(&self, tick: u64) -> bool {
        self.tick == Some(tick)
    }

    /// What a report tells of it.
    pub(crate) fn sent(&self, now_us: u64, clock_hz: u32) -> Sent {
        let timestamp = self.tick.map(|tick| {
            let passed_us = now_us.saturating_sub(tick * TICK_MS * 1_000);
            let passed = passed_us.wrapping_mul(clock_hz.into()) / 1_000_000;
            self.timestamp.wrapping_add(passed as u32)
        });
        Sent { ssrc: self.ssrc, timestamp, packets: self.packets, octets: self.octets }
    }

    /// Nothing is sent: the next packet begins a spurt (RFC 3551 section 4.1).
    pub(crate) fn pause(&mut self) {
        self.release();
        self.marker = true;
    }

    /// What seemed late is not waited for: something else is sent, and that is said now. It was a
    /// pause, in which nothing was lost.
    pub(crate) fn release(&mut self) {
        self.marker |= self.held > 0;
        self.timestamp = self.timestamp.wrapping_add(self.held_clock);
        (self.held, self.held_clock) = (0, 0);
    }

    /// The far end shall know that a packet is missing (RFC 3550 section 5.1: the sequence counts
    /// what was sent).
    fn skip(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// Nothing is sent in this tick, because what should be is late: the stream stands still.
    fn hold(&mut self, clock_hz: u32) {
        let ticks = clock_hz / 1_000 * TICK_MS as u32;
        self.timestamp = self.timestamp.wrapping_sub(ticks);
        self.held += 1;
        self.held_clock += ticks;
    }

    /// What was late is lost: the stream did not stand still.
    fn miss_held(&mut self) {
        self.timestamp = self.timestamp.wrapping_add(self.held_clock);
        self.sequence = self.sequence.wrapping_add(self.held);
        (self.held, self.held_clock) = (0, 0);
    }

    /// The header of a packet of a telephone-event that began so long before this tick
    /// \[RTP clock ticks\]. Sound goes on as if it was not there.
    fn event_header(&mut self, payload_type: u8, marker: bool, before: u32) -> Header {
        let sound = self.marker;
        let offset = 0_i32.wrapping_sub_unsigned(before);
        let header = Header { marker, ..self.header(payload_type, offset) };
        self.marker = sound;
        header
    }

    /// The header of the next packet, whose first sample is `offset` RTP clock ticks after the
    /// tick's first.
    fn header(&mut self, payload_type: u8, offset: i32) -> Header {
        let header = Header {
            payload_type,
            marker: self.marker,
            sequence: self.sequence,
            timestamp: self.timestamp.wrapping_add_signed(offset),
            ssrc: self.ssrc,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.marker = false;
        (self.held, self.held_clock) = (0, 0);
        header
    }
}

/// Where a leg's packets go in this tick.
pub(crate) struct Sender<'a> {
    pub(crate) key: PortKey,
    pub(crate) remote: SocketAddr,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) ledger: &'a mut Ledger,
}

impl Sender<'_> {
    /// Sends one packet, whose first sample is `offset` RTP clock ticks after the tick's first.
    pub(crate) fn send(
        &mut self,
        outgoing: &mut Outgoing,
        payload_type: u8,
        offset: i32,
        payload: &[u8],
    ) {
        if payload.is_empty() {
            // The encoder refused; the far end conceals one packet.
            outgoing.pause();
            return;
        }
        let header = outgoing.header(payload_type, offset);
        self.push(outgoing, &header, payload);
    }
}

impl Sender<'_> {
    /// Sends a packet of a key that is down.
    pub(crate) fn send_event(
        &mut self,
        outgoing: &mut Outgoing,
        payload_type: u8,
        packet: &EventPacket,
    ) {
        let header = outgoing.event_header(payload_type, packet.marker, packet.before);
        self.push(outgoing, &header, &packet.payload);
    }

    fn push(&mut self, outgoing: &mut Outgoing, header: &Header, payload: &[u8]) {
        let key = outgoing.key.as_deref_mut();
        if self.outbox.push(self.key, self.remote, header, payload, key) {
            self.ledger.stats.packets_out += 1;
            outgoing.packets = outgoing.packets.wrapping_add(1);
            outgoing.octets = outgoing.octets.wrapping_add(payload.len() as u32);
        } else {
            self.ledger.stats.send_errors += 1;
        }
    }

    /// Sends what was encoded elsewhere for a tick.
    pub(crate) fn pass_on(
        &mut self,
        outgoing: &mut Outgoing,
        terms: &Connection,
        parcel: Parcel<'_>,
    ) {
        match parcel {
            Parcel::Payload { bytes, after_loss } => {
                if after_loss {
                    outgoing.miss_held();
                }
                self.send(outgoing, terms.payload_type, 0, bytes);
                self.ledger.stats.encodes_shared += 1;
            }
            Parcel::Late => outgoing.hold(audio_codec(terms.codec).rtp_clock_hz()),
            Parcel::Lost | Parcel::Mingled => {
                outgoing.miss_held();
                outgoing.skip();
            }
        }
    }
}
