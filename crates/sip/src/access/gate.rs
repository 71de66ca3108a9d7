//! The one gate in front of every method (RFC 3261 §22): what a request must show before anything
//! is kept of it.

use std::net::IpAddr;
use std::time::Instant;

use super::attempts::Attempts;
use super::known::KnownSources;
use super::rates::{Rates, Whose};
use super::{Denied, Destination, Origin, dialled};
use crate::arrival::Arrival;
use crate::dialog::{Dialog, literal};
use crate::digest::{Challenge, Credentials, Ha1, NonceError, Nonces};
use crate::endpoint::Endpoint;
use crate::event::Output;
use crate::flow::Flow;
use crate::limits::Limit;
use crate::message::{HeaderName, Method, StatusCode, Uri};
use crate::reply::{ALLOW, Refusal};
use crate::session::SessionId;
use crate::token::Tokens;

/// Somebody tried what it may not. Told once for each source, until that has been quiet for a
/// while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Suspicion {
    /// Where it came from.
    pub source: IpAddr,
    /// What it tried, in a word or two.
    pub reason: &'static str,
}

/// What the gate remembers.
#[derive(Debug)]
pub(crate) struct Gate {
    nonces: Nonces,
    attempts: Attempts,
    rates: Rates,
    known: KnownSources,
}

/// What a request outside of every dialog must show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Rule {
    /// Nothing: its answer tells nothing and keeps nothing.
    Open,
    /// It belongs into a dialog, and there is none.
    InDialog,
    /// What the route to its destination asks for.
    Routed,
    /// Who it is from.
    Known,
}

/// The rule of each method; a method without one is not for anybody.
fn rule(method: &Method) -> Option<Rule> {
    match method {
        Method::Options => Some(Rule::Open),
        Method::Invite => Some(Rule::Routed),
        Method::Ack
        | Method::Cancel
        | Method::Bye
        | Method::Info
        | Method::Update
        | Method::Prack
        | Method::Notify => Some(Rule::InDialog),
        Method::Register
        | Method::Subscribe
        | Method::Publish
        | Method::Message
        | Method::Refer => Some(Rule::Known),
        Method::Other(_) => None,
    }
}

/// A request that the gate lets in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Admitted {
    pub(crate) origin: Origin,
    /// Where its route leads; requests that are not routed have none.
    pub(crate) destination: Option<Destination>,
}

impl Gate {
    pub(crate) fn new(tokens: &Tokens) -> Gate {
        Gate {
            nonces: Nonces::new(tokens.derive(b"nonces")),
            attempts: Attempts::default(),
            rates: Rates::new(),
            known: KnownSources::default(),
        }
    }

    /// Whether a user has last shown its password from there.
    pub(crate) fn has_shown_itself(&self, source: IpAddr) -> bool {
        self.known.is_anybodys(source)
    }
}

impl Endpoint {
    /// Whether a message may cost the work of reading it: a source that is not trusted has a rate
    /// for its requests. What is over it is dropped, for an answer would be work too.
    pub(crate) fn is_within_rate(&mut self, now: Instant, flow: &Flow, message: &[u8]) -> bool {
        let source = flow.remote.ip();
        if message.starts_with(b"SIP/2.0 ") || self.config.access.is_free_of_rates(flow) {
            return true;
        }
        let is_stranger = !self.gate.known.is_anybodys(source);
        let Err(over) = self.gate.rates.allow(now, &self.tokens, source, is_stranger) else {
            return true;
        };
        let (limit, reason) = match over.whose {
            Whose::Source => (Limit::RequestRate, "over rate"),
            Whose::Network => (Limit::NetworkRequestRate, "its network is over rate"),
        };
        self.outbox.stats.limits.count(limit);
        self.suspect(source, reason, over.first);
        false
    }

