//! What the network does to packets, and what the listener hears of it.

use std::net::SocketAddr;

use crate::world::*;
use audio::dtmf::DtmfTone;
use audio::tone::Sine;
use model::{Chance, Codec, Connection, LegId, MediaOrder, MediaReport, TelephoneEvent};
use wire::telephone_event::Event;

/// One who speaks and one who listens; nothing has happened yet.
fn pair(speaker: Phone) -> World {
    let mut world = World::new();
    let codec = speaker.codec;
    world.enter(0, speaker);
    world.enter(1, Phone::new(1, codec));
    world.phone(1).sends = false;
    world.route(all_together(0..2));
    world
}

/// Samples of the listener since the first sound.
fn sound(world: &mut World) -> Vec<i16> {
    let heard = &world.phone(1).heard;
    let start = heard.iter().position(|sample| sample.unsigned_abs() > 1_000).unwrap();
    heard[start..].to_vec()
}

#[test]
fn packets_of_10_to_60_ms_are_heard_without_a_gap_or_a_click() {
    for codec in Codec::ALL {
        for ptime_ms in [10, 20, 30, 40, 60] {
            if codec == Codec::Opus && ptime_ms == 30 {
                continue; // Opus has no frames of 30 ms.
            }
            let mut phone = Phone::new(0, codec).speaking(0);
            phone.ptime_ms = ptime_ms;
            let mut world = pair(phone);
            world.run_ms(3_000);
            let pcm = sound(&mut world);
            let per_ms = audio_codec(codec).rate_hz() as usize / 1_000;
            assert_steady(&pcm, per_ms, 0);
            assert_eq!(world.phone(1).tones_heard(), [0].into(), "{codec} {ptime_ms}");
            let stats = world.stats();
            assert_eq!(stats.frames_concealed, 0, "{codec} {ptime_ms}");
            assert_eq!((stats.packets_lost, stats.packets_late), (0, 0));
        }
    }
}

#[test]
fn we_send_packets_of_10_to_60_ms_without_a_gap() {
    for codec in Codec::ALL {
        for ptime_ms in [10_u16, 20, 30, 40, 60] {
            if codec == Codec::Opus && ptime_ms == 30 {
                continue;
            }
            let mut world = World::new();
            world.enter(0, Phone::new(0, codec).speaking(0));
            let mut listener = Phone::new(1, codec);
            listener.ptime_ms = ptime_ms;
            world.enter(1, listener);
            world.route(all_together(0..2));
            world.run_ms(2_400);
            let phone = world.phone(1);
            assert_eq!(phone.tones_heard(), [0].into(), "{codec} {ptime_ms}");
            assert_eq!(phone.headers.len(), 2_400 / usize::from(ptime_ms), "{codec} {ptime_ms}");
            let clock = audio_codec(codec).rtp_clock_hz() / 1_000 * u32::from(ptime_ms);
            for pair in phone.headers.windows(2) {
                assert_eq!(pair[1].0, pair[0].0.wrapping_add(1));
                assert_eq!(pair[1].1, pair[0].1.wrapping_add(clock), "{codec} {ptime_ms}");
            }
        }
    }
}

#[test]
fn reordered_and_duplicated_packets_are_heard_as_if_nothing_had_happened() {
    let run = |network: Box<dyn FnMut(u64) -> Vec<u64>>| {
        let mut world = pair(Phone::new(0, Codec::Pcmu).speaking(0));
        world.run_ms(1_000);
        world.phone(0).network = network;
        world.run_ms(4_000);
        let stats = world.stats();
        (world, stats)
    };
    let (mut world, stats) = run(Box::new(|n| vec![if n % 7 == 0 { 22_000 } else { 0 }]));
    assert_steady(&sound(&mut world), 8, 0);
    assert_eq!(stats.packets_lost, 0);
    assert!(stats.frames_concealed <= 1, "{}", stats.frames_concealed);

    let (mut world, stats) =
        run(Box::new(|n| if n % 3 == 0 { vec![0, 0, 7_000] } else { vec![0] }));
    assert_steady(&sound(&mut world), 8, 0);
    assert_eq!((stats.packets_lost, stats.packets_late, stats.frames_concealed), (0, 0, 0));
    assert!(stats.packets_duplicate >= 130, "{}", stats.packets_duplicate);
}

