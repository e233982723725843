//! Keys, issuers and audiences of bearer tokens.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{SecretSlice, SecretString};

use crate::config::{ConfigError, FromEnv, optional, parsed, required, secret};
use crate::types::SuperAdminRole;

/// Verification of bearer tokens.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// `JWT_ISSUER` (`landlord`): the `iss` of the platform's own tokens.
    pub issuer: String,
    /// `JWT_AUDIENCE` (`landlord-super-admin`): the `aud` of the platform's own tokens.
    pub audience: String,
    /// `JWT_PUBLIC_KEYS`: the JWK Set (RFC 7517) of every key that may have signed a valid token, as JSON or base64url of
    /// the JSON. To rotate, add the new key here first, then sign with it, then remove the old key.
    pub public_keys: String,
    /// The platform's identity provider, if it has one.
    pub oidc: Option<OidcConfig>,
}

/// An OpenID Connect provider whose access tokens are accepted beside the platform's own.
#[derive(Debug, Clone)]
pub struct OidcConfig {
    /// `OIDC_ISSUER`: the `iss` of its tokens.
    pub issuer: String,
    /// `OIDC_AUDIENCE`: the `aud` of its tokens for this API.
    pub audience: String,
    /// `OIDC_JWKS_URL`: the URL of its JWK Set, https.
    pub jwks_url: String,
    /// `OIDC_ROLE_CLAIM` (`role`): the claim that holds `super_admin`, as a string or in an array. An array may also contain
    /// `super_admin:owner`, `super_admin:operator` or `super_admin:viewer`.
    pub role_claim: String,
    /// `OIDC_DEFAULT_ROLE` (`viewer`): the role of a super-admin for whom neither the platform database nor the token
    /// contains one.
    pub default_role: SuperAdminRole,
}

impl FromEnv for TokenConfig {
    fn from_env() -> Result<Self, ConfigError> {
        let oidc = match optional("OIDC_ISSUER") {
            None => None,
            Some(issuer) => Some(OidcConfig {
                issuer,
                audience: required("OIDC_AUDIENCE")?,
                jwks_url: required("OIDC_JWKS_URL")?,
                role_claim: optional("OIDC_ROLE_CLAIM").unwrap_or_else(|| "role".to_owned()),
                default_role: parsed("OIDC_DEFAULT_ROLE", SuperAdminRole::Viewer)?,
            }),
        };
        let public_keys = match (jwk_set("JWT_PUBLIC_KEYS")?, &oidc) {
            (Some(keys), _) => keys,
            (None, Some(_)) => r#"{"keys":[]}"#.to_owned(),
            (None, None) => return Err(ConfigError::Missing("JWT_PUBLIC_KEYS")),
        };
        Ok(Self {
            issuer: issuer(),
            audience: optional("JWT_AUDIENCE").unwrap_or_else(|| "landlord-super-admin".to_owned()),
            public_keys,
            oidc,
        })
    }
}

/// The `iss` of every token that the platform signs.
pub(super) fn issuer() -> String {
    optional("JWT_ISSUER").unwrap_or_else(|| "landlord".to_owned())
}

/// The JWK Set in a variable, as JSON. The variable contains JSON or base64url of the JSON.
pub(super) fn jwk_set(name: &'static str) -> Result<Option<String>, ConfigError> {
    let Some(text) = optional(name) else { return Ok(None) };
    let text = text.trim();
    if text.starts_with('{') {
        return Ok(Some(text.to_owned()));
    }
    let decoded = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
    let json = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    json.map(Some).ok_or_else(|| ConfigError::invalid(name, "neither JSON nor base64url"))
}

/// Signing of the tokens that super-admins get when they sign in.
#[derive(Debug, Clone)]
pub struct SigningConfig {
    /// `JWT_SIGNING_KEY`: base64url (no padding) of the PKCS#8 DER of an Ed25519 or P-256 private key.
    pub key: SecretString,
    /// `JWT_SIGNING_KEY_ID`: the key's `kid` in `JWT_PUBLIC_KEYS`.
    pub key_id: String,
    /// `JWT_TTL_SECONDS` (28800, a working day): the lifetime of a token.
    pub ttl: Duration,
}

impl FromEnv for SigningConfig {
    fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            key: secret("JWT_SIGNING_KEY")?,
            key_id: required("JWT_SIGNING_KEY_ID")?,
            ttl: Duration::from_secs(parsed("JWT_TTL_SECONDS", 28_800)?),
        })
    }
}

/// Refreshing the sessions of super-admins who signed in with a password.
#[derive(Debug, Clone, Copy)]
pub struct SessionConfig {
    /// `SESSION_MAX_AGE_SECONDS` (604800, a week; 1 or more): how long after the sign-in the last token of a session expires.
    pub max_age: Duration,
}

impl SessionConfig {
    const NAME: &str = "SESSION_MAX_AGE_SECONDS";

    /// The age, if a session lasts at least as long as its first token, which is valid for `ttl`.
    pub fn at_least(self, ttl: Duration) -> Result<Duration, ConfigError> {
        if self.max_age < ttl {
            return Err(ConfigError::invalid(Self::NAME, "expected JWT_TTL_SECONDS or more"));
        }
        Ok(self.max_age)
    }
}

impl FromEnv for SessionConfig {
    fn from_env() -> Result<Self, ConfigError> {
        match parsed::<u32>(Self::NAME, 7 * 24 * 60 * 60)? {
            0 => Err(ConfigError::invalid(Self::NAME, "expected 1 second or more")),
            seconds => Ok(Self { max_age: Duration::from_secs(seconds.into()) }),
        }
    }
}

/// Fingerprints of the bodies of requests with an `Idempotency-Key`.
#[derive(Debug, Clone)]
pub struct IdempotencyConfig {
    /// `IDEMPOTENCY_SECRET`: at least 32 bytes, base64url (no padding).
    pub secret: SecretSlice<u8>,
}

impl FromEnv for IdempotencyConfig {
    fn from_env() -> Result<Self, ConfigError> {
        const NAME: &str = "IDEMPOTENCY_SECRET";
        let bytes = URL_SAFE_NO_PAD
            .decode(required(NAME)?.trim_end_matches('='))
            .map_err(|_| ConfigError::invalid(NAME, "not base64url"))?;
        if bytes.len() < 32 {
            return Err(ConfigError::invalid(NAME, "shorter than 32 bytes"));
        }
        Ok(Self { secret: bytes.into() })
    }
}
