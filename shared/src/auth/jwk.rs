//! Verifying keys by `kid`, each pinned to one algorithm.

use std::collections::HashMap;

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse},
};
use serde::{Deserialize, Serialize};

use crate::{auth::PrivateKey, config::ConfigError};

/// A key and its only accepted algorithm, whatever algorithm a token's header names (RFC 8725, section 3.1).
pub(super) struct VerifyingKey {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// The keys of one issuer.
#[derive(Default)]
pub(super) struct KeySet(HashMap<String, VerifyingKey>);

impl KeySet {
    /// Reads a JWK Set (RFC 7517). Skips keys that have no `kid`, are for encryption, or have an unsupported type, because a
    /// provider may publish such keys beside its signing keys.
    pub(super) fn parse(json: &str) -> Result<Self, serde_json::Error> {
        #[derive(serde::Deserialize)]
        struct Document {
            keys: Vec<serde_json::Value>,
        }
        let document: Document = serde_json::from_str(json)?;
        let keys = document.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok()).collect();
        Ok(Self::new(&JwkSet { keys }))
    }

    pub(super) fn new(set: &JwkSet) -> Self {
        let usable = set.keys.iter().filter_map(|jwk| {
            let id = jwk.common.key_id.clone()?;
            if matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption)) {
                return None;
            }
            let algorithm = algorithm_of(jwk)?;
            let key = DecodingKey::from_jwk(jwk).ok()?;
            Some((id, VerifyingKey { algorithm, key }))
        });
        Self(usable.collect())
    }

    pub(super) fn find(&self, key_id: &str) -> Option<&VerifyingKey> {
        self.0.get(key_id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks that the set contains the public key of `private`, because otherwise nobody could verify its tokens. The
    /// environment variable `set_variable` holds the set, and `id_variable` the `kid` of the private key.
    pub(super) fn check_contains(
        &self,
        private: &PrivateKey,
        set_variable: &str,
        id_variable: &'static str,
    ) -> Result<(), ConfigError> {
        let public = self
            .find(private.id())
            .ok_or_else(|| ConfigError::invalid(id_variable, format!("no key in {set_variable} has this kid")))?;
        if is_pair(private, public) {
            Ok(())
        } else {
            let reason = format!("the key with this kid in {set_variable} does not match the private key");
            Err(ConfigError::invalid(id_variable, reason))
        }
    }
}

/// The claims of a token that only checks whether two keys form a pair.
#[derive(Serialize, Deserialize)]
struct ProbeClaims {}

fn is_pair(private: &PrivateKey, public: &VerifyingKey) -> bool {
    let mut validation = Validation::new(public.algorithm);
    validation.set_required_spec_claims::<&str>(&[]);
    validation.validate_exp = false;
    private
        .sign("JWT", &ProbeClaims {})
        .is_ok_and(|probe| decode::<ProbeClaims>(&probe, &public.key, &validation).is_ok())
}

/// Only asymmetric algorithms: with a shared secret, every verifier could also sign.
pub(super) fn algorithm_of(jwk: &Jwk) -> Option<Algorithm> {
    match (&jwk.algorithm, jwk.common.key_algorithm) {
        (AlgorithmParameters::OctetKeyPair(pair), None | Some(KeyAlgorithm::EdDSA))
            if pair.curve == EllipticCurve::Ed25519 =>
        {
            Some(Algorithm::EdDSA)
        }
        (AlgorithmParameters::EllipticCurve(pair), None | Some(KeyAlgorithm::ES256))
            if pair.curve == EllipticCurve::P256 =>
        {
            Some(Algorithm::ES256)
        }
        (AlgorithmParameters::EllipticCurve(pair), None | Some(KeyAlgorithm::ES384))
            if pair.curve == EllipticCurve::P384 =>
        {
            Some(Algorithm::ES384)
        }
        (AlgorithmParameters::RSA(_), None | Some(KeyAlgorithm::RS256)) => Some(Algorithm::RS256),
        (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::RS384)) => Some(Algorithm::RS384),
        (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::RS512)) => Some(Algorithm::RS512),
        (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::PS256)) => Some(Algorithm::PS256),
        _ => None,
    }
}