#[test]
fn lost_packets_are_counted_and_concealed() {
    for codec in Codec::ALL {
        let mut phone = Phone::new(0, codec).speaking(0);
        phone.network = Box::new(|n| if n % 20 == 19 { vec![] } else { vec![0] });
        let mut world = pair(phone);
        world.run_ms(10_030);
        let stats = world.stats();
        assert!((24..=25).contains(&stats.packets_lost), "{codec}: {}", stats.packets_lost);
        assert!(stats.frames_concealed >= stats.packets_lost);
        assert!(stats.frames_concealed <= 2 * stats.packets_lost, "{}", stats.frames_concealed);
        assert_eq!(stats.packets_late, 0);
        let per_ms = audio_codec(codec).rate_hz() as usize / 1_000;
        // What libopus makes up of a tone may cancel itself for a moment where it ends.
        let gap_ms_max = if codec == Codec::Opus { 10 } else { 1 };
        assert_steady(&sound(&mut world), per_ms, gap_ms_max);
    }
}

/// Frames made up and packets lost of Opus on a bad line, with or without redundancy.
fn opus_on_a_bad_line(fec: bool) -> (u64, u64) {
    let (codec, bitrate) = (audio::Codec::Opus, Some(20_000));
    let of = audio::EncoderSettings::of(codec);
    let settings = audio::EncoderSettings { bitrate, fec, loss_percent: 25, ..of };
    let mut phone = Phone::with_settings(0, Codec::Opus, settings);
    // The jitter holds the delay at a packet more, so that the next one is there in time.
    phone.network = Box::new(|n| match n % 5 {
        4 => vec![],
        2 => vec![25_000],
        _ => vec![0],
    });
    let mut world = pair(phone);
    // Steady tones count as noise, of which Opus keeps no copy; syllables do not.
    for syllable in 0..20 {
        let frequency_hz = 150.0 + f64::from(syllable * 37 % 100);
        world.phone(0).sine = Some(Sine::new(frequency_hz, LOUD, 48_000));
        world.run_ms(120);
        world.phone(0).sine = None;
        world.run_ms(80);
    }
    (world.stats().frames_concealed, world.stats().packets_lost)
}

#[test]
fn what_opus_said_twice_is_not_made_up() {
    let (made_up, lost) = opus_on_a_bad_line(false);
    assert!(lost >= 38 && made_up >= lost, "{made_up} of {lost}");
    let (with_copies, lost) = opus_on_a_bad_line(true);
    assert!(lost >= 38 && 3 * with_copies < 2 * made_up, "{with_copies}, without {made_up}");
}

#[test]
fn a_late_packet_is_dropped_and_counted() {
    let mut phone = Phone::new(0, Codec::Pcmu).speaking(0);
    phone.network = Box::new(|n| vec![if n == 60 { 150_000 } else { 0 }]);
    let mut world = pair(phone);
    world.run_ms(3_000);
    let stats = world.stats();
    assert_eq!((stats.packets_late, stats.packets_lost), (1, 1));
    assert_steady(&sound(&mut world), 8, 1);
}

#[test]
fn jitter_makes_the_delay_grow_and_calm_brings_it_back() {
    let mut chance = Chance::new(3);
    let mut phone = Phone::new(0, Codec::Pcmu).speaking(0);
    phone.network = Box::new(move |n| {
        vec![if (100..600).contains(&n) { (chance.draw() >> 33) % 60_000 } else { 0 }]
    });
    let mut world = pair(phone);
    world.run_ms(4_000);
    let concealed_at_first = world.stats().frames_concealed;
    assert!(concealed_at_first <= 10, "{concealed_at_first}");
    world.run_ms(8_000);
    assert!(world.stats().frames_concealed - concealed_at_first <= 3);
    assert_steady(&sound(&mut world), 8, 1);
    world.run_ms(8_000);
    // Calm again: what is spoken is heard after a tick and the margin.
    assert!(delay_ms(&mut world) <= 45, "{} ms", delay_ms(&mut world));
}

/// From a burst that is spoken to when it is heard, without the packet time.
fn delay_ms(world: &mut World) -> u64 {
    let sine = world.phone(0).sine.take();
    world.run_ms(600);
    world.phone(1).heard.clear();
    world.phone(0).sine = sine;
    let mut waited_ms = 0;
    while !world.phone(1).heard.iter().any(|sample| sample.unsigned_abs() > 1_000) {
        world.step();
        waited_ms += 5;
        assert!(waited_ms < 1_000, "nothing is heard");
    }
    world.run_ms(600);
    // The packet went out up to 20 ms after the tone was switched on; what counts is from there.
    waited_ms
}

