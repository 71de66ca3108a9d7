//! REGISTER: adding, refreshing, removing and asking for bindings (RFC 3261 §10.3).

use std::borrow::Cow;
use std::time::{Duration, Instant};

use super::Binding;
use crate::access::Origin;
use crate::arrival::Arrival;
use crate::endpoint::Endpoint;
use crate::limits::{
    BINDINGS_PER_USER_MAX, Limit, PHRASE_BYTES_MAX, REGISTRATION_S_DEFAULT, REGISTRATION_S_MAX,
    REGISTRATION_S_MIN,
};
use crate::message::{HeaderName, Headers, NameAddr, Response, StatusCode};
use crate::reply::Refusal;

/// One Contact of a REGISTER.
struct Wish {
    contact: NameAddr,
    expires_s: u32,
    q_thousandths: u16,
}

/// What a REGISTER wants.
enum Wishes {
    /// `Contact: *` with `Expires: 0`: all bindings gone.
    Nothing,
    /// These bound, or gone where they expire at once; none if it only asks.
    These(Vec<Wish>),
}

impl Endpoint {
    /// All of it is done or none (§10.3 step 7). The gate has let it in.
    pub(crate) fn receive_register(&mut self, now: Instant, arrival: &Arrival, origin: &Origin) {
        if !self.has_room(arrival) {
            return;
        }
        let tag = self.tokens.tag();
        let pending = self.open_pending(arrival, &tag);
        let response = match self.register(now, arrival, origin) {
            Ok(user) => {
                let echo = pending.echo.clone();
                self.registered(now, echo, &user, &arrival.request.headers)
            }
            Err(refusal) => self.refusal_response(&refusal, &arrival.request, pending.echo.clone()),
        };
        self.respond(now, &pending, &response);
    }

    /// Does what a REGISTER wants, and returns whose bindings it concerns.
    fn register(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        origin: &Origin,
    ) -> Result<String, Refusal> {
        let user = arrival.to.uri.user().unwrap_or("").to_owned();
        let may = match origin {
            Origin::User(shown) => *shown == user,
            Origin::Trusted => true,
            Origin::Trunk(name) => {
                let trunk = self.config.access.trunks.get(name);
                trunk.is_some_and(|trunk| trunk.user.as_ref() == Some(&user))
            }
            Origin::Stranger => false,
        };
        if !may {
            return Err(Refusal::of(StatusCode::FORBIDDEN));
        }
        if !self.config.access.users.contains_key(&user) {
            return Err(Refusal::of(StatusCode::NOT_FOUND));
        }
        let wishes = wishes(&arrival.request.headers)?;
        let mut bindings = self.registrar.of(now, &user);
        match wishes {
            Wishes::Nothing => {
                if bindings.iter().any(|known| is_older(arrival, known)) {
                    return Err(Refusal::of(StatusCode::SERVER_INTERNAL_ERROR));
                }
                bindings.clear();
            }
            Wishes::These(wishes) if wishes.is_empty() => return Ok(user),
            Wishes::These(wishes) => {
                let path = path(&arrival.request.headers)?;
                for wish in wishes {
                    grant(&mut bindings, now, arrival, &path, wish)?;
                }
            }
        }
        make_room(&mut bindings);
        if bindings.len() > BINDINGS_PER_USER_MAX {
            let phrase = Some("Too Many Contacts");
            let refusal = Refusal { phrase, ..Refusal::of(StatusCode::FORBIDDEN) };
            return Err(refusal.over(Limit::Bindings));
        }
        self.registrar.put(&user, bindings);
        self.tell_registration(now, user.clone());
        Ok(user)
    }

    /// The 200, with all bindings that hold (§10.3 step 8).
    fn registered(&self, now: Instant, echo: Headers, user: &str, asked: &Headers) -> Response {
        let mut ok = self.response(echo, StatusCode::OK, None);
        for binding in self.registrar.of(now, user) {
            let left_ms = binding.expires_at.saturating_duration_since(now).as_millis();
            let left_s = left_ms.div_ceil(1_000);
            let mut contact = NameAddr::new("", binding.contact);
            contact.params.set("expires", Some(left_s.to_string()));
            if binding.q_thousandths < 1_000 {
                let q = format!("0.{:03}", binding.q_thousandths);
                contact.params.set("q", Some(q));
            }
            ok.headers.push(HeaderName::Contact, contact.to_string());
        }
        // RFC 3327 §5.3: the phone learns which way was taken down.
        for line in asked.all(&HeaderName::Path) {
            ok.headers.push(HeaderName::Path, line);
        }
        ok
    }
}

/// Whether a REGISTER comes after one that overtook it.
fn is_older(arrival: &Arrival, known: &Binding) -> bool {
    known.call_id == arrival.call_id && arrival.cseq.number <= known.cseq
}

