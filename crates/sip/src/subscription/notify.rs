//! NOTIFY: telling a subscriber (RFC 6665 §4.2.2).

use std::time::Instant;

use super::{
    Home, Notification, State, Subscription, SubscriptionError, SubscriptionEvent, SubscriptionId,
};
use crate::endpoint::Endpoint;
use crate::event::Output;
use crate::message::{HeaderName, Method, Request, Response};
use crate::transaction::TransactionId;

impl Endpoint {
    /// Tells a subscriber something. While an earlier NOTIFY is under way it waits, and takes the
    /// place of one that waits already: [`SubscriptionEvent::Delivered`] says when there is none.
    ///
    /// # Errors
    /// [`SubscriptionError`], before it is granted and after the last one.
    pub fn notify(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        mut notification: Notification,
    ) -> Result<(), SubscriptionError> {
        let subscription =
            self.subscriptions.alive.get_mut(&id).ok_or(SubscriptionError::Unknown)?;
        if subscription.expires_at <= now && notification.over.is_none() {
            // It was asked for the state of this moment only, or its time is over.
            notification.over = Some("timeout");
        }
        match &mut subscription.state {
            State::Asked { .. } | State::Ending => return Err(SubscriptionError::WrongState),
            State::Telling { next } => {
                // What follows on the last one is the last one instead.
                let is_last = next.as_ref().and_then(|before| before.over);
                notification.over = notification.over.or(is_last);
                *next = Some(notification);
            }
            State::Active => self.send_notify(now, id, notification),
        }
        Ok(())
    }

    fn send_notify(&mut self, now: Instant, id: SubscriptionId, notification: Notification) {
        let Some(subscription) = self.subscriptions.alive.get_mut(&id) else { return };
        subscription.state = match notification.over {
            Some(_) => State::Ending,
            None => State::Telling { next: None },
        };
        if notification.over.is_some() {
            // From here on only the answer or its absence ends it.
            self.subscriptions.expiries.clear(id);
        }
        let standing = standing(subscription, now, notification.over);
        let event = subscription.event.to_string();
        let content_type = subscription.package.content_type();
        let shape = move |endpoint: &Endpoint, request: &mut Request, flow: &crate::Flow| {
            let secure = request.is_secure();
            endpoint.introduce(&mut request.headers, flow, &HeaderName::From, secure);
            request.headers.push(HeaderName::Event, event);
            request.headers.push(HeaderName::SubscriptionState, standing);
            if !notification.body.is_empty() {
                request.headers.push(HeaderName::ContentType, content_type);
                request.body = notification.body;
            }
        };
        let home = subscription.home.clone();
        let sent = match home {
            Home::Session(session) => self.send_in_dialog(now, session, Method::Notify, shape),
            Home::Own(key) => self
                .subscriptions
                .homes
                .dialog(&key)
                .map(|dialog| {
                    dialog.local_cseq += 1;
                    let request = dialog.request(Method::Notify, dialog.local_cseq);
                    (request, dialog.next_hop(&self.config), dialog.by_size())
                })
                .map(|(mut request, flow, by_size)| {
                    shape(self, &mut request, &flow);
                    self.send_request(now, request, (flow, by_size), None)
                }),
        };
        match sent {
            Some(transaction) => {
                self.subscriptions.by_notify.insert(transaction, id);
            }
            None => self.forget_subscription(id),
        }
    }

    /// A NOTIFY of ours was answered, or nothing is to be expected any more: `None`. `false` if the
    /// transaction is none of a subscription.
    pub(crate) fn notify_answered(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        response: Option<&Response>,
    ) -> bool {
        let Some(&id) = self.subscriptions.by_notify.get(&transaction) else { return false };
        if response.is_some_and(|response| response.status.is_provisional()) {
            return true;
        }
        self.subscriptions.by_notify.remove(&transaction);
        let session = self.subscriptions.session_of(id);
        self.notify_over(now, id, response);
        if let Some(session) = session {
            self.bye_after_notify(now, session);
        }
        true
    }

    fn notify_over(&mut self, now: Instant, id: SubscriptionId, response: Option<&Response>) {
        let taken = response.is_some_and(|response| response.status.is_success());
        let Some(subscription) = self.subscriptions.alive.get_mut(&id) else { return };
        // Whoever refuses a NOTIFY, or does not answer it, is told nothing more (§4.2.2).
        match &mut subscription.state {
            State::Telling { next } if taken => match next.take() {
                Some(next) => {
                    subscription.state = State::Active;
                    self.send_notify(now, id, next);
                }
                None => {
                    subscription.state = State::Active;
                    self.outbox.push(Output::Subscription(id, SubscriptionEvent::Delivered));
                }
            },
            State::Telling { .. } | State::Ending | State::Active | State::Asked { .. } => {
                self.forget_subscription(id);
            }
        }
    }
}

/// The value of Subscription-State (§8.2.3).
fn standing(subscription: &Subscription, now: Instant, over: Option<&'static str>) -> String {
    match over {
        Some(reason) => format!("terminated;reason={reason}"),
        None => {
            let left = subscription.expires_at.saturating_duration_since(now);
            format!("active;expires={}", left.as_secs())
        }
    }
}
