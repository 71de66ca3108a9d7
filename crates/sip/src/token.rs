//! Tags, branches and Call-IDs: unguessable for those outside, the same in each run of one seed.
//!
//! A dialog is guarded by nothing but its tags (RFC 3261 §19.3 asks for 32 random bits). Whoever
//! sees one must not be able to tell the next, so the tokens are SipHash-2-4 of a counter under a
//! secret key and not the bare output of a fast generator, which could be run onwards.

use std::fmt::Write as _;

/// Makes the random tokens of one endpoint.
#[derive(Debug)]
pub(crate) struct Tokens {
    key: (u64, u64),
    drawn: u64,
}

impl Tokens {
    pub(crate) fn new(seed: u64) -> Tokens {
        let first = siphash((seed, 0x636f_6e76_6f6b_6531), b"first half of the key");
        let second = siphash((seed, first), b"second half of the key");
        Tokens { key: (first, second), drawn: 0 }
    }

    /// 64 random bits.
    pub(crate) fn number(&mut self) -> u64 {
        self.drawn += 1;
        siphash(self.key, &self.drawn.to_le_bytes())
    }

    /// A number below `bound`, which must not be zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    /// A key for another purpose.
    pub(crate) fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        let mut key = [0; 32];
        for (part, word) in key.chunks_exact_mut(8).zip(0_u8..) {
            let half = siphash(self.key, &[purpose, b"\n", &[word]].concat());
            part.copy_from_slice(&half.to_le_bytes());
        }
        key
    }

    /// Which of so many slots something falls into.
    pub(crate) fn slot(&self, of: &[u8], slots: usize) -> usize {
        (siphash(self.key, of) % slots as u64) as usize
    }

    /// A From or To tag.
    pub(crate) fn tag(&mut self) -> String {
        format!("{:016x}", self.number())
    }

    /// A Via branch with the magic cookie (RFC 3261 §8.1.1.7).
    pub(crate) fn branch(&mut self) -> String {
        format!("z9hG4bK{:016x}", self.number())
    }

    /// A Call-ID of 128 bits, without a host (RFC 3261 §8.1.1.4 only recommends one).
    pub(crate) fn call_id(&mut self) -> String {
        format!("{:016x}{:016x}", self.number(), self.number())
    }

    /// The tag of a reply that keeps no transaction: the same for each copy of a request (RFC 3261
    /// §8.2.7), unlike any tag of a dialog.
    pub(crate) fn stateless_tag(&self, parts: &[&[u8]]) -> String {
        let hash = siphash(self.key, &joined(parts));
        let mut tag = String::from("s");
        write!(tag, "{hash:016x}").expect("a String takes what is written");
        tag
    }

    /// What gives fingerprints for that purpose.
    pub(crate) fn fingerprints(&self, purpose: &[u8]) -> Fingerprints {
        let key = self.derive(purpose);
        let (words, _) = key.as_chunks();
        Fingerprints((u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])))
    }
}

/// Gives what others name at any length a name of 128 bits, under a key that nobody outside knows:
/// two things of one fingerprint can be neither found nor met by chance.
#[derive(Debug)]
pub(crate) struct Fingerprints((u64, u64));

/// The short name of something long.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Fingerprint([u64; 2]);

impl Fingerprints {
    pub(crate) fn of(&self, parts: &[&[u8]]) -> Fingerprint {
        Fingerprint(siphash_128(self.0, &joined(parts)))
    }
}

/// The parts in one, so that no two lists of them look alike.
fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let bytes: usize = parts.iter().map(|part| size_of::<usize>() + part.len()).sum();
    let mut joined = Vec::with_capacity(bytes);
    for part in parts {
        joined.extend_from_slice(&part.len().to_le_bytes());
        joined.extend_from_slice(part);
    }
    joined
}

/// SipHash-2-4 (Aumasson and Bernstein): a keyed function whose output tells nothing of the key.
fn siphash(key: (u64, u64), data: &[u8]) -> u64 {
    let mut v = absorbed(key, 0, data);
    v[2] ^= 0xff;
    squeezed(&mut v)
}

/// The same with 128 bits for a result, as its authors have it.
fn siphash_128(key: (u64, u64), data: &[u8]) -> [u64; 2] {
    let mut v = absorbed(key, 0xee, data);
    v[2] ^= 0xee;
    let first = squeezed(&mut v);
    v[1] ^= 0xdd;
    [first, squeezed(&mut v)]
}

/// The state after all of the data; `kind` tells the lengths of results apart.
fn absorbed(key: (u64, u64), kind: u64, data: &[u8]) -> [u64; 4] {
    let mut v = [
        key.0 ^ 0x736f_6d65_7073_6575,
        key.1 ^ 0x646f_7261_6e64_6f6d ^ kind,
        key.0 ^ 0x6c79_6765_6e65_7261,
        key.1 ^ 0x7465_6462_7974_6573,
    ];
    let (blocks, rest) = data.as_chunks();
    let mut last = [0_u8; 8];
    last[..rest.len()].copy_from_slice(rest);
    // The algorithm takes the length modulo 256.
    last[7] = data.len().to_le_bytes()[0];
    for block in blocks.iter().chain(std::iter::once(&last)) {
        let word = u64::from_le_bytes(*block);
        v[3] ^= word;
        round(&mut v);
        round(&mut v);
        v[0] ^= word;
    }
    v
}

fn squeezed(v: &mut [u64; 4]) -> u64 {
    for _ in 0..4 {
        round(v);
    }
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_gives_the_published_test_vectors() {
        // The reference implementation's vectors: key 00..0f, input 00, 01, … of growing length.
        let key = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        let input: Vec<u8> = (0..15).collect();
        assert_eq!(siphash(key, &[]), 0x726f_db47_dd0e_0e31);
        assert_eq!(siphash(key, &input), 0xa129_ca61_49be_45e5);
        let empty = [0xe6a8_25ba_047f_81a3, 0x9302_55c7_1472_f66d];
        assert_eq!(siphash_128(key, &[]), empty);
        let one = [0x44af_996b_d8c1_87da, 0x45fc_229b_1159_7634];
        assert_eq!(siphash_128(key, &[0]), one);
    }

    #[test]
    fn a_fingerprint_tells_apart_what_is_cut_elsewhere_or_asked_for_another_purpose() {
        let tokens = Tokens::new(7);
        let (one, other) = (tokens.fingerprints(b"one"), tokens.fingerprints(b"other"));
        assert_eq!(one.of(&[b"ab", b"c"]), one.of(&[b"ab", b"c"]));
        assert_ne!(one.of(&[b"ab", b"c"]), one.of(&[b"a", b"bc"]));
        assert_ne!(one.of(&[b"ab", b"c"]), other.of(&[b"ab", b"c"]));
        let Fingerprint([first, second]) = one.of(&[b"ab"]);
        assert_ne!(first, second);
    }

    #[test]
    fn one_seed_gives_one_series_and_tokens_never_repeat() {
        let (mut one, mut same, mut other) = (Tokens::new(7), Tokens::new(7), Tokens::new(8));
        let drawn: Vec<String> = (0..1_000).map(|_| one.tag()).collect();
        assert_eq!(drawn, (0..1_000).map(|_| same.tag()).collect::<Vec<_>>());
        assert!(!drawn.contains(&other.tag()));
        let unique: std::collections::BTreeSet<&String> = drawn.iter().collect();
        assert_eq!(unique.len(), drawn.len());
    }
}
