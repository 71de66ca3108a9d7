//! Tones through codecs and rates: what was spoken is what is heard, also over losses and changes
//! of encoder.

use audio::limits::PAYLOAD_BYTES_MAX;
use audio::tone::{Ear, Sine};
use audio::{Bandwidth, Codec, Decoder, Encoder, EncoderSettings, Resampler, Sound};

const CODECS: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];
const TONES_HZ: [f64; 8] = [437.0, 509.0, 577.0, 653.0, 727.0, 809.0, 877.0, 953.0];

/// Two seconds of some of the tones.
fn speech(tones: &[(usize, i16)], rate_hz: u32) -> Vec<i16> {
    let mut pcm = vec![0; 2 * rate_hz as usize];
    for (tone, amplitude) in tones {
        Sine::new(TONES_HZ[*tone], *amplitude, rate_hz).add(&mut pcm);
    }
    pcm
}

fn encoder(codec: Codec) -> Encoder {
    Encoder::new(EncoderSettings::of(codec)).expect("plain settings are sound")
}

fn encode(encoder: &mut Encoder, frame: &[i16]) -> Vec<u8> {
    let mut payload = [0; PAYLOAD_BYTES_MAX];
    let bytes = encoder.encode(frame, &mut payload);
    assert!(bytes > 0);
    payload[..bytes].to_vec()
}

/// Decodes payloads of 20 ms; a missing one is concealed.
fn decode(codec: Codec, payloads: &[Option<Vec<u8>>]) -> Vec<i16> {
    let mut decoder = Decoder::new(codec).expect("libopus has memory");
    let mut pcm = vec![0; codec.samples(20) * payloads.len()];
    for (payload, frame) in payloads.iter().zip(pcm.chunks_mut(codec.samples(20))) {
        match payload {
            Some(payload) => assert_eq!(decoder.decode(payload, frame), Ok(frame.len())),
            None => decoder.conceal(frame),
        }
    }
    pcm
}

fn payloads(codec: Codec, pcm: &[i16]) -> Vec<Option<Vec<u8>>> {
    let mut encoder = encoder(codec);
    pcm.chunks(codec.samples(20)).map(|frame| Some(encode(&mut encoder, frame))).collect()
}

/// What is heard in each window after the first, in which the codecs settle.
fn heard(pcm: &[i16], rate_hz: u32) -> Vec<Vec<usize>> {
    let mut ear = Ear::new(&TONES_HZ, rate_hz);
    let windows = pcm.chunks(rate_hz as usize / 50).filter_map(|frame| ear.push(frame));
    windows.skip(1).map(|window| window.iter().collect()).collect()
}

fn largest_step(pcm: &[i16]) -> i32 {
    pcm.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
}

#[test]
fn tones_of_different_loudness_are_told_through_every_codec() {
    let voices =
        [&[(2, 8_000)][..], &[(0, 8_000), (3, 2_000), (7, 4_000)], &[(1, 3_000), (5, 1_000)]];
    for codec in CODECS {
        for tones in voices {
            let pcm = speech(tones, codec.rate_hz());
            let far = decode(codec, &payloads(codec, &pcm));
            let expected: Vec<usize> = tones.iter().map(|(tone, _)| *tone).collect();
            assert_eq!(heard(&far, codec.rate_hz()), vec![expected; 4], "{codec:?}");
        }
    }
}

#[test]
fn five_tones_are_told_through_every_codec() {
    let tones = [(0, 4_000), (2, 4_000), (3, 2_000), (5, 4_000), (6, 2_000)];
    for codec in CODECS {
        let far = decode(codec, &payloads(codec, &speech(&tones, codec.rate_hz())));
        assert_eq!(heard(&far, codec.rate_hz()), vec![vec![0, 2, 3, 5, 6]; 4], "{codec:?}");
    }
}

#[test]
fn tones_are_told_through_the_way_up_and_down() {
    let near = speech(&[(0, 8_000), (4, 1_000)], 8_000);
    let mut full = vec![0; 96_000];
    Resampler::new(8_000, 48_000).process(&near, &mut full);
    let far = decode(Codec::Opus, &payloads(Codec::Opus, &full));
    let mut back = vec![0; 16_000];
    Resampler::new(48_000, 8_000).process(&far, &mut back);
    let far = decode(Codec::Pcma, &payloads(Codec::Pcma, &back));
    assert_eq!(heard(&far, 8_000), vec![vec![0, 4]; 4]);
}