/// A tone from a clock that is off, for so long: its delay stays, and nothing clicks.
fn follow_a_drifting_clock(drift_ppm: f64, minutes: u64) {
    let mut phone = Phone::new(0, Codec::Pcmu).speaking(0);
    phone.drift_ppm = drift_ppm;
    let mut world = pair(phone);
    world.run_ms(5_000);
    let first = delay_ms(&mut world);
    world.phone(1).heard.clear();
    for minute in 0..minutes {
        world.run_ms(60_000);
        let phone = world.phone(1);
        let calm = largest_bend(&phone.heard);
        assert!(calm < 1_600, "{drift_ppm}, minute {minute}: a bend of {calm}");
        phone.heard.clear();
    }
    let last = delay_ms(&mut world);
    assert!(first.abs_diff(last) <= 20, "{drift_ppm}: {first} ms became {last} ms");
    let stats = world.stats();
    assert_eq!((stats.packets_lost, stats.packets_late), (0, 0), "{drift_ppm}");
    assert!(stats.frames_concealed <= 3, "{drift_ppm}: {}", stats.frames_concealed);
}

#[test]
fn clocks_that_drift_are_followed_for_three_hours() {
    for drift_ppm in [-500.0, 500.0] {
        follow_a_drifting_clock(drift_ppm, 180);
    }
}

#[test]
fn a_restarted_stream_another_ssrc_and_a_jumping_timestamp_leave_no_gap() {
    let changes: [fn(&mut Phone); 4] = [
        |phone| phone.ssrc += 1,
        |phone| phone.timestamp = phone.timestamp.wrapping_add(3_000_000),
        |phone| phone.timestamp = phone.timestamp.wrapping_sub(3_000_000),
        |phone| (phone.ssrc, phone.sequence, phone.timestamp) = (77, 5, 9),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut world = pair(Phone::new(0, Codec::Pcmu).speaking(0));
        world.run_ms(2_000);
        change(world.phone(0));
        world.run_ms(2_000);
        assert_steady(&sound(&mut world), 8, 0);
        let stats = world.stats();
        assert_eq!((stats.packets_lost, stats.frames_concealed), (0, 0), "change {number}");
    }
    // A restart of the counters alone is believed at its second packet: one packet is missing.
    let mut world = pair(Phone::new(0, Codec::Pcmu).speaking(0));
    world.run_ms(2_000);
    world.phone(0).sequence = world.phone(0).sequence.wrapping_add(20_000);
    world.run_ms(2_000);
    assert_steady(&sound(&mut world), 8, 5);
}

#[test]
fn a_pause_of_the_sender_is_silence_and_no_loss() {
    let mut world = pair(Phone::new(0, Codec::Pcmu).speaking(0));
    world.run_ms(2_000);
    for _ in 0..3 {
        // The sender's clock goes on while it sends nothing.
        world.phone(0).sends = false;
        world.run_ms(1_000);
        let phone = world.phone(0);
        phone.timestamp = phone.timestamp.wrapping_add(8_000);
        phone.sends = true;
        world.run_ms(1_000);
    }
    let stats = world.stats();
    assert_eq!((stats.packets_lost, stats.packets_late), (0, 0));
    assert!(stats.frames_concealed <= 3 * 4, "{}", stats.frames_concealed);
    assert_eq!(world.phone(1).tones_heard(), [0].into());
}

#[test]
fn a_strangers_packets_are_never_heard_before_during_or_after() {
    let stranger: SocketAddr = "203.0.113.66:4000".parse().unwrap();
    let mut world = pair(Phone::new(0, Codec::Pcmu).speaking(0));
    world.phone(0).sends = false;
    let mut other = Phone::new(9, Codec::Pcmu).speaking(5);
    let attack = |world: &mut World, other: &mut Phone| {
        for _ in 0..100 {
            (other.ssrc, other.sequence) = (world.phone(0).ssrc, world.phone(0).sequence);
            world.post(0, stranger, other.packet());
            world.run_ms(20);
        }
    };
    attack(&mut world, &mut other);
    assert_eq!(world.phone(1).tones_heard(), [].into());
    assert_eq!(world.stats().packets_refused, 100);
    world.phone(0).sends = true;
    attack(&mut world, &mut other);
    assert_eq!(world.phone(1).tones_heard(), [0].into());
    world.phone(0).sends = false;
    attack(&mut world, &mut other);
    assert_eq!(world.phone(1).tones_heard(), [].into());
    assert_eq!(world.stats().packets_refused, 300);
    let stats = world.stats();
    assert_eq!((stats.packets_duplicate, stats.packets_lost), (0, 0));
}

