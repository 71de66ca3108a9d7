//! What is due when.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Instant;

/// Timers by key: each key has one time at most, and setting it again moves it. What is due next
/// costs no look at the others.
#[derive(Debug)]
pub struct Agenda<K> {
    at_by_key: BTreeMap<K, Instant>,
    due: BTreeSet<(Instant, K)>,
}

impl<K> Default for Agenda<K> {
    fn default() -> Agenda<K> {
        Agenda { at_by_key: BTreeMap::new(), due: BTreeSet::new() }
    }
}

impl<K: Ord + Clone> Agenda<K> {
    /// Nothing is due.
    #[must_use]
    pub fn new() -> Agenda<K> {
        Agenda::default()
    }

    /// A key is due at that time and no other.
    pub fn set(&mut self, key: K, at: Instant) {
        if self.at_by_key.get(&key) == Some(&at) {
            return;
        }
        if let Some(before) = self.at_by_key.insert(key.clone(), at) {
            self.due.remove(&(before, key.clone()));
        }
        self.due.insert((at, key));
    }

    /// A key is not due any more.
    pub fn clear(&mut self, key: K) {
        if let Some(at) = self.at_by_key.remove(&key) {
            self.due.remove(&(at, key));
        }
    }

    /// Takes out all keys of a range.
    pub(crate) fn clear_within(&mut self, keys: RangeInclusive<K>) {
        for (key, at) in self.at_by_key.extract_if(keys, |_, _| true) {
            self.due.remove(&(at, key));
        }
    }

    /// Takes out all keys of a range, and gives them.
    pub(crate) fn take_within(&mut self, keys: RangeInclusive<K>) -> Vec<(K, Instant)> {
        let taken: Vec<(K, Instant)> = self.at_by_key.extract_if(keys, |_, _| true).collect();
        for (key, at) in &taken {
            self.due.remove(&(*at, key.clone()));
        }
        taken
    }

    /// The time of a key.
    pub(crate) fn at(&self, key: K) -> Option<Instant> {
        self.at_by_key.get(&key).copied()
    }

    /// Whether a key has a time.
    pub(crate) fn is_set(&self, key: K) -> bool {
        self.at_by_key.contains_key(&key)
    }

    /// The earliest time and its key.
    #[must_use]
    pub fn next(&self) -> Option<(Instant, K)> {
        self.due.first().cloned()
    }

    /// Takes out the earliest key whose time has come.
    pub fn pop(&mut self, now: Instant) -> Option<K> {
        let (_, key) = self.next().filter(|(at, _)| *at <= now)?;
        self.clear(key.clone());
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "there is no other first Instant")]
    fn a_range_is_cleared_with_both_its_ends_and_nothing_else() {
        let start = Instant::now();
        let mut agenda = Agenda::new();
        for key in 'a'..='e' {
            agenda.set(key, start);
        }
        agenda.clear_within('b'..='d');
        assert_eq!([agenda.pop(start), agenda.pop(start)], [Some('a'), Some('e')]);
        assert_eq!((agenda.next(), agenda.is_set('c')), (None, false));
    }

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
