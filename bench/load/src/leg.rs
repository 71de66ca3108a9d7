//! One leg: a socket that speaks a loop of payloads and counts what it hears.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use audio::Codec;
use audio::limits::PAYLOAD_BYTES_MAX;
use wire::rtp::{HEADER_BYTES, Header, Packet, Rtp, classify, write_header};

use crate::datagram::{Arrival, Batch, send, stamp_arrivals};
use crate::hearing::Hearing;
use crate::limits::CAPTURED_MAX;
use crate::voice::{Loop, TICK_MS};

/// A leg of one room.
pub(crate) struct Leg {
    /// Its room, counted from 0.
    pub(crate) room: usize,
    /// Its place in the room; the first ones talk.
    pub(crate) place: usize,
    /// What it speaks and hears.
    pub(crate) codec: Codec,
    /// What it hears, counted.
    pub(crate) hearing: Hearing,
    /// What it hears, kept for the ear, if it is one of the sample.
    pub(crate) captured: Option<Vec<Captured>>,
    socket: UdpSocket,
    speech: Loop,
    stream: Option<Stream>,
}

/// The numbers of a stream that both ends have agreed on.
struct Stream {
    payload_type: u8,
    receive_payload_type: u8,
    ssrc: u32,
}

/// A packet as it came.
pub(crate) struct Captured {
    /// Its place in the stream.
    pub(crate) sequence: u64,
    /// When it came, on the clock of [`crate::clock::realtime_ns`].
    pub(crate) at_ns: u64,
    /// What it holds.
    pub(crate) payload: Vec<u8>,
}

impl Leg {
    /// A leg with a socket of its own that is not connected yet.
    pub(crate) fn new(room: usize, place: usize, codec: Codec, speech: Loop) -> Result<Leg> {
        let socket =
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("no socket for a leg's audio")?;
        stamp_arrivals(&socket)?;
        let hearing = Hearing::default();
        Ok(Leg { room, place, codec, hearing, captured: None, socket, speech, stream: None })
    }

    /// Where it wants to hear.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// Speaks to this address and hears it from here on.
    pub(crate) fn connect(
        &mut self,
        remote: SocketAddr,
        payload_type: u8,
        receive_payload_type: u8,
    ) -> Result<()> {
        self.socket.connect(remote)?;
        let ssrc = u32::from(self.address()?.port()) << 16 | u32::from(remote.port());
        self.stream = Some(Stream { payload_type, receive_payload_type, ssrc });
        Ok(())
    }

    /// Falls silent and deaf.
    pub(crate) fn disconnect(&mut self) {
        self.stream = None;
    }

    /// Speaks the packet of this tick, and tells whether one went.
    pub(crate) fn speak(&mut self, tick: u64) -> bool {
        let Some(stream) = &self.stream else { return false };
        let mut packet = [0; HEADER_BYTES + PAYLOAD_BYTES_MAX];
        let payload = &self.speech[(tick % self.speech.len() as u64) as usize];
        let clock_ticks = self.codec.rtp_clock_hz() / 1_000 * TICK_MS;
        let header = Header {
            payload_type: stream.payload_type,
            marker: false,
            // Both counters wrap; their low bits are the packet's.
            sequence: tick as u16,
            timestamp: (tick as u32).wrapping_mul(clock_ticks),
            ssrc: stream.ssrc,
        };
        write_header(&mut packet, &header);
        let end = HEADER_BYTES + payload.len();
        packet[HEADER_BYTES..end].copy_from_slice(payload);
        send(&self.socket, &packet[..end])
    }

    /// Sends a whole RTP packet as it is, if it is connected.
    pub(crate) fn utter(&self, packet: &[u8]) {
        if self.stream.is_some() {
            // What cannot be sent is lost, as on any network.
            send(&self.socket, packet);
        }
    }

    /// Takes in what has come.
    pub(crate) fn hear(&mut self, batch: &mut Batch) -> Result<()> {
        let Leg { hearing, captured, stream, codec, .. } = self;
        let Some(stream) = stream else { return Ok(()) };
        batch.drain(self.socket.as_raw_fd(), |Arrival { at_ns, bytes }| {
            if classify(bytes) != Packet::Rtp {
                return;
            }
            let Ok(rtp) = Rtp::parse(bytes) else { return };
            if rtp.payload_type != stream.receive_payload_type {
                return;
            }
            let place = hearing.packet(at_ns, &rtp, codec.rtp_clock_hz());
            if let (Some(place), Some(captured)) = (place, captured.as_mut())
                && captured.len() < CAPTURED_MAX
            {
                let payload = rtp.payload.to_vec();
                captured.push(Captured { sequence: place.sequence, at_ns, payload });
            }
        })
    }
}
