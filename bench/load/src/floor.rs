//! The floor: a bare server that receives every packet and sends one for each leg in 20 ms, and
//! does nothing else. It is made of the worker's own I/O, so that no server can cost less by it.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use wire::rtp::{HEADER_BYTES, Header, write_header};
use worker::floor::{Floor as Bare, PACKET_BYTES};

use crate::limits::LEGS_MAX;

/// Digital silence of 20 ms in G.711.
const PAYLOAD: [u8; PACKET_BYTES - HEADER_BYTES] = [0xff; PACKET_BYTES - HEADER_BYTES];

/// How the floor moves packets: as our worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Io {
    /// By io_uring.
    #[value(name = "io_uring")]
    IoUring,
    /// By epoll, recvmmsg and sendto.
    Epoll,
}

impl Io {
    fn name(self) -> &'static str {
        match self {
            Io::IoUring => "io_uring",
            Io::Epoll => "epoll",
        }
    }
}

impl From<Io> for worker::Io {
    fn from(io: Io) -> worker::Io {
        match io {
            Io::IoUring => worker::Io::IoUring,
            Io::Epoll => worker::Io::Epoll,
        }
    }
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
        let mut child = Command::new(std::env::current_exe()?)
            .args(["floor-server", "--legs", &legs.to_string(), "--io", io.name()])
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

/// Is the floor: tells its ports in one line, then moves packets until it is killed.
pub(crate) fn serve(legs: usize, io: Io) -> Result<()> {
    anyhow::ensure!((1..=LEGS_MAX).contains(&legs), "1 to {LEGS_MAX} legs");
    let (floor, addresses) = Bare::bind(Ipv4Addr::LOCALHOST.into(), legs, io.into())?;
    anyhow::ensure!(floor.io() == io.name(), "there is only {} here", floor.io());
    let mut ports = String::new();
    for address in addresses {
        ports.push_str(&format!("{} ", address.port()));
    }
    writeln!(std::io::stdout(), "{ports}")?;
    std::io::stdout().flush()?;
    floor.run(write_packet);
    Ok(())
}

/// The packet of one tick for one leg.
fn write_packet(tick: u64, leg: usize, packet: &mut [u8; PACKET_BYTES]) {
    let header = Header {
        payload_type: 0,
        marker: false,
        // Both counters wrap; their low bits are the packet's.
        sequence: tick as u16,
        timestamp: (tick as u32).wrapping_mul(PAYLOAD.len() as u32),
        ssrc: leg as u32,
    };
    packet[HEADER_BYTES..].copy_from_slice(&PAYLOAD);
    write_header(packet, &header);
}
