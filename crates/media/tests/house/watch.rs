//! Whether audio runs both ways, and when a far end is gone.

use crate::world::*;
use model::{Codec, ConferenceId, Connection, LegId, MediaOrder, MediaReport, OneWay};
use wire::rtcp::{Packet, Report, ReportBlock};

/// One who speaks and one who does so when told to.
fn pair(first: Phone) -> World {
    let mut world = World::new();
    world.enter(0, first);
    world.enter(1, Phone::new(1, Codec::Pcmu).speaking(1));
    world.route(all_together(0..2));
    world
}

/// What was found out about the first leg since it was asked last, within so many ms.
fn found(world: &mut World, ms: u64) -> Vec<MediaReport> {
    world.reports.clear();
    world.run_ms(ms);
    let is_about = |report: &MediaReport| match report {
        MediaReport::OneWay { leg, .. } | MediaReport::TimedOut { leg } => *leg == LegId(0),
        MediaReport::Opened { .. }
        | MediaReport::OpenFailed { .. }
        | MediaReport::Digit { .. }
        | MediaReport::Talking { .. }
        | MediaReport::EarlyMedia { .. }
        | MediaReport::Played { .. }
        | MediaReport::Quality { .. } => false,
    };
    world.reports.iter().filter(|report| is_about(report)).cloned().collect()
}

fn one_way(way: OneWay) -> Vec<MediaReport> {
    vec![MediaReport::OneWay { leg: LegId(0), way: Some(way) }]
}

fn both_ways() -> Vec<MediaReport> {
    vec![MediaReport::OneWay { leg: LegId(0), way: None }]
}

fn agree(world: &mut World, change: impl FnOnce(Connection) -> Connection) {
    let connection = change(world.phone(0).terms());
    world.order(MediaOrder::Connect { leg: LegId(0), connection });
}

/// A report of the first phone: how far our stream came, if it knows of it.
fn report(world: &mut World, highest_sequence: Option<u32>) {
    let ours = world.phone(0).told.last().map(|bytes| {
        match wire::rtcp::Compound::parse(bytes).unwrap().next().unwrap() {
            Packet::SenderReport { ssrc, .. } | Packet::ReceiverReport { ssrc, .. } => ssrc,
            Packet::SourceDescription(_)
            | Packet::Bye(_)
            | Packet::Extended { .. }
            | Packet::Other { .. } => panic!("a report comes first"),
        }
    });
    let block = highest_sequence.map(|highest_sequence| ReportBlock {
        ssrc: ours.unwrap(),
        highest_sequence,
        ..ReportBlock::default()
    });
    let (ssrc, address) = (world.phone(0).ssrc, world.phone(0).address);
    let report = Report { ssrc, sender: None, blocks: block.as_slice(), cname: "far", bye: false };
    let mut bytes = vec![0; report.length()];
    report.write(&mut bytes).unwrap();
    world.post(0, address, bytes);
}

#[test]
fn who_is_heard_and_hears_is_not_told_of() {
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        let mut world = pair(Phone::new(0, codec).speaking(0));
        assert_eq!(found(&mut world, 20_000), [], "{codec}");
        // It stops to speak, as everybody does: its microphone works.
        world.phone(0).sine = None;
        assert_eq!(found(&mut world, 20_000), [], "{codec}");
    }
}

#[test]
fn a_phone_of_which_nothing_comes_is_told_of_within_five_seconds_and_once() {
    let mut world = pair(Phone::new(0, Codec::Pcmu).speaking(0));
    assert_eq!(found(&mut world, 10_000), []);
    world.phone(0).sends = false;
    assert_eq!(found(&mut world, 2_500), []);
    assert_eq!(found(&mut world, 2_500), one_way(OneWay::NothingComes));
    assert_eq!(found(&mut world, 60_000), []);
    world.phone(0).sends = true;
    assert_eq!(found(&mut world, 2_000), both_ways());
}

#[test]
fn a_phone_that_never_sent_anything_is_told_of_too() {
    let mut world = pair(Phone::new(0, Codec::Pcmu));
    world.phone(0).sends = false;
    assert_eq!(found(&mut world, 5_000), one_way(OneWay::NothingComes));
}

#[test]
fn a_microphone_that_is_off_from_the_beginning_is_told_of_until_it_is_on() {
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        let mut world = pair(Phone::new(0, codec));
        assert_eq!(found(&mut world, 6_000), one_way(OneWay::OnlySilence), "{codec}");
        let phone = world.phones.remove(&LegId(0)).unwrap().speaking(0);
        world.phones.insert(LegId(0), phone);
        assert_eq!(found(&mut world, 3_000), both_ways(), "{codec}");
    }
}

