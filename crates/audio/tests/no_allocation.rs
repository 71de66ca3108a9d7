//! The media tick calls this crate: after construction nothing may allocate.

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use audio::dtmf::DtmfEar;
use audio::limits::{FRAME_SAMPLES_MAX, PAYLOAD_BYTES_MAX};
use audio::tone::{Ear, Sine};
use audio::{
    Activity, Codec, Decoder, Encoder, EncoderSettings, Resampler, activity, limiter, mix,
};

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

const CODECS: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

#[test]
fn codecs_do_not_allocate() {
    for codec in CODECS {
        let settings =
            EncoderSettings { fec: true, loss_percent: 20, ..EncoderSettings::of(codec) };
        let mut encoder = Encoder::new(settings).unwrap();
        let mut private = Encoder::new(settings).unwrap();
        let mut decoder = Decoder::new(codec).unwrap();
        let mut sine = Sine::new(437.0, 8_000, codec.rate_hz());
        let mut payload = [0; PAYLOAD_BYTES_MAX];
        let mut frame = [0; FRAME_SAMPLES_MAX];
        let frame = &mut frame[..codec.samples(20)];
        assert_no_alloc(|| {
            for number in 0..20 {
                sine.fill(frame);
                if number == 10 {
                    private.copy_state_from(&encoder);
                    encoder.land_next();
                }
                let bytes = encoder.encode(frame, &mut payload);
                match number % 5 {
                    3 => decoder.conceal(frame),
                    4 => assert_eq!(decoder.decode_fec(&payload[..bytes], frame), Ok(frame.len())),
                    _ => assert_eq!(decoder.decode(&payload[..bytes], frame), Ok(frame.len())),
                }
                assert!(decoder.decode(&[], frame).is_err());
            }
        });
    }
}

#[test]
fn mixing_resampling_and_listening_do_not_allocate() {
    let mut up = Resampler::new(8_000, 48_000);
    let mut down = Resampler::new(48_000, 16_000);
    let mut activity = Activity::new(8_000);
    let mut ear = Ear::new(&[437.0, 509.0], 48_000);
    let (mut narrow, mut full, mut wide) = ([1_000; 160], [0; 960], [0; 320]);
    let (mut sum, old) = ([0; 320], [7; 320]);
    let mut windows = 0;
    let mut keys = DtmfEar::new(48_000);
    assert_no_alloc(|| {
        for _ in 0..40 {
            activity.push(&narrow);
            up.process(&narrow, &mut full);
            down.process(&full, &mut wide);
            mix::add(&mut sum, &wide);
            mix::add_scaled(&mut sum, &wide, 16_384);
            mix::subtract(&mut sum, &wide);
            mix::crossfade(&old, &mut sum, 80);
            limiter::limit(&sum, &mut narrow);
            assert!(!activity::is_silent(&full));
            keys.rest();
            assert_eq!(keys.push(&full), None);
            windows += usize::from(ear.push(&full).is_some());
        }
    });
    assert_eq!(windows, 2);
}
