//! RTCP, quality, and whose packets they are.

use std::net::SocketAddr;

use crate::world::*;
use model::{Codec, LegId, MediaOrder, MediaReport, Quality, Rtcp};
use wire::rtcp::{
    Compound, ExtendedBlock, ExtendedReport, Packet, Report, ReportBlock, SenderInfo, VoipMetrics,
};

/// What one compound to a phone says.
struct Told {
    ssrc: u32,
    info: Option<SenderInfo>,
    blocks: Vec<ReportBlock>,
    cname: String,
    bye: bool,
    extended: Vec<ExtendedBlock>,
}

fn read(bytes: &[u8]) -> Told {
    let mut told = Told {
        ssrc: 0,
        info: None,
        blocks: vec![],
        cname: String::new(),
        bye: false,
        extended: vec![],
    };
    for packet in Compound::parse(bytes).unwrap() {
        match packet {
            Packet::SenderReport { ssrc, info, blocks } => {
                (told.ssrc, told.info, told.blocks) = (ssrc, Some(info), blocks.collect());
            }
            Packet::ReceiverReport { ssrc, blocks } => {
                (told.ssrc, told.blocks) = (ssrc, blocks.collect());
            }
            Packet::SourceDescription(mut names) => {
                let name = names.next().unwrap();
                assert_eq!(name.ssrc, told.ssrc);
                told.cname = String::from_utf8(name.cname.unwrap().to_vec()).unwrap();
            }
            Packet::Bye(mut sources) => {
                assert_eq!(sources.next(), Some(told.ssrc));
                told.bye = true;
            }
            Packet::Extended { blocks, .. } => told.extended.extend(blocks),
            Packet::Other { packet_type } => panic!("packet type {packet_type}"),
        }
    }
    told
}

/// One who speaks and loses every tenth packet, and one who listens.
fn pair() -> World {
    let mut world = World::new();
    let mut speaker = Phone::new(0, Codec::Pcmu).speaking(0);
    speaker.network = Box::new(|number| if number % 10 == 9 { vec![] } else { vec![0] });
    world.enter(0, speaker);
    world.enter(1, Phone::new(1, Codec::Pcmu));
    world.route(all_together(0..2));
    world
}

fn qualities(world: &World, leg: u64) -> Vec<Quality> {
    let of_leg = |report: &MediaReport| match report {
        MediaReport::Quality { leg: of, quality } if of.0 == leg => Some(*quality),
        MediaReport::Quality { .. }
        | MediaReport::Opened { .. }
        | MediaReport::OpenFailed { .. }
        | MediaReport::Digit { .. }
        | MediaReport::Talking { .. }
        | MediaReport::EarlyMedia { .. }
        | MediaReport::Played { .. }
        | MediaReport::OneWay { .. }
        | MediaReport::TimedOut { .. } => None,
    };
    world.reports.iter().filter_map(of_leg).collect()
}

#[test]
fn each_phone_is_told_what_we_sent_and_what_came_of_its_own_packets() {
    let mut world = pair();
    world.run_ms(30_000);
    let (ssrc, told) = (world.phone(0).ssrc, std::mem::take(&mut world.phone(0).told));
    assert!((4..=13).contains(&told.len()), "{}", told.len());
    let told: Vec<Told> = told.iter().map(|bytes| read(bytes)).collect();
    for report in &told {
        let block = report.blocks[0];
        assert_eq!(block.ssrc, ssrc);
        assert!((22..=29).contains(&block.fraction_lost), "{} of 256", block.fraction_lost);
        assert!(block.jitter <= 1, "nothing is late by more than a turn: {}", block.jitter);
        assert_eq!(report.cname, told[0].cname);
        assert!(!report.bye);
    }
    let [.., before, last] = &told[..] else { panic!("two reports at least") };
    let (before_info, info) = (before.info.unwrap(), last.info.unwrap());
    // Fifty packets of 160 bytes a second, and the same clock in both timestamps.
    let passed = (info.ntp_timestamp - before_info.ntp_timestamp) as f64 / 2_f64.powi(32);
    let packets = f64::from(info.packet_count - before_info.packet_count);
    assert!((packets - passed * 50.0).abs() <= 1.5, "{packets} in {passed} s");
    let ticks = f64::from(info.rtp_timestamp.wrapping_sub(before_info.rtp_timestamp));
    assert!((ticks - passed * 8_000.0).abs() < 2.0, "{ticks} in {passed} s");
    assert_eq!(info.octet_count, info.packet_count * 160);
    let lost: i32 = last.blocks[0].cumulative_lost;
    let highest = last.blocks[0].highest_sequence - before.blocks[0].highest_sequence;
    assert!(lost > 100 && highest > 100);
    assert_ne!(read(&world.phone(1).told[0]).cname, told[0].cname);
}

