//! An INVITE that means a session of ours: to take its place (RFC 3891 §3), or to come to it
//! (RFC 3911 §4).

use super::{SessionId, State};
use crate::access::Origin;
use crate::arrival::Arrival;
use crate::endpoint::Endpoint;
use crate::message::{DialogName, HeaderName, StatusCode};
use crate::reply::Refusal;

/// What an INVITE means to do with a session that there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meant {
    /// Take its place.
    Replaces(SessionId),
    /// Come to it.
    Joins(SessionId),
}

impl Endpoint {
    /// The session that an INVITE means; `None` if it means none.
    ///
    /// # Errors
    /// 400 for headers that cannot be read or contradict each other, 403 for strangers: to know
    /// the names of a dialog is not enough (RFC 3891 §4). 481 where no dialog fits exactly,
    /// 603 where it is over, 486 where it is answered and only an unanswered one is meant.
    pub(super) fn meant(
        &self,
        arrival: &Arrival,
        origin: &Origin,
    ) -> Result<Option<Meant>, Refusal> {
        let headers = &arrival.request.headers;
        let replaces = headers.values(&HeaderName::Replaces);
        let join = headers.values(&HeaderName::Join);
        let (named, how): (_, fn(SessionId) -> Meant) = match (&replaces[..], &join[..]) {
            ([], []) => return Ok(None),
            ([named], []) => (named, Meant::Replaces),
            ([], [named]) => (named, Meant::Joins),
            _ => return Err(Refusal::bad_request("Several Dialogs Meant")),
        };
        if *origin == Origin::Stranger {
            return Err(Refusal::of(StatusCode::FORBIDDEN));
        }
        let named: DialogName =
            named.parse().map_err(|_| Refusal::bad_request("Bad Replaces Or Join"))?;
        let none = || Refusal::of(StatusCode::CALL_DOES_NOT_EXIST);
        let id = self.exactly_named_session(&named).ok_or_else(none)?;
        let session = self.sessions.get(&id).ok_or_else(none)?;
        match &session.state {
            State::Closing(_) => Err(Refusal::of(StatusCode::DECLINE)),
            // An unanswered call may only be taken by its caller's leave, and that is us.
            State::Invited { .. } => Err(none()),
            State::Up(_) if named.early_only => Err(Refusal::of(StatusCode::BUSY_HERE)),
            // Nobody is called yet.
            State::Resolving(_) => Err(none()),
            State::Up(_) | State::Calling { .. } => Ok(Some(how(id))),
        }
    }

    fn exactly_named_session(&self, name: &DialogName) -> Option<SessionId> {
        let key = (name.call_id.clone(), name.to_tag.clone());
        let id = *self.ids_by_dialog.get(&key)?;
        // RFC 3891 §3: a tag of "0" stands for one that is missing.
        let from_tag = Some(name.from_tag.as_str()).filter(|tag| *tag != "0");
        self.sessions.get(&id)?.dialog_with(from_tag).map(|_| id)
    }
}
