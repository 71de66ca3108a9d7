//! What comes to a leg, counted: packets, loss, gaps, jitter.

use wire::rtp::{Extended, Extender, Placed, Rtp};

use crate::clock::SECOND;

/// The counts of one leg's stream over one window.
#[derive(Default)]
pub(crate) struct Hearing {
    ssrc: Option<u32>,
    extender: Extender,
    /// The first and the highest sequence number of the window.
    span: Option<(u64, u64)>,
    received: u64,
    /// Packets of this SSRC, for its losses.
    received_of_source: u64,
    lost_of_earlier_sources: u64,
    last_arrival_ns: Option<u64>,
    gap_max_ns: u64,
    /// Arrival less timestamp of the last packet \[timestamp units\].
    transit: Option<f64>,
    /// RFC 3550 section 6.4.1 \[timestamp units\].
    jitter: f64,
}

impl Hearing {
    /// Begins a window: all counts at zero, in the middle of the same stream.
    pub(crate) fn begin(&mut self) {
        *self = Hearing {
            ssrc: self.ssrc,
            extender: std::mem::take(&mut self.extender),
            last_arrival_ns: self.last_arrival_ns,
            ..Hearing::default()
        };
    }

    /// Counts a packet, and tells its place in the stream if it has one.
    pub(crate) fn packet(&mut self, at_ns: u64, rtp: &Rtp<'_>, clock_hz: u32) -> Option<Extended> {
        if self.ssrc != Some(rtp.ssrc) {
            self.lost_of_earlier_sources = self.lost();
            self.ssrc = Some(rtp.ssrc);
            self.extender = Extender::new();
            self.span = None;
            self.received_of_source = 0;
            self.transit = None;
        }
        let place = match self.extender.place(rtp.sequence, rtp.timestamp) {
            Placed::Stream(place) | Placed::Restart(place) => place,
            Placed::Suspect => return None,
        };
        let (first, highest) = self.span.unwrap_or((place.sequence, place.sequence));
        self.span = Some((first.min(place.sequence), highest.max(place.sequence)));
        self.received += 1;
        self.received_of_source += 1;
        if let Some(last) = self.last_arrival_ns {
            self.gap_max_ns = self.gap_max_ns.max(at_ns.saturating_sub(last));
        }
        self.last_arrival_ns = Some(at_ns);
        let arrival = at_ns as f64 * f64::from(clock_hz) / SECOND as f64;
        let transit = arrival - place.timestamp as f64;
        if let Some(last) = self.transit {
            self.jitter += ((transit - last).abs() - self.jitter) / 16.0;
        }
        self.transit = Some(transit);
        Some(place)
    }

    /// Ends a window: silence up to here is a gap too.
    pub(crate) fn end(&mut self, at_ns: u64) {
        if let Some(last) = self.last_arrival_ns {
            self.gap_max_ns = self.gap_max_ns.max(at_ns.saturating_sub(last));
        }
    }

    /// Packets that came.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Packets that are missing between the first and the last that came.
    pub(crate) fn lost(&self) -> u64 {
        let expected = self.span.map_or(0, |(first, highest)| highest - first + 1);
        self.lost_of_earlier_sources + expected.saturating_sub(self.received_of_source)
    }

    /// The longest time without a packet \[ms\].
    pub(crate) fn gap_max_ms(&self) -> f64 {
        self.gap_max_ns as f64 / 1e6
    }

    /// Interarrival jitter at the end of the window \[ms\].
    pub(crate) fn jitter_ms(&self, clock_hz: u32) -> f64 {
        self.jitter * 1_000.0 / f64::from(clock_hz)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MS;

    fn hear(hearing: &mut Hearing, at_ms: u64, sequence: u16, ssrc: u32) {
        let timestamp = u32::from(sequence).wrapping_mul(160);
        let rtp = Rtp {
            payload_type: 0,
            marker: false,
            sequence,
            timestamp,
            ssrc,
            payload: &[0xff; 160],
        };
        hearing.packet(at_ms * MS, &rtp, 8_000);
    }

    #[test]
    fn a_steady_stream_has_no_loss_no_jitter_and_gaps_of_one_packet() {
        let mut hearing = Hearing::default();
        for packet in 0..200 {
            hear(&mut hearing, u64::from(packet) * 20, 65_500_u16.wrapping_add(packet), 7);
        }
        // A timestamp that jumps at the wrap of the sequence is this test's own; a window hides it.
        hearing.begin();
        for packet in 200..300 {
            hear(&mut hearing, u64::from(packet) * 20, 65_500_u16.wrapping_add(packet), 7);
        }
        assert_eq!((hearing.received(), hearing.lost()), (100, 0));
        assert_eq!(hearing.gap_max_ms(), 20.0);
        assert!(hearing.jitter_ms(8_000) < 0.001);
    }

    #[test]
    fn what_is_missing_is_lost_and_a_gap() {
        let mut hearing = Hearing::default();
        for packet in (0..100).filter(|packet| !(40..43).contains(packet)) {
            hear(&mut hearing, u64::from(packet) * 20, packet, 7);
        }
        assert_eq!((hearing.received(), hearing.lost()), (97, 3));
        assert_eq!(hearing.gap_max_ms(), 80.0);
    }

    #[test]
    fn a_source_that_begins_anew_keeps_the_losses_of_the_one_before() {
        let mut hearing = Hearing::default();
        for packet in [1, 2, 4] {
            hear(&mut hearing, u64::from(packet) * 20, packet, 7);
        }
        for packet in [30_000, 30_001] {
            hear(&mut hearing, 100, packet, 8);
        }
        assert_eq!((hearing.received(), hearing.lost()), (5, 1));
    }

    #[test]
    fn silence_until_the_end_is_a_gap() {
        let mut hearing = Hearing::default();
        hear(&mut hearing, 0, 0, 7);
        hearing.end(500 * MS);
        assert_eq!(hearing.gap_max_ms(), 500.0);
    }
}
