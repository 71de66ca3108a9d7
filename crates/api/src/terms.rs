//! What goes with a request that changes something: a key that makes a retry safe, the revision
//! that its author has seen, and for whom it speaks.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use model::PartyId;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{Object, Required, Type};

use crate::admit::Caller;
use crate::body::IdempotencyKey;
use crate::problem::Problem;

/// The header that names the party for which a request speaks.
const PARTY: &str = "convoke-party";

/// What goes with a request that changes something.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) key: IdempotencyKey,
    pub(crate) if_revision: Option<u64>,
    /// For whom it says that it speaks.
    pub(crate) party: Option<PartyId>,
    pub(crate) caller: Caller,
}

impl<S: Send + Sync> FromRequestParts<S> for Terms {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let key = IdempotencyKey::from_request_parts(parts, state).await?;
        let if_revision = revision(&parts.headers)?;
        let caller = Caller::from_request_parts(parts, state).await?;
        Ok(Terms { key, if_revision, party: party(&parts.headers)?, caller })
    }
}

/// `If-Match: "12"` (RFC 9110 §13.1.1); `*` is any.
fn revision(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("if-match") else { return Ok(None) };
    let text = value.to_str().map_err(|_| Problem::bad_if_match())?;
    let number = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match (text, number.map(str::parse)) {
        ("*", _) => Ok(None),
        (_, Some(Ok(revision))) => Ok(Some(revision)),
        (_, Some(Err(_)) | None) => Err(Problem::bad_if_match()),
    }
}

fn party(headers: &HeaderMap) -> Result<Option<PartyId>, Problem> {
    let Some(value) = headers.get(PARTY) else { return Ok(None) };
    let party = value.to_str().ok().and_then(|text| text.parse().ok());
    party.map(Some).ok_or_else(Problem::bad_party)
}

impl IntoParams for Terms {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let header = |name: &str, says: &str| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(says))
                .schema(Some(Object::with_type(Type::String)))
                .build()
        };
        let mut params = IdempotencyKey::into_params(place);
        params.push(header(
            "If-Match",
            "The conference's revision in quotes: refused as stale if it has another by now.",
        ));
        params.push(header(
            "Convoke-Party",
            "Speaks for this party: what the profile lets it do counts, not what an admin may. The \
             token of an agent, supervisor or guest always speaks for its own.",
        ));
        params
    }
}