#[test]
fn quality_is_told_every_five_seconds_with_loss_jitter_and_score() {
    let mut world = pair();
    world.run_ms(26_000);
    let speaker = qualities(&world, 0);
    assert_eq!(speaker.len(), 5);
    let last = speaker[4];
    assert!((9.0..=11.0).contains(&last.loss_percent), "{last:?}");
    assert!(last.frames_concealed > 100 && last.packets_expected > 1_200, "{last:?}");
    assert!(last.mos.is_some_and(|mos| (3.3..3.6).contains(&mos)), "{last:?}");
    assert_eq!((last.far, last.round_trip_ms), (None, None), "its phone told nothing");
    let listener = qualities(&world, 1)[4];
    assert_eq!((listener.loss_percent, listener.mos), (0.0, Some(4.41)));
}

#[test]
fn what_the_phone_tells_is_kept_with_its_round_trip() {
    let mut world = pair();
    world.run_ms(12_000);
    let told = read(world.phone(1).told.last().unwrap());
    let middle = (told.info.unwrap().ntp_timestamp >> 16) as u32;
    // What comes now was sent 12 s less the report's age ago; the phone kept it for all but 60 ms.
    let now = (12_u64 << 16) as u32;
    let block = ReportBlock {
        ssrc: told.ssrc,
        fraction_lost: 13,
        jitter: 240,
        last_sender_report: middle,
        delay_since_last_sender_report: now - middle - (60 << 16) / 1_000,
        ..ReportBlock::default()
    };
    let ssrc = world.phone(1).ssrc;
    let report = Report { ssrc, sender: None, blocks: &[block], cname: "far", bye: true };
    let mut bytes = vec![0; report.length()];
    report.write(&mut bytes).unwrap();
    let address = world.phone(1).address;
    world.post(1, address, bytes);
    let heard = world.phone(1).heard.len();
    world.run_ms(6_000);
    let quality = *qualities(&world, 1).last().unwrap();
    assert!(quality.round_trip_ms.is_some_and(|ms| (59.0..=61.0).contains(&ms)), "{quality:?}");
    let far = quality.far.unwrap();
    assert_eq!((far.loss_percent, far.jitter_ms), (5.1, 30.0));
    assert!((3.8..4.0).contains(&far.mos), "{far:?}");
    assert_eq!(world.phone(1).heard.len() - heard, 6 * 8_000, "a goodbye in RTCP ends nothing");
    assert_eq!(world.stats().rtcp_packets_in, 1);
}

/// What a phone was told of how it is heard, last.
fn metrics_told(world: &mut World, leg: u64) -> Option<VoipMetrics> {
    let extended = read(world.phone(leg).told.last().unwrap()).extended;
    extended.into_iter().find_map(|block| match block {
        ExtendedBlock::VoipMetrics(metrics) => Some(metrics),
        ExtendedBlock::ReceiverTime(_)
        | ExtendedBlock::SinceReceiverTime { .. }
        | ExtendedBlock::Other => None,
    })
}

