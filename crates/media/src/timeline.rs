//! One continuous line of time for all that a leg sends.
//!
//! A sender may change its SSRC, start its counters again or let its timestamps jump. Each time
//! the stream that follows is joined to the end of the one before, so that the rest of the port
//! sees sequence numbers and sample positions of 64 bits that only ever go on.

use wire::rtp::{Extended, Extender, Placed, Rtp};

/// Timestamps that run ahead of the clock by more than this have jumped \[ms\].
const JUMP_MS: i64 = 1_000;
/// A stream that starts again within so much of where the one before ended goes on there \[ms\].
const JOIN_MS: i64 = 100;
/// How long late packets of a stream that was left are ignored \[ms\].
const LEFT_MS: i64 = 200;

/// A packet's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Counts packets.
    pub(crate) sequence: i64,
    /// Position of the first sample \[samples\].
    pub(crate) at: i64,
}

/// What is known of the packet that is furthest.
#[derive(Debug, Clone, Copy)]
struct Newest {
    position: Position,
    /// Where its last sample ends \[samples\].
    end: i64,
    /// When it came \[samples since the start\].
    arrival: i64,
}

/// From ticks of an RTP clock to samples.
#[derive(Debug, Clone, Copy)]
enum Scale {
    /// Each tick has so many samples: two in G.722 (RFC 3551 section 4.5.2).
    Times(i64),
    /// Each sample has so many ticks.
    Over(i64),
}

impl Scale {
    fn new(rate_hz: u32, clock_hz: u32) -> Scale {
        if rate_hz >= clock_hz {
            Scale::Times(i64::from(rate_hz / clock_hz))
        } else {
            Scale::Over(i64::from(clock_hz / rate_hz))
        }
    }
}

/// One leg's line of time.
#[derive(Debug)]
pub(crate) struct Timeline {
    per_ms: i64,
    /// The RTP clock of the codec that came last \[Hz\].
    clock_hz: u32,
    scale: Scale,
    ssrc: Option<u32>,
    /// The stream that was left, and when.
    left: Option<(u32, i64)>,
    extender: Extender,
    sequence_shift: i64,
    shift: i64,
    /// The stream was joined by an event, whose timestamp is that of its beginning: its sound is
    /// yet to be joined.
    joined_by_event: bool,
    newest: Option<Newest>,
}

impl Timeline {
    /// A line on which nothing came yet.
    pub(crate) fn new(codec: audio::Codec) -> Timeline {
        Timeline {
            per_ms: i64::from(codec.rate_hz() / 1_000),
            clock_hz: codec.rtp_clock_hz(),
            scale: Scale::new(codec.rate_hz(), codec.rtp_clock_hz()),
            ssrc: None,
            left: None,
            extender: Extender::new(),
            sequence_shift: 0,
            shift: 0,
            joined_by_event: false,
            newest: None,
        }
    }

    /// Reads a word of each piece of memory that a packet needs.
    pub(crate) fn touch(&self) -> usize {
        let newest = self.newest.map_or(0, |newest| newest.end as usize);
        newest ^ self.shift as usize ^ self.ssrc.map_or(0, |ssrc| ssrc as usize)
    }

    /// The RTP clock of the codec that came last \[Hz\].
    pub(crate) fn clock_hz(&self) -> u32 {
        self.clock_hz
    }

