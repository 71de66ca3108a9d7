//! Somebody who signs tokens, in each way that is believed.
#![allow(dead_code, reason = "each test binary uses its own part of it")]

use api::{Issuer, Signature};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use serde_json::Value;

pub(crate) const ISSUER: &str = "https://id.example";
pub(crate) const AUDIENCE: &str = "convoke";

const SECRET: &[u8; 32] = b"thirty-two bytes, which is none ";

pub(crate) struct Signer {
    pub(crate) signature: Signature,
    algorithm: Algorithm,
    private: EncodingKey,
    /// What the server is told: a public key, or the secret.
    public: Vec<u8>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.algorithm)
    }
}

impl Signer {
    pub(crate) fn all() -> Vec<Signer> {
        let rsa = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let ec = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let ed = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let public = |pair: &KeyPair| pair.public_key_pem().into_bytes();
        let key = |pair: &KeyPair, read: fn(&[u8]) -> jsonwebtoken::errors::Result<EncodingKey>| {
            read(pair.serialize_pem().as_bytes()).unwrap()
        };
        vec![
            Signer::secret(SECRET),
            Signer {
                signature: Signature::Rs256,
                algorithm: Algorithm::RS256,
                private: key(&rsa, EncodingKey::from_rsa_pem),
                public: public(&rsa),
            },
            Signer {
                signature: Signature::Es256,
                algorithm: Algorithm::ES256,
                private: key(&ec, EncodingKey::from_ec_pem),
                public: public(&ec),
            },
            Signer {
                signature: Signature::EdDsa,
                algorithm: Algorithm::EdDSA,
                private: key(&ed, EncodingKey::from_ed_pem),
                public: public(&ed),
            },
        ]
    }

    fn secret(secret: &[u8]) -> Signer {
        Signer {
            signature: Signature::Hs256,
            algorithm: Algorithm::HS256,
            private: EncodingKey::from_secret(secret),
            public: secret.to_vec(),
        }
    }

    /// One whom nobody believes.
    pub(crate) fn stranger() -> Signer {
        Signer::secret(&[7; 32])
    }

    pub(crate) fn issuer(&self) -> Issuer {
        Issuer::new(ISSUER.to_owned(), AUDIENCE, self.signature, &self.public).unwrap()
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        encode(&Header::new(self.algorithm), claims, &self.private).unwrap()
    }

    /// What is known to everybody, used as a secret: the classic attack on those who believe the
    /// header (RFC 8725 §2.1). For a secret: another hash than was agreed on.
    pub(crate) fn confused(&self, claims: &Value) -> String {
        let is_secret = self.algorithm == Algorithm::HS256;
        let algorithm = if is_secret { Algorithm::HS384 } else { Algorithm::HS256 };
        encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(&self.public)).unwrap()
    }
}