#[test]
fn who_asks_in_sdp_is_told_how_it_is_heard_by_rtcp_xr() {
    let mut world = pair();
    let connection = model::Connection { voip_metrics: true, ..world.phone(0).terms() };
    world.order(MediaOrder::Connect { leg: LegId(0), connection });
    world.run_ms(30_000);
    let metrics = metrics_told(&mut world, 0).unwrap();
    assert_eq!(metrics.ssrc, world.phone(0).ssrc);
    // Every tenth packet is lost: one burst without an end.
    assert!((22..=27).contains(&metrics.loss_rate), "{metrics:?}");
    assert!((24..=30).contains(&metrics.burst_density), "{metrics:?}");
    assert!((20_000..=30_000).contains(&metrics.burst_duration_ms), "{metrics:?}");
    assert_eq!((metrics.gap_density, metrics.discard_rate, metrics.round_trip_ms), (0, 0, 0));
    assert!((4..=40).contains(&metrics.buffer_nominal_ms), "{metrics:?}");
    assert_eq!(metrics.end_system_delay_ms, metrics.buffer_nominal_ms + 20);
    assert!(metrics.mos_listening.is_some_and(|mos| (33..=36).contains(&mos)), "{metrics:?}");
    assert_eq!(metrics_told(&mut world, 1), None, "nobody asked");
}

#[test]
fn who_speaks_rtcp_xr_is_answered_in_it_and_believed() {
    let mut world = pair();
    world.run_ms(12_000);
    let told = read(world.phone(1).told.last().unwrap());
    let (ssrc, address) = (world.phone(1).ssrc, world.phone(1).address);
    let metrics = VoipMetrics {
        ssrc: told.ssrc,
        loss_rate: 3,
        discard_rate: 26,
        burst_density: 0,
        gap_density: 3,
        burst_duration_ms: 0,
        gap_duration_ms: 9_000,
        round_trip_ms: 0,
        end_system_delay_ms: 60,
        gap_packets_min: 16,
        r_factor: Some(80),
        mos_listening: Some(39),
        mos_conversation: Some(38),
        buffer_nominal_ms: 40,
        buffer_max_ms: 100,
    };
    let mut bytes = sender_report(ssrc, told.ssrc, 3);
    let extended = ExtendedReport { ssrc, metrics: Some(metrics), since_receiver_time: None };
    let mut more = vec![0; extended.length()];
    extended.write(&mut more).unwrap();
    bytes.extend_from_slice(&more);
    // A receiver's time (RFC 3611 section 4.4).
    let time = [[0x80, 207, 0, 4], ssrc.to_be_bytes(), [4, 0, 0, 2], [0, 1, 2, 3], [4, 5, 6, 7]];
    bytes.extend(time.concat());
    world.post(1, address, bytes);
    world.run_ms(8_000);
    let reports: Vec<_> = world.phone(1).told.iter().map(|bytes| read(bytes).extended).collect();
    let last = reports.last().unwrap();
    let Some(ExtendedBlock::SinceReceiverTime { ssrc: of, last_receiver_report, delay }) =
        last.first().copied()
    else {
        panic!("{last:?}")
    };
    assert_eq!((of, last_receiver_report), (ssrc, 0x0203_0405));
    assert!((1 << 15..8 << 16).contains(&delay), "{delay}");
    assert_eq!(metrics_told(&mut world, 1).map(|metrics| metrics.loss_rate), Some(0));
    let far = qualities(&world, 1).last().unwrap().far.unwrap();
    assert_eq!((far.discarded_percent, far.mos_told), (Some(10.2), Some(3.9)));
}

