//! G.711: logarithmic samples of eight bits, by table.
//!
//! The tables are made by the compiler from the segment rule of ITU-T G.711. A negative sample is
//! taken as its ones' complement, as in ITU-T's own software (G.191), so that both signs have
//! exactly the same decision levels.

/// What µ-law adds to a magnitude of 14 bits so that its segments become powers of two.
const ULAW_BIAS: i32 = 33;
/// Largest magnitude of 14 bits that µ-law keeps.
const ULAW_CLIP: i32 = 8158;

/// µ-law of a sample's upper 14 bits, as an unsigned index.
static ULAW_BY_SAMPLE: [u8; 1 << 14] = {
    let mut table = [0; 1 << 14];
    let mut index = 0;
    while index < table.len() {
        table[index] = ulaw_of(sign_extend(index, 14));
        index += 1;
    }
    table
};

/// A-law of a sample's upper 12 bits, as an unsigned index.
static ALAW_BY_SAMPLE: [u8; 1 << 12] = {
    let mut table = [0; 1 << 12];
    let mut index = 0;
    while index < table.len() {
        table[index] = alaw_of(sign_extend(index, 12));
        index += 1;
    }
    table
};

static SAMPLE_BY_ULAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        let inverted = !(code as u8);
        let segment = (inverted >> 4) & 7;
        let magnitude = ((2 * (inverted & 15) as i32 + ULAW_BIAS) << segment) - ULAW_BIAS;
        let sample = 4 * magnitude;
        table[code] = if inverted & 0x80 == 0 { sample as i16 } else { -sample as i16 };
        code += 1;
    }
    table
};

static SAMPLE_BY_ALAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        let plain = code as u8 ^ 0x55;
        let segment = (plain >> 4) & 7;
        let step = 2 * (plain & 15) as i32 + 1;
        let sample = if segment == 0 { 8 * step } else { (8 * (step + 32)) << (segment - 1) };
        table[code] = if plain & 0x80 != 0 { sample as i16 } else { -sample as i16 };
        code += 1;
    }
    table
};

/// Encodes each sample into one µ-law byte; as many as the shorter slice holds.
pub(crate) fn encode_ulaw(pcm: &[i16], out: &mut [u8]) {
    for (byte, sample) in out.iter_mut().zip(pcm) {
        *byte = ULAW_BY_SAMPLE[usize::from(*sample as u16 >> 2)];
    }
}

/// Encodes each sample into one A-law byte; as many as the shorter slice holds.
pub(crate) fn encode_alaw(pcm: &[i16], out: &mut [u8]) {
    for (byte, sample) in out.iter_mut().zip(pcm) {
        *byte = ALAW_BY_SAMPLE[usize::from(*sample as u16 >> 4)];
    }
}

/// Decodes each µ-law byte into one sample; as many as the shorter slice holds.
pub(crate) fn decode_ulaw(payload: &[u8], out: &mut [i16]) {
    for (sample, byte) in out.iter_mut().zip(payload) {
        *sample = SAMPLE_BY_ULAW[usize::from(*byte)];
    }
}

/// Decodes each A-law byte into one sample; as many as the shorter slice holds.
pub(crate) fn decode_alaw(payload: &[u8], out: &mut [i16]) {
    for (sample, byte) in out.iter_mut().zip(payload) {
        *sample = SAMPLE_BY_ALAW[usize::from(*byte)];
    }
}

const fn ulaw_of(sample: i32) -> u8 {
    let (sign, magnitude) = if sample < 0 { (0x80, !sample) } else { (0, sample) };
    let clipped = if magnitude > ULAW_CLIP { ULAW_CLIP } else { magnitude };
    let biased = clipped + ULAW_BIAS;
    let segment = biased.ilog2() - 5;
    let interval = (biased >> (segment + 1)) & 15;
    !(sign | (segment as u8) << 4 | interval as u8)
}

