//! The figures of one run: measured, told to a person, told to a table.

use std::collections::BTreeSet;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::clock::{SECOND, monotonic_ns, realtime_ns};
use crate::listen::{Verdict, judge};
use crate::process::{Usage, own_cpu_ms, usage};
use crate::pump::Pump;
use crate::voice::{Schedule, TICK_MS};

/// What a run found. One line of JSON each.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// What was run, e.g. `W1`.
    pub(crate) workload: String,
    /// What it was run against, e.g. `convoke`.
    pub(crate) server: String,
    /// Legs that were up when the window began; of so many.
    pub(crate) legs: usize,
    pub(crate) legs_wanted: usize,
    /// Length of the window \[s\].
    pub(crate) seconds: f64,
    /// User and system time of the server for a leg and a second \[ms\].
    pub(crate) server_cpu_ms_per_leg_s: f64,
    /// The same of this program.
    pub(crate) own_cpu_ms_per_leg_s: f64,
    /// Packets that came, of those that 50 a second for each leg would be \[1\].
    pub(crate) delivered: f64,
    /// Packets missing by sequence number.
    pub(crate) lost: u64,
    /// Legs that lost at least one.
    pub(crate) legs_with_loss: usize,
    /// The longest time without a packet on any leg, and on the median leg \[ms\].
    pub(crate) gap_max_ms: f64,
    pub(crate) gap_median_ms: f64,
    /// Interarrival jitter of all legs on average, and of the worst \[ms\].
    pub(crate) jitter_mean_ms: f64,
    pub(crate) jitter_max_ms: f64,
    /// Growth of the server's resident memory since before the calls, for each leg \[kB\].
    pub(crate) rss_kb_per_leg: f64,
    /// The server's threads.
    pub(crate) threads: u64,
    /// Voluntary context switches of the server's threads \[1/s\].
    pub(crate) switches_per_s: f64,
    /// Legs that an ear listened to, and those that heard exactly whom they should.
    pub(crate) ears: usize,
    pub(crate) ears_right: usize,
    /// Windows of 400 ms that the ears judged, and those that were wrong.
    pub(crate) windows: u64,
    pub(crate) windows_wrong: u64,
    /// Turns of this program that began more than 20 ms late: if there are many, the machine was
    /// too busy for the figures to mean much.
    pub(crate) own_late_turns: u64,
}

/// What is measured, and what it is called.
pub(crate) struct Subject {
    pub(crate) workload: String,
    pub(crate) server: String,
    pub(crate) pid: u32,
    /// The server as it was before the first call.
    pub(crate) before: Usage,
    pub(crate) legs: usize,
    pub(crate) legs_wanted: usize,
    pub(crate) schedule: Schedule,
}

/// What stands at the beginning of a window.
pub(crate) struct Window {
    subject: Subject,
    server: Usage,
    own_cpu_ms: f64,
    at_ns: u64,
    late: u64,
}

impl Window {
    /// Begins a window: all legs count from zero, those of the sample (room and place) keep what
    /// they hear.
    pub(crate) fn begin(
        subject: Subject,
        pump: &mut Pump,
        sample: &BTreeSet<(usize, usize)>,
    ) -> Result<Window> {
        for leg in &mut pump.legs {
            leg.hearing.begin();
            leg.captured = sample.contains(&(leg.room, leg.place)).then(Vec::new);
        }
        Ok(Window {
            server: usage(subject.pid)?,
            own_cpu_ms: own_cpu_ms()?,
            at_ns: monotonic_ns()?,
            late: pump.late,
            subject,
        })
    }