#[test]
fn who_goes_is_told_goodbye_once() {
    let mut world = pair();
    world.run_ms(8_000);
    let before = world.stats().rtcp_packets_out;
    let port = world.desk.port(LegId(1)).unwrap();
    world.order(MediaOrder::Close { leg: LegId(1) });
    let mut last = Vec::new();
    for _ in 0..20 {
        world.render();
        let of_port = world.outbox.iter().filter(|datagram| datagram.port == port);
        last.extend(of_port.map(|datagram| datagram.bytes.to_vec()));
        while world.stage.next_spent().is_some() {}
    }
    assert!(read(last.last().unwrap()).bye);
    let goodbyes = last.iter().filter(|bytes| bytes[1] == 200 && read(bytes).bye).count();
    assert_eq!(goodbyes, 1);
    assert!(world.stats().rtcp_packets_out > before);
}

#[test]
fn rtcp_of_its_own_goes_to_where_sdp_said_or_to_where_it_comes_from() {
    let mut world = World::new();
    let phone = Phone::new(0, Codec::Pcma);
    let mut connection = phone.terms();
    let described = SocketAddr::new(phone.address.ip(), 30_001);
    connection.rtcp = Rtcp::Apart(described);
    world.enter(0, phone);
    world.order(MediaOrder::Connect { leg: LegId(0), connection });
    world.route(all_together(0..1));
    let mut remotes = Vec::new();
    let elsewhere = SocketAddr::new(described.ip(), 40_404);
    for turn in 0..8_000 {
        world.render();
        while world.stage.next_report().is_some() {}
        let rtcp = world.outbox.iter().filter(|datagram| datagram.bytes[1] == 200);
        remotes.extend(rtcp.map(|datagram| datagram.remote));
        if turn == 4_000 {
            world.post(0, elsewhere, sender_report(1_000, 9, 0));
        }
    }
    remotes.dedup();
    assert_eq!(remotes, [described, elsewhere]);
}

#[test]
fn after_another_address_was_agreed_rtcp_goes_there_whence_ever_it_came_before() {
    let mut world = World::new();
    let phone = Phone::new(0, Codec::Pcma);
    let mut connection = phone.terms();
    let host = phone.address.ip();
    connection.rtcp = Rtcp::Apart(SocketAddr::new(host, 30_001));
    world.enter(0, phone);
    world.order(MediaOrder::Connect { leg: LegId(0), connection: connection.clone() });
    world.route(all_together(0..1));
    world.step();
    world.post(0, SocketAddr::new(host, 30_001), sender_report(1_000, 9, 0));
    world.step();
    let (moved, control) = (SocketAddr::from(([192, 0, 2, 9], 5_000)), 5_001);
    connection.remote = moved;
    connection.rtcp = Rtcp::Apart(SocketAddr::new(moved.ip(), control));
    world.order(MediaOrder::Connect { leg: LegId(0), connection });
    let mut remotes = Vec::new();
    for _ in 0..4_000 {
        world.render();
        while world.stage.next_report().is_some() {}
        let rtcp = world.outbox.iter().filter(|datagram| datagram.bytes[1] == 200);
        remotes.extend(rtcp.map(|datagram| datagram.remote));
    }
    remotes.dedup();
    assert_eq!(remotes, [SocketAddr::new(moved.ip(), control)]);
}

#[test]
fn a_stranger_s_rtcp_changes_nothing_and_is_not_answered() {
    let run = |strange: bool| {
        let mut world = pair();
        world.run_ms(6_000);
        let ssrc = read(world.phone(1).told.last().unwrap()).ssrc;
        if strange {
            for from in ["192.0.2.1:9", "198.51.100.9:10001"] {
                let mut bye = sender_report(world.phone(1).ssrc, ssrc, 255);
                bye.extend([0x81, 203, 0, 1]);
                bye.extend(world.phone(1).ssrc.to_be_bytes());
                assert!(Compound::parse(&bye).is_ok());
                world.post(1, from.parse().unwrap(), bye);
            }
        }
        world.run_ms(6_000);
        // `World::step` sees to it that nothing goes anywhere but to the phones.
        let (mut stats, reports) = (world.stats(), world.reports.clone());
        if strange {
            assert_eq!((stats.packets_refused, stats.rtcp_packets_in), (2, 0));
            stats.packets_refused = 0;
        }
        (stats, reports, world.phone(1).heard.clone(), world.phone(1).told.clone())
    };
    assert!(run(true) == run(false));
}

