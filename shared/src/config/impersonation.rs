//! Keys and parties of the tokens of impersonations. They are other keys than those of sign-in: whoever trusts the one trusts
//! nothing of the other.

use secrecy::SecretString;

use crate::config::{ConfigError, FromEnv, optional, required, secret, tokens};

/// The keys that verify tokens of impersonations, for the platform's services to fetch.
#[derive(Debug, Clone)]
pub struct ImpersonationKeysConfig {
    /// `IMPERSONATION_PUBLIC_KEYS`: the JWK Set (RFC 7517) of every key that may have signed a valid token, as JSON or as
    /// base64url of it. To rotate, add the new key here first, then sign with it, then remove the old one.
    pub public_keys: String,
}

impl FromEnv for ImpersonationKeysConfig {
    fn from_env() -> Result<Self, ConfigError> {
        const NAME: &str = "IMPERSONATION_PUBLIC_KEYS";
        Ok(Self { public_keys: tokens::jwk_set(NAME)?.ok_or(ConfigError::Missing(NAME))? })
    }
}

/// What signs tokens of impersonations.
#[derive(Debug, Clone)]
pub struct ImpersonationSigningConfig {
    /// `IMPERSONATION_SIGNING_KEY`: base64url (no padding) of the PKCS#8 DER of an Ed25519 or P-256 private key.
    pub key: SecretString,
    /// `IMPERSONATION_SIGNING_KEY_ID`: its `kid` in `IMPERSONATION_PUBLIC_KEYS`.
    pub key_id: String,
    /// `JWT_ISSUER` (`landlord`): the `iss`, as of every token of ours.
    pub issuer: String,
    /// `IMPERSONATION_AUDIENCE` (`landlord-platform`): the `aud`, the platform's services.
    pub audience: String,
    /// What the key has to be published in.
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
