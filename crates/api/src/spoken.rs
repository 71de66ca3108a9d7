//! For whom those spoke whose wishes came with a key. A wish that comes again is the same command
//! only if its author is the same; and who has left by its own first wish is in no conference any
//! more, in which it could be found.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use model::Author;
use model::limits::COMMANDS_REMEMBERED_MAX;

use crate::body::Wish;

/// The authors of the latest wishes with keys: of as many as answers are remembered of.
///
/// A wish may be long, so it is known by a number. That is reckoned under a secret: who could have
/// a wish of its own come to the number of another's would speak for that one.
#[derive(Debug, Default)]
pub(crate) struct Spoken {
    secret: RandomState,
    latest: Mutex<Latest>,
}

#[derive(Debug, Default)]
struct Latest {
    by_number: BTreeMap<u64, Author>,
    order: VecDeque<u64>,
}

impl Spoken {
    /// For whom it was that this was wished, if it was.
    pub(crate) fn author_of(&self, wish: &Wish) -> Option<Author> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.by_number.get(&self.number(wish)).copied()
    }

    /// This is wished for an author.
    pub(crate) fn remember(&self, wish: &Wish, author: Author) {
        let number = self.number(wish);
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.by_number.insert(number, author).is_none() {
            latest.order.push_back(number);
        }
        if latest.order.len() > COMMANDS_REMEMBERED_MAX
            && let Some(oldest) = latest.order.pop_front()
        {
            latest.by_number.remove(&oldest);
        }
    }

    fn number(&self, wish: &Wish) -> u64 {
        self.secret.hash_one(wish)
    }
}

#[cfg(test)]
mod tests {
    use model::PartyId;

    use super::*;

    #[test]
    fn the_latest_authors_are_known_and_no_more_than_are_of_use() {
        let spoken = Spoken::default();
        let last = COMMANDS_REMEMBERED_MAX as u64;
        let wish = |number: u64| Wish(number.to_string());
        for number in 0..=last {
            spoken.remember(&wish(number), Author::Party(PartyId(number)));
        }
        assert_eq!(spoken.author_of(&wish(0)), None);
        for number in 1..=last {
            assert_eq!(spoken.author_of(&wish(number)), Some(Author::Party(PartyId(number))));
        }
    }

    #[test]
    fn nobody_outside_can_reckon_the_number_of_a_wish() {
        let wish = Wish("key".to_owned());
        assert_ne!(Spoken::default().number(&wish), Spoken::default().number(&wish));
    }
}
