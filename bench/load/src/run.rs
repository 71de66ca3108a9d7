//! One run from the first call to the last goodbye.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use audio::Codec;

use crate::calls::Calls;
use crate::clock::{MS, SECOND, monotonic_ns};
use crate::datagram::allow_descriptors;
use crate::figures::{Figures, Subject, Window};
use crate::floor::{Floor, Io};
use crate::leg::Leg;
use crate::limits::LEGS_MAX;
use crate::listen::sample;
use crate::process::usage;
use crate::pump::Pump;
use crate::table;
use crate::voice::{Loops, Schedule};
use crate::{FloorRun, Load};

/// From the last answer to the window: jitter buffers, caches and voice detection settle \[ns\].
const WARM_UP_NS: u64 = 3 * SECOND;

/// How often signalling is looked at \[ms\]: short beside the pace of calls.
const SIGNALLING_MS: u64 = 5;

/// How long the server may take to say goodbye to everybody, beyond the pace \[ns\].
const GOODBYE_NS: u64 = 10 * SECOND;

/// Measures a SIP server.
pub(crate) fn load(load: &Load) -> Result<Figures> {
    let wanted = load.rooms * load.legs;
    ensure!((1..=LEGS_MAX).contains(&wanted), "1 to {LEGS_MAX} legs");
    ensure!(load.talkers <= load.legs, "more talkers than legs");
    ensure!(load.server.ip().is_loopback(), "only servers on this machine are measured");
    let pid = load.pid.context("say the server's --pid")?;
    allow_descriptors(wanted)?;
    let schedule = Schedule { talkers: load.talkers, turns: load.turns && load.talkers > 0 };
    let mut loops = Loops::new(schedule);
    let mut legs = Vec::with_capacity(wanted);
    for room in 0..load.rooms {
        for place in 0..load.legs {
            let codec = load.codec.of(place);
            legs.push(Leg::new(room, place, codec, loops.of(codec, room, place)?)?);
        }
    }
    let before = usage(pid)?;
    let mut calls = Calls::new(load.server, &load.room_prefix, load.pace, &legs)?;
    let mut pump = Pump::new(legs)?;
    while !calls.settled() {
        turn(&mut pump, &mut calls)?;
    }
    ensure!(calls.up() > 0, "no call came up: {:?}", calls.failures);
    for_ns(WARM_UP_NS, || turn(&mut pump, &mut calls))?;

    let subject = Subject {
        workload: load.window.workload.clone(),
        server: load.window.name.clone().unwrap_or_else(|| load.server.to_string()),
        pid,
        before,
        legs: calls.up(),
        legs_wanted: wanted,
        schedule,
    };
    let ears = sample(load.rooms, load.legs, load.talkers);
    let window = Window::begin(subject, &mut pump, &ears)?;
    for_ns(load.window.seconds * SECOND, || turn(&mut pump, &mut calls))?;
    let figures = window.end(&mut pump)?;

    calls.hang_up();
    let patience_ns = GOODBYE_NS + wanted as u64 * SECOND / load.pace.max(1);
    let end_ns = pump.elapsed_ns() + patience_ns;
    while !calls.over() && pump.elapsed_ns() < end_ns {
        turn(&mut pump, &mut calls)?;
    }
    tell(&calls);
    Ok(figures)
}

/// Measures the floor.
pub(crate) fn floor(run: &FloorRun) -> Result<Figures> {
    ensure!((1..=LEGS_MAX).contains(&run.legs), "1 to {LEGS_MAX} legs");
    allow_descriptors(run.legs)?;
    let schedule = Schedule { talkers: 0, turns: false };
    let mut loops = Loops::new(schedule);
    let mut legs = Vec::with_capacity(run.legs);
    for place in 0..run.legs {
        legs.push(Leg::new(0, place, Codec::Pcmu, loops.of(Codec::Pcmu, 0, place)?)?);
    }
    let floor = Floor::start(run.legs, run.io)?;
    for (leg, remote) in legs.iter_mut().zip(&floor.addresses) {
        leg.connect(*remote, 0, 0)?;
    }
    let before = usage(floor.pid())?;
    let mut pump = Pump::new(legs)?;
    for_ns(WARM_UP_NS, || pump.turn())?;
    let name = match run.io {
        Io::IoUring => table::FLOOR.to_owned(),
        Io::Epoll => format!("{} (epoll)", table::FLOOR),
    };
    let subject = Subject {
        workload: run.window.workload.clone(),
        server: run.window.name.clone().unwrap_or(name),
        pid: floor.pid(),
        before,
        legs: run.legs,
        legs_wanted: run.legs,
        schedule,
    };
    let window = Window::begin(subject, &mut pump, &BTreeSet::new())?;
    for_ns(run.window.seconds * SECOND, || pump.turn())?;
    window.end(&mut pump)
}

/// One millisecond of audio; of signalling, which costs a system call to look at, every few.
fn turn(pump: &mut Pump, calls: &mut Calls) -> Result<()> {
    pump.turn()?;
    if (pump.elapsed_ns() / MS).is_multiple_of(SIGNALLING_MS) {
        calls.turn(monotonic_ns()?, &mut pump.legs)?;
    }
    Ok(())
}

/// Goes on for so long by the clock, even if turns come late.
fn for_ns(length_ns: u64, mut turn: impl FnMut() -> Result<()>) -> Result<()> {
    let end_ns = monotonic_ns()? + length_ns;
    while monotonic_ns()? < end_ns {
        turn()?;
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "what went wrong is told beside the figures")]
fn tell(calls: &Calls) {
    for (why, count) in &calls.failures {
        eprintln!("load: {count} calls failed: {why}");
    }
}
