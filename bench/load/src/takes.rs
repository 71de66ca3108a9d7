//! Sentences over bad lines into rooms of two, and what the other one hears of them: over sockets
//! from any server, or in virtual time from our mixer alone.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use audio::{Codec, Decoder};
use clap::Args;
use serde::Serialize;

use crate::impair::{LINES, Line, Planned, plan};
use crate::leg::Captured;
use crate::limits::CONCEALED_MAX;
use crate::rehearsal;
use crate::speech::{PER_MS, Script, packet_samples, write_wav};
use crate::talk;

/// Where the listener's packets are short of a beep \[samples\]: quiet before it.
const QUIET_BEFORE: usize = 100 * PER_MS;
/// Loud, and quiet, for a beep's edge.
const EDGE: (u16, u16) = (3_000, 1_500);
/// A beep is heard within this of being said, or not at all \[ms\].
const HEARD_WITHIN_MS: f64 = 450.0;

/// Sends sentences over bad lines through a server and keeps what is heard, for bench/quality
#[derive(Args)]
pub(crate) struct Takes {
    /// Where the server listens for SIP over UDP; without it, our mixer in virtual time
    #[arg(long, value_name = "ADDR")]
    pub(crate) server: Option<SocketAddr>,
    /// Rooms are called this and a number
    #[arg(long, default_value = "room-")]
    pub(crate) room_prefix: String,
    /// How often each voice goes over each line, with other luck each time
    #[arg(long, default_value_t = 1)]
    times: u64,
    /// Rooms of two that talk at the same time: few enough that no server is short of time
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..))]
    at_once: u16,
    /// Only lines whose names hold this
    #[arg(long, default_value = "")]
    only: String,
    /// Where WAV files and `takes.jsonl` go
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// The sentences: WAV, 16 bits, mono, 16 kHz
    #[arg(required = true)]
    voices: Vec<PathBuf>,
}

/// One sentence over one line.
pub(crate) struct Take {
    line: &'static Line,
    voice: usize,
    script: Rc<Script>,
    /// The talker's packets.
    pub(crate) packets: Vec<Planned>,
}

/// A packet that the listener got.
pub(crate) struct Heard {
    /// Its place in the stream.
    pub(crate) sequence: u64,
    /// When it came, from the take's beginning \[ms\].
    pub(crate) at_ms: f64,
    /// What it holds: PCMU.
    pub(crate) payload: Vec<u8>,
}

/// What the scorer is told of a take.
#[derive(Serialize)]
struct Told<'a> {
    line: &'a str,
    reference: &'a Path,
    heard: &'a Path,
    /// Where in what was heard the sentence should begin, by the beeps' delay \[samples\].
    sentence: usize,
    /// What the server added, by each beep before the sentence, and after it \[ms\].
    delays_before_ms: &'a [f64],
    delays_after_ms: &'a [f64],
    /// The longest gap between packets \[ms\].
    gap_ms: f64,
}

/// Runs all takes.
///
/// # Errors
/// What files, sockets or the server say.
pub(crate) fn run(takes: &Takes) -> Result<String> {
    fs::create_dir_all(&takes.out).context("no folder for what is heard")?;
    let is_asked = |line: &&Line| {
        line.name.contains(&takes.only) && (takes.server.is_none() || line.after_min == 0)
    };
    let mut planned = Vec::new();
    for line in LINES.iter().filter(is_asked) {
        for (voice, path) in takes.voices.iter().enumerate() {
            let script = Rc::new(Script::read(path, line.after_min)?);
            for time in 0..takes.times {
                let packets = plan(line, &script, time * 100 + voice as u64 + 1);
                planned.push(Take { line, voice, script: Rc::clone(&script), packets });
            }
        }
    }
    ensure!(!planned.is_empty(), "no line has a name with {:?} in it", takes.only);
    let heard = match takes.server {
        Some(server) => in_batches(server, takes, &planned)?,
        None => rehearsal::in_virtual_time(&planned)?,
    };
    let mut lines = String::new();
    for (number, (take, heard)) in planned.iter().zip(&heard).enumerate() {
        lines.push_str(&keep(takes, number, take, heard)?);
        lines.push('\n');
    }
    fs::write(takes.out.join("takes.jsonl"), lines)?;
    Ok(format!("{} takes in {}\n", planned.len(), takes.out.display()))
}

/// What is heard of all takes, some at a time; each batch in rooms that nobody was in before.
fn in_batches(server: SocketAddr, takes: &Takes, planned: &[Take]) -> Result<Vec<Vec<Heard>>> {
    let mut heard = Vec::new();
    for (batch, part) in planned.chunks(takes.at_once.into()).enumerate() {
        let room_prefix = format!("{}{batch}-", takes.room_prefix);
        heard.extend(talk::over_sockets(server, &room_prefix, part)?);
    }
    Ok(heard)
}

