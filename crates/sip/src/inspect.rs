//! Judging a request before anything is kept of it (RFC 3261 §8.2).

use crate::arrival::Arrival;
use crate::flow::Transport;
use crate::limits::Limit;
use crate::message::{
    HeaderName, Headers, MediaType, Method, Request, StatusCode, Uri, demands_more, handling,
    has_more_parts, part,
};
use crate::reply::{ACCEPT, ALLOW, Refusal, SUPPORTED};
use crate::subscription::package;

/// Judges method, Request-URI and extensions, in the order of §8.2.
pub(crate) fn inspect(arrival: &Arrival) -> Result<(), Refusal> {
    let request = &arrival.request;
    let target: Uri =
        request.target.parse().map_err(|_| Refusal::bad_request("Bad Request-URI"))?;
    method(request)?;
    scheme(&target, arrival.source.transport)?;
    max_forwards(request)?;
    let mut foreign = request.headers.values(&HeaderName::Require);
    foreign.retain(|option| !SUPPORTED.split(", ").any(|known| known.eq_ignore_ascii_case(option)));
    if request.method == Method::Register {
        // The one extension that a registrar knows by itself (RFC 3327 §5.3).
        foreign.retain(|option| option != "path");
    }
    if !foreign.is_empty() {
        // §8.2.2.3: only those that are not understood are named.
        let refusal = Refusal::of(StatusCode::BAD_EXTENSION);
        return Err(refusal.with(HeaderName::Unsupported, foreign.join(", ")));
    }
    Ok(())
}

fn method(request: &Request) -> Result<(), Refusal> {
    let has_event = request.headers.first(&HeaderName::Event).is_some();
    match &request.method {
        Method::Invite
        | Method::Ack
        | Method::Cancel
        | Method::Bye
        | Method::Options
        | Method::Info
        | Method::Prack
        | Method::Register
        | Method::Update
        | Method::Message
        | Method::Notify
        | Method::Refer => Ok(()),
        Method::Subscribe => package(&request.headers).map(|_| ()),
        Method::Publish if has_event => Err(Refusal::of(StatusCode::BAD_EVENT)),
        Method::Publish | Method::Other(_) => {
            Err(Refusal::of(StatusCode::METHOD_NOT_ALLOWED).with(HeaderName::Allow, ALLOW))
        }
    }
}

fn scheme(target: &Uri, transport: Transport) -> Result<(), Refusal> {
    match target {
        // §19.1.1: a Request-URI has no headers; obeying them would be a hole.
        Uri::Sip(sip) if sip.headers.is_some() => {
            Err(Refusal::bad_request("Headers In Request-URI"))
        }
        // `sips:` promises TLS all the way (RFC 5630 §3.1).
        Uri::Sip(sip) if sip.secure && !transport.is_secure() => {
            Err(Refusal::of(StatusCode::UNSUPPORTED_URI_SCHEME))
        }
        Uri::Sip(_) | Uri::Tel(_) => Ok(()),
        Uri::Other(_) => Err(Refusal::of(StatusCode::UNSUPPORTED_URI_SCHEME)),
    }
}

/// An endpoint serves a request on its last hop (RFC 4475 §3.3.11). An INVITE, though, makes us
/// call others, and that is where loops are broken (RFC 7332 §3).
fn max_forwards(request: &Request) -> Result<(), Refusal> {
    match hops_left(&request.headers) {
        None => Err(Refusal::bad_request("Bad Max-Forwards")),
        Some(0) if request.method == Method::Invite => Err(Refusal::of(StatusCode::TOO_MANY_HOPS)),
        Some(_) => Ok(()),
    }
}

/// The value of Max-Forwards, 70 when missing; `None` if it is no number up to 255.
pub(crate) fn hops_left(headers: &Headers) -> Option<u8> {
    match headers.text(&HeaderName::MaxForwards) {
        None => Some(crate::limits::MAX_FORWARDS),
        Some(text) if text.starts_with('+') => None,
        Some(text) => text.parse().ok(),
    }
}

/// Whether the caller takes a session description for an answer (RFC 4475 §3.3.14).
pub(crate) fn accepts_sdp(request: &Request) -> Result<(), Refusal> {
    if request.headers.first(&HeaderName::Accept).is_none() {
        return Ok(());
    }
    let ranges = request.headers.values(&HeaderName::Accept);
    let mut ranges = ranges.iter().filter_map(|range| range.parse::<MediaType>().ok());
    match ranges.any(|range| range.covers("application", "sdp")) {
        true => Ok(()),
        false => Err(Refusal::of(StatusCode::NOT_ACCEPTABLE).with(HeaderName::Accept, ACCEPT)),
    }
}

/// The session description of a message, alone or as a part among others.
///
/// # Errors
/// 415 for a body of another type that must be understood (§8.2.3), 413 for one of more parts than
/// are looked at without a description among those, 400 for one without a type.
pub(crate) fn description(headers: &Headers, body: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
    if body.is_empty() {
        return Ok(None);
    }
    let packed = headers.text(&HeaderName::ContentEncoding);
    if packed.is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
        let refusal = Refusal::of(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        return Err(refusal.with(HeaderName::AcceptEncoding, "identity"));
    }
    let Some(content_type) = headers.text(&HeaderName::ContentType) else {
        return Err(Refusal::bad_request("Missing Content-Type"));
    };
    let Ok(media_type) = content_type.parse::<MediaType>() else {
        return Err(Refusal::bad_request("Bad Content-Type"));
    };
    if media_type.covers("application", "sdp") {
        return Ok(Some(body.to_vec()));
    }
    if media_type.kind == "multipart"
        && !demands_more(&media_type, body, "application", "sdp")
        && let Some(sdp) = part(&media_type, body, "application", "sdp")
    {
        return Ok(Some(sdp));
    }
    if is_optional(headers) {
        return Ok(None);
    }
    if has_more_parts(&media_type, body) {
        return Err(too_many_parts());
    }
    let refusal = Refusal::of(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    Err(refusal.with(HeaderName::Accept, ACCEPT))
}

/// Whether a body may be passed over by who does not understand it (§20.11).
pub(crate) fn is_optional(headers: &Headers) -> bool {
    handling(headers).as_deref() == Some("optional")
}

/// What was looked for is not among as many parts as are looked at.
pub(crate) fn too_many_parts() -> Refusal {
    Refusal::of(StatusCode::REQUEST_ENTITY_TOO_LARGE).over(Limit::MultipartParts)
}
