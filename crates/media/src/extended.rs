//! What RTCP XR (RFC 3611) adds to a leg's reports: how we hear the far end, and its own word on
//! how it hears us.

use wire::rtcp::{ExtendedBlock, ExtendedBlocks, ExtendedReport, VoipMetrics, ntp_middle};

use crate::bursts::GAP_PACKETS_MIN;
use crate::control::{Coding, Control, Spoilt, elapsed_ntp};
use crate::limits::{DELAY_MS_MAX, TICK_MS};
use crate::link::Link;
use crate::quality::{delay_impairment, mos, rating};

/// What of a leg only its link knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listening {
    pub(crate) coding: Coding,
    pub(crate) spoilt: Spoilt,
    /// The jitter buffer's delay \[ms\].
    pub(crate) delay_ms: u16,
    /// The far end asked for metrics in SDP.
    pub(crate) asked: bool,
}

/// What the far end told by extended reports.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    /// It sends such reports, so it reads them.
    speaks: bool,
    /// Its time, to be told back: whose, its middle, and when it came \[µs\].
    time: Option<(u32, u32, u64)>,
    /// How it hears us.
    pub(crate) metrics: Option<VoipMetrics>,
}

impl Told {
    /// Takes in a report.
    pub(crate) fn take(
        &mut self,
        own_ssrc: u32,
        arrival_us: u64,
        (ssrc, blocks): (u32, ExtendedBlocks<'_>),
    ) {
        self.speaks = true;
        for block in blocks {
            match block {
                ExtendedBlock::VoipMetrics(metrics) if metrics.ssrc == own_ssrc => {
                    self.metrics = Some(metrics);
                }
                ExtendedBlock::ReceiverTime(time) => {
                    self.time = Some((ssrc, ntp_middle(time), arrival_us));
                }
                // We send reports of our own, by which the round trip is known.
                ExtendedBlock::VoipMetrics(_)
                | ExtendedBlock::SinceReceiverTime { .. }
                | ExtendedBlock::Other => {}
            }
        }
    }
}

impl Link {
    /// What its reports tell of it.
    pub(crate) fn listening(&self, coding: Coding) -> Listening {
        let delay_ms = self.playout.delay() / self.rate().per_ms() as i64;
        let asked = self.terms.voip_metrics;
        Listening { coding, spoilt: self.spoilt, delay_ms: delay_ms as u16, asked }
    }
}

impl Control {
    /// Writes how we hear the far end, if it wants to know; how long that is \[bytes\].
    pub(crate) fn write_extended(
        &self,
        now_us: u64,
        own_ssrc: u32,
        listening: Listening,
        out: &mut [u8],
    ) -> usize {
        if !listening.asked && !self.extended.speaks {
            return 0;
        }
        let since_receiver_time = self.extended.time.map(|(ssrc, middle, arrival_us)| {
            (ssrc, middle, ntp_middle(elapsed_ntp(now_us.saturating_sub(arrival_us))))
        });
        let metrics = self.metrics(listening);
        if metrics.is_none() && since_receiver_time.is_none() {
            return 0;
        }
        let report = ExtendedReport { ssrc: own_ssrc, metrics, since_receiver_time };
        report.write(out).unwrap_or(0)
    }

    fn metrics(&self, listening: Listening) -> Option<VoipMetrics> {
        let Listening { coding, spoilt, delay_ms, .. } = listening;
        let ssrc = self.reception.ssrc()?;
        let (bursts, packet) = self.reception.bursts()?;
        let count = self.reception.count();
        let of_256 = |packets: u64| (packets * 256 / count.expected.max(1)).min(255) as u8;
        let percent = (count.lost() + spoilt.late) as f64 * 100.0 / count.expected.max(1) as f64;
        let packet_ms = u64::from(packet) * 1_000 / u64::from(coding.heard_clock_hz.max(1));
        let in_ms = |packets: u64| u16::try_from(packets * packet_ms).unwrap_or(u16::MAX);
        let round_trip_ms = self.round_trip().map_or(0.0, |time| time.as_secs_f64() * 1_000.0);
        // What waits for the tick on top of what the buffer holds.
        let end_system_delay_ms = delay_ms.saturating_add(TICK_MS as u16);
        let listened = rating(coding.heard, coding.fec, percent.min(100.0));
        let one_way_ms = round_trip_ms / 2.0 + f64::from(end_system_delay_ms);
        let talked = listened - delay_impairment(one_way_ms);
        let tenths = |rating: f64| Some((mos(rating) * 10.0).round().clamp(10.0, 50.0) as u8);
        Some(VoipMetrics {
            ssrc,
            loss_rate: of_256(count.lost()),
            discard_rate: of_256(spoilt.late),
            burst_density: bursts.burst_density,
            gap_density: bursts.gap_density,
            burst_duration_ms: in_ms(bursts.burst_packets),
            gap_duration_ms: in_ms(bursts.gap_packets),
            round_trip_ms: round_trip_ms as u16,
            end_system_delay_ms,
            gap_packets_min: GAP_PACKETS_MIN as u8,
            r_factor: Some(talked.round().clamp(0.0, 100.0) as u8),
            mos_listening: tenths(listened),
            mos_conversation: tenths(talked),
            buffer_nominal_ms: delay_ms,
            buffer_max_ms: DELAY_MS_MAX as u16,
        })
    }
}