#[test]
fn a_call_whose_nat_gives_it_another_port_is_heard_again_within_a_second() {
    let mut world = pair();
    world.phone(0).network = Box::new(|_| vec![0]);
    world.run_ms(2_000);
    let refused = world.stats().packets_refused;
    let heard = world.phone(1).heard.len();
    let elsewhere = SocketAddr::new(world.phone(0).address.ip(), 62_000);
    world.phone(0).address = elsewhere;
    // `World::step` would insist that all goes to the other port from the first packet on.
    let mut sent_there = None;
    for turn in 0..200 {
        world.render();
        let port = world.desk.port(LegId(0)).unwrap();
        let to_it = world.outbox.iter().find(|datagram| datagram.port == port);
        if sent_there.is_none() && to_it.is_some_and(|datagram| datagram.remote == elsewhere) {
            sent_there = Some(turn * 5);
        }
        let port = world.desk.port(LegId(1)).unwrap();
        let packets: Vec<Vec<u8>> = world
            .outbox
            .iter()
            .filter(|datagram| datagram.port == port)
            .map(|datagram| datagram.bytes.to_vec())
            .collect();
        for bytes in packets {
            world.phone(1).hear(&bytes);
        }
        while world.stage.next_report().is_some() {}
    }
    assert!(sent_there.is_some_and(|ms| ms <= 300), "{sent_there:?}");
    let refused = world.stats().packets_refused - refused;
    assert!(refused <= 12, "{refused} packets were not heard");
    let after = &world.phone(1).heard[heard + 8 * 500..];
    assert!(after.chunks(80).all(|part| part.iter().any(|s| s.unsigned_abs() > 1_000)));
}

#[test]
fn whoever_knows_less_than_the_phone_takes_nothing_from_it() {
    let mut world = pair();
    world.phone(0).network = Box::new(|_| vec![0]);
    world.run_ms(2_000);
    let before = world.stats();
    let (ssrc, timestamp) = (world.phone(0).ssrc, world.phone(0).timestamp);
    let host = world.phone(0).address.ip();
    let mut strange = 0;
    for round in 0..100_u16 {
        let sequence = world.phone(0).sequence.wrapping_add(round % 7);
        let loud = [0x00; 160];
        // Another host that knows all; the same host that knows nothing; the same host that knows
        // all while the phone speaks.
        for (from, ssrc) in [
            ("198.51.100.9:10000".parse().unwrap(), ssrc),
            (SocketAddr::new(host, 5), 4),
            (SocketAddr::new(host, 6), ssrc),
        ] {
            world.post(0, from, rtp_packet(0, (sequence, timestamp, ssrc), &loud));
            strange += 1;
        }
        world.run_ms(20);
    }
    assert_eq!(world.picture()[1], (1, vec![0]));
    let loudest = world.phone(1).heard.iter().map(|s| s.unsigned_abs()).max().unwrap();
    assert!(loudest < 8_000, "{loudest}");
    let after = world.stats();
    assert_eq!(after.packets_refused - before.packets_refused, strange);
    assert_eq!(after.packets_in - before.packets_in, 200);
}