#[test]
fn behind_a_nat_packets_go_to_where_the_first_one_came_from() {
    let mut world = World::new();
    let mut phone = Phone::new(0, Codec::Pcmu).speaking(0);
    phone.sends = false;
    world.enter(0, phone);
    let private = "192.168.1.20:5004".parse().unwrap();
    let terms = Connection { remote: private, ..world.phone(0).terms() };
    world.order(MediaOrder::Connect { leg: LegId(0), connection: terms });
    for _ in 0..8 {
        world.render();
        assert!(world.outbox.iter().all(|datagram| datagram.remote == private));
    }
    let (address, packet) = (world.phone(0).address, world.phone(0).packet());
    world.post(0, address, packet);
    world.run_ms(20);
    // From here on each step asserts that the phone's own address is the remote.
    world.run_ms(200);
    assert!(world.phone(0).headers.len() >= 9);
}

/// The keys that leg 0 was reported to press.
fn digits(world: &World) -> String {
    let digit = |report: &MediaReport| {
        let MediaReport::Digit { leg: LegId(0), digit } = report else { return None };
        Some(*digit)
    };
    world.reports.iter().filter_map(digit).collect()
}

/// The sound of keys, 60 ms each and as long apart, at 8 kHz.
fn dialled(keys: &str) -> Vec<i16> {
    let mut pcm = vec![0; 800];
    for key in keys.chars() {
        let at = pcm.len();
        pcm.resize(at + 960, 0);
        DtmfTone::new(key, 8_000).expect("a key").fill(&mut pcm[at..at + 480]);
    }
    pcm.resize(pcm.len() + 1_600, 0);
    pcm
}

#[test]
fn keys_in_the_sound_are_heard_where_no_events_were_agreed_also_of_somebody_muted() {
    let dialling = |keys| Phone::new(0, Codec::Pcmu).saying(dialled(keys));
    let mut world = pair(dialling("12#").without_events());
    world.run_ms(1_500);
    assert_eq!(digits(&world), "12#");
    // With events agreed, tones are sound like any other.
    let mut world = pair(dialling("12#"));
    world.run_ms(1_500);
    assert_eq!(digits(&world), "");
    // Nobody else is in the room, so nobody hears the phone.
    let mut world = World::new();
    world.enter(0, dialling("*9").without_events());
    world.route(all_together([0]));
    world.run_ms(1_500);
    assert_eq!(digits(&world), "*9");
}

#[test]
fn a_key_is_reported_once_though_its_packets_are_repeated_lost_or_come_twice() {
    let mut world = pair(Phone::new(0, Codec::Pcmu).speaking(0));
    let event =
        TelephoneEvent { payload_type: 96, receive_payload_type: 101, clock_rate_hz: 8_000 };
    let terms = Connection { telephone_event: Some(event), ..world.phone(0).terms() };
    world.order(MediaOrder::Connect { leg: LegId(0), connection: terms });
    world.run_ms(1_000);
    for (code, ends) in [(5, 3), (11, 1), (1, 0)] {
        world.phone(0).sends = false;
        let start = world.phone(0).timestamp;
        let press = |world: &mut World, end, duration| {
            let payload = Event { code, end, volume: 10, duration }.to_bytes();
            let phone = world.phone(0);
            let place = (phone.sequence, start, phone.ssrc);
            phone.sequence = phone.sequence.wrapping_add(1);
            let (address, packet) = (phone.address, rtp_packet(101, place, &payload));
            world.post(0, address, packet.clone());
            world.post(0, address, packet);
        };
        for tick in 1..=5 {
            press(&mut world, false, 160 * tick);
            world.run_ms(20);
        }
        for _ in 0..ends {
            press(&mut world, true, 800);
        }
        world.phone(0).timestamp = start.wrapping_add(800);
        world.phone(0).sends = true;
        world.run_ms(1_000);
    }
    assert_eq!(digits(&world), "5#1");
    assert_eq!(world.stats().packets_lost, 0);
}

