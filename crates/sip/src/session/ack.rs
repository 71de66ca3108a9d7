//! ACK: the third step of an INVITE (RFC 3261 §13.3.1.4, §17.1.1.3).

use std::time::Instant;

use super::{Answered, Closing, Exchange, SessionId, SessionTimer, State};
use crate::arrival::Arrival;
use crate::endpoint::Endpoint;
use crate::event::{EndCause, SessionEvent};
use crate::inspect::description;

impl Endpoint {
    /// An ACK is never answered. That of a refusal belongs to the INVITE's transaction, that of a
    /// 2xx to the session.
    pub(crate) fn receive_ack(&mut self, now: Instant, arrival: &Arrival) {
        if let Some(invite) = self.servers.find(&arrival.server_key())
            && !self.servers.ack(now, &mut self.outbox, invite)
        {
            return;
        }
        let id = self.find_session(arrival);
        match id.filter(|id| self.judge_source(now, *id, arrival).is_ok()) {
            Some(id) => self.acknowledged(now, id, arrival),
            None => self.outbox.stats.strays += 1,
        }
    }

    fn acknowledged(&mut self, now: Instant, id: SessionId, arrival: &Arrival) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        match &mut session.state {
            State::Up(Exchange::AwaitingAck(answered)) if answered.cseq == arrival.cseq.number => {
                let event = event(answered, arrival);
                session.state = State::Up(Exchange::Settled);
                session.dialog.follow(arrival);
                self.agenda.clear((id, SessionTimer::AnswerAgain));
                self.agenda.clear((id, SessionTimer::NoAck));
                if let Some(event) = event {
                    self.outbox.tell(id, event);
                }
            }
            State::Closing(Closing::ByeAfterAck { answered, cause })
                if answered.cseq == arrival.cseq.number =>
            {
                let cause = cause.take();
                self.bye(now, id, cause, EndCause::LocalEnd);
            }
            // Copies of an ACK that was seen.
            State::Invited { .. }
            | State::Resolving(_)
            | State::Calling { .. }
            | State::Up(_)
            | State::Closing(_) => {}
        }
    }
}

fn event(answered: &Answered, arrival: &Arrival) -> Option<SessionEvent> {
    // A body that is no session description is as good as none: an ACK cannot be refused.
    let body = description(&arrival.request.headers, &arrival.request.body).ok().flatten();
    let sdp = body.filter(|_| answered.offered);
    match (answered.opening, answered.offered) {
        (true, _) => Some(SessionEvent::Established { sdp }),
        (false, true) => Some(SessionEvent::Reanswered { sdp }),
        (false, false) => None,
    }
}
