//! What a tick costs, and that it is the same every time.

use crate::world::*;
use assert_no_alloc::assert_no_alloc;
use media::Music;
use model::limits::TAP_FRAMES_QUEUED_MAX;
use model::routing::AnnouncementPlace;
use model::{
    AnnouncementId, Chance, Codec, ConferenceId, EarGroup, Gain, Hearing, LegId, MediaOrder,
    RecordingId, TapFrame, TapRate, VoiceGroup,
};

const EAR: EarGroup = EarGroup(0);

#[test]
fn one_talker_among_a_thousand_listeners_costs_two_encodes_a_tick() {
    let mut world = World::new();
    for leg in 0..1_000 {
        world.enter(leg, Phone::new(leg, Codec::Pcmu));
    }
    world.phone(0).sine = Phone::new(0, Codec::Pcmu).speaking(0).sine;
    world.route(all_together(0..1_000));
    world.run_ms(200);
    let before = world.stats();
    world.run_ms(200);
    let after = world.stats();
    assert_eq!(after.packets_out - before.packets_out, 10 * 1_000);
    assert_eq!(after.encodes - before.encodes, 10 * 2);
    assert_eq!(after.encodes_shared - before.encodes_shared, 10 * 998);
}

#[test]
fn silence_costs_no_encodes_once_it_has_settled() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        let mut world = World::new();
        for leg in 0..10 {
            world.enter(leg, Phone::new(leg, codec));
        }
        world.route(all_together(0..10));
        world.run_ms(2_000);
        let before = world.stats();
        world.run_ms(1_000);
        let after = world.stats();
        assert_eq!(after.packets_out - before.packets_out, 500, "{codec}");
        assert_eq!(after.encodes, before.encodes, "{codec}");
    }
}

/// A room of all codecs and packet times, where somebody is muted now and then.
fn busy_room(seed: u64) -> World {
    let mut world = World::with_music(Music::house());
    let mut chance = Chance::new(seed);
    for leg in 0..12 {
        let mut phone = Phone::new(leg, Codec::ALL[leg as usize % 4]).speaking(leg as usize % 8);
        phone.ptime_ms = [20, 10, 40, 20, 60, 20][leg as usize % 6];
        let mut dice = Chance::new(chance.draw());
        phone.network = Box::new(move |_| match (dice.draw() >> 33) % 20 {
            0 => vec![],
            1 => vec![3_000, 20_000],
            late => vec![late * 1_500],
        });
        world.enter(leg, phone);
    }
    world
}

#[test]
fn receiving_applying_and_rendering_do_not_allocate() {
    let mut world = busy_room(1);
    world.desk = media::Desk::with_clips(7, clips(100));
    for leg in 0..12 {
        let phone = world.phones.remove(&LegId(leg)).unwrap();
        world.enter(leg, phone);
    }
    let conference = world.conference;
    world.route(all_together(0..12));
    let (producer, _consumer) = rtrb::RingBuffer::<TapFrame>::new(TAP_FRAMES_QUEUED_MAX);
    let recording = RecordingId(1);
    let tap = world.desk.open_tap(conference, recording, TapRate::Hz48000, producer).unwrap();
    world.stage.apply(tap);
    // So long that reports of quality and RTCP fall into what is watched.
    world.run_ms(4_600);
    let reports_before = world.stats().rtcp_packets_out;
    let address = |leg: u64| Phone::new(leg, Codec::Pcmu).address;
    let mut spent = Vec::with_capacity(10_000);
    for round in 0..60_u64 {
        // What happens off the media thread.
        let mut packets = Vec::new();
        for leg in 0..12 {
            let packet = world.phone(leg).packet();
            if let Some(port) = world.desk.port(LegId(leg)) {
                packets.push((port, address(leg), packet));
                packets.push((port, address(leg), sender_report(world.phone(leg).ssrc, 9, 0)));
            }
        }
        let mut routing = all_together(0..12);
        routing.places.remove(round as usize % 12);
        let mut routing = with_tap(routing, recording, EAR);
        // One announcement is played in each round, and the one before goes; at times it rings.
        let announcement = AnnouncementId(round);
        let place = AnnouncementPlace { announcement, voice: VoiceGroup(1) };
        routing.announcements.push(place);
        let row = |voice| Hearing { ear: EAR, voice, gain: Gain::UNITY };
        routing.hears.push(row(VoiceGroup(1)));
        routing.hears.extend((round % 3 == 0).then_some(row(VoiceGroup::RINGBACK)));
        let clip = clip_name(round as usize % 8);
        let mut orders = vec![
            MediaOrder::Play { conference, announcement, clip },
            MediaOrder::Route { conference, routing },
        ];
        orders.extend(round.checked_sub(1).map(|before| {
            let announcement = AnnouncementId(before);
            MediaOrder::StopPlaying { conference, announcement }
        }));
        let leg = LegId(round % 12);
        match round % 10 {
            3 => orders.push(MediaOrder::Close { leg }),
            4 => {
                let leg = LegId((round - 1) % 12);
                let local = "127.0.0.1".parse().unwrap();
                orders.push(MediaOrder::Open { leg, conference, local });
                let connection = world.phone(leg.0).terms();
                orders.push(MediaOrder::Connect { leg, connection });
            }
            5 => {
                let mut connection = world.phone(leg.0).terms();
                connection.ptime_ms = 20;
                orders.push(MediaOrder::Connect { leg, connection });
            }
            6 => {
                let other = Phone::new(leg.0, Codec::Opus).terms();
                orders.push(MediaOrder::Connect { leg, connection: other });
            }
            _ => {}
        }
        let mut cues: Vec<_> =
            orders.iter().map(|order| world.desk.compile(order).unwrap()).collect();
        let first = world.turn;
        // What happens on it.
        assert_no_alloc(|| {
            for cue in cues.drain(..) {
                world.stage.apply(cue);
            }
        });
        for turn in first..first + 4 {
            assert_no_alloc(|| {
                world.outbox.clear();
                for (port, from, packet) in &packets {
                    world.stage.receive(*port, *from, turn * 5_000, packet);
                }
                world.stage.turn(turn, &mut world.outbox);
                while let Some(thing) = world.stage.next_spent() {
                    spent.push(thing);
                }
                while world.stage.next_report().is_some() {}
            });
        }
        world.turn += 4;
    }
    assert!(spent.len() > 60, "{}", spent.len());
    assert!(world.stats().packets_out > 600);
    assert!(world.stats().rtcp_packets_out > reports_before);
    assert!(world.stats().rtcp_packets_in > 600);
}

