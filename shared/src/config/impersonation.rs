//! Keys, issuer and audience of the tokens of impersonations. The keys differ from those of sign-in, so that a service which
//! trusts one kind of token does not trust the other.

use secrecy::SecretString;

use crate::config::{ConfigError, FromEnv, optional, required, secret, tokens};

/// The keys that verify tokens of impersonations. The platform's services fetch them.
#[derive(Debug, Clone)]
pub struct ImpersonationKeysConfig {
    /// `IMPERSONATION_PUBLIC_KEYS`: the JWK Set (RFC 7517) of every key that may have signed a valid token, as JSON or
    /// base64url of the JSON. To rotate, add the new key here first, then sign with it, then remove the old key.
    pub public_keys: String,
}

impl FromEnv for ImpersonationKeysConfig {
    fn from_env() -> Result<Self, ConfigError> {
        const NAME: &str = "IMPERSONATION_PUBLIC_KEYS";
        Ok(Self { public_keys: tokens::jwk_set(NAME)?.ok_or(ConfigError::Missing(NAME))? })
    }
}

/// Signing of the tokens of impersonations.
#[derive(Debug, Clone)]
pub struct ImpersonationSigningConfig {
    /// `IMPERSONATION_SIGNING_KEY`: base64url (no padding) of the PKCS#8 DER of an Ed25519 or P-256 private key.
    pub key: SecretString,
    /// `IMPERSONATION_SIGNING_KEY_ID`: the key's `kid` in `IMPERSONATION_PUBLIC_KEYS`.
    pub key_id: String,
    /// `JWT_ISSUER` (`landlord`): the `iss`, as in every token that the platform signs.
    pub issuer: String,
    /// `IMPERSONATION_AUDIENCE` (`landlord-platform`): the `aud`, the platform's services.
    pub audience: String,
    /// The published keys, which must contain the public key of `key`.
    pub published: ImpersonationKeysConfig,
}

impl FromEnv for ImpersonationSigningConfig {
    fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            key: secret("IMPERSONATION_SIGNING_KEY")?,
            key_id: required("IMPERSONATION_SIGNING_KEY_ID")?,
            issuer: tokens::issuer(),
            audience: optional("IMPERSONATION_AUDIENCE").unwrap_or_else(|| "landlord-platform".to_owned()),
            published: ImpersonationKeysConfig::from_env()?,
        })
    }
}
