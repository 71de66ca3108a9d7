//! The beat: every leg speaks and hears once in 20 ms, a twentieth of them each millisecond.

use anyhow::Result;

use crate::clock::{MS, monotonic_ns, realtime_ns, sleep_until};
use crate::datagram::Batch;
use crate::leg::Leg;

/// Turns in a tick: one each millisecond, so that what the server gets is spread evenly.
const PHASES: u64 = 20;

/// A turn that begins so much later than it should is counted \[ns\]: one packet time, what a
/// jitter buffer of one packet would notice.
const LATE_NS: u64 = 20 * MS;

/// All legs and their clock.
pub(crate) struct Pump {
    /// The legs, all rooms one after the other.
    pub(crate) legs: Vec<Leg>,
    /// Packets that the legs sent.
    pub(crate) sent: u64,
    /// Turns that began late.
    pub(crate) late: u64,
    batch: Batch,
    began_ns: u64,
    began_realtime_ns: u64,
    turn: u64,
}

impl Pump {
    pub(crate) fn new(legs: Vec<Leg>) -> Result<Pump> {
        Ok(Pump {
            legs,
            sent: 0,
            late: 0,
            batch: Batch::new(),
            began_ns: monotonic_ns()?,
            began_realtime_ns: realtime_ns()?,
            turn: 0,
        })
    }

    /// Waits for the next millisecond, and lets those legs speak and hear whose turn it is. Turns
    /// that come late follow each other without waiting; none is left out.
    pub(crate) fn turn(&mut self) -> Result<()> {
        let due_ns = self.began_ns + self.turn * MS;
        let now_ns = monotonic_ns()?;
        if now_ns < due_ns {
            sleep_until(due_ns)?;
        } else if now_ns - due_ns > LATE_NS {
            self.late += 1;
        }
        let tick = self.turn / PHASES;
        let first = (self.turn % PHASES) as usize;
        for leg in self.legs.iter_mut().skip(first).step_by(PHASES as usize) {
            leg.hear(&mut self.batch)?;
            self.sent += u64::from(leg.speak(tick));
        }
        self.turn += 1;
        Ok(())
    }

    /// Time since the first turn \[ns\].
    pub(crate) fn elapsed_ns(&self) -> u64 {
        self.turn * MS
    }

    /// The tick at a time of the kernel's stamps.
    pub(crate) fn tick_at(&self, realtime_ns: u64) -> u64 {
        realtime_ns.saturating_sub(self.began_realtime_ns) / MS / PHASES
    }
}
