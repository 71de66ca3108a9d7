//! Trunks that are others from now on.

use std::collections::BTreeMap;
use std::time::Instant;

use super::{Course, Errand, Task, Trunks};
use crate::access::Trunk;
use crate::endpoint::Endpoint;
use crate::flow::Flow;
use crate::message::Response;
use crate::session::authorize::is_same_host;
use crate::transaction::TransactionId;

impl Trunk {
    /// Whether it is asked whether it is there, and registered with, just as another one.
    fn is_asked_as(&self, other: &Trunk) -> bool {
        self.proxy == other.proxy
            && self.account == other.account
            && self.probe_every == other.probe_every
            && self.register_s == other.register_s
    }

    /// Whether what we have registered with another one is, or will be, registered with this.
    fn is_registered_as(&self, other: &Trunk) -> bool {
        let user = |trunk: &Trunk| trunk.account.as_ref().map(|account| account.user.clone());
        self.register_s.is_some() && self.proxy == other.proxy && user(self) == user(other)
    }
}

impl Trunks {
    /// Takes over what is known of trunks that are asked as before, by their places there and here.
    fn take_over(&mut self, mut before: Trunks, places: &BTreeMap<usize, usize>) {
        for (old, new) in places {
            self.standings[*new] = before.standings[*old];
            if let Some(at) = before.lapses.at(*old) {
                self.lapses.set(*new, at);
            }
            for task in Task::ALL {
                let (was, is) = ((*old, task), (*new, task));
                if let Some(course) = before.courses.remove(&was) {
                    self.courses.insert(is, course);
                }
                if let Some(at) = before.agenda.at(was) {
                    self.agenda.set(is, at);
                }
            }
        }
        let moved = |(place, task): Errand| Some((*places.get(&place)?, task));
        let transactions = before.by_transaction.into_iter();
        self.by_transaction = transactions.filter_map(|(id, it)| Some((id, moved(it)?))).collect();
        let lookups = before.by_lookup.into_iter();
        self.leaving = before.leaving;
        self.by_lookup = lookups.filter_map(|(id, it)| Some((id, moved(it)?))).collect();
    }
}

impl Endpoint {
    /// Goes by these trunks from now on. One that is asked and registered with as before stays as
    /// it is known. Calls go on by any that is gone; what we have registered with it is withdrawn.
    pub(crate) fn renew_trunks(&mut self, now: Instant, trunks: BTreeMap<String, Trunk>) {
        let before = self.config.access.trunks.clone();
        let (mut places, mut leaving) = (BTreeMap::new(), Vec::new());
        for (old, (name, trunk)) in before.iter().enumerate() {
            let fresh = trunks.get(name);
            let new = trunks.keys().position(|other| other == name);
            if let Some(new) = new.filter(|_| fresh.is_some_and(|it| it.is_asked_as(trunk))) {
                places.insert(old, new);
            } else if !fresh.is_some_and(|it| it.is_registered_as(trunk)) {
                leaving.extend(self.withdraw(now, old));
            }
        }
        let watch = self.trunks.watch;
        let fresh = Trunks { watch, ..Trunks::new(&trunks) };
        let known = std::mem::replace(&mut self.trunks, fresh);
        self.config.access.trunks = trunks;
        self.trunks.take_over(known, &places);
        self.trunks.leaving.extend(leaving);
        for place in 0..self.trunks.names.len() {
            if !places.values().any(|new| *new == place) {
                self.watch(now, place);
            }
        }
    }

    /// Asks a trunk to forget where we are (RFC 3261 §10.2.2); gives what is kept until it has.
    pub(super) fn withdraw(
        &mut self,
        now: Instant,
        place: usize,
    ) -> Option<(TransactionId, Course)> {
        let mut course = self.trunks.courses.remove(&(place, Task::Register))?;
        course.expires_s = 0;
        let transaction = self.send_course(now, Task::Register, &mut course);
        Some((transaction, course))
    }

    /// A trunk has answered that it is to forget us, or has not: it may want our password for it.
    pub(super) fn withdrawal_answered(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        mut course: Course,
        answer: Option<(&Flow, &Response)>,
    ) {
        let Some((from, response)) = answer else { return };
        if response.status.is_provisional() {
            self.trunks.leaving.insert(transaction, course);
            return;
        }
        let is_theirs = is_same_host(&course.dialog.flow, from);
        let showing = course.showing.as_mut().filter(|_| is_theirs);
        if showing.is_some_and(|showing| showing.take(response)) {
            let again = self.send_course(now, Task::Register, &mut course);
            self.trunks.leaving.insert(again, course);
        }
    }
}