const fn alaw_of(sample: i32) -> u8 {
    let (sign, magnitude) = if sample < 0 { (0, !sample) } else { (0x80, sample) };
    let plain = if magnitude < 32 {
        magnitude
    } else {
        let segment = magnitude.ilog2() - 3;
        (segment << 4) as i32 | ((magnitude >> (segment - 1)) & 15)
    };
    (sign | plain as u8) ^ 0x55
}

const fn sign_extend(index: usize, bits: u32) -> i32 {
    ((index as i32) << (32 - bits)) >> (32 - bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The decision levels of one sign, from the tables of ITU-T G.711: how many intervals each
    /// segment has, and how wide they are.
    fn decisions(segments: &[(i32, usize)], offset: i32) -> Vec<i32> {
        let mut level = offset;
        let mut levels = Vec::new();
        for (width, intervals) in segments {
            for _ in 0..*intervals {
                level += width;
                levels.push(level);
            }
        }
        levels
    }

    /// Table 2a of G.711, in steps of 14 bits: 1, then 15 of 2, then 16 of 4, 8 … 256.
    fn ulaw_decisions() -> Vec<i32> {
        let wide = [(4, 16), (8, 16), (16, 16), (32, 16), (64, 16), (128, 16), (256, 16)];
        decisions(&[&[(1, 1), (2, 15)][..], &wide[..]].concat(), 0)
    }

    /// Table 1a of G.711, in steps of 13 bits: 32 of 2, then 16 of 4, 8 … 128.
    fn alaw_decisions() -> Vec<i32> {
        decisions(&[(2, 32), (4, 16), (8, 16), (16, 16), (32, 16), (64, 16), (128, 16)], 0)
    }

    /// The number of the interval in which a magnitude lies; the last has no upper end.
    fn interval(levels: &[i32], magnitude: i32) -> u8 {
        levels[..127].partition_point(|level| *level <= magnitude) as u8
    }

    #[test]
    fn every_sample_becomes_the_ulaw_code_of_the_tables() {
        let levels = ulaw_decisions();
        for sample in i16::MIN..=i16::MAX {
            let mut code = [0];
            encode_ulaw(&[sample], &mut code);
            let (sign, magnitude) = if sample < 0 { (0x00, !sample) } else { (0x80, sample) };
            let expected = sign | (0x7F - interval(&levels, i32::from(magnitude >> 2)));
            assert_eq!(code[0], expected, "sample {sample}");
        }
    }

    #[test]
    fn every_sample_becomes_the_alaw_code_of_the_tables() {
        let levels = alaw_decisions();
        for sample in i16::MIN..=i16::MAX {
            let mut code = [0];
            encode_alaw(&[sample], &mut code);
            let (sign, magnitude) = if sample < 0 { (0x00, !sample) } else { (0x80, sample) };
            let expected = (sign | interval(&levels, i32::from(magnitude >> 3))) ^ 0x55;
            assert_eq!(code[0], expected, "sample {sample}");
        }
    }

    #[test]
    fn every_code_becomes_the_middle_of_its_interval() {
        let (ulaw, alaw) = (ulaw_decisions(), alaw_decisions());
        let middle = |levels: &[i32], n: usize| {
            let below = if n == 0 { 0 } else { levels[n - 1] };
            (below + levels[n]) / 2
        };
        for n in 0..128 {
            let mut sample = [0; 2];
            decode_ulaw(&[0xFF - n as u8, 0x7F - n as u8], &mut sample);
            // The interval around zero decodes to zero; the table's scale is 4 to one.
            let expected = if n == 0 { 0 } else { 4 * middle(&ulaw, n) as i16 };
            assert_eq!(sample, [expected, -expected], "µ-law {n}");
            decode_alaw(&[(0x80 | n as u8) ^ 0x55, n as u8 ^ 0x55], &mut sample);
            let expected = 8 * middle(&alaw, n) as i16;
            assert_eq!(sample, [expected, -expected], "A-law {n}");
        }
    }
}
