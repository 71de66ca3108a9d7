//! Whose dialog subscriptions live in.
//!
//! A dialog may have several usages (RFC 5057): a call, the subscriptions to how its REFERs go, one
//! to a roster. All of them count its requests together, so a dialog stays one when its call ends.

use std::collections::{BTreeMap, BTreeSet};

use super::{Subscription, SubscriptionId, Subscriptions};
use crate::arrival::Arrival;
use crate::dialog::Dialog;
use crate::message::EventType;
use crate::session::SessionId;

/// A dialog without a call, by Call-ID and our tag.
pub(super) type DialogKey = (String, String);

/// Whose dialog a subscription's NOTIFYs go along.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Home {
    Session(SessionId),
    Own(DialogKey),
}

/// The dialogs of subscriptions, and who lives where.
#[derive(Debug, Default)]
pub(super) struct Homes {
    /// Those that are no session's. Each has a subscription.
    dialogs: BTreeMap<DialogKey, Dialog>,
    by_dialog: BTreeSet<(DialogKey, SubscriptionId)>,
    by_session: BTreeSet<(SessionId, SubscriptionId)>,
}

impl Homes {
    /// A dialog for subscriptions alone. One is to settle there at once.
    pub(super) fn found(&mut self, dialog: Dialog) -> Home {
        let tag = dialog.local.tag().unwrap_or("").to_owned();
        let key = (dialog.call_id.clone(), tag);
        self.dialogs.insert(key.clone(), dialog);
        Home::Own(key)
    }

    pub(super) fn settle(&mut self, id: SubscriptionId, home: &Home) {
        match home {
            Home::Session(session) => self.by_session.insert((*session, id)),
            Home::Own(key) => self.by_dialog.insert((key.clone(), id)),
        };
    }

    /// A subscription is over, and with the last one its dialog.
    pub(super) fn leave(&mut self, id: SubscriptionId, home: &Home) {
        match home {
            Home::Session(session) => {
                self.by_session.remove(&(*session, id));
            }
            Home::Own(key) => {
                self.by_dialog.remove(&(key.clone(), id));
                if self.within_dialog(key).next().is_none() {
                    self.dialogs.remove(key);
                }
            }
        }
    }

    pub(super) fn dialog(&mut self, key: &DialogKey) -> Option<&mut Dialog> {
        self.dialogs.get_mut(key)
    }

    pub(super) fn dialogs(&mut self) -> impl Iterator<Item = &mut Dialog> {
        self.dialogs.values_mut()
    }

    pub(super) fn within_session(
        &self,
        session: SessionId,
    ) -> impl Iterator<Item = SubscriptionId> + '_ {
        let all = (session, SubscriptionId(0))..=(session, SubscriptionId(u64::MAX));
        self.by_session.range(all).map(|(_, id)| *id)
    }

    fn within_dialog(&self, key: &DialogKey) -> impl Iterator<Item = SubscriptionId> + '_ {
        let all = (key.clone(), SubscriptionId(0))..=(key.clone(), SubscriptionId(u64::MAX));
        self.by_dialog.range(all).map(|(_, id)| *id)
    }
}

impl Subscriptions {
    /// The dialog of subscriptions alone that the request belongs to.
    pub(super) fn find(&mut self, arrival: &Arrival) -> Option<(DialogKey, &mut Dialog)> {
        let key = (arrival.call_id.clone(), arrival.to.tag()?.to_owned());
        let dialog = self.homes.dialog(&key)?;
        dialog.is_with(arrival.from.tag()).then_some((key, dialog))
    }

    /// The subscription to that event in a dialog.
    pub(super) fn in_home(&self, home: &Home, event: &EventType) -> Option<SubscriptionId> {
        let is_it = |id: &SubscriptionId| {
            self.alive.get(id).is_some_and(|known: &Subscription| known.event == *event)
        };
        match home {
            Home::Session(session) => self.homes.within_session(*session).find(is_it),
            Home::Own(key) => self.homes.within_dialog(key).find(is_it),
        }
    }

    /// A session is over; the subscriptions in its dialog go on without it (RFC 5057 §4).
    pub(super) fn inherit(&mut self, session: SessionId, dialog: &Dialog) {
        let heirs: Vec<SubscriptionId> = self.homes.within_session(session).collect();
        if heirs.is_empty() {
            return;
        }
        let home = self.homes.found(dialog.clone());
        for heir in heirs {
            self.homes.leave(heir, &Home::Session(session));
            self.homes.settle(heir, &home);
            if let Some(subscription) = self.alive.get_mut(&heir) {
                subscription.home = home.clone();
            }
        }
    }
}
