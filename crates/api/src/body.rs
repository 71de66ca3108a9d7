//! What clients send with a request: a small body of JSON, a query, and perhaps a key that makes a
//! retry safe.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Json, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use model::{Author, CommandId, ConferenceRef, PartyId, Verb};
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{Object, Required, Type};

use crate::grant::Capacity;
use crate::limits::{BODY_WAIT_MAX, IDEMPOTENCY_KEY_LENGTH_MAX};
use crate::problem::Problem;

/// A body of JSON, read.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read = tokio::time::timeout(BODY_WAIT_MAX, Json::from_request(request, state));
        match read.await.map_err(|_| Problem::body_too_slow())? {
            Ok(Json(value)) => Ok(Body(value)),
            Err(rejection) => Err(problem(&rejection)),
        }
    }
}

fn problem(rejection: &JsonRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::body_too_large(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::unsupported_media_type(),
        StatusCode::UNPROCESSABLE_ENTITY => Problem::bad_body(rejection.body_text()),
        _ => Problem::bad_json(rejection.body_text()),
    }
}

/// A query, read.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Asked(value)),
            Err(rejection) => Err(Problem::bad_query(rejection.body_text())),
        }
    }
}

/// What somebody wishes with a key, and who it is: the same again is the same.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wish(pub(crate) String);

/// What stood in the Idempotency-Key header, if anything did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut keys = parts.headers.get_all("idempotency-key").iter();
        match (keys.next(), keys.next()) {
            (None, _) => Ok(IdempotencyKey(None)),
            (Some(key), None) => IdempotencyKey::parse(key),
            (Some(_), Some(_)) => Err(Problem::bad_idempotency_key()),
        }
    }
}

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let key = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "Makes a retry safe: the same request with the same key is carried out once.",
            ))
            .schema(Some(Object::with_type(Type::String)));
        vec![key.build()]
    }
}

impl IdempotencyKey {
    fn parse(key: &HeaderValue) -> Result<IdempotencyKey, Problem> {
        let bytes = key.as_bytes();
        let readable = (1..=IDEMPOTENCY_KEY_LENGTH_MAX).contains(&bytes.len())
            && bytes.iter().all(u8::is_ascii_graphic);
        match key.to_str() {
            Ok(text) if readable => Ok(IdempotencyKey(Some(text.to_owned()))),
            Ok(_) | Err(_) => Err(Problem::bad_idempotency_key()),
        }
    }

    /// What is wished with this key by a bearer; none without a key.
    pub(crate) fn wish(
        &self,
        conference: &ConferenceRef,
        (capacity, party): (&Capacity, Option<PartyId>),
        verb: &Verb,
    ) -> Option<Wish> {
        let key = self.0.as_ref()?;
        Some(Wish(format!("{key} {conference:?} {capacity:?} {party:?} {verb:?}")))
    }

    /// Whether there is one.
    pub(crate) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// The id of the command that comes with this key: the same key on the same wish gives the same
    /// id, so that it is carried out once. The wish is part of it, so that a key used again by
    /// mistake cannot be answered with what was done about another wish. None without a key.
    pub(crate) fn command_id(
        &self,
        conference: &ConferenceRef,
        by: Author,
        verb: &Verb,
    ) -> Option<CommandId> {
        let key = self.0.as_ref()?;
        Some(CommandId(hash(format!("{key} {conference:?} {by:?} {verb:?}").as_bytes())))
    }
}

/// FNV-1a, 64 bits, and the finish of MurmurHash3 to spread short keys over all bits. Not against
/// an adversary: whoever may send keys may send commands.
fn hash(bytes: &[u8]) -> u64 {
    let mut hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use model::{ConferenceId, PartyId};

    use super::*;

    #[test]
    fn a_key_on_the_same_wish_is_the_same_command() {
        let key = |text: &'static str| IdempotencyKey::parse(&HeaderValue::from_static(text));
        let id = |text, conference, verb: &Verb| {
            let conference = ConferenceRef::Id(ConferenceId(conference));
            key(text).unwrap().command_id(&conference, Author::Admin, verb)
        };
        let party = PartyId(1);
        let first = id("k1", 1, &Verb::Mute { party });
        assert!(first.is_some());
        assert_eq!(first, id("k1", 1, &Verb::Mute { party }));
        assert_ne!(first, id("k2", 1, &Verb::Mute { party }));
        assert_ne!(first, id("k1", 2, &Verb::Mute { party }));
        assert_ne!(first, id("k1", 1, &Verb::Unmute { party }));
    }

    #[test]
    fn a_key_is_short_and_visible() {
        let long = "k".repeat(IDEMPOTENCY_KEY_LENGTH_MAX);
        assert!(IdempotencyKey::parse(&HeaderValue::from_str(&long).unwrap()).is_ok());
        for bad in [String::new(), "a b".to_owned(), "é".to_owned(), long + "k"] {
            let value = HeaderValue::from_bytes(bad.as_bytes()).unwrap();
            assert!(IdempotencyKey::parse(&value).is_err(), "{bad:?}");
        }
    }
}