/// Binds one contact, or removes it.
fn grant(
    bindings: &mut Vec<Binding>,
    now: Instant,
    arrival: &Arrival,
    path: &[NameAddr],
    wish: Wish,
) -> Result<(), Refusal> {
    let Wish { contact, expires_s, q_thousandths } = wish;
    let short = |name: &str| {
        let text = contact.params.value(name).filter(|text| text.len() <= PHRASE_BYTES_MAX);
        text.map(str::to_owned)
    };
    let (instance, way) = (short("+sip.instance"), short("reg-id"));
    // A phone that begins anew comes from another port (RFC 5626 §6). What it has bound with this
    // same request is not meant: it may be reached by several addresses.
    let is_its_old = |known: &Binding| {
        let at_once = known.call_id == arrival.call_id && known.cseq == arrival.cseq.number;
        instance.is_some() && (&known.instance, &known.way) == (&instance, &way) && !at_once
    };
    let gives_way = |known: &Binding| known.contact == contact.uri || is_its_old(known);
    if bindings.iter().any(|known| gives_way(known) && is_older(arrival, known)) {
        return Err(Refusal::of(StatusCode::SERVER_INTERNAL_ERROR));
    }
    bindings.retain(|known| !gives_way(known));
    if expires_s == 0 {
        return Ok(());
    }
    let agent = arrival.request.headers.text(&HeaderName::UserAgent);
    bindings.push(Binding {
        contact: contact.uri,
        expires_at: now + Duration::from_secs(u64::from(expires_s)),
        q_thousandths,
        path: path.to_vec(),
        flow: arrival.source,
        call_id: arrival.call_id.clone(),
        cseq: arrival.cseq.number,
        instance,
        way,
        user_agent: agent.map(|text| text.chars().take(PHRASE_BYTES_MAX / 4).collect()),
    });
    Ok(())
}

/// Leaves out bindings over the limit whose connection is gone, the oldest first: a phone that
/// roams, or a page that is loaded anew, comes under another address each time and does not take
/// leave.
fn make_room(bindings: &mut Vec<Binding>) {
    let mut over = bindings.len().saturating_sub(BINDINGS_PER_USER_MAX);
    bindings.retain(|known| {
        let is_gone = known.flow.transport.is_reliable() && known.flow.connection.is_none();
        let goes = over > 0 && is_gone;
        over -= usize::from(goes);
        !goes
    });
}

fn wishes(headers: &Headers) -> Result<Wishes, Refusal> {
    let contacts = headers.values(&HeaderName::Contact);
    let general = headers.text(&HeaderName::Expires);
    if contacts.iter().any(|contact| contact == "*") {
        // §10.2.2: alone, and with Expires 0.
        let lawful = contacts.len() == 1 && general.as_deref() == Some("0");
        return lawful.then_some(Wishes::Nothing).ok_or(Refusal::bad_request("Bad Wildcard"));
    }
    // §10.2.1.1: an expiry that cannot be read is as good as none.
    let general = general.and_then(|text| text.parse().ok()).unwrap_or(REGISTRATION_S_DEFAULT);
    let wish = |text: &Cow<'_, str>| {
        let contact: NameAddr = text.parse().map_err(|_| Refusal::bad_request("Bad Contact"))?;
        let expires = contact.params.value("expires");
        let expires_s: u32 = expires.map_or(general, |text| text.parse().unwrap_or(general));
        if expires_s > 0 && expires_s < REGISTRATION_S_MIN {
            let brief = Refusal::of(StatusCode::INTERVAL_TOO_BRIEF);
            return Err(brief.with(HeaderName::MinExpires, REGISTRATION_S_MIN.to_string()));
        }
        let q_thousandths = contact.params.value("q").map_or(Some(1_000), q_thousandths);
        Ok(Wish {
            expires_s: expires_s.min(REGISTRATION_S_MAX),
            q_thousandths: q_thousandths.ok_or(Refusal::bad_request("Bad Contact"))?,
            contact,
        })
    };
    contacts.iter().map(wish).collect::<Result<_, _>>().map(Wishes::These)
}

/// A preference (§25.1: `0.5`, `1.000`), in thousandths.
fn q_thousandths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    let part: u16 = if digits { format!("{part:0<3}").parse().ok()? } else { return None };
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(1_000),
        _ => None,
    }
}

fn path(headers: &Headers) -> Result<Vec<NameAddr>, Refusal> {
    let values = headers.values(&HeaderName::Path);
    let hops: Result<Vec<NameAddr>, _> = values.iter().map(|hop| hop.parse()).collect();
    hops.map_err(|_| Refusal::bad_request("Bad Path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_in_thousandths() {
        for (text, q) in [("0.5", 500), ("1", 1_000), ("1.0", 1_000), ("0", 0), ("0.25", 250)] {
            assert_eq!(q_thousandths(text), Some(q), "{text}");
        }
        for text in ["1.1", "2", "", "0.1234", "0.+5", "-1", "x"] {
            assert_eq!(q_thousandths(text), None, "{text}");
        }
    }
}