#[test]
fn hostile_bytes_do_no_harm() {
    let mut world = pair(Phone::new(0, Codec::Opus).speaking(0));
    world.run_ms(500);
    let mut chance = Chance::new(11);
    let address = world.phone(0).address;
    for round in 0..20_000_u32 {
        let mut bytes = world.phone(0).packet();
        if round % 3 == 0 {
            let length = (chance.draw() >> 33) as usize % 1_500;
            bytes.resize(length, chance.draw() as u8);
        }
        for _ in 0..chance.draw() % 8 {
            let place = (chance.draw() >> 33) as usize;
            if !bytes.is_empty() {
                let place = place % bytes.len();
                bytes[place] = chance.draw() as u8;
            }
        }
        world.post(0, address, bytes);
        if round % 4 == 0 {
            world.step();
        }
    }
    world.phone(0).ssrc = 4_711;
    world.run_ms(3_000);
    assert_eq!(world.phone(1).tones_heard(), [0].into());
}

#[test]
fn a_way_that_is_longer_from_now_on_is_heard_again_within_a_second_and_a_half() {
    for longer_ms in [100, 150, 190, 220, 250, 300, 350, 390, 450, 1_000] {
        let mut phone = Phone::new(0, Codec::Pcmu).speaking(0);
        phone.network = Box::new(move |n| vec![if n < 150 { 0 } else { longer_ms * 1_000 }]);
        let mut world = pair(phone);
        world.run_ms(3_000 + longer_ms + 1_500);
        world.phone(1).heard.clear();
        world.run_ms(1_000);
        assert_eq!(world.phone(1).heard.len(), 8_000, "longer by {longer_ms} ms");
        assert_steady(&world.phone(1).heard, 8, 20);
        assert_eq!(world.phone(1).tones_heard(), [0].into(), "longer by {longer_ms} ms");
    }
}

#[test]
fn a_key_whose_repeated_ends_come_after_another_codec_was_agreed_is_told_once() {
    for changed_after in 1..=8 {
        let mut world = pair(Phone::new(0, Codec::Pcmu).speaking(0));
        world.run_ms(1_000);
        let phone = world.phone(0);
        phone.sends = false;
        let (start, ssrc, mut sequence) = (phone.timestamp, phone.ssrc, phone.sequence);
        let from = phone.address;
        for n in 1..=8_u16 {
            let end = n >= 6;
            let duration = 160 * n.min(6);
            let event = Event { code: 5, end, volume: 10, duration };
            world.post(0, from, rtp_packet(101, (sequence, start, ssrc), &event.to_bytes()));
            sequence = sequence.wrapping_add(1);
            world.run_ms(20);
            if n == changed_after {
                let mut terms = world.phone(0).terms();
                terms.codec = Codec::Pcma;
                (terms.payload_type, terms.receive_payload_type) = (8, 8);
                world.order(MediaOrder::Connect { leg: LegId(0), connection: terms });
                world.phone(0).codec = Codec::Pcma;
            }
        }
        world.run_ms(500);
        let digits =
            world.reports.iter().filter(|r| matches!(r, MediaReport::Digit { .. })).count();
        assert_eq!(digits, 1, "another codec after packet {changed_after}");
    }
}

#[test]
fn sound_of_a_stream_that_begins_in_the_middle_of_a_key_is_as_early_as_before() {
    let mut world = pair(Phone::new(0, Codec::Pcmu).speaking(0));
    world.run_ms(9_000);
    let phone = world.phone(0);
    phone.sends = false;
    (phone.ssrc, phone.sequence) = (77, 300);
    let (from, start) = (phone.address, 5_000_000);
    // The key has been down for 200 ms.
    for number in 1..=10_u16 {
        let event = Event { code: 5, end: number >= 8, volume: 10, duration: 160 * (number + 10) };
        let packet = rtp_packet(101, (300 + number, start, 77), &event.to_bytes());
        world.post(0, from, packet);
        world.run_ms(20);
    }
    let phone = world.phone(0);
    (phone.sequence, phone.timestamp, phone.sends) = (311, start + 20 * 160, true);
    world.phone(1).heard.clear();
    world.run_ms(60);
    assert!(world.phone(1).heard.iter().any(|sample| sample.unsigned_abs() > 1_500));
    let digits = world.reports.iter().filter(|r| matches!(r, MediaReport::Digit { .. })).count();
    assert_eq!(digits, 1);
}
