//! A phone of ours that is somewhere else than its dialog says.
//!
//! A NAT that chose another port, or a mobile that left for another network: until the phone says
//! something in its dialog, that leads to where it was. What it does say is where it is now, in its
//! REGISTERs. So a request that is not answered there goes out once more to there, as to another
//! flow of the same phone (RFC 5626 §5.3). Only what its own user has registered counts, and only
//! where no proxy is on the way, which would know better.

use std::time::Instant;

use super::challenged::renumbered;
use super::{SessionId, State};
use crate::endpoint::Endpoint;
use crate::flow::Flow;
use crate::limits::{CHALLENGES_ANSWERED_MAX, MOVED_PATIENCE};
use crate::registrar::Likeness;
use crate::transaction::{Failed, TransactionId};

impl Endpoint {
    /// Notes by what the phone on the other side is known again, if it is one of ours.
    pub(super) fn know_phone(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(user) = session.origin.user() else { return };
        let (flow, contact) = (&session.dialog.flow, &session.dialog.remote_target);
        session.phone = self.registrar.phone_at(user, flow, contact);
    }

    /// Where the phone on the other side is as well, or instead.
    fn place_besides(&self, now: Instant, id: SessionId) -> Option<(Flow, Likeness)> {
        let session = self.sessions.get(&id)?;
        let is_direct = session.dialog.routes.is_empty();
        let user = session.origin.user().filter(|_| is_direct)?;
        match session.state {
            // Its dialogs are early ones.
            State::Resolving(_) | State::Calling { .. } => None,
            State::Invited { .. } | State::Up(_) | State::Closing(_) => {
                let phone = (user, session.phone.as_ref());
                self.registrar.place_besides(now, phone, &session.dialog)
            }
        }
    }

    /// A phone that has registered from elsewhere is not waited for so long.
    pub(super) fn hurry_if_moved(&mut self, now: Instant, id: SessionId, sent: TransactionId) {
        match self.place_besides(now, id) {
            Some((_, Likeness::Same)) => self.clients.hurry(sent, now + MOVED_PATIENCE),
            Some((_, Likeness::Alike)) | None => {}
        }
    }

    /// A request of a session is not answered: the same goes out again to where its phone is now.
    /// `false` if it is nowhere else.
    pub(crate) fn again_where_it_moved(&mut self, now: Instant, failed: &mut Failed) -> bool {
        let (Some(id), Some(sent)) = (failed.user, failed.sent.take()) else { return false };
        let Some((way, _)) = self.place_besides(now, id) else { return false };
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        let is_wanted = session.still_wants(&failed.method, failed.id);
        let went_there = sent.flow.remote == session.dialog.flow.remote;
        if !is_wanted || !went_there || sent.repeated >= CHALLENGES_ANSWERED_MAX {
            return false;
        }
        session.dialog.flow = way;
        session.dialog.pinned = true;
        session.dialog.local_cseq += 1;
        let request = renumbered(sent.request, session.dialog.local_cseq);
        let signed = self.sign(request, &way);
        let rest = (way, Some(id), sent.repeated + 1);
        self.clients.again(now, &mut self.outbox, failed.id, signed, rest);
        true
    }
}
