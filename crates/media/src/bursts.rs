//! Loss that comes in bursts, and loss that does not (RFC 3611 section 4.7.2).
//!
//! Two losses with fewer than [`GAP_PACKETS_MIN`] packets between them are of one burst; a burst
//! begins and ends with a loss, and a loss alone belongs to the gap around it.

/// Packets that must come between two losses for them not to be one burst: what RFC 3611 section
/// 4.7.2 recommends.
pub(crate) const GAP_PACKETS_MIN: u32 = 16;

/// Packets behind the newest that may still come: bits of a word.
const OPEN: u64 = 64;

/// Packets, and those of them that were lost.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    packets: u64,
    lost: u64,
}

impl Tally {
    /// Loss \[1/256\].
    fn density(self) -> u8 {
        (self.lost * 256).checked_div(self.packets).unwrap_or(0).min(255) as u8
    }
}

/// What is told of bursts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Loss in bursts, and between them \[1/256\].
    pub(crate) burst_density: u8,
    pub(crate) gap_density: u8,
    /// Mean lengths \[packets\].
    pub(crate) burst_packets: u64,
    pub(crate) gap_packets: u64,
}

/// One stream's losses, by their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bursts {
    /// Bit n: the packet n before the newest came in time.
    came: u64,
    /// Packets of which a bit is known.
    open: u64,
    /// From the last loss back to the first that is near it.
    cluster: Tally,
    /// Packets that came since.
    since: u32,
    bursts: u64,
    burst: Tally,
    gap: Tally,
}

impl Bursts {
    /// The stream has gone so many packets on, the last of which came.
    pub(crate) fn advance(&mut self, packets: u16) {
        for newer in (0..packets).rev() {
            if self.open == OPEN {
                let came = self.came >> (OPEN - 1) == 1;
                self.settle(came);
            } else {
                self.open += 1;
            }
            self.came = self.came << 1 | u64::from(newer == 0);
        }
    }

    /// A packet so far behind the newest came in time, or, after all, did not.
    pub(crate) fn correct(&mut self, behind: u16, in_time: bool) {
        if u64::from(behind) < self.open {
            let bit = 1 << behind;
            self.came = if in_time { self.came | bit } else { self.came & !bit };
        }
    }

    /// The oldest packet is what it is.
    fn settle(&mut self, came: bool) {
        if came {
            self.since = self.since.saturating_add(1);
            return;
        }
        if self.cluster.lost > 0 && self.since < GAP_PACKETS_MIN {
            self.cluster.packets += u64::from(self.since) + 1;
            self.cluster.lost += 1;
        } else {
            self.close();
            self.gap.packets += u64::from(self.since);
            self.cluster = Tally { packets: 1, lost: 1 };
        }
        self.since = 0;
    }

    /// A cluster is over: a burst, or a loss within a gap.
    fn close(&mut self) {
        let Tally { packets, lost } = std::mem::take(&mut self.cluster);
        let to = if lost > 1 { &mut self.burst } else { &mut self.gap };
        to.packets += packets;
        to.lost += lost;
        self.bursts += u64::from(lost > 1);
    }

    /// The figures up to the newest packet.
    pub(crate) fn figures(&self) -> Figures {
        let mut end = self.clone();
        for behind in (0..self.open).rev() {
            end.settle(self.came >> behind & 1 == 1);
        }
        end.close();
        end.gap.packets += u64::from(end.since);
        Figures {
            burst_density: end.burst.density(),
            gap_density: end.gap.density(),
            burst_packets: end.burst.packets.checked_div(end.bursts).unwrap_or(0),
            gap_packets: end.gap.packets / (end.bursts + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream of packets: those in `lost` do not come.
    fn stream(packets: u64, lost: impl Fn(u64) -> bool) -> Bursts {
        let mut bursts = Bursts::default();
        let mut ahead = 0;
        for packet in 0..packets {
            ahead += 1;
            if !lost(packet) {
                bursts.advance(ahead);
                ahead = 0;
            }
        }
        bursts
    }

    #[test]
    fn single_losses_far_apart_are_no_burst() {
        let figures = stream(1_000, |packet| packet % 50 == 20).figures();
        assert_eq!((figures.burst_density, figures.burst_packets), (0, 0));
        assert_eq!((figures.gap_density, figures.gap_packets), (5, 1_000));
    }

    #[test]
    fn losses_near_each_other_are_one_burst_from_the_first_to_the_last() {
        // Five packets, of which three are lost, twice; and once a single loss.
        let lost = |packet| matches!(packet, 100 | 102 | 104 | 300 | 302 | 304 | 500);
        let figures = stream(1_000, lost).figures();
        assert_eq!((figures.burst_density, figures.burst_packets), (153, 5));
        assert_eq!((figures.gap_density, figures.gap_packets), (0, 330));
    }

    #[test]
    fn what_comes_late_after_all_is_no_loss_and_what_comes_too_late_is_one() {
        let mut overtaken = stream(200, |packet| packet == 190);
        assert!(overtaken.figures().gap_density > 0);
        overtaken.correct(9, true);
        assert_eq!(overtaken.figures().gap_density, 0);
        overtaken.correct(9, false);
        overtaken.correct(3, false);
        assert_eq!(overtaken.figures().burst_packets, 7);
        overtaken.correct(2_000, false);
    }
}