    /// Places a packet of so many samples; one without sound has none. Timestamps of sound count in
    /// its codec's clock \[Hz\]. The packet is to be dropped if there is no place for it.
    pub(crate) fn place(
        &mut self,
        rtp: &Rtp<'_>,
        (samples, clock_hz): (i64, u32),
        arrival: i64,
    ) -> Option<Position> {
        let joins = self.enter(rtp.ssrc, arrival)?;
        let (extended, joins) = match self.extender.place(rtp.sequence, rtp.timestamp) {
            Placed::Stream(extended) => (extended, joins),
            Placed::Restart(extended) => (extended, true),
            Placed::Suspect => return None,
        };
        if samples > 0 && clock_hz != self.clock_hz {
            self.recode(extended, clock_hz, arrival)?;
        }
        if joins {
            self.join(extended, arrival);
            self.joined_by_event = samples == 0;
        }
        let mut position = self.position(extended);
        let Some(newest) = self.newest else {
            return Some(self.advance(position, samples, arrival));
        };
        if position.sequence <= newest.position.sequence {
            return Some(position);
        }
        if samples == 0 {
            // The timestamp of an event is that of its beginning, so it says nothing.
            let ahead =
                Newest { position: Position { at: newest.position.at, ..position }, ..newest };
            self.newest = Some(ahead);
            return Some(position);
        }
        let step = position.at - newest.position.at;
        let elapsed = arrival - newest.arrival;
        let joins = std::mem::take(&mut self.joined_by_event);
        if joins || step < 0 || step - elapsed > JUMP_MS * self.per_ms {
            self.shift += self.joint(&newest, arrival) - position.at;
            position = self.position(extended);
        }
        Some(self.advance(position, samples, arrival))
    }

    /// Follows the SSRC: true if another stream begins, none if the packet is of one that was left.
    fn enter(&mut self, ssrc: u32, arrival: i64) -> Option<bool> {
        if self.ssrc == Some(ssrc) {
            return Some(false);
        }
        let lingers = |(left, at): (u32, i64)| left == ssrc && arrival - at < LEFT_MS * self.per_ms;
        if self.left.is_some_and(lingers) {
            return None;
        }
        self.left = self.ssrc.map(|left| (left, arrival));
        self.ssrc = Some(ssrc);
        self.extender = Extender::new();
        Some(self.newest.is_some())
    }

    /// Joins a stream that begins to the end of the one before.
    fn join(&mut self, first: Extended, arrival: i64) {
        if let Some(newest) = self.newest {
            self.sequence_shift = newest.position.sequence + 1 - signed(first.sequence);
            self.shift = self.joint(&newest, arrival) - self.samples(first.timestamp);
        }
    }

    /// The sound goes on in a codec with another clock, in which timestamps mean something else: it
    /// is joined to what came before. A packet of an earlier clock that comes after it has no place
    /// any more.
    fn recode(&mut self, first: Extended, clock_hz: u32, arrival: i64) -> Option<()> {
        let sequence = signed(first.sequence) + self.sequence_shift;
        let newest = self.newest;
        if newest.is_some_and(|newest| sequence <= newest.position.sequence) {
            return None;
        }
        self.clock_hz = clock_hz;
        self.scale = Scale::new(self.per_ms as u32 * 1_000, clock_hz);
        if let Some(newest) = newest {
            self.shift = self.joint(&newest, arrival) - self.samples(first.timestamp);
        }
        self.joined_by_event = false;
        Some(())
    }

    /// Ticks of the RTP clock in samples.
    fn samples(&self, timestamp: u64) -> i64 {
        match self.scale {
            Scale::Times(ratio) => signed(timestamp) * ratio,
            Scale::Over(ratio) => signed(timestamp) / ratio,
        }
    }

    /// Where a stream goes on: right at the end of what came, or, after a pause, at the clock.
    fn joint(&self, newest: &Newest, arrival: i64) -> i64 {
        let clock = newest.position.at + arrival - newest.arrival;
        if (clock - newest.end).abs() <= JOIN_MS * self.per_ms {
            newest.end
        } else {
            clock.max(newest.end)
        }
    }

    fn position(&self, extended: Extended) -> Position {
        Position {
            sequence: signed(extended.sequence) + self.sequence_shift,
            at: self.samples(extended.timestamp) + self.shift,
        }
    }

    fn advance(&mut self, position: Position, samples: i64, arrival: i64) -> Position {
        self.newest = Some(Newest { position, end: position.at + samples, arrival });
        position
    }
}

