//! Which packets of a stream came (RFC 3711 section 3.3.2), and which one a number means.

/// Packets behind the newest of which it is known whether they came: more than any jitter buffer
/// waits for, and than the 64 that RFC 3711 asks for.
const WIDTH: u64 = u128::BITS as u64;

/// The packets that came, up to the newest.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Window {
    newest: Option<u64>,
    /// Bit n is the packet n before the newest.
    came: u128,
}

impl Window {
    /// The index of the packet with this sequence number: the one that is nearest to the newest
    /// (RFC 3711 appendix A). None if it would be before the stream's first.
    pub(super) fn index(&self, sequence: u16) -> Option<u64> {
        let Some(newest) = self.newest else { return Some(sequence.into()) };
        let ahead = i64::from(sequence.wrapping_sub(newest as u16) as i16);
        newest.checked_add_signed(ahead)
    }

    /// Whether a packet may still come: it did not, and is not too old to tell.
    pub(super) fn awaits(&self, index: u64) -> bool {
        let Some(newest) = self.newest else { return true };
        match newest.checked_sub(index) {
            None => true,
            Some(age) => age < WIDTH && self.came & 1 << age == 0,
        }
    }

    /// Notes a packet that is authentic.
    pub(super) fn note(&mut self, index: u64) {
        let newest = self.newest.unwrap_or(index);
        match index.checked_sub(newest) {
            Some(ahead) => {
                self.came = if ahead < WIDTH { self.came << ahead | 1 } else { 1 };
                self.newest = Some(index);
            }
            None => {
                let age = newest - index;
                self.came |= if age < WIDTH { 1 << age } else { 0 };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(indices: impl IntoIterator<Item = u64>) -> Window {
        let mut window = Window::default();
        for index in indices {
            window.note(index);
        }
        window
    }

    #[test]
    fn a_number_means_the_packet_nearest_to_the_newest() {
        assert_eq!(Window::default().index(65_000), Some(65_000));
        let window = after([0xfff0]);
        assert_eq!(window.index(0x0002), Some(0x1_0002));
        assert_eq!(window.index(0xff00), Some(0xff00));
        let window = after([0x3_0002]);
        assert_eq!(window.index(0xfff0), Some(0x2_fff0));
        assert_eq!(window.index(0x0003), Some(0x3_0003));
        assert_eq!(after([2]).index(0xfff0), None);
    }

    #[test]
    fn each_packet_comes_once_and_none_that_is_too_old() {
        let window = after([10, 12, 11, 200]);
        assert!([201, 5_000, 199, 73].iter().all(|index| window.awaits(*index)));
        assert!([200, 12, 72, 0].iter().all(|index| !window.awaits(*index)));
        let window = after([10, 12]);
        assert!(window.awaits(11) && window.awaits(9));
        assert!(!window.awaits(10) && !window.awaits(12));
    }
}
