//! What a phone asks for besides calls: transfers and texts.

use std::time::Instant;

use sip::message::{DialogName, ExtraHeaders, Method, ReferTo, StatusCode};
use sip::{Inquiry, SubscriptionEvent, SubscriptionId};

use super::Phone;

impl Phone {
    /// Presses the transfer key: the server is to call somebody in its place.
    pub fn transfer(&mut self, now: Instant, to: &ReferTo) {
        let Some(session) = self.session else { return };
        if self.sip.refer(now, session, to).is_err() {
            // Its call is over, or another transfer is under way.
        }
        self.drain(now);
    }

    /// How its transfer went so far: each status, and whether it was the last.
    pub fn transfer_progress(&self) -> &[(StatusCode, bool)] {
        &self.referral
    }

    /// Writes something into its call.
    pub fn write(&mut self, now: Instant, text: &str) {
        let Some(session) = self.session else { return };
        let body = Some(("text/plain".to_owned(), text.as_bytes().to_vec()));
        let inquiry = Inquiry { method: Method::Message, headers: ExtraHeaders::new(), body };
        if self.sip.inquire(now, session, inquiry).is_err() {
            // Its call is over.
        }
        self.drain(now);
    }

    /// What was written to it.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Its call, as others have to name it to the server.
    pub fn dialog(&self) -> Option<DialogName> {
        self.sip.name_for_peer(self.session?)
    }

    /// Nobody is told anything by a phone, or sent anywhere.
    pub(super) fn subscription_event(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        event: &SubscriptionEvent,
    ) {
        match event {
            SubscriptionEvent::Referred(_) | SubscriptionEvent::Subscribed(_) => {
                if self.sip.deny(now, id, StatusCode::DECLINE).is_err() {
                    // It was taken back in the same instant.
                }
            }
            SubscriptionEvent::Refreshed
            | SubscriptionEvent::Delivered
            | SubscriptionEvent::Ended => {}
        }
    }
}
