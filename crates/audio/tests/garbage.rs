//! Payloads come from outside: whatever they are, decoders answer and stay usable.

use audio::limits::FRAME_SAMPLES_MAX;
use audio::{Codec, Decoder};
use proptest::prelude::*;

const CODECS: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

proptest! {
    #[test]
    fn any_payloads_decode_or_are_refused(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1_500), 1..8),
        space in 0..=FRAME_SAMPLES_MAX,
    ) {
        for codec in CODECS {
            let mut decoder = Decoder::new(codec).unwrap();
            let mut out = vec![0; space];
            for payload in &payloads {
                let length = decoder.duration_samples(payload);
                if let Ok(samples) = decoder.decode(payload, &mut out) {
                    prop_assert_eq!(Some(samples), length);
                }
                decoder.carries_fec(payload);
                decoder.conceal(&mut out);
                if let Ok(samples) = decoder.decode_fec(payload, &mut out) {
                    prop_assert_eq!(samples, out.len());
                }
            }
        }
    }

    #[test]
    fn a_decoder_that_met_garbage_decodes_the_next_good_payload(
        garbage in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        for codec in CODECS {
            let mut decoder = Decoder::new(codec).unwrap();
            let mut out = [0; FRAME_SAMPLES_MAX];
            let refused = decoder.decode(&garbage, &mut out).is_err();
            prop_assert!(refused || decoder.duration_samples(&garbage).is_some());
            // For Opus: configuration 1, one frame of 20 ms (RFC 6716 §3.1).
            prop_assert!(decoder.decode(&[1 << 3; 160], &mut out).is_ok());
        }
    }
}
