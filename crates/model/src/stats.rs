//! Counters, as values: each room counts for itself, the page for Prometheus adds up.

use std::collections::BTreeMap;

use crate::{OneWay, Quality, TrunkView};

/// Upper bounds of the tick-time histogram's buckets \[µs\]; one more bucket holds the rest.
pub const TICK_US_BOUNDS: [u64; 12] =
    [50, 100, 250, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 50_000, 100_000];

/// What media counted since its start. All threads' counters add up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MediaStats {
    /// RTP packets received for a leg.
    pub packets_in: u64,
    /// RTP packets sent.
    pub packets_out: u64,
    /// Packets that never came, known by a gap in the sequence.
    pub packets_lost: u64,
    /// Packets that came after their time had passed.
    pub packets_late: u64,
    /// Packets that came twice.
    pub packets_duplicate: u64,
    /// Datagrams from a source that is not the leg's, or that are not RTP.
    pub packets_refused: u64,
    /// Packets of SRTP and SRTCP from a leg's source that were not made with its key.
    pub packets_unauthentic: u64,
    /// Frames made up where a packet was missing.
    pub frames_concealed: u64,
    /// Payloads decoded.
    pub decodes: u64,
    /// Payloads encoded.
    pub encodes: u64,
    /// Packets that carried a payload encoded for somebody else too.
    pub encodes_shared: u64,
    /// Ticks rendered.
    pub ticks: u64,
    /// Ticks that began more than 5 ms late.
    pub ticks_late: u64,
    /// Time spent in ticks, by [`TICK_US_BOUNDS`]; not cumulative.
    pub tick_us_buckets: [u64; TICK_US_BOUNDS.len() + 1],
    /// Time spent in ticks, all together \[µs\].
    pub tick_us_sum: u64,
    /// Ports open.
    pub ports_open: u64,
    /// Tap frames that found the vault's ring full.
    pub tap_frames_lost: u64,
    /// Sends that the kernel refused.
    pub send_errors: u64,
    /// Keys that were to be pressed at a leg and found no room, or no far end that takes sound.
    pub keys_dropped: u64,
    /// RTCP datagrams taken from a leg's far end.
    pub rtcp_packets_in: u64,
    /// RTCP datagrams sent.
    pub rtcp_packets_out: u64,
    /// Bugs of ours that ended a conference, or a leg.
    pub panics: u64,
}

impl MediaStats {
    /// Adds another thread's counters.
    pub fn add(&mut self, other: &MediaStats) {
        self.packets_in += other.packets_in;
        self.packets_out += other.packets_out;
        self.packets_lost += other.packets_lost;
        self.packets_late += other.packets_late;
        self.packets_duplicate += other.packets_duplicate;
        self.packets_refused += other.packets_refused;
        self.packets_unauthentic += other.packets_unauthentic;
        self.frames_concealed += other.frames_concealed;
        self.decodes += other.decodes;
        self.encodes += other.encodes;
        self.encodes_shared += other.encodes_shared;
        self.ticks += other.ticks;
        self.ticks_late += other.ticks_late;
        for (mine, theirs) in self.tick_us_buckets.iter_mut().zip(&other.tick_us_buckets) {
            *mine += theirs;
        }
        self.tick_us_sum += other.tick_us_sum;
        self.ports_open += other.ports_open;
        self.tap_frames_lost += other.tap_frames_lost;
        self.send_errors += other.send_errors;
        self.keys_dropped += other.keys_dropped;
        self.rtcp_packets_in += other.rtcp_packets_in;
        self.rtcp_packets_out += other.rtcp_packets_out;
        self.panics += other.panics;
    }
}

/// Upper bounds of the jitter histogram's buckets \[µs\].
pub const JITTER_US_BOUNDS: [u64; HISTOGRAM_BOUNDS] =
    [500, 1_000, 2_000, 5_000, 10_000, 20_000, 40_000, 80_000, 200_000];

/// Upper bounds of the buckets of mean opinion scores \[1/100\].
pub const MOS_BOUNDS: [u64; HISTOGRAM_BOUNDS] = [150, 200, 250, 310, 340, 360, 403, 420, 440];

