//! PRACK: the acknowledgement of a reliable provisional response (RFC 3262).

use std::time::Instant;

use super::{SessionId, State};
use crate::arrival::Arrival;
use crate::dialog::Dialog;
use crate::endpoint::Endpoint;
use crate::flow::Flow;
use crate::inspect::description;
use crate::limits::{FORKS_MAX, PRACKS_MAX};
use crate::message::{CSeq, HeaderName, Headers, Method, Response, StatusCode};
use crate::session::early::EarlyExchange;
use crate::session::timer::has_option;
use crate::transaction::TransactionId;

/// What one of the phones that our INVITE reached has said: a dialog before it is one (RFC 3261
/// §12.1). A proxy that forks makes several.
#[derive(Clone, Debug)]
pub(crate) struct Early {
    pub(crate) dialog: Dialog,
    /// RSeq of the last response that was acknowledged.
    rseq: u32,
    /// How many were.
    acknowledged: u32,
    /// The session description that it sent first: the answer, if its 2xx has none (RFC 3261
    /// §13.2.1).
    pub(crate) answer: Option<Vec<u8>>,
    pub(crate) exchange: EarlyExchange,
}

impl Endpoint {
    /// Theirs.
    pub(super) fn receive_prack(&mut self, now: Instant, id: SessionId, arrival: &Arrival) {
        let offered = match description(&arrival.request.headers, &arrival.request.body) {
            Ok(offer) => offer.is_some(),
            Err(refusal) => return self.refuse_in_dialog(now, arrival, &refusal),
        };
        let Some(session) = self.sessions.get(&id) else { return };
        let matches = match &session.state {
            State::Invited { invite, progress } => {
                let expected = (progress.rseq, invite.cseq, Method::Invite);
                progress.unacknowledged.is_some()
                    && rack(&arrival.request.headers).as_ref() == Some(&expected)
            }
            State::Resolving(_) | State::Calling { .. } | State::Up(_) | State::Closing(_) => false,
        };
        if !matches {
            return self.answer_in_dialog(now, arrival, StatusCode::CALL_DOES_NOT_EXIST);
        }
        // An offer in a PRACK is refused; the response that it acknowledges is acknowledged. The
        // caller may make it again when the call is answered.
        let status = if offered { StatusCode::NOT_ACCEPTABLE_HERE } else { StatusCode::OK };
        self.answer_in_dialog(now, arrival, status);
        self.progress_acknowledged(now, id);
    }

    /// Acknowledges a provisional response to our INVITE if it asks for that. `false`: it is a
    /// copy, or one before it is missing, and it must not be acted upon (§4).
    pub(super) fn acknowledge_progress(
        &mut self,
        now: Instant,
        (invite, id): (TransactionId, SessionId),
        flow: Flow,
        response: &Response,
    ) -> bool {
        let rseq = response.headers.text(&HeaderName::RSeq);
        let rseq = rseq.and_then(|text| text.trim().parse::<u32>().ok());
        let Some(rseq) = rseq else { return true };
        if !has_option(&response.headers, &HeaderName::Require, "100rel") {
            return true;
        }
        let Some(cseq) = self.invite_cseq(invite) else { return false };
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        let Some(early) = early_of(session, flow, response) else { return false };
        let in_order = early.acknowledged == 0 || early.rseq.checked_add(1) == Some(rseq);
        if !in_order || early.acknowledged == PRACKS_MAX {
            return false;
        }
        early.rseq = rseq;
        early.acknowledged += 1;
        early.dialog.refresh(&response.headers);
        let dialog = early.dialog.clone();
        session.dialog.local_cseq += 1;
        let mut prack = dialog.request(Method::Prack, session.dialog.local_cseq);
        prack.headers.push(HeaderName::RAck, format!("{rseq} {cseq} INVITE"));
        let next_hop = dialog.next_hop(&self.config);
        self.show_to_trunk(id, &mut prack, &next_hop);
        let signed = self.sign(prack, &next_hop);
        self.clients.start(now, &mut self.outbox, signed, next_hop, Some(id));
        true
    }

    /// Keeps what a provisional response to our INVITE says: who is reached, and its description.
    pub(super) fn keep_early(&mut self, id: SessionId, flow: Flow, response: &Response) {
        let sdp = description(&response.headers, &response.body).ok().flatten();
        let session = self.sessions.get_mut(&id);
        let early = session.and_then(|session| early_of(session, flow, response));
        if let (Some(early), Some(sdp)) = (early, sdp) {
            early.answer.get_or_insert(sdp);
            let is_reliable = has_option(&response.headers, &HeaderName::Require, "100rel");
            if is_reliable && matches!(early.exchange, EarlyExchange::Open) {
                early.exchange = EarlyExchange::Settled { said: None };
            }
        }
    }

    /// The number of our INVITE: other requests may have been sent since.
    pub(super) fn invite_cseq(&self, invite: TransactionId) -> Option<u32> {
        let (request, _) = self.clients.request(invite)?;
        let cseq: CSeq = request.headers.text(&HeaderName::CSeq)?.parse().ok()?;
        Some(cseq.number)
    }
}

/// The early dialog that a provisional response belongs to, opened if it is the first of it.
fn early_of<'a>(
    session: &'a mut super::Session,
    flow: Flow,
    response: &Response,
) -> Option<&'a mut Early> {
    let to = response.to()?;
    let tag = to.tag()?.to_owned();
    let State::Calling { early, .. } = &mut session.state else { return None };
    let known = early.iter().position(|early| early.dialog.is_with(Some(&tag)));
    let at = match known {
        Some(at) => at,
        None if early.len() == FORKS_MAX => return None,
        None => {
            let mut dialog = session.dialog.clone();
            dialog.confirm(response, flow);
            early.push(Early {
                dialog,
                rseq: 0,
                acknowledged: 0,
                answer: None,
                exchange: EarlyExchange::Open,
            });
            early.len() - 1
        }
    };
    early.get_mut(at)
}

/// RAck: RSeq, and number and method of what was answered (§7.2).
fn rack(headers: &Headers) -> Option<(u32, u32, Method)> {
    let text = headers.text(&HeaderName::RAck)?;
    let mut words = text.split_ascii_whitespace();
    let rseq = words.next()?.parse().ok()?;
    let cseq = words.next()?.parse().ok()?;
    let method = Method::parse(words.next()?)?;
    words.next().is_none().then_some((rseq, cseq, method))
}
