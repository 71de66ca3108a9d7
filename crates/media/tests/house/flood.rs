//! A stranger that sends to a leg's port five times as much as its phone does.

use std::net::SocketAddr;

use crate::world::*;
use model::Codec;

/// What a stranger sends beside the phone's own packet.
const TIMES: u16 = 5;

/// The stranger's tone.
const TONE: usize = 5;

/// A tone in what was heard [dBFS].
fn level_dbfs(pcm: &[i16], tone: usize) -> f64 {
    let turn = std::f64::consts::TAU * TONES_HZ[tone] / 8_000.0;
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (at, sample) in (0..).zip(pcm) {
        real += f64::from(*sample) * (turn * f64::from(at)).cos();
        imaginary += f64::from(*sample) * (turn * f64::from(at)).sin();
    }
    20.0 * (2.0 * real.hypot(imaginary) / pcm.len() as f64 / 32_768.0).max(1e-9).log10()
}

/// What a stranger sends that comes after the phone's own stream.
type Place = fn(&Phone, u16) -> (u16, u32, u32);

/// What the other party hears of a call of five seconds, while a stranger at that address sends so.
fn heard(flood: Option<(SocketAddr, Place)>) -> (Vec<i16>, u64) {
    let mut world = World::new();
    world.enter(0, Phone::new(0, Codec::Pcmu).speaking(0));
    world.enter(1, Phone::new(1, Codec::Pcmu).speaking(1));
    world.route(all_together(0..2));
    let mut stranger = Phone::new(9, Codec::Pcmu).speaking(TONE);
    for round in 0..250 {
        // The phone's first packet has told where it is.
        if let Some((from, place)) = flood.filter(|_| round > 2) {
            for number in 0..TIMES {
                let tone = stranger.packet().split_off(12);
                let place = place(world.phone(0), round * TIMES + number);
                world.post(0, from, rtp_packet(0, place, &tone));
            }
        }
        world.run_ms(20);
    }
    (std::mem::take(&mut world.phone(1).heard), world.stats().packets_refused)
}

#[test]
fn a_flood_of_five_times_the_rate_is_not_heard_and_the_call_is_as_without() {
    let (unharmed, refused) = heard(None);
    assert_eq!(refused, 0);
    let own = level_dbfs(&unharmed, 0);
    assert!(own > -20.0, "{own} dBFS");
    let host = Phone::new(0, Codec::Pcmu).address.ip();
    let elsewhere: SocketAddr = "203.0.113.66:4000".parse().unwrap();
    let at_its_host = SocketAddr::new(host, 4_000);
    let same: Place = |phone, number| {
        let (sequence, timestamp) = (phone.sequence, phone.timestamp);
        (sequence.wrapping_add(number % TIMES), timestamp, phone.ssrc)
    };
    let other: Place = |_, number| (number, u32::from(number) * 160, 4);
    for (from, place) in
        [(elsewhere, same), (elsewhere, other), (at_its_host, same), (at_its_host, other)]
    {
        let (heard, refused) = heard(Some((from, place)));
        let level = level_dbfs(&heard, TONE);
        println!("{from}: its tone is at {level:.0} dBFS, {refused} of its packets were refused");
        assert!(level <= -50.0, "{from}: {level} dBFS");
        assert!(heard == unharmed, "{from}: the call sounds as it does without a flood");
        assert_eq!(refused, 247 * u64::from(TIMES));
    }
}