/// Upper bounds of the round-trip histogram's buckets \[µs\].
pub const ROUND_TRIP_US_BOUNDS: [u64; HISTOGRAM_BOUNDS] =
    [1_000, 5_000, 20_000, 50_000, 100_000, 200_000, 300_000, 500_000, 1_000_000];

/// Bounds of a [`Histogram`]; one more bucket holds the rest.
pub const HISTOGRAM_BOUNDS: usize = 9;

/// Values by size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many values each bucket holds; not cumulative.
    pub buckets: [u64; HISTOGRAM_BOUNDS + 1],
    /// All values together.
    pub sum: u64,
}

impl Histogram {
    /// Counts a value by the bounds of its kind.
    pub fn count(&mut self, bounds: &[u64; HISTOGRAM_BOUNDS], value: u64) {
        self.buckets[bounds.partition_point(|bound| *bound < value)] += 1;
        self.sum += value;
    }
}

/// How calls were whenever they were measured, every 5 s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QualityStats {
    /// Interarrival jitter of what parties sent, by [`JITTER_US_BOUNDS`] \[µs\].
    pub jitter_us: Histogram,
    /// Scores of what parties sent, by [`MOS_BOUNDS`] \[1/100\].
    pub mos_in: Histogram,
    /// Scores of what parties were sent, as far as they told, by [`MOS_BOUNDS`] \[1/100\].
    pub mos_out: Histogram,
    /// Round trips, as far as parties told, by [`ROUND_TRIP_US_BOUNDS`] \[µs\].
    pub round_trip_us: Histogram,
}

impl QualityStats {
    /// Takes in one measurement.
    pub fn count(&mut self, quality: &Quality) {
        // Scores and times are small and never negative; a cast of a float saturates.
        let in_us = |ms: f64| (ms * 1_000.0).round() as u64;
        let in_hundredths = |mos: f64| (mos * 100.0).round() as u64;
        if let Some(mos) = quality.mos {
            self.jitter_us.count(&JITTER_US_BOUNDS, in_us(quality.jitter_ms));
            self.mos_in.count(&MOS_BOUNDS, in_hundredths(mos));
        }
        if let Some(far) = quality.far {
            self.mos_out.count(&MOS_BOUNDS, in_hundredths(far.mos));
        }
        if let Some(round_trip_ms) = quality.round_trip_ms {
            self.round_trip_us.count(&ROUND_TRIP_US_BOUNDS, in_us(round_trip_ms));
        }
    }
}

/// What signalling counted since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignalStats {
    /// SIP requests answered or sent, by method and final status.
    pub requests: BTreeMap<(String, u16), u64>,
    /// SIP messages that could not be read.
    pub malformed: u64,
    /// Calls by how they began and ended: (direction, result).
    pub calls: BTreeMap<(&'static str, &'static str), u64>,
    /// Sessions alive.
    pub sessions: u64,
    /// Transactions alive.
    pub transactions: u64,
    /// How often each limit of signalling was reached, by its name; all that there are.
    pub limits: BTreeMap<&'static str, u64>,
    /// SIP requests that were turned away before anything was kept of them, by reason.
    pub turned_away: BTreeMap<&'static str, u64>,
    /// Commands refused, by [`Refusal::code`](crate::Refusal::code).
    pub refusals: BTreeMap<&'static str, u64>,
    /// Commands whose author lacked the right: (action, [`Refusal::code`](crate::Refusal::code)).
    pub denials: BTreeMap<(&'static str, &'static str), u64>,
    /// How calls were.
    pub quality: QualityStats,
    /// Times that audio was found to run one way only.
    pub one_way: BTreeMap<OneWay, u64>,
    /// Bugs of ours that ended what they were about.
    pub panics: u64,
    /// Times that a user had a country called for the first time.
    pub new_countries: u64,
    /// Calls to emergency numbers.
    pub emergency_calls: u64,
    /// The trunks, by name.
    pub trunks: Vec<TrunkView>,
}