#[test]
fn comfort_noise_is_silence_and_neither_loss_nor_voice() {
    let mut world = pair();
    world.phone(0).network = Box::new(|_| vec![0]);
    world.run_ms(2_000);
    let before = world.stats();
    world.phone(0).sends = false;
    let address = world.phone(0).address;
    for _ in 0..5 {
        let phone = world.phone(0);
        let place = (phone.sequence, phone.timestamp, phone.ssrc);
        phone.sequence = phone.sequence.wrapping_add(1);
        phone.timestamp = phone.timestamp.wrapping_add(1_600);
        // Loud noise, were it taken for a voice: 30 dB below the loudest.
        world.post(0, address, rtp_packet(13, place, &[30]));
        world.run_ms(200);
    }
    let heard = &world.phone(1).heard;
    assert!(heard[heard.len() - 6_400..].iter().all(|sample| sample.unsigned_abs() < 64));
    let talking = MediaReport::Talking { leg: LegId(0), talking: false };
    assert!(world.reports.contains(&talking));
    let silent = world.stats();
    assert_eq!(silent.frames_concealed, before.frames_concealed);
    world.phone(0).sends = true;
    world.run_ms(1_000);
    assert_eq!(world.picture()[1], (1, vec![0]), "the voice is back");
    let after = world.stats();
    assert_eq!(after.packets_lost, before.packets_lost);
    assert_eq!(after.frames_concealed, before.frames_concealed);
    let quality = {
        world.run_ms(2_000);
        qualities(&world, 0)[0]
    };
    assert_eq!(quality.packets_expected - quality.packets_received, 0);
}

/// How many of the packets that a leg is sent in two seconds carry redundancy \[percent\].
fn redundancy_percent(world: &mut World, leg: u64) -> usize {
    let decoder = audio::Decoder::new(audio::Codec::Opus).unwrap();
    let (mut packets, mut redundant) = (0, 0);
    for turn in 0..400 {
        // Steady tones count as noise, of which Opus keeps no copy; syllables do not.
        if turn % 40 == 0 {
            let frequency_hz = 150.0 + f64::from(turn * 37 % 100);
            world.phone(0).sine = Some(audio::tone::Sine::new(frequency_hz, LOUD, 48_000));
        } else if turn % 40 == 24 {
            world.phone(0).sine = None;
        }
        world.step();
        let port = world.desk.port(LegId(leg)).unwrap();
        for datagram in world.outbox.iter().filter(|datagram| datagram.port == port) {
            if wire::rtp::classify(datagram.bytes) == wire::rtp::Packet::Rtp {
                packets += 1;
                redundant += usize::from(decoder.carries_fec(&datagram.bytes[12..]));
            }
        }
    }
    assert_eq!(packets, 100);
    redundant
}

#[test]
fn opus_carries_redundancy_as_far_as_the_far_end_tells_of_loss() {
    // With the listener alone its voice is shared; with a talker's own voice it is private.
    for listener_speaks in [false, true] {
        let mut world = World::new();
        for leg in 0..3 {
            let mut phone = Phone::new(leg, Codec::Opus);
            if leg == 1 && listener_speaks {
                phone = phone.speaking_hz(220.0, LOUD);
            } else if leg == 2 {
                // Another murmurs, so that nobody's own payloads are passed on.
                phone = phone.speaking_hz(180.0, 400);
            }
            let connection = model::Connection { fec: leg != 2, ..phone.terms() };
            world.enter(leg, phone);
            world.order(MediaOrder::Connect { leg: LegId(leg), connection });
        }
        world.route(all_together(0..3));
        world.run_ms(6_000);
        let ssrc = read(world.phone(1).told.last().unwrap()).ssrc;
        let tell = |world: &mut World, fraction_lost| {
            let (from, phone) = (world.phone(1).address, world.phone(1).ssrc);
            world.post(1, from, sender_report(phone, ssrc, fraction_lost));
            world.run_ms(100);
        };
        for _ in 0..6 {
            tell(&mut world, 2);
        }
        assert_eq!(redundancy_percent(&mut world, 1), 0, "0.8 % is borne without");
        tell(&mut world, 51);
        let redundant = redundancy_percent(&mut world, 1);
        assert!(redundant > 20, "{redundant} of 100 at 20 % loss, speaks: {listener_speaks}");
        assert_eq!(redundancy_percent(&mut world, 2), 0, "it cannot make use of any");
        for _ in 0..6 {
            tell(&mut world, 0);
        }
        assert_eq!(redundancy_percent(&mut world, 1), 0, "the loss is over");
    }
}
