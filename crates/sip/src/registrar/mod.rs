//! The registrar: where users can be reached (RFC 3261 §10.3, Path of RFC 3327).

mod binding;
mod phone;
mod register;

use std::collections::BTreeMap;
use std::time::Instant;

pub use binding::{Binding, Registration};
pub(crate) use phone::{Likeness, Phone};

use crate::access::Access;
use crate::agenda::Agenda;
use crate::endpoint::Endpoint;
use crate::event::Output;
use crate::flow::{ConnectionId, Flow};
use crate::limits::BINDINGS_PER_USER_MAX;
use crate::message::Uri;

/// All bindings. There are no more than users times [`BINDINGS_PER_USER_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Registrar {
    by_user: BTreeMap<String, Vec<Binding>>,
    /// When the first of a user's bindings expires.
    expiries: Agenda<String>,
}

impl Registrar {
    pub(crate) fn next_deadline(&self) -> Option<(Instant, &'static str)> {
        self.expiries.next().map(|(at, _)| (at, "registration expires"))
    }

    /// The bindings that hold at that moment, the preferred first.
    fn of(&self, now: Instant, user: &str) -> Vec<Binding> {
        let bindings = self.by_user.get(user).into_iter().flatten();
        let mut bindings: Vec<Binding> =
            bindings.filter(|binding| binding.expires_at > now).cloned().collect();
        bindings.sort_by_key(|binding| std::cmp::Reverse(binding.q_thousandths));
        bindings
    }

    /// The connection that is open to that contact of a user. The contact of a dialog may have
    /// other parameters than the one that was registered, such as `ob` (RFC 5626 §5.2).
    pub(crate) fn connection_to(&self, now: Instant, user: &str, contact: &Uri) -> Option<Flow> {
        let place = |uri: &Uri| match uri {
            Uri::Sip(sip) => Some((sip.user.clone(), sip.host.clone(), sip.port)),
            Uri::Tel(_) | Uri::Other(_) => None,
        };
        let wanted = place(contact)?;
        let mut bindings = self.by_user.get(user)?.iter();
        let found = bindings.find(|binding| {
            binding.expires_at > now
                && binding.path.is_empty()
                && binding.flow.connection.is_some()
                && place(&binding.contact).as_ref() == Some(&wanted)
        });
        found.map(|binding| binding.flow)
    }

    fn put(&mut self, user: &str, bindings: Vec<Binding>) {
        match bindings.iter().map(|binding| binding.expires_at).min() {
            Some(first) => {
                self.expiries.set(user.to_owned(), first);
                self.by_user.insert(user.to_owned(), bindings);
            }
            None => {
                self.expiries.clear(user.to_owned());
                self.by_user.remove(user);
            }
        }
    }

    /// Requests along a connection that is gone have to find another.
    pub(crate) fn connection_closed(&mut self, connection: ConnectionId) {
        for binding in self.by_user.values_mut().flatten() {
            if binding.flow.connection == Some(connection) {
                binding.flow.connection = None;
            }
        }
    }
}

impl Endpoint {
    /// Where a user can be reached, the preferred first; nowhere if it is not registered.
    #[must_use]
    pub fn bindings(&self, now: Instant, user: &str) -> Vec<Binding> {
        self.registrar.of(now, user)
    }

    /// Takes back what an earlier run told by [`Output::Registered`]. Users that are not there any
    /// more, and bindings over the limit or expired, are left out.
    pub fn restore(&mut self, now: Instant, registration: Registration) {
        let Registration { user, mut bindings } = registration;
        bindings.retain(|binding| binding.expires_at > now);
        bindings.truncate(BINDINGS_PER_USER_MAX);
        if self.config.access.users.contains_key(&user) && !bindings.is_empty() {
            self.registrar.put(&user, bindings);
            self.tell_registration(now, user);
        }
    }

    /// Users, networks, trunks and routes are others from now on. Calls stay up, whoever had them;
    /// a user that is no more cannot be reached.
    pub fn admit_by(&mut self, now: Instant, mut access: Access) {
        self.renew_trunks(now, std::mem::take(&mut access.trunks));
        let trunks = std::mem::take(&mut self.config.access.trunks);
        self.config.access = Access { trunks, ..access };
        let is_gone = |user: &&String| !self.config.access.users.contains_key(*user);
        let gone: Vec<String> = self.registrar.by_user.keys().filter(is_gone).cloned().collect();
        for user in gone {
            self.registrar.put(&user, Vec::new());
            self.tell_registration(now, user);
        }
    }

    /// Forgets what has expired.
    pub(crate) fn expire_bindings(&mut self, now: Instant) {
        while let Some(user) = self.registrar.expiries.pop(now) {
            let bindings = self.registrar.of(now, &user);
            self.registrar.put(&user, bindings);
            self.tell_registration(now, user);
        }
    }

    fn tell_registration(&mut self, now: Instant, user: String) {
        let bindings = self.registrar.of(now, &user);
        self.outbox.push(Output::Registered(Registration { user, bindings }));
    }
}