    /// Ends a window and adds up.
    pub(crate) fn end(self, pump: &mut Pump) -> Result<Figures> {
        let Subject { workload, server, pid, before, legs, legs_wanted, schedule } = self.subject;
        let now = usage(pid)?;
        let own_cpu_ms = own_cpu_ms()? - self.own_cpu_ms;
        let seconds = (monotonic_ns()? - self.at_ns) as f64 / SECOND as f64;
        let stamp_ns = realtime_ns()?;
        for leg in &mut pump.legs {
            leg.hearing.end(stamp_ns);
        }
        let verdicts = verdicts(pump, schedule)?;
        let leg_s = legs.max(1) as f64 * seconds;
        let packets_per_leg_s = f64::from(1_000 / TICK_MS);
        let hearings = || pump.legs.iter().map(|leg| &leg.hearing);
        let received: u64 = hearings().map(|hearing| hearing.received()).sum();
        let gaps = sorted(hearings().map(|hearing| hearing.gap_max_ms()));
        let jitters =
            sorted(pump.legs.iter().map(|leg| leg.hearing.jitter_ms(leg.codec.rtp_clock_hz())));
        Ok(Figures {
            workload,
            server,
            legs,
            legs_wanted,
            seconds,
            server_cpu_ms_per_leg_s: (now.cpu_ms - self.server.cpu_ms) as f64 / leg_s,
            own_cpu_ms_per_leg_s: own_cpu_ms / leg_s,
            delivered: received as f64 / (leg_s * packets_per_leg_s),
            lost: hearings().map(|hearing| hearing.lost()).sum(),
            legs_with_loss: hearings().filter(|hearing| hearing.lost() > 0).count(),
            gap_max_ms: gaps.last().copied().unwrap_or(0.0),
            gap_median_ms: gaps.get(gaps.len() / 2).copied().unwrap_or(0.0),
            jitter_mean_ms: jitters.iter().sum::<f64>() / jitters.len().max(1) as f64,
            jitter_max_ms: jitters.last().copied().unwrap_or(0.0),
            rss_kb_per_leg: now.rss_kb.saturating_sub(before.rss_kb) as f64 / legs.max(1) as f64,
            threads: now.threads,
            switches_per_s: now.switches.saturating_sub(self.server.switches) as f64 / seconds,
            ears: verdicts.len(),
            ears_right: verdicts.iter().filter(|verdict| verdict.right()).count(),
            windows: verdicts.iter().map(|verdict| verdict.judged).sum(),
            windows_wrong: verdicts.iter().map(|verdict| verdict.wrong).sum(),
            own_late_turns: pump.late - self.late,
        })
    }
}

#[expect(clippy::print_stderr, reason = "which leg was wrong is told beside the figures")]
fn verdicts(pump: &Pump, schedule: Schedule) -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    for leg in &pump.legs {
        let Some(verdict) = judge(leg, pump, schedule)? else { continue };
        if let Some((window, expected, heard)) = &verdict.first_wrong {
            eprintln!(
                "load: leg {} of room {} ({:?}, lost {}, gap {:.0} ms): {} of {} windows wrong; \
                 first window {window}: expected tones {expected:?}, heard {heard:?}",
                leg.place,
                leg.room,
                leg.codec,
                leg.hearing.lost(),
                leg.hearing.gap_max_ms(),
                verdict.wrong,
                verdict.judged,
            );
        }
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

impl Figures {
    /// One line for a person.
    pub(crate) fn line(&self) -> String {
        format!(
            "{} {}: {}/{} legs {:.1} s · {:.3} CPU-ms per leg-second (own {:.3}) · delivered \
             {:.2} %, lost {} on {} legs · gap {:.1} ms (median leg {:.1}) · jitter {:.2} ms \
             (worst {:.2}) · RSS {:.0} kB per leg · {} threads, {:.0} switches/s · ears {}/{} \
             right, windows {}/{} wrong · own late turns {}",
            self.server,
            self.workload,
            self.legs,
            self.legs_wanted,
            self.seconds,
            self.server_cpu_ms_per_leg_s,
            self.own_cpu_ms_per_leg_s,
            100.0 * self.delivered,
            self.lost,
            self.legs_with_loss,
            self.gap_max_ms,
            self.gap_median_ms,
            self.jitter_mean_ms,
            self.jitter_max_ms,
            self.rss_kb_per_leg,
            self.threads,
            self.switches_per_s,
            self.ears_right,
            self.ears,
            self.windows_wrong,
            self.windows,
            self.own_late_turns,
        )
    }
}
