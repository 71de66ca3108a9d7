//! The last payloads that a decoder was spared, to be shown to it before it is needed again.

/// A ring of payloads.
#[derive(Debug)]
pub(crate) struct Spared {
    bytes: Box<[u8]>,
    lengths: Box<[usize]>,
    /// How many there were since it was empty; as many as there is room for are here.
    count: usize,
}

impl Spared {
    /// Room for so many payloads of at most so many bytes.
    pub(crate) fn new(packets: usize, bytes: usize) -> Spared {
        Spared {
            bytes: vec![0; packets * bytes].into_boxed_slice(),
            lengths: vec![0; packets].into_boxed_slice(),
            count: 0,
        }
    }

    /// Longest payload that fits \[bytes\].
    fn room(&self) -> usize {
        self.bytes.len() / self.lengths.len()
    }

    /// Keeps a payload in place of the oldest; false if it is too long.
    pub(crate) fn push(&mut self, payload: &[u8]) -> bool {
        let (place, room) = (self.count % self.lengths.len(), self.room());
        if payload.len() > room {
            return false;
        }
        self.bytes[place * room..][..payload.len()].copy_from_slice(payload);
        self.lengths[place] = payload.len();
        self.count += 1;
        true
    }

    /// Those that are here, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let room = self.room();
        (self.count.saturating_sub(self.lengths.len())..self.count).map(move |number| {
            let place = number % self.lengths.len();
            &self.bytes[place * room..][..self.lengths[place]]
        })
    }

    /// Forgets them.
    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_kept_and_come_oldest_first() {
        let mut spared = Spared::new(3, 2);
        assert_eq!(spared.iter().count(), 0);
        for payload in [&b"a"[..], b"bb", b"", b"d", b"ee"] {
            assert!(spared.push(payload));
        }
        assert!(!spared.push(b"too long"));
        assert!(spared.iter().eq([&b""[..], b"d", b"ee"]));
        spared.clear();
        assert!(spared.iter().next().is_none() && spared.push(b"f"));
        assert!(spared.iter().eq([b"f"]));
    }
}
