//! Who is silent costs nothing, and the first syllable after it is whole.

use crate::world::*;
use audio::{Decoder, Encoder, EncoderSettings, Resampler};
use model::limits::TAP_FRAMES_QUEUED_MAX;
use model::{Codec, EarGroup, RecordingId, TapRate};

/// A sentence at 16 or 48 kHz.
fn sentence(rate_hz: u32) -> Vec<i16> {
    let wav = include_bytes!("../../../../fixtures/audio/alice.wav");
    let pcm: Vec<i16> =
        wav[44..].chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
    if rate_hz == 16_000 {
        return pcm;
    }
    let mut resampler = Resampler::new(16_000, 48_000);
    let mut out = vec![0; pcm.len() * 3];
    for (from, to) in pcm.chunks_exact(320).zip(out.chunks_exact_mut(960)) {
        resampler.process(from, to);
    }
    out
}

#[test]
fn silent_legs_cost_no_decode_in_opus_and_in_g722() {
    silent_legs_cost_no_decode(Codec::Opus);
    silent_legs_cost_no_decode(Codec::G722);
}

fn silent_legs_cost_no_decode(codec: Codec) {
    let mut world = World::new();
    for leg in 0..50 {
        let phone = Phone::new(leg, codec);
        world.enter(leg, if leg < 3 { phone.speaking(leg as usize) } else { phone });
    }
    world.route(all_together(0..50));
    // Then the delay is what the network needs, and as many packets go as come.
    world.run_ms(4_000);
    let before = world.stats();
    world.run_ms(1_000);
    let after = world.stats();
    assert_eq!(after.packets_in - before.packets_in, 50 * 50);
    assert_eq!(after.decodes - before.decodes, 50 * 3);
}

#[test]
fn who_fell_silent_is_not_decoded_for_long() {
    let mut world = World::new();
    for leg in 0..2 {
        world.enter(leg, Phone::new(leg, Codec::Opus).speaking(leg as usize));
    }
    world.route(all_together(0..2));
    world.run_ms(2_000);
    world.phones.values_mut().for_each(|phone| phone.swell = Some(Swell::Out));
    // The encoder takes a while until it goes round through few payloads.
    world.run_ms(5_000);
    let before = world.stats();
    world.run_ms(10_000);
    let decodes = world.stats().decodes - before.decodes;
    assert!(decodes < 2 * 500 / 20, "{decodes} of 1000");
}

/// Energy of the difference to the energy of what it should be, where both fit best \[dB\].
fn difference_db(heard: &[i16], sent: &[i16]) -> f64 {
    let energy = |samples: &mut dyn Iterator<Item = f64>| samples.map(|s| s * s).sum::<f64>();
    let shifted = heard.windows(sent.len()).map(|heard| {
        let mut pairs = heard.iter().zip(sent).map(|(a, b)| f64::from(*a) - f64::from(*b));
        energy(&mut pairs)
    });
    let least = shifted.fold(f64::INFINITY, f64::min);
    10.0 * (least / energy(&mut sent.iter().map(|s| f64::from(*s)))).log10()
}

/// Where after a sample the voice is loud, and half a second more of it is left.
fn loud_after(sentence: &[i16], at: usize, frame: usize) -> usize {
    let at = if at + 40 * frame > sentence.len() { 0 } else { at };
    let loud = |frame: &[i16]| frame.iter().any(|sample| sample.unsigned_abs() > 3_000);
    at + frame * sentence[at..].chunks(frame).position(loud).unwrap()
}

/// The first 80 ms of words after two seconds of silence each, as they come out of the mixer: how
/// they differ from what a decoder makes of them that decodes everything \[dB\].
fn first_syllables(codec: Codec, rate: TapRate) -> Vec<f64> {
    let mut world = World::new();
    let mut talker = Phone::new(0, codec);
    talker.sends = false;
    let address = talker.address;
    world.enter(0, talker);
    world.enter(1, Phone::new(1, codec));
    world.route(all_together(0..2));
    let (producer, mut consumer) = rtrb::RingBuffer::new(TAP_FRAMES_QUEUED_MAX);
    let (conference, recording) = (world.conference, RecordingId(1));
    let tap = world.desk.open_tap(conference, recording, rate, producer).unwrap();
    world.stage.apply(tap);
    world.route(with_tap(all_together(0..2), recording, EarGroup(0)));

    let frame = rate.samples_per_tick();
    let sentence = sentence(rate.hz());
    let (sound, clock) = (audio_codec(codec), audio_codec(codec).rtp_clock_hz() / 50);
    let mut encoder = Encoder::new(EncoderSettings::of(sound)).unwrap();
    let mut decoder = Decoder::new(sound).unwrap();
    let (mut sent, mut heard) = (Vec::new(), Vec::new());
    let (mut onsets, mut said) = (Vec::new(), 0_usize);
    for packet in 0..1_500_u32 {
        // Two seconds of silence, then a word of half a second, each time from elsewhere.
        let mut pcm = vec![0; frame];
        if packet % 125 >= 100 {
            if packet % 125 == 100 {
                onsets.push(sent.len());
                said = loud_after(&sentence, said + 40 * frame, frame);
            }
            let at = said + (packet as usize % 125 - 100) * frame;
            pcm.copy_from_slice(&sentence[at..at + frame]);
        }
        let mut payload = [0; 1_275];
        let length = encoder.encode(&pcm, &mut payload);
        let samples = decoder.decode(&payload[..length], &mut pcm).unwrap();
        sent.extend_from_slice(&pcm[..samples]);
        let place = (packet as u16, packet * clock, 77);
        world.post(0, address, rtp_packet(payload_type(codec), place, &payload[..length]));
        world.run_ms(20);
        while let Ok(tapped) = consumer.pop() {
            heard.extend_from_slice(&tapped.samples[..frame]);
        }
    }
    let decodes = world.stats().decodes;
    assert!(decodes < 700, "{decodes} of 1500 were decoded");
    let difference = |at: &usize| {
        let heard = &heard[at - frame..at + 4 * frame + 5 * frame];
        difference_db(heard, &sent[*at..at + 4 * frame])
    };
    onsets[1..].iter().map(difference).collect()
}

#[test]
fn the_first_syllable_after_silence_comes_out_as_it_went_in() {
    for difference in first_syllables(Codec::Opus, TapRate::Hz48000) {
        assert!(difference < -60.0, "{difference:.1} dB");
    }
    for difference in first_syllables(Codec::G722, TapRate::Hz16000) {
        assert!(difference < -40.0, "{difference:.1} dB");
    }
}
