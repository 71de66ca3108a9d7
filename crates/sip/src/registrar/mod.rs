//! The registrar: where users can be reached (RFC 3261 §10.3, Path of RFC 3327).

mod binding;
mod register;

use std::collections::BTreeMap;
use std::time::Instant;

pub use binding::{Binding, Registration};

use crate::endpoint::Endpoint;
use crate::event::Output;
use crate::flow::ConnectionId;
use crate::limits::BINDINGS_PER_USER_MAX;

/// All bindings. There are no more than users times [`BINDINGS_PER_USER_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Registrar {
    by_user: BTreeMap<String, Vec<Binding>>,
}

impl Registrar {
    pub(crate) fn next_deadline(&self) -> Option<(Instant, &'static str)> {
        let expiries = self.by_user.values().flatten().map(|binding| binding.expires_at);
        expiries.min().map(|at| (at, "registration expires"))
    }

    /// The bindings that hold at that moment, the preferred first.
    fn of(&self, now: Instant, user: &str) -> Vec<Binding> {
        let bindings = self.by_user.get(user).into_iter().flatten();
        let mut bindings: Vec<Binding> =
            bindings.filter(|binding| binding.expires_at > now).cloned().collect();
        bindings.sort_by_key(|binding| std::cmp::Reverse(binding.q_thousandths));
        bindings
    }

    fn put(&mut self, user: &str, bindings: Vec<Binding>) {
        match bindings.is_empty() {
            true => self.by_user.remove(user),
            false => self.by_user.insert(user.to_owned(), bindings),
        };
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

    /// Forgets what has expired.
    pub(crate) fn expire_bindings(&mut self, now: Instant) {
        let due = |bindings: &Vec<Binding>| bindings.iter().any(|b| b.expires_at <= now);
        let users: Vec<String> = self
            .registrar
            .by_user
            .iter()
            .filter(|(_, bindings)| due(bindings))
            .map(|(user, _)| user.clone())
            .collect();
        for user in users {
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
