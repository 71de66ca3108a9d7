//! Somebody who follows events: a number in the feed, and a wake-up when there may be more.

use std::sync::Arc;

use model::{Audience, ConferenceId, ConferenceRef, ConferenceView, Event};
use tokio::sync::watch;

use crate::feed::{Batch, Feed};

/// Somebody who follows one conference or all of them.
#[derive(Debug)]
pub(crate) struct Follower {
    feed: Arc<Feed>,
    place: Place,
    changed: watch::Receiver<()>,
}

#[derive(Debug)]
enum Place {
    /// In one conference, as an audience is told it, after this event.
    One { conference: ConferenceId, audience: Audience, seq: u64 },
    /// In all of them, after so many events.
    All { count: u64 },
}

/// Why there is nothing more to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The conference ended; its last event was told.
    Ended,
    /// The server is shutting down.
    Closed,
    /// What comes next is not kept any more.
    TooSlow,
}

impl Follower {
    /// Follows one conference from its view on, or from after the given event.
    pub(crate) fn of_one(
        feed: &Arc<Feed>,
        conference: &ConferenceRef,
        audience: Audience,
        after: Option<u64>,
    ) -> Option<(Arc<ConferenceView>, Follower)> {
        let (view, changed) = feed.follow(conference, audience)?;
        let seq = after.unwrap_or(view.seq);
        let place = Place::One { conference: view.id, audience, seq };
        Some((view, Follower { feed: Arc::clone(feed), place, changed }))
    }

    /// Follows all conferences from their views on.
    pub(crate) fn of_all(feed: &Arc<Feed>) -> (Vec<Arc<ConferenceView>>, Follower) {
        let (views, count, changed) = feed.follow_all();
        (views, Follower { feed: Arc::clone(feed), place: Place::All { count }, changed })
    }

    /// The next events, once there are any. Nothing is lost if the wait is given up.
    pub(crate) async fn next(&mut self) -> Result<Vec<Arc<Event>>, Over> {
        loop {
            // Marked as seen before looking, so that what comes after the look wakes.
            self.changed.mark_unchanged();
            let batch = match &self.place {
                Place::One { conference, audience, seq } => {
                    self.feed.batch(*conference, *audience, *seq)
                }
                Place::All { count } => self.feed.batch_of_all(*count),
            };
            match batch {
                Batch::Events(events, last) => {
                    match &mut self.place {
                        Place::One { seq, .. } => *seq = last,
                        Place::All { count } => *count = last,
                    }
                    return Ok(events);
                }
                Batch::Ended => return Err(Over::Ended),
                Batch::Closed => return Err(Over::Closed),
                Batch::Gone(_) => return Err(Over::TooSlow),
                Batch::Nothing => {
                    if self.changed.changed().await.is_err() {
                        // The shelf is gone: the next look tells so.
                        continue;
                    }
                }
            }
        }
    }
}