#[test]
fn the_same_packets_and_orders_give_the_same_packets_bit_for_bit() {
    let run = || {
        let mut world = busy_room(2);
        let mut chance = Chance::new(3);
        let mut sent = Vec::new();
        for _ in 0..40 {
            let mut routing = all_together(0..12);
            routing.places.retain(|_| !chance.draw().is_multiple_of(4));
            world.route(routing);
            for _ in 0..7 {
                world.step();
                sent.extend(world.outbox.iter().map(|d| (d.port, d.remote, d.bytes.to_vec())));
            }
        }
        (sent, world.stats(), world.reports)
    };
    let (first, again) = (run(), run());
    assert!(first.0.len() > 500);
    assert!(first == again);
}

#[test]
fn a_recorder_is_given_every_tick_and_hears_everybody() {
    for rate in [TapRate::Hz8000, TapRate::Hz16000, TapRate::Hz48000] {
        let mut world = World::new();
        for leg in 0..4 {
            let codec = Codec::ALL[leg as usize];
            world.enter(leg, Phone::new(leg, codec).speaking(leg as usize));
        }
        let recording = RecordingId(5);
        let conference = world.conference;
        let (producer, mut consumer) = rtrb::RingBuffer::new(TAP_FRAMES_QUEUED_MAX);
        let cue = world.desk.open_tap(conference, recording, rate, producer).unwrap();
        world.stage.apply(cue);
        world.run_ms(200);
        world.route(with_tap(all_together(0..4), recording, EAR));
        world.run_ms(1_800);
        world.order(MediaOrder::CloseTap { conference, recording });
        world.run_ms(100);
        assert!(consumer.is_abandoned(), "the recorder is told that nothing more comes");
        let mut pcm = Vec::new();
        let mut ticks = Vec::new();
        while let Ok(frame) = consumer.pop() {
            ticks.push(frame.tick);
            pcm.extend_from_slice(&frame.samples[..rate.samples_per_tick()]);
        }
        assert_eq!(ticks, (0..100).collect::<Vec<u64>>());
        assert_eq!(tones_in(&pcm, rate.hz()), [0, 1, 2, 3].into(), "{rate:?}");
        assert_eq!(world.stats().tap_frames_lost, 0);
    }
}

#[test]
fn a_full_ring_is_counted_loss_and_never_a_wait() {
    let mut world = World::new();
    world.enter(0, Phone::new(0, Codec::Pcmu).speaking(0));
    let (producer, mut consumer) = rtrb::RingBuffer::new(10);
    let conference = world.conference;
    let cue = world.desk.open_tap(conference, RecordingId(1), TapRate::Hz8000, producer).unwrap();
    world.stage.apply(cue);
    world.run_ms(400);
    assert_eq!(world.stats().tap_frames_lost, 10);
    while consumer.pop().is_ok() {}
    world.run_ms(20);
    assert_eq!(consumer.pop().map(|frame| frame.tick).ok(), Some(20));
}

#[test]
fn what_is_closed_leaves_nothing_behind() {
    let mut world = World::new();
    for round in 0..50 {
        let conference = ConferenceId(round);
        world.conference = conference;
        for leg in 0..4 {
            world.enter(round * 10 + leg, Phone::new(leg, Codec::Pcmu));
        }
        world.route(all_together(round * 10..round * 10 + 4));
        world.run_ms(40);
        // In either order.
        if round % 2 == 0 {
            world.order(MediaOrder::CloseConference { conference });
        }
        for leg in 0..4 {
            world.order(MediaOrder::Close { leg: LegId(round * 10 + leg) });
        }
        if round % 2 == 1 {
            world.order(MediaOrder::CloseConference { conference });
        }
        world.phones.clear();
        world.run_ms(20);
        assert_eq!(world.stats().ports_open, 0, "round {round}");
        assert_eq!(world.desk.legs(), 0);
    }
    let before = world.stats();
    world.run_ms(100);
    assert_eq!(world.stats(), before);
}