#[test]
fn silence_through_every_codec_is_the_empty_set() {
    for codec in CODECS {
        let far = decode(codec, &payloads(codec, &speech(&[], codec.rate_hz())));
        assert_eq!(heard(&far, codec.rate_hz()), vec![Vec::<usize>::new(); 4], "{codec:?}");
    }
}

#[test]
fn a_tone_is_still_told_when_one_frame_in_ten_is_lost() {
    for codec in CODECS {
        let mut payloads = payloads(codec, &speech(&[(2, 8_000)], codec.rate_hz()));
        payloads.iter_mut().skip(7).step_by(10).for_each(|payload| *payload = None);
        let far = decode(codec, &payloads);
        assert_eq!(heard(&far, codec.rate_hz()), vec![vec![2]; 4], "{codec:?}");
    }
}

#[test]
fn a_lost_frame_keeps_its_energy_and_does_not_click() {
    let energy = |pcm: &[i16]| pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
    for codec in CODECS {
        let mut payloads = payloads(codec, &speech(&[(0, 10_000)], codec.rate_hz()));
        let whole = decode(codec, &payloads);
        payloads[50] = None;
        let mended = decode(codec, &payloads);
        let lost = 50 * codec.samples(20)..51 * codec.samples(20);
        let change_db = 10.0 * (energy(&mended[lost.clone()]) / energy(&whole[lost])).log10();
        // libopus takes a bare tone for noise, and conceals it more quietly.
        let least_db = if codec == Codec::Opus { -12.0 } else { -3.0 };
        assert!((least_db..3.0).contains(&change_db), "{codec:?}: {change_db:.2} dB");
        assert!(largest_step(&mended) <= 2 * largest_step(&whole), "{codec:?}");
    }
}

#[test]
fn a_long_loss_ends_in_silence_and_sound_comes_back_without_a_click() {
    for codec in CODECS {
        let mut payloads = payloads(codec, &speech(&[(0, 10_000)], codec.rate_hz()));
        let whole = decode(codec, &payloads);
        payloads[50..80].fill(None);
        let far = decode(codec, &payloads);
        let late = &far[60 * codec.samples(20)..80 * codec.samples(20)];
        assert!(late.iter().all(|sample| *sample == 0), "{codec:?}");
        assert!(largest_step(&far) <= 2 * largest_step(&whole), "{codec:?}");
    }
}

#[test]
fn an_encoder_goes_on_byte_for_byte_where_another_stands() {
    for codec in CODECS {
        let pcm = speech(&[(0, 8_000), (3, 2_000)], codec.rate_hz());
        let (mut shared, mut private) = (encoder(codec), encoder(codec));
        for (number, frame) in pcm.chunks(codec.samples(20)).enumerate() {
            if number == 50 {
                private.copy_state_from(&shared);
            }
            let payload = encode(&mut shared, frame);
            if number >= 50 {
                assert_eq!(encode(&mut private, frame), payload, "{codec:?} {number}");
            }
        }
    }
}

#[test]
fn an_encoder_that_takes_over_keeps_its_own_bit_rate() {
    let settings = |bitrate| EncoderSettings { bitrate, ..EncoderSettings::of(Codec::Opus) };
    let mut shared = Encoder::new(settings(Some(12_000))).unwrap();
    let mut private = Encoder::new(settings(Some(64_000))).unwrap();
    let pcm = speech(&[(0, 8_000), (3, 2_000)], 48_000);
    let (mut low, mut high) = (0, 0);
    for (number, frame) in pcm.chunks(960).enumerate() {
        if number == 50 {
            private.copy_state_from(&shared);
        }
        let bytes = encode(&mut shared, frame).len();
        if number >= 50 {
            low += bytes;
            high += encode(&mut private, frame).len();
        }
    }
    assert!(high > 3 * low, "{low} and {high} bytes");
}

