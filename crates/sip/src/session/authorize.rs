//! Showing who we are to whom we call (RFC 3261 §22.3, RFC 8760).

use std::time::Instant;

use super::{SessionId, State};
use crate::digest::{Account, Challenge};
use crate::endpoint::Endpoint;
use crate::flow::Flow;
use crate::limits::CHALLENGES_ANSWERED_MAX;
use crate::message::{HeaderName, Headers, Request, Response, StatusCode};

/// Our account with one peer, and what has been asked for it.
#[derive(Clone, Debug)]
pub(crate) struct Showing {
    account: Account,
    /// One for each realm and header: a proxy may ask besides the peer itself.
    asked: Vec<Asked>,
    answered: u8,
}

/// A challenge that is answered in every request that follows.
#[derive(Clone, Debug)]
struct Asked {
    challenge: Challenge,
    /// The header that the answer stands in.
    answer: HeaderName,
    /// How often its nonce has been used.
    count: u32,
    /// Whether an answer to it has been taken: the password is right.
    is_proven: bool,
}

impl Showing {
    pub(crate) fn new(account: Account) -> Showing {
        Showing { account, asked: Vec::new(), answered: 0 }
    }

    /// Takes a challenge; false if it is not to be answered: it names another realm, or the
    /// password has been shown and was wrong.
    pub(crate) fn take(&mut self, response: &Response) -> bool {
        let Some((asks, answer)) = headers_of(response.status) else { return false };
        let Some(challenge) = self.account.choose(&challenges(&response.headers, &asks)) else {
            return false;
        };
        let same = |one: &Asked| one.answer == answer && one.challenge.realm == challenge.realm;
        let before = self.asked.iter().position(same);
        // A password that was taken is right; with another nonce it is the old one that was not
        // good any more, though not every server says so.
        let is_renewed = |known: &Asked| {
            challenge.stale || known.is_proven && known.challenge.nonce != challenge.nonce
        };
        let was_refused = before.is_some_and(|at| !is_renewed(&self.asked[at]));
        if was_refused || self.answered >= CHALLENGES_ANSWERED_MAX {
            return false;
        }
        if let Some(before) = before {
            self.asked.remove(before);
        }
        self.answered += 1;
        self.asked.push(Asked { challenge, answer, count: 0, is_proven: false });
        true
    }

    /// What was shown has been taken: challenges are counted anew.
    pub(crate) fn accepted(&mut self) {
        self.answered = 0;
        self.asked.iter_mut().for_each(|asked| asked.is_proven = true);
    }

    /// Adds what has been asked for to a request.
    pub(crate) fn show(&mut self, request: &mut Request, cnonce: &str) {
        let Showing { account, asked, .. } = self;
        for Asked { challenge, answer, count, .. } in asked {
            *count += 1;
            let what = (request.method.name(), request.target.as_str());
            let credentials = account.answer(challenge, what, (*count, cnonce));
            request.headers.push(answer.clone(), credentials.to_string());
        }
    }

    /// The next request goes to another host, which has asked nothing.
    pub(crate) fn forget(&mut self) {
        self.asked.clear();
    }
}

/// In which header a challenge of that status stands, and in which its answer.
fn headers_of(status: StatusCode) -> Option<(HeaderName, HeaderName)> {
    use HeaderName as Name;
    match status {
        StatusCode::UNAUTHORIZED => Some((Name::WwwAuthenticate, Name::Authorization)),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Some((Name::ProxyAuthenticate, Name::ProxyAuthorization))
        }
        _ => None,
    }
}

fn challenges(headers: &Headers, name: &HeaderName) -> Vec<Challenge> {
    let values = headers.all(name);
    values.filter_map(|value| Challenge::parse(&String::from_utf8_lossy(value))).collect()
}

/// Whether two flows lead to one host: nobody else is shown anything.
pub(crate) fn is_same_host(one: &Flow, other: &Flow) -> bool {
    one.remote.ip().to_canonical() == other.remote.ip().to_canonical()
}

impl Endpoint {
    /// A call that we make is challenged: the same again with our answer. `false` if there is none:
    /// the call is to somebody whom we have no account with, or the challenge does not come from
    /// where the call went.
    pub(super) fn call_with_credentials(
        &mut self,
        now: Instant,
        id: SessionId,
        from: Flow,
        response: &Response,
    ) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        let flow = session.dialog.flow;
        let State::Calling { dialling, .. } = &mut session.state else { return false };
        let showing = dialling.showing.as_mut().filter(|_| is_same_host(&flow, &from));
        if !showing.is_some_and(|showing| showing.take(response)) {
            return false;
        }
        let dialling = dialling.clone();
        self.send_invite(now, id, dialling, flow);
        true
    }
}