/// Writes what was heard of a take, and tells of it.
fn keep(takes: &Takes, number: usize, take: &Take, heard: &[Heard]) -> Result<String> {
    let (line, script) = (take.line, &*take.script);
    let reference = takes.out.join(format!("said-{}.wav", take.voice));
    write_wav(&reference, script.reference())?;
    let (pcm, times) = decode(heard)?;
    let path = takes.out.join(format!("heard-{number:03}.wav"));
    write_wav(&path, &pcm)?;
    let delays = delays_ms(&pcm, &times, script, line);
    let half = script.beeps.len() / 2;
    let before: Vec<f64> = delays[..half].iter().flatten().copied().collect();
    let after: Vec<f64> = delays[half..].iter().flatten().copied().collect();
    // Which sample was heard when the sentence began, were there no delay.
    let began_ms = line.sent_ms((script.sentence / PER_MS) as f64);
    let began_ms = began_ms + before.last().copied().unwrap_or(0.0);
    let sentence = times.iter().position(|at_ms| at_ms + 20.0 > began_ms).unwrap_or(0);
    let gaps = heard.windows(2).map(|pair| pair[1].at_ms - pair[0].at_ms);
    Ok(serde_json::to_string(&Told {
        line: line.name,
        reference: &reference,
        heard: &path,
        sentence: sentence * packet_samples(20),
        delays_before_ms: &before,
        delays_after_ms: &after,
        gap_ms: gaps.fold(0.0, f64::max),
    })?)
}

/// What a plain phone plays, and when each 20 ms of it came \[ms\].
fn decode(heard: &[Heard]) -> Result<(Vec<i16>, Vec<f64>)> {
    let mut decoder = Decoder::new(Codec::Pcmu)?;
    let (mut pcm, mut times) = (Vec::new(), Vec::new());
    let mut next: Option<u64> = None;
    let frame = packet_samples(20);
    for packet in heard.iter().filter(|packet| packet.payload.len() == frame) {
        let missing = next.map_or(0, |next| packet.sequence.saturating_sub(next));
        for back in (1..=missing.min(CONCEALED_MAX)).rev() {
            let mut gap = vec![0; frame];
            decoder.conceal(&mut gap);
            pcm.extend_from_slice(&gap);
            times.push(packet.at_ms - 20.0 * back as f64);
        }
        next = Some(packet.sequence + 1);
        let mut sound = vec![0; frame];
        decoder.decode(&packet.payload, &mut sound)?;
        pcm.extend_from_slice(&sound);
        times.push(packet.at_ms);
    }
    Ok((pcm, times))
}

/// From each beep said to the same beep heard \[ms\]; both packets count from their first sample.
fn delays_ms(pcm: &[i16], times: &[f64], script: &Script, line: &Line) -> Vec<Option<f64>> {
    let frame = packet_samples(20);
    let mut onsets = Vec::new();
    let mut quiet = QUIET_BEFORE;
    for (at, sample) in pcm.iter().enumerate() {
        let loudness = sample.unsigned_abs();
        if loudness > EDGE.0 && quiet >= QUIET_BEFORE {
            let into_ms = (at % frame) as f64 / PER_MS as f64;
            onsets.extend(times.get(at / frame).map(|at_ms| at_ms + into_ms));
        }
        quiet = if loudness > EDGE.1 { 0 } else { quiet + 1 };
    }
    let delay = |beep: &usize| {
        // The edge is loud enough two samples after the beep begins.
        let said_ms = line.sent_ms(*beep as f64 / PER_MS as f64);
        let mut delays = onsets.iter().map(|heard_ms| heard_ms - said_ms);
        delays.find(|delay| (0.0..HEARD_WITHIN_MS).contains(delay))
    };
    script.beeps.iter().map(delay).collect()
}

impl From<(&Captured, u64)> for Heard {
    /// What a leg captured, in a take that began at that time of the kernel's stamps \[ns\].
    fn from((captured, began_ns): (&Captured, u64)) -> Heard {
        Heard {
            sequence: captured.sequence,
            at_ms: (captured.at_ns as f64 - began_ns as f64) / 1e6,
            payload: captured.payload.clone(),
        }
    }
}

/// How long the longest take is \[ms\].
pub(crate) fn length_ms(takes: &[Take]) -> u64 {
    let last_us = takes.iter().filter_map(|take| take.packets.last()).map(|packet| packet.at_us);
    last_us.max().unwrap_or(0) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_of_a_beep_is_from_its_first_sample_to_when_that_is_heard() {
        let beep = [vec![0; 2_000], vec![9_000; 80], vec![0; 2_000]].concat();
        let script =
            Script { pcm: beep.clone(), beeps: vec![2_000], sentence: 0, sentence_length: 0 };
        // The listener hears it all 60 samples later in packets that come 35 ms late.
        let heard = [vec![0; 60], beep].concat();
        let times: Vec<f64> = (0..30).map(|packet| f64::from(packet * 20 + 35)).collect();
        assert_eq!(delays_ms(&heard, &times, &script, &LINES[0]), [Some(35.0 + 7.5)]);
    }
}
