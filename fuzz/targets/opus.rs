//! libopus, the one library in C that reads what strangers send: whatever payloads come one after
//! the other, with gaps between, each is refused or fills what was asked for. The library is built
//! to watch its memory (`fuzz/run`).
//!
//! An input is a row of payloads, each behind a byte that says what is done and its length.
#![no_main]

use audio::{Codec, Decoder};
use libfuzzer_sys::fuzz_target;

/// 120 ms at 48000 Hz: the longest payload.
const SAMPLES: usize = 5_760;

/// Fills one behind the room too, to see that it is left alone.
const MARK: i16 = 0x55AA;

fuzz_target!(|bytes: &[u8]| {
    let mut decoder = Decoder::new(Codec::Opus).expect("libopus makes decoders");
    let mut rest = bytes;
    while let [does, high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
        let (payload, left) = behind.split_at(length);
        rest = left;
        let mut out = [MARK; SAMPLES + 1];
        // A gap is of so many parts of 2.5 ms.
        let gap = (1 + usize::from(does >> 2)) * 120 % SAMPLES;
        let written = match does & 3 {
            0 => {
                decoder.conceal(&mut out[..gap]);
                gap
            }
            1 => decoder.decode_fec(payload, &mut out[..gap]).map_or(gap, |samples| {
                assert!(samples <= gap);
                samples.max(gap)
            }),
            _ => {
                let said = decoder.duration_samples(payload);
                match decoder.decode(payload, &mut out[..SAMPLES]) {
                    Ok(samples) => {
                        assert_eq!(Some(samples), said);
                        samples
                    }
                    Err(_) => SAMPLES,
                }
            }
        };
        assert!(out[written..].iter().all(|sample| *sample == MARK));
        assert!(!decoder.carries_fec(payload) || decoder.duration_samples(payload).is_some());
    }
});
