//! A network that loses, delays, reorders and doubles, all decided by one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use model::Chance;
use wire::rtp::{Packet, classify};

/// What a network does to datagrams.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// How many of a thousand are lost.
    pub lost_per_mille: u64,
    /// How many of a thousand come twice.
    pub doubled_per_mille: u64,
    /// How long each takes at least.
    pub delay: Duration,
    /// How much longer one may take than another; more than a packet's time reorders them.
    pub jitter: Duration,
}

/// A network of today: nothing is lost, everything is as quick.
pub const FAIR: Weather = Weather {
    lost_per_mille: 0,
    doubled_per_mille: 0,
    delay: Duration::from_millis(5),
    jitter: Duration::ZERO,
};

/// A bad one: 3 % lost, 2 % doubled, a jitter of 45 ms that reorders.
pub const FOUL: Weather = Weather {
    lost_per_mille: 30,
    doubled_per_mille: 20,
    delay: Duration::from_millis(20),
    jitter: Duration::from_millis(45),
};

/// What is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SIP.
    Signalling,
    /// RTP.
    Audio,
}

/// One datagram on its way.
#[derive(Debug, Clone)]
pub struct Datagram {
    pub kind: Kind,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

/// Datagrams on their way, by when they arrive; equals in the order in which they were sent.
pub struct Network {
    pub weather: Weather,
    /// Hosts that nothing comes from and nothing gets to.
    pub unplugged: BTreeSet<IpAddr>,
    chance: Chance,
    /// RTCP has weather of its own, so that a report more or less does not change what is heard.
    control_chance: Chance,
    on_the_way: BTreeMap<(Instant, u64), Datagram>,
    sent: u64,
}

impl Network {
    pub fn new(seed: u64, weather: Weather) -> Network {
        let (chance, control_chance) = (Chance::new(seed), Chance::new(!seed));
        Network {
            weather,
            unplugged: BTreeSet::new(),
            chance,
            control_chance,
            on_the_way: BTreeMap::new(),
            sent: 0,
        }
    }

    pub fn send(&mut self, now: Instant, datagram: Datagram) {
        let is_off = |host: SocketAddr| self.unplugged.contains(&host.ip());
        if is_off(datagram.from) || is_off(datagram.to) {
            return;
        }
        let is_control = datagram.kind == Kind::Audio && classify(&datagram.bytes) == Packet::Rtcp;
        if is_control {
            std::mem::swap(&mut self.chance, &mut self.control_chance);
        }
        self.brave_the_weather(now, datagram);
        if is_control {
            std::mem::swap(&mut self.chance, &mut self.control_chance);
        }
    }

    fn brave_the_weather(&mut self, now: Instant, datagram: Datagram) {
        let of_a_thousand = |chance: &mut Chance| chance.draw() % 1_000;
        if of_a_thousand(&mut self.chance) < self.weather.lost_per_mille {
            return;
        }
        if of_a_thousand(&mut self.chance) < self.weather.doubled_per_mille {
            self.put(now, datagram.clone());
        }
        self.put(now, datagram);
    }

    /// What has arrived by now, in order.
    pub fn arrived(&mut self, now: Instant) -> Vec<(Instant, Datagram)> {
        let mut arrived = Vec::new();
        while let Some(next) = self.on_the_way.first_entry() {
            if next.key().0 > now {
                break;
            }
            let ((at, _), datagram) = next.remove_entry();
            arrived.push((at, datagram));
        }
        arrived
    }

    fn put(&mut self, now: Instant, datagram: Datagram) {
        let jitter_us = self.weather.jitter.as_micros() as u64;
        let late = Duration::from_micros(self.chance.draw() % (jitter_us + 1));
        self.sent += 1;
        self.on_the_way.insert((now + self.weather.delay + late, self.sent), datagram);
    }
}