    /// Judges a request outside of every dialog.
    ///
    /// # Errors
    /// The answer. Strangers get the same one whatever they ask for and whoever they claim to be.
    pub(crate) fn admit(&mut self, now: Instant, arrival: &Arrival) -> Result<Admitted, Refusal> {
        let Some(rule) = rule(&arrival.request.method) else {
            let refusal = Refusal::of(StatusCode::METHOD_NOT_ALLOWED);
            return Err(refusal.with(HeaderName::Allow, ALLOW));
        };
        match rule {
            Rule::Open => {
                let origin = self.config.access.by_source(&arrival.source);
                Ok(Admitted { origin, destination: None })
            }
            Rule::InDialog => Err(Refusal::of(StatusCode::CALL_DOES_NOT_EXIST)),
            Rule::Known => match self.identify(now, arrival)? {
                Origin::Stranger => Err(self.challenge(now, arrival, false)),
                origin @ (Origin::Trusted | Origin::User(_) | Origin::Trunk(_)) => {
                    Ok(Admitted { origin, destination: None })
                }
            },
            Rule::Routed => self.admit_routed(now, arrival),
        }
    }

    fn admit_routed(&mut self, now: Instant, arrival: &Arrival) -> Result<Admitted, Refusal> {
        let target: Uri =
            arrival.request.target.parse().map_err(|_| Refusal::bad_request("Bad Request-URI"))?;
        let origin = self.identify(now, arrival)?;
        match self.config.access.route(&origin, &dialled(&target)) {
            Ok(destination) => Ok(Admitted { origin, destination: Some(destination) }),
            Err(Denied::Unknown) => Err(self.challenge(now, arrival, false)),
            Err(Denied::NoRoute) => Err(Refusal::of(StatusCode::NOT_FOUND)),
        }
    }

    /// Who a request is from: by its credentials if it has any for us, else by its source, unless
    /// it is a call of ours that has come back.
    ///
    /// # Errors
    /// The answer to credentials that do not check out.
    fn identify(&mut self, now: Instant, arrival: &Arrival) -> Result<Origin, Refusal> {
        let headers = &arrival.request.headers;
        let access = &self.config.access;
        let for_us = headers
            .all(&HeaderName::Authorization)
            .filter_map(|value| Credentials::parse(&String::from_utf8_lossy(value)))
            .find(|shown| shown.realm == access.realm && access.takes(shown.algorithm));
        match for_us {
            Some(credentials) => {
                let user = self.check(now, arrival, &credentials)?;
                Ok(self.config.access.by_password(user))
            }
            None => {
                let known = self.come_back(arrival);
                Ok(known.unwrap_or_else(|| self.config.access.by_source(&arrival.source)))
            }
        }
    }

    /// Checks credentials, and returns whose they are.
    fn check(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        shown: &Credentials,
    ) -> Result<String, Refusal> {
        let (source, user) = (arrival.source.remote.ip(), &shown.username);
        let is_known = self.gate.known.is_of(user, source);
        if self.gate.attempts.throttles(now, source, user, is_known) {
            return Err(Refusal::of(StatusCode::FORBIDDEN).over(Limit::WrongPasswords));
        }
        let realm = &self.config.access.realm;
        if self.gate.nonces.check(now, &shown.nonce, source, realm).is_err() {
            return Err(self.challenge(now, arrival, true));
        }
        let kept = self.config.access.users.get(user).and_then(|kept| kept.ha1(shown.algorithm));
        // A user that is not there costs the same work as one whose password is wrong.
        let nobody = Ha1::nobody(shown.algorithm);
        let right = shown.show(kept.unwrap_or(&nobody), arrival.request.method.name());
        if !right || kept.is_none() {
            let first = self.gate.attempts.note(now, source, user);
            self.outbox.stats.turned_away.count("wrong credentials");
            self.suspect(source, "wrong credentials", first);
            return Err(self.challenge(now, arrival, false));
        }
        let count = shown.counted.as_ref().map_or(0, |(count, _)| *count);
        match self.gate.nonces.spend(now, &shown.nonce, count) {
            Ok(()) => {
                self.gate.known.note(user, source);
                Ok(user.clone())
            }
            Err(NonceError::Full) => Err(Refusal::full(Limit::Nonces)),
            Err(NonceError::Forged | NonceError::Expired | NonceError::Replayed) => {
                Err(self.challenge(now, arrival, true))
            }
        }
    }

