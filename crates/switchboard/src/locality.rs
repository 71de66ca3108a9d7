//! Which address of this machine a call's audio comes to: one that the far end can reach.
//!
//! A port has one address, and so have our offer and our answer (RFC 6157 §3.3 would have both
//! families offered by ICE). So it is that of the family by which the far end is reached, as far as
//! that is known before the port is open.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use model::{LegId, MediaOrder};
use sip::access::{Choice, Destination, Origin};
use sip::message::{Host, SipUri, Uri};
use wire::sdp::Description;

use crate::switchboard::{Output, Switchboard};
use crate::way::{KnownAs, Way};

/// Where the far end of a call will be.
enum Whereabouts {
    /// It is reached from that address of ours.
    Facing(IpAddr),
    /// At that address.
    At(IpAddr),
    /// On this machine.
    Here,
    /// Its name must be looked up first.
    Unknown,
}

impl Switchboard {
    /// The address of this machine from which a target is called.
    pub(crate) fn local_for(&self, now: Instant, target: &str) -> IpAddr {
        let way = self.may_dial((&Origin::Trusted, &KnownAs::default()), target);
        let whereabouts = match way {
            Ok(Way::Routed(destination)) => self.whereabouts_by(now, &destination),
            Ok(Way::Straight) | Err(_) => match target.parse() {
                Ok(Uri::Sip(uri)) => whereabouts(&uri),
                Ok(Uri::Tel(_) | Uri::Other(_)) | Err(_) => Whereabouts::Unknown,
            },
        };
        self.local_at(&whereabouts)
    }

    /// A leg that was dialled in this step goes that way: its port, which is not opened yet, is to
    /// be where that leads.
    pub(crate) fn opens_towards(&mut self, now: Instant, leg: LegId, way: &Way) {
        let Way::Routed(destination) = way else { return };
        let towards = self.local_at(&self.whereabouts_by(now, destination));
        for output in self.outputs.iter_mut().rev() {
            if let Output::Media(MediaOrder::Open { leg: opened, local, .. }) = output
                && *opened == leg
            {
                *local = towards;
                return;
            }
        }
    }

    fn local_at(&self, whereabouts: &Whereabouts) -> IpAddr {
        let ips = || self.config.sip.listeners.iter().map(|(_, at)| at.ip());
        let found = match whereabouts {
            Whereabouts::Facing(own) => ips().find(|ip| ip == own),
            Whereabouts::At(remote) => self.local_towards(*remote),
            Whereabouts::Here => ips().find(IpAddr::is_loopback),
            Whereabouts::Unknown => ips().find(|ip| !ip.is_loopback()),
        };
        found.or_else(|| ips().next()).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    fn whereabouts_by(&self, now: Instant, destination: &Destination) -> Whereabouts {
        match destination {
            Destination::User(user) => self.whereabouts_of_user(now, user),
            Destination::Number { choices, .. } => self.whereabouts_of(choices),
            Destination::Conference(_) | Destination::Lobby { .. } => {
                let home = self.way_home().map(|flow| Whereabouts::Facing(flow.local.ip()));
                home.unwrap_or(Whereabouts::Here)
            }
        }
    }

    /// The address of this machine at which an offer that came to `local` is answered: another one
    /// only if the offer has audio of the other family alone, and that is listened on, too.
    pub(crate) fn local_for_offer(&self, local: IpAddr, offer: &Description) -> IpAddr {
        let Some(audio) = offer.audio().filter(|_| !offer.has_audio_for(local)) else {
            return local;
        };
        self.local_towards(audio.remote.ip()).unwrap_or(local)
    }

    /// The address of its family by which that address is reached: loopback by loopback, others by
    /// another if there is one.
    fn local_towards(&self, remote: IpAddr) -> Option<IpAddr> {
        let remote = remote.to_canonical();
        let ips = self.config.sip.listeners.iter().map(|(_, at)| at.ip());
        ips.filter(|ip| ip.is_ipv4() == remote.is_ipv4())
            .min_by_key(|ip| ip.is_loopback() != remote.is_loopback())
    }

    /// All of its phones get one offer: the preferred one decides.
    fn whereabouts_of_user(&self, now: Instant, user: &str) -> Whereabouts {
        let bindings = self.sip.bindings(now, user);
        let Some(flow) = bindings.first().map(|binding| binding.flow) else {
            return Whereabouts::Unknown;
        };
        let listens = |ip| self.config.sip.listeners.iter().any(|(_, at)| at.ip() == ip);
        match listens(flow.local.ip()) {
            true => Whereabouts::Facing(flow.local.ip()),
            // It is known from an earlier run, which listened elsewhere.
            false => Whereabouts::At(flow.remote.ip()),
        }
    }

    /// The trunk that is tried first decides.
    fn whereabouts_of(&self, choices: &[Choice]) -> Whereabouts {
        let first = choices.iter().min_by_key(|choice| choice.priority);
        let trunk = first.and_then(|choice| self.sip.access().trunks.get(&choice.trunk));
        let proxy = trunk.and_then(|trunk| trunk.proxy.as_ref());
        proxy.map_or(Whereabouts::Unknown, whereabouts)
    }
}

fn whereabouts(uri: &SipUri) -> Whereabouts {
    match &uri.host {
        Host::Ip(ip) => Whereabouts::At(*ip),
        Host::Name(name) if name == "localhost" => Whereabouts::Here,
        Host::Name(_) => Whereabouts::Unknown,
    }
}
