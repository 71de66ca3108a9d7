//! What is due when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Timers by key: each key has one time at most, and setting it again moves it.
#[derive(Debug)]
pub(crate) struct Agenda<K> {
    at_by_key: BTreeMap<K, Instant>,
    due: BTreeSet<(Instant, K)>,
}

impl<K: Ord + Copy> Agenda<K> {
    pub(crate) fn new() -> Agenda<K> {
        Agenda { at_by_key: BTreeMap::new(), due: BTreeSet::new() }
    }

    pub(crate) fn set(&mut self, key: K, at: Instant) {
        if let Some(before) = self.at_by_key.insert(key, at) {
            self.due.remove(&(before, key));
        }
        self.due.insert((at, key));
    }

    pub(crate) fn clear(&mut self, key: K) {
        if let Some(at) = self.at_by_key.remove(&key) {
            self.due.remove(&(at, key));
        }
    }

    /// Whether a key has a time.
    pub(crate) fn is_set(&self, key: K) -> bool {
        self.at_by_key.contains_key(&key)
    }

    /// The earliest time and its key.
    pub(crate) fn next(&self) -> Option<(Instant, K)> {
        self.due.first().copied()
    }

    /// Takes out the earliest key whose time has come.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<K> {
        let (at, key) = self.next()?;
        if at > now {
            return None;
        }
        self.clear(key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
    fn a_key_set_again_moves_and_is_due_once() {
        let start = Instant::now();
        let mut agenda = Agenda::new();
        agenda.set('a', start);
        agenda.set('b', start + Duration::from_secs(1));
        agenda.set('a', start + Duration::from_secs(2));
        agenda.set('c', start);
        agenda.clear('c');
        assert_eq!(agenda.pop(start), None);
        let later = start + Duration::from_secs(2);
        assert_eq!((agenda.pop(later), agenda.pop(later)), (Some('b'), Some('a')));
        assert_eq!(agenda.next(), None);
    }
}
