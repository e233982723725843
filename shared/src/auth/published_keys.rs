//! Public keys that the platform publishes for its services.

use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use serde_json::Value;

use crate::{
    auth::{
        PrivateKey,
        jwk::{KeySet, algorithm_of},
    },
    config::{ConfigError, ImpersonationKeysConfig},
};

const NAME: &str = "IMPERSONATION_PUBLIC_KEYS";

/// Private members of a JWK (RFC 7518, section 6; RFC 8037).
const PRIVATE: [&str; 3] = ["d", "k", "p"];

/// The keys that verify the tokens of impersonations, as a JWK Set (RFC 7517).
#[derive(Debug, Clone)]
pub struct PublishedKeys(JwkSet);

impl PublishedKeys {
    /// Reads the keys. A key that cannot be published is an error, above all a private key.
    pub fn new(config: &ImpersonationKeysConfig) -> Result<Self, ConfigError> {
        let invalid = |reason: String| ConfigError::invalid(NAME, reason);
        let document: Value = serde_json::from_str(&config.public_keys).map_err(|error| invalid(error.to_string()))?;
        let entries = document["keys"].as_array().ok_or_else(|| invalid("not a JWK Set".to_owned()))?;
        let mut keys = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            if PRIVATE.iter().any(|member| entry.get(member).is_some()) {
                return Err(invalid(format!("key {index} is not a public key")));
            }
            let mut key: Jwk =
                serde_json::from_value(entry.clone()).map_err(|error| invalid(format!("key {index}: {error}")))?;
            let algorithm =
                algorithm_of(&key).ok_or_else(|| invalid(format!("key {index} has an unsupported type")))?;
            if key.common.key_id.is_none() {
                return Err(invalid(format!("key {index} has no kid")));
            }
            key.common.key_algorithm = Some(algorithm.into());
            key.common.public_key_use = Some(PublicKeyUse::Signature);
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(invalid("the set contains no key".to_owned()));
        }
        Ok(Self(JwkSet { keys }))
    }

    /// The document, `application/jwk-set+json`.
    pub fn to_json(&self) -> String {
        // Cannot fail: a JWK Set consists of strings.
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// Checks that the public key of `private` is published, because otherwise no service could verify its tokens.
    /// `id_variable` is the environment variable that holds the `kid`.
    pub fn check_contains(&self, private: &PrivateKey, id_variable: &'static str) -> Result<(), ConfigError> {
        KeySet::new(&self.0).check_contains(private, NAME, id_variable)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn published(key: &Value) -> Result<String, ConfigError> {
        let config = ImpersonationKeysConfig { public_keys: json!({ "keys": [key] }).to_string() };
        PublishedKeys::new(&config).map(|keys| keys.to_json())
    }

    #[test]
    fn keys_are_published_with_use_and_algorithm() {
        let json = published(&json!({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": X})).unwrap();
        let expected = json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": X, "use": "sig", "alg": "EdDSA"},
        ]});
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), expected);
    }

    #[test]
    fn a_private_key_is_never_published() {
        for bad in [
            json!({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": X, "d": X}),
            json!({"kty": "oct", "kid": "a", "k": "c2VjcmV0"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": X}),
            json!({"kty": "OKP", "crv": "X25519", "kid": "a", "x": X}),
        ] {
            let refused = published(&bad).unwrap_err().to_string();
            assert!(refused.contains("IMPERSONATION_PUBLIC_KEYS") && !refused.contains("c2VjcmV0"), "{refused}");
        }
    }
}
