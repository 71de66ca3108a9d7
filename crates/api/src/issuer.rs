//! Tokens that somebody else has signed: JWT (RFC 7519).

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, errors};
use model::PartyId;
use serde::Deserialize;

use crate::grant::{Bound, Capacity, CapacityName, Grant, Scope};
use crate::limits::JWT_LEEWAY_S;

/// How an issuer signs. One key is for one algorithm: a token that names another is refused
/// whatever its signature (RFC 8725 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Signature {
    /// HMAC with SHA-256: the key is a secret that both sides know.
    #[serde(rename = "HS256")]
    Hs256,
    /// RSA with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// Somebody whose tokens are believed.
#[derive(Clone)]
pub struct Issuer {
    name: String,
    key: DecodingKey,
    validation: Validation,
}

/// A key shorter than the hash is easier to guess than to forge (RFC 7518 §3.2).
const SECRET_BYTES_MIN: usize = 32;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadKey {
    /// The secret is shorter than the hash.
    #[error("a secret for HS256 has {SECRET_BYTES_MIN} bytes at least")]
    Short,
    /// It is not a public key of that kind.
    #[error("it is not a public key in PEM for {0:?}")]
    NotPem(Signature),
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    exp: u64,
    role: CapacityName,
    scope: Option<String>,
    user: Option<String>,
    conference: Option<String>,
    party: Option<PartyId>,
}

impl Issuer {
    /// Believes tokens for `audience` that `name` has signed: with this secret for HS256, else
    /// with the private key to this public key in PEM.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn new(
        name: String,
        audience: &str,
        signature: Signature,
        key: &[u8],
    ) -> Result<Issuer, BadKey> {
        let not_pem = |_: errors::Error| BadKey::NotPem(signature);
        let (algorithm, key) = match signature {
            Signature::Hs256 if key.len() < SECRET_BYTES_MIN => return Err(BadKey::Short),
            Signature::Hs256 => (Algorithm::HS256, DecodingKey::from_secret(key)),
            Signature::Rs256 => {
                (Algorithm::RS256, DecodingKey::from_rsa_pem(key).map_err(not_pem)?)
            }
            Signature::Es256 => (Algorithm::ES256, DecodingKey::from_ec_pem(key).map_err(not_pem)?),
            Signature::EdDsa => (Algorithm::EdDSA, DecodingKey::from_ed_pem(key).map_err(not_pem)?),
        };
        let mut validation = Validation::new(algorithm);
        validation.leeway = JWT_LEEWAY_S;
        validation.validate_nbf = true;
        validation.set_issuer(&[&name]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        Ok(Issuer { name, key, validation })
    }

    /// What a token grants; none if it is not this issuer's, not for us, or not now.
    pub(crate) fn grant(&self, token: &str) -> Option<Grant> {
        let claims = decode::<Claims>(token, &self.key, &self.validation).ok()?.claims;
        let Claims { sub, exp, role, scope, user, conference, party } = claims;
        let name = format!("{} of {}", sub.as_deref().unwrap_or("nobody"), self.name);
        let bound = Bound { user: user.or(sub), conference, party };
        let capacity = Capacity::new(role, bound).ok()?;
        let scopes = scope.as_deref().map(Scope::named_in);
        Some(Grant { expires_s: Some(exp), ..Grant::new(name, capacity, scopes) })
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key may be a secret.
        f.debug_struct("Issuer").field("name", &self.name).finish_non_exhaustive()
    }
}
