//! A request inside a session that changes nothing of it: INFO (RFC 6086), REFER (RFC 3515),
//! NOTIFY (RFC 6665), MESSAGE (RFC 3428).

use std::time::Instant;

use super::{SessionError, SessionId, State};
use crate::endpoint::Endpoint;
use crate::event::SessionEvent;
use crate::message::{ExtraHeaders, HeaderName, Method, Response, StatusCode};
use crate::transaction::{Failure, TransactionId};

/// A request inside a session that changes nothing of it.
#[derive(Clone, Debug)]
pub struct Inquiry {
    /// What is asked. Not a method that sessions are made of: INVITE, ACK, CANCEL, BYE, UPDATE,
    /// PRACK.
    pub method: Method,
    /// What it says besides.
    pub headers: ExtraHeaders,
    /// The body, with its media type.
    pub body: Option<(String, Vec<u8>)>,
}

/// One [`Inquiry`] that was sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct InquiryId(pub(crate) TransactionId);

impl Endpoint {
    /// Sends a request inside a session that is up; [`SessionEvent::Replied`] follows unless the
    /// session ends before. Whatever is replied, the session goes on.
    ///
    /// # Errors
    /// [`SessionError::Unknown`], [`SessionError::Unsettled`] unless the session is up,
    /// [`SessionError::Full`] when there are too many transactions, [`SessionError::BadMethod`].
    pub fn inquire(
        &mut self,
        now: Instant,
        id: SessionId,
        inquiry: Inquiry,
    ) -> Result<InquiryId, SessionError> {
        let session = self.sessions.get(&id).ok_or(SessionError::Unknown)?;
        if makes_sessions(&inquiry.method) {
            return Err(SessionError::BadMethod);
        }
        if !matches!(session.state, State::Up(_)) {
            return Err(SessionError::Unsettled);
        }
        self.room().map_err(|limit| self.is_full(limit))?;
        let Inquiry { method, headers, body } = inquiry;
        let sent = self.send_in_dialog(now, id, method, |endpoint, request, flow| {
            // REFER, SUBSCRIBE and NOTIFY may change the remote target, and so must tell ours
            // (RFC 3261 §12.2.1.1); in the others it does no harm.
            let secure = request.is_secure();
            endpoint.introduce(&mut request.headers, flow, &HeaderName::From, secure);
            headers.append_to(&mut request.headers);
            if let Some((media_type, bytes)) = body {
                request.headers.push(HeaderName::ContentType, media_type);
                request.body = bytes;
            }
        });
        sent.map(InquiryId).ok_or(SessionError::Unknown)
    }

    /// Its final response came.
    pub(super) fn inquiry_answered(
        &mut self,
        (transaction, id): (TransactionId, SessionId),
        response: &Response,
    ) {
        self.replied(id, transaction, response.status, response);
    }

    /// Nothing came (408) or nothing could be sent (503), as RFC 3261 §8.1.3.1 has it.
    pub(super) fn inquiry_failed(&mut self, id: SessionId, from: TransactionId, failure: Failure) {
        let status = match failure {
            Failure::TimedOut => StatusCode::REQUEST_TIMEOUT,
            Failure::Transport => StatusCode::SERVICE_UNAVAILABLE,
        };
        let (reason, headers) = (status.phrase().to_owned(), crate::message::Headers::new());
        let response = Response { status, reason, headers, body: Vec::new() };
        self.replied(id, from, status, &response);
    }

    fn replied(
        &mut self,
        id: SessionId,
        transaction: TransactionId,
        status: StatusCode,
        response: &Response,
    ) {
        if self.sessions.get(&id).is_none_or(|session| session.is_closing()) {
            return;
        }
        let (headers, body) = (response.headers.clone(), response.body.clone());
        let inquiry = InquiryId(transaction);
        self.outbox.tell(id, SessionEvent::Replied { inquiry, status, headers, body });
    }
}

/// Whether the methods' responses move the session itself.
pub(super) fn makes_sessions(method: &Method) -> bool {
    match method {
        Method::Invite
        | Method::Ack
        | Method::Cancel
        | Method::Bye
        | Method::Update
        | Method::Prack => true,
        Method::Options
        | Method::Info
        | Method::Register
        | Method::Subscribe
        | Method::Notify
        | Method::Publish
        | Method::Message
        | Method::Refer
        | Method::Other(_) => false,
    }
}
