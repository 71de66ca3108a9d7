//! Who calls: as it may be shown to anybody, and as those may know it whom we trust (RFC 3323,
//! RFC 3325).
//!
//! ```text
//!  in                                              out
//!  user that showed its password ──┐              ┌─► trusted trunk  From, P-Asserted-Identity,
//!  trusted host or trunk: its P-A-I ┼─► vouched ──┤                  Privacy: id
//!  anybody else: its From ─────────┘   for or not └─► all others     From alone, or anonymous
//! ```

use model::{ConferenceName, LegId};
use sip::access::{Access, Origin, Trunk, TrunkHeaders, dialled, is_number};
use sip::message::{
    ExtraHeaders, HeaderName, HeaderValue, Headers, Host, NameAddr, Params, SipUri, TelUri, Uri,
};
use sip::{Incoming, limits::MAX_FORWARDS};

use crate::switchboard::Switchboard;

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Its name and address, whether it may be shown or not.
    identity: NameAddr,
    voucher: Voucher,
    presentation: Presentation,
    /// What its INVITE said that the call made for it says too.
    carried: Vec<(HeaderName, Vec<u8>)>,
    /// By which trunk it calls.
    pub(crate) trunk: Option<String>,
    /// Hops that the call made for it may take (RFC 7332 §3).
    pub(crate) max_forwards: u8,
}

/// Who says that it is who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Voucher {
    /// We do, or somebody whom we trust.
    Us,
    /// Only the caller itself.
    Itself,
}

/// Whether the caller may be shown to others (RFC 3323 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presentation {
    Allowed,
    Restricted,
}

impl Caller {
    /// A room that calls somebody, with a number of its own.
    fn of_number(number: &str, realm: &str) -> Caller {
        Caller { voucher: Voucher::Us, ..Caller::room(number, realm) }
    }

    /// A room that calls somebody.
    pub(crate) fn room(name: &str, realm: &str) -> Caller {
        Caller {
            identity: NameAddr::new("", Uri::sip(name, Host::Name(realm.to_owned()), None)),
            voucher: Voucher::Itself,
            presentation: Presentation::Allowed,
            carried: Vec::new(),
            trunk: None,
            max_forwards: MAX_FORWARDS,
        }
    }

    /// Who is at the other end of a call that came in.
    pub(crate) fn of(incoming: &Incoming, access: &Access) -> Caller {
        let trunk = match &incoming.origin {
            Origin::Trunk(name) => access.trunks.get(name),
            Origin::Stranger | Origin::Trusted | Origin::User(_) => None,
        };
        let (said, voucher) = identity(incoming, trunk);
        let user = match trunk {
            Some(trunk) => trunk.written_here(&dialled(&said.uri)),
            None => said.uri.user().unwrap_or("").to_owned(),
        };
        Caller {
            identity: NameAddr::new(&said.display, with_user(&said.uri, &user)),
            voucher,
            presentation: presentation(&incoming.headers, &incoming.from),
            carried: carried(&incoming.headers, trunk, access),
            trunk: incoming.origin.trunk().map(str::to_owned),
            max_forwards: incoming.max_forwards.saturating_sub(1),
        }
    }

    /// Its name and address as anybody may see them.
    pub(crate) fn shown(&self) -> NameAddr {
        match self.presentation {
            Presentation::Allowed => self.identity.clone(),
            Presentation::Restricted => anonymous(),
        }
    }

    /// As whom a phone of ours is called.
    pub(crate) fn at(&self, realm: &str) -> NameAddr {
        match self.presentation {
            Presentation::Allowed => {
                let user = self.identity.uri.user().unwrap_or("");
                let uri = Uri::sip(user, Host::Name(realm.to_owned()), None);
                NameAddr::new(&self.identity.display, uri)
            }
            Presentation::Restricted => anonymous(),
        }
    }

    /// What the call to a phone of ours says besides.
    pub(crate) fn headers_within(&self) -> ExtraHeaders {
        let passes =
            |name: &HeaderName| self.trunk.is_some() || TrunkHeaders::CARRIED.contains(name);
        let mut headers = ExtraHeaders::new();
        add(&mut headers, self.carried.iter().filter(|(name, _)| passes(name)).cloned());
        headers
    }

    /// As whom a trunk is called, and what that call says besides.
    pub(crate) fn by_trunk(&self, trunk: &Trunk, realm: &str) -> (NameAddr, ExtraHeaders) {
        let user = trunk.written_there(self.identity.uri.user().unwrap_or(""));
        let (user, voucher) = match &trunk.caller {
            Some(number) if !is_number(&user) => (number.as_str(), Voucher::Us),
            Some(_) | None => (user.as_str(), self.voucher),
        };
        let uri = Uri::sip(user, Host::Name(realm.to_owned()), None);
        let known = NameAddr::new(&self.identity.display, uri);
        let mut headers = ExtraHeaders::new();
        add(&mut headers, trunk.headers.set.iter().cloned());
        if trunk.trusted && voucher == Voucher::Us {
            add(&mut headers, [(HeaderName::PAssertedIdentity, known.to_string())]);
            match self.presentation {
                Presentation::Allowed => {}
                Presentation::Restricted => add(&mut headers, [(HeaderName::Privacy, "id")]),
            }
        }
        let passes = |name: &HeaderName| trunk.headers.carries(name);
        add(&mut headers, self.carried.iter().filter(|(name, _)| passes(name)).cloned());
        let from = match self.presentation {
            Presentation::Allowed => known,
            Presentation::Restricted => anonymous(),
        };
        (from, headers)
    }
}