/// Counters begin near zero and take millennia to reach the sign.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX >> 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rtp(ssrc: u32, sequence: u16, timestamp: u32) -> Rtp<'static> {
        Rtp { payload_type: 0, marker: false, sequence, timestamp, ssrc, payload: &[] }
    }

    /// Places packets of 160 samples; returns sequence and position relative to the first.
    fn placed(packets: &[(u32, u16, u32, i64)]) -> Vec<Option<(i64, i64)>> {
        let mut timeline = Timeline::new(audio::Codec::Pcmu);
        let mut origin = None;
        let mut places = Vec::new();
        for &(ssrc, sequence, timestamp, arrival_ms) in packets {
            let place =
                timeline.place(&rtp(ssrc, sequence, timestamp), (160, 8_000), arrival_ms * 8);
            let origin = *origin.get_or_insert_with(|| place.unwrap());
            places.push(place.map(|p| (p.sequence - origin.sequence, p.at - origin.at)));
        }
        places
    }

    #[test]
    fn counters_that_wrap_go_on() {
        let places = placed(&[(1, 65_535, u32::MAX - 159, 0), (1, 0, 0, 20), (1, 1, 160, 40)]);
        assert_eq!(places, [Some((0, 0)), Some((1, 160)), Some((2, 320))]);
    }

    #[test]
    fn another_ssrc_goes_on_where_the_one_before_ended() {
        let places =
            placed(&[(1, 5, 1_000, 0), (2, 900, 77, 21), (2, 901, 237, 40), (1, 6, 1_160, 41)]);
        assert_eq!(places, [Some((0, 0)), Some((1, 160)), Some((2, 320)), None]);
    }

    #[test]
    fn a_timestamp_that_jumps_with_no_time_passing_goes_on() {
        for jump in [1_000_000_u32, 0x9000_0000, (40_u32 * 160).wrapping_neg()] {
            let next = 160_u32.wrapping_add(jump);
            let places =
                placed(&[(1, 1, 0, 0), (1, 2, next, 20), (1, 3, next.wrapping_add(160), 40)]);
            assert_eq!(places, [Some((0, 0)), Some((1, 160)), Some((2, 320))], "{jump}");
        }
    }

    #[test]
    fn a_pause_is_a_pause() {
        let places = placed(&[(1, 1, 0, 0), (1, 2, 80_000, 10_000), (2, 9, 0, 20_000)]);
        assert_eq!(places, [Some((0, 0)), Some((1, 80_000)), Some((2, 160_000))]);
    }

    #[test]
    fn another_clock_goes_on_where_the_sound_ended_and_what_was_before_it_has_no_place() {
        let mut timeline = Timeline::new(audio::Codec::Pcmu);
        let mut place = |sequence, timestamp, clock_hz, arrival| {
            let place = timeline.place(&rtp(1, sequence, timestamp), (160, clock_hz), arrival);
            place.map(|position| position.at)
        };
        let first = place(1, 800, 8_000, 0).unwrap();
        assert_eq!(place(2, 960, 8_000, 160), Some(first + 160));
        assert_eq!(place(4, 5_000_000, 48_000, 480), Some(first + 320));
        assert_eq!(place(3, 1_120, 8_000, 490), None);
        assert_eq!(place(5, 5_000_960, 48_000, 640), Some(first + 480));
        assert_eq!(place(6, 7, 8_000, 800), Some(first + 640));
    }

    #[test]
    fn g722_counts_two_samples_for_a_tick() {
        let mut timeline = Timeline::new(audio::Codec::G722);
        let first = timeline.place(&rtp(1, 1, 0), (320, 8_000), 0).unwrap();
        let second = timeline.place(&rtp(1, 2, 160), (320, 8_000), 320).unwrap();
        assert_eq!(second.at - first.at, 320);
    }
}