/// How far a decoder that changes to an encoder in mid-stream is from one that always heard it,
/// in each of the first frames after the change \[dB of the sound\].
fn seam_db(from: Sound, to: Sound, land: bool) -> Vec<f64> {
    let codec = Codec::Opus;
    let encoder = |sound| {
        let settings = EncoderSettings { sound, ..EncoderSettings::of(codec) };
        Encoder::new(settings).expect("plain settings are sound")
    };
    let (mut shared, mut private) = (encoder(from), encoder(to));
    // Two mixes of the same room, as a listener has them before and after speaking.
    let before = speech(&[(0, 8_000), (4, 3_000)], 48_000);
    let after = speech(&[(0, 8_000)], 48_000);
    let (mut changing, mut steady) = (Vec::new(), Vec::new());
    for (number, (before, after)) in before.chunks(960).zip(after.chunks(960)).enumerate() {
        if number == 50 && land {
            private.land_next();
        }
        let (before, after) = (encode(&mut shared, before), encode(&mut private, after));
        changing.push(Some(if number < 50 { before } else { after.clone() }));
        steady.push(Some(after));
    }
    let (changing, steady) = (decode(codec, &changing), decode(codec, &steady));
    let energy = |pcm: Vec<f64>| pcm.iter().map(|sample| sample * sample).sum::<f64>();
    (50..60)
        .map(|number| number * 960..(number + 1) * 960)
        .map(|frame| {
            let pairs = changing[frame.clone()].iter().zip(&steady[frame.clone()]);
            let error = pairs.map(|(a, b)| f64::from(*a) - f64::from(*b)).collect();
            let sound = steady[frame].iter().map(|sample| f64::from(*sample)).collect();
            10.0 * (energy(error) / energy(sound)).max(1e-9).log10()
        })
        .collect()
}

#[test]
fn a_decoder_lands_cleanly_on_another_opus_encoder() {
    let (landed, plain) =
        (seam_db(Sound::Voice, Sound::Voice, true), seam_db(Sound::Voice, Sound::Voice, false));
    // The frame of the change blends both sounds. After it the landed decoder is where it would
    // always have been; without landing it takes several frames, which shows that this can fail.
    assert!(landed[1..].iter().all(|error_db| *error_db < -50.0), "{landed:.1?}");
    assert!(plain[1] > -30.0, "{plain:.1?}");
    // From a voice's own payloads to the mix, and from one encoder of the mix to another.
    for from in [Sound::Voice, Sound::Mix] {
        let landed = seam_db(from, Sound::Mix, true);
        assert!(landed[2..].iter().all(|error_db| *error_db < -50.0), "{from:?}: {landed:.1?}");
    }
}

#[test]
fn a_mix_has_redundancy_only_while_the_far_end_loses() {
    let (sound, codec) = (Sound::Mix, Codec::Opus);
    let settings = EncoderSettings { sound, fec: true, ..EncoderSettings::of(codec) };
    let mut encoder = Encoder::new(settings).unwrap();
    let decoder = Decoder::new(codec).unwrap();
    let pcm = speech(&[(0, 8_000), (3, 2_000)], 48_000);
    for (loss_percent, redundant) in [(0, false), (10, true), (0, false)] {
        encoder.expect_loss(loss_percent).unwrap();
        let payloads: Vec<_> = pcm.chunks(960).map(|frame| encode(&mut encoder, frame)).collect();
        // A voice that begins is worth a copy, a tone that lasts is not.
        let some = payloads[1..].iter().any(|payload| decoder.carries_fec(payload));
        assert_eq!(some, redundant, "{loss_percent} percent");
        let payloads: Vec<_> = payloads.into_iter().map(Some).collect();
        assert_eq!(heard(&decode(codec, &payloads), 48_000), vec![vec![0, 3]; 4]);
    }
    // RFC 6716 section 4.3: the CELT layer says silence in its first symbol.
    let silence = (0..100).map(|_| encode(&mut encoder, &[0; 960])).last().unwrap_or_default();
    assert_eq!(silence.len(), 3);
}