    /// Asks who somebody is (§22.2). `stale` if only the nonce was not good (any more): a phone
    /// then answers by itself, and needs to after we were started anew.
    fn challenge(&mut self, now: Instant, arrival: &Arrival, stale: bool) -> Refusal {
        self.outbox.stats.turned_away.count(if stale { "stale nonce" } else { "challenged" });
        let realm = &self.config.access.realm;
        let nonce = self.gate.nonces.issue(now, arrival.source.remote.ip(), realm);
        self.config.access.algorithms().fold(
            Refusal::of(StatusCode::UNAUTHORIZED),
            |refusal, algorithm| {
                let challenge = Challenge {
                    realm: realm.clone(),
                    nonce: nonce.clone(),
                    algorithm,
                    stale,
                    opaque: None,
                    counts: true,
                };
                refusal.with(HeaderName::WwwAuthenticate, challenge.to_string())
            },
        )
    }

    /// Judges a request whose tags are those of a session: it comes from the other side if it comes
    /// from where the dialog is, or shows to be the user or the trunk that is there, or is trusted
    /// as what is there is. A user's phone that has moved shows its password when it is asked: it
    /// cannot know a nonce for its new address, and who knows both tags learns nothing by being
    /// asked.
    ///
    /// # Errors
    /// The answer to who is somebody else, or has not shown to be the other side.
    pub(crate) fn judge_source(
        &mut self,
        now: Instant,
        id: SessionId,
        arrival: &Arrival,
    ) -> Result<(), Refusal> {
        let none = || Refusal::of(StatusCode::CALL_DOES_NOT_EXIST);
        let session = self.sessions.get(&id).ok_or_else(none)?;
        let dialog = session.dialog_with(arrival.from.tag()).ok_or_else(none)?;
        if speaks_from(dialog, arrival.source.remote.ip()) {
            return Ok(());
        }
        let other_side = self.origin(id).ok_or_else(none)?;
        let judged = match other_side {
            Origin::Stranger => Err(none()),
            // A trunk has several hosts, and so have proxies that one name stands for.
            Origin::Trusted | Origin::User(_) | Origin::Trunk(_) => {
                match self.identify(now, arrival) {
                    Ok(who) if who == other_side => Ok(()),
                    Ok(Origin::Stranger) if other_side.user().is_some() => {
                        Err(self.challenge(now, arrival, false))
                    }
                    Ok(Origin::Stranger | Origin::Trusted | Origin::User(_) | Origin::Trunk(_)) => {
                        Err(none())
                    }
                    Err(refusal) => Err(refusal),
                }
            }
        };
        if judged.is_err() {
            self.outbox.stats.turned_away.count("foreign source in dialog");
        }
        judged
    }

    fn suspect(&mut self, source: IpAddr, reason: &'static str, first: bool) {
        if first {
            self.outbox.push(Output::Security(Suspicion { source, reason }));
        }
    }
}

/// Whether an address is one that the other side of a dialog speaks from: where its last message
/// came from, where its Contact or a recorded proxy is.
fn speaks_from(dialog: &Dialog, source: IpAddr) -> bool {
    let named = dialog.routes.iter().map(|route| &route.uri).chain([&dialog.remote_target]);
    let mut named = named.filter_map(literal).map(|(_, address)| address.ip());
    let source = source.to_canonical();
    dialog.flow.remote.ip().to_canonical() == source
        || named.any(|address| address.to_canonical() == source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_has_its_rule_and_one_without_is_not_for_anybody() {
        let others = ["invite", "GET"].map(|name| Method::parse(name).unwrap());
        let table: Vec<String> = Method::known()
            .chain(others)
            .map(|method| {
                let rule = rule(&method).map_or("405".to_owned(), |rule| format!("{rule:?}"));
                format!("{method} {rule}")
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"), @r"
        INVITE Routed
        ACK InDialog
        CANCEL InDialog
        BYE InDialog
        OPTIONS Open
        INFO InDialog
        UPDATE InDialog
        PRACK InDialog
        REGISTER Known
        SUBSCRIBE Known
        NOTIFY InDialog
        PUBLISH Known
        MESSAGE Known
        REFER Known
        invite 405
        GET 405
        ");
    }
}