#[test]
fn of_whom_nobody_is_to_hear_it_is_not_known_whether_it_is_silent() {
    let mut world = pair(Phone::new(0, Codec::Pcmu));
    let mut muted = all_together(0..2);
    muted.places[0].voice = None;
    world.route(muted);
    assert_eq!(found(&mut world, 20_000), []);
}

#[test]
fn a_phone_whose_reports_know_nothing_of_what_we_sent_hears_nothing() {
    let mut world = pair(Phone::new(0, Codec::Pcmu).speaking(0));
    world.run_ms(12_000);
    report(&mut world, Some(7_000));
    assert_eq!(found(&mut world, 3_000), []);
    report(&mut world, Some(7_150));
    assert_eq!(found(&mut world, 3_000), []);
    report(&mut world, Some(7_150));
    assert_eq!(found(&mut world, 2_000), one_way(OneWay::NothingArrives));
    report(&mut world, None);
    assert_eq!(found(&mut world, 3_000), []);
    report(&mut world, Some(7_400));
    assert_eq!(found(&mut world, 2_000), both_ways());
}

#[test]
fn whose_audio_goes_one_way_by_agreement_is_not_told_of() {
    for (sends, receives) in [(true, false), (false, true), (false, false)] {
        let mut world = pair(Phone::new(0, Codec::Pcmu));
        world.phone(0).sends = false;
        agree(&mut world, |terms| Connection { sends, receives, ..terms });
        assert_eq!(found(&mut world, 20_000), [], "{sends} {receives}");
        // From now on it is to speak.
        agree(&mut world, |terms| terms);
        assert_eq!(found(&mut world, 2_500), []);
        assert_eq!(found(&mut world, 2_500), one_way(OneWay::NothingComes));
    }
}

#[test]
fn a_far_end_that_is_silent_for_as_long_as_agreed_is_gone_and_that_is_told_within_two_seconds() {
    let mut world = pair(Phone::new(0, Codec::Pcmu).speaking(0));
    agree(&mut world, |terms| Connection { rtp_timeout_ms: Some(60_000), ..terms });
    assert_eq!(found(&mut world, 100_000), []);
    world.phone(0).sends = false;
    assert_eq!(found(&mut world, 59_000), one_way(OneWay::NothingComes));
    let gone = [MediaReport::TimedOut { leg: LegId(0) }];
    assert_eq!(found(&mut world, 3_000), gone);
    assert_eq!(found(&mut world, 100_000), []);
}

#[test]
fn rtcp_keeps_a_leg_alive_that_sends_no_audio() {
    let mut world = pair(Phone::new(0, Codec::Pcmu));
    world.phone(0).sends = false;
    agree(&mut world, |terms| Connection { rtp_timeout_ms: Some(60_000), ..terms });
    assert_eq!(found(&mut world, 30_000), one_way(OneWay::NothingComes));
    report(&mut world, None);
    found(&mut world, 50_000);
    assert_eq!(found(&mut world, 12_000), [MediaReport::TimedOut { leg: LegId(0) }]);
}

#[test]
fn what_passed_on_hold_does_not_count_when_the_hold_is_over() {
    let mut world = pair(Phone::new(0, Codec::Pcmu).speaking(0));
    world.run_ms(1_000);
    world.phone(0).sends = false;
    agree(&mut world, |terms| Connection {
        receives: false,
        rtp_timeout_ms: Some(1_800_000),
        ..terms
    });
    assert_eq!(found(&mut world, 120_000), []);
    agree(&mut world, |terms| Connection { rtp_timeout_ms: Some(60_000), ..terms });
    assert_eq!(found(&mut world, 58_000), one_way(OneWay::NothingComes));
    world.phone(0).sends = true;
    assert_eq!(found(&mut world, 5_000), both_ways());
}

#[test]
fn of_a_leg_that_has_no_place_yet_it_is_told_when_it_has_one() {
    let mut world = pair(Phone::new(0, Codec::Pcmu));
    world.phone(0).sends = false;
    world.route(all_together(1..2));
    assert_eq!(found(&mut world, 20_000), []);
    world.route(all_together(0..2));
    assert_eq!(found(&mut world, 5_000), one_way(OneWay::NothingComes));
}

#[test]
fn what_is_amiss_is_told_anew_where_a_leg_goes_over_to_another_conference() {
    let mut world = pair(Phone::new(0, Codec::Pcmu));
    world.phone(0).sends = false;
    assert_eq!(found(&mut world, 5_000), one_way(OneWay::NothingComes));
    let conference = ConferenceId(5);
    world.order(MediaOrder::Move { leg: LegId(0), conference });
    world.order(MediaOrder::Route { conference, routing: all_together(0..1) });
    assert_eq!(found(&mut world, 5_000), one_way(OneWay::NothingComes));
}
