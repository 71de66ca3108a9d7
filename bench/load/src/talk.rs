//! Takes over sockets: some at once, each in a room of its own, at any server here.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use audio::Codec;

use crate::calls::Calls;
use crate::clock::{MS, SECOND, monotonic_ns, realtime_ns, sleep_until};
use crate::datagram::{Batch, allow_descriptors};
use crate::leg::Leg;
use crate::limits::LEGS_MAX;
use crate::takes::{Heard, Take, length_ms};
use crate::voice::{Loops, Schedule};

/// From one call to the next: so many in a second.
const CALLS_PER_SECOND: u64 = 50;
/// From the last answer to the first word, and from the last word to the goodbye \[ns\].
const SETTLE_NS: u64 = 2 * SECOND;
/// How often a leg listens, and a listener speaks its silence \[ms\].
const TICK_MS: u64 = 20;

/// What the listeners hear.
///
/// # Errors
/// What sockets say, and if a call does not come up.
pub(crate) fn over_sockets(
    server: SocketAddr,
    room_prefix: &str,
    takes: &[Take],
) -> Result<Vec<Vec<Heard>>> {
    ensure!(server.ip().is_loopback(), "only servers on this machine are measured");
    ensure!(2 * takes.len() <= LEGS_MAX, "at most {LEGS_MAX} legs");
    allow_descriptors(2 * takes.len())?;
    let mut loops = Loops::new(Schedule { talkers: 0, turns: false });
    let mut legs = Vec::new();
    for room in 0..takes.len() {
        for place in 0..2 {
            let silence = loops.of(Codec::Pcmu, room, place)?;
            let mut leg = Leg::new(room, place, Codec::Pcmu, silence)?;
            leg.captured = (place == 1).then(Vec::new);
            legs.push(leg);
        }
    }
    let calls = Calls::new(server, room_prefix, CALLS_PER_SECOND, &legs)?;
    let mut floor = Rooms { legs, calls, batch: Batch::new(), turn: 0, began_ns: monotonic_ns()? };
    while !floor.calls.settled() {
        floor.turn()?;
    }
    ensure!(
        floor.calls.up() == floor.legs.len(),
        "{} of {} calls came up: {:?}",
        floor.calls.up(),
        floor.legs.len(),
        floor.calls.failures
    );
    floor.wait(SETTLE_NS)?;
    // From here on listeners keep what they hear.
    for leg in &mut floor.legs {
        leg.captured.iter_mut().for_each(Vec::clear);
    }
    let began_ns = realtime_ns()? + floor.now_ns().saturating_sub(monotonic_ns()?);
    floor.speak(takes)?;
    floor.wait(SETTLE_NS)?;
    floor.calls.hang_up();
    let heard = floor.legs.iter().filter_map(|leg| leg.captured.as_ref());
    let heard = heard.map(|captured| {
        let mut heard: Vec<Heard> =
            captured.iter().map(|packet| Heard::from((packet, began_ns))).collect();
        heard.sort_by_key(|packet| packet.sequence);
        heard.dedup_by_key(|packet| packet.sequence);
        heard
    });
    let heard = heard.collect();
    for _ in 0..3 * SECOND / MS {
        if floor.calls.over() {
            break;
        }
        floor.turn()?;
    }
    Ok(heard)
}

/// All legs, millisecond by millisecond.
struct Rooms {
    legs: Vec<Leg>,
    calls: Calls,
    batch: Batch,
    turn: u64,
    began_ns: u64,
}

impl Rooms {
    /// When the next turn is due.
    fn now_ns(&self) -> u64 {
        self.began_ns + self.turn * MS
    }

    /// Waits for the next millisecond; a twentieth of the legs hears, and listeners speak silence.
    fn turn(&mut self) -> Result<()> {
        let due_ns = self.now_ns();
        if monotonic_ns()? < due_ns {
            sleep_until(due_ns)?;
        }
        let (tick, first) = (self.turn / TICK_MS, (self.turn % TICK_MS) as usize);
        for leg in self.legs.iter_mut().skip(first).step_by(TICK_MS as usize) {
            leg.hear(&mut self.batch)?;
            if leg.captured.is_some() {
                leg.speak(tick);
            }
        }
        self.calls.turn(monotonic_ns()?, &mut self.legs)?;
        self.turn += 1;
        Ok(())
    }

    fn wait(&mut self, length_ns: u64) -> Result<()> {
        (0..length_ns / MS).try_for_each(|_| self.turn())
    }

    /// Lets all talkers say what is planned. Rooms begin at other milliseconds, so that a server's
    /// tick does not favour anybody.
    fn speak(&mut self, takes: &[Take]) -> Result<()> {
        let mut next = vec![0; takes.len()];
        for now_ms in 0..length_ms(takes) + TICK_MS {
            self.turn()?;
            for (room, take) in takes.iter().enumerate() {
                while let Some(packet) = take.packets.get(next[room])
                    && packet.at_us <= now_ms * 1_000
                {
                    self.legs[2 * room].utter(&packet.bytes);
                    next[room] += 1;
                }
            }
        }
        Ok(())
    }
}
