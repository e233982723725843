//! Tokens of impersonations. The platform's services accept them; this API does not.

use serde::Serialize;

use crate::{
    auth::{PrivateKey, PublishedKeys},
    config::{ConfigError, ImpersonationSigningConfig},
    error::Result,
    impersonations::Impersonation,
    types::{ImpersonationId, TenantId, UserId},
};

/// The `typ` of a token, so that no verifier takes it for another kind of token (RFC 8725, section 3.11).
pub const IMPERSONATION_TYPE: &str = "impersonation+jwt";

/// Signs tokens of impersonations with one private key.
pub struct ImpersonationSigner {
    key: PrivateKey,
    issuer: String,
    audience: String,
}

#[derive(Serialize)]
struct ImpersonationClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: UserId,
    act: ActingParty<'a>,
    sid: ImpersonationId,
    tenant_id: TenantId,
    scope: &'static str,
    iat: i64,
    exp: i64,
    jti: ImpersonationId,
}

/// The party that acts as `sub` (RFC 8693, section 4.1).
#[derive(Serialize)]
struct ActingParty<'a> {
    sub: &'a str,
}

impl ImpersonationSigner {
    /// Reads the private key. Fails unless its public key is among the published keys, because its tokens could not be
    /// verified otherwise.
    pub fn new(config: &ImpersonationSigningConfig) -> Result<Self, ConfigError> {
        let key = PrivateKey::read("IMPERSONATION_SIGNING_KEY", &config.key, &config.key_id)?;
        PublishedKeys::new(&config.published)?.check_contains(&key, "IMPERSONATION_SIGNING_KEY_ID")?;
        Ok(Self { key, issuer: config.issuer.clone(), audience: config.audience.clone() })
    }

    /// The token of an impersonation. Signing again gives the same claims, because all of them come from the impersonation.
    /// There is no `nbf`, so that a verifier whose clock is slightly behind accepts a new token.
    pub fn sign(&self, impersonation: &Impersonation) -> Result<String> {
        let claims = ImpersonationClaims {
            iss: &self.issuer,
            aud: &self.audience,
            sub: impersonation.user_id,
            act: ActingParty { sub: &impersonation.admin_id },
            sid: impersonation.id,
            tenant_id: impersonation.tenant_id,
            scope: impersonation.access.scope(),
            iat: impersonation.started_at.unix_timestamp(),
            exp: impersonation.expires_at.unix_timestamp(),
            jti: impersonation.id,
        };
        self.key.sign(IMPERSONATION_TYPE, &claims)
    }
}
