//! Showing who we are to whom we call (RFC 3261 §22.3, RFC 8760).

use std::time::Instant;

use super::{SessionId, State};
use crate::digest::{Account, Challenge, Credentials};
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
    password: Verdict,
}

/// What the realm has said to our password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// It has not answered.
    None,
    /// An answer to a challenge of it has been taken.
    Right,
    /// It asked again at once.
    Wrong,
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
            let is_another = known.challenge.nonce != challenge.nonce;
            challenge.stale || known.password == Verdict::Right && is_another
        };
        let was_refused = before.is_some_and(|at| !is_renewed(&self.asked[at]));
        if was_refused || self.answered >= CHALLENGES_ANSWERED_MAX {
            return false;
        }
        if let Some(before) = before {
            self.asked.remove(before);
        }
        self.answered += 1;
        self.asked.push(Asked { challenge, answer, count: 0, password: Verdict::None });
        true
    }

    /// Takes a challenge to a request within a call. Each of them may have a nonce of its own, and
    /// several may be under way, so it is the request that tells: one that was the first to use its
    /// nonce has been refused. `is_known` tells of realms that have taken our password elsewhere;
    /// false if the challenge is not to be answered.
    pub(crate) fn take_within(
        &mut self,
        response: &Response,
        request: &Request,
        is_known: impl Fn(&str) -> bool,
    ) -> bool {
        let Some((asks, answer)) = headers_of(response.status) else { return false };
        let mut offered = challenges(&response.headers, &asks);
        let has_asked = |realm: &str| self.asked.iter().any(|it| it.challenge.realm == realm);
        offered.retain(|one| {
            self.account.realm.is_some() || has_asked(&one.realm) || is_known(&one.realm)
        });
        let Some(challenge) = self.account.choose(&offered) else { return false };
        let same =
            |one: &&mut Asked| one.answer == answer && one.challenge.realm == challenge.realm;
        let before = self.asked.iter_mut().find(same);
        let was_first = shows_first_use(request, &answer, &challenge.realm);
        match before {
            Some(before) if !challenge.stale => {
                if was_first {
                    before.password = Verdict::Wrong;
                }
                if before.password == Verdict::Wrong {
                    return false;
                }
                (before.challenge, before.count) = (challenge, 0);
            }
            Some(before) => {
                *before = Asked { challenge, answer, count: 0, password: Verdict::None };
            }
            None => self.asked.push(Asked { challenge, answer, count: 0, password: Verdict::None }),
        }
        true
    }

    /// What was shown has been taken: challenges are counted anew.
    pub(crate) fn accepted(&mut self) {
        self.answered = 0;
        for asked in self.asked.iter_mut().filter(|asked| asked.password == Verdict::None) {
            asked.password = Verdict::Right;
        }
    }

    /// Adds what has been asked for to a request.
    pub(crate) fn show(&mut self, request: &mut Request, cnonce: &str) {
        let Showing { account, asked, .. } = self;
        let asked = asked.iter_mut().filter(|asked| asked.password != Verdict::Wrong);
        for Asked { challenge, answer, count, .. } in asked {
            *count += 1;
            let what = (request.method.name(), request.target.as_str());
            let credentials = account.answer(challenge, what, (*count, cnonce));
            request.headers.push(answer.clone(), credentials.to_string());
        }
    }

    /// Whether a request can show at once what will be asked for (§22.3): a nonce that counts its
    /// uses is known.
    pub(crate) fn has_nonces(&self) -> bool {
        let usable = |asked: &Asked| asked.challenge.counts && asked.password != Verdict::Wrong;
        !self.asked.is_empty() && self.asked.iter().all(usable)
    }

    /// Whether it is that account which is shown.
    pub(crate) fn is_of(&self, account: &Account) -> bool {
        self.account == *account
    }

    /// Whether that realm has taken our password.
    pub(crate) fn is_taken_by(&self, realm: &str) -> bool {
        let taken = |one: &Asked| one.challenge.realm == realm && one.password == Verdict::Right;
        self.asked.iter().any(taken)
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

/// Whether a request has answered the challenge of a realm itself, and not by a nonce that was used
/// before.
fn shows_first_use(request: &Request, answer: &HeaderName, realm: &str) -> bool {
    let mut shown = request.headers.all(answer);
    shown.any(|value| match Credentials::parse(&String::from_utf8_lossy(value)) {
        Some(shown) => shown.realm == realm && shown.counted.is_some_and(|(count, _)| count == 1),
        // Without a count it is never shown but in answer to a challenge.
        None => true,
    })
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
        let State::Calling { dialling, .. } = &session.state else { return false };
        let showing = session.showing.as_mut().filter(|_| is_same_host(&flow, &from));
        if !showing.is_some_and(|showing| showing.take(response)) {
            return false;
        }
        let dialling = dialling.clone();
        self.send_invite(now, id, dialling, flow);
        true
    }
}
