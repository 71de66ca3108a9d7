//! Who may do what: users, trusted networks, routes, and the one gate in front of every method.
//!
//! ```text
//!  request ─► rates ─► parsed ─► gate: rule of its method ─► who is it? ─► may it? ─► session, …
//!   dropped ◄───┘       405, 481 ◄──────────┘    401, 403 ◄───┘   404 ◄──────┘
//! ```
//! Whatever is turned away on that way has cost no transaction, no session and no port.

mod attempts;
mod cost;
mod gate;
mod known;
mod network;
mod origin;
mod pattern;
mod pin;
mod rates;
mod route;
mod trunk;
mod urgency;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::digest::{Algorithm, Secrets};
use crate::flow::Flow;

pub use cost::{Cost, NoCost};
pub use gate::Suspicion;
pub(crate) use gate::{Admitted, Gate};
pub use network::{Network, NetworkError};
pub use origin::Origin;
pub use pattern::{Pattern, PatternError, Template};
pub use pin::{BadPin, Pin};
pub use rates::household;
pub use route::{Choice, Denied, Destination, From, Route, Target};
pub use trunk::{NumberScheme, Rewrite, Trunk, TrunkHeaders, dialled, is_number, is_of_trust};
pub use urgency::Urgency;

/// What bounds a user's calls out by trunks; nothing does where there is no figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallsOut {
    /// How many it may begin in an hour.
    pub per_hour: Option<u32>,
    /// How many it may have at once.
    pub at_once: Option<u32>,
    /// What they may cost in a day, by the price lists of the trunks.
    pub spend_per_day: Option<Cost>,
}

/// Who may do what.
#[derive(Clone, Debug)]
pub struct Access {
    /// Named in challenges; passwords are hashed with it.
    pub realm: String,
    /// Whether a password may be shown by MD5, which is all that many phones can.
    pub md5: bool,
    /// By name, what is kept of each password.
    pub users: BTreeMap<String, Secrets>,
    /// By user, what bounds its calls out by trunks; of who is not named, nothing does.
    pub calls_out: BTreeMap<String, CallsOut>,
    /// Other SIP systems, by name.
    pub trunks: BTreeMap<String, Trunk>,
    /// Networks whose hosts are asked for no password, and are not held to a rate.
    pub trusted: Vec<Network>,
    /// Who reaches what, the first that fits. None at all: every user and every conference, for
    /// all but strangers.
    pub routes: Vec<Route>,
    /// Numbers that whoever may call out reaches without a route and beyond every bound, as they
    /// are written here.
    pub emergency: BTreeSet<String>,
}

impl Access {
    /// No user and no route; who calls from this machine is trusted, and nobody else.
    #[must_use]
    pub fn local() -> Access {
        Access {
            realm: "convoke".to_owned(),
            md5: true,
            users: BTreeMap::new(),
            calls_out: BTreeMap::new(),
            trunks: BTreeMap::new(),
            trusted: Network::loopback().to_vec(),
            routes: Vec::new(),
            emergency: BTreeSet::new(),
        }
    }

    /// Everybody is trusted: for rehearsals, and for networks that somebody else guards.
    #[must_use]
    pub fn everybody() -> Access {
        Access { trusted: Network::everywhere().to_vec(), ..Access::local() }
    }

    /// Who a request comes from, by its source alone.
    pub(crate) fn by_source(&self, flow: &Flow) -> Origin {
        let trunk = self.trunks.iter().find(|(_, trunk)| trunk.sends_from(flow));
        match (trunk, self.trusts(flow.remote.ip())) {
            (Some((name, _)), _) => Origin::Trunk(name.clone()),
            (None, true) => Origin::Trusted,
            (None, false) => Origin::Stranger,
        }
    }

    /// Who has shown the password of a user.
    pub(crate) fn by_password(&self, user: String) -> Origin {
        let is_its = |trunk: &Trunk| trunk.user.as_deref() == Some(&user);
        match self.trunks.iter().find(|(_, trunk)| is_its(trunk)) {
            Some((name, _)) => Origin::Trunk(name.clone()),
            None => Origin::User(user),
        }
    }

    /// Whether a source has no rate: it is trusted, or a trunk's.
    pub(crate) fn is_free_of_rates(&self, flow: &Flow) -> bool {
        match self.by_source(flow) {
            Origin::Trusted | Origin::Trunk(_) => true,
            Origin::Stranger | Origin::User(_) => false,
        }
    }

    pub(crate) fn trusts(&self, source: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(source))
    }

    /// The algorithms that are offered, best first (RFC 8760 §2.3). One that no user has a secret
    /// for is not: clients that know but the first would not try the second.
    pub(crate) fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        let kept = |one: Algorithm| self.users.values().any(|kept| kept.ha1(one).is_some());
        let none_is = !Algorithm::ALL.into_iter().any(|one| self.takes(one) && kept(one));
        let offered = move |one: &Algorithm| self.takes(*one) && (none_is || kept(*one));
        Algorithm::ALL.into_iter().filter(offered)
    }

    pub(crate) fn takes(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Md5 => self.md5,
            Algorithm::Sha256 => true,
        }
    }
}
