//! Tokens of impersonations: for the platform's services, never for this API.

use serde::Serialize;

use crate::{
    auth::{PrivateKey, PublishedKeys},
    config::{ConfigError, ImpersonationSigningConfig},
    error::Result,
    impersonations::Impersonation,
    types::{ImpersonationId, TenantId, UserId},
};

/// The `typ` of such a token, so that nobody takes it for one of another kind (RFC 8725, section 3.11).
pub const IMPERSONATION_TYPE: &str = "impersonation+jwt";

/// Signs tokens of impersonations with one private key.
pub struct ImpersonationSigner {
    key: PrivateKey,
    issuer: String,
    audience: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: UserId,
    act: Actor<'a>,
    sid: ImpersonationId,
    tenant_id: TenantId,
    scope: &'static str,
    iat: i64,
    exp: i64,
    jti: ImpersonationId,
}

/// Who acts in the name of `sub` (RFC 8693, section 4.1).
#[derive(Serialize)]
struct Actor<'a> {
    sub: &'a str,
}

impl ImpersonationSigner {
    /// Reads the private key. It has to be among the published keys, or nobody could verify what it signs.
    pub fn new(config: &ImpersonationSigningConfig) -> Result<Self, ConfigError> {
        let key = PrivateKey::read("IMPERSONATION_SIGNING_KEY", &config.key, &config.key_id)?;
        PublishedKeys::new(&config.published)?.check_contains(&key, "IMPERSONATION_SIGNING_KEY_ID")?;
        Ok(Self { key, issuer: config.issuer.clone(), audience: config.audience.clone() })
    }

    /// The token of an impersonation. It has one: signed again, it is the same. Its times are the impersonation's own, and it
    /// has no `nbf`, so that a clock that is a little behind refuses nobody.
    pub fn sign(&self, impersonation: &Impersonation) -> Result<String> {
        let claims = Claims {
            iss: &self.issuer,
            aud: &self.audience,
            sub: impersonation.user_id,
            act: Actor { sub: &impersonation.admin_id },
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
