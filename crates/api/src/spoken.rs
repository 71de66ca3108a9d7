//! For whom those spoke whose wishes came with a key. A wish that comes again is the same command
//! only if its author is the same; and who has left by its own first wish is in no conference any
//! more, in which it could be found.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use model::Author;
use model::limits::COMMANDS_REMEMBERED_MAX;

use crate::body::Wish;

/// The authors of the latest wishes with keys: of as many as answers are remembered of.
#[derive(Debug, Default)]
pub(crate) struct Spoken(Mutex<Latest>);

#[derive(Debug, Default)]
struct Latest {
    by_wish: BTreeMap<Wish, Author>,
    order: VecDeque<Wish>,
}

impl Spoken {
    /// For whom it was that this was wished, if it was.
    pub(crate) fn author_of(&self, wish: Wish) -> Option<Author> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_wish.get(&wish).copied()
    }

    /// This is wished for an author.
    pub(crate) fn remember(&self, wish: Wish, author: Author) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.by_wish.insert(wish, author).is_none() {
            latest.order.push_back(wish);
        }
        if latest.order.len() > COMMANDS_REMEMBERED_MAX
            && let Some(oldest) = latest.order.pop_front()
        {
            latest.by_wish.remove(&oldest);
        }
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
        for number in 0..=last {
            spoken.remember(Wish(number), Author::Party(PartyId(number)));
        }
        assert_eq!(spoken.author_of(Wish(0)), None);
        for number in 1..=last {
            assert_eq!(spoken.author_of(Wish(number)), Some(Author::Party(PartyId(number))));
        }
    }
}