/// What does not fit is left out: the call is worth more.
fn add<V: Into<HeaderValue>>(
    headers: &mut ExtraHeaders,
    more: impl IntoIterator<Item = (HeaderName, V)>,
) {
    for (name, value) in more {
        if headers.push(name, value).is_err() {
            break;
        }
    }
}

/// Who calls, and who says so: the user by its password, a host or trunk that is trusted by what
/// it asserts, everybody else by its own word.
fn identity(incoming: &Incoming, trunk: Option<&Trunk>) -> (NameAddr, Voucher) {
    let is_believed = match &incoming.origin {
        Origin::User(name) => {
            let uri = with_user(&incoming.from.uri, name);
            return (NameAddr::new(&incoming.from.display, uri), Voucher::Us);
        }
        Origin::Trusted => true,
        Origin::Trunk(_) => trunk.is_some_and(|trunk| trunk.trusted),
        Origin::Stranger => false,
    };
    let asserted = incoming.headers.values(&HeaderName::PAssertedIdentity);
    let asserted = asserted.first().filter(|_| is_believed).and_then(|value| value.parse().ok());
    match asserted {
        Some(asserted) => (asserted, Voucher::Us),
        None => (incoming.from.clone(), Voucher::Itself),
    }
}

/// An address with another user part.
fn with_user(uri: &Uri, user: &str) -> Uri {
    match uri {
        Uri::Sip(sip) if !user.is_empty() => {
            Uri::Sip(SipUri { user: Some(user.to_owned()), ..sip.clone() })
        }
        Uri::Tel(_) if is_number(user) => {
            Uri::Tel(TelUri { number: user.to_owned(), params: Params::default() })
        }
        Uri::Sip(_) | Uri::Tel(_) | Uri::Other(_) => uri.clone(),
    }
}

/// Whether a caller wishes not to be shown: it says so, or calls itself anonymous already.
fn presentation(headers: &Headers, from: &NameAddr) -> Presentation {
    let text = headers.text(&HeaderName::Privacy).unwrap_or_default().to_ascii_lowercase();
    let asks = text.split([';', ',']).any(|kind| matches!(kind.trim(), "id" | "user" | "header"));
    let is_anonymous = match &from.uri {
        Uri::Sip(uri) => uri.host == Host::Name("anonymous.invalid".to_owned()),
        Uri::Tel(_) | Uri::Other(_) => false,
    };
    if asks || is_anonymous { Presentation::Restricted } else { Presentation::Allowed }
}

/// RFC 3323 §4.1.1.3.
fn anonymous() -> NameAddr {
    let host = Host::Name("anonymous.invalid".to_owned());
    NameAddr::new("Anonymous", Uri::sip("anonymous", host, None))
}

/// What of an INVITE may go on: what its trunk lets pass, or, from within, what any trunk would.
fn carried(
    headers: &Headers,
    trunk: Option<&Trunk>,
    access: &Access,
) -> Vec<(HeaderName, Vec<u8>)> {
    let passes = |name: &HeaderName| match trunk {
        Some(trunk) => trunk.headers.carries(name),
        None => {
            TrunkHeaders::CARRIED.contains(name)
                || access.trunks.values().any(|trunk| trunk.headers.carries(name))
        }
    };
    let passing = headers.iter().filter(|header| passes(&header.name));
    passing.map(|header| (header.name.clone(), header.value.to_vec())).collect()
}

impl Switchboard {
    /// Who calls when a leg is called: the caller, if it is a call of two, else the conference.
    pub(crate) fn caller_for(&self, leg: LegId) -> Caller {
        let conference = self.legs.get(&leg).map(|leg| leg.conference);
        let found = conference.and_then(|id| self.conferences.get(&id));
        let realm = &self.sip.access().realm;
        let Some(found) = found else { return Caller::room("", realm) };
        let mut others = found.parties().iter().filter(|party| party.leg != leg);
        let other = others.next().filter(|_| self.pairs.contains_key(&found.id()));
        let caller = other.and_then(|party| self.legs.get(&party.leg)?.caller.as_deref());
        caller.cloned().unwrap_or_else(|| {
            let name = self.name_of(found.id());
            match name.and_then(|name| self.config.callers.get(name)) {
                Some(number) => Caller::of_number(number, realm),
                None => Caller::room(name.map_or("", ConferenceName::as_str), realm),
            }
        })
    }
}
