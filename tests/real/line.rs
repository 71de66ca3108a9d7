//! A phone of our own on real sockets: it keeps what it hears, and what came over the wire.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use audio::Codec;
use convoke::phone::{CallState, Phone, Sent, Settings, TICK_MS, Voice};
use sip::{Flow, Transport};
use wire::rtp::{Packet, Rtp, classify};

use crate::server::Server;
use crate::until;

/// How often its sockets are looked at.
const TURN: Duration = Duration::from_millis(5);

/// How loud it speaks: as loud as the phones of others.
const AMPLITUDE: i16 = 3_000;

/// A phone that is run by a thread of its own; it hangs up when it is dropped.
pub(crate) struct Line {
    inner: Arc<Mutex<Inner>>,
    runs: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    name: &'static str,
    /// Where it is called.
    pub(crate) sip: SocketAddr,
}

struct Inner {
    phone: Phone,
    sip: UdpSocket,
    rtp: UdpSocket,
    tick_at: Instant,
    heard: Vec<i16>,
    wire: Wire,
}

/// What came to a phone over the wire.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire {
    /// Each packet of audio: SSRC, sequence number, timestamp.
    pub(crate) packets: Vec<(u32, u16, u32)>,
    /// The methods of all requests, in their order.
    pub(crate) requests: Vec<String>,
    /// The Call-IDs of all messages.
    pub(crate) call_ids: BTreeSet<String>,
}

impl Line {
    /// A phone on its hook that speaks this tone.
    pub(crate) fn new(server: &Server, name: &'static str, codec: Codec, tone_hz: f64) -> Line {
        let socket = || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        let (sip, rtp) = (socket(), socket());
        let address = sip.local_addr().unwrap();
        let settings = Settings {
            sip: address,
            rtp: rtp.local_addr().unwrap(),
            server: server.sip,
            transport: Transport::Udp,
            user: name.to_owned(),
            codec,
            voice: Voice::Tone { frequency_hz: tone_hz, amplitude: AMPLITUDE },
            srtp: wire::sdp::Srtp::Off,
            seed: u64::from(address.port()) << 32 | u64::from(std::process::id()),
        };
        let phone = Phone::new(settings);
        let (heard, wire) = (Vec::new(), Wire::default());
        let inner = Inner { phone, sip, rtp, tick_at: Instant::now(), heard, wire };
        let inner = Arc::new(Mutex::new(inner));
        let runs = Arc::new(AtomicBool::new(true));
        let thread = std::thread::spawn({
            let (inner, runs) = (inner.clone(), runs.clone());
            move || {
                while runs.load(Ordering::Relaxed) {
                    lock(&inner).turn();
                    std::thread::sleep(TURN);
                }
            }
        });
        Line { inner, runs, thread: Some(thread), name, sip: address }
    }

    /// Registers; this machine is trusted, and asked for no password.
    pub(crate) fn register(&self, server: &Server) {
        let (name, own, sip) = (self.name, self.sip, server.sip);
        let text = format!(
            "REGISTER sip:{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{name}\r\n\
             From: <sip:{name}@{sip}>;tag=1\r\nTo: <sip:{name}@{sip}>\r\nCall-ID: {name}{own}\r\n\
             CSeq: 1 REGISTER\r\nContact: <sip:{name}@{own}>\r\nExpires: 600\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        // From its own socket, for that is where it is called.
        self.locked().sip.send_to(text.as_bytes(), sip).unwrap();
        until("a registration", || {
            let users = server.get("registrations");
            let is_it = |user: &serde_json::Value| user["user"] == name;
            users.as_array()?.iter().any(is_it).then_some(())
        });
    }

    /// Calls a room, and is up.
    pub(crate) fn call(&self, room: &str) {
        self.with(|phone, now| phone.call(now, room));
        until(&format!("{} in {room}", self.name), || self.is_up().then_some(()));
    }

    /// Whether its call is up.
    pub(crate) fn is_up(&self) -> bool {
        *self.locked().phone.state() == CallState::Up
    }

    /// Does something at the phone.
    pub(crate) fn with(&self, act: impl FnOnce(&mut Phone, Instant)) {
        let mut inner = self.locked();
        act(&mut inner.phone, Instant::now());
        inner.send();
    }

    /// How much it has heard so far [samples].
    pub(crate) fn heard_samples(&self) -> usize {
        self.locked().heard.len()
    }

    /// What it has heard from this sample on.
    pub(crate) fn heard_from(&self, sample: usize) -> Vec<i16> {
        self.locked().heard.get(sample..).unwrap_or_default().to_vec()
    }

    /// The rate of what it hears [Hz].
    pub(crate) fn rate_hz(&self) -> u32 {
        self.locked().phone.rate_hz()
    }

    /// What came over the wire so far.
    pub(crate) fn wire(&self) -> Wire {
        self.locked().wire.clone()
    }

    fn locked(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(|failed| failed.into_inner())
}

impl Drop for Line {
    fn drop(&mut self) {
        self.with(Phone::hang_up);
        self.runs.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking(), "{} broke down", self.name);
        }
    }
}

impl Inner {
    fn turn(&mut self) {
        let (now, mut datagram) = (Instant::now(), [0; 4_096]);
        let local = self.sip.local_addr().unwrap();
        while let Ok((length, remote)) = self.sip.recv_from(&mut datagram) {
            let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
            self.wire.note(&datagram[..length]);
            self.phone.receive_sip(now, flow, &datagram[..length]);
        }
        while let Ok((length, _)) = self.rtp.recv_from(&mut datagram) {
            let bytes = &datagram[..length];
            if let (Packet::Rtp, Ok(rtp)) = (classify(bytes), Rtp::parse(bytes)) {
                self.wire.packets.push((rtp.ssrc, rtp.sequence, rtp.timestamp));
            }
            self.phone.receive_rtp(bytes);
        }
        if self.tick_at <= now {
            self.tick_at += Duration::from_millis(u64::from(TICK_MS));
            self.phone.tick();
        }
        if self.phone.next_deadline().is_some_and(|due| due <= now) {
            self.phone.handle_timeout(now);
        }
        self.heard.extend(self.phone.take_heard());
        self.send();
    }

    fn send(&mut self) {
        while let Some(sent) = self.phone.poll() {
            let (socket, to, bytes) = match &sent {
                Sent::Sip(flow, bytes) => (&self.sip, flow.remote, bytes),
                Sent::Rtp(to, bytes) => (&self.rtp, *to, bytes),
            };
            socket.send_to(bytes, to).unwrap();
        }
    }
}

impl Wire {
    fn note(&mut self, message: &[u8]) {
        let text = String::from_utf8_lossy(message);
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        if !first.starts_with("SIP/2.0") {
            self.requests.extend(first.split(' ').next().map(str::to_owned));
        }
        let id = lines.find_map(|line| line.strip_prefix("Call-ID: "));
        self.call_ids.extend(id.map(str::to_owned));
    }
}
