//! MESSAGE: text from somebody (RFC 3428).

use std::time::Instant;

use crate::arrival::Arrival;
use crate::endpoint::Endpoint;
use crate::event::Output;
use crate::flow::Flow;
use crate::inspect::too_many_parts;
use crate::limits::{Limit, TEXT_BYTES_MAX};
use crate::message::{
    DialogName, HeaderName, MediaType, NameAddr, StatusCode, Uri, has_more_parts, part,
};
use crate::reply::Refusal;
use crate::session::SessionId;

/// What texts are written in.
const PLAIN: &str = "text/plain";

/// One MESSAGE that waits for its answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TextId(pub(crate) u64);

/// A MESSAGE that came in; it is to be answered by [`Endpoint::answer_text`] at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text {
    /// The session in whose dialog it came; `None` outside of any.
    pub session: Option<SessionId>,
    /// The session that one outside of any dialog proves to know (RFC 4538).
    pub known: Option<SessionId>,
    /// To whom it was sent.
    pub request_uri: Uri,
    /// Who writes, by its own word.
    pub from: NameAddr,
    /// The text, at most [`TEXT_BYTES_MAX`] bytes.
    pub text: String,
    /// Where it came from.
    pub flow: Flow,
}

impl Endpoint {
    /// In a session's dialog, or outside of any.
    pub(crate) fn receive_text(
        &mut self,
        now: Instant,
        session: Option<SessionId>,
        arrival: &Arrival,
    ) {
        let (request_uri, text) = match read(arrival) {
            Ok(read) => read,
            Err(refusal) => match session {
                Some(_) => return self.refuse_in_dialog(now, arrival, &refusal),
                None => return self.refuse(arrival, &refusal),
            },
        };
        if session.is_none() && !self.has_room(arrival) {
            return;
        }
        let tag = match arrival.to.tag() {
            Some(tag) => tag.to_owned(),
            None => self.tokens.tag(),
        };
        let pending = self.open_pending(arrival, &tag);
        let id = TextId(self.texts_taken);
        self.texts_taken += 1;
        self.texts.insert(id, pending);
        let known = self.known_session(&arrival.request.headers);
        let (from, flow) = (arrival.from.clone(), arrival.source);
        let text = Text { session, known, request_uri, from, text, flow };
        self.outbox.push(Output::Text(id, Box::new(text)));
    }

    /// Answers a MESSAGE; 200 says that it was delivered. An answer to one that was answered does
    /// nothing.
    pub fn answer_text(&mut self, now: Instant, id: TextId, status: StatusCode) {
        if let Some(pending) = self.texts.remove(&id) {
            let response = self.response_to(&pending, status, None, None);
            self.respond(now, &pending, &response);
        }
    }

    /// The session that a request outside of its dialog proves to know (RFC 4538).
    pub(crate) fn known_session(&self, headers: &crate::message::Headers) -> Option<SessionId> {
        let known = headers.text(&HeaderName::TargetDialog)?;
        self.named_session(&DialogName::target_dialog(&known).ok()?)
    }
}

fn read(arrival: &Arrival) -> Result<(Uri, String), Refusal> {
    let request = &arrival.request;
    if request.body.len() > TEXT_BYTES_MAX {
        return Err(Refusal::of(StatusCode::REQUEST_ENTITY_TOO_LARGE).over(Limit::TextBytes));
    }
    let kind = request.headers.text(&HeaderName::ContentType).unwrap_or_default();
    let kind: Option<MediaType> = kind.parse().ok();
    let plain = match kind {
        Some(kind) if kind.kind == "text" && kind.subtype == "plain" => Some(request.body.clone()),
        Some(kind) if kind.kind == "multipart" => {
            let found = part(&kind, &request.body, "text", "plain");
            if found.is_none() && has_more_parts(&kind, &request.body) {
                return Err(too_many_parts());
            }
            found
        }
        Some(_) | None => None,
    };
    let text = plain.and_then(|plain| String::from_utf8(plain).ok()).ok_or_else(|| {
        Refusal::of(StatusCode::UNSUPPORTED_MEDIA_TYPE).with(HeaderName::Accept, PLAIN)
    })?;
    let target = request.target.parse();
    Ok((target.map_err(|_| Refusal::bad_request("Bad Request-URI"))?, text))
}
