//! The floor: a bare server that receives every packet and sends one for each leg in 20 ms, and
//! does nothing else. No server with a socket for each leg can cost less with these system calls.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, SockaddrIn, sendto};
use wire::rtp::{HEADER_BYTES, Header, write_header};

use crate::clock::{MS, monotonic_ns, sleep_until};
use crate::datagram::{Arrival, Batch, allow_descriptors, stamp_arrivals};
use crate::limits::LEGS_MAX;

/// Length of a turn: the worker's.
const TURN_NS: u64 = 5 * MS;

/// Turns in a tick of 20 ms; a quarter of the legs is sent to in each.
const PHASES: u64 = 4;

/// Digital silence of 20 ms in G.711.
const PAYLOAD: [u8; 160] = [0xff; 160];

/// When the floor wakes to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Io {
    /// Each 5 ms: what has come is taken by recvmmsg, as our worker does.
    Recvmmsg,
    /// For each packet, as most servers do.
    Epoll,
}

/// The floor as a process of its own, so that its CPU is counted alone. It ends with this value.
pub(crate) struct Floor {
    child: Child,
    /// Where its legs are spoken to.
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Floor {
    /// Starts the floor for so many legs.
    pub(crate) fn start(legs: usize, io: Io) -> Result<Floor> {
        let io = match io {
            Io::Recvmmsg => "recvmmsg",
            Io::Epoll => "epoll",
        };
        let mut child = Command::new(std::env::current_exe()?)
            .args(["floor-server", "--legs", &legs.to_string(), "--io", io])
            .stdout(Stdio::piped())
            .spawn()
            .context("the floor does not start")?;
        let out = child.stdout.take().context("the floor has no output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let port = |word: &str| -> Result<SocketAddr> {
            Ok((Ipv4Addr::LOCALHOST, word.parse::<u16>()?).into())
        };
        let addresses = line.split_whitespace().map(port).collect::<Result<Vec<_>>>()?;
        anyhow::ensure!(addresses.len() == legs, "the floor has {} legs", addresses.len());
        Ok(Floor { child, addresses })
    }

    /// The floor's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // It has nothing to lose; if it is gone already, so much the better.
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
    }
}

/// A leg of the floor.
struct Leg {
    socket: UdpSocket,
    remote: Option<SockaddrIn>,
}

/// Is the floor: tells its ports in one line, then moves packets until it is killed.
pub(crate) fn serve(legs: usize, io: Io) -> Result<()> {
    anyhow::ensure!((1..=LEGS_MAX).contains(&legs), "1 to {LEGS_MAX} legs");
    allow_descriptors(legs)?;
    let mut ports = String::new();
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    let mut all = Vec::with_capacity(legs);
    for index in 0..legs {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        stamp_arrivals(&socket)?;
        epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
        ports.push_str(&format!("{} ", socket.local_addr()?.port()));
        all.push(Leg { socket, remote: None });
    }
    writeln!(std::io::stdout(), "{ports}")?;
    std::io::stdout().flush()?;
    turn_for_ever(&mut all, &epoll, io)
}

fn turn_for_ever(legs: &mut [Leg], epoll: &Epoll, io: Io) -> Result<()> {
    let mut batch = Batch::new();
    let mut events = vec![EpollEvent::empty(); legs.len()];
    let began_ns = monotonic_ns()?;
    for turn in 0_u64.. {
        let due_ns = began_ns + turn * TURN_NS;
        match io {
            Io::Recvmmsg => {
                sleep_until(due_ns)?;
                receive(legs, epoll, &mut events, &mut batch, 0)?;
            }
            Io::Epoll => loop {
                let left_ms = due_ns.saturating_sub(monotonic_ns()?).div_ceil(MS);
                if left_ms == 0 {
                    break;
                }
                receive(legs, epoll, &mut events, &mut batch, left_ms as u16)?;
            },
        }
        let due = legs.iter().skip((turn % PHASES) as usize).step_by(PHASES as usize);
        send(due, turn / PHASES);
    }
    Ok(())
}

fn receive(
    legs: &mut [Leg],
    epoll: &Epoll,
    events: &mut [EpollEvent],
    batch: &mut Batch<SockaddrIn>,
    timeout_ms: u16,
) -> Result<()> {
    let ready = epoll.wait(events, EpollTimeout::from(timeout_ms))?;
    for event in &events[..ready] {
        let leg = &mut legs[event.data() as usize];
        let remote = &mut leg.remote;
        batch.drain(leg.socket.as_raw_fd(), |Arrival { from, .. }| *remote = from)?;
    }
    Ok(())
}

/// One packet for each of these legs that has been heard of.
fn send<'a>(legs: impl Iterator<Item = &'a Leg>, tick: u64) {
    let mut packet = [0; HEADER_BYTES + PAYLOAD.len()];
    packet[HEADER_BYTES..].copy_from_slice(&PAYLOAD);
    for leg in legs {
        let Some(remote) = leg.remote else { continue };
        let header = Header {
            payload_type: 0,
            marker: false,
            // Both counters wrap; their low bits are the packet's.
            sequence: tick as u16,
            timestamp: (tick as u32).wrapping_mul(PAYLOAD.len() as u32),
            ssrc: u32::from(remote.port()),
        };
        write_header(&mut packet, &header);
        // What cannot be sent is lost, and counted as such at the other end.
        sendto(leg.socket.as_raw_fd(), &packet, &remote, MsgFlags::MSG_DONTWAIT).ok();
    }
}