#[test]
fn opus_keeps_to_the_bit_rate_the_bandwidth_and_the_length_that_are_set() {
    use opus::Bandwidth::{Fullband, Narrowband, Superwideband, Wideband};
    let widths = [
        (Bandwidth::Narrow, Narrowband),
        (Bandwidth::Wide, Wideband),
        (Bandwidth::SuperWide, Superwideband),
        (Bandwidth::Full, Fullband),
    ];
    let pcm = speech(&[(0, 8_000), (3, 2_000)], 48_000);
    for (sound, fec) in [(Sound::Mix, false), (Sound::Mix, true), (Sound::Voice, false)] {
        for (bandwidth, expected) in widths {
            for constant_bitrate in [false, true] {
                let bitrate = Some(32_000);
                let of = EncoderSettings::of(Codec::Opus);
                let settings =
                    EncoderSettings { sound, fec, bandwidth, constant_bitrate, bitrate, ..of };
                let mut encoder = Encoder::new(settings).unwrap();
                let payloads: Vec<_> =
                    pcm.chunks(960).map(|frame| encode(&mut encoder, frame)).collect();
                let bytes: usize = payloads.iter().map(Vec::len).sum();
                let rate = bytes * 8 * 50 / payloads.len();
                assert!(rate <= 33_600, "{settings:?}: {rate} bit/s");
                let width = |it: &Vec<u8>| opus::packet::get_bandwidth(it).unwrap() as i32;
                let widest = payloads.iter().map(width).max();
                assert!(widest <= Some(expected as i32), "{settings:?}");
                let even = payloads.iter().all(|it| it.len() == payloads[0].len());
                assert_eq!(even, constant_bitrate, "{settings:?}");
            }
        }
    }
}

#[test]
fn stereo_opus_is_decoded_to_both_sides_in_one() {
    let mut stereo =
        opus::Encoder::new(48_000, opus::Channels::Stereo, opus::Application::Audio).unwrap();
    let (left, right) = (speech(&[(0, 8_000)], 48_000), speech(&[(3, 8_000)], 48_000));
    let pcm: Vec<i16> = left.iter().zip(&right).flat_map(|(l, r)| [*l, *r]).collect();
    let payloads: Vec<_> =
        pcm.chunks(1_920).map(|frame| Some(stereo.encode_vec(frame, 1_275).unwrap())).collect();
    assert_eq!(heard(&decode(Codec::Opus, &payloads), 48_000), vec![vec![0, 3]; 4]);
}

#[test]
fn fec_brings_a_lost_opus_frame_back() {
    let settings =
        EncoderSettings { fec: true, loss_percent: 20, ..EncoderSettings::of(Codec::Opus) };
    let mut encoder = Encoder::new(settings).unwrap();
    // A tone that begins in the lost frame: concealment cannot know of it, redundancy does.
    let mut pcm = speech(&[(0, 8_000)], 48_000);
    pcm[..50 * 960].fill(0);
    let payloads: Vec<_> = pcm.chunks(960).map(|frame| encode(&mut encoder, frame)).collect();
    let mut decoder = Decoder::new(Codec::Opus).unwrap();
    let mut frame = [0; 960];
    for payload in &payloads[..51] {
        assert_eq!(decoder.decode(payload, &mut frame), Ok(960));
    }
    let next = &payloads[52];
    assert!(decoder.carries_fec(next));
    assert_eq!(decoder.decode_fec(next, &mut frame), Ok(960));
    let peak = frame.iter().map(|sample| sample.unsigned_abs()).max();
    assert!(peak > Some(2_000), "{peak:?}");
}

#[test]
fn settings_out_of_bounds_and_odd_frames_are_refused() {
    let of = EncoderSettings::of(Codec::Opus);
    assert!(Encoder::new(EncoderSettings { bitrate: Some(1), ..of }).is_err());
    assert!(Encoder::new(EncoderSettings { loss_percent: 101, ..of }).is_err());
    let mut out = [0; PAYLOAD_BYTES_MAX];
    assert_eq!(encoder(Codec::Opus).encode(&[0; 1_440], &mut out), 0);
    assert_eq!(encoder(Codec::G722).encode(&[0; 321], &mut out), 0);
    assert_eq!(encoder(Codec::Pcmu).encode(&[0; 160], &mut out[..159]), 0);
    assert_eq!(encoder(Codec::Opus).encode(&[0; 960], &mut []), 0);
}
