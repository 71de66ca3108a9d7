//! Phones on real sockets.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use audio::Codec;
use sip::{Flow, Transport};

use crate::phone::{Phone, Sent, Settings, TICK_MS, Voice};

/// How often sockets are looked at.
const TURN: Duration = Duration::from_millis(5);

/// The largest datagram that is read [bytes].
const DATAGRAM_BYTES_MAX: usize = 65_536;

/// Some phones, each with two sockets, run together on one clock.
pub(super) struct Lines {
    lines: Vec<Line>,
    next_tick: Instant,
}

struct Line {
    phone: Phone,
    sip: UdpSocket,
    rtp: UdpSocket,
}

impl Lines {
    /// Opens a line for each name and codec. They call from the address that reaches the server.
    pub(super) fn open(server: SocketAddr, phones: &[(&str, Codec)]) -> Result<Lines> {
        let probe = UdpSocket::bind(SocketAddr::new(unspecified(server), 0))?;
        probe.connect(server).with_context(|| format!("no way leads to {server}"))?;
        let host = probe.local_addr()?.ip();
        let mut lines = Vec::new();
        for (name, codec) in phones {
            let socket = || -> Result<UdpSocket> {
                let socket = UdpSocket::bind(SocketAddr::new(host, 0))?;
                socket.set_nonblocking(true)?;
                Ok(socket)
            };
            let (sip, rtp) = (socket()?, socket()?);
            let settings = Settings {
                sip: sip.local_addr()?,
                rtp: rtp.local_addr()?,
                server,
                transport: Transport::Udp,
                user: name.to_lowercase(),
                codec: *codec,
                voice: Voice::Silence,
                srtp: wire::sdp::Srtp::Off,
                seed: u64::from(sip.local_addr()?.port()) << 32 | u64::from(std::process::id()),
            };
            lines.push(Line { phone: Phone::new(settings), sip, rtp });
        }
        Ok(Lines { lines, next_tick: Instant::now() })
    }

    /// Does something to each phone.
    pub(super) fn each(&mut self, mut act: impl FnMut(&mut Phone, Instant)) {
        let now = Instant::now();
        for line in &mut self.lines {
            act(&mut line.phone, now);
        }
    }

    pub(super) fn phones(&self) -> impl Iterator<Item = &Phone> {
        self.lines.iter().map(|line| &line.phone)
    }

    /// Runs all phones until something holds, or for this long.
    pub(super) async fn run_until(
        &mut self,
        at_most: Duration,
        holds: impl Fn(&Lines) -> bool,
    ) -> Result<()> {
        let end = Instant::now() + at_most;
        while Instant::now() < end && !holds(self) {
            let now = Instant::now();
            let ticks = now >= self.next_tick;
            if ticks {
                self.next_tick += Duration::from_millis(u64::from(TICK_MS));
            }
            for line in &mut self.lines {
                line.turn(now, ticks)?;
            }
            tokio::time::sleep(TURN).await;
        }
        Ok(())
    }
}

impl Line {
    fn turn(&mut self, now: Instant, ticks: bool) -> Result<()> {
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        let local = self.sip.local_addr()?;
        while let Ok((length, remote)) = self.sip.recv_from(&mut datagram) {
            let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
            self.phone.receive_sip(now, flow, &datagram[..length]);
        }
        while let Ok((length, _)) = self.rtp.recv_from(&mut datagram) {
            self.phone.receive_rtp(&datagram[..length]);
        }
        if ticks {
            self.phone.tick();
        }
        if self.phone.next_deadline().is_some_and(|due| due <= now) {
            self.phone.handle_timeout(now);
        }
        while let Some(sent) = self.phone.poll() {
            let (socket, to, bytes) = match &sent {
                Sent::Sip(flow, bytes) => (&self.sip, flow.remote, bytes),
                Sent::Rtp(to, bytes) => (&self.rtp, *to, bytes),
            };
            socket.send_to(bytes, to).with_context(|| format!("nothing can be sent to {to}"))?;
        }
        Ok(())
    }
}

fn unspecified(like: SocketAddr) -> std::net::IpAddr {
    match like {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    }
}
